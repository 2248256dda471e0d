//! Patients side by side: what is known of each, and where they agree. Agreement is told though values are masked.

use std::collections::BTreeSet;

use hl7v2::Message;
use serde_json::Value;
use store::{NewReview, PatientIdentifier, ResourceKey, Review};

use crate::Error;
use crate::badge::Badge;
use crate::clinical::list::of;
use crate::clinical::raw::visible;
use crate::clinical::translation::translated;
use crate::clinical::{Clinical, MASK};
use crate::server::Server;

/// Candidates that are compared.
const CANDIDATES_MAX: usize = 8;

/// The candidates of a review.
pub(crate) struct Comparison {
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) rows: Vec<FactRow>,
}

/// One patient in question.
pub(crate) struct Candidate {
    pub(crate) id: String,
    /// What it is to the message.
    pub(crate) part: &'static str,
}

/// One kind of fact over all candidates.
pub(crate) struct FactRow {
    pub(crate) name: &'static str,
    /// One cell for each candidate, each with its values.
    pub(crate) cells: Vec<Vec<String>>,
    pub(crate) badge: Badge,
}

/// What is known of one patient.
#[derive(Default)]
struct Facts {
    known: [BTreeSet<String>; FACTS.len()],
}

/// Kinds of facts, in the order they are shown.
const FACTS: [&str; 7] =
    ["Numbers", "Name", "Birth date", "Administrative sex", "Address", "Telephone and mail", "Deceased"];

/// Reads and compares the candidates.
pub(crate) async fn compared(server: &Server, review: &Review, reveal: bool) -> Result<Comparison, Error> {
    let (clinical, question) = (of(server)?, &review.question);
    let shown: Vec<&String> = question.patients.iter().take(CANDIDATES_MAX).collect();
    let said = said_by_message(clinical, question).await?;
    let (mut candidates, mut facts) = (Vec::new(), Vec::new());
    for (place, patient) in shown.iter().enumerate() {
        let numbers = clinical.reviews.identifiers_of(patient).await?;
        let stored = current(server, patient).await?;
        let is_own = place + 1 == question.patients.len();
        let resource = stored.as_ref().or(if is_own { said.as_ref() } else { None });
        let part = match (is_own, stored.is_some()) {
            (true, false) => "known from this message alone",
            (true, true) => "whom the message is about by itself",
            (false, _) => "whom its most trusted number stands for",
        };
        candidates.push(Candidate { id: (*patient).clone(), part });
        facts.push(Facts::of(&numbers, resource));
    }
    let rows = FACTS.iter().enumerate().map(|(at, name)| row(name, at, &facts, reveal));
    Ok(Comparison { rows: rows.collect(), candidates })
}

async fn current(server: &Server, patient: &str) -> Result<Option<Value>, Error> {
    let Some(resource_type) = fhir::ResourceType::parse("Patient") else { return Ok(None) };
    let key = ResourceKey { resource_type, id: patient.to_owned() };
    let stored = server.console.resources.read(&key).await?.filter(|stored| !stored.deleted);
    Ok(stored.and_then(|stored| serde_json::from_slice(stored.body.expose()).ok()))
}

/// The Patient that the message tells of.
async fn said_by_message(clinical: &Clinical, question: &NewReview) -> Result<Option<Value>, Error> {
    let Some(entry) = clinical.journal.read(question.message).await? else { return Ok(None) };
    let parts = clinical.clone();
    let made = tokio::task::spawn_blocking(move || {
        let message = Message::read_as(&entry.bytes, entry.charset.as_deref()).ok()?;
        let translation = translated(&(parts.package)(), parts.namespace, &message)?;
        let mut sets = translation.change.sets.into_iter();
        sets.find(|set| set.resource_type.as_str() == "Patient").map(|set| set.resource)
    });
    made.await.map_err(|_| Error::Task)
}

