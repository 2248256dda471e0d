//! Reading a whole ledger back and naming what is not as it was sealed.

use std::fmt;

use crate::merkle::{Frontier, Hash, leaf_hash, to_hex};
use crate::{Checkpoint, Record, VerifyingKey};

/// Longest time a record may wait for its checkpoint, in µs.
pub const UNSEALED_AGE_MAX_US: i64 = 2_000_000;
/// A record may be this much earlier than the one before it without a remark, in µs: acts run in parallel.
const CLOCK_STEP_BACK_US_MAX: i64 = 60_000_000;
/// Most findings about single records that are kept. The count of all is in the last one.
const RECORD_FINDINGS_MAX: usize = 1_000;

/// Verifies a whole ledger: feed records in leaf order, the log's checkpoints in the order they were made, then those a
/// witness kept, then [`Verification::finish`]. Holds 32 bytes for each record.
#[derive(Debug)]
pub struct Verification {
    key: VerifyingKey,
    /// Hashes of the leaves before the first hole.
    leaves: Vec<Hash>,
    /// The leaf number that comes next.
    next: u64,
    has_hole: bool,
    has_stored_hashes: bool,
    last_record_at_us: Option<i64>,
    own: Vec<Checkpoint>,
    witnessed: Vec<Checkpoint>,
    findings: Vec<Finding>,
    dropped_findings: u64,
    remarks: Vec<Finding>,
}

/// The outcome of a [`Verification`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Number of leaves, the holes among them counted.
    pub size: u64,
    /// Root of the leaves as found, up to the first hole.
    pub root: Hash,
    /// Size of the largest witness checkpoint that this ledger agrees with; `None`: not witnessed, so that a
    /// truncation with its checkpoints, or a rewriting with the stolen key, could not have been seen.
    pub witnessed_size: Option<u64>,
    /// What is broken, first bad record first. Empty: the ledger is intact.
    pub findings: Vec<Finding>,
    /// What an auditor should know and does not break the ledger, as a clock that stepped back.
    pub remarks: Vec<Finding>,
}

/// One thing found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The leaf it concerns, from 0; for a range, its first.
    pub leaf: Option<u64>,
    /// A sentence without content of any record.
    pub text: String,
}

/// Who kept a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keeper {
    Ledger,
    Witness,
}

impl Verification {
    /// Verifies a ledger whose checkpoints `key` signed.
    pub fn new(key: VerifyingKey) -> Self {
        Self {
            key,
            leaves: Vec::new(),
            next: 0,
            has_hole: false,
            has_stored_hashes: false,
            last_record_at_us: None,
            own: Vec::new(),
            witnessed: Vec::new(),
            findings: Vec::new(),
            dropped_findings: 0,
            remarks: Vec::new(),
        }
    }

    /// The record stored as leaf number `leaf`.
    pub fn record(&mut self, leaf: u64, bytes: &[u8]) {
        self.enter(leaf, bytes, leaf_hash(bytes));
    }

    /// The same, with the leaf hash stored beside it: an altered row is then named exactly. A row altered together with
    /// its hash is still caught by the next checkpoint.
    pub fn record_with_hash(&mut self, leaf: u64, bytes: &[u8], stored_hash: Hash) {
        self.has_stored_hashes = true;
        if leaf_hash(bytes) != stored_hash {
            self.report_record(leaf, "does not match the hash stored with it".to_owned());
        }
        self.enter(leaf, bytes, stored_hash);
    }

    /// What waits for the sealer: how many records, when the oldest was made, and the time now, µs since the epoch.
    pub fn unsealed(&mut self, count: u64, oldest_at_us: Option<i64>, now_us: i64) {
        if count == 0 {
            return;
        }
        let age_us = oldest_at_us.map(|oldest| now_us.saturating_sub(oldest));
        if age_us.is_none_or(|age| age > UNSEALED_AGE_MAX_US) {
            let age =
                age_us.map_or("for an unknown time".to_owned(), |age| format!("for {} ms", age / 1_000));
            self.report(None, format!("{count} records have waited for a checkpoint {age}"));
        }
    }

