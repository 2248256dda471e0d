//! Searching. The clause with the fewest rows drives. Where those are few, all of them are read, tested against the other
//! clauses by their own index rows, counted and sorted in memory; where they are many, an index is walked in the order of
//! the search until the page is full or [`EXAMINED_MAX`] resources were looked at.

mod clauses;
mod include;
mod order;
mod scan;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use self::clauses::{Candidate, Compiled, Driver, compile};
use self::order::Order;
use self::scan::Scan;
use super::Sqlite;
use super::codes::unsigned;
use super::file::READ_ROWS_MAX;
use super::node::names::Names;
use super::resources::stored;
use super::rows::{Rows, arguments};
use crate::{
    COUNTED_MAX, EXAMINED_MAX, Error, Page, Position, Result, SORTED_MAX, Search, Sort, SortBy, SortValue,
    Stored, Total,
};

/// Candidates read at a time by a walk.
const CHUNK: usize = 256;

/// What a search needs to know of its type.
struct Frame<'a> {
    search: &'a Search,
    tid: i64,
    clauses: Vec<Compiled>,
    order: Order,
    names: &'a Names,
    /// Live resources of the type.
    live: usize,
}

/// Matches of a page before their bodies are read.
#[derive(Default)]
struct Found {
    matches: Vec<Candidate>,
    next: Option<Position>,
    total: Option<u64>,
    examined_cut: bool,
}

impl Sqlite {
    /// One page of a search, read in one transaction.
    pub(super) async fn page(&self, search: &Search) -> Result<Page> {
        let names = self.published.names();
        let Some(tid) = names.type_number(search.resource_type.as_str()) else {
            return Ok(Page { total: Some(0), ..Page::default() });
        };
        let mut connection = self.node.begin().await?;
        let page = read(search, tid, &names, &mut connection).await;
        connection.rollback().await?;
        page
    }
}

/// One page of a search of the type of this number.
pub(in crate::sqlite) async fn read(
    search: &Search,
    tid: i64,
    names: &Names,
    connection: &mut SqliteConnection,
) -> Result<Page> {
    let mut clauses = Vec::with_capacity(search.clauses.len());
    for clause in &search.clauses {
        clauses.push(compile(clause, tid, names, connection).await?);
    }
    let order = Order::new(&search.sort, tid, names);
    if search.after.as_ref().is_some_and(|after| !order.fits(after)) {
        return Err(Error::Corrupt("a position of another search"));
    }
    let live: Option<i64> = sqlx::query_scalar("SELECT live FROM type_counts WHERE tid = ?")
        .bind(tid)
        .fetch_optional(&mut *connection)
        .await?;
    let live = usize::try_from(live.unwrap_or(0)).map_err(|_| Error::Corrupt("a count"))?;
    let frame = Frame { search, tid, clauses, order, names, live };
    let found = frame.find(connection).await?;
    let numbers: Vec<i64> = found.matches.iter().map(|candidate| candidate.rid).collect();
    let matches = bodies(&numbers, names, connection).await?;
    let (included, included_cut) =
        include::included(&search.includes, tid, &found.matches, names, connection).await?;
    let Found { next, total, examined_cut, .. } = found;
    Ok(Page { matches, next, total, included, included_cut, examined_cut })
}

