//! Who is who: which patient a message is about, decided from the numbers of authorities that its site trusts.
//!
//! Deterministic and never a guess. A number leads to the patient who holds it. Numbers that lead to several patients
//! say that these are one; they are linked unless something known speaks against it: different birth dates, male against
//! female, two numbers of one authority. Then it is a question for a person, and nothing of the message is applied.
//! Names never speak for or against: they are misspelled, change, and are shared.
//!
//! Of patients that become one, that one keeps its id whose own number the site trusts most, whichever came first. A
//! number that only other systems have told of gives no id yet: until its own authority speaks, its patient stands
//! under the id of the sender, so that who comes first does not decide who owns the number.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use mapping::{Change, PatientMerge, Person, PersonNumber};
use serde_json::Value;
use store::{IdentityDecision, PatientAlias, PatientIdentifier, ReviewAnswer};
use uuid::Uuid;

use crate::derive::apply_moves;
use crate::linking;
use crate::state::State;

/// Codes of what speaks against two patients being one.
pub const BIRTH_DATE: &str = "birth-date";
/// Male against female.
pub const SEX: &str = "sex";
/// One authority gives one number to one person.
pub const TWO_NUMBERS: &str = "two-numbers-of-one-authority";

/// What a message says about who is who, beside its resources.
#[derive(Default)]
pub struct Identified {
    /// Patients that become one; the Patient of the retired is gone afterwards.
    pub links: Vec<PatientMerge>,
    /// Ids that stand for another patient from here on.
    pub aliases: Vec<PatientAlias>,
    /// Numbers, and whose they are.
    pub identifiers: Vec<PatientIdentifier>,
    /// The authority that names the patient first does not know it yet.
    pub is_known_here_only: bool,
    /// Facts about two patients that it changes: it is applied by deriving them again.
    pub decisions: Vec<IdentityDecision>,
    /// A person said the contrary of what it says of two patients.
    pub is_said_otherwise: bool,
}

/// A question that only a person may answer.
pub struct Conflict {
    /// The patients in question, the sender's own last.
    pub patients: Vec<String>,
    /// Codes, each once.
    pub contradictions: Vec<&'static str>,
}

impl Conflict {
    /// The name of the question: the same patients, the same question.
    pub fn id(&self, namespace: Uuid) -> Uuid {
        let mut patients = self.patients.clone();
        patients.sort();
        Uuid::new_v5(&namespace, format!("review {}", patients.join(" ")).as_bytes())
    }
}

/// Every id under which a message may count: of patients, numbers and senders.
pub fn ids(change: &Change) -> BTreeSet<String> {
    let owners = change.sets.iter().filter_map(|set| set.patient.clone());
    let merged = change.merges.iter().flat_map(|merge| [merge.survivor.clone(), merge.retired.clone()]);
    let persons = change.persons.iter().flat_map(|person| {
        let numbers = person.numbers.iter().map(|number| number.patient.clone());
        numbers.chain([person.id.clone(), person.speaker.clone()])
    });
    let moved = change.moves.iter().flat_map(|one| [one.from_patient.clone(), one.to_patient.clone()]);
    let linked = change.links.iter().flat_map(|link| [link.one.clone(), link.other.clone()]);
    owners.chain(merged).chain(moved).chain(linked).chain(persons).collect()
}

/// Points a change at the patients it is about, given what is known. The state is only read; [`note`] tells it.
pub fn identify(state: &State, change: &mut Change) -> Result<Identified, Conflict> {
    take_back_merges(state, change);
    let retired: BTreeSet<String> = change.merges.iter().map(|merge| merge.retired.clone()).collect();
    let mut done = Identified::default();
    let mut moves: HashMap<String, String> = HashMap::new();
    let persons = std::mem::take(&mut change.persons);
    for person in persons.iter().filter(|person| !retired.contains(&person.id)) {
        let person = without_apart(state, change, person);
        let found = decide(state, change, &person)?;
        take_over(state, change, &person, &found, &mut done);
        with_other_records(state, change, &person, &found.target);
        moves.insert(person.id.clone(), found.target);
    }
    for set in &change.sets {
        if let Some(owner) = set.patient.as_ref().filter(|owner| !retired.contains(*owner)) {
            moves.entry(owner.clone()).or_insert_with(|| state.known_survivor(owner).to_owned());
        }
    }
    linking::link(state, change, &persons, &mut moves, &mut done)?;
    done.decisions.extend(change.merges.iter().filter_map(|merge| linking::merged_again(state, merge)));
    let renumbered: BTreeSet<String> =
        change.merges.iter().filter(|one| one.is_renumbered).map(|one| one.survivor.clone()).collect();
    merge(state, change, &persons, &mut moves, &mut done)?;
    change.persons = persons;
    moves.retain(|from, to| from != to);
    apply_moves(change, &moves);
    // A new number is the record's, under whichever id it stands.
    let stands = |id: &String| moves.get(id).unwrap_or(id).clone();
    let renumbered: BTreeSet<String> = renumbered.iter().map(stands).collect();
    for set in change.sets.iter_mut().filter(|set| renumbered.contains(&set.id)) {
        set.fills.retain(|fill| fill != "identifier");
    }
    for moved in &mut change.moves {
        for patient in [&mut moved.from_patient, &mut moved.to_patient] {
            *patient =
                moves.get(patient).map_or_else(|| state.known_survivor(patient), String::as_str).to_owned();
        }
    }
    Ok(done)
}

