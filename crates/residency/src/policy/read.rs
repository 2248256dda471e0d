//! The policy's files.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::label::LabelRule;
use super::{Destination, Form, MessageConditions, Policy, Rule, VisitRule};
use crate::diagnostic::{Diagnostic, Place, nearest, read_yaml};
use crate::profile::content_hash;

const ZONES: &str = "zones.yaml";
const DESTINATIONS: &str = "destinations.yaml";
const POLICY: &str = "policy.yaml";
const LABELS: &str = "labels.yaml";
/// Longest name that stands in the ledger, in bytes.
const NAME_BYTES_MAX: usize = 64;
/// Types whose labels may cover a visit.
const COVERING: [&str; 2] = ["Encounter", "Condition"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ZonesFile {
    zones: Vec<ZoneEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ZoneEntry {
    id: Spanned<String>,
    kind: ZoneKind,
    region: String,
}

/// A zone as the destinations see it.
struct Zone {
    kind: ZoneKind,
    region: String,
}

#[derive(Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum ZoneKind {
    OnPrem,
    Cloud,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DestinationsFile {
    destinations: Vec<DestinationEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DestinationEntry {
    id: Spanned<String>,
    zone: Spanned<String>,
    #[serde(default)]
    form: FormName,
    profile: Option<Spanned<String>>,
    #[serde(rename = "description")]
    _description: Option<String>,
}

#[derive(Deserialize, Clone, Copy, Default, PartialEq)]
#[serde(rename_all = "lowercase")]
enum FormName {
    #[default]
    Fhir,
    Hl7v2,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyFile {
    unlabelled: Unlabelled,
    rules: Vec<RuleEntry>,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Unlabelled {
    Deny,
    Normal,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Effect {
    Permit,
    Deny,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleEntry {
    id: Spanned<String>,
    effect: Effect,
    destinations: Option<Vec<Spanned<String>>>,
    zones: Option<Vec<Spanned<String>>>,
    types: Option<Vec<Spanned<String>>>,
    labels: Option<Vec<Spanned<String>>>,
    messages: Option<Vec<Spanned<String>>>,
    senders: Option<Vec<Spanned<String>>>,
    channels: Option<Vec<Spanned<String>>>,
    #[serde(rename = "reason")]
    _reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LabelsFile {
    rules: Vec<LabelEntry>,
    #[serde(default)]
    visits: Vec<VisitEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VisitEntry {
    labels: Vec<Spanned<String>>,
    on: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LabelEntry {
    id: Spanned<String>,
    label: String,
    system: String,
    #[serde(default)]
    codes: Vec<String>,
    #[serde(default)]
    prefixes: Vec<String>,
}

pub(super) fn compile(
    files: &BTreeMap<String, String>,
    profiles: &[&str],
) -> Result<Policy, Vec<Diagnostic>> {
    let mut found = Vec::new();
    for name in files.keys().filter(|name| ![ZONES, DESTINATIONS, POLICY, LABELS].contains(&name.as_str())) {
        found.push(Diagnostic::new(name, Place::START, "unknown-file", "not a file of a residency policy"));
    }
    let zones: Option<ZonesFile> = file(files, ZONES, &mut found);
    let destinations: Option<DestinationsFile> = file(files, DESTINATIONS, &mut found);
    let policy: Option<PolicyFile> = file(files, POLICY, &mut found);
    let labels: Option<LabelsFile> = file(files, LABELS, &mut found);
    let (Some(zones), Some(destinations), Some(policy), Some(labels)) = (zones, destinations, policy, labels)
    else {
        return Err(found);
    };
    let zones = read_zones(zones, &mut found);
    let destinations = read_destinations(destinations, &zones, profiles, &mut found);
    let visits = read_visits(&labels, &mut found);
    let label_rules = read_labels(labels.rules, &mut found);
    let rules = read_rules(policy.rules, &zones, &destinations, &mut found);
    if found.is_empty() {
        Ok(Policy {
            hash: content_hash(files),
            destinations,
            rules,
            unlabelled_denied: policy.unlabelled == Unlabelled::Deny,
            label_rules,
            visits,
        })
    } else {
        Err(found)
    }
}

fn file<T: serde::de::DeserializeOwned>(
    files: &BTreeMap<String, String>,
    name: &str,
    found: &mut Vec<Diagnostic>,
) -> Option<T> {
    let Some(text) = files.get(name) else {
        found.push(Diagnostic::new(name, Place::START, "missing-file", "the policy has no such file"));
        return None;
    };
    read_yaml(name, text).map_err(|diagnostic| found.push(diagnostic)).ok()
}

fn at(file: &str, text: &Spanned<String>, code: &'static str, message: String) -> Diagnostic {
    Diagnostic::new(file, Place::of(text, text.value.chars().count()), code, message)
}

fn read_zones(entries: ZonesFile, found: &mut Vec<Diagnostic>) -> BTreeMap<String, Zone> {
    let mut zones = BTreeMap::new();
    for entry in entries.zones {
        let zone = Zone { kind: entry.kind, region: entry.region };
        if zones.insert(entry.id.value.clone(), zone).is_some() {
            found.push(at(
                ZONES,
                &entry.id,
                "duplicate-id",
                format!("zone `{}` is there twice", entry.id.value),
            ));
        }
    }
    zones
}

fn read_destinations(
    entries: DestinationsFile,
    zones: &BTreeMap<String, Zone>,
    profiles: &[&str],
    found: &mut Vec<Diagnostic>,
) -> BTreeMap<String, Destination> {
    let mut destinations = BTreeMap::new();
    for entry in entries.destinations {
        check(DESTINATIONS, "zone", &entry.zone, zones.keys().map(String::as_str), found);
        if let Some(profile) = &entry.profile {
            check(DESTINATIONS, "profile", profile, profiles.iter().copied(), found);
        }
        let zone = zones.get(&entry.zone.value);
        let cloud = zone.is_some_and(|zone| zone.kind == ZoneKind::Cloud);
        let form = if entry.form == FormName::Hl7v2 { Form::Hl7v2 } else { Form::Fhir };
        if form == Form::Hl7v2 {
            check_hl7v2(&entry, cloud, found);
        } else if cloud && entry.profile.is_none() {
            let message = format!("cloud destination `{}` has no de-identification profile", entry.id.value);
            found.push(at(DESTINATIONS, &entry.id, "cloud-without-profile", message).help("add `profile:`"));
        }
        let destination = Destination {
            id: entry.id.value.clone(),
            region: zone.map(|zone| zone.region.clone()).unwrap_or_default(),
            zone: entry.zone.value,
            cloud,
            form,
            profile: entry.profile.map(|profile| profile.value),
        };
        if destinations.insert(entry.id.value.clone(), destination).is_some() {
            let message = format!("destination `{}` is there twice", entry.id.value);
            found.push(at(DESTINATIONS, &entry.id, "duplicate-id", message));
        }
    }
    destinations
}

/// Messages as they are hold identified data: they never go to a cloud zone, and no profile is made for them.
fn check_hl7v2(entry: &DestinationEntry, cloud: bool, found: &mut Vec<Diagnostic>) {
    let id = &entry.id.value;
    check_name(DESTINATIONS, &entry.id, found);
    if cloud {
        let message = format!("destination `{id}` takes messages as they are, and stands in a cloud zone");
        let help = "a destination of `form: hl7v2` stands in a zone of kind `on-prem`";
        found.push(at(DESTINATIONS, &entry.zone, "cloud-with-hl7v2", message).help(help));
    }
    if let Some(profile) = &entry.profile {
        let message = format!("destination `{id}` takes messages as they are, to which no profile applies");
        found.push(at(DESTINATIONS, profile, "profile-with-hl7v2", message).help("remove `profile:`"));
    }
}

/// Which labels cover a visit. They name labels that a rule gives, and types that stand for a visit.
fn read_visits(file: &LabelsFile, found: &mut Vec<Diagnostic>) -> Vec<VisitRule> {
    let mut visits = Vec::new();
    for entry in &file.visits {
        for label in &entry.labels {
            check(LABELS, "label", label, file.rules.iter().map(|rule| rule.label.as_str()), found);
        }
        for name in &entry.on {
            check(LABELS, "type that covers a visit", name, COVERING.into_iter(), found);
        }
        visits.push(VisitRule {
            labels: entry.labels.iter().map(|label| label.value.clone()).collect(),
            on: entry.on.iter().filter_map(|name| fhir::ResourceType::parse(&name.value)).collect(),
        });
    }
    visits
}

fn read_labels(entries: Vec<LabelEntry>, found: &mut Vec<Diagnostic>) -> Vec<LabelRule> {
    let mut ids = BTreeSet::new();
    let mut rules = Vec::new();
    for entry in entries {
        if !ids.insert(entry.id.value.clone()) {
            found.push(at(
                LABELS,
                &entry.id,
                "duplicate-id",
                format!("rule `{}` is there twice", entry.id.value),
            ));
        }
        if entry.codes.is_empty() && entry.prefixes.is_empty() || entry.prefixes.iter().any(String::is_empty)
        {
            let message = format!("rule `{}` names no code", entry.id.value);
            found.push(
                at(LABELS, &entry.id, "rule-without-code", message).help("add `codes:` or `prefixes:`"),
            );
        }
        rules.push(LabelRule {
            label: entry.label,
            system: entry.system,
            codes: entry.codes.into_iter().collect(),
            prefixes: entry.prefixes,
        });
    }
    rules
}

fn read_rules(
    entries: Vec<RuleEntry>,
    zones: &BTreeMap<String, Zone>,
    destinations: &BTreeMap<String, Destination>,
    found: &mut Vec<Diagnostic>,
) -> Vec<Rule> {
    let mut ids = BTreeSet::new();
    let mut rules = Vec::new();
    for entry in entries {
        if !ids.insert(entry.id.value.clone()) {
            found.push(at(
                POLICY,
                &entry.id,
                "duplicate-id",
                format!("rule `{}` is there twice", entry.id.value),
            ));
        }
        for zone in entry.zones.iter().flatten() {
            check(POLICY, "zone", zone, zones.keys().map(String::as_str), found);
        }
        for destination in entry.destinations.iter().flatten() {
            check(POLICY, "destination", destination, destinations.keys().map(String::as_str), found);
        }
        check_message_rule(&entry, destinations, found);
        for name in entry.types.iter().flatten() {
            check(POLICY, "resource type", name, fhir::r4().resource_names(), found);
        }
        let permits = entry.effect == Effect::Permit;
        let names_what = entry.types.is_some() || entry.messages.is_some();
        if permits && (entry.destinations.is_none() && entry.zones.is_none() || !names_what) {
            let message = format!("rule `{}` permits without naming both where and what", entry.id.value);
            let help = "a rule that permits names `destinations:` or `zones:`, and `types:` or `messages:`";
            found.push(at(POLICY, &entry.id, "permit-too-wide", message).help(help));
        }
        let is_of_messages = entry.messages.is_some() || entry.senders.is_some() || entry.channels.is_some();
        rules.push(Rule {
            id: entry.id.value,
            permits,
            destinations: set(entry.destinations),
            zones: set(entry.zones),
            types: entry.types.map(|names| {
                names.iter().filter_map(|name| fhir::ResourceType::parse(&name.value)).collect()
            }),
            labels: set(entry.labels),
            message: is_of_messages.then(|| MessageConditions {
                messages: set(entry.messages),
                senders: set(entry.senders),
                channels: set(entry.channels),
            }),
        });
    }
    rules
}

/// A rule is about resources or about messages. What a rule says of resources cannot be asked of a message, so a rule
/// that denies by it must not reach where messages go as they are: it would be passed over there.
fn check_message_rule(
    entry: &RuleEntry,
    destinations: &BTreeMap<String, Destination>,
    found: &mut Vec<Diagnostic>,
) {
    let id = &entry.id.value;
    let is_of_resources = entry.types.is_some() || entry.labels.is_some();
    let is_of_messages = entry.messages.is_some() || entry.senders.is_some() || entry.channels.is_some();
    if is_of_resources && is_of_messages {
        let message = format!("rule `{id}` is about resources and about messages");
        let help =
            "`types:` and `labels:` are of resources; `messages:`, `senders:` and `channels:` of messages";
        found.push(at(POLICY, &entry.id, "rule-of-both", message).help(help));
    }
    if is_of_messages {
        check_name(POLICY, &entry.id, found);
    }
    for name in entry.messages.iter().flatten().filter(|name| !is_message_name(&name.value)) {
        let message = format!("`{}` is no message type", name.value);
        found.push(at(POLICY, name, "unknown-name", message).help("write `ADT` or `ADT^A01`"));
    }
    let reached = destinations.values().find(|destination| {
        destination.form == Form::Hl7v2
            && !destination.cloud
            && names(&entry.destinations, &destination.id)
            && names(&entry.zones, &destination.zone)
    });
    if let Some(destination) = reached.filter(|_| is_of_resources && entry.effect == Effect::Deny) {
        let message = format!(
            "rule `{id}` denies by what resources are, and reaches `{}`, which gets messages as they are",
            destination.id
        );
        let help = "name other `zones:` or `destinations:`; for messages deny by `messages:`, `senders:` or `channels:`";
        found.push(at(POLICY, &entry.id, "deny-passed-over", message).help(help));
    }
}

/// Names of message destinations and rules stand in the ledger as they are.
fn check_name(file: &str, name: &Spanned<String>, found: &mut Vec<Diagnostic>) {
    let is_code = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if name.value.is_empty() || name.value.len() > NAME_BYTES_MAX || !name.value.bytes().all(is_code) {
        let message = format!("`{}` is no name for the ledger", name.value);
        found.push(at(file, name, "not-a-name", message).help("use letters, digits, `.`, `_` and `-`"));
    }
}

/// `ADT` or `ADT^A01`: three letters or digits each (tables 0076 and 0003).
fn is_message_name(text: &str) -> bool {
    let is_code = |text: &str| {
        text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    };
    match text.split_once('^') {
        Some((message_type, event)) => is_code(message_type) && is_code(event),
        None => is_code(text),
    }
}

/// Whether a condition that is absent, or names it, holds.
fn names(condition: &Option<Vec<Spanned<String>>>, name: &str) -> bool {
    condition.as_ref().is_none_or(|named| named.iter().any(|one| one.value == name))
}

fn set(texts: Option<Vec<Spanned<String>>>) -> Option<BTreeSet<String>> {
    texts.map(|texts| texts.into_iter().map(|text| text.value).collect())
}

/// Reports a name that is not among those that exist.
fn check<'a>(
    file: &str,
    what: &str,
    text: &Spanned<String>,
    known: impl Iterator<Item = &'a str>,
    found: &mut Vec<Diagnostic>,
) {
    let known: Vec<&str> = known.collect();
    if known.contains(&text.value.as_str()) {
        return;
    }
    let mut diagnostic = at(file, text, "unknown-name", format!("there is no {what} `{}`", text.value));
    if let Some(near) = nearest(&text.value, known.into_iter()) {
        diagnostic = diagnostic.help(format!("did you mean `{near}`?"));
    }
    found.push(diagnostic);
}
