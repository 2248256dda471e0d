//! A sweep: when policy or profiles are not those of the last one, everything that is stored is decided again, patient
//! by patient, between messages. What may not stand any more is withdrawn, what may is released, and what leaves in
//! another form is sent again. The basis counts as reached only when nothing is left.

use audit::{Kind, Record};
use store::{Answers, DecidedSet, NewDelivery, NewPseudonym, SweepCounts, SweepUnit};
use verifier::KnownIdentifiers;

use crate::derive::Write;
use crate::follow::Pipeline;
use crate::id::new_id;
use crate::release::standing_writes;
use crate::state::{permit, to_current};
use crate::{Error, identifiers, row};

/// Patients and shared entities in one transaction of a sweep.
const UNITS_MAX: usize = 16;

/// What one part of a sweep came to.
#[derive(Default)]
struct Part {
    deliveries: Vec<NewDelivery>,
    pseudonyms: Vec<NewPseudonym>,
    counts: SweepCounts,
}

impl Pipeline {
    /// One part of the sweep that is due or was asked for; `false` when none is. Nothing may be uncommitted when this is
    /// called.
    pub(crate) async fn sweep(&mut self) -> Result<bool, Error> {
        let basis = self.release.basis().to_owned();
        let newest = self.ports.withdrawals.sweeps(1).await?.into_iter().next();
        let sweep = match newest {
            Some(sweep) if sweep.basis == basis => sweep,
            _ => {
                let record = self.swept(&basis, "begun")?;
                let now_us = (self.environment.now_us)();
                self.ports.withdrawals.begin_sweep(&basis, None, now_us, record).await?;
                return Ok(true);
            }
        };
        if sweep.ended.is_some() {
            return Ok(false);
        }
        // Deliveries that died since then changed what stands.
        self.forget();
        let units = self.ports.withdrawals.sweep_units(sweep.through, UNITS_MAX).await?;
        let mut part = Part::default();
        for unit in &units {
            self.sweep_unit(unit, &mut part).await?;
        }
        let is_last = units.len() < UNITS_MAX;
        let mut records = row::withdrawn_records(&self.environment, None, &part.deliveries)?;
        records.extend(row::released_records(&self.environment, &part.deliveries)?);
        if is_last {
            records.push(self.swept(&basis, "done")?);
        }
        let through = units.last().map_or(sweep.through, |unit| unit.position);
        let answers = Answers::Sweep { sweep: sweep.number, through, counts: part.counts, is_last };
        let set = DecidedSet {
            at_us: (self.environment.now_us)(),
            versions: Vec::new(),
            deliveries: part.deliveries,
            pseudonyms: part.pseudonyms,
            records,
            answers,
        };
        self.ports.withdrawals.commit_decided(set).await?;
        Ok(true)
    }

    async fn sweep_unit(&mut self, unit: &SweepUnit, part: &mut Part) -> Result<(), Error> {
        let writes = match unit.resource.resource_type.as_str() {
            "Patient" => self.all_of(&unit.resource.id).await?,
            _ => self.shared(unit).await?,
        };
        let mut known = KnownIdentifiers::default();
        writes.iter().filter_map(|write| write.body.as_ref()).for_each(|body| known.add_resource(body));
        if unit.resource.resource_type.as_str() == "Patient" {
            identifiers::add_messages_of(&mut known, &self.ports, &unit.resource.id).await?;
        }
        let outcome = self.release.release_again(&self.ports, &self.environment, &writes, &known).await?;
        let is_withdrawal = |delivery: &&NewDelivery| matches!(delivery.effect, store::Effect::Withdrawn(_));
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let withdrawn = number(outcome.deliveries.iter().filter(is_withdrawal).count());
        part.counts.units += 1;
        part.counts.withdrawn += withdrawn;
        part.counts.released += number(outcome.deliveries.len()) - withdrawn;
        part.counts.refused += outcome.refusals;
        part.deliveries.extend(outcome.deliveries);
        part.pseudonyms.extend(outcome.pseudonyms);
        Ok(())
    }

    /// All of a patient as it stands, and what of it stands at a destination though it is gone here.
    async fn all_of(&mut self, patient: &str) -> Result<Vec<Write>, Error> {
        self.state.load_compartment(&self.ports, patient).await?;
        let mut writes = standing_writes(&self.state, patient, &[]);
        for destination in self.release.destinations() {
            for standing in self.ports.withdrawals.standings_of(&destination, patient).await? {
                let key = standing.resource;
                if writes.iter().any(|write| write.key == key) {
                    continue;
                }
                self.state.load(&self.ports, &key).await?;
                let Some(current) = self.state.peek(&key) else { continue };
                let body = current.shared(&permit());
                let (version, owner) = (current.version, current.patient.clone());
                // One that is another patient's now is decided as theirs, which withdraws what stands of it here.
                let patient = owner.or_else(|| Some(patient.to_owned()));
                writes.push(Write {
                    key,
                    version,
                    patient,
                    moved_from: None,
                    client: None,
                    body,
                    is_stored: true,
                });
            }
        }
        Ok(writes)
    }

    async fn shared(&mut self, unit: &SweepUnit) -> Result<Vec<Write>, Error> {
        let Some(stored) = self.ports.resources.read(&unit.resource).await? else { return Ok(Vec::new()) };
        let current = to_current(&stored)?;
        let body = current.shared(&permit());
        let key = unit.resource.clone();
        let (version, patient) = (current.version, current.patient.clone());
        Ok(vec![Write { key, version, patient, moved_from: None, client: None, body, is_stored: true }])
    }

    fn swept(&self, basis: &str, outcome: &'static str) -> Result<Record, Error> {
        let environment = &self.environment;
        let record = Record::new(Kind::Swept, new_id(environment), &environment.node, (environment.now_us)());
        Ok(record.outcome(outcome).object("basis", basis)?.object("policy", self.release.policy_hash())?)
    }
}
