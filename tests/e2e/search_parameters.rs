//! Search parameters of a site's FHIR packages: what is wrong with one is told before a node starts, what stood before is
//! found once it is indexed, and a cloud node has none that reads what de-identification removes.

use std::path::Path;

use harness::{Pair, Person, eventually, tidegate};
use serde_json::{Value, json};

const RACE: &str = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race";

fn definition(of: &str, code: &str, kind: &str, expression: &str) -> Value {
    json!({"resourceType": "SearchParameter", "url": format!("http://example.org/fhir/SearchParameter/{code}"),
        "name": "x", "status": "active", "description": "x", "code": code, "base": [of], "type": kind,
        "expression": expression})
}

/// Writes a package of these definitions.
fn package(folder: &Path, definitions: &[Value]) {
    std::fs::create_dir_all(folder).expect("a folder");
    let about = json!({"name": "example.site", "version": "1.0.0", "fhirVersions": ["4.0.1"]});
    std::fs::write(folder.join("package.json"), about.to_string()).expect("a file");
    for definition in definitions {
        let name = format!("SearchParameter-{}.json", definition["code"].as_str().expect("a code"));
        std::fs::write(folder.join(name), definition.to_string()).expect("a file");
    }
}

/// Census category, any text of it, and the given name.
fn site() -> Vec<Value> {
    let category = format!("Patient.extension('{RACE}').extension('ombCategory').value.ofType(Coding)");
    let text = format!("Patient.extension('{RACE}').extension('text').value.ofType(string)");
    vec![
        definition("Patient", "race-category", "token", &category),
        definition("Patient", "race-words", "string", &text),
        definition("Patient", "called", "string", "Patient.name.given"),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parameters_of_packages_are_indexed_beside_the_feed() {
    let mut pair = Pair::start("search-parameters").await;
    let (here, there) = (pair.here(), pair.there());
    let mut sender = pair.sender().await;
    // PID-10: race, of the census' categories.
    let person = Person::new(71);
    let with_race = |message: &str, race: &str| {
        let pid = message.split('\r').find(|line| line.starts_with("PID|")).expect("a PID");
        let mut fields: Vec<&str> = pid.split('|').collect();
        fields.resize(fields.len().max(11), "");
        fields[10] = race;
        message.replace(pid, &fields.join("|"))
    };
    let message = with_race(&person.a01("R-1"), "2106-3^White^HL70005");
    sender.accepted(&message).await;
    here.counted("Patient?_count=10", 1).await;
    there.counted("Patient?_count=10", 1).await;
    let unknown = here.answer("/fhir/Patient?race-category=2106-3").await.expect("an answer");
    assert_eq!(unknown.0, 400, "nobody has defined it");
    drop(sender);
    pair.stop_onprem().await;
    pair.stop_cloud().await;

    let folder = pair.folder.join("package");
    package(&folder, &site());
    for config in [&mut pair.onprem_config, &mut pair.cloud_config] {
        config.search_parameters.packages = vec![folder.clone()];
    }
    pair.start_cloud().await;
    pair.start_onprem().await;
    here.counted("Patient?race-category=2106-3", 1).await;
    here.counted("Patient?race-category=2054-5", 0).await;
    there.counted("Patient?race-category=2106-3", 1).await;
    let statement = there.json("/fhir/metadata").await.expect("a statement").to_string();
    assert!(statement.contains("http://example.org/fhir/SearchParameter/race-category"));
    for removed in ["called", "race-words"] {
        assert!(!statement.contains(removed), "{removed} reads what has not left");
        let (status, _) = there.answer(&format!("/fhir/Patient?{removed}=x")).await.expect("an answer");
        assert_eq!(status, 400, "{removed}");
    }
    let statement = here.json("/fhir/metadata").await.expect("a statement").to_string();
    assert!(["called", "race-words", "race-category"].iter().all(|code| statement.contains(code)));
    // What comes now is found at once.
    let mut sender = pair.sender().await;
    sender
        .accepted(&with_race(&Person::new(72).a01("R-2"), "2054-5^Black or African American^HL70005"))
        .await;
    here.counted("Patient?race-category=2054-5", 1).await;
    there.counted("Patient?race-category=2054-5", 1).await;
    drop(sender);
    eventually("a sample on the page", || async {
        let page = here.get("/metrics").await?.body.to_vec();
        let page = String::from_utf8(page).map_err(|error| error.to_string())?;
        let line = "tidegate_search_parameters{state=\"ready\"} 3";
        if page.contains(line) { Ok(()) } else { Err(format!("no {line} in\n{page}")) }
    })
    .await;
    pair.stop_onprem().await;
    pair.stop_cloud().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_a_package_is_told_before_a_node_starts() {
    let pair = Pair::make("search-parameters-wrong").await;
    let file = |node: &str| pair.folder.join(&format!("{node}.yaml"));
    let folder = pair.folder.join("package");
    for node in ["onprem", "cloud"] {
        let text = std::fs::read_to_string(file(node)).expect("init made it");
        let named = "search_parameters:\n  packages: [package]\n  except: [\"http://example.org/fhir/SearchParameter/bad\"]\n";
        let named = if node == "cloud" { named } else { "search_parameters:\n  packages: [package]\n" };
        std::fs::write(file(node), format!("{text}{named}")).expect("it can be written");
    }
    let check = |node: &str| tidegate(&["check", "-c", &file(node).display().to_string()]);
    let absent = check("onprem");
    assert!(absent.code == 78 && absent.stderr.contains("search_parameters.packages"), "{absent:?}");
    let mut all = site();
    all.push(definition("Patient", "bad", "token", "Patient.colour"));
    package(&folder, &all);
    let refused = check("onprem");
    assert_eq!(refused.code, 78, "{refused:?}");
    for words in
        ["SearchParameter-bad.json", "`bad` of Patient", "`colour`", "is no element of Patient", "except"]
    {
        assert!(refused.stderr.contains(words), "{words}: {}", refused.stderr);
    }
    let cloud = check("cloud");
    assert_eq!(cloud.code, 0, "{cloud:?}");
    for code in ["`called`", "`race-words`"] {
        assert!(cloud.stderr.contains(code), "{code}: {}", cloud.stderr);
    }
    assert!(!cloud.stderr.contains("race-category"), "{}", cloud.stderr);
}
