//! Who takes part in a message: the agents of its Provenance.

use super::concept::coding;
use super::provenance::{NAMED_ONLY, plain};
use super::{Executor, Level};
use crate::identity::first_text;
use crate::json::{list_of, object};
use crate::package::Package;
use crate::plan::Keyed;
use crate::systems::site_urn;
use crate::{LeafFate, ResourceSet};
use hl7v2::Part;
use serde_json::{Map, Value};

/// Who takes part in a Provenance (R4 provenance-participant-type).
const PARTICIPANT_TYPE: &str = "http://terminology.hl7.org/CodeSystem/provenance-participant-type";
/// Who takes part, where R4 has no code of its own: the receiver (v3 ParticipationType).
const PARTICIPATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
/// Identifier system of a mapping package.
pub(crate) const PACKAGE: &str = "urn:tidegate:mapping-package";
/// Agents that the orders of one message may add: a batch of results names the same few people over and over.
const ORDER_AGENTS_MAX: usize = 64;

impl<'a> Executor<'a> {
    /// Sender, receiver, who entered the event, who is responsible at either end, who entered and changed the orders, the sender's
    /// software, and the package that translated. Where a map made a resource of one (`sendingSystem`, `sendingFacility`,
    /// `receivingSystem`, `software`), the agent refers to it.
    pub(super) fn agents(&mut self, package: &Package, sets: &[ResourceSet]) -> Vec<Value> {
        let sender = format!("{}|{}", plain(&self.header_text(3, 1)), plain(&self.header_text(4, 1)));
        let system = site_urn(&self.identity.token, "sender");
        let mut author = agent(participant("author"), identified(system, sender));
        self.link_party(&mut author, "who", "sendingSystem", None, sets);
        self.link_party(&mut author, "onBehalfOf", "sendingFacility", None, sets);
        let mut agents = vec![author];
        let receiver = format!("{}|{}", plain(&self.header_text(5, 1)), plain(&self.header_text(6, 1)));
        if receiver.len() > 1 {
            let system = site_urn(&self.identity.token, "receiver");
            let mut party = agent(recipient(), identified(system, receiver));
            self.link_party(&mut party, "who", "receivingSystem", None, sets);
            agents.push(party);
            self.mark_message_field("MSH", 5);
            self.mark_message_field("MSH", 6);
        }
        let named: [(_, _, fn() -> Value, _); 3] = [
            ("EVN", 5, || participant("enterer"), Keyed::Xcn),
            ("MSH", 22, || participant("custodian"), Keyed::Xon),
            ("MSH", 23, recipient, Keyed::Xon),
        ];
        for (segment, field, kind, keyed) in named {
            let Some(found) = self.first_segment(segment) else { continue };
            for repetition in found.field(field).repetitions() {
                if let Some(who) = self.named(repetition, keyed) {
                    agents.push(agent(kind(), who));
                }
            }
        }
        self.software(sets, &mut agents);
        self.of_orders(&mut agents);
        let translator = format!("{}@{}", package.name(), package.version());
        let mut who = identified(PACKAGE.to_owned(), [translator.as_str(), "#", package.hash()].concat());
        if let Some(who) = who.as_object_mut() {
            who.insert("display".into(), translator.into());
        }
        agents.push(agent(participant("assembler"), who));
        agents
    }

    /// The sender's software, one for each SFT.
    fn software(&mut self, sets: &[ResourceSet], agents: &mut Vec<Value>) {
        let software: Vec<usize> = self.groups.all("SFT").collect();
        for index in software {
            let Some(segment) = self.message.segment(index) else { continue };
            let part = |field: usize| plain(&first_text(segment.field(field)));
            let words: Vec<String> =
                [part(3), part(2), part(1)].into_iter().filter(|word| !word.is_empty()).collect();
            if words.is_empty() {
                continue;
            }
            let mut who = object([("display", words.join(" ").into())]);
            // The binary id names the very build.
            if let (build, Some(who)) = (part(4), who.as_object_mut())
                && !build.is_empty()
            {
                who.insert("identifier".into(), object([("value", build.into())]));
            }
            let mut assembler = agent(participant("assembler"), who);
            self.link_party(&mut assembler, "who", "software", Some(index), sets);
            agents.push(assembler);
            (1..=4).for_each(|field| self.ledger.mark_first(segment.field(field), LeafFate::Mapped, None));
        }
    }

