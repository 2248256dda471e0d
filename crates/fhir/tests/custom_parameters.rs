//! Search parameters of packages: which are taken, what they find, and what is said of those that are not.

#![allow(missing_docs, reason = "the names of the tests say what they are")]

use std::collections::BTreeMap;

use fhir::profile::PackageFiles;
use fhir::{
    Audience, CustomParameters, IndexValue, OwnExtension, SearchParameter, custom_entries, extract,
    extract_composite, is_plain, reference_targets,
};
use proptest::prelude::*;
use serde_json::{Value, json};

fn definition(of: &str, code: &str, kind: &str, expression: &str) -> Value {
    json!({"resourceType": "SearchParameter", "url": format!("http://example.org/{of}-{code}"), "version": "1.2.0",
        "name": "x", "status": "active", "description": "x", "code": code, "base": [of], "type": kind,
        "expression": expression})
}

fn package(origin: &str, definitions: &[Value]) -> PackageFiles {
    let about = json!({"name": origin, "version": "1.0.0", "fhirVersions": ["4.0.1"]});
    let mut files = BTreeMap::from([("package.json".to_owned(), about.to_string().into_bytes())]);
    for (number, definition) in definitions.iter().enumerate() {
        files.insert(format!("SearchParameter-{number}.json"), definition.to_string().into_bytes());
    }
    PackageFiles { origin: origin.to_owned(), files }
}

fn compile(definitions: &[Value]) -> Result<CustomParameters, String> {
    CustomParameters::compile(&[package("farm", definitions)], &[]).map_err(|errors| {
        let all: Vec<String> = errors.iter().map(ToString::to_string).collect();
        all.join("\n")
    })
}

fn one(definition: &Value) -> (&'static str, &'static SearchParameter) {
    let all = compile(std::slice::from_ref(definition)).expect("compiles");
    let (of, parameters) = all.types().next().expect("one");
    (of, parameters[0])
}

fn codes(resource: &Value, parameter: &SearchParameter) -> Vec<String> {
    let code = |value| match value {
        IndexValue::Token { code, .. } => code,
        _ => panic!("no token"),
    };
    extract(resource, parameter).into_iter().map(code).collect()
}

#[test]
fn nested_extensions_are_found_by_their_urls() {
    let coding = |code: &str| json!({"system": "urn:s", "code": code});
    let patient = json!({"resourceType": "Patient", "extension": [
        {"url": "urn:origin", "extension": [
            {"url": "group", "valueCoding": coding("1")}, {"url": "group", "valueCoding": coding("2")},
            {"url": "text", "valueString": "no code"}]},
        {"url": "urn:else", "extension": [{"url": "group", "valueCoding": coding("3")}]},
    ]});
    for (expression, found) in [
        ("Patient.extension.where(url = 'urn:origin').extension.value.code", &["1", "2"][..]),
        ("Patient.extension('urn:origin').extension('group').value.ofType(Coding)", &["1", "2"]),
        ("(Patient.extension('urn:origin').extension('group').value as Coding)", &["1", "2"]),
        ("Patient.extension('urn:none').extension('group').value.code", &[]),
        ("Patient.extension('urn:origin').exists()", &["true"]),
    ] {
        let (_, parameter) = one(&definition("Patient", "origin", "token", expression));
        assert_eq!(codes(&patient, parameter), found, "{expression}");
    }
    let (_, dated) = one(&definition(
        "Condition",
        "told",
        "date",
        "Condition.extension.where(url = 'urn:told').valueDateTime",
    ));
    let condition = json!({"resourceType": "Condition", "extension": [
        {"url": "urn:told", "valueDateTime": "2020-05"}, {"url": "urn:other", "valueDateTime": "2021"}]});
    assert_eq!(extract(&condition, dated).len(), 1, "the name in JSON of a choice is understood");
}

#[test]
fn a_definition_is_of_each_of_its_types() {
    let mut two = definition("Patient", "told", "token", "Patient.gender | Practitioner.qualification.code");
    two["base"] = json!(["Patient", "Practitioner"]);
    let all = compile(&[two]).expect("compiles");
    assert_eq!(all.types().map(|(of, _)| of).collect::<Vec<_>>(), ["Patient", "Practitioner"]);
    let practitioner = json!({"resourceType": "Practitioner", "gender": "male",
        "qualification": [{"code": {"coding": [{"code": "MD"}]}}]});
    assert_eq!(codes(&practitioner, all.of("Practitioner")[0]), ["MD"]);
    let mut every = definition("Resource", "written-in", "token", "Resource.language");
    every["base"] = json!(["Resource"]);
    assert!(compile(&[every]).expect("compiles").types().count() > 140);
}

