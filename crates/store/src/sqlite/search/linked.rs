//! Tests of many candidates at once: rows first, then what they lead to or are led to from, then what only the resources
//! themselves say.

use std::collections::HashSet;
use std::pin::Pin;

use super::compile::Compiled;
use super::reader::Walk;
use super::test::{Candidate, Test};
use super::{Engine, TOO_MANY_LINKED};
use crate::{LINKED_MAX, Result, SORTED_MAX};

type Passing<'s> = Pin<Box<dyn Future<Output = Result<HashSet<i64>>> + Send + 's>>;

impl Engine<'_> {
    /// The candidates of which all tests hold, in their order.
    pub async fn passing(
        &mut self,
        tests: &[Test],
        mut candidates: Vec<Candidate>,
    ) -> Result<Vec<Candidate>> {
        let mut open: Vec<&Test> = Vec::new();
        for test in tests {
            let mut unknown = false;
            candidates.retain(|candidate| {
                let holds = test.holds(candidate);
                unknown |= holds.is_none();
                holds.unwrap_or(true)
            });
            if unknown {
                open.push(test);
            }
        }
        // What must be read costs most, so it comes last.
        open.sort_by_key(|test| matches!(test, Test::Body(_)));
        for test in open {
            if candidates.is_empty() {
                break;
            }
            let passed = self.numbers_passing(test, &candidates).await?;
            candidates.retain(|candidate| passed.contains(&candidate.rid));
        }
        Ok(candidates)
    }

    /// Numbers of the candidates of which a test holds.
    fn numbers_passing<'s>(&'s mut self, test: &'s Test, candidates: &'s [Candidate]) -> Passing<'s> {
        Box::pin(async move {
            match test {
                Test::Any(tests) => {
                    let mut passed = HashSet::new();
                    for test in tests {
                        let open: Vec<Candidate> = candidates
                            .iter()
                            .filter(|candidate| !passed.contains(&candidate.rid))
                            .cloned()
                            .collect();
                        passed.extend(self.numbers_passing(test, &open).await?);
                    }
                    Ok(passed)
                }
                Test::All(tests) => {
                    let passed = self.passing(tests, candidates.to_vec()).await?;
                    Ok(passed.into_iter().map(|candidate| candidate.rid).collect())
                }
                Test::None(tests) => {
                    let mut left = candidates.to_vec();
                    for test in tests {
                        let passed = self.numbers_passing(test, &left).await?;
                        left.retain(|candidate| !passed.contains(&candidate.rid));
                    }
                    Ok(left.into_iter().map(|candidate| candidate.rid).collect())
                }
                Test::LeadsAmong { pid, tid, ids } => {
                    let led: HashSet<i64> =
                        candidates.iter().flat_map(|candidate| candidate.targets(*pid)).collect();
                    let among = self.reader.among(led.into_iter().collect(), *tid, ids).await?;
                    let leads = |candidate: &&Candidate| {
                        candidate.targets(*pid).any(|target| among.contains(&target))
                    };
                    Ok(candidates.iter().filter(leads).map(|candidate| candidate.rid).collect())
                }
                Test::Body(body) => {
                    let numbers: Vec<i64> = candidates.iter().map(|candidate| candidate.rid).collect();
                    let bodies = self.reader.bodies(&numbers).await?;
                    Ok(body.passing(&bodies)?.into_iter().collect())
                }
                Test::Leads { pid, targets } => self.leading(*pid, targets, candidates).await,
                Test::Led { pid, tests } => self.led(*pid, tests, candidates).await,
                rows => Ok(candidates
                    .iter()
                    .filter(|candidate| rows.holds(candidate) == Some(true))
                    .map(|candidate| candidate.rid)
                    .collect()),
            }
        })
    }

    /// Candidates whose references lead to a resource that passes.
    async fn leading(
        &mut self,
        pid: i64,
        targets: &[(i64, Vec<Test>)],
        candidates: &[Candidate],
    ) -> Result<HashSet<i64>> {
        let led: HashSet<i64> = candidates.iter().flat_map(|candidate| candidate.targets(pid)).collect();
        let loaded = self.look(led).await?;
        let mut good: HashSet<i64> = HashSet::new();
        for (tid, tests) in targets {
            let of_type = loaded.iter().filter(|target| target.tid == *tid).cloned().collect();
            good.extend(self.passing(tests, of_type).await?.into_iter().map(|target| target.rid));
        }
        let leads = |candidate: &&Candidate| candidate.targets(pid).any(|target| good.contains(&target));
        Ok(candidates.iter().filter(leads).map(|candidate| candidate.rid).collect())
    }

    /// Candidates that a resource which passes leads to.
    async fn led(&mut self, pid: i64, tests: &[Test], candidates: &[Candidate]) -> Result<HashSet<i64>> {
        let numbers: Vec<i64> = candidates.iter().map(|candidate| candidate.rid).collect();
        let left = LINKED_MAX.saturating_sub(self.looked);
        let pairs = self.reader.sources(pid, &numbers, left).await?;
        if pairs.len() > left {
            return Err(TOO_MANY_LINKED);
        }
        let sources: HashSet<i64> = pairs.iter().map(|(_, source)| *source).collect();
        let loaded = self.look(sources).await?;
        let good: HashSet<i64> =
            self.passing(tests, loaded).await?.into_iter().map(|source| source.rid).collect();
        Ok(pairs.into_iter().filter(|(_, source)| good.contains(source)).map(|(target, _)| target).collect())
    }

    /// Loads what lies behind references, within the limit of a page.
    async fn look(&mut self, numbers: HashSet<i64>) -> Result<Vec<Candidate>> {
        self.looked = self.looked.saturating_add(numbers.len());
        if self.looked > LINKED_MAX {
            return Err(TOO_MANY_LINKED);
        }
        let mut numbers: Vec<i64> = numbers.into_iter().collect();
        numbers.sort_unstable();
        self.reader.load(&numbers).await
    }

    /// All matches of a clause, where they are found among no more than [`SORTED_MAX`] candidates.
    pub async fn few(&mut self, tid: i64, compiled: &Compiled) -> Result<Option<Vec<Candidate>>> {
        let candidates = match &compiled.driver {
            Some(driver) => {
                let numbers = self.reader.numbers(&driver.ranges, SORTED_MAX).await?;
                if numbers.len() > SORTED_MAX {
                    return Ok(None);
                }
                let mut loaded = self.reader.load(&numbers).await?;
                loaded.retain(|candidate| candidate.tid == tid);
                loaded
            }
            None if self.reader.live(tid).await? <= SORTED_MAX => {
                let read = self.reader.walk(Walk::Numbers, tid, None, SORTED_MAX).await?;
                read.into_iter().map(|(candidate, _)| candidate).collect()
            }
            None => return Ok(None),
        };
        let tests = std::slice::from_ref(&compiled.test);
        Ok(Some(self.passing(tests, candidates).await?))
    }
}
