//! The primitive types and the form of their JSON values (R4, datatypes §2.24.0.1).

use serde_json::Value;

use crate::date::{Precision, date_interval, is_time};
use crate::resource_type::is_resource_id;

/// Most bytes of a string (R4: 1 MB).
pub const STRING_BYTES_MAX: usize = 1024 * 1024;

/// A primitive type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Primitive {
    Base64Binary,
    Boolean,
    Canonical,
    Code,
    Date,
    DateTime,
    Decimal,
    Id,
    Instant,
    Integer,
    Markdown,
    Oid,
    PositiveInt,
    String,
    Time,
    UnsignedInt,
    Uri,
    Url,
    Uuid,
    Xhtml,
}

impl Primitive {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "base64Binary" => Self::Base64Binary,
            "boolean" => Self::Boolean,
            "canonical" => Self::Canonical,
            "code" => Self::Code,
            "date" => Self::Date,
            "dateTime" => Self::DateTime,
            "decimal" => Self::Decimal,
            "id" => Self::Id,
            "instant" => Self::Instant,
            "integer" => Self::Integer,
            "markdown" => Self::Markdown,
            "oid" => Self::Oid,
            "positiveInt" => Self::PositiveInt,
            "string" => Self::String,
            "time" => Self::Time,
            "unsignedInt" => Self::UnsignedInt,
            "uri" => Self::Uri,
            "url" => Self::Url,
            "uuid" => Self::Uuid,
            "xhtml" => Self::Xhtml,
            _ => return None,
        })
    }

    /// Name of the type, for an issue.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Base64Binary => "base64Binary",
            Self::Boolean => "boolean",
            Self::Canonical => "canonical",
            Self::Code => "code",
            Self::Date => "date",
            Self::DateTime => "dateTime",
            Self::Decimal => "decimal",
            Self::Id => "id",
            Self::Instant => "instant",
            Self::Integer => "integer",
            Self::Markdown => "markdown",
            Self::Oid => "oid",
            Self::PositiveInt => "positiveInt",
            Self::String => "string",
            Self::Time => "time",
            Self::UnsignedInt => "unsignedInt",
            Self::Uri => "uri",
            Self::Url => "url",
            Self::Uuid => "uuid",
            Self::Xhtml => "xhtml",
        }
    }

    /// Checks a JSON value against the type.
    pub(crate) fn check(self, value: &Value) -> Result<(), Misfit> {
        match (self, value) {
            (Self::Boolean, Value::Bool(_)) | (Self::Decimal, Value::Number(_)) => Ok(()),
            (Self::Integer, Value::Number(number)) => integer(number.as_str(), i32::MIN),
            (Self::UnsignedInt, Value::Number(number)) => integer(number.as_str(), 0),
            (Self::PositiveInt, Value::Number(number)) => integer(number.as_str(), 1),
            (Self::Boolean, _) => Err(Misfit::JsonType("a boolean")),
            (Self::Decimal | Self::Integer | Self::UnsignedInt | Self::PositiveInt, _) => {
                Err(Misfit::JsonType("a number"))
            }
            (_, Value::String(text)) if text.is_empty() => Err(Misfit::Empty),
            (_, Value::String(text)) => fits(self.has_form(text)),
            _ => Err(Misfit::JsonType("a string")),
        }
    }

    fn has_form(self, text: &str) -> bool {
        match self {
            Self::Base64Binary => is_base64(text),
            Self::Code => is_code(text),
            Self::Canonical | Self::Uri | Self::Url => !text.chars().any(char::is_whitespace),
            Self::Date => !text.contains('T') && date_interval(text).is_some(),
            Self::DateTime => date_interval(text).is_some(),
            Self::Instant => {
                date_interval(text).is_some_and(|interval| interval.precision >= Precision::Second)
            }
            Self::Id => is_resource_id(text),
            Self::Markdown | Self::String => is_string(text),
            Self::Oid => is_oid(text),
            Self::Time => is_time(text),
            Self::Uuid => is_uuid(text),
            Self::Xhtml => is_narrative(text),
            // Their JSON type is no string, so `check` never asks.
            Self::Boolean | Self::Decimal | Self::Integer | Self::PositiveInt | Self::UnsignedInt => false,
        }
    }
}

/// Why a JSON value is not of a primitive type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Misfit {
    /// Another JSON type than this one.
    JsonType(&'static str),
    /// An empty string.
    Empty,
    /// The right JSON type, not the form of the type.
    Form,
}

fn fits(is_fit: bool) -> Result<(), Misfit> {
    if is_fit { Ok(()) } else { Err(Misfit::Form) }
}

fn integer(text: &str, min: i32) -> Result<(), Misfit> {
    fits(text != "-0" && text.parse::<i32>().is_ok_and(|number| number >= min))
}

fn is_string(text: &str) -> bool {
    text.len() <= STRING_BYTES_MAX
        && !text.bytes().any(|byte| byte < 0x20 && !matches!(byte, b'\t' | b'\r' | b'\n'))
}

