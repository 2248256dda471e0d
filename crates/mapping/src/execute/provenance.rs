//! The Provenance of a message: what it made, who sent it, which package translated it.

use super::{Executor, Level};
use crate::LeafFate;
use crate::convert::time;
use crate::identity::first_text;
use crate::package::{Package, hex};
use crate::plan::Keyed;
use crate::systems::site_urn;
use crate::{Mode, ResourceSet};
use aws_lc_rs::digest;
use hl7v2::{Part, SegmentRef};
use serde_json::{Map, Value, json};

/// Who takes part in a Provenance (R4 provenance-participant-type).
const PARTICIPANT_TYPE: &str = "http://terminology.hl7.org/CodeSystem/provenance-participant-type";
/// Who takes part, where R4 has no code of its own: the receiver (v3 ParticipationType).
const PARTICIPATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
/// HL7 table 0062, why the event happened.
const EVENT_REASON: &str = "http://terminology.hl7.org/CodeSystem/v2-0062";
/// Coverage of people and organizations that are only named here.
const NAMED_ONLY: &str = "the Provenance keeps number, authority and name";
/// Identifier system of a message by its SHA-256.
const MESSAGE_HASH: &str = "urn:tidegate:message:sha256";
/// Identifier system of a mapping package.
pub(crate) const PACKAGE: &str = "urn:tidegate:mapping-package";

impl<'a> Executor<'a> {
    /// One for each message. Nothing made, or no time in the message: none.
    pub(super) fn provenance(&mut self, package: &Package, sets: &[ResourceSet]) -> Option<ResourceSet> {
        let kind = fhir::ResourceType::parse("Provenance")?;
        if sets.is_empty() {
            return None;
        }
        let Some(recorded) = self.recorded() else {
            self.report_plain(
                fhir::Severity::Warning,
                fhir::IssueCode::Required,
                "MSH-7",
                "no Provenance is made: the message has no time",
            );
            return None;
        };
        let hash = hex(digest::digest(&digest::SHA256, self.message.bytes()).as_ref());
        let id = self.identity.id("Provenance", &[hash.clone(), package.hash().to_owned()]);
        let targets: Vec<Value> = sets
            .iter()
            .map(|set| json!({ "reference": format!("{}/{}", set.resource_type.as_str(), set.id) }))
            .collect();
        let mut resource = json!({
            "resourceType": "Provenance",
            "id": id,
            "target": targets,
            "recorded": recorded,
            "agent": self.agents(package),
            "entity": [ { "role": "source", "what": { "identifier": { "system": MESSAGE_HASH, "value": hash } } } ],
        });
        if let Some(object) = resource.as_object_mut() {
            self.circumstances(object);
        }
        // Of a message about several patients (a merge) it belongs to the first, the survivor: without an owner it
        // could not leave.
        let patient = sets.iter().find_map(|set| set.patient.clone());
        Some(ResourceSet {
            handle: "provenance".to_owned(),
            resource_type: kind,
            id,
            resource,
            removals: Vec::new(),
            fills: Vec::new(),
            mode: Mode::Replace,
            patient,
        })
    }

    /// Sender, receiver, who entered the event, who is responsible at either end, the sender's software, and the package that translated.
    fn agents(&mut self, package: &Package) -> Vec<Value> {
        let sender = format!("{}|{}", plain(&self.header_text(3, 1)), plain(&self.header_text(4, 1)));
        let mut agents = vec![
            json!({ "type": participant("author"), "who": { "identifier": { "system": site_urn(&self.identity.token, "sender"), "value": sender } } }),
        ];
        let receiver = format!("{}|{}", plain(&self.header_text(5, 1)), plain(&self.header_text(6, 1)));
        if receiver.len() > 1 {
            agents.push(json!({ "type": recipient(), "who": { "identifier": { "system": site_urn(&self.identity.token, "receiver"), "value": receiver } } }));
            self.mark_message_field("MSH", 5);
            self.mark_message_field("MSH", 6);
        }
        let named = [
            ("EVN", 5, participant("enterer"), Keyed::Xcn),
            ("MSH", 22, participant("custodian"), Keyed::Xon),
            ("MSH", 23, recipient(), Keyed::Xon),
        ];
        for (segment, field, kind, keyed) in named {
            let Some(found) = self.first_segment(segment) else { continue };
            for repetition in found.field(field).repetitions() {
                if let Some(who) = self.named(repetition, keyed) {
                    agents.push(json!({ "type": kind, "who": who }));
                }
            }
        }
        let software: Vec<usize> = self.groups.all("SFT").collect();
        for segment in software.into_iter().filter_map(|index| self.message.segment(index)) {
            let part = |field: usize| plain(&first_text(segment.field(field)));
            let words: Vec<String> =
                [part(3), part(2), part(1)].into_iter().filter(|word| !word.is_empty()).collect();
            if !words.is_empty() {
                let mut who = json!({ "display": words.join(" ") });
                // The binary id names the very build.
                if let (build, Some(who)) = (part(4), who.as_object_mut())
                    && !build.is_empty()
                {
                    who.insert("identifier".into(), json!({ "value": build }));
                }
                agents.push(json!({ "type": participant("assembler"), "who": who }));
                (1..=4)
                    .for_each(|field| self.ledger.mark_first(segment.field(field), LeafFate::Mapped, None));
            }
        }
        let translator = format!("{}@{}", package.name(), package.version());
        agents.push(json!({ "type": participant("assembler"), "who": { "identifier": { "system": PACKAGE, "value": format!("{translator}#{}", package.hash()) }, "display": translator } }));
        agents
    }

