//! Decide, de-identify, verify and seal what a message changed, for every cloud destination. Fails closed: one
//! refusal, and no content of what the message changed leaves. What may not stand any more is withdrawn all the same.

mod candidate;
mod decide;
mod outcome;
mod pass;
mod pseudonyms;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use residency::{Policy, Profile, Pseudonyms, SealingKey, Subject};
use store::Effect;
use verifier::{Grammar, KnownIdentifiers};

pub use self::outcome::Outcome;

use crate::derive::{self, Write};
use crate::standing::Standings;
use crate::state::{State, permit};
use crate::surroundings::{Known, owners};
use crate::{Environment, Error, Ports};

/// Cached standings, and cached surroundings of patients, before the caches are emptied.
const CACHED_MAX: usize = 50_000;

/// What decides and transforms on the way out; immutable but for its caches.
pub struct Release {
    policy: Arc<Policy>,
    /// By profile id: the transformer, and the verifier's own reading of the same files.
    profiles: HashMap<String, (Arc<Profile>, Arc<Grammar>)>,
    sealing_key: Arc<SealingKey>,
    basis: String,
    cache: HashMap<String, Pseudonyms>,
    /// Subjects that the store was asked for and has no pseudonym of, by destination; whom a release gives one leaves.
    absent: HashMap<String, HashSet<Subject>>,
    standings: Standings,
    surroundings: Known,
}

/// How much a resource insists on being sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Insist {
    /// It changed.
    Changed,
    /// Something around it changed: only when it does not stand.
    Absent,
    /// It is looked at again: only when what stands differs.
    Different,
}

impl Release {
    /// `profiles`: every profile a destination of `policy` names, with its grammar.
    pub fn new(
        policy: Arc<Policy>,
        profiles: HashMap<String, (Arc<Profile>, Arc<Grammar>)>,
        sealing_key: Arc<SealingKey>,
    ) -> Self {
        let basis = policy.basis(profiles.values().map(|(profile, _)| &**profile));
        Self {
            policy,
            profiles,
            sealing_key,
            basis,
            cache: HashMap::new(),
            absent: HashMap::new(),
            standings: Standings::default(),
            surroundings: Known::default(),
        }
    }

    /// The policy in force.
    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Content hash of the policy in force.
    pub fn policy_hash(&self) -> &str {
        self.policy.hash()
    }

    /// Content hash of the policy and the profiles in force: what decisions stand on.
    pub fn basis(&self) -> &str {
        &self.basis
    }

    /// Ids of the destinations in the cloud.
    pub(crate) fn destinations(&self) -> Vec<String> {
        let clouds = self.policy.destinations().into_iter().filter(|destination| destination.cloud);
        clouds.map(|destination| destination.id.clone()).collect()
    }

    /// Forgets what is cached; the store is the truth again. Nothing may be on its way there.
    pub fn clear(&mut self) {
        self.cache.clear();
        self.absent.clear();
        self.standings.clear();
        self.surroundings.clear();
    }

    /// Clears caches that have grown too large. Nothing may be on its way to the store.
    pub(crate) fn trim(&mut self) {
        if self.standings.len() > CACHED_MAX || self.surroundings.len() > CACHED_MAX {
            self.clear();
        }
    }

    /// Loads at once what releases of these patients and resources will ask for one by one.
    pub(crate) async fn prefetch(
        &mut self,
        ports: &Ports,
        patients: &BTreeSet<String>,
        sets: &[&mapping::ResourceSet],
        state: &State,
    ) -> Result<(), Error> {
        let policy = Arc::clone(&self.policy);
        self.surroundings.prefetch(ports, &policy, patients).await?;
        let patient = fhir::ResourceType::parse("Patient");
        let owners = patient.into_iter().flat_map(|of| patients.iter().map(move |id| (of, id.clone())));
        let subjects: BTreeSet<_> =
            owners.chain(sets.iter().map(|set| (set.resource_type, set.id.clone()))).collect();
        self.prefetch_pseudonyms(ports, &subjects.into_iter().collect::<Vec<_>>()).await?;
        let keys = sets.iter().map(|set| derive::key_of(set));
        let written: BTreeSet<_> =
            keys.filter(|key| state.peek(key).is_some_and(|current| current.version > 0)).collect();
        for destination in self.destinations() {
            self.standings.prefetch(ports, &destination, &self.basis, &written).await?;
        }
        Ok(())
    }

