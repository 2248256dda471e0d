//! Each mistake in a package is found, at its place.

mod support;

use mapping::{Diagnostic, Package};

/// The findings after replacing `from` by `to` in one file.
fn findings(file: &str, from: &str, to: &str) -> Vec<Diagnostic> {
    let mut sources = support::sources();
    let text = sources.0.get_mut(file).expect("the file is there");
    assert!(text.contains(from), "{file} has {from}");
    *text = text.replace(from, to);
    Package::compile(&sources).err().unwrap_or_default()
}

fn one(file: &str, from: &str, to: &str, code: &str) -> Diagnostic {
    let found = findings(file, from, to);
    let hit = found.iter().find(|finding| finding.code == code && finding.file == file);
    hit.cloned().unwrap_or_else(|| panic!("no {code} in {found:?}"))
}

const PATIENT: &str = "segments/PID.Patient.yaml";

#[test]
fn a_path_in_no_version_points_at_its_column_and_offers_the_slip() {
    let found = one(PATIENT, "birthDate: PID-7 as", "birthDate: PID-77 as", "E0214");
    assert_eq!((found.line, found.column, found.length), (6, 12, 6));
    assert_eq!(found.help.as_deref(), Some("did you mean PID-7?"));
}

#[test]
fn fhir_paths_types_and_cardinality_are_checked() {
    assert_eq!(
        one(PATIENT, "birthDate:", "birthDat:", "E0301").help.as_deref(),
        Some("did you mean birthDate?")
    );
    one(PATIENT, "- PID-29 as dateTime", "- PID-29", "E0302");
    one(PATIENT, "PID-7 as date", "PID-7 as boolean", "E0303");
    one(PATIENT, "identifier: PID-3* as CX.Identifier", "identifier: PID-3 as CX.Identifier", "E0216");
    one(PATIENT, "identifier: PID-3* as CX.Identifier", "identifier: PID-3*", "E0217");
    one(PATIENT, "identifier: PID-3* as CX.Identifier", "identifier: PID-3* as CX.Identifyer", "E0401");
    one("segments/OBX.Observation.yaml", "status: =final", "status: =finall", "E0306");
    one("segments/OBX.Observation.yaml", "status: =final\n", "", "E0305");
    one("segments/OBX.Observation.yaml", "code.text: OBX-3.1", "code.text: OBX-5*", "E0216");
    one("segments/OBX.Observation.yaml", "reads: [NTE]\n", "", "E0215");
    one(PATIENT, "birthDate: PID-7 as date", "birthDate: PID-7 as date\nname.family: PID-5~1.1", "E0304");
    one(PATIENT, "deceased[x]:", "deceasedBoolean: =true\ndeceased[x]:", "E0304");
}

#[test]
fn a_required_element_may_come_from_every_event() {
    let found = findings("messages/ADT_A01.yaml", "visit.status: =unknown, ", "");
    assert!(
        found.iter().any(|finding| finding.code == "E0305" && finding.file == "segments/PV1.Encounter.yaml"),
        "{found:?}"
    );
}

#[test]
fn code_tables_urls_handles_and_keys_are_checked() {
    let table = "codes/administrative-gender.yaml";
    assert_eq!(one(table, "M: male", "M: mail", "E0306").help.as_deref(), Some("did you mean male?"));
    let found = findings(table, "unmapped: {emit: unknown, level: warn}\n", "");
    assert!(found.iter().any(|finding| finding.code == "E0307"), "{found:?}");
    one(
        "segments/PV1.Encounter.yaml",
        "=http://terminology.hl7.org/CodeSystem/v2-0004",
        "=http://hl7.org/fhir/sid/us-ssn.",
        "E0308",
    );
    one("segments/PV1.Encounter.yaml", "ref patient", "ref patiant", "E0403");
    let found = findings(PATIENT, "gender: PID-8 code administrative-gender\n", "");
    assert!(found.iter().any(|finding| finding.code == "E0404" && finding.file == table), "{found:?}");
    one("messages/ADT_A01.yaml", "require:", "requires:", "E0101");
    one("messages/ADT_A39.yaml", "for: [ADT^A40]", "for: [ADT^A40, ADT^A01]", "E0405");
    one("segments/PV1.Encounter.yaml", "PV1 -> Encounter", "PV1 -> Encounters", "E0102");
    one("sites/one/site.yaml", "maritalStatus.text:", "maritalStatu.text:", "E0502");
    one("sites/one/site.yaml", "America/Chicago", "America/Chicag", "E0503");
}

