//! The payer's system: charges of a visit, with what was done, the guarantor and the insurance. It numbers its members
//! itself and repeats the hospital's record number beside.

use super::draft::Numbering;
use super::emr::{self, Visit};
use super::segment::Segment;
use super::vocabulary::{DIAGNOSES, PROCEDURES, SERVICES, Service};
use super::{Generated, Moment, Person, Random, System};

/// Assigning authority of the payer: namespace and example OID.
pub const AUTHORITY: &str = "MERIDIAN&2.16.840.1.113883.3.9999.21&ISO";

/// Group number of every policy.
const GROUP: &str = "GRP55017";

/// What is charged for a visit.
#[derive(Debug, Clone)]
pub struct Charges {
    services: Vec<(String, Service)>,
    procedure: Option<(&'static str, &'static str)>,
    guarantor_number: String,
    is_dependent: bool,
}

impl Charges {
    /// Two or three services, now and then a procedure; every second person is insured through a spouse.
    pub fn drawn(random: &mut Random, person: &Person) -> Self {
        let number = person.number;
        let count = random.between(2, 3);
        let charge =
            |random: &mut Random| (format!("TX{}{number:05}", random.digits(3)), random.pick(&SERVICES));
        Self {
            services: (0..count).map(|_| charge(random)).collect(),
            procedure: random.chance(35).then(|| random.pick(&PROCEDURES)),
            guarantor_number: format!("GR{}{number:05}", random.digits(3)),
            is_dependent: number.is_multiple_of(2),
        }
    }

    /// How many FT1 there are.
    pub fn count(&self) -> usize {
        self.services.len()
    }

    /// Is there a PR1?
    pub fn has_procedure(&self) -> bool {
        self.procedure.is_some()
    }
}

/// DFT^P03 of a visit.
pub fn charged(
    numbering: &mut Numbering,
    person: &Person,
    visit: &Visit,
    charges: &Charges,
    at: Moment,
    random: &mut Random,
) -> Generated {
    let mut draft = numbering.draft(System::Payer, "DFT^P03^DFT_P03", at);
    draft.add(Segment::new("EVN").field(1, "P03").field(2, at.time()));
    draft.add(pid(person));
    draft.add(
        Segment::new("PV1")
            .field(1, "1")
            .field(2, visit.class)
            .field(19, format!("{}^^^{}^VN", visit.number, emr::AUTHORITY)),
    );
    let (diagnosis, diagnosis_name) = random.pick(&DIAGNOSES);
    for (number, (transaction, service)) in (1..).zip(&charges.services) {
        draft.add(
            Segment::new("FT1")
                .field(1, number.to_string())
                .field(2, transaction.clone())
                .field(4, visit.admitted.time())
                .field(5, at.time())
                .field(6, "CG")
                .field(7, format!("{}^{}^C4", service.code, service.name))
                .field(10, "1")
                .field(11, format!("{}&USD", service.price))
                .field(12, format!("{}&USD", service.price))
                .field(19, format!("{diagnosis}^{diagnosis_name}^I10"))
                .field(20, emr::xcn(visit.doctor)),
        );
        draft.sent.ids.push(transaction.clone());
        if let (1, Some((code, name))) = (number, charges.procedure) {
            let pr1 = Segment::new("PR1").field(1, "1").field(3, format!("{code}^{name}^C4"));
            draft.add(
                pr1.field(5, visit.admitted.days(1).time()).field(6, "D").field(11, emr::xcn(visit.doctor)),
            );
            draft.sent.dates.push(visit.admitted.days(1).day());
        }
    }
    draft.add(gt1(person, charges));
    draft.add(in1(person, charges));
    let sent = &mut draft.sent;
    sent.names
        .extend([&person.family, &person.given, &person.kin.family, &person.kin.given].map(Clone::clone));
    sent.ids.extend([&person.member_number, &person.record_number, &person.account].map(Clone::clone));
    sent.ids.extend([&person.policy_number, &visit.number, &charges.guarantor_number].map(Clone::clone));
    sent.phones.push(person.kin.phone.clone());
    sent.addresses.push(person.street.clone());
    sent.ids.push(GROUP.to_owned());
    sent.dates.extend([person.birth_date.clone(), person.kin.birth_date.clone(), visit.admitted.day()]);
    emr::doctor(&mut draft, visit.doctor);
    draft.finish()
}

fn pid(person: &Person) -> Segment {
    let own = format!("{}^^^{AUTHORITY}^MB", person.member_number);
    let hospital = format!("{}^^^{}^MR", person.record_number, emr::AUTHORITY);
    Segment::new("PID")
        .field(1, "1")
        .field(3, format!("{own}~{hospital}"))
        .field(5, format!("{}^{}^^^^^L", person.family, person.given))
        .field(7, person.birth_date.clone())
        .field(8, person.sex)
        .field(18, format!("{}^^^{}^AN", person.account, emr::AUTHORITY))
}

fn gt1(person: &Person, charges: &Charges) -> Segment {
    let kin = &person.kin;
    let (city, state, zip) = person.place;
    Segment::new("GT1")
        .field(1, "1")
        .field(2, format!("{}^^^{AUTHORITY}", charges.guarantor_number))
        .field(3, format!("{}^{}", kin.family, kin.given))
        .field(5, format!("{}^^{city}^{state}^{zip}^USA^H", person.street))
        .field(6, kin.phone.clone())
        .field(8, kin.birth_date.clone())
        .field(11, "SPO^Spouse^HL70063")
}

fn in1(person: &Person, charges: &Charges) -> Segment {
    let in1 = Segment::new("IN1")
        .field(1, "1")
        .field(2, "GOLD^Meridian Gold")
        .field(3, format!("MERIDIAN01^^^{AUTHORITY}^NIIP"))
        .field(4, "Meridian Health Plan")
        .field(8, GROUP)
        .field(12, "20150101")
        .field(15, "PPO")
        .field(36, person.policy_number.clone())
        .field(49, format!("{}^^^{AUTHORITY}^MB", person.member_number));
    if charges.is_dependent {
        in1.field(16, format!("{}^{}", person.kin.family, person.kin.given))
            .field(17, "SPO^Spouse^HL70063")
            .field(18, person.kin.birth_date.clone())
    } else {
        in1.field(16, format!("{}^{}", person.family, person.given)).field(17, "SEL^Self^HL70063")
    }
}
