//! The made-up town: one person after the other falls ill, is treated, gets medicine, and is charged for it; four
//! systems write about it, in the order in which it happens.

use std::collections::VecDeque;

use super::draft::Numbering;
use super::emr::{self, Event, Visit};
use super::laboratory::{self, Order, Status};
use super::payer::{self, Charges};
use super::pharmacy::{self, Prescription};
use super::vocabulary::{ANALYTES, BEDS, DOCTORS};
use super::{Generated, Moment, Person, Random, Sent, System};

/// Every n-th person arrives under a second number that is merged away (A40).
const MERGED_EVERY: u32 = 5;
/// Every n-th person is announced before the admission (A05).
const ANNOUNCED_EVERY: u32 = 3;
/// Every n-th person comes as an outpatient and stays (A04, A06).
const OUTPATIENT_EVERY: u32 = 4;
/// Every n-th inpatient becomes an outpatient (A07).
const DOWNGRADED_EVERY: u32 = 9;
/// Every n-th person has an admission that is cancelled (A11).
const CANCELLED_EVERY: u32 = 6;
/// Every n-th discharge is cancelled and comes again (A13).
const UNDISCHARGED_EVERY: u32 = 7;
/// Every n-th person moves afterwards (A31).
const MOVED_EVERY: u32 = 2;
/// Every n-th person has a result that is corrected.
const CORRECTED_EVERY: u32 = 4;
/// Every n-th person has a result that is wrong.
const WRONG_EVERY: u32 = 6;
/// Every n-th person wants their data protected (A31 with PD1-12).
const PROTECTED_EVERY: u32 = 23;

/// What messages amount to, for who counts resources.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Visits, cancelled ones too.
    pub visits: u32,
    /// Visits that were cancelled.
    pub cancelled_visits: u32,
    /// Results.
    pub results: u32,
    /// Results that were wrong.
    pub wrong_results: u32,
    /// Prescriptions.
    pub prescriptions: u32,
    /// Dispenses.
    pub dispenses: u32,
    /// Charges.
    pub charges: u32,
    /// Procedures.
    pub procedures: u32,
    /// Record numbers merged away.
    pub merged: u32,
}

impl std::ops::Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            visits: self.visits + other.visits,
            cancelled_visits: self.cancelled_visits + other.cancelled_visits,
            results: self.results + other.results,
            wrong_results: self.wrong_results + other.wrong_results,
            prescriptions: self.prescriptions + other.prescriptions,
            dispenses: self.dispenses + other.dispenses,
            charges: self.charges + other.charges,
            procedures: self.procedures + other.procedures,
            merged: self.merged + other.merged,
        }
    }
}

/// One person and what four systems wrote about them.
#[derive(Debug, Clone)]
pub struct Episode {
    /// The person as last known.
    pub person: Person,
    /// All messages, in the order in which things happened.
    pub messages: Vec<Generated>,
    /// What they amount to.
    pub counts: Counts,
    /// The last moment of the episode.
    pub end: Moment,
}

/// An endless, seeded feed of the whole town, or of some of its systems.
#[derive(Debug, Clone)]
pub struct Feed {
    random: Random,
    numbering: Numbering,
    people: u32,
    systems: Vec<System>,
    waiting: VecDeque<Generated>,
}

