//! Pages of more candidates than are read at once.

use super::compile::Driver;
use super::order::Order;
use super::reader::Walk;
use super::test::Candidate;
use super::{Engine, Found, Frame, TOO_MANY_TO_COUNT, TOO_MANY_TO_SORT};
use crate::sqlite::file::READ_ROWS_MAX;
use crate::{
    COUNTED_MAX, Drive, EXAMINED_MAX, ORDERED_MAX, Position, Result, SORTED_MAX, Sort, SortBy, SortValue,
    Total,
};

/// Candidates read at a time by a walk.
pub(super) const CHUNK: usize = 256;
/// Candidates read at a time where all of them are looked at.
const STREAM_CHUNK: usize = 1_000;

/// Candidates with where they stand.
type Placed = Vec<(Position, Candidate)>;

/// How a page of many candidates is found.
enum Way {
    /// What an ordered driver selects, by number.
    Merged,
    /// Along an index, which begins as the order of the search does.
    Along(Walk),
    /// All candidates, for their order is no index's.
    All,
}

impl Engine<'_> {
    /// A page of many candidates.
    pub async fn of_many(&mut self, frame: &Frame<'_>, driver: Option<&Driver>) -> Result<Found> {
        let total = self.total(frame, driver).await?;
        if frame.search.count == 0 {
            return Ok(Found { total, ..Found::default() });
        }
        let way = self.way(frame, driver).await?;
        self.drive = match (&way, driver) {
            (Way::Along(Walk::Numbers), _) | (Way::All, None) => Drive::Type,
            (Way::Along(_), _) => Drive::Order,
            (Way::Merged, driver) => Drive::Merged(driver.map_or(0, |driver| driver.clause)),
            (Way::All, Some(driver)) => Drive::Clause(driver.clause),
        };
        let found = match way {
            Way::Merged => self.merged(frame, driver).await?,
            Way::Along(walk) if frame.search.sort.len() > 1 => self.grouped(frame, walk).await?,
            Way::Along(walk) => self.walked(frame, walk).await?,
            Way::All => self.all(frame, driver).await?,
        };
        Ok(Found { total: found.total.filter(|_| frame.search.total != Total::None).or(total), ..found })
    }

    /// The cheapest way that has the order of the search.
    async fn way(&mut self, frame: &Frame<'_>, driver: Option<&Driver>) -> Result<Way> {
        let along = match frame.search.sort.as_slice() {
            [] if driver.is_some_and(Driver::is_ordered) => return Ok(Way::Merged),
            [] => Some(Walk::Numbers),
            [Sort { by: SortBy::Updated, descending }, ..] => Some(Walk::Updates { descending: *descending }),
            [Sort { by: SortBy::Parameter(code), descending }, ..] => {
                let kind = self
                    .reader
                    .names
                    .index
                    .parameter(frame.search.resource_type.as_str(), code)
                    .map(|parameter| parameter.kind)
                    .filter(|kind| Walk::follows(*kind));
                let pid = self.reader.names.parameter_number(frame.scope.tid, code);
                kind.zip(pid).map(|(kind, pid)| Walk::Values { kind, pid, descending: *descending })
            }
            [Sort { by: SortBy::Id, .. }, ..] => None,
        };
        let candidates = match driver {
            Some(driver) => self.reader.count(&driver.ranges, ORDERED_MAX).await?,
            None => frame.live,
        };
        let few_enough = candidates <= ORDERED_MAX;
        Ok(match along {
            // Along an index so many are looked at until the page is full, if matches lie evenly.
            Some(walk) => {
                let expected = frame.live.saturating_mul(frame.search.count) / candidates.max(1);
                if driver.is_some() && few_enough && expected > EXAMINED_MAX {
                    Way::All
                } else {
                    Way::Along(walk)
                }
            }
            None if few_enough => Way::All,
            None => return Err(TOO_MANY_TO_SORT),
        })
    }

    /// By number, what an ordered driver selects.
    async fn merged(&mut self, frame: &Frame<'_>, driver: Option<&Driver>) -> Result<Found> {
        let ranges = driver.map(|driver| driver.ranges.as_slice()).unwrap_or_default();
        let mut at = frame.search.after.as_ref().map_or(0, |after| after.number);
        let (mut placed, mut examined) = (Vec::new(), 0);
        loop {
            let chunk = self.reader.merged(ranges, Some(frame.scope.tid), at, CHUNK).await?;
            let full = chunk.len() == CHUNK;
            examined += chunk.len();
            at = chunk.last().map_or(at, |candidate| candidate.rid);
            for candidate in self.passing(&frame.scope.tests, chunk).await? {
                placed.push((frame.order.position(&candidate), candidate));
            }
            if !full || placed.len() > frame.search.count.min(READ_ROWS_MAX) {
                return Ok(frame.cut(placed));
            }
            if examined >= EXAMINED_MAX {
                let next = Some(Position { keys: Vec::new(), number: at });
                return Ok(Found { next, examined_cut: true, ..frame.cut(placed) });
            }
        }
    }

    /// Along an index that has the order of the search.
    async fn walked(&mut self, frame: &Frame<'_>, mut walk: Walk) -> Result<Found> {
        let mut at = frame.search.after.clone();
        let mut missing = matches!(walk, Walk::Values { .. }) && at.as_ref().is_some_and(is_missing);
        if missing {
            walk = Walk::Numbers;
        }
        let (mut placed, mut examined) = (Vec::new(), 0);
        loop {
            let chunk = self.reader.walk(walk, frame.scope.tid, at.as_ref(), CHUNK).await?;
            let full = chunk.len() == CHUNK;
            examined += chunk.len();
            let mut standing = Vec::with_capacity(chunk.len());
            for (candidate, value) in chunk {
                let own = frame.order.position(&candidate);
                let keys = value.map_or_else(|| own.keys.clone(), |value| vec![value]);
                let here = Position { keys, number: candidate.rid };
                // A resource stands where its deciding value is, not at each of its values.
                if here == own && (!missing || is_missing(&own)) {
                    standing.push(candidate);
                }
                at = Some(here);
            }
            for candidate in self.passing(&frame.scope.tests, standing).await? {
                placed.push((frame.order.position(&candidate), candidate));
            }
            if placed.len() > frame.search.count.min(READ_ROWS_MAX) {
                return Ok(frame.cut(placed));
            }
            match (full, walk) {
                (true, _) if examined >= EXAMINED_MAX => {
                    return Ok(Found { next: at, examined_cut: true, ..frame.cut(placed) });
                }
                (true, _) => {}
                (false, Walk::Values { .. }) => {
                    (walk, missing) = (Walk::Numbers, true);
                    at = Some(Position { keys: vec![SortValue::Missing], number: 0 });
                }
                (false, _) => return Ok(frame.cut(placed)),
            }
        }
    }

    /// Along an index that has the order of the first key; what is equal by it is sorted together.
    async fn grouped(&mut self, frame: &Frame<'_>, mut walk: Walk) -> Result<Found> {
        let count = frame.search.count.min(READ_ROWS_MAX);
        let after = frame.search.after.as_ref();
        let mut missing = matches!(walk, Walk::Values { .. }) && after.is_some_and(is_missing);
        if missing {
            walk = Walk::Numbers;
        }
        // From before the first of those that are equal to the last match.
        let edge =
            if frame.search.sort.first().is_some_and(|key| key.descending) { i64::MAX } else { i64::MIN };
        let mut at = after
            .filter(|_| !missing)
            .map(|after| Position { keys: after.keys.first().cloned().into_iter().collect(), number: edge });
        let mut placed: Placed = Vec::new();
        let mut group: Placed = Vec::new();
        let mut examined = 0;
        loop {
            let chunk = self.reader.walk(walk, frame.scope.tid, at.as_ref(), CHUNK).await?;
            let full = chunk.len() == CHUNK;
            examined += chunk.len();
            let mut standing = Vec::with_capacity(chunk.len());
            for (candidate, value) in chunk {
                let own = frame.order.position(&candidate);
                let first = value.or_else(|| own.keys.first().cloned());
                if first.as_ref() == own.keys.first() && (!missing || is_missing(&own)) {
                    standing.push(candidate.clone());
                }
                at = Some(Position { keys: first.into_iter().collect(), number: candidate.rid });
            }
            for candidate in self.passing(&frame.scope.tests, standing).await? {
                let own = frame.order.position(&candidate);
                if group.first().is_some_and(|(first, _)| !Order::same_first(first, &own)) {
                    frame.settle(&mut group, &mut placed);
                }
                group.push((own, candidate));
            }
            let ends = !full && !matches!(walk, Walk::Values { .. });
            if ends {
                frame.settle(&mut group, &mut placed);
            }
            if ends || placed.len() > count {
                return Ok(frame.cut(placed));
            }
            if group.len() > ORDERED_MAX || examined > ORDERED_MAX {
                return Err(TOO_MANY_TO_SORT);
            }
            if !full {
                (walk, missing) = (Walk::Numbers, true);
                at = None;
            }
        }
    }

    /// All candidates, of which the first of the page are kept.
    async fn all(&mut self, frame: &Frame<'_>, driver: Option<&Driver>) -> Result<Found> {
        let count = frame.search.count.min(READ_ROWS_MAX);
        let mut best: Placed = Vec::new();
        let mut held = 0_usize;
        let mut stream = self.stream(driver, ORDERED_MAX).await?;
        while let Some(candidates) = self.next(&mut stream, frame).await? {
            for candidate in self.passing(&frame.scope.tests, candidates).await? {
                held += 1;
                let own = frame.order.position(&candidate);
                let follows = |after: &Position| frame.order.compare(&own, after).is_gt();
                if frame.search.after.as_ref().is_none_or(follows) {
                    best.push((own, candidate));
                }
            }
            if best.len() > count.saturating_mul(4).max(STREAM_CHUNK) {
                best.sort_by(|(one, _), (other, _)| frame.order.compare(one, other));
                best.truncate(count + 1);
            }
        }
        best.sort_by(|(one, _), (other, _)| frame.order.compare(one, other));
        Ok(Found { total: u64::try_from(held).ok(), ..frame.cut(best) })
    }

    /// The total of a search with many candidates.
    async fn total(&mut self, frame: &Frame<'_>, driver: Option<&Driver>) -> Result<Option<u64>> {
        let known = |counted: usize| Ok(u64::try_from(counted).ok());
        match frame.search.total {
            Total::None => return Ok(None),
            _ if frame.scope.tests.is_empty() => return known(frame.live),
            Total::Cheap => return Ok(None),
            Total::Estimate => return self.estimate(frame, driver).await,
            Total::Accurate => {}
        }
        if let (Some(driver), [_]) = (driver.filter(|driver| driver.exact), frame.scope.tests.as_slice()) {
            let counted = self.reader.count_distinct(&driver.ranges, COUNTED_MAX).await?;
            return if counted <= COUNTED_MAX { known(counted) } else { Err(TOO_MANY_TO_COUNT) };
        }
        if driver.is_none() && frame.live > COUNTED_MAX {
            return Err(TOO_MANY_TO_COUNT);
        }
        let mut stream = self.stream(driver, COUNTED_MAX).await?;
        if stream.numbers.as_ref().is_some_and(|numbers| numbers.len() > COUNTED_MAX) {
            return Err(TOO_MANY_TO_COUNT);
        }
        let mut counted = 0;
        while let Some(candidates) = self.next(&mut stream, frame).await? {
            counted += self.passing(&frame.scope.tests, candidates).await?.len();
        }
        known(counted)
    }

    /// The rows of the driver, times the part that matches of the first candidates.
    async fn estimate(&mut self, frame: &Frame<'_>, driver: Option<&Driver>) -> Result<Option<u64>> {
        let candidates = match driver {
            Some(driver) => self.reader.count(&driver.ranges, COUNTED_MAX).await?,
            None => frame.live,
        };
        let mut stream = self.stream(driver, SORTED_MAX).await?;
        let sample = self.next(&mut stream, frame).await?.unwrap_or_default();
        let sampled = sample.len().max(1);
        let held = self.passing(&frame.scope.tests, sample).await?.len();
        Ok(u64::try_from(candidates.saturating_mul(held) / sampled).ok())
    }

    /// What is looked at one part after another: what a driver selects, no more than one beyond `most`, or all of the type.
    async fn stream(&mut self, driver: Option<&Driver>, most: usize) -> Result<Stream> {
        let numbers = match driver {
            Some(driver) => Some(self.reader.numbers(&driver.ranges, most).await?),
            None => None,
        };
        Ok(Stream { numbers, at: 0, ended: false })
    }

    async fn next(&mut self, stream: &mut Stream, frame: &Frame<'_>) -> Result<Option<Vec<Candidate>>> {
        if stream.ended {
            return Ok(None);
        }
        let tid = frame.scope.tid;
        let Some(numbers) = &stream.numbers else {
            let after = Position { keys: Vec::new(), number: i64::try_from(stream.at).unwrap_or(i64::MAX) };
            let read = self.reader.walk(Walk::Numbers, tid, Some(&after), STREAM_CHUNK).await?;
            stream.ended = read.len() < STREAM_CHUNK;
            let last = read.last().map_or(after.number, |(candidate, _)| candidate.rid);
            stream.at = usize::try_from(last).unwrap_or(usize::MAX);
            return Ok(Some(read.into_iter().map(|(candidate, _)| candidate).collect()));
        };
        let part: Vec<i64> = numbers.iter().skip(stream.at).take(STREAM_CHUNK).copied().collect();
        stream.at += part.len();
        stream.ended = part.len() < STREAM_CHUNK;
        let mut loaded = self.reader.load(&part).await?;
        loaded.retain(|candidate| candidate.tid == tid);
        Ok(Some(loaded))
    }
}

/// Where looking at all candidates stands.
struct Stream {
    /// What the driver selects; none: all of the type.
    numbers: Option<Vec<i64>>,
    /// The place in them, or the last number.
    at: usize,
    ended: bool,
}

impl Frame<'_> {
    /// Sorts those that are equal by the first key and puts them behind what is placed.
    fn settle(&self, group: &mut Placed, placed: &mut Placed) {
        group.sort_by(|(one, _), (other, _)| self.order.compare(one, other));
        let after = self.search.after.as_ref();
        let follows =
            |position: &Position| after.is_none_or(|after| self.order.compare(position, after).is_gt());
        placed.extend(group.drain(..).filter(|(position, _)| follows(position)));
    }
}

fn is_missing(position: &Position) -> bool {
    position.keys.first() == Some(&SortValue::Missing)
}
