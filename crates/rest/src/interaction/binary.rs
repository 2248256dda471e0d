//! Binary (R4, resource Binary): read as its own content unless FHIR is asked for by name.
//!
//! The content is a client's: it is given as a file to keep, never as a page of this origin.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fhir::{IssueCode, ResourceType};
use serde_json::Value;
use store::Stored;

use super::outward::outward_json;
use super::subset::Subset;
use super::{not_modified, ok, partial, validators};
use crate::negotiation::{Format, Range};
use crate::outcome::Failure;
use crate::query::{Parameters, Presentation};
use crate::server::Server;

/// What FHIR is asked for by name as.
const FHIR: [&str; 2] = ["application/fhir+json", "application/json+fhir"];
/// And as what else, where the content is not of that type itself.
const JSON: [&str; 2] = ["application/json", "text/json"];
/// Of content whose type cannot stand in a header.
const UNKNOWN: &str = "application/octet-stream";
/// Nothing of it runs, should it be opened all the same.
const POLICY: &str = "sandbox; default-src 'none'";

/// How a Binary is asked for.
pub(super) enum Wanted {
    /// As FHIR, or a part of it.
    Fhir((Format, bool), Subset),
    /// As one of these: the content by its own type, or FHIR, indented or not. Of none, as its content.
    Content(Vec<Range>, bool),
}

/// Whether resources of a type are read as their content.
pub(crate) fn is_binary(of: ResourceType) -> bool {
    of.as_str() == "Binary"
}

/// What a request for a Binary wants.
///
/// # Errors
/// As of any other read.
pub(super) fn wanted(query: Option<&str>, headers: &HeaderMap, of: ResourceType) -> Result<Wanted, Failure> {
    let mut parameters = Parameters::default();
    parameters.decode(query.unwrap_or_default())?;
    let Presentation { format, pretty } = parameters.take_presentation()?;
    let is_part = parameters.0.iter().any(|(name, value)| name != "_summary" || value != "false");
    let ranges = match format {
        // A raw `+` of a query arrives as a space.
        Some(format) if !is_part && format.contains('/') => {
            Range::of_list(&format.replace(' ', "+")).collect()
        }
        None if !is_part => {
            let lists = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
            lists.flat_map(Range::of_list).collect()
        }
        _ => {
            let (form, subset) = partial(query, headers, of)?;
            return Ok(Wanted::Fhir(form, subset));
        }
    };
    Ok(Wanted::Content(ranges, pretty))
}

/// 200 with what is wanted, or 304.
///
/// # Errors
/// 406 when neither its own type nor FHIR is accepted.
pub(super) fn response(
    server: &Server,
    stored: &Stored,
    wanted: &Wanted,
    headers: &HeaderMap,
) -> Result<Response, Failure> {
    let validators = validators(stored, server.role);
    if validators.unchanged(headers) {
        return Ok(not_modified(&validators));
    }
    let (ranges, pretty) = match wanted {
        Wanted::Fhir(form, subset) => {
            return Ok(ok(outward_json(stored, server.role, subset)?, *form, Some(&validators)));
        }
        Wanted::Content(ranges, pretty) => (ranges, *pretty),
    };
    let content = Content::of(stored)?;
    match content.chosen(ranges)? {
        Some(format) => {
            let json = outward_json(stored, server.role, &Subset::Whole)?;
            Ok(ok(json, (format, pretty), Some(&validators)))
        }
        None => {
            let mut response = content.response(&stored.key.id);
            validators.write(response.headers_mut());
            Ok(response)
        }
    }
}

/// What a Binary holds.
struct Content {
    /// As it is said.
    media: String,
    bytes: Vec<u8>,
}

impl Content {
    fn of(stored: &Stored) -> Result<Self, Failure> {
        let unreadable = || {
            tracing::error!("a stored resource cannot be read");
            Failure::internal()
        };
        let resource: Value = serde_json::from_slice(stored.body.expose()).map_err(|_| unreadable())?;
        let text = |name: &str| resource.get(name).and_then(Value::as_str).unwrap_or_default();
        let bytes = STANDARD.decode(without_spaces(text("data"))).map_err(|_| unreadable())?;
        Ok(Self { media: text("contentType").to_owned(), bytes })
    }

