//! Messages through a small package: what is made, what is removed, what is accounted for.

mod support;

use mapping::{KeyKind, LeafFate, Mode, Package, Rejection};
use serde_json::json;
use support::{HEADER, context, package, read, resource, translate};

#[test]
fn a_patient_and_a_visit_are_made_and_refer_to_each_other() {
    let made = translate(
        "ADT^A01",
        "PID|1||42^^^H&1.2.3&ISO^MR||Doe^Jo||197003|A\rPV1|1|I|||||||||||||||||V1^^^H&1.2.3&ISO\r",
    );
    let (patient, visit) = (resource(&made, "patient"), resource(&made, "visit"));
    assert_eq!(patient["birthDate"], "1970-03");
    assert_eq!(patient["identifier"][0]["system"], "urn:oid:1.2.3");
    assert_eq!(patient["gender"], "other");
    assert_eq!(visit["subject"]["reference"], json!(format!("Patient/{}", patient["id"].as_str().unwrap())));
    assert_eq!(visit["status"], "in-progress");
    assert_eq!(made.change.sets[1].patient.as_deref(), patient["id"].as_str());
    assert_eq!(made.bundle()["entry"][0]["request"]["method"], "PUT");
    for set in &made.change.sets {
        let issues = fhir::validate(&set.resource);
        assert!(issues.is_empty(), "{}: {issues:?}", set.handle);
    }
}

#[test]
fn null_removes_and_absence_keeps() {
    let made = translate("ADT^A01", "PID|1||42^^^H^MR||Doe^Jo||\"\"|\"\"|||||||||||||||||||||\"\"\r");
    let patient = &made.change.sets[0];
    assert_eq!(patient.mode, Mode::Merge);
    assert!(patient.removals.contains(&"birthDate".to_owned()), "{:?}", patient.removals);
    assert!(patient.removals.contains(&"gender".to_owned()));
    assert!(
        patient.removals.contains(&"deceasedDateTime".to_owned())
            && patient.removals.contains(&"deceasedBoolean".to_owned())
    );
    assert!(!patient.removals.contains(&"name".to_owned()));
    assert!(patient.resource.get("birthDate").is_none());
    let absent = translate("ADT^A01", "PID|1||42^^^H^MR||Doe^Jo\r");
    assert!(absent.change.sets[0].removals.is_empty());
}

#[test]
fn a_choice_value_takes_its_sibling_away() {
    let made = translate("ADT^A01", "PID|1||42^^^H^MR||Doe^Jo|||||||||||||||||||||||||Y\r");
    assert_eq!(made.change.sets[0].resource["deceasedBoolean"], true);
    assert_eq!(made.change.sets[0].removals, ["deceasedDateTime"]);
}

#[test]
fn notes_stay_with_their_own_result_and_text_lines_join() {
    let body = "PID|1||42^^^H^MR\rOBR|1||F1|A\rNTE|1||of the order\rOBX|1|NM|G||1.0|||||F\rNTE|1||of the result\rOBX|2|TX|T||one|||||F\rOBX|3|TX|T||two|||||F\rOBX|4|NM|G||>2|||||F\r";
    let made = translate("ORU^R01", body);
    let results: Vec<_> =
        made.change.sets.iter().filter(|set| set.handle == "obs").map(|set| &set.resource).collect();
    assert_eq!(results.len(), 3);
    assert_eq!(results[0]["valueQuantity"]["value"].to_string(), "1.0");
    assert_eq!(results[0]["note"], json!([{ "text": "of the result" }]));
    assert!(results[1].get("note").is_none());
    assert_eq!(results[1]["valueString"], "one\ntwo");
    assert_eq!(results[2]["valueQuantity"]["comparator"], ">");
    assert_ne!(results[0]["id"], results[2]["id"]);
    assert_eq!(resource(&made, "report")["result"].as_array().map(Vec::len), Some(3));
}

