//! Batch and transaction: the cases 20 to 26 of a naive server's mistakes, by number.

use serde_json::{Value, json};

use crate::answer::send;
use crate::desk::{Writing, writing};

fn patient(number: &str) -> Value {
    json!({"resourceType": "Patient", "identifier": [{"system": "urn:mrn", "value": number}]})
}

fn observation(subject: &str) -> Value {
    json!({"resourceType": "Observation", "status": "final", "code": {"text": "x"},
        "subject": {"reference": subject}})
}

fn entry(full_url: &str, method: &str, url: &str, resource: Value) -> Value {
    let mut entry = json!({"request": {"method": method, "url": url}});
    if !full_url.is_empty() {
        entry["fullUrl"] = json!(full_url);
    }
    if !resource.is_null() {
        entry["resource"] = resource;
    }
    entry
}

fn transaction(entries: Vec<Value>) -> Value {
    json!({"resourceType": "Bundle", "type": "transaction", "entry": entries})
}

fn statuses(answer: &Value) -> Vec<String> {
    let entries = answer["entry"].as_array().cloned().unwrap_or_default();
    entries.iter().map(|entry| entry["response"]["status"].as_str().expect("a status").to_owned()).collect()
}

async fn nothing_is_there(node: &Writing) {
    for of in ["Patient", "Observation"] {
        assert_eq!(node.count(of).await, 0, "{of}");
    }
}

const P: &str = "urn:uuid:8f1f4d0e-6c6b-4e0c-9f0a-1a2b3c4d5e6f";
const D: &str = "urn:uuid:0b8f6a52-3f0e-4a5e-8a53-9b2f1c7d6e5a";

#[tokio::test]
pub async fn case_20_references_between_entries_are_rewritten_everywhere() {
    let node = writing().await;
    let mut observed = observation(P);
    observed["extension"] =
        json!([{"url": "urn:x", "valueReference": {"reference": P}}, {"url": "urn:y", "valueUri": P}]);
    observed["contained"] = json!([{"resourceType": "Practitioner", "id": "c", "name": [{"text": "x"}]},
        {"resourceType": "Observation", "id": "o", "status": "final", "code": {"text": "y"}, "subject": {"reference": P}}]);
    observed["performer"] = json!([{"reference": "#c"}]);
    observed["hasMember"] = json!([{"reference": "#o"}]);
    observed["identifier"] = json!([{"system": "urn:ietf:rfc:3986", "value": P}]);
    observed["note"] = json!([{"text": P}]);
    let document = json!({"resourceType": "DocumentReference", "status": "current", "subject": {"reference": P},
        "content": [{"attachment": {"url": D}}]});
    let binary = json!({"resourceType": "Binary", "contentType": "text/plain", "data": "eA=="});
    let sent = transaction(vec![
        entry("", "POST", "Observation", observed),
        entry("", "POST", "DocumentReference", document),
        entry(P, "POST", "Patient", patient("A1")),
        entry(D, "POST", "Binary", binary),
    ]);
    let answer = node.post("/fhir", &sent).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let answer = answer.json();
    assert_eq!(answer["type"], "transaction-response");
    assert_eq!(statuses(&answer), ["201 Created"; 4]);
    let made = |index: usize| answer["entry"][index]["resource"].clone();
    let id = made(2)["id"].as_str().expect("an id").to_owned();
    let target = json!(format!("Patient/{id}"));
    let observed = made(0);
    assert_eq!(observed["subject"]["reference"], target);
    assert_eq!(observed["extension"][0]["valueReference"]["reference"], target);
    assert_eq!(observed["extension"][1]["valueUri"], target);
    assert_eq!(observed["contained"][1]["subject"]["reference"], target);
    assert_eq!(
        (&observed["performer"][0]["reference"], &observed["contained"][0]["id"]),
        (&json!("#c"), &json!("c"))
    );
    assert_eq!(observed["identifier"][0]["value"], P, "what is text stays");
    assert_eq!(observed["note"][0]["text"], P);
    let binary = made(3)["id"].as_str().expect("an id").to_owned();
    assert_eq!(made(1)["content"][0]["attachment"]["url"], format!("Binary/{binary}"));
    let stored = node.get(&format!("/fhir/Observation?patient={id}")).await;
    assert_eq!(stored.ids().len(), 1);
    let location = answer["entry"][2]["response"]["location"].as_str().expect("a location");
    assert_eq!(location, format!("http://node.example/fhir/Patient/{id}/_history/1"));
}

