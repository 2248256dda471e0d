//! Profiles of a small package: what each kind of rule accepts and refuses, and where it says so.

use std::collections::BTreeMap;
use std::io::Write as _;

use fhir::profile::{PackageFiles, unpack};
use fhir::{IssueCode, Profiles, Severity, validate};
use serde_json::{Value, json};

const BASE: &str = "http://example.org/fhir/StructureDefinition";
const GENDERS: &str = "http://example.org/fhir/ValueSet/binary";

/// An element of a snapshot: id, cardinality, cardinality in R4, type, and what else it says.
fn element(id: &str, cardinality: (u64, &str), base: (&str, u64, &str), types: Value, more: Value) -> Value {
    let path: Vec<&str> = id.split('.').map(|part| part.split(':').next().unwrap_or(part)).collect();
    let mut element = json!({"id": id, "path": path.join("."), "min": cardinality.0, "max": cardinality.1,
        "base": {"path": base.0, "min": base.1, "max": base.2}, "type": types});
    let (Value::Object(map), Value::Object(more)) = (&mut element, more) else { panic!("no objects") };
    map.extend(more);
    element
}

fn types(codes: &[&str]) -> Value {
    codes.iter().map(|code| json!({"code": code})).collect()
}

fn definition(id: &str, type_code: &str, elements: Vec<Value>) -> Value {
    let root = json!({"id": type_code, "path": type_code, "min": 0, "max": "*"});
    let elements: Vec<Value> = std::iter::once(root).chain(elements).collect();
    json!({"resourceType": "StructureDefinition", "id": id, "url": format!("{BASE}/{id}"), "version": "1.0.0",
        "type": type_code, "derivation": "constraint", "fhirVersion": "4.0.1", "snapshot": {"element": elements}})
}

fn resident() -> Value {
    let url = json!({"discriminator": [{"type": "value", "path": "url"}], "rules": "open"});
    let by_type = json!({"discriminator": [{"type": "pattern", "path": "type"}], "rules": "open"});
    let ward = json!([{"code": "Extension", "profile": [format!("{BASE}/ward")]}]);
    let number = json!({"coding": [{"code": "MR"}]});
    let concept = types(&["CodeableConcept"]);
    let rule = json!([{"key": "res-1", "severity": "error", "human": "A family name or a text", "expression": "family.exists() or text.exists()"},
        {"key": "res-2", "severity": "warning", "human": "A given name", "expression": "given.exists()"},
        {"key": "res-3", "severity": "error", "human": "Nothing reads this", "expression": "family.conformsTo('x')"},
        {"key": "ele-1", "severity": "error", "human": "known", "expression": "hasValue() or (children().count() > id.count())"}]);
    definition(
        "resident",
        "Patient",
        vec![
            element(
                "Patient.extension",
                (0, "*"),
                ("DomainResource.extension", 0, "*"),
                types(&["Extension"]),
                json!({"slicing": url}),
            ),
            element(
                "Patient.extension:ward",
                (1, "1"),
                ("DomainResource.extension", 0, "*"),
                ward,
                json!({"sliceName": "ward"}),
            ),
            element(
                "Patient.identifier",
                (0, "*"),
                ("Patient.identifier", 0, "*"),
                types(&["Identifier"]),
                json!({"slicing": by_type}),
            ),
            element(
                "Patient.identifier:record",
                (1, "1"),
                ("Patient.identifier", 0, "*"),
                types(&["Identifier"]),
                json!({"sliceName": "record"}),
            ),
            element(
                "Patient.identifier:record.type",
                (1, "1"),
                ("Identifier.type", 0, "1"),
                concept.clone(),
                json!({"patternCodeableConcept": number}),
            ),
            element(
                "Patient.identifier:record.system",
                (1, "1"),
                ("Identifier.system", 0, "1"),
                types(&["uri"]),
                json!({"fixedUri": "urn:oid:1.2.3"}),
            ),
            element(
                "Patient.name",
                (1, "2"),
                ("Patient.name", 0, "*"),
                types(&["HumanName"]),
                json!({"constraint": rule}),
            ),
            element(
                "Patient.gender",
                (0, "1"),
                ("Patient.gender", 0, "1"),
                types(&["code"]),
                json!({"binding": {"strength": "required", "valueSet": format!("{GENDERS}|1.0.0")}}),
            ),
            element("Patient.photo", (0, "0"), ("Patient.photo", 0, "*"), types(&["Attachment"]), json!({})),
            element(
                "Patient.deceased[x]",
                (0, "1"),
                ("Patient.deceased[x]", 0, "1"),
                types(&["dateTime"]),
                json!({}),
            ),
            element(
                "Patient.maritalStatus",
                (0, "1"),
                ("Patient.maritalStatus", 0, "1"),
                concept,
                json!({"binding": {"strength": "required", "valueSet": "http://example.org/fhir/ValueSet/elsewhere"}}),
            ),
            element(
                "Patient.managingOrganization",
                (0, "1"),
                ("Patient.managingOrganization", 0, "1"),
                types(&["Reference"]),
                json!({}),
            ),
        ],
    )
}

