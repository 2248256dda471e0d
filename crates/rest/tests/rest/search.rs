//! Search of the clinical role: parameters, strictness, paging, links.

use crate::answer::{Answer, get, send};
use crate::fake::{BASE, node, stored};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// query, ids found
const FOUND: &[(&str, &[&str])] = &[
    ("Patient", &["p1", "p2"]),
    ("Patient?_id=p1", &["p1"]),
    ("Patient?_id=p1,p2,p2", &["p1", "p2"]),
    ("Patient?_id=p1&_id=p2", &[]),
    ("Patient?_id=gone", &[]),
    ("Patient?identifier=A%5C,1", &["p1", "p2"]),
    ("Patient?identifier=urn:mrn%7CA%5C,1", &["p1", "p2"]),
    ("Patient?identifier=urn:other%7CA%5C,1", &[]),
    ("Patient?identifier=%7Cnosystem", &["p1", "p2"]),
    ("Patient?identifier=%7CA%5C,1", &[]),
    ("Patient?identifier=urn:mrn%7C", &["p1", "p2"]),
    ("Patient?identifier=A", &[]),
    ("Observation?code=8480-6", &["o1", "o3", "o4"]),
    ("Observation?code=http://loinc.org%7C8480-6", &["o1", "o3", "o4"]),
    ("Observation?code=8462-4,x", &["o2", "o5"]),
    ("Observation?patient=p1", &["o1", "o2", "o3"]),
    ("Observation?patient=Patient/p1", &["o1", "o2", "o3"]),
    ("Observation?patient=http://node.example/fhir/Patient/p1", &["o1", "o2", "o3"]),
    ("Observation?patient=Patient/p1/_history/2", &["o1", "o2", "o3"]),
    ("Observation?patient=p1,p2", &["o1", "o2", "o3", "o4", "o5"]),
    ("Observation?subject=Patient/p2", &["o4", "o5"]),
    ("Observation?subject=p2", &["o4", "o5"]),
    ("Observation?subject=Group/p2", &[]),
    ("Observation?subject:Patient=p2", &["o4", "o5"]),
    ("Observation?patient=http://other.example/fhir/Patient/p1", &[]),
    ("Observation?code:not=8480-6,x", &["o2"]),
    ("Observation?date:missing=true&patient=p2", &["o4", "o5"]),
    ("Observation?date:missing=false", &[]),
    ("Observation?date=ge2020", &[]),
    ("Observation?patient=p1&code=8480-6", &["o1", "o3"]),
    ("Observation?patient=p1&_count=2", &["o1", "o2"]),
    ("Observation?patient=p1&_count=0", &[]),
    ("Observation?patient=p1&_summary=count", &[]),
    ("Patient?_lastUpdated:missing=true", &[]),
    ("Patient?_lastUpdated:missing=false", &["p1", "p2"]),
    ("Observation?patient=p1&_summary=false&_format=json&_pretty=true", &["o1", "o2", "o3"]),
];

#[tokio::test]
pub async fn searches_find_as_the_table_says() {
    let router = rest::clinical(node().fhir);
    for (query, ids) in FOUND {
        let answer = get(&router, &format!("/fhir/{query}"), &[]).await;
        assert_eq!(answer.status.as_u16(), 200, "{query}: {}", answer.body);
        assert_eq!(answer.ids(), *ids, "{query}");
        assert!(fhir::validate(&answer.json()).is_empty(), "{query}: {:?}", fhir::validate(&answer.json()));
        assert!(
            !ids.is_empty() || answer.json().get("entry").is_none(),
            "{query}: entry is absent, not empty"
        );
    }
}

