//! Codes and tokens that were issued, in memory, by the hashes of what the client holds.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fhir::ResourceId;
use smart::{Challenge, Granted, Launch, Scope};
use store::Micros;

use super::beside::Beside;
use super::identity::Identity;
use super::launches::Launches;
use super::refreshes::{Name, Presented, Refreshes};
use crate::auth::{Client, token_hash};
use crate::sight::Denied;

/// A code is used within this time, µs.
pub(super) const CODE_LIFE_US: Micros = 60 * 1_000_000;
/// A token of a person ends after this time, µs.
pub(super) const PERSON_TOKEN_LIFE_US: Micros = 3_600 * 1_000_000;
/// A token of a system ends after this time, µs.
pub(super) const SYSTEM_TOKEN_LIFE_US: Micros = 300 * 1_000_000;
/// Codes that wait, or were used and whose token may live; with as many, none is given until one has ended.
const CODES_MAX: usize = 10_000;
/// Tokens that live at once; with as many, none is given until one has ended.
const TOKENS_MAX: usize = 10_000;
/// Bytes of a code and of a token.
const SECRET_BYTES: usize = 32;

/// SHA-256 of a secret.
pub(super) type Hash = [u8; 32];

/// What was allowed, to a client, by a person or to the client itself.
#[derive(Clone)]
pub(super) struct Allowed {
    pub(super) client: String,
    pub(super) scopes: Vec<Scope>,
    pub(super) beside: Beside,
    pub(super) launch: Launch,
    /// Who signed in; `None` of a system.
    pub(super) identity: Option<Identity>,
}

impl Allowed {
    /// The scopes as they are told.
    pub(super) fn scope(&self) -> String {
        let mut scopes: Vec<String> = self.scopes.iter().map(ToString::to_string).collect();
        if self.launch.patient.is_some() {
            scopes.insert(0, "launch/patient".to_owned());
        }
        scopes.extend(self.beside.names().map(str::to_owned));
        scopes.join(" ")
    }
}

/// A code that waits for its client.
struct Code {
    allowed: Allowed,
    redirect: String,
    challenge: Challenge,
    ends_us: Micros,
    /// The token and the line of refresh tokens that it became; a second use ends them.
    became: Option<(Hash, Option<Name>)>,
}

/// What a client is given.
pub(super) struct Given {
    pub(super) token: String,
    pub(super) refresh: Option<String>,
    pub(super) allowed: Allowed,
}

/// A token.
#[derive(Clone)]
pub(super) struct Token {
    pub(super) allowed: Allowed,
    pub(super) ends_us: Micros,
    granted: Granted,
}

#[derive(Default)]
struct State {
    codes: HashMap<Hash, Code>,
    tokens: HashMap<Hash, Token>,
    refreshes: Refreshes,
    launches: Launches,
}

/// What a node issued. Debug prints nothing.
#[derive(Clone, Default)]
pub struct Issued(Arc<Mutex<State>>);

impl std::fmt::Debug for Issued {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Issued([redacted])")
    }
}

/// There is no place for another.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

impl Issued {
    /// The client of a token that lives.
    pub(crate) fn client(&self, token: &str, now_us: Micros) -> Option<Client> {
        let token = self.token(token, now_us)?;
        Some(Client { name: token.allowed.client, granted: token.granted, denied: Denied::default() })
    }

    /// A token that lives.
    pub(super) fn token(&self, token: &str, now_us: Micros) -> Option<Token> {
        let state = self.lock();
        state.tokens.get(&token_hash(token)).filter(|token| now_us < token.ends_us).cloned()
    }

    /// Opens a patient's context for a client; its handle.
    pub(super) fn open(
        &self,
        client: String,
        patient: ResourceId,
        by: (Micros, fn(&mut [u8])),
    ) -> Result<String, Full> {
        self.lock().launches.open(client, patient, by)
    }

    /// The patient of a handle that is this client's and has not ended.
    pub(super) fn context(&self, handle: &str, client: &str, now_us: Micros) -> Option<ResourceId> {
        self.lock().launches.patient(handle, client, now_us)
    }

    /// Ends a handle.
    pub(super) fn close(&self, handle: &str) {
        self.lock().launches.end(handle);
    }

    /// Gives a code.
    pub(super) fn code(
        &self,
        allowed: Allowed,
        redirect: String,
        challenge: Challenge,
        (now_us, fill_random): (Micros, fn(&mut [u8])),
    ) -> Result<String, Full> {
        let mut state = self.lock();
        if state.codes.len() >= CODES_MAX {
            // A used code is kept for as long as its token may live, to be known when it is used again.
            state.codes.retain(|_, code| {
                now_us < code.ends_us + PERSON_TOKEN_LIFE_US && code.became.is_some() || now_us < code.ends_us
            });
        }
        if state.codes.len() >= CODES_MAX {
            return Err(Full);
        }
        let code = secret(fill_random);
        let ends_us = now_us + CODE_LIFE_US;
        state.codes.insert(token_hash(&code), Code { allowed, redirect, challenge, ends_us, became: None });
        Ok(code)
    }