#[test]
fn the_result_id_survives_a_correction() {
    let first = translate("ORU^R01", "PID|1||42^^^H^MR\rOBR|1||F1|A\rOBX|1|NM|G||1.0|||||F\r");
    let second = translate("ORU^R01", "PID|1||42^^^H^MR\rOBR|1||F1|A\rOBX|1|NM|G||1.5|||||C\r");
    assert_eq!(resource(&first, "obs")["id"], resource(&second, "obs")["id"]);
}

#[test]
fn a_merge_links_both_ways() {
    let made = translate("ADT^A40", "PID|1||42^^^H^MR\rMRG|41^^^H^MR\r");
    let (survivor, retired) = (resource(&made, "patient"), resource(&made, "retired"));
    assert_eq!(made.change.merges.len(), 1);
    assert_eq!(survivor["link"][0]["type"], "replaces");
    assert_eq!(retired["link"][0]["type"], "replaced-by");
    assert_eq!(retired["active"], false);
    assert_eq!(made.change.merges[0].retired, retired["id"].as_str().unwrap());
}

#[test]
fn a_change_of_number_leaves_nothing_under_the_former_one() {
    let mut sources = support::sources();
    let text = sources.0.get_mut("messages/ADT_A39.yaml").expect("the file is there");
    *text = text
        .replace("merge: {survivor: patient, retired: retired}", "renumber: {now: patient, before: retired}");
    let Ok(package) = Package::compile(&sources) else { panic!("the package compiles") };
    let renumbered = |body: &str| {
        let bytes = format!("{}{body}", HEADER.replace("ADT^A01", "ADT^A40"));
        package.translate(&read(bytes.as_bytes()), &context()).expect("translates").change
    };
    let change = renumbered("PID|1||42^^^H^MR~7^^^P^PI\rMRG|41^^^H^MR~7^^^P^PI\r");
    let patients: Vec<_> = change.sets.iter().filter(|set| set.handle != "provenance").collect();
    assert!(patients.iter().all(|set| set.handle != "retired"));
    assert!(change.merges.len() == 1 && change.merges[0].is_renumbered);
    let removed: Vec<_> = patients.iter().flat_map(|set| &set.removals).collect();
    assert!(matches!(removed.as_slice(), [one] if one.starts_with("identifier:") && one.ends_with("|41")));
    // The same record: what changes is a number beside the one that names it.
    let change = renumbered("PID|1||42^^^H^MR~8^^^P^PI\rMRG|42^^^H^MR~7^^^P^PI\r");
    assert!(change.merges.is_empty());
    assert!(change.sets.iter().any(|set| set.removals.iter().any(|one| one.ends_with("|7"))));
}

#[test]
fn what_cannot_be_translated_is_rejected_with_its_reason() {
    let package = package();
    let refused = |event: &str, body: &str| {
        let bytes = format!("{}{body}", HEADER.replace("ADT^A01", event));
        let message = read(bytes.as_bytes());
        package.translate(&message, &context()).map(|_| ()).unwrap_err()
    };
    assert_eq!(
        refused("ADT^Z99", "PID|1||42\r"),
        Rejection::UnsupportedType { code: "ADT".into(), event: "Z99".into() }
    );
    assert_eq!(refused("ADT^A01", "PID|1||\r"), Rejection::MissingRequired { path: "PID-3".into() });
    assert_eq!(
        refused("ADT^A01", "PID|1||42\rNK1|1|Doe\rNK1|2|Doe\r"),
        Rejection::IdentityClash { resource_type: "RelatedPerson".into() }
    );
    assert_eq!(refused("ADT^A01", "PID|1||\r").error_code(), 101);
}

