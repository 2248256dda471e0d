//! Reads a profile's files.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::codes::{self, Vocabulary};
use super::operation::{COUNTRIES, Operation, STATES};
use super::{ExtensionRule, Profile, content_hash, prove, table};
use crate::diagnostic::{Diagnostic, Place, nearest, read_yaml};

const PROFILE: &str = "profile.yaml";
const EXTENSIONS: &str = "extensions.tsv";
const ZIP3: &str = "zip3.csv";
const KNOWN: [&str; 5] = [PROFILE, "fhir.tsv", "codes.tsv", EXTENSIONS, ZIP3];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProfileFile {
    id: Spanned<String>,
    #[serde(rename = "legal")]
    _legal: Legal,
    resources: Vec<Spanned<String>>,
    subjects: Vec<Spanned<String>>,
    dates: Dates,
    policy_tag_system: String,
}

/// The law a profile rests on; for those who read it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Legal {
    #[serde(rename = "basis")]
    _basis: String,
    #[serde(rename = "class")]
    _class: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Dates {
    over_age: i32,
    age_band_extension: String,
    age_codes: Spanned<String>,
}

pub(super) fn compile(id: &str, files: &BTreeMap<String, String>) -> Result<Profile, Vec<Diagnostic>> {
    let mut found = Vec::new();
    for name in files.keys().filter(|name| !KNOWN.contains(&name.as_str()) && !name.starts_with("vocab/")) {
        found.push(Diagnostic::new(
            name,
            Place::START,
            "unknown-file",
            "not a file of a de-identification profile",
        ));
    }
    let Some(text) = files.get(PROFILE) else {
        found.push(Diagnostic::new(PROFILE, Place::START, "missing-file", "the profile has no such file"));
        return Err(found);
    };
    let file: ProfileFile = match read_yaml(PROFILE, text) {
        Ok(file) => file,
        Err(diagnostic) => {
            found.push(diagnostic);
            return Err(found);
        }
    };
    if file.id.value != id {
        found.push(in_profile(&file.id, "profile-id", format!("the folder is called `{id}`")));
    }
    let vocabularies = codes::vocabularies(files, &mut found);
    let codes = codes::read(files, &mut found);
    let extensions = read_extensions(files, &vocabularies, &mut found);
    let zip3 = read_zip3(files, &mut found);
    let resources = resource_types(&file.resources, &mut found);
    let subjects = resource_types(&file.subjects, &mut found);
    for name in [STATES, COUNTRIES].into_iter().filter(|name| !vocabularies.contains_key(*name)) {
        let message = "the profile has no such vocabulary";
        found.push(Diagnostic::new(&format!("vocab/{name}.txt"), Place::START, "missing-file", message));
    }
    let age_codes = vocabularies.get(&file.dates.age_codes.value).cloned().unwrap_or_else(|| {
        let message = format!("there is no vocabulary `vocab/{}.txt`", file.dates.age_codes.value);
        found.push(in_profile(&file.dates.age_codes, "unknown-name", message));
        Arc::default()
    });
    let proof = prove::prove(files, &resources, &vocabularies, &mut found);
    if !found.is_empty() {
        return Err(found);
    }
    Ok(Profile {
        id: id.to_owned(),
        hash: content_hash(files),
        nodes: proof.nodes,
        roots: proof.roots,
        subjects,
        codes,
        extensions,
        zip3,
        over_age: file.dates.over_age,
        age_band_extension: file.dates.age_band_extension,
        age_codes,
        policy_tag_system: file.policy_tag_system,
        states: vocabularies.get(STATES).cloned().unwrap_or_default(),
        countries: vocabularies.get(COUNTRIES).cloned().unwrap_or_default(),
    })
}

fn in_profile(text: &Spanned<String>, code: &'static str, message: String) -> Diagnostic {
    Diagnostic::new(PROFILE, Place::of(text, text.value.chars().count()), code, message)
}

fn resource_types(names: &[Spanned<String>], found: &mut Vec<Diagnostic>) -> BTreeSet<fhir::ResourceType> {
    let mut types = BTreeSet::new();
    for name in names {
        let Some(parsed) = fhir::ResourceType::parse(&name.value) else {
            let diagnostic =
                in_profile(name, "unknown-name", format!("there is no resource type `{}`", name.value));
            let near = nearest(&name.value, fhir::r4().resource_names());
            found.push(match near {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                None => diagnostic,
            });
            continue;
        };
        if !types.insert(parsed) {
            found.push(in_profile(name, "duplicate-row", format!("`{}` is listed twice", name.value)));
        }
    }
    types
}

fn read_extensions(
    files: &BTreeMap<String, String>,
    vocabularies: &BTreeMap<String, Arc<Vocabulary>>,
    found: &mut Vec<Diagnostic>,
) -> Vec<ExtensionRule> {
    let mut rules: Vec<ExtensionRule> = Vec::new();
    for row in table::read(files, EXTENSIONS, '\t', &["url", "resource", "part", "type", "operation"], found)
    {
        let operation = match Operation::parse(row.cell(4), vocabularies) {
            Ok(operation) => operation,
            Err(message) => {
                found.push(Diagnostic::new(EXTENSIONS, row.place(4), "unknown-operation", message));
                continue;
            }
        };
        let fits = matches!(
            (&operation, row.cell(3)),
            (Operation::Code(_), "Coding" | "CodeableConcept")
                | (Operation::Vocab(_), "code" | "string")
                | (Operation::Keep, "boolean" | "integer" | "positiveInt" | "unsignedInt")
                // What is dropped either way; the row says that somebody decided it.
                | (Operation::Drop, _)
        );
        if !fits {
            let message =
                format!("`{}` cannot stand on an extension of type {}", operation.name(), row.cell(3));
            found.push(Diagnostic::new(EXTENSIONS, row.place(4), "operation-type", message));
        }
        let part = (row.cell(2) != "-").then(|| row.cell(2).to_owned());
        let (url, resource) = (row.cell(0).to_owned(), row.cell(1).to_owned());
        if rules.iter().any(|other| other.url == url && other.resource == resource && other.part == part) {
            found.push(Diagnostic::new(
                EXTENSIONS,
                row.place(0),
                "duplicate-row",
                "the extension is listed twice",
            ));
        }
        let mut value = "value".to_owned();
        let mut letters = row.cell(3).chars();
        value.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        value.push_str(letters.as_str());
        rules.push(ExtensionRule { url, resource, part, value, operation });
    }
    rules
}

fn read_zip3(files: &BTreeMap<String, String>, found: &mut Vec<Diagnostic>) -> BTreeSet<String> {
    let mut prefixes = BTreeSet::new();
    for row in table::read(files, ZIP3, ',', &["prefix", "source", "year"], found) {
        let prefix = row.cell(0);
        if prefix.len() != 3 || !prefix.bytes().all(|byte| byte.is_ascii_digit()) {
            found.push(Diagnostic::new(ZIP3, row.place(0), "zip3", "a prefix has three digits"));
        }
        if !prefixes.insert(prefix.to_owned()) {
            found.push(Diagnostic::new(ZIP3, row.place(0), "duplicate-row", "the prefix is listed twice"));
        }
    }
    prefixes
}
