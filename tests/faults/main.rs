//! Faults: a node whose files and sockets fail, or that is killed at any call with which it changes them, keeps every
//! message that it acknowledged, applies each exactly once, and ends as a node to which nothing was done.
//!
//! Needs `cc`. The node is `power-node` of this package: the library code behind `tidegate run`. What was done and found
//! is written to `faults/report.json` below cargo's folder for test files.

mod block;
mod disk;
mod fault;
mod report;
mod script;

use block::{Block, Settled};
use fault::{Act, Calls, Fault};
use report::Report;
use tidegate::generate::Random;
use tokio::task::JoinSet;

/// The seed of what is drawn.
const SEED: u64 = 4;
/// Kills at drawn places, in the small form and in the full one.
const KILLS: u32 = 8;
const KILLS_FULL: u32 = 1_000;
/// Kills of a node that must be found out.
const KILLS_BROKEN: u64 = 4;
/// Rounds on one folder in the full form.
const ROUNDS_FULL: usize = 50;
/// How many faults of the full form an earlier run, which was cut, has shown; this one goes on behind them.
const SHOWN: &str = "TIDEGATE_FAULTS_SHOWN";

/// Every place at which the life of a message can be cut: before, amid and after its write and its fsync, its
/// acknowledgment, its application, its delivery, and the receipt for it.
const PLACES: [(Act, Calls); 15] = [
    (Act::KillBefore, Calls::JournalWrite),
    (Act::KillAmid, Calls::JournalWrite),
    (Act::KillAfter, Calls::JournalWrite),
    (Act::KillBefore, Calls::JournalSync),
    (Act::KillAfter, Calls::JournalSync),
    (Act::KillBefore, Calls::Acknowledge),
    (Act::KillAmid, Calls::Acknowledge),
    (Act::KillAfter, Calls::Acknowledge),
    // Translated, and nothing of it written.
    (Act::KillBefore, Calls::ApplyWrite),
    (Act::KillAmid, Calls::ApplyWrite),
    (Act::KillAfter, Calls::ApplyWrite),
    (Act::KillAfter, Calls::ApplySync),
    (Act::KillBefore, Calls::Deliver),
    (Act::KillAfter, Calls::Deliver),
    (Act::KillAfter, Calls::Receipt),
];

/// Errors, and where.
const ERRORS: [(Act, Calls); 8] = [
    (Act::Eio, Calls::JournalWrite),
    (Act::Eio, Calls::JournalSync),
    (Act::NoSpace, Calls::JournalWrite),
    (Act::Short, Calls::JournalWrite),
    (Act::Eio, Calls::ApplyWrite),
    (Act::Eio, Calls::ApplySync),
    (Act::NoSpace, Calls::ApplyWrite),
    (Act::Short, Calls::ApplyWrite),
];

#[tokio::test(flavor = "multi_thread")]
async fn whatever_fails_an_acknowledged_message_is_kept_and_applied_once() {
    if is_cc_absent() {
        return;
    }
    let mut report = Report::new(SEED);
    if is_full() {
        full(&mut report).await
    } else {
        small(&mut report).await
    }
    let path = report.write();
    eprintln!("faults: {report}; {}", path.display());
    assert_eq!(report.findings(), Vec::<String>::new());
    assert!(report.fired() > 0, "no fault came about: the test shows nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_acknowledges_before_its_commit_is_found_out_by_kills() {
    if is_cc_absent() {
        return;
    }
    let mut block = Block::new("acknowledge-first", &["--acknowledge-first"]);
    block.round(None).await;
    let last = block.count().await.get(&Calls::JournalWrite).copied().unwrap_or(1);
    for round in 1..=KILLS_BROKEN {
        let at = last * round / (KILLS_BROKEN + 1);
        block.round(Some(Fault { act: Act::KillBefore, calls: Calls::JournalWrite, at })).await;
    }
    let settled = block.settle().await;
    assert!(settled.report.lost() > 0, "{:?}", settled.findings);
}

/// Each place and each error once, and a few kills at drawn places.
async fn small(report: &mut Report) {
    let mut random = Random::new(SEED);
    let mut block = Block::new("small", &[]);
    block.round(None).await;
    let counts = block.count().await;
    let last = |calls| counts.get(&calls).copied().unwrap_or(1);
    for (act, calls) in PLACES.into_iter().chain(ERRORS) {
        let fault = Fault { act, calls, at: draw(&mut random, last(calls)) };
        report.note(&fault, block.round(Some(fault)).await);
    }
    for _ in 0..KILLS {
        let fault = kill(&mut random, last(Calls::All));
        report.note(&fault, block.round(Some(fault)).await);
    }
    report.add(block.settle().await);
}

/// Kills at drawn places, then every call of the script once with each error and each kind of kill; a folder for each core at
/// once. The report is written after each folder, so that a run that is cut shows what it did.
async fn full(report: &mut Report) {
    let acts = [Act::KillBefore, Act::KillAmid, Act::KillAfter, Act::Eio, Act::NoSpace, Act::Short];
    let mut random = Random::new(SEED);
    let mut counting = Block::new("counted", &[]);
    counting.round(None).await;
    let last = counting.count().await.get(&Calls::All).copied().unwrap_or(1);
    let mut faults: Vec<Fault> = (0..KILLS_FULL).map(|_| kill(&mut random, last)).collect();
    faults.extend((1..=last).flat_map(|at| acts.map(|act| Fault { act, calls: Calls::All, at })));
    let mut blocks =
        faults.chunks(ROUNDS_FULL).map(<[Fault]>::to_vec).enumerate().skip(shown() / ROUNDS_FULL);
    let mut running = JoinSet::new();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    for (number, faults) in blocks.by_ref().take(cores) {
        running.spawn(rounds(number, faults));
    }
    while let Some(ended) = running.join_next().await {
        let (noted, settled) = ended.expect("a block does not panic");
        noted.iter().for_each(|(fault, came_about)| report.note(fault, *came_about));
        report.add(settled);
        report.write();
        eprintln!("faults: {report}");
        if let Some((number, faults)) = blocks.next() {
            running.spawn(rounds(number, faults));
        }
    }
}

/// One folder of the full form.
async fn rounds(number: usize, faults: Vec<Fault>) -> (Vec<(Fault, bool)>, Settled) {
    let mut block = Block::new(&format!("full-{number}"), &[]);
    let mut noted = Vec::with_capacity(faults.len());
    for fault in faults {
        noted.push((fault, block.round(Some(fault)).await));
    }
    (noted, block.settle().await)
}

fn kill(random: &mut Random, last: u64) -> Fault {
    let act =
        [Act::KillBefore, Act::KillAmid, Act::KillAfter][usize::try_from(random.draw() % 3).unwrap_or(0)];
    Fault { act, calls: Calls::All, at: draw(random, last) }
}

fn draw(random: &mut Random, last: u64) -> u64 {
    random.draw() % last.max(1) + 1
}

fn shown() -> usize {
    let said = std::env::var(SHOWN).ok();
    said.map_or(0, |said| said.parse().expect("a number of faults"))
}

fn is_full() -> bool {
    std::env::var_os("TIDEGATE_FULL").is_some_and(|full| full == "1")
}

/// The gate names tools that are absent, and says at its end what a run without them does not show.
fn is_cc_absent() -> bool {
    let is_absent = !harness::tool_is_there("cc");
    if is_absent {
        eprintln!("faults: not tested without cc");
    }
    is_absent
}
