//! Messages that go on as they are, to destinations inside the hospital: decided when the message is applied, by what
//! the policy says of its type, sender and channel, whatever became of its translation.

use std::collections::BTreeSet;

use audit::{Kind, Record};
use hl7v2::Message;
use residency::{MessageFacts, Policy};
use store::{EVERY_LANE, Entry, Key, MessageState, NewForward, PATIENT_KEY, WriteSet};
use uuid::Uuid;

use crate::id::new_id;
use crate::{Environment, Error};

/// Lanes of one message; one that names more patients is ordered with everything.
const LANES_MAX: usize = 64;
/// Destinations that one record of denials names.
const DENIED_NAMED_MAX: usize = 256;
/// Fields that hold numbers of a patient, by segment (HL7 v2.5.1 sections 3.4.2 and 3.4.9).
const PATIENT_FIELDS: [(&str, &[usize]); 2] = [("PID", &[2, 3, 4]), ("MRG", &[1, 4])];

/// What is asked of a message's bytes before it is routed.
pub struct Addressed {
    facts: MessageFacts,
    numbers: Numbers,
}

impl Addressed {
    /// `None`: it goes nowhere. A refused entry never does: its sender was told to send it again.
    pub fn of(policy: &Policy, entry: &Entry) -> Option<Self> {
        if policy.message_destinations().next().is_none() || entry.refused.is_some() {
            return None;
        }
        let message = Message::read_as(&entry.bytes, entry.charset.as_deref()).ok()?;
        Some(Self { facts: facts(&message, &entry.channel), numbers: Numbers::of(&message) })
    }
}

/// Adds to the write set of a message what of it is forwarded, and the records of each decision.
pub fn route(
    policy: &Policy,
    environment: &Environment,
    entry: &Entry,
    addressed: Option<Addressed>,
    set: &mut WriteSet,
) -> Result<(), Error> {
    let Some(Addressed { facts, numbers }) = addressed else { return Ok(()) };
    let mut denied = Vec::new();
    for destination in policy.message_destinations().map(|one| one.id.as_str()) {
        match policy.permit_message(destination, &facts) {
            Ok(permit) => {
                let lanes = lanes(&numbers, &set.keys, entry, environment.namespace);
                let forward = new(environment, entry, destination, lanes);
                set.records.push(permitted(environment, &forward, permit.rules())?);
                set.forwards.push(forward);
            }
            Err(denial) => denied.push((destination, denial)),
        }
    }
    for chunk in denied.chunks(DENIED_NAMED_MAX) {
        let mut record = decided(environment, entry.id.0, "deny");
        for (destination, denial) in chunk {
            record = record.object("destination", destination)?.object("reason", denial.reason)?;
            for rule in denial.rules.iter().take(1) {
                record = record.object("rule", rule)?;
            }
        }
        set.records.push(record);
    }
    if set.message.state == MessageState::Stored && !set.forwards.is_empty() {
        set.message.state = MessageState::Routed;
    }
    Ok(())
}

/// Entries of the journal once more to one destination, in their order, with the record of each decision that lets one
/// go; those that may not go today are left out.
///
/// # Errors
/// When a record cannot be built of codes (a defect, not data).
pub fn again(
    policy: &Policy,
    environment: &Environment,
    entries: &[Entry],
    destination: &str,
) -> Result<(Vec<NewForward>, Vec<Record>), Error> {
    let (mut forwards, mut records) = (Vec::new(), Vec::new());
    for entry in entries.iter().filter(|entry| entry.refused.is_none()) {
        let Ok(message) = Message::read_as(&entry.bytes, entry.charset.as_deref()) else { continue };
        let Ok(permit) = policy.permit_message(destination, &facts(&message, &entry.channel)) else {
            continue;
        };
        let lanes = lanes(&Numbers::of(&message), &[], entry, environment.namespace);
        let forward = new(environment, entry, destination, lanes);
        records.push(permitted(environment, &forward, permit.rules())?);
        forwards.push(forward);
    }
    Ok((forwards, records))
}

