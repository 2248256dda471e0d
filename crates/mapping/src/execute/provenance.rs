//! The Provenance of a message: what it made, who sent it, which package translated it.

use super::Executor;
use crate::convert::time;
use crate::identity::first_text;
use crate::package::{Package, hex};
use crate::systems::site_urn;
use crate::{Mode, ResourceSet};
use aws_lc_rs::digest;
use serde_json::{Value, json};

/// Who takes part in a Provenance (R4 provenance-participant-type).
const PARTICIPANT_TYPE: &str = "http://terminology.hl7.org/CodeSystem/provenance-participant-type";
/// Identifier system of a message by its SHA-256.
const MESSAGE_HASH: &str = "urn:tidegate:message:sha256";
/// Identifier system of a mapping package.
const PACKAGE: &str = "urn:tidegate:mapping-package";

impl<'a> Executor<'a> {
    /// One for each message. Nothing made, or no time in the message: none.
    pub(super) fn provenance(&mut self, package: &Package, sets: &[ResourceSet]) -> Option<ResourceSet> {
        let kind = fhir::ResourceType::parse("Provenance")?;
        if sets.is_empty() {
            return None;
        }
        let Some(recorded) = self.recorded() else {
            self.report_plain(fhir::Severity::Warning, fhir::IssueCode::Required, "MSH-7", "no Provenance is made: the message has no time");
            return None;
        };
        let hash = hex(digest::digest(&digest::SHA256, self.message.bytes()).as_ref());
        let id = self.identity.id("Provenance", &[hash.clone(), package.hash().to_owned()]);
        let targets: Vec<Value> = sets.iter().map(|set| json!({ "reference": format!("{}/{}", set.resource_type.as_str(), set.id) })).collect();
        let sender = format!("{}|{}", self.header_text(3, 1), self.header_text(4, 1));
        let translator = format!("{}@{}", package.name(), package.version());
        let resource = json!({
            "resourceType": "Provenance",
            "id": id,
            "target": targets,
            "recorded": recorded,
            "agent": [
                { "type": participant("author"), "who": { "identifier": { "system": site_urn(&self.identity.token, "sender"), "value": sender } } },
                { "type": participant("assembler"), "who": { "identifier": { "system": PACKAGE, "value": format!("{translator}#{}", package.hash()) }, "display": translator } },
            ],
            "entity": [ { "role": "source", "what": { "identifier": { "system": MESSAGE_HASH, "value": hash } } } ],
        });
        let mut owners: Vec<&str> = sets.iter().filter_map(|set| set.patient.as_deref()).collect();
        owners.sort_unstable();
        owners.dedup();
        let patient = if owners.len() == 1 { owners.first().map(|owner| (*owner).to_owned()) } else { None };
        Some(ResourceSet { handle: "provenance".to_owned(), resource_type: kind, id, resource, removals: Vec::new(), mode: Mode::Replace, patient })
    }

    /// EVN-2 or MSH-7, whichever is an instant; else the first of them filled up: midnight, UTC.
    fn recorded(&self) -> Option<String> {
        let field = |segment: &str, field: usize| {
            let segment = self.message.segment(self.groups.first(segment)?)?;
            Some(first_text(segment.field(field)).into_owned()).filter(|text| !text.is_empty())
        };
        let texts: Vec<String> = [field("EVN", 2), field("MSH", 7)].into_iter().flatten().collect();
        let zones = time::Zones { message_offset: self.message_offset, site: self.program.site.zone.as_ref() };
        let exact = texts.iter().find_map(|text| time::instant(text, zones).ok()).and_then(|made| made.value.as_str().map(str::to_owned));
        exact.or_else(|| texts.iter().find_map(|text| time::filled_instant(text, zones)))
    }
}

fn participant(code: &str) -> Value {
    json!({ "coding": [ { "system": PARTICIPANT_TYPE, "code": code } ] })
}
