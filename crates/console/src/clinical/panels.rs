//! What the panels of one message show, from rows and a fresh translation.

use std::collections::HashMap;

use audit::{Actor, Record};
use hl7v2::Message;
use mapping::Step;
use serde_json::Value;
use store::{DeliveryRow, Entry, LedgerRow, MessageDetail, ResourceKey, Stored};

use crate::clinical::badge::{Badge, acknowledgment, delivery};
use crate::clinical::json::{JsonLine, Printer};
use crate::clinical::links::{Links, attribute};
use crate::clinical::raw::{Raw, dump, raw, segment_lines, visible};
use crate::clinical::translation::{Again, again};
use crate::clinical::{Clinical, MASK};
use crate::hex::hex;
use crate::time::{Instant, instant};

/// Steps of the trace that are shown.
const STEPS_SHOWN_MAX: usize = 2_000;
/// Resources and deliveries that are shown.
pub(crate) const PARTS_SHOWN_MAX: usize = 100;
/// Hexadecimal digits of a leaf hash in the table.
const HASH_DIGITS: usize = 16;

/// Everything about one message that was read from the ports.
pub(crate) struct Found {
    pub(crate) entry: Entry,
    pub(crate) detail: Option<MessageDetail>,
    /// What it wrote, as far as it could be read.
    pub(crate) resources: Vec<Stored>,
    /// Earlier views of it are not in here: they are in a file of their own.
    pub(crate) reveal: bool,
}

/// The panels of one message.
pub(crate) struct Panels {
    pub(crate) raw: Option<Raw>,
    pub(crate) dump: Vec<String>,
    pub(crate) dump_is_cut: bool,
    pub(crate) bytes: usize,
    pub(crate) findings: Vec<String>,
    /// Why there is no trace; empty when there is one.
    pub(crate) untraced: String,
    pub(crate) is_other_package: bool,
    pub(crate) resources: Vec<ResourcePanel>,
    pub(crate) steps: Vec<StepRow>,
    pub(crate) steps_cut: usize,
    pub(crate) deliveries: Vec<DeliveryPanel>,
    pub(crate) records: Vec<RecordRow>,
    pub(crate) issues: Vec<IssueRow>,
    pub(crate) acknowledgment: Option<AcknowledgmentPanel>,
    pub(crate) parts_cut: usize,
}

/// One resource at the version that the message wrote.
pub(crate) struct ResourcePanel {
    pub(crate) name: String,
    pub(crate) version: u32,
    pub(crate) lines: Vec<JsonLine>,
    pub(crate) is_cut: bool,
    pub(crate) is_deleted: bool,
}

/// One step of the trace.
pub(crate) struct StepRow {
    pub(crate) numbers: String,
    pub(crate) resource: String,
    pub(crate) element: String,
    pub(crate) source: String,
    pub(crate) rule: String,
    pub(crate) conversions: String,
    pub(crate) code_table: String,
    pub(crate) input: String,
    pub(crate) output: String,
}

/// One delivery and what left by it.
pub(crate) struct DeliveryPanel {
    pub(crate) destination: String,
    pub(crate) resource: String,
    pub(crate) version: u32,
    pub(crate) released: String,
    pub(crate) badge: Badge,
    pub(crate) attempts: u32,
    pub(crate) next: Option<Instant>,
    pub(crate) error: String,
    pub(crate) delivered: Option<Instant>,
    pub(crate) has_receipt: bool,
    pub(crate) lines: Vec<JsonLine>,
    pub(crate) is_cut: bool,
    pub(crate) bytes: usize,
    pub(crate) actions: Vec<ActionRow>,
}

/// What de-identification did to one element.
pub(crate) struct ActionRow {
    pub(crate) location: String,
    pub(crate) operation: String,
    pub(crate) numbers: String,
}

/// One record of the ledger.
pub(crate) struct RecordRow {
    pub(crate) leaf: String,
    pub(crate) hash: String,
    pub(crate) kind: &'static str,
    pub(crate) at: Instant,
    pub(crate) outcome: String,
    pub(crate) actor: String,
}

/// One issue.
pub(crate) struct IssueRow {
    pub(crate) severity: String,
    pub(crate) code: String,
    pub(crate) path: String,
    pub(crate) rule: String,
    pub(crate) text: String,
}