/// Tells the state what was identified.
pub fn note(state: &mut State, identified: &Identified) {
    for PatientAlias { alias, patient } in &identified.aliases {
        state.alias(alias, patient);
        state.index.link(alias, patient);
    }
    for PatientIdentifier { system, value, patient } in &identified.identifiers {
        let patient = state.known_survivor(patient).to_owned();
        state.index.record((system.clone(), value.clone()), &patient);
    }
}

/// The patient a person is, and those it turns out to be.
struct Found {
    target: String,
    linked: Vec<String>,
    /// Candidates who were said to be somebody else.
    apart: Vec<String>,
}

/// The person without the numbers of those who were said to be somebody else.
fn without_apart(state: &State, change: &mut Change, person: &Person) -> Person {
    let is_apart = |number: &PersonNumber| {
        state.decided(&number.patient, &person.speaker) == Some(ReviewAnswer::Different)
    };
    let (apart, numbers): (Vec<_>, Vec<_>) = person.numbers.iter().cloned().partition(is_apart);
    apart.iter().for_each(|number| without_number(change, &person.id, number));
    Person { numbers, ..person.clone() }
}

fn decide(state: &State, change: &Change, person: &Person) -> Result<Found, Conflict> {
    let own = state.known_survivor(&person.id);
    let mut candidates: Vec<String> = Vec::new();
    let standing = Some(own).filter(|own| state.standing_patient(own).is_some());
    let holders = person.numbers.iter().filter_map(|number| state.holder(&number.system, &number.value));
    for candidate in standing.into_iter().chain(holders) {
        if !candidates.iter().any(|known| known == candidate) {
            candidates.push(candidate.to_owned());
        }
    }
    let is_apart =
        |candidate: &String| state.decided(candidate, &person.speaker) == Some(ReviewAnswer::Different);
    let (apart, candidates): (Vec<String>, Vec<String>) = candidates.into_iter().partition(is_apart);
    let mut contradictions = contradictions(state, change, person, &candidates);
    let twice = told_twice(state, person);
    if !twice.is_empty() {
        contradictions.insert(TWO_NUMBERS);
    }
    if !contradictions.is_empty() {
        let mut patients = candidates;
        patients.extend(twice.into_iter().filter(|patient| !patients.contains(patient)).collect::<Vec<_>>());
        patients.sort_by_key(|patient| rank(state, person, patient));
        patients.retain(|patient| *patient != person.speaker);
        patients.push(person.speaker.clone());
        return Err(Conflict { patients, contradictions: contradictions.into_iter().collect() });
    }
    let speaker = if apart.is_empty() { state.known_survivor(&person.speaker) } else { &person.speaker };
    let mut target = candidates.first().map_or(speaker, String::as_str);
    for candidate in candidates.iter().map(String::as_str).chain([speaker]) {
        if rank(state, person, candidate) < rank(state, person, target) {
            target = candidate;
        }
    }
    let target = target.to_owned();
    let linked = candidates.into_iter().filter(|candidate| *candidate != target).collect();
    Ok(Found { target, linked, apart })
}

/// The place of the authority whose number the id of `patient` is; the last for ids that are no trusted number's.
pub fn rank(state: &State, person: &Person, patient: &str) -> usize {
    let spoken = person.numbers.iter().filter(|number| number.patient == patient);
    let held = state.index.held(patient).filter(|(system, value)| is_named_by(state, patient, system, value));
    let systems = spoken.map(|number| number.system.as_str()).chain(held.map(|(system, _)| system.as_str()));
    let place = |system: &str| person.trusted.iter().position(|trusted| trusted == system);
    systems.filter_map(place).min().unwrap_or(usize::MAX)
}

