//! A small package with one of everything.
#![allow(dead_code, reason = "each test file uses its part")]

use mapping::{Context, Package, Sources, Translation};
use serde_json::Value;
use uuid::Uuid;

pub const HEADER: &str = "MSH|^~\\&|APP|FAC|||20240102030405-0500||ADT^A01|C1|P|2.5.1\r";

pub const FILES: &[(&str, &str)] = &[
    ("package.yaml", "name: small\nversion: 1.0.0\n"),
    ("systems.yaml", "ucum: {uri: 'http://unitsofmeasure.org', names: [UCUM]}\n"),
    (
        "messages/ADT_A01.yaml",
        "message: ADT_A01\nfor: [A01, A08]\nrequire: [PID-3]\nmake:\n  patient: PID -> Patient\n  visit: {map: PV1 -> Encounter, when: PV1-2 != N}\n  kin: NK1* -> RelatedPerson\nevents:\n  A01: {visit.status: =in-progress}\n  A08: {visit.status: =unknown, update: [patient], replace: [kin]}\n",
    ),
    (
        "messages/ADT_A39.yaml",
        "message: ADT_A39\nfor: [ADT^A40]\nmake:\n  patient: PATIENT*.PID -> Patient\n  retired: PATIENT*.MRG -> Patient\nmerge: {survivor: patient, retired: retired}\n",
    ),
    (
        "messages/ORU_R01.yaml",
        "message: ORU_R01\nfor: [R01]\nmake:\n  patient: PATIENT_RESULT*.PATIENT.PID -> Patient\n  report: ORDER_OBSERVATION*.OBR -> DiagnosticReport\n  obs: OBX* -> Observation\njoin_text: OBX\n",
    ),
    (
        "messages/QBP_Q11.yaml",
        "message: QBP_Q11\nfor: [Q11]\nmake:\n  header: {map: MSH -> MessageHeader, mode: transient}\n  asked: {map: QPD -> Parameters, mode: transient}\n  facility: MSH -> Organization\n",
    ),
    (
        "segments/MSH.MessageHeader.yaml",
        "map: MSH -> MessageHeader\nid: uuid(MSH-10)\nevent[x]: {code: MSH-9.2, system: =http://terminology.hl7.org/CodeSystem/v2-0003}\nsource.endpoint: MSH-3 system\nfocus: ref *\nsender: ref facility\n",
    ),
    (
        "segments/QPD.Parameters.yaml",
        "map: QPD -> Parameters\nid: uuid(QPD-2)\nparameter:\n  name: =tag\n  value[x]: QPD-2 as text\n",
    ),
    ("segments/MSH.Organization.yaml", "map: MSH -> Organization\nid: uuid(MSH-4.1)\nname: MSH-4.1\n"),
    (
        "segments/PID.Patient.yaml",
        "map: PID -> Patient\nid: uuid(PID-3(.5=MR) ?? PID-3~1)\nidentifier: PID-3* as CX.Identifier\nname: PID-5* as XPN.HumanName\ngender: PID-8 code administrative-gender\nbirthDate: PID-7 as date\ndeceased[x]:\n  - PID-29 as dateTime\n  - PID-30 as boolean\nmaritalStatus.text: PID-16.2\nignore:\n  PID-1 PID-2: set id and the old id\n",
    ),
    (
        "segments/MRG.Patient.yaml",
        "map: MRG -> Patient\nid: uuid(MRG-1~1)\nidentifier: MRG-1* as CX.Identifier\n",
    ),
    (
        "segments/PV1.Encounter.yaml",
        "map: PV1 -> Encounter\nid: uuid(PV1-19)\nclass: {code: PV1-2, system: =http://terminology.hl7.org/CodeSystem/v2-0004}\nsubject: ref patient\nidentifier: PV1-19 as CX.Identifier\n",
    ),
    (
        "segments/NK1.RelatedPerson.yaml",
        "map: NK1 -> RelatedPerson\nid: uuid(id(patient), NK1-2~1.1)\npatient: ref patient\nname: NK1-2* as XPN.HumanName\n",
    ),
    (
        "segments/OBR.DiagnosticReport.yaml",
        "map: OBR -> DiagnosticReport\nid: uuid(OBR-3)\nstatus: =final\ncode.text: OBR-4.1\nsubject: ref patient\nresult: ref obs\n",
    ),
    (
        "segments/OBX.Observation.yaml",
        "map: OBX -> Observation\nreads: [NTE]\nid: uuid(id(report), OBX-3, OBX-4, ordinal(id(report), OBX-3, OBX-4))\nstatus: =final\ncode.text: OBX-3.1\nsubject: ref patient\nnote: {$each: NTE*, text: {from: NTE-3*, join: \" \"}}\nvalue[x]:\n  $by: OBX-2\n  NM:\n    - {from: OBX-5~1 as NM.Quantity, unit: OBX-6}\n    - OBX-5~1 as text\n  else: {from: OBX-5* as text, join: \"\\n\"}\n",
    ),
    (
        "types/CX.Identifier.yaml",
        "map: CX -> Identifier\n$when: CX.1\nvalue: CX.1\nsystem: CX.4 system\nassigner.display: CX.4.1\ntype.text: CX.5\n",
    ),
    ("types/XPN.HumanName.yaml", "map: XPN -> HumanName\nfamily: XPN.1.1\ngiven: XPN.2\n"),
    (
        "codes/administrative-gender.yaml",
        "code: administrative-gender\nfrom: HL70001\nto: http://hl7.org/fhir/administrative-gender\nrows: {M: male, F: female, A: other~}\nunmapped: {emit: unknown, level: warn}\n",
    ),
    (
        "sites/one/site.yaml",
        "site: one\nmatch: {MSH-3: SITEAPP}\nzone: America/Chicago\nsystems: {H^MR: 'https://site.example/mrn'}\nfacts: {nulls: ['NULL']}\npatch:\n  PID.Patient: {maritalStatus.text: '=patched'}\n",
    ),
];

pub fn sources() -> Sources {
    Sources(FILES.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect())
}

pub fn package() -> Package {
    Package::compile(&sources()).unwrap_or_else(|findings| {
        panic!("{}", findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    })
}

pub fn context() -> Context<'static> {
    Context { namespace: Uuid::from_u128(7), site: None, trace: false }
}

pub fn read(bytes: &[u8]) -> hl7v2::Message<'_> {
    hl7v2::Message::read(bytes).expect("has a header")
}

pub fn translate(event: &str, body: &str) -> Translation {
    let bytes = format!("{}{body}", HEADER.replace("ADT^A01", event));
    package().translate(&read(bytes.as_bytes()), &context()).expect("translates")
}

pub fn resource<'t>(translation: &'t Translation, handle: &str) -> &'t Value {
    &translation
        .change
        .sets
        .iter()
        .find(|set| set.handle == handle)
        .unwrap_or_else(|| panic!("no {handle}"))
        .resource
}