/// query, issue code
const REFUSED: &[(&str, &str)] = &[
    ("Patient?Everywoman=1", "not-supported"),
    ("Patient?famly=Everywoman", "not-supported"),
    ("Patient?phonetic=Everywoman", "not-supported"),
    ("Patient?near=1", "not-supported"),
    ("Patient?patient=p1", "not-supported"),
    ("Patient?code=x", "not-supported"),
    ("Patient?_sort=nosuch", "not-supported"),
    ("Patient?_sort=", "not-supported"),
    ("Patient?_sort=_id,_id,_id,_id,_id", "too-costly"),
    ("Patient?_include=Patient:nosuch", "not-supported"),
    ("Patient?_include=Observation:subject", "not-supported"),
    ("Patient?_include=Patient:organization:Nonsense", "not-supported"),
    ("Patient?_revinclude=*", "not-supported"),
    ("Patient?_revinclude=Observation:encounter", "not-supported"),
    ("Patient?_total=bogus", "not-supported"),
    ("Patient?_filter=x", "not-supported"),
    ("Patient?_text=x", "not-supported"),
    ("Patient?_sort=link,nosuch", "not-supported"),
    ("Patient?_include:iterate=*", "not-supported"),
    ("Patient?_include:recurse=Patient:link", "not-supported"),
    ("Patient?_revinclude:iterate=Observation:nosuch", "not-supported"),
    ("Patient?_include=Patient:organization:Practitioner", "not-supported"),
    ("Patient?_elements=nosuch", "not-supported"),
    ("Patient?_elements=id&_summary=true", "not-supported"),
    ("Patient?_summary=text&_include=Patient:link", "not-supported"),
    ("Patient?gender:of-type=a%7Cb%7Cc", "not-supported"),
    ("Patient?gender:in=http://example.org/vs", "not-supported"),
    ("Patient?gender:not-in=http://example.org/vs", "not-supported"),
    ("Patient?gender:above=x", "not-supported"),
    ("Patient?gender:below=x", "not-supported"),
    ("Patient?identifier:of-type=A", "value"),
    ("Patient?identifier:of-type=a%7C%7Cb", "value"),
    ("Patient?_lastUpdated:missing=x", "value"),
    ("Patient?_id:not=p1", "not-supported"),
    ("Observation?code-value-quantity=8480-6", "value"),
    ("Observation?code-value-quantity=8480-6$gtabc", "value"),
    ("Observation?code-value-quantity=8480-6$1$2", "value"),
    ("Observation?code-value-quantity:missing=true", "not-supported"),
    ("Observation?value-quantity=1234567890123456789012345678%7Chttp://unitsofmeasure.org%7Ckg", "value"),
    ("Observation?code.name=x", "not-supported"),
    ("Observation?patient.nosuch=x", "not-supported"),
    ("Observation?subject:Encounter.status=x", "not-supported"),
    ("Observation?patient.birthdate=notadate", "value"),
    ("Observation?patient.identifier:above=x", "not-supported"),
    ("Observation?subject.organization.partof.partof.partof.name=x", "too-costly"),
    ("Patient?_has:Observation:encounter:code=x", "not-supported"),
    ("Patient?_has:Nonsense:patient:code=x", "not-supported"),
    ("Patient?_has:Observation:patient=x", "not-supported"),
    ("Patient?_has:Observation:patient:nosuch=x", "not-supported"),
    ("Patient?_has:Observation:patient:date=notadate", "value"),
    ("Patient?_list=$current-problems", "not-supported"),
    ("Patient?_list=bad_id!", "value"),
    ("Library?url:below=urn:oid:2.16.840.1.113883.3.9999.1", "value"),
    ("Patient?_content=x", "not-supported"),
    ("Patient?_summary=bogus", "not-supported"),
    ("Patient?family:not=A", "not-supported"),
    ("Patient?birthdate:exact=1980", "not-supported"),
    ("Patient?gender:missing=x", "value"),
    ("Patient?birthdate=notadate", "value"),
    ("Patient?birthdate=1980-13-45", "value"),
    ("Patient?birthdate=xx1980", "value"),
    ("Patient?_lastUpdated=ge2020-01-01T00:00:00+01:00", "value"),
    ("Patient?family=%20", "value"),
    ("Patient?family=%CC%81", "value"),
    ("Patient?_id:exact=p1", "not-supported"),
    ("Observation?subject:Encounter=p1", "not-supported"),
    ("Observation?subject:Patient=Group/p1", "value"),
    ("Observation?value-quantity=gtabc", "value"),
    ("Observation?value-quantity=zz100", "value"),
    ("Observation?value-quantity=5%7Cmg", "value"),
    ("ChargeItem?factor-override=1%7C%7Cmg", "value"),
    ("Patient?_count=abc", "value"),
    ("Patient?_count=-1", "value"),
    ("Patient?_count=", "value"),
    ("Patient?_count=1&_count=2", "invalid"),
    ("Patient?_id=", "value"),
    ("Patient?_id", "value"),
    ("Patient?_id=p1,", "value"),
    ("Patient?_id=bad_id!", "value"),
    ("Patient?identifier=", "value"),
    ("Patient?identifier=%7C", "value"),
    ("Patient?identifier=a%7Cb%7Cc", "value"),
    ("Patient?identifier=a%5Cb", "value"),
    ("Patient?identifier=a%5C", "value"),
    ("Observation?patient=Nonsense/p1", "value"),
    ("Observation?patient=a/b/c", "value"),
    ("Patient?_cursor=AAAA", "value"),
    ("Patient?_cursor=", "value"),
    ("Patient?_cursor=AAAA&_id=p1", "invalid"),
];