fn new(environment: &Environment, entry: &Entry, destination: &str, lanes: Vec<Uuid>) -> NewForward {
    NewForward {
        id: new_id(environment),
        destination: destination.to_owned(),
        message: entry.id,
        seq: entry.seq,
        lanes,
        decision_id: new_id(environment),
    }
}

/// What the policy looks at.
fn facts(message: &Message<'_>, channel: &str) -> MessageFacts {
    let header = message.header();
    let (application, facility) = (header.sending_application(), header.sending_facility());
    let (application, facility) = (application.component(1).text(), facility.component(1).text());
    MessageFacts::of(&header.code(), &header.event(), &application, &facility, channel)
}

/// The numbers of patients that a message names, merged ones too, without their authority, which feeds leave out: to wait
/// for a stranger costs less than to pass oneself. `None`: more than there are lanes for.
struct Numbers(Option<BTreeSet<String>>);

impl Numbers {
    fn of(message: &Message<'_>) -> Self {
        let mut numbers = BTreeSet::new();
        for segment in message.segments() {
            let fields = PATIENT_FIELDS.iter().find(|(name, _)| *name == segment.name());
            for field in fields.into_iter().flat_map(|(_, fields)| fields.iter()) {
                for number in segment.field(*field).repetitions() {
                    let number = number.component(1).text();
                    if !number.trim().is_empty() && number != "\"\"" {
                        numbers.insert(number.trim().to_uppercase());
                    }
                }
            }
            if numbers.len() > LANES_MAX {
                return Self(None);
            }
        }
        Self(Some(numbers))
    }
}

/// The lanes of a message: one for each number of a patient, and for each patient that it was applied to; one of its
/// channel when it names nobody.
fn lanes(numbers: &Numbers, keys: &[Key], entry: &Entry, namespace: Uuid) -> Vec<Uuid> {
    let lane = |kind: &str, text: &str| Uuid::new_v5(&namespace, format!("lane|{kind}|{text}").as_bytes());
    let Some(numbers) = &numbers.0 else { return vec![EVERY_LANE] };
    let mut lanes: BTreeSet<Uuid> = numbers.iter().map(|number| lane("number", number)).collect();
    let patients = keys.iter().filter(|key| key.kind == PATIENT_KEY);
    lanes.extend(patients.map(|key| lane("patient", &key.value)));
    match lanes.len() {
        0 => vec![lane("channel", &entry.channel)],
        1..=LANES_MAX => lanes.into_iter().collect(),
        _ => vec![EVERY_LANE],
    }
}

fn decided(environment: &Environment, message: Uuid, outcome: &'static str) -> Record {
    Record::new(Kind::Decided, new_id(environment), &environment.node, (environment.now_us)())
        .message(message)
        .outcome(outcome)
}

