//! Power loss: a node that is killed under load, and whose disk forgets what was not synced, keeps every message it
//! acknowledged and applies each exactly once. The same procedure must fail for a node that does not wait for the
//! disk, and for one that acknowledges before its commit.
//!
//! Needs `cc` and `python3`. The node is `power-node` of this package: the library code behind `tidegate run`, with
//! nothing switched unless a flag says so.

mod load;
mod rig;

use std::time::{Duration, Instant};

use harness::check::{Report, check, progress};
use load::{Known, Load};
use rig::{Loss, Powered};
use tidegate::generate::{Generated, Random};

/// Kills of the run that must pass; the second with `TIDEGATE_FULL=1`.
const KILLS: u32 = 20;
const KILLS_FULL: u32 = 100;
/// Kills of a run that must fail.
const KILLS_BROKEN: u32 = 5;
/// From the first answer to a kill.
const LOAD_MS: (u32, u32) = (150, 900);
/// Every so many kills there is another before the node is up.
const KILL_AT_START_EVERY: u32 = 4;
/// How long such a start may last.
const START_MS: (u32, u32) = (5, 400);
/// How long the pipeline may take for the next entry that is left in the journal.
const STALL: Duration = Duration::from_secs(120);

/// What a run saw.
struct Outcome {
    report: Report,
    acknowledged: usize,
    sent_again: usize,
    wrong_answers: Vec<String>,
    undone: u64,
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_a_loss_of_power() {
    if is_a_tool_absent() {
        return;
    }
    let kills =
        if std::env::var_os("TIDEGATE_FULL").is_some_and(|full| full == "1") { KILLS_FULL } else { KILLS };
    let outcome = procedure("as-it-is", &[], kills).await;
    assert_eq!(outcome.wrong_answers, Vec::<String>::new());
    assert!(outcome.report.findings.is_empty(), "{:?}", outcome.report.findings);
    assert!(outcome.undone > 0, "no kill came between a write and its sync: the test shows nothing");
    assert!(outcome.report.deliveries > 0 && outcome.report.versions > 0, "nothing was stored or released");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_does_not_wait_for_the_disk_is_found_out() {
    if is_a_tool_absent() {
        return;
    }
    let outcome = procedure("synchronous-off", &["--synchronous-off"], KILLS_BROKEN).await;
    assert!(outcome.report.lost() > 0, "{:?}", outcome.report.findings);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_acknowledges_before_its_commit_is_found_out() {
    if is_a_tool_absent() {
        return;
    }
    let outcome = procedure("acknowledge-first", &["--acknowledge-first"], KILLS_BROKEN).await;
    assert!(outcome.report.lost() > 0, "{:?}", outcome.report.findings);
}

/// Load, kill, loss and restart, `kills` times on one folder; then a quiet run until all is applied, and the check.
async fn procedure(name: &str, flags: &'static [&'static str], kills: u32) -> Outcome {
    let begun = Instant::now();
    let powered = Powered::new(name, flags);
    let rig = &powered.rig;
    let mut random = Random::new(u64::from(kills));
    let (mut acknowledged, mut again) = (Vec::<Generated>::new(), Vec::new());
    let (mut wrong_answers, mut undone, mut sent_again) = (Vec::new(), 0, 0);
    for kill in 1..=kills {
        let mut node = powered.start(true);
        node.ready();
        sent_again += again.len();
        let load = Load::start(rig.mllp(), u64::from(kill), std::mem::take(&mut again));
        load.begun().await;
        pause(&mut random, LOAD_MS).await;
        undone += powered.lose_power(node, loss(flags, kill));
        let known: Known = load.broken().await;
        acknowledged.extend(known.acknowledged);
        wrong_answers.extend(known.wrong_answers);
        // Half of the senders are of the kind that sends again what was not answered.
        again = if random.chance(50) { known.unanswered } else { Vec::new() };
        if kill.is_multiple_of(KILL_AT_START_EVERY) {
            let node = powered.start(true);
            pause(&mut random, START_MS).await;
            undone += powered.lose_power(node, loss(flags, kill / KILL_AT_START_EVERY));
        }
    }
    let lasted = begun.elapsed();
    catch_up(&powered).await;
    let said = acknowledged.iter().map(|message| (message.control_id.as_str(), message.er7.as_bytes()));
    let report = check(&rig.config(), said).await;
    let outcome = Outcome { report, acknowledged: acknowledged.len(), sent_again, wrong_answers, undone };
    print(name, kills, &outcome, lasted, begun.elapsed());
    outcome
}

/// Every other loss lets some sectors through; for a node that never syncs that would leave no database at all.
fn loss(flags: &[&str], number: u32) -> Loss {
    if flags.is_empty() && number.is_multiple_of(2) { Loss::Torn(u64::from(number)) } else { Loss::All }
}

async fn pause(random: &mut Random, (low, high): (u32, u32)) {
    tokio::time::sleep(Duration::from_millis(u64::from(random.between(low, high)))).await;
}

/// Runs the node without load until every journal entry is applied, and stops it in order.
async fn catch_up(powered: &Powered) {
    let mut node = powered.start(false);
    node.ready();
    let config = powered.rig.config();
    let (mut seen, mut since) = (None, Instant::now());
    loop {
        let (last, applied) = progress(&config).await;
        if last == applied {
            break;
        }
        if seen != Some(applied) {
            (seen, since) = (Some(applied), Instant::now());
        }
        assert!(since.elapsed() < STALL, "the pipeline stands still at {applied:?} of {last:?}");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    node.stop();
}

fn print(name: &str, kills: u32, outcome: &Outcome, lasted: Duration, all: Duration) {
    let Outcome { report, acknowledged, sent_again, undone, .. } = outcome;
    let Report { entries, versions, deliveries, records, findings } = report;
    eprintln!(
        "power loss, {name}: {kills} kills, {acknowledged} acknowledged, {} lost, {undone} operations undone, \
         {sent_again} sent again; {entries} journal entries, {versions} resource versions, {deliveries} deliveries, \
         {records} ledger records, {} findings; {:.0} s with load, {:.0} s in all",
        report.lost(),
        findings.len(),
        lasted.as_secs_f64(),
        all.as_secs_f64()
    );
}

/// The gate names tools that are absent, and says at its end what a run without them does not show.
fn is_a_tool_absent() -> bool {
    let absent: Vec<&str> =
        ["cc", "python3"].into_iter().filter(|tool| !harness::tool_is_there(tool)).collect();
    if !absent.is_empty() {
        eprintln!("power loss: not tested without {}", absent.join(" and "));
    }
    !absent.is_empty()
}
