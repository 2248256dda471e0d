//! Searching. The clause with the fewest rows drives. Where those are few, all of them are read, tested against the other
//! clauses by their own index rows, counted and sorted in memory; where they are many, an index is walked in the order of
//! the search until the page is full or [`EXAMINED_MAX`] resources were looked at, or, where no index has that order, all
//! candidates are looked at, up to [`ORDERED_MAX`]. The newest of a patient lie in their order, and a page of them is all
//! that is read.

mod body;
mod compile;
mod include;
mod indexed;
mod linked;
mod many;
mod newest;
mod order;
mod range;
mod reader;
mod test;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use fhir::ResourceType;

use self::compile::{Driver, Of};
use self::order::Order;
use self::reader::{Reader, Walk};
use self::test::{Candidate, Test};
use super::Sqlite;
use super::file::READ_ROWS_MAX;
use super::node::names::Names;
use crate::sql::Connection;
use crate::{Clause, Drive, EXAMINED_MAX, Error, Page, Position, Result, SORTED_MAX, Search, Total};

/// One search as it runs.
struct Engine<'c> {
    reader: Reader<'c>,
    /// What ids were found to mean: (type, id).
    targets: HashMap<(Option<i64>, String), Vec<i64>>,
    /// Resources looked at behind references so far.
    looked: usize,
    drive: Drive,
}

/// One type of a search, ready to run.
struct Scope {
    tid: i64,
    tests: Vec<Test>,
    /// Of each clause that has one.
    drivers: Vec<Driver>,
}

/// What a search needs to know of its type.
struct Frame<'a> {
    search: &'a Search,
    scope: Scope,
    order: Order,
    /// Live resources of the type, where it is asked how many there are.
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
        if newest::is_short(search)
            && let Some(page) = self.newest(search.clone()).await?
        {
            return Ok(page);
        }
        let (search, names) = (search.clone(), self.published.names());
        self.node
            .at_one_instant(move |connection| {
                Box::pin(async move { read(&search, &names, connection).await })
            })
            .await
    }
}

/// One page of a search.
pub(in crate::sqlite) async fn read(
    search: &Search,
    names: &Names,
    connection: &mut Connection,
) -> Result<Page> {
    indexed::demand(search, &names.index)?;
    let mut engine = Engine::new(names, connection);
    let found = engine.find(search).await?;
    engine.whole(search, found).await
}

impl<'c> Engine<'c> {
    fn new(names: &'c Names, connection: &'c mut Connection) -> Self {
        Self {
            reader: Reader::new(names, connection),
            targets: HashMap::new(),
            looked: 0,
            drive: Drive::Nothing,
        }
    }
}

