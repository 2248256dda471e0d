//! What an edited message would do: the state it would reach, what it changes against the original, what would leave.

use std::sync::Arc;

use hl7v2::Message;
use hl7v2::message::Unreadable;
use mapping::{LeafFate, Translation};
use serde_json::Value;
use store::{
    Effect, Entry, KeyTerm, MessageFilter, MessageState, PATIENT_KEY, ResourceKey, Resources, Seq, WriteSet,
};

use crate::Error;
use crate::clinical::Clinical;
use crate::clinical::badge::{Badge, badge};
use crate::clinical::difference::{Difference, ROWS_MAX, of_messages, of_resources, of_translations};
use crate::clinical::panels::{IssueRow, issues};
use crate::clinical::raw::visible;
use crate::clinical::reasons;
use crate::clinical::translation::translated;
use crate::time::{Instant, instant};

/// Patients for whom newer messages are looked for.
const PATIENTS_MAX: usize = 16;
/// Resources and deliveries that are shown.
const PARTS_MAX: usize = 100;

/// An edited message that is tried.
pub(crate) struct Attempt {
    pub(crate) original: Entry,
    /// The original's place in the journal.
    pub(crate) position: Seq,
    /// What it would become.
    pub(crate) child: Entry,
    /// What stands now.
    pub(crate) standing: Arc<dyn Resources>,
}

/// What is shown of a dry run.
pub(crate) struct DryRun {
    pub(crate) badge: Badge,
    pub(crate) is_applied: bool,
    /// What the reason means, and its code; empty when it would be applied.
    pub(crate) meaning: String,
    pub(crate) reason: String,
    pub(crate) issues: Vec<IssueRow>,
    /// Fields that a rule read and could not use: path, why.
    pub(crate) rejected: Vec<(String, String)>,
    pub(crate) mapped: u32,
    pub(crate) total: u32,
    pub(crate) fields: Vec<Difference>,
    pub(crate) elements: Vec<Difference>,
    /// What would be different in the store.
    pub(crate) writes: Vec<WriteRow>,
    pub(crate) leaving: Vec<LeavingRow>,
    /// When the newest message of the patient came, if it is newer than the original.
    pub(crate) newer: Option<Instant>,
    /// Rows of comparisons that are not shown.
    pub(crate) cut: usize,
}

/// A resource that would get a new version.
pub(crate) struct WriteRow {
    pub(crate) name: String,
    pub(crate) what: &'static str,
    pub(crate) version: u32,
    pub(crate) changes: Vec<Difference>,
}

/// A release that would be queued.
pub(crate) struct LeavingRow {
    pub(crate) destination: String,
    pub(crate) resource: String,
    pub(crate) text: String,
}

/// The pure comparisons.
struct Compared {
    fields: Vec<Difference>,
    elements: Vec<Difference>,
    rejected: Vec<(String, String)>,
}

/// Tries an edited message.
pub(crate) async fn dry_run(clinical: &Clinical, attempt: Attempt) -> Result<DryRun, Error> {
    let set = clinical.dry_run.process(&attempt.child).await.map_err(Error::Lent)?;
    let newer = newer_than(clinical, &set, &attempt).await?;
    let mut writes = Vec::new();
    for version in set.versions.iter().take(PARTS_MAX) {
        let before = attempt.standing.read(&version.key).await?.filter(|stored| !stored.deleted);
        let before = before.and_then(|stored| json_of(stored.body.expose()));
        let after = json_of(version.body.expose()).filter(|_| !version.deleted);
        let name = name_of(&version.key);
        let changes = of_resources(&name, before.as_ref(), after.as_ref());
        let what = match (&before, &after) {
            (None, _) => "new",
            (_, None) => "deleted",
            _ => "changed",
        };
        writes.push(WriteRow { name, what, version: version.version, changes });
    }
    let parts = clinical.clone();
    let compared = tokio::task::spawn_blocking(move || compare(&parts, &attempt)).await;
    Ok(shown(set, compared.map_err(|_| Error::Task)?, writes, newer))
}

