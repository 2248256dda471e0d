//! Sealed cursors: a link that continues a search without telling what was searched.
//!
//! A cursor is AES-256-GCM over the search, its page size and the position (the values that the last match is sorted by
//! among them), bound to the role and to what is paged: a type's search, or one history. It
//! keeps no state in the server, so a link works as long as the cursor key does.

use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fhir::IssueCode;
use serde::{Deserialize, Serialize};
use store::{Position, SortValue};

use crate::capacity::CURSOR_CHARS_MAX;
use crate::error::Error;
use crate::outcome::Failure;

/// Version of the sealed form; a cursor of another version is refused.
const VERSION: &str = "cursor/2";

/// The key that seals cursors (32 random bytes, one for each node). Debug is redacted.
#[derive(Clone)]
pub struct CursorKey(Arc<RandomizedNonceKey>);

impl CursorKey {
    /// # Errors
    /// [`Error::CursorKey`] when there are not 32 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        RandomizedNonceKey::new(&AES_256_GCM, bytes)
            .map(|key| Self(Arc::new(key)))
            .map_err(|_| Error::CursorKey)
    }

    /// # Errors
    /// 500 when the cipher refuses, which its key and lengths rule out.
    pub(crate) fn seal(&self, cursor: &Cursor, role: &str, scope: &str) -> Result<String, Failure> {
        let mut sealed = serde_json::to_vec(cursor).map_err(|_| Failure::internal())?;
        let nonce = self
            .0
            .seal_in_place_append_tag(Aad::from(bound_to(role, scope)), &mut sealed)
            .map_err(|_| Failure::internal())?;
        let mut bytes = nonce.as_ref().to_vec();
        bytes.append(&mut sealed);
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// # Errors
    /// 400 when the cursor was not sealed by this key for this role and scope.
    pub(crate) fn open(&self, text: &str, role: &str, scope: &str) -> Result<Cursor, Failure> {
        self.try_open(text, role, scope)
            .ok_or_else(|| Failure::bad_request(IssueCode::Value, "_cursor is not a link of this server"))
    }

    fn try_open(&self, text: &str, role: &str, scope: &str) -> Option<Cursor> {
        if text.len() > CURSOR_CHARS_MAX {
            return None;
        }
        let mut bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (nonce, sealed) = bytes.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let opened = self.0.open_in_place(nonce, Aad::from(bound_to(role, scope)), sealed).ok()?;
        serde_json::from_slice(opened).ok()
    }
}

impl std::fmt::Debug for CursorKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("CursorKey([redacted])")
    }
}

/// A search to run again from a position. It can carry identifiers, so it has no Debug.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cursor {
    /// Parameters as the first request gave them, those of presentation left out.
    #[serde(rename = "q")]
    pub(crate) parameters: Vec<(String, String)>,
    /// Position after the last match of the page before; none for the first page.
    #[serde(rename = "a", with = "place")]
    pub(crate) after: Option<Position>,
}

fn bound_to(role: &str, scope: &str) -> Vec<u8> {
    format!("{VERSION}|{role}|{scope}").into_bytes()
}

/// A position as it is sealed.
mod place {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{Position, SortValue};

    #[derive(Serialize, Deserialize)]
    enum Value {
        #[serde(rename = "m")]
        Missing,
        #[serde(rename = "i")]
        Interval(i64, i64),
        #[serde(rename = "t")]
        Text(String, String),
        #[serde(rename = "n")]
        Number(i64),
    }

    pub(super) fn serialize<S: Serializer>(at: &Option<Position>, to: S) -> Result<S::Ok, S::Error> {
        let value = |value: &SortValue| match value {
            SortValue::Missing => Value::Missing,
            SortValue::Interval(low, high) => Value::Interval(*low, *high),
            SortValue::Text(first, second) => Value::Text(first.clone(), second.clone()),
            SortValue::Number(order) => Value::Number(*order),
        };
        at.as_ref().map(|at| (at.keys.iter().map(value).collect::<Vec<_>>(), at.number)).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Position>, D::Error> {
        let value = |value: Value| match value {
            Value::Missing => SortValue::Missing,
            Value::Interval(low, high) => SortValue::Interval(low, high),
            Value::Text(first, second) => SortValue::Text(first, second),
            Value::Number(order) => SortValue::Number(order),
        };
        let read: Option<(Vec<Value>, i64)> = Option::deserialize(from)?;
        Ok(read.map(|(keys, number)| Position { keys: keys.into_iter().map(value).collect(), number }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn position() -> Position {
        let text = SortValue::Text("everywoman".to_owned(), "Everywoman".to_owned());
        let keys = vec![text, SortValue::Interval(-5, i64::MAX), SortValue::Number(3), SortValue::Missing];
        Position { keys, number: 7 }
    }

    fn cursor() -> Cursor {
        Cursor { parameters: vec![("identifier".to_owned(), "A1".to_owned())], after: Some(position()) }
    }

    #[test]
    fn a_cursor_opens_only_where_it_was_sealed_for() {
        let key = CursorKey::from_bytes(&[7; 32]).expect("32 bytes");
        let other = CursorKey::from_bytes(&[8; 32]).expect("32 bytes");
        let patient = "Patient";
        let encounter = "Patient/1/_history";
        let sealed = key.seal(&cursor(), "clinical", patient).expect("seals");
        assert!(key.open(&sealed, "clinical", patient).expect("opens") == cursor());
        assert!(key.open(&sealed, "portal", patient).is_err());
        assert!(key.open(&sealed, "clinical", encounter).is_err());
        assert!(other.open(&sealed, "clinical", patient).is_err());
        assert!(key.open("", "clinical", patient).is_err());
        assert!(key.open(&"A".repeat(CURSOR_CHARS_MAX + 1), "clinical", patient).is_err());
    }

    #[test]
    fn every_changed_character_is_noticed() {
        let key = CursorKey::from_bytes(&[7; 32]).expect("32 bytes");
        let patient = "Patient";
        let sealed = key.seal(&cursor(), "clinical", patient).expect("seals");
        for at in 0..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).expect("ASCII");
            assert!(key.open(&changed, "clinical", patient).is_err(), "character {at}");
        }
    }

    fn any_value() -> impl Strategy<Value = SortValue> {
        prop_oneof![
            Just(SortValue::Missing),
            any::<(i64, i64)>().prop_map(|(low, high)| SortValue::Interval(low, high)),
            any::<(String, String)>().prop_map(|(first, second)| SortValue::Text(first, second)),
            any::<i64>().prop_map(SortValue::Number),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_cursor_comes_back_as_it_was_and_shows_nothing(
            parameters in prop::collection::vec(any::<(String, String)>(), 0..4),
            keys in prop::collection::vec(any_value(), 0..4),
            number in any::<Option<i64>>(),
        ) {
            let key = CursorKey::from_bytes(&[7; 32]).expect("32 bytes");
            let after = number.map(|number| Position { keys, number });
            let cursor = Cursor { parameters, after };
            let sealed = key.seal(&cursor, "clinical", "Patient").expect("seals");
            prop_assert!(sealed.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'));
            prop_assert!(key.open(&sealed, "clinical", "Patient").expect("opens") == cursor);
        }
    }

    #[test]
    fn two_cursors_of_one_search_differ() {
        let key = CursorKey::from_bytes(&[7; 32]).expect("32 bytes");
        let patient = "Patient";
        let seal = || key.seal(&cursor(), "clinical", patient).expect("seals");
        assert_ne!(seal(), seal());
        assert!(CursorKey::from_bytes(&[7; 31]).is_err());
        assert_eq!(format!("{key:?}"), "CursorKey([redacted])");
    }
}
