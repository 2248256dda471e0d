//! Decide, de-identify, verify and seal what a message changed, for every cloud destination. Fails closed:
//! one refusal, and nothing that the message changed leaves.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use residency::{Decision, Destination, Labels, Policy, Profile, Pseudonym, Pseudonyms, SealingKey, Subject};
use serde_json::{Value, json};
use store::{NewDelivery, NewPseudonym};
use uuid::Uuid;
use verifier::{Grammar, KnownIdentifiers};

use crate::derive::Write;
use crate::{Environment, Error, Ports};

/// Cached pseudonyms of one destination before the cache is emptied.
const CACHED_PSEUDONYMS_MAX: usize = 100_000;

/// What decides and transforms on the way out; immutable but for its pseudonym cache.
pub struct Release {
    policy: Arc<Policy>,
    /// By profile id: the transformer, and the verifier's own reading of the same files.
    profiles: HashMap<String, (Arc<Profile>, Arc<Grammar>)>,
    sealing_key: Arc<SealingKey>,
    cache: HashMap<String, Pseudonyms>,
}

/// What may leave after one message.
#[derive(Default)]
pub struct Outcome {
    /// Sealed deliveries, in resource order.
    pub deliveries: Vec<NewDelivery>,
    /// Pseudonyms made for them.
    pub pseudonyms: Vec<NewPseudonym>,
    /// One line a destination for the ledger: code and count (`permit`, `deny:<reason>`).
    pub decisions: Vec<(String, String, u64)>,
    /// Set when something was refused; then `deliveries` is empty.
    pub refused: Option<String>,
}

/// The parties of one release.
struct Gate<'a> {
    environment: &'a Environment,
    destination: &'a Destination,
    decision: &'a Decision,
    profile: &'a Profile,
    grammar: &'a Grammar,
    known: &'a KnownIdentifiers,
}

/// One thing to send: a resource under its owner, or (`body` is `None`) the notice that it is gone.
struct Outgoing<'a> {
    write: &'a Write,
    owner: Option<&'a str>,
    body: Option<&'a Value>,
}

/// A resource that changed owners is withdrawn under the old one's id before it goes out under the new one's.
fn outgoing<'a>(write: &'a Write, profile: &Profile) -> Vec<Outgoing<'a>> {
    let old = write.moved_from.as_deref().filter(|_| !profile.has_own_pseudonym(write.key.resource_type));
    let withdrawn = old.map(|owner| Outgoing { write, owner: Some(owner), body: None });
    let current = Outgoing { write, owner: write.patient.as_deref(), body: write.body.as_ref() };
    withdrawn.into_iter().chain([current]).collect()
}

/// A subject's pseudonym, or why a resource did not pass (code and element path).
enum Refused {
    Code(String),
}

impl Release {
    /// `profiles`: every profile a destination of `policy` names, with its grammar.
    pub fn new(
        policy: Arc<Policy>,
        profiles: HashMap<String, (Arc<Profile>, Arc<Grammar>)>,
        sealing_key: Arc<SealingKey>,
    ) -> Self {
        Self { policy, profiles, sealing_key, cache: HashMap::new() }
    }

    /// Content hash of the policy in force.
    pub fn policy_hash(&self) -> &str {
        self.policy.hash()
    }

    /// Forgets cached pseudonyms; the store is the truth again.
    pub fn clear(&mut self) {
        self.cache.clear();
    }

    /// Everything of `writes` that a policy lets out, sealed.
    pub async fn release(
        &mut self,
        ports: &Ports,
        environment: &Environment,
        writes: &[Write],
        known: &KnownIdentifiers,
    ) -> Result<Outcome, Error> {
        let mut outcome = Outcome::default();
        let policy = Arc::clone(&self.policy);
        for destination in policy.destinations().into_iter().filter(|destination| destination.cloud) {
            self.release_to(ports, environment, destination, writes, known, &mut outcome).await?;
        }
        if outcome.refused.is_some() {
            outcome.deliveries.clear();
        }
        Ok(outcome)
    }