#[test]
fn the_trace_changes_nothing_and_points_at_bytes() {
    let package = package();
    let bytes = format!("{HEADER}PID|1||42^^^H^MR||Doe^Jo||1970|Q\r");
    let message = read(bytes.as_bytes());
    let plain = package.translate(&message, &context()).unwrap();
    let traced = package.translate(&message, &mapping::Context { trace: true, ..context() }).unwrap();
    assert_eq!(plain.bundle(), traced.bundle());
    assert!(plain.trace.is_none());
    let steps: Vec<_> = traced.trace.iter().flat_map(|trace| trace.steps()).collect();
    let birth = steps.iter().find(|step| step.element == "Patient.birthDate").expect("a step for birthDate");
    let span = birth.span.expect("a span");
    assert_eq!(&bytes[span.start as usize..span.end as usize], "1970");
    assert_eq!(birth.source_path.as_deref(), Some("PID-7"));
    assert!(birth.rule.starts_with("segments/PID.Patient.yaml:"), "{}", birth.rule);
    let gender = steps.iter().find(|step| step.element == "Patient.gender").expect("a step for gender");
    assert_eq!(gender.code_table, Some(("administrative-gender".to_owned(), false)));
    assert!(steps.iter().any(|step| step.element == "Patient.name[0].family"));
    assert!(!format!("{traced:?}{:?}{:?}", traced.change.sets, steps).contains("Doe"));
}

#[test]
fn every_leaf_has_one_fate() {
    let made = translate("ADT^A01", "PID|1||42^^^H^MR||Doe^Jo||20239999|Q|||||||||||9\rZZZ|x\r");
    let fate = |path: &str| {
        made.coverage.leaves.iter().find(|leaf| leaf.path.to_string() == path).map(|leaf| leaf.fate)
    };
    assert_eq!(fate("PID-1"), Some(LeafFate::Ignored));
    assert_eq!(fate("PID-3.1"), Some(LeafFate::Mapped));
    assert_eq!(fate("PID-7"), Some(LeafFate::Rejected));
    assert_eq!(fate("PID-8"), Some(LeafFate::Lossy));
    assert_eq!(fate("PID-19"), Some(LeafFate::Unmapped));
    assert_eq!(fate("ZZZ-1"), Some(LeafFate::Unmapped));
    assert!(made.keys.iter().any(|key| key.kind == KeyKind::PatientId && key.value == "42"));
    assert!(made.issues.iter().any(|issue| issue.path == "PID-7"));
    assert!(made.issues.iter().all(|issue| !issue.text.contains("2023")));
}

#[test]
fn the_site_is_found_by_its_sender() {
    let package = package();
    let bytes = format!("{}PID|1||42^^^H^MR||Doe^Jo||NULL|F\r", HEADER.replace("|APP|", "|SITEAPP|"));
    let message = read(bytes.as_bytes());
    let made = package.translate(&message, &context()).unwrap();
    let patient = resource(&made, "patient");
    assert_eq!(patient["identifier"][0]["system"], "https://site.example/mrn");
    assert_eq!(patient["maritalStatus"]["text"], "patched");
    assert!(made.change.sets[0].removals.contains(&"birthDate".to_owned()));
}

#[test]
fn snapshot_kinds_are_replaced_when_the_message_has_them() {
    let with = translate("ADT^A08", "PID|1||42^^^H^MR\rNK1|1|Doe\r");
    assert_eq!(with.change.replaced.len(), 1);
    assert_eq!(with.change.replaced[0].keep.len(), 1);
    let without = translate("ADT^A08", "PID|1||42^^^H^MR\r");
    assert!(without.change.replaced.is_empty());
}

#[test]
fn what_is_transient_is_shown_and_belongs_to_no_state() {
    let made = translate("QBP^Q11", "QPD|Z34^x^L|tag-7\r");
    let kinds = |sets: &[mapping::ResourceSet]| -> Vec<&str> {
        sets.iter().map(|set| set.resource_type.as_str()).collect()
    };
    assert_eq!(kinds(&made.transient), ["MessageHeader", "Parameters"]);
    assert_eq!(kinds(&made.change.sets), ["Organization", "Provenance"]);
    let facility = format!("Organization/{}", made.change.sets[0].id);
    // It may refer to what is stored, and `ref *` names nothing else.
    assert_eq!(made.transient[0].resource["sender"]["reference"], facility);
    assert_eq!(made.transient[0].resource["focus"], json!([{ "reference": facility }]));
    assert_eq!(made.change.sets[1].resource["target"], json!([{ "reference": facility }]));
    assert!(made.change.sets.iter().all(|set| set.patient.is_none()));
    let shown = made.bundle();
    assert_eq!(shown["entry"][1]["resource"]["parameter"][0]["valueString"], "tag-7");
    assert_eq!(shown["entry"].as_array().map(Vec::len), Some(4));
    let fate = |path: &str| {
        made.coverage.leaves.iter().find(|leaf| leaf.path.to_string() == path).map(|leaf| leaf.fate)
    };
    assert_eq!(fate("QPD-2"), Some(LeafFate::Mapped));
}

