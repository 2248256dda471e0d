//! Parameters of a query or form (`application/x-www-form-urlencoded`), decoded strictly.

use fhir::IssueCode;

use crate::capacity::{PARAMETERS_MAX, SEARCH_BYTES_MAX};
use crate::outcome::Failure;

/// Name and value in the order sent. Values can be PHI: Debug prints how many there are.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Parameters(pub(crate) Vec<(String, String)>);

impl std::fmt::Debug for Parameters {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Parameters({})", self.0.len())
    }
}

/// What every interaction understands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Presentation {
    pub(crate) format: Option<String>,
    pub(crate) pretty: bool,
}

impl Parameters {
    /// # Errors
    /// 400 when an escape or its UTF-8 is broken, or a limit is passed.
    pub(crate) fn decode(&mut self, encoded: &str) -> Result<(), Failure> {
        for pair in encoded.split('&').filter(|pair| !pair.is_empty()) {
            if self.0.len() >= PARAMETERS_MAX {
                return Err(Failure::bad_request(IssueCode::TooCostly, "there are too many parameters"));
            }
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            self.0.push((percent_decode(name)?, percent_decode(value)?));
        }
        // A sealed cursor has a limit of its own: it carries a whole search.
        let searched = self.0.iter().filter(|(name, _)| name != "_cursor");
        let bytes: usize = searched.map(|(name, value)| name.len() + value.len()).sum();
        if bytes > SEARCH_BYTES_MAX {
            return Err(Failure::bad_request(IssueCode::TooLong, "the parameters are too long"));
        }
        Ok(())
    }

    /// Takes `_format` and `_pretty` out.
    ///
    /// # Errors
    /// 400 when one is repeated or `_pretty` is not a boolean.
    pub(crate) fn take_presentation(&mut self) -> Result<Presentation, Failure> {
        let format = self.take_one("_format")?;
        let pretty = match self.take_one("_pretty")?.as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => {
                return Err(Failure::bad_request(IssueCode::Value, "_pretty is true or false"));
            }
        };
        Ok(Presentation { format, pretty })
    }

    /// Takes the parameter of this name out.
    ///
    /// # Errors
    /// 400 when it is repeated.
    pub(crate) fn take_one(&mut self, name: &'static str) -> Result<Option<String>, Failure> {
        let mut taken = None;
        let mut repeated = false;
        self.0.retain_mut(|(at, value)| {
            if at != name {
                return true;
            }
            repeated |= taken.is_some();
            taken = Some(std::mem::take(value));
            false
        });
        if repeated {
            return Err(Failure::bad_request(IssueCode::Invalid, format!("{name} may be given once")));
        }
        Ok(taken)
    }

    /// Refuses what is left, for an interaction that has no parameters of its own.
    ///
    /// # Errors
    /// 400 when a parameter is left.
    pub(crate) fn expect_none(mut self) -> Result<(), Failure> {
        let summary = self.take_one("_summary")?;
        if self.0.is_empty() && matches!(summary.as_deref(), None | Some("false")) {
            return Ok(());
        }
        let text = "a parameter is not supported here; valid: _format, _pretty, _summary=false";
        Err(Failure::bad_request(IssueCode::NotSupported, text))
    }
}

fn percent_decode(text: &str) -> Result<String, Failure> {
    let broken = || Failure::bad_request(IssueCode::Invalid, "a percent escape of the parameters is broken");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let high = rest.next().and_then(hex_digit).ok_or_else(broken)?;
                let low = rest.next().and_then(hex_digit).ok_or_else(broken)?;
                high * 16 + low
            }
            plain => plain,
        });
    }
    String::from_utf8(bytes).map_err(|_| broken())
}

fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// Percent-encodes everything but unreserved characters (RFC 3986 §2.3).
pub(crate) fn percent_encode(text: &str) -> String {
    use std::fmt::Write;
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
