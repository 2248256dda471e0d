//! What comes along with a page.

use std::collections::HashSet;

use fhir::ResourceType;

use super::compile::Of;
use super::test::{Candidate, Test};
use super::{Engine, TOO_MANY_LINKED};
use crate::{Along, Clause, INCLUDED_MAX, Include, LINKED_MAX, Result, Way};

/// Steps of includes that repeat; what lies further along one chain is cut, and the page says so.
const ROUNDS_MAX: usize = 32;

/// What comes along.
#[derive(Debug, Default)]
pub(super) struct Included {
    pub numbers: Vec<i64>,
    /// More would have come along.
    pub cut: bool,
}

/// What may come along, ready to test: types with what must hold, by way.
#[derive(Default)]
struct Allowed {
    forward: Vec<(i64, Test)>,
    reverse: Vec<(i64, Test)>,
}

impl Engine<'_> {
    /// The resources that come along with the matches, and whether there were more than [`INCLUDED_MAX`].
    pub async fn included(
        &mut self,
        includes: &[Include],
        along: Option<&Along>,
        matches: &[Candidate],
    ) -> Result<Included> {
        let allowed = match along.filter(|_| !includes.is_empty()) {
            None => None,
            Some(Along { forward, reverse }) => {
                let (forward, reverse) = (self.tests(forward).await?, self.tests(reverse).await?);
                Some(Allowed { forward, reverse })
            }
        };
        let mut seen: HashSet<i64> = matches.iter().map(|candidate| candidate.rid).collect();
        let mut found = Included::default();
        let mut edge: Vec<Candidate> = Vec::new();
        for round in 0..=ROUNDS_MAX {
            let from: &[Candidate] = if round == 0 { matches } else { &edge };
            let mut new: Vec<Candidate> = Vec::new();
            for include in includes.iter().filter(|include| round == 0 || include.iterate) {
                let left = INCLUDED_MAX - found.numbers.len();
                for candidate in self.step(include, allowed.as_ref(), (from, left), &seen).await? {
                    if !seen.insert(candidate.rid) {
                        continue;
                    }
                    if found.numbers.len() == INCLUDED_MAX {
                        found.cut = true;
                        return Ok(found);
                    }
                    found.numbers.push(candidate.rid);
                    new.push(candidate);
                }
            }
            if new.is_empty() {
                return Ok(found);
            }
            edge = new;
        }
        found.cut = includes.iter().any(|include| include.iterate);
        Ok(found)
    }

    /// Live resources one step away, in the order of where they are reached from; at least one more than `left` where
    /// there are so many.
    async fn step(
        &mut self,
        include: &Include,
        allowed: Option<&Allowed>,
        (from, left): (&[Candidate], usize),
        seen: &HashSet<i64>,
    ) -> Result<Vec<Candidate>> {
        let names = self.reader.names;
        let Some(source) = names.type_number(include.source.as_str()) else { return Ok(Vec::new()) };
        if include.way == Way::Forward && from.iter().all(|candidate| candidate.tid != source) {
            return Ok(Vec::new());
        }
        let number = |parameter: &String| names.parameter_number(source, parameter);
        let pids: Vec<i64> = include.parameters.iter().filter_map(number).collect();
        let wanted: Vec<i64> = include
            .targets
            .iter()
            .filter_map(|target: &ResourceType| names.type_number(target.as_str()))
            .collect();
        let is_wanted = |tid: i64| include.targets.is_empty() || wanted.contains(&tid);
        let mut numbers: Vec<i64> = Vec::new();
        match include.way {
            Way::Forward => {
                for candidate in from.iter().filter(|candidate| candidate.tid == source) {
                    numbers.extend(pids.iter().flat_map(|pid| candidate.targets(*pid)));
                }
            }
            Way::Reverse => {
                let targets: Vec<i64> = from
                    .iter()
                    .filter(|candidate| is_wanted(candidate.tid))
                    .map(|candidate| candidate.rid)
                    .collect();
                for pid in pids {
                    // Of those that came along already there may be as many as there are of them.
                    // Of those that may not come along there may be any number, up to what a page looks at.
                    let most = if allowed.is_some() { LINKED_MAX } else { left.saturating_add(seen.len()) };
                    let pairs = self.reader.sources(pid, &targets, most).await?;
                    if allowed.is_some() && pairs.len() > most {
                        return Err(TOO_MANY_LINKED);
                    }
                    numbers.extend(pairs.into_iter().map(|(_, source)| source));
                }
            }
        }
        numbers.retain(|number| !seen.contains(number));
        let mut loaded = self.reader.load(&distinct(&numbers)).await?;
        if let Some(allowed) = allowed {
            let tests = if include.way == Way::Forward { &allowed.forward } else { &allowed.reverse };
            loaded = self.permitted(tests, loaded).await?;
        }
        let mut order = Vec::new();
        for number in first_places(&numbers) {
            if let Ok(at) = loaded.binary_search_by_key(&number, |candidate| candidate.rid)
                && let Some(candidate) = loaded.get(at)
                && (include.way == Way::Reverse || is_wanted(candidate.tid))
            {
                order.push(candidate.clone());
            }
        }
        Ok(order)
    }

    /// Prepares what must hold of each type.
    async fn tests(&mut self, types: &[(ResourceType, Clause)]) -> Result<Vec<(i64, Test)>> {
        let mut tests = Vec::with_capacity(types.len());
        for (resource_type, clause) in types {
            let Some(tid) = self.reader.names.type_number(resource_type.as_str()) else { continue };
            let of = Of { resource_type: *resource_type, tid };
            tests.push((tid, self.compile(clause, of).await?.test));
        }
        Ok(tests)
    }

    /// Those of the candidates that are of one of these types and pass its test, by number.
    async fn permitted(
        &mut self,
        tests: &[(i64, Test)],
        candidates: Vec<Candidate>,
    ) -> Result<Vec<Candidate>> {
        let mut permitted = Vec::new();
        for (tid, test) in tests {
            let of_type: Vec<Candidate> =
                candidates.iter().filter(|candidate| candidate.tid == *tid).cloned().collect();
            if !of_type.is_empty() {
                permitted.extend(self.passing(std::slice::from_ref(test), of_type).await?);
            }
        }
        permitted.sort_by_key(|candidate| candidate.rid);
        Ok(permitted)
    }
}

fn distinct(numbers: &[i64]) -> Vec<i64> {
    let mut numbers = numbers.to_vec();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// Each number where it comes first.
fn first_places(numbers: &[i64]) -> Vec<i64> {
    let mut seen = HashSet::with_capacity(numbers.len());
    numbers.iter().copied().filter(|number| seen.insert(*number)).collect()
}
