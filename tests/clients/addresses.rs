//! schemathesis over every address of a node's OpenAPI document, with made-up and broken requests: type by type, several at
//! once, for a request waits for the disk that keeps its record. Each part of the document is one run of its own, which can
//! be done again by itself.
//!
//! Types differ at their addresses in the kinds of their search parameters alone, so the edges of every value are tried where
//! they are the first of their kinds, at types that are more than others to a node, and at what all types share. Every other
//! type is tried with examples, random requests and sequences of them, a bounded number at each of its operations.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use harness::Surface;
use serde_json::Value;

use crate::{Running, is_asked, packages, run, told};

/// The longest run over one part, on a busy machine.
const PART_MAX: Duration = Duration::from_secs(3_600);
/// Parts that are tried at once.
const AT_ONCE: usize = 4;
/// Names the parts that are tried alone, by commas, to go on after a failure.
const ALONE: &str = "TIDEGATE_ADDRESSES";
/// The part of what is no type's own.
const SHARED: &str = "shared";

/// Types that a node does more with than with others: contents, compartments, groups and lists.
const SPECIAL: [&str; 5] = ["Binary", "Encounter", "Group", "List", "Patient"];
/// What is done at a type whose kinds of parameters were at another before it.
const BOUNDED: [&str; 2] = ["--phases", "examples,fuzzing,stateful"];

/// A part of the document: its name, and the document with its addresses alone.
type Part = (String, Value);

/// Kinds of the search parameters of a part, each with its modifiers.
fn kinds(document: &Value) -> BTreeSet<String> {
    let items = document["paths"].as_object().into_iter().flatten();
    let operations = items.flat_map(|(_, item)| item.as_object().into_iter().flatten());
    let given =
        operations.flat_map(|(_, operation)| operation["parameters"].as_array().into_iter().flatten());
    given
        .filter_map(|parameter| {
            let own = document.pointer(parameter["$ref"].as_str()?.trim_start_matches('#'))?;
            Some(format!("{} {}", own.get("x-fhir-type")?, own["x-fhir-modifiers"]))
        })
        .collect()
}

/// The parts where the edges of every value are tried: together they have every kind of parameter.
fn whole(parts: &VecDeque<Part>) -> BTreeSet<String> {
    let is_always = |name: &str| name == SHARED || SPECIAL.contains(&name);
    let (always, others): (Vec<&Part>, Vec<&Part>) = parts.iter().partition(|(name, _)| is_always(name));
    let mut known: BTreeSet<String> = always.iter().flat_map(|(_, own)| kinds(own)).collect();
    let mut found: BTreeSet<String> = always.iter().map(|(name, _)| name.clone()).collect();
    let mut others: Vec<(&String, BTreeSet<String>)> =
        others.into_iter().map(|(name, own)| (name, kinds(own))).collect();
    others.sort_by_key(|(_, kinds)| std::cmp::Reverse(kinds.len()));
    for (name, kinds) in others {
        if !kinds.is_subset(&known) {
            known.extend(kinds);
            found.insert(name.clone());
        }
    }
    found
}

/// The addresses of each type, and those of none.
fn parts(document: &Value) -> VecDeque<Part> {
    let mut all: BTreeMap<&str, serde_json::Map<String, Value>> = BTreeMap::new();
    for (path, item) in document["paths"].as_object().expect("addresses") {
        let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
        let is_type = first.starts_with(|letter: char| letter.is_ascii_uppercase());
        let part = all.entry(if is_type { first } else { SHARED }).or_default();
        part.insert(path.clone(), item.clone());
    }
    let part = |(name, paths): (&str, serde_json::Map<String, Value>)| {
        let mut own = document.clone();
        own["paths"] = Value::Object(paths);
        (name.to_owned(), own)
    };
    all.into_iter().map(part).collect()
}

/// The parts that are asked for, and which of them whole. What is named is tried whole; what is left out then is said.
fn asked(mut all: VecDeque<Part>) -> (VecDeque<Part>, BTreeSet<String>) {
    let Ok(names) = std::env::var(ALONE) else {
        let whole = whole(&all);
        return (all, whole);
    };
    let names: BTreeSet<String> = names.split(',').map(str::to_owned).collect();
    eprintln!("left out: all parts but those that {ALONE} names");
    all.retain(|(name, _)| names.contains(name));
    (all, names)
}

