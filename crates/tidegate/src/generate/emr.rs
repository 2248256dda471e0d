//! The EMR of the made-up hospital: identity, admission, transfer, discharge, cancellations, merges.

use super::draft::{Draft, Numbering};
use super::segment::Segment;
use super::vocabulary::{ALLERGIES, DIAGNOSES};
use super::{Generated, Moment, Person, Random, System};

/// Assigning authority of the hospital: namespace and example OID.
pub const AUTHORITY: &str = "HARBOR&2.16.840.1.113883.3.9999.1&ISO";
/// Who numbers the orders that the EMR places.
pub const ORDERS: &str = "HARBOR_EMR^2.16.840.1.113883.3.9999.2^ISO";

/// A stay or an ambulatory visit.
#[derive(Debug, Clone)]
pub struct Visit {
    /// PV1-19.
    pub number: String,
    /// PV1-2: `I`, `O` or `P`.
    pub class: &'static str,
    /// PV1-3.1 to PV1-3.3.
    pub bed: (&'static str, &'static str, &'static str),
    /// The bed before a transfer.
    pub former_bed: Option<(&'static str, &'static str, &'static str)>,
    /// PV1-7: number, family name, given name.
    pub doctor: (&'static str, &'static str, &'static str),
    /// PV1-44.
    pub admitted: Moment,
    /// PV1-45.
    pub discharged: Option<Moment>,
}

impl Visit {
    /// This visit under another class.
    pub fn of_class(&self, class: &'static str) -> Self {
        Self { class, ..self.clone() }
    }
}

/// ADT of one event about a person and a visit.
pub fn adt(
    numbering: &mut Numbering,
    event: Event,
    person: &Person,
    visit: &Visit,
    at: Moment,
    random: &mut Random,
) -> Generated {
    let mut draft = begin(numbering, event, person, at);
    draft.add(pv1(visit));
    draft.sent.ids.push(visit.number.clone());
    draft.sent.dates.extend([Some(visit.admitted), visit.discharged].into_iter().flatten().map(Moment::day));
    doctor(&mut draft, visit.doctor);
    if event.is_clinical() {
        let (code, name, reaction) = random.pick(&ALLERGIES);
        if event != Event::Discharge {
            draft.add(
                Segment::new("AL1")
                    .field(1, "1")
                    .field(2, "DA")
                    .field(3, format!("{code}^{name}^RXNORM"))
                    .field(4, "MO")
                    .field(5, reaction),
            );
        }
        let (code, name) = random.pick(&DIAGNOSES);
        draft.add(
            Segment::new("DG1")
                .field(1, "1")
                .field(3, format!("{code}^{name}^I10"))
                .field(5, visit.admitted.time())
                .field(6, "A"),
        );
    }
    draft.finish()
}

/// A28 or A31: a person, without a visit.
pub fn identity(numbering: &mut Numbering, event: Event, person: &Person, at: Moment) -> Generated {
    let mut draft = begin(numbering, event, person, at);
    draft.add(Segment::new("PV1").field(1, "1").field(2, "N"));
    draft.finish()
}

/// A31 with PD1-12: the person does not want their data to leave.
pub fn protection(numbering: &mut Numbering, person: &Person, at: Moment) -> Generated {
    let mut draft = numbering.draft(System::Emr, &Event::Update.message_type(), at);
    draft.add(evn(Event::Update, at));
    draft.add(pid(person));
    draft.add(Segment::new("PD1").field(12, "Y").field(13, at.day()));
    draft.add(Segment::new("PV1").field(1, "1").field(2, "N"));
    know(&mut draft, person);
    draft.finish()
}

/// A40: what is under `retired` belongs to `person`.
pub fn merge(numbering: &mut Numbering, person: &Person, retired: &str, at: Moment) -> Generated {
    let mut draft = numbering.draft(System::Emr, &Event::Merge.message_type(), at);
    draft.add(evn(Event::Merge, at));
    draft.add(pid(person));
    draft.add(Segment::new("MRG").field(1, format!("{retired}^^^{AUTHORITY}^MR")));
    know(&mut draft, person);
    draft.sent.ids.push(retired.to_owned());
    draft.finish()
}

/// An event of HL7 table 0003 that this EMR sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A28: add person.
    Add,
    /// A05: pre-admit.
    PreAdmit,
    /// A01: admit.
    Admit,
    /// A04: register.
    Register,
    /// A06: outpatient becomes inpatient.
    ToInpatient,
    /// A07: inpatient becomes outpatient.
    ToOutpatient,
    /// A08: update patient.
    Change,
    /// A02: transfer.
    Transfer,
    /// A03: discharge.
    Discharge,
    /// A11: cancel admit.
    CancelAdmit,
    /// A13: cancel discharge.
    CancelDischarge,
    /// A31: update person.
    Update,
    /// A40: merge patient.
    Merge,
}

impl Event {
    /// `A01` and its message structure of version 2.5.1.
    fn codes(self) -> (&'static str, &'static str) {
        match self {
            Self::Add => ("A28", "ADT_A05"),
            Self::PreAdmit => ("A05", "ADT_A05"),
            Self::Admit => ("A01", "ADT_A01"),
            Self::Register => ("A04", "ADT_A01"),
            Self::ToInpatient => ("A06", "ADT_A06"),
            Self::ToOutpatient => ("A07", "ADT_A06"),
            Self::Change => ("A08", "ADT_A01"),
            Self::Transfer => ("A02", "ADT_A02"),
            Self::Discharge => ("A03", "ADT_A03"),
            Self::CancelAdmit => ("A11", "ADT_A09"),
            Self::CancelDischarge => ("A13", "ADT_A01"),
            Self::Update => ("A31", "ADT_A05"),
            Self::Merge => ("A40", "ADT_A39"),
        }
    }

    fn message_type(self) -> String {
        let (event, structure) = self.codes();
        format!("ADT^{event}^{structure}")
    }

    /// Does the message bring diagnoses, and allergies beside a discharge?
    fn is_clinical(self) -> bool {
        matches!(self, Self::Admit | Self::Register | Self::Change | Self::Discharge)
    }

    /// Does the message bring the next of kin?
    fn has_kin(self) -> bool {
        self.is_clinical() || matches!(self, Self::Add | Self::Update | Self::PreAdmit)
    }
}

fn begin(numbering: &mut Numbering, event: Event, person: &Person, at: Moment) -> Draft {
    let mut draft = numbering.draft(System::Emr, &event.message_type(), at);
    draft.add(evn(event, at));
    draft.add(pid(person));
    know(&mut draft, person);
    if event.has_kin() {
        let kin = &person.kin;
        draft.add(
            Segment::new("NK1")
                .field(1, "1")
                .field(2, format!("{}^{}", kin.family, kin.given))
                .field(3, "SPO^Spouse^HL70063")
                .field(5, kin.phone.clone()),
        );
        draft.sent.names.extend([kin.family.clone(), kin.given.clone()]);
        draft.sent.phones.push(kin.phone.clone());
    }
    draft
}

fn evn(event: Event, at: Moment) -> Segment {
    Segment::new("EVN").field(1, event.codes().0).field(2, at.time())
}

/// PID as the hospital writes it, for the EMR and the laboratory.
pub fn pid(person: &Person) -> Segment {
    let mut numbers = format!("{}^^^{AUTHORITY}^MR", person.record_number);
    if !person.ssn.is_empty() {
        numbers = format!("{numbers}~{}^^^SSA^SS", person.ssn);
    }
    let Person { family, given, street, phone, email, .. } = person;
    let (city, state, zip) = person.place;
    Segment::new("PID")
        .field(1, "1")
        .field(3, numbers)
        .field(5, format!("{family}^{given}^^^^^L"))
        .field(7, person.birth_date.clone())
        .field(8, person.sex)
        .field(11, format!("{street}^^{city}^{state}^{zip}^USA^H"))
        .field(13, format!("{phone}^PRN^PH~^NET^Internet^{email}"))
        .field(16, "M")
        .field(18, format!("{}^^^{AUTHORITY}^AN", person.account))
        .field(19, person.ssn.clone())
}

/// Notes what [`pid`] says.
pub fn know(draft: &mut Draft, person: &Person) {
    let sent = &mut draft.sent;
    sent.names.extend([person.family.clone(), person.given.clone()]);
    sent.ids.extend([&person.record_number, &person.ssn, &person.account].map(Clone::clone));
    sent.phones.push(person.phone.clone());
    sent.addresses.extend([person.street.clone(), person.email.clone()]);
    sent.dates.push(person.birth_date.clone());
}

/// PV1 as the hospital writes it, for the EMR and the laboratory.
pub fn pv1(visit: &Visit) -> Segment {
    let place = |(ward, room, bed): (&str, &str, &str)| format!("{ward}^{room}^{bed}^HARBOR");
    let mut pv1 = Segment::new("PV1").field(1, "1").field(2, visit.class).field(3, place(visit.bed));
    if let Some(former) = visit.former_bed {
        pv1 = pv1.field(6, place(former));
    }
    pv1 = pv1
        .field(7, xcn(visit.doctor))
        .field(10, "MED")
        .field(19, format!("{}^^^{AUTHORITY}^VN", visit.number))
        .field(44, visit.admitted.time());
    match visit.discharged {
        Some(discharged) => pv1.field(36, "01").field(45, discharged.time()),
        None => pv1,
    }
}

/// A clinician as XCN.
pub fn xcn((number, family, given): (&str, &str, &str)) -> String {
    format!("{number}^{family}^{given}^^^^^^NPI")
}

/// Notes the name and number of a clinician.
pub fn doctor(draft: &mut Draft, (number, family, given): (&str, &str, &str)) {
    draft.sent.names.extend([family, given].map(str::to_owned));
    draft.sent.ids.push(number.to_owned());
}