fn permitted(environment: &Environment, forward: &NewForward, rules: &[String]) -> Result<Record, Error> {
    let mut record = decided(environment, forward.message.0, "permit")
        .object("delivery", &forward.id.to_string())?
        .object("decision", &forward.decision_id.to_string())?
        .object("destination", &forward.destination)?;
    for rule in rules {
        record = record.object("rule", rule)?;
    }
    Ok(record)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use store::{Cause, JournalId, MessageRow, Seq};

    use super::*;

    fn entry(er7: &str) -> Entry {
        Entry {
            id: JournalId(Uuid::from_u128(1)),
            seq: Seq(1),
            channel: "emr".into(),
            peer: String::new(),
            received_us: 0,
            bytes: Bytes::copy_from_slice(er7.as_bytes()),
            refused: None,
            control_id_reused: false,
            acknowledgment: None,
            parent: None,
            charset: None,
        }
    }

    fn set(entry: &Entry, state: MessageState) -> WriteSet {
        let message = MessageRow {
            id: entry.id,
            seq: entry.seq,
            channel: entry.channel.clone(),
            received_us: 0,
            processed_us: 0,
            state,
            message_type: String::new(),
            sender: String::new(),
            reason: None,
            issues: "[]".into(),
            package_hash: String::new(),
            flags: 0,
            leaves_mapped: 0,
            leaves_total: 0,
            parent: None,
            resolved_by: None,
        };
        WriteSet::of(Cause::Applied(entry.seq), message, Vec::new())
    }

    fn environment() -> Environment {
        Environment {
            now_us: || 1_795_392_000_000_000,
            fill_random: |buffer| buffer.fill(7),
            node: "node-1".into(),
            namespace: Uuid::from_u128(5),
            patient_token: std::sync::Arc::new(str::to_owned),
        }
    }

    fn policy() -> Policy {
        let files = [
            ("zones.yaml", "zones: [{id: here, kind: on-prem, region: US}]"),
            (
                "destinations.yaml",
                "destinations: [{id: archive, zone: here, form: hl7v2}, {id: other, zone: here, form: hl7v2},
                    {id: unnamed, zone: here, form: hl7v2}]",
            ),
            (
                "policy.yaml",
                "unlabelled: deny\nrules: [{id: all-adt, effect: permit, destinations: [archive], messages: [ADT]},
                    {id: results, effect: permit, destinations: [other], messages: [ORU]}]",
            ),
            ("labels.yaml", "rules: []"),
        ];
        let files = files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        Policy::compile(&files, &[]).expect("the policy is valid")
    }

    fn routed(entry: &Entry, state: MessageState) -> WriteSet {
        let mut set = set(entry, state);
        route(&policy(), &environment(), entry, Addressed::of(&policy(), entry), &mut set).expect("routes");
        set
    }

    fn lanes_of(rest: &str) -> BTreeSet<Uuid> {
        let entry = entry(&format!("MSH|^~\\&|EMR|WARD|||20260102||ADT^A01|7|P|2.5.1\r{rest}"));
        let set = routed(&entry, MessageState::Stored);
        set.forwards[0].lanes.iter().copied().collect()
    }

    #[test]
    fn a_permitted_message_is_queued_with_the_record_of_each_decision() {
        let adt = entry("MSH|^~\\&|EMR|WARD|||20260102||ADT^A01|7|P|2.5.1\rPID|1||77\r");
        let set = routed(&adt, MessageState::Stored);
        assert_eq!((set.forwards.len(), set.forwards[0].destination.as_str()), (1, "archive"));
        assert_eq!(set.message.state, MessageState::Routed);
        let told: Vec<_> = set
            .records
            .iter()
            .map(|record| {
                let rule =
                    record.objects().iter().find(|(name, _)| name == "rule").map(|(_, id)| id.as_str());
                (record.outcome_code().unwrap_or_default(), rule)
            })
            .collect();
        assert_eq!(told, [("permit", Some("all-adt")), ("deny", None)]);
    }

    #[test]
    fn what_is_held_is_forwarded_and_what_was_refused_is_not() {
        let adt = entry("MSH|^~\\&|EMR|WARD|||20260102||ADT^Z99|7|P|2.5.1\r");
        let held = routed(&adt, MessageState::Quarantined);
        assert_eq!((held.forwards.len(), held.message.state), (1, MessageState::Quarantined));
        let refused = Entry { refused: Some("charset".into()), ..adt };
        let set = routed(&refused, MessageState::Quarantined);
        assert!(set.forwards.is_empty() && set.records.is_empty());
    }

    #[test]
    fn a_merge_shares_a_lane_with_both_patients() {
        let survivor = lanes_of("PID|1||77^^^H^MR~88^^^H^PI||Doe^Jo\r");
        let retired = lanes_of("PID|1||99^^^H&1.2&ISO^MR\r");
        assert!(survivor.is_disjoint(&retired));
        let merge = lanes_of("PID|1||77^^^H^MR\rMRG|99^^^H^MR\r");
        assert!(!merge.is_disjoint(&survivor) && !merge.is_disjoint(&retired));
    }

    #[test]
    fn a_message_of_nobody_has_the_lane_of_its_channel_and_one_of_very_many_has_all() {
        assert_eq!(lanes_of("EVN|A01\r"), lanes_of("PID|1||\"\"\r"));
        let many: String = (0..=LANES_MAX).map(|number| format!("PID|1||{number}\r")).collect();
        assert_eq!(lanes_of(&many), BTreeSet::from([EVERY_LANE]));
    }
}
