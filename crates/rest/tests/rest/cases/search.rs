//! Cases 27 to 53: what a search means and what its answer holds.

use super::Holds::{Absent, Along, At, Empty, Found, Header, Order, Says, SaysNot};
use super::{Row, Shown, Step, finds, refused};

const LENIENT: &[(&str, &str)] = &[("prefer", "handling=lenient")];
const FORM: &[(&str, &str)] = &[("content-type", "application/x-www-form-urlencoded")];

pub static ROWS: &[Row] = &[
    (27, "what is not known is refused by name", Shown::Steps(STRICT)),
    (28, "the self link is what was done", Shown::Steps(SELF)),
    (29, "an empty value", Shown::Steps(EMPTY)),
    (30, "tokens", Shown::Steps(TOKENS)),
    (31, "modifiers of tokens", Shown::Steps(TOKEN_MODIFIERS)),
    (32, "strings", Shown::Steps(STRINGS)),
    (33, "a code of a component is not the code", Shown::Steps(COMPONENTS)),
    (34, "dates contain", Shown::Steps(DATES)),
    (35, "dates compare by their ranges", Shown::Steps(RANGES)),
    (36, "periods with an open end", Shown::Steps(PERIODS)),
    (37, "time zones", Shown::Steps(ZONES)),
    (38, "two bounds", Shown::Steps(BOUNDS)),
    (39, "numbers and quantities", Shown::Steps(QUANTITIES)),
    (40, "references", Shown::Steps(REFERENCES)),
    (41, "chains and _has", Shown::Steps(CHAINS)),
    (42, "composites match within one component", Shown::Steps(COMPOSITES)),
    (43, "parameters of all types", Shown::Steps(COMMON)),
    (44, "uris", Shown::Steps(URIS)),
    (45, "near", Shown::Steps(&[refused("Location?near=1|2", 400, &[Says("`near`")])])),
    (46, "_count is of matches", Shown::Steps(COUNT)),
    (47, "a total alone", Shown::Steps(TOTALS)),
    (
        48,
        "pages",
        Shown::Tests(&[
            crate::search::walking_the_pages_finds_all_once,
            crate::stored::people_are_found_and_sorted_over_pages_whose_links_tell_nothing,
        ]),
    ),
    (49, "sorting", Shown::Steps(SORTS)),
    (50, "includes", Shown::Steps(INCLUDES)),
    (51, "parts of resources", Shown::Steps(PARTS)),
    (52, "the bundle of an answer", Shown::Steps(BUNDLES)),
    (53, "a posted search", Shown::Steps(POSTED)),
];

const fn lenient(path: &'static str, holds: &'static [super::Holds]) -> Step {
    Step { method: "GET", path, headers: LENIENT, body: "", status: 200, holds }
}