#[test]
fn a_filter_finds_the_segments_that_belong_to_the_one_at_hand() {
    let map = "map: OBR -> DiagnosticReport\nreads: [OBX]\nid: uuid(OBR-3)\nstatus: =final\ncode.text: OBR-4.1\nsubject: ref patient\nresult: ref obs\nconclusion: OBSERVATION*.OBX(OBX-3.1 = SUM)-5~1 as text\nconclusionCode:\n  - $each: OBSERVATION*.OBX(OBX-3.1 = CODE)\n    text: OBX-5~1 as text\n    coding: {code: OBSERVATION*.OBX(OBX-3.1 = SYS and OBX-4 = outer(OBX-4))-5~1}\n";
    let mut sources = support::sources();
    sources.0.insert("segments/OBR.DiagnosticReport.yaml".into(), map.into());
    let package = Package::compile(&sources).unwrap_or_else(|found| panic!("{found:?}"));
    let body = "PID|1||42^^^H^MR\rOBR|1||F1|A\rOBX|1|ST|CODE|1|one\rOBX|2|ST|CODE|2|two\rOBX|3|ST|SYS|2|b\rOBX|4|ST|SYS|1|a\rOBX|5|ST|SUM|3|all\r";
    let bytes = format!("{}{body}", HEADER.replace("ADT^A01", "ORU^R01"));
    let made = package.translate(&read(bytes.as_bytes()), &context()).expect("translates");
    let report = resource(&made, "report");
    assert_eq!(report["conclusion"], "all");
    assert_eq!(
        report["conclusionCode"],
        json!([{ "text": "one", "coding": [{ "code": "a" }] }, { "text": "two", "coding": [{ "code": "b" }] }])
    );
    let decided = made.coverage.leaves.iter().filter(|leaf| leaf.path.to_string() == "OBX-3");
    assert!(decided.clone().count() >= 5 && decided.clone().all(|leaf| leaf.fate == LeafFate::Mapped));
}

#[test]
fn a_second_map_of_a_segment_to_a_type_has_a_word_of_its_own() {
    let mut sources = support::sources();
    let edit = |text: &str| {
        text.replace(
            "  obs: OBX* -> Observation\n",
            "  first: {map: OBR -> DiagnosticReport-first}\n  obs: OBX* -> Observation\n",
        )
    };
    let message = sources.0.get("messages/ORU_R01.yaml").map(|text| edit(text)).expect("is there");
    sources.0.insert("messages/ORU_R01.yaml".into(), message);
    sources.0.insert(
        "segments/OBR.DiagnosticReport-first.yaml".into(),
        "map: OBR -> DiagnosticReport-first\nid: uuid(OBR-2)\nstatus: =partial\ncode.text: OBR-4.1\nsubject: ref patient\n".into(),
    );
    let package = Package::compile(&sources).unwrap_or_else(|found| panic!("{found:?}"));
    let bytes = format!("{}PID|1||42^^^H^MR\rOBR|1|P1|F1|A\r", HEADER.replace("ADT^A01", "ORU^R01"));
    let made = package.translate(&read(bytes.as_bytes()), &context()).expect("translates");
    assert_eq!(resource(&made, "first")["status"], "partial");
    assert_eq!(resource(&made, "report")["status"], "final");
    assert_ne!(resource(&made, "first")["id"], resource(&made, "report")["id"]);
}