fn is_named_by(state: &State, patient: &str, system: &str, value: &str) -> bool {
    mapping::patient_id(state.namespace, system, value) == patient
}

/// What speaks against the message and all candidates being one person, but for what a person said about them.
fn contradictions(
    state: &State,
    change: &Change,
    person: &Person,
    candidates: &[String],
) -> BTreeSet<&'static str> {
    let mut found = BTreeSet::new();
    let told = Claims::of_message(change, person);
    for (index, one) in candidates.iter().enumerate() {
        let of_one = Claims::of_patient(state, one);
        let is_own = is_own(state, person, one);
        let is_same = state.decided(one, &person.speaker) == Some(ReviewAnswer::Same);
        if !is_same {
            found.extend(told.against(&of_one, is_own));
        }
        for other in candidates.iter().skip(index + 1) {
            if !is_same && state.decided(one, other) != Some(ReviewAnswer::Same) {
                // What the sender says now about its own patient stands against the other, not what it said once.
                let is_told = is_own || self::is_own(state, person, other);
                found.extend(of_one.against(&Claims::of_patient(state, other), is_told));
            }
        }
    }
    found
}

/// May the sender correct this patient? Its id is a number that the sender assigns, or the sender's own stand-in.
fn is_own(state: &State, person: &Person, patient: &str) -> bool {
    let is_named = |(system, value): &(String, String)| {
        person.own.contains(system) && is_named_by(state, patient, system, value)
    };
    patient == person.speaker || state.index.held(patient).any(is_named)
}

/// The patients of two numbers of one authority, unless somebody said before that they are one.
fn told_twice(state: &State, person: &Person) -> BTreeSet<String> {
    let holder = |number: &PersonNumber| state.holder(&number.system, &number.value);
    let mut twice = BTreeSet::new();
    for (index, one) in person.numbers.iter().enumerate() {
        for other in person.numbers.iter().skip(index + 1).filter(|other| other.system == one.system) {
            let is_held = holder(one).is_some() && holder(one) == holder(other);
            if !is_held && state.decided(&one.patient, &other.patient) != Some(ReviewAnswer::Same) {
                twice.extend([one.patient.clone(), other.patient.clone()]);
            }
        }
    }
    twice
}

/// What is said about a person that another may not differ in.
pub struct Claims {
    birth_date: Option<String>,
    gender: Option<String>,
    numbers: BTreeMap<String, BTreeSet<String>>,
}

impl Claims {
    fn of_message(change: &Change, person: &Person) -> Self {
        let set =
            change.sets.iter().find(|set| set.resource_type.as_str() == "Patient" && set.id == person.id);
        let numbers = person.numbers.iter().map(|number| (number.system.clone(), number.value.clone()));
        Self::new(set.map(|set| &set.resource), numbers)
    }

    /// What a message says of the Patient that it gives this id, but for numbers.
    pub fn told(change: &Change, id: &str) -> Self {
        let mut patients = change.sets.iter().filter(|set| set.resource_type.as_str() == "Patient");
        Self::new(patients.find(|set| set.id == id).map(|set| &set.resource), std::iter::empty())
    }

    /// These, and where they are silent those.
    pub fn or(self, other: Self) -> Self {
        Self {
            birth_date: self.birth_date.or(other.birth_date),
            gender: self.gender.or(other.gender),
            numbers: if self.numbers.is_empty() { other.numbers } else { self.numbers },
        }
    }

    /// What stands of a patient.
    pub fn of_patient(state: &State, patient: &str) -> Self {
        Self::new(state.standing_patient(patient), state.index.held(patient).cloned())
    }

    fn new(body: Option<&Value>, numbers: impl Iterator<Item = (String, String)>) -> Self {
        let text = |name: &str| body.and_then(|body| body.get(name)?.as_str()).map(str::to_owned);
        let mut by_system: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        numbers.for_each(|(system, value)| {
            by_system.entry(system).or_default().insert(value);
        });
        Self { birth_date: text("birthDate"), gender: text("gender"), numbers: by_system }
    }

