//! What the tests share: the shipped files and pseudonyms that answer for everyone.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::BTreeMap;
use std::path::Path;

use residency::{Profile, Pseudonym, Pseudonyms};
use serde_json::Value;

pub const PROFILE: &str = "safe-harbor-us";
pub const YEAR: i32 = 2026;

/// Files below a folder of `profiles/`, by relative path.
pub fn files(folder: &str) -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../profiles").join(folder);
    let mut files = BTreeMap::new();
    let mut left = vec![root.clone()];
    while let Some(folder) = left.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                left.push(path);
            } else {
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
                files.insert(name, std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    files
}

pub fn profile_files() -> BTreeMap<String, String> {
    files("deidentification/safe-harbor-us")
}

pub fn profile() -> Profile {
    Profile::compile(PROFILE, &profile_files()).unwrap_or_else(|found| {
        let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
        panic!("{}", lines.join("\n"))
    })
}

pub fn grammar() -> verifier::Grammar {
    verifier::Grammar::compile(PROFILE, &profile_files()).unwrap()
}

/// A pseudonym for everyone the resource needs, from a counter.
pub fn pseudonyms(profile: &Profile, resource: &Value, owner: Option<&str>) -> Pseudonyms {
    let mut map = Pseudonyms::default();
    for (index, subject) in profile.needs(resource, owner).into_iter().enumerate() {
        let mut random = [0xa5_u8; 48];
        random[0] = u8::try_from(index % 251).unwrap();
        random[1] = u8::try_from(index / 251).unwrap();
        map.0.insert(subject, Pseudonym::from_random(&random));
    }
    map
}

/// What is wrong with an output and not with what it was made of: a resource that is filled at random keeps the form of R4
/// and not its rules. A rule that only the output breaks is one that a decision broke.
pub fn made_wrong(before: &Value, after: &Value) -> Vec<fhir::Issue> {
    let known: Vec<fhir::Issue> = fhir::validate(before);
    let is_known = |issue: &fhir::Issue| {
        issue.code == fhir::IssueCode::Invariant
            // Where displays are gone, an observation and its component that are filled with one code have the same one.
            && (issue.text.ends_with("(obs-7)") || known.iter().any(|other| (&other.text, &other.location) == (&issue.text, &issue.location)))
    };
    fhir::validate(after).into_iter().filter(|issue| !is_known(issue)).collect()
}