#[tokio::test]
pub async fn what_is_not_supported_is_refused_never_ignored() {
    let router = rest::clinical(node().fhir);
    for (query, issue) in REFUSED {
        for prefer in ["", "handling=strict", "return=minimal; handling=strict"] {
            let answer = get(&router, &format!("/fhir/{query}"), &[("prefer", prefer)]).await;
            let row = format!("{query} {prefer}: {}", answer.body);
            assert_eq!((answer.status.as_u16(), answer.issue().as_str()), (400, *issue), "{row}");
            assert!(!answer.body.contains("Everywoman") && !answer.body.contains("nosuch"), "{row}");
        }
    }
}

/// query, ids found, parameters of the self link
const LEFT_OUT: &[(&str, &[&str], &str)] = &[
    ("Observation?patient=p1&nosuch=x", &["o1", "o2", "o3"], "patient=p1&_count=50"),
    ("Observation?code:above=x&patient=p2", &["o4", "o5"], "patient=p2&_count=50"),
    ("Observation?patient=p2&_sort=nosuch", &["o4", "o5"], "patient=p2&_count=50"),
    ("Observation?_include=Observation:nosuch&_total=bogus&code=x", &["o5"], "code=x&_count=50"),
];

#[tokio::test]
pub async fn a_lenient_search_leaves_out_what_is_not_supported_and_says_so() {
    let router = rest::clinical(node().fhir);
    for prefer in
        ["handling=lenient", "return=minimal, handling=lenient", "respond-async; handling=\"lenient\""]
    {
        for (query, ids, own) in LEFT_OUT {
            let answer = get(&router, &format!("/fhir/{query}"), &[("prefer", prefer)]).await;
            assert_eq!(answer.status.as_u16(), 200, "{query}: {}", answer.body);
            let bundle = answer.json();
            assert_eq!(fhir::validate(&bundle), [], "{query}");
            let entries = bundle["entry"].as_array().expect("entries");
            let matches: Vec<&str> = entries
                .iter()
                .filter(|entry| entry["search"]["mode"] == "match")
                .map(|entry| entry["resource"]["id"].as_str().expect("an id"))
                .collect();
            assert_eq!(matches, *ids, "{query}");
            let told = entries.last().expect("an entry");
            assert_eq!(told["search"]["mode"], "outcome", "{query}");
            assert_eq!(told["resource"]["issue"][0]["severity"], "warning", "{query}");
            assert!(!answer.body.contains("nosuch"), "{query}: {}", answer.body);
            let of = query.split('?').next().expect("a type");
            assert_eq!(answer.link("self"), Some(format!("{BASE}/{of}?{own}")), "{query}");
        }
        let value = get(&router, "/fhir/Patient?birthdate=notadate", &[("prefer", prefer)]).await;
        assert_eq!(
            value.status.as_u16(),
            400,
            "a value that cannot be read is no parameter that is not supported"
        );
    }
}

