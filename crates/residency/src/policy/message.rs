//! Messages as they are, inside the hospital: what a rule can say of them, and the leave to forward one.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::{Destination, Form, Policy, Rule};
use crate::clinical::OnPrem;
use crate::release::Released;

/// What rules look at in a message: nothing of the patient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageFacts {
    /// MSH-9.1: `ADT`.
    pub message_type: String,
    /// MSH-9.2: `A01`; empty when it has none.
    pub event: String,
    /// MSH-3.1 and MSH-4.1: `EMR|WARD`.
    pub sender: String,
    /// The configured channel that it came in by.
    pub channel: String,
}

impl MessageFacts {
    /// The facts of a message with this MSH-9.1, MSH-9.2, MSH-3.1, MSH-4.1 and channel.
    pub fn of(message_type: &str, event: &str, application: &str, facility: &str, channel: &str) -> Self {
        Self {
            message_type: message_type.trim().to_owned(),
            event: event.trim().to_owned(),
            sender: format!("{}|{}", application.trim(), facility.trim()),
            channel: channel.to_owned(),
        }
    }
}

/// Conditions of a rule on messages; `None` is any.
#[derive(Debug, Default)]
pub(crate) struct MessageConditions {
    /// `ADT` or `ADT^A01`.
    pub(crate) messages: Option<BTreeSet<String>>,
    /// `EMR` or `EMR|WARD`.
    pub(crate) senders: Option<BTreeSet<String>>,
    pub(crate) channels: Option<BTreeSet<String>>,
}

impl MessageConditions {
    fn hold(&self, facts: &MessageFacts) -> bool {
        let MessageFacts { message_type, event, sender, channel } = facts;
        let whole = format!("{message_type}^{event}");
        let application = sender.split('|').next().unwrap_or_default();
        let among = |named: &Option<BTreeSet<String>>, texts: &[&str]| {
            named.as_ref().is_none_or(|named| texts.iter().any(|text| named.contains(*text)))
        };
        among(&self.messages, &[message_type, &whole])
            && among(&self.senders, &[application, sender])
            && among(&self.channels, &[channel])
    }
}

impl Rule {
    fn matches_message(&self, destination: &Destination, facts: &MessageFacts) -> bool {
        self.reaches(destination)
            && self.types.is_none()
            && self.labels.is_none()
            && self.message.as_ref().is_none_or(|conditions| conditions.hold(facts))
    }
}

/// Leave to forward one message, as it is, to one destination of an on-prem zone. Only [`Policy::permit_message`] gives
/// it, and without it no raw bytes leave.
///
/// ```compile_fail
/// let permit = residency::MessagePermit { destination: "archive".to_owned(), rules: Vec::new() };
/// ```
/// ```compile_fail
/// let permit: residency::MessagePermit = Default::default();
/// ```
#[derive(Debug, PartialEq, Eq)]
pub struct MessagePermit {
    destination: String,
    rules: Vec<String>,
}

impl MessagePermit {
    /// Ids of the rules that permit.
    pub fn rules(&self) -> &[String] {
        &self.rules
    }

    /// Where it may go, and nowhere else.
    pub fn destination(&self) -> &str {
        &self.destination
    }

    /// The bytes of the message, free to go to this destination.
    pub fn release(self, bytes: Vec<u8>, decision_id: Uuid) -> Released<OnPrem> {
        Released::of_message(self.destination, decision_id, bytes)
    }
}

/// Why a message stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// `unknown-destination`, `not-hl7v2`, `rule-denies`, `no-rule-permits`.
    pub reason: &'static str,
    /// Ids of the rules that deny.
    pub rules: Vec<String>,
}

impl Policy {
    /// Destinations to which some rule lets messages go as they are, by id. All stand in on-prem zones: a policy with
    /// another does not compile.
    pub fn message_destinations(&self) -> impl Iterator<Item = &Destination> {
        let may_get = |destination: &&Destination| {
            let permits = |rule: &Rule| rule.permits && rule.message.is_some() && rule.reaches(destination);
            destination.form == Form::Hl7v2 && !destination.cloud && self.rules.iter().any(permits)
        };
        self.destinations.values().filter(may_get)
    }

    /// Whether a message may go, as it is, to a destination. Total: what no rule permits stays.
    ///
    /// # Errors
    /// [`Denial`] when it may not.
    pub fn permit_message(&self, destination: &str, facts: &MessageFacts) -> Result<MessagePermit, Denial> {
        let deny = |reason, rules| Err(Denial { reason, rules });
        let Some(destination) = self.destinations.get(destination) else {
            return deny("unknown-destination", Vec::new());
        };
        if destination.cloud || destination.form != Form::Hl7v2 {
            return deny("not-hl7v2", Vec::new());
        }
        let matching = self.rules.iter().filter(|rule| rule.matches_message(destination, facts));
        let (permits, denies): (Vec<&Rule>, Vec<&Rule>) = matching.partition(|rule| rule.permits);
        let ids = |rules: Vec<&Rule>| rules.into_iter().map(|rule| rule.id.clone()).collect::<Vec<_>>();
        match (denies.is_empty(), permits.is_empty()) {
            (false, _) => deny("rule-denies", ids(denies)),
            (true, true) => deny("no-rule-permits", Vec::new()),
            (true, false) => Ok(MessagePermit { destination: destination.id.clone(), rules: ids(permits) }),
        }
    }
}
