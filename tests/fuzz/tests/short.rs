//! Every target for a short while, that the runner finds what is broken, and that no parser is without a target.

use std::collections::BTreeSet;
use std::path::Path;

use fuzz::{Plan, TARGETS, Target, run};

#[test]
fn nothing_breaks_in_a_short_run() {
    for target in TARGETS {
        let report = run(target, Plan { inputs: target.short, time: None, seed: 1 });
        assert!(report.failure.is_none(), "{}: {:?}", target.name, report.failure);
        assert_eq!(report.inputs, target.short, "{}", target.name);
    }
}

fn broken(input: &[u8]) -> Result<(), String> {
    assert!(!input.windows(2).any(|two| two == b"\x0B|"), "planted");
    if input.contains(&0xFF) { Err("also planted".to_owned()) } else { Ok(()) }
}

const BROKEN: Target = Target {
    name: "broken",
    covers: &[],
    seeds: || vec![b"MSH|^~\\&|A|B".to_vec()],
    words: &[b"\x0B", b"|"],
    short: 10_000,
    prepare: || Box::new(broken),
};

#[test]
fn what_is_broken_is_found_and_cut_down() {
    let mut words = BTreeSet::new();
    for seed in 1..9 {
        let report = run(&BROKEN, Plan { inputs: BROKEN.short, time: None, seed });
        let failure = report.failure.expect("a planted fault is found");
        assert!(
            [&b"\x0B|"[..], b"\xFF"].contains(&&failure.input[..]),
            "{:?} is not the least",
            failure.input
        );
        words.insert(failure.words);
    }
    assert_eq!(words, BTreeSet::from(["panic: planted".to_owned(), "also planted".to_owned()]));
}

#[test]
fn a_run_can_be_repeated() {
    let plan = Plan { inputs: 200, time: None, seed: 7 };
    let (one, other) = (run(TARGETS[0], plan), run(TARGETS[0], plan));
    assert_eq!((one.inputs, one.bytes), (other.inputs, other.bytes));
}

/// What a parser is called here.
const READERS: [&str; 7] = [
    "pub fn parse(",
    "pub fn read(bytes",
    "pub fn read_with(",
    "pub fn decode(",
    "pub fn decode<",
    "FromStr for",
    "pub fn next_event(",
];

#[test]
fn every_parser_of_strange_bytes_has_a_target() {
    let crates =
        Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the workspace").join("crates");
    let covered: BTreeSet<&str> = TARGETS.iter().flat_map(|target| target.covers).copied().collect();
    let mut found = BTreeSet::new();
    for name in ["hl7v2", "mllp", "fhir", "mapping", "smart"] {
        readers(&crates, &crates.join(name).join("src"), &mut found);
    }
    assert!(found.len() >= 10, "only {found:?} were found: the walk is broken");
    let without: Vec<&String> = found.iter().filter(|file| !covered.contains(file.as_str())).collect();
    assert!(without.is_empty(), "no fuzz target covers {without:?}");
    for file in covered {
        assert!(crates.join(file).exists(), "{file} is covered and does not exist");
    }
}

fn readers(crates: &Path, folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder of the repository can be read") {
        let path = entry.expect("an entry can be read").path();
        if path.is_dir() {
            readers(crates, &path, found);
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a source file can be read");
        if READERS.iter().any(|reader| text.contains(reader)) {
            let path = path.strip_prefix(crates).expect("it lies below");
            found.insert(path.to_string_lossy().into_owned());
        }
    }
}
