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

/// Types of which a bounded number of requests is sent in one run.
const TOGETHER: usize = 12;

/// Addresses with what is done there.
type Paths = serde_json::Map<String, Value>;
/// A part of the document: its name, and its addresses.
type Part = (String, Paths);

/// One run over some addresses.
struct Round {
    name: String,
    paths: Paths,
    /// The edges of every value are tried, too.
    is_whole: bool,
}

/// Kinds of the search parameters of some addresses, each with its modifiers.
fn kinds(document: &Value, paths: &Paths) -> BTreeSet<String> {
    let operations = paths.iter().flat_map(|(_, item)| item.as_object().into_iter().flatten());
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
fn whole(document: &Value, parts: &[Part]) -> BTreeSet<String> {
    let is_always = |name: &str| name == SHARED || SPECIAL.contains(&name);
    let (always, others): (Vec<&Part>, Vec<&Part>) = parts.iter().partition(|(name, _)| is_always(name));
    let mut known: BTreeSet<String> = always.iter().flat_map(|(_, paths)| kinds(document, paths)).collect();
    let mut found: BTreeSet<String> = always.iter().map(|(name, _)| name.clone()).collect();
    let mut others: Vec<(&String, BTreeSet<String>)> =
        others.into_iter().map(|(name, paths)| (name, kinds(document, paths))).collect();
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
fn parts(document: &Value) -> Vec<Part> {
    let mut all: BTreeMap<String, Paths> = BTreeMap::new();
    for (path, item) in document["paths"].as_object().expect("addresses") {
        let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
        let is_type = first.starts_with(|letter: char| letter.is_ascii_uppercase());
        let name = if is_type { first } else { SHARED };
        all.entry(name.to_owned()).or_default().insert(path.clone(), item.clone());
    }
    all.into_iter().collect()
}

/// The runs over a document. What is named is tried whole, and alone; what is left out then is said.
fn rounds(document: &Value, alone: Option<&str>) -> VecDeque<Round> {
    let mut parts = parts(document);
    let whole = match alone {
        None => whole(document, &parts),
        Some(names) => {
            eprintln!("left out: all parts but those that {ALONE} names");
            let names: BTreeSet<String> = names.split(',').map(str::to_owned).collect();
            parts.retain(|(name, _)| names.contains(name));
            names
        }
    };
    let (whole, bounded): (Vec<Part>, Vec<Part>) =
        parts.into_iter().partition(|(name, _)| whole.contains(name));
    let alone = whole.into_iter().map(|(name, paths)| Round { name, paths, is_whole: true });
    let together = bounded.chunks(TOGETHER).map(|parts| Round {
        name: parts.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(","),
        paths: parts.iter().flat_map(|(_, paths)| paths.clone()).collect(),
        is_whole: false,
    });
    alone.chain(together).collect()
}

/// Tries every address of a node.
pub async fn each(config: &str) {
    if !is_asked() {
        return;
    }
    let running = Arc::new(run(&format!("addresses-{config}"), config).await);
    let surface = Surface::new(running.address, &running.token);
    let document = Arc::new(surface.json("/fhir/openapi.json").await.expect("a document"));
    let waiting = rounds(&document, std::env::var(ALONE).ok().as_deref());
    let all = waiting.len();
    assert!(all > 0, "nothing is tried");
    let waiting = Arc::new(Mutex::new(waiting));
    let workers: Vec<_> = (0..AT_ONCE)
        .map(|_| {
            let (running, waiting, document) =
                (Arc::clone(&running), Arc::clone(&waiting), Arc::clone(&document));
            tokio::spawn(async move {
                let mut tried = Vec::new();
                loop {
                    let next = waiting.lock().expect("nobody panicked").pop_front();
                    let Some(round) = next else { return tried };
                    tried.push(one(&running, &document, round).await);
                }
            })
        })
        .collect();
    let mut tried = Vec::new();
    for worker in workers {
        tried.extend(worker.await.expect("a worker ends"));
    }
    assert_eq!(tried.len(), all, "each is tried");
    let failed: Vec<String> = tried.into_iter().filter_map(Result::err).collect();
    assert!(failed.is_empty(), "{config}: {} of {all} runs failed\n{}", failed.len(), failed.join("\n\n"));
}

/// Does one run; what was said when it did not go well.
async fn one(running: &Running, document: &Value, round: Round) -> Result<(), String> {
    let Round { name, paths, is_whole } = round;
    let first = name.split(',').next().unwrap_or_default();
    let folder = running.pair.folder.join(&format!("addresses/{first}"));
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    let mut own = document.clone();
    own["paths"] = Value::Object(paths);
    std::fs::write(folder.join("openapi.json"), own.to_string()).expect("a document can be written");
    let base = format!("http://{}/fhir", running.address);
    let token = format!("Authorization: Bearer {}", running.token);
    let checks = harness::root().join("tests/clients/schemathesis.toml").display().to_string();
    let mut arguments = vec![
        "--config-file",
        &checks,
        "run",
        "openapi.json",
        "--url",
        &base,
        "--header",
        &token,
        "--no-color",
    ];
    if !is_whole {
        arguments.extend(BOUNDED);
    }
    let program: PathBuf = packages().join("venv/bin/schemathesis");
    // It leaves a database of its own where it runs.
    let (is_well, words) = told(&program, &arguments, Path::new(&folder), PART_MAX).await;
    eprintln!("{name}: {}", summary(&words));
    if is_well { Ok(()) } else { Err(format!("{name}: {words}")) }
}

/// How many requests there were.
fn summary(words: &str) -> &str {
    words.lines().find(|line| line.contains(" generated, ")).unwrap_or("no request").trim()
}

#[test]
fn every_address_is_in_one_part() {
    let document = serde_json::json!({"paths": {
        "/Patient": {"get": 1}, "/Patient/_search": {"post": 2}, "/Group": {"get": 3}, "/{type}/{id}": {"get": 4},
        "/": {"post": 5}, "/$export": {"get": 6}}});
    let parts = parts(&document);
    let told: Vec<(&str, usize)> = parts.iter().map(|(name, paths)| (name.as_str(), paths.len())).collect();
    assert_eq!(told, [("Group", 1), ("Patient", 2), (SHARED, 3)]);
}

#[test]
fn every_kind_of_parameter_is_tried_whole_somewhere_and_every_type_at_all() {
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
    let all = rounds(&document, None);
    let told: Vec<(&str, bool, usize)> =
        all.iter().map(|round| (round.name.as_str(), round.is_whole, round.paths.len())).collect();
    assert_eq!(told, [("Goal", true, 1), ("Patient", true, 1), ("Basic,Flag", false, 2)]);
    let named = rounds(&document, Some("Flag"));
    assert!(named.len() == 1 && named[0].is_whole && named[0].name == "Flag");
}
