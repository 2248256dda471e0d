//! A scope decides twice: as a condition of a search, which the store finds by, and over one resource that is read. Both must
//! say the same of any scopes over any resources.

use std::collections::BTreeSet;

use fhir::{ResourceId, ResourceType};
use serde_json::{Value, json};
use smart::{Granted, Launch, User};

use crate::answer::send;
use crate::fake::BASE;
use crate::idp::Idp;
use crate::stored::{Stored, version};

const CASES: usize = 60;
const OBSERVATIONS: usize = 80;
const PATIENTS: [&str; 3] = ["a", "b", "c"];
const SYSTEMS: [&str; 3] = ["", "urn:one", "urn:two"];
const CODES: [&str; 4] = ["x", "X", "y", "long code"];
const LABELS: [(&str, &str); 4] = [
    ("http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "R"),
    ("http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "N"),
    ("http://terminology.hl7.org/CodeSystem/v3-ActCode", "PSY"),
    ("urn:site", "R"),
];
const SCOPES: [&str; 16] = [
    "patient/Observation.rs",
    "patient/*.rs",
    "patient/Observation.rs?category=x",
    "patient/Observation.rs?category=urn:one|x,y",
    "patient/Observation.rs?category=|x",
    "patient/Observation.rs?category=urn:two|",
    "patient/Observation.rs?code=long%20code&status=final",
    "patient/Observation.rs?_security=R",
    "patient/Observation.rs?_security=http://terminology.hl7.org/CodeSystem/v3-ActCode|PSY",
    "patient/*.rs?_security=urn:site|R",
    "patient/Observation.rs?subject=Patient/b",
    "patient/Observation.rs?subject=b,c",
    "user/Observation.rs",
    "user/Observation.rs?status=final",
    "system/Observation.rs?status=final",
    "system/Observation.rs?subject=Patient/a&category=x",
];

/// Numbers that repeat with the seed (xorshift).
struct Draw(u64);

impl Draw {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("small") % end
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn concept(&mut self) -> Value {
        let mut coding = json!({"code": self.one(&CODES)});
        match self.one(&SYSTEMS) {
            "" => {}
            system => coding["system"] = json!(system),
        }
        json!({"coding": [coding]})
    }
}

fn observation(number: usize, draw: &mut Draw) -> Value {
    let mut resource = json!({
        "resourceType": "Observation", "id": format!("o{number:02}"),
        "status": draw.one(&["final", "amended"]), "code": draw.concept(),
    });
    let person = |draw: &mut Draw| {
        let of = draw.one(&["Patient", "Patient", "Patient", "Group", "https://other.example/Patient"]);
        json!({"reference": format!("{of}/{}", draw.one(&PATIENTS))})
    };
    if draw.below(5) > 0 {
        resource["subject"] = person(draw);
    }
    match draw.below(4) {
        0 => resource["performer"] = json!([{"reference": format!("Patient/{}", draw.one(&PATIENTS))}]),
        1 => resource["focus"] = json!([person(draw)]),
        _ => {}
    }
    let categories: Vec<Value> = (0..draw.below(3)).map(|_| draw.concept()).collect();
    if !categories.is_empty() {
        resource["category"] = json!(categories);
    }
    let labels: BTreeSet<(&str, &str)> = (0..draw.below(3)).map(|_| draw.one(&LABELS)).collect();
    if !labels.is_empty() && draw.below(2) == 0 {
        let label = |(system, code): &(&str, &str)| json!({"system": system, "code": code});
        resource["meta"] = json!({"security": labels.iter().map(label).collect::<Vec<_>>()});
    }
    resource
}

#[tokio::test]
async fn a_search_finds_what_a_read_shows_whatever_the_scopes() {
    let mut draw = Draw(0x5EED);
    let mut all: Vec<Value> = (0..OBSERVATIONS).map(|number| observation(number, &mut draw)).collect();
    all.extend(PATIENTS.map(|id| json!({"resourceType": "Patient", "id": id, "active": true})));
    let store = Stored::with(all.iter().map(|resource| version(resource, 1)).collect()).await;
    let idp = Idp::new();
    let mut node = store.node();
    node.fhir.issuers = rest::Issuers::new([idp.trusted()]);
    let router = rest::clinical(node.fhir);
    let (mut shown, mut hidden) = (0, 0);
    for case in 0..CASES {
        let scopes: Vec<&str> = (0..=draw.below(3)).map(|_| draw.one(&SCOPES)).collect();
        let (scopes, patient) = (scopes.join(" "), draw.one(&["", "a", "b", "c"]));
        let user = draw.one(&["", "Patient/a", "Practitioner/d"]);
        let authorization = format!("Bearer {}", idp.token(&scopes, patient, user));
        let headers = [("authorization", authorization.as_str())];
        let found = send(&router, "GET", "/fhir/Observation?_count=200&_total=accurate", &headers, "").await;
        let launch = Launch { patient: ResourceId::parse(patient).ok(), user: User::parse(user, BASE) };
        let observation = ResourceType::parse("Observation").expect("a type");
        let may = Granted::of(&scopes, &launch).may(smart::Permission::Search, observation);
        assert_eq!(found.status.as_u16(), if may { 200 } else { 403 }, "{case}: {scopes}");
        let ids: BTreeSet<String> = if may { found.ids().into_iter().collect() } else { BTreeSet::new() };
        assert!(!may || found.json()["total"] == ids.len(), "{case}: {scopes}");
        for number in 0..OBSERVATIONS {
            let id = format!("o{number:02}");
            let read = send(&router, "GET", &format!("/fhir/Observation/{id}"), &headers, "").await;
            let expected = if !may {
                403
            } else if ids.contains(&id) {
                200
            } else {
                404
            };
            assert_eq!(read.status.as_u16(), expected, "{case}: {id}: {scopes} for {patient} {user}");
            if expected == 200 { shown += 1 } else { hidden += 1 }
        }
    }
    drop(router);
    store.close().await;
    assert!(shown > 250 && hidden > 1_000, "{shown} {hidden}");
}
