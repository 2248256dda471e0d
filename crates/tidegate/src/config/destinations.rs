//! Where each destination of the policy is dialled: a cloud node over the link, a system of the hospital over MLLP.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use serde::Deserialize;

use super::Problem;

/// How one destination is reached: by `address` or by `mllp`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dial {
    /// `host:port` of a cloud node's link listener.
    #[serde(default)]
    pub address: Option<String>,
    /// `host:port` of an MLLP listener inside the hospital, for a destination of `form: hl7v2`.
    #[serde(default)]
    pub mllp: Option<String>,
    /// TLS of `mllp`; beyond loopback it needs this or `plaintext`.
    #[serde(default)]
    pub tls: Option<DialTls>,
    /// Leave to dial `mllp` without TLS beyond loopback.
    #[serde(default)]
    pub plaintext: Option<DialPlaintext>,
    /// Times and limits of `mllp`.
    #[serde(default)]
    pub exchange: Exchange,
    /// What answers mean, before the default table; the first rule that matches decides.
    #[serde(default)]
    pub responses: Vec<Response>,
}

/// Why a partner may be dialled without TLS.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DialPlaintext {
    /// Why, in words that an auditor accepts.
    pub reason: String,
}

/// PEM files of a TLS client.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DialTls {
    /// CA of the partner's certificate.
    pub ca: PathBuf,
    /// Certificate chain of this node, where the partner asks for one.
    #[serde(default)]
    pub certificate: Option<PathBuf>,
    /// Its private key.
    #[serde(default)]
    pub key: Option<PathBuf>,
    /// Name in the partner's certificate; absent: the host of `mllp`.
    #[serde(default)]
    pub server_name: Option<String>,
}

/// Times and limits of an exchange of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Exchange {
    /// Longest time to connect, the TLS handshake included, in ms.
    pub connect_timeout_ms: u64,
    /// Longest wait for the first acknowledgment, in ms.
    pub reply_timeout_ms: u64,
    /// Longest wait for the application's acknowledgment after a commit (CA), in ms.
    pub application_timeout_ms: u64,
    /// Least time between the starts of two messages, in ms.
    pub gap_ms: u64,
    /// First wait after a failure, in ms; it doubles, with jitter, up to `backoff_max_ms`.
    pub backoff_first_ms: u64,
    /// Longest wait after a failure, in ms.
    pub backoff_max_ms: u64,
    /// Attempts that a message has at least before it is given up for answers that say busy, or for silence.
    pub attempts_max: u32,
    /// Time that a message has at least from its first attempt before it is given up so, in s.
    pub give_up_after_s: u64,
    /// Attempts of a message whose answers nobody can tell the meaning of.
    pub unknown_attempts_max: u32,
}

impl Default for Exchange {
    fn default() -> Self {
        Self {
            connect_timeout_ms: 10_000,
            reply_timeout_ms: 30_000,
            application_timeout_ms: 60_000,
            gap_ms: 0,
            backoff_first_ms: 500,
            backoff_max_ms: 60_000,
            attempts_max: 20,
            give_up_after_s: 86_400,
            unknown_attempts_max: 5,
        }
    }
}

/// One rule about answers; conditions that are there must all hold.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Response {
    /// MSA-1 is one of these.
    #[serde(default)]
    pub codes: Vec<String>,
    /// ERR-3 (ERR-1.4 before v2.5) is one of these.
    #[serde(default)]
    pub errors: Vec<String>,
    /// Stands in MSA-3, ERR-7 or ERR-8, whatever its case.
    #[serde(default)]
    pub text: Option<String>,
    /// What the answer means then.
    pub then: Meaning,
}

/// What an answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Meaning {
    /// The partner has it.
    Delivered,
    /// Try again later.
    Transient,
    /// It will never be taken: give it up.
    Data,
    /// It cannot be told: try a few times, then give it up.
    Unknown,
}

/// What is wrong with the destinations.
pub fn check(destinations: &BTreeMap<String, Dial>, place: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (id, dial) in destinations {
        problems.extend(check_one(dial).map(|(cause, fix)| Problem {
            place: format!("{place}: destinations.{id}"),
            cause: cause.to_owned(),
            fix: fix.to_owned(),
        }));
    }
    problems
}

