//! Months of the journal that are old enough go; what is held, waits or is owed stays; nothing is derived from a rest.

use audit::Kind;
use harness::messages::linked;
use harness::{Pair, Person, eventually, stored, tidegate};
use store::{Arrival, Disposition, Journal, JournalId, MessageState};
use tidegate::clock;
use tidegate::config::Retention;

use crate::admin::command;

const DAY_US: i64 = 86_400_000_000;
/// Two months that differ, both older than what is kept.
const OLDER_US: i64 = 420 * DAY_US;
const OLD_US: i64 = 360 * DAY_US;

fn arrival(er7: &str, received_us: i64) -> Arrival {
    Arrival {
        id: JournalId(clock::new_id()),
        channel: "emr".to_owned(),
        peer: "127.0.0.1".to_owned(),
        received_us,
        bytes: er7.as_bytes().to_vec().into(),
        sender: None,
        disposition: Disposition::Accepted,
        acknowledgment: None,
        promise: None,
        parent: None,
        charset: None,
    }
}

/// A pair whose node has heard of one person long ago, and of another a little less long ago.
async fn aged() -> (Pair, [Person; 2], [JournalId; 2]) {
    let mut pair = Pair::make("retention").await;
    let (one, other, now_us) = (Person::new(301), Person::new(302), clock::now_us());
    let store = stored::clinical(&pair.onprem_config.data).await;
    let first = arrival(&one.a01("RET-1"), now_us - OLDER_US);
    let second = arrival(&other.a01("RET-2"), now_us - OLD_US);
    let ids = [first.id, second.id];
    for arrival in [first, second] {
        store.append(arrival).await.expect("the journal takes it");
    }
    stored::close(store).await;
    pair.onprem_config.retention = Some(Retention { journal_months: 2, forward_days: 90 });
    pair.start_cloud().await;
    pair.start_onprem().await;
    // The newest month stays, so there is one that is newer.
    pair.sender().await.accepted(&Person::new(303).a01("RET-0")).await;
    pair.here().counted("Patient", 3).await;
    (pair, [one, other], ids)
}

async fn plan(pair: &Pair) -> Vec<String> {
    let ran = command(pair, &["retention", "plan"]).await;
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran.stdout.lines().map(str::to_owned).collect()
}

