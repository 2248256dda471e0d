//! What can be done to a node, and where: the shim's orders.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use harness::rig::{Rig, Shim};

/// What the shim does at the chosen call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// The process is killed before the call.
    KillBefore,
    /// The process is killed when half of it is written.
    KillAmid,
    /// The process is killed after the call.
    KillAfter,
    /// The call fails with EIO.
    Eio,
    /// The call fails with ENOSPC.
    NoSpace,
    /// Half is written, and said so.
    Short,
}

impl Act {
    /// The shim's word.
    const fn word(self) -> &'static str {
        match self {
            Self::KillBefore => "before",
            Self::KillAmid => "amid",
            Self::KillAfter => "after",
            Self::Eio => "eio",
            Self::NoSpace => "enospc",
            Self::Short => "short",
        }
    }

    /// The name in the report.
    pub const fn name(self) -> &'static str {
        match self {
            Self::KillBefore => "killed before",
            Self::KillAmid => "killed amid",
            Self::KillAfter => "killed after",
            Self::Eio => "EIO at",
            Self::NoSpace => "ENOSPC at",
            Self::Short => "half of",
        }
    }
}

/// Which calls are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Calls {
    /// All of those below.
    All,
    /// Writes to a month of the journal or its log.
    JournalWrite,
    /// Its fsyncs.
    JournalSync,
    /// Acknowledgments.
    Acknowledge,
    /// Writes to `node.db`: what a message comes to, what is delivered, the ledger.
    ApplyWrite,
    /// Its fsyncs.
    ApplySync,
    /// Bytes on their way to the cloud node.
    Deliver,
    /// Bytes that came from it: receipts.
    Receipt,
}

impl Calls {
    /// The shim's letters, and what the path of the file must hold.
    const fn order(self) -> (&'static str, &'static str) {
        match self {
            Self::All => ("wstun", ""),
            Self::JournalWrite => ("w", "/journal/"),
            Self::JournalSync => ("s", "/journal/"),
            Self::Acknowledge | Self::Deliver => ("n", ""),
            Self::ApplyWrite => ("w", "/node.db"),
            Self::ApplySync => ("s", "/node.db"),
            Self::Receipt => ("r", ""),
        }
    }

    /// The name in the report.
    pub const fn name(self) -> &'static str {
        match self {
            Self::All => "any call",
            Self::JournalWrite => "a write of the journal",
            Self::JournalSync => "an fsync of the journal",
            Self::Acknowledge => "an acknowledgment",
            Self::ApplyWrite => "a write of node.db",
            Self::ApplySync => "an fsync of node.db",
            Self::Deliver => "a delivery",
            Self::Receipt => "a receipt",
        }
    }
}

/// One order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// What.
    pub act: Act,
    /// To which calls.
    pub calls: Calls,
    /// At which of them, from 1; beyond the last: nothing happens.
    pub at: u64,
}

impl Fault {
    /// The name in the report.
    pub fn name(&self) -> String {
        format!("{} {}", self.act.name(), self.calls.name())
    }

    /// Does the process end by it?
    pub const fn kills(&self) -> bool {
        matches!(self.act, Act::KillBefore | Act::KillAmid | Act::KillAfter)
    }
}

/// The compiled shim of a rig.
pub struct Faults {
    library: PathBuf,
    log: PathBuf,
}

impl Faults {
    /// Compiles it.
    pub fn new(rig: &Rig) -> Self {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("faults/faults.c");
        Self { library: Shim::compile(&source, rig.folder()), log: rig.folder().join("faults.log") }
    }

    /// The shim with an order; `None`: it only counts. Its log begins anew.
    pub fn shim(&self, rig: &Rig, fault: Option<Fault>) -> Shim {
        let calls = fault.map_or(Calls::All, |fault| fault.calls);
        let (kinds, files) = calls.order();
        let (mllp, link) = (rig.mllp().port().to_string(), rig.addresses().link.port().to_string());
        let ports = match calls {
            Calls::Acknowledge => mllp,
            Calls::Deliver | Calls::Receipt => link,
            _ => format!("{mllp},{link}"),
        };
        let mut shim = self.order(rig, kinds, files);
        shim.environment.push(("FAULTS_PORTS", ports.into()));
        if let Some(Fault { act, at, .. }) = fault {
            shim.environment.push(("FAULTS_AT", at.to_string().into()));
            shim.environment.push(("FAULTS_ACT", act.word().into()));
        }
        shim
    }

    /// The shim that watches these kinds of calls on files whose path holds a text.
    pub fn order(&self, rig: &Rig, kinds: &str, files: &str) -> Shim {
        if self.log.exists() {
            std::fs::remove_file(&self.log).expect("the log is removed");
        }
        let environment = vec![
            ("FAULTS_ROOT", rig.data().into()),
            ("FAULTS_LOG", self.log.clone().into()),
            ("FAULTS_KINDS", kinds.into()),
            ("FAULTS_FILES", files.into()),
        ];
        Shim { library: self.library.clone(), environment }
    }

    /// Whether the shim did something since it was last ordered.
    pub fn has_acted(&self) -> bool {
        self.lines().iter().any(|line| line.starts_with("act "))
    }

    /// How many calls of each kind a run without a fault made.
    pub fn counted(&self, rig: &Rig) -> BTreeMap<Calls, u64> {
        let mllp = rig.mllp().port().to_string();
        let mut counts = BTreeMap::new();
        for line in self.lines() {
            let mut words = line.split(' ').skip(2);
            let (Some(letter), Some(name)) = (words.next(), words.next()) else { continue };
            let calls = match (letter, name) {
                ("n", port) if port == mllp => Some(Calls::Acknowledge),
                ("n", _) => Some(Calls::Deliver),
                ("w", name) if name.starts_with("node.db") => Some(Calls::ApplyWrite),
                ("s", name) if name.starts_with("node.db") => Some(Calls::ApplySync),
                ("w", name) if name.starts_with("20") => Some(Calls::JournalWrite),
                ("s", name) if name.starts_with("20") => Some(Calls::JournalSync),
                _ => None,
            };
            *counts.entry(Calls::All).or_default() += 1;
            calls.into_iter().for_each(|calls| *counts.entry(calls).or_default() += 1);
        }
        // Every delivery is answered.
        let delivered = counts.get(&Calls::Deliver).copied().unwrap_or_default();
        counts.insert(Calls::Receipt, delivered);
        counts
    }

    fn lines(&self) -> Vec<String> {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}
