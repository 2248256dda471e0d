//! Messages in several parts: each part is a journal entry, and the last of them is translated as the whole.
//!
//! Which entries belong together is told by business keys that the parts leave when they are applied, in journal order:
//! so a part finds the one before it however long ago it came, and a reprocess finds the same.

use std::sync::Arc;

use hl7v2::Message;
use hl7v2::continuation::{Part, assemble};
use hl7v2::message::Unreadable;
use store::{Cause, Entry, Key, KeyTerm, MessageFilter, MessageState, WriteSet};

use crate::Error;
use crate::follow::{Pipeline, translate_safely};
use crate::row::{self, Heading};
use crate::translate::Translated;

/// Kind of the key that a part leaves for its continuation.
const KEY: &str = "continuation";
/// Parts of one message.
const PARTS_MAX: usize = 100;
/// Bytes of all parts of one message.
const BYTES_MAX: usize = 64 << 20;
/// Entries with one pointer that are looked at for the one before; pointers are used again by some.
const CANDIDATES_MAX: usize = 50;

/// A part that another continues: it waits, and is applied with the last.
const WAITING: &str = "waiting-for-continuation";
/// A part whose predecessor did not come before it.
pub(crate) const NO_PREDECESSOR: &str = "continuation-without-predecessor";
/// More parts, or bytes, than one message may have.
const TOO_LONG: &str = "continuation-too-long";

impl Pipeline {
    /// What an entry says: by itself, or with the parts before it. Nothing before it may be uncommitted.
    pub(crate) async fn whole(&self, entry: &Entry, translated: Translated) -> Result<Translated, Error> {
        let Translated::Part { part, message_type, sender, mut keys } = translated else {
            return Ok(translated);
        };
        if let Some(pointer) = &part.continued {
            keys.push(Key { kind: KEY, value: key(entry, pointer), system: None });
        }
        let quarantined = |reason: &str, message_type, sender, keys| {
            Ok(Translated::Quarantined { reason: reason.to_owned(), message_type, sender, keys })
        };
        let parts = match self.parts(entry, &part).await? {
            Ok(parts) => parts,
            Err(reason) => return quarantined(reason, message_type, sender, keys),
        };
        if part.continued.is_some() {
            return Ok(Translated::Waiting { message_type, sender, keys });
        }
        let (package, namespace) = (Arc::clone(&self.package), self.environment.namespace);
        let own = entry.clone();
        let whole = tokio::task::spawn_blocking(move || {
            let read: Vec<Message<'_>> = parts.iter().filter_map(|part| read(part).ok()).collect();
            translate_safely(&package, namespace, &Entry { bytes: assemble(&read).into(), ..own })
        });
        match whole.await.map_err(|_| Error::Translation)? {
            // Without its DSC it is no part any more, but for a pointer in its header, which was followed.
            Translated::Part { message_type, sender, keys, .. } => {
                quarantined(NO_PREDECESSOR, message_type, sender, keys)
            }
            translated => Ok(translated),
        }
    }

    /// The row of a part that waits; it changes nothing else.
    pub(crate) fn waiting(&self, heading: &Heading<'_>, cause: Cause, keys: Vec<Key>) -> WriteSet {
        let now_us = (self.environment.now_us)();
        let (state, reason) = (MessageState::Filtered, Some(WAITING.to_owned()));
        let message = row::message_row(heading, state, reason, None, now_us);
        let records = vec![row::waiting_record(&self.environment, heading, cause)];
        WriteSet { keys, ..WriteSet::of(cause, message, records) }
    }

    /// All parts up to `entry`, first to last; the reason when they are not all there.
    async fn parts(&self, entry: &Entry, part: &Part) -> Result<Result<Vec<Entry>, &'static str>, Error> {
        let mut parts = vec![entry.clone()];
        let mut size = entry.bytes.len();
        let mut continues = part.continues.clone();
        while let Some(pointer) = continues {
            let Some(next) = parts.last() else { break };
            let Some((before, part)) = self.before(next, &pointer).await? else {
                return Ok(Err(NO_PREDECESSOR));
            };
            size += before.bytes.len();
            parts.push(before);
            if parts.len() > PARTS_MAX || size > BYTES_MAX {
                return Ok(Err(TOO_LONG));
            }
            continues = part.continues;
        }
        parts.reverse();
        Ok(Ok(parts))
    }

    /// The entry of the same sender that says of itself that `pointer` continues it.
    async fn before(&self, entry: &Entry, pointer: &[u8]) -> Result<Option<(Entry, Part)>, Error> {
        let term = KeyTerm { kind: Some(KEY), value: key(entry, pointer) };
        let filter = MessageFilter { key: Some(term), ..MessageFilter::default() };
        let mut rows = self.ports.messages.list(&filter, None, CANDIDATES_MAX).await?;
        // The last one before it; one that came after it only when there is none, which a reprocess may find.
        rows.retain(|row| row.seq != entry.seq);
        rows.sort_by_key(|row| (row.seq > entry.seq, row.seq.0.abs_diff(entry.seq.0)));
        for row in rows {
            let Some(before) = self.ports.journal.read(row.id).await? else { continue };
            let part = read(&before).ok().and_then(|message| Part::of(&message));
            let is_continued = part.as_ref().is_some_and(|part| part.continued.as_deref() == Some(pointer));
            if let Some(part) = part.filter(|_| is_continued && before.refused.is_none())
                && sender(&before) == sender(entry)
            {
                return Ok(Some((before, part)));
            }
        }
        Ok(None)
    }
}

fn read(entry: &Entry) -> Result<Message<'_>, Unreadable> {
    Message::read_as(&entry.bytes, entry.charset.as_deref())
}

/// Sender and pointer, as they are looked for.
fn key(entry: &Entry, pointer: &[u8]) -> String {
    let (application, facility) = sender(entry).unwrap_or_default();
    let parts = [&application, &facility, pointer].map(String::from_utf8_lossy);
    parts.join("|")
}

/// MSH-3 and MSH-4 as sent.
fn sender(entry: &Entry) -> Option<(Vec<u8>, Vec<u8>)> {
    let message = read(entry).ok()?;
    let header = message.header();
    Some((header.sending_application().raw().to_vec(), header.sending_facility().raw().to_vec()))
}