impl Facts {
    fn of(numbers: &[PatientIdentifier], resource: Option<&Value>) -> Self {
        let mut facts = Self::default();
        let [ids, names, births, sexes, addresses, telecoms, deaths] = &mut facts.known;
        ids.extend(numbers.iter().map(|number| format!("{} ({})", number.value, short(&number.system))));
        let Some(resource) = resource else { return facts };
        let list = |name: &str| resource.get(name).and_then(Value::as_array).into_iter().flatten();
        if ids.is_empty() {
            let number = |one: &Value| {
                Some(format!("{} ({})", text(one, "value")?, short(&text(one, "system").unwrap_or_default())))
            };
            ids.extend(list("identifier").filter_map(number));
        }
        let joined = |one: &Value, lists: &[&str], single: &[&str]| {
            let mut parts: Vec<String> = Vec::new();
            for name in lists {
                let items = one.get(name).and_then(Value::as_array).into_iter().flatten();
                parts.extend(items.filter_map(Value::as_str).map(str::to_owned));
            }
            parts.extend(single.iter().filter_map(|name| text(one, name)));
            parts.join(" ")
        };
        names.extend(list("name").map(|one| joined(one, &["given"], &["family"])));
        births.extend(text(resource, "birthDate"));
        sexes.extend(text(resource, "gender"));
        addresses.extend(
            list("address").map(|one| joined(one, &["line"], &["city", "state", "postalCode", "country"])),
        );
        telecoms.extend(list("telecom").filter_map(|one| text(one, "value")));
        deaths.extend(text(resource, "deceasedDateTime"));
        deaths.extend(resource.get("deceasedBoolean").and_then(Value::as_bool).map(|is| is.to_string()));
        for known in &mut facts.known {
            known.retain(|value| !value.trim().is_empty());
        }
        facts
    }
}

fn text(value: &Value, name: &str) -> Option<String> {
    value.get(name).and_then(Value::as_str).map(str::to_owned)
}

/// The end of a system's URI, which is what tells authorities apart.
fn short(system: &str) -> String {
    system.rsplit(['/', ':']).next().unwrap_or(system).to_owned()
}

fn row(name: &'static str, at: usize, facts: &[Facts], reveal: bool) -> FactRow {
    let known: Vec<&BTreeSet<String>> = facts.iter().filter_map(|facts| facts.known.get(at)).collect();
    let folded: Vec<BTreeSet<String>> =
        known.iter().map(|values| values.iter().map(|value| value.to_lowercase()).collect()).collect();
    let told: Vec<&BTreeSet<String>> = folded.iter().filter(|values| !values.is_empty()).collect();
    let badge = match told.as_slice() {
        [] => crate::badge::new("\u{2212}", "not known", "mute"),
        [_] if folded.len() > 1 => crate::badge::new("\u{2212}", "known of one", "mute"),
        [first, rest @ ..] if rest.iter().all(|other| other == first) => {
            crate::badge::new("=", "same", "good")
        }
        [first, rest @ ..] if rest.iter().all(|other| !other.is_disjoint(first)) => {
            crate::badge::new("\u{2248}", "in part", "wait")
        }
        _ => crate::badge::new("\u{2260}", "differs", "bad"),
    };
    let shown = |value: &String| if reveal { visible(value) } else { MASK.to_owned() };
    FactRow { name, cells: known.iter().map(|values| values.iter().map(shown).collect()).collect(), badge }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn facts(resource: Value) -> Facts {
        Facts::of(&[], Some(&resource))
    }

    #[test]
    fn agreement_is_told_without_values() {
        let one = facts(
            json!({"name": [{"family": "Doe", "given": ["Jo"]}], "birthDate": "1970-01-01", "gender": "female",
            "telecom": [{"value": "555-0100"}, {"value": "555-0101"}]}),
        );
        let other = facts(json!({"name": [{"family": "DOE", "given": ["JO"]}], "birthDate": "1971-01-01",
            "telecom": [{"value": "555-0100"}]}));
        let both = [one, other];
        let words: Vec<_> = FACTS.iter().enumerate().map(|(at, name)| row(name, at, &both, false)).collect();
        assert_eq!(
            words.iter().map(|row| row.badge.word).collect::<Vec<_>>(),
            ["not known", "same", "differs", "known of one", "not known", "in part", "not known"]
        );
        assert!(words.iter().flat_map(|row| row.cells.iter().flatten()).all(|cell| cell == MASK));
        assert_eq!(row("Name", 1, &both, true).cells[0], ["Jo Doe"]);
    }
}