    async fn release_to(
        &mut self,
        ports: &Ports,
        environment: &Environment,
        destination: &Destination,
        writes: &[Write],
        known: &KnownIdentifiers,
        outcome: &mut Outcome,
    ) -> Result<(), Error> {
        for write in writes {
            let decision = self.decide(destination, write);
            let profile_id = match &decision {
                Decision::Permit { profile, .. } => profile.clone(),
                Decision::Deny { reason, .. } => {
                    count(outcome, &destination.id, &format!("deny:{reason}"));
                    continue;
                }
            };
            let Some((profile, grammar)) = self.profiles.get(&profile_id).cloned() else {
                outcome.refused = Some(format!("profile-missing:{profile_id}"));
                continue;
            };
            let gate = Gate {
                environment,
                destination,
                decision: &decision,
                profile: &profile,
                grammar: &grammar,
                known,
            };
            for outgoing in outgoing(write, &profile) {
                self.pseudonyms_for(ports, &gate, &outgoing, outcome).await?;
                match self.pass(&gate, &outgoing) {
                    Ok(delivery) => {
                        count(outcome, &destination.id, "permit");
                        outcome.deliveries.push(delivery);
                    }
                    Err(Refused::Code(code)) => {
                        count(outcome, &destination.id, "refused");
                        outcome.refused = Some(code);
                    }
                }
            }
        }
        Ok(())
    }

    fn decide(&self, destination: &Destination, write: &Write) -> Decision {
        // A deletion notice has no content to be sensitive: what went out may always be withdrawn.
        let normal = || Labels(vec![residency::LABEL_NORMAL.to_owned()]);
        let labels = write.body.as_ref().map_or_else(normal, |body| residency::label(&self.policy, body));
        self.policy.decide(&destination.id, write.key.resource_type, &labels)
    }