async fn ran(pair: &Pair, arguments: &[&str]) -> String {
    let ran = command(pair, arguments).await;
    assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.stderr);
    ran.stdout
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_month_goes_when_nothing_keeps_it_and_nothing_is_derived_from_the_rest() {
    let (mut pair, [one, other], [first, second]) = aged().await;
    // What was sent on must have arrived.
    eventually("deliveries", || async {
        let plan = plan(&pair).await;
        if plan[..2].iter().all(|month| month.contains("goes")) { Ok(()) } else { Err(plan.join("; ")) }
    })
    .await;
    let months: Vec<String> = plan(&pair).await.iter().map(|line| line[..7].to_owned()).collect();
    let number = pair.folder.join("number.txt");
    std::fs::write(&number, &other.number).expect("a number can be written");
    let number = number.display().to_string();
    ran(&pair, &["hold", "add", "--month", &months[0], "--reason", "litigation"]).await;
    ran(&pair, &["hold", "add", "--patient-file", &number, "--reason", "complaint"]).await;
    let unknown = command(&pair, &["hold", "add", "--month", &months[0], "--reason", "because"]).await;
    assert_eq!(unknown.code, 2, "{}", unknown.stderr);
    assert!(plan(&pair).await[..2].iter().all(|month| month.contains("kept: hold")));
    let listed = ran(&pair, &["hold", "list"]).await;
    assert!(listed.contains("1 month litigation by "), "{listed}");
    assert!(listed.contains(&format!("keeps {}", months[1])) && !listed.contains(&other.number), "{listed}");
    assert_eq!(ran(&pair, &["retention", "apply", "--yes"]).await, "");

    ran(&pair, &["hold", "release", "1", "--reason", "ended"]).await;
    assert_eq!(command(&pair, &["hold", "release", "1", "--reason", "ended"]).await.code, 1);
    let gone = ran(&pair, &["retention", "apply", "--yes"]).await;
    assert_eq!(gone.trim(), format!("{} 1 entries", months[0]));
    let file = |month: &str| pair.onprem_config.data.join(format!("journal/{month}.db"));
    assert!(!file(&months[0]).exists() && file(&months[1]).exists());

    // Its row stays, and says what became of its bytes.
    let page = pair.visitor().await.get(&format!("/messages/{}", first.0)).await;
    assert!(page.status == 200 && page.text.contains("dropped by retention"), "{}", page.text);
    let shown = command(&pair, &["msg", "show", &first.0.to_string()]).await;
    assert!(shown.code == 1 && shown.stderr.contains("dropped by retention"), "{}", shown.stderr);
    assert_eq!(command(&pair, &["msg", "show", &second.0.to_string()]).await.code, 0);

    // A patient of it is not derived again: what the dropped message said would be deleted.
    let before = pair.here().count("Patient").await;
    let query = format!("mrn:{}", one.number);
    let replayed = command(&pair, &["replay", "--where", &query, "--yes"]).await;
    assert!(replayed.stdout.contains("journal-incomplete"), "{} {}", replayed.stdout, replayed.stderr);
    let mut sender = pair.sender().await;
    sender.accepted(&linked("A37", "RET-3", &one, &other)).await;
    sender.accepted(&one.a08("RET-4", &[])).await;
    eventually("the held unlink", || async {
        let found = command(&pair, &["msg", "find", "reason:journal-incomplete"]).await;
        if found.stdout.contains("journal-incomplete") { Ok(()) } else { Err(found.stdout + &found.stderr) }
    })
    .await;
    assert_eq!(pair.here().count("Patient").await, before);
    let config = pair.folder.join("onprem.yaml").display().to_string();
    let verified = tokio::task::spawn_blocking(move || tidegate(&["journal", "verify", "-c", &config]));
    let verified = verified.await.expect("does not panic");
    assert!(verified.code == 0 && verified.stdout.contains("1 entries"), "{}", verified.stderr);

    pair.stop_onprem().await;
    let store = stored::clinical(&pair.onprem_config.data).await;
    for (kind, count) in [(Kind::JournalDropped, 1), (Kind::HoldPlaced, 2), (Kind::HoldReleased, 1)] {
        assert_eq!(stored::count_records(&store, kind).await, count, "{kind:?}");
    }
    let rows = stored::messages(&store).await;
    assert_eq!(rows.len(), 5, "the rows of dropped messages stay");
    let held = rows.iter().filter(|row| row.state == MessageState::Quarantined).count();
    assert_eq!(held, 1, "only the unlink waits; a plain message of the patient is applied");
    stored::close(store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_garbled_entry_is_named_by_a_command() {
    let mut pair = Pair::start("garbled").await;
    let person = Person::new(311);
    let mut sender = pair.sender().await;
    sender.accepted(&person.a01("GAR-1")).await;
    sender.accepted(&person.a08("GAR-2", &[])).await;
    pair.here().counted("Patient", 1).await;
    pair.stop_onprem().await;
    let journal = pair.onprem_config.data.join("journal");
    let mut months = std::fs::read_dir(journal).expect("lists").map(|entry| entry.expect("lists").path());
    let month = months.find(|path| path.extension().is_some_and(|end| end == "db"));
    let month = month.expect("a month is there");
    let mut bytes = std::fs::read(&month).expect("reads");
    let at = bytes.windows(5).position(|window| window == b"GAR-2").expect("it is in the file");
    bytes[at + 4] = b'3';
    std::fs::write(&month, bytes).expect("writes");
    let config = pair.folder.join("onprem.yaml").display().to_string();
    let ran = tokio::task::spawn_blocking(move || tidegate(&["journal", "verify", "-c", &config]));
    let ran = ran.await.expect("does not panic");
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stdout.contains("1 entries are what was written, 1 are not"), "{}", ran.stdout);
    assert!(ran.stdout.contains("entry 2 cannot be read as it was written"), "{}", ran.stdout);
}
