//! Pseudonyms that a release needs: cached, loaded, or made from randomness.

use std::collections::hash_map::Entry;
use std::sync::Arc;

use fhir::ResourceType;
use residency::{Pseudonym, Subject};
use store::NewPseudonym;

use super::Release;
use super::outcome::Outcome;
use super::pass::Gate;
use crate::derive::Write;
use crate::{Environment, Error, Ports};

/// Cached pseudonyms of one destination before the cache is emptied.
const CACHED_PSEUDONYMS_MAX: usize = 100_000;

impl Release {
    /// Loads the pseudonyms of these subjects at every cloud destination, and remembers which have none yet.
    pub(super) async fn prefetch_pseudonyms(
        &mut self,
        ports: &Ports,
        subjects: &[(ResourceType, String)],
    ) -> Result<(), Error> {
        let policy = Arc::clone(&self.policy);
        for destination in policy.destinations().into_iter().filter(|destination| destination.cloud) {
            let Some((profile, _)) = destination.profile.as_ref().and_then(|id| self.profiles.get(id)) else {
                continue;
            };
            let cache = self.cache.entry(destination.id.clone()).or_default();
            let absent = self.absent.entry(destination.id.clone()).or_default();
            if absent.len() > CACHED_PSEUDONYMS_MAX {
                absent.clear();
            }
            let unknown: Vec<Subject> = subjects
                .iter()
                .filter(|(resource_type, _)| profile.has_own_pseudonym(*resource_type))
                .map(|(resource_type, id)| Subject { resource_type: *resource_type, clinical_id: id.clone() })
                .filter(|subject| !cache.0.contains_key(subject) && !absent.contains(subject))
                .collect();
            if unknown.is_empty() {
                continue;
            }
            let wanted: Vec<_> =
                unknown.iter().map(|subject| (subject.resource_type, subject.clinical_id.clone())).collect();
            for stored in ports.apply.pseudonyms(&destination.id, &wanted).await? {
                cache.0.insert(subject_of(&stored), pseudonym_of(&stored));
            }
            absent.extend(unknown.into_iter().filter(|subject| !cache.0.contains_key(subject)));
        }
        Ok(())
    }

    /// Loads or makes the pseudonyms that `write` needs.
    pub(super) async fn pseudonyms_for(
        &mut self,
        ports: &Ports,
        gate: &Gate<'_>,
        write: &Write,
        outcome: &mut Outcome,
    ) -> Result<(), Error> {
        let destination = gate.destination;
        let Some(body) = &write.body else { return Ok(()) };
        let needs = gate.profile.needs(body, write.patient.as_deref());
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
        let absent = self.absent.entry(destination.id.clone()).or_default();
        let wanted: Vec<_> = missing
            .iter()
            .filter(|subject| !absent.remove(subject))
            .map(|subject| (subject.resource_type, subject.clinical_id.clone()))
            .collect();
        if !wanted.is_empty() {
            for stored in ports.apply.pseudonyms(&destination.id, &wanted).await? {
                cache.0.insert(subject_of(&stored), pseudonym_of(&stored));
            }
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