    /// A checkpoint of this node's own log, in the order they were made.
    pub fn checkpoint(&mut self, note: &str) {
        let number = self.own.len() + 1;
        let checkpoint = match Checkpoint::from_note(note, &self.key) {
            Ok(checkpoint) => checkpoint,
            Err(error) => return self.report(None, format!("checkpoint {number} of the ledger: {error}")),
        };
        if let Some(last) = self.own.last() {
            let (size, last_size) = (checkpoint.size, last.size);
            let (shrinks, runs_back) = (size < last_size, checkpoint.at_us < last.at_us);
            let other_log = checkpoint.origin != last.origin;
            if shrinks {
                self.report(
                    Some(size),
                    format!("checkpoint over {size} records follows one over {last_size}"),
                );
            }
            if runs_back {
                self.report(
                    Some(size),
                    format!("checkpoint over {size} records is earlier than the one before it"),
                );
            }
            if other_log {
                self.report(Some(size), format!("checkpoint over {size} records is of another ledger"));
            }
        }
        self.own.push(checkpoint);
    }

    /// A checkpoint of this log that a witness kept.
    pub fn witness(&mut self, note: &str) {
        match Checkpoint::from_note(note, &self.key) {
            Ok(checkpoint) => self.witnessed.push(checkpoint),
            Err(error) => self.report(None, format!("checkpoint kept by the witness: {error}")),
        }
    }

    /// Compares everything and gives the verdict.
    pub fn finish(mut self) -> Verdict {
        if let Some(origin) = self.own.first().map(|first| first.origin.clone()) {
            let all = self.witnessed.len();
            self.witnessed.retain(|kept| kept.origin == origin);
            if self.witnessed.len() < all {
                self.report(None, "the witness keeps a checkpoint of another ledger".to_owned());
            }
        }
        let (root, witnessed_size) = self.compare_roots();
        self.check_end(Keeper::Ledger);
        self.check_end(Keeper::Witness);
        self.check_tail();
        if self.dropped_findings > 0 {
            let text = format!("{} further records are not as they were sealed", self.dropped_findings);
            self.report(None, text);
        }
        let mut findings = self.findings;
        findings.sort_by_key(|finding| finding.leaf.unwrap_or(u64::MAX));
        Verdict { size: self.next, root, witnessed_size, findings, remarks: self.remarks }
    }

    fn enter(&mut self, leaf: u64, bytes: &[u8], hash: Hash) {
        if leaf < self.next {
            return self.report_record(leaf, "stands twice or out of order".to_owned());
        }
        if leaf > self.next {
            let (first, last) = (self.next, leaf - 1);
            let text = if first == last { "is missing".to_owned() } else { format!("to {last} are missing") };
            self.report_record(first, text);
            self.has_hole = true;
        }
        self.next = leaf.saturating_add(1);
        if !self.has_hole {
            self.leaves.push(hash);
        }
        match Record::from_bytes(bytes) {
            Ok(record) => self.note_time(leaf, record.at_us()),
            Err(error) => self.report_record(leaf, format!("is broken: {error}")),
        }
    }

    fn note_time(&mut self, leaf: u64, at_us: i64) {
        let step_us = self.last_record_at_us.map_or(0, |last| last.saturating_sub(at_us));
        if step_us > CLOCK_STEP_BACK_US_MAX && self.remarks.len() < RECORD_FINDINGS_MAX {
            let text = format!("record {leaf}: the clock stepped back by {} s", step_us / 1_000_000);
            self.remarks.push(Finding { leaf: Some(leaf), text });
        }
        self.last_record_at_us = Some(at_us);
    }