#[test]
fn lookup_keep_and_match_are_checked() {
    let (visit, result) = ("segments/PV1.Encounter.yaml", "segments/OBX.Observation.yaml");
    one(visit, "id: uuid(PV1-19)", "id: uuid(lookup(administrative-gendr, PV1-19))", "E0402");
    one(visit, "id: uuid(PV1-19)", "id: uuid(lookup(administrative-gender))", "E0202");
    one(result, "status: =final", "status: {from: =final, keep: maybe}", "E0105");
    one(result, "code.text: OBX-3.1", "code.text: {from: OBX-3.1, keep: true}", "E0105");
    one(result, "status: =final", "status: {from: =final, match: {OBX-3: OBX-3}}", "E0105");
    one(
        result,
        "status: =final",
        "status: =final\nhasMember: {from: ref obs, match: {OBX-300: OBX-3}}",
        "E0214",
    );
}

#[test]
fn what_is_merged_renumbered_and_moved_is_checked() {
    let (file, merge) = ("messages/ADT_A39.yaml", "merge: {survivor: patient, retired: retired}");
    assert!(findings(file, merge, "renumber: {now: patient, before: retired}").is_empty());
    assert!(findings(file, merge, &format!("{merge}\nmove: []")).is_empty());
    one(file, merge, "merge: {survivor: patient}", "E0103");
    one(file, merge, "merge: {survivor: patient, before: retired}", "E0101");
    one(file, merge, "renumber: {now: patient, before: retird}", "E0403");
    one(file, merge, "move: {record: patient, from: retired, to: patient}", "E0105");
    let merge = "events:\n  A01: {visit.status";
    let of_two_types = format!("merge: {{survivor: patient, retired: visit}}\n{merge}");
    one("messages/ADT_A01.yaml", merge, &of_two_types, "E0105");
}

#[test]
fn every_finding_is_reported_at_once() {
    let mut sources = support::sources();
    for (file, from, to) in [
        (PATIENT, "birthDate:", "birthDat:"),
        ("segments/PV1.Encounter.yaml", "PV1-19 as", "PV1-190 as"),
        ("types/XPN.HumanName.yaml", "XPN.2", "XPN.99"),
    ] {
        let text = sources.0.get_mut(file).expect("the file is there");
        *text = text.replace(from, to);
    }
    let found = Package::compile(&sources).err().unwrap_or_default();
    assert!(found.len() >= 3, "{found:?}");
}

#[test]
fn tests_beside_maps_run_and_missing_ones_fail() {
    let mut sources = support::sources();
    let test = "tests:\n  - name: good\n    input: 42^^^H&1.2.3&ISO^MR\n    expect: {value: 42, system: 'urn:oid:1.2.3'}\n  - name: bad\n    input: 42\n    expect: {value: 43}\n";
    sources.0.insert("types/CX.Identifier.test.yaml".into(), test.into());
    let outcomes = Package::compile(&sources).expect("compiles").run_tests();
    let failures = |name: &str| {
        outcomes.iter().find(|outcome| outcome.name == name).map(|outcome| outcome.failures.len())
    };
    assert_eq!(failures("good"), Some(0));
    assert_eq!(failures("bad"), Some(1));
    assert_eq!(failures("PID.Patient"), Some(1));
    sources.0.insert(
        "types/XPN.HumanName.test.yaml".into(),
        "tests:\n  - {name: x, input: a, expct: {}}\n".into(),
    );
    assert_eq!(Package::compile(&sources).err().map(|found| found[0].code), Some("E0101"));
}