/// The acknowledgment given.
pub(crate) struct AcknowledgmentPanel {
    pub(crate) code: String,
    pub(crate) outcome: Badge,
    pub(crate) lines: Vec<String>,
}

/// Builds every panel. Runs for as long as the message is large; call it where blocking is allowed.
pub(crate) fn panels(clinical: &Clinical, found: &Found) -> Panels {
    let Found { entry, detail, reveal, .. } = found;
    let read = Message::read(&entry.bytes);
    let translated = match &read {
        Ok(message) if entry.refused.is_none() => again(&clinical.package, clinical.namespace, message),
        Ok(_) => Again::Unreadable("It was refused, so it is not translated.".to_owned()),
        Err(unreadable) => Again::Unreadable(format!("It cannot be read: {unreadable}.")),
    };
    let (steps, coverage, untraced) = match translated {
        Again::Traced(steps, coverage) => (steps, Some(coverage), String::new()),
        Again::Rejected(why) => {
            (Vec::new(), None, format!("The package in force does not translate it: {why}."))
        }
        Again::Unreadable(why) => (Vec::new(), None, why),
    };
    let links = read.as_ref().map(|message| Links::of(message, &steps)).unwrap_or_default();
    let (dump, dump_is_cut) = match (&read, reveal) {
        (Err(_), true) => dump(&entry.bytes),
        _ => (Vec::new(), false),
    };
    let pinned = detail.as_ref().map(|detail| detail.row.package_hash.as_str());
    Panels {
        raw: read.as_ref().ok().map(|message| raw(message, coverage.as_ref(), *reveal)),
        dump,
        dump_is_cut,
        bytes: entry.bytes.len(),
        findings: read.as_ref().map(findings).unwrap_or_default(),
        is_other_package: untraced.is_empty() && pinned.is_some_and(|hash| hash != clinical.package.hash()),
        untraced,
        resources: found.resources.iter().map(|stored| resource(stored, &links, *reveal)).collect(),
        steps: steps.iter().take(STEPS_SHOWN_MAX).map(|step| step_row(step, &links, *reveal)).collect(),
        steps_cut: steps.len().saturating_sub(STEPS_SHOWN_MAX),
        deliveries: deliveries(found, &links),
        records: detail.iter().flat_map(|detail| &detail.records).map(record_row).collect(),
        issues: detail.as_ref().map(|detail| issues(&detail.row.issues)).unwrap_or_default(),
        acknowledgment: entry.acknowledgment.as_ref().map(|given| AcknowledgmentPanel {
            code: visible(&given.code),
            outcome: acknowledgment(given.outcome),
            lines: if *reveal { segment_lines(&given.bytes) } else { Vec::new() },
        }),
        parts_cut: detail.as_ref().map_or(0, |detail| {
            detail.resources.len().max(detail.deliveries.len()).saturating_sub(PARTS_SHOWN_MAX)
        }),
    }
}

/// What was odd about reading it: kinds and places.
fn findings(message: &Message<'_>) -> Vec<String> {
    let words = |issue: &hl7v2::ReadIssue| format!("{:?} at byte {}", issue.kind, issue.span.start);
    message.issues().iter().take(PARTS_SHOWN_MAX).map(words).collect()
}

fn name_of(key: &ResourceKey) -> String {
    format!("{}/{}", key.resource_type, key.id)
}

fn resource(stored: &Stored, links: &Links, reveal: bool) -> ResourcePanel {
    let name = name_of(&stored.key);
    let actions = HashMap::new();
    let printer = Printer { links, resource: &name, reveal, actions: &actions };
    let (lines, is_cut) = match serde_json::from_slice::<Value>(stored.body.expose()) {
        Ok(value) => printer.lines(&value, Some(&value)),
        Err(_) => (Vec::new(), false),
    };
    ResourcePanel { lines, is_cut, version: stored.version, is_deleted: stored.deleted, name }
}

fn step_row(step: &Step, links: &Links, reveal: bool) -> StepRow {
    let shown = |value: &Option<String>| match value {
        Some(value) if reveal => visible(value),
        Some(_) => MASK.to_owned(),
        None => String::new(),
    };
    let found = |hit: bool| if hit { "found" } else { "not found" };
    StepRow {
        numbers: attribute(&links.leaves(step.span)),
        resource: step.resource.clone(),
        element: step.element.clone(),
        source: step.source_path.clone().unwrap_or_default(),
        rule: step.rule.clone(),
        conversions: step.conversions.join(", "),
        code_table: step
            .code_table
            .as_ref()
            .map(|(table, hit)| format!("{table}: {}", found(*hit)))
            .unwrap_or_default(),
        input: shown(&step.input),
        output: shown(&step.output),
    }
}

