//! What the documents say is so: commands run, paths exist, crates are described.

use clap::Parser as _;
use harness::binary;

use crate::workspace::{File, files_ending, read};

/// How a command of a document is known to work.
enum Proof {
    /// This test runs it; stdout or stderr then holds the text.
    Runs(&'static str),
    /// Something else runs it: a file, and the words in it that do.
    Elsewhere(&'static str, &'static str),
}

use Proof::{Elsewhere, Runs};

/// Every command line in a code block of a document (`$ cargo …`, `$ tidegate …`).
const COMMANDS: &[(&str, Proof)] = &[
    ("cargo demo", Elsewhere(".ci/run", "cargo demo --check")),
    ("cargo demo --check", Elsewhere(".ci/run", "cargo demo --check")),
    (
        "cargo demo --data demo",
        Elsewhere(
            "crates/tidegate/src/demo/place.rs",
            "Some(folder) => Self::new(args, folder.clone(), false).await",
        ),
    ),
    ("cargo gate", Elsewhere(".ci/run", "cargo gate")),
    (
        "cargo test -p tests --test browser",
        Elsewhere("tests/gate/src/main.rs", "\"test\", \"--workspace\", \"--no-fail-fast\""),
    ),
    (
        "cargo test -p tests --test conformance",
        Elsewhere("tests/gate/src/main.rs", "\"test\", \"--workspace\", \"--no-fail-fast\""),
    ),
    ("cargo gate --corpora DIR", Elsewhere(".ci/run", "--corpora")),
    (
        "cargo build --release -p tidegate",
        Elsewhere("tests/gate/src/main.rs", "\"build\", \"--quiet\", \"-p\", \"tidegate\""),
    ),
    (
        "cargo build --release -p tidegate --no-default-features --features portal",
        Elsewhere("tests/gate/src/main.rs", "\"--no-default-features\", \"--features\", \"portal\""),
    ),
    ("tidegate test", Runs(" 0 failed")),
    ("tidegate test mappings", Runs(" 0 failed")),
    ("tidegate map fixtures/ADT_A03/discharge-home.hl7", Runs("\"resourceType\"")),
    ("tidegate map --format trace fixtures/ADT_A03/discharge-home.hl7", Runs("PID-8")),
    (
        "tidegate explain --field PID-8 fixtures/ADT_A03/discharge-home.hl7",
        Runs("Patient.gender = female  segments/PID.Patient.yaml"),
    ),
    (
        "tidegate explain --element Patient.deceased fixtures/ADT_A03/discharge-home.hl7",
        Runs("no Patient.deceasedDateTime of PID-29: what it reads is not valued"),
    ),
    ("tidegate map --site demo --format coverage fixtures/ADT_A03/discharge-home.hl7", Runs("\"mapped\"")),
    ("tidegate map --site demo --format trace fixtures/ADT_A03/discharge-home.hl7", Runs("PID-8")),
    (
        "tidegate map --format ndjson fixtures/ADT_A03 | tidegate deid --profile safe-harbor-us",
        Runs("\"ANONYED\""),
    ),
    ("tidegate test --rules mappings", Runs("rules run by tests")),
    ("tidegate diff --with mappings fixtures/ADT_A03", Runs("no difference")),
    ("tidegate codes export administrative-gender", Runs("\"ConceptMap\"")),
    ("tidegate schema --out .schemas", Elsewhere("tests/e2e/packages.rs", "\"schema --out schemas\"")),
    ("tidegate gen --seed 7 --count 20", Runs("MSH|")),
    ("tidegate gen --feed pharmacy --count 3", Runs("CAPE_RX")),
    (
        "tidegate gen --count 100 | tidegate send 127.0.0.1:2575",
        Elsewhere("crates/tidegate/src/demo/feed.rs", "sender.send(message.er7.as_bytes())"),
    ),
    ("tidegate check -c deploy/onprem.yaml", Runs("right")),
    ("tidegate check -c deploy/cloud.yaml", Runs("right")),
    (
        "tidegate init site --link 172.31.254.3:9443",
        Elsewhere("crates/tidegate/src/demo/place.rs", "init(&folder, &addresses"),
    ),
    (
        "tidegate doctor -c deploy/onprem.yaml",
        Elsewhere("tests/e2e/doctor.rs", "a_node_is_looked_at_before_and_while_it_runs"),
    ),
    (
        "tidegate bench ingest --data /var/tmp",
        Elsewhere("tests/e2e/bench.rs", "[&[\"bench\", \"ingest\", \"--data\", &data]"),
    ),
    (
        "tidegate bench rest --data /var/tmp",
        Elsewhere("tests/e2e/bench.rs", "[&[\"bench\", \"rest\", \"--data\", &data]"),
    ),
    (
        "tidegate listen 2600 --ack delay=5s --count 10",
        Elsewhere("tests/e2e/listen.rs", "\"--ack\", \"delay=1s\""),
    ),
    ("tidegate doctor --ready -c site/onprem.yaml", Elsewhere("tests/e2e/doctor.rs", "\"--ready\"")),
    ("tidegate init site", Elsewhere("crates/tidegate/src/demo/place.rs", "init(&folder, &addresses")),
    (
        "tidegate init site --link 10.0.0.5:9443",
        Elsewhere("crates/tidegate/src/demo/place.rs", "init(&folder, &addresses"),
    ),
    (
        "tidegate init site --postgres tidegate@/run/postgresql/tidegate",
        Elsewhere("tests/e2e/postgres.rs", "\"--postgres\""),
    ),
    ("tidegate run -c site/onprem.yaml", Elsewhere("crates/tidegate/src/demo/nodes.rs", "\"run\"")),
    ("tidegate run -c site/cloud.yaml", Elsewhere("crates/tidegate/src/demo/nodes.rs", "\"run\"")),
    (
        "tidegate msg find -c demo/onprem.yaml --token-file demo/admin.token type:ADT since:1h",
        Elsewhere("tests/e2e/admin.rs", "&[\"msg\", \"find\""),
    ),
    (
        "tidegate replay -c demo/onprem.yaml --token-file demo/admin.token --where status:quarantined --dry-run",
        Elsewhere("tests/e2e/admin.rs", "&[\"replay\", \"--where\", &query, \"--dry-run\"]"),
    ),
    (
        "tidegate reload -c site/onprem.yaml --token-file admin.token",
        Elsewhere("tests/e2e/reload.rs", "[\"reload\", \"--node\", &node"),
    ),
    (
        "tidegate audit verify -c demo/onprem.yaml --witness http://127.0.0.1:8081",
        Elsewhere("crates/tidegate/src/demo/check/ledger.rs", "\"audit\", \"verify\""),
    ),
    (
        "tidegate audit search -c demo/onprem.yaml --kind message.applied",
        Elsewhere("tests/tidy/documents.rs", "every_command_line_is_known_to_the_program"),
    ),
];

/// Folders at the top of the repository, as documents name files in them.
const TOPS: [&str; 7] = ["crates/", "mappings/", "profiles/", "fixtures/", "deploy/", "tests/", ".ci/"];

fn documents() -> Vec<File> {
    let documents: Vec<File> = files_ending(".md").into_iter().collect();
    assert!(documents.iter().any(|file| file.path == "README.md"), "there is no README.md");
    documents
}

/// Path of a document and each `cargo` or `tidegate` line of its code blocks.
fn commands() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for file in documents() {
        let mut is_inside = false;
        for line in file.text.lines() {
            if line.trim_start().starts_with("```") {
                is_inside = !is_inside;
                continue;
            }
            let command = line.trim().strip_prefix("$ ").unwrap_or_default();
            let is_command = ["cargo ", "tidegate "].iter().any(|program| command.starts_with(program));
            if is_inside && is_command {
                found.push((file.path.clone(), command.to_owned()));
            }
        }
    }
    assert!(found.len() > 10, "only {} commands were found: the reader is broken", found.len());
    found
}