    /// A person (XCN) or organization (XON) by number and name, without a resource of its own.
    fn named(&mut self, part: Part<'a>, keyed: Keyed) -> Option<Value> {
        let text = |n: usize| plain(&first_text(part.component(n)));
        let (number, name) = match keyed {
            Keyed::Xon => (if text(10).is_empty() { text(3) } else { text(10) }, text(1)),
            _ => (
                text(1),
                [text(6), text(3), text(4), text(2)]
                    .into_iter()
                    .filter(|word| !word.is_empty())
                    .collect::<Vec<_>>()
                    .join(" "),
            ),
        };
        let mut who = Map::new();
        if !number.is_empty() {
            let mut identifier = json!({ "value": number });
            if let (Some(system), Some(object)) =
                (self.identity.system_of(part, Level::Repetition, keyed), identifier.as_object_mut())
            {
                object.insert("system".into(), system.uri.into());
            }
            who.insert("identifier".into(), identifier);
        }
        if !name.is_empty() {
            who.insert("display".into(), name.into());
        }
        if who.is_empty() {
            return None;
        }
        self.ledger.mark(part, LeafFate::Lossy, Some(NAMED_ONLY));
        Some(Value::Object(who))
    }

    /// When it happened (EVN-6), where (EVN-7), why (EVN-4), and the profiles the message claims (MSH-21).
    fn circumstances(&mut self, object: &mut Map<String, Value>) {
        if let Some(event) = self.first_segment("EVN") {
            let zones =
                time::Zones { message_offset: self.message_offset, site: self.program.site.zone.as_ref() };
            if let Ok(occurred) = time::date_time(&first_text(event.field(6)), zones) {
                self.ledger.mark_first(event.field(6), LeafFate::Mapped, None);
                object.insert("occurredDateTime".into(), occurred.value);
            }
            let place = plain(&first_text(event.field(7)));
            if !place.is_empty() {
                self.ledger.mark(event.field(7), LeafFate::Lossy, Some(NAMED_ONLY));
                object.insert("location".into(), json!({ "display": place }));
            }
            let reason = plain(&first_text(event.field(4)));
            if !reason.is_empty() {
                self.ledger.mark(event.field(4), LeafFate::Lossy, Some("the code is kept"));
                self.ledger.mark_first(event.field(4), LeafFate::Mapped, None);
                object.insert(
                    "reason".into(),
                    json!([ { "coding": [ { "system": EVENT_REASON, "code": reason } ] } ]),
                );
            }
        }
        let Some(header) = self.first_segment("MSH") else { return };
        let mut policies = Vec::new();
        for profile in header.field(21).repetitions() {
            let declared = !first_text(profile.component(3)).is_empty();
            if let Some(system) =
                self.identity.system_of(profile, Level::Repetition, Keyed::Ei).filter(|_| declared)
            {
                self.ledger.mark(profile, LeafFate::Lossy, Some("the profile's universal id is kept"));
                policies.push(Value::String(system.uri));
            }
        }
        policies.dedup();
        if !policies.is_empty() {
            object.insert("policy".into(), Value::Array(policies));
        }
    }

    fn first_segment(&self, name: &str) -> Option<SegmentRef<'a>> {
        self.message.segment(self.groups.first(name)?)
    }

    fn mark_message_field(&mut self, segment: &str, field: usize) {
        if let Some(index) = self.groups.first(segment) {
            self.mark_field(index, field);
        }
    }

    /// EVN-2 or MSH-7, whichever is an instant; else the first of them filled up: midnight, UTC.
    fn recorded(&self) -> Option<String> {
        let field = |segment: &str, field: usize| {
            let segment = self.message.segment(self.groups.first(segment)?)?;
            Some(first_text(segment.field(field)).into_owned()).filter(|text| !text.is_empty())
        };
        let texts: Vec<String> = [field("EVN", 2), field("MSH", 7)].into_iter().flatten().collect();
        let zones =
            time::Zones { message_offset: self.message_offset, site: self.program.site.zone.as_ref() };
        let exact = texts
            .iter()
            .find_map(|text| time::instant(text, zones).ok())
            .and_then(|made| made.value.as_str().map(str::to_owned));
        exact.or_else(|| texts.iter().find_map(|text| time::filled_instant(text, zones)))
    }
}

/// What a FHIR string or code may hold of a text: its words, without control characters.
fn plain(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

/// The type of who the message is for.
fn recipient() -> Value {
    json!({ "coding": [ { "system": PARTICIPATION, "code": "IRCP", "display": "information recipient" } ] })
}

fn participant(code: &str) -> Value {
    json!({ "coding": [ { "system": PARTICIPANT_TYPE, "code": code } ] })
}