fn deliveries(found: &Found, links: &Links) -> Vec<DeliveryPanel> {
    let Some(detail) = &found.detail else { return Vec::new() };
    let origins: HashMap<(String, u32), Value> = found
        .resources
        .iter()
        .filter_map(|stored| {
            let value = serde_json::from_slice(stored.body.expose()).ok()?;
            Some(((name_of(&stored.key), stored.version), value))
        })
        .collect();
    let shown = detail.deliveries.iter().take(PARTS_SHOWN_MAX);
    shown
        .map(|row| {
            let name = name_of(&row.resource);
            let origin = origins.get(&(name.clone(), row.version));
            delivery_panel(row, name, origin, links, found.reveal)
        })
        .collect()
}

fn delivery_panel(
    row: &DeliveryRow,
    name: String,
    origin: Option<&Value>,
    links: &Links,
    reveal: bool,
) -> DeliveryPanel {
    let actions = actions(&row.actions);
    let by_location: HashMap<String, String> = actions.iter().cloned().collect();
    let printer = Printer { links, resource: &name, reveal, actions: &by_location };
    let (lines, is_cut) = match serde_json::from_slice::<Value>(row.body.expose()) {
        Ok(value) => printer.lines(&value, origin),
        Err(_) => (Vec::new(), false),
    };
    let numbers = |location: &str| attribute(&links.within(&name, location));
    DeliveryPanel {
        destination: row.destination.clone(),
        version: row.version,
        released: row.released_id.clone(),
        badge: delivery(row.state),
        attempts: row.attempts,
        next: Some(row.next_us)
            .filter(|at| *at > 0 && row.state == store::DeliveryState::Pending)
            .map(instant),
        error: row.last_error.clone().unwrap_or_default(),
        delivered: row.delivered_us.map(instant),
        has_receipt: row.receipt.is_some(),
        lines,
        is_cut,
        bytes: row.body.expose().len(),
        actions: actions
            .into_iter()
            .map(|(location, operation)| ActionRow { numbers: numbers(&location), location, operation })
            .collect(),
        resource: name,
    }
}

/// (location, operation) of each action; what cannot be read is one row that says so.
fn actions(json: &str) -> Vec<(String, String)> {
    let Ok(Value::Array(actions)) = serde_json::from_str::<Value>(json) else {
        return vec![("unreadable".to_owned(), String::new())];
    };
    actions.iter().map(|action| (text_of(action, "location"), text_of(action, "operation"))).collect()
}

/// Issues of the row; what cannot be read is one row that says so.
fn issues(json: &str) -> Vec<IssueRow> {
    let rows = match serde_json::from_str::<Value>(json) {
        Ok(Value::Array(rows)) => rows,
        _ => vec![Value::Object(
            [("text".to_owned(), Value::from("the issues cannot be read"))].into_iter().collect(),
        )],
    };
    rows.iter()
        .map(|row| IssueRow {
            severity: text_of(row, "severity"),
            code: text_of(row, "code"),
            path: text_of(row, "path"),
            rule: text_of(row, "rule"),
            text: text_of(row, "text"),
        })
        .collect()
}

fn text_of(value: &Value, key: &str) -> String {
    visible(value.get(key).and_then(Value::as_str).unwrap_or_default())
}

fn record_row(row: &LedgerRow) -> RecordRow {
    let leaf = row.leaf.map_or_else(|| "not sealed yet".to_owned(), |leaf| leaf.to_string());
    let hash = row.hash.map(|hash| hex(&hash).chars().take(HASH_DIGITS).collect()).unwrap_or_default();
    match Record::from_bytes(&row.record) {
        Ok(record) => RecordRow {
            leaf,
            hash,
            kind: record.kind().as_str(),
            at: instant(record.at_us()),
            outcome: record.outcome_code().unwrap_or_default().to_owned(),
            actor: match record.acted_by() {
                Actor::Node => record.node().to_owned(),
                Actor::Client(id) | Actor::User(id) => id.clone(),
            },
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
