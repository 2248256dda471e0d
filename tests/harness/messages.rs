//! Messages about made-up people.

const AUTHORITY: &str = "HARBOR&2.16.840.1.113883.3.9999.1&ISO";
const DOCTOR: &str = "1234567893^Castellanor^Renwick^^^^^^NPI";

/// A made-up person with one visit and one order.
#[derive(Debug, Clone)]
pub struct Person {
    /// PID-3, the record number.
    pub number: String,
    /// PID-3, the social security number.
    pub ssn: String,
    /// PID-5.1.
    pub family: String,
    /// PID-5.2.
    pub given: String,
    /// PID-7.
    pub birth: String,
    /// PID-11.1.
    pub street: String,
    /// PID-13, with its components.
    pub phone: String,
    /// PV1-19.
    pub visit: String,
    /// OBR-3.
    pub order: String,
}

impl Person {
    /// Person `n`, with words that appear nowhere else.
    pub fn new(n: u32) -> Self {
        Self {
            number: format!("{}", 7_731_000 + n),
            ssn: format!("{:03}-{:02}-{:04}", 400 + n % 100, 10 + n % 80, 4000 + n),
            family: format!("Quillfeather{}", word(n)),
            given: format!("Ambrosine{}", word(n + 7)),
            birth: format!("{}0417", 1940 + n % 50),
            street: format!("{} Candlewick{} Terrace", 20 + n, word(n)),
            phone: format!("(212)555-{:04}^PRN^PH", 100 + n),
            visit: format!("VQ{:06}", 880_000 + n),
            order: format!("FQ{:06}", 990_000 + n),
        }
    }

    /// Everything that identifies this person, as sent.
    pub fn identifiers(&self) -> Vec<String> {
        let phone = self.phone.split('^').next().unwrap_or_default().to_owned();
        vec![
            self.number.clone(),
            self.ssn.clone(),
            self.family.clone(),
            self.given.clone(),
            self.birth.clone(),
            self.street.clone(),
            phone,
            self.visit.clone(),
            self.order.clone(),
        ]
    }

    /// MSH of this person's messages.
    pub fn msh(message_type: &str, control_id: &str, at: &str) -> String {
        format!(
            "MSH|^~\\&|HARBOR_EMR|HARBOR|TIDEGATE|ONPREM|{at}||{message_type}|{control_id}|P|2.5.1||||||UNICODE UTF-8"
        )
    }

    /// PID with every identifying field.
    pub fn pid(&self) -> String {
        let Self { number, ssn, family, given, birth, street, phone, .. } = self;
        format!(
            "PID|1||{number}^^^{AUTHORITY}^MR~{ssn}^^^SSA^SS||{family}^{given}^^^^^L||{birth}|F|||\
             {street}^^Springfield^ME^04001^USA^H||{phone}"
        )
    }

    /// PV1 of the visit; `discharged` is PV1-45.
    pub fn pv1(&self, discharged: &str) -> String {
        let visit = &self.visit;
        let pv1 = format!("PV1|1|I|4WEST^412^2^HARBOR||||{DOCTOR}|||MED|||||||||{visit}^^^{AUTHORITY}^VN");
        let empty = "|".repeat(25);
        let end = if discharged.is_empty() { String::new() } else { format!("|{discharged}") };
        format!("{pv1}{empty}20190312081500-0500{end}")
    }

    /// ADT^A01 with an allergy and a diagnosis.
    pub fn a01(&self, control_id: &str) -> String {
        let at = "20190312081500-0500";
        lines(&[
            Self::msh("ADT^A01^ADT_A01", control_id, at),
            format!("EVN|A01|{at}"),
            self.pid(),
            self.pv1(""),
            "AL1|1|DA|7980^Penicillin G^RXNORM|SV|Hives".to_owned(),
            "DG1|1||I10^Essential hypertension^I10||20190312081500-0500|A".to_owned(),
        ])
    }

    /// ADT^A08 with these segments after PID and PV1.
    pub fn a08(&self, control_id: &str, more: &[&str]) -> String {
        let at = "20190313093000-0400";
        let mut segments = vec![
            Self::msh("ADT^A08^ADT_A01", control_id, at),
            format!("EVN|A08|{at}"),
            self.pid(),
            self.pv1(""),
        ];
        segments.extend(more.iter().map(|segment| (*segment).to_owned()));
        lines(&segments)
    }

