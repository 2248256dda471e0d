//! What a run of messages will look up one by one is read at once: a message asks some twenty times, and each question
//! is a way to the store and back. Nothing is decided here; what was not foreseen is loaded when it is needed.

use std::collections::BTreeSet;

use mapping::{Change, ResourceSet};
use store::{PatientIdentifier, ResourceKey};

use crate::derive::key_of;
use crate::index::{Number, patient_key};
use crate::state::{Current, State, to_current};
use crate::translate::Translated;
use crate::{Error, Pipeline, Ports};

impl Pipeline {
    /// Loads what these messages will ask for. What the state knows already is newer and stays.
    pub(crate) async fn prefetch(&mut self, translated: &[Translated]) -> Result<(), Error> {
        let changes: Vec<&Change> = translated.iter().filter_map(change_of).collect();
        if changes.is_empty() {
            return Ok(());
        }
        let patients = self.state.prefetch(&self.ports, &changes).await?;
        let sets: Vec<&ResourceSet> = changes.iter().flat_map(|change| &change.sets).collect();
        self.release.prefetch(&self.ports, &patients, &sets, &self.state).await
    }
}

fn change_of(translated: &Translated) -> Option<&Change> {
    match translated {
        Translated::Message { translation, .. } => Some(&translation.change),
        Translated::Part { .. } | Translated::Waiting { .. } | Translated::Quarantined { .. } => None,
    }
}

impl State {
    /// Loads who the patients of these changes are, and what stands of all they set; returns the patients.
    async fn prefetch(&mut self, ports: &Ports, changes: &[&Change]) -> Result<BTreeSet<String>, Error> {
        let ids: BTreeSet<String> = changes.iter().flat_map(|change| spoken_of(change)).collect();
        self.prefetch_survivors(ports, &ids).await?;
        self.prefetch_holders(ports, changes).await?;
        let mut patients: BTreeSet<String> =
            ids.iter().map(|id| self.known_survivor(id).to_owned()).collect();
        let numbers = changes.iter().flat_map(|change| &change.persons).flat_map(|person| &person.numbers);
        patients.extend(
            numbers.filter_map(|number| self.holder(&number.system, &number.value)).map(str::to_owned),
        );
        patients.extend(ids);
        let sets = changes.iter().flat_map(|change| &change.sets).map(key_of);
        let keys: BTreeSet<ResourceKey> =
            sets.chain(patients.iter().filter_map(|patient| patient_key(patient))).collect();
        self.prefetch_resources(ports, keys).await?;
        self.prefetch_numbers(ports, &patients).await?;
        Ok(patients)
    }

    /// Loads for whom these ids stand, of which that is not known yet.
    pub(crate) async fn prefetch_survivors(
        &mut self,
        ports: &Ports,
        ids: &BTreeSet<String>,
    ) -> Result<(), Error> {
        let unknown: Vec<String> = ids.iter().filter(|id| !self.knows_alias(id)).cloned().collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let found = ports.apply.aliases(&unknown).await?;
        unknown.into_iter().for_each(|id| self.told_alias(id, None));
        found.into_iter().for_each(|(id, patient)| self.told_alias(id, Some(patient)));
        Ok(())
    }

    async fn prefetch_holders(&mut self, ports: &Ports, changes: &[&Change]) -> Result<(), Error> {
        let numbers = changes.iter().flat_map(|change| &change.persons).flat_map(|person| &person.numbers);
        let unknown: BTreeSet<Number> = numbers
            .map(|number| (number.system.clone(), number.value.clone()))
            .filter(|number| !self.index.knows(number))
            .collect();
        self.load_holders(ports, unknown.into_iter().collect()).await
    }

    async fn prefetch_resources(&mut self, ports: &Ports, keys: BTreeSet<ResourceKey>) -> Result<(), Error> {
        let unknown: Vec<ResourceKey> = keys.into_iter().filter(|key| self.peek(key).is_none()).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let found = ports.resources.read_all(&unknown).await?;
        unknown.into_iter().for_each(|key| self.put(key, Current::ABSENT));
        for stored in found {
            let current = to_current(&stored)?;
            self.put(stored.key, current);
        }
        Ok(())
    }

    /// The numbers of patients; one who was never written has none.
    async fn prefetch_numbers(&mut self, ports: &Ports, patients: &BTreeSet<String>) -> Result<(), Error> {
        let unknown: Vec<&String> =
            patients.iter().filter(|patient| !self.index.knows_numbers_of(patient)).collect();
        let was_written =
            |id: &str| patient_key(id).and_then(|key| self.peek(&key)).is_some_and(|it| it.version > 0);
        let (written, new): (Vec<&String>, Vec<&String>) =
            unknown.into_iter().partition(|patient| was_written(patient));
        new.into_iter().for_each(|patient| self.index.told_numbers(patient, []));
        if written.is_empty() {
            return Ok(());
        }
        let written: Vec<String> = written.into_iter().cloned().collect();
        let found = ports.index.identifiers_of_all(&written).await?;
        written.iter().for_each(|patient| self.index.told_numbers(patient, []));
        for PatientIdentifier { system, value, patient } in found {
            self.index.told_numbers(&patient, [(system, value)]);
        }
        Ok(())
    }
}

/// Every patient's id that is looked up when a change is identified.
fn spoken_of(change: &Change) -> impl Iterator<Item = String> {
    let owners = change.sets.iter().filter_map(|set| set.patient.clone());
    let merged = change.merges.iter().flat_map(|merge| [merge.survivor.clone(), merge.retired.clone()]);
    let persons = change.persons.iter().flat_map(|person| [person.id.clone(), person.speaker.clone()]);
    let linked = change.links.iter().flat_map(|link| [link.one.clone(), link.other.clone()]);
    owners.chain(merged).chain(persons).chain(linked)
}
