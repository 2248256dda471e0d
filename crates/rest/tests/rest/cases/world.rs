//! The resources that cases are about: invented people, their visits and what was measured.

/// Address and resource; what is referred to stands before.
pub const WORLD: &[(&str, &str)] = &[
    (
        "Organization/clinic",
        r#"{"resourceType":"Organization","id":"clinic","name":"Harbor Clinic","identifier":[{"system":"urn:org","value":"H"}]}"#,
    ),
    ("Practitioner/dr", r#"{"resourceType":"Practitioner","id":"dr","name":[{"family":"Quill"}]}"#),
    (
        "Patient/ada",
        r#"{"resourceType":"Patient","id":"ada","active":true,"gender":"female","birthDate":"1980-05-11",
        "identifier":[{"type":{"coding":[{"system":"urn:t","code":"MR"}]},"system":"urn:mrn","value":"A1"}],
        "name":[{"family":"Müller","given":["Anna","Beate"],"prefix":["Dr"]}],
        "telecom":[{"system":"phone","value":"555-0101"}],"managingOrganization":{"reference":"Organization/clinic"}}"#,
    ),
    (
        "Patient/bo",
        r#"{"resourceType":"Patient","id":"bo","gender":"male","birthDate":"1980","identifier":[{"value":"A1"}],
        "meta":{"tag":[{"system":"urn:tag","code":"vip"}],"profile":["http://example.org/p"],"source":"urn:src"},
        "name":[{"family":"Müller-Lüdenscheidt","given":["Anna"]}],"managingOrganization":{"reference":"Organization/clinic"}}"#,
    ),
    (
        "Patient/cy",
        r#"{"resourceType":"Patient","id":"cy","birthDate":"1980-05","name":[{"family":"MULLER"}]}"#,
    ),
    ("Group/g", r#"{"resourceType":"Group","id":"g","type":"person","actual":true}"#),
    (
        "Encounter/open",
        r#"{"resourceType":"Encounter","id":"open","status":"in-progress","class":{"code":"IMP"},"subject":{"reference":"Patient/ada"},"period":{"start":"1990-01-01"}}"#,
    ),
    (
        "Encounter/past",
        r#"{"resourceType":"Encounter","id":"past","status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/bo"},"period":{"start":"2019-03-01","end":"2019-03-02"}}"#,
    ),
    (
        "Observation/panel",
        r#"{"resourceType":"Observation","id":"panel","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"85354-9","display":"Blood pressure panel"}]},
        "subject":{"reference":"Patient/ada"},"encounter":{"reference":"Encounter/open"},"effectiveDateTime":"2020-05-11T16:32:15Z","performer":[{"reference":"Practitioner/dr"}],
        "component":[{"code":{"coding":[{"system":"http://loinc.org","code":"8480-6"}]},"valueQuantity":{"value":120,"system":"http://unitsofmeasure.org","code":"mm[Hg]"}},
        {"code":{"coding":[{"system":"http://loinc.org","code":"8462-4"}]},"valueQuantity":{"value":150,"system":"http://unitsofmeasure.org","code":"mm[Hg]"}}]}"#,
    ),
    (
        "Observation/high",
        r#"{"resourceType":"Observation","id":"high","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"8480-6","display":"Systolic blood pressure"}]},
        "subject":{"reference":"Patient/ada"},"effectiveDateTime":"2020-05-11","performer":[{"reference":"Practitioner/dr"}],
        "component":[{"code":{"coding":[{"system":"http://loinc.org","code":"8480-6"}]},"valueQuantity":{"value":150,"system":"http://unitsofmeasure.org","code":"mm[Hg]"}}]}"#,
    ),
    (
        "Observation/kilo",
        r#"{"resourceType":"Observation","id":"kilo","status":"final","code":{"coding":[{"code":"weight"}]},"subject":{"reference":"Patient/bo"},"effectiveDateTime":"2021",
        "valueQuantity":{"value":100,"unit":"kg","system":"http://unitsofmeasure.org","code":"kg"}}"#,
    ),
    (
        "Observation/gram",
        r#"{"resourceType":"Observation","id":"gram","status":"amended","code":{"coding":[{"code":"weight"}]},"subject":{"reference":"Patient/bo"},"effectiveDateTime":"2022-02",
        "valueQuantity":{"value":100000,"unit":"g","system":"http://unitsofmeasure.org","code":"g"}}"#,
    ),
    (
        "Observation/trace",
        r#"{"resourceType":"Observation","id":"trace","status":"final","code":{"text":"Trace of glucose"},"subject":{"reference":"Group/g"},"effectivePeriod":{"start":"2023-01-01","end":"2023-01-03"},
        "valueQuantity":{"value":5,"comparator":"<","unit":"mg","system":"http://unitsofmeasure.org","code":"mg"}}"#,
    ),
    (
        "Observation/loose",
        r#"{"resourceType":"Observation","id":"loose","status":"final","code":{"coding":[{"code":"lone"}]},
        "subject":{"identifier":{"system":"urn:mrn","value":"Z9"}},"focus":[{"reference":"Patient/cy"}],"valueQuantity":{"value":5.40,"unit":"mg"}}"#,
    ),
    (
        "Provenance/made",
        r#"{"resourceType":"Provenance","id":"made","recorded":"2026-09-21T14:13:20Z","target":[{"reference":"Patient/ada"},{"reference":"Patient/bo"}],"agent":[{"who":{"reference":"Practitioner/dr"}}]}"#,
    ),
    (
        "ValueSet/one",
        r#"{"resourceType":"ValueSet","id":"one","status":"draft","url":"http://acme.example/fhir/ValueSet/one","version":"2"}"#,
    ),
    (
        "ValueSet/two",
        r#"{"resourceType":"ValueSet","id":"two","status":"draft","url":"http://acme.example/fhir/ValueSetOther"}"#,
    ),
    (
        "RiskAssessment/risk",
        r#"{"resourceType":"RiskAssessment","id":"risk","status":"final","subject":{"reference":"Patient/ada"},"prediction":[{"probabilityDecimal":0.7}]}"#,
    ),
];