fn measure() -> Value {
    let by_code = json!({"discriminator": [{"type": "value", "path": "coding.code"}], "rules": "open"});
    let by_this = json!({"discriminator": [{"type": "type", "path": "$this"}], "rules": "closed"});
    let coding = |id: &str, code: &str| {
        element(
            &format!("Observation.category:{id}.coding.code"),
            (1, "1"),
            ("Coding.code", 0, "1"),
            types(&["code"]),
            json!({"fixedCode": code}),
        )
    };
    let subject = json!([{"code": "Reference", "targetProfile": [format!("{BASE}/resident")]}]);
    definition(
        "measure",
        "Observation",
        vec![
            element(
                "Observation.category",
                (1, "*"),
                ("Observation.category", 0, "*"),
                types(&["CodeableConcept"]),
                json!({"slicing": by_code}),
            ),
            element(
                "Observation.category:vital",
                (1, "1"),
                ("Observation.category", 0, "*"),
                types(&["CodeableConcept"]),
                json!({}),
            ),
            element(
                "Observation.category:vital.coding",
                (1, "*"),
                ("CodeableConcept.coding", 0, "*"),
                types(&["Coding"]),
                json!({}),
            ),
            coding("vital", "vital-signs"),
            element(
                "Observation.category:survey",
                (0, "0"),
                ("Observation.category", 0, "*"),
                types(&["CodeableConcept"]),
                json!({}),
            ),
            element(
                "Observation.category:survey.coding",
                (1, "*"),
                ("CodeableConcept.coding", 0, "*"),
                types(&["Coding"]),
                json!({}),
            ),
            coding("survey", "survey"),
            element("Observation.subject", (1, "1"), ("Observation.subject", 0, "1"), subject, json!({})),
            element(
                "Observation.value[x]",
                (0, "1"),
                ("Observation.value[x]", 0, "1"),
                types(&["Quantity", "CodeableConcept"]),
                json!({"slicing": by_this}),
            ),
            element(
                "Observation.value[x]:valueQuantity",
                (0, "1"),
                ("Observation.value[x]", 0, "1"),
                types(&["Quantity"]),
                json!({}),
            ),
            element(
                "Observation.value[x]:valueQuantity.unit",
                (1, "1"),
                ("Quantity.unit", 0, "1"),
                types(&["string"]),
                json!({}),
            ),
        ],
    )
}

fn ward() -> Value {
    definition(
        "ward",
        "Extension",
        vec![
            element(
                "Extension.url",
                (1, "1"),
                ("Extension.url", 1, "1"),
                types(&["uri"]),
                json!({"fixedUri": format!("{BASE}/ward")}),
            ),
            element(
                "Extension.value[x]",
                (1, "1"),
                ("Extension.value[x]", 0, "1"),
                types(&["string"]),
                json!({}),
            ),
        ],
    )
}

