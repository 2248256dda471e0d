//! De-identify, verify, release, seal: the only way from a clinical body to the outbox.

use residency::{Decision, Destination, Profile, Pseudonyms, Subject};
use serde_json::{Value, json};
use store::{Effect, NewDelivery};
use verifier::{Grammar, KnownIdentifiers};

use super::Release;
use crate::Environment;
use crate::derive::Write;
use crate::id::new_id;
use crate::year::year_of;

/// The parties of one release.
pub(super) struct Gate<'a> {
    pub(super) environment: &'a Environment,
    pub(super) destination: &'a Destination,
    pub(super) decision: &'a Decision,
    pub(super) profile: &'a Profile,
    pub(super) grammar: &'a Grammar,
    pub(super) known: &'a KnownIdentifiers,
}

/// Why a resource did not pass (code and element path).
pub(super) struct Refused(pub(super) String);

impl Release {
    /// De-identify, verify, release, seal: the only way from a clinical body to the outbox.
    pub(super) fn pass(&self, gate: &Gate<'_>, write: &Write) -> Result<NewDelivery, Refused> {
        let Gate { environment, destination, decision, profile, grammar, known } = *gate;
        let resource_type = write.key.resource_type;
        let refused =
            |stage: &str, location: &str| Refused(format!("{stage}:{}:{location}", resource_type.as_str()));
        let from_residency = |refusal: residency::Refusal| refused(refusal.code, &refusal.location);
        let empty = Pseudonyms::default();
        let map = self.cache.get(&destination.id).unwrap_or(&empty);
        let (owner, decision_id) = (write.patient.as_deref(), new_id(environment));
        let body = write.body.as_ref().ok_or_else(|| refused("deleted", ""))?;
        let year = year_of((environment.now_us)());
        let done = profile.deidentify(body, owner, map, year).map_err(from_residency)?;
        let bytes = fhir::canonical_json(&done.resource);
        let pass = verifier::verify(&bytes, grammar, known).map_err(|findings| {
            let first = findings.first();
            refused(first.map_or("verifier", |f| f.check), first.map_or("", |f| f.location.as_str()))
        })?;
        let content = pass.content_hash();
        let released =
            residency::release(bytes, &pass, decision, decision_id, destination).map_err(from_residency)?;
        let released_id = done.released_id;
        let lane = owner.map_or_else(|| released_id.clone(), |owner| lane_of(owner, map, &released_id));
        Ok(NewDelivery {
            id: new_id(environment),
            destination: destination.id.clone(),
            lane,
            resource: write.key.clone(),
            version: write.version,
            patient: write.patient.clone(),
            revision: self.standings.next_revision(&destination.id, &write.key, &released_id),
            released_id,
            effect: Effect::Stands(content),
            basis: self.basis.clone(),
            sealed: self.sealed(&released),
            actions: actions_json(&done.actions),
        })
    }

    pub(super) fn sealed(&self, released: &residency::Released<residency::Cloud>) -> store::Sealed {
        let sealed = released.seal(&self.sealing_key);
        store::Sealed {
            destination: sealed.destination,
            decision_id: sealed.decision_id,
            bytes: sealed.bytes,
            mac: sealed.mac,
        }
    }
}

/// FIFO lane: the owner's pseudonym, so that one patient's changes arrive in order.
fn lane_of(owner: &str, map: &Pseudonyms, released_id: &str) -> String {
    let Some(patient) = fhir::ResourceType::parse("Patient") else { return released_id.to_owned() };
    let subject = Subject { resource_type: patient, clinical_id: owner.to_owned() };
    map.0.get(&subject).map_or_else(|| released_id.to_owned(), |pseudonym| pseudonym.released_id.clone())
}

fn actions_json(actions: &[residency::ElementAction]) -> String {
    let rows: Vec<Value> = actions
        .iter()
        .map(|action| json!({"location": action.location, "operation": action.operation}))
        .collect();
    Value::Array(rows).to_string()
}
