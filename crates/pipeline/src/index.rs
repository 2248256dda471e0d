//! Whose number is whose, as the next message must see it: the store, what is on its way there, and what persons decided.

use std::collections::{BTreeSet, HashMap, HashSet};

use fhir::ResourceType;
use mapping::{Change, Person};
use serde_json::Value;
use store::{IdentityDecision, PatientIdentifier, ResourceKey, ReviewAnswer};

use crate::state::{State, permit};
use crate::{Error, Ports};

/// A system and a value.
pub type Number = (String, String);

/// What is known of numbers and decisions; part of [`State`].
#[derive(Default)]
pub struct Index {
    /// Number to the patient it was recorded for; `None`: the store has none.
    holders: HashMap<Number, Option<String>>,
    /// Patient to all its numbers.
    held: HashMap<String, BTreeSet<Number>>,
    decisions: Vec<IdentityDecision>,
    /// Ids whose decisions are in `decisions`.
    asked: HashSet<String>,
}

impl Index {
    /// Was it asked who holds this number?
    pub fn knows(&self, number: &Number) -> bool {
        self.holders.contains_key(number)
    }

    /// Were all numbers of this patient asked for?
    pub fn knows_numbers_of(&self, patient: &str) -> bool {
        self.held.contains_key(patient)
    }

    /// Takes in numbers of a patient that the store has.
    pub fn told_numbers(&mut self, patient: &str, numbers: impl IntoIterator<Item = Number>) {
        self.held.entry(patient.to_owned()).or_default().extend(numbers);
    }

    /// Numbers of a patient.
    pub fn held(&self, patient: &str) -> impl Iterator<Item = &Number> {
        self.held.get(patient).into_iter().flatten()
    }

    /// From here on `number` is the patient's.
    pub fn record(&mut self, number: Number, patient: &str) {
        if let Some(Some(before)) = self.holders.insert(number.clone(), Some(patient.to_owned()))
            && before != patient
            && let Some(held) = self.held.get_mut(&before)
        {
            held.remove(&number);
        }
        self.held.entry(patient.to_owned()).or_default().insert(number);
    }

    /// From here on all numbers of `retired` are those of `survivor`.
    pub fn link(&mut self, retired: &str, survivor: &str) {
        let moved = self.held.remove(retired).unwrap_or_default();
        self.held.entry(survivor.to_owned()).or_default().extend(moved);
    }

    /// Takes decisions in, as those about `ids`.
    pub fn decide(&mut self, ids: &[String], decisions: Vec<IdentityDecision>) {
        self.asked.extend(ids.iter().cloned());
        for decision in decisions {
            if !self.decisions.contains(&decision) {
                self.decisions.push(decision);
            }
        }
    }

    /// Takes in what a message says of two patients now; a person's word stays.
    pub fn overrule(&mut self, said: &IdentityDecision) {
        let pair = |one: &IdentityDecision| {
            let (one, other) = (one.one.clone(), one.other.clone());
            if one < other { (one, other) } else { (other, one) }
        };
        self.decisions.retain(|known| known.is_of_person || pair(known) != pair(said));
        self.decisions.push(said.clone());
    }

    /// Every number that was recorded, with its patient.
    pub fn recorded(&self) -> impl Iterator<Item = (&Number, &str)> {
        self.holders.iter().filter_map(|(number, patient)| Some((number, patient.as_deref()?)))
    }
}

impl State {
    /// Who holds a number today, as far as this state was told.
    pub fn holder(&self, system: &str, value: &str) -> Option<&str> {
        let number = (system.to_owned(), value.to_owned());
        self.index.holders.get(&number)?.as_deref().map(|patient| self.known_survivor(patient))
    }

    /// What was said about two patients, by whomever.
    pub fn decided(&self, one: &str, other: &str) -> Option<ReviewAnswer> {
        self.said(one, other).map(|(answer, _)| answer)
    }

    /// What was said about two patients, and whether by a person, whose word stands over those of messages; of several
    /// answers about their ids that they are two.
    pub fn said(&self, one: &str, other: &str) -> Option<(ReviewAnswer, bool)> {
        if one == other {
            return None;
        }
        let names = |id: &str, patient: &str| id == patient || self.known_survivor(id) == patient;
        let is_about = |decision: &&IdentityDecision| {
            (names(&decision.one, one) && names(&decision.other, other))
                || (names(&decision.one, other) && names(&decision.other, one))
        };
        let about: Vec<&IdentityDecision> = self.index.decisions.iter().filter(is_about).collect();
        let is_of_person = about.iter().any(|decision| decision.is_of_person);
        let mut heard = about.iter().filter(|decision| decision.is_of_person == is_of_person).peekable();
        heard.peek()?;
        let is_different = heard.any(|decision| decision.answer == ReviewAnswer::Different);
        Some((if is_different { ReviewAnswer::Different } else { ReviewAnswer::Same }, is_of_person))
    }