#[test]
fn what_r4_has_stays_as_r4_has_it() {
    // The same, less, and the same in other words.
    let same = [
        definition("Patient", "gender", "token", "Patient.gender"),
        definition("Patient", "death-date", "date", "Patient.deceased.ofType(dateTime)"),
        definition("Organization", "name", "string", "Organization.name"),
        definition("Patient", "_id", "token", "Resource.id"),
        definition("Encounter", "patient", "reference", "Encounter.subject.where(resolve() is Patient)"),
    ];
    assert!(compile(&same).expect("compiles").is_empty());
    for (other, words) in [
        (definition("Patient", "gender", "string", "Patient.gender"), "R4 has this code, as token with"),
        (definition("Patient", "gender", "token", "Patient.active"), "R4 has this code"),
        (
            definition("Organization", "name", "string", "Organization.name | Organization.contact.name"),
            "except it",
        ),
        (definition("Patient", "_owner", "token", "Patient.gender"), "codes that begin with _"),
    ] {
        let said = compile(&[other]).expect_err("is refused");
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn what_cannot_be_used_is_told_with_its_part_and_what_would_do() {
    let of = |kind: &str, expression: &str| definition("Patient", "it", kind, expression);
    let with = |name: &str, value: Value| {
        let mut changed = of("token", "Patient.gender");
        changed[name] = value;
        changed
    };
    for (wrong, words) in [
        (
            of("token", "Patient.name.given.first()"),
            &["character 20", "`first()`", "a function of the subset", "extension('url')"][..],
        ),
        (
            of("token", "Patient.contact.colour"),
            &["`colour`", "is no element of Patient.contact", "relationship"],
        ),
        (of("token", "Patient.deceased.ofType(Coding)"), &["`Coding`", "boolean, dateTime"]),
        (of("token", "Patient.where(colour = 'red').gender"), &["`colour`", "is no element of Patient"]),
        (of("token", "Observation.code"), &["`Observation`", "is another type than Patient"]),
        (
            of("date", "Patient.name"),
            &["gives HumanName", "a date has no value", "dateTime, instant, Period"],
        ),
        (of("quantity", "Patient.multipleBirth"), &["it takes Age"]),
        (of("token", ""), &["has no `expression`"]),
        (of("special", "Patient.gender"), &["rules of its own"]),
        (of("composite", "Patient.contact"), &["two components or more"]),
        (with("base", json!(["Person2"])), &["its `base` is no list"]),
        (with("base", json!([])), &["its `base` is no list"]),
        (with("type", json!("text")), &["its `type` is none of R4"]),
        (with("code", json!("a:b")), &["its code is not"]),
        (with("url", json!("")), &["has no `url`"]),
        (with("expression", json!("a".repeat(5_000))), &["more than 4096 bytes"]),
    ] {
        let said = compile(std::slice::from_ref(&wrong)).expect_err("is refused");
        assert!(said.starts_with("farm/SearchParameter-0.json: "), "{said}");
        assert!(words.iter().all(|word| said.contains(word)), "{said}\n{words:?}");
    }
    // All that is wrong is told at once.
    let said = compile(&[of("date", "Patient.name"), of("token", "Patient.colour")]).expect_err("is refused");
    assert_eq!(said.lines().count(), 2, "{said}");
}

#[test]
fn two_packages_may_say_the_same_and_not_different_things() {
    let colour = |expression: &str| definition("Patient", "colour", "token", expression);
    let (one, other) = (colour("Patient.gender"), colour("Patient.active"));
    let agree = [package("a", std::slice::from_ref(&one)), package("b", std::slice::from_ref(&one))];
    assert_eq!(CustomParameters::compile(&agree, &[]).expect("compiles").of("Patient").len(), 1);
    let mut renamed = other.clone();
    renamed["url"] = json!("http://example.org/other");
    let differ = [package("a", &[one]), package("b", &[renamed])];
    let said = CustomParameters::compile(&differ, &[]).expect_err("is refused");
    assert!(said[0].problem.contains("a/SearchParameter-0.json defines it otherwise"), "{said:?}");
    for canonical in ["http://example.org/other", "http://example.org/other|1.2.0"] {
        let kept = CustomParameters::compile(&differ, &[canonical.to_owned()]).expect("compiles");
        assert_eq!(kept.of("Patient")[0].expression, "Patient.gender");
    }
    let unknown = CustomParameters::compile(&differ, &["http://example.org/other|9".to_owned()]);
    assert!(unknown.is_err_and(|said| said.iter().any(|one| one.problem.contains("no package has it"))));
    let mut retired = colour("Patient.nonsense");
    retired["status"] = json!("retired");
    assert!(compile(&[retired]).expect("what is withdrawn is not read").is_empty());
}

#[test]
fn a_package_of_another_release_is_refused() {
    let mut other = package("farm", &[]);
    let about = json!({"name": "farm", "fhirVersions": ["5.0.0"]});
    other.files.insert("package.json".to_owned(), about.to_string().into_bytes());
    assert!(CustomParameters::compile(&[other], &[]).is_err());
    let none = PackageFiles { origin: "x".to_owned(), files: BTreeMap::new() };
    assert!(CustomParameters::compile(&[none], &[]).is_err());
}

#[test]
fn parts_of_a_composite_are_kept_under_names_of_their_own() {
    let mut pair = definition("Observation", "pair", "composite", "Observation.component");
    let amount =
        definition("Observation", "amount", "quantity", "Observation.component.value.ofType(Quantity)");
    pair["component"] = json!([
        {"definition": "http://hl7.org/fhir/SearchParameter/clinical-code", "expression": "code"},
        {"definition": "http://example.org/Observation-amount|1.2.0", "expression": "value.ofType(Quantity)"}]);
    let all = compile(&[pair.clone(), amount.clone()]).expect("compiles");
    let parameter = all.of("Observation").iter().find(|one| one.code == "pair").expect("is there");
    let observation = json!({"resourceType": "Observation", "component": [
        {"code": {"coding": [{"code": "a"}]}, "valueQuantity": {"value": 1}},
        {"code": {"coding": [{"code": "b"}]}, "valueQuantity": {"value": 2, "comparator": "<"}},
        {"code": {"coding": [{"code": "c"}]}}]});
    assert_eq!(extract_composite(&observation, parameter).len(), 2);
    let names: Vec<String> = custom_entries(&observation, std::iter::once(*parameter), Audience::Identified)
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, ["pair:$0", "pair:$0", "pair:$1", "pair:$1:<"]);
    pair["component"][1]["definition"] = json!("http://example.org/nowhere");
    assert!(compile(&[pair, amount]).expect_err("is refused").contains("is in no package"));
}

#[test]
fn what_it_reads_and_where_it_leads_is_known() {
    let text = "Patient.extension('urn:a').extension('b').value.ofType(Reference)";
    let mut led = definition("Patient", "led", "reference", text);
    led["target"] = json!(["Organization"]);
    let (of, parameter) = one(&led);
    assert_eq!(reference_targets(of, parameter), ["Organization"]);
    assert!(!is_plain(parameter), "its values are never shown in an address");
    let custom = parameter.custom.expect("of a package");
    assert_eq!(
        (custom.url, custom.gives.as_slice()),
        ("http://example.org/Patient-led", &["Reference".to_owned()][..])
    );
    let value =
        custom.reads.iter().find(|read| read.path == "Extension.value[x]" && read.type_code == "Reference");
    assert_eq!(value.expect("is read").within, [OwnExtension::Named("urn:a"), OwnExtension::Named("b")]);
    let (_, filtered) =
        one(&definition("Patient", "owner", "token", "Patient.contact.where(gender = 'male').relationship"));
    let reads = &filtered.custom.expect("of a package").reads;
    assert!(reads.iter().any(|read| read.path == "Patient.contact.gender"), "what a condition reads, too");
}

/// A word of an expression, right or wrong.
fn word() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "Patient",
        "Observation",
        ".",
        ".",
        "name",
        "extension",
        "value",
        "valueCoding",
        "where(",
        "ofType(",
        "as ",
        "is ",
        "(",
        ")",
        "|",
        "and",
        "=",
        "!=",
        "'",
        "'x'",
        "true",
        "exists()",
        "resolve()",
        "extension('u')",
        "[0]",
        "%resource",
        "url",
        "code",
        "é",
        " ",
        "first()",
        "9",
        "_",
        "Coding",
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_definition_makes_anything_panic(
        words in prop::collection::vec(word(), 0..12),
        kind in prop::sample::select(vec!["token", "date", "string", "reference", "quantity", "number", "uri", "composite"]),
    ) {
        let written = definition("Patient", "it", kind, &words.concat());
        let patient = json!({"resourceType": "Patient", "name": [{"family": "x"}], "extension": [{"url": "u", "valueCoding": {"code": "c"}}]});
        if let Ok(all) = compile(&[written]) {
            for (_, parameters) in all.types() {
                custom_entries(&patient, parameters.iter().copied(), Audience::Identified);
            }
        }
    }
}
