//! What the stopped on-prem node keeps: where each message ended, and the question that waits for a person.

use std::collections::{BTreeMap, BTreeSet};

use store::sqlite::{Options, Role, Sqlite};
use store::{MessageFilter, MessageRow, MessageState, Messages as _, PatientIndex as _};

use super::town::Town;
use super::{Outcome, Story, people};
use crate::clock;
use crate::demo::Demo;

/// More rows than the story has.
const ROWS_MAX: usize = 2_000;
/// What the story sends that cannot be applied: a frame without MSH, a header without control id, an unknown type, and
/// one prescription that two people could own.
const HELD: usize = 4;

/// Opens the stopped node's store and tells both.
pub async fn look(demo: &Demo, town: &Town, story: &mut Story) {
    let options = Options { synchronous_full: true, read_connections: 1, now_us: clock::now_us };
    let store = match Sqlite::open(&demo.place.folder.join("onprem/data"), Role::Clinical, options).await {
        Ok(store) => store,
        Err(error) => return story.tell("the stopped node's store opens", Err(error.to_string())),
    };
    story.tell("every message came to its end", ends(&store, town).await);
    story.tell("two people under one number wait for a person", waits(&store, town).await);
    if let Err(error) = store.close().await {
        story.tell("the stopped node's store closes", Err(error.to_string()));
    }
}

async fn rows(store: &Sqlite) -> Result<Vec<MessageRow>, String> {
    store.list(&MessageFilter::default(), None, ROWS_MAX).await.map_err(|error| error.to_string())
}

/// Every message of a system was applied, but for the one that had to wait; the rest is the bad input.
async fn ends(store: &Sqlite, town: &Town) -> Outcome {
    let rows = rows(store).await?;
    let routed = rows.iter().filter(|row| row.state == MessageState::Routed).count();
    let mut held: BTreeMap<String, usize> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.state == MessageState::Quarantined) {
        *held.entry(row.reason.clone().unwrap_or_default()).or_default() += 1;
    }
    let expected = town.sent_count() - 1;
    if routed == expected && held.values().sum::<usize>() == HELD && rows.len() == routed + HELD {
        Ok(format!("{routed} applied, {HELD} held: {}", held.into_keys().collect::<Vec<_>>().join(", ")))
    } else {
        Err(format!("{routed} of {expected} applied, {} rows, held: {held:?}", rows.len()))
    }
}

/// One open question, about the two whose numbers the message bore; it is held, and neither has the other's number.
async fn waits(store: &Sqlite, town: &Town) -> Outcome {
    let words = |error: store::Error| error.to_string();
    let open = store.reviews(true, ROWS_MAX).await.map_err(words)?;
    let [review] = open.as_slice() else {
        return Err(format!("{} questions about identity are open, not one", open.len()));
    };
    let is_held =
        |row: &MessageRow| row.id == review.question.message && row.state == MessageState::Quarantined;
    if !rows(store).await?.iter().any(is_held) {
        return Err("the message that raised it was not held".to_owned());
    }
    for episode in town.episodes.iter().take(2) {
        let numbers =
            people::numbers(&episode.person).map(|(system, value)| (system.to_owned(), value.to_owned()));
        let holders = store.holders(&numbers).await.map_err(words)?;
        let patients: BTreeSet<_> = holders.iter().map(|holder| &holder.patient).collect();
        if holders.len() != numbers.len() || patients.len() != 1 {
            return Err("a number of theirs changed hands".to_owned());
        }
        if !patients.iter().all(|patient| review.question.patients.contains(patient)) {
            return Err("the question is about other patients".to_owned());
        }
    }
    let against = review.question.contradictions.join(", ");
    Ok(format!("one question ({against}), and neither has a number of the other"))
}