    /// ADT^A03.
    pub fn a03(&self, control_id: &str) -> String {
        let at = "20190316141000-0400";
        lines(&[
            Self::msh("ADT^A03^ADT_A03", control_id, at),
            format!("EVN|A03|{at}"),
            self.pid(),
            self.pv1("20190316135500-0400"),
        ])
    }

    /// ORU^R01 of one order: (LOINC code, value, OBX-11) each.
    pub fn oru(&self, control_id: &str, results: &[(&str, &str, &str)]) -> String {
        let (at, order) = ("20190314101600-0400", &self.order);
        let mut segments = vec![
            Self::msh("ORU^R01^ORU_R01", control_id, at),
            self.pid(),
            self.pv1(""),
            format!("ORC|RE|P{order}^HARBOR_EMR|{order}^HARBOR_LAB||CM"),
            format!(
                "OBR|1|P{order}^HARBOR_EMR|{order}^HARBOR_LAB|24321-2^Basic metabolic panel^LN|||{at}|||||||||||||||{at}||LAB|F"
            ),
        ];
        for (number, (code, value, status)) in (1..).zip(results) {
            segments.push(format!(
                "OBX|{number}|NM|{code}^Analyte^LN||{value}|mmol/L^^UCUM|3.5-5.1||||{status}|||{at}"
            ));
        }
        lines(&segments)
    }

    /// RDE^O11 of the pharmacy, which calls this person `number` and repeats the hospital's number.
    pub fn rde(&self, control_id: &str, number: &str) -> String {
        let Self { family, given, birth, order, .. } = self;
        let at = "20190313103000-0400";
        lines(&[
            format!(
                "MSH|^~\\&|CAPE_RX|CAPE_PHARM|TIDEGATE|ONPREM|{at}||RDE^O11^RDE_O11|{control_id}|P|2.5.1||||||UNICODE UTF-8"
            ),
            format!(
                "PID|1||{number}^^^CAPE_RX&2.16.840.1.113883.3.9999.11&ISO^PI~{}^^^{AUTHORITY}^MR||{family}^{given}^^^^^L||{birth}|F",
                self.number
            ),
            format!("ORC|NW|R{order}^HARBOR_EMR|R{order}^CAPE_RX||||||{at}|||{DOCTOR}"),
            format!("TQ1|1||BID||||{at}"),
            format!(
                "RXE||860975^metformin hydrochloride 500 MG Oral Tablet^RXNORM|500||mg^^UCUM|TAB||||60|TAB|2|||RX{order}"
            ),
            "RXR|PO^Oral^HL70162".to_owned(),
        ])
    }

    /// ADT^A40: `retired` is this person.
    pub fn a40(&self, retired: &str, control_id: &str) -> String {
        let at = "20190401110000-0400";
        lines(&[
            Self::msh("ADT^A40^ADT_A39", control_id, at),
            format!("EVN|A40|{at}"),
            self.pid(),
            format!("MRG|{retired}^^^{AUTHORITY}^MR"),
        ])
    }
}

/// ADT^A24 of two records (`event` A24), or ADT^A37.
pub fn linked(event: &str, control_id: &str, one: &Person, other: &Person) -> String {
    let at = "20190402110000-0400";
    lines(&[
        Person::msh(&format!("ADT^{event}^ADT_{event}"), control_id, at),
        format!("EVN|{event}|{at}"),
        one.pid(),
        other.pid().replacen("PID|1|", "PID|2|", 1),
    ])
}

/// Segments as ER7, with CR after each.
pub fn lines(segments: &[String]) -> String {
    segments.iter().map(|segment| format!("{segment}\r")).collect()
}

/// Letters for a number, so that names do not end in digits.
fn word(n: u32) -> String {
    let letter = |place: u32| char::from(b'a' + u8::try_from(n / 26_u32.pow(place) % 26).unwrap_or(0));
    [letter(1), letter(0)].iter().collect()
}