#[tokio::test]
pub async fn what_fhir_has_and_this_server_has_not_is_named() {
    let router = rest::clinical(node().fhir);
    for (path, status, text) in [
        ("/fhir?_id=p1", 501, "a search over all types"),
        ("/fhir/$graphql?query=x", 501, "GraphQL"),
        ("/fhir/Patient/p1/$graphql?query=x", 501, "GraphQL"),
        ("/fhir/Patient/p1/$nosuch", 501, "$everything"),
        ("/fhir/Practitioner/x/Observation", 400, "Practitioner has no compartment here"),
        ("/fhir/Patient/p1/Organization", 400, "Organization is not in the compartment of Patient"),
    ] {
        let answer = get(&router, path, &[]).await;
        assert_eq!(answer.status.as_u16(), status, "{path}: {}", answer.body);
        assert_eq!(answer.issue(), "not-supported", "{path}");
        assert!(answer.body.contains(text), "{path}: {}", answer.body);
    }
}

#[tokio::test]
pub async fn part_of_a_resource_is_told_and_marked() {
    let router = rest::clinical(node().fhir);
    for (path, pointer) in [
        ("/fhir/Patient/p1?_elements=active", ""),
        ("/fhir/Patient/p1/_history/2?_summary=true", ""),
        ("/fhir/Patient?_id=p1&_elements=active", "/entry/0/resource"),
    ] {
        let answer = get(&router, path, &[]).await.json();
        let resource = answer.pointer(pointer).expect("a resource");
        assert_eq!(resource["meta"]["tag"][0]["code"], "SUBSETTED", "{path}");
        assert_eq!(resource["active"], true, "{path}");
        assert_eq!(resource.get("name").is_some(), path.contains("_summary"), "{path}");
    }
    let counted = get(&router, "/fhir/Patient/p1?_summary=count", &[]).await;
    assert_eq!((counted.status.as_u16(), counted.issue().as_str()), (400, "not-supported"));
}

/// query, texts of the outcome
const NAMED: &[(&str, &[&str])] = &[
    (
        "Patient?famly=x",
        &["parameter 1 (`famly`)", "did you mean `family`?", "valid: _id, _lastUpdated, _profile"],
    ),
    ("Patient?_id=p1&_lastupdated=2020", &["parameter 2 (`_lastupdated`)", "did you mean `_lastUpdated`?"]),
    (
        "Patient?_id=p1&Everywoman=x",
        &["parameter 2 is not supported", "_sort, _include, _revinclude, _count"],
    ),
    ("Patient?phonetic=x", &["(`phonetic`)"]),
    ("Observation?birthdate=1980", &["(`birthdate`)", "for Observation"]),
    ("Patient?_has:Observation:encounter:code=x", &["`_has` does not take", "_has:Observation:patient:…"]),
    ("Patient?_elements=birthDat", &["`_elements` does not take `birthDat`", "did you mean `birthDate`?"]),
    ("Patient?gender:of-type=x", &["`:of-type` of `gender`", "valid: :text, :not, :missing"]),
    ("Patient?gender:in=x", &["modifier `:in` of `gender` is not supported"]),
    ("Patient?_filter=x", &["(`_filter`)"]),
    ("Patient?_summary=fals", &["`_summary` does not take", "did you mean `false`?"]),
    ("Patient?family:exat=x", &["`:exat` of `family`", "valid: :exact, :contains, :missing"]),
    ("Patient?_include:recurse=Patient:link", &["`:recurse` of `_include`", "valid: :iterate"]),
    ("Observation?code.name=x", &["`code` is no reference"]),
    ("Observation?patient.famly=x", &["did you mean `family`?", "for Patient"]),
    (
        "Observation?subject:Encounter.status=x",
        &["`subject` is chained to a type that it cannot point at", "Patient"],
    ),
    ("Observation?code-value-quantity=x", &["`code-value-quantity` takes code$value-quantity"]),
    ("Patient?_sort=birthdat", &["`_sort` does not take `birthdat`", "did you mean `birthdate`?"]),
    ("Patient?_include=Patient:orgnization", &["did you mean `Patient:organization`?"]),
    ("Patient?_revinclude=Observation:subjet", &["did you mean `Observation:subject`?"]),
    ("Patient?birthdate=xx1980", &["prefix of `birthdate` is one of eq ne gt lt ge le sa eb ap"]),
    ("Patient?_lastUpdated=2020-01-01T00:00:00+01:00", &["%2B"]),
];

