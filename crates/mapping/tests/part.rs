//! Maps of a segment that make a part of what other maps make.

#[path = "support/shipped.rs"]
mod shipped;
mod support;

use mapping::{Diagnostic, LeafFate, Package, Sources, Translation};

const PATIENT: &str = "segments/PID.Patient.yaml";
const CONTACT: &str = "segments/NK1.Patient.contact.yaml";
/// Lines of the map of the patient, at most: it must read at a glance.
const PATIENT_LINES_MAX: usize = 60;

/// The small package, with next of kin as contacts of the patient.
fn sources() -> Sources {
    let mut sources = support::sources();
    sources.0.insert(
        CONTACT.to_owned(),
        "map: NK1 -> Patient.contact\nreads: [PV1]\n$when: NK1-2 or NK1-5\nname: NK1-2~1 as XPN.HumanName\ntelecom: {$when: NK1-5, value: NK1-5~1.1, system: =phone}\nrelationship: {text: PV1-2}\nignore:\n  NK1-3: the relation says it\n".to_owned(),
    );
    sources.0.insert(
        "extensions.yaml".to_owned(),
        "citizenship: {url: 'http://hl7.org/fhir/StructureDefinition/patient-citizenship', parts: {code: CodeableConcept}, context: [Patient]}\nnote: {url: 'http://example.org/note', type: Annotation, context: [Patient]}\n"
            .to_owned(),
    );
    sources.0.insert(
        "segments/PID.citizenship.yaml".to_owned(),
        "map: PID -> citizenship\next:code.text: PID-26~1.2\n".to_owned(),
    );
    let kin = sources.0.get_mut("segments/NK1.RelatedPerson.yaml").expect("the file is there");
    *kin = kin.replace("NK1-2~1.1", "NK1-1");
    let patient = sources.0.get_mut(PATIENT).expect("the file is there");
    *patient = patient.replace(
        "name: PID-5* as XPN.HumanName\n",
        "reads: [NK1]\nname: PID-5* as XPN.HumanName\ncontact: NK1* as NK1.Patient.contact\next:citizenship: PID as PID.citizenship\n",
    );
    sources
}

fn changed(file: &str, from: &str, to: &str) -> Result<Package, Vec<Diagnostic>> {
    let mut sources = sources();
    let text = sources.0.get_mut(file).expect("the file is there");
    assert!(text.contains(from), "{file} has {from}");
    *text = text.replace(from, to);
    Package::compile(&sources)
}

fn translated(package: &Package, body: &str, trace: bool) -> Translation {
    let bytes = format!("{}{body}", support::HEADER);
    let context = mapping::Context { trace, ..support::context() };
    package.translate(&support::read(bytes.as_bytes()), &context).expect("translates")
}

fn package() -> Package {
    changed(PATIENT, "birthDate", "birthDate").unwrap_or_else(|found| panic!("{found:?}"))
}

const TWO: &str =
    "PID|1||42^^^H|||||||||||||||||||||||^Iceland\rNK1|1|Doe^Pat|SPO\rNK1|2||||5550100\rNK1|3\rPV1|1|I\r";

#[test]
fn a_part_is_made_of_each_segment_and_reads_what_lies_around_it() {
    let made = translated(&package(), TWO, false);
    let patient = support::resource(&made, "patient");
    assert_eq!(
        patient["contact"],
        serde_json::json!([
            {"name": {"family": "Doe", "given": ["Pat"]}, "relationship": [{"text": "I"}]},
            {"telecom": [{"value": "5550100", "system": "phone"}], "relationship": [{"text": "I"}]}
        ])
    );
    assert_eq!(patient["extension"][0]["extension"][0]["valueCodeableConcept"]["text"], "Iceland");
    let fate = |path: &str| {
        made.coverage.leaves.iter().find(|leaf| leaf.path.to_string() == path).map(|leaf| leaf.fate)
    };
    assert_eq!(fate("NK1-3"), Some(LeafFate::Ignored), "what the part ignores, the patient's map does");
    assert_eq!(fate("NK1-2.1"), Some(LeafFate::Mapped));
}

#[test]
fn a_null_in_a_part_removes_the_element_that_it_is_a_part_of() {
    let package =
        changed(CONTACT, "$when: NK1-2 or NK1-5", "$when: NK1-1").unwrap_or_else(|found| panic!("{found:?}"));
    let made = translated(&package, "PID|1||42^^^H\rNK1|1|\"\"\r", false);
    let patient = made.change.sets.iter().find(|set| set.handle == "patient").expect("a patient");
    assert!(patient.removals.iter().any(|name| name == "contact"), "{:?}", patient.removals);
}

