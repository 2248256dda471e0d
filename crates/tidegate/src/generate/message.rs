//! HL7 v2 messages of a hospital's admission and laboratory systems, about made-up people.

use super::Sent;
use super::person::Person;
use super::random::Random;

/// Assigning authority of the EMR: namespace and example OID.
const AUTHORITY: &str = "HARBOR&2.16.840.1.113883.3.9999.1&ISO";
/// Every n-th person arrives under a second number that is merged away (A40).
const MERGE_EVERY: u32 = 5;

/// One message and what kind it is.
#[derive(Debug, Clone)]
pub struct Generated {
    /// `ADT^A01`.
    pub message_type: &'static str,
    /// MSH-10.
    pub control_id: String,
    /// ER7 with CR after each segment.
    pub er7: String,
}

/// An endless, seeded feed of the EMR and its laboratory: admissions, updates, results, discharges, merges.
#[derive(Debug, Clone)]
pub struct Feed {
    random: Random,
    seed: u64,
    people: u32,
    messages: u32,
    waiting: std::collections::VecDeque<Generated>,
    sent: Sent,
}

/// One visit of one person.
struct Visit {
    number: String,
    admitted: String,
    discharged: String,
}

struct Analyte {
    code: &'static str,
    name: &'static str,
    unit: &'static str,
    range: &'static str,
    low: u32,
    high: u32,
}

const ANALYTES: [Analyte; 6] = [
    Analyte { code: "2823-3", name: "Potassium", unit: "mmol/L", range: "3.5-5.1", low: 30, high: 60 },
    Analyte { code: "2951-2", name: "Sodium", unit: "mmol/L", range: "136-145", low: 1300, high: 1480 },
    Analyte { code: "2345-7", name: "Glucose", unit: "mg/dL", range: "70-99", low: 650, high: 1900 },
    Analyte { code: "2160-0", name: "Creatinine", unit: "mg/dL", range: "0.7-1.3", low: 5, high: 28 },
    Analyte { code: "718-7", name: "Hemoglobin", unit: "g/dL", range: "12.0-16.0", low: 80, high: 175 },
    Analyte { code: "777-3", name: "Platelets", unit: "10*3/uL", range: "150-400", low: 900, high: 4500 },
];
const DIAGNOSES: [(&str, &str); 5] = [
    ("I10", "Essential hypertension"),
    ("E11.9", "Type 2 diabetes mellitus"),
    ("J18.9", "Pneumonia"),
    ("N39.0", "Urinary tract infection"),
    ("K35.80", "Acute appendicitis"),
];
const ALLERGIES: [(&str, &str, &str); 3] = [
    ("7980", "Penicillin G", "Hives"),
    ("1191", "Aspirin", "Wheezing"),
    ("10180", "Sulfamethoxazole", "Rash"),
];
const DOCTORS: [(&str, &str, &str); 4] = [
    ("1234567893", "Castellanor", "Renwick"),
    ("1245319599", "Thistlewood", "Imogena"),
    ("1003000126", "Obersteiner", "Gottlieb"),
    ("1588667638", "Marchbanks", "Eudora"),
];

impl Feed {
    /// The feed of a seed.
    pub fn new(seed: u64) -> Self {
        let (random, waiting) = (Random::new(seed), std::collections::VecDeque::new());
        Self { random, seed, people: 0, messages: 0, waiting, sent: Sent::default() }
    }

    /// All messages of the first `people` people, and what they say.
    pub fn of_people(seed: u64, people: u32) -> (Vec<Generated>, Sent) {
        let mut feed = Self::new(seed);
        for _ in 0..people {
            feed.next_person();
        }
        let sent = feed.sent();
        (feed.waiting.into_iter().collect(), sent)
    }

    /// Everything identifying that was generated so far.
    pub fn sent(&self) -> Sent {
        let mut sent = self.sent.clone();
        sent.tidy();
        sent
    }

    /// One person's messages, from admission to discharge.
    fn next_person(&mut self) {
        self.people += 1;
        let person = Person::new(&mut self.random, self.people);
        let visit = self.visit();
        self.note(&person, &visit);
        let admission = self.adt("A01", &person, &visit, &visit.admitted);
        let mut moved = person.clone();
        moved.phone = format!("(212)555-01{:02}", self.random.between(0, 99));
        self.sent.phones.push(moved.phone.clone());
        let update = self.adt("A08", &moved, &visit, &later(&visit.admitted, 1));
        let results = self.results(&moved, &visit);
        let discharge = self.adt("A03", &moved, &visit, &visit.discharged);
        self.waiting.extend([admission, update, results, discharge]);
        if self.people.is_multiple_of(MERGE_EVERY) {
            self.merge(&moved, &visit);
        }
    }

