//! What a patient's consent denies, from the next request on: to systems, or to clients that it names.

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::desk::{Writing, writing_with};
use crate::idp::Idp;

/// Two patients with a value each, and a doctor.
async fn node(idp: &Idp) -> Writing {
    let issuer = idp.trusted();
    let node = writing_with(|fhir| {
        fhir.issuers = rest::Issuers::new([issuer]);
        fhir.now_us = || crate::fake::AT + 1_000_000;
    })
    .await;
    let mut world = vec![json!({"resourceType": "Practitioner", "id": "dr", "active": true})];
    for id in ["a", "b"] {
        world.push(json!({"resourceType": "Patient", "id": id, "active": true,
            "generalPractitioner": [{"reference": "Practitioner/dr"}]}));
        world.push(json!({"resourceType": "Observation", "id": format!("of-{id}"), "status": "final",
            "code": {"coding": [{"code": "x"}]}, "subject": {"reference": format!("Patient/{id}")}}));
    }
    for resource in world {
        let text = |name: &str| resource[name].as_str().expect("text").to_owned();
        let path = format!("/fhir/{}/{}", text("resourceType"), text("id"));
        assert_eq!(node.put(&path, &resource).await.status, 201);
    }
    node
}

fn consent(status: &str, provision: &Value) -> Value {
    let coding = |system: &str, code: &str| json!({"coding": [{"system": system, "code": code}]});
    json!({"resourceType": "Consent", "id": "c", "status": status, "patient": {"reference": "Patient/b"},
        "scope": coding("http://terminology.hl7.org/CodeSystem/consentscope", "patient-privacy"),
        "category": [coding("http://terminology.hl7.org/CodeSystem/v3-ActCode", "INFA")],
        "policyRule": coding("http://terminology.hl7.org/CodeSystem/v3-ActCode", "OPTOUT"), "provision": provision})
}

