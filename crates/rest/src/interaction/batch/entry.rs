//! What the entries of a batch or transaction ask for.

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use fhir::{Issue, IssueCode, ResourceType, is_resource_id};
use serde_json::{Map, Value};

use crate::capacity::ENTRIES_MAX;
use crate::interaction::update::named;
use crate::interaction::write::{
    Address, Caller, Content, Preconditions, Wanted, criteria, if_none_exist, new_id, sent, unfit,
};
use crate::outcome::Failure;
use crate::patch::Patch;
use crate::query::Parameters;

/// How entries belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Each by itself.
    Batch,
    /// All or none.
    Transaction,
}

/// What one entry asks for.
pub(super) enum Asked {
    Get(Get),
    Change(Box<Change>),
}

/// A read or search.
#[derive(Debug)]
pub(super) struct Get {
    /// Path below the base, without a slash at its start.
    pub(super) path: String,
    pub(super) query: Option<String>,
    pub(super) headers: HeaderMap,
}

/// A change.
pub(super) struct Change {
    /// What others in the bundle call the resource.
    pub(super) full_url: Option<String>,
    pub(super) wanted: Wanted,
    /// The text of `ifNoneExist`.
    pub(super) unless: Option<String>,
}

/// Reads a bundle; what is wrong with one entry is that entry's.
///
/// # Errors
/// 400 and 422 when it is no batch or transaction, 413 when it has too many entries.
pub(super) fn read(
    caller: Caller<'_>,
    bundle: Value,
) -> Result<(Kind, Vec<Result<Asked, Failure>>), Failure> {
    let Value::Object(mut bundle) = bundle else {
        return Err(Failure::bad_request(IssueCode::Structure, "a Bundle is expected"));
    };
    if bundle.get("resourceType").and_then(Value::as_str) != Some("Bundle") {
        return Err(Failure::bad_request(IssueCode::Invalid, "a Bundle is expected"));
    }
    let kind = match bundle.get("type").and_then(Value::as_str) {
        Some("batch") => Kind::Batch,
        Some("transaction") => Kind::Transaction,
        _ => {
            let text = "a Bundle that is posted is of type batch or transaction";
            let issue = Issue::error(IssueCode::NotSupported, "Bundle.type", text);
            return Err(Failure::of_issues(StatusCode::UNPROCESSABLE_ENTITY, vec![issue]));
        }
    };
    let entries = match bundle.remove("entry") {
        None => Vec::new(),
        Some(Value::Array(entries)) if entries.len() > ENTRIES_MAX => {
            let text = format!("a Bundle that is posted has at most {ENTRIES_MAX} entries");
            return Err(Failure::new(StatusCode::PAYLOAD_TOO_LARGE, IssueCode::TooCostly, text));
        }
        Some(Value::Array(entries)) if !entries.is_empty() => entries,
        Some(_) => {
            let issue =
                Issue::error(IssueCode::Structure, "Bundle.entry", "an array with entries is expected");
            return Err(Failure::of_issues(StatusCode::BAD_REQUEST, vec![issue]));
        }
    };
    let read = |(index, entry): (usize, Value)| {
        asked(caller, entry).map_err(|failure| failure.within(&format!("Bundle.entry[{index}]")))
    };
    Ok((kind, entries.into_iter().enumerate().map(read).collect()))
}

fn asked(caller: Caller<'_>, entry: Value) -> Result<Asked, Failure> {
    let server = caller.server;
    let invalid = |text: &'static str| Failure::bad_request(IssueCode::Structure, text);
    let Value::Object(mut entry) = entry else { return Err(invalid("an entry is an object")) };
    let resource = entry.remove("resource");
    checked(&entry)?;
    let request =
        entry.get("request").and_then(Value::as_object).ok_or_else(|| invalid("request is absent"))?;
    let text = |name: &str| request.get(name).and_then(Value::as_str);
    let (method, url) = (text("method").unwrap_or_default(), text("url").unwrap_or_default());
    let url = url.strip_prefix(server.fhir.base_url.as_str()).unwrap_or(url);
    let url = url.strip_prefix('/').unwrap_or(url);
    let (path, query) = match url.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (url, None),
    };
    let headers = conditions(request)?;
    if method == "GET" {
        let (path, query) = (path.to_owned(), query.map(str::to_owned));
        return Ok(Asked::Get(Get { path, query, headers }));
    }
    let (name, id) = match path.split_once('/') {
        Some((name, id)) => (name, Some(id)),
        None => (path, None),
    };
    let of = server.resource_type(name)?;
    let place = Place { of, id, query };
    let wanted = match method {
        "POST" => post(caller, &place, resource, &headers)?,
        "PUT" => put(caller, &place, resource, &headers)?,
        "PATCH" => patch(caller, &place, resource, &headers)?,
        "DELETE" => Wanted {
            of,
            to: place.address(caller)?,
            content: Content::Nothing,
            conditions: Preconditions::of(&headers)?,
        },
        _ => {
            return Err(Failure::bad_request(
                IssueCode::NotSupported,
                "this method is not served in a Bundle",
            ));
        }
    };
    let full_url = entry.get("fullUrl").and_then(Value::as_str).map(str::to_owned);
    let unless = text("ifNoneExist").map(str::to_owned);
    Ok(Asked::Change(Box::new(Change { full_url, wanted, unless })))
}