    /// Compares every checkpoint's root with the tree at its size. Returns the whole tree's root and the largest
    /// witnessed size that agrees.
    fn compare_roots(&mut self) -> (Hash, Option<u64>) {
        let own = self.own.iter().map(|checkpoint| (checkpoint.clone(), Keeper::Ledger));
        let witnessed = self.witnessed.iter().map(|checkpoint| (checkpoint.clone(), Keeper::Witness));
        let mut checkpoints: Vec<(Checkpoint, Keeper)> = own.chain(witnessed).collect();
        checkpoints.sort_by_key(|(checkpoint, _)| checkpoint.size);

        let leaves = std::mem::take(&mut self.leaves);
        let mut unread = leaves.iter();
        let mut tree = Frontier::default();
        let mut last_good = 0;
        let mut witnessed_size = None;
        let mut reported = [false; 2];
        let mut before: Option<(u64, Hash)> = None;
        for (checkpoint, keeper) in checkpoints {
            while tree.size() < checkpoint.size {
                let Some(leaf) = unread.next() else { break };
                tree.append(*leaf);
            }
            let size = checkpoint.size;
            if before.is_some_and(|(known, root)| known == size && root != checkpoint.root) {
                self.report(
                    Some(last_good),
                    format!("two signed checkpoints over {size} records differ: the ledger is forked"),
                );
            }
            before = Some((size, checkpoint.root));
            if tree.size() != size {
                continue;
            }
            if tree.root() == checkpoint.root {
                last_good = size;
                if keeper == Keeper::Witness {
                    witnessed_size = Some(size);
                }
                continue;
            }
            let already = &mut reported[usize::from(keeper == Keeper::Witness)];
            if !std::mem::replace(already, true) {
                self.report_range(last_good, size, keeper);
            }
        }
        for leaf in unread {
            tree.append(*leaf);
        }
        (tree.root(), witnessed_size)
    }

    /// Records `first..size` are not those that were sealed. Says nothing when one of them is named already, unless
    /// stored hashes explain the named ones and the root still differs.
    fn report_range(&mut self, first: u64, size: u64, keeper: Keeper) {
        let named = |finding: &Finding| finding.leaf.is_some_and(|leaf| (first..size).contains(&leaf));
        if keeper == Keeper::Ledger && !self.has_stored_hashes && self.findings.iter().any(named) {
            return;
        }
        let last = size.saturating_sub(1);
        let text = match keeper {
            Keeper::Ledger => format!("a record from {first} to {last} is not the one that was sealed"),
            Keeper::Witness => {
                format!("a record from {first} to {last} is not the one that the witness saw sealed")
            }
        };
        self.report(Some(first), text);
    }

    fn check_end(&mut self, keeper: Keeper) {
        let (checkpoints, holder) = match keeper {
            Keeper::Ledger => (&self.own, "its own checkpoint"),
            Keeper::Witness => (&self.witnessed, "the witness's checkpoint"),
        };
        let sealed = checkpoints.iter().map(|checkpoint| checkpoint.size).max().unwrap_or(0);
        if sealed > self.next {
            let next = self.next;
            self.report(
                Some(next),
                format!("the ledger ends after {next} records, {holder} covers {sealed}"),
            );
        }
    }

    fn check_tail(&mut self) {
        let sealed = self.own.iter().map(|checkpoint| checkpoint.size).max().unwrap_or(0);
        if sealed < self.next {
            let last = self.next - 1;
            self.report(
                Some(sealed),
                format!("records {sealed} to {last} are numbered and no checkpoint covers them"),
            );
        }
    }

    fn report_record(&mut self, leaf: u64, text: String) {
        if self.findings.len() < RECORD_FINDINGS_MAX {
            self.report(Some(leaf), format!("record {leaf} {text}"));
        } else {
            self.dropped_findings += 1;
        }
    }

    fn report(&mut self, leaf: Option<u64>, text: String) {
        self.findings.push(Finding { leaf, text });
    }
}

impl Verdict {
    /// True when nothing is broken. An intact ledger may still be [unwitnessed](Verdict::witnessed_size).
    pub fn is_intact(&self) -> bool {
        self.findings.is_empty()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.is_intact() { "intact" } else { "broken" };
        write!(f, "ledger {state}: {} records, root {}, ", self.size, to_hex(&self.root))?;
        match self.witnessed_size {
            Some(size) => write!(f, "witnessed up to {size}")?,
            None => f.write_str("not witnessed")?,
        }
        self.findings.iter().try_for_each(|finding| write!(f, "\n  {}", finding.text))
    }
}
