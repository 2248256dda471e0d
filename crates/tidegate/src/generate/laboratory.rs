//! The laboratory of the made-up hospital: results, corrections, and results that turn out to be another person's.

use super::draft::Numbering;
use super::emr::{self, Visit};
use super::segment::Segment;
use super::vocabulary::{ANALYTES, Analyte};
use super::{Generated, Moment, Person, Random, System};

/// Who numbers the laboratory's own orders.
const ORDERS: &str = "HARBOR_LAB^2.16.840.1.113883.3.9999.3^ISO";

/// One laboratory order and its values.
#[derive(Debug, Clone)]
pub struct Order {
    placer: String,
    filler: String,
    at: Moment,
    /// One value for each of [`ANALYTES`].
    values: Vec<String>,
}

impl Order {
    /// An order for a person, filled.
    pub fn drawn(random: &mut Random, person: &Person, at: Moment) -> Self {
        let number = person.number;
        Self {
            placer: format!("PL{}{number:05}", random.digits(3)),
            filler: format!("FL{}{number:05}", random.digits(3)),
            at,
            values: ANALYTES.iter().map(|analyte| value(random, analyte)).collect(),
        }
    }

    /// The order with one value measured again; the answer is that value's code.
    pub fn measured_again(&mut self, random: &mut Random) -> &'static str {
        let at = random.between(0, 5);
        let chosen = usize::try_from(at).unwrap_or(0);
        for (number, (analyte, slot)) in ANALYTES.iter().zip(&mut self.values).enumerate() {
            if number == chosen {
                *slot = value(random, analyte);
                return analyte.code;
            }
        }
        ""
    }
}

/// What a result message says of its values (OBX-11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// All final.
    Final,
    /// The value of this LOINC code is corrected (`C`), the others are final.
    Corrected(&'static str),
    /// The value of this LOINC code is wrong (`W`): it was never this person's.
    Wrong(&'static str),
}

/// ORU^R01 of one order.
pub fn results(
    numbering: &mut Numbering,
    person: &Person,
    visit: &Visit,
    order: &Order,
    status: Status,
    at: Moment,
) -> Generated {
    let mut draft = numbering.draft(System::Laboratory, "ORU^R01^ORU_R01", at);
    draft.add(emr::pid(person));
    emr::know(&mut draft, person);
    draft.add(emr::pv1(visit));
    emr::doctor(&mut draft, visit.doctor);
    let Order { placer, filler, .. } = order;
    draft.sent.ids.extend([placer.clone(), filler.clone(), visit.number.clone()]);
    draft.sent.dates.extend([visit.admitted.day(), order.at.day()]);
    draft.add(
        Segment::new("ORC")
            .field(1, "RE")
            .field(2, format!("{placer}^{}", emr::ORDERS))
            .field(3, format!("{filler}^{ORDERS}"))
            .field(5, "CM"),
    );
    let report = if status == Status::Final { "F" } else { "C" };
    draft.add(
        Segment::new("OBR")
            .field(1, "1")
            .field(2, format!("{placer}^{}", emr::ORDERS))
            .field(3, format!("{filler}^{ORDERS}"))
            .field(4, "24323-8^Comprehensive metabolic panel^LN")
            .field(7, order.at.time())
            .field(16, emr::xcn(visit.doctor))
            .field(22, at.time())
            .field(24, "CH")
            .field(25, report),
    );
    for (number, (analyte, value)) in (1..).zip(ANALYTES.iter().zip(&order.values)) {
        draft.add(obx(number, analyte, value, status, order.at));
    }
    let words = format!("Specimen of {} {} slightly hemolyzed", person.given, person.family);
    draft.add(Segment::new("NTE").field(1, "1").field(2, "L").field(3, words));
    draft.finish()
}

fn obx(number: u32, analyte: &Analyte, value: &str, status: Status, at: Moment) -> Segment {
    let flag = match status {
        Status::Corrected(code) if code == analyte.code => "C",
        Status::Wrong(code) if code == analyte.code => "W",
        Status::Final | Status::Corrected(_) | Status::Wrong(_) => "F",
    };
    Segment::new("OBX")
        .field(1, number.to_string())
        .field(2, "NM")
        .field(3, format!("{}^{}^LN", analyte.code, analyte.name))
        .field(5, value)
        .field(6, format!("{}^^UCUM", analyte.unit))
        .field(7, analyte.range)
        .field(11, flag)
        .field(14, at.time())
}

fn value(random: &mut Random, analyte: &Analyte) -> String {
    let tenths = random.between(analyte.low, analyte.high);
    format!("{}.{}", tenths / 10, tenths % 10)
}