#[tokio::test]
pub async fn case_21_entries_are_done_in_the_order_of_the_standard_and_answered_in_theirs() {
    let node = writing().await;
    for id in ["gone", "kept"] {
        let mut one = patient(id);
        one["id"] = json!(id);
        assert_eq!(node.put(&format!("/fhir/Patient/{id}"), &one).await.status, 201);
    }
    let mut kept = patient("kept");
    (kept["id"], kept["active"]) = (json!("kept"), json!(true));
    let sent = transaction(vec![
        entry("", "GET", "Patient?identifier=new", Value::Null),
        entry("", "PUT", "Patient/kept", kept),
        entry("", "POST", "Patient", patient("new")),
        entry("", "DELETE", "Patient/gone", Value::Null),
        entry("", "GET", "Patient/gone", Value::Null),
        entry("", "GET", "/Patient/kept", Value::Null),
    ]);
    let answer = node.post("/fhir", &sent).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let answer = answer.json();
    let expected = ["200 OK", "200 OK", "201 Created", "204 No Content", "410 Gone", "200 OK"];
    assert_eq!(statuses(&answer), expected);
    assert_eq!(answer["entry"][0]["resource"]["total"], 1, "reads see what was written");
    assert_eq!(answer["entry"][4]["response"]["outcome"]["issue"][0]["code"], "deleted");
    assert_eq!(answer["entry"][5]["resource"]["active"], true);
    assert_eq!(answer["entry"][1]["response"]["etag"], "W/\"2\"");
}

#[tokio::test]
pub async fn case_22_a_conditional_reference_means_one_or_nothing_is_done() {
    let node = writing().await;
    let by_number = "Patient?identifier=urn:mrn|A1";
    let sent = transaction(vec![
        entry("", "POST", "Patient", patient("B1")),
        entry("", "POST", "Observation", observation(by_number)),
    ]);
    let none = node.post("/fhir", &sent).await;
    assert_eq!(
        (none.status.as_u16(), none.json()["issue"][0]["expression"].clone()),
        (412, json!(["Bundle.entry[1]"]))
    );
    nothing_is_there(&node).await;
    node.post("/fhir/Patient", &patient("A1")).await;
    let one = node
        .post("/fhir", &transaction(vec![entry("", "POST", "Observation", observation(by_number))]))
        .await;
    assert_eq!(one.status, 200, "{}", one.body);
    let reference = one.json()["entry"][0]["resource"]["subject"]["reference"].clone();
    assert!(reference.as_str().is_some_and(|text| text.starts_with("Patient/") && !text.contains('?')));
    node.post("/fhir/Patient", &patient("A1")).await;
    assert_eq!(node.post("/fhir", &sent).await.status, 412, "two match");
    let unknown = transaction(vec![entry("", "POST", "Observation", observation("Patient?nonsense=1"))]);
    assert_eq!(node.post("/fhir", &unknown).await.status, 400);
    assert_eq!((node.count("Patient").await, node.count("Observation").await), (2, 1));
}

#[tokio::test]
pub async fn case_23_one_bad_entry_is_named_and_nothing_is_done() {
    let node = writing().await;
    let mut wrong = patient("A4");
    wrong["birthDate"] = json!("1980-13-45");
    let mut named = patient("A5");
    named["id"] = json!("other");
    let good = || entry("", "POST", "Patient", patient("A1"));
    let same = |id: &str| {
        let mut one = patient("A6");
        one["id"] = json!(id);
        one
    };
    for (last, status, expression) in [
        (vec![entry("", "POST", "Patient", wrong)], 422, "Bundle.entry[1].resource.birthDate"),
        (vec![entry("", "PUT", "Patient/a", named)], 400, "Bundle.entry[1]"),
        (vec![entry("", "POST", "Nonsense", patient("A2"))], 404, "Bundle.entry[1]"),
        (vec![entry("", "POST", "Observation", patient("A2"))], 400, "Bundle.entry[1]"),
        (vec![entry("", "POST", "Patient", Value::Null)], 400, "Bundle.entry[1]"),
        (vec![entry("", "OPTIONS", "Patient", Value::Null)], 400, "Bundle.entry[1].request.method"),
        (vec![json!({"resource": patient("A2")})], 400, "Bundle.entry[1]"),
        (vec![json!(7)], 400, "Bundle.entry[1]"),
        (
            vec![entry("", "PUT", "Patient/a", same("a")), entry("", "DELETE", "Patient/a", Value::Null)],
            400,
            "Bundle.entry[1]",
        ),
    ] {
        let mut entries = vec![good()];
        entries.extend(last);
        let answer = node.post("/fhir", &transaction(entries)).await;
        assert_eq!(answer.status, status, "{expression}: {}", answer.body);
        assert_eq!(answer.json()["issue"][0]["expression"], json!([expression]), "{}", answer.body);
        nothing_is_there(&node).await;
    }
}

