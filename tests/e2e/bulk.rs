//! What is told in bulk, over the wire: histories of all, exports of both nodes, contents of Binaries; what of it a restart
//! ends, and what the cloud never has.

use std::collections::BTreeSet;

use audit::Kind;
use harness::{Page, Pair, Person, Surface, eventually, stored};
use serde_json::Value;

async fn asked(
    surface: &Surface,
    (method, path): (&str, &str),
    headers: &[(&str, &str)],
    body: &str,
) -> Page {
    surface.send(method, path, headers, body).await.expect("an answer")
}

/// A path of an address.
fn path(url: &str) -> String {
    url.find("/fhir").map(|at| url[at..].to_owned()).expect("ours")
}

/// Begins an export and waits for its manifest: where to ask, and the manifest.
async fn exported(surface: &Surface, what: &str) -> (String, Value) {
    let begun = asked(surface, ("GET", &format!("/fhir/{what}")), &[("Prefer", "respond-async")], "").await;
    assert_eq!(begun.status, 202, "{}", begun.text);
    let status = path(begun.header("content-location"));
    let manifest = eventually("the export", || async {
        match surface.answer(&status).await {
            Ok((200, manifest)) => Ok(manifest),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    (status, manifest)
}

/// All lines of all files of a manifest.
async fn lines(surface: &Surface, manifest: &Value) -> Vec<Value> {
    let mut all = Vec::new();
    for file in manifest["output"].as_array().expect("files") {
        let url = path(file["url"].as_str().expect("a url"));
        let answer = surface.get(&url).await.expect("an answer");
        assert_eq!(answer.status, 200);
        let text = String::from_utf8(answer.body.to_vec()).expect("UTF-8");
        all.extend(text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a resource a line")));
    }
    all
}

fn names(all: &[Value], of: &str) -> BTreeSet<String> {
    let of_type = all.iter().filter(|one| one["resourceType"] == of);
    of_type.map(|one| one["id"].as_str().expect("an id").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_told_in_bulk_is_what_is_found_and_says_nobody_in_the_cloud() {
    let mut pair = Pair::start("bulk").await;
    let (here, there) = (pair.here(), pair.there());
    let person = Person::new(71);
    let mut sender = pair.sender().await;
    sender.accepted(&person.a01("B-1")).await;
    let results = [("718-7", "13.1", "F"), ("2160-0", "0.9", "F"), ("6690-2", "7.2", "F")];
    sender.accepted(&person.oru("B-2", &results)).await;
    drop(sender);
    here.counted("Observation", 3).await;
    there.counted("Observation", 3).await;

    contents(&here).await;
    histories(&here, &there).await;
    for surface in [&here, &there] {
        let (_, manifest) = exported(surface, "$export").await;
        let all = lines(surface, &manifest).await;
        for of in ["Patient", "Observation", "Encounter"] {
            let found = surface.search(of).await.expect("matches");
            assert!(!found.is_empty());
            assert_eq!(names(&all, of), names(&found, of), "{of}");
        }
    }
    let (_, manifest) = exported(&there, "Patient/$export?_type=Patient,Observation").await;
    let told = lines(&there, &manifest).await;
    assert_eq!((names(&told, "Patient").len(), names(&told, "Observation").len()), (1, 3));
    let (_, whole) = exported(&there, "$export").await;
    let text = lines(&there, &whole).await.iter().map(Value::to_string).collect::<String>();
    for word in person.identifiers() {
        assert!(!text.contains(&word), "the cloud's export says nobody");
    }
    assert!(!text.contains("\"Binary\""), "content that nobody can de-identify stays");

    let (status, _) = exported(&here, "$export?_type=Patient").await;
    pair.stop_onprem().await;
    pair.start_onprem().await;
    let (code, outcome) = here.answer(&status).await.expect("an answer");
    assert_eq!(code, 404, "{outcome}");
    assert!(outcome.to_string().contains("begin it again"), "a restart ends an export, and that is said");

    pair.stop_onprem().await;
    let store = stored::clinical(&pair.onprem_config.data).await;
    let records = stored::records(&store).await;
    let of_export = |(kind, record): &&(Kind, Value)| {
        *kind == Kind::ResourceSearched && record.to_string().contains("\"export\"")
    };
    let text: String = records.iter().filter(of_export).map(|(_, record)| record.to_string()).collect();
    assert!(text.contains("Observation/") && text.contains("Patient/"), "each resource is recorded: {text}");
    stored::close(store).await;
}

/// A scan is written and read as it is.
async fn contents(here: &Surface) {
    let scan = "%PDF-1.7 a scan of a form";
    let pdf = [("Content-Type", "application/pdf")];
    let made = asked(here, ("POST", "/fhir/Binary"), &pdf, scan).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let made: Value = serde_json::from_str(&made.text).expect("the resource");
    let at = format!("/fhir/Binary/{}", made["id"].as_str().expect("an id"));
    let read = asked(here, ("GET", &at), &[("Accept", "application/pdf")], "").await;
    assert_eq!((read.status, read.text.as_str()), (200, scan));
    assert_eq!(read.header("content-type"), "application/pdf");
    assert!(read.header("content-disposition").starts_with("attachment"));
    let told = asked(here, ("GET", &at), &[("Accept", "application/fhir+json")], "").await;
    assert_eq!(serde_json::from_str::<Value>(&told.text).expect("JSON")["contentType"], "application/pdf");
}

/// Everything that happened on-prem, newest first, page by page; nothing of it in the cloud.
async fn histories(here: &Surface, there: &Surface) {
    let mut at = "/fhir/_history?_count=3".to_owned();
    let (mut seen, mut newest) = (Vec::new(), String::new());
    loop {
        let page = here.json(&at).await.expect("a page");
        for entry in page["entry"].as_array().expect("entries") {
            let modified = entry["response"]["lastModified"].as_str().expect("an instant").to_owned();
            newest = newest.max(modified);
            seen.push(format!("{} {}", entry["fullUrl"], entry["response"]["etag"]));
        }
        match harness::surface::link(&page, "next") {
            Some(next) => at = next,
            None => break,
        }
    }
    let each: BTreeSet<&String> = seen.iter().collect();
    assert_eq!(each.len(), seen.len(), "each once");
    for of in ["Patient", "Observation", "Binary", "Provenance"] {
        assert!(seen.iter().any(|one| one.contains(&format!("/{of}/"))), "{of} in {seen:?}");
    }
    let since = here.json(&format!("/fhir/_history?_since={newest}")).await.expect("a page");
    let count = since["entry"].as_array().map_or(0, Vec::len);
    assert!((1..seen.len()).contains(&count), "what was made then or later: {count}");
    let (status, outcome) = there.answer("/fhir/_history").await.expect("an answer");
    assert_eq!((status, &outcome["issue"][0]["code"]), (501, &serde_json::json!("not-supported")));
}
