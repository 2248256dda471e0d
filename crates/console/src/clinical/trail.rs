//! Who looked at a message, and what the ledger says of it.

use audit::{Actor, Record};
use store::LedgerRow;

use crate::clinical::panels::Found;
use crate::clinical::view::REASONS;
use crate::hex::hex;
use crate::time::{Instant, instant};

/// Hexadecimal digits of a leaf hash in the table.
const HASH_DIGITS: usize = 16;
/// Views that are shown.
pub(crate) const VIEWS_SHOWN_MAX: usize = 50;

/// The audit panel.
pub(crate) struct Trail {
    pub(crate) views: Vec<View>,
    pub(crate) is_cut: bool,
    pub(crate) records: Vec<RecordRow>,
}

/// One look at the message.
pub(crate) struct View {
    pub(crate) at: Instant,
    pub(crate) who: String,
    /// This very view.
    pub(crate) is_now: bool,
    /// The session that looks now.
    pub(crate) is_you: bool,
    pub(crate) what: String,
    pub(crate) why: String,
    pub(crate) from: String,
    /// Leaf number; empty: not sealed yet.
    pub(crate) leaf: String,
}

/// One record of the ledger.
pub(crate) struct RecordRow {
    /// Leaf number; empty: not sealed yet.
    pub(crate) leaf: String,
    pub(crate) hash: String,
    pub(crate) kind: &'static str,
    pub(crate) at: Instant,
    pub(crate) outcome: String,
    pub(crate) actor: String,
}

/// The trail of a message.
pub(crate) fn trail(found: &Found) -> Trail {
    let shown = found.accesses.iter().take(VIEWS_SHOWN_MAX).enumerate();
    Trail {
        views: shown.filter_map(|(place, row)| view(row, place == 0, &found.session)).collect(),
        is_cut: found.accesses.len() > VIEWS_SHOWN_MAX,
        records: found.detail.iter().flat_map(|detail| &detail.records).map(record_row).collect(),
    }
}

fn view(row: &LedgerRow, is_newest: bool, session: &str) -> Option<View> {
    let record = Record::from_bytes(&row.record).ok()?;
    let object = |wanted: &str| {
        let found = record.objects().iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let (reason, is_you) = (object("reason"), object("session") == session);
    let words = REASONS.iter().find(|(code, _)| *code == reason).map(|(_, words)| (*words).to_owned());
    Some(View {
        at: instant(record.at_us()),
        who: actor(&record),
        is_now: is_newest && is_you,
        is_you,
        what: object("view"),
        why: words.unwrap_or(reason),
        from: record.network_address().map(|address| address.to_string()).unwrap_or_default(),
        leaf: row.leaf.map(|leaf| leaf.to_string()).unwrap_or_default(),
    })
}

fn actor(record: &Record) -> String {
    match record.acted_by() {
        Actor::Node => record.node().to_owned(),
        Actor::Client(id) | Actor::User(id) => id.clone(),
    }
}

fn record_row(row: &LedgerRow) -> RecordRow {
    let leaf = row.leaf.map(|leaf| leaf.to_string()).unwrap_or_default();
    let hash = row.hash.map(|hash| hex(&hash).chars().take(HASH_DIGITS).collect()).unwrap_or_default();
    match Record::from_bytes(&row.record) {
        Ok(record) => RecordRow {
            leaf,
            hash,
            kind: record.kind().as_str(),
            at: instant(record.at_us()),
            outcome: record.outcome_code().unwrap_or_default().to_owned(),
            actor: actor(&record),
        },
        Err(_) => RecordRow {
            leaf,
            hash,
            kind: "unreadable",
            at: Instant { exact: "-".to_owned(), text: "-".to_owned() },
            outcome: String::new(),
            actor: String::new(),
        },
    }
}
