//! Where bytes came from, and which senders may say they are whom from there.

use std::net::IpAddr;

use hl7v2::{Header, Part};
use mllp::{Cidr, Line, Peer};

/// Where bytes came from.
#[derive(Debug, Clone)]
pub struct Origin<'a> {
    /// As the journal names it: an address and port, or another name.
    pub peer: String,
    /// The address; `None` for what came by no connection, which is bound to no sender rule.
    pub address: Option<IpAddr>,
    /// SHA-256 of the client certificate, when TLS asked for one.
    pub certificate: Option<[u8; 32]>,
    /// Where acknowledgments go that are given later; `None`: nowhere.
    pub line: Option<&'a Line>,
}

impl<'a> Origin<'a> {
    /// A connection of a listener.
    #[must_use]
    pub fn of_peer(peer: &'a Peer) -> Self {
        Self {
            peer: peer.address.to_string(),
            address: Some(peer.address.ip()),
            certificate: peer.certificate.as_ref().map(|certificate| certificate.sha256),
            line: Some(&peer.line),
        }
    }

    /// Something that is no connection.
    #[must_use]
    pub fn named(peer: &str) -> Self {
        Self { peer: peer.to_owned(), address: None, certificate: None, line: None }
    }
}

/// A sender and where it may send from. What is not named here may send from nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SenderRule {
    /// MSH-3: the whole field as sent, or its first component alone.
    pub application: String,
    /// MSH-4, likewise.
    pub facility: String,
    /// Networks it may send from; empty: from everywhere.
    pub from: Vec<Cidr>,
    /// SHA-256 of the client certificate that it must show.
    pub certificate: Option<[u8; 32]>,
}

impl SenderRule {
    fn names(&self, header: &Header<'_>) -> bool {
        is_named(&self.application, header.sending_application())
            && is_named(&self.facility, header.sending_facility())
    }

    fn allows(&self, origin: &Origin<'_>) -> bool {
        let is_from = self.from.is_empty()
            || origin.address.is_some_and(|address| self.from.iter().any(|block| block.contains(address)));
        is_from && self.certificate.is_none_or(|certificate| origin.certificate == Some(certificate))
    }
}

/// Whether one of the rules lets this origin speak as the sender of the header. Without rules everyone may; what came by
/// no connection was let in by another door.
#[must_use]
pub fn may_send(rules: &[SenderRule], header: &Header<'_>, origin: &Origin<'_>) -> bool {
    rules.is_empty()
        || origin.address.is_none()
        || rules.iter().any(|rule| rule.names(header) && rule.allows(origin))
}

fn is_named(name: &str, field: Part<'_>) -> bool {
    let name = name.as_bytes();
    field.raw() == name || field.component(1).raw() == name
}