    /// `may_correct`: a birth date or sex that differs is a correction.
    pub fn against(&self, other: &Self, may_correct: bool) -> Vec<&'static str> {
        let mut found = Vec::new();
        let both = |one: &Option<String>, two: &Option<String>| one.clone().zip(two.clone());
        let dates = both(&self.birth_date, &other.birth_date);
        if !may_correct && dates.is_some_and(|(one, two)| !one.starts_with(&two) && !two.starts_with(&one)) {
            found.push(BIRTH_DATE);
        }
        let sexes = both(&self.gender, &other.gender);
        let is_opposite = |(one, two): (String, String)| {
            matches!((one.as_str(), two.as_str()), ("male", "female") | ("female", "male"))
        };
        if !may_correct && sexes.is_some_and(is_opposite) {
            found.push(SEX);
        }
        let shared =
            self.numbers.iter().filter_map(|(system, mine)| Some((mine, other.numbers.get(system)?)));
        if shared.into_iter().any(|(mine, theirs)| mine.is_disjoint(theirs)) {
            found.push(TWO_NUMBERS);
        }
        found
    }
}

/// Enters what was found about one person.
fn take_over(state: &State, change: &mut Change, person: &Person, found: &Found, done: &mut Identified) {
    let target = &found.target;
    let is_apart = |patient: &str| found.apart.iter().any(|apart| apart == patient);
    for retired in &found.linked {
        done.links.push(PatientMerge {
            survivor: target.clone(),
            retired: retired.clone(),
            is_renumbered: false,
        });
        done.alias(state, retired, target);
    }
    // Later messages that have only this number follow: the sender's own, and one that no index knows.
    let is_number = |id: &str| person.numbers.iter().any(|number| number.patient == id);
    if is_number(&person.speaker) && !is_apart(state.known_survivor(&person.speaker)) {
        done.alias(state, &person.speaker, target);
    }
    if !is_number(&person.id) && found.apart.is_empty() {
        done.alias(state, &person.id, target);
    }
    for number in &person.numbers {
        let holder = state.holder(&number.system, &number.value);
        if holder.is_some_and(is_apart) && number.patient != *target {
            without_number(change, &person.id, number);
        } else if holder != Some(target) {
            done.identifier(&number.system, &number.value, target);
        }
    }
    done.is_known_here_only |= rank(state, person, target) != 0;
}

impl Identified {
    /// Two patients are one from here on.
    pub fn link(&mut self, state: &State, ends: &str, stays: &str) {
        self.links.push(PatientMerge {
            survivor: stays.to_owned(),
            retired: ends.to_owned(),
            is_renumbered: false,
        });
        self.alias(state, ends, stays);
    }

    fn alias(&mut self, state: &State, alias: &str, patient: &str) {
        let is_told = self.aliases.iter().any(|known| known.alias == alias);
        if alias != patient && !is_told && state.known_survivor(alias) != patient {
            self.aliases.push(PatientAlias { alias: alias.to_owned(), patient: patient.to_owned() });
        }
    }

    fn identifier(&mut self, system: &str, value: &str, patient: &str) {
        let (system, value, patient) = (system.to_owned(), value.to_owned(), patient.to_owned());
        self.identifiers.push(PatientIdentifier { system, value, patient });
    }
}

/// Where a message replaces the identifiers of an authority, those of other records of its patient stay.
fn with_other_records(state: &State, change: &mut Change, person: &Person, target: &str) {
    let text = |one: &Value, name: &str| one.get(name).and_then(Value::as_str).map(str::to_owned);
    let is_others = |one: &&Value| {
        let Some((system, value)) = text(one, "system").zip(text(one, "value")) else { return false };
        let is_told = person.numbers.iter().any(|number| number.system == system && number.value == value);
        let record = mapping::patient_id(state.namespace, &system, &value);
        !is_told
            && record != target
            && state.index.held(target).any(|held| *held == (system.clone(), value.clone()))
    };
    let standing = state.standing_patient(target).and_then(|body| body.get("identifier")?.as_array());
    let others: Vec<Value> = standing.into_iter().flatten().filter(is_others).cloned().collect();
    let sets = change.sets.iter_mut();
    for set in sets.filter(|set| set.resource_type.as_str() == "Patient" && set.id == person.id) {
        if let Some(Value::Array(list)) = set.resource.get_mut("identifier") {
            list.extend(others.iter().cloned());
        }
    }
}

/// A number that stays with somebody else does not stand on this message's Patient.
fn without_number(change: &mut Change, patient: &str, number: &PersonNumber) {
    let is_number = |one: &Value| {
        one.get("system").and_then(Value::as_str) == Some(&number.system)
            && one.get("value").and_then(Value::as_str) == Some(&number.value)
    };
    let sets = change.sets.iter_mut();
    for set in sets.filter(|set| set.resource_type.as_str() == "Patient" && set.id == patient) {
        let Some(Value::Array(list)) = set.resource.get_mut("identifier") else { continue };
        list.retain(|one| !is_number(one));
        let is_empty = list.is_empty();
        if let (true, Some(resource)) = (is_empty, set.resource.as_object_mut()) {
            resource.remove("identifier");
        }
    }
}

