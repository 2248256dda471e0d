//! `_explain=plan`: how a search was driven.

use serde_json::{Value, json};

use crate::desk::writing;

fn observation(id: &str, date: &str, code: &str) -> Value {
    json!({"resourceType": "Observation", "id": id, "status": "final", "code": {"coding": [{"code": code}]},
        "subject": {"reference": "Patient/p1"}, "effectiveDateTime": date})
}

#[tokio::test]
async fn the_outcome_of_a_search_says_how_it_was_driven() {
    let node = writing().await;
    let patient = json!({"resourceType": "Patient", "id": "p1", "gender": "female"});
    assert_eq!(node.put("/fhir/Patient/p1", &patient).await.status, 201);
    for (id, date, code) in [("o1", "2024-01-01", "x"), ("o2", "2024-01-02", "x"), ("o3", "2024-01-03", "y")]
    {
        let path = format!("/fhir/Observation/{id}");
        assert_eq!(node.put(&path, &observation(id, date, code)).await.status, 201);
    }
    let cases = [
        (
            "patient=p1&_sort=-date",
            "the newest of `patient`, in their order; 3 resources looked at, each tested by 0",
        ),
        ("code=x", "all that `code` selects, put in order; 2 resources looked at, each tested by 0"),
        (
            "code=x&patient=p1",
            "all that `code` selects, put in order; 2 resources looked at, each tested by 1",
        ),
        ("_sort=date", "all resources of the type; 3 resources looked at, each tested by 0"),
        ("code:missing=true", "all resources of the type; 3 resources looked at, each tested by 1"),
        ("code=z", "nothing, for what is asked for is nowhere; 0 resources looked at"),
    ];
    for (asked, told) in cases {
        let plain = node.get(&format!("/fhir/Observation?{asked}")).await.json();
        let answer = node.get(&format!("/fhir/Observation?{asked}&_explain=plan")).await;
        assert_eq!(answer.status, 200, "{asked}");
        let bundle = answer.json();
        let entries = bundle["entry"].as_array().expect("entries");
        let (outcome, matches) = entries.split_last().expect("an outcome");
        assert_eq!(outcome["search"]["mode"], "outcome", "{asked}");
        let issue = &outcome["resource"]["issue"][0];
        assert_eq!((&issue["severity"], &issue["code"]), (&json!("information"), &json!("informational")));
        assert!(issue.to_string().contains(told), "{asked}: {issue}");
        assert_eq!(matches, plain["entry"].as_array().map(Vec::as_slice).unwrap_or_default(), "{asked}");
        assert_eq!((&bundle["total"], &bundle["link"]), (&plain["total"], &plain["link"]), "{asked}");
    }
    for wrong in ["_explain=all", "_explain=", "_explain=plan&_explain=plan"] {
        assert_eq!(node.get(&format!("/fhir/Observation?{wrong}")).await.status, 400, "{wrong}");
    }
}
