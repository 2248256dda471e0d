//! What the mappings make: each type and extension has a decision, and what leaves of the fixtures holds nothing of theirs.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use fhir::ResourceType;
use residency::{Decision, LABEL_NORMAL, Labels, Policy, Profile};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use support::{PROFILE, YEAR};
use verifier::{Grammar, KnownIdentifiers};

/// Types with rows that come from payers' systems in FHIR and that no mapping makes.
const FROM_ELSEWHERE: [&str; 3] = ["MedicationStatement", "Claim", "ExplanationOfBenefit"];
/// Texts of the fixtures that are shorter may stand in an output by chance.
const TEXT_CHARS_MIN: usize = 5;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn policy() -> Policy {
    Policy::compile(&support::files("residency"), &[PROFILE]).expect("the policy loads")
}

fn normal() -> Labels {
    Labels(vec![LABEL_NORMAL.to_owned()])
}

/// Types that the maps of segments and types make, by their file names (`GOL.Goal.yaml`).
fn mapped_types() -> BTreeSet<ResourceType> {
    let mut found = BTreeSet::new();
    for folder in ["mappings/segments", "mappings/types"] {
        for entry in std::fs::read_dir(root().join(folder)).expect("the mappings are there") {
            let name = entry.expect("an entry").file_name().into_string().expect("a name of ASCII");
            let target = name.split('.').nth(1).expect("a map is called SOURCE.Target.yaml");
            found.extend(ResourceType::parse(target.split('-').next().expect("a first part")));
        }
    }
    // The engine's own record of a message.
    found.extend(ResourceType::parse("Provenance"));
    found
}

#[test]
fn every_type_a_mapping_makes_is_decided() {
    let (policy, profile) = (policy(), support::profile());
    let types = mapped_types();
    assert!(types.len() > 40, "{types:?}");
    let mut leave = BTreeSet::new();
    for resource_type in &types {
        match policy.decide("cloud", *resource_type, &normal()) {
            Decision::Permit { .. } => {
                assert!(profile.covers(*resource_type), "{resource_type:?} may go and has no rows");
                leave.insert(resource_type.as_str());
            }
            // A rule that names the type says why it stays.
            Decision::Deny { rules, .. } => {
                assert_eq!(rules.len(), 1, "{resource_type:?} is decided by no rule of policy.yaml");
                assert!(!profile.covers(*resource_type), "{resource_type:?} has rows and may not go");
            }
        }
    }
    let covered = fhir::r4().resource_names().filter(|name| profile.covers(kind(name)));
    let unmade: Vec<&str> = covered.filter(|name| !leave.contains(name)).collect();
    assert_eq!(unmade.into_iter().collect::<BTreeSet<_>>(), BTreeSet::from(FROM_ELSEWHERE));
}

/// An entry of `mappings/extensions.yaml`.
#[derive(Deserialize)]
struct Extension {
    url: String,
    #[serde(default)]
    parts: BTreeMap<String, String>,
    context: Vec<String>,
}

#[test]
fn every_extension_a_mapping_writes_is_decided() {
    let text = std::fs::read_to_string(root().join("mappings/extensions.yaml")).expect("it is readable");
    let extensions: BTreeMap<String, Extension> = serde_saphyr::from_str(&text).expect("it is YAML");
    assert!(extensions.len() > 30);
    let files = support::profile_files();
    let rows: BTreeSet<(&str, &str, &str)> = files["extensions.tsv"]
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split('\t').collect::<Vec<_>>())
        .map(|cells| (cells[0], cells[1], cells[2]))
        .collect();
    for (name, extension) in &extensions {
        for context in &extension.context {
            let owner = context.split('.').next().expect("a first part");
            let owner = if fhir::r4().is_resource(owner) { owner } else { "*" };
            let has = |part: &str| rows.contains(&(extension.url.as_str(), owner, part));
            let by_parts = !extension.parts.is_empty() && extension.parts.keys().all(|part| has(part));
            assert!(has("-") || by_parts, "{name} on {context} has no row in extensions.tsv");
        }
    }
}