/// Tries every address of a node.
pub async fn each(config: &str) {
    if !is_asked() {
        return;
    }
    let running = Arc::new(run(&format!("addresses-{config}"), config).await);
    let surface = Surface::new(running.address, &running.token);
    let document = surface.json("/fhir/openapi.json").await.expect("a document");
    let (waiting, whole) = asked(parts(&document));
    let all = waiting.len();
    let (waiting, whole) = (Arc::new(Mutex::new(waiting)), Arc::new(whole));
    assert!(all > 0, "nothing is tried");
    let workers: Vec<_> = (0..AT_ONCE)
        .map(|_| {
            let (running, waiting, whole) = (Arc::clone(&running), Arc::clone(&waiting), Arc::clone(&whole));
            tokio::spawn(async move {
                let mut tried: Vec<(String, Result<(), String>)> = Vec::new();
                loop {
                    let next = waiting.lock().expect("nobody panicked").pop_front();
                    let Some(part) = next else { return tried };
                    let name = part.0.clone();
                    let phases: &[&str] = if whole.contains(&name) { &[] } else { &BOUNDED };
                    tried.push((name, one(&running, part, phases).await));
                }
            })
        })
        .collect();
    let mut tried = Vec::new();
    for worker in workers {
        tried.extend(worker.await.expect("a worker ends"));
    }
    assert_eq!(tried.len(), all, "each part is tried");
    let failed: Vec<String> =
        tried.into_iter().filter_map(|(name, outcome)| Some(format!("{name}: {}", outcome.err()?))).collect();
    assert!(failed.is_empty(), "{config}: {} of {all} parts failed\n{}", failed.len(), failed.join("\n\n"));
}

/// Tries one part; what was said when it did not go well.
async fn one(running: &Running, (name, document): Part, phases: &[&str]) -> Result<(), String> {
    let folder = running.pair.folder.join(&format!("addresses/{name}"));
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    std::fs::write(folder.join("openapi.json"), document.to_string()).expect("a document can be written");
    let base = format!("http://{}/fhir", running.address);
    let token = format!("Authorization: Bearer {}", running.token);
    let checks = harness::root().join("tests/clients/schemathesis.toml").display().to_string();
    let arguments: [&str; 9] =
        ["--config-file", &checks, "run", "openapi.json", "--url", &base, "--header", &token, "--no-color"];
    let arguments = [&arguments, phases].concat();
    let program: PathBuf = packages().join("venv/bin/schemathesis");
    // It leaves a database of its own where it runs.
    let (is_well, words) = told(&program, &arguments, Path::new(&folder), PART_MAX).await;
    eprintln!("{name}: {}", summary(&words));
    if is_well { Ok(()) } else { Err(words) }
}

/// How many requests there were.
fn summary(words: &str) -> &str {
    words.lines().find(|line| line.contains(" generated, ")).unwrap_or("no request").trim()
}

#[test]
fn every_address_is_in_one_part() {
    let document = serde_json::json!({"openapi": "3.1.0", "paths": {
        "/Patient": {"get": 1}, "/Patient/_search": {"post": 2}, "/Group": {"get": 3}, "/{type}/{id}": {"get": 4},
        "/": {"post": 5}, "/$export": {"get": 6}}});
    let parts = parts(&document);
    let told: Vec<(&str, usize)> = parts
        .iter()
        .map(|(name, own)| (name.as_str(), own["paths"].as_object().expect("addresses").len()))
        .collect();
    assert_eq!(told, [("Group", 1), ("Patient", 2), (SHARED, 3)]);
    assert!(parts.iter().all(|(_, own)| own["openapi"] == "3.1.0"));
}

#[test]
fn every_kind_of_parameter_is_tried_whole_somewhere() {
    let of = |names: &[&str]| {
        let refs: Vec<Value> = names
            .iter()
            .map(|name| serde_json::json!({"$ref": format!("#/components/parameters/{name}")}))
            .collect();
        serde_json::json!({"get": {"parameters": refs}})
    };
    let kind = |name: &str| serde_json::json!({"x-fhir-type": name, "x-fhir-modifiers": ["missing"]});
    let document = serde_json::json!({
        "paths": {"/Patient": of(&["token"]), "/Basic": of(&["token"]), "/Flag": of(&["date", "_count"]),
            "/Goal": of(&["date", "uri"])},
        "components": {"parameters":
            {"_count": {"name": "_count"}, "token": kind("token"), "date": kind("date"), "uri": kind("uri")}}});
    assert_eq!(whole(&parts(&document)), BTreeSet::from(["Goal".to_owned(), "Patient".to_owned()]));
}
