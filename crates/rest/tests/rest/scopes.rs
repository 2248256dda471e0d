//! The SMART matrix: clients and their scopes, against every interaction, over the real router and a real store.

use axum::Router;
use serde_json::{Value, json};

use crate::answer::{Answer, send};
use crate::desk::{Writing, writing_with};
use crate::fake::{AT, BASE};
use crate::idp::{ISSUER, Idp};
use crate::stored::{Stored, version};

const CATEGORY: &str = "http://terminology.hl7.org/CodeSystem/observation-category";
const SENSITIVITY: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";

fn observation(id: &str, patient: &str, category: &str) -> Value {
    json!({
        "resourceType": "Observation", "id": id, "status": "final",
        "category": [{"coding": [{"system": CATEGORY, "code": category}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
        "subject": {"reference": format!("Patient/{patient}")},
        "encounter": {"reference": format!("Encounter/{patient}-visit")},
    })
}

/// Two patients with the same: a visit, a laboratory value, vital signs, a labelled value, a prescription. And what
/// belongs to nobody.
fn world() -> Vec<Value> {
    let mut all = vec![
        json!({"resourceType": "Practitioner", "id": "dr", "active": true}),
        json!({"resourceType": "Organization", "id": "ward", "name": "Ward"}),
        json!({"resourceType": "Medication", "id": "pill", "status": "active"}),
    ];
    for patient in ["a", "b"] {
        let subject = json!({"reference": format!("Patient/{patient}")});
        all.push(json!({"resourceType": "Patient", "id": patient, "active": true}));
        all.push(json!({
            "resourceType": "Encounter", "id": format!("{patient}-visit"), "status": "finished",
            "class": {"system": SENSITIVITY, "code": "AMB"}, "subject": subject,
            "serviceProvider": {"reference": "Organization/ward"},
            "participant": [{"individual": {"reference": "Practitioner/dr"}}],
        }));
        all.push(observation(&format!("{patient}-lab"), patient, "laboratory"));
        all.push(observation(&format!("{patient}-vital"), patient, "vital-signs"));
        let mut hidden = observation(&format!("{patient}-psy"), patient, "laboratory");
        hidden["meta"] = json!({"security": [{"system": SENSITIVITY, "code": "PSY"}]});
        all.push(hidden);
        all.push(json!({
            "resourceType": "MedicationRequest", "id": format!("{patient}-rx"), "status": "active", "intent": "order",
            "medicationReference": {"reference": "Medication/pill"}, "subject": subject,
        }));
    }
    all
}

/// Name, scopes, patient, `fhirUser`. The first two have tokens of the node's own.
const CLIENTS: [(&str, &str, &str, &str); 11] = [
    ("own, reads", "", "", ""),
    ("own, writes", "", "", ""),
    ("public, all of a patient", "launch/patient patient/*.rs", "a", ""),
    ("public, observations", "patient/Observation.rs", "a", ""),
    ("public, v1", "patient/Observation.read patient/Patient.read", "a", ""),
    (
        "public, laboratory",
        "patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory patient/Patient.r",
        "a",
        "",
    ),
    (
        "public, sensitive",
        "patient/Observation.rs?_security=http://terminology.hl7.org/CodeSystem/v3-ActCode|PSY",
        "a",
        "",
    ),
    ("public, no patient", "patient/*.rs openid", "", ""),
    ("person, who is a patient", "user/*.rs", "", "Patient/a"),
    ("person, who is a practitioner", "user/*.rs", "", "Practitioner/dr"),
    ("backend", "system/Observation.rs system/Encounter.s", "", ""),
];

/// What each client gets of each read and search: a status, and after it the ids of a bundle, in any order. A chain leads
/// only to what may be searched, and what comes along is covered too; what belongs to nobody a patient's scope reads and
/// does not search.
const MATRIX: &str = include_str!("scopes.tsv");

/// Rows of the matrix: what is asked, and what each of [`CLIENTS`] gets.
fn matrix() -> Vec<(&'static str, Vec<&'static str>)> {
    let mut lines = MATRIX.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let head = lines.next().expect("a head");
    let names: Vec<&str> = CLIENTS.iter().map(|(name, ..)| *name).collect();
    assert_eq!(head[1..], names, "the columns are the clients");
    let rows: Vec<(&str, Vec<&str>)> = lines.map(|line| (line[0], line[1..].to_vec())).collect();
    assert!(rows.len() > 20 && rows.iter().all(|(_, cells)| cells.len() == names.len()));
    rows
}

/// What the portal has not: it would tell when each was cared for.
const OF_TIME: [&str; 4] = [
    "_history",
    "Observation/_history",
    "Patient/a/_history?_since=2100-01-01T00:00:00Z",
    "Patient/b/_history?_since=2100-01-01T00:00:00Z",
];

struct Clients {
    tokens: Vec<String>,
    idp: Idp,
}

impl Clients {
    fn new() -> Self {
        let idp = Idp::new();
        let token = |(name, scopes, patient, user): &(&str, &str, &str, &str)| match *name {
            "own, reads" => "reads".to_owned(),
            "own, writes" => "good".to_owned(),
            _ => idp.token(scopes, patient, user),
        };
        Self { tokens: CLIENTS.iter().map(token).collect(), idp }
    }
}

async fn ask(router: &Router, token: &str, method: &str, path: &str, body: &str) -> Answer {
    let authorization = format!("Bearer {token}");
    let mut headers = vec![("authorization", authorization.as_str())];
    if !body.is_empty() {
        headers.push((
            "content-type",
            if method == "PATCH" { "application/json-patch+json" } else { "application/fhir+json" },
        ));
    }
    let path = format!("/fhir/{path}");
    send(router, method, path.trim_end_matches('/'), &headers, body).await
}

/// Status, and the ids of a bundle.
fn told(answer: &Answer) -> String {
    let mut told = answer.status.as_u16().to_string();
    if answer.status.is_success() && answer.json()["resourceType"] == "Bundle" {
        let mut ids = answer.ids();
        ids.sort_unstable();
        for id in ids {
            told.push(' ');
            told.push_str(&id);
        }
    }
    told
}

async fn clinical(clients: &Clients) -> Writing {
    let issuer = clients.idp.trusted();
    let node = writing_with(|fhir| fhir.issuers = rest::Issuers::new([issuer])).await;
    for resource in world() {
        let path = format!(
            "/fhir/{}/{}",
            resource["resourceType"].as_str().expect("a type"),
            resource["id"].as_str().expect("an id")
        );
        let answer = node.put(&path, &resource).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
    }
    node
}

#[tokio::test]
async fn each_client_gets_what_its_scopes_cover_and_nothing_else() {
    let clients = Clients::new();
    let node = clinical(&clients).await;
    let mut wrong = Vec::new();
    for (path, expected) in matrix() {
        for (((name, ..), token), expected) in CLIENTS.iter().zip(&clients.tokens).zip(expected) {
            let told = told(&ask(&node.router, token, "GET", path, "").await);
            if told != expected {
                wrong.push(format!("{name}: {path}: {told}, not {expected}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A body that names an id.
type BodyOf<'b> = Box<dyn Fn(&str) -> String + 'b>;

/// Answers that differ in nothing but the ids of requests and what the client itself said.
fn without_ids(answer: &Answer, own: &str) -> String {
    let mut text = answer.body.clone();
    while let Some(at) = text.find("request ") {
        let end = text[at..].find([')', '"']).map_or(text.len(), |end| at + end);
        text.replace_range(at..end, "");
    }
    format!("{} {}", answer.status, text.replace(own, "ID"))
}

#[tokio::test]
async fn what_is_not_covered_answers_as_what_is_not_there() {
    let clients = Clients::new();
    let node = clinical(&clients).await;
    let hidden =
        [("Observation", "b-lab"), ("Observation", "a-psy"), ("Patient", "b"), ("Encounter", "b-visit")];
    let cruds = clients.idp.token("patient/*.cruds", "a", "");
    for (of, id) in hidden {
        let gone = format!("{}-none", &id[..1]);
        let put = |id: &str| {
            let all = world();
            let mut resource = all.iter().find(|one| one["resourceType"] == of).expect("one").clone();
            resource["id"] = json!(id);
            resource.to_string()
        };
        let patch = r#"[{"op":"remove","path":"/status"}]"#;
        let asked: Vec<(&str, String, BodyOf<'_>)> = vec![
            ("GET", "{of}/{id}".to_owned(), Box::new(|_| String::new())),
            ("GET", "{of}/{id}/_history/1".to_owned(), Box::new(|_| String::new())),
            ("GET", "{of}/{id}/_history".to_owned(), Box::new(|_| String::new())),
            ("GET", "{of}/{id}/$meta".to_owned(), Box::new(|_| String::new())),
            ("GET", "{of}?_id={id}&_total=accurate".to_owned(), Box::new(|_| String::new())),
            ("PUT", "{of}/{id}".to_owned(), Box::new(put)),
            ("PATCH", "{of}/{id}".to_owned(), Box::new(|_| patch.to_owned())),
            ("DELETE", "{of}/{id}".to_owned(), Box::new(|_| String::new())),
            ("DELETE", "{of}?_id={id}".to_owned(), Box::new(|_| String::new())),
        ];
        for (method, template, body) in asked {
            let path = |id: &str| template.replace("{of}", of).replace("{id}", id);
            let seen = ask(&node.router, &cruds, method, &path(id), &body(id)).await;
            let absent = ask(&node.router, &cruds, method, &path(&gone), &body(&gone)).await;
            assert_eq!(without_ids(&seen, id), without_ids(&absent, &gone), "{method} {}", path(id));
        }
        let still = node.get(&format!("/fhir/{of}/{id}")).await;
        assert_eq!(still.json()["meta"]["versionId"], "1", "{of}/{id} was changed");
    }
}

#[tokio::test]
async fn what_is_found_by_search_is_what_can_be_read() {
    let clients = Clients::new();
    let node = clinical(&clients).await;
    let (mut read, mut hidden) = (0, 0);
    for ((name, ..), token) in CLIENTS.iter().zip(&clients.tokens) {
        for resource in world() {
            let (of, id) =
                (resource["resourceType"].as_str().expect("a type"), resource["id"].as_str().expect("an id"));
            let by_id = ask(&node.router, token, "GET", &format!("{of}/{id}"), "").await;
            let found = ask(&node.router, token, "GET", of, "").await;
            if !found.status.is_success()
                || ["Practitioner", "Organization", "Medication"].contains(&of)
                || by_id.status == 403
            {
                continue;
            }
            let is_found = found.ids().iter().any(|found| found == id);
            assert_eq!(by_id.status.is_success(), is_found, "{name}: {of}/{id}");
            if is_found { read += 1 } else { hidden += 1 }
        }
    }
    assert!(read > 40 && hidden > 20, "{read} {hidden}");
}

/// Who, what, body, and the status that must come of it.
#[tokio::test]
async fn changes_stay_within_the_scopes() {
    let clients = Clients::new();
    let node = clinical(&clients).await;
    let cruds = clients.idp.token("patient/Observation.cruds patient/Encounter.rs", "a", "");
    let laboratory =
        clients.idp.token("patient/Observation.cruds?category=laboratory patient/Encounter.rs", "a", "");
    let creates = clients.idp.token("patient/Observation.c patient/Encounter.r", "a", "");
    let reads = clients.idp.token("patient/Observation.rs", "a", "");
    let backend = clients.idp.token("system/Observation.cruds system/*.r", "", "");
    let of = |id: &str, patient: &str, category: &str| observation(id, patient, category).to_string();
    let mixed = {
        let mut mixed = observation("x", "b", "laboratory");
        mixed["performer"] = json!([{"reference": "Patient/a"}]);
        mixed.as_object_mut().expect("an object").remove("encounter");
        mixed.to_string()
    };
    let foreign =
        observation("x", "a", "laboratory").to_string().replace("Encounter/a-visit", "Encounter/b-visit");
    let nowhere = foreign.replace("Encounter/b-visit", "Encounter/none");
    let labelled = {
        let mut labelled = observation("x", "a", "laboratory");
        labelled["meta"] = json!({"security": [{"system": SENSITIVITY, "code": "PSY"}]});
        labelled.to_string()
    };
    let to_vital = r#"[{"op":"replace","path":"/category/0/coding/0/code","value":"vital-signs"}]"#;
    let to_b = r#"[{"op":"replace","path":"/subject/reference","value":"Patient/b"}]"#;
    let to_amended = r#"[{"op":"replace","path":"/status","value":"amended"}]"#;
    let rows: Vec<(&str, &str, &str, &str, String, u16)> = vec![
        ("cruds", &cruds, "POST", "Observation", of("x", "a", "laboratory"), 201),
        ("cruds", &cruds, "POST", "Observation", of("x", "b", "laboratory"), 403),
        ("cruds", &cruds, "POST", "Observation", mixed, 403),
        ("cruds", &cruds, "POST", "Observation", labelled, 403),
        ("cruds", &cruds, "POST", "Observation", foreign.clone(), 422),
        ("cruds", &cruds, "POST", "Observation", nowhere.clone(), 422),
        ("cruds", &cruds, "POST", "Encounter", json!({"resourceType": "Encounter"}).to_string(), 403),
        ("cruds", &cruds, "PUT", "Observation/a-lab", of("a-lab", "a", "laboratory"), 200),
        ("cruds", &cruds, "PUT", "Observation/a-lab", of("a-lab", "b", "laboratory"), 403),
        ("cruds", &cruds, "PUT", "Observation/b-lab", of("b-lab", "a", "laboratory"), 404),
        ("cruds", &cruds, "PUT", "Observation/new", of("new", "a", "laboratory"), 404),
        ("cruds", &cruds, "PUT", "Observation?_id=b-lab", of("b-lab", "a", "laboratory"), 412),
        ("cruds", &cruds, "PUT", "Observation?_id=new", of("new", "a", "laboratory"), 412),
        ("cruds", &cruds, "PATCH", "Observation/a-lab", to_b.to_owned(), 403),
        ("cruds", &cruds, "PATCH", "Observation/b-lab", to_amended.to_owned(), 404),
        ("cruds", &cruds, "PATCH", "Observation/a-lab", to_amended.to_owned(), 200),
        ("laboratory", &laboratory, "PATCH", "Observation/a-lab", to_vital.to_owned(), 403),
        ("laboratory", &laboratory, "PATCH", "Observation/a-vital", to_amended.to_owned(), 404),
        ("laboratory", &laboratory, "POST", "Observation", of("x", "a", "vital-signs"), 403),
        ("laboratory", &laboratory, "DELETE", "Observation/a-vital", String::new(), 204),
        ("creates", &creates, "POST", "Observation", of("x", "a", "laboratory"), 201),
        ("creates", &creates, "PUT", "Observation/a-lab", of("a-lab", "a", "laboratory"), 403),
        ("creates", &creates, "GET", "Observation/a-lab", String::new(), 403),
        ("reads", &reads, "POST", "Observation", of("x", "a", "laboratory"), 403),
        ("reads", &reads, "DELETE", "Observation/a-lab", String::new(), 403),
        ("reads", &reads, "DELETE", "Observation?_id=a-lab", String::new(), 403),
        ("backend", &backend, "POST", "Observation", of("x", "b", "laboratory"), 201),
        ("backend", &backend, "PUT", "Observation/b-vital", of("b-vital", "b", "vital-signs"), 200),
        ("backend", &backend, "PUT", "Observation/b-psy", of("b-psy", "b", "laboratory"), 404),
        ("backend", &backend, "DELETE", "Encounter/b-visit", String::new(), 403),
        ("own, reads", "reads", "POST", "Observation", of("x", "a", "laboratory"), 403),
        ("own, writes", "good", "PUT", "Observation/new", of("new", "a", "laboratory"), 201),
    ];
    for (name, token, method, path, body, status) in rows {
        let answer = ask(&node.router, token, method, path, &body).await;
        assert_eq!(answer.status.as_u16(), status, "{name}: {method} {path} {body}: {}", answer.body);
    }
    let one = ask(&node.router, &cruds, "POST", "Observation", &foreign).await;
    let other = ask(&node.router, &cruds, "POST", "Observation", &nowhere).await;
    assert_eq!(without_ids(&one, "b-visit"), without_ids(&other, "none"), "a reference tells what exists");
    for untouched in ["Observation/a-vital", "Observation/b-lab", "Observation/b-psy", "Encounter/b-visit"] {
        let still = node.get(&format!("/fhir/{untouched}")).await;
        assert_eq!(still.json()["meta"]["versionId"], "1", "{untouched} was changed");
    }
    let gone = ask(&node.router, &cruds, "DELETE", "Observation/a-lab", "").await;
    assert_eq!(gone.status, 204);
    assert_eq!(ask(&node.router, &cruds, "GET", "Observation/a-lab", "").await.status, 410);
    assert_eq!(ask(&node.router, &backend, "GET", "Observation/a-lab", "").await.status, 410);
    let other = clients.idp.token("patient/Observation.rs", "b", "");
    assert_eq!(ask(&node.router, &other, "GET", "Observation/a-lab", "").await.status, 404);
}

#[tokio::test]
async fn entries_of_a_bundle_are_each_within_the_scopes() {
    let clients = Clients::new();
    let node = clinical(&clients).await;
    let cruds = clients.idp.token("patient/Observation.cruds patient/Encounter.rs", "a", "");
    let entry = |method: &str, url: &str, resource: Value| {
        let mut entry = json!({"request": {"method": method, "url": url}});
        if !resource.is_null() {
            entry["resource"] = resource;
        }
        entry
    };
    let entries = json!([
        entry("GET", "Observation/a-lab", Value::Null),
        entry("GET", "Observation/b-lab", Value::Null),
        entry("GET", "Observation/none", Value::Null),
        entry("GET", "Patient/a", Value::Null),
        entry("GET", "Observation?category=laboratory", Value::Null),
        entry("POST", "Observation", observation("x", "a", "laboratory")),
        entry("POST", "Observation", observation("x", "b", "laboratory")),
        entry("DELETE", "Observation/b-lab", Value::Null),
        entry("PUT", "Observation/b-lab", observation("b-lab", "a", "laboratory")),
    ]);
    let batch = json!({"resourceType": "Bundle", "type": "batch", "entry": entries});
    let answer = ask(&node.router, &cruds, "POST", "", &batch.to_string()).await;
    let bundle = answer.json();
    let statuses: Vec<&str> = bundle["entry"]
        .as_array()
        .expect("entries")
        .iter()
        .map(|entry| &entry["response"]["status"].as_str().expect("a status")[..3])
        .collect();
    assert_eq!(statuses, ["200", "404", "404", "403", "200", "201", "403", "204", "404"]);
    assert_eq!(
        bundle["entry"][4]["resource"]["total"], 1,
        "none of another patient, and entries are done in their order"
    );
    let transaction = |second: Value| {
        let first = entry("POST", "Observation", observation("x", "a", "survey"));
        json!({"resourceType": "Bundle", "type": "transaction", "entry": [first, second]}).to_string()
    };
    for (second, status) in [
        (entry("POST", "Observation", observation("x", "b", "survey")), 403),
        (entry("PUT", "Observation/b-lab", observation("b-lab", "a", "survey")), 404),
        (entry("DELETE", "Encounter/a-visit", Value::Null), 403),
        (entry("DELETE", "Observation/b-lab", Value::Null), 200),
    ] {
        let answer = ask(&node.router, &cruds, "POST", "", &transaction(second)).await;
        assert_eq!(answer.status.as_u16(), status, "{}", answer.body);
    }
    let surveys = node.get("/fhir/Observation?category=survey").await;
    assert_eq!(surveys.json()["total"], 1, "a transaction that is refused leaves nothing");
    assert_eq!(node.get("/fhir/Observation/b-lab").await.status, 200);
}

#[tokio::test]
async fn a_page_is_filled_with_what_is_covered_and_the_total_counts_it_alone() {
    let clients = Clients::new();
    let node = clinical(&clients).await;
    for number in 0..12 {
        let patient = if number % 3 == 0 { "a" } else { "b" };
        let path = format!("/fhir/Observation/n{number:02}");
        assert_eq!(
            node.put(&path, &observation(&format!("n{number:02}"), patient, "survey")).await.status,
            201
        );
    }
    let token = clients.idp.token("patient/Observation.rs", "a", "");
    let mut path = "Observation?category=survey&_count=3&_total=accurate".to_owned();
    let mut pages = Vec::new();
    loop {
        let answer = ask(&node.router, &token, "GET", &path, "").await;
        assert_eq!(answer.json()["total"], 4, "{}", answer.body);
        pages.push(answer.ids());
        let Some(next) = answer.link("next") else { break };
        path = next.strip_prefix(BASE).expect("our own").trim_start_matches('/').to_owned();
    }
    assert_eq!(pages, [vec!["n00", "n03", "n06"], vec!["n09"]]);
    let mut path = "Observation/_history?_count=5".to_owned();
    let mut versions = Vec::new();
    loop {
        let answer = ask(&node.router, &token, "GET", &path, "").await;
        versions.extend(answer.ids());
        let Some(next) = answer.link("next") else { break };
        path = next.strip_prefix(BASE).expect("our own").trim_start_matches('/').to_owned();
    }
    assert_eq!(versions, ["n09", "n06", "n03", "n00", "a-vital", "a-lab"]);
}

#[tokio::test]
async fn a_token_that_is_not_believed_is_no_token() {
    let clients = Clients::new();
    let node = clinical(&clients).await;
    let stranger = Idp::new().token("system/*.rs", "", "");
    let expired = {
        let claims = json!({"iss": ISSUER, "aud": BASE, "client_id": "app", "scope": "system/*.rs", "exp": AT / 1_000_000 - 61});
        clients.idp.sign(&claims)
    };
    let right = clients.idp.token("system/*.rs", "", "");
    for token in [stranger.as_str(), &expired, &right[..right.len() - 2], "", "a.b.c"] {
        let answer = ask(&node.router, token, "GET", "Observation", "").await;
        assert_eq!((answer.status.as_u16(), answer.issue().as_str()), (401, "login"));
        assert!(answer.header("www-authenticate").starts_with("Bearer"));
    }
    assert_eq!(ask(&node.router, &right, "GET", "Observation", "").await.status, 200);
    let forbidden = ask(&node.router, &clients.idp.token("openid", "", ""), "GET", "Observation", "").await;
    assert_eq!(forbidden.issue(), "forbidden");
    assert!(forbidden.header("www-authenticate").contains("insufficient_scope"));
    let last = node.records.texts().pop().expect("a record");
    assert!(last.contains("forbidden") && last.contains("app"), "{last}");
}

#[tokio::test]
pub async fn a_label_hides_from_the_next_request_on() {
    let clients = Clients::new();
    let node = clinical(&clients).await;
    let token = clients.idp.token("patient/Observation.rs", "a", "");
    let named = clients.idp.token("patient/Observation.rs?_security=R", "a", "");
    let seen = async |token: &str| {
        let read = ask(&node.router, token, "GET", "Observation/a-lab", "").await.status.as_u16();
        (read, told(&ask(&node.router, token, "GET", "Observation", "").await))
    };
    assert_eq!(seen(&token).await, (200, "200 a-lab a-vital".to_owned()));
    assert_eq!(seen(&named).await, (404, "200".to_owned()));
    let mut labelled = observation("a-lab", "a", "laboratory");
    let confidentiality = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
    labelled["meta"] = json!({"security": [{"system": confidentiality, "code": "R"}]});
    assert_eq!(node.put("/fhir/Observation/a-lab", &labelled).await.status, 200);
    assert_eq!(seen(&token).await, (404, "200 a-vital".to_owned()));
    assert_eq!(seen(&named).await, (200, "200 a-lab".to_owned()));
    // Neither is what it was before it had the label: what is not seen today has no history.
    for path in ["Observation/a-lab/_history/1", "Observation/a-lab/_history"] {
        assert_eq!(ask(&node.router, &token, "GET", path, "").await.status, 404, "{path}");
    }
    assert_eq!(told(&ask(&node.router, &token, "GET", "Observation/_history", "").await), "200 a-vital");
    assert_eq!(ask(&node.router, &named, "GET", "Observation/a-lab/_history/1", "").await.status, 404);
    assert_eq!(told(&ask(&node.router, &named, "GET", "Observation/a-lab/_history", "").await), "200 a-lab");
}

#[tokio::test]
async fn keys_are_renewed_while_the_surface_serves() {
    let (old, new) = (Idp::new(), Idp::new());
    let issuers = rest::Issuers::new([old.trusted()]);
    let shared = issuers.clone();
    let node = writing_with(|fhir| fhir.issuers = shared).await;
    let status = async |idp: &Idp| {
        ask(&node.router, &idp.token("system/*.rs", "", ""), "GET", "Patient", "").await.status.as_u16()
    };
    assert_eq!((status(&old).await, status(&new).await), (200, 401));
    assert!(issuers.renew(ISSUER, &new.trusted().keys));
    assert_eq!((status(&old).await, status(&new).await), (401, 200));
    assert!(!issuers.renew("https://other.example", &new.trusted().keys));
}

/// The portal has the same rule over the parameters that it has.
#[tokio::test]
async fn the_portal_sees_by_scope_too() {
    let clients = Clients::new();
    let store = Stored::with(world().iter().map(|resource| version(resource, 1)).collect()).await;
    let mut node = store.node();
    node.fhir.issuers = rest::Issuers::new([clients.idp.trusted()]);
    node.fhir.tokens = rest::TokenSet::new([
        ("r".to_owned(), rest::token_hash("reads")),
        ("w".to_owned(), rest::token_hash("good")),
    ]);
    let router = rest::portal(node.fhir);
    let mut wrong = Vec::new();
    let mut asked = 0;
    for (path, expected) in matrix().into_iter().filter(|(path, _)| !OF_TIME.contains(path)) {
        for (((name, ..), token), expected) in CLIENTS.iter().zip(&clients.tokens).zip(expected) {
            let told = told(&ask(&router, token, "GET", path, "").await);
            asked += 1;
            // Nothing leads to the organization of a visit there: it has no such parameter.
            if told != expected.replace(" ward", "") {
                wrong.push(format!("{name}: {path}: {told}, not {expected}"));
            }
        }
    }
    drop(router);
    store.close().await;
    assert!(wrong.is_empty() && asked > 200, "{}", wrong.join("\n"));
}

#[tokio::test]
async fn clients_are_told_where_tokens_are_and_nobody_else_is_named() {
    let node = writing_with(|fhir| {
        fhir.authorization = Some(rest::Authorization {
            issuer: ISSUER.to_owned(),
            authorization_endpoint: Some(format!("{ISSUER}/authorize")),
            token_endpoint: format!("{ISSUER}/token"),
            ..rest::Authorization::default()
        });
    })
    .await;
    let told = send(&node.router, "GET", "/fhir/.well-known/smart-configuration", &[], "").await;
    assert_eq!((told.status.as_u16(), told.header("content-type")), (200, "application/json; charset=utf-8"));
    let told = told.json();
    assert_eq!(told["token_endpoint"], format!("{ISSUER}/token"));
    assert_eq!(told["code_challenge_methods_supported"], json!(["S256"]));
    assert_eq!(told["grant_types_supported"], json!(["authorization_code"]));
    assert!(told["capabilities"].as_array().expect("capabilities").contains(&json!("permission-v2")));
    let statement = send(&node.router, "GET", "/fhir/metadata", &[], "").await.json();
    let security = &statement["rest"][0]["security"];
    assert_eq!(security["service"][0]["coding"][0]["code"], "SMART-on-FHIR");
    assert_eq!(
        security["extension"][0]["extension"][0],
        json!({"url": "token", "valueUri": format!("{ISSUER}/token")})
    );
    let plain = writing_with(|_| {}).await;
    let none = send(&plain.router, "GET", "/fhir/.well-known/smart-configuration", &[], "").await;
    assert_eq!(none.status, 404);
}
