//! schemathesis over every address of a node's OpenAPI document, with made-up and broken requests: type by type, several at
//! once, for a request waits for the disk that keeps its record. Each part of the document is one run of its own, which can
//! be done again by itself.

use std::collections::{BTreeMap, VecDeque};
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

/// A part of the document: its name, and the document with its addresses alone.
type Part = (String, Value);

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

/// The parts that are asked for; what is left out is said.
fn asked(mut all: VecDeque<Part>) -> VecDeque<Part> {
    if let Ok(names) = std::env::var(ALONE) {
        let names: Vec<&str> = names.split(',').collect();
        eprintln!("left out: all but {}, which {ALONE} names", names.join(", "));
        all.retain(|(name, _)| names.contains(&name.as_str()));
    }
    all
}

/// Tries every address of a node.
pub async fn each(config: &str) {
    if !is_asked() {
        return;
    }
    let running = Arc::new(run(&format!("addresses-{config}"), config).await);
    let surface = Surface::new(running.address, &running.token);
    let document = surface.json("/fhir/openapi.json").await.expect("a document");
    let waiting = Arc::new(Mutex::new(asked(parts(&document))));
    let all = waiting.lock().expect("nobody panicked").len();
    assert!(all > 0, "nothing is tried");
    let workers: Vec<_> = (0..AT_ONCE)
        .map(|_| {
            let (running, waiting) = (Arc::clone(&running), Arc::clone(&waiting));
            tokio::spawn(async move {
                let mut tried: Vec<(String, Result<(), String>)> = Vec::new();
                loop {
                    let next = waiting.lock().expect("nobody panicked").pop_front();
                    let Some(part) = next else { return tried };
                    let name = part.0.clone();
                    tried.push((name, one(&running, part).await));
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
async fn one(running: &Running, (name, document): Part) -> Result<(), String> {
    let folder = running.pair.folder.join(&format!("addresses/{name}"));
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    std::fs::write(folder.join("openapi.json"), document.to_string()).expect("a document can be written");
    let base = format!("http://{}/fhir", running.address);
    let token = format!("Authorization: Bearer {}", running.token);
    let checks = harness::root().join("tests/clients/schemathesis.toml").display().to_string();
    let arguments =
        ["--config-file", &checks, "run", "openapi.json", "--url", &base, "--header", &token, "--no-color"];
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