fn check_one(dial: &Dial) -> Option<(&'static str, &'static str)> {
    let address = match (&dial.address, &dial.mllp) {
        (Some(_), None) if is_plain_link(dial) => return None,
        (Some(_), None) => {
            let fix = "remove `tls`, `plaintext`, `exchange` and `responses`, or use `mllp`";
            return Some(("the link to a cloud node has no such keys", fix));
        }
        (None, Some(mllp)) => mllp,
        _ => {
            let fix = "a cloud node has `address`, a system of the hospital `mllp`";
            return Some(("needs either `address` or `mllp`", fix));
        }
    };
    let Some((host, port)) = address.rsplit_once(':') else {
        return Some(("`mllp` is no address", "write `host:port`"));
    };
    if host.is_empty() || port.parse::<u16>().is_err() {
        return Some(("`mllp` is no address", "write `host:port`"));
    }
    let has_reason = dial.plaintext.as_ref().is_some_and(|plaintext| !plaintext.reason.trim().is_empty());
    if dial.tls.is_none() && !has_reason && !is_loopback(host) {
        return Some((
            "`mllp` beyond loopback needs TLS",
            "add `tls: {ca: …}`, or `plaintext: {reason: …}` for a closed network",
        ));
    }
    if dial.tls.as_ref().is_some_and(|tls| tls.certificate.is_some() != tls.key.is_some()) {
        return Some(("`certificate` and `key` belong together", "name both, or neither"));
    }
    if dial.responses.iter().any(|rule| {
        rule.codes.is_empty() && rule.errors.is_empty() && rule.text.as_ref().is_none_or(String::is_empty)
    }) {
        return Some(("a rule of `responses` without a condition", "add `codes`, `errors` or `text`"));
    }
    let exchange = &dial.exchange;
    let times = [exchange.connect_timeout_ms, exchange.reply_timeout_ms, exchange.application_timeout_ms];
    if times.contains(&0) || exchange.attempts_max == 0 || exchange.unknown_attempts_max == 0 {
        return Some(("a time or number of attempts of `exchange` is 0", "use 1 or more"));
    }
    None
}

fn is_plain_link(dial: &Dial) -> bool {
    dial.tls.is_none()
        && dial.plaintext.is_none()
        && dial.exchange == Exchange::default()
        && dial.responses.is_empty()
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn causes(yaml: &str) -> Vec<String> {
        let dial: Dial = serde_saphyr::from_str(yaml).expect("the keys are right");
        let destinations = BTreeMap::from([("archive".to_owned(), dial)]);
        check(&destinations, "f.yaml").into_iter().map(|problem| problem.cause).collect()
    }

    #[test]
    fn a_destination_has_one_way_and_only_its_keys() {
        for right in [
            "address: cloud.example:9443",
            "mllp: 127.0.0.1:2575",
            "mllp: '[::1]:2575'\nexchange: {gap_ms: 5}",
            "mllp: archive.example:2575\ntls: {ca: ca.pem}",
            "mllp: archive.example:2575\nplaintext: {reason: closed network}",
            "mllp: localhost:2575\nresponses: [{codes: [AE], errors: ['207'], then: transient}]",
        ] {
            assert_eq!(causes(right), Vec::<String>::new(), "{right}");
        }
        for (wrong, cause) in [
            ("{}", "needs either"),
            ("address: a:1\nmllp: b:2", "needs either"),
            ("address: a:1\nexchange: {gap_ms: 5}", "no such keys"),
            ("mllp: archive.example:2575", "needs TLS"),
            ("mllp: archive.example:2575\nplaintext: {reason: ' '}", "needs TLS"),
            ("mllp: archive", "is no address"),
            ("mllp: 127.0.0.1:2575\ntls: {ca: c, key: k}", "belong together"),
            ("mllp: 127.0.0.1:2575\nresponses: [{then: delivered}]", "without a condition"),
            ("mllp: 127.0.0.1:2575\nexchange: {attempts_max: 0}", "is 0"),
        ] {
            let found = causes(wrong);
            assert!(matches!(found.as_slice(), [one] if one.contains(cause)), "{wrong}: {found:?}");
        }
    }
}
