//! Link and unlink (A24, A37): what a message says of two patients who both stay records of the sender's own.
//!
//! A link makes them one patient unless something known speaks against it; then it is a question. An unlink makes them
//! two, whatever linked them, but for a merge, which only a person takes back. Of several messages about two patients the
//! last counts, as a fact about their ids that every derivation reads; a person's word stands over all of them. What
//! changes such a fact is applied by deriving both patients again from the journal.

use std::collections::{BTreeSet, HashMap};

use mapping::{Change, PatientLink, PatientMerge, Person, Translation};
use serde_json::{Value, json};
use store::{Cause, IdentityDecision, ReviewAnswer, WriteSet};
use verifier::KnownIdentifiers;

use crate::Error;
use crate::follow::{Pipeline, invalid};
use crate::identity::{Claims, Conflict, Identified, TWO_NUMBERS, rank};
use crate::merge::is_same_number;
use crate::reprocess::Again;
use crate::row::Heading;
use crate::state::State;

/// What speaks against an unlink: the two were merged.
pub const MERGED: &str = "merged-before";

/// Enters what the message says of pairs of patients, over who each of them is (`moves`).
pub fn link(
    state: &State,
    change: &mut Change,
    persons: &[Person],
    moves: &mut HashMap<String, String>,
    done: &mut Identified,
) -> Result<(), Conflict> {
    use ReviewAnswer::{Different, Same};
    for link in &change.links.clone() {
        match (link.is_one, state.said(&link.one, &link.other)) {
            (true, Some((Different, true))) | (false, Some((Same, true))) => done.is_said_otherwise = true,
            (true, Some((Different, false))) => done.decisions.push(said(link, Same)),
            (true, Some((Same, _)) | None) => join(state, change, persons, link, moves, done)?,
            (false, Some((Different, _))) => {}
            (false, Some((Same, false)) | None) if is_merged(state, link) => {
                return Err(question(link, BTreeSet::from([MERGED])));
            }
            (false, Some((Same, false)) | None) => done.decisions.push(said(link, Different)),
        }
    }
    Ok(())
}

/// The word of a message.
fn said(link: &PatientLink, answer: ReviewAnswer) -> IdentityDecision {
    let (one, other) = (link.one.clone(), link.other.clone());
    IdentityDecision { one, other, answer, is_of_person: false }
}

/// A merge is told after an unlink of the same two: the merge counts.
pub fn merged_again(state: &State, merge: &PatientMerge) -> Option<IdentityDecision> {
    let is_unlinked = state.said(&merge.survivor, &merge.retired) == Some((ReviewAnswer::Different, false));
    let link = PatientLink { one: merge.survivor.clone(), other: merge.retired.clone(), is_one: true };
    is_unlinked.then(|| said(&link, ReviewAnswer::Same))
}

fn join(
    state: &State,
    change: &mut Change,
    persons: &[Person],
    link: &PatientLink,
    moves: &mut HashMap<String, String>,
    done: &mut Identified,
) -> Result<(), Conflict> {
    let target = |id: &str| moves.get(id).cloned().unwrap_or_else(|| state.known_survivor(id).to_owned());
    let (first, second) = (target(&link.one), target(&link.other));
    if first == second {
        return Ok(());
    }
    if state.said(&link.one, &link.other).is_none() {
        let of = |id: &str, patient: &str| Claims::told(change, id).or(Claims::of_patient(state, patient));
        let against = of(&link.one, &first).against(&of(&link.other, &second), false);
        // That one authority gave both numbers is what the message says.
        let against: BTreeSet<_> = against.into_iter().filter(|code| *code != TWO_NUMBERS).collect();
        if !against.is_empty() {
            return Err(question(link, against));
        }
    }
    let place = |id: &str, patient: &str| {
        let person = persons.iter().find(|person| person.id == id);
        person.map_or(usize::MAX, |person| rank(state, person, patient))
    };
    let is_better = place(&link.other, &second) < place(&link.one, &first);
    let (stays, ends) = if is_better { (second, first) } else { (first, second) };
    with_both_numbers(state, change, link, &stays, &ends);
    done.link(state, &ends, &stays);
    for to in moves.values_mut().filter(|to| **to == ends) {
        to.clone_from(&stays);
    }
    for id in [&link.one, &link.other] {
        moves.insert(id.clone(), stays.clone());
    }
    Ok(())
}

/// The patient who stays has the identifiers of both records: those that stand, and those that the message gives.
fn with_both_numbers(state: &State, change: &mut Change, link: &PatientLink, stays: &str, ends: &str) {
    let of_message = change.sets.iter().filter(|set| {
        set.resource_type.as_str() == "Patient" && (set.id == link.one || set.id == link.other)
    });
    let Some(mut both) = of_message.clone().next().cloned() else { return };
    let standing = [stays, ends].into_iter().filter_map(|id| state.standing_patient(id));
    let bodies = standing.chain(of_message.map(|set| &set.resource));
    let mut identifiers: Vec<Value> = Vec::new();
    for identifier in bodies.filter_map(|body| body.get("identifier")?.as_array()).flatten() {
        if !identifiers.iter().any(|known| is_same_number(known, identifier)) {
            identifiers.push(identifier.clone());
        }
    }
    both.resource = json!({"resourceType": "Patient", "id": stays, "identifier": identifiers});
    (both.id, both.patient) = (stays.to_owned(), Some(stays.to_owned()));
    (both.fills, both.removals) = (Vec::new(), Vec::new());
    change.sets.push(both);
}

fn question(link: &PatientLink, contradictions: BTreeSet<&'static str>) -> Conflict {
    let patients = vec![link.other.clone(), link.one.clone()];
    Conflict { patients, contradictions: contradictions.into_iter().collect() }
}

/// Did a merge retire one of the two in favour of whom the other is?
fn is_merged(state: &State, link: &PatientLink) -> bool {
    let is_retired = |id: &str| {
        let links = state.standing_patient(id).and_then(|body| body.get("link")?.as_array());
        let mut kinds =
            links.into_iter().flatten().filter_map(|link| link.get("type").and_then(Value::as_str));
        kinds.any(|kind| kind == "replaced-by")
    };
    let is_one = state.known_survivor(&link.one) == state.known_survivor(&link.other);
    is_one && (is_retired(&link.one) || is_retired(&link.other))
}

impl Pipeline {
    /// Applies a message that changes what was said of two patients: all whom it concerns are derived again. Nothing may
    /// be uncommitted when this is called, and all must be forgotten when its set is durable.
    pub(crate) async fn derived_again(
        &mut self,
        heading: &Heading<'_>,
        mut translation: Box<Translation>,
        known: KnownIdentifiers,
        decisions: Vec<IdentityDecision>,
    ) -> Result<WriteSet, Error> {
        self.forget();
        let component = match self.component(&translation.change, heading.entry).await? {
            Ok(component) => component,
            Err(reason) => return Ok(self.held(heading, reason.to_owned(), &translation)),
        };
        let change = &mut translation.change;
        let again = match self.rederive(&component, change, heading.entry, &decisions).await? {
            Ok(again) => again,
            Err(conflict) => return self.conflict(heading, &translation, &conflict),
        };
        let Again { writes, identified } = again;
        if let Some(reason) = invalid(&self.package, &mut translation, &writes) {
            return Ok(self.held(heading, reason, &translation));
        }
        let cause = Cause::Applied(heading.entry.seq);
        let mut set = self.applied(heading, cause, &translation, known, writes, identified).await?;
        set.decisions = decisions;
        Ok(set)
    }
}
