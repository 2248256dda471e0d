//! Decide, de-identify, verify and seal what a message changed, for every cloud destination. Fails closed: one
//! refusal, and no content of what the message changed leaves. What may not stand any more is withdrawn all the same.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use residency::{Decision, Destination, Labels, Policy, Profile, Pseudonym, Pseudonyms, SealingKey, Subject};
use serde_json::{Value, json};
use store::{Effect, NewDelivery, NewPseudonym, Standing, WithdrawalReason};
use uuid::Uuid;
use verifier::{Grammar, KnownIdentifiers};

use crate::derive::Write;
use crate::standing::Standings;
use crate::state::{State, permit};
use crate::surroundings::{Coverage, Known, Surroundings, is_consent, owners};
use crate::{Environment, Error, Ports};

/// Cached pseudonyms of one destination before the cache is emptied.
const CACHED_PSEUDONYMS_MAX: usize = 100_000;
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
    standings: Standings,
    surroundings: Known,
}

/// What may leave after one message.
#[derive(Default)]
pub struct Outcome {
    /// Sealed deliveries: withdrawals, then content in resource order.
    pub deliveries: Vec<NewDelivery>,
    /// Pseudonyms made for them.
    pub pseudonyms: Vec<NewPseudonym>,
    /// One line a destination for the ledger: code and count (`permit`, `deny:<reason>`).
    pub decisions: Vec<(String, String, u64)>,
    /// Set when something was refused; then no delivery carries content, unless it is a sweep's.
    pub refused: Option<String>,
    /// How many resources were refused.
    pub refusals: u64,
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

/// A resource to decide about.
struct Candidate<'a> {
    write: &'a Write,
    insist: Insist,
    /// Its labels, those of its visit among them.
    labels: Labels,
    /// Does its patient deny, by destination?
    surroundings: &'a Surroundings,
}

