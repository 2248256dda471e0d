//! A disk that fails, fills up or is slow while a node runs: what senders are told, and where an operator sees it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use harness::rig::{Node, Rig, Shim, Side};
use harness::sender::{Sender, read};
use harness::{Person, eventually, tidegate};
use hl7v2::acknowledgment::{Acknowledgment, ErrorCode};
use store::sqlite::{Options, Role, Sqlite};
use store::{Journal as _, Messages as _, Seq};
use tidegate::{clock, http};

use crate::fault::Faults;

/// How long a slow disk takes to sync.
const SLOW: Duration = Duration::from_millis(300);

/// A node whose disk is bad while a file is there.
struct Bad {
    rig: Rig,
    faults: Faults,
    switch: PathBuf,
}

impl Bad {
    fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("faults").join(name);
        let rig = Rig::new(&folder, Path::new(env!("CARGO_BIN_EXE_power-node")));
        let faults = Faults::new(&rig);
        Self { switch: folder.join("bad"), rig, faults }
    }

    /// Starts the node; these calls on these files do `act` while the disk is bad.
    fn start(&self, kinds: &str, files: &str, act: &str) -> Node {
        let mut shim: Shim = self.faults.order(&self.rig, kinds, files);
        for (name, value) in [("FAULTS_AT", "1"), ("FAULTS_TIMES", "0"), ("FAULTS_ACT", act)] {
            shim.environment.push((name, value.into()));
        }
        shim.environment.push(("FAULTS_DELAY_US", SLOW.as_micros().to_string().into()));
        shim.environment.push(("FAULTS_WHILE", self.switch.clone().into()));
        let mut node = self.rig.start(Side::OnPrem, &[], Some(&shim));
        node.ready();
        node
    }

    fn spoil(&self) {
        std::fs::write(&self.switch, b"").expect("the switch is written");
    }

    fn mend(&self) {
        std::fs::remove_file(&self.switch).expect("the switch is removed");
    }

    async fn sender(&self) -> Sender {
        Sender::connect(self.rig.mllp()).await
    }

    /// Status and body of a path.
    async fn page(&self, path: &str) -> (u16, String) {
        let answer = http::get(&self.rig.addresses().http.to_string(), path, None).await;
        let answer = answer.expect("the node answers");
        (answer.status, String::from_utf8_lossy(&answer.body).into_owned())
    }

    /// Waits until the page says so.
    async fn says(&self, path: &str, status: u16, words: &str) {
        eventually(words, || async {
            let (given, text) = self.page(path).await;
            if given == status && text.contains(words) { Ok(()) } else { Err(format!("{given}: {text}")) }
        })
        .await;
    }

    fn doctor(&self) -> String {
        let file = self.rig.configuration(Side::OnPrem).display().to_string();
        let ran = tidegate(&["doctor", "-c", &file]);
        format!("{}{}", ran.stdout, ran.stderr)
    }

    /// Control ids of what the journal holds and what was applied, in order.
    async fn stored(&self) -> (Vec<String>, usize) {
        let options = Options { synchronous_full: true, read_connections: 1, now_us: clock::now_us };
        let store = Sqlite::open_reading(&self.rig.config().data, Role::Clinical, options).await;
        let store = store.expect("the store opens");
        let entries = store.after(Seq(0), 1_000).await.expect("the journal reads");
        let mut applied = 0;
        for entry in &entries {
            applied += usize::from(store.detail(entry.id).await.expect("node.db reads").is_some());
        }
        store.close().await.expect("the store closes");
        let id = |entry: &store::Entry| {
            let message = hl7v2::Message::read(&entry.bytes).expect("only messages were sent");
            String::from_utf8_lossy(message.header().control_id().raw()).into_owned()
        };
        (entries.iter().map(id).collect(), applied)
    }

    async fn applied(&self, count: usize) {
        eventually("the application", || async {
            let (_, applied) = self.stored().await;
            if applied == count { Ok(()) } else { Err(format!("{applied} applied")) }
        })
        .await;
    }
}