impl Feed {
    /// The feed of a seed, from all systems.
    pub fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            numbering: Numbering::new(seed),
            people: 0,
            systems: System::ALL.to_vec(),
            waiting: VecDeque::new(),
        }
    }

    /// The same feed without the messages of other systems.
    pub fn only(self, systems: &[System]) -> Self {
        Self { systems: systems.to_vec(), ..self }
    }

    /// The next person's messages.
    pub fn episode(&mut self) -> Episode {
        self.people += 1;
        let person = Person::new(&mut self.random, self.people);
        let start = Moment::drawn(&mut self.random);
        let visit = self.visit(start);
        let counts = Counts::default();
        let mut story = Story { feed: self, person, visit, at: start, counts, messages: Vec::new() };
        story.arrival();
        story.treatment();
        story.departure();
        story.aftermath();
        let Story { person, counts, at, messages, .. } = story;
        let messages =
            messages.into_iter().filter(|message| self.systems.contains(&message.system)).collect();
        Episode { person, messages, counts, end: at }
    }

    /// A31 with PD1-12 = Y: from now on this person's data stays in the hospital.
    pub fn protection(&mut self, person: &Person, at: Moment) -> Generated {
        emr::protection(&mut self.numbering, person, at)
    }

    /// RDE^O11 with the pharmacy's number of `one` and everything else of `other`.
    pub fn mistaken(&mut self, one: &Person, other: &Person, at: Moment) -> Generated {
        let mixed = Person { pharmacy_number: one.pharmacy_number.clone(), ..other.clone() };
        let (visit, prescription) = (self.visit(at), Prescription::drawn(&mut self.random, &mixed, at));
        pharmacy::encoded(&mut self.numbering, &mixed, &visit, &prescription)
    }

    fn visit(&mut self, admitted: Moment) -> Visit {
        Visit {
            number: format!("V{}{:05}", self.random.digits(3), self.people),
            class: "I",
            bed: self.random.pick(&BEDS),
            former_bed: None,
            doctor: self.random.pick(&DOCTORS),
            admitted,
            discharged: None,
        }
    }
}

impl Iterator for Feed {
    type Item = Generated;

    fn next(&mut self) -> Option<Generated> {
        // A feed of no system has no next message; every system writes in every episode.
        if self.waiting.is_empty() && !self.systems.is_empty() {
            let messages = self.episode().messages;
            self.waiting.extend(messages);
        }
        self.waiting.pop_front()
    }
}

/// Everything identifying that messages say.
pub fn sent<'m>(messages: impl IntoIterator<Item = &'m Generated>) -> Sent {
    let mut all = Sent::default();
    messages.into_iter().for_each(|message| all.extend(message.sent.clone()));
    all.tidy();
    all
}

/// One episode while it is told.
struct Story<'f> {
    feed: &'f mut Feed,
    person: Person,
    visit: Visit,
    at: Moment,
    counts: Counts,
    messages: Vec<Generated>,
}