#[tokio::test]
pub async fn case_24_the_entries_of_a_batch_stand_alone() {
    let node = writing().await;
    let mut wrong = patient("A4");
    wrong["gender"] = json!("femail");
    let sent = json!({"resourceType": "Bundle", "type": "batch", "entry": [
        entry("", "POST", "Patient", patient("A1")),
        entry("", "POST", "Patient", wrong),
        entry("", "GET", "Patient/never", Value::Null),
        entry("", "GET", "Patient?identifier=A1", Value::Null),
        entry("", "DELETE", "Patient/never", Value::Null),
        entry("", "POST", "Nonsense", patient("A2")),
    ]});
    let answer = node.post("/fhir", &sent).await;
    assert_eq!(answer.status, 200);
    let answer = answer.json();
    assert_eq!(answer["type"], "batch-response");
    let expected = [
        "201 Created",
        "422 Unprocessable Entity",
        "404 Not Found",
        "200 OK",
        "204 No Content",
        "404 Not Found",
    ];
    assert_eq!(statuses(&answer), expected);
    let expression = &answer["entry"][1]["response"]["outcome"]["issue"][0]["expression"];
    assert_eq!(*expression, json!(["Bundle.entry[1].resource.gender"]));
    assert_eq!(answer["entry"][3]["resource"]["total"], 1);
    assert_eq!(node.count("Patient").await, 1);
}

#[tokio::test]
pub async fn case_25_what_is_no_batch_or_transaction_is_refused() {
    let node = writing().await;
    for (sent, status) in [
        (json!({"resourceType": "Bundle", "type": "collection"}), 422),
        (json!({"resourceType": "Bundle"}), 422),
        (patient("A1"), 400),
        (json!([]), 400),
        (json!({"resourceType": "Bundle", "type": "transaction", "entry": {}}), 400),
    ] {
        let answer = node.post("/fhir", &sent).await;
        assert_eq!(
            (answer.status.as_u16(), answer.json()["resourceType"].as_str()),
            (status, Some("OperationOutcome")),
            "{sent}"
        );
    }
    let many: Vec<Value> =
        (0..=rest::ENTRIES_MAX).map(|_| entry("", "GET", "Patient/a", Value::Null)).collect();
    assert_eq!(node.post("/fhir", &transaction(many)).await.status, 413);
    let empty = node.post("/fhir", &json!({"resourceType": "Bundle", "type": "transaction"})).await;
    assert_eq!((empty.status.as_u16(), empty.json().get("entry")), (200, None));
}

#[tokio::test]
pub async fn case_26_a_transaction_that_is_sent_again_makes_nothing_twice() {
    let node = writing().await;
    let create = || {
        let mut create = entry(P, "POST", "Patient", patient("A1"));
        create["request"]["ifNoneExist"] = json!("identifier=urn:mrn|A1");
        create
    };
    let mut observed = entry("", "POST", "Observation", observation(P));
    observed["resource"]["identifier"] = json!([{"system": "urn:o", "value": "O1"}]);
    observed["request"]["ifNoneExist"] = json!("identifier=urn:o|O1");
    let sent = transaction(vec![create(), observed]);
    let first = node.post("/fhir", &sent).await.json();
    assert_eq!(statuses(&first), ["201 Created"; 2]);
    let again = node.post("/fhir", &sent).await.json();
    assert_eq!(statuses(&again), ["200 OK"; 2]);
    assert_eq!(again["entry"][0]["response"]["location"], first["entry"][0]["response"]["location"]);
    assert_eq!((node.count("Patient").await, node.count("Observation").await), (1, 1));
    let twice = transaction(vec![create(), create()]);
    assert_eq!(node.post("/fhir", &twice).await.status, 400);
    // What exists is referred to by those that are new.
    let more = transaction(vec![create(), entry("", "POST", "Observation", observation(P))]);
    let more = node.post("/fhir", &more).await.json();
    let id = first["entry"][0]["resource"]["id"].as_str().expect("an id");
    assert_eq!(more["entry"][1]["resource"]["subject"]["reference"], format!("Patient/{id}"));
}

