//! The last step: bytes that passed become bytes that may leave, and keep their seal while they wait.

use std::fmt;
use std::marker::PhantomData;

use aws_lc_rs::{digest, hmac};
use uuid::Uuid;

use crate::clinical::{Cloud, OnPrem};
use crate::deidentify::Refusal;
use crate::policy::{Decision, Destination};

/// HMAC-SHA-256 key that seals stored deliveries; Debug prints no part of it.
pub struct SealingKey(hmac::Key);

impl SealingKey {
    /// A key of 32 random bytes.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SealingKey([redacted])")
    }
}

/// Bytes that may go to a zone. Made only by [`release`], which needs a [`verifier::Pass`] over the same bytes, by
/// [`crate::release_deletion`], which takes no content, by [`reopen`], which needs the seal of an earlier one, and for
/// on-prem zones alone by [`crate::MessagePermit::release`].
///
/// ```compile_fail
/// let made: residency::Released<residency::Cloud> = residency::Released::new(b"{}".to_vec());
/// ```
/// ```compile_fail
/// let made = residency::Released::<residency::Cloud> { bytes: vec![], destination: String::new() };
/// ```
/// ```compile_fail
/// let made: residency::Released<residency::Cloud> = Default::default();
/// ```
pub struct Released<Zone> {
    destination: String,
    decision_id: Uuid,
    bytes: Vec<u8>,
    zone: PhantomData<Zone>,
}

impl<Zone> Released<Zone> {
    /// What leaves: canonical JSON, or inside the hospital a message as it was received.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where it may go, and nowhere else.
    pub fn destination(&self) -> &str {
        &self.destination
    }

    /// The decision that allowed it.
    pub fn decision_id(&self) -> Uuid {
        self.decision_id
    }
}

impl Released<Cloud> {
    /// Its stored form.
    pub fn seal(&self, key: &SealingKey) -> Sealed {
        let tag = context(key, &self.destination, self.decision_id, &self.bytes).sign();
        let mut mac = [0; 32];
        mac.copy_from_slice(tag.as_ref());
        Sealed {
            destination: self.destination.clone(),
            decision_id: self.decision_id,
            bytes: self.bytes.clone(),
            mac,
        }
    }
}

impl Released<OnPrem> {
    /// For [`crate::MessagePermit`], which a policy gave.
    pub(crate) fn of_message(destination: String, decision_id: Uuid, bytes: Vec<u8>) -> Self {
        Self { destination, decision_id, bytes, zone: PhantomData }
    }
}

impl Released<Cloud> {
    /// For [`crate::release_deletion`], which has checked decision, destination and id.
    pub(crate) fn of_deletion(destination: &Destination, decision_id: Uuid, bytes: Vec<u8>) -> Self {
        Self { destination: destination.id.clone(), decision_id, bytes, zone: PhantomData }
    }
}

impl<Zone> fmt::Debug for Released<Zone> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Released({}, {}, {} bytes)", self.destination, self.decision_id, self.bytes.len())
    }
}

/// A released payload as it is stored: with a MAC over destination, decision id and bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Where it may go.
    pub destination: String,
    /// The decision that allowed it.
    pub decision_id: Uuid,
    /// The payload.
    pub bytes: Vec<u8>,
    /// HMAC-SHA-256.
    pub mac: [u8; 32],
}

impl fmt::Debug for Sealed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Sealed({}, {}, {} bytes)", self.destination, self.decision_id, self.bytes.len())
    }
}

/// Turns bytes that passed into bytes that may leave.
///
/// # Errors
/// [`Refusal`] with code `denied` when the decision is none to permit, `pass-of-other-profile`, `pass-of-other-bytes`, or
/// `destination-profile` when the destination asks for another profile or is in no cloud zone.
pub fn release(
    bytes: Vec<u8>,
    pass: &verifier::Pass,
    decision: &Decision,
    decision_id: Uuid,
    destination: &Destination,
) -> Result<Released<Cloud>, Refusal> {
    let Decision::Permit { profile, .. } = decision else {
        return Err(refusal("denied"));
    };
    if !destination.cloud || destination.profile.as_ref() != Some(profile) {
        return Err(refusal("destination-profile"));
    }
    if pass.profile_id() != profile {
        return Err(refusal("pass-of-other-profile"));
    }
    if digest::digest(&digest::SHA256, &bytes).as_ref() != pass.content_hash() {
        return Err(refusal("pass-of-other-bytes"));
    }
    Ok(Released { destination: destination.id.clone(), decision_id, bytes, zone: PhantomData })
}

/// Opens a stored payload.
///
/// # Errors
/// [`Refusal`] with code `seal` when the MAC is not ours for this destination, decision and payload.
pub fn reopen(sealed: Sealed, key: &SealingKey) -> Result<Released<Cloud>, Refusal> {
    let signed = sealed_bytes(&sealed.destination, sealed.decision_id, &sealed.bytes);
    hmac::verify(&key.0, &signed, &sealed.mac).map_err(|_| refusal("seal"))?;
    let Sealed { destination, decision_id, bytes, .. } = sealed;
    Ok(Released { destination, decision_id, bytes, zone: PhantomData })
}

fn context(key: &SealingKey, destination: &str, decision_id: Uuid, bytes: &[u8]) -> hmac::Context {
    let mut context = hmac::Context::with_key(&key.0);
    context.update(&sealed_bytes(destination, decision_id, bytes));
    context
}

/// What the seal covers, each part with its length before it, so that no two triples read the same.
fn sealed_bytes(destination: &str, decision_id: Uuid, bytes: &[u8]) -> Vec<u8> {
    let mut signed = Vec::with_capacity(bytes.len() + destination.len() + 64);
    for part in [b"tidegate.sealed.v1".as_slice(), destination.as_bytes(), decision_id.as_bytes(), bytes] {
        signed.extend_from_slice(&crate::profile::length_prefix(part));
        signed.extend_from_slice(part);
    }
    signed
}

fn refusal(code: &'static str) -> Refusal {
    Refusal { code, location: "release".to_owned() }
}
