//! What a package reads and writes, told back, and the reasons of `ig.yaml`.

mod support;

use mapping::{Catalog, CatalogMap, Package, Sources, V2Path, Write};

const ALTERNATE: &str = "alternateCodes: {url: 'http://hl7.org/fhir/StructureDefinition/alternate-codes', type: CodeableConcept, context: [Element]}\n";

fn catalog(change: impl FnOnce(&mut Sources)) -> Catalog {
    let mut sources = support::sources();
    change(&mut sources);
    Package::compile(&sources).unwrap_or_else(|found| panic!("{found:?}")).catalog()
}

fn map<'c>(catalog: &'c Catalog, name: &str) -> &'c CatalogMap {
    catalog.maps.iter().find(|map| map.name == name).expect("the map is there")
}

fn path(root: &str, numbers: &[u16]) -> V2Path {
    V2Path { root: root.into(), numbers: numbers.to_vec() }
}

fn writing<'c>(map: &'c CatalogMap, element: &str) -> Vec<&'c Write> {
    map.writes.iter().filter(|write| write.element == element).collect()
}

#[test]
fn each_rule_tells_element_source_conversion_table_and_place() {
    let catalog = catalog(|sources| {
        sources.0.insert("extensions.yaml".into(), ALTERNATE.into());
    });
    let patient = map(&catalog, "PID.Patient");
    assert_eq!((patient.source.as_str(), patient.target.as_str()), ("PID", "Patient"));
    let birth = writing(patient, "birthDate")[0];
    assert_eq!(birth.from, [path("PID", &[7])]);
    assert_eq!((birth.by.as_deref(), birth.at.line), (Some("date"), 6));
    assert_eq!(writing(patient, "gender")[0].table.as_deref(), Some("administrative-gender"));
    assert_eq!(
        writing(
            patient,
            "gender.extension(http://hl7.org/fhir/StructureDefinition/alternate-codes).coding.system"
        )
        .len(),
        1
    );
    assert_eq!(writing(patient, "deceasedDateTime")[0].from, [path("PID", &[29])]);
    assert_eq!(writing(patient, "identifier")[0].by.as_deref(), Some("CX.Identifier"));
    assert_eq!(patient.ignored[1], (path("PID", &[2]), "set id and the old id".to_owned()));
}

#[test]
fn conditions_walks_and_dispatches_stand_around_what_they_decide() {
    let catalog = catalog(|_| {});
    let result = map(&catalog, "OBX.Observation");
    let quantity = writing(result, "valueQuantity")[0];
    assert!(quantity.given.contains(&path("OBX", &[2])), "{quantity:?}");
    assert_eq!(quantity.from, [path("OBX", &[5])]);
    assert_eq!(writing(result, "valueQuantity.code")[0].from, [path("OBX", &[6])]);
    assert!(writing(result, "note.text")[0].given.contains(&path("NTE", &[])));
    assert_eq!(writing(result, "status")[0].literals, ["final"]);
    let number = map(&catalog, "CX.Identifier");
    assert_eq!(writing(number, "system")[0].given, [path("CX", &[1])]);
    assert_eq!(writing(map(&catalog, "PV1.Encounter"), "subject")[0].handle.as_deref(), Some("patient"));
}

#[test]
fn a_message_tells_what_it_makes_and_what_its_events_write() {
    let catalog = catalog(|_| {});
    let message =
        catalog.messages.iter().find(|message| message.name == "ADT_A01").expect("the message is there");
    assert_eq!(message.triggers, ["ADT^A01", "ADT^A08"]);
    let made: Vec<(&str, &str)> =
        message.makes.iter().map(|made| (made.from.as_str(), made.map.as_str())).collect();
    assert_eq!(made, [("PID", "PID.Patient"), ("PV1", "PV1.Encounter"), ("NK1", "NK1.RelatedPerson")]);
    let (handle, event, write) = &message.overrides[0];
    assert_eq!((handle.as_str(), event.as_str(), write.element.as_str()), ("visit", "A01", "status"));
    assert_eq!(write.literals, ["in-progress"]);
}

#[test]
fn reasons_stand_on_rules_on_tables_and_in_their_file() {
    let catalog = catalog(|sources| {
        let patient = sources.0.get_mut("segments/PID.Patient.yaml").expect("the file is there");
        *patient = patient
            .replace("birthDate: PID-7 as date", "birthDate: {from: PID-7 as date, deviates: a reason}");
        let gender = sources.0.get_mut("codes/administrative-gender.yaml").expect("the file is there");
        gender.push_str("ig: AdministrativeSex\ndeviates: {'A N': another}\n");
        let answers =
            "segments:\n  DG1[EpisodeOfCare]: a third\n  PID[Patient]:\n    PID-5 name.use: a fourth\n";
        sources.0.insert("ig.yaml".into(), answers.into());
    });
    assert_eq!(writing(map(&catalog, "PID.Patient"), "birthDate")[0].deviates.as_deref(), Some("a reason"));
    let table = &catalog.tables[0];
    assert_eq!(table.ig, ["AdministrativeSex"]);
    assert_eq!(table.deviates, [(vec!["A".to_owned(), "N".to_owned()], "another".to_owned())]);
    let answers: Vec<(&str, &str, &str, u32)> = catalog
        .answers
        .iter()
        .map(|answer| (answer.table.as_str(), answer.row.as_str(), answer.reason.as_str(), answer.at.line))
        .collect();
    assert_eq!(
        answers,
        [("DG1[EpisodeOfCare]", "", "a third", 2), ("PID[Patient]", "PID-5 name.use", "a fourth", 4)]
    );
}

#[test]
fn an_answer_needs_a_known_kind_and_a_reason() {
    let found = |text: &str| {
        let mut sources = support::sources();
        sources.0.insert("ig.yaml".into(), text.into());
        Package::compile(&sources).err().unwrap_or_default()
    };
    assert_eq!(found("segment: {}\n")[0].code, "E0101");
    let empty = found("segments:\n  PID[Patient]: {PID-5: ''}\n");
    assert_eq!((empty[0].code, empty[0].line), ("E0104", 2));
}

#[test]
fn the_star_lets_other_codes_stand_and_keep_leaves_the_original_beside_an_exact_one() {
    let with = |rows: &str, code: &str| {
        let mut sources = support::sources();
        let table = format!(
            "code: administrative-gender\nfrom: HL70001\nto: http://hl7.org/fhir/administrative-gender\nrows: {rows}\nunmapped: {{emit: unknown}}\n"
        );
        sources.0.insert("codes/administrative-gender.yaml".into(), table);
        sources.0.insert("extensions.yaml".into(), ALTERNATE.into());
        let package = Package::compile(&sources).unwrap_or_else(|found| panic!("{found:?}"));
        let bytes = format!("{}PID|1||42^^^H||||1970|{code}\r", support::HEADER);
        package.translate(&support::read(bytes.as_bytes()), &support::context()).expect("translates")
    };
    let patient = |translation: &mapping::Translation| translation.change.sets[0].resource.clone();
    let starred = patient(&with("{M: male, '*': same}", "female"));
    assert_eq!(starred["gender"], "female");
    let kept = with("{M: {code: male, keep: true}}", "M");
    assert_eq!(patient(&kept)["gender"], "male");
    assert_eq!(patient(&kept)["_gender"]["extension"][0]["valueCodeableConcept"]["coding"][0]["code"], "M");
    assert!(!kept.issues.iter().any(|issue| issue.path == "PID-8"), "{:?}", kept.issues);
}
