//! The keys of a listener that say what it accepts, from whom, and when it acknowledges.

use std::net::IpAddr;
use std::path::PathBuf;

use serde::Deserialize;

use super::binds::is_cidr;
use super::{Config, Mllp, Problem};
use crate::keys::from_hex;

/// Longest wait for the application of a message, in seconds.
const APPLIED_SECONDS_LIMIT: u64 = 3_600;
/// Bytes of a SHA-256 digest.
const DIGEST_BYTES: usize = 32;

/// When the one acknowledgment of original mode is given (MSH-15 and MSH-16 empty).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Acknowledge {
    /// Once the message is durable in the journal.
    #[default]
    Journaled,
    /// Once it was applied.
    Applied,
}

/// What becomes of a message whose type has no mapping.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnknownTypes {
    /// It is accepted, kept, and set aside.
    #[default]
    Quarantine,
    /// It is refused with AR 200 or 201.
    Reject,
}

/// A code of MSH-11.1, table 0103.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum ProcessingId {
    /// Production.
    P,
    /// Training.
    T,
    /// Debugging.
    D,
}

impl ProcessingId {
    /// As sent.
    pub fn code(self) -> &'static str {
        match self {
            Self::P => "P",
            Self::T => "T",
            Self::D => "D",
        }
    }
}

/// Every processing id.
pub(super) fn every_processing_id() -> Vec<ProcessingId> {
    vec![ProcessingId::P, ProcessingId::T, ProcessingId::D]
}

/// Seconds after which a sender whose message is not applied is told so.
pub(super) fn default_applied_seconds_max() -> u64 {
    15
}

/// Where application acknowledgments go instead of the connection that their message came by.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplicationAcknowledgments {
    /// `host:port` of the sender's listener.
    pub address: String,
    /// CA that its certificate must come from; absent: without TLS.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// Certificate chain of this node, where the sender's listener asks for one.
    #[serde(default)]
    pub certificate: Option<PathBuf>,
    /// Its private key.
    #[serde(default)]
    pub key: Option<PathBuf>,
    /// Name in the listener's certificate; absent: the host of `address`.
    #[serde(default)]
    pub server_name: Option<String>,
    /// Why it may go without TLS beyond loopback.
    #[serde(default)]
    pub plaintext_reason: Option<String>,
}

/// A sender, and where it may send from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sender {
    /// MSH-3, the whole field or its first component.
    pub application: String,
    /// MSH-4, likewise.
    pub facility: String,
    /// Networks (`10.1.2.0/24`).
    #[serde(default)]
    pub from: Vec<String>,
    /// SHA-256 of its client certificate, in hex; colons and capitals as `openssl x509 -fingerprint` writes them.
    #[serde(default)]
    pub certificate: Option<String>,
}

impl Sender {
    /// The digest of its certificate, when one is named and well-formed.
    pub fn fingerprint(&self) -> Option<[u8; DIGEST_BYTES]> {
        let digits = self.certificate.as_deref()?.replace(':', "").to_ascii_lowercase();
        from_hex(&digits)?.try_into().ok()
    }
}

/// What is wrong with these keys.
pub(super) fn check(config: &Config, place: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    let posted = config.http.application_acknowledgments.as_ref();
    let wrong = |(key, cause, fix): Wrong| Problem {
        place: format!("{place}: http.{key}"),
        cause: cause.to_owned(),
        fix: fix.to_owned(),
    };
    problems.extend(posted.and_then(check_outgoing).map(wrong));
    for mllp in &config.mllp {
        let wrong = |(key, cause, fix): (&str, &str, &str)| Problem {
            place: format!("{place}: mllp.{}.{key}", mllp.name),
            cause: cause.to_owned(),
            fix: fix.to_owned(),
        };
        problems.extend(mllp.senders.iter().filter_map(|sender| check_sender(sender, mllp)).map(wrong));
        problems.extend(mllp.application_acknowledgments.as_ref().and_then(check_outgoing).map(wrong));
        if mllp.processing_ids.is_empty() {
            problems.push(wrong(("processing_ids", "accepts nothing", "name `P`, `T` or `D`")));
        }
        if mllp.applied_seconds_max > APPLIED_SECONDS_LIMIT {
            problems.push(wrong(("applied_seconds_max", "is more than an hour", "no sender waits so long")));
        }
    }
    problems
}

type Wrong = (&'static str, &'static str, &'static str);

fn check_sender(sender: &Sender, mllp: &Mllp) -> Option<Wrong> {
    if sender.from.is_empty() && sender.certificate.is_none() {
        return Some(("senders", "a sender is bound to nothing", "add `from: [CIDR]` or `certificate: …`"));
    }
    if !sender.from.iter().all(|network| is_cidr(network)) {
        let cause = "senders.from needs networks in CIDR form";
        return Some(("senders", cause, "write networks as `10.1.2.0/24`"));
    }
    if sender.certificate.is_some() && sender.fingerprint().is_none() {
        let cause = "senders.certificate is no SHA-256 digest";
        return Some((
            "senders",
            cause,
            "write its 64 hex digits: `openssl x509 -noout -fingerprint -sha256`",
        ));
    }
    let asks = mllp.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some());
    if sender.certificate.is_some() && !asks {
        let cause = "a certificate is bound, and none is asked for";
        return Some(("senders", cause, "add `tls.client_ca`"));
    }
    None
}

fn check_outgoing(outgoing: &ApplicationAcknowledgments) -> Option<Wrong> {
    const KEY: &str = "application_acknowledgments";
    let Some((host, port)) = outgoing.address.rsplit_once(':') else {
        return Some((KEY, "address has no port", "write `host:port`"));
    };
    if host.is_empty() || port.parse::<u16>().is_err() {
        return Some((KEY, "address is no `host:port`", "write `host:port`"));
    }
    if outgoing.certificate.is_some() != outgoing.key.is_some() {
        return Some((KEY, "has half an identity", "name both `certificate` and `key`"));
    }
    if outgoing.ca.is_none() && (outgoing.certificate.is_some() || outgoing.server_name.is_some()) {
        return Some((KEY, "has an identity and no `ca`", "name the CA of the listener's certificate"));
    }
    let ip = host.trim_matches(['[', ']']).parse::<IpAddr>();
    let is_here = host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback());
    let has_reason = outgoing.plaintext_reason.as_ref().is_some_and(|reason| !reason.trim().is_empty());
    if outgoing.ca.is_none() && !is_here && !has_reason {
        return Some((
            KEY,
            "beyond loopback needs TLS",
            "add `ca`, or `plaintext_reason` for a closed network",
        ));
    }
    None
}