#[test]
fn an_extension_that_drops_is_not_there_and_refuses_as_a_modifier() {
    let profile = support::profile();
    let arrival = "http://hl7.org/fhir/StructureDefinition/encounter-modeOfArrival";
    let came = json!([{"url": arrival, "valueCoding": {"system": "http://terminology.hl7.org/CodeSystem/v2-0430", "code": "H"}}]);
    let encounter = |name: &str| {
        json!({"resourceType": "Encounter", "id": "e1", "status": "finished", name: came,
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"}})
    };
    let made = released(&profile, &encounter("extension"), "p1");
    assert_eq!(made.get("extension"), None, "{made}");
    let refused = encounter("modifierExtension");
    let map = support::pseudonyms(&profile, &refused, Some("p1"));
    let refusal = profile.deidentify(&refused, Some("p1"), &map, YEAR).expect_err("it stays");
    assert_eq!(refusal.code, "unknown-modifier-extension");
    let role = json!({"resourceType": "Specimen", "id": "s1", "extension": [{
        "url": "http://hl7.org/fhir/5.0/StructureDefinition/extension-Specimen.role",
        "valueCodeableConcept": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0369", "code": "Q", "display": "Control"}], "text": "of Imogen"},
    }]});
    let made = released(&profile, &role, "p1");
    let expected =
        json!({"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0369", "code": "Q"}]});
    assert_eq!(made["extension"][0]["valueCodeableConcept"], expected);
}

/// A resource of a fixture, with the patient of its message and the identifiers of everybody in it.
struct Case {
    fixture: String,
    owner: String,
    resource: Value,
}

/// The resources of all fixtures that have a patient, of types that may leave.
fn cases(profile: &Profile) -> Vec<(Case, KnownIdentifiers)> {
    let mut found = Vec::new();
    let mut left = vec![root().join("fixtures")];
    while let Some(folder) = left.pop() {
        for entry in std::fs::read_dir(&folder).expect("fixtures are readable") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                left.push(path);
            } else if path.to_string_lossy().ends_with(".bundle.json") {
                found.extend(cases_of(profile, &path));
            }
        }
    }
    found
}

fn cases_of(profile: &Profile, path: &Path) -> Vec<(Case, KnownIdentifiers)> {
    let text = std::fs::read_to_string(path).expect("a bundle is readable");
    let bundle: Value = serde_json::from_str(&text).expect("a bundle is JSON");
    let resources: Vec<&Value> = fhir::bundle::entries(&bundle).collect();
    let patient = resources.iter().find(|resource| resource["resourceType"] == "Patient");
    let owner = patient.and_then(|patient| patient["id"].as_str()).unwrap_or("nobody").to_owned();
    let fixture = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let leaving = resources.iter().filter(|resource| {
        // The id of a Provenance is replaced by words in the fixture.
        resource["resourceType"] != "Provenance"
            && ResourceType::of(resource).is_some_and(|resource_type| profile.covers(resource_type))
    });
    leaving
        .map(|resource| {
            let mut known = KnownIdentifiers::default();
            resources.iter().for_each(|resource| known.add_resource(resource));
            let owner = if resource["resourceType"] == "Patient" {
                resource["id"].as_str().unwrap_or_default().to_owned()
            } else {
                owner.clone()
            };
            (Case { fixture: fixture.clone(), owner, resource: (*resource).clone() }, known)
        })
        .collect()
}

fn kind(name: &str) -> ResourceType {
    ResourceType::parse(name).expect("a type of R4")
}

fn released(profile: &Profile, resource: &Value, owner: &str) -> Value {
    let map = support::pseudonyms(profile, resource, Some(owner));
    let made = profile.deidentify(resource, Some(owner), &map, YEAR);
    made.unwrap_or_else(|refusal| panic!("{refusal}: {resource}")).resource
}

fn leaks(resource: &Value, grammar: &Grammar, known: &KnownIdentifiers) -> Vec<verifier::Finding> {
    verifier::verify(&fhir::canonical_json(resource), grammar, known).err().unwrap_or_default()
}

/// Texts, numbers, addresses, ids, days and times of a resource, by the types of R4, and its codes: a text that is a code as
/// well cannot be told from it.
#[derive(Default)]
struct Leaves {
    secrets: BTreeSet<String>,
    codes: BTreeSet<String>,
}

/// What may not come out as it is.
fn secrets(name: &str, resource: &Value) -> BTreeSet<String> {
    let mut leaves = Leaves::default();
    collect(name, resource.as_object().expect("a resource is an object"), &mut leaves);
    let results = &support::profile_files()["vocab/results.txt"];
    let is_word = |text: &String| results.lines().any(|word| word.eq_ignore_ascii_case(text));
    leaves.secrets.into_iter().filter(|text| !leaves.codes.contains(text) && !is_word(text)).collect()
}

