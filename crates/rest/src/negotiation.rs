//! Which representation a client gets (R4, http §3.1.0.1.9): JSON, in two names.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use fhir::IssueCode;

use crate::outcome::Failure;

/// A representation this server writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    FhirJson,
    /// The same bytes, for a client that asked for plain JSON by name.
    Json,
}

impl Format {
    pub(crate) fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::FhirJson => "application/fhir+json; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
        })
    }

    /// `_format` wins over `Accept`; neither means FHIR JSON.
    ///
    /// # Errors
    /// 406 when the client accepts none of ours.
    pub(crate) fn negotiate(headers: &HeaderMap, format: Option<&str>) -> Result<Self, Failure> {
        match format {
            Some(name) => Self::named(name).ok_or_else(not_acceptable),
            None => Self::accepted(headers).ok_or_else(not_acceptable),
        }
    }

    /// The format of a media type with its parameters, or of a short name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let mut parts = name.split(';').map(str::trim);
        // A raw `+` of a query arrives as a space.
        let media = parts.next().unwrap_or_default().replace(' ', "+").to_ascii_lowercase();
        let version_known = parts.all(is_known_parameter);
        match media.as_str() {
            "json" | "application/fhir+json" | "application/json+fhir" => Some(Self::FhirJson),
            "application/json" | "text/json" => Some(Self::Json),
            _ => None,
        }
        .filter(|_| version_known)
    }

    fn accepted(headers: &HeaderMap) -> Option<Self> {
        let mut best: Option<(u16, Self)> = None;
        let mut asked = false;
        for value in headers.get_all(header::ACCEPT) {
            for range in value.to_str().ok()?.split(',').map(str::trim).filter(|range| !range.is_empty()) {
                asked = true;
                let Some((quality, format)) = Self::of_range(range) else { continue };
                if quality > 0 && best.is_none_or(|(highest, _)| quality > highest) {
                    best = Some((quality, format));
                }
            }
        }
        if asked { best.map(|(_, format)| format) } else { Some(Self::FhirJson) }
    }

    /// Quality in thousandths and the format of one media range.
    fn of_range(range: &str) -> Option<(u16, Self)> {
        let Range { quality, media, parameters } = Range::read(range)?;
        let format = match media.as_str() {
            "*/*" | "application/*" => Self::FhirJson,
            "text/*" => Self::Json,
            _ => Self::named(&format!("{media};{parameters}"))?,
        };
        Some((quality, format))
    }
}

/// One media range of `Accept` (RFC 9110 §12.5.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Range {
    /// In thousandths.
    pub(crate) quality: u16,
    /// `type/subtype` in small letters; either may be `*`.
    pub(crate) media: String,
    /// What else it names, but for its quality.
    pub(crate) parameters: String,
}

impl Range {
    fn read(text: &str) -> Option<Self> {
        let mut quality = 1000;
        let mut named = Vec::new();
        for (position, part) in text.split(';').map(str::trim).enumerate() {
            match part.split_once('=') {
                Some((name, value)) if position > 0 && name.trim().eq_ignore_ascii_case("q") => {
                    quality = thousandths(value.trim())?;
                }
                _ => named.push(part),
            }
        }
        let (media, parameters) = named.split_first()?;
        Some(Self { quality, media: media.to_ascii_lowercase(), parameters: parameters.join(";") })
    }

    /// Those of a list; what cannot be read is left out.
    pub(crate) fn of_list(list: &str) -> impl Iterator<Item = Self> {
        list.split(',').map(str::trim).filter(|range| !range.is_empty()).filter_map(Self::read)
    }

    /// Whether a media type in small letters without parameters is in it.
    pub(crate) fn has(&self, media: &str) -> bool {
        let main = media.split('/').next().unwrap_or_default();
        self.media == media || self.media == "*/*" || self.media.strip_suffix("/*") == Some(main)
    }
}

/// `fhirVersion` of another release is refused; `charset` and any other parameter change nothing.
fn is_known_parameter(parameter: &str) -> bool {
    match parameter.split_once('=') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("fhirversion") => {
            matches!(value.trim().trim_matches('"'), "4.0" | "4.0.1")
        }
        _ => true,
    }
}

fn thousandths(quality: &str) -> Option<u16> {
    let (whole, fraction) = quality.split_once('.').unwrap_or((quality, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let fraction: u16 = format!("{fraction:0<3}").parse().ok()?;
    match whole {
        "0" => Some(fraction),
        "1" if fraction == 0 => Some(1000),
        _ => None,
    }
}

fn not_acceptable() -> Failure {
    let text = "this server writes application/fhir+json and application/json of FHIR 4.0.1";
    Failure::new(StatusCode::NOT_ACCEPTABLE, IssueCode::NotSupported, text)
}