/// Words with single whitespace between them, none at the ends.
fn is_code(text: &str) -> bool {
    text.split([' ', '\t', '\r', '\n']).all(|word| !word.is_empty())
}

fn is_oid(text: &str) -> bool {
    let Some(arcs) = text.strip_prefix("urn:oid:") else { return false };
    let number = |arc: &str| {
        arc == "0" || (!arc.is_empty() && !arc.starts_with('0') && arc.bytes().all(|b| b.is_ascii_digit()))
    };
    matches!(arcs.split_once('.'), Some(("0" | "1" | "2", rest)) if rest.split('.').all(number))
}

fn is_uuid(text: &str) -> bool {
    let Some(uuid) = text.strip_prefix("urn:uuid:") else { return false };
    let mut groups = uuid.split('-');
    [8, 4, 4, 4, 12].iter().all(|length| {
        let lower_hex = |group: &str| group.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        groups.next().is_some_and(|group| group.len() == *length && lower_hex(group))
    }) && groups.next().is_none()
}

fn is_base64(text: &str) -> bool {
    let (mut length, mut padding) = (0_usize, 0_usize);
    for byte in text.bytes().filter(|byte| !byte.is_ascii_whitespace()) {
        match byte {
            b'=' => padding += 1,
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' if padding == 0 => {}
            _ => return false,
        }
        length += 1;
    }
    length > 0 && length.is_multiple_of(4) && padding <= 2
}

/// A `div` that holds something (R4, narrative §2.25: one div, no active content).
fn is_narrative(text: &str) -> bool {
    let text = text.trim();
    let named = text.strip_prefix("<div").is_some_and(|rest| rest.starts_with([' ', '>', '\t', '\r', '\n']));
    named && text.ends_with("</div>") && !text.contains("<script")
}

#[cfg(test)]
mod tests {
    use super::{Misfit, Primitive};
    use serde_json::{Value, json};

    #[test]
    fn each_type_accepts_its_form_and_refuses_others() {
        let cases: &[(&str, &[Value], &[Value])] = &[
            ("boolean", &[json!(true)], &[json!("true"), json!(1)]),
            (
                "integer",
                &[json!(0), json!(-5), json!(i32::MAX)],
                &[json!(1.0), json!(3_000_000_000_u32), json!("1")],
            ),
            ("unsignedInt", &[json!(0)], &[json!(-1)]),
            ("positiveInt", &[json!(1)], &[json!(0)]),
            ("decimal", &[json!(1), json!(1.50)], &[json!("1.5")]),
            ("string", &[json!("a\nb"), json!(" ")], &[json!(""), json!("a\u{1}"), json!(["a"])]),
            ("code", &[json!("a b")], &[json!(" a"), json!("a "), json!("a  b")]),
            ("id", &[json!("A-1.b")], &[json!("a_b"), json!("a".repeat(65))]),
            ("uri", &[json!("urn:x"), json!("a/b")], &[json!("a b")]),
            (
                "oid",
                &[json!("urn:oid:1.2.0")],
                &[json!("1.2.3"), json!("urn:oid:3.1"), json!("urn:oid:1.02"), json!("urn:oid:1")],
            ),
            (
                "uuid",
                &[json!("urn:uuid:c757873d-ec9a-4326-a141-556f43239520")],
                &[json!("urn:uuid:c757873d"), json!("c757873d-ec9a-4326-a141-556f43239520")],
            ),
            (
                "date",
                &[json!("2024-02-29"), json!("2024")],
                &[json!("2023-02-29"), json!("2026-13-45"), json!("2024-02-29T10:00:00Z")],
            ),
            (
                "dateTime",
                &[json!("2024"), json!("2024-02-29T10:00:00.1+01:00")],
                &[json!("2024-02-29T10:00:00"), json!("2024-02-29T10:00Z")],
            ),
            ("instant", &[json!("2024-02-29T10:00:00Z")], &[json!("2024-02-29")]),
            ("time", &[json!("10:00:00")], &[json!("10:00"), json!("24:00:00")]),
            (
                "base64Binary",
                &[json!("QUJD"), json!("QQ=="), json!("QU\nJD")],
                &[json!("QUJ"), json!("Q===QUJD"), json!("QU?D")],
            ),
            (
                "xhtml",
                &[json!("<div xmlns=\"http://www.w3.org/1999/xhtml\">a</div>")],
                &[json!("a"), json!("<divx>a</div>")],
            ),
        ];
        for (name, good, bad) in cases {
            let primitive = Primitive::parse(name).unwrap();
            assert_eq!(primitive.as_str(), *name);
            for value in *good {
                assert_eq!(primitive.check(value), Ok(()), "{name} {value}");
            }
            for value in *bad {
                assert!(primitive.check(value).is_err(), "{name} {value}");
            }
        }
        assert_eq!(Primitive::String.check(&json!("")), Err(Misfit::Empty));
    }
}
