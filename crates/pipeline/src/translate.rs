//! From journal bytes to a [`Translation`]: pure, the same for live traffic, a reprocess and the console.

use mapping::{Context, Package, Rejection, Translation};
use store::Entry;
use uuid::Uuid;

/// What became of one journal entry, before it meets the current state.
pub enum Translated {
    /// A translation to apply, and the identifiers that must not leave.
    Message {
        /// What the message says.
        translation: Box<Translation>,
        /// Known identifiers, for the verifier.
        known: verifier::KnownIdentifiers,
        /// `ADT^A01`.
        message_type: String,
        /// `APP|FACILITY`, from MSH-3 and MSH-4.
        sender: String,
    },
    /// It is one part of a longer message (DSC, MSH-14, ADD), which says nothing alone.
    Part {
        /// Which part.
        part: hl7v2::continuation::Part,
        /// `ORU^R01`.
        message_type: String,
        /// `APP|FACILITY`.
        sender: String,
        /// Business keys of its header.
        keys: Vec<store::Key>,
    },
    /// A part that follows those before it, and that another is to follow.
    Waiting {
        /// `ORU^R01`.
        message_type: String,
        /// `APP|FACILITY`.
        sender: String,
        /// Business keys of its header, and the one by which the next part finds it.
        keys: Vec<store::Key>,
    },
    /// It ends in quarantine; the bytes stay in the journal.
    Quarantined {
        /// Code of the cause (`no-header`, `unsupported-type`, ...).
        reason: String,
        /// `ADT^A01` when the header could be read, else empty.
        message_type: String,
        /// `APP|FACILITY` when the header could be read, else empty.
        sender: String,
        /// Business keys that could be read in spite of all (control id, patient id).
        keys: Vec<store::Key>,
    },
}

/// Translates one entry. Deterministic: same bytes, package and namespace, same result.
pub fn translate(package: &Package, namespace: Uuid, entry: &Entry) -> Translated {
    let message = match hl7v2::Message::read_as(&entry.bytes, entry.charset.as_deref()) {
        Ok(message) => message,
        Err(_) => {
            let reason = entry.refused.clone().unwrap_or_else(|| "no-header".to_owned());
            return Translated::Quarantined {
                reason,
                message_type: String::new(),
                sender: String::new(),
                keys: Vec::new(),
            };
        }
    };
    let (message_type, sender) = heading(&message);
    if let Some(reason) = &entry.refused {
        return Translated::Quarantined {
            reason: reason.clone(),
            message_type,
            sender,
            keys: header_keys(&message),
        };
    }
    if let Some(part) = hl7v2::continuation::Part::of(&message) {
        return Translated::Part { part, message_type, sender, keys: header_keys(&message) };
    }
    match package.translate(&message, &Context { namespace, site: None, trace: false }) {
        Ok(translation) => {
            let known = crate::identifiers::known(&message, &translation);
            Translated::Message { translation: Box::new(translation), known, message_type, sender }
        }
        Err(rejection) => Translated::Quarantined {
            reason: reason_of(&rejection),
            message_type,
            sender,
            keys: header_keys(&message),
        },
    }
}

/// Codes under which the console groups quarantined messages.
fn reason_of(rejection: &Rejection) -> String {
    match rejection {
        Rejection::UnsupportedType { .. } => "unsupported-type".to_owned(),
        Rejection::MissingRequired { path } => format!("missing:{path}"),
        Rejection::IdentityClash { resource_type } => format!("identity-clash:{resource_type}"),
    }
}

fn heading(message: &hl7v2::Message<'_>) -> (String, String) {
    let Some(header) = message.segment(0) else { return (String::new(), String::new()) };
    let text = |field: usize, component: usize| code_text(&header.field(field).component(component).text());
    let event = text(9, 2);
    let message_type = if event.is_empty() { text(9, 1) } else { format!("{}^{event}", text(9, 1)) };
    (message_type, format!("{}|{}", text(3, 1), text(4, 1)))
}

/// What may stand in a message row: letters, digits and `_-. `, at most 40; anything else is not a code.
fn code_text(text: &str) -> String {
    const CODE_LENGTH_MAX: usize = 40;
    let is_code = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ');
    if text.chars().count() <= CODE_LENGTH_MAX && text.chars().all(is_code) {
        text.to_owned()
    } else {
        "?".to_owned()
    }
}

fn header_keys(message: &hl7v2::Message<'_>) -> Vec<store::Key> {
    let control_id =
        message.segment(0).map(|header| header.field(10).text().into_owned()).filter(|id| !id.is_empty());
    let patient = message
        .segments()
        .find(|segment| segment.name() == "PID")
        .map(|pid| pid.field(3).component(1).text().into_owned())
        .filter(|id| !id.is_empty());
    let key = |kind, value| store::Key { kind, value, system: None };
    control_id
        .map(|value| key("control-id", value))
        .into_iter()
        .chain(patient.map(|value| key("patient-id", value)))
        .collect()
}