#[test]
fn a_trace_names_the_file_of_the_part_and_changes_nothing() {
    let (plain, traced) = (translated(&package(), TWO, false), translated(&package(), TWO, true));
    assert_eq!(plain.bundle(), traced.bundle());
    assert_eq!(plain.coverage.leaves, traced.coverage.leaves);
    let trace = traced.trace.expect("asked for");
    let phone = trace.steps().find(|step| step.element == "Patient.contact[1].telecom[0].value");
    let phone = phone.expect("a step");
    assert!(phone.rule.starts_with(&format!("{CONTACT}:5:")), "{}", phone.rule);
    assert_eq!(phone.source_path.as_deref(), Some("NK1-5"));
    let silent = trace.misses().filter(|miss| miss.rule.starts_with(CONTACT));
    assert!(silent.count() > 0, "the third next of kin has nothing, and the trace says so");
}

#[test]
fn a_site_patches_a_part_for_all_that_take_it() {
    let package =
        changed("sites/one/site.yaml", "patch:\n", "patch:\n  NK1.Patient.contact: {relationship: drop}\n");
    let package = package.unwrap_or_else(|found| panic!("{found:?}"));
    let bytes = format!("{}{TWO}", support::HEADER);
    let context = mapping::Context { site: Some("one"), ..support::context() };
    let made = package.translate(&support::read(bytes.as_bytes()), &context).expect("translates");
    let contact = &support::resource(&made, "patient")["contact"][0];
    assert!(contact.get("name").is_some() && contact.get("relationship").is_none(), "{contact}");
}

#[test]
fn what_a_rule_says_of_its_part_counts_as_for_any_other_value() {
    let rule = "{from: NK1* as NK1.Patient.contact, when: PID-3, fill: {gender: =unknown}, set: {relationship: {text: NK1-1}}}";
    let package = changed(PATIENT, "contact: NK1* as NK1.Patient.contact", &format!("contact: {rule}"));
    let package = package.unwrap_or_else(|found| panic!("{found:?}"));
    let made = translated(&package, TWO, false);
    let contact = support::resource(&made, "patient")["contact"].as_array().expect("contacts").clone();
    let numbers: Vec<&serde_json::Value> =
        contact.iter().map(|one| &one["relationship"][0]["text"]).collect();
    assert_eq!(numbers, ["1", "2"], "a path in `set` means the segment that the part is made of");
    assert!(contact.iter().all(|one| one["gender"] == "unknown"));
}

#[test]
fn tests_run_the_rules_of_a_part_and_the_catalog_has_them_in_place() {
    let package = package();
    let (outcomes, coverage) = package.run_tests_covering();
    assert!(
        coverage.rules.iter().any(|rule| rule.at.file == CONTACT && rule.gives == "NK1.Patient.contact name")
    );
    assert!(
        outcomes.iter().any(|one| one.file == CONTACT && one.failures[0].contains("no test")),
        "a part needs its test"
    );
    let catalog = package.catalog();
    let patient = catalog.maps.iter().find(|map| map.name == "PID.Patient").expect("the map");
    let contact = patient.writes.iter().find(|write| write.element == "contact").expect("the element");
    assert_eq!(contact.by.as_deref(), Some("NK1.Patient.contact"));
    assert!(patient.ignored.iter().any(|(path, _)| path.to_string() == "NK1-3"));
}

/// The finding of this code in a file, after a change.
fn finding(file: &str, from: &str, to: &str, code: &str) -> Diagnostic {
    let found = changed(file, from, to).err().unwrap_or_default();
    let hit = found.iter().find(|finding| finding.code == code && finding.file == file);
    hit.cloned().unwrap_or_else(|| panic!("no {code} in {found:?}"))
}