#[tokio::test]
pub async fn a_refusal_names_what_was_meant_and_what_is_valid() {
    let router = rest::clinical(node().fhir);
    for (query, texts) in NAMED {
        let answer = get(&router, &format!("/fhir/{query}"), &[]).await;
        assert_eq!(answer.status.as_u16(), 400, "{query}");
        for text in *texts {
            assert!(answer.body.contains(text), "{query}: {text} in {}", answer.body);
        }
        assert!(!answer.body.contains("Everywoman"), "{query}");
    }
}

#[tokio::test]
pub async fn limits_are_refused_by_name() {
    let router = rest::clinical(node().fhir);
    let many = vec!["p1"; 101].join(",");
    let rows = [
        (format!("_id={many}"), "too-costly"),
        (format!("identifier={}", "a".repeat(8 * 1024)), "too-long"),
        ("_id=p1&".repeat(65), "too-costly"),
        (format!("_cursor={}", "A".repeat(8 * 1024)), "value"),
    ];
    for (query, issue) in rows {
        let answer = get(&router, &format!("/fhir/Patient?{query}"), &[]).await;
        assert_eq!((answer.status.as_u16(), answer.issue().as_str()), (400, issue), "{}", answer.body);
    }
    let headers = [("authorization", "Bearer good"), ("content-type", "application/x-www-form-urlencoded")];
    let form = "a".repeat(rest::SEARCH_FORM_BYTES_MAX + 1);
    let answer = send(&router, "POST", "/fhir/Patient/_search", &headers, &form).await;
    assert_eq!((answer.status.as_u16(), answer.issue().as_str()), (413, "too-long"));
}

#[tokio::test]
pub async fn a_page_knows_its_total_and_addresses() {
    let router = rest::clinical(node().fhir);
    let answer = get(&router, "/fhir/Observation?patient=p1&code=http://loinc.org%7C8480-6", &[]).await;
    let bundle = answer.json();
    assert_eq!((&bundle["type"], &bundle["total"]), (&json!("searchset"), &json!(2)));
    assert_eq!(bundle["entry"][0]["fullUrl"], format!("{BASE}/Observation/o1"));
    assert_eq!(bundle["entry"][0]["search"]["mode"], "match");
    assert_eq!(bundle["entry"][0]["resource"]["meta"]["versionId"], "1");
    let executed = format!("{BASE}/Observation?patient=p1&code=http%3A%2F%2Floinc.org%7C8480-6&_count=50");
    assert_eq!(answer.link("self"), Some(executed));
    assert_eq!(answer.link("next"), None);
    let count = get(&router, "/fhir/Observation?patient=p1&_count=0", &[]).await;
    assert_eq!((count.json()["total"].clone(), count.link("next")), (json!(3), None));
    let capped = get(&router, "/fhir/Observation?_count=99999999999999999999999", &[]).await;
    assert_eq!(capped.link("self"), Some(format!("{BASE}/Observation?_count=200")));
}

#[tokio::test]
pub async fn a_posted_search_is_the_same_search() {
    let router = rest::clinical(node().fhir);
    let headers = [
        ("authorization", "Bearer good"),
        ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
    ];
    let answer =
        send(&router, "POST", "/fhir/Observation/_search?code=8480-6", &headers, "patient=p1&_count=1").await;
    assert_eq!(answer.ids(), ["o1"], "{}", answer.body);
    assert_eq!(answer.json()["total"], 2);
    let empty = send(&router, "POST", "/fhir/Patient/_search", &[("authorization", "Bearer good")], "").await;
    assert_eq!(empty.ids(), ["p1", "p2"]);
}

