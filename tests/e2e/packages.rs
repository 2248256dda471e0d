//! The commands on mapping packages: their reports and the exit codes that scripts rely on.

use harness::binary::run;
use harness::{Ran, TempFolder};

const FILES: &[(&str, &str)] = &[
    ("package.yaml", "name: small\nversion: 1.0.0\n"),
    (
        "messages/ADT_A01.yaml",
        "message: ADT_A01\nfor: [A01]\nrequire: [PID-3]\nmake: {patient: PID -> Patient}\n",
    ),
    (
        "segments/PID.Patient.yaml",
        "map: PID -> Patient\nid: uuid(PID-3~1)\nbirthDate: PID-7 as date\ngender: PID-8 code sex\nname: {family: PID-5~1.1}\n",
    ),
    (
        "segments/PID.Patient.test.yaml",
        "tests:\n  - name: a man\n    er7: |\n      MSH|^~\\&|A|B|||20240102||ADT^A01|1|P|2.5\n      PID|1||42^^^H|||||M\n    expect: {gender: male}\n",
    ),
    (
        "messages/ADT_A01.test.yaml",
        "tests:\n  - name: one\n    er7: |\n      MSH|^~\\&|A|B|||20240102||ADT^A01|1|P|2.5\n      PID|1||42^^^H\n    count: {Patient: 1}\n",
    ),
    (
        "codes/sex.yaml",
        "code: sex\nfrom: HL70001\nto: http://hl7.org/fhir/administrative-gender\nrows: {M: male, F: female, O: other~}\nunmapped: {emit: unknown}\n",
    ),
];

/// Two packages, `is` and `would`, and a message.
fn folder(name: &str, from: &str, to: &str) -> TempFolder {
    let folder = TempFolder::new(name);
    for package in ["is", "would"] {
        for (path, text) in FILES {
            let file = folder.join(package).join(path);
            std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
            let text = if package == "would" { text.replace(from, to) } else { (*text).to_owned() };
            std::fs::write(file, text).expect("a file");
        }
    }
    let message =
        "MSH|^~\\&|A|B|||20240102||ADT^A01|1|P|2.5\rPID|1||42^^^H||Fairweather^Imogen||19620417|F\r";
    std::fs::write(folder.join("one.hl7"), message).expect("a file");
    folder
}

fn command(folder: &TempFolder, line: &str) -> Ran {
    let arguments: Vec<&str> = line.split(' ').collect();
    run(&arguments, folder.path(), b"")
}

#[test]
fn a_difference_is_told_by_element_and_exit_code() {
    let folder = folder("diff", "birthDate: PID-7 as date\n", "active: =true\n");
    let same = command(&folder, "diff --mappings is --with is one.hl7");
    assert_eq!((same.code, same.stdout.as_str()), (0, ""), "{same:?}");
    let ran = command(&folder, "diff --mappings is --with would one.hl7 one.hl7");
    assert_eq!(ran.code, 1, "{ran:?}");
    let rows: Vec<Vec<&str>> = ran.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert!(rows.contains(&vec!["Patient", "active", "added", "2", "one.hl7#1", "one.hl7#2"]), "{rows:?}");
    assert!(
        rows.contains(&vec!["Patient", "birthDate", "removed", "2", "one.hl7#1", "one.hl7#2"]),
        "{rows:?}"
    );
    assert!(!ran.stdout.contains("1962"), "no value is shown: {ran:?}");
    assert!(ran.stderr.contains("2 of 2 messages differ"), "{ran:?}");
    let shown = command(&folder, "diff --mappings is --with would --show-values one.hl7");
    assert!(shown.stdout.contains("\"1962-04-17\" -> -"), "{shown:?}");
    let ran = command(&folder, "diff --mappings is --with would --output json one.hl7");
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!((ran.code, &report["messages"], report["differences"][0].get("values")), (1, &1.into(), None));
    assert_eq!(report["differences"][0]["element"], "active");
}

#[test]
fn what_cannot_be_compared_has_other_exit_codes() {
    let folder = folder("undiffed", "birthDate: PID-7", "birthDat: PID-7");
    let ran = command(&folder, "diff --mappings is --with would one.hl7");
    assert!(ran.code == 78 && ran.stderr.contains("E0301 would/segments/PID.Patient.yaml:3:1"), "{ran:?}");
    std::fs::write(folder.join("none.hl7"), "no message").expect("a file");
    assert_eq!(command(&folder, "diff --mappings is --with is none.hl7").code, 2);
    assert_eq!(command(&folder, "diff --mappings is --with is absent.hl7").code, 74);
    assert_eq!(
        command(&folder, "diff --mappings is --with is --since 1h one.hl7").code,
        2,
        "of stored messages only"
    );
    assert_eq!(command(&folder, "diff --mappings is --with is --data absent").code, 74);
}

