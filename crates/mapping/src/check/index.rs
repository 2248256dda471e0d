//! `patient_index` of a site: whose numbers name one person.

use super::{Checker, only_keys};
use crate::diagnostic::{Findings, Place};
use crate::site::PatientIndex;
use crate::yaml::Node;
use std::collections::BTreeSet;

/// Systems whose number is no proof of identity, whoever sends it.
const NEVER_TRUSTED: [&str; 1] = ["http://hl7.org/fhir/sid/us-ssn"];

/// The key as written; names are resolved when the registries are known.
pub(super) fn written(node: &Node, findings: &mut Findings) -> PatientIndex {
    only_keys(node, &["trusted", "own", "doc"], findings);
    let mut list = |key: &str| {
        let items = node.get(key).map(Node::items).unwrap_or_default();
        let name = |item: &Node| match item.scalar() {
            Some(name) => Some((name.to_owned(), item.place)),
            None => {
                findings.add(item.place, "E0104", "a single value is expected here");
                None
            }
        };
        items.iter().filter_map(name).collect::<Vec<_>>()
    };
    let index = PatientIndex { trusted: list("trusted"), own: list("own") };
    if index.trusted.is_empty() {
        findings.add_help(
            node.place,
            "E0504",
            "a patient index trusts at least one authority",
            "trusted: [AUTHORITY]",
        );
    }
    index
}

impl Checker<'_> {
    /// Resolves the names of `patient_index`.
    pub(super) fn patient_index(&mut self) {
        let PatientIndex { trusted, own } = self.site.index.clone();
        self.site.trusted = trusted.iter().filter_map(|(name, place)| self.authority(name, *place)).collect();
        for (name, place) in own {
            let Some(uri) = self.authority(&name, place) else { continue };
            if self.site.trusted.contains(&uri) {
                self.site.own.push(uri);
            } else {
                let message = format!("{name} is not trusted");
                self.findings.add_help(place, "E0504", message, "own names some of trusted");
            }
        }
    }

    fn authority(&mut self, name: &str, place: Place) -> Option<String> {
        let named =
            self.site.systems.get(name).or_else(|| self.systems.identifiers.get(&name.to_ascii_uppercase()));
        let written = || {
            let known = self.site.systems.values().chain(self.systems.identifiers.values());
            known.into_iter().find(|uri| *uri == name)
        };
        let Some(uri) = named.or_else(written).cloned() else {
            let known: BTreeSet<String> =
                self.site.systems.keys().chain(self.systems.identifiers.keys()).cloned().collect();
            let message = format!("no authority {name} in the site's systems");
            self.findings.add_near(place, "E0504", message, name, known.iter().map(String::as_str));
            return None;
        };
        if NEVER_TRUSTED.contains(&uri.as_str()) {
            self.findings.add_help(
                place,
                "E0504",
                format!("{name} identifies nobody"),
                "an SSN is no key of a person",
            );
            return None;
        }
        Some(uri)
    }
}
