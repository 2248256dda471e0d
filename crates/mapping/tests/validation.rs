//! What a site asks of the resources that are made, and what becomes of a message whose resources break it.

#![allow(missing_docs, reason = "the names of the tests say what they are")]

mod support;

use std::collections::BTreeMap;

use fhir::Severity;
use fhir::profile::PackageFiles;
use mapping::{Package, Sources, Validated};
use serde_json::json;
use support::{HEADER, context, read, sources};

const RESIDENT: &str = "http://example.org/fhir/StructureDefinition/resident";

/// A FHIR package with one profile: a Patient has a name.
fn residents() -> PackageFiles {
    let about = json!({"name": "example.residents", "version": "1.0.0", "fhirVersions": ["4.0.1"]});
    let elements = json!([{"id": "Patient", "path": "Patient", "min": 0, "max": "*"},
        {"id": "Patient.name", "path": "Patient.name", "min": 1, "max": "*", "base": {"path": "Patient.name", "min": 0, "max": "*"},
         "type": [{"code": "HumanName"}]}]);
    let profile = json!({"resourceType": "StructureDefinition", "id": "resident", "url": RESIDENT, "version": "1.0.0",
        "type": "Patient", "derivation": "constraint", "snapshot": {"element": elements}});
    let files = [("package.json", about), ("StructureDefinition-resident.json", profile)];
    let files = files.map(|(name, value)| (name.to_owned(), value.to_string().into_bytes()));
    PackageFiles { origin: "residents.tgz".to_owned(), files: BTreeMap::from(files) }
}

/// The small package, whose visits have a period, with more at the end of its own and of the site's file.
fn edited(package: &str, site: &str) -> Sources {
    let mut sources = sources();
    let mut append =
        |file: &str, text: &str| sources.0.get_mut(file).expect("a file of the package").push_str(text);
    append(
        "segments/PV1.Encounter.yaml",
        "period.start: PV1-44 as dateTime\nperiod.end: PV1-45~1 as dateTime\n",
    );
    append("package.yaml", package);
    append("sites/one/site.yaml", site);
    sources
}