#[test]
fn rules_that_no_test_runs_are_counted_and_listed() {
    let folder = folder("rules", "", "");
    let profiles = harness::root().join("profiles").display().to_string();
    let ran = run(&["test", "--profiles", &profiles, "is"], folder.path(), b"");
    assert!(
        ran.code == 0
            && ran.stdout.contains("2 mapping tests, 0 failed; 1 of 3 rules run by tests, 33.33 %;"),
        "{ran:?}"
    );
    let ran = run(&["test", "--rules", "--profiles", &profiles, "is"], folder.path(), b"");
    let below = |ran: &harness::Ran| -> Vec<String> {
        ran.stdout.lines().filter(|line| line.starts_with("is/")).map(str::to_owned).collect()
    };
    assert_eq!(
        below(&ran),
        [
            "is/segments/PID.Patient.yaml:3  PID.Patient birthDate  tried, and gave nothing: unvalued",
            "is/segments/PID.Patient.yaml:5  PID.Patient name.family  tried, and gave nothing: unvalued",
        ]
    );
    let same = run(&["test", "--uncovered", "--profiles", &profiles, "is"], folder.path(), b"");
    assert_eq!(same.stdout, ran.stdout);
    let ran =
        run(&["test", "--files", "--rules-min", "33", "--profiles", &profiles, "is"], folder.path(), b"");
    assert_eq!(
        (ran.code, below(&ran)),
        (0, vec!["is/segments/PID.Patient.yaml  1 of 3  33.33 %".to_owned()])
    );
    let ran = run(&["test", "--rules-min", "34", "--profiles", &profiles, "is"], folder.path(), b"");
    assert!(ran.code == 1 && ran.stderr.contains("33.33 % of the rules, less than 34 %"), "{ran:?}");
}

#[test]
fn a_code_table_goes_out_and_comes_back() {
    let folder = folder("codes", "", "");
    let listed = command(&folder, "codes list --mappings is");
    let row: Vec<&str> = listed.stdout.lines().nth(1).expect("a row").split_whitespace().collect();
    assert_eq!(row[..2], ["sex", "3"], "{listed:?}");
    let exported = command(&folder, "codes export --mappings is sex");
    let map: serde_json::Value = serde_json::from_str(&exported.stdout).expect("JSON");
    assert_eq!((exported.code, &map["resourceType"]), (0, &"ConceptMap".into()));
    std::fs::write(folder.join("map.json"), &exported.stdout).expect("a file");
    let imported = command(&folder, "codes import map.json");
    assert_eq!(imported.code, 0, "{imported:?}");
    std::fs::write(folder.join("is/codes/sex.yaml"), &imported.stdout).expect("a file");
    assert_eq!(
        command(&folder, "codes export --mappings is sex").stdout,
        exported.stdout,
        "{}",
        imported.stdout
    );
    let unknown = command(&folder, "codes export --mappings is gender");
    assert!(unknown.code == 2 && unknown.stderr.contains("there are: sex"), "{unknown:?}");
    std::fs::write(folder.join("other.json"), r#"{"resourceType": "ValueSet", "name": "x"}"#)
        .expect("a file");
    assert_eq!(command(&folder, "codes import other.json").code, 1);
    assert_eq!(command(&folder, "codes list --mappings is --site nowhere").code, 2);
}

#[test]
fn schemas_are_written_one_for_each_kind_of_file() {
    let folder = TempFolder::new("schema");
    let ran = command(&folder, "schema --out schemas");
    assert_eq!((ran.code, ran.stdout.lines().count()), (0, 10), "{ran:?}");
    for line in ran.stdout.lines() {
        let file = line.split(' ').next().expect("a file");
        let text = std::fs::read_to_string(folder.join(file)).expect("it was written");
        let schema: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    }
    let all: serde_json::Value = serde_json::from_str(&command(&folder, "schema").stdout).expect("JSON");
    assert!(all["segment"]["definitions"]["map.Patient"]["properties"]["birthDate"].is_object());
}