impl Story<'_> {
    fn is_every(&self, n: u32) -> bool {
        self.person.number.is_multiple_of(n)
    }

    fn later(&mut self, minutes: u32) {
        self.at = self.at.minutes(minutes);
    }

    fn adt(&mut self, event: Event, visit: &Visit) {
        let Feed { numbering, random, .. } = &mut *self.feed;
        self.messages.push(emr::adt(numbering, event, &self.person, visit, self.at, random));
    }

    fn identity(&mut self, event: Event) {
        let message = emr::identity(&mut self.feed.numbering, event, &self.person, self.at);
        self.messages.push(message);
    }

    fn arrival(&mut self) {
        self.identity(Event::Add);
        self.later(5);
        self.counts.visits += 1;
        let visit = self.visit.clone();
        if self.is_every(OUTPATIENT_EVERY) {
            self.adt(Event::Register, &visit.of_class("O"));
            self.later(45);
            self.adt(Event::ToInpatient, &visit);
        } else {
            if self.is_every(ANNOUNCED_EVERY) {
                self.adt(Event::PreAdmit, &visit.of_class("P"));
                self.later(30);
            }
            self.adt(Event::Admit, &visit);
        }
        self.later(15);
        self.person = self.person.with_other_phone(&mut self.feed.random);
        self.adt(Event::Change, &visit);
    }

    fn treatment(&mut self) {
        let Self { feed, person, visit, at, .. } = &mut *self;
        let Feed { numbering, random, .. } = &mut **feed;
        let mut order = Order::drawn(random, person, at.minutes(20));
        let results = laboratory::results(numbering, person, visit, &order, Status::Final, at.minutes(90));
        let prescription = Prescription::drawn(random, person, at.minutes(120));
        let encoded = pharmacy::encoded(numbering, person, visit, &prescription);
        let dispensed = pharmacy::dispensed(numbering, person, visit, &prescription, at.minutes(180));
        self.messages.extend([results, encoded, dispensed]);
        self.counts.results += u32::try_from(ANALYTES.len()).unwrap_or(0);
        self.counts.prescriptions += 1;
        self.counts.dispenses += 1;
        self.at = self.at.days(1);
        self.transfer();
        self.corrections(&mut order);
    }

    fn transfer(&mut self) {
        self.visit.former_bed = Some(self.visit.bed);
        self.visit.bed = self.feed.random.pick(&BEDS);
        let visit = self.visit.clone();
        self.adt(Event::Transfer, &visit);
        self.visit.former_bed = None;
        if self.is_every(DOWNGRADED_EVERY) {
            self.later(60);
            self.visit.class = "O";
            let visit = self.visit.clone();
            self.adt(Event::ToOutpatient, &visit);
        }
    }

    fn corrections(&mut self, order: &mut Order) {
        let mut statuses = Vec::new();
        if self.is_every(CORRECTED_EVERY) {
            statuses.push(Status::Corrected(order.measured_again(&mut self.feed.random)));
        }
        if self.is_every(WRONG_EVERY) {
            statuses.push(Status::Wrong(self.feed.random.pick(&ANALYTES.map(|analyte| analyte.code))));
            self.counts.wrong_results += 1;
        }
        for status in statuses {
            self.later(30);
            let numbering = &mut self.feed.numbering;
            let message = laboratory::results(numbering, &self.person, &self.visit, order, status, self.at);
            self.messages.push(message);
        }
    }

    fn departure(&mut self) {
        self.at = self.at.days(self.feed.random.between(1, 6));
        let discharged = Visit { discharged: Some(self.at), ..self.visit.clone() };
        self.adt(Event::Discharge, &discharged);
        if self.is_every(UNDISCHARGED_EVERY) {
            self.later(20);
            let visit = self.visit.clone();
            self.adt(Event::CancelDischarge, &visit);
            self.at = self.at.days(1);
            self.adt(Event::Discharge, &Visit { discharged: Some(self.at), ..visit });
        }
        self.at = self.at.days(1);
        let Feed { numbering, random, .. } = &mut *self.feed;
        let charges = Charges::drawn(random, &self.person);
        let message = payer::charged(numbering, &self.person, &self.visit, &charges, self.at, random);
        self.counts.charges += u32::try_from(charges.count()).unwrap_or(0);
        self.counts.procedures += u32::from(charges.has_procedure());
        self.messages.push(message);
    }

    fn aftermath(&mut self) {
        self.at = self.at.days(1);
        if self.is_every(MOVED_EVERY) {
            self.person = self.person.moved(&mut self.feed.random);
            self.identity(Event::Update);
        }
        if self.is_every(CANCELLED_EVERY) {
            self.at = self.at.days(1);
            let other = self.feed.visit(self.at);
            self.adt(Event::Admit, &other);
            self.later(25);
            self.adt(Event::CancelAdmit, &other);
            self.counts.visits += 1;
            self.counts.cancelled_visits += 1;
        }
        if self.is_every(MERGED_EVERY) {
            self.merge();
        }
        if self.is_every(PROTECTED_EVERY) {
            self.later(30);
            let message = emr::protection(&mut self.feed.numbering, &self.person, self.at);
            self.messages.push(message);
        }
    }

    /// A registration in a hurry, under a new number and without the others, which turns out to be the same person's.
    fn merge(&mut self) {
        self.at = self.at.days(1);
        let digits = self.feed.random.digits(4);
        let double = Person {
            record_number: format!("{digits}{:05}", 90_000 + self.person.number),
            account: format!("AD{digits}{:05}", self.person.number),
            ssn: String::new(),
            ..self.person.clone()
        };
        let known = std::mem::replace(&mut self.person, double);
        let other = self.feed.visit(self.at);
        self.adt(Event::Admit, &other);
        let double = std::mem::replace(&mut self.person, known);
        self.later(40);
        let numbering = &mut self.feed.numbering;
        let message = emr::merge(numbering, &self.person, &double.record_number, self.at);
        self.messages.push(message);
        self.counts.visits += 1;
        self.counts.merged += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::{Feed, System, sent};

    const ALL_TYPES: [&str; 17] = [
        "ADT^A01", "ADT^A02", "ADT^A03", "ADT^A04", "ADT^A05", "ADT^A06", "ADT^A07", "ADT^A08", "ADT^A11",
        "ADT^A13", "ADT^A28", "ADT^A31", "ADT^A40", "ORU^R01", "RDE^O11", "RDS^O13", "DFT^P03",
    ];

    #[test]
    fn the_same_seed_gives_the_same_feed_and_every_message_type() {
        let messages: Vec<_> = Feed::new(7).take(200).collect();
        let again: Vec<_> = Feed::new(7).take(200).collect();
        assert!(messages.iter().zip(&again).all(|(one, other)| one.er7 == other.er7));
        for kind in ALL_TYPES {
            assert!(messages.iter().any(|message| message.message_type == kind), "{kind} is missing");
        }
        assert!(messages.iter().any(|message| message.er7.contains("|W|||")), "a wrong result");
        assert!(messages.iter().any(|message| message.er7.contains("|C|||")), "a corrected result");
        let other: Vec<_> = Feed::new(8).take(1).collect();
        assert!(other.iter().zip(&messages).all(|(one, other)| one.er7 != other.er7));
    }

    #[test]
    fn a_feed_of_one_system_is_its_part_of_the_whole() {
        let whole: Vec<_> = Feed::new(7).take(100).collect();
        for system in System::ALL {
            let part: Vec<_> =
                whole.iter().filter(|message| message.system == system).map(|m| &m.er7).collect();
            let alone: Vec<_> =
                Feed::new(7).only(&[system]).take(part.len()).map(|message| message.er7).collect();
            assert!(!part.is_empty() && part.into_iter().eq(&alone), "{system:?}");
        }
        assert_eq!(Feed::new(7).only(&[]).next().map(|message| message.er7), None);
    }

    #[test]
    fn what_was_sent_is_in_the_messages_and_nothing_else() {
        let mut feed = Feed::new(3);
        let messages: Vec<_> = (0..12).flat_map(|_| feed.episode().messages).collect();
        for system in System::ALL {
            let part = || messages.iter().filter(|message| message.system == system);
            let all: String = part().map(|message| message.er7.as_str()).collect();
            let said = sent(part());
            let lists = [&said.names, &said.ids, &said.phones, &said.addresses, &said.dates];
            for text in lists.into_iter().flatten().filter(|text| !text.is_empty()) {
                assert!(all.contains(text.as_str()), "{system:?}: {text} was not sent");
            }
        }
    }

    #[test]
    fn every_segment_can_be_read() {
        for message in Feed::new(11).take(150) {
            let read =
                hl7v2::Message::read(message.er7.as_bytes()).unwrap_or_else(|e| panic!("{message:?}: {e}"));
            assert_eq!(read.header().control_id().raw(), message.control_id.as_bytes());
        }
    }

    #[test]
    fn one_person_has_three_authorities() {
        let episode = Feed::new(7).episode();
        let person = &episode.person;
        for (system, number) in [
            (System::Emr, &person.record_number),
            (System::Pharmacy, &person.pharmacy_number),
            (System::Payer, &person.member_number),
        ] {
            assert!(
                episode.messages.iter().any(|m| m.system == system && m.er7.contains(number.as_str())),
                "{system:?}"
            );
        }
        let beside = |system| {
            episode
                .messages
                .iter()
                .filter(move |m| m.system == system)
                .all(|m| m.er7.contains(&person.record_number))
        };
        assert!(beside(System::Pharmacy) && beside(System::Payer), "the hospital's number beside their own");
    }
}