/// A merge that a person took back was never told.
fn take_back_merges(state: &State, change: &mut Change) {
    let is_apart = |merge: &PatientMerge| {
        state.said(&merge.survivor, &merge.retired) == Some((ReviewAnswer::Different, true))
    };
    let merges = std::mem::take(&mut change.merges);
    let (apart, merges): (Vec<_>, Vec<_>) = merges.into_iter().partition(is_apart);
    change.merges = merges;
    apart.iter().for_each(|merge| without_retired(change, &merge.retired));
}

/// Leaves out the retired Patient and every link to it.
fn without_retired(change: &mut Change, retired: &str) {
    let is_retired =
        |set: &mapping::ResourceSet| set.resource_type.as_str() == "Patient" && set.id == retired;
    change.sets.retain(|set| !is_retired(set));
    let reference = format!("Patient/{retired}");
    let to = |link: &Value| link.pointer("/other/reference").and_then(Value::as_str) == Some(&reference);
    for set in change.sets.iter_mut().filter(|set| set.resource_type.as_str() == "Patient") {
        let Some(Value::Array(links)) = set.resource.get_mut("link") else { continue };
        links.retain(|link| !to(link));
        let is_empty = links.is_empty();
        if let (true, Some(resource)) = (is_empty, set.resource.as_object_mut()) {
            resource.remove("link");
        }
    }
}

/// Merges of the message, over what numbers and earlier merges say. A merge needs no demographics to agree: the sender
/// says that there are two records of one person.
fn merge(
    state: &State,
    change: &mut Change,
    persons: &[Person],
    moves: &mut HashMap<String, String>,
    done: &mut Identified,
) -> Result<(), Conflict> {
    for merge in std::mem::take(&mut change.merges) {
        let raw = merge.retired;
        let person = persons.iter().find(|person| person.id == raw);
        let numbers = person.map(|person| person.numbers.as_slice()).unwrap_or_default();
        let mut survivor = moves.get(&merge.survivor).cloned().unwrap_or_else(|| merge.survivor.clone());
        let holders = numbers.iter().filter_map(|number| state.holder(&number.system, &number.value));
        let stood_for = state.known_survivor(&raw);
        let mut others: BTreeSet<String> = holders.chain([stood_for]).map(str::to_owned).collect();
        others.retain(|other| {
            *other != raw && state.decided(other, &survivor) != Some(ReviewAnswer::Different)
        });
        for other in others {
            if other == survivor {
                continue;
            }
            let is_better = person.is_some_and(|one| rank(state, one, &other) < rank(state, one, &survivor));
            let (stays, ends) = if is_better { (other, survivor) } else { (survivor, other) };
            done.alias(state, &ends, &stays);
            done.links.push(PatientMerge { survivor: stays.clone(), retired: ends, is_renumbered: false });
            survivor = stays;
        }
        moves.insert(merge.survivor.clone(), survivor.clone());
        done.alias(state, &raw, &survivor);
        numbers.iter().for_each(|number| done.identifier(&number.system, &number.value, &survivor));
        if survivor == raw {
            // They are one already, the other way round.
            without_retired(change, &raw);
        } else if merge.is_renumbered {
            if stood_for == raw {
                no_other(state, &survivor, &raw)?;
                done.links.push(PatientMerge { survivor, retired: raw, is_renumbered: true });
            }
        } else if stood_for == raw || state.standing_patient(&raw).is_some() {
            change.merges.push(PatientMerge { survivor, retired: raw, is_renumbered: false });
        } else {
            without_retired(change, &raw);
        }
    }
    Ok(())
}

/// A number that a record is given must not be another's: where a patient stands under it already, of whom the known facts say
/// that it is somebody else, a person decides.
fn no_other(state: &State, now: &str, before: &str) -> Result<(), Conflict> {
    if state.decided(now, before) == Some(ReviewAnswer::Same) {
        return Ok(());
    }
    let against = Claims::of_patient(state, before).against(&Claims::of_patient(state, now), false);
    let contradictions: Vec<&str> = against.into_iter().filter(|code| *code != TWO_NUMBERS).collect();
    match contradictions.is_empty() {
        true => Ok(()),
        false => Err(Conflict { patients: vec![before.to_owned(), now.to_owned()], contradictions }),
    }
}
