//! Who a message says its patients are: the numbers of PID-3, PID-4 and MRG that the site trusts to name one person.

use super::{Executor, Instance, Level};
use crate::identity::{first_text, patient_name};
use crate::plan::Keyed;
use crate::{Person, PersonNumber, ResourceSet};

/// Fields that list a person's numbers: the patient's, and the retired ones of a merge.
const NUMBER_FIELDS: [(&str, &[usize]); 2] = [("PID", &[3, 4]), ("MRG", &[1, 2])];
/// CX.5 of numbers that name one person (HL7 table 0203); empty where the sender gives no type. An account, a visit, a
/// subscriber's or a driver's licence number of the same authority names something else.
const PERSONAL_TYPES: [&str; 9] = ["", "MR", "PI", "PT", "MB", "MA", "MC", "HC", "NI"];
/// Of [`ResourceSet::fills`]: identifiers of the authority that follows only fill.
const FILLED_IDENTIFIER: &str = "identifier:";

impl<'a> Executor<'a> {
    /// Every Patient made of a PID or MRG, with its trusted numbers; none where the site trusts no authority.
    pub(super) fn persons(&self) -> Vec<Person> {
        if self.program.site.trusted.is_empty() {
            return Vec::new();
        }
        let is_kept = |patient: &&Instance| self.plan.is_none_or(|plan| plan.is_kept(patient.make));
        let patients = self.instances.iter().filter(|instance| instance.kind.as_str() == "Patient");
        let patients = patients.filter(is_kept);
        let mut persons: Vec<Person> = patients.filter_map(|patient| self.person(patient)).collect();
        persons.dedup();
        // A record under its former number may be the one that is made already.
        let mut ids: Vec<String> = Vec::new();
        persons.retain(|person| {
            let is_new = !ids.contains(&person.id);
            ids.push(person.id.clone());
            is_new
        });
        persons
    }

    fn person(&self, patient: &Instance) -> Option<Person> {
        let name = self.groups.name(patient.segment);
        let (_, fields) = NUMBER_FIELDS.iter().find(|(segment, _)| *segment == name)?;
        let segment = self.message.segment(patient.segment)?;
        let mut numbers: Vec<PersonNumber> = Vec::new();
        for field in fields.iter().map(|number| segment.field(*number)) {
            for repetition in 0..field.repetition_count() {
                let number = self.number(field.repetition(repetition));
                numbers.extend(number.filter(|number| !numbers.contains(number)));
            }
        }
        let site = &self.program.site;
        numbers.sort_by_key(|number| site.trusted.iter().position(|trusted| *trusted == number.system));
        let own = numbers.iter().find(|number| site.own.contains(&number.system));
        // What this site calls by the number, until the number's own authority has spoken.
        let speaker = own.map(|number| number.patient.clone()).or_else(|| {
            let number = numbers.first()?;
            let site = site.name.clone().unwrap_or_default();
            let parts = [site, format!("{}|{}", number.system, number.value)];
            Some(self.identity.id("Patient of a site", &parts))
        })?;
        Some(Person {
            id: patient.id.clone(),
            numbers,
            speaker,
            trusted: site.trusted.clone(),
            own: site.own.clone(),
        })
    }

    fn number(&self, part: hl7v2::Part<'a>) -> Option<PersonNumber> {
        let text = |component: usize| first_text(part.component(component)).into_owned();
        let value = text(1);
        if value.is_empty() || !PERSONAL_TYPES.contains(&text(5).as_str()) {
            return None;
        }
        let system = self.identity.system_of(part, Level::Repetition, Keyed::Cx)?.uri.into_owned();
        if !self.program.site.trusted.contains(&system) {
            return None;
        }
        let patient = self.identity.id("Patient", &[patient_name(&system, &value)]);
        Some(PersonNumber { system, value, patient })
    }

    /// A site that is part of an index replaces the identifiers that it assigns and only fills those of others.
    pub(super) fn fill_identifiers(&self, sets: &mut [ResourceSet]) {
        let site = &self.program.site;
        if site.trusted.is_empty() {
            return;
        }
        for set in sets.iter_mut().filter(|set| set.resource_type.as_str() == "Patient") {
            let identifiers = set.resource.get("identifier").and_then(serde_json::Value::as_array);
            let systems = identifiers.into_iter().flatten().filter_map(|one| one.get("system")?.as_str());
            let foreign = systems.filter(|system| site.trusted.iter().any(|one| one == system));
            let foreign = foreign.filter(|system| !site.own.iter().any(|own| own == system));
            let mut fills: Vec<String> = foreign.map(|uri| format!("{FILLED_IDENTIFIER}{uri}")).collect();
            fills.dedup();
            set.fills.append(&mut fills);
        }
    }
}