#[test]
fn a_patient_index_trusts_authorities_that_the_site_knows() {
    let key = |value: &str| format!("zone: America/Chicago\npatient_index: {value}");
    let site = "sites/one/site.yaml";
    let found = one(site, "zone: America/Chicago", &key("{trusted: [H^MQ]}"), "E0504");
    assert_eq!((found.line, found.column, found.length), (4, 27, 4));
    assert_eq!(found.help.as_deref(), Some("did you mean H^MR?"));
    one(site, "zone: America/Chicago", &key("{trusted: []}"), "E0504");
    one(site, "zone: America/Chicago", &key("{trusted: [H^MR], own: [SSN]}"), "E0504");
    one(site, "zone: America/Chicago", &key("{trust: [H^MR]}"), "E0101");
    one(site, "zone: America/Chicago", &key("{trusted: ['http://hl7.org/fhir/sid/us-ssn']}"), "E0504");
    let ssn = "systems: {SSN: 'http://hl7.org/fhir/sid/us-ssn', H^MR:";
    let mut sources = support::sources();
    let text = sources.0.get_mut(site).expect("the file is there");
    *text = text.replace("systems: {H^MR:", ssn).replace("facts:", "patient_index: {trusted: [SSN]}\nfacts:");
    let found = Package::compile(&sources).err().unwrap_or_default();
    assert!(
        found.iter().any(|finding| finding.code == "E0504" && finding.message.contains("nobody")),
        "{found:?}"
    );
    assert!(
        findings(site, "zone: America/Chicago", &key("{trusted: [H^MR], own: ['https://site.example/mrn']}"))
            .is_empty()
    );
}

#[test]
fn what_is_stored_refers_to_nothing_transient() {
    let query = "messages/QBP_Q11.yaml";
    let loses = |from: &str, to: &str| findings(query, from, to);
    let found =
        loses("facility: MSH -> Organization", "facility: {map: MSH -> Organization, mode: transient}");
    assert!(found.is_empty(), "what is transient may refer to what is: {found:?}");
    let found = loses("header: {map: MSH -> MessageHeader, mode: transient}", "header: MSH -> MessageHeader");
    assert!(found.is_empty(), "a reference to what is stored: {found:?}");
    let patient = (
        "messages/ADT_A01.yaml",
        "patient: PID -> Patient",
        "patient: {map: PID -> Patient, mode: transient}",
    );
    let found = findings(patient.0, patient.1, patient.2);
    let hit = found.iter().find(|one| one.code == "E0408" && one.file == "segments/PV1.Encounter.yaml");
    assert!(hit.is_some_and(|one| one.message.contains("visit is stored and patient is not")), "{found:?}");
    one(
        "messages/ADT_A39.yaml",
        "retired: PATIENT*.MRG -> Patient",
        "retired: {map: PATIENT*.MRG -> Patient, mode: transient}",
        "E0408",
    );
    let twice = "facility: [{map: MSH -> Organization, mode: transient}, MSH -> MessageHeader]";
    one(query, "facility: MSH -> Organization", twice, "E0408");
    one(query, "mode: transient", "mode: passing", "E0105");
}

#[test]
fn a_filter_is_read_like_a_condition_and_outer_stands_in_one_only() {
    const RESULT: &str = "segments/OBX.Observation.yaml";
    let text = "text: {from: NTE-3*, join: \" \"}";
    let with = |path: &str| format!("text: {{from: '{path}', join: \" \"}}");
    one(RESULT, text, &with("NTE*(NTE-99 = L)-3*"), "E0214");
    one(RESULT, text, &with("NTE*(PID-3)-3*"), "E0215");
    one(RESULT, text, &with("NTE*(NTE-2 = L-3*"), "E0201");
    one(RESULT, text, &with("outer(NTE-3)"), "E0202");
    assert!(findings(RESULT, text, &with("NTE*(NTE-2 = outer(NTE-2))-3*")).is_empty());
    one("messages/ORU_R01.yaml", "obs: OBX*", "obs: OBX*(OBX-2 = NM)", "E0201");
}