fn genders() -> Value {
    json!({"resourceType": "ValueSet", "url": GENDERS, "compose": {"include": [
        {"system": "http://hl7.org/fhir/administrative-gender", "concept": [{"code": "female"}, {"code": "male"}]}]}})
}

fn package(resources: &[Value]) -> PackageFiles {
    let about = json!({"name": "example.residents", "version": "1.0.0", "fhirVersions": ["4.0.1"]});
    let mut files = BTreeMap::from([("package.json".to_owned(), about.to_string().into_bytes())]);
    for (index, resource) in resources.iter().enumerate() {
        files.insert(format!("{index}.json"), resource.to_string().into_bytes());
    }
    PackageFiles { origin: "residents.tgz".to_owned(), files }
}

fn profiles() -> Profiles {
    Profiles::compile(&[package(&[resident(), measure(), ward(), genders()])]).unwrap()
}

fn good_patient() -> Value {
    json!({"resourceType": "Patient", "meta": {"profile": [format!("{BASE}/resident|1.0.0")]},
        "extension": [{"url": format!("{BASE}/ward"), "valueString": "North"}],
        "identifier": [{"system": "urn:oid:1.2.3", "value": "7", "type": {"coding": [{"system": "urn:x", "code": "MR"}]}}, {"value": "8"}],
        "name": [{"family": "Example", "given": ["Ada"]}], "gender": "female"})
}

fn good_measure() -> Value {
    json!({"resourceType": "Observation", "status": "final", "code": {"text": "x"},
        "category": [{"coding": [{"code": "other"}]}, {"coding": [{"code": "vital-signs"}]}],
        "subject": {"reference": "Patient/7"}, "valueQuantity": {"value": 1, "unit": "kg"}})
}

fn found(resource: &Value, demanded: &[&str]) -> Vec<(IssueCode, String)> {
    let issues = profiles().check(resource, demanded);
    assert!(!format!("{issues:?}").contains("Zz9"), "{issues:?}");
    issues.into_iter().map(|issue| (issue.code, issue.location)).collect()
}

/// The good resource with a value put at a JSON pointer, or taken away.
fn changed(mut resource: Value, pointer: &str, value: Option<Value>) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    match (resource.pointer_mut(parent).unwrap(), value) {
        (Value::Object(object), Some(value)) => drop(object.insert(name.to_owned(), value)),
        (Value::Object(object), None) => drop(object.remove(name).unwrap()),
        (Value::Array(items), Some(value)) => items.push(value),
        (Value::Array(items), None) => drop(items.remove(name.parse().unwrap())),
        _ => panic!("{pointer} names nothing"),
    }
    resource
}

#[test]
fn what_keeps_every_rule_has_no_issue() {
    assert_eq!(validate(&good_patient()), []);
    assert_eq!(found(&good_patient(), &[]), []);
    assert_eq!(validate(&good_measure()), []);
    assert_eq!(found(&good_measure(), &[&format!("{BASE}/measure")]), []);
}