    /// Turns a code into a token, once. `None` when it is not known, was used, has ended, or is another's; a second use ends
    /// the token of the first (RFC 6749 §4.1.2).
    pub(super) fn redeem(
        &self,
        code: &str,
        (client, redirect, verifier): (&str, &str, &str),
        (now_us, fill_random): (Micros, fn(&mut [u8])),
    ) -> Result<Option<Given>, Full> {
        let mut state = self.lock();
        let hash = token_hash(code);
        let Some(held) = state.codes.get(&hash) else { return Ok(None) };
        if let Some((token, line)) = held.became {
            let last = line.and_then(|line| state.refreshes.end(line));
            [Some(token), last].into_iter().flatten().for_each(|token| drop(state.tokens.remove(&token)));
            return Ok(None);
        }
        let is_right = held.allowed.client == client
            && held.redirect == redirect
            && held.challenge.is_met_by(verifier)
            && now_us < held.ends_us;
        let allowed = held.allowed.clone();
        if !is_right {
            // Whoever guesses has one guess.
            state.codes.remove(&hash);
            return Ok(None);
        }
        let ends_us = now_us + PERSON_TOKEN_LIFE_US;
        let by = (now_us, fill_random);
        let (token, token_hash) = state.issue(allowed.clone(), ends_us, by)?;
        let line = match allowed.beside.going_on() {
            None => None,
            Some(how) => {
                let until = (allowed.clone(), now_us + how.life_us());
                Some(state.refreshes.begin(until, token_hash, by)?)
            }
        };
        let (name, refresh) = line.unzip();
        if let Some(held) = state.codes.get_mut(&hash) {
            held.became = Some((token_hash, name));
        }
        Ok(Some(Given { token, refresh, allowed }))
    }

    /// What a refresh token of a client was given for, as long as it is good. One that was used before ends what came of it.
    pub(super) fn refreshable(&self, refresh: &str, client: &str, now_us: Micros) -> Option<Allowed> {
        let mut state = self.lock();
        match state.refreshes.present(refresh, client, now_us) {
            Presented::Good(_, allowed) => Some(allowed.clone()),
            Presented::Used(token) => {
                state.tokens.remove(&token);
                None
            }
            Presented::Unknown => None,
        }
    }

    /// Turns a refresh token into a token and the next refresh token. `scopes`: those of it that are wanted, all where
    /// there are none. `None` as above.
    pub(super) fn refresh(
        &self,
        refresh: &str,
        (client, scopes): (&str, Option<Vec<Scope>>),
        (now_us, fill_random): (Micros, fn(&mut [u8])),
    ) -> Result<Option<Given>, Full> {
        let mut state = self.lock();
        let Presented::Good(name, allowed) = state.refreshes.present(refresh, client, now_us) else {
            return Ok(None);
        };
        let mut allowed = allowed.clone();
        allowed.scopes = scopes.unwrap_or(allowed.scopes);
        let ends_us = now_us + PERSON_TOKEN_LIFE_US;
        let (token, hash) = state.issue(allowed.clone(), ends_us, (now_us, fill_random))?;
        let refresh = state.refreshes.turn(name, hash, fill_random);
        Ok(Some(Given { token, refresh, allowed }))
    }

    /// Gives a token to a system.
    pub(super) fn issue(
        &self,
        allowed: Allowed,
        (now_us, fill_random): (Micros, fn(&mut [u8])),
    ) -> Result<String, Full> {
        let issued = self.lock().issue(allowed, now_us + SYSTEM_TOKEN_LIFE_US, (now_us, fill_random))?;
        Ok(issued.0)
    }

    /// Ends a token of a client, or a refresh token with the last token that was given for it; of another's nothing is done.
    pub(super) fn revoke(&self, token: &str, client: &str, now_us: Micros) {
        let mut state = self.lock();
        let ended = match state.refreshes.present(token, client, now_us) {
            Presented::Good(line, _) => state.refreshes.end(line),
            Presented::Used(token) => Some(token),
            Presented::Unknown => None,
        };
        ended.into_iter().for_each(|token| drop(state.tokens.remove(&token)));
        let hash = token_hash(token);
        if state.tokens.get(&hash).is_some_and(|token| token.allowed.client == client) {
            state.tokens.remove(&hash);
        }
    }

    /// The maps are whole after a panic elsewhere: each change to one is one call.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn issue(
        &mut self,
        allowed: Allowed,
        ends_us: Micros,
        (now_us, fill_random): (Micros, fn(&mut [u8])),
    ) -> Result<(String, Hash), Full> {
        if self.tokens.len() >= TOKENS_MAX {
            self.tokens.retain(|_, token| now_us < token.ends_us);
        }
        if self.tokens.len() >= TOKENS_MAX {
            return Err(Full);
        }
        let token = secret(fill_random);
        let hash = token_hash(&token);
        let granted = Granted::of(&allowed.scope(), &allowed.launch);
        self.tokens.insert(hash, Token { allowed, ends_us, granted });
        Ok((token, hash))
    }
}

/// 256 random bits in base64url.
pub(super) fn secret(fill_random: fn(&mut [u8])) -> String {
    let mut bytes = [0; SECRET_BYTES];
    fill_random(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}
