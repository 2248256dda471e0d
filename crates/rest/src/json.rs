//! Strict JSON (RFC 8259): one value of UTF-8 text without a byte order mark, no name twice in an object, numbers as sent. What
//! is wrong is told by line and column and never by what stands there.

use std::fmt;

use fhir::IssueCode;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Objects and arrays within one another.
pub(crate) const DEPTH_MAX: usize = 96;
/// How serde_json hands over a number that keeps its digits: an object of this one member.
const NUMBER: &str = "$serde_json::private::Number";
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
const TWICE: &str = "a name stands twice in an object";
const TOO_DEEP: &str = "it is nested too deep";

/// What is wrong with a text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    pub(crate) code: IssueCode,
    pub(crate) text: String,
}

/// Reads one value.
///
/// # Errors
/// What is wrong, and where.
pub(crate) fn parse(bytes: &[u8]) -> Result<Value, Malformed> {
    let structure = |text: String| Malformed { code: IssueCode::Structure, text };
    if bytes.starts_with(BYTE_ORDER_MARK) {
        return Err(structure(
            "the JSON begins with a byte order mark, which JSON does not have (line 1, column 1)".into(),
        ));
    }
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(structure("a body is expected".into()));
    }
    if let Err(error) = std::str::from_utf8(bytes) {
        let (line, column) = position(bytes, error.valid_up_to());
        return Err(structure(format!("the JSON is not UTF-8 (line {line}, column {column})")));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { depth: 0 }.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    value.map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let said = error.to_string();
        if said.starts_with(TWICE) {
            return structure(format!("{TWICE} (line {line}, column {column})"));
        }
        if said.starts_with(TOO_DEEP) || said.starts_with("recursion limit") {
            let text = format!("{TOO_DEEP}, {DEPTH_MAX} is the most (line {line}, column {column})");
            return Malformed { code: IssueCode::TooCostly, text };
        }
        let what = if error.is_eof() { "the JSON ends too early" } else { "this is not JSON" };
        structure(format!("{what} (line {line}, column {column})"))
    })
}

/// Line and column of a byte, from 1.
fn position(bytes: &[u8], at: usize) -> (usize, usize) {
    let before = bytes.get(..at).unwrap_or(bytes);
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |found| found + 1);
    (line, before.len() - start + 1)
}

/// Reads a value at a depth.
#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl Strict {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth >= DEPTH_MAX { Err(E::custom(TOO_DEEP)) } else { Ok(Self { depth: self.depth + 1 }) }
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.deeper::<A::Error>()?;
        let mut found = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            found.push(item);
        }
        Ok(Value::Array(found))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.deeper::<A::Error>()?;
        let mut found = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if found.is_empty() && name == NUMBER {
                let digits = members.next_value_seed(Digits)?;
                return digits.parse::<Number>().map(Value::Number).map_err(A::Error::custom);
            }
            let value = members.next_value_seed(inner)?;
            if found.insert(name, value).is_some() {
                return Err(A::Error::custom(TWICE));
            }
        }
        Ok(Value::Object(found))
    }
}

/// The digits of a number.
struct Digits;

impl<'de> DeserializeSeed<'de> for Digits {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<String, D::Error> {
        String::deserialize(reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &[u8]) -> String {
        parse(text).expect_err("is refused").text
    }

    #[test]
    fn what_is_sent_is_what_is_read() {
        let text = r#"{"a":[1.00,-0.0,1e2,12345678901234567890.5],"b":{"c":null,"d":true},"e":"ü\n"}"#;
        let value = parse(text.as_bytes()).expect("reads");
        assert_eq!(value, serde_json::from_str::<Value>(text).expect("reads"));
        assert_eq!(value.pointer("/a/0").map(ToString::to_string).as_deref(), Some("1.00"));
        assert_eq!(parse(b" 7 "), Ok(serde_json::json!(7)));
    }

    #[test]
    fn what_is_wrong_is_told_by_its_place() {
        for (text, expected) in [
            (&b"{\"a\": 1,\n \"b\""[..], "the JSON ends too early (line 2, column 4)"),
            (b"{\"a\": 1,\n \"a\": 2}", "a name stands twice in an object (line 2, column 8)"),
            (b"{\"a\": tru}", "this is not JSON (line 1, column 10)"),
            (b"{} {}", "this is not JSON (line 1, column 4)"),
            (b"{\"a\": 01}", "this is not JSON (line 1, column 8)"),
            (b"\n\"\xff\"", "the JSON is not UTF-8 (line 2, column 2)"),
            (b"", "a body is expected"),
            (b" \n ", "a body is expected"),
        ] {
            assert_eq!(refused(text), expected);
        }
        assert!(refused(b"\xef\xbb\xbf{}").contains("byte order mark"));
    }

    #[test]
    fn names_count_once_at_every_depth_and_apart() {
        assert!(parse(br#"{"a":{"x":1},"b":{"x":1},"c":[{"x":1},{"x":1}]}"#).is_ok());
        assert!(refused(br#"{"a":[{"x":1,"x":1}]}"#).starts_with(TWICE));
        // The same name in two spellings.
        assert!(refused(br#"{"x":1,"\u0078":1}"#).starts_with(TWICE));
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(nested(DEPTH_MAX).as_bytes()).is_ok());
        for depth in [DEPTH_MAX + 1, 100_000] {
            let malformed = parse(nested(depth).as_bytes()).expect_err("is refused");
            assert_eq!(malformed.code, IssueCode::TooCostly);
        }
    }

    #[test]
    fn no_text_of_a_body_is_repeated() {
        for text in [
            "{\"Fairweather\" \"x\"}",
            "{\"a\": Fairweather}",
            "Fairweather",
            "{\"Fairweather\":1,\"Fairweather\":2}",
        ] {
            assert!(!refused(text.as_bytes()).contains("Fairweather"), "{text}");
        }
    }
}