fn collect(path: &str, map: &Map<String, Value>, out: &mut Leaves) {
    for (name, value) in map {
        let Some(property) = fhir::r4().property(path, name) else { continue };
        let single = std::slice::from_ref(value);
        for item in value.as_array().map_or(single, Vec::as_slice) {
            match item {
                Value::Object(item) => collect(property.child_path, item, out),
                Value::String(text) if property.type_code == "code" => {
                    out.codes.insert(text.clone());
                }
                Value::String(text) => {
                    // `system` names a code system, `type` a resource type, `url` an extension.
                    let is_name =
                        property.type_code == "uri" && ["system", "type", "url"].contains(&name.as_str());
                    if !is_name && text.chars().count() >= TEXT_CHARS_MIN {
                        out.secrets.insert(text.clone());
                    }
                }
                _ => {}
            }
        }
    }
}

/// Every string of an output; of a reference, its id.
fn strings(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::String(text) => {
            let id = text.split_once('/').filter(|(name, _)| fhir::r4().is_resource(name));
            out.push(id.map_or(text.as_str(), |(_, id)| id).to_owned());
        }
        Value::Array(items) => items.iter().for_each(|item| strings(item, out)),
        Value::Object(map) => {
            map.iter().filter(|(name, _)| *name != "resourceType").for_each(|(_, item)| strings(item, out));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn full_date(text: &str) -> bool {
    let digits = |bytes: &[u8]| bytes.iter().all(u8::is_ascii_digit);
    let is_date = |window: &[u8]| {
        window[4] == b'-' && window[7] == b'-' && digits(&window[..4]) && digits(&window[5..7])
    };
    text.as_bytes().windows(8).any(is_date)
}

#[test]
fn nothing_of_a_fixture_leaks_whatever_its_type() {
    let (profile, grammar) = (support::profile(), support::grammar());
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (case, known) in cases(&profile) {
        let Case { fixture, owner, resource } = &case;
        let name = resource["resourceType"].as_str().expect("a resource has a type");
        let output = released(&profile, resource, owner);
        let text = output.to_string();
        let hidden = secrets(name, resource);
        let mut said = Vec::new();
        strings(&output, &mut said);
        for secret in &hidden {
            assert!(
                !said.iter().any(|leaf| leaf.contains(secret.as_str())),
                "{fixture} {name}: {secret} in {text}"
            );
        }
        assert!(!full_date(&text), "{fixture} {name}: {text}");
        assert_eq!(fhir::validate(&output), [], "{fixture}: {text}");
        assert_eq!(leaks(&output, &grammar, &known), [], "{fixture}: {text}");
        *seen.entry(name.to_owned()).or_default() += hidden.len();
    }
    let wanted = mapped_types().into_iter().filter(|mapped| profile.covers(*mapped));
    for name in wanted.map(ResourceType::as_str).filter(|name| *name != "Provenance") {
        assert!(seen.get(name).is_some_and(|secrets| *secrets > 0), "no fixture makes a {name}: {seen:?}");
    }
}

/// The control: whatever a decision took away or changed, put back as it was, is a finding. The verifier is no formality.
#[test]
fn a_decision_that_is_not_kept_is_caught() {
    let (profile, grammar) = (support::profile(), support::grammar());
    let mut caught: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (case, known) in cases(&profile) {
        let Case { fixture, owner, resource } = &case;
        let output = released(&profile, resource, owner);
        let name = resource["resourceType"].as_str().expect("a resource has a type");
        for (element, value) in resource.as_object().expect("a resource is an object") {
            if output.get(element) == Some(value) {
                continue;
            }
            let mut weakened = output.clone();
            weakened[element] = value.clone();
            let found = leaks(&weakened, &grammar, &known);
            assert!(!found.is_empty(), "{fixture}: {name}.{element} passes as {value}");
            caught.entry(name.to_owned()).or_default().insert(element.clone());
        }
    }
    for name in mapped_types().into_iter().filter(|mapped| profile.covers(*mapped)).map(ResourceType::as_str)
    {
        // At least its id, and one thing it says.
        let elements = caught.get(name).map_or(0, BTreeSet::len);
        assert!(elements >= 2 || name == "Provenance", "{name}: {caught:?}");
    }
}