#[test]
fn a_part_stands_where_it_fits_and_is_made_of_its_segment() {
    let taken = "contact: NK1* as NK1.Patient.contact";
    let found = finding(PATIENT, taken, "contact: PID-5* as NK1.Patient.contact", "E0217");
    assert_eq!((found.line, found.column), (6, 10), "{found}");
    assert_eq!(found.help.as_deref(), Some("write `NK1 as NK1.Patient.contact`, or `NK1*` for every one"));
    finding(PATIENT, taken, "contact: PID as NK1.Patient.contact", "E0217");
    finding(PATIENT, taken, "contact: NK1* as XPN.HumanName", "E0303");
    finding(PATIENT, "name: PID-5* as XPN.HumanName", "name: NK1* as XPN.HumanName", "E0217");
    finding(PATIENT, taken, "address: NK1* as NK1.Patient.contact", "E0303");
    finding(PATIENT, taken, "contact: NK1* as NK1.Patient.contct", "E0401");
    finding(PATIENT, taken, "contact: NK1* as NK1.RelatedPerson ref", "E0303");
    finding(PATIENT, taken, "contact: {from: NK1* as NK1.Patient.contact, join: x}", "E0105");
    finding(PATIENT, taken, "contact: NK1* as NK1.Patient.contact code administrative-gender", "E0105");
    finding(PATIENT, "reads: [NK1]\n", "", "E0215");
    finding(
        PATIENT,
        "ext:citizenship: PID as PID.citizenship\n",
        "ext:note: PID as PID.citizenship\n",
        "E0303",
    );
}

#[test]
fn a_part_is_proven_like_every_map() {
    let found = finding(CONTACT, "name: NK1-2~1", "nmae: NK1-2~1", "E0301");
    assert_eq!((found.line, found.column, found.help.as_deref()), (4, 1, Some("did you mean name?")));
    finding(CONTACT, "NK1-2~1 as", "PD1-2~1 as", "E0215");
    finding(
        CONTACT,
        "map: NK1 -> Patient.contact\n",
        "map: NK1 -> Patient.contact\nid: uuid(NK1-1)\n",
        "E0105",
    );
    finding(CONTACT, "name: NK1-2~1 as XPN.HumanName", "organization: ref hospital", "E0403");
    finding("messages/ADT_A01.yaml", "kin: NK1* -> RelatedPerson", "kin: NK1* -> Patient.contact", "E0105");
    let circle = "name: NK1-2~1 as XPN.HumanName\nperiod.ext:again: NK1 as NK1.again";
    let mut round = sources();
    round.0.insert("segments/NK1.again.yaml".into(), "map: NK1 -> again\next:more: NK1-3.1\n".into());
    let registry = round.0.get_mut("extensions.yaml").expect("the file is there");
    *registry += "again: {url: 'http://example.org/again', parts: {more: string, again: HumanName}}\n";
    let contact = round.0.get_mut(CONTACT).expect("the file is there");
    *contact = contact.replace("name: NK1-2~1 as XPN.HumanName", circle);
    assert!(Package::compile(&round).is_ok(), "a part may take another");
    round.0.insert(
        "segments/NK1.again.yaml".into(),
        "map: NK1 -> again\next:again.ext:again: NK1 as NK1.again\n".into(),
    );
    let found = Package::compile(&round).err().unwrap_or_default();
    let hit = found.iter().find(|one| one.code == "E0406").unwrap_or_else(|| panic!("{found:?}"));
    assert_eq!((hit.file.as_str(), hit.line), ("segments/NK1.again.yaml", 1));
    finding("segments/PID.citizenship.yaml", "ext:code.text", "ext:cod.text", "E0309");
    let unused = changed(PATIENT, "contact: NK1* as NK1.Patient.contact\n", "").err().unwrap_or_default();
    assert!(unused.iter().any(|one| one.code == "E0407" && one.file == CONTACT), "{unused:?}");
    let mut strange = sources();
    strange.0.insert("segments/PID.note.yaml".into(), "map: PID -> note\ntext: PID-2\n".into());
    strange.0.insert("segments/PID.nothing.yaml".into(), "map: PID -> nothing\ntext: PID-2\n".into());
    let found = Package::compile(&strange).err().unwrap_or_default();
    let of = |file: &str| found.iter().find(|one| one.code == "E0301" && one.file == file).cloned();
    let note = of("segments/PID.note.yaml").expect("an extension without parts is no target");
    assert_eq!(note.help.as_deref(), Some("make what it holds, `-> Annotation`"));
    assert!(of("segments/PID.nothing.yaml").is_some());
}

#[test]
fn the_map_of_the_patient_reads_at_a_glance() {
    let sources = shipped::sources();
    let lines = sources.get(PATIENT).expect("it is shipped").lines().count();
    assert!(lines <= PATIENT_LINES_MAX, "{PATIENT} has {lines} lines");
}
