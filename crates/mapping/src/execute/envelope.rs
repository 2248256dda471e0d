//! What the header says: trigger, structure, offset, business keys, and the coverage of MSH.

use super::Executor;
use crate::convert::time;
use crate::identity::first_text;
use crate::plan::{Ignore, Keyed, Map, MessagePlan};
use crate::{BusinessKey, KeyKind};
use hl7v2::dictionary::{self, Group};
use hl7v2::{Message, Part};
use std::collections::HashSet;

/// Longest part of a message type shown in a rejection.
const CODE_SHOWN_MAX: usize = 8;
/// MSH fields that Tidegate itself uses; MSH-15 and MSH-16 say how it acknowledges.
const HEADER_FIELDS: [usize; 10] = [3, 4, 7, 9, 10, 11, 12, 15, 16, 18];

fn header_field<'a>(message: &'a Message<'_>, field: usize) -> Option<Part<'a>> {
    message.segments().find(|segment| segment.name() == "MSH").map(|header| header.field(field))
}

/// MSH-9.1 and MSH-9.2.
pub(super) fn trigger(message: &Message<'_>) -> (String, String) {
    let Some(field) = header_field(message, 9) else { return Default::default() };
    (first_text(field.component(1)).trim().to_owned(), first_text(field.component(2)).trim().to_owned())
}

/// Only what a code can be made of, so that no content slips into a rejection.
pub(super) fn shown(code: &str) -> String {
    code.chars().filter(char::is_ascii_alphanumeric).take(CODE_SHOWN_MAX).collect()
}

/// The grammar: the trigger's own, else MSH-9.3, else the file's.
pub(super) fn grammar(
    message: &Message<'_>,
    plan: &MessagePlan,
    code: &str,
    event: &str,
) -> Option<&'static Group> {
    let stated = header_field(message, 9)
        .map(|field| first_text(field.component(3)).trim().to_owned())
        .unwrap_or_default();
    let by_file = || plan.structure.as_deref().and_then(dictionary::structure);
    let by_event = || dictionary::structure_of(code, event).and_then(dictionary::structure);
    dictionary::structure(&stated)
        .or_else(by_event)
        .or_else(by_file)
        .or_else(|| dictionary::structure(&plan.name))
}

/// MSH-4.1.
pub(super) fn facility(message: &Message<'_>) -> String {
    header_field(message, 4).map(|field| first_text(field).into_owned()).unwrap_or_default()
}

/// The offset of MSH-7, in seconds.
pub(super) fn offset(message: &Message<'_>) -> Option<i32> {
    let text = header_field(message, 7).map(|field| first_text(field).into_owned())?;
    time::moment(&text).ok()?.offset
}

impl<'a> Executor<'a> {
    pub(super) fn header_text(&self, field: usize, component: usize) -> String {
        header_field(self.message, field)
            .map(|field| first_text(field.component(component)).into_owned())
            .unwrap_or_default()
    }

    /// The message's business keys.
    pub(super) fn keys(&self) -> Vec<BusinessKey> {
        let mut keys = Vec::new();
        for segment in self.message.segments() {
            let fields: &[(usize, KeyKind, Keyed)] = match segment.name() {
                "PID" => &[(3, KeyKind::PatientId, Keyed::Cx)],
                "MRG" => &[(1, KeyKind::PatientId, Keyed::Cx), (5, KeyKind::VisitNumber, Keyed::Cx)],
                "PV1" => &[(19, KeyKind::VisitNumber, Keyed::Cx)],
                "ORC" | "OBR" => {
                    &[(2, KeyKind::PlacerOrder, Keyed::Ei), (3, KeyKind::FillerOrder, Keyed::Ei)]
                }
                _ => &[],
            };
            for (field, kind, keyed) in fields {
                let field = segment.field(*field);
                for index in 0..field.repetition_count() {
                    self.key_of(field.repetition(index), *kind, *keyed, &mut keys);
                }
            }
        }
        let plain = [
            (KeyKind::ControlId, self.header_text(10, 1)),
            (KeyKind::Sender, format!("{}|{}", self.header_text(3, 1), self.header_text(4, 1))),
            (KeyKind::MessageType, format!("{}^{}", self.header_text(9, 1), self.header_text(9, 2))),
            (KeyKind::MessageTime, self.header_text(7, 1)),
        ];
        keys.extend(
            plain.into_iter().filter(|(_, value)| !value.is_empty()).map(|(kind, value)| BusinessKey {
                kind,
                value,
                system: None,
            }),
        );
        keys
    }

    fn key_of(&self, part: Part<'a>, kind: KeyKind, keyed: Keyed, keys: &mut Vec<BusinessKey>) {
        let value = first_text(part).into_owned();
        if value.is_empty() {
            return;
        }
        let system = self.identity.system_of(part, super::Level::Repetition, keyed);
        let system = system.map(|found| found.uri.into_owned());
        let key = BusinessKey { kind, value, system };
        if !keys.contains(&key) {
            keys.push(key);
        }
    }

    /// Coverage of the header, of the built-in Provenance, and of what the files ignore.
    pub(super) fn envelope_coverage(&mut self, plan: &'a MessagePlan) {
        if let Some(header) = self.groups.first("MSH") {
            HEADER_FIELDS.iter().for_each(|field| self.mark_field(header, *field));
        }
        if let Some(event) = self.groups.first("EVN") {
            let recorded = self.message.segment(event).map(|event| first_text(event.field(2)).into_owned());
            // What is no time was rejected, or is reported as not mapped.
            if recorded.is_some_and(|text| time::moment(&text).is_ok()) {
                self.mark_field(event, 2);
            }
            // The event that was acted on, said again; another one was not.
            let named = self.message.segment(event).map(|event| first_text(event.field(1)).into_owned());
            if named.is_some_and(|named| named == self.header_text(9, 2)) {
                self.mark_field(event, 1);
            }
            self.ledger.ignore(event, &[1], "the event of MSH-9 counts");
        }
        let program = self.program;
        // What a map ignores of other segments holds for all of them: once is enough.
        let mut settled: HashSet<usize> = HashSet::new();
        for index in 0..self.instances.len() {
            let Some(instance) = self.instances.get(index) else { continue };
            let (segment, number, continued) = (instance.segment, instance.map, instance.continued.clone());
            let Some(map) = program.maps.get(number) else { continue };
            self.ignore_of_map(map, segment, settled.insert(number));
            for next in continued {
                self.ledger.copy_fates(segment, next);
                self.ignore_of_map(map, next, false);
            }
        }
        plan.ignore.iter().for_each(|ignore| self.ignore_everywhere(ignore));
    }

    fn ignore_of_map(&mut self, map: &'a Map, own: usize, is_first: bool) {
        for ignore in &map.ignore {
            if self.groups.name(own) == ignore.segment {
                self.ledger.ignore(own, &ignore.numbers, &ignore.reason);
            } else if is_first {
                self.ignore_everywhere(ignore);
            }
        }
    }

    fn ignore_everywhere(&mut self, ignore: &'a Ignore) {
        for segment in self.groups.all(&ignore.segment) {
            self.ledger.ignore(segment, &ignore.numbers, &ignore.reason);
        }
    }
}