#[tokio::test]
pub async fn conditions_patches_and_preferences_hold_inside() {
    let node = writing().await;
    let mut one = patient("A1");
    one["id"] = json!("a");
    node.put("/fhir/Patient/a", &one).await;
    one["active"] = json!(true);
    let mut stale = entry("", "PUT", "Patient/a", one.clone());
    stale["request"]["ifMatch"] = json!("W/\"7\"");
    let answer = node.post("/fhir", &transaction(vec![stale])).await;
    assert_eq!(
        (answer.status.as_u16(), answer.json()["issue"][0]["expression"].clone()),
        (412, json!(["Bundle.entry[0]"]))
    );
    let data = "W3sib3AiOiJhZGQiLCJwYXRoIjoiL2dlbmRlciIsInZhbHVlIjoiZmVtYWxlIn1d";
    let patch = json!({"resourceType": "Binary", "contentType": "application/json-patch+json", "data": data});
    let patched =
        node.post("/fhir", &transaction(vec![entry("", "PATCH", "Patient/a", patch.clone())])).await;
    assert_eq!(patched.status, 200, "{}", patched.body);
    assert_eq!(patched.json()["entry"][0]["resource"]["gender"], "female");
    let parameters = json!({"resourceType": "Parameters"});
    let fhirpath = transaction(vec![entry("", "PATCH", "Patient/a", parameters)]);
    assert_eq!(node.post("/fhir", &fhirpath).await.status, 400);
    let by_number = transaction(vec![entry("", "DELETE", "Patient?identifier=A1", Value::Null)]);
    let sent = by_number.to_string();
    let minimal = node.ask("POST", "/fhir", &[("prefer", "return=minimal")], &sent).await.json();
    assert_eq!(statuses(&minimal), ["204 No Content"]);
    let made = transaction(vec![entry("", "POST", "Patient", patient("A9"))]).to_string();
    let minimal = node.ask("POST", "/fhir", &[("prefer", "return=minimal")], &made).await.json();
    assert!(minimal["entry"][0].get("resource").is_none());
    let outcome = node.ask("POST", "/fhir", &[("prefer", "return=OperationOutcome")], &made).await.json();
    assert_eq!(outcome["entry"][0]["response"]["outcome"]["resourceType"], "OperationOutcome");
}

#[tokio::test]
pub async fn a_token_for_reading_may_read_in_a_batch_alone() {
    let node = writing().await;
    let headers = [("authorization", "Bearer reads")];
    let reads = json!({"resourceType": "Bundle", "type": "batch", "entry": [
        entry("", "GET", "Patient?identifier=A1", Value::Null)]});
    let answer = send(&node.router, "POST", "/fhir", &headers, &reads.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let writes = transaction(vec![entry("", "POST", "Patient", patient("A1"))]);
    let answer = send(&node.router, "POST", "/fhir", &headers, &writes.to_string()).await;
    assert_eq!(answer.status, 403);
    nothing_is_there(&node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
pub async fn a_large_transaction_does_not_disturb_readers() {
    let node = writing().await;
    node.post("/fhir/Patient", &patient("A1")).await;
    let many: Vec<Value> = (0..rest::ENTRIES_MAX)
        .map(|number| entry("", "POST", "Patient", patient(&format!("N{number}"))))
        .collect();
    let (router, sent) = (node.router.clone(), transaction(many).to_string());
    let writing = tokio::spawn(async move {
        let headers = [("authorization", "Bearer good"), ("prefer", "return=minimal")];
        send(&router, "POST", "/fhir", &headers, &sent).await
    });
    let (mut reads, mut longest) = (0, std::time::Duration::ZERO);
    while !writing.is_finished() {
        let tries: Vec<_> = (0..16)
            .map(|_| {
                let router = node.router.clone();
                tokio::spawn(async move {
                    let started = std::time::Instant::now();
                    let headers = [("authorization", "Bearer good")];
                    let answer = send(&router, "GET", "/fhir/Patient?identifier=A1", &headers, "").await;
                    (answer.status.as_u16(), answer.ids().len(), started.elapsed())
                })
            })
            .collect();
        for one in tries {
            let (status, found, took) = one.await.expect("ends");
            assert_eq!((status, found), (200, 1));
            longest = longest.max(took);
            reads += 1;
        }
    }
    let answer = writing.await.expect("ends");
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(reads >= 16, "readers were answered while it was written");
    assert!(longest < std::time::Duration::from_secs(10), "a reader waited for {longest:?}");
    assert_eq!(node.count("Patient").await, 5_001);
}
