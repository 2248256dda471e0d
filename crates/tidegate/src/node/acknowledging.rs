//! Wiring of a channel: what it accepts, from whom, and how it acknowledges.

use std::sync::Arc;
use std::time::Duration;

use hl7v2::Charset;
use mllp::ClientConfig;
use pipeline::Packages;
use sources::{
    Acknowledge, BatchReply, Clock, Later, LaterPorts, Outgoing, Receiver, Rules, SenderRule, Sink,
    TypeSupport, Types,
};
use store::Messages as _;
use store::sqlite::Sqlite;

use super::forwards;
use crate::config::{self, ApplicationAcknowledgments, DialTls, Folder, Mllp, UnknownTypes};
use crate::{Exit, Failure, clock};

/// What receives a channel's messages.
pub struct Receivers {
    pub store: Arc<Sqlite>,
    pub journal: Arc<dyn store::Journal>,
    pub types: Types,
}

impl Receivers {
    /// Of a listener.
    ///
    /// # Errors
    /// When a network, a digest or a CA of its configuration cannot be used.
    pub fn of(&self, channel: &Mllp) -> Result<Receiver, Failure> {
        let rules = rules(channel, Arc::clone(&self.types))?;
        let wait = Duration::from_secs(channel.applied_seconds_max);
        let place = format!("mllp.{}", channel.name);
        let outgoing = channel.application_acknowledgments.as_ref();
        let outgoing = outgoing.map(|outgoing| outgoing_of(&place, outgoing)).transpose()?;
        let later = self.later(
            &channel.name,
            wait,
            outgoing.map_or(Sink::Connection, |outgoing| Sink::Address(Box::new(outgoing))),
        );
        let mut receiver = self.named(&channel.name);
        (receiver.rules, receiver.later) = (Arc::new(rules), Some(later));
        receiver.batch_reply = match channel.batch {
            config::BatchReply::Batch => BatchReply::Batch,
            config::BatchReply::Each => BatchReply::Each,
        };
        Ok(receiver)
    }

    /// Of `POST /hl7v2`: its application acknowledgments go to an address, or are not given.
    ///
    /// # Errors
    /// When a file of that address cannot be used.
    pub fn posted(
        &self,
        channel: &str,
        outgoing: Option<&ApplicationAcknowledgments>,
    ) -> Result<Receiver, Failure> {
        let outgoing = outgoing.map(|outgoing| outgoing_of("http", outgoing)).transpose()?;
        let later =
            outgoing.map(|outgoing| self.later(channel, Duration::ZERO, Sink::Address(Box::new(outgoing))));
        Ok(Receiver { later, ..self.named(channel) })
    }

    /// Of a folder: its application acknowledgments are written beside its files.
    pub fn dropped(&self, folder: &Folder) -> Receiver {
        let charset = Charset::of_site(folder.default_charset.as_deref());
        let rules = Arc::new(Rules { charset, ..Rules::default() });
        let later = Some(self.later(&folder.name, Duration::ZERO, Sink::Fetched));
        Receiver { rules, later, ..self.named(&folder.name) }
    }

    fn later(&self, channel: &str, wait: Duration, sink: Sink) -> Arc<Later> {
        let ports = LaterPorts {
            journal: Arc::clone(&self.journal),
            acknowledgments: self.store.clone(),
            processed: self.store.processed(),
        };
        let clock = Clock { now_us: clock::now_us, new_id: clock::new_id, hl7_time: clock::hl7_time };
        Arc::new(Later::new(channel, ports, Arc::clone(&self.types), clock, wait, sink))
    }

    /// Of a channel of which nothing is acknowledged later.
    pub fn named(&self, channel: &str) -> Receiver {
        Receiver {
            channel: channel.to_owned(),
            journal: Arc::clone(&self.journal),
            batch_reply: BatchReply::default(),
            rules: Arc::default(),
            later: None,
            now_us: clock::now_us,
            new_id: clock::new_id,
            hl7_time: clock::hl7_time,
        }
    }
}

/// What the package in force can apply.
pub fn types(packages: &Packages) -> Types {
    let packages = packages.clone();
    Arc::new(move |code, event| {
        let package = packages.current();
        if package.has_trigger(code, event) {
            TypeSupport::Supported
        } else if package.has_message_type(code) {
            TypeSupport::UnknownEvent
        } else {
            TypeSupport::UnknownType
        }
    })
}

/// The rules of a channel.
///
/// # Errors
/// When a network or a digest cannot be read.
pub fn rules(channel: &Mllp, types: Types) -> Result<Rules, Failure> {
    let wrong = |what: &str| {
        Failure::new(Exit::Configuration, format!("mllp.{}: `{what}` cannot be read", channel.name))
    };
    let mut senders = Vec::new();
    for sender in &channel.senders {
        let mut from = Vec::new();
        for network in &sender.from {
            from.push(network.parse().map_err(|_| wrong(network))?);
        }
        let certificate = match &sender.certificate {
            Some(text) => Some(sender.fingerprint().ok_or_else(|| wrong(text))?),
            None => None,
        };
        let (application, facility) = (sender.application.clone(), sender.facility.clone());
        senders.push(SenderRule { application, facility, from, certificate });
    }
    Ok(Rules {
        acknowledge: match channel.acknowledge {
            config::Acknowledge::Journaled => Acknowledge::Journaled,
            config::Acknowledge::Applied => Acknowledge::Applied,
        },
        rejects_unknown_types: channel.unknown_types == UnknownTypes::Reject,
        types,
        charset: Charset::of_site(channel.default_charset.as_deref()),
        processing_ids: channel.processing_ids.iter().map(|id| id.code()).collect(),
        senders,
    })
}

fn outgoing_of(place: &str, outgoing: &ApplicationAcknowledgments) -> Result<Outgoing, Failure> {
    let ApplicationAcknowledgments { address, ca, certificate, key, server_name, plaintext_reason: _ } =
        outgoing;
    let mut client = ClientConfig::new(address.clone());
    if let Some(ca) = ca.clone() {
        let (certificate, key, server_name) = (certificate.clone(), key.clone(), server_name.clone());
        let tls = forwards::client_tls(address, &DialTls { ca, certificate, key, server_name });
        let wrong = |failure: Failure| Failure::new(failure.exit, format!("{place}: {}", failure.words));
        client.tls = Some(tls.map_err(wrong)?);
    }
    Ok(Outgoing::new(client))
}