#[test]
fn each_rule_of_the_patient_is_checked() {
    use IssueCode::{CodeInvalid, Invariant, Required, Structure, Value as BadValue};
    type Case = (&'static str, Option<Value>, Vec<(IssueCode, &'static str)>);
    let cases: Vec<Case> = vec![
        ("/extension/0", None, vec![(Required, "Patient.extension")]),
        ("/extension/0/valueString", None, vec![(Required, "Patient.extension[0].value")]),
        ("/identifier/0", None, vec![(Required, "Patient.identifier")]),
        ("/identifier/0/system", None, vec![(Required, "Patient.identifier[0].system")]),
        (
            "/identifier/0/system",
            Some(json!("urn:oid:Zz9")),
            vec![(BadValue, "Patient.identifier[0].system")],
        ),
        ("/identifier/0/type/coding/0/code", Some(json!("Zz9")), vec![(Required, "Patient.identifier")]),
        (
            "/identifier/-",
            Some(good_patient()["identifier"][0].clone()),
            vec![(Structure, "Patient.identifier")],
        ),
        ("/name", None, vec![(Required, "Patient.name")]),
        ("/name/-", Some(json!({"family": "B", "given": ["C"]})), vec![]),
        ("/name/0/family", None, vec![(Invariant, "Patient.name[0]")]),
        ("/name/0/given", None, vec![(Invariant, "Patient.name[0]")]),
        ("/gender", Some(json!("other")), vec![(CodeInvalid, "Patient.gender")]),
        ("/gender", None, vec![]),
        ("/photo", Some(json!([{"title": "Zz9"}])), vec![(Structure, "Patient.photo")]),
        ("/deceasedBoolean", Some(json!(false)), vec![(Structure, "Patient.deceased")]),
        ("/deceasedDateTime", Some(json!("2020")), vec![]),
        ("/maritalStatus", Some(json!({"text": "Zz9"})), vec![]),
    ];
    for (pointer, value, wanted) in cases {
        let resource = changed(good_patient(), pointer, value);
        let wanted: Vec<(IssueCode, String)> =
            wanted.into_iter().map(|(code, at)| (code, at.to_owned())).collect();
        assert_eq!(found(&resource, &[]), wanted, "{pointer}");
    }
}

#[test]
fn slices_types_and_targets_of_the_observation_are_checked() {
    use IssueCode::{Invalid, Required, Structure};
    let demanded = format!("{BASE}/measure");
    let bad = json!({"coding": [{"code": "survey"}]});
    for (pointer, value, wanted) in [
        ("/category/1", None, vec![(Required, "Observation.category")]),
        ("/category/-", Some(bad), vec![(Structure, "Observation.category")]),
        ("/subject", None, vec![(Required, "Observation.subject")]),
        ("/subject/reference", Some(json!("Group/1")), vec![(Invalid, "Observation.subject")]),
        ("/subject/reference", Some(json!("urn:uuid:c757873d-ec9a-4326-a141-556f43239520")), vec![]),
        ("/valueQuantity/unit", None, vec![(Required, "Observation.value.unit")]),
        ("/valueQuantity", None, vec![]),
    ] {
        let resource = changed(good_measure(), pointer, value);
        let wanted: Vec<(IssueCode, String)> =
            wanted.into_iter().map(|(code, at)| (code, at.to_owned())).collect();
        assert_eq!(found(&resource, &[&demanded]), wanted, "{pointer}");
    }
    // Of another type, and in none of the slices of a closed choice.
    let mut other = changed(good_measure(), "/valueQuantity", None);
    other["valueString"] = json!("Zz9");
    assert_eq!(found(&other, &[&demanded]), vec![(Structure, "Observation.value".to_owned()); 2]);
    let mut concept = changed(good_measure(), "/valueQuantity", None);
    concept["valueCodeableConcept"] = json!({"text": "Zz9"});
    assert_eq!(found(&concept, &[&demanded]), [(Structure, "Observation.value".to_owned())]);
}

#[test]
fn profiles_are_those_named_and_those_demanded() {
    let mut patient = changed(good_patient(), "/name", None);
    patient["meta"]["profile"] = json!(["http://example.org/other"]);
    let issues = profiles().check(&patient, &[]);
    assert_eq!(issues.len(), 1);
    assert_eq!((issues[0].severity, issues[0].code), (Severity::Warning, IssueCode::NotFound));
    assert_eq!(issues[0].location, "Patient.meta.profile[0]");
    patient.as_object_mut().unwrap().remove("meta");
    assert_eq!(found(&patient, &[]), []);
    let (resident, measure) = (format!("{BASE}/resident"), format!("{BASE}/measure"));
    // One of another type asks nothing of a patient; one that is demanded twice is checked once.
    assert_eq!(
        found(&patient, &[&measure, &resident, &resident]),
        [(IssueCode::Required, "Patient.name".to_owned())]
    );
    assert_eq!(profiles().type_of(&resident), Some("Patient"));
    assert_eq!(profiles().type_of(&format!("{resident}|2.0.0")), None);
}

