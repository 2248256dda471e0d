//! How far a file is taken, and what was found in it so far; nothing in it is content of a message.

use hl7v2::batch::{BatchAnswer, Discrepancy, Envelopes};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::JournalId;
use uuid::Uuid;

/// Findings a report names; more are counted.
const FINDINGS_MAX: usize = 1_000;
/// How the peer of an entry begins that came in a file.
const PEER: &str = "file ";

/// One taking of one file. It is made durable before the first entry, and stays through crashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// A UUIDv7; names the file in journal, log and report, since file names may name people.
    pub id: Uuid,
    /// When the file was taken, µs since the epoch: the time of arrival of all that is in it.
    pub at_us: i64,
}

impl Claim {
    /// The id of the entry that begins at `offset` of the file.
    pub(super) fn entry(&self, offset: u64) -> JournalId {
        let digest = Uuid::new_v5(&self.id, &offset.to_be_bytes());
        let [a, b, c, d, e, f, g, h, i, j, ..] = *digest.as_bytes();
        let millis = u64::try_from(self.at_us.div_euclid(1_000)).unwrap_or_default();
        let random = [a, b, c, d, e, f, g, h, i, j];
        JournalId(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }

    /// The peer of its entries.
    pub(super) fn peer(&self) -> String {
        format!("{PEER}{}", self.id)
    }

    /// The taking that a peer names.
    pub(super) fn of_peer(peer: &str) -> Option<Uuid> {
        Uuid::parse_str(peer.strip_prefix(PEER)?).ok()
    }
}

/// What was found, in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Messages, whatever became of them.
    pub messages: u64,
    /// Messages that were accepted.
    pub accepted: u64,
    /// Messages that had been accepted before: same sender, control id and bytes.
    pub repeated: u64,
    /// Messages and stretches that were refused.
    pub refused: u64,
    /// Messages whose application acknowledgment is promised.
    #[serde(default)]
    pub promised: u64,
    /// Stretches that belong to no message.
    pub strays: u64,
    /// Batches (BHS).
    pub batches: u64,
    /// Files in the file (FHS).
    pub files: u64,
}

/// Something that a person should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What: `header`, `charset`, `oversized`, `stray`, `message-count`, `batch-trailer-missing`, ...
    pub code: String,
    /// Offset in the file, in bytes.
    pub offset: u64,
    /// Which message of the file, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<u64>,
    /// Its journal entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<Uuid>,
    /// What a trailer declares.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub declared: Option<u64>,
    /// What was counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<u64>,
}

impl Finding {
    /// A finding at a place of the file.
    pub fn at(code: &str, offset: u64) -> Self {
        Self { code: code.to_owned(), offset, message: None, entry: None, declared: None, found: None }
    }
}

/// The envelopes under way, of the file and of its answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Open {
    file: Option<u64>,
    batch: Option<u64>,
    loose: u64,
    answered_file: Option<u64>,
    answered_batch: Option<u64>,
}

/// How far a file is taken; constant in size but for its findings, of which there is a most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Which taking of which file.
    pub claim: Claim,
    /// Everything before this offset is in the journal.
    pub offset: u64,
    /// What was found.
    pub counts: Counts,
    open: Open,
    findings: Vec<Finding>,
    findings_left_out: u64,
}

impl Progress {
    /// Nothing is taken yet.
    pub fn new(claim: Claim) -> Self {
        Self {
            claim,
            offset: 0,
            counts: Counts::default(),
            open: Open::default(),
            findings: Vec::new(),
            findings_left_out: 0,
        }
    }

    /// Was all taken, with nothing for a person to look at?
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty() && self.findings_left_out == 0 && self.counts.refused == 0
    }

    /// Notes something; beyond the most that a report names it is counted.
    pub fn note(&mut self, finding: Finding) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        } else {
            self.findings_left_out += 1;
        }
    }

    /// Notes what the envelopes say.
    pub(super) fn note_all(&mut self, found: &[Discrepancy], offset: u64) {
        for one in found {
            let counts = one.counts();
            self.note(Finding {
                declared: counts.map(|(declared, _)| declared),
                found: counts.map(|(_, found)| found),
                ..Finding::at(one.code(), offset)
            });
        }
    }

    /// The report: counts, what was declared against what was found, places and codes. It holds nothing of a message.
    pub fn report(&self) -> Value {
        json!({"claim": self.claim.id, "bytes": self.offset, "counts": self.counts, "findings": self.findings,
            "findings_left_out": self.findings_left_out})
    }

    pub(super) fn envelopes(&self) -> Envelopes {
        Envelopes { file: self.open.file, batch: self.open.batch, loose: self.open.loose }
    }

    pub(super) fn answer(&self) -> BatchAnswer {
        BatchAnswer { file: self.open.answered_file, batch: self.open.answered_batch }
    }

    pub(super) fn set_open(&mut self, envelopes: Envelopes, answer: BatchAnswer) {
        let Envelopes { file, batch, loose } = envelopes;
        self.open = Open { file, batch, loose, answered_file: answer.file, answered_batch: answer.batch };
    }
}