    /// Loads or makes the pseudonyms that `write` needs.
    async fn pseudonyms_for(
        &mut self,
        ports: &Ports,
        gate: &Gate<'_>,
        outgoing: &Outgoing<'_>,
        outcome: &mut Outcome,
    ) -> Result<(), Error> {
        let (destination, key) = (gate.destination, &outgoing.write.key);
        let needs = match outgoing.body {
            Some(body) => gate.profile.needs(body, outgoing.owner),
            None => gate.profile.needs_to_name(key.resource_type, &key.id, outgoing.owner),
        };
        let cache = self.cache.entry(destination.id.clone()).or_default();
        if cache.0.len() > CACHED_PSEUDONYMS_MAX {
            cache.0.clear();
            // What this message made is not durable yet and cannot be found in the store.
            for made in outcome.pseudonyms.iter().filter(|made| made.destination == destination.id) {
                cache.0.insert(subject_of(made), pseudonym_of(made));
            }
        }
        let missing: Vec<_> = needs.into_iter().filter(|subject| !cache.0.contains_key(subject)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let wanted: Vec<_> = missing.iter().map(|s| (s.resource_type, s.clinical_id.clone())).collect();
        for stored in ports.apply.pseudonyms(&destination.id, &wanted).await? {
            cache.0.insert(subject_of(&stored), pseudonym_of(&stored));
        }
        for subject in missing {
            if let Entry::Vacant(vacant) = cache.0.entry(subject) {
                let pseudonym = new_pseudonym(gate.environment);
                outcome.pseudonyms.push(NewPseudonym {
                    destination: destination.id.clone(),
                    resource_type: vacant.key().resource_type,
                    clinical_id: vacant.key().clinical_id.clone(),
                    released_id: pseudonym.released_id.clone(),
                    secret: pseudonym.secret,
                });
                vacant.insert(pseudonym);
            }
        }
        Ok(())
    }

    /// De-identify, verify, release, seal: the only way from a clinical body to the outbox.
    fn pass(&self, gate: &Gate<'_>, outgoing: &Outgoing<'_>) -> Result<NewDelivery, Refused> {
        let Gate { environment, destination, decision, profile, grammar, known } = *gate;
        let Outgoing { write, owner, body } = *outgoing;
        let resource_type = write.key.resource_type;
        let refused = |stage: &str, location: &str| {
            Refused::Code(format!("{stage}:{}:{location}", resource_type.as_str()))
        };
        let from_residency = |refusal: residency::Refusal| refused(refusal.code, &refusal.location);
        let empty = Pseudonyms::default();
        let map = self.cache.get(&destination.id).unwrap_or(&empty);
        let decision_id = new_id(environment);
        let (released_id, released, actions) = match body {
            Some(body) => {
                let year = year_of((environment.now_us)());
                let done = profile.deidentify(body, owner, map, year).map_err(from_residency)?;
                let bytes = fhir::canonical_json(&done.resource);
                let pass = verifier::verify(&bytes, grammar, known).map_err(|findings| {
                    let first = findings.first();
                    refused(first.map_or("verifier", |f| f.check), first.map_or("", |f| f.location.as_str()))
                })?;
                let released = residency::release(bytes, &pass, decision, decision_id, destination);
                (done.released_id, released.map_err(from_residency)?, actions_json(&done.actions))
            }
            None => {
                let id = profile
                    .released_id_of(resource_type, &write.key.id, owner, map)
                    .map_err(from_residency)?;
                let released =
                    residency::release_deletion(resource_type, &id, decision, decision_id, destination);
                (id, released.map_err(from_residency)?, "[]".to_owned())
            }
        };
        let sealed = released.seal(&self.sealing_key);
        let lane = owner.map_or_else(|| released_id.clone(), |owner| lane_of(owner, map, &released_id));
        Ok(NewDelivery {
            id: new_id(environment),
            destination: destination.id.clone(),
            lane,
            resource: write.key.clone(),
            released_id,
            version: write.version,
            sealed: store::Sealed {
                destination: sealed.destination,
                decision_id: sealed.decision_id,
                bytes: sealed.bytes,
                mac: sealed.mac,
            },
            actions,
        })
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

fn count(outcome: &mut Outcome, destination: &str, code: &str) {
    let found = outcome.decisions.iter_mut().find(|(d, c, _)| d == destination && c == code);
    match found {
        Some((_, _, number)) => *number += 1,
        None => outcome.decisions.push((destination.to_owned(), code.to_owned(), 1)),
    }
}

fn subject_of(stored: &NewPseudonym) -> Subject {
    Subject { resource_type: stored.resource_type, clinical_id: stored.clinical_id.clone() }
}

fn pseudonym_of(stored: &NewPseudonym) -> Pseudonym {
    Pseudonym { released_id: stored.released_id.clone(), secret: stored.secret }
}

fn new_pseudonym(environment: &Environment) -> Pseudonym {
    let mut random = [0; 48];
    (environment.fill_random)(&mut random);
    Pseudonym::from_random(&random)
}

/// A random id of the journal's kind (UUIDv7), from the shell's clock and randomness.
pub fn new_id(environment: &Environment) -> Uuid {
    let mut random = [0; 10];
    (environment.fill_random)(&mut random);
    let millis = u64::try_from((environment.now_us)() / 1000).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

/// The UTC year of an instant (proleptic Gregorian; days-to-civil after Howard Hinnant).
fn year_of(now_us: i64) -> i32 {
    const US_PER_DAY: i64 = 86_400_000_000;
    let days = now_us.div_euclid(US_PER_DAY) + 719_468;
    let era = days.div_euclid(146_097);
    let day = days.rem_euclid(146_097);
    let year_of_era = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // From March: January and February belong to the next civil year.
    let is_after_december = (5 * day_of_year + 2) / 153 >= 10;
    i32::try_from(year_of_era + era * 400 + i64::from(is_after_december)).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::year_of;

    #[test]
    fn the_year_turns_on_the_first_of_january_utc() {
        assert_eq!(year_of(0), 1970);
        assert_eq!(year_of(-1), 1969);
        assert_eq!(year_of(1_704_067_199_999_999), 2023);
        assert_eq!(year_of(1_704_067_200_000_000), 2024);
        assert_eq!(year_of(1_709_251_200_000_000), 2024);
    }
}