#[test]
fn what_is_not_checked_is_named() {
    let profiles = profiles();
    let named: Vec<(&str, &str)> =
        profiles.unchecked().iter().map(|one| (one.element.as_str(), one.what.as_str())).collect();
    assert_eq!(named.len(), 2, "{named:?}");
    assert!(named[0].0 == "Patient.name" && named[0].1.starts_with("res-3: "), "{named:?}");
    assert!(named[1].0 == "Patient.maritalStatus" && named[1].1.contains("ValueSet/elsewhere"), "{named:?}");
}

#[test]
fn a_package_that_is_wrong_says_which_file() {
    let problem = |package: PackageFiles| -> Vec<String> {
        let errors = Profiles::compile(&[package]).unwrap_err();
        errors.iter().map(ToString::to_string).collect()
    };
    let mut bare = resident();
    bare.as_object_mut().unwrap().remove("snapshot");
    assert_eq!(problem(package(&[bare])), ["residents.tgz/0.json: has no snapshot"]);
    let lost = definition(
        "lost",
        "Patient",
        vec![element("Patient.a.b", (0, "1"), ("x", 0, "1"), json!([]), json!({}))],
    );
    assert_eq!(problem(package(&[lost])), ["residents.tgz/0.json: the element Patient.a.b stands alone"]);
    let mut text = package(&[]);
    text.files.insert("a.json".to_owned(), b"{".to_vec());
    assert!(problem(text)[0].starts_with("residents.tgz/a.json: is not JSON"));
    let mut newer = package(&[]);
    newer.files.insert("package.json".to_owned(), br#"{"name": "x", "fhirVersions": ["5.0.0"]}"#.to_vec());
    assert_eq!(problem(newer), ["residents.tgz/package.json: is no package of FHIR 4.0"]);
    assert_eq!(problem(PackageFiles::default()), ["/package.json: is not there"]);
}

/// A tar entry: header and content in whole blocks.
fn entry(name: &str, kind: u8, content: &[u8]) -> Vec<u8> {
    let mut block = vec![0_u8; 512];
    block[..name.len()].copy_from_slice(name.as_bytes());
    block[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
    block[156] = kind;
    block[257..262].copy_from_slice(b"ustar");
    block.extend(content);
    block.resize(block.len().next_multiple_of(512), 0);
    block
}

#[test]
fn an_archive_gives_the_definitions_of_its_package_folder() {
    let mut tar = Vec::new();
    tar.extend(entry("package/package.json", b'0', b"{}"));
    tar.extend(entry("package/example/Patient-1.json", b'0', b"{}"));
    tar.extend(entry("package/.index.json", b'0', b"{}"));
    tar.extend(entry("package/notes.txt", b'0', b"{}"));
    tar.extend(entry("pax", b'x', b"30 path=package/Long-Name.json\n"));
    tar.extend(entry("package/Short.json", b'0', b"[1]"));
    tar.extend([0; 1024]);
    let gzip = |tar: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(tar).unwrap();
        encoder.finish().unwrap()
    };
    let files = unpack("a.tgz", &gzip(&tar)).unwrap();
    assert_eq!(files.keys().collect::<Vec<_>>(), ["Long-Name.json", "package.json"]);
    assert_eq!(files["Long-Name.json"], b"[1]");
    let problem = |bytes: &[u8]| unpack("a.tgz", bytes).unwrap_err().to_string();
    assert_eq!(problem(b"no"), "a.tgz: is not gzip data");
    assert_eq!(problem(&gzip(&tar[..600])), "a.tgz: ends early");
    assert_eq!(problem(&gzip(&[b'x'; 1024])), "a.tgz: is not a tar file");
}
