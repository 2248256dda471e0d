//! Audit records of what people do here, committed before the answer.

use audit::{Actor, Kind, Record};
use uuid::{Builder, Uuid};

use crate::Error;
use crate::server::{Console, Peer};
use crate::session::Session;

/// A new random id.
pub(crate) fn new_id(console: &Console) -> Uuid {
    let mut bytes = [0; 16];
    (console.fill_random)(&mut bytes);
    Builder::from_random_bytes(bytes).into_uuid()
}

/// A new journal id: UUIDv7, from the console's clock and randomness.
#[cfg(feature = "clinical")]
pub(crate) fn new_journal_id(console: &Console) -> store::JournalId {
    let mut random = [0; 10];
    (console.fill_random)(&mut random);
    let millis = u64::try_from((console.now_us)() / 1_000).unwrap_or(0);
    store::JournalId(Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
}

/// A record of an act in a session.
///
/// # Errors
/// When the session's name is no code, which cannot be: it is hexadecimal.
pub(crate) fn act(console: &Console, kind: Kind, session: &Session, peer: Peer) -> Result<Record, Error> {
    begin(console, kind, session.user, peer).object("session", &session.name()).map_err(not_recorded)
}

/// A record of an act of `user` outside of a session.
pub(crate) fn begin(console: &Console, kind: Kind, user: &str, peer: Peer) -> Record {
    by(console, kind, Actor::User(user.to_owned()), peer)
}

/// A record of an act of the program that has this client id.
#[cfg(feature = "clinical")]
pub(crate) fn by_client(console: &Console, kind: Kind, client: &str, peer: Peer) -> Record {
    by(console, kind, Actor::Client(client.to_owned()), peer)
}

fn by(console: &Console, kind: Kind, actor: Actor, peer: Peer) -> Record {
    let record = Record::new(kind, new_id(console), &console.node, (console.now_us)()).actor(actor);
    match peer.0 {
        Some(address) => record.network(address),
        None => record,
    }
}

/// The error of a record that is not committed.
pub(crate) fn not_recorded(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::NotRecorded(Box::new(error))
}