impl Frame<'_> {
    async fn find(&self, connection: &mut SqliteConnection) -> Result<Found> {
        let mut best: Option<(usize, &Driver)> = None;
        for driver in self.clauses.iter().filter_map(|clause| clause.driver.as_ref()) {
            let rows = count(driver, SORTED_MAX, connection).await?;
            if rows == 0 {
                return Ok(Found { total: Some(0), ..Found::default() });
            }
            // Of two that are too many, the one that can be walked in order.
            let better =
                best.is_none_or(|(least, chosen)| (rows, !driver.ordered) < (least, !chosen.ordered));
            if better {
                best = Some((rows, driver));
            }
        }
        match best {
            Some((rows, driver)) if rows <= SORTED_MAX => {
                let candidates = scan::all(driver, self.tid, connection).await?;
                Ok(self.sorted(candidates))
            }
            _ if self.live <= SORTED_MAX => {
                let read = Scan::Numbers(None).read(self.tid, None, SORTED_MAX + 1, connection).await?;
                Ok(self.sorted(read.into_iter().map(|(candidate, _)| candidate).collect()))
            }
            best => self.walked(best.map(|(_, driver)| driver), connection).await,
        }
    }

    fn holds(&self, candidate: &Candidate) -> bool {
        self.clauses.iter().all(|clause| clause.test.holds(candidate))
    }

    /// A page of few candidates.
    fn sorted(&self, candidates: Vec<Candidate>) -> Found {
        let held = candidates.into_iter().filter(|candidate| self.holds(candidate));
        let mut placed: Vec<(Position, Candidate)> =
            held.map(|candidate| (self.order.position(&candidate), candidate)).collect();
        let total =
            (self.search.total != Total::None).then(|| u64::try_from(placed.len()).unwrap_or(u64::MAX));
        placed.sort_by(|(one, _), (other, _)| self.order.compare(one, other));
        if let Some(after) = &self.search.after {
            placed.retain(|(position, _)| self.order.compare(position, after).is_gt());
        }
        let count = self.search.count.min(READ_ROWS_MAX);
        let more = placed.len() > count;
        placed.truncate(count);
        let next = placed.last().filter(|_| more).map(|(position, _)| position.clone());
        let matches = placed.into_iter().map(|(_, candidate)| candidate).collect();
        Found { matches, next, total, examined_cut: false }
    }

    /// A page of many candidates.
    async fn walked(&self, driver: Option<&Driver>, connection: &mut SqliteConnection) -> Result<Found> {
        let mut found = Found { total: self.total(connection).await?, ..Found::default() };
        let count = self.search.count.min(READ_ROWS_MAX);
        let mut scan = self.scan(driver)?;
        let mut at = self.search.after.clone();
        if matches!(scan, Scan::Values { .. }) && at.as_ref().is_some_and(is_missing) {
            scan = Scan::Missing;
        }
        let mut last = None;
        let mut examined = 0;
        if count == 0 {
            return Ok(found);
        }
        loop {
            let chunk = scan.read(self.tid, at.as_ref(), CHUNK, connection).await?;
            let full = chunk.len() == CHUNK;
            examined += chunk.len();
            for (candidate, walked) in chunk {
                let own = self.order.position(&candidate);
                let keys = walked.map_or_else(|| own.keys.clone(), |value| vec![value]);
                at = Some(Position { keys, number: candidate.rid });
                // A resource stands where its deciding value is, not at each of its values.
                let stands_here =
                    at.as_ref() == Some(&own) && (!matches!(scan, Scan::Missing) || is_missing(&own));
                if !stands_here || !self.holds(&candidate) {
                    continue;
                }
                if found.matches.len() == count {
                    found.next = last;
                    return Ok(found);
                }
                last = Some(own);
                found.matches.push(candidate);
            }
            match (full, &scan) {
                (true, _) if examined >= EXAMINED_MAX => {
                    (found.next, found.examined_cut) = (at, true);
                    return Ok(found);
                }
                (true, _) => {}
                (false, Scan::Values { .. }) => {
                    scan = Scan::Missing;
                    at = Some(Position { keys: vec![SortValue::Missing], number: 0 });
                }
                (false, _) => return Ok(found),
            }
        }
    }

    /// The index that has the order of the search.
    fn scan<'d>(&self, driver: Option<&'d Driver>) -> Result<Scan<'d>> {
        match self.search.sort.as_slice() {
            [] => Ok(Scan::Numbers(driver.filter(|driver| driver.ordered))),
            [Sort { by: SortBy::Updated, descending }] => Ok(Scan::Updates { descending: *descending }),
            [Sort { by: SortBy::Parameter(code), descending }] => {
                let kind = fhir::r4()
                    .search_parameter(self.search.resource_type.as_str(), code)
                    .map(|parameter| parameter.kind)
                    .filter(|kind| scan::has_order(*kind))
                    .ok_or(TOO_MANY_TO_SORT)?;
                Ok(match self.names.parameter_number(self.tid, code) {
                    Some(pid) => Scan::Values { kind, pid, descending: *descending },
                    None => Scan::Missing,
                })
            }
            _ => Err(TOO_MANY_TO_SORT),
        }
    }

    /// The total of a search with many candidates.
    async fn total(&self, connection: &mut SqliteConnection) -> Result<Option<u64>> {
        if self.search.total == Total::None {
            return Ok(None);
        }
        if self.clauses.is_empty() {
            return Ok(Some(u64::try_from(self.live).unwrap_or(u64::MAX)));
        }
        if self.search.total == Total::Cheap {
            return Ok(None);
        }
        let [Compiled { driver: Some(driver), .. }] = self.clauses.as_slice() else {
            return Err(TOO_MANY_TO_TEST);
        };
        let (all, values) = driver.joined(" UNION ALL ", "", &[]);
        let sql =
            format!("SELECT count(*) FROM (SELECT DISTINCT rid FROM ({all}) LIMIT {})", COUNTED_MAX + 1);
        let row = sqlx::query_with(AssertSqlSafe(sql), arguments(values)?).fetch_one(connection).await?;
        let counted = unsigned(row.try_get(0)?)?;
        if usize::try_from(counted).is_ok_and(|counted| counted <= COUNTED_MAX) {
            Ok(Some(counted))
        } else {
            Err(TOO_MANY_TO_COUNT)
        }
    }
}