#[test]
fn every_command_of_a_document_is_proven() {
    let commands = commands();
    let is_listed = |command: &str| COMMANDS.iter().any(|(listed, _)| *listed == command);
    let unlisted: Vec<_> = commands.iter().filter(|(_, command)| !is_listed(command)).collect();
    assert!(unlisted.is_empty(), "say in this table what runs them: {unlisted:#?}");
    for (listed, proof) in COMMANDS {
        assert!(commands.iter().any(|(_, command)| command == listed), "no document has `{listed}` any more");
        if let Elsewhere(file, words) = proof {
            assert!(read(file).contains(words), "`{listed}`: {file} no longer has `{words}`");
        }
    }
}

#[test]
fn every_command_line_is_known_to_the_program() {
    for (path, command) in commands() {
        for part in command.split(" | ").filter(|part| part.starts_with("tidegate ")) {
            let words = part.split(" > ").next().unwrap_or_default().split_whitespace();
            if let Err(error) = tidegate::cli::Cli::try_parse_from(words) {
                panic!("{path}: `{part}`: {error}");
            }
        }
    }
}

#[test]
fn what_can_run_alone_runs() {
    for (command, proof) in COMMANDS {
        let Runs(expected) = proof else { continue };
        let mut ran = None;
        for part in command.split(" | ") {
            let arguments: Vec<&str> = part.split_whitespace().skip(1).collect();
            let input = ran.take().map(|ran: binary::Ran| ran.stdout).unwrap_or_default();
            ran = Some(binary::run(&arguments, &harness::root(), input.as_bytes()));
        }
        let binary::Ran { code, stdout, stderr } = ran.expect("a command has a part");
        assert_eq!(
            code,
            0,
            "`{command}`: {stderr}\n{}",
            stdout.lines().rev().take(5).collect::<Vec<_>>().join("\n")
        );
        assert!(
            stdout.contains(expected) || stderr.contains(expected),
            "`{command}` does not write `{expected}`"
        );
    }
}

