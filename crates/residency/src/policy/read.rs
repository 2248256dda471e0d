//! The policy's files.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::label::LabelRule;
use super::{Destination, Policy, Rule, VisitRule};
use crate::diagnostic::{Diagnostic, Place, nearest, read_yaml};
use crate::profile::content_hash;

const ZONES: &str = "zones.yaml";
const DESTINATIONS: &str = "destinations.yaml";
const POLICY: &str = "policy.yaml";
const LABELS: &str = "labels.yaml";
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
    profile: Option<Spanned<String>>,
    #[serde(rename = "description")]
    _description: Option<String>,
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
        if cloud && entry.profile.is_none() {
            let message = format!("cloud destination `{}` has no de-identification profile", entry.id.value);
            found.push(at(DESTINATIONS, &entry.id, "cloud-without-profile", message).help("add `profile:`"));
        }
        let destination = Destination {
            id: entry.id.value.clone(),
            region: zone.map(|zone| zone.region.clone()).unwrap_or_default(),
            zone: entry.zone.value,
            cloud,
            profile: entry.profile.map(|profile| profile.value),
        };
        if destinations.insert(entry.id.value.clone(), destination).is_some() {
            let message = format!("destination `{}` is there twice", entry.id.value);
            found.push(at(DESTINATIONS, &entry.id, "duplicate-id", message));
        }
    }
    destinations
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
        for name in entry.types.iter().flatten() {
            check(POLICY, "resource type", name, fhir::r4().resource_names(), found);
        }
        let permits = entry.effect == Effect::Permit;
        if permits && (entry.destinations.is_none() && entry.zones.is_none() || entry.types.is_none()) {
            let message = format!("rule `{}` permits without naming both where and what", entry.id.value);
            let help = "a rule that permits names `destinations:` or `zones:`, and `types:`";
            found.push(at(POLICY, &entry.id, "permit-too-wide", message).help(help));
        }
        rules.push(Rule {
            id: entry.id.value,
            permits,
            destinations: set(entry.destinations),
            zones: set(entry.zones),
            types: entry.types.map(|names| {
                names.iter().filter_map(|name| fhir::ResourceType::parse(&name.value)).collect()
            }),
            labels: set(entry.labels),
        });
    }
    rules
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
