//! Sessions: random ids, kept in memory as digests, ended by age, by idleness or by signing out.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use store::Micros;
use subtle::ConstantTimeEq;

use crate::hex::{hex, sha256};
use crate::preferences::View;

/// A session ends this long after its sign-in, µs (8 hours).
pub const SESSION_ABSOLUTE_US: Micros = 8 * 3_600 * 1_000_000;
/// A session ends this long after its last request, µs (30 minutes).
pub const SESSION_IDLE_US: Micros = 30 * 60 * 1_000_000;
/// Sessions at once; the one that was idle longest ends when another begins.
pub const SESSIONS_MAX: usize = 64;
/// Searches that a session keeps; the oldest gives way.
const KEPT_MAX: usize = 16;
/// Bytes of the id of a kept search.
const KEPT_ID_BYTES: usize = 12;
/// Bytes of an id and of a form token.
const SECRET_BYTES: usize = 32;
/// Digest bytes that name a session in records.
const NAME_BYTES: usize = 8;

/// SHA-256 of a session id.
type IdHash = [u8; 32];

/// One signed-in person, as handlers see them.
#[derive(Clone)]
pub(crate) struct Session {
    key: IdHash,
    /// Token that every form of this session carries.
    pub(crate) form_token: String,
    /// Account id for records.
    pub(crate) user: &'static str,
    /// Where this request is and how its pages look; not kept between requests.
    pub(crate) view: View,
}

impl Session {
    /// Names the session in records; the id cannot be found from it.
    pub(crate) fn name(&self) -> String {
        hex(self.key.get(..NAME_BYTES).unwrap_or(&self.key))
    }

    /// Whether a form carries this session's token; constant time.
    pub(crate) fn holds(&self, form_token: &str) -> bool {
        self.form_token.as_bytes().ct_eq(form_token.as_bytes()).into()
    }
}

/// What was searched for, under an id that tells nothing: what is looked for may name a person. PHI.
#[derive(Clone)]
pub(crate) enum Kept {
    /// Ledger records that name one of these patient tokens.
    Records(Vec<String>),
    /// Messages.
    #[cfg(feature = "clinical")]
    Messages(store::MessageFilter),
}

struct State {
    session: Session,
    kept: VecDeque<(String, Kept)>,
    created_us: Micros,
    seen_us: Micros,
}

impl State {
    fn has_ended(&self, now_us: Micros) -> bool {
        now_us.saturating_sub(self.created_us) >= SESSION_ABSOLUTE_US
            || now_us.saturating_sub(self.seen_us) >= SESSION_IDLE_US
    }
}

/// All sessions of this process.
#[derive(Default)]
pub(crate) struct Sessions {
    all: Mutex<HashMap<IdHash, State>>,
}

impl Sessions {
    /// Begins a session; gives its id, which is kept nowhere, and the session.
    pub(crate) fn begin(
        &self,
        user: &'static str,
        now_us: Micros,
        fill_random: fn(&mut [u8]),
    ) -> (String, Session) {
        let id = secret(fill_random);
        let session = Session {
            key: sha256(id.as_bytes()),
            form_token: secret(fill_random),
            user,
            view: View::default(),
        };
        let mut all = self.lock();
        all.retain(|_, state| !state.has_ended(now_us));
        if all.len() >= SESSIONS_MAX {
            let idlest = all.iter().min_by_key(|(_, state)| state.seen_us).map(|(key, _)| *key);
            idlest.and_then(|key| all.remove(&key));
        }
        all.insert(
            session.key,
            State { session: session.clone(), kept: VecDeque::new(), created_us: now_us, seen_us: now_us },
        );
        (id, session)
    }

    /// The session of an id, which is thereby used; `None` when it never was or has ended.
    pub(crate) fn resume(&self, id: &str, now_us: Micros) -> Option<Session> {
        let key = sha256(id.as_bytes());
        let mut all = self.lock();
        if all.get(&key)?.has_ended(now_us) {
            all.remove(&key);
            return None;
        }
        let state = all.get_mut(&key)?;
        state.seen_us = state.seen_us.max(now_us);
        Some(state.session.clone())
    }

