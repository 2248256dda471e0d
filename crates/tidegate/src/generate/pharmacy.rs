//! A pharmacy in the made-up town: prescriptions as it encodes them, and what it hands out. It numbers people itself
//! and repeats the hospital's record number beside its own.

use super::draft::{Draft, Numbering};
use super::emr::{self, Visit};
use super::segment::Segment;
use super::vocabulary::{DRUGS, Drug};
use super::{Generated, Moment, Person, Random, System};

/// Assigning authority of the pharmacy: namespace and example OID.
pub const AUTHORITY: &str = "CAPE_RX&2.16.840.1.113883.3.9999.11&ISO";
/// Who numbers the pharmacy's orders.
const ORDERS: &str = "CAPE_RX^2.16.840.1.113883.3.9999.12^ISO";

/// One prescription.
#[derive(Debug, Clone)]
pub struct Prescription {
    placer: String,
    filler: String,
    number: String,
    drug: Drug,
    written: Moment,
}

impl Prescription {
    /// A prescription for a person.
    pub fn drawn(random: &mut Random, person: &Person, written: Moment) -> Self {
        let number = person.number;
        Self {
            placer: format!("RP{}{number:05}", random.digits(3)),
            filler: format!("RF{}{number:05}", random.digits(3)),
            number: format!("RX{}{number:05}", random.digits(3)),
            drug: random.pick(&DRUGS),
            written,
        }
    }
}

/// RDE^O11: the prescription as the pharmacy encodes it.
pub fn encoded(
    numbering: &mut Numbering,
    person: &Person,
    visit: &Visit,
    prescription: &Prescription,
) -> Generated {
    let at = prescription.written;
    let mut draft = begin(numbering, "RDE^O11^RDE_O11", person, prescription, at);
    let Prescription { number, drug, .. } = prescription;
    draft.add(order("NW", visit, prescription));
    draft.add(timing(drug, at));
    draft.add(
        Segment::new("RXE")
            .field(2, format!("{}^{}^RXNORM", drug.rxnorm, drug.name))
            .field(3, drug.amount)
            .field(5, format!("{}^^UCUM", drug.unit))
            .field(6, drug.form)
            .field(7, format!("^{} takes it with water", person.given))
            .field(10, "30")
            .field(11, drug.form)
            .field(12, "2")
            .field(15, number.clone())
            .field(32, at.time()),
    );
    draft.add(route());
    emr::doctor(&mut draft, visit.doctor);
    draft.finish()
}

/// RDS^O13: what was handed out for a prescription.
pub fn dispensed(
    numbering: &mut Numbering,
    person: &Person,
    visit: &Visit,
    prescription: &Prescription,
    at: Moment,
) -> Generated {
    let mut draft = begin(numbering, "RDS^O13^RDS_O13", person, prescription, at);
    let Prescription { number, drug, .. } = prescription;
    draft.add(order("RE", visit, prescription));
    draft.add(timing(drug, prescription.written));
    draft.add(
        Segment::new("RXD")
            .field(1, "1")
            .field(2, format!("{}^{}^NDC", drug.ndc, drug.name))
            .field(3, at.time())
            .field(4, "30")
            .field(5, drug.form)
            .field(7, number.clone())
            .field(9, format!("handed to {} {}", person.kin.given, person.kin.family)),
    );
    draft.add(route());
    draft.sent.names.extend([person.kin.given.clone(), person.kin.family.clone()]);
    emr::doctor(&mut draft, visit.doctor);
    draft.finish()
}

fn begin(
    numbering: &mut Numbering,
    message_type: &str,
    person: &Person,
    prescription: &Prescription,
    at: Moment,
) -> Draft {
    let mut draft = numbering.draft(System::Pharmacy, message_type, at);
    draft.add(pid(person));
    let Prescription { placer, filler, number, written, .. } = prescription;
    let sent = &mut draft.sent;
    sent.names.extend([person.family.clone(), person.given.clone()]);
    sent.ids
        .extend([&person.pharmacy_number, &person.record_number, placer, filler, number].map(Clone::clone));
    sent.dates.extend([person.birth_date.clone(), written.day()]);
    draft
}

fn pid(person: &Person) -> Segment {
    let own = format!("{}^^^{AUTHORITY}^PI", person.pharmacy_number);
    let hospital = format!("{}^^^{}^MR", person.record_number, emr::AUTHORITY);
    Segment::new("PID")
        .field(1, "1")
        .field(3, format!("{own}~{hospital}"))
        .field(5, format!("{}^{}^^^^^L", person.family, person.given))
        .field(7, person.birth_date.clone())
        .field(8, person.sex)
}

fn order(control: &'static str, visit: &Visit, prescription: &Prescription) -> Segment {
    Segment::new("ORC")
        .field(1, control)
        .field(2, format!("{}^{}", prescription.placer, emr::ORDERS))
        .field(3, format!("{}^{ORDERS}", prescription.filler))
        .field(9, prescription.written.time())
        .field(12, emr::xcn(visit.doctor))
}

fn timing(drug: &Drug, start: Moment) -> Segment {
    Segment::new("TQ1").field(1, "1").field(3, drug.repeat).field(7, start.time())
}

fn route() -> Segment {
    Segment::new("RXR").field(1, "PO^Oral^HL70162")
}