    fn visit(&mut self) -> Visit {
        let (year, month) = (self.random.between(2016, 2022), self.random.between(1, 12));
        let day = self.random.between(1, 20);
        let time = format!(
            "{:02}{:02}{:02}",
            self.random.between(6, 21),
            self.random.between(0, 59),
            self.random.between(0, 59)
        );
        let admitted = format!("{year}{month:02}{day:02}{time}-0500");
        let discharged = format!("{year}{month:02}{:02}{time}-0500", day + self.random.between(2, 8));
        Visit { number: format!("V{}{:05}", self.random.digits(3), self.people), admitted, discharged }
    }

    fn note(&mut self, person: &Person, visit: &Visit) {
        let sent = &mut self.sent;
        sent.names.extend([
            person.family.clone(),
            person.given.clone(),
            person.kin.0.clone(),
            person.kin.1.clone(),
        ]);
        sent.ids.extend([person.record_number.clone(), person.ssn.clone(), visit.number.clone()]);
        sent.phones.extend([person.phone.clone(), person.kin.2.clone()]);
        sent.addresses.extend([person.street.clone(), person.email.clone()]);
        sent.dates.extend([person.birth_date.clone(), day_of(&visit.admitted), day_of(&visit.discharged)]);
    }

    /// A first registration under a number that turns out to be the same person's, and its merge.
    fn merge(&mut self, person: &Person, visit: &Visit) {
        let mut double = person.clone();
        double.record_number = format!("{}{:05}", self.random.digits(4), 90_000 + self.people);
        self.sent.ids.push(double.record_number.clone());
        let other = self.visit();
        self.sent.ids.push(other.number.clone());
        self.sent.dates.push(day_of(&other.admitted));
        let admission = self.adt("A01", &double, &other, &other.admitted);
        let at = later(&visit.discharged, 1);
        let header = self.header("ADT^A40^ADT_A39", &at);
        let pid = pid(person, visit);
        let mrg = format!("MRG|{}^^^{AUTHORITY}^MR", double.record_number);
        let er7 = [header.0, format!("EVN|A40|{at}"), pid, mrg].join("\r") + "\r";
        self.waiting.push_back(admission);
        self.waiting.push_back(Generated { message_type: "ADT^A40", control_id: header.1, er7 });
    }

    fn header(&mut self, message_type: &str, at: &str) -> (String, String) {
        self.messages += 1;
        let control_id = format!("HB{}-{:07}", self.seed, self.messages);
        let header = format!(
            "MSH|^~\\&|HARBOR_EMR|HARBOR|TIDEGATE|ONPREM|{at}||{message_type}|{control_id}|P|2.5.1||||||UNICODE UTF-8"
        );
        (header, control_id)
    }

    fn adt(&mut self, event: &'static str, person: &Person, visit: &Visit, at: &str) -> Generated {
        let structure = if event == "A03" { "ADT_A03" } else { "ADT_A01" };
        let (header, control_id) = self.header(&format!("ADT^{event}^{structure}"), at);
        let doctor = self.random.pick(&DOCTORS);
        let mut segments = vec![header, format!("EVN|{event}|{at}"), pid(person, visit), nk1(person)];
        segments.push(pv1(visit, doctor, event == "A03"));
        if event != "A03" {
            let (code, name, reaction) = self.random.pick(&ALLERGIES);
            segments.push(format!("AL1|1|DA|{code}^{name}^RXNORM|MO|{reaction}"));
        }
        let (code, name) = self.random.pick(&DIAGNOSES);
        segments.push(format!("DG1|1||{code}^{name}^I10||{}|A", visit.admitted));
        let message_type = match event {
            "A01" => "ADT^A01",
            "A03" => "ADT^A03",
            _ => "ADT^A08",
        };
        Generated { message_type, control_id, er7: segments.join("\r") + "\r" }
    }

