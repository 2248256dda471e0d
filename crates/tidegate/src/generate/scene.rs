//! Something breaks: the laboratory sends what a person has to look at. Two causes stop messages, a third only costs a
//! value, so that a guided tour has something to group, to mend and to send again.

use super::draft::{Draft, Numbering};
use super::segment::Segment;
use super::{Generated, Moment, Person, Random, System, emr};

/// Messages of each kind.
const OF_EACH_KIND: u32 = 2;

/// The messages of one scene; another `round` gives other people and control ids.
pub fn scene(round: u64) -> Vec<Generated> {
    let (mut random, mut numbering) = (Random::new(round), Numbering::new(round));
    let mut messages = Vec::new();
    for number in 1..=OF_EACH_KIND {
        let person = Person::new(&mut random, 80_000 + number);
        let at = Moment::drawn(&mut random);
        messages.push(without_number(&mut numbering, &person, at));
        messages.push(of_unknown_type(&mut numbering, &person, at));
        messages.push(with_garbled_value(&mut numbering, &person, at));
    }
    messages
}

/// No PID-3: whose result it is cannot be known. Quarantined as `missing:PID-3`.
fn without_number(numbering: &mut Numbering, person: &Person, at: Moment) -> Generated {
    let mut draft = numbering.draft(System::Laboratory, "ORU^R01^ORU_R01", at);
    draft.add(emr::pid(person).field(3, "").field(18, "").field(19, ""));
    result(&mut draft, person, "4.4", at);
    draft.finish()
}

/// A trigger event that no map knows. Quarantined as `unsupported-type`.
fn of_unknown_type(numbering: &mut Numbering, person: &Person, at: Moment) -> Generated {
    let mut draft = numbering.draft(System::Laboratory, "ORU^R99^ORU_R01", at);
    draft.add(emr::pid(person));
    emr::know(&mut draft, person);
    result(&mut draft, person, "4.2", at);
    draft.finish()
}

/// OBX-2 says number, OBX-5 is none. Applied, with an issue in place of the value.
fn with_garbled_value(numbering: &mut Numbering, person: &Person, at: Moment) -> Generated {
    let mut draft = numbering.draft(System::Laboratory, "ORU^R01^ORU_R01", at);
    draft.add(emr::pid(person));
    emr::know(&mut draft, person);
    result(&mut draft, person, "4,x", at);
    draft.finish()
}

fn result(draft: &mut Draft, person: &Person, value: &str, at: Moment) {
    let order = format!("FS{:05}", person.number);
    draft.sent.ids.push(order.clone());
    draft.sent.names.extend([person.family.clone(), person.given.clone()]);
    draft.add(
        Segment::new("OBR")
            .field(1, "1")
            .field(3, format!("{order}^HARBOR_LAB^2.16.840.1.113883.3.9999.3^ISO"))
            .field(4, "2823-3^Potassium^LN")
            .field(7, at.time())
            .field(22, at.time())
            .field(25, "F"),
    );
    draft.add(
        Segment::new("OBX")
            .field(1, "1")
            .field(2, "NM")
            .field(3, "2823-3^Potassium^LN")
            .field(5, value)
            .field(6, "mmol/L^^UCUM")
            .field(11, "F")
            .field(14, at.time()),
    );
}

#[cfg(test)]
mod tests {
    use super::scene;

    #[test]
    fn every_round_has_control_ids_of_its_own() {
        let ids = |round| scene(round).into_iter().map(|message| message.control_id).collect::<Vec<_>>();
        assert_eq!(ids(1).len(), 6);
        assert!(ids(1).iter().all(|id| !ids(2).contains(id)));
    }
}
