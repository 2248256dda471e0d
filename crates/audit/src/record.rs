//! One act as a ledger leaf: canonical JSON without free text.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::code::{code_or_digest, is_code};
use crate::token::is_token;
use crate::{Error, Kind};

/// Most objects one record names.
pub const OBJECTS_MAX: usize = 1_024;
/// Most patients one record names.
pub const PATIENTS_MAX: usize = 64;
/// The version this build writes.
const VERSION: u32 = 1;
/// Written in the place of a patient token that no token key made.
const TOKEN_REFUSED: &str = "not-a-token";

/// One act. No PHI: ids, codes, hashes and tokens only; the schema has no free text.
///
/// The bytes of [`Record::to_bytes`] are the leaf of the ledger: one record has exactly one byte form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    kind: Kind,
    id: Uuid,
    node: String,
    at_us: i64,
    outcome: Option<String>,
    actor: Actor,
    network: Option<IpAddr>,
    message: Option<Uuid>,
    patients: Vec<String>,
    objects: Vec<(String, String)>,
}

/// Who acted. Texts outside the code alphabet are recorded as their digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// The node itself.
    Node,
    /// A system, by its client id or channel.
    Client(String),
    /// A person, by account id.
    User(String),
}

/// The stored form. Field order is the canonical order.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    v: u32,
    kind: String,
    id: String,
    node: String,
    at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    outcome: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    network: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    patients: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    objects: Vec<(String, String)>,
}

impl Record {
    /// A record of one act by the node itself. `at_us`: µs since the epoch, UTC. `node`: this node's name, a code.
    pub fn new(kind: Kind, id: Uuid, node: &str, at_us: i64) -> Self {
        Self {
            kind,
            id,
            node: code_or_digest(node),
            at_us,
            outcome: None,
            actor: Actor::Node,
            network: None,
            message: None,
            patients: Vec::new(),
            objects: Vec::new(),
        }
    }

    /// How it ended: `ok`, or the code of what went wrong.
    pub fn outcome(mut self, code: &'static str) -> Self {
        self.outcome = Some(code_or_digest(code));
        self
    }

    /// Who acted.
    pub fn actor(mut self, actor: Actor) -> Self {
        self.actor = match actor {
            Actor::Node => Actor::Node,
            Actor::Client(id) => Actor::Client(code_or_digest(&id)),
            Actor::User(id) => Actor::User(code_or_digest(&id)),
        };
        self
    }

    /// The address the actor came from.
    pub fn network(mut self, address: IpAddr) -> Self {
        self.network = Some(address);
        self
    }

    /// The journal id of the message acted on.
    pub fn message(mut self, journal_id: Uuid) -> Self {
        self.message = Some(journal_id);
        self
    }

    /// A patient concerned, by the token of a [`TokenKey`](crate::TokenKey); call it once for each patient. A text that
    /// is no such token is recorded as `not-a-token`; beyond [`PATIENTS_MAX`] further ones are not recorded.
    pub fn patient_token(mut self, token: &str) -> Self {
        let token = if is_token(token) { token } else { TOKEN_REFUSED };
        if self.patients.len() < PATIENTS_MAX && self.patients.iter().all(|known| known != token) {
            self.patients.push(token.to_owned());
        }
        self
    }

    /// An object or stage of the act, as a (name, id or hash or code) pair.
    ///
    /// # Errors
    /// [`Error::NotACode`] when either is outside [`is_code`](crate::is_code) or [`OBJECTS_MAX`] are named already.
    pub fn object(mut self, name: &'static str, id: &str) -> Result<Self, Error> {
        if !is_code(name) || !is_code(id) || self.objects.len() >= OBJECTS_MAX {
            return Err(Error::NotACode);
        }
        self.objects.push((name.to_owned(), id.to_owned()));
        Ok(self)
    }

    /// The canonical bytes: JSON, fields in fixed order, no insignificant space.
    pub fn to_bytes(&self) -> Vec<u8> {
        // A struct of strings, integers and lists has no value that serde_json refuses.
        serde_json::to_vec(&self.to_stored()).unwrap_or_default()
    }