/// The small package with one text of a file replaced, translating one message.
fn translate_with(file: &str, from: &str, to: &str, event: &str, body: &str) -> mapping::Translation {
    let mut sources = support::sources();
    let text = sources.0.get_mut(file).expect("the file is there");
    assert!(text.contains(from), "{file} has {from}");
    *text = text.replace(from, to);
    let package = mapping::Package::compile(&sources).expect("compiles");
    let bytes = format!("{}{body}", support::HEADER.replace("ADT^A01", event));
    package.translate(&support::read(bytes.as_bytes()), &support::context()).expect("translates")
}

#[test]
fn an_id_may_hold_the_code_of_a_table() {
    let file = "segments/PV1.Encounter.yaml";
    let id = "id: uuid(PV1-19, lookup(administrative-gender, PID-8))\nreads: [PID]";
    let visit = |gender: &str| {
        let body = format!("PID|1||42^^^H^MR|||||{gender}\rPV1||I|||||||||||||||||V1\r");
        resource(&translate_with(file, "id: uuid(PV1-19)", id, "ADT^A01", &body), "visit")["id"].clone()
    };
    assert_ne!(visit("M"), visit("F"));
    assert_eq!(visit("Q"), visit("U"), "both are what the table emits for a code without a row");
}

#[test]
fn a_default_only_fills_and_a_value_does_not() {
    let file = "segments/OBX.Observation.yaml";
    let status = "status:\n  - {from: =amended, when: OBX-11 = A}\n  - {from: =final, keep: true}";
    let fills = |code: &str| {
        let body = format!("PID|1||42^^^H^MR\rOBR|1||F1|A\rOBX|1|NM|G||1||||||{code}\r");
        let made = translate_with(file, "status: =final", status, "ORU^R01", &body);
        let set = made.change.sets.into_iter().find(|set| set.handle == "obs").expect("made");
        (set.resource["status"].clone(), set.fills)
    };
    assert_eq!(fills("A"), (json!("amended"), Vec::new()));
    assert_eq!(fills("F"), (json!("final"), vec!["status".to_owned()]));
}

#[test]
fn a_match_refers_across_groups_and_only_to_equal_values() {
    let file = "segments/OBX.Observation.yaml";
    let members =
        "status: =final\nhasMember: {from: ref obs, match: {OBR-26.1.1: OBX-3.1, OBR-29.2.1: OBR-3.1}}";
    let body = "PID|1||42^^^H^MR\rOBR|1||F1|A\rOBX|1|NM|G||1.0\rOBX|2|NM|H||2.0\rOBR|2||F2|B||||||||||||||||||||||G|||^F1\rOBX|1|NM|S||3.0\rOBR|3||F3|B||||||||||||||||||||||G|||^F9\rOBX|1|NM|S||4.0\r";
    let made = translate_with(file, "reads: [NTE]", "reads: [NTE, OBR]", "ORU^R01", body);
    assert!(made.change.sets.iter().all(|set| set.resource.get("hasMember").is_none()));
    let mut sources = support::sources();
    let text = sources.0.get_mut(file).expect("the file is there");
    *text = text.replace("reads: [NTE]", "reads: [NTE, OBR]").replace("status: =final", members);
    let package = mapping::Package::compile(&sources).expect("compiles");
    let bytes = format!("{}{body}", support::HEADER.replace("ADT^A01", "ORU^R01"));
    let made = package.translate(&support::read(bytes.as_bytes()), &support::context()).expect("translates");
    let results: Vec<_> =
        made.change.sets.iter().filter(|set| set.handle == "obs").map(|set| &set.resource).collect();
    let child = format!("Observation/{}", results[2]["id"].as_str().expect("an id"));
    assert_eq!(results[0]["hasMember"], json!([{ "reference": child }]));
    assert!(results[1..].iter().all(|result| result.get("hasMember").is_none()));
}