fn actor(system: &str, value: &str) -> Value {
    let role = json!({"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}]});
    json!({"role": role, "reference": {"identifier": {"system": system, "value": value}}})
}

async fn ask(node: &Writing, token: &str, path: &str) -> Answer {
    let bearer = format!("Bearer {token}");
    crate::answer::send(&node.router, "GET", &format!("/fhir/{path}"), &[("authorization", &bearer)], "")
        .await
}

/// What a client gets of everything by which the second patient could be found.
async fn seen(node: &Writing, token: &str) -> Vec<String> {
    let mut all = Vec::new();
    for path in [
        "Patient/b",
        "Observation/of-b",
        "Observation/of-b/_history",
        "Observation/of-b/_history/1",
        "Patient/b/$everything",
        "Observation?_total=accurate",
        "Observation?_summary=count",
        "Patient?_has:Observation:patient:code=x",
        "Patient?_id=b",
        "Observation?patient=b",
        "Patient/b/Observation",
        "Observation?patient.active=true",
        "Practitioner?_revinclude=Patient:general-practitioner",
        "Observation/_history",
        "Patient/_history",
    ] {
        let answer = ask(node, token, path).await;
        let mut told = format!("{path}: {}", answer.status.as_u16());
        if answer.status.is_success() && answer.json()["resourceType"] == "Bundle" {
            let mut ids = answer.ids();
            ids.sort_unstable();
            told = format!("{told} {} {}", ids.join(" "), answer.json()["total"]);
        }
        all.push(told);
    }
    all
}

/// Whether nothing of the second patient is told.
fn is_hidden(seen: &[String]) -> bool {
    let (read, found) = seen.split_at(5);
    read.iter().all(|told| told.ends_with("404"))
        && found.iter().all(|told| told.contains(": 200") && !told.contains(" of-b") && !told.contains(" b "))
        && found.iter().any(|told| told.contains("of-a 1"))
        && found.iter().any(|told| told.ends_with("_summary=count: 200  1"))
}

fn tells_nobody(told: &str) -> bool {
    told.ends_with(": 404")
        || told.split_once(": 200").is_some_and(|(_, rest)| !rest.contains('b') && !rest.contains("of-"))
}

#[tokio::test]
pub async fn what_is_denied_is_hidden_from_the_next_request_on() {
    let idp = Idp::new();
    let node = node(&idp).await;
    let backend = idp.token("system/*.rs", "", "");
    let staff = idp.token("user/*.rs", "", "Practitioner/dr");
    let own = idp.token("patient/*.rs", "b", "");
    let deny = json!({"type": "deny"});
    assert_eq!(node.put("/fhir/Consent/c", &consent("draft", &deny)).await.status, 201);
    let before = [seen(&node, &backend).await, seen(&node, &staff).await, seen(&node, &own).await];
    assert!(!is_hidden(&before[0]) && before[0][5].contains("of-a of-b 2"), "{:#?}", before[0]);
    let of_cloud = json!({"type": "deny", "actor": [actor("urn:tidegate:destination", "cloud")]});
    let of_app = json!({"type": "deny", "actor": [actor("urn:tidegate:client", "app")]});
    let of_other = json!({"type": "deny", "actor": [actor("urn:tidegate:client", "another")]});
    let unread = json!({"type": "permit", "provision": [{"type": "deny"}]});
    let permit = json!({"type": "permit"});
    // Status and provision, and whether system, staff and the patient see nothing then.
    for (status, provision, hidden) in [
        ("active", &deny, [true, false, false]),
        ("inactive", &deny, [false, false, false]),
        ("active", &unread, [true, false, false]),
        ("active", &permit, [false, false, false]),
        ("active", &of_cloud, [false, false, false]),
        ("active", &of_other, [false, false, false]),
        ("active", &of_app, [true, true, true]),
        ("active", &deny, [true, false, false]),
    ] {
        let answer = node.put("/fhir/Consent/c", &consent(status, provision)).await;
        assert!(answer.status.is_success(), "{}", answer.body);
        for ((token, hidden), before) in [&backend, &staff, &own].into_iter().zip(hidden).zip(&before) {
            let seen = seen(&node, token).await;
            let told = format!("{status} {provision}: {seen:#?}");
            if !hidden {
                assert_eq!(&seen, before, "{told}");
            } else if token == &own {
                // A patient's app sees nobody else, so that nothing is left.
                assert!(seen.iter().all(|told| tells_nobody(told)), "{told}");
            } else {
                assert!(is_hidden(&seen), "{told}");
            }
        }
        assert_eq!(
            ask(&node, "good", "Observation/of-b").await.status,
            200,
            "the node's own tokens see everything"
        );
    }
    assert_eq!(node.ask("DELETE", "/fhir/Consent/c", &[], "").await.status, 204);
    let after = seen(&node, &backend).await;
    let of_consent = |told: &&String| !told.contains("$everything");
    assert!(
        after.iter().filter(of_consent).eq(before[0].iter().filter(of_consent)),
        "a consent that is deleted denies nothing: {after:#?}"
    );
}

#[tokio::test]
pub async fn what_is_denied_is_not_written_and_not_exported() {
    let idp = Idp::new();
    let node = node(&idp).await;
    let backend = idp.token("system/*.cruds", "", "");
    let bearer = format!("Bearer {backend}");
    let change = |id: &str| {
        json!({"resourceType": "Observation", "id": format!("of-{id}"), "status": "amended",
            "code": {"coding": [{"code": "x"}]}, "subject": {"reference": format!("Patient/{id}")}})
        .to_string()
    };
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/fhir+json")];
    let begun = crate::answer::send(
        &node.router,
        "GET",
        "/fhir/$export?_type=Observation",
        &[("authorization", &bearer), ("prefer", "respond-async")],
        "",
    )
    .await;
    let status =
        begun.header("content-location").strip_prefix("http://node.example").expect("ours").to_owned();
    let status = status.trim_start_matches("/fhir/").to_owned();
    let manifest = loop {
        let answer = ask(&node, &backend, &status).await;
        if answer.status == 200 {
            break answer.json();
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(node.put("/fhir/Consent/c", &consent("active", &json!({"type": "deny"}))).await.status, 201);
    let url = manifest["output"][0]["url"].as_str().expect("a file");
    let url = url.strip_prefix("http://node.example/fhir/").expect("ours");
    let lines = ask(&node, &backend, url).await.body;
    assert!(lines.contains("of-a") && !lines.contains("of-b"), "{lines}");
    // What is hidden is as what is not there.
    for (id, expected) in [("a", 200), ("b", 404)] {
        let answer = crate::answer::send(
            &node.router,
            "PUT",
            &format!("/fhir/Observation/of-{id}"),
            &headers,
            &change(id),
        )
        .await;
        assert_eq!(answer.status.as_u16(), expected, "{id}: {}", answer.body);
    }
}
