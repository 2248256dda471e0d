//! The identifiers a message names, collected for the verifier: none of them may stand in what leaves.

use hl7v2::{Message, Part};
use mapping::Translation;
use store::Seq;
use verifier::{IdentifierKind, KnownIdentifiers};

use crate::{Error, Ports};

/// Segments that speak about people (the patient, relatives, guarantors, insured persons).
const PERSONAL: [&str; 7] = ["PID", "PD1", "NK1", "GT1", "IN1", "IN2", "MRG"];

/// From the raw person segments, whether mapped or not, and from every resource that was made.
pub fn known(message: &Message<'_>, translation: &Translation) -> KnownIdentifiers {
    let mut known = KnownIdentifiers::default();
    for set in &translation.change.sets {
        known.add_resource(&set.resource);
    }
    add_message(&mut known, message);
    known
}

/// Most messages of a patient whose identifiers are read again: the last ones.
const MESSAGES_MAX: usize = 64;

/// Adds the identifiers that a patient's messages name, for what leaves without a message of its own.
pub async fn add_messages_of(
    known: &mut KnownIdentifiers,
    ports: &Ports,
    patient: &str,
) -> Result<(), Error> {
    for seq in ports.apply.messages_of(patient).await?.into_iter().rev().take(MESSAGES_MAX) {
        let entries = ports.journal.after(Seq(seq.0 - 1), 1).await?;
        for entry in entries.iter().filter(|entry| entry.seq == seq) {
            // What cannot be read was never applied.
            if let Ok(message) = Message::read_as(&entry.bytes, entry.charset.as_deref()) {
                add_message(known, &message);
            }
        }
    }
    Ok(())
}

fn add_message(known: &mut KnownIdentifiers, message: &Message<'_>) {
    for segment in message.segments().filter(|segment| PERSONAL.contains(&segment.name())) {
        let Some(fields) = hl7v2::dictionary::segment(segment.name()) else { continue };
        for (number, definition) in (1..).zip(fields) {
            let field = segment.field(number);
            for repetition in 0..field.repetition_count() {
                add(known, definition.datatype, field.repetition(repetition));
            }
        }
    }
}

fn add(known: &mut KnownIdentifiers, datatype: &str, part: Part<'_>) {
    let components: &[(usize, IdentifierKind)] = match datatype {
        "XPN" => &[(1, IdentifierKind::Name), (2, IdentifierKind::Name), (3, IdentifierKind::Name)],
        "XCN" => &[(2, IdentifierKind::Name), (3, IdentifierKind::Name)],
        "CX" => &[(1, IdentifierKind::Number)],
        "XTN" => &[(1, IdentifierKind::Phone), (4, IdentifierKind::Email), (12, IdentifierKind::Phone)],
        "XAD" => &[(1, IdentifierKind::Street)],
        _ => &[],
    };
    for (number, kind) in components {
        // A name or street may come in subcomponents (FN, SAD): its first one is the name itself.
        let text = part.component(*number).subcomponent(1).text();
        if !text.is_empty() {
            known.add(*kind, &text);
        }
    }
}
