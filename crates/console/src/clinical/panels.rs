//! What the panels of one message show, from rows and a fresh translation.

use std::collections::HashMap;

use hl7v2::Message;
use mapping::{Miss, Step, Trace, Why};
use serde_json::Value;
use store::{Entry, Later, LedgerRow, MessageDetail, ResourceKey, Stored};

use crate::clinical::deliveries::{DeliveryPanel, deliveries};
use crate::clinical::forwards::{ForwardPanel, forwards};
use crate::clinical::given::{AcknowledgmentPanel, acknowledgments};
use crate::clinical::json::{JsonLine, Printer};
use crate::clinical::links::{Links, attribute};
use crate::clinical::raw::{Layout, Raw, dump, raw, visible};
use crate::clinical::route::{RoutePanel, routes};
use crate::clinical::trail::{Trail, trail};
use crate::clinical::translation::{Again, again};
use crate::clinical::{Clinical, MASK};

/// Steps of the trace that are shown, and rules that gave nothing.
const STEPS_SHOWN_MAX: usize = 2_000;
/// Resources and deliveries that are shown.
pub(crate) const PARTS_SHOWN_MAX: usize = 100;

/// Everything about one message that was read from the ports.
pub(crate) struct Found {
    pub(crate) entry: Entry,
    /// Acknowledgments given later.
    pub(crate) later: Vec<Later>,
    pub(crate) detail: Option<MessageDetail>,
    /// What it wrote, as far as it could be read.
    pub(crate) resources: Vec<Stored>,
    /// Records of who looked at it, newest first; this view is among them.
    pub(crate) accesses: Vec<LedgerRow>,
    /// Name of the session that looks now.
    pub(crate) session: String,
    pub(crate) layout: Layout,
    pub(crate) reveal: bool,
}

/// The panels of one message.
pub(crate) struct Panels {
    pub(crate) raw: Option<Raw>,
    pub(crate) layout: Layout,
    pub(crate) dump: Vec<String>,
    pub(crate) dump_is_cut: bool,
    pub(crate) bytes: usize,
    pub(crate) findings: Vec<String>,
    /// MSH-10, masked or not; empty when there is none.
    pub(crate) control_id: String,
    /// MSH-5 and MSH-6.
    pub(crate) receiver: String,
    /// Why there is no trace; empty when there is one.
    pub(crate) untraced: String,
    pub(crate) is_other_package: bool,
    pub(crate) resources: Vec<ResourcePanel>,
    pub(crate) steps: Vec<StepRow>,
    pub(crate) steps_cut: usize,
    pub(crate) misses: Vec<MissRow>,
    pub(crate) routes: RoutePanel,
    pub(crate) deliveries: Vec<DeliveryPanel>,
    pub(crate) forwards: Vec<ForwardPanel>,
    pub(crate) trail: Trail,
    pub(crate) issues: Vec<IssueRow>,
    pub(crate) acknowledgments: Vec<AcknowledgmentPanel>,
    pub(crate) parts_cut: usize,
}

/// One resource at the version that the message wrote.
pub(crate) struct ResourcePanel {
    pub(crate) name: String,
    pub(crate) version: u32,
    pub(crate) lines: Vec<JsonLine>,
    pub(crate) is_cut: bool,
    pub(crate) is_deleted: bool,
    /// The message says of it what stood already.
    pub(crate) is_unchanged: bool,
}

/// One step of the trace.
pub(crate) struct StepRow {
    pub(crate) numbers: String,
    pub(crate) resource: String,
    pub(crate) element: String,
    pub(crate) source: String,
    pub(crate) rule: String,
    pub(crate) conversions: String,
    /// Table, and whether it had the code.
    pub(crate) code_table: Option<(String, bool)>,
    pub(crate) input: String,
    pub(crate) output: String,
}

/// A rule that gave nothing.
pub(crate) struct MissRow {
    pub(crate) numbers: String,
    pub(crate) element: String,
    pub(crate) reads: String,
    pub(crate) rule: String,
    pub(crate) why: String,
}

/// One issue.
pub(crate) struct IssueRow {
    pub(crate) severity: String,
    pub(crate) code: String,
    pub(crate) path: String,
    pub(crate) rule: String,
    pub(crate) text: String,
}