    /// The format of FHIR in which it is told; `None`: as it is.
    fn chosen(&self, ranges: &[Range]) -> Result<Option<Format>, Failure> {
        let own = self.media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let quality = |of: &dyn Fn(&Range) -> bool| {
            ranges.iter().filter(|range| of(range)).map(|range| range.quality).max()
        };
        // The most exact range decides (RFC 9110 §12.5.1): one that names the type before one that has a star.
        let as_content = match quality(&|range| range.media == own) {
            _ if ranges.is_empty() => Some(1000),
            None => quality(&|range| range.has(&own)),
            exact => exact,
        };
        let as_content = as_content.filter(|quality| *quality > 0).unwrap_or(0);
        let known = |range: &Range| Format::named(&format!("{};{}", range.media, range.parameters)).is_some();
        let by_name = quality(&|range| FHIR.contains(&range.media.as_str()) && known(range)).unwrap_or(0);
        let is_json = JSON.contains(&own.as_str());
        let as_json =
            quality(&|range| !is_json && JSON.contains(&range.media.as_str()) && known(range)).unwrap_or(0);
        if by_name > 0 && by_name >= as_content.max(as_json) {
            return Ok(Some(Format::FhirJson));
        }
        if as_json > as_content {
            return Ok(Some(Format::Json));
        }
        if as_content > 0 {
            return Ok(None);
        }
        let text = "this Binary is given as its own content type or as application/fhir+json";
        Err(Failure::new(StatusCode::NOT_ACCEPTABLE, IssueCode::NotSupported, text))
    }

    fn response(self, id: &str) -> Response {
        let mut response = Response::new(Body::from(self.bytes));
        let media = HeaderValue::try_from(self.media).ok().filter(|media| !media.is_empty());
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, media.unwrap_or(HeaderValue::from_static(UNKNOWN)));
        headers.insert(header::VARY, HeaderValue::from_static("accept"));
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
        headers.insert(
            HeaderName::from_static("cross-origin-resource-policy"),
            HeaderValue::from_static("same-origin"),
        );
        // An id has letters, digits, dashes and dots alone.
        if let Ok(name) = HeaderValue::try_from(format!("attachment; filename=\"Binary-{id}\"")) {
            headers.insert(header::CONTENT_DISPOSITION, name);
        }
        response
    }
}

/// R4 lets base64 have white space.
fn without_spaces(text: &str) -> Vec<u8> {
    text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(media: &str, accept: &str) -> Option<&'static str> {
        let content = Content { media: media.to_owned(), bytes: Vec::new() };
        let ranges: Vec<Range> = Range::of_list(accept).collect();
        match content.chosen(&ranges) {
            Ok(None) => Some("own"),
            Ok(Some(Format::FhirJson)) => Some("fhir"),
            Ok(Some(Format::Json)) => Some("json"),
            Err(_) => None,
        }
    }

    #[test]
    fn fhir_is_given_where_it_is_named_and_the_content_elsewhere() {
        for (media, accept, expected) in [
            ("application/pdf", "", Some("own")),
            ("application/pdf", "*/*", Some("own")),
            ("application/pdf", "application/*", Some("own")),
            ("application/pdf", "application/pdf", Some("own")),
            ("application/pdf; x=y", "application/PDF", Some("own")),
            ("application/pdf", "application/fhir+json", Some("fhir")),
            ("application/pdf", "application/fhir+json, */*", Some("fhir")),
            ("application/pdf", "application/fhir+json;q=0.5, */*", Some("own")),
            ("application/pdf", "application/fhir+json; fhirVersion=4.0", Some("fhir")),
            ("application/pdf", "application/fhir+json; fhirVersion=5.0", None),
            ("application/pdf", "application/json", Some("json")),
            ("application/pdf", "application/json, text/plain, */*", Some("own")),
            ("application/json", "application/json", Some("own")),
            ("application/json", "application/fhir+json", Some("fhir")),
            ("application/pdf", "text/html, */*;q=0.1", Some("own")),
            ("application/pdf", "application/pdf;q=0, */*", None),
            ("application/pdf", "text/html", None),
            ("application/pdf", "image/*", None),
            ("image/png", "image/*", Some("own")),
        ] {
            assert_eq!(chosen(media, accept), expected, "{media} by {accept}");
        }
    }
}