fn shown(set: WriteSet, compared: Compared, writes: Vec<WriteRow>, newer: Option<Instant>) -> DryRun {
    let reason = set.message.reason.clone().unwrap_or_default();
    let is_applied = !matches!(set.message.state, MessageState::Quarantined | MessageState::Error);
    let words = reasons::words(&reason).unwrap_or(reasons::UNKNOWN);
    let leaving = set.deliveries.iter().take(PARTS_MAX).map(|delivery| LeavingRow {
        destination: delivery.destination.clone(),
        resource: delivery.resource.resource_type.as_str().to_owned(),
        text: match delivery.effect {
            Effect::Stands(_) => pretty(&delivery.sealed.bytes),
            Effect::Withdrawn(reason) => format!("a notice that it is gone: {}", reason.as_str()),
        },
    });
    let Compared { mut fields, mut elements, rejected } = compared;
    let rows = fields.len().max(elements.len());
    fields.truncate(ROWS_MAX);
    elements.truncate(ROWS_MAX);
    DryRun {
        badge: badge(set.message.state),
        is_applied,
        meaning: if is_applied { String::new() } else { words.title.to_owned() },
        reason,
        issues: issues(&set.message.issues),
        rejected,
        mapped: set.message.leaves_mapped,
        total: set.message.leaves_total,
        fields,
        elements,
        leaving: leaving.collect(),
        writes,
        newer,
        cut: rows.saturating_sub(ROWS_MAX),
    }
}

/// When the newest message of the patients came, if it stands behind the original.
async fn newer_than(
    clinical: &Clinical,
    set: &WriteSet,
    attempt: &Attempt,
) -> Result<Option<Instant>, Error> {
    let mut newest = None;
    for key in set.keys.iter().filter(|key| key.kind == PATIENT_KEY).take(PATIENTS_MAX) {
        let term = KeyTerm { kind: Some(PATIENT_KEY), value: key.value.clone() };
        let filter = MessageFilter { key: Some(term), ..MessageFilter::default() };
        let rows = clinical.messages.list(&filter, None, 1).await?;
        let row = rows.first().filter(|row| row.seq > attempt.position);
        newest = newest.max(row.map(|row| row.received_us));
    }
    Ok(newest.map(instant))
}

fn read(entry: &Entry) -> Result<Message<'_>, Unreadable> {
    Message::read_as(&entry.bytes, entry.charset.as_deref())
}

fn compare(clinical: &Clinical, attempt: &Attempt) -> Compared {
    let (before, after) = (read(&attempt.original), read(&attempt.child));
    let package = (clinical.package)();
    let made = |message: &Result<Message<'_>, _>| -> Option<Translation> {
        message.as_ref().ok().and_then(|message| translated(&package, clinical.namespace, message))
    };
    let (was, is) = (made(&before), made(&after));
    let fates = is.as_ref().map(|translation| &translation.coverage.leaves[..]).unwrap_or_default();
    let rejected = fates.iter().filter(|leaf| leaf.fate == LeafFate::Rejected);
    Compared {
        fields: after.as_ref().map(|after| of_messages(before.as_ref().ok(), after)).unwrap_or_default(),
        elements: of_translations(was.as_ref(), is.as_ref()),
        rejected: rejected
            .map(|leaf| (leaf.path.to_string(), leaf.reason.as_deref().unwrap_or_default().to_owned()))
            .collect(),
    }
}

fn name_of(key: &ResourceKey) -> String {
    format!("{}/{}", key.resource_type, key.id)
}

fn json_of(bytes: &[u8]) -> Option<Value> {
    serde_json::from_slice(bytes).ok()
}

/// Released JSON over several lines, in the order of the specification.
fn pretty(bytes: &[u8]) -> String {
    let Some(value) = json_of(bytes) else { return format!("{} bytes that are no JSON", bytes.len()) };
    let rows = crate::clinical::order::flattened(&value);
    let line = |(location, value): (String, &Value)| format!("{location}: {}", visible(&value.to_string()));
    rows.into_iter().map(line).collect::<Vec<_>>().join("\n")
}
