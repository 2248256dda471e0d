//! How much each client of the FHIR surface may ask for, how often a sign-in may fail, and from where browsers may ask.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Http, Problem};

/// The limits of HTTP; each that is absent has a default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Of a client that is not in `clients`.
    #[serde(default)]
    pub client: Option<ClientLimit>,
    /// Of clients by the name that their token has, or their `client_id`.
    #[serde(default)]
    pub clients: BTreeMap<String, ClientLimit>,
    /// Of an address from which somebody asks without a token that is believed.
    #[serde(default)]
    pub peer: Option<PeerLimit>,
    /// Of sign-ins that fail.
    #[serde(default)]
    pub sign_in: SignInLimit,
}

/// What a client may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientLimit {
    /// Requests a second in the long run.
    pub per_second: u32,
    /// Requests at once after a silence.
    pub burst: u32,
    /// Requests of a day (UTC); absent: any number.
    #[serde(default)]
    pub per_day: Option<u64>,
}

/// What an address may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerLimit {
    /// Requests a second in the long run.
    pub per_second: u32,
    /// Requests at once after a silence.
    pub burst: u32,
}

/// Sign-ins that may fail within a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SignInLimit {
    /// Of one name from one address.
    pub per_user: u32,
    /// Of one address.
    pub per_peer: u32,
    /// Of all.
    pub of_all: u32,
}

impl Default for SignInLimit {
    fn default() -> Self {
        let rest::SignInLimits { per_user, per_peer, of_all } = rest::SignInLimits::default();
        Self { per_user, per_peer, of_all }
    }
}

impl Limits {
    /// As the surface takes them.
    pub fn in_force(&self) -> rest::Limits {
        let allowance = |limit: &ClientLimit| rest::Allowance {
            rate: rest::Rate { per_second: limit.per_second, burst: limit.burst },
            per_day: limit.per_day,
        };
        let default = rest::Limits::default();
        rest::Limits {
            client: self.client.as_ref().map_or(default.client, allowance),
            clients: self.clients.iter().map(|(name, limit)| (name.clone(), allowance(limit))).collect(),
            peer: self.peer.map_or(default.peer, |limit| rest::Rate {
                per_second: limit.per_second,
                burst: limit.burst,
            }),
        }
    }
}

impl SignInLimit {
    /// As the authorization server takes it.
    pub fn in_force(self) -> rest::SignInLimits {
        let Self { per_user, per_peer, of_all } = self;
        rest::SignInLimits { per_user, per_peer, of_all }
    }
}

/// What is wrong.
pub(super) fn check(http: &Http, place: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut wrong = |key: String, cause: &str, fix: &str| {
        let place = format!("{place}: http.{key}");
        problems.push(Problem { place, cause: cause.to_owned(), fix: fix.to_owned() });
    };
    let Limits { client, clients, peer, sign_in } = &http.limits;
    let named = clients.iter().map(|(name, limit)| (format!("limits.clients.{name}"), limit));
    for (key, limit) in client.iter().map(|limit| ("limits.client".to_owned(), limit)).chain(named) {
        if limit.per_second == 0 || limit.burst == 0 || limit.per_day == Some(0) {
            wrong(key, "lets its client ask for nothing", "use 1 at least; `per_day` may be left out");
        }
    }
    if peer.is_some_and(|limit| limit.per_second == 0 || limit.burst == 0) {
        let fix = "use 1 at least: the documents of discovery are asked for without a token";
        wrong("limits.peer".to_owned(), "lets nobody ask", fix);
    }
    let steps = [sign_in.per_user, sign_in.per_peer, sign_in.of_all];
    if sign_in.per_user == 0 || !steps.is_sorted() {
        let fix = "use 1 at least for `per_user`, as much or more for `per_peer`, and for `of_all`";
        wrong("limits.sign_in".to_owned(), "closes for many before it closes for one", fix);
    }
    if rest::Origins::new(http.origins.iter().map(String::as_str)).is_none() {
        let cause = format!("are not {} origins at most", rest::ORIGINS_MAX);
        let fix = "write `https://portal.example`, with `:port` where it is not 443 and no slash; `http://` of this machine alone";
        wrong("origins".to_owned(), &cause, fix);
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(text: &str) -> Vec<String> {
        let http: Http = serde_saphyr::from_str(text).expect("it is read");
        check(&http, "f.yaml").into_iter().map(|problem| problem.place).collect()
    }

    #[test]
    fn limits_let_somebody_ask() {
        const LISTEN: &str = "listen: 127.0.0.1:8080\n";
        for right in [
            "",
            "limits: {client: {per_second: 5, burst: 10}}",
            "limits: {clients: {app: {per_second: 5, burst: 10, per_day: 100}}, peer: {per_second: 1, burst: 1}}",
            "limits: {sign_in: {per_user: 3}}",
            "origins: [\"https://portal.example\"]",
        ] {
            assert!(places(&format!("{LISTEN}{right}\n")).is_empty(), "{right}");
        }
        for (wrong, key) in [
            ("limits: {client: {per_second: 0, burst: 10}}", "http.limits.client"),
            ("limits: {clients: {app: {per_second: 1, burst: 1, per_day: 0}}}", "http.limits.clients.app"),
            ("limits: {peer: {per_second: 1, burst: 0}}", "http.limits.peer"),
            ("limits: {sign_in: {per_user: 0}}", "http.limits.sign_in"),
            ("limits: {sign_in: {per_peer: 100, of_all: 50}}", "http.limits.sign_in"),
            ("origins: [\"https://portal.example/\"]", "http.origins"),
            ("origins: [\"*\"]", "http.origins"),
        ] {
            assert_eq!(places(&format!("{LISTEN}{wrong}\n")), [format!("f.yaml: {key}")], "{wrong}");
        }
    }

    #[test]
    fn what_is_absent_has_the_default_of_the_surface() {
        let http: Http = serde_saphyr::from_str("listen: 127.0.0.1:8080\n").expect("it is read");
        assert_eq!(http.limits.in_force(), rest::Limits::default());
        assert_eq!(http.limits.sign_in.in_force(), rest::SignInLimits::default());
    }
}