#[test]
fn every_path_that_a_document_names_exists() {
    let mut missing = Vec::new();
    for file in documents() {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for path in file
            .text
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|path| TOPS.iter().any(|top| path.starts_with(top)))
        {
            let is_plain = !path.contains(['<', '*', '{', ' ', '…']);
            if is_plain && !harness::root().join(path).exists() {
                missing.push(format!("{}: `{path}`", file.path));
            }
        }
        for link in file.text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = link.split('#').next().unwrap_or_default();
            if !path.is_empty() && !path.contains("://") && !harness::root().join(folder).join(path).exists()
            {
                missing.push(format!("{}: ({link})", file.path));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

/// A block of YAML that follows the name of a file is quoted from it, line by line.
#[test]
fn what_is_quoted_is_still_there() {
    let mut quoted = 0;
    for file in documents() {
        let blocks: Vec<&str> = file.text.split("```").collect();
        for pair in blocks.chunks_exact(2) {
            let (before, Some(block)) = (pair[0], pair[1].strip_prefix("yaml\n")) else { continue };
            let paragraph = before.trim_end().rsplit("\n\n").next().unwrap_or_default();
            let named = paragraph.split('`').skip(1).step_by(2).filter(|path| path.ends_with(".yaml")).last();
            let Some(path) = named.filter(|path| TOPS.iter().any(|top| path.starts_with(top))) else {
                continue;
            };
            let source = read(path);
            for line in block.lines() {
                let is_there = source.lines().any(|other| other.trim() == line.trim());
                assert!(is_there, "{}: {path} no longer says `{}`", file.path, line.trim());
                quoted += 1;
            }
        }
    }
    assert!(quoted > 10, "only {quoted} quoted lines were found: the reader is broken");
}

#[test]
fn the_code_map_names_every_crate() {
    let map = read("crates/README.md");
    for entry in std::fs::read_dir(harness::root().join("crates")).expect("crates/ can be read") {
        let entry = entry.expect("an entry can be read");
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() {
            assert!(map.contains(&format!("| `{name}` |")), "crates/README.md has no row for {name}");
        }
    }
}

#[test]
fn decisions_are_numbered_and_say_what_was_rejected() {
    let text = read("crates/README.md");
    let decisions = text.split_once("\n## Decisions").expect("crates/README.md has decisions").1;
    let decisions = decisions.split("\n## ").next().unwrap_or_default();
    let mut numbered: Vec<String> = Vec::new();
    for line in decisions.lines() {
        match numbered.last_mut() {
            _ if line.starts_with(|c: char| c.is_ascii_digit()) => numbered.push(line.to_owned()),
            Some(decision) => decision.push_str(line),
            None => {}
        }
    }
    assert!(numbered.len() >= 15, "{} decisions", numbered.len());
    for (number, decision) in (1..).zip(numbered) {
        assert!(decision.starts_with(&format!("{number}. **")), "decision {number}: {decision}");
        assert!(decision.contains("*Rejected*"), "decision {number} names no alternative");
    }
}
