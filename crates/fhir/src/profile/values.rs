//! Value sets of packages, as far as their codes can be listed.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::{list, string, without_version};
use crate::definitions::r4;

/// Value sets that include each other are followed this deep.
const DEPTH_MAX: usize = 16;

/// The codes of one value set.
#[derive(Default, Clone)]
pub(crate) struct Codes {
    /// System and code; without a system for a plain `code`.
    by_system: HashSet<(String, String)>,
    codes: HashSet<String>,
}

impl Codes {
    pub(crate) fn contains(&self, system: Option<&str>, code: &str) -> bool {
        match system {
            Some(system) => self.by_system.contains(&(system.to_owned(), code.to_owned())),
            None => self.codes.contains(code),
        }
    }

    fn add(&mut self, system: &str, code: &str) {
        self.by_system.insert((system.to_owned(), code.to_owned()));
        self.codes.insert(code.to_owned());
    }

    fn remove(&mut self, system: &str, code: &str) {
        self.by_system.remove(&(system.to_owned(), code.to_owned()));
        if !self.by_system.iter().any(|(_, other)| other == code) {
            self.codes.remove(code);
        }
    }
}

/// The value sets and code systems of all packages, by canonical without version.
#[derive(Default)]
pub(super) struct Terminology<'a> {
    pub(super) value_sets: HashMap<&'a str, &'a Value>,
    pub(super) code_systems: HashMap<&'a str, &'a Value>,
}

impl Terminology<'_> {
    /// The codes of a value set; `None` when a part of it cannot be listed.
    pub(super) fn codes(&self, url: &str) -> Option<Codes> {
        self.expand(without_version(url), 0)
    }

    fn expand(&self, url: &str, depth: usize) -> Option<Codes> {
        if depth > DEPTH_MAX {
            return None;
        }
        let Some(set) = self.value_sets.get(url) else { return of_r4(url) };
        let mut codes = Codes::default();
        if let Some(expansion) = set.get("expansion") {
            let listed = contained(list(expansion, "contains"), &mut codes);
            let total = expansion.get("total").and_then(Value::as_u64);
            if total.is_none_or(|total| usize::try_from(total).is_ok_and(|total| total == listed)) {
                return Some(codes);
            }
            codes = Codes::default();
        }
        let compose = set.get("compose")?;
        for include in list(compose, "include") {
            let part = self.part(include, depth)?;
            codes.by_system.extend(part.by_system);
            codes.codes.extend(part.codes);
        }
        for exclude in list(compose, "exclude") {
            for (system, code) in self.part(exclude, depth)?.by_system {
                codes.remove(&system, &code);
            }
        }
        Some(codes)
    }

    fn part(&self, include: &Value, depth: usize) -> Option<Codes> {
        if include.get("filter").is_some() {
            return None;
        }
        let own = match (string(include, "system"), list(include, "concept")) {
            ("", _) => None,
            (system, []) => Some(self.whole(system)?),
            (system, concepts) => {
                let mut codes = Codes::default();
                concepts.iter().for_each(|concept| codes.add(system, string(concept, "code")));
                Some(codes)
            }
        };
        // What several value sets and a system name together is what all of them hold.
        let mut part = own;
        for url in list(include, "valueSet").iter().filter_map(Value::as_str) {
            let other = self.expand(without_version(url), depth + 1)?;
            part = Some(match part {
                None => other,
                Some(part) => {
                    let mut both = Codes::default();
                    part.by_system
                        .intersection(&other.by_system)
                        .for_each(|(system, code)| both.add(system, code));
                    both
                }
            });
        }
        part
    }

    fn whole(&self, system: &str) -> Option<Codes> {
        let definition = self.code_systems.get(without_version(system))?;
        if string(definition, "content") != "complete" {
            return None;
        }
        let mut codes = Codes::default();
        concepts(system, list(definition, "concept"), &mut codes);
        Some(codes)
    }
}

fn concepts(system: &str, found: &[Value], codes: &mut Codes) {
    for concept in found {
        codes.add(system, string(concept, "code"));
        concepts(system, list(concept, "concept"), codes);
    }
}

/// Entries of an expansion, those that only group left out; how many there are.
fn contained(found: &[Value], codes: &mut Codes) -> usize {
    let mut count = 0;
    for entry in found {
        count += 1;
        if entry.get("abstract") != Some(&Value::Bool(true)) && !string(entry, "code").is_empty() {
            codes.add(string(entry, "system"), string(entry, "code"));
        }
        count += contained(list(entry, "contains"), codes);
    }
    count
}

/// A value set that R4 itself binds as required.
fn of_r4(url: &str) -> Option<Codes> {
    let set = r4().codes(url)?;
    let mut codes = Codes::default();
    for code in set.codes() {
        for entry in set.entries.get(code).into_iter().flatten() {
            codes.add(entry.system, code);
        }
    }
    Some(codes)
}
