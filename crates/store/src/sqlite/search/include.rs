//! What comes along with a page.

use std::collections::HashSet;

use fhir::ResourceType;

use super::Engine;
use super::test::Candidate;
use crate::{INCLUDED_MAX, Include, Result, Way};

/// Steps of includes that repeat; what lies further along one chain is cut, and the page says so.
const ROUNDS_MAX: usize = 32;

/// What comes along.
#[derive(Debug, Default)]
pub(super) struct Included {
    pub numbers: Vec<i64>,
    /// More would have come along.
    pub cut: bool,
}

impl Engine<'_> {
    /// The resources that come along with the matches, and whether there were more than [`INCLUDED_MAX`].
    pub async fn included(&mut self, includes: &[Include], matches: &[Candidate]) -> Result<Included> {
        let mut seen: HashSet<i64> = matches.iter().map(|candidate| candidate.rid).collect();
        let mut found = Included::default();
        let mut edge: Vec<Candidate> = Vec::new();
        for round in 0..=ROUNDS_MAX {
            let from: &[Candidate] = if round == 0 { matches } else { &edge };
            let mut new: Vec<Candidate> = Vec::new();
            for include in includes.iter().filter(|include| round == 0 || include.iterate) {
                let left = INCLUDED_MAX - found.numbers.len();
                for candidate in self.step(include, from, left, &seen).await? {
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
        from: &[Candidate],
        left: usize,
        seen: &HashSet<i64>,
    ) -> Result<Vec<Candidate>> {
        let names = self.reader.names;
        let Some(source) = names.type_number(include.source.as_str()) else { return Ok(Vec::new()) };
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
                    let most = left.saturating_add(seen.len());
                    let pairs = self.reader.sources(pid, &targets, most).await?;
                    numbers.extend(pairs.into_iter().map(|(_, source)| source));
                }
            }
        }
        numbers.retain(|number| !seen.contains(number));
        let loaded = self.reader.load(&distinct(&numbers)).await?;
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