    /// The Patient of this id, when one stands.
    pub fn standing_patient(&self, id: &str) -> Option<&Value> {
        self.peek(&patient_key(id)?)?.exposed(&permit())
    }

    /// Loads all that [`crate::identity::identify`] looks at.
    pub async fn load_identity(&mut self, ports: &Ports, change: &Change) -> Result<(), Error> {
        let owners = change.sets.iter().filter_map(|set| set.patient.as_deref());
        let merged = change.merges.iter().flat_map(|merge| [merge.survivor.as_str(), merge.retired.as_str()]);
        for patient in owners.chain(merged).collect::<BTreeSet<_>>() {
            self.survivor(ports, patient).await?;
        }
        for person in &change.persons {
            self.load_person(ports, person).await?;
        }
        let merges = change.merges.iter().map(|merge| [merge.survivor.clone(), merge.retired.clone()]);
        let links = change.links.iter().map(|link| [link.one.clone(), link.other.clone()]);
        for ids in merges.chain(links) {
            for id in &ids {
                let stands_for = self.survivor(ports, id).await?;
                self.load_candidate(ports, id).await?;
                self.load_candidate(ports, &stands_for).await?;
            }
            self.load_decisions(ports, &ids).await?;
        }
        Ok(())
    }

    async fn load_person(&mut self, ports: &Ports, person: &Person) -> Result<(), Error> {
        let mut candidates: BTreeSet<String> = BTreeSet::from([person.speaker.clone()]);
        for id in [&person.id, &person.speaker] {
            candidates.insert(self.survivor(ports, id).await?);
        }
        let numbers = person.numbers.iter().map(|number| (number.system.clone(), number.value.clone()));
        let missing: Vec<Number> = numbers.filter(|number| !self.index.knows(number)).collect();
        self.load_holders(ports, missing).await?;
        let holders = person.numbers.iter().filter_map(|number| self.holder(&number.system, &number.value));
        candidates.extend(holders.map(str::to_owned).collect::<Vec<_>>());
        for candidate in &candidates {
            self.load_candidate(ports, candidate).await?;
        }
        if candidates.len() > 1 {
            self.load_decisions(ports, &candidates.into_iter().collect::<Vec<_>>()).await?;
        }
        Ok(())
    }

    /// Loads who holds these numbers, which are not known.
    pub(crate) async fn load_holders(&mut self, ports: &Ports, missing: Vec<Number>) -> Result<(), Error> {
        if missing.is_empty() {
            return Ok(());
        }
        let found = ports.index.holders(&missing).await?;
        missing.into_iter().for_each(|number| {
            self.index.holders.insert(number, None);
        });
        for PatientIdentifier { system, value, patient } in found {
            self.index.holders.insert((system, value), Some(patient));
        }
        Ok(())
    }

    async fn load_candidate(&mut self, ports: &Ports, id: &str) -> Result<(), Error> {
        let Some(key) = patient_key(id) else { return Ok(()) };
        self.load(ports, &key).await?;
        if self.index.held.contains_key(id) {
            return Ok(());
        }
        let was_written = self.peek(&key).is_some_and(|current| current.version > 0);
        let found = if was_written { ports.index.identifiers_of(id).await? } else { Vec::new() };
        let numbers = found.into_iter().map(|one| (one.system, one.value)).collect();
        self.index.held.insert(id.to_owned(), numbers);
        Ok(())
    }

    /// Loads what was decided about these ids and their aliases.
    pub async fn load_decisions(&mut self, ports: &Ports, ids: &[String]) -> Result<(), Error> {
        let new: Vec<String> = ids.iter().filter(|id| !self.index.asked.contains(*id)).cloned().collect();
        if new.is_empty() {
            return Ok(());
        }
        let decisions = ports.index.decisions(&new).await?;
        for decision in &decisions {
            self.survivor(ports, &decision.one).await?;
            self.survivor(ports, &decision.other).await?;
        }
        self.index.decide(&new, decisions);
        Ok(())
    }
}

/// Key of a Patient; `None` only if R4 had no Patient.
pub fn patient_key(id: &str) -> Option<ResourceKey> {
    Some(ResourceKey { resource_type: ResourceType::parse("Patient")?, id: id.to_owned() })
}
