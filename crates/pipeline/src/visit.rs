//! What a visit keeps of where it was and of what class it was: v2 sends the present, FHIR's Encounter has the history.
//!
//! A transfer (A02) closes the bed that was left. A cancelled transfer (A12) takes the bed away again, for nobody lay in
//! it; the translation says so with the removal [`UNDONE`]. A change of class (A06, A07) brings the new class with its
//! start, at which the class before it ends.

use mapping::ResourceSet;
use serde_json::{Map, Value, json};

/// Removal of the places that stand as the present ones and are not said again (R4 Encounter.location).
pub const UNDONE: &str = "location:active";

/// Carries the history of `standing` into `next`, which holds what `set` says. Elements that only fill change nothing.
pub fn keep_history(standing: &Map<String, Value>, next: &mut Map<String, Value>, set: &ResourceSet) {
    let says = |name: &str| set.resource.get(name).is_some() && !set.fills.iter().any(|fill| fill == name);
    if says("location") {
        let is_undone = set.removals.iter().any(|removal| removal == UNDONE);
        locations(list(standing, "location"), next, is_undone);
    }
    if says("classHistory") {
        classes(standing, next);
    }
    if says("participant") {
        participants(list(standing, "participant"), next);
    }
}

fn list<'a>(object: &'a Map<String, Value>, name: &str) -> &'a [Value] {
    object.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn locations(standing: &[Value], next: &mut Map<String, Value>, is_undone: bool) {
    let Some(Value::Array(said)) = next.get_mut("location") else { return };
    let is_said =
        |one: &Value, said: &[Value]| said.iter().any(|other| other.get("location") == one.get("location"));
    let earlier: Vec<Value> = standing
        .iter()
        .filter(|one| !is_said(one, said))
        .filter_map(|one| match one.get("status").and_then(Value::as_str) {
            Some("completed") => Some(one.clone()),
            Some("active") if !is_undone => Some(with_status(one, "completed")),
            // A place planned or reserved holds until the next message about the place.
            _ => None,
        })
        .collect();
    said.extend(earlier);
}

/// Who takes part in a role of which the message does not speak goes on: v2 has a field for each role, and an absent one keeps.
fn participants(standing: &[Value], next: &mut Map<String, Value>) {
    let Some(Value::Array(said)) = next.get_mut("participant") else { return };
    let spoken: Vec<Value> = said.iter().filter_map(|one| one.get("type").cloned()).collect();
    let is_other = |one: &&Value| one.get("type").is_some_and(|role| !spoken.contains(role));
    said.extend(standing.iter().filter(is_other).cloned().collect::<Vec<_>>());
}

fn with_status(one: &Value, status: &str) -> Value {
    let mut one = one.clone();
    if let Value::Object(map) = &mut one {
        map.insert("status".to_owned(), status.into());
    }
    one
}

fn classes(standing: &Map<String, Value>, next: &mut Map<String, Value>) {
    let Some(Value::Array(said)) = next.get_mut("classHistory") else { return };
    let Some(first) = said.first().cloned() else { return };
    let start = first.pointer("/period/start").cloned();
    let mut history = list(standing, "classHistory").to_vec();
    if history.is_empty()
        && let Some(class) = standing.get("class")
        && Some(class) != first.get("class")
    {
        let period = standing.get("period").and_then(|period| period.get("start"));
        history.push(
            json!({ "class": class, "period": period.map_or(json!({}), |start| json!({ "start": start })) }),
        );
    }
    if history.last() == Some(&first) {
        *said = history;
        return;
    }
    if let Some(period) =
        history.last_mut().and_then(|last| last.get_mut("period")).and_then(Value::as_object_mut)
        && let Some(start) = start
        && !period.contains_key("end")
    {
        period.insert("end".to_owned(), start);
    }
    history.append(said);
    *said = history;
}

#[cfg(test)]
mod tests {
    use super::*;
    use mapping::Mode;

    /// One message after the other over nothing, as the pipeline applies them.
    fn applied(messages: &[(Value, &[&str])]) -> Value {
        let mut standing: Option<Value> = None;
        for (resource, removals) in messages {
            let mut set = ResourceSet {
                handle: "visit".into(),
                resource_type: fhir::ResourceType::parse("Encounter").expect("a type of R4"),
                id: "v".into(),
                resource: resource.clone(),
                removals: removals.iter().map(|removal| (*removal).to_owned()).collect(),
                fills: Vec::new(),
                mode: Mode::Merge,
                patient: None,
            };
            standing = Some(crate::merge::merge(standing.as_ref(), &mut set));
        }
        standing.expect("at least one message")
    }

    fn at(place: &str, status: &str) -> Value {
        json!({ "location": { "reference": format!("Location/{place}") }, "status": status })
    }

    #[test]
    fn a_transfer_closes_the_bed_that_was_left_and_keeps_the_ones_before() {
        let visit = applied(&[
            (json!({ "location": [at("a", "active")] }), &[]),
            (json!({ "location": [at("b", "active"), at("a", "completed")] }), &[]),
            (json!({ "location": [at("c", "active")] }), &[]),
        ]);
        assert_eq!(visit["location"], json!([at("c", "active"), at("b", "completed"), at("a", "completed")]));
    }

    #[test]
    fn a_cancelled_transfer_leaves_no_trace_of_the_bed() {
        let visit = applied(&[
            (json!({ "location": [at("a", "active")] }), &[]),
            (json!({ "location": [at("b", "active")] }), &[]),
            (json!({ "location": [at("a", "active")] }), &[UNDONE]),
        ]);
        assert_eq!(visit["location"], json!([at("a", "active")]));
    }

    #[test]
    fn another_attending_doctor_leaves_the_consulting_one() {
        let in_role = |role: &str, who: &str| json!({ "type": [{ "coding": [{ "code": role }] }], "individual": { "reference": format!("Practitioner/{who}") } });
        let visit = applied(&[
            (json!({ "participant": [in_role("ATND", "a"), in_role("CON", "b"), in_role("CON", "c")] }), &[]),
            (json!({ "participant": [in_role("ATND", "d")] }), &[]),
        ]);
        assert_eq!(
            visit["participant"],
            json!([in_role("ATND", "d"), in_role("CON", "b"), in_role("CON", "c")])
        );
        let visit = applied(&[
            (json!({ "participant": [in_role("CON", "b"), in_role("CON", "c")] }), &[]),
            (json!({ "participant": [in_role("CON", "e")] }), &[]),
        ]);
        assert_eq!(visit["participant"], json!([in_role("CON", "e")]));
    }

    #[test]
    fn a_change_of_class_ends_the_class_before_and_applies_once() {
        let change = json!({ "class": { "code": "IMP" },
            "classHistory": [{ "class": { "code": "IMP" }, "period": { "start": "2019-03-12" } }] });
        let visit = applied(&[
            (json!({ "class": { "code": "AMB" }, "period": { "start": "2019-03-11" } }), &[]),
            (change.clone(), &[]),
            (change, &[]),
        ]);
        let expected = json!([
            { "class": { "code": "AMB" }, "period": { "start": "2019-03-11", "end": "2019-03-12" } },
            { "class": { "code": "IMP" }, "period": { "start": "2019-03-12" } },
        ]);
        assert_eq!(visit["classHistory"], expected);
    }
}
