//! A kick-off by POST: a Parameters resource with what the address has otherwise, and with patients.

use axum::body::Body;
use axum::http::HeaderMap;
use serde_json::{Map, Value};

use crate::body;
use crate::capacity::PARAMETERS_MAX;
use crate::interaction::refusal::{invalid, not_supported};
use crate::outcome::Failure;
use crate::query::Parameters;

/// Patients to whom an export is narrowed; by POST alone, for an address must not name them.
pub(super) const PATIENT: &str = "patient";
/// Parameters, and the element that holds the value of each.
const VALUES: [(&str, &str); 5] = [
    ("_type", "valueString"),
    ("_typeFilter", "valueString"),
    ("_outputFormat", "valueString"),
    ("_since", "valueInstant"),
    (PATIENT, "valueReference"),
];

/// The parameters of a body.
///
/// # Errors
/// 413 and 415 as of any body, 400 when it is no Parameters or has a value of another type.
pub(super) async fn parameters(headers: &HeaderMap, content: Body) -> Result<Parameters, Failure> {
    let sent = body::resource(headers, content).await?;
    if sent.get("resourceType").and_then(Value::as_str) != Some("Parameters") {
        return Err(invalid("a resource of the type Parameters is expected"));
    }
    let given = match sent.get("parameter") {
        None => &[],
        Some(Value::Array(given)) if given.len() <= PARAMETERS_MAX => given.as_slice(),
        Some(_) => return Err(invalid(format!("`parameter` is a list of at most {PARAMETERS_MAX}"))),
    };
    given.iter().map(one).collect::<Result<_, _>>().map(Parameters)
}

/// Name and value. The name of what is not known goes on without its value, to be refused with the others.
fn one(given: &Value) -> Result<(String, String), Failure> {
    let given: &Map<String, Value> = given.as_object().ok_or_else(|| invalid("a parameter is an object"))?;
    let name = given.get("name").and_then(Value::as_str).ok_or_else(|| invalid("a parameter has no name"))?;
    let Some((_, element)) = VALUES.iter().find(|(known, _)| *known == name) else {
        return Ok((name.to_owned(), String::new()));
    };
    let value = given.get(*element).map(|value| if name == PATIENT { &value["reference"] } else { value });
    match value.and_then(Value::as_str) {
        Some(value) => Ok((name.to_owned(), value.to_owned())),
        None => Err(not_supported(format!("`{name}` takes {element}"))),
    }
}