#[test]
fn a_code_without_a_row_is_told_once_and_what_was_typed_is_not() {
    let missed = |gender: &str| {
        let body = format!("PID|1||42^^^H^MR|||||{gender}\r");
        let made = translate("ADT^A01", &body);
        made.missed_codes.into_iter().map(|one| (one.table, one.code, one.system)).collect::<Vec<_>>()
    };
    let of = |code: Option<&str>| {
        let system = Some("http://terminology.hl7.org/CodeSystem/v2-0001".to_owned());
        vec![("administrative-gender".to_owned(), code.map(str::to_owned), system)]
    };
    assert_eq!(missed("Q"), of(Some("Q")));
    for known in ["M", "A", "", "\"\""] {
        assert_eq!(missed(known), [], "{known}");
    }
    let longest = "x".repeat(32);
    assert_eq!(missed(&longest), of(Some(&longest)));
    for typed in ["not said", "d\u{e9}clar\u{e9}", &"x".repeat(33)] {
        assert_eq!(missed(typed), of(None), "{typed}");
    }
    let made = translate("ADT^A01", "PID|1||42^^^H^MR|||||Q\r");
    assert!(!format!("{:?}", made.missed_codes).contains('Q'), "a code is content");
}

#[test]
fn a_code_that_its_table_lets_pass_is_nobodys_work() {
    let body = "PID|1||42^^^H^MR|||||Q\r";
    let file = "codes/administrative-gender.yaml";
    let made = translate_with(file, "level: warn", "level: info", "ADT^A01", body);
    assert_eq!(made.missed_codes, []);
    let mapped = translate_with(file, "A: other~", "A: other~, Q: other~", "ADT^A01", body);
    assert_eq!(mapped.missed_codes, []);
}

/// A doctor who is named in each of several results, by the same bytes, and in one by others.
const NAMED_AGAIN: &str = "PID|1||42^^^H\rOBR|1||F1|P\rOBX|1|NM|A||1||||||F|||||7^Hale^Bruno\rOBX|2|NM|B||2||||||F|||||8^Moor^Lee\rOBX|3|NM|C||3||||||F|||||7^Hale^Bruno\r";

#[test]
fn a_trace_tells_of_each_place_where_the_same_person_is_named() {
    let mut sources = support::sources();
    let result = sources.0.get_mut("segments/OBX.Observation.yaml").expect("the file is there");
    *result += "performer: OBX-16* as XCN.Practitioner ref\n";
    sources.0.insert(
        "types/XCN.Practitioner.yaml".into(),
        "map: XCN -> Practitioner\nid: uuid(XCN.1)\nname: {family: XCN.2.1, given: XCN.3}\ngender: XCN.21\n"
            .into(),
    );
    let package = mapping::Package::compile(&sources).unwrap_or_else(|found| panic!("{found:?}"));
    let bytes = format!("{}{NAMED_AGAIN}", HEADER.replace("ADT^A01", "ORU^R01"));
    let message = read(bytes.as_bytes());
    let traced =
        package.translate(&message, &mapping::Context { trace: true, ..context() }).expect("translates");
    let trace = traced.trace.as_ref().expect("asked for");
    assert_eq!((trace.steps().len(), trace.misses().len()), (trace.steps().count(), trace.misses().count()));
    let families: Vec<(String, u32, String)> = trace
        .steps()
        .filter(|step| step.element == "Practitioner.name[0].family")
        .map(|step| {
            let start = step.span.expect("it has a source").start;
            (step.source_path.unwrap_or_default(), start, step.output.unwrap_or_default())
        })
        .collect();
    let at = |text: &'static str| bytes.match_indices(text).map(|(at, name)| (at, name.to_owned()));
    let mut expected: Vec<(usize, String)> = at("Hale").chain(at("Moor")).collect();
    expected.sort();
    let expected = expected
        .into_iter()
        .map(|(at, name)| ("OBX-16.2".to_owned(), u32::try_from(at).expect("a small message"), name));
    assert_eq!(families, expected.collect::<Vec<_>>(), "in the order of the message, each with its bytes");
    // What the person has not is told as often as it is named.
    let genders = trace.misses().filter(|miss| miss.element == "Practitioner.gender");
    assert_eq!(genders.filter(|miss| miss.reads[0].path == "OBX-16.21").count(), 3);
}