    /// Loads at once what decides about resources of these patients.
    pub(crate) async fn prefetch_surroundings(
        &mut self,
        ports: &Ports,
        patients: &BTreeSet<String>,
    ) -> Result<(), Error> {
        let policy = Arc::clone(&self.policy);
        self.surroundings.prefetch(ports, &policy, patients).await
    }

    /// Everything of `writes` that a policy lets out, sealed, and the withdrawal of all that may not stand any more:
    /// of the writes, and of what else their patients' consents or sensitive visits decide about. `state` holds what
    /// stood before the writes.
    pub async fn release(
        &mut self,
        ports: &Ports,
        environment: &Environment,
        state: &mut State,
        writes: &[Write],
        known: &mut KnownIdentifiers,
    ) -> Result<Outcome, Error> {
        let patients: BTreeSet<&str> = writes.iter().flat_map(owners).collect();
        let policy = Arc::clone(&self.policy);
        self.surroundings.load(ports, &policy, &patients).await?;
        let covered_before = self.covered(&patients);
        let changed = self.surroundings.note(&policy, writes);
        let affected: BTreeSet<&str> = patients
            .iter()
            .copied()
            .filter(|patient| changed.contains(*patient) || covered_before.contains(*patient))
            .collect();
        let mut others = Vec::new();
        for patient in &affected {
            state.load_compartment(ports, patient).await?;
            others.extend(standing_writes(state, patient, writes));
        }
        if !others.is_empty() {
            others.iter().filter_map(|write| write.body.as_ref()).for_each(|body| known.add_resource(body));
            for patient in &affected {
                crate::identifiers::add_messages_of(known, ports, patient).await?;
            }
        }
        let insisting = writes.iter().map(|write| (write, Insist::Changed));
        let all: Vec<_> = insisting.chain(others.iter().map(|write| (write, Insist::Absent))).collect();
        let mut outcome = self.decide_all(ports, environment, &all, known).await?;
        if outcome.refused.is_some() {
            outcome.deliveries.retain(|delivery| matches!(delivery.effect, Effect::Withdrawn(_)));
        }
        outcome.deliveries.iter().for_each(|delivery| self.standings.note(delivery));
        Ok(outcome)
    }

    /// As [`Release::release`], for all of one patient or one shared entity as it stands: what differs from what would
    /// leave today is sent again, and what is refused is withdrawn.
    pub(crate) async fn release_again(
        &mut self,
        ports: &Ports,
        environment: &Environment,
        standing: &[Write],
        known: &KnownIdentifiers,
    ) -> Result<Outcome, Error> {
        let patients: BTreeSet<&str> = standing.iter().flat_map(owners).collect();
        let policy = Arc::clone(&self.policy);
        self.surroundings.load(ports, &policy, &patients).await?;
        let all: Vec<_> = standing.iter().map(|write| (write, Insist::Different)).collect();
        let outcome = self.decide_all(ports, environment, &all, known).await?;
        outcome.deliveries.iter().for_each(|delivery| self.standings.note(delivery));
        Ok(outcome)
    }

    /// Those of the patients who have a covered visit.
    fn covered(&self, patients: &BTreeSet<&str>) -> HashSet<String> {
        let covered =
            patients.iter().filter(|patient| self.surroundings.of(Some(patient)).has_covered_visits());
        covered.map(|patient| (*patient).to_owned()).collect()
    }
}

/// Live resources of a patient that `writes` do not touch, as they stand.
pub(crate) fn standing_writes(state: &State, patient: &str, writes: &[Write]) -> Vec<Write> {
    let written: HashSet<_> = writes.iter().map(|write| &write.key).collect();
    let owned = state.all_owned(patient).into_iter().filter(|(key, _)| !written.contains(key));
    owned
        .map(|(key, current)| Write {
            key,
            version: current.version,
            patient: current.patient.clone(),
            moved_from: None,
            client: None,
            body: current.shared(&permit()),
            is_stored: true,
        })
        .collect()
}
