//! The newest of a patient, `patient=X&_sort=-date`: what a portal's pages ask for most. With their patient they lie in this
//! order, so that a page reads little more than it shows, however much there is of the patient.

use super::test::{Candidate, Test};
use super::{Engine, Found, Frame, indexed};
use crate::sql::Connection;
use crate::sqlite::Sqlite;
use crate::sqlite::file::READ_ROWS_MAX;
use crate::sqlite::node::entries::{DATE, OF_PATIENT, UNDATED};
use crate::sqlite::node::names::Names;
use crate::{Clause, Drive, Page, Position, Result, SORTED_MAX, Search, Sort, SortBy, SortValue, Total};

/// Read at once beyond a page: the one that tells of a next page, and a few of the same instant.
const BEYOND: usize = 4;
/// Matches of a page that is read where it is asked for.
const SHORT_MAX: usize = 100;
/// What is looked at there.
const SHORT_EXAMINED_MAX: usize = 500;

/// Whose newest are asked for, of which type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Newest {
    pub patient: i64,
    pub tid: i64,
}

/// Up to where a walk over them is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Through {
    pub newness: i64,
    pub rid: i64,
}

impl Newest {
    /// Of a search for what names one patient and no more, newest first.
    pub fn of(frame: &Frame<'_>, names: &Names) -> Option<Self> {
        let ([Sort { by: SortBy::Parameter(code), descending: true }], [Test::Reference { pid, targets }]) =
            (frame.search.sort.as_slice(), frame.scope.tests.as_slice())
        else {
            return None;
        };
        let mut targets = targets.iter();
        let (Some(patient), None) = (targets.next(), targets.next()) else { return None };
        let (of, tid) = (frame.search.resource_type.as_str(), frame.scope.tid);
        // What a package calls so has no part in the order.
        let is_own = |code| names.index.find(of, code).is_none();
        let by_patient = pid.is_some() && *pid == names.parameter_number(tid, OF_PATIENT);
        (code == DATE && is_own(DATE) && is_own(OF_PATIENT) && by_patient)
            .then_some(Self { patient: *patient, tid })
    }
}

/// Whether a search asks for no more than a page of the newest of a patient, which takes less time than to wake a thread for it.
pub(super) fn is_short(search: &Search) -> bool {
    let by_patient = |clause: &Clause| match clause {
        Clause::Reference { parameter, values } => parameter == OF_PATIENT && values.len() == 1,
        _ => false,
    };
    let by_date =
        |sort: &Sort| sort.descending && matches!(&sort.by, SortBy::Parameter(code) if code == DATE);
    matches!(search.clauses.as_slice(), [clause] if by_patient(clause))
        && matches!(search.sort.as_slice(), [sort] if by_date(sort))
        && search.includes.is_empty()
        && search.beside.is_empty()
        && search.count <= SHORT_MAX
}

impl Sqlite {
    /// A page of a short search, read where it is asked for; `None` where that would take longer than it seemed.
    pub(super) async fn newest(&self, search: Search) -> Result<Option<Page>> {
        let names = self.published.names();
        indexed::demand(&search, &names.index)?;
        self.node
            .at_one_instant_here(move |connection| {
                Box::pin(async move { short(&search, &names, connection).await })
            })
            .await
    }
}

async fn short(search: &Search, names: &Names, connection: &mut Connection) -> Result<Option<Page>> {
    let mut engine = Engine::new(names, connection);
    let Some(frame) = engine.frame(search).await? else { return Ok(None) };
    match engine.newest(&frame, SHORT_EXAMINED_MAX).await? {
        Some(found) => Ok(Some(engine.whole(search, found).await?)),
        None => Ok(None),
    }
}

impl Engine<'_> {
    /// A page of them, for which no more than about `most` are looked at; `None` where another way has to find it.
    pub async fn newest(&mut self, frame: &Frame<'_>, most: usize) -> Result<Option<Found>> {
        let ([only], Some(newest)) = (frame.scope.drivers.as_slice(), Newest::of(frame, self.reader.names))
        else {
            return Ok(None);
        };
        let total = match frame.search.total {
            Total::None => None,
            asked => match self.reader.count(&only.ranges, SORTED_MAX).await? {
                counted if counted <= SORTED_MAX => u64::try_from(counted).ok(),
                _ if asked == Total::Cheap => None,
                _ => return Ok(None),
            },
        };
        let count = frame.search.count.min(READ_ROWS_MAX);
        let (mut through, after) = (Through::begin(frame.search.after.as_ref()), frame.search.after.as_ref());
        let (mut placed, mut examined) = (Vec::new(), 0);
        loop {
            let limit = count + 1 + BEYOND;
            let read = self.reader.newest(newest, through, limit).await?;
            examined += read.len();
            let last = read.last().map(|(stands, _)| *stands).filter(|_| read.len() == limit);
            for (stands, candidate) in read {
                let position = frame.order.position(&candidate);
                let follows = after.is_none_or(|after| frame.order.compare(&position, after).is_gt());
                if follows && frame.scope.tests.iter().all(|test| test.holds(&candidate) == Some(true)) {
                    placed.push((stands.newness, (position, candidate)));
                }
            }
            let Some(last) = last else { break };
            // Those of one instant are put in order when all of them are there.
            let settled = placed.iter().filter(|(newness, _)| *newness < last.newness).count();
            if settled > count {
                break;
            }
            if examined > most {
                return Ok(None);
            }
            through = last;
        }
        let mut placed: Vec<(Position, Candidate)> = placed.into_iter().map(|(_, placed)| placed).collect();
        placed.sort_unstable_by(|(one, _), (other, _)| frame.order.compare(one, other));
        self.drive = Drive::Newest;
        Ok(Some(Found { total, ..frame.cut(placed) }))
    }
}

impl Through {
    /// Before the first that may follow a position.
    fn begin(after: Option<&Position>) -> Self {
        let newness = match after.and_then(|after| after.keys.first()) {
            None => i64::MIN,
            Some(SortValue::Interval(low_us, _)) => low_us.saturating_neg(),
            Some(_) => UNDATED,
        };
        Self { newness, rid: i64::MIN }
    }
}