/// The entry without its resource must have the form of R4.
fn checked(entry: &Map<String, Value>) -> Result<(), Failure> {
    let shell = serde_json::json!({"resourceType": "Bundle", "type": "transaction", "entry": [entry]});
    let mut found = fhir::validate_structure(&shell);
    found.retain(Issue::is_error);
    for issue in &mut found {
        // `within` puts the entry's own place in front of what follows the first dot.
        issue.location = issue.location.replace("Bundle.entry[0]", "entry");
    }
    if found.is_empty() { Ok(()) } else { Err(Failure::of_issues(StatusCode::BAD_REQUEST, found)) }
}

/// The conditions of an entry, as headers.
fn conditions(request: &Map<String, Value>) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    for (element, name) in [
        ("ifMatch", header::IF_MATCH),
        ("ifNoneMatch", header::IF_NONE_MATCH),
        ("ifModifiedSince", header::IF_MODIFIED_SINCE),
        ("ifNoneExist", HeaderName::from_static("if-none-exist")),
    ] {
        if let Some(text) = request.get(element).and_then(Value::as_str) {
            let wrong = |_| Failure::bad_request(IssueCode::Value, format!("{element} cannot be read"));
            headers.insert(name, HeaderValue::try_from(text).map_err(wrong)?);
        }
    }
    Ok(headers)
}

/// Where a change goes.
struct Place<'a> {
    of: ResourceType,
    id: Option<&'a str>,
    query: Option<&'a str>,
}

impl Place<'_> {
    /// By id, or by criteria.
    fn address(&self, caller: Caller<'_>) -> Result<Address, Failure> {
        match (self.id, self.query) {
            (Some(id), None) if is_resource_id(id) => Ok(Address::Id(id.to_owned())),
            (Some(_), _) => Err(Failure::bad_request(IssueCode::Value, "the url names no resource")),
            (None, query) => {
                let mut parameters = Parameters::default();
                parameters.decode(query.unwrap_or_default())?;
                Ok(Address::Match(criteria(caller, self.of, &parameters)?))
            }
        }
    }

    fn resource(&self, resource: Option<Value>) -> Result<Value, Failure> {
        let absent = || Failure::bad_request(IssueCode::Required, "the resource is absent");
        sent(self.of, resource.ok_or_else(absent)?)
    }
}

fn post(
    caller: Caller<'_>,
    place: &Place<'_>,
    resource: Option<Value>,
    headers: &HeaderMap,
) -> Result<Wanted, Failure> {
    if place.id.is_some() || place.query.is_some() {
        let text = "only a create is posted in a Bundle; its url is a resource type";
        return Err(Failure::bad_request(IssueCode::NotSupported, text));
    }
    let id = new_id();
    let to = match if_none_exist(headers)? {
        Some(parameters) => Address::Unless(id, criteria(caller, place.of, &parameters)?),
        None => Address::New(id),
    };
    let content = Content::of(place.resource(resource)?);
    Ok(Wanted { of: place.of, to, content, conditions: Preconditions::default() })
}

fn put(
    caller: Caller<'_>,
    place: &Place<'_>,
    resource: Option<Value>,
    headers: &HeaderMap,
) -> Result<Wanted, Failure> {
    let resource = place.resource(resource)?;
    let to = place.address(caller)?;
    if let Address::Id(id) = &to {
        named(&resource, id)?;
    }
    let content = Content::of(resource);
    Ok(Wanted { of: place.of, to, content, conditions: Preconditions::of(headers)? })
}

/// A JSON Patch comes as a Binary (R4, http §3.1.0.6).
fn patch(
    caller: Caller<'_>,
    place: &Place<'_>,
    resource: Option<Value>,
    headers: &HeaderMap,
) -> Result<Wanted, Failure> {
    let text = "a patch in a Bundle is a Binary of application/json-patch+json";
    let refused = || Failure::bad_request(IssueCode::NotSupported, text);
    let binary = resource.ok_or_else(refused)?;
    let is = |member: &str, value: &str| binary.get(member).and_then(Value::as_str) == Some(value);
    if !is("resourceType", "Binary") || !is("contentType", "application/json-patch+json") {
        return Err(refused());
    }
    let data = binary.get("data").and_then(Value::as_str).ok_or_else(refused)?;
    let bytes = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, data)
        .map_err(|_| Failure::bad_request(IssueCode::Value, "the data of the Binary is no base64"))?;
    let patch = Patch::read(&crate::body::parsed(&bytes)?).map_err(unfit)?;
    let (to, conditions) = (place.address(caller)?, Preconditions::of(headers)?);
    Ok(Wanted { of: place.of, to, content: Content::Patch(patch), conditions })
}
