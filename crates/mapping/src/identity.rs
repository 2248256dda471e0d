//! Ids: UUIDv5 of the site's secret namespace, the resource type and what identifies the thing.

use crate::execute::{Level, child};
use crate::plan::Keyed;
use crate::site::Site;
use crate::systems::{Resolved, Systems};
use hl7v2::Part;
use std::borrow::Cow;
use uuid::Uuid;

/// What an id needs to know of the node.
pub(crate) struct Identity<'i> {
    pub namespace: Uuid,
    /// Part of site-scoped URNs; tells nothing about the namespace.
    pub token: String,
    pub systems: &'i Systems,
    pub site: &'i Site,
    /// MSH-4.1: scope of numbers without an authority.
    pub facility: String,
}

/// First characters of a derived UUID that make a site token.
const TOKEN_LENGTH: usize = 12;

impl<'i> Identity<'i> {
    pub fn new(namespace: Uuid, systems: &'i Systems, site: &'i Site, facility: String) -> Self {
        let token: String =
            Uuid::new_v5(&namespace, b"site token").simple().to_string().chars().take(TOKEN_LENGTH).collect();
        Identity { namespace, token, systems, site, facility }
    }

    /// The id of a thing.
    pub fn id(&self, kind: &str, parts: &[impl AsRef<str>]) -> String {
        named(self.namespace, kind, parts)
    }

    /// The identifying text of a value: `system|value` for identifiers and codes, else its text. None when absent.
    pub fn key<'a>(&self, part: Part<'a>, level: Level, keyed: Keyed) -> Option<Cow<'a, str>> {
        let text = |n: u16| child(part, level, n).map(|(part, _)| first_text(part)).unwrap_or_default();
        match keyed {
            Keyed::Plain => Some(first_text(part)).filter(|text| !text.is_empty()),
            Keyed::Coded => {
                let (code, system) = (text(1), text(3));
                let code = if code.is_empty() { text(2) } else { code };
                (!code.is_empty()).then(|| [&*system, "|", &*code].concat().into())
            }
            Keyed::Cx | Keyed::Xcn | Keyed::Xon | Keyed::Ei => {
                let value = match keyed {
                    Keyed::Xon if !text(10).is_empty() => text(10),
                    Keyed::Xon => text(3),
                    Keyed::Cx | Keyed::Xcn | Keyed::Ei | Keyed::Plain | Keyed::Coded => text(1),
                };
                if value.is_empty() {
                    return None;
                }
                let system = self.system_of(part, level, keyed).map(|found| found.uri).unwrap_or_else(|| {
                    format!("urn:tidegate:{}:facility:{}", self.token, self.facility).into()
                });
                Some(patient_name(&system, &value).into())
            }
        }
    }

    /// The URI of the authority inside a composite identifier.
    pub fn system_of(&self, part: Part<'_>, level: Level, keyed: Keyed) -> Option<Resolved<'i>> {
        let piece = |n: u16| child(part, level, n);
        let (authority, type_code) = match keyed {
            Keyed::Cx => (piece(4), piece(5)),
            Keyed::Xcn => (piece(9), piece(13)),
            Keyed::Xon => (piece(6), piece(7)),
            Keyed::Ei => {
                let text = |n: u16| piece(n).map(|(part, _)| first_text(part)).unwrap_or_default();
                return self.systems.authority(self.site, &self.token, &text(2), &text(3), &text(4), "");
            }
            Keyed::Plain | Keyed::Coded => return None,
        };
        let (authority, level) = authority?;
        let type_code = type_code.map(|(part, _)| first_text(part)).unwrap_or_default();
        self.authority(authority, level, &type_code)
    }

    /// The URI of an HD.
    pub fn authority(&self, part: Part<'_>, level: Level, type_code: &str) -> Option<Resolved<'i>> {
        let text = |n: u16| child(part, level, n).map(|(part, _)| first_text(part)).unwrap_or_default();
        self.systems.authority(
            self.site,
            &self.token,
            text(1).trim(),
            text(2).trim(),
            text(3).trim(),
            type_code,
        )
    }
}

/// The clinical id of a patient whom nothing but this number names, in the site's secret namespace.
pub fn patient_id(namespace: Uuid, system: &str, value: &str) -> String {
    named(namespace, "Patient", &[patient_name(system, value)])
}

/// What an id is made of: the number with its system.
pub(crate) fn patient_name(system: &str, value: &str) -> String {
    [system, "|", value].concat()
}

fn named(namespace: Uuid, kind: &str, parts: &[impl AsRef<str>]) -> String {
    let length: usize = parts.iter().map(|part| part.as_ref().len() + 2).sum();
    let mut name = String::with_capacity(kind.len() + length);
    name.push_str(kind);
    for part in parts {
        name.push('|');
        // The separator inside a part must not look like one between parts.
        for piece in part.as_ref().split_inclusive(['\\', '|']) {
            match (piece.strip_suffix('\\'), piece.strip_suffix('|')) {
                (Some(before), _) => name.extend([before, "\\\\"]),
                (None, Some(before)) => name.extend([before, "\\p"]),
                (None, None) => name.push_str(piece),
            }
        }
    }
    let mut text = Uuid::encode_buffer();
    Uuid::new_v5(&namespace, name.as_bytes()).hyphenated().encode_lower(&mut text).to_owned()
}

/// A part as plain text: of a composite its first subcomponent; HL7 null is empty.
pub(crate) fn first_text(part: Part<'_>) -> Cow<'_, str> {
    let leaf = part.component(1).subcomponent(1);
    if leaf.raw() == b"\"\"" { Cow::Borrowed("") } else { leaf.text() }
}