impl Engine<'_> {
    /// A page with its bodies and what comes along.
    async fn whole(&mut self, search: &Search, found: Found) -> Result<Page> {
        let numbers: Vec<i64> = found.matches.iter().map(|candidate| candidate.rid).collect();
        let looked_at = self.reader.looked_at;
        let included = self.included(&search.includes, search.along.as_ref(), &found.matches).await?;
        let Found { next, total, examined_cut, .. } = found;
        let matches = self.reader.stored(&numbers).await?;
        Ok(Page {
            matches,
            numbers,
            next,
            total,
            included: self.reader.stored(&included.numbers).await?,
            included_cut: included.cut,
            examined_cut,
            drive: self.drive,
            looked_at,
        })
    }

    /// What a search needs to know of its type; `None` where there is no resource of it.
    async fn frame<'s>(&mut self, search: &'s Search) -> Result<Option<Frame<'s>>> {
        let Some(scope) = self.scope(search.resource_type, &search.clauses).await? else { return Ok(None) };
        let order = Order::new(&search.sort, scope.tid, self.reader.names);
        if search.after.as_ref().is_some_and(|after| !order.fits(after)) {
            return Err(Error::Corrupt("a position of another search"));
        }
        Ok(Some(Frame { search, scope, order, live: 0 }))
    }

    async fn find(&mut self, search: &Search) -> Result<Found> {
        if !search.beside.is_empty() {
            return self.of_several_types(search).await;
        }
        let Some(mut frame) = self.frame(search).await? else {
            return Ok(Found { total: Some(0), ..Found::default() });
        };
        if let Some(found) = self.newest(&frame, EXAMINED_MAX).await? {
            return Ok(found);
        }
        // Most other searches have one clause that finds a patient's few: that is one statement.
        if let [only] = frame.scope.drivers.as_slice()
            && let Some(mut candidates) = self.reader.few(&only.ranges).await?
        {
            self.drive = Drive::Clause(only.clause);
            if only.exact && frame.scope.tests.len() == 1 {
                candidates.retain(|candidate| candidate.tid == frame.scope.tid);
                return Ok(frame.sorted(candidates));
            }
            return self.of_few(&frame, candidates).await;
        }
        let best = self.best(&frame.scope).await?;
        match &best {
            Some((0, _)) => return Ok(Found { total: Some(0), ..Found::default() }),
            Some((rows, driver)) if *rows <= SORTED_MAX => {
                self.drive = Drive::Clause(driver.clause);
                let numbers = self.reader.numbers(&driver.ranges, SORTED_MAX).await?;
                let candidates = self.reader.load(&numbers).await?;
                return self.of_few(&frame, candidates).await;
            }
            _ => {}
        }
        frame.live = self.reader.live(frame.scope.tid).await?;
        if frame.live <= SORTED_MAX {
            self.drive = Drive::Type;
            let read = self.reader.walk(Walk::Numbers, frame.scope.tid, None, SORTED_MAX + 1).await?;
            let candidates = read.into_iter().map(|(candidate, _)| candidate).collect();
            return self.of_few(&frame, candidates).await;
        }
        self.of_many(&frame, best.as_ref().map(|(_, driver)| driver)).await
    }

    /// A page of candidates that are all read.
    async fn of_few(&mut self, frame: &Frame<'_>, mut candidates: Vec<Candidate>) -> Result<Found> {
        candidates.retain(|candidate| candidate.tid == frame.scope.tid);
        let held = self.passing(&frame.scope.tests, candidates).await?;
        Ok(frame.sorted(held))
    }

    /// The driver with the fewest rows, counted no further than one beyond [`SORTED_MAX`]; of two that are too many, the
    /// one that can be walked in order.
    async fn best(&mut self, scope: &Scope) -> Result<Option<(usize, Driver)>> {
        let mut counted = Vec::with_capacity(scope.drivers.len());
        for driver in &scope.drivers {
            counted.push((self.reader.count(&driver.ranges, SORTED_MAX).await?, driver));
        }
        let best = counted.into_iter().min_by_key(|(rows, driver)| (*rows, !driver.is_ordered()));
        Ok(best.map(|(rows, driver)| (rows, driver.clone())))
    }

    /// Prepares the clauses of one type; `None` where there is no resource of it.
    async fn scope(&mut self, of: ResourceType, clauses: &[Clause]) -> Result<Option<Scope>> {
        let Some(tid) = self.reader.names.type_number(of.as_str()) else { return Ok(None) };
        let mut scope = Scope { tid, tests: Vec::with_capacity(clauses.len()), drivers: Vec::new() };
        for (place, clause) in clauses.iter().enumerate() {
            let compiled = self.compile(clause, Of { resource_type: of, tid }).await?;
            scope.drivers.extend(compiled.driver.map(|driver| Driver { clause: place, ..driver }));
            scope.tests.push(compiled.test);
        }
        Ok(Some(scope))
    }

    /// A page of a search of several types, in the order of resource numbers. The first clause of each finds.
    async fn of_several_types(&mut self, search: &Search) -> Result<Found> {
        let own = std::iter::once((search.resource_type, search.clauses.as_slice()));
        let beside = search.beside.iter().map(|(of, clauses)| (*of, clauses.as_slice()));
        let (mut scopes, mut ranges) = (HashMap::new(), Vec::new());
        for (of, clauses) in own.chain(beside) {
            let Some(first) = clauses.first() else { return Err(NO_DRIVER) };
            let Some(tid) = self.reader.names.type_number(of.as_str()) else { continue };
            let mut tests = Vec::with_capacity(clauses.len());
            for clause in clauses {
                let compiled = self.compile(clause, Of { resource_type: of, tid }).await?;
                if std::ptr::eq(clause, first) {
                    ranges.extend(compiled.driver.ok_or(NO_DRIVER)?.ranges);
                }
                tests.push(compiled.test);
            }
            scopes.insert(tid, tests);
        }
        // A parameter that no resource has selects nothing.
        ranges.retain(|range| !matches!(range, range::Range::Target { pid: None, .. }));
        if ranges.is_empty() {
            return Ok(Found { total: Some(0), ..Found::default() });
        }
        if !ranges.iter().all(range::Range::is_ordered) || ranges.len() > SEVERAL_MAX {
            return Err(NO_DRIVER);
        }
        self.drive = Drive::Several;
        let counted = self.reader.count(&ranges, SORTED_MAX).await?;
        let few = counted <= SORTED_MAX;
        let start = search.after.as_ref().map_or(0, |after| after.number);
        let count = search.count.min(READ_ROWS_MAX);
        let mut found = Found::default();
        let mut at = if few { 0 } else { start };
        let limit = if few { SORTED_MAX + 1 } else { many::CHUNK };
        let mut held = 0_u64;
        loop {
            // Where one page holds all of them, they are read once.
            let chunk = match counted <= count {
                true => self.reader.merged_whole(&ranges, limit).await?,
                false => self.reader.merged(&ranges, None, at, limit).await?,
            };
            let full = chunk.len() == limit;
            at = chunk.last().map_or(at, |candidate| candidate.rid);
            let mut passed = Vec::new();
            for (tid, tests) in &scopes {
                let of_type = chunk.iter().filter(|candidate| candidate.tid == *tid).cloned().collect();
                passed.extend(self.passing(tests, of_type).await?);
            }
            passed.sort_by_key(|candidate: &Candidate| candidate.rid);
            held += u64::try_from(passed.len()).unwrap_or(u64::MAX);
            found.matches.extend(passed.into_iter().filter(|candidate| candidate.rid > start));
            if !full || found.matches.len() > count {
                break;
            }
        }
        found.total = (few && search.total != Total::None).then_some(held);
        if found.matches.len() > count {
            found.matches.truncate(count);
            found.next = found.matches.last().map(|last| Position { keys: Vec::new(), number: last.rid });
        }
        Ok(found)
    }
}

