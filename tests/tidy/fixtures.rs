//! Test data is synthetic: what looks like a person's number lies in a range that nobody has.

use regex::Regex;

use crate::allowed;
use crate::workspace::{File, files};

/// Where messages and resources for tests stand.
fn test_data() -> Vec<File> {
    let is_data = |path: &str| {
        let is_text = [".hl7", ".json", ".yaml", ".yml", ".md", ".rs", ".ndjson"]
            .iter()
            .any(|ending| path.ends_with(ending));
        is_text && !path.starts_with("tests/tidy/") && !path.starts_with("crates/fhir/data")
    };
    files().into_iter().filter(|file| is_data(&file.path)).collect()
}

fn violations(pattern: &str, is_reserved: impl Fn(&regex::Captures<'_>) -> bool) -> Vec<(String, String)> {
    let pattern = Regex::new(pattern).expect("a constant expression compiles");
    let mut found = Vec::new();
    for file in test_data() {
        for (number, line) in (1..).zip(file.text.lines()) {
            for captures in pattern.captures_iter(line).filter(|captures| !is_reserved(captures)) {
                found.push((file.path.clone(), format!("{number}: {}", &captures[0])));
            }
        }
    }
    found
}

/// Social security numbers: areas 000, 666 and 9xx are never given to anybody.
#[test]
fn social_security_numbers_belong_to_nobody() {
    let is_reserved = |captures: &regex::Captures<'_>| {
        let area = &captures[1];
        area == "000" || area == "666" || area.starts_with('9')
    };
    allowed::check("ssn", violations(r"\b([0-9]{3})-[0-9]{2}-[0-9]{4}\b", is_reserved));
}

/// Phone numbers: 555-0100 to 555-0199 are kept for fiction.
#[test]
fn phone_numbers_ring_nowhere() {
    let is_reserved = |captures: &regex::Captures<'_>| &captures[1] == "555" && captures[2].starts_with("01");
    let written = r"(?:\b[0-9]{3}[-. ]|\([0-9]{3}\) ?)([0-9]{3})[-. ]([0-9]{4})\b";
    let component = r"\^[0-9]{3}\^([0-9]{3})([0-9]{4})\b";
    let mut found = violations(written, is_reserved);
    found.extend(violations(component, is_reserved));
    allowed::check("phone", found);
}

/// Mail goes to domains that are kept for examples.
#[test]
fn mail_goes_nowhere() {
    let is_reserved = |captures: &regex::Captures<'_>| {
        let domain = captures[1].to_ascii_lowercase();
        let endings =
            ["example.org", "example.com", "example.net", ".example", ".invalid", ".test", "localhost"];
        endings.iter().any(|ending| domain.ends_with(ending)) || domain == "example"
    };
    allowed::check(
        "mail",
        violations(r"[A-Za-z0-9._%+-]+@([A-Za-z0-9-]+\.[A-Za-z0-9.-]*[A-Za-z]{2,})", is_reserved),
    );
}

/// A fixture nobody reads is a fixture nobody keeps true.
#[test]
fn every_message_has_what_must_come_of_it() {
    let paths: Vec<String> =
        files().into_iter().map(|file| file.path).filter(|path| path.starts_with("fixtures/")).collect();
    let messages: Vec<&String> = paths.iter().filter(|path| path.ends_with(".hl7")).collect();
    assert!(messages.len() >= 9, "{messages:?}");
    for message in messages {
        let bundle = message.replace(".hl7", ".bundle.json");
        assert!(paths.contains(&bundle), "{message} has no {bundle} beside it");
    }
    for bundle in paths.iter().filter(|path| path.ends_with(".bundle.json")) {
        let message = bundle.replace(".bundle.json", ".hl7");
        assert!(paths.contains(&message), "{bundle} has no {message} beside it");
    }
}