/// Says [`SORTED_MAX`].
const TOO_MANY_TO_SORT: Error = Error::TooCostly("more than 1000 matches are not put into this order");
/// Says [`SORTED_MAX`].
const TOO_MANY_TO_TEST: Error =
    Error::TooCostly("more than 1000 matches of several conditions are not counted");
/// Says [`COUNTED_MAX`].
const TOO_MANY_TO_COUNT: Error = Error::TooCostly("more than 100000 matches are not counted");

fn is_missing(position: &Position) -> bool {
    position.keys.first() == Some(&SortValue::Missing)
}

/// How many rows a driver has, counted no further than one beyond `most`.
async fn count(driver: &Driver, most: usize, connection: &mut SqliteConnection) -> Result<usize> {
    if driver.texts.is_empty() {
        return Ok(0);
    }
    let (sql, values) = count_statement(driver, most);
    let row = sqlx::query_with(AssertSqlSafe(sql), arguments(values)?).fetch_one(connection).await?;
    usize::try_from(row.try_get::<i64, _>(0)?).map_err(|_| Error::Corrupt("a count"))
}

fn count_statement(driver: &Driver, most: usize) -> (String, Vec<super::rows::Value>) {
    let (all, values) = driver.joined(" UNION ALL ", "", &[]);
    (format!("SELECT count(*) FROM ({all} LIMIT {})", most + 1), values)
}

/// The current versions of these resources in this order; of what is not stored, nothing.
async fn bodies(numbers: &[i64], names: &Names, connection: &mut SqliteConnection) -> Result<Vec<Stored>> {
    let mut asked = Rows::statement(
        "SELECT r.tid, r.id, r.version, r.updated_us, r.deleted, r.patient, r.body,
            (SELECT o.hash FROM packages o WHERE o.pkg = r.pkg), r.rid FROM resources r
         WHERE r.rid IN (",
        ") AND r.version > 0",
        1,
    );
    numbers.iter().for_each(|number| asked.push([(*number).into()]));
    let mut read = HashMap::with_capacity(numbers.len());
    for row in asked.fetch(connection).await? {
        read.insert(row.try_get::<i64, _>(8)?, stored(&row, names)?);
    }
    Ok(numbers.iter().filter_map(|number| read.remove(number)).collect())
}