/// The node must say that it did not store the message (207), which senders take as a reason to send again.
fn is_asked_again(answer: &Acknowledgment) -> bool {
    answer.code.code() == "AE" && answer.error == Some(ErrorCode::ApplicationInternal)
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failed_fsync_of_the_journal_nothing_is_acknowledged_until_a_restart() {
    if crate::is_cc_absent() {
        return;
    }
    let (bad, person) = (Bad::new("fsync"), Person::new(1));
    let node = bad.start("s", "/journal/", "eio");
    let mut sender = bad.sender().await;
    sender.accepted(&person.a01("F1")).await;
    bad.applied(1).await;
    bad.spoil();
    assert!(is_asked_again(&sender.send(person.a08("F2", &[]).as_bytes()).await));
    bad.mend();
    assert!(is_asked_again(&sender.send(person.a08("F3", &[]).as_bytes()).await), "the disk is well again");
    bad.says("/readyz", 503, "journal-writes").await;
    bad.says("/metrics", 200, "tidegate_store_failed{file=\"journal\"} 1").await;
    let report = bad.doctor();
    assert!(report.contains("fail  node: runs and is not ready: journal-writes"), "{report}");
    assert_eq!(bad.page("/livez").await.0, 200, "what was stored can still be read");
    node.stop();

    let mut node = bad.rig.start(Side::OnPrem, &[], None);
    node.ready();
    let mut sender = bad.sender().await;
    sender.accepted(&person.a08("F2", &[])).await;
    sender.accepted(&person.a08("F3", &[])).await;
    assert_eq!(bad.page("/readyz").await.0, 200);
    bad.applied(3).await;
    node.stop();
    assert_eq!(bad.stored().await, (["F1", "F2", "F3"].map(str::to_owned).to_vec(), 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_fsync_of_the_checkpointer_ends_acknowledging_too() {
    if crate::is_cc_absent() {
        return;
    }
    let (bad, person) = (Bad::new("checkpoint"), Person::new(1));
    // The month itself: only the checkpointer writes to it.
    let node = bad.start("s", ".db$", "eio");
    let mut sender = bad.sender().await;
    // It makes the month, which is synced too.
    sender.accepted(&person.a01("K1")).await;
    bad.spoil();
    let second = person.a08("K2", &[]);
    let answer = sender.send(second.as_bytes()).await;
    assert!(answer.code.is_accept() || is_asked_again(&answer), "unless the checkpoint came first");
    bad.says("/readyz", 503, "journal-writes").await;
    bad.mend();
    assert!(is_asked_again(&sender.send(person.a08("K3", &[]).as_bytes()).await));
    node.stop();
    let mut node = bad.rig.start(Side::OnPrem, &[], None);
    node.ready();
    let mut sender = bad.sender().await;
    sender.accepted(&second).await;
    sender.accepted(&person.a08("K3", &[])).await;
    bad.applied(3).await;
    node.stop();
    assert_eq!(bad.stored().await.0, ["K1", "K2", "K3"].map(str::to_owned));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_waited_for_and_the_node_goes_on_by_itself() {
    if crate::is_cc_absent() {
        return;
    }
    let (bad, person) = (Bad::new("full"), Person::new(1));
    let node = bad.start("w", "", "enospc");
    let mut sender = bad.sender().await;
    sender.accepted(&person.a01("N1")).await;
    bad.applied(1).await;
    bad.spoil();
    let second = person.a08("N2", &[]);
    for _ in 0..3 {
        assert!(is_asked_again(&sender.send(second.as_bytes()).await));
    }
    bad.says("/metrics", 200, "tidegate_store_full{file=\"journal\"} 1").await;
    assert_eq!(bad.page("/readyz").await.0, 200, "who sends must be heard to find out that there is space");
    bad.mend();
    sender.accepted(&second).await;
    bad.says("/metrics", 200, "tidegate_store_full{file=\"journal\"} 0").await;
    bad.applied(2).await;
    node.stop();
    assert_eq!(bad.stored().await.0, ["N1", "N2"].map(str::to_owned));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_applied_when_node_db_finds_space_again() {
    if crate::is_cc_absent() {
        return;
    }
    let (bad, person) = (Bad::new("node-full"), Person::new(1));
    let node = bad.start("w", "/node.db", "enospc");
    let mut sender = bad.sender().await;
    sender.accepted(&person.a01("W1")).await;
    bad.applied(1).await;
    bad.spoil();
    sender.accepted(&person.a08("W2", &[])).await;
    bad.says("/metrics", 200, "tidegate_store_full{file=\"node\"} 1").await;
    assert_eq!(bad.stored().await.1, 1, "nothing can be applied");
    bad.mend();
    bad.applied(2).await;
    bad.says("/metrics", 200, "tidegate_store_full{file=\"node\"} 0").await;
    node.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_disk_makes_acknowledgments_slower_and_loses_none() {
    if crate::is_cc_absent() {
        return;
    }
    let bad = Bad::new("slow");
    let node = bad.start("s", "/journal/", "delay");
    bad.spoil();
    let senders = (0..8_u32).map(|number| {
        let address = bad.rig.mllp();
        tokio::spawn(async move {
            let (person, mut sender) = (Person::new(number), Sender::connect(address).await);
            for nth in 0..3 {
                let began = Instant::now();
                let answer = read(&sender.exchange(person.a01(&format!("S{number}-{nth}")).as_bytes()).await);
                assert_eq!(answer.code.code(), "AA");
                assert!(began.elapsed() >= SLOW, "acknowledged before its fsync");
            }
        })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await.expect("a sender does not panic");
    }
    bad.mend();
    bad.applied(24).await;
    node.stop();
    let (mut stored, _) = bad.stored().await;
    stored.sort();
    stored.dedup();
    assert_eq!(stored.len(), 24);
}