/// The pages of a search, walked by their links.
async fn walk(router: &axum::Router, first: &str) -> (Vec<String>, Vec<Answer>) {
    let (mut ids, mut pages) = (Vec::new(), Vec::new());
    let mut next = Some(first.to_owned());
    while let Some(url) = next {
        assert!(pages.len() < 50, "the pages end");
        let page = get(router, &url, &[]).await;
        assert_eq!(page.status.as_u16(), 200, "{}", page.body);
        ids.extend(page.ids());
        next = page.link("next").map(|url| url.strip_prefix("http://node.example").expect("ours").to_owned());
        pages.push(page);
    }
    (ids, pages)
}

#[tokio::test]
pub async fn walking_the_pages_finds_all_once() {
    let mut node = node();
    let mut memory = crate::fake::memory();
    for number in 0..250 {
        let code = json!({"coding": [{"code": "many"}]});
        let observation = json!({"resourceType": "Observation", "id": format!("m{number}"), "status": "final", "code": code});
        memory.versions.push(stored(&observation, 1));
    }
    node.fhir.resources = Arc::new(memory).into();
    let router = rest::clinical(node.fhir);
    let expected: Vec<String> = (0..250).map(|number| format!("m{number}")).collect();
    for (query, pages_expected) in [("", 5), ("&_count=200", 2), ("&_count=1000", 2), ("&_count=7", 36)] {
        let (ids, pages) = walk(&router, &format!("/fhir/Observation?code=many{query}")).await;
        assert_eq!((ids, pages.len()), (expected.clone(), pages_expected), "{query}");
        for page in &pages {
            assert_eq!(page.json()["total"], 250);
            let url = page.link("self").expect("a self link");
            let again = get(&router, url.strip_prefix("http://node.example").expect("ours"), &[]).await;
            assert_eq!(again.ids(), page.ids(), "the self link gives the same page");
        }
    }
}

#[tokio::test]
pub async fn links_never_carry_an_identifier() {
    let router = rest::clinical(node().fhir);
    let first = get(&router, "/fhir/Patient?identifier=urn:mrn%7C&_count=1", &[]).await;
    let (own, next) = (first.link("self").expect("self"), first.link("next").expect("next"));
    for url in [&own, &next] {
        assert!(!url.contains("mrn") && !url.contains("identifier"), "{url}");
    }
    let path = |url: &str| url.strip_prefix("http://node.example").expect("ours").to_owned();
    assert_eq!(get(&router, &path(&own), &[]).await.ids(), ["p1"]);
    assert_eq!(get(&router, &path(&next), &[]).await.ids(), ["p2"]);
    let pretty = get(&router, &format!("{}&_pretty=true&_format=json", path(&next)), &[]).await;
    assert_eq!(pretty.ids(), ["p2"], "a link may be asked for in another form");
    let tampered = format!("{}A", path(&next));
    assert_eq!(get(&router, &tampered, &[]).await.status.as_u16(), 400);
    let elsewhere = path(&next).replace("/Patient?", "/Observation?");
    assert_eq!(get(&router, &elsewhere, &[]).await.status.as_u16(), 400);
    let portal = rest::portal(node().fhir);
    assert_eq!(
        get(&portal, &path(&next), &[]).await.status.as_u16(),
        400,
        "a link of one role is refused by the other"
    );
}

#[tokio::test]
pub async fn a_total_that_costs_too_much_is_left_out_or_refused() {
    let node = node();
    node.memory.uncounted.store(true, Ordering::Relaxed);
    let router = rest::clinical(node.fhir);
    let page = get(&router, "/fhir/Patient?_count=1", &[]).await;
    assert_eq!((page.ids(), page.json().get("total")), (vec!["p1".to_owned()], None));
    let count = get(&router, "/fhir/Patient?_count=0", &[]).await;
    assert_eq!((count.status.as_u16(), count.issue().as_str()), (400, "too-costly"));
}
