//! Create, update, delete, patch and their conditions: the cases 1 to 19 of a naive server's mistakes, by number.

use serde_json::{Value, json};

use crate::answer::send;
use crate::desk::{Writing, writing};

fn patient(id: Option<&str>) -> Value {
    let mut patient = json!({"resourceType": "Patient", "active": true,
        "identifier": [{"system": "urn:mrn", "value": "A1"}], "name": [{"family": "Fairweather"}]});
    if let Some(id) = id {
        patient["id"] = json!(id);
    }
    patient
}

fn observation(value: &str) -> String {
    format!(
        r#"{{"resourceType":"Observation","status":"final","code":{{"text":"x"}},"valueQuantity":{{"value":{value}}},"_issued":{{"extension":[{{"url":"urn:x","valueCode":"unknown"}}]}}}}"#
    )
}

/// Creates a patient; its id.
async fn created(node: &Writing) -> String {
    let answer = node.post("/fhir/Patient", &patient(None)).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.json()["id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
pub async fn case_1_and_2_a_create_has_an_id_and_a_version_of_the_server() {
    let node = writing().await;
    let mut sent = patient(Some("x"));
    sent["meta"] = json!({"versionId": "7", "lastUpdated": "2001-01-01T00:00:00Z", "tag": [{"code": "t"}]});
    let answer = node.post("/fhir/Patient", &sent).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let made = answer.json();
    let id = made["id"].as_str().expect("an id").to_owned();
    assert_ne!(id, "x");
    assert_eq!(answer.header("location"), format!("http://node.example/fhir/Patient/{id}/_history/1"));
    assert_eq!((answer.header("etag"), made["meta"]["versionId"].as_str()), ("W/\"1\"", Some("1")));
    assert!(answer.header("last-modified").starts_with("Mon, 21 Sep 2026"));
    assert!(made["meta"]["lastUpdated"].as_str().is_some_and(|at| at.starts_with("2026-09-21")));
    assert_eq!(made["meta"]["tag"], json!([{"code": "t"}]));
    assert_eq!(answer.header("content-type"), "application/fhir+json; charset=utf-8");
    let read = node.get(&format!("/fhir/Patient/{id}")).await;
    assert_eq!((read.status.as_u16(), read.json()), (200, made));
    let found = node.get("/fhir/Patient?identifier=urn:mrn%7CA1").await;
    assert_eq!(found.ids(), [id]);
}

#[tokio::test]
pub async fn case_3_what_is_not_sent_or_read_as_json_is_told() {
    let node = writing().await;
    let text = patient(None).to_string();
    for media in [
        "text/plain",
        "application/fhir+xml",
        "application/x-www-form-urlencoded",
        "application/json-patch+json",
    ] {
        let answer = node.ask("POST", "/fhir/Patient", &[("content-type", media)], &text).await;
        assert_eq!((answer.status.as_u16(), answer.issue().as_str()), (415, "not-supported"), "{media}");
    }
    for media in ["application/fhir+json; charset=utf-8", "application/json", "APPLICATION/FHIR+JSON"] {
        let answer = node.ask("POST", "/fhir/Patient", &[("content-type", media)], &text).await;
        assert_eq!(answer.status, 201, "{media}");
    }
    let answer = node.ask("POST", "/fhir/Patient", &[("accept", "application/fhir+turtle")], &text).await;
    assert_eq!(answer.status, 406);
    assert_eq!(node.count("Patient").await, 3);
}

#[tokio::test]
pub async fn case_4_json_is_strict_and_told_by_line_and_column() {
    let node = writing().await;
    for (body, said) in [
        ("{\"resourceType\": \"Patient\",\n\"active\"", "line 2"),
        ("", "a body is expected"),
        ("\u{feff}{\"resourceType\": \"Patient\"}", "byte order mark"),
        ("{\"resourceType\": \"Patient\", \"active\": true, \"active\": false}", "twice"),
        ("[]", "a resource is expected"),
        ("{}", "resourceType is absent"),
        ("{\"resourceType\": \"Observation\"}", "not of the type"),
    ] {
        let answer = node.ask("POST", "/fhir/Patient", &[], body).await;
        assert_eq!(answer.status, 400, "{body}");
        assert!(answer.body.contains(said), "{}", answer.body);
        assert_eq!(answer.json()["resourceType"], "OperationOutcome");
    }
    let deep =
        format!("{{\"resourceType\":\"Patient\",\"extension\":{}{}}}", "[".repeat(3_000), "]".repeat(3_000));
    let answer = node.ask("POST", "/fhir/Patient", &[], &deep).await;
    assert_eq!((answer.status.as_u16(), answer.issue().as_str()), (400, "too-costly"));
    assert_eq!(node.count("Patient").await, 0);
}

#[tokio::test]
pub async fn case_5_what_is_not_r4_is_told_by_its_element_and_never_stored() {
    let node = writing().await;
    for (element, value, expression) in [
        ("birthDate", json!("1980-13-45"), "Patient.birthDate"),
        ("gender", json!("femail"), "Patient.gender"),
        ("nickname", json!("x"), "Patient.nickname"),
        ("active", json!("true"), "Patient.active"),
        ("name", json!({"family": "Fairweather"}), "Patient.name"),
        ("contact", json!([]), "Patient.contact"),
    ] {
        let mut sent = patient(None);
        sent[element] = value;
        let answer = node.post("/fhir/Patient", &sent).await;
        assert_eq!(answer.status, 422, "{element}: {}", answer.body);
        assert_eq!(answer.json()["issue"][0]["expression"], json!([expression]));
        assert!(!answer.body.contains("Fairweather") && !answer.body.contains("femail"), "case 19");
    }
    assert_eq!(node.count("Patient").await, 0);
    let sent = observation("1.00");
    let answer = node.ask("POST", "/fhir/Observation", &[], &sent).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let id = answer.json()["id"].as_str().expect("an id").to_owned();
    let read = node.get(&format!("/fhir/Observation/{id}")).await;
    assert!(read.body.contains("\"value\":1.00"), "decimals keep their digits: {}", read.body);
    assert_eq!(read.json()["_issued"]["extension"][0]["valueCode"], "unknown");
}

#[tokio::test]
pub async fn case_8_and_11_ids_are_those_of_the_address() {
    let node = writing().await;
    for (path, id, status) in [
        ("/fhir/Patient/a", Some("b"), 400),
        ("/fhir/Patient/a", None, 400),
        ("/fhir/Patient/bad_id!", Some("bad_id!"), 400),
        ("/fhir/Patient/bad_id", Some("bad_id"), 400),
        ("/fhir/Nonsense/a", Some("a"), 404),
    ] {
        let answer = node.put(path, &patient(id)).await;
        assert_eq!(answer.status, status, "{path} {id:?}");
    }
    let long = "a".repeat(65);
    assert_eq!(node.put(&format!("/fhir/Patient/{long}"), &patient(Some(&long))).await.status, 400);
    assert_eq!(node.count("Patient").await, 0);
    for id in ["A", "a"] {
        assert_eq!(node.put(&format!("/fhir/Patient/{id}"), &patient(Some(id))).await.status, 201);
    }
    assert_eq!(node.count("Patient").await, 2, "ids are case-sensitive");
}

#[tokio::test]
pub async fn case_9_an_update_creates_and_the_same_again_changes_nothing() {
    let node = writing().await;
    let first = node.put("/fhir/Patient/new", &patient(Some("new"))).await;
    assert_eq!((first.status.as_u16(), first.header("etag")), (201, "W/\"1\""));
    assert_eq!(first.header("location"), "http://node.example/fhir/Patient/new/_history/1");
    let again = node.put("/fhir/Patient/new", &patient(Some("new"))).await;
    assert_eq!((again.status.as_u16(), again.header("etag")), (200, "W/\"1\""));
    let mut other = patient(Some("new"));
    other["active"] = json!(false);
    let changed = node.put("/fhir/Patient/new", &other).await;
    assert_eq!((changed.status.as_u16(), changed.header("etag")), (200, "W/\"2\""));
    let history = node.get("/fhir/Patient/new/_history").await.json();
    let verbs: Vec<&str> = history["entry"]
        .as_array()
        .expect("entries")
        .iter()
        .filter_map(|e| e["request"]["method"].as_str())
        .collect();
    assert_eq!(verbs, ["PUT", "PUT"]);
}

#[tokio::test]
pub async fn case_10_conditions_on_the_version_hold() {
    let node = writing().await;
    let id = created(&node).await;
    let path = format!("/fhir/Patient/{id}");
    let mut other = patient(Some(&id));
    other["active"] = json!(false);
    let other = other.to_string();
    let patch = r#"[{"op":"replace","path":"/active","value":false}]"#;
    let media = ("content-type", "application/json-patch+json");
    for (tag, status) in [("W/\"7\"", 412), ("7", 400), ("W/\"1\", W/\"2\"", 400), ("W/\"x\"", 400)] {
        let condition = ("if-match", tag);
        assert_eq!(node.ask("PUT", &path, &[condition], &other).await.status, status, "PUT {tag}");
        assert_eq!(node.ask("PATCH", &path, &[condition, media], patch).await.status, status, "PATCH {tag}");
        assert_eq!(node.ask("DELETE", &path, &[condition], "").await.status, status, "DELETE {tag}");
    }
    assert_eq!(node.ask("PUT", &path, &[("if-none-match", "*")], &other).await.status, 412);
    assert_eq!(
        node.ask("PUT", "/fhir/Patient/n", &[("if-match", "W/\"1\"")], &patient(Some("n")).to_string())
            .await
            .status,
        412
    );
    assert_eq!(
        node.ask("PUT", "/fhir/Patient/n", &[("if-match", "*")], &patient(Some("n")).to_string())
            .await
            .status,
        412
    );
    assert_eq!(node.get(&path).await.header("etag"), "W/\"1\"", "nothing was changed");
    assert_eq!(
        node.ask("PUT", "/fhir/Patient/n", &[("if-none-match", "*")], &patient(Some("n")).to_string())
            .await
            .status,
        201
    );
    assert_eq!(node.ask("PUT", &path, &[("if-match", "W/\"1\"")], &other).await.header("etag"), "W/\"2\"");
    assert_eq!(node.ask("DELETE", &path, &[("if-match", "W/\"2\"")], "").await.status, 204);
    assert_eq!(
        node.ask("DELETE", &path, &[("if-match", "W/\"3\"")], "").await.status,
        412,
        "it does not stand"
    );
}

#[tokio::test]
pub async fn case_12_and_13_a_deletion_is_a_version_and_can_be_undone() {
    let node = writing().await;
    let id = created(&node).await;
    let path = format!("/fhir/Patient/{id}");
    for _ in 0..2 {
        let gone = node.ask("DELETE", &path, &[], "").await;
        assert_eq!((gone.status.as_u16(), gone.body.as_str()), (204, ""));
    }
    let read = node.get(&path).await;
    assert_eq!((read.status.as_u16(), read.issue().as_str()), (410, "deleted"));
    assert_eq!(node.get(&format!("{path}/_history/2")).await.status, 410);
    assert_eq!(node.get(&format!("{path}/_history/1")).await.status, 200);
    assert_eq!(node.get(&format!("{path}/_history/3")).await.status, 404);
    let history = node.get(&format!("{path}/_history")).await.json();
    assert_eq!(history["total"], 2);
    assert_eq!(history["entry"][0]["request"]["method"], "DELETE");
    assert!(history["entry"][0].get("resource").is_none());
    assert_eq!(history["entry"][1]["request"], json!({"method": "POST", "url": "Patient"}));
    assert!(node.get("/fhir/Patient?identifier=A1").await.ids().is_empty());
    let back = node.put(&path, &patient(Some(&id))).await;
    assert_eq!((back.status.as_u16(), back.header("etag")), (201, "W/\"3\""));
    assert_eq!(node.get(&path).await.status, 200);
    for path in ["/fhir/Patient/never", "/fhir/Patient/no_id!"] {
        assert_eq!(node.ask("DELETE", path, &[], "").await.status, 204);
    }
}

#[tokio::test]
pub async fn case_14_the_answer_is_what_is_preferred() {
    let node = writing().await;
    let text = patient(None).to_string();
    let prefer = |what| ("prefer", what);
    let minimal = node.ask("POST", "/fhir/Patient", &[prefer("return=minimal")], &text).await;
    assert_eq!((minimal.status.as_u16(), minimal.body.as_str()), (201, ""));
    assert!(!minimal.header("location").is_empty());
    let outcome = node.ask("POST", "/fhir/Patient", &[prefer("return=OperationOutcome")], &text).await;
    assert_eq!(
        (outcome.status.as_u16(), outcome.json()["resourceType"].as_str()),
        (201, Some("OperationOutcome"))
    );
    let whole = node.ask("POST", "/fhir/Patient", &[prefer("return=representation")], &text).await;
    assert_eq!(whole.json()["resourceType"], "Patient");
}

#[tokio::test]
pub async fn case_15_conditional_changes_mean_one_resource_and_never_all() {
    let node = writing().await;
    for method in ["PUT", "DELETE"] {
        let answer = node.ask(method, "/fhir/Patient", &[], &patient(None).to_string()).await;
        assert_eq!(answer.status, 412, "{method} without criteria");
        for query in ["nonsense=1", "_count=1", "_sort=_id", "identifier:nonsense=1"] {
            let path = format!("/fhir/Patient?{query}");
            let answer = node.ask(method, &path, &[], &patient(None).to_string()).await;
            assert_eq!(answer.status, 400, "{method} {query}");
        }
    }
    let by_number = "/fhir/Patient?identifier=urn:mrn%7CA1";
    let made = node.put(by_number, &patient(None)).await;
    assert_eq!(made.status, 201);
    let id = made.json()["id"].as_str().expect("an id").to_owned();
    let mut other = patient(None);
    other["active"] = json!(false);
    let changed = node.put(by_number, &other).await;
    assert_eq!((changed.status.as_u16(), changed.json()["id"].as_str()), (200, Some(id.as_str())));
    assert_eq!(node.put(by_number, &patient(Some("other"))).await.status, 400, "another id");
    let named = node.put("/fhir/Patient?identifier=A2", &patient(Some("mine"))).await;
    assert_eq!((named.status.as_u16(), named.json()["id"].as_str()), (201, Some("mine")));
    assert_eq!(
        node.put("/fhir/Patient?identifier=A3", &patient(Some("mine"))).await.status,
        412,
        "the id is taken"
    );
    assert_eq!(node.put(by_number, &patient(None)).await.status, 412, "two match");
    assert_eq!(node.ask("DELETE", by_number, &[], "").await.status, 412, "two match");
    assert_eq!(node.ask("DELETE", &format!("{by_number}&_id=mine"), &[], "").await.status, 204);
    let media = ("content-type", "application/json-patch+json");
    let patch = r#"[{"op":"replace","path":"/active","value":true}]"#;
    assert_eq!(node.ask("PATCH", by_number, &[media], patch).await.json()["active"], true);
    assert_eq!(node.ask("PATCH", "/fhir/Patient?identifier=none", &[media], patch).await.status, 404);
    assert_eq!(node.ask("DELETE", "/fhir/Patient?identifier=none", &[], "").await.status, 204);
    assert_eq!(node.ask("DELETE", by_number, &[], "").await.status, 204);
    assert_eq!(node.count("Patient").await, 0);
}

#[tokio::test]
pub async fn case_16_a_conditional_create_makes_one_and_finds_it_again() {
    let node = writing().await;
    let text = patient(None).to_string();
    let unless = |what| ("if-none-exist", what);
    let made = node.ask("POST", "/fhir/Patient", &[unless("identifier=urn:mrn|A1")], &text).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let found = node.ask("POST", "/fhir/Patient", &[unless("identifier=urn:mrn%7CA1")], &text).await;
    assert_eq!((found.status.as_u16(), found.header("location")), (200, made.header("location")));
    for (criteria, status) in [("identifer=A1", 400), ("_count=1", 400), ("", 412)] {
        let answer = node.ask("POST", "/fhir/Patient", &[unless(criteria)], &text).await;
        assert_eq!(answer.status, status, "{criteria}");
    }
    assert_eq!(node.post("/fhir/Patient", &patient(None)).await.status, 201);
    assert_eq!(node.ask("POST", "/fhir/Patient", &[unless("identifier=A1")], &text).await.status, 412);
    assert_eq!(node.count("Patient").await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
pub async fn case_16_of_sixteen_at_once_one_is_made() {
    let node = writing().await;
    let rounds = if std::env::var_os("TIDEGATE_FULL").is_some() { 1_000 } else { 10 };
    for round in 0..rounds {
        let mut sent = patient(None);
        sent["identifier"][0]["value"] = json!(format!("R{round}"));
        let tries: Vec<_> = (0..16)
            .map(|_| {
                let (router, text) = (node.router.clone(), sent.to_string());
                tokio::spawn(async move {
                    let unless = format!("identifier=urn:mrn|R{round}");
                    let headers = [("authorization", "Bearer good"), ("if-none-exist", unless.as_str())];
                    let answer = send(&router, "POST", "/fhir/Patient", &headers, &text).await;
                    (answer.status.as_u16(), answer.header("location").to_owned())
                })
            })
            .collect();
        let (mut made, mut places) = (0, std::collections::BTreeSet::new());
        for one in tries {
            let (status, place) = one.await.expect("ends");
            assert!(matches!(status, 200 | 201), "{status}");
            made += usize::from(status == 201);
            places.insert(place);
        }
        assert_eq!((made, places.len()), (1, 1));
    }
    assert_eq!(node.count("Patient").await, rounds);
}

#[tokio::test]
pub async fn case_17_a_patch_is_done_whole_or_not_at_all() {
    let node = writing().await;
    let id = created(&node).await;
    let path = format!("/fhir/Patient/{id}");
    let media = ("content-type", "application/json-patch+json");
    for (patch, status) in [
        (
            r#"[{"op":"replace","path":"/active","value":false},{"op":"test","path":"/name/0/family","value":"Other"}]"#,
            422,
        ),
        (r#"[{"op":"remove","path":"/photo"}]"#, 422),
        (r#"[{"op":"replace","path":"/gender","value":"x"},{"op":"add","path":"/gender","value":"x"}]"#, 422),
        (r#"[{"op":"add","path":"/gender","value":"femail"}]"#, 422),
        (r#"[{"op":"replace","path":"/id","value":"x"}]"#, 400),
        (r#"[{"op":"replace","path":"/meta/versionId","value":"9"}]"#, 400),
        (r#"{"op":"remove","path":"/active"}"#, 400),
        (r#"[{"op":"remove","path":"/active"}"#, 400),
    ] {
        let answer = node.ask("PATCH", &path, &[media], patch).await;
        assert_eq!(answer.status, status, "{patch}: {}", answer.body);
    }
    assert_eq!(node.get(&path).await.header("etag"), "W/\"1\"");
    let patch = r#"[{"op":"test","path":"/meta/versionId","value":"1"},{"op":"add","path":"/gender","value":"female"}]"#;
    let done = node.ask("PATCH", &path, &[media], patch).await;
    assert_eq!((done.status.as_u16(), done.header("etag")), (200, "W/\"2\""), "{}", done.body);
    assert_eq!(done.json()["gender"], "female");
    assert_eq!(node.ask("PATCH", &path, &[("content-type", "application/json")], patch).await.status, 415);
    assert_eq!(node.ask("PATCH", "/fhir/Patient/never", &[media], patch).await.status, 404);
    node.ask("DELETE", &path, &[], "").await;
    assert_eq!(node.ask("PATCH", &path, &[media], patch).await.status, 410);
    let history = node.get(&format!("{path}/_history")).await.json();
    assert_eq!(history["entry"][1]["request"]["method"], "PATCH");
}

#[tokio::test]
pub async fn case_18_a_body_has_a_limit_packed_or_not() {
    use std::io::Write;
    let node = writing().await;
    let too_long = "x".repeat(rest::BODY_BYTES_MAX + 1);
    let answer = node.ask("POST", "/fhir/Patient", &[], &too_long).await;
    assert_eq!((answer.status.as_u16(), answer.issue().as_str()), (413, "too-long"));
    let packed = |content: &[u8]| {
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        writer.write_all(content).expect("packs");
        writer.finish().expect("packs")
    };
    for (content, status) in [(patient(None).to_string(), 201), (too_long, 413)] {
        let request = axum::http::Request::builder()
            .method("POST")
            .uri("/fhir/Patient")
            .header("authorization", "Bearer good")
            .header("content-encoding", "gzip")
            .body(axum::body::Body::from(packed(content.as_bytes())))
            .expect("a request");
        let answer = tower::ServiceExt::oneshot(node.router.clone(), request).await.expect("infallible");
        assert_eq!(answer.status(), status);
    }
    let broken = node.ask("POST", "/fhir/Patient", &[("content-encoding", "gzip")], "{}").await;
    assert_eq!(broken.status, 400);
    assert_eq!(node.ask("POST", "/fhir/Patient", &[("content-encoding", "br")], "{}").await.status, 415);
}

#[tokio::test]
pub async fn what_messages_made_is_corrected_at_its_source() {
    let node = writing().await;
    node.derived(&patient(Some("m"))).await;
    let media = ("content-type", "application/json-patch+json");
    let patch = r#"[{"op":"replace","path":"/active","value":false}]"#;
    for answer in [
        node.put("/fhir/Patient/m", &patient(Some("m"))).await,
        node.ask("DELETE", "/fhir/Patient/m", &[], "").await,
        node.ask("PATCH", "/fhir/Patient/m", &[media], patch).await,
        node.put("/fhir/Patient?identifier=A1", &patient(None)).await,
    ] {
        assert_eq!(
            (answer.status.as_u16(), answer.issue().as_str()),
            (409, "business-rule"),
            "{}",
            answer.body
        );
        assert!(answer.body.contains("corrected at its source"));
    }
    let unless = ("if-none-exist", "identifier=A1");
    assert_eq!(node.ask("POST", "/fhir/Patient", &[unless], &patient(None).to_string()).await.status, 200);
}

#[tokio::test]
pub async fn a_token_for_reading_does_not_write_and_refusals_are_recorded() {
    let node = writing().await;
    let headers = [("authorization", "Bearer reads")];
    for (method, path) in [
        ("POST", "/fhir/Patient"),
        ("PUT", "/fhir/Patient/a"),
        ("PATCH", "/fhir/Patient/a"),
        ("DELETE", "/fhir/Patient/a"),
        ("DELETE", "/fhir/Patient?identifier=A1"),
    ] {
        let answer = send(&node.router, method, path, &headers, &patient(Some("a")).to_string()).await;
        assert_eq!((answer.status.as_u16(), answer.issue().as_str()), (403, "forbidden"), "{method} {path}");
    }
    let kept = node.records.texts();
    assert_eq!(kept.len(), 5);
    assert!(kept.iter().all(|text| text.contains("resource.refused") && text.contains("forbidden")));
    assert!(kept.iter().all(|text| text.contains("reader") && !text.contains("Fairweather")));
    let answer = send(&node.router, "POST", "/fhir/Patient", &[], "").await;
    assert_eq!(answer.status, 401);
    assert_eq!(node.count("Patient").await, 0);
    node.records.broken.store(true, std::sync::atomic::Ordering::Relaxed);
    let answer = send(&node.router, "POST", "/fhir/Patient", &headers, "").await;
    assert_eq!(answer.status, 503, "what cannot be recorded is not told");
}

#[tokio::test]
pub async fn a_resource_that_is_not_whole_is_not_written_back() {
    let node = writing().await;
    let mut part = patient(Some("a"));
    part["meta"] = json!({"tag": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}]});
    let answer = node.put("/fhir/Patient/a", &part).await;
    assert_eq!((answer.status.as_u16(), answer.issue().as_str()), (422, "business-rule"));
}

#[tokio::test]
pub async fn validation_and_meta_tell_and_write_nothing() {
    let node = writing().await;
    let mut wrong = patient(None);
    wrong["gender"] = json!("femail");
    let told = node.post("/fhir/Patient/$validate", &wrong).await;
    assert_eq!((told.status.as_u16(), told.json()["issue"][0]["severity"].as_str()), (200, Some("error")));
    let parameters =
        json!({"resourceType": "Parameters", "parameter": [{"name": "resource", "resource": patient(None)}]});
    let told = node.post("/fhir/Patient/$validate", &parameters).await;
    assert_eq!(told.json()["issue"][0]["severity"], "information");
    let mode = json!({"resourceType": "Parameters", "parameter": [{"name": "mode", "valueCode": "delete"}]});
    assert_eq!(node.post("/fhir/Patient/$validate", &mode).await.status, 400);
    assert_eq!(node.count("Patient").await, 0);
    let id = created(&node).await;
    let meta = node.get(&format!("/fhir/Patient/{id}/$meta")).await.json();
    assert_eq!(meta["parameter"][0]["valueMeta"]["versionId"], "1");
    assert_eq!(node.get("/fhir/Patient/never/$meta").await.status, 404);
}

#[tokio::test]
pub async fn the_statement_lists_what_is_served() {
    let node = writing().await;
    let statement = node.get("/fhir/metadata").await.json();
    assert_eq!(fhir::validate(&statement), []);
    let rest = &statement["rest"][0];
    let interactions = json!([{"code": "transaction"}, {"code": "batch"}, {"code": "history-system"}]);
    assert_eq!(rest["interaction"], interactions);
    assert_eq!(statement["patchFormat"], json!(["application/json-patch+json"]));
    let resources = rest["resource"].as_array().expect("resources");
    for stated in resources {
        let codes: Vec<&str> = stated["interaction"]
            .as_array()
            .expect("codes")
            .iter()
            .filter_map(|one| one["code"].as_str())
            .collect();
        for code in ["create", "update", "patch", "delete"] {
            assert!(codes.contains(&code), "{} {code}", stated["type"]);
        }
        let told =
            ["updateCreate", "conditionalCreate", "conditionalUpdate"].map(|name| stated[name] == true);
        assert_eq!((told, stated["conditionalDelete"].as_str()), ([true; 3], Some("single")));
    }
    // Each of them on every type: what comes first is neither 404 nor 405.
    let headers = [("authorization", "Bearer reads")];
    for stated in resources {
        let of = stated["type"].as_str().expect("a type");
        for (method, path) in [
            ("POST", format!("/fhir/{of}")),
            ("PUT", format!("/fhir/{of}/a")),
            ("PUT", format!("/fhir/{of}?_id=a")),
            ("PATCH", format!("/fhir/{of}/a")),
            ("PATCH", format!("/fhir/{of}?_id=a")),
            ("DELETE", format!("/fhir/{of}/a")),
            ("DELETE", format!("/fhir/{of}?_id=a")),
        ] {
            assert_eq!(send(&node.router, method, &path, &headers, "").await.status, 403, "{method} {path}");
        }
    }
}

#[tokio::test]
pub async fn a_role_without_writes_says_so() {
    let portal = rest::portal(crate::fake::node().fhir);
    let reading = rest::clinical(crate::fake::node().fhir);
    for router in [portal, reading] {
        let statement = send(&router, "GET", "/fhir/metadata", &[], "").await.json();
        assert!(!statement.to_string().contains("\"create\"") && statement.get("patchFormat").is_none());
        for (method, path) in [
            ("POST", "/fhir"),
            ("POST", "/fhir/Patient"),
            ("PUT", "/fhir/Patient/p1"),
            ("PUT", "/fhir/Patient?_id=p1"),
            ("PATCH", "/fhir/Patient/p1"),
            ("DELETE", "/fhir/Patient/p1"),
            ("DELETE", "/fhir/Patient?_id=p1"),
        ] {
            let headers = [("authorization", "Bearer good")];
            let answer = send(&router, method, path, &headers, "{}").await;
            assert_eq!(
                (answer.status.as_u16(), answer.issue().as_str()),
                (405, "not-supported"),
                "{method} {path}"
            );
        }
    }
}
