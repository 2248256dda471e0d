//! Which codes may leave: `codes.tsv` and the closed vocabularies of `vocab/`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use regex::Regex;

use super::table;
use crate::diagnostic::{Diagnostic, Place};

/// UCUM, the one system whose codes are units.
pub(crate) const UCUM: &str = "http://unitsofmeasure.org";

const FILE: &str = "codes.tsv";
const VOCABULARY_FOLDER: &str = "vocab/";

/// Allowed code systems and the shape of their codes.
#[derive(Default)]
pub(crate) struct Codes {
    exact: HashMap<String, Option<Regex>>,
    /// Longest first.
    prefixes: Vec<(String, Option<Regex>)>,
}

impl Codes {
    /// Whether this code of this system may leave.
    pub(crate) fn allow(&self, system: &str, code: &str) -> bool {
        let shape = self.exact.get(system).or_else(|| {
            self.prefixes
                .iter()
                .find(|(prefix, _)| system.starts_with(prefix.as_str()))
                .map(|(_, shape)| shape)
        });
        matches!(shape, Some(Some(shape)) if shape.is_match(code))
            && system.bytes().all(|byte| byte.is_ascii_graphic())
    }
}

/// Words that may leave as they stand in the list.
#[derive(Debug, Default)]
pub(crate) struct Vocabulary {
    words: HashMap<String, String>,
}

impl Vocabulary {
    /// The listed form of a word; case and surrounding space do not matter.
    pub(crate) fn find(&self, word: &str) -> Option<&str> {
        self.words.get(&word.trim().to_lowercase()).map(String::as_str)
    }

    /// Whether the list has the word exactly so.
    pub(crate) fn contains(&self, word: &str) -> bool {
        self.find(word) == Some(word)
    }
}

pub(super) fn read(files: &BTreeMap<String, String>, found: &mut Vec<Diagnostic>) -> Codes {
    let mut codes = Codes::default();
    for row in table::read(files, FILE, '\t', &["system", "match", "shape"], found) {
        let (system, shape) = (row.cell(0).to_owned(), row.cell(2));
        let compiled = match shape {
            "deny" => None,
            shape if !(shape.starts_with('^') && shape.ends_with('$')) => {
                let help = "write `^…$`, or `deny`";
                found.push(
                    Diagnostic::new(
                        FILE,
                        row.place(2),
                        "open-shape",
                        "the shape does not cover the whole code",
                    )
                    .help(help),
                );
                continue;
            }
            shape => match Regex::new(shape) {
                Ok(shape) => Some(shape),
                Err(error) => {
                    found.push(Diagnostic::new(FILE, row.place(2), "shape", error.to_string()));
                    continue;
                }
            },
        };
        let twice = match row.cell(1) {
            "exact" => codes.exact.insert(system, compiled).is_some(),
            "prefix" => {
                let twice = codes.prefixes.iter().any(|(prefix, _)| *prefix == system);
                codes.prefixes.push((system, compiled));
                twice
            }
            _ => {
                found.push(Diagnostic::new(FILE, row.place(1), "match", "the match is `exact` or `prefix`"));
                continue;
            }
        };
        if twice {
            found.push(Diagnostic::new(FILE, row.place(0), "duplicate-row", "the system is listed twice"));
        }
    }
    codes.prefixes.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
    codes
}

/// Vocabularies by name (`results` of `vocab/results.txt`).
pub(super) fn vocabularies(
    files: &BTreeMap<String, String>,
    found: &mut Vec<Diagnostic>,
) -> BTreeMap<String, Arc<Vocabulary>> {
    let mut all = BTreeMap::new();
    for (path, text) in files {
        let Some(name) = path.strip_prefix(VOCABULARY_FOLDER).and_then(|file| file.strip_suffix(".txt"))
        else {
            continue;
        };
        let mut vocabulary = Vocabulary::default();
        for (index, line) in text.lines().enumerate() {
            let word = line.trim();
            if word.is_empty() || word.starts_with('#') {
                continue;
            }
            if vocabulary.words.insert(word.to_lowercase(), word.to_owned()).is_some() {
                let place = Place { line: index + 1, column: 1, length: word.chars().count() };
                found.push(Diagnostic::new(path, place, "duplicate-row", "the word is listed twice"));
            }
        }
        all.insert(name.to_owned(), Arc::new(vocabulary));
    }
    all
}
