//! Rounds on one folder: in each the node runs the script and something is done to it. After the last it runs in peace, and
//! what it then holds is compared with a node to which nothing was done.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use harness::check::{self, Report};
use harness::rig::{Node, Rig, Side};
use store::sqlite::{Options, Role, Sqlite};
use store::{Journal as _, Ledger as _, Messages as _, ResourceKey, Seq, Statistics as _};
use tidegate::clock;
use tidegate::config::Config;

use crate::fault::{Fault, Faults};
use crate::script::{self, SENDERS, Sender};

/// How long the node may take for what is left in the journal and in the outbox.
const CATCH_UP: Duration = Duration::from_secs(300);
/// Between two looks at how far it is.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);
/// Journal entries read at a time.
const PAGE: usize = 500;

/// What is current: version and content of each resource.
type Contents = BTreeMap<ResourceKey, (u32, serde_json::Value)>;

/// A folder, its senders and what was done to it.
pub struct Block {
    rig: Rig,
    flags: &'static [&'static str],
    faults: Faults,
    senders: [Sender; SENDERS],
    cloud: Option<Node>,
    rounds: u32,
}

/// What a block came to.
pub struct Settled {
    /// What the files hold.
    pub report: Report,
    /// What else does not hold.
    pub findings: Vec<String>,
    /// Messages sent, each once.
    pub sent: usize,
    /// Times that a sender was asked to send again.
    pub again: u64,
}

impl Block {
    /// A new pair of nodes, the cloud one running; the on-prem one is started with these flags.
    pub fn new(name: &str, flags: &'static [&'static str]) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("faults").join(name);
        let rig = Rig::new(&folder, Path::new(env!("CARGO_BIN_EXE_power-node")));
        let faults = Faults::new(&rig);
        let senders = Default::default();
        let mut block = Self { rig, flags, faults, senders, cloud: None, rounds: 0 };
        block.start_cloud();
        block
    }

    fn start_cloud(&mut self) {
        let mut cloud = self.rig.start(Side::Cloud, &[], None);
        cloud.ready();
        self.cloud = Some(cloud);
    }

    /// Calls of a round to which nothing is done.
    pub async fn count(&mut self) -> BTreeMap<crate::fault::Calls, u64> {
        self.round(None).await;
        self.faults.counted(&self.rig)
    }

    /// One round; `true` when the fault came about.
    pub async fn round(&mut self, fault: Option<Fault>) -> bool {
        let shim = self.faults.shim(&self.rig, fault);
        let mut node = self.rig.start(Side::OnPrem, self.flags, Some(&shim));
        for (sender, steps) in self.senders.iter_mut().zip(script::round(self.rounds)) {
            sender.add(steps);
        }
        self.rounds += 1;
        if node.comes_up() {
            self.send().await;
            let deadline = Instant::now() + CATCH_UP;
            while node.ended().is_none() && !self.faults.has_acted() && !is_settled(&self.rig.config()).await
            {
                assert!(Instant::now() < deadline, "the node did not catch up: {}", node.last_words());
                tokio::time::sleep(LOOK_INTERVAL).await;
            }
        }
        // One that was killed has ended; to one that met an error nothing more is done.
        node.ends();
        self.faults.has_acted()
    }

    async fn send(&mut self) {
        let address = self.rig.mllp();
        let [one, other] = &mut self.senders;
        tokio::join!(one.send(address), other.send(address));
    }

    /// Runs the node in peace until all is sent, applied and delivered; then looks at everything.
    pub async fn settle(mut self) -> Settled {
        self.finish().await;
        let config = self.rig.config();
        let said = self.senders.iter().flat_map(Sender::acknowledged);
        let said = said.map(|step| (step.control_id.as_str(), step.er7.as_bytes()));
        let report = check::check(&config, said).await;
        let mut findings: Vec<String> =
            self.senders.iter().flat_map(|sender| sender.wrong_answers.clone()).collect();
        findings.extend(report.findings.iter().map(|finding| format!("{finding:?}")));
        findings.extend(self.reordered().await);
        let (contents, released) =
            (contents(&config).await, released(&self.rig.config_of(Side::Cloud)).await);
        let again = self.senders.iter().map(|sender| sender.again).sum();
        self.undisturbed().await;
        findings.extend(unlike(&contents, &self::contents(&config).await));
        if released != self::released(&self.rig.config_of(Side::Cloud)).await {
            findings.push("the cloud node holds other numbers of resources".to_owned());
        }
        let sent = self.senders.iter().map(|sender| sender.steps().len()).sum();
        Settled { report, findings, sent, again }
    }

    async fn finish(&mut self) {
        let mut node = self.rig.start(Side::OnPrem, self.flags, None);
        node.ready();
        self.send().await;
        let left = self.senders.iter().find(|sender| !sender.is_done());
        let words = left.map(|sender| format!("{:?}", sender.wrong_answers));
        assert!(left.is_none(), "a node to which nothing is done did not answer all: {words:?}");
        let deadline = Instant::now() + CATCH_UP;
        while !is_settled(&self.rig.config()).await {
            assert!(Instant::now() < deadline, "the node did not catch up: {}", node.last_words());
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
        node.stop();
        self.cloud.take().into_iter().for_each(Node::stop);
    }

    /// The same messages in the same order to new nodes with the same keys.
    async fn undisturbed(&mut self) {
        self.rig.forget();
        self.start_cloud();
        let rounds = self.rounds;
        self.senders = Default::default();
        for number in 0..rounds {
            for (sender, steps) in self.senders.iter_mut().zip(script::round(number)) {
                sender.add(steps);
            }
        }
        self.finish().await;
    }

    /// Messages of one sender that stand in the journal in another order than sent.
    async fn reordered(&self) -> Vec<String> {
        let store = open(&self.rig.config(), Role::Clinical).await;
        let mut places: BTreeMap<Vec<u8>, Seq> = BTreeMap::new();
        let mut last = Seq(0);
        loop {
            let page = store.after(last, PAGE).await.expect("the journal reads");
            let Some(entry) = page.last() else { break };
            last = entry.seq;
            page.into_iter().for_each(|entry| {
                places.entry(entry.bytes.to_vec()).or_insert(entry.seq);
            });
        }
        store.close().await.expect("the store closes");
        let mut found = Vec::new();
        for sender in &self.senders {
            let mut highest = Seq(0);
            let mut seen = std::collections::BTreeSet::new();
            for step in sender.acknowledged().filter(|step| seen.insert(step.control_id.clone())) {
                let Some(seq) = places.get(step.er7.as_bytes()) else { continue };
                if *seq < highest {
                    found.push(format!("Reordered({})", step.control_id));
                }
                highest = highest.max(*seq);
            }
        }
        found
    }
}

