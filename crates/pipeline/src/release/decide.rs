//! From candidates to deliveries: each is decided at each destination, released, withdrawn or refused.

use std::sync::Arc;

use residency::Destination;
use store::{Effect, NewDelivery, Standing, WithdrawalReason};
use verifier::KnownIdentifiers;

use super::candidate::{Candidate, Verdict, coverage_of};
use super::outcome::{Outcome, count};
use super::pass::{Gate, Refused};
use super::{Insist, Release};
use crate::derive::Write;
use crate::id::new_id;
use crate::surroundings::Surroundings;
use crate::{Environment, Error, Ports};

impl Release {
    pub(super) async fn decide_all(
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

    /// Notes a refusal. What stands of an earlier version says what is not so any more, or what today's rules find in
    /// it, so it is withdrawn; it comes back under the same id once the resource may leave.
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
        self.withdraw(environment, destination, candidate.write, WithdrawalReason::Policy, |_| true, outcome)
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
}
