//! The CapabilityStatement says what the server does.

use crate::answer::{get, send};
use crate::fake::node;
use fhir::SearchKind;
use serde_json::Value;

#[tokio::test]
pub async fn the_statement_is_valid_and_open_and_cached() {
    let router = rest::portal(node().fhir);
    let answer = send(&router, "GET", "/fhir/metadata", &[], "").await;
    assert_eq!(answer.status.as_u16(), 200);
    let statement = answer.json();
    assert_eq!(fhir::validate(&statement), []);
    assert_eq!((&statement["fhirVersion"], &statement["kind"]), (&"4.0.1".into(), &"instance".into()));
    let again = send(&router, "GET", "/fhir/metadata", &[("if-none-match", answer.header("etag"))], "").await;
    assert_eq!((again.status.as_u16(), again.body.as_str()), (304, ""));
    let refused = send(&router, "GET", "/fhir/metadata", &[("accept", "application/fhir+xml")], "").await;
    assert_eq!(refused.status.as_u16(), 406);
    assert_eq!(send(&router, "GET", "/fhir/metadata?mode=normative", &[], "").await.status.as_u16(), 400);
}

fn stated(statement: &Value) -> Vec<(String, Vec<String>)> {
    let resources = statement["rest"][0]["resource"].as_array().expect("resources");
    let names = |resource: &Value| {
        let parameters = resource["searchParam"].as_array().expect("parameters");
        parameters.iter().map(|parameter| parameter["name"].as_str().expect("a name").to_owned()).collect()
    };
    resources
        .iter()
        .map(|resource| (resource["type"].as_str().expect("a type").to_owned(), names(resource)))
        .collect()
}

/// The types that the mappings make.
const ASKED: [&str; 20] = [
    "Account",
    "AllergyIntolerance",
    "ChargeItem",
    "Condition",
    "Coverage",
    "DiagnosticReport",
    "Encounter",
    "Location",
    "MedicationDispense",
    "MedicationRequest",
    "Observation",
    "Organization",
    "Patient",
    "Practitioner",
    "PractitionerRole",
    "Procedure",
    "Provenance",
    "RelatedPerson",
    "ServiceRequest",
    "Specimen",
];

#[tokio::test]
pub async fn every_stated_parameter_is_read_and_every_other_refused() {
    let roles: [fn(rest::Fhir) -> axum::Router; 2] = [rest::portal, full];
    for role in roles {
        let router = role(node().fhir);
        let statement = get(&router, "/fhir/metadata", &[]).await.json();
        let stated = stated(&statement);
        assert_eq!(stated.len(), rest::every_type().len());
        for (of, names) in stated.into_iter().filter(|(of, _)| ASKED.contains(&of.as_str())) {
            for parameter in fhir::r4().search_parameters(&of) {
                let value = match parameter.kind {
                    SearchKind::Composite => composite(parameter),
                    kind => plain(kind).to_owned(),
                };
                let path = format!("/fhir/{of}?{}={value}", parameter.code);
                let expected = if names.iter().any(|name| name == parameter.code) { 200 } else { 400 };
                assert_eq!(get(&router, &path, &[]).await.status.as_u16(), expected, "{path}");
            }
        }
    }
}

fn plain(kind: SearchKind) -> &'static str {
    match kind {
        SearchKind::Date => "2020-05",
        SearchKind::Number | SearchKind::Quantity => "5.4",
        _ => "x",
    }
}

fn composite(parameter: &fhir::SearchParameter) -> String {
    let parts: Vec<&str> = parameter.components.iter().map(|component| plain(component.kind)).collect();
    parts.join("$")
}

#[cfg(feature = "clinical")]
fn full(fhir: rest::Fhir) -> axum::Router {
    rest::clinical(fhir)
}

#[cfg(not(feature = "clinical"))]
fn full(fhir: rest::Fhir) -> axum::Router {
    rest::portal(fhir)
}
