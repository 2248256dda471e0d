//! What was done, and what came of it, as a file.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use harness::check::Finding;
use serde_json::json;

use crate::block::Settled;
use crate::fault::Fault;

/// The whole run.
pub struct Report {
    seed: u64,
    begun: Instant,
    /// By name of the fault: ordered, and came about.
    faults: BTreeMap<String, (u64, u64)>,
    kills: u64,
    sent: usize,
    again: u64,
    entries: usize,
    versions: usize,
    deliveries: usize,
    records: u64,
    lost: usize,
    doubled: usize,
    reordered: usize,
    findings: Vec<String>,
}

impl Report {
    /// Nothing yet.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            begun: Instant::now(),
            faults: BTreeMap::new(),
            kills: 0,
            sent: 0,
            again: 0,
            entries: 0,
            versions: 0,
            deliveries: 0,
            records: 0,
            lost: 0,
            doubled: 0,
            reordered: 0,
            findings: Vec::new(),
        }
    }

    /// A round.
    pub fn note(&mut self, fault: &Fault, came_about: bool) {
        let (ordered, fired) = self.faults.entry(fault.name()).or_default();
        *ordered += 1;
        *fired += u64::from(came_about);
        self.kills += u64::from(came_about && fault.kills());
    }

    /// A folder that was looked at.
    pub fn add(&mut self, settled: Settled) {
        let Settled { report, findings, sent, again } = settled;
        self.sent += sent;
        self.again += again;
        self.entries += report.entries;
        self.versions += report.versions;
        self.deliveries += report.deliveries;
        self.records += report.records;
        self.lost += report.lost();
        let is_doubled = |finding: &&Finding| {
            matches!(
                finding,
                Finding::TwiceInJournal(_) | Finding::VersionTwice(..) | Finding::OutboxTwice(..)
            ) || matches!(finding, Finding::Applications(_, times) if *times > 1)
        };
        self.doubled += report.findings.iter().filter(is_doubled).count();
        self.reordered += findings.iter().filter(|finding| finding.starts_with("Reordered")).count();
        self.findings.extend(findings);
    }

    /// What does not hold.
    pub fn findings(&self) -> Vec<String> {
        self.findings.clone()
    }

    /// Faults that came about.
    pub fn fired(&self) -> u64 {
        self.faults.values().map(|(_, fired)| fired).sum()
    }

    /// Writes the file; its path.
    pub fn write(&self) -> PathBuf {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("faults/report.json");
        let faults: BTreeMap<&String, serde_json::Value> = self
            .faults
            .iter()
            .map(|(name, (ordered, fired))| (name, json!({"ordered": ordered, "came_about": fired})))
            .collect();
        let report = json!({
            "seed": self.seed, "seconds": self.begun.elapsed().as_secs(), "faults": faults, "kills": self.kills,
            "messages_sent": self.sent, "asked_to_send_again": self.again, "journal_entries": self.entries,
            "resource_versions": self.versions, "deliveries": self.deliveries, "ledger_records": self.records,
            "lost": self.lost, "doubled": self.doubled, "reordered": self.reordered, "findings": self.findings,
        });
        let text = serde_json::to_string_pretty(&report).expect("a report is JSON");
        std::fs::write(&path, text).expect("the report is written");
        path
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ordered: u64 = self.faults.values().map(|(ordered, _)| ordered).sum();
        write!(
            formatter,
            "{ordered} faults ordered, {} came about, {} kills; {} messages sent, {} asked for again, {} lost, \
             {} doubled, {} reordered, {} findings; {} s",
            self.fired(),
            self.kills,
            self.sent,
            self.again,
            self.lost,
            self.doubled,
            self.reordered,
            self.findings.len(),
            self.begun.elapsed().as_secs()
        )
    }
}