/// What is decided about a candidate at one destination.
enum Verdict {
    Permit(Decision, String),
    Withdraw(WithdrawalReason, &'static str),
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

/// Why a resource did not pass (code and element path).
struct Refused(String);

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
            standings: Standings::default(),
            surroundings: Known::default(),
        }
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
        self.standings.clear();
        self.surroundings.clear();
    }

    /// Clears caches that have grown too large. Nothing may be on its way to the store.
    pub(crate) fn trim(&mut self) {
        if self.standings.len() > CACHED_MAX || self.surroundings.len() > CACHED_MAX {
            self.clear();
        }
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

    async fn decide_all(
        &mut self,
        ports: &Ports,
        environment: &Environment,
        all: &[(&Write, Insist)],
        known: &KnownIdentifiers,
    ) -> Result<Outcome, Error> {
        let surroundings = self.surroundings_of(all);
        let coverage = coverage_of(all, &surroundings);
        let nobody = Surroundings::default();
        let candidates: Vec<Candidate<'_>> = all
            .iter()
            .map(|(write, insist)| Candidate {
                write,
                insist: *insist,
                labels: self.labels_of(write, &coverage),
                surroundings: write.patient.as_ref().and_then(|p| surroundings.get(p)).unwrap_or(&nobody),
            })
            .collect();
        let mut outcome = Outcome::default();
        let policy = Arc::clone(&self.policy);
        for destination in policy.destinations().into_iter().filter(|destination| destination.cloud) {
            let writes = all.iter().map(|(write, _)| *write);
            self.standings.load(ports, &destination.id, &self.basis, writes).await?;
            for candidate in &candidates {
                self.decide_one(ports, environment, destination, candidate, known, &mut outcome).await?;
            }
        }
        // What must go goes before what may come.
        outcome.deliveries.sort_by_key(|delivery| matches!(delivery.effect, Effect::Stands(_)));
        Ok(outcome)
    }

    fn surroundings_of(&self, all: &[(&Write, Insist)]) -> HashMap<String, Surroundings> {
        let patients: HashSet<&str> = all.iter().filter_map(|(write, _)| write.patient.as_deref()).collect();
        patients
            .into_iter()
            .map(|patient| (patient.to_owned(), self.surroundings.of(Some(patient))))
            .collect()
    }

    /// The labels of a resource and those of the visits it belongs to. None of its own stays none: nobody labelled it.
    fn labels_of(&self, write: &Write, coverage: &Coverage) -> Labels {
        let Some(body) = &write.body else { return Labels::default() };
        let own = residency::label(&self.policy, body);
        match coverage.get(&write.key) {
            Some(covering) if !own.0.is_empty() => {
                let normal = |label: &String| label != residency::LABEL_NORMAL;
                let labels: BTreeSet<String> =
                    own.0.into_iter().filter(normal).chain(covering.iter().cloned()).collect();
                Labels(labels.into_iter().collect())
            }
            _ => own,
        }
    }

    fn verdict(&self, destination: &Destination, candidate: &Candidate<'_>) -> Verdict {
        let resource_type = candidate.write.key.resource_type;
        if candidate.write.body.is_none() {
            return Verdict::Withdraw(WithdrawalReason::Deleted, "deleted");
        }
        if candidate.surroundings.denies(&destination.id) || is_consent(resource_type) {
            return Verdict::Withdraw(WithdrawalReason::Consent, "consent");
        }
        let decision = self.policy.decide(&destination.id, resource_type, &candidate.labels);
        match decision {
            Decision::Permit { ref profile, .. } => {
                let profile = profile.clone();
                Verdict::Permit(decision, profile)
            }
            Decision::Deny { reason, .. } => {
                let normal = Labels(vec![residency::LABEL_NORMAL.to_owned()]);
                let unlabelled = self.policy.decide(&destination.id, resource_type, &normal);
                let is_label = matches!(unlabelled, Decision::Permit { .. });
                let because = if is_label { WithdrawalReason::Label } else { WithdrawalReason::Policy };
                Verdict::Withdraw(because, reason)
            }
        }
    }

    async fn decide_one(
        &mut self,
        ports: &Ports,
        environment: &Environment,
        destination: &Destination,
        candidate: &Candidate<'_>,
        known: &KnownIdentifiers,
        outcome: &mut Outcome,
    ) -> Result<(), Error> {
        let write = candidate.write;
        let (decision, profile_id) = match self.verdict(destination, candidate) {
            Verdict::Permit(decision, profile_id) => (decision, profile_id),
            Verdict::Withdraw(reason, code) => {
                count(outcome, &destination.id, &format!("deny:{code}"));
                return self.withdraw(environment, destination, write, reason, |_| true, outcome);
            }
        };
        let Some((profile, grammar)) = self.profiles.get(&profile_id).cloned() else {
            return self.refuse(
                environment,
                destination,
                candidate,
                format!("profile-missing:{profile_id}"),
                outcome,
            );
        };
        // Of a resource that depends on its owner, what stands under another owner's secret is withdrawn.
        let is_own = profile.has_own_pseudonym(write.key.resource_type);
        let is_moved = |standing: &Standing| !is_own && standing.patient != write.patient;
        self.withdraw(environment, destination, write, WithdrawalReason::Merge, is_moved, outcome)?;
        let stands = |standing: &&Standing| standing.stands && !is_moved(standing);
        let standing = self.standings.of(&destination.id, &write.key).iter().find(stands).cloned();
        if candidate.insist == Insist::Absent && standing.is_some() {
            return Ok(());
        }
        let gate = Gate {
            environment,
            destination,
            decision: &decision,
            profile: &profile,
            grammar: &grammar,
            known,
        };
        self.pseudonyms_for(ports, &gate, write, outcome).await?;
        match self.pass(&gate, write) {
            Ok(delivery) => {
                let is_there = standing.is_some_and(|standing| {
                    standing.content.is_some_and(|content| delivery.effect == Effect::Stands(content))
                });
                if candidate.insist == Insist::Different && is_there {
                    return Ok(());
                }
                count(outcome, &destination.id, "permit");
                outcome.deliveries.push(delivery);
                Ok(())
            }
            Err(Refused(code)) => self.refuse(environment, destination, candidate, code, outcome),
        }
    }

    /// Notes a refusal. A sweep finds that it may not stand under the rules of today, so it is withdrawn.
    fn refuse(
        &mut self,
        environment: &Environment,
        destination: &Destination,
        candidate: &Candidate<'_>,
        code: String,
        outcome: &mut Outcome,
    ) -> Result<(), Error> {
        count(outcome, &destination.id, "refused");
        outcome.refused = Some(code);
        outcome.refusals += 1;
        match candidate.insist {
            Insist::Changed | Insist::Absent => Ok(()),
            Insist::Different => {
                let reason = WithdrawalReason::Policy;
                self.withdraw(environment, destination, candidate.write, reason, |_| true, outcome)
            }
        }
    }

    /// Queues the withdrawal of what stands of a resource.
    fn withdraw(
        &self,
        environment: &Environment,
        destination: &Destination,
        write: &Write,
        reason: WithdrawalReason,
        is_meant: impl Fn(&Standing) -> bool,
        outcome: &mut Outcome,
    ) -> Result<(), Error> {
        let standing = self.standings.of(&destination.id, &write.key).iter();
        for standing in standing.filter(|standing| standing.stands && is_meant(standing)) {
            let (resource_type, decision_id) = (write.key.resource_type, new_id(environment));
            let released =
                residency::release_deletion(resource_type, &standing.released_id, decision_id, destination)?;
            count(outcome, &destination.id, "withdraw");
            outcome.deliveries.push(NewDelivery {
                id: new_id(environment),
                destination: destination.id.clone(),
                lane: standing.lane.clone(),
                resource: write.key.clone(),
                released_id: standing.released_id.clone(),
                version: write.version,
                patient: standing.patient.clone(),
                revision: standing.revision.saturating_add(1),
                effect: Effect::Withdrawn(reason),
                basis: self.basis.clone(),
                sealed: self.sealed(&released),
                actions: "[]".to_owned(),
            });
        }
        Ok(())
    }

    /// Loads or makes the pseudonyms that `write` needs.
    async fn pseudonyms_for(
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
    fn pass(&self, gate: &Gate<'_>, write: &Write) -> Result<NewDelivery, Refused> {
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

    fn sealed(&self, released: &residency::Released<residency::Cloud>) -> store::Sealed {
        let sealed = released.seal(&self.sealing_key);
        store::Sealed {
            destination: sealed.destination,
            decision_id: sealed.decision_id,
            bytes: sealed.bytes,
            mac: sealed.mac,
        }
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
            body: current.exposed(&permit()).cloned(),
            is_stored: true,
        })
        .collect()
}

/// What belongs to a covered visit, of all who have one.
fn coverage_of(all: &[(&Write, Insist)], surroundings: &HashMap<String, Surroundings>) -> Coverage {
    let mut coverage = Coverage::new();
    for (patient, surroundings) in surroundings.iter().filter(|(_, one)| one.has_covered_visits()) {
        let owned = all.iter().filter(|(write, _)| write.patient.as_ref() == Some(patient));
        let bodies: Vec<_> =
            owned.filter_map(|(write, _)| Some((&write.key, write.body.as_ref()?))).collect();
        coverage.extend(surroundings.coverage(&bodies));
    }
    coverage
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