    /// Reads what [`Record::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`Error::Unreadable`] for any other bytes, a second byte form of the same record included.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let stored: Stored = serde_json::from_slice(bytes).map_err(|_| Error::Unreadable)?;
        let record = Self::from_stored(stored).ok_or(Error::Unreadable)?;
        if record.to_bytes() == bytes { Ok(record) } else { Err(Error::Unreadable) }
    }

    /// What was done.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The record's own id.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// When, in µs since the epoch, UTC.
    pub fn at_us(&self) -> i64 {
        self.at_us
    }

    /// The node that recorded it.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// How it ended, if it was said.
    pub fn outcome_code(&self) -> Option<&str> {
        self.outcome.as_deref()
    }

    /// Who acted.
    pub fn acted_by(&self) -> &Actor {
        &self.actor
    }

    /// The address the actor came from.
    pub fn network_address(&self) -> Option<IpAddr> {
        self.network
    }

    /// The journal id of the message acted on.
    pub fn message_id(&self) -> Option<Uuid> {
        self.message
    }

    /// Tokens of the patients concerned.
    pub fn patient_tokens(&self) -> &[String] {
        &self.patients
    }

    /// Objects and stages, in the order they were named.
    pub fn objects(&self) -> &[(String, String)] {
        &self.objects
    }

    fn to_stored(&self) -> Stored {
        let (client, user) = match &self.actor {
            Actor::Node => (None, None),
            Actor::Client(id) => (Some(id.clone()), None),
            Actor::User(id) => (None, Some(id.clone())),
        };
        Stored {
            v: VERSION,
            kind: self.kind.as_str().to_owned(),
            id: self.id.to_string(),
            node: self.node.clone(),
            at: self.at_us,
            outcome: self.outcome.clone(),
            client,
            user,
            network: self.network.map(|address| address.to_string()),
            message: self.message.map(|id| id.to_string()),
            patients: self.patients.clone(),
            objects: self.objects.clone(),
        }
    }

    fn from_stored(stored: Stored) -> Option<Self> {
        let actor = match (stored.client, stored.user) {
            (None, None) => Actor::Node,
            (Some(id), None) if is_code(&id) => Actor::Client(id),
            (None, Some(id)) if is_code(&id) => Actor::User(id),
            _ => return None,
        };
        let codes = stored.outcome.iter().chain([&stored.node]);
        let objects = stored.objects.iter().flat_map(|(name, id)| [name, id]);
        let tokens_hold = stored.patients.iter().all(|token| is_token(token) || token == TOKEN_REFUSED);
        let lists_hold = stored.patients.len() <= PATIENTS_MAX && stored.objects.len() <= OBJECTS_MAX;
        if stored.v != VERSION
            || !codes.chain(objects).all(|code| is_code(code))
            || !tokens_hold
            || !lists_hold
        {
            return None;
        }
        let network = match stored.network {
            Some(text) => Some(text.parse().ok()?),
            None => None,
        };
        let message = match stored.message {
            Some(text) => Some(Uuid::parse_str(&text).ok()?),
            None => None,
        };
        Some(Self {
            kind: Kind::parse(&stored.kind)?,
            id: Uuid::parse_str(&stored.id).ok()?,
            node: stored.node,
            at_us: stored.at,
            outcome: stored.outcome,
            actor,
            network,
            message,
            patients: stored.patients,
            objects: stored.objects,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "00112233445566778899aabbccddeeff";

    fn sample() -> Record {
        Record::new(Kind::Delivered, Uuid::from_u128(7), "node-1", 1_700_000_000_000_000)
            .outcome("ok")
            .actor(Actor::Client("cloud-1".into()))
            .network(IpAddr::from([10, 0, 0, 1]))
            .message(Uuid::from_u128(9))
            .patient_token(TOKEN)
            .object("released", "Observation/abc")
            .expect("code")
    }

    /// Version 1 as it is stored; this text never changes.
    const SAMPLE_V1: &str = concat!(
        r#"{"v":1,"kind":"release.delivered","id":"00000000-0000-0000-0000-000000000007","node":"node-1","#,
        r#""at":1700000000000000,"outcome":"ok","client":"cloud-1","network":"10.0.0.1","#,
        r#""message":"00000000-0000-0000-0000-000000000009","patients":["00112233445566778899aabbccddeeff"],"#,
        r#""objects":[["released","Observation/abc"]]}"#
    );

    #[test]
    fn the_stored_form_of_version_1_is_kept() {
        assert_eq!(String::from_utf8(sample().to_bytes()).expect("utf-8"), SAMPLE_V1);
        assert_eq!(Record::from_bytes(SAMPLE_V1.as_bytes()).expect("reads"), sample());
    }

    #[test]
    fn a_second_byte_form_is_unreadable() {
        for (from, to) in [
            ("\"v\":1", "\"v\": 1"),
            ("\"v\":1", "\"v\":2"),
            ("release.delivered", "release.invented"),
            ("\"outcome\":\"ok\",", "\"outcome\":null,"),
            ("\"outcome\":\"ok\"", "\"outcome\":\"not ok\""),
            ("10.0.0.1", "10.0.0.256"),
            ("\"node\":", "\"note\":\"x\",\"node\":"),
            (TOKEN, "MRN123"),
        ] {
            let other = SAMPLE_V1.replacen(from, to, 1);
            assert_ne!(other, SAMPLE_V1);
            assert!(matches!(Record::from_bytes(other.as_bytes()), Err(Error::Unreadable)), "{to}");
        }
    }

    #[test]
    fn free_text_never_reaches_the_bytes() {
        let record = Record::new(Kind::SignIn, Uuid::nil(), "Ward Süd", 1)
            .actor(Actor::User("Jane Doe".into()))
            .patient_token("DOE^JANE")
            .patient_token("MRN0001");
        assert!(record.clone().object("note", "seen by Jane Doe").is_err());
        let text = String::from_utf8(record.to_bytes()).expect("utf-8");
        for word in ["Jane", "Doe", "DOE", "MRN0001", "Ward"] {
            assert!(!text.contains(word), "{word}");
        }
        assert_eq!(record.patient_tokens(), ["not-a-token"]);
        assert_eq!(Record::from_bytes(text.as_bytes()).expect("reads"), record);
    }

    #[test]
    fn objects_are_bounded() {
        let mut record = sample();
        for _ in 1..OBJECTS_MAX {
            record = record.object("stage", "mapped").expect("within the limit");
        }
        assert!(record.object("stage", "mapped").is_err());
    }
}
