//! The Provenance of a message: what it made, who sent it, which package translated it.

use super::concept::coding;
use super::participants::{agent, identified, participant};
use super::{Executor, Level};
use crate::LeafFate;
use crate::convert::time;
use crate::identity::first_text;
use crate::json::{self, list_of, object};
use crate::package::{Package, hex};
use crate::plan::Keyed;
use crate::systems::site_urn;
use crate::{Mode, ResourceSet};
use aws_lc_rs::digest;
use hl7v2::SegmentRef;
use serde_json::{Map, Value};

/// What was done to a record (v3 DataOperation).
const DATA_OPERATION: &str = "http://terminology.hl7.org/CodeSystem/v3-DataOperation";
/// Identifier system of what is a URI itself.
const URI: &str = "urn:ietf:rfc:3986";
/// HL7 table 0062, why the event happened.
const EVENT_REASON: &str = "http://terminology.hl7.org/CodeSystem/v2-0062";
/// Coverage of people and organizations that are only named here.
pub(super) const NAMED_ONLY: &str = "the Provenance keeps number, authority and name";
/// Identifier system of a message by its SHA-256.
const MESSAGE_HASH: &str = "urn:tidegate:message:sha256";

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
        let id = self.identity.id("Provenance", &[hash.as_str(), package.hash()]);
        let targets: Vec<Value> = sets
            .iter()
            .map(|set| json::reference([set.resource_type.as_str(), "/", &set.id].concat()))
            .collect();
        let source = identified(MESSAGE_HASH.to_owned(), hash);
        let mut resource = object([
            ("resourceType", kind.as_str().into()),
            ("id", id.as_str().into()),
            ("target", targets.into()),
            ("recorded", recorded.into()),
            ("agent", self.agents(package, sets).into()),
            ("entity", list_of(object([("role", "source".into()), ("what", source)]))),
        ]);
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

    /// What the sender says of its own record of a patient: when it was last changed (PID-33) and where (PID-34).
    pub(super) fn of_records(&mut self, sets: &[ResourceSet]) -> Vec<ResourceSet> {
        let Some((kind, recorded)) = fhir::ResourceType::parse("Provenance").zip(self.recorded()) else {
            return Vec::new();
        };
        let zones =
            time::Zones { message_offset: self.message_offset, site: self.program.site.zone.as_ref() };
        let mut made: Vec<ResourceSet> = Vec::new();
        for index in self.groups.all("PID").collect::<Vec<_>>() {
            let Some(segment) = self.message.segment(index) else { continue };
            let patient =
                self.instances.iter().find(|of| of.segment == index && of.kind.as_str() == "Patient");
            let Some(patient) = patient.map(|of| of.id.clone()) else { continue };
            let is_set = sets.iter().any(|set| set.resource_type.as_str() == "Patient" && set.id == patient);
            let changed = time::date_time(&first_text(segment.field(33)), zones).ok();
            let place = self.place(segment.field(34));
            if !is_set || (changed.is_none() && place.is_none()) {
                continue;
            }
            let id = self.identity.id("Provenance", &["record", &patient]);
            if made.iter().any(|set| set.id == id) {
                continue;
            }
            let sender = format!("{}|{}", plain(&self.header_text(3, 1)), plain(&self.header_text(4, 1)));
            let who = place.unwrap_or_else(|| identified(site_urn(&self.identity.token, "sender"), sender));
            let activity = object([("coding", list_of(coding(DATA_OPERATION, "UPDATE", None)))]);
            let mut resource = object([
                ("resourceType", kind.as_str().into()),
                ("id", id.as_str().into()),
                ("target", list_of(json::reference(["Patient/", &patient].concat()))),
                ("recorded", recorded.as_str().into()),
                ("activity", activity),
                ("agent", list_of(agent(participant("performer"), who))),
            ]);
            if let (Some(changed), Some(object)) = (changed, resource.as_object_mut()) {
                self.ledger.mark_first(segment.field(33), LeafFate::Mapped, None);
                object.insert("occurredDateTime".into(), changed.value);
            }
            made.push(ResourceSet {
                handle: "record".to_owned(),
                resource_type: kind,
                id,
                resource,
                removals: Vec::new(),
                fills: Vec::new(),
                mode: Mode::Replace,
                patient: Some(patient),
            });
        }
        made
    }

    /// A facility (HD) by name and universal id, without a resource of its own.
    fn place(&mut self, field: hl7v2::Part<'a>) -> Option<Value> {
        let (name, number) = (plain(&first_text(field)), plain(&first_text(field.component(2))));
        if name.is_empty() && number.is_empty() {
            return None;
        }
        self.ledger.mark(field, LeafFate::Lossy, Some(NAMED_ONLY));
        let mut who = Map::new();
        if !name.is_empty() {
            who.insert("display".into(), name.into());
        }
        if !number.is_empty()
            && let Some(system) = self.identity.authority(field, Level::Repetition, "")
        {
            who.insert("identifier".into(), object([("system", URI.into()), ("value", system.uri.into())]));
        }
        Some(Value::Object(who))
    }

    /// When it happened (EVN-6), where (EVN-7), why (EVN-4), in which language its texts are (MSH-19), and the profiles the message claims (MSH-21).
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
                object.insert("location".into(), json::object([("display", place.into())]));
            }
            let reason = plain(&first_text(event.field(4)));
            if !reason.is_empty() {
                self.ledger.mark(event.field(4), LeafFate::Lossy, Some("the code is kept"));
                self.ledger.mark_first(event.field(4), LeafFate::Mapped, None);
                let reason = json::object([("coding", list_of(coding(EVENT_REASON, &reason, None)))]);
                object.insert("reason".into(), list_of(reason));
            }
        }
        let Some(header) = self.first_segment("MSH") else { return };
        if let Some(language) = language(&first_text(header.field(19))) {
            self.ledger.mark(header.field(19), LeafFate::Lossy, Some("the code is kept"));
            self.ledger.mark_first(header.field(19), LeafFate::Mapped, None);
            object.insert("language".into(), language.into());
        }
        let mut policies = Vec::new();
        for profile in header.field(21).repetitions() {
            let is_universal = !first_text(profile.component(3)).is_empty();
            let name = plain(&first_text(profile.component(1))).replace(' ', "-");
            let Some(system) = self.identity.system_of(profile, Level::Repetition, Keyed::Ei) else {
                continue;
            };
            if is_universal {
                self.ledger.mark(profile, LeafFate::Lossy, Some("the profile's universal id is kept"));
                policies.push(system.uri.into());
            } else if !name.is_empty() {
                // A name within its authority is as good: Z22 of CDCPHINVS.
                self.ledger.mark(profile, LeafFate::Lossy, Some("the profile is named within its authority"));
                policies.push(Value::String(format!("{}#{name}", system.uri)));
            }
        }
        policies.dedup();
        if !policies.is_empty() {
            object.insert("policy".into(), Value::Array(policies));
        }
    }

    pub(super) fn first_segment(&self, name: &str) -> Option<SegmentRef<'a>> {
        self.message.segment(self.groups.first(name)?)
    }

    pub(super) fn mark_message_field(&mut self, segment: &str, field: usize) {
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
pub(super) fn plain(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let mut plain = String::with_capacity(text.len());
    for word in words {
        if !plain.is_empty() {
            plain.push(' ');
        }
        plain.push_str(word);
    }
    plain
}

/// A language of BCP 47 as MSH-19 says it: two or three letters, and a region (`en`, `en-US`). Anything else is none.
fn language(text: &str) -> Option<String> {
    let (language, region) =
        text.split_once(['-', '_']).map_or((text, None), |(left, right)| (left, Some(right)));
    let is_word = |word: &str, lengths: std::ops::RangeInclusive<usize>| {
        lengths.contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_alphabetic())
    };
    if !is_word(language, 2..=3) {
        return None;
    }
    let language = language.to_ascii_lowercase();
    match region {
        None => Some(language),
        Some(region) if is_word(region, 2..=2) => Some(format!("{language}-{}", region.to_ascii_uppercase())),
        Some(_) => None,
    }
}
