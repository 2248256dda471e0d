//! Refresh tokens (RFC 6749 §6), each good for one use. A token names its line and holds the line's present secret; one that
//! holds an older secret was taken from somebody, so it ends the line for both (RFC 9700 §4.14.2). A line is one entry,
//! however often it was used.

use std::collections::HashMap;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use store::Micros;

use super::issued::{Allowed, Full, Hash, secret};
use crate::auth::token_hash;

/// Lines that live at once; with as many, none begins until one has ended.
const LINES_MAX: usize = 10_000;
/// Bytes of the name of a line.
const NAME_BYTES: usize = 16;

/// The name of a line.
pub(super) type Name = [u8; NAME_BYTES];

/// What a client goes on with after its token has ended.
struct Line {
    allowed: Allowed,
    ends_us: Micros,
    /// Hash of the present secret.
    secret: Hash,
    /// The last token that was given on it.
    token: Hash,
}

/// All lines.
#[derive(Default)]
pub(super) struct Refreshes(HashMap<Name, Line>);

/// What a refresh token comes to.
pub(super) enum Presented<'a> {
    /// It is good.
    Good(Name, &'a Allowed),
    /// It was used before: its line is ended, and this token with it.
    Used(Hash),
    /// It is not known, has ended, or is another's.
    Unknown,
}

impl Refreshes {
    /// Begins a line with the token that is given now.
    pub(super) fn begin(
        &mut self,
        (allowed, ends_us): (Allowed, Micros),
        token: Hash,
        (now_us, fill_random): (Micros, fn(&mut [u8])),
    ) -> Result<(Name, String), Full> {
        if self.0.len() >= LINES_MAX {
            self.0.retain(|_, line| now_us < line.ends_us);
        }
        if self.0.len() >= LINES_MAX {
            return Err(Full);
        }
        let mut name = Name::default();
        fill_random(&mut name);
        let text = secret(fill_random);
        self.0.insert(name, Line { allowed, ends_us, secret: token_hash(&text), token });
        Ok((name, written(name, &text)))
    }

    /// Judges a token of a client.
    pub(super) fn present(&mut self, token: &str, client: &str, now_us: Micros) -> Presented<'_> {
        let Some((name, secret)) = read(token) else { return Presented::Unknown };
        let is_theirs = |line: &Line| line.allowed.client == client && now_us < line.ends_us;
        let Some(line) = self.0.get(&name).filter(|line| is_theirs(line)) else {
            return Presented::Unknown;
        };
        if verify_slices_are_equal(&line.secret, &token_hash(secret)).is_err() {
            let token = line.token;
            self.0.remove(&name);
            return Presented::Used(token);
        }
        match self.0.get(&name) {
            Some(line) => Presented::Good(name, &line.allowed),
            None => Presented::Unknown,
        }
    }

    /// Puts a new secret and the token that is given now in the place of the old ones; the new refresh token.
    pub(super) fn turn(&mut self, name: Name, token: Hash, fill_random: fn(&mut [u8])) -> Option<String> {
        let line = self.0.get_mut(&name)?;
        let text = secret(fill_random);
        (line.secret, line.token) = (token_hash(&text), token);
        Some(written(name, &text))
    }

    /// Ends a line; the last token that was given on it.
    pub(super) fn end(&mut self, name: Name) -> Option<Hash> {
        self.0.remove(&name).map(|line| line.token)
    }
}

fn written(name: Name, secret: &str) -> String {
    format!("{}.{secret}", URL_SAFE_NO_PAD.encode(name))
}

fn read(token: &str) -> Option<(Name, &str)> {
    let (name, secret) = token.split_once('.')?;
    let name = URL_SAFE_NO_PAD.decode(name).ok()?;
    Some((Name::try_from(name).ok()?, secret))
}
