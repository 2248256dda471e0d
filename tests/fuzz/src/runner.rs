//! Runs a target for a number of inputs or for a time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crate::mutate;
use crate::random::Random;
use crate::targets::Target;

/// How long to run, and from where.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Inputs at most.
    pub inputs: u64,
    /// Time at most.
    pub time: Option<Duration>,
    /// Where the random source begins.
    pub seed: u64,
}

/// What a run came to.
#[derive(Debug)]
pub struct Report {
    /// Inputs tried, the seeds among them.
    pub inputs: u64,
    /// Bytes of all of them.
    pub bytes: u64,
    /// What broke; the run ends with it.
    pub failure: Option<Failure>,
}

/// An input that breaks a target.
#[derive(Debug)]
pub struct Failure {
    /// What does not hold: the words of the check, or of the panic.
    pub words: String,
    /// The least input found that breaks it.
    pub input: Vec<u8>,
}

/// Gives the target its seeds, then mutations of them, until the plan ends or something does not hold.
pub fn run(target: &Target, plan: Plan) -> Report {
    let seeds = (target.seeds)();
    let check = (target.prepare)();
    let begun = Instant::now();
    let mut random = Random::new(plan.seed);
    let mut report = Report { inputs: 0, bytes: 0, failure: None };
    let mut given = seeds.iter();
    while report.inputs < plan.inputs && plan.time.is_none_or(|time| begun.elapsed() < time) {
        let input = match given.next() {
            Some(seed) => seed.clone(),
            None => mutate::mutated(&mut random, &seeds, target.words),
        };
        report.inputs += 1;
        report.bytes += u64::try_from(input.len()).unwrap_or_default();
        if verdict(&check, &input).is_err() {
            let input = mutate::shrunk(input, |bytes| verdict(&check, bytes).is_err());
            let words = verdict(&check, &input).err().unwrap_or_default();
            report.failure = Some(Failure { words, input });
            break;
        }
    }
    report
}

/// What a check says of one input; a panic is an answer like any other.
fn verdict(check: &dyn Fn(&[u8]) -> Result<(), String>, input: &[u8]) -> Result<(), String> {
    let result = catch_unwind(AssertUnwindSafe(|| check(input)));
    result.unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().cloned();
        let words = words.or_else(|| panic.downcast_ref::<&str>().map(|words| (*words).to_owned()));
        Err(format!("panic: {}", words.unwrap_or_else(|| "without words".to_owned())))
    })
}