const STRICT: &[Step] = &[
    refused("Patient?famly=x", 400, &[Says("`famly`"), Says("did you mean `family`"), Says("valid: ")]),
    refused("Patient?gender:nosuch=x", 400, &[Says("valid: :text")]),
    refused("Patient?_sort=nosuch", 400, &[Says("`_sort`")]),
    refused("Patient?_include=Patient:nosuch", 400, &[Says("`_include`")]),
    refused("Patient?_count=abc", 400, &[]),
    refused("Patient?_count=-1", 400, &[]),
    refused("Patient?_total=bogus", 400, &[]),
    refused("Patient?_summary=bogus", 400, &[]),
    lenient("Patient?nosuch=x&_id=ada", &[Found(&["ada"]), Says("\"mode\":\"outcome\""), SaysNot("nosuch")]),
];
const SELF: &[Step] = &[
    finds(
        "Observation?code=8480-6,85354-9&subject=Patient/ada",
        &[
            Found(&["panel", "high"]),
            At("/link/0/relation", "self"),
            At(
                "/link/0/url",
                "http://node.example/fhir/Observation?code=8480-6%2C85354-9&subject=Patient%2Fada&_count=50",
            ),
        ],
    ),
    finds("Observation?code=85354-9&code=8480-6", &[Found(&[])]),
    finds(r"Patient?identifier=A\,1", &[Found(&[])]),
    finds(r"Patient?identifier=urn:mrn|A\|1", &[Found(&[])]),
    refused(r"Patient?identifier=A\1", 400, &[]),
];
const EMPTY: &[Step] = &[
    refused("Patient?family=", 400, &[Says("`family` has no value")]),
    refused("Patient?identifier=", 400, &[]),
    refused("Patient?birthdate=", 400, &[]),
];
const TOKENS: &[Step] = &[
    finds("Observation?code=8480-6", &[Found(&["high"])]),
    finds("Observation?code=http://loinc.org|8480-6", &[Found(&["high"])]),
    finds("Observation?code=http://snomed.info/sct|8480-6", &[Found(&[])]),
    finds("Observation?code=|weight", &[Found(&["kilo", "gram"])]),
    finds("Observation?code=|8480-6", &[Found(&[])]),
    finds("Observation?code=http://loinc.org|", &[Found(&["panel", "high"])]),
    finds("Patient?identifier=A1", &[Found(&["ada", "bo"])]),
    finds("Patient?identifier=urn:mrn|A1", &[Found(&["ada"])]),
    finds("Patient?identifier=|A1", &[Found(&["bo"])]),
    finds("Patient?gender=FEMALE", &[Found(&["ada"])]),
    finds("Patient?active=true", &[Found(&["ada"])]),
    finds("Patient?telecom=phone|555-0101", &[Found(&["ada"])]),
    finds("Patient?telecom=email|555-0101", &[Found(&[])]),
];
const TOKEN_MODIFIERS: &[Step] = &[
    finds("Patient?gender:not=male", &[Found(&["ada", "cy"])]),
    finds("Observation?code:not=8480-6,weight", &[Found(&["panel", "trace", "loose"])]),
    finds("Patient?gender:missing=true", &[Found(&["cy"])]),
    finds("Patient?gender:missing=false", &[Found(&["ada", "bo"])]),
    refused("Patient?gender:missing=x", 400, &[]),
    finds("Observation?code:text=pressure", &[Found(&["panel", "high"])]),
    finds("Observation?code:text=gluc", &[Found(&["trace"])]),
    finds("Observation?code:text=ressure", &[Found(&[])]),
    finds("Patient?identifier:of-type=urn:t|MR|A1", &[Found(&["ada"])]),
    finds("Patient?identifier:of-type=urn:t|SS|A1", &[Found(&[])]),
];
const STRINGS: &[Step] = &[
    finds("Patient?family=muller", &[Found(&["ada", "bo", "cy"])]),
    finds("Patient?family=MÜLLER", &[Found(&["ada", "bo", "cy"])]),
    finds("Patient?family=denscheidt", &[Found(&[])]),
    finds("Patient?family:contains=denscheidt", &[Found(&["bo"])]),
    finds("Patient?family:exact=Müller", &[Found(&["ada"])]),
    finds("Patient?family:exact=müller", &[Found(&[])]),
    finds("Patient?name=dr", &[Found(&["ada"])]),
    finds("Patient?given=anna&given=beate", &[Found(&["ada"])]),
    finds("Patient?given=anna,beate", &[Found(&["ada", "bo"])]),
];
const COMPONENTS: &[Step] = &[
    finds("Observation?code=8462-4", &[Found(&[])]),
    finds("Observation?combo-code=8462-4", &[Found(&["panel"])]),
    finds("Observation?component-code=8480-6", &[Found(&["panel", "high"])]),
];
const DATES: &[Step] = &[
    finds("Patient?birthdate=1980", &[Found(&["ada", "bo", "cy"])]),
    finds("Patient?birthdate=1980-05", &[Found(&["ada", "cy"])]),
    finds("Patient?birthdate=1980-05-11", &[Found(&["ada"])]),
    finds("Patient?birthdate=eq1980-05", &[Found(&["ada", "cy"])]),
    finds("Patient?birthdate=ap1980-05", &[Found(&["ada", "bo", "cy"])]),
];
const RANGES: &[Step] = &[
    finds("Patient?birthdate=gt1980-05-11", &[Found(&["bo", "cy"])]),
    finds("Patient?birthdate=ge1980-05-11", &[Found(&["ada", "bo", "cy"])]),
    finds("Patient?birthdate=lt1980-05-11", &[Found(&["bo", "cy"])]),
    finds("Patient?birthdate=le1980-05-11", &[Found(&["ada", "bo", "cy"])]),
    finds("Patient?birthdate=sa1980-05-10", &[Found(&["ada"])]),
    finds("Patient?birthdate=eb1980-06", &[Found(&["ada", "cy"])]),
    finds("Patient?birthdate=ne1980-05", &[Found(&["bo"])]),
];
const PERIODS: &[Step] = &[
    finds("Encounter?date=ge2020", &[Found(&["open"])]),
    finds("Encounter?date=eb2020", &[Found(&["past"])]),
    finds("Encounter?date=sa1989", &[Found(&["open", "past"])]),
    finds("Encounter?date=2019-03", &[Found(&["past"])]),
];
const ZONES: &[Step] = &[
    finds("Observation?date=2020-05-11T16:32:15Z", &[Found(&["panel"])]),
    finds("Observation?date=2020-05-11T18:32:15%2B02:00", &[Found(&["panel"])]),
    refused("Observation?date=2020-05-11T18:32:15+02:00", 400, &[Says("%2B")]),
    finds("Observation?date=2020-05-11", &[Found(&["panel", "high"])]),
    refused("Observation?date=2020-05-11T24:00:00Z", 400, &[]),
    refused("Observation?date=2020-02-30", 400, &[]),
    Step {
        method: "POST",
        path: "Observation",
        headers: &[],
        body: r#"{"resourceType":"Observation","status":"final","code":{"text":"x"},"effectiveDateTime":"2016-12-31T24:00:00Z"}"#,
        status: 422,
        holds: &[At("/issue/0/expression/0", "Observation.effective")],
    },
    finds("Observation/panel?_elements=effective", &[Says("\"2020-05-11T16:32:15Z\"")]),
];
const BOUNDS: &[Step] = &[
    finds("Observation?date=ge2020-05-01&date=lt2020-06-01", &[Found(&["panel", "high"])]),
    finds("Observation?date=ge2023-01-02&date=lt2023-01-02", &[Found(&["trace"])]),
    refused("Patient?birthdate=notadate", 400, &[Says("prefix of `birthdate`")]),
    refused("Patient?birthdate=1980-13-45", 400, &[Says("`birthdate` takes a date")]),
    finds("Patient?birthdate=1980-05-11&_id=ada", &[Found(&["ada"])]),
];
const QUANTITIES: &[Step] = &[
    finds("Observation?value-quantity=100|http://unitsofmeasure.org|kg", &[Found(&["kilo", "gram"])]),
    finds("Observation?value-quantity=100||kg", &[Found(&["kilo"])]),
    finds("Observation?value-quantity=100", &[Found(&["kilo"])]),
    finds("Observation?value-quantity=99.6||kg", &[Found(&[])]),
    finds("Observation?value-quantity=1e2||kg", &[Found(&["kilo"])]),
    finds("Observation?value-quantity=gt99.9|http://unitsofmeasure.org|kg", &[Found(&["kilo", "gram"])]),
    finds("Observation?value-quantity=5.4||mg", &[Found(&["loose"])]),
    finds("Observation?value-quantity=5.4|http://unitsofmeasure.org|mg", &[Found(&[])]),
    finds("Observation?value-quantity=lt6|http://unitsofmeasure.org|mg", &[Found(&["trace"])]),
    finds("Observation?value-quantity=gt6|http://unitsofmeasure.org|mg", &[Found(&["kilo", "gram"])]),
    refused("Observation?value-quantity=gtabc", 400, &[]),
    finds("RiskAssessment?probability=gt0.6", &[Found(&["risk"])]),
    finds("RiskAssessment?probability=0.7", &[Found(&["risk"])]),
    refused("RiskAssessment?probability=gtabc", 400, &[]),
];
const REFERENCES: &[Step] = &[
    finds("Observation?patient=ada", &[Found(&["panel", "high"])]),
    finds("Observation?subject=Patient/ada", &[Found(&["panel", "high"])]),
    finds("Observation?subject=http://node.example/fhir/Patient/ada", &[Found(&["panel", "high"])]),
    finds("Observation?subject=Patient/ada/_history/1", &[Found(&["panel", "high"])]),
    finds("Observation?subject:Patient=ada", &[Found(&["panel", "high"])]),
    finds("Observation?subject=Group/ada", &[Found(&[])]),
    finds("Observation?subject=Group/g", &[Found(&["trace"])]),
    finds("Observation?subject:identifier=urn:mrn|Z9", &[Found(&["loose"])]),
    finds("Observation?subject=http://other.example/fhir/Patient/ada", &[Found(&[])]),
];
const CHAINS: &[Step] = &[
    finds("Observation?patient.identifier=urn:mrn|A1", &[Found(&["panel", "high"])]),
    finds("Observation?subject:Patient.name=anna", &[Found(&["panel", "high", "kilo", "gram"])]),
    finds("Observation?patient.organization.name=harbor", &[Found(&["panel", "high", "kilo", "gram"])]),
    finds("Patient?_has:Observation:patient:code=weight", &[Found(&["bo"])]),
    finds(
        "Organization?_has:Patient:organization:_has:Observation:patient:code=8480-6",
        &[Found(&["clinic"])],
    ),
    finds("Patient?_has:Observation:patient:code=weight,8480-6", &[Found(&["ada", "bo"])]),
    refused("Observation?patient.nosuch=x", 400, &[]),
];
const COMPOSITES: &[Step] = &[
    finds("Observation?component-code-value-quantity=8480-6$gt140", &[Found(&["high"])]),
    finds("Observation?component-code-value-quantity=8462-4$gt140", &[Found(&["panel"])]),
    finds("Observation?component-code-value-quantity=8462-4$lt140", &[Found(&[])]),
    refused("Observation?component-code-value-quantity=8480-6", 400, &[]),
];
const COMMON: &[Step] = &[
    finds("Patient?_id=ada,bo,bo", &[Found(&["ada", "bo"]), At("/total", "2")]),
    finds("Patient?_lastUpdated=gt2100", &[Found(&[])]),
    finds("Patient?_lastUpdated=gt2020&_id=ada", &[Found(&["ada"])]),
    finds("Patient?_tag=vip", &[Found(&["bo"])]),
    finds("Patient?_tag=other", &[Found(&[])]),
    finds("Patient?_profile=http://example.org/p", &[Found(&["bo"])]),
    finds("Patient?_security=x", &[Found(&[])]),
    finds("Patient?_source=urn:src", &[Found(&["bo"])]),
];
const URIS: &[Step] = &[
    finds("ValueSet?url=http://acme.example/fhir/ValueSet/one", &[Found(&["one"])]),
    finds("ValueSet?url=http://acme.example/fhir/ValueSet", &[Found(&[])]),
    finds("ValueSet?url:below=http://acme.example/fhir/ValueSet", &[Found(&["one"])]),
    finds("ValueSet?url:below=http://acme.example/fhir", &[Found(&["one", "two"])]),
];
const COUNT: &[Step] = &[
    finds(
        "Observation?subject=Patient/ada&_count=1&_include=Observation:subject&_sort=_id",
        &[Found(&["high"]), Along(&["ada"]), At("/total", "2")],
    ),
    finds(
        "Observation?subject=Patient/ada&_include=Observation:subject&_include=Observation:performer",
        &[Found(&["panel", "high"]), Along(&["ada", "dr"])],
    ),
];
const TOTALS: &[Step] = &[
    finds("Observation?_count=0", &[At("/total", "6"), Absent("/entry")]),
    finds("Observation?_summary=count", &[At("/total", "6"), Absent("/entry")]),
    finds("Patient?_count=100000", &[Says("_count=200")]),
];
const SORTS: &[Step] = &[
    finds("Observation?_sort=-date,_id", &[Order(&["trace", "gram", "kilo", "panel", "high", "loose"])]),
    finds("Observation?_sort=date", &[Order(&["high", "panel", "kilo", "gram", "trace", "loose"])]),
    finds("Encounter?_sort=date", &[Order(&["open", "past"])]),
    finds("Patient?_sort=-_id", &[Order(&["cy", "bo", "ada"])]),
    finds(
        "Observation?patient.identifier=A1&_sort=-date&_count=1&_include=Observation:subject",
        &[Order(&["gram"]), Along(&["bo"])],
    ),
];
const INCLUDES: &[Step] = &[
    finds("Observation?_id=panel&_include=Observation:subject:Patient", &[Along(&["ada"])]),
    finds("Observation?_id=trace&_include=Observation:subject:Patient", &[Along(&[])]),
    finds(
        "Observation?_id=panel&_include=Observation:subject&_include:iterate=Patient:organization",
        &[Along(&["ada", "clinic"])],
    ),
    finds("Patient?_id=ada&_revinclude=Provenance:target", &[Along(&["made"])]),
    finds("Observation?_id=panel&_include=*", &[Along(&["ada", "dr", "open"])]),
    finds(
        "Patient?_id=ada&_revinclude=Observation:subject&_include:iterate=Observation:subject",
        &[Found(&["ada"]), Along(&["panel", "high"])],
    ),
];
const PARTS: &[Step] = &[
    finds(
        "Observation?_id=kilo&_elements=subject",
        &[
            At("/entry/0/resource/status", "final"),
            At("/entry/0/resource/meta/tag/0/code", "SUBSETTED"),
            Absent("/entry/0/resource/valueQuantity"),
        ],
    ),
    finds("Patient?_id=ada&_summary=true", &[At("/entry/0/resource/meta/tag/0/code", "SUBSETTED")]),
    finds("Patient?_id=ada&_summary=data", &[At("/entry/0/resource/meta/tag/0/code", "SUBSETTED")]),
    finds("Patient?_id=ada&_summary=text", &[At("/entry/0/resource/meta/tag/0/code", "SUBSETTED")]),
    Step {
        method: "PUT",
        path: "Patient/ada",
        headers: &[],
        body: r#"{"resourceType":"Patient","id":"ada","meta":{"tag":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"SUBSETTED"}]}}"#,
        status: 422,
        holds: &[],
    },
];
const BUNDLES: &[Step] = &[
    finds(
        "Patient?_id=ada",
        &[
            At("/type", "searchset"),
            At("/total", "1"),
            At("/entry/0/fullUrl", "http://node.example/fhir/Patient/ada"),
            At("/link/0/relation", "self"),
        ],
    ),
    finds("Patient?_id=nobody", &[At("/total", "0"), Absent("/entry")]),
    finds("Observation?_id=panel&_include=Observation:subject", &[At("/total", "1"), Along(&["ada"])]),
    Step {
        method: "GET",
        path: "Patient?_id=ada",
        headers: &[("x-forwarded-host", "evil.example"), ("host", "evil.example")],
        body: "",
        status: 200,
        holds: &[SaysNot("evil.example")],
    },
];
const POSTED: &[Step] = &[
    Step {
        method: "POST",
        path: "Observation/_search?code=weight",
        headers: FORM,
        body: "status=amended",
        status: 200,
        holds: &[Found(&["gram"])],
    },
    Step {
        method: "POST",
        path: "Patient/_search",
        headers: FORM,
        body: "identifier=A1&_count=1",
        status: 200,
        holds: &[
            SaysNot("identifier="),
            SaysNot("A1&"),
            Says("_cursor="),
            Header("content-type", "fhir+json"),
        ],
    },
    Step { method: "HEAD", path: "Patient?_id=ada", headers: &[], body: "", status: 200, holds: &[Empty] },
];