/// Builds every panel. Runs for as long as the message is large; call it where blocking is allowed.
pub(crate) fn panels(clinical: &Clinical, found: &Found) -> Panels {
    let Found { entry, detail, reveal, .. } = found;
    let (read, package) = (Message::read_as(&entry.bytes, entry.charset.as_deref()), (clinical.package)());
    let translated = match &read {
        Ok(message) if entry.refused.is_none() => again(&package, clinical.namespace, message),
        Ok(_) => Again::Unreadable("It was refused, so it is not translated.".to_owned()),
        Err(unreadable) => Again::Unreadable(format!("It cannot be read: {unreadable}.")),
    };
    let (trace, coverage, made, untraced) = match translated {
        Again::Traced(trace, coverage, made) => (*trace, Some(coverage), made, String::new()),
        Again::Rejected(why) => (
            Trace::default(),
            None,
            Vec::new(),
            format!("The package in force does not translate it: {why}."),
        ),
        Again::Unreadable(why) => (Trace::default(), None, Vec::new(), why),
    };
    let links = read.as_ref().map(|message| Links::of(message, trace.steps())).unwrap_or_default();
    let is_dumped = *reveal && (read.is_err() || found.layout == Layout::Hex);
    let (dump, dump_is_cut) = if is_dumped { dump(&entry.bytes) } else { (Vec::new(), false) };
    let pinned = detail.as_ref().map(|detail| detail.row.package_hash.as_str());
    let (control_id, receiver) = read.as_ref().map(|message| heading(message, *reveal)).unwrap_or_default();
    Panels {
        raw: read.as_ref().ok().map(|message| raw(message, coverage.as_ref(), *reveal)),
        layout: found.layout,
        dump,
        dump_is_cut,
        bytes: entry.bytes.len(),
        findings: read.as_ref().map(findings).unwrap_or_default(),
        control_id,
        receiver,
        is_other_package: untraced.is_empty() && pinned.is_some_and(|hash| hash != package.hash()),
        untraced,
        resources: resources(found, &made, &links),
        steps: trace.steps().take(STEPS_SHOWN_MAX).map(|step| step_row(step, &links, *reveal)).collect(),
        steps_cut: trace.steps().len().saturating_sub(STEPS_SHOWN_MAX),
        misses: trace.misses().take(STEPS_SHOWN_MAX).map(|miss| miss_row(miss, &links)).collect(),
        routes: routes(&*clinical.route, found, &made),
        deliveries: deliveries(found, &made, &links),
        forwards: forwards(found),
        trail: trail(found),
        issues: detail.as_ref().map(|detail| issues(&detail.row.issues)).unwrap_or_default(),
        acknowledgments: acknowledgments(entry, &found.later, *reveal),
        parts_cut: detail.as_ref().map_or(0, |detail| {
            detail.resources.len().max(detail.deliveries.len()).saturating_sub(PARTS_SHOWN_MAX)
        }),
    }
}

/// MSH-10, and the receiver as MSH-5 and MSH-6 name it.
fn heading(message: &Message<'_>, reveal: bool) -> (String, String) {
    let Some(header) = message.segment(0) else { return (String::new(), String::new()) };
    let text = |field: usize| visible(&header.field(field).component(1).text());
    let control_id = match header.field(10).text() {
        id if id.is_empty() => String::new(),
        id if reveal => visible(&id),
        _ => MASK.to_owned(),
    };
    // What is no code may be anything.
    let is_code = |text: &String| {
        text.len() <= 40 && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-. ".contains(c))
    };
    let names: Vec<String> = [text(5), text(6)].into_iter().filter(|text| !text.is_empty()).collect();
    let receiver = if reveal || names.iter().all(is_code) { names.join("|") } else { MASK.to_owned() };
    (control_id, receiver)
}

/// What was odd about reading it: kinds and places.
fn findings(message: &Message<'_>) -> Vec<String> {
    let words = |issue: &hl7v2::ReadIssue| format!("{:?} at byte {}", issue.kind, issue.span.start);
    message.issues().iter().take(PARTS_SHOWN_MAX).map(words).collect()
}