    fn results(&mut self, person: &Person, visit: &Visit) -> Generated {
        let at = later(&visit.admitted, 1);
        let (header, control_id) = self.header("ORU^R01^ORU_R01", &at);
        let (placer, filler) = (
            format!("PL{}{:05}", self.random.digits(3), self.people),
            format!("FL{}{:05}", self.random.digits(3), self.people),
        );
        self.sent.ids.extend([placer.clone(), filler.clone()]);
        let doctor = self.random.pick(&DOCTORS);
        let by = format!("{}^{}^{}^^^^^^NPI", doctor.0, doctor.1, doctor.2);
        let mut segments = vec![header, pid(person, visit), pv1(visit, doctor, false)];
        segments.push(format!("ORC|RE|{placer}^HARBOR_EMR|{filler}^HARBOR_LAB||CM"));
        segments.push(format!(
            "OBR|1|{placer}^HARBOR_EMR|{filler}^HARBOR_LAB|24323-8^Comprehensive metabolic panel^LN|||{at}|||||||||{by}||||||{at}||CH|F"
        ));
        for (number, analyte) in (1..).zip(&ANALYTES) {
            let tenths = self.random.between(analyte.low, analyte.high);
            let value = format!("{}.{}", tenths / 10, tenths % 10);
            let Analyte { code, name, unit, range, .. } = analyte;
            segments
                .push(format!("OBX|{number}|NM|{code}^{name}^LN||{value}|{unit}^^UCUM|{range}||||F|||{at}"));
        }
        let (family, given) = (&person.family, &person.given);
        segments.push(format!("NTE|1|L|Specimen of {given} {family} slightly hemolyzed"));
        Generated { message_type: "ORU^R01", control_id, er7: segments.join("\r") + "\r" }
    }
}

impl Iterator for Feed {
    type Item = Generated;

    fn next(&mut self) -> Option<Generated> {
        if self.waiting.is_empty() {
            self.next_person();
        }
        self.waiting.pop_front()
    }
}

fn pid(person: &Person, visit: &Visit) -> String {
    let Person { record_number, ssn, family, given, sex, birth_date, street, phone, email, .. } = person;
    let (city, state, zip) = person.place;
    let visit = &visit.number;
    format!(
        "PID|1||{record_number}^^^{AUTHORITY}^MR~{ssn}^^^SSA^SS||{family}^{given}^^^^^L||{birth_date}|{sex}|||\
         {street}^^{city}^{state}^{zip}^USA^H||{phone}^PRN^PH~^NET^Internet^{email}|||M||{visit}^^^{AUTHORITY}^VN|{ssn}"
    )
}

fn nk1(person: &Person) -> String {
    let (family, given, phone) = &person.kin;
    format!("NK1|1|{family}^{given}|SPO^Spouse^HL70063||{phone}")
}

fn pv1(visit: &Visit, doctor: (&str, &str, &str), discharged: bool) -> String {
    let (id, family, given) = doctor;
    let attending = format!("{id}^{family}^{given}^^^^^^NPI");
    let mut fields = vec![String::new(); 46];
    let mut set = |number: usize, value: String| {
        if let Some(field) = fields.get_mut(number) {
            *field = value;
        }
    };
    set(0, "PV1".to_owned());
    set(1, "1".to_owned());
    set(2, "I".to_owned());
    set(3, "4WEST^412^2^HARBOR".to_owned());
    set(7, attending);
    set(10, "MED".to_owned());
    set(19, format!("{}^^^{AUTHORITY}^VN", visit.number));
    set(44, visit.admitted.clone());
    if discharged {
        set(36, "01".to_owned());
        set(45, visit.discharged.clone());
    }
    fields.join("|").trim_end_matches('|').to_owned()
}

fn day_of(time: &str) -> String {
    time.chars().take(8).collect()
}

/// `time` with its hour moved on within the day.
fn later(time: &str, hours: u32) -> String {
    let hour: u32 = time.get(8..10).and_then(|hour| hour.parse().ok()).unwrap_or(0);
    let (before, after) = (time.get(..8).unwrap_or_default(), time.get(10..).unwrap_or_default());
    format!("{before}{:02}{after}", (hour + hours).min(23))
}

#[cfg(test)]
mod tests {
    use super::Feed;

    #[test]
    fn the_same_seed_gives_the_same_feed_and_all_five_message_types() {
        let messages: Vec<_> = Feed::new(7).take(60).collect();
        let again: Vec<_> = Feed::new(7).take(60).collect();
        assert!(messages.iter().zip(&again).all(|(one, other)| one.er7 == other.er7));
        for kind in ["ADT^A01", "ADT^A03", "ADT^A08", "ADT^A40", "ORU^R01"] {
            assert!(messages.iter().any(|message| message.message_type == kind), "{kind} is missing");
        }
    }

    #[test]
    fn what_was_sent_is_in_the_messages() {
        let (messages, sent) = Feed::of_people(3, 10);
        let all: String = messages.into_iter().map(|message| message.er7).collect();
        let lists = [&sent.names, &sent.ids, &sent.phones, &sent.addresses, &sent.dates];
        assert!(lists.into_iter().flatten().all(|text| all.contains(text.as_str())));
    }
}
