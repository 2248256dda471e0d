//! A profile or policy that is wrong does not load, and says where and why.

mod support;

use std::collections::BTreeMap;

use residency::{Diagnostic, Policy, Profile};
use support::{PROFILE, files, profile_files};

fn profile_with(file: &str, from: &str, to: &str) -> Vec<Diagnostic> {
    let mut files = profile_files();
    let text = files.get_mut(file).unwrap();
    assert!(text.contains(from), "{file} has no `{from}`");
    *text = text.replacen(from, to, 1);
    Profile::compile(PROFILE, &files).err().unwrap_or_default()
}

fn policy_with(file: &str, from: &str, to: &str) -> Vec<Diagnostic> {
    let mut files = files("residency");
    let text = files.get_mut(file).unwrap();
    assert!(text.contains(from), "{file} has no `{from}`");
    *text = text.replacen(from, to, 1);
    Policy::compile(&files, &[PROFILE]).err().unwrap_or_default()
}

/// The one finding with this code, at the line and column of the text that is wrong.
fn only(found: &[Diagnostic], code: &str, marked: &str, source: &str) -> Diagnostic {
    let matching: Vec<&Diagnostic> = found.iter().filter(|diagnostic| diagnostic.code == code).collect();
    assert_eq!(matching.len(), 1, "{code}: {found:?}");
    let line = source.lines().nth(matching[0].line - 1).unwrap();
    let rest: String = line.chars().skip(matching[0].column - 1).collect();
    assert!(rest.trim_start_matches(['"', '\'']).starts_with(marked), "{:?} marks `{rest}`", matching[0]);
    matching[0].clone()
}

/// One row in so many is tried, to keep the test short; the share moves with the tables.
const SAMPLE: usize = 23;

#[test]
fn a_missing_row_is_found() {
    let whole = profile_files();
    let rows: Vec<&str> = whole["fhir.tsv"].lines().collect();
    for (index, row) in
        rows.iter().enumerate().skip(3).filter(|(_, row)| !row.starts_with('#')).step_by(SAMPLE)
    {
        let mut files = whole.clone();
        let mut left = rows.clone();
        left.remove(index);
        files.insert("fhir.tsv".to_owned(), left.join("\n"));
        let found = Profile::compile(PROFILE, &files).err().unwrap_or_default();
        let path = row.split('\t').nth(1).unwrap();
        let named = format!("`{path}`");
        assert!(
            found
                .iter()
                .any(|diagnostic| diagnostic.code == "undecided-element"
                    && diagnostic.message.contains(&named)),
            "{row}: {found:?}"
        );
    }
}

#[test]
fn text_is_never_kept() {
    let whole = profile_files();
    let mut tried = 0;
    for (index, row) in whole["fhir.tsv"].lines().enumerate() {
        let cells: Vec<&str> = row.split('\t').collect();
        let [
            _,
            _,
            "string" | "markdown" | "uri" | "url" | "canonical" | "base64Binary" | "id" | "code" | "xhtml",
            _,
        ] = cells[..]
        else {
            continue;
        };
        let mut lines: Vec<String> = whole["fhir.tsv"].lines().map(str::to_owned).collect();
        tried += 1;
        if tried % SAMPLE != 0 {
            continue;
        }
        lines[index] = format!("{}\t{}\t{}\tkeep", cells[0], cells[1], cells[2]);
        let mut files = whole.clone();
        files.insert("fhir.tsv".to_owned(), lines.join("\n"));
        let found = Profile::compile(PROFILE, &files).err().unwrap_or_default();
        let diagnostic = only(&found, "keep-text", "keep", &files["fhir.tsv"]);
        assert_eq!(diagnostic.line, index + 1);
    }
    assert!(tried > 250, "{tried}");
}

#[test]
fn mistakes_in_rows_are_named() {
    let file = "fhir.tsv";
    let gender = "Patient\tPatient.gender\tcode\tenum";
    let cases = [
        (
            "unknown-element",
            "Patient\tPatient.gendre\tcode\tenum",
            "Patient.gendre",
            Some("`Patient.gender`"),
        ),
        ("unknown-type", "Patient\tPatient.gender\tstring\tenum", "string", Some("code")),
        ("unknown-operation", "Patient\tPatient.gender\tcode\tenmu", "enmu", Some("`enum`")),
        ("unknown-operation", "Patient\tPatient.gender\tcode\tenum:nothing", "enum:nothing", None),
        ("operation-type", "Patient\tPatient.gender\tcode\tyear", "year", None),
        ("duplicate-row", &format!("{gender}\n{gender}"), "Patient.gender", None),
        ("path-owner", "Person\tPatient.gender\tcode\tenum", "Patient.gender", None),
        (
            "unreachable-row",
            &format!("{gender}\nPatient\tPatient.contact.gender\tcode\tenum"),
            "Patient.contact.gender",
            None,
        ),
        ("unlisted-resource", &format!("{gender}\nPerson\tPerson.gender\tcode\tenum"), "Person", None),
        ("table-row", "Patient\tPatient.gender\tcode", "Patient", None),
    ];
    for (code, row, marked, help) in cases {
        let found = profile_with(file, gender, row);
        let source = profile_files()[file].replacen(gender, row, 1);
        let diagnostic = only(&found, code, marked, &source);
        assert_eq!(diagnostic.file, file);
        if let Some(help) = help {
            assert!(diagnostic.help.unwrap_or_default().contains(help), "{code}");
        }
    }
    let required = profile_with(
        file,
        "Observation\tObservation.code\tCodeableConcept\tcode",
        "Observation\tObservation.code\tCodeableConcept\tdrop",
    );
    assert!(required.iter().any(|diagnostic| diagnostic.message.contains("required")), "{required:?}");
    let modifier = profile_with(
        file,
        "Patient.modifierExtension\tExtension\text-allow-or-reject",
        "Patient.modifierExtension\tExtension\tdrop",
    );
    assert!(modifier.iter().any(|diagnostic| diagnostic.message.contains("modifier")), "{modifier:?}");
}