fn compile(package: &str, site: &str) -> Package {
    Package::compile_with(&edited(package, site), &[residents()]).unwrap_or_else(|found| {
        panic!("{}", found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    })
}

/// What the package says of a message of an application: a visit from `start` to `end` of a person with a name or not.
fn validated(package: &Package, application: &str, name: &str, start: &str, end: &str) -> Validated {
    let header = HEADER.replace("|APP|", &format!("|{application}|"));
    let mut visit = vec![""; 46];
    (visit[0], visit[1], visit[2], visit[19], visit[44], visit[45]) = ("PV1", "1", "I", "V7", start, end);
    let bytes = format!("{header}PID|1||42^^^H^MR||{name}\r{}\r", visit.join("|"));
    let translation = package.translate(&read(bytes.as_bytes()), &context()).expect("translates");
    assert_eq!(translation.site.as_deref(), (application == "SITEAPP").then_some("one"));
    let resources = translation.change.sets.iter().map(|set| &set.resource);
    package.validate(translation.site.as_deref(), resources)
}

fn said(validated: &Validated) -> Vec<(Severity, &str)> {
    validated.issues.iter().map(|issue| (issue.severity, issue.path.as_str())).collect()
}

#[test]
fn a_broken_invariant_is_a_warning_until_the_site_says_otherwise() {
    let (early, late) = ("20240101", "20240102");
    let package = compile("", "validation: {on_error: quarantine}\n");
    let right = validated(&package, "APP", "Doe^Ada", early, late);
    assert_eq!(right, Validated::default());
    let warned = validated(&package, "APP", "Doe^Ada", late, early);
    assert_eq!(said(&warned), [(Severity::Warning, "Encounter.period")]);
    assert!(warned.refused.is_none() && warned.issues[0].text.ends_with("(per-1)"), "{warned:?}");
    let held = validated(&package, "SITEAPP", "Doe^Ada", late, early);
    assert_eq!(said(&held), [(Severity::Error, "Encounter.period")]);
    assert_eq!(held.refused.as_deref(), Some("invalid:Invariant:Encounter.period"));
}

#[test]
fn what_has_not_the_form_of_r4_is_refused_everywhere() {
    let package = compile("", "");
    let bad = json!({"resourceType": "Patient", "meta": {"profile": [RESIDENT]}, "gender": "Zz9"});
    let refused = package.validate(None, [&bad]);
    // Its profile is not even looked at.
    assert_eq!(said(&refused), [(Severity::Error, "Patient.gender")]);
    assert_eq!(refused.refused.as_deref(), Some("invalid:CodeInvalid:Patient.gender"));
    assert!(!format!("{refused:?}").contains("Zz9"));
    // The same twice is said once.
    assert_eq!(package.validate(None, [&bad, &bad]).issues.len(), 1);
}

#[test]
fn profiles_are_demanded_by_the_package_or_by_a_site_in_its_place() {
    let demand = format!("validation: {{profiles: ['{RESIDENT}'], on_error: quarantine}}\n");
    let nameless = |package: &Package, application: &str| {
        let validated = validated(package, application, "", "", "");
        let paths: Vec<String> = validated.issues.iter().map(|issue| issue.path.clone()).collect();
        (paths, validated.refused.is_some())
    };
    let none = compile("", "");
    assert_eq!(nameless(&none, "SITEAPP"), (vec![], false));
    let site = compile("", &demand);
    assert_eq!(nameless(&site, "APP"), (vec![], false));
    assert_eq!(nameless(&site, "SITEAPP"), (vec!["Patient.name".to_owned()], true));
    let everyone = compile(&demand, "");
    assert_eq!(nameless(&everyone, "APP"), (vec!["Patient.name".to_owned()], true));
    assert_eq!(nameless(&everyone, "SITEAPP"), (vec!["Patient.name".to_owned()], true));
    let other = compile(&demand, &format!("validation: {{profiles: ['{RESIDENT}|1.0.0']}}\n"));
    assert_eq!(nameless(&other, "SITEAPP"), (vec!["Patient.name".to_owned()], false));
    assert_eq!(said(&validated(&everyone, "APP", "Doe^Ada", "", "")), []);
}

#[test]
fn what_is_wrong_with_validation_or_a_package_is_a_finding() {
    let codes = |site: &str, packages: &[PackageFiles]| -> Vec<(&str, String)> {
        let found = Package::compile_with(&edited("", site), packages).expect_err("has findings");
        found.iter().map(|found| (found.code, found.file.clone())).collect()
    };
    let of_site = |code| vec![(code, "sites/one/site.yaml".to_owned())];
    assert_eq!(codes("validation: {on_error: perhaps}\n", &[]), of_site("E0505"));
    assert_eq!(codes(&format!("validation: {{profiles: ['{RESIDENT}']}}\n"), &[]), of_site("E0505"));
    assert_eq!(
        codes(&format!("validation: {{profiles: ['{RESIDENT}|2.0.0']}}\n"), &[residents()]),
        of_site("E0505")
    );
    assert_eq!(codes("validation: {on_errors: warn}\n", &[]), of_site("E0101"));
    let mut broken = residents();
    broken.files.insert("StructureDefinition-x.json".to_owned(), b"{".to_vec());
    let file = "packages/residents.tgz/StructureDefinition-x.json".to_owned();
    assert_eq!(codes("", &[broken]), [("E0506", file)]);
}

#[test]
fn the_hash_of_a_package_covers_its_fhir_packages() {
    let hash = |packages: &[PackageFiles]| {
        Package::compile_with(&sources(), packages).expect("compiles").hash().to_owned()
    };
    let mut changed = residents();
    changed.files.insert("ValueSet-x.json".to_owned(), br#"{"resourceType": "ValueSet"}"#.to_vec());
    let hashes = [hash(&[]), hash(&[residents()]), hash(&[changed])];
    assert_eq!(hashes[0], support::package().hash());
    assert!(hashes[0] != hashes[1] && hashes[1] != hashes[2]);
}