    /// Who entered an order (ORC-10), for whom (ORC-17) and on which device (ORC-18), and who did what is asked (ORC-19).
    fn of_orders(&mut self, agents: &mut Vec<Value>) {
        let before = agents.len();
        let orders: Vec<usize> = self.groups.all("ORC").collect();
        for order in orders.into_iter().filter_map(|index| self.message.segment(index)) {
            if agents.len() >= before + ORDER_AGENTS_MAX {
                break;
            }
            let house = self.named(order.field(17), Keyed::Coded);
            let mut found = Vec::new();
            for entered in order.field(10).repetitions() {
                if let Some(who) = self.named(entered, Keyed::Xcn) {
                    found.push(agent(participant("enterer"), who));
                }
            }
            if let Some(who) = self.named(order.field(18), Keyed::Coded) {
                found.push(agent(participant("enterer"), who));
            }
            match (house, found.first_mut().and_then(Value::as_object_mut)) {
                (Some(house), Some(first)) => drop(first.insert("onBehalfOf".into(), house)),
                (Some(house), None) => found.push(agent(participant("enterer"), house)),
                (None, _) => {}
            }
            for acted in order.field(19).repetitions() {
                if let Some(who) = self.named(acted, Keyed::Xcn) {
                    found.push(agent(participant("performer"), who));
                }
            }
            for agent in found {
                if !agents.contains(&agent) {
                    agents.push(agent);
                }
            }
        }
    }

    /// Adds the reference to what a map made under `handle` (of that segment, if one is given) to a party of an agent.
    fn link_party(
        &self,
        agent: &mut Value,
        party: &str,
        handle: &str,
        segment: Option<usize>,
        sets: &[ResourceSet],
    ) {
        let is_of = |make: usize| {
            self.plan.and_then(|plan| plan.make.get(make)).is_some_and(|make| make.handle.name == handle)
        };
        let mut made = self.instances.iter().filter(|instance| {
            is_of(instance.make) && segment.is_none_or(|segment| segment == instance.segment)
        });
        let Some(instance) = made.find(|instance| {
            sets.iter().any(|set| set.resource_type == instance.kind && set.id == instance.id)
        }) else {
            return;
        };
        let reference = format!("{}/{}", instance.kind.as_str(), instance.id);
        if let Some(agent) = agent.as_object_mut() {
            let party = agent.entry(party).or_insert_with(|| object([]));
            if let Some(party) = party.as_object_mut() {
                party.insert("reference".into(), reference.into());
            }
        }
    }

    /// A person (XCN), organization (XON) or thing (CWE) by number and name, without a resource of its own.
    fn named(&mut self, part: Part<'a>, keyed: Keyed) -> Option<Value> {
        if part.raw().is_empty() {
            return None;
        }
        let text = |n: usize| plain(&first_text(part.component(n)));
        let (number, name) = match keyed {
            Keyed::Xon => (if text(10).is_empty() { text(3) } else { text(10) }, text(1)),
            Keyed::Coded => (text(1), text(2)),
            _ => (
                text(1),
                [text(6), text(3), text(4), text(2)]
                    .into_iter()
                    .filter(|word| !word.is_empty())
                    .collect::<Vec<_>>()
                    .join(" "),
            ),
        };
        let mut who = Map::new();
        if !number.is_empty() {
            let mut identifier = object([("value", number.into())]);
            if let (Some(system), Some(object)) =
                (self.identity.system_of(part, Level::Repetition, keyed), identifier.as_object_mut())
            {
                object.insert("system".into(), system.uri.into());
            }
            who.insert("identifier".into(), identifier);
        }
        if !name.is_empty() {
            who.insert("display".into(), name.into());
        }
        if who.is_empty() {
            return None;
        }
        self.ledger.mark(part, LeafFate::Lossy, Some(NAMED_ONLY));
        Some(Value::Object(who))
    }
}

/// The type of who the message is for.
fn recipient() -> Value {
    typed(coding(PARTICIPATION, "IRCP", Some("information recipient")))
}

pub(super) fn participant(code: &str) -> Value {
    typed(coding(PARTICIPANT_TYPE, code, None))
}

fn typed(coding: Value) -> Value {
    object([("coding", list_of(coding))])
}

pub(super) fn agent(kind: Value, who: Value) -> Value {
    object([("type", kind), ("who", who)])
}

/// Who is known by a number alone.
pub(super) fn identified(system: String, value: String) -> Value {
    object([("identifier", object([("system", system.into()), ("value", value.into())]))])
}