    /// The session of an id, without counting as its use: what a page asks for by itself does not keep it open.
    pub(crate) fn look(&self, id: &str, now_us: Micros) -> Option<Session> {
        let all = self.lock();
        let state = all.get(&sha256(id.as_bytes()))?;
        (!state.has_ended(now_us)).then(|| state.session.clone())
    }

    /// Keeps a search for as long as the session lasts; gives its id. `None` when the session has ended.
    pub(crate) fn keep(&self, session: &Session, search: Kept, fill_random: fn(&mut [u8])) -> Option<String> {
        let mut bytes = [0; KEPT_ID_BYTES];
        fill_random(&mut bytes);
        let id = hex(&bytes);
        let mut all = self.lock();
        let kept = &mut all.get_mut(&session.key)?.kept;
        if kept.len() >= KEPT_MAX {
            kept.pop_front();
        }
        kept.push_back((id.clone(), search));
        Some(id)
    }

    /// A search that this session keeps.
    pub(crate) fn kept(&self, session: &Session, id: &str) -> Option<Kept> {
        let all = self.lock();
        let kept = &all.get(&session.key)?.kept;
        kept.iter().find(|(known, _)| known == id).map(|(_, search)| search.clone())
    }

    /// Whether the session goes on; does not count as use.
    #[cfg(feature = "clinical")]
    pub(crate) fn is_open(&self, session: &Session, now_us: Micros) -> bool {
        self.lock().get(&session.key).is_some_and(|state| !state.has_ended(now_us))
    }

    /// Ends a session.
    pub(crate) fn end(&self, session: &Session) {
        self.lock().remove(&session.key);
    }

    /// The map is whole after a panic elsewhere: every change to it is one call.
    fn lock(&self) -> MutexGuard<'_, HashMap<IdHash, State>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn secret(fill_random: fn(&mut [u8])) -> String {
    let mut bytes = [0; SECRET_BYTES];
    fill_random(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    fn counted(bytes: &mut [u8]) {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        for (byte, value) in
            bytes.iter_mut().zip(NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes().iter().cycle())
        {
            *byte = *value;
        }
    }

    #[test]
    fn a_session_ends_when_idle_and_when_old() {
        let sessions = Sessions::default();
        let (id, _) = sessions.begin("operator", 0, counted);
        assert!(sessions.resume(&id, SESSION_IDLE_US - 1).is_some());
        assert!(sessions.resume(&id, 2 * SESSION_IDLE_US - 2).is_some(), "use prolongs it");
        assert!(sessions.resume(&id, 3 * SESSION_IDLE_US).is_none(), "idle");

        let (id, _) = sessions.begin("operator", 0, counted);
        let mut at = 0;
        while at + SESSION_IDLE_US / 2 < SESSION_ABSOLUTE_US {
            at += SESSION_IDLE_US / 2;
            assert!(sessions.resume(&id, at).is_some());
        }
        assert!(sessions.resume(&id, SESSION_ABSOLUTE_US).is_none(), "old");
    }

    #[test]
    fn the_idlest_session_gives_way() {
        let sessions = Sessions::default();
        let mut ids = Vec::new();
        for at in 0..=i64::try_from(SESSIONS_MAX).expect("small") {
            ids.push(sessions.begin("operator", at, counted).0);
        }
        assert!(sessions.resume(&ids[0], 100).is_none());
        assert!(sessions.resume(&ids[1], 100).is_some());
    }

    #[test]
    fn an_ended_session_does_not_resume() {
        let sessions = Sessions::default();
        let (id, session) = sessions.begin("operator", 0, counted);
        sessions.end(&session);
        assert!(sessions.resume(&id, 1).is_none());
        assert!(sessions.resume("", 1).is_none());
    }

    #[test]
    fn a_form_token_is_not_the_id() {
        let (id, session) = Sessions::default().begin("operator", 0, counted);
        assert!(session.holds(&session.form_token.clone()));
        assert!(!session.holds(&id) && !session.holds(""));
    }
}