#[test]
fn mistakes_in_other_files_are_named() {
    let cases = [
        ("profile.yaml", "over_age: 89", "over_ages: 89", "yaml"),
        ("profile.yaml", "resources: [Patient,", "resources: [Patients,", "unknown-name"),
        ("profile.yaml", "age_codes: age-codes", "age_codes: nothing", "unknown-name"),
        ("profile.yaml", "id: safe-harbor-us", "id: safe-harbour-us", "profile-id"),
        ("codes.tsv", "^[0-9]{1,7}$", "[0-9]{1,7}", "open-shape"),
        ("codes.tsv", "^[0-9]{1,7}$", "^[0-9{1,7}$", "shape"),
        ("codes.tsv", "http://loinc.org\texact", "http://loinc.org\tany", "match"),
        ("codes.tsv", "http://loinc.org", "http://snomed.info/sct", "duplicate-row"),
        ("extensions.tsv", "Coding\tcode", "string\tkeep", "operation-type"),
        ("extensions.tsv", "us-core-ethnicity", "us-core-race", "duplicate-row"),
        ("zip3.csv", "036,", "03,", "zip3"),
        ("vocab/results.txt", "Negative", "Positive", "duplicate-row"),
    ];
    for (file, from, to, code) in cases {
        let found = profile_with(file, from, to);
        assert!(
            found.iter().any(|diagnostic| diagnostic.code == code && diagnostic.file == file),
            "{file} {to}: {found:?}"
        );
    }
    for file in profile_files().keys() {
        let mut files = profile_files();
        files.remove(file);
        assert!(Profile::compile(PROFILE, &files).is_err(), "{file} is not needed");
    }
    let mut files = profile_files();
    files.insert("notes.md".to_owned(), String::new());
    assert_eq!(Profile::compile(PROFILE, &files).unwrap_err()[0].code, "unknown-file");
    assert!(Profile::compile(PROFILE, &BTreeMap::new()).is_err());
}

#[test]
fn mistakes_in_the_policy_are_named() {
    let cases = [
        ("destinations.yaml", "    profile: safe-harbor-us\n", "", "cloud-without-profile"),
        ("destinations.yaml", "profile: safe-harbor-us", "profile: safe-harbour-us", "unknown-name"),
        ("destinations.yaml", "zone: cloud", "zone: clouds", "unknown-name"),
        ("destinations.yaml", "description:", "descriptoin:", "yaml"),
        ("zones.yaml", "id: cloud", "id: on-prem", "duplicate-id"),
        ("zones.yaml", "kind: cloud", "kind: sky", "yaml"),
        ("policy.yaml", "destinations: [cloud]", "destinations: [clouds]", "unknown-name"),
        ("policy.yaml", "types: [Patient,", "types: [Pateint,", "unknown-name"),
        ("policy.yaml", "    destinations: [cloud]\n", "", "permit-too-wide"),
        ("policy.yaml", "unlabelled: deny", "unlabeled: deny", "yaml"),
        ("policy.yaml", "id: sensitive-stays", "id: deidentified-clinical", "duplicate-id"),
        ("labels.yaml", "    codes: [PSYTHPN]\n", "", "rule-without-code"),
    ];
    for (file, from, to, code) in cases {
        let found = policy_with(file, from, to);
        let named = found
            .iter()
            .any(|diagnostic| diagnostic.code == code && diagnostic.file == file && diagnostic.line > 1);
        assert!(named, "{file} {to}: {found:?}");
    }
    let source = files("residency")["destinations.yaml"].replacen("zone: cloud", "zone: clouds", 1);
    let diagnostic = only(
        &policy_with("destinations.yaml", "zone: cloud", "zone: clouds"),
        "unknown-name",
        "clouds",
        &source,
    );
    assert_eq!(diagnostic.help.as_deref(), Some("did you mean `cloud`?"));
}
