//! Released ids: random for patients and shared entities, derived from the patient's secret for all else.

use std::collections::HashMap;
use std::fmt;

use aws_lc_rs::hmac;
use zeroize::Zeroize;

/// Bytes of a released id before it is written in hexadecimal.
const RELEASED_ID_BYTES: usize = 16;

/// Who has a random pseudonym and secret of its own: a patient or a shared entity (Practitioner, Organization,
/// Location …). Debug prints the type alone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subject {
    /// Its resource type.
    pub resource_type: fhir::ResourceType,
    /// Its id in the clinical store.
    pub clinical_id: String,
}

impl fmt::Debug for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Subject({})", self.resource_type.as_str())
    }
}

/// Released id (32 hexadecimal digits, random) and secret (32 bytes) of one subject at one destination. The secret is
/// wiped on drop and never printed.
#[derive(Clone)]
pub struct Pseudonym {
    /// The id under which the subject is known at the destination.
    pub released_id: String,
    /// Key from which the ids of the subject's other resources derive.
    pub secret: [u8; 32],
}

impl Pseudonym {
    /// A pseudonym from 48 random bytes that the shell supplies: 16 for the id, 32 for the secret. It is not derived
    /// from the individual, as 45 CFR 164.514(c) asks.
    pub fn from_random(random: &[u8; 48]) -> Self {
        let (id, rest) = random.split_at(RELEASED_ID_BYTES);
        let mut secret = [0; 32];
        secret.copy_from_slice(rest);
        Self { released_id: hex(id), secret }
    }

    /// Released id of a resource that belongs to this patient.
    pub(crate) fn dependent_id(&self, resource_type: fhir::ResourceType, clinical_id: &str) -> String {
        dependent_id(&hmac::Key::new(hmac::HMAC_SHA256, &self.secret), resource_type.as_str(), clinical_id)
    }
}

impl Drop for Pseudonym {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}

impl fmt::Debug for Pseudonym {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Pseudonym([redacted])")
    }
}

/// The pseudonyms of one destination that a resource needs.
#[derive(Default, Clone)]
pub struct Pseudonyms(pub HashMap<Subject, Pseudonym>);

impl fmt::Debug for Pseudonyms {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Pseudonyms({})", self.0.len())
    }
}

/// Id of a resource that belongs to a patient: the first 128 bits of HMAC-SHA-256(secret, `Type|id`), in hexadecimal.
pub(crate) fn dependent_id(key: &hmac::Key, resource_type: &str, clinical_id: &str) -> String {
    let mut context = hmac::Context::with_key(key);
    context.update(resource_type.as_bytes());
    context.update(b"|");
    context.update(clinical_id.as_bytes());
    let tag = context.sign();
    hex(tag.as_ref().get(..RELEASED_ID_BYTES).unwrap_or_default())
}

/// Does `id` have the form of a released id: 32 lowercase hexadecimal digits?
pub(crate) fn is_released_id(id: &str) -> bool {
    id.len() == 2 * RELEASED_ID_BYTES && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Lowercase hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    // A nibble is below 16, the length of the table.
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|nibble| DIGITS[usize::from(nibble)]).collect()
}