/// True when every entry is applied, every delivery is delivered and every record is sealed.
async fn is_settled(config: &Config) -> bool {
    // A month's file that is being made cannot be read yet.
    let Ok(store) = Sqlite::open_reading(&config.data, Role::Clinical, options()).await else { return false };
    let applied = store::Apply::applied_through(&*store).await.expect("node.db reads");
    let is_applied = *store.appended().borrow() == applied;
    let waiting = store.backlogs().await.expect("node.db reads");
    let (unsealed, _) = store.unsealed_summary().await.expect("the ledger reads");
    store.close().await.expect("the store closes");
    is_applied && waiting.iter().all(|backlog| backlog.count == 0) && unsealed == 0
}

fn options() -> Options {
    Options { synchronous_full: true, read_connections: 2, now_us: clock::now_us }
}

async fn open(config: &Config, role: Role) -> std::sync::Arc<Sqlite> {
    Sqlite::open(&config.data, role, options()).await.expect("the store opens")
}

async fn contents(config: &Config) -> Contents {
    let store = open(config, Role::Clinical).await;
    let mut contents = Contents::new();
    let mut last = Seq(0);
    loop {
        let page = store.after(last, PAGE).await.expect("the journal reads");
        let Some(entry) = page.last() else { break };
        last = entry.seq;
        for entry in page {
            let detail = store.detail(entry.id).await.expect("node.db reads");
            for (key, _) in detail.into_iter().flat_map(|detail| detail.resources) {
                let stored = store::Resources::read(&*store, &key).await.expect("node.db reads");
                let stored = stored.expect("it was written");
                let mut body = serde_json::from_slice(stored.body.expose()).unwrap_or_default();
                if let serde_json::Value::Object(members) = &mut body {
                    members.remove("meta");
                }
                contents.insert(key, (stored.version, body));
            }
        }
    }
    store.close().await.expect("the store closes");
    contents
}

/// How many resources of each type the cloud node holds; their ids are random.
async fn released(config: &Config) -> BTreeMap<String, u64> {
    let store = open(config, Role::Portal).await;
    let counts = store::Resources::counts(&*store).await.expect("node.db reads");
    store.close().await.expect("the store closes");
    counts.into_iter().map(|(kind, count)| (kind.as_str().to_owned(), count)).collect()
}

/// Resources that are not as they would be if nothing had been done.
fn unlike(disturbed: &Contents, undisturbed: &Contents) -> Vec<String> {
    let keys: std::collections::BTreeSet<&ResourceKey> = disturbed.keys().chain(undisturbed.keys()).collect();
    let differ = keys.into_iter().filter(|key| disturbed.get(key) != undisturbed.get(key));
    differ.map(|key| format!("Unlike({}/{})", key.resource_type.as_str(), key.id)).collect()
}