impl Frame<'_> {
    /// A page of few matches.
    fn sorted(&self, held: Vec<Candidate>) -> Found {
        let mut placed: Vec<(Position, Candidate)> =
            held.into_iter().map(|candidate| (self.order.position(&candidate), candidate)).collect();
        let total =
            (self.search.total != Total::None).then(|| u64::try_from(placed.len()).unwrap_or(u64::MAX));
        if let Some(after) = &self.search.after {
            placed.retain(|(position, _)| self.order.compare(position, after).is_gt());
        }
        let compare = |(one, _): &(Position, Candidate), (other, _): &(Position, Candidate)| {
            self.order.compare(one, other)
        };
        // What lies beyond the page and the one that tells of a next need not be put in order.
        let needed = self.search.count.min(READ_ROWS_MAX).saturating_add(1);
        if needed < placed.len() {
            placed.select_nth_unstable_by(needed, compare);
            placed.truncate(needed);
        }
        placed.sort_unstable_by(compare);
        Found { total, ..self.cut(placed) }
    }

    /// The first of these as a page, with the position of the next where there are more.
    fn cut(&self, mut placed: Vec<(Position, Candidate)>) -> Found {
        let count = self.search.count.min(READ_ROWS_MAX);
        let more = placed.len() > count;
        placed.truncate(count);
        let next = placed.last().filter(|_| more).map(|(position, _)| position.clone());
        let matches = placed.into_iter().map(|(_, candidate)| candidate).collect();
        Found { matches, next, ..Found::default() }
    }
}

/// Parts of the index that a search of several types merges.
const SEVERAL_MAX: usize = 400;
const NO_DRIVER: Error = Error::TooCostly("a search of several types is one of ids or references");
/// Says [`crate::ORDERED_MAX`].
const TOO_MANY_TO_SORT: Error = Error::TooCostly("more than 50000 candidates are not put into this order");
/// Says [`crate::COUNTED_MAX`].
const TOO_MANY_TO_COUNT: Error = Error::TooCostly("more than 100000 matches are not counted");
/// Says [`crate::LINKED_MAX`].
const TOO_MANY_LINKED: Error =
    Error::TooCostly("more than 100000 resources are not looked at behind the references of one page");
