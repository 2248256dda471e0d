//! `sites/*/site.yaml`: settings, patches, overlay folders.

use super::keys::only_keys;
use super::{KeyList, Trees};
use crate::diagnostic::{Findings, Place};
use crate::site::Site;
use crate::yaml::{Entry, Kind, Node};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) const SITE_KEYS: KeyList = &[
    "site",
    "match",
    "extends",
    "zone",
    "systems",
    "facts",
    "segments",
    "codes",
    "patch",
    "patient_index",
    "validation",
    "doc",
];
/// MSH fields that can tell a sender.
pub(crate) const MATCH_KEYS: KeyList = &["MSH-3", "MSH-4", "MSH-5", "MSH-6"];

/// Reads a site's settings and lays its overlay over the base trees.
pub(crate) fn overlay(base: &Trees, own: &Trees, node: &Node, findings: &mut Findings) -> (Site, Trees) {
    only_keys(node, SITE_KEYS, findings);
    if let Some(extends) = node.get("extends").filter(|extends| extends.scalar() != Some("base")) {
        findings.add(extends.place, "E0406", "a site extends base");
    }
    let site = settings(node, findings);
    let mut trees = base.clone();
    trees.messages.extend(own.messages.clone());
    trees.maps.extend(own.maps.clone());
    trees.codes.extend(own.codes.clone());
    trees.tables.extend(own.tables.clone());
    for patch in node.get("patch").map(Node::entries).unwrap_or_default() {
        let target = trees.maps.get_mut(&patch.key).map_or_else(|| trees.messages.get_mut(&patch.key), Some);
        match target {
            Some(target) => apply(Arc::make_mut(target), &patch.value, findings),
            None => {
                let names: Vec<&str> =
                    base.maps.keys().chain(base.messages.keys()).map(String::as_str).collect();
                findings.add_near(
                    patch.place,
                    "E0502",
                    format!("no map or message {}", patch.key),
                    &patch.key,
                    names,
                );
            }
        }
    }
    for table in node.get("codes").map(Node::entries).unwrap_or_default() {
        match trees.codes.get_mut(&table.key) {
            Some(target) => add_rows(Arc::make_mut(target), table, findings),
            None => findings.add_near(
                table.place,
                "E0402",
                format!("no code table {}", table.key),
                &table.key,
                base.codes.keys().map(String::as_str),
            ),
        }
    }
    (site, trees)
}

fn add_rows(target: &mut Node, table: &Entry, findings: &mut Findings) {
    let Kind::Map(entries) = &mut target.kind else { return };
    let Some(rows) = entries.iter_mut().find(|entry| entry.key == "rows") else { return };
    match &mut rows.value.kind {
        Kind::Map(rows) => {
            for row in table.value.entries() {
                rows.retain(|other| other.key != row.key);
                rows.push(row.clone());
            }
        }
        Kind::Scalar(_) | Kind::List(_) => findings.add(
            table.place,
            "E0502",
            format!("the rows of {} stand in a file of their own; overlay the table", table.key),
        ),
    }
}

/// `key` replaces, `+key` adds, `drop` removes.
fn apply(target: &mut Node, patch: &Node, findings: &mut Findings) {
    let Kind::Map(entries) = &mut target.kind else { return };
    for change in patch.entries() {
        if let Some(added) = change.key.strip_prefix('+') {
            add(entries, added, change, findings);
            continue;
        }
        let Some(position) = entries.iter().position(|entry| entry.key == change.key) else {
            let names: Vec<String> = entries.iter().map(|entry| entry.key.clone()).collect();
            findings.add_near(
                change.place,
                "E0502",
                format!("the patched file has no key {}; +{} adds one", change.key, change.key),
                &change.key,
                names.iter().map(String::as_str),
            );
            continue;
        };
        if change.value.scalar() == Some("drop") {
            entries.remove(position);
        } else if let Some(entry) = entries.get_mut(position) {
            if matches!(change.key.as_str(), "reads") {
                entry.value = joined(&entry.value, &change.value);
            } else {
                *entry = change.clone();
            }
        }
    }
}

/// `+key` on a key that exists appends to its list.
fn add(entries: &mut Vec<Entry>, key: &str, change: &Entry, findings: &mut Findings) {
    match entries.iter_mut().find(|entry| entry.key == key) {
        None => entries.push(Entry {
            key: key.to_owned(),
            place: Place { column: change.place.column + 1, ..change.place },
            value: change.value.clone(),
        }),
        Some(entry) if change.value.is_map() && entry.value.is_map() => {
            findings.add(change.place, "E0502", format!("{key} is there already; patch it without +"))
        }
        Some(entry) => entry.value = joined(&entry.value, &change.value),
    }
}

fn joined(left: &Node, right: &Node) -> Node {
    let items = left.items().iter().chain(right.items()).cloned().collect();
    Node { place: right.place, kind: Kind::List(items) }
}

fn settings(node: &Node, findings: &mut Findings) -> Site {
    let mut site =
        Site { name: node.get("site").and_then(Node::scalar).map(str::to_owned), ..Site::default() };
    if let Some(matches) = node.get("match") {
        only_keys(matches, MATCH_KEYS, findings);
        for entry in matches.entries() {
            let number = entry.key.strip_prefix("MSH-").and_then(|n| n.parse().ok());
            if let Some((number, value)) = number.zip(entry.value.scalar()) {
                site.matches.insert(number, value.to_owned());
            }
        }
    }
    if let Some(zone) = node.get("zone") {
        let name = zone.scalar().unwrap_or_default();
        match jiff::tz::TimeZone::get(name) {
            Ok(found) => site.zone = Some(found),
            Err(_) => findings.add_help(
                zone.place,
                "E0503",
                format!("no time zone {name}"),
                "an IANA name, like America/Chicago",
            ),
        }
    }
    site.systems = texts(node.get("systems"));
    for entry in node.get("systems").map(Node::entries).unwrap_or_default() {
        let uri = entry.value.scalar().unwrap_or_default();
        if !(uri.starts_with("urn:") || uri.starts_with("http://") || uri.starts_with("https://")) {
            findings.add(entry.value.place, "E0308", "a system is a URI: urn:oid:…, https://…");
        }
    }
    if let Some(index) = node.get("patient_index") {
        site.index = super::index::written(index, findings);
    }
    site.validation = node.get("validation").map(|node| crate::validation::written(node, findings));
    site.facts = texts(node.get("facts"));
    let nulls = node.get("facts").and_then(|facts| facts.get("nulls")).map(Node::items).unwrap_or_default();
    site.nulls = nulls.iter().filter_map(Node::scalar).map(str::to_owned).collect();
    for segment in node.get("segments").map(Node::entries).unwrap_or_default() {
        only_keys(&segment.value, &["fields", "doc"], findings);
        let mut fields = BTreeMap::new();
        for field in segment.value.get("fields").map(Node::entries).unwrap_or_default() {
            let datatype = field.value.scalar().and_then(|text| text.split_whitespace().next());
            match field.key.parse::<u16>().ok().zip(datatype) {
                Some((number, datatype)) if number > 0 && hl7v2::dictionary::datatype(datatype).is_some() => {
                    fields.insert(number, datatype.to_owned());
                }
                _ => findings.add_help(field.place, "E0214", "not a field definition", "2: CWE tribe"),
            }
        }
        site.segments.insert(segment.key.clone(), fields);
    }
    site
}

fn texts(node: Option<&Node>) -> BTreeMap<String, String> {
    let entries = node.map(Node::entries).unwrap_or_default();
    entries.iter().filter_map(|entry| Some((entry.key.clone(), entry.value.scalar()?.to_owned()))).collect()
}