/// `Patient/<id>`.
pub(crate) fn name_of(key: &ResourceKey) -> String {
    format!("{}/{}", key.resource_type, key.id)
}

/// The JSON of each resource that could be read, by name and version.
pub(crate) fn bodies(found: &Found) -> HashMap<(String, u32), Value> {
    let body = |stored: &Stored| {
        let value = serde_json::from_slice(stored.body.expose()).ok()?;
        Some(((name_of(&stored.key), stored.version), value))
    };
    found.resources.iter().filter_map(body).collect()
}

/// Where a resource stands in what the message says; what it does not name stands last.
pub(crate) fn place_of(made: &[Value], name: &str) -> usize {
    made.iter().position(|resource| named(resource) == name).unwrap_or(usize::MAX)
}

fn named(resource: &Value) -> String {
    let text = |key: &str| resource.get(key).and_then(Value::as_str).unwrap_or_default();
    format!("{}/{}", text("resourceType"), text("id"))
}

/// What the message wrote, and what it says that stood already, in the order of the message.
fn resources(found: &Found, made: &[Value], links: &Links) -> Vec<ResourcePanel> {
    let mut panels: Vec<ResourcePanel> =
        found.resources.iter().map(|stored| resource(stored, links, found.reveal)).collect();
    let is_applied = found.detail.as_ref().is_some_and(|detail| !detail.resources.is_empty());
    if is_applied {
        let unchanged = made.iter().filter(|resource| {
            let name = named(resource);
            !panels.iter().any(|panel| panel.name == name)
        });
        let unchanged: Vec<ResourcePanel> =
            unchanged.map(|value| said(value, links, found.reveal)).take(PARTS_SHOWN_MAX).collect();
        panels.extend(unchanged);
    }
    panels.sort_by_key(|panel| place_of(made, &panel.name));
    panels
}

/// A resource as the message alone says it.
fn said(value: &Value, links: &Links, reveal: bool) -> ResourcePanel {
    let name = named(value);
    let (lines, is_cut) = Printer { links, resource: &name, reveal }.lines(value);
    ResourcePanel { lines, is_cut, version: 0, is_deleted: false, is_unchanged: true, name }
}

fn resource(stored: &Stored, links: &Links, reveal: bool) -> ResourcePanel {
    let name = name_of(&stored.key);
    let printer = Printer { links, resource: &name, reveal };
    let (lines, is_cut) = match serde_json::from_slice::<Value>(stored.body.expose()) {
        Ok(value) => printer.lines(&value),
        Err(_) => (Vec::new(), false),
    };
    ResourcePanel {
        lines,
        is_cut,
        version: stored.version,
        is_deleted: stored.deleted,
        is_unchanged: false,
        name,
    }
}

fn step_row(step: Step, links: &Links, reveal: bool) -> StepRow {
    let shown = |value: &Option<String>| match value {
        Some(value) if reveal => visible(value),
        Some(_) => MASK.to_owned(),
        None => String::new(),
    };
    StepRow {
        numbers: attribute(&links.leaves(step.span)),
        input: shown(&step.input),
        output: shown(&step.output),
        conversions: step.conversions.join(" \u{2192} "),
        resource: step.resource,
        element: step.element,
        source: step.source_path.unwrap_or_default(),
        rule: step.rule,
        code_table: step.code_table,
    }
}

fn miss_row(miss: Miss, links: &Links) -> MissRow {
    let mut numbers: Vec<usize> = miss.reads.iter().flat_map(|read| links.leaves(read.span)).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let reads: Vec<&str> = miss.reads.iter().map(|read| read.path.as_str()).collect();
    let why = match &miss.why {
        Why::Condition { text, .. } => format!("condition is false: {text}"),
        other => other.to_string(),
    };
    MissRow {
        numbers: attribute(&numbers),
        reads: reads.join(", "),
        element: miss.element,
        rule: miss.rule,
        why: visible(&why),
    }
}

/// Issues of the row; what cannot be read is one row that says so.
pub(crate) fn issues(json: &str) -> Vec<IssueRow> {
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

/// A text of a JSON object, with control characters made visible.
pub(crate) fn text_of(value: &Value, key: &str) -> String {
    visible(value.get(key).and_then(Value::as_str).unwrap_or_default())
}
