//! What is decided about a resource at a destination, from its labels, its visits and its patient's consents.

use std::collections::{BTreeSet, HashMap, HashSet};

use residency::{Decision, Destination, Labels};
use store::WithdrawalReason;

use super::{Insist, Release};
use crate::derive::Write;
use crate::surroundings::{Coverage, Surroundings, is_consent};

/// A resource to decide about.
pub(super) struct Candidate<'a> {
    pub(super) write: &'a Write,
    pub(super) insist: Insist,
    /// Its labels, those of its visit among them.
    pub(super) labels: Labels,
    /// Does its patient deny, by destination?
    pub(super) surroundings: &'a Surroundings,
}

/// What is decided about a candidate at one destination.
pub(super) enum Verdict {
    Permit(Decision, String),
    Withdraw(WithdrawalReason, &'static str),
}

impl Release {
    pub(super) fn surroundings_of(&self, all: &[(&Write, Insist)]) -> HashMap<String, Surroundings> {
        let patients: HashSet<&str> = all.iter().filter_map(|(write, _)| write.patient.as_deref()).collect();
        patients
            .into_iter()
            .map(|patient| (patient.to_owned(), self.surroundings.of(Some(patient))))
            .collect()
    }

    /// The labels of a resource and those of the visits it belongs to. None of its own stays none: nobody labelled it.
    pub(super) fn labels_of(&self, write: &Write, coverage: &Coverage) -> Labels {
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

    /// Does a resource of this type leave under an id that depends on its patient?
    fn needs_owner(&self, profile: &str, resource_type: fhir::ResourceType) -> bool {
        self.profiles.get(profile).is_some_and(|(profile, _)| !profile.has_own_pseudonym(resource_type))
    }

    pub(super) fn verdict(&self, destination: &Destination, candidate: &Candidate<'_>) -> Verdict {
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
                if candidate.write.patient.is_none() && self.needs_owner(&profile, resource_type) {
                    // Of a message about no patient: its released id would come from a patient's secret.
                    return Verdict::Withdraw(WithdrawalReason::Policy, "no-patient");
                }
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
}

/// What belongs to a covered visit, of all who have one.
pub(super) fn coverage_of(
    all: &[(&Write, Insist)],
    surroundings: &HashMap<String, Surroundings>,
) -> Coverage {
    let mut coverage = Coverage::new();
    for (patient, surroundings) in surroundings.iter().filter(|(_, one)| one.has_covered_visits()) {
        let owned = all.iter().filter(|(write, _)| write.patient.as_ref() == Some(patient));
        let bodies: Vec<_> =
            owned.filter_map(|(write, _)| Some((&write.key, write.body.as_deref()?))).collect();
        coverage.extend(surroundings.coverage(&bodies));
    }
    coverage
}
