//! Messages of three feeds about made-up people: the EMR, a pharmacy, a payer.

/// The EMR, which assigns `HARBOR`.
pub const EMR: &str = "EMR";
/// The pharmacy, which assigns `CAPE_RX` and knows numbers of the EMR.
pub const PHARMACY: &str = "CAPE";
/// The payer, which assigns `SEA_PLAN` and knows numbers of the EMR.
pub const PAYER: &str = "SEA";
/// A laboratory, which assigns no number of a person.
pub const LABORATORY: &str = "LAB";

/// Overlays of the four; the demo's is left out.
pub const SITES: [(&str, &str); 4] = [
    (EMR, "{trusted: [HARBOR, CAPE_RX, SEA_PLAN], own: [HARBOR]}"),
    (PHARMACY, "{trusted: [HARBOR, CAPE_RX], own: [CAPE_RX]}"),
    (PAYER, "{trusted: [HARBOR, SEA_PLAN], own: [SEA_PLAN]}"),
    (LABORATORY, "{trusted: [HARBOR]}"),
];

/// The site file of a feed.
pub fn site(name: &str, index: &str) -> String {
    let lower = name.to_lowercase();
    format!(
        "site: {lower}\nmatch: {{MSH-3: {name}}}\nextends: base\nzone: America/New_York\nsystems:\n  \
         HARBOR: 'urn:oid:2.16.840.1.113883.3.9999.1'\n  CAPE_RX: 'urn:oid:2.16.840.1.113883.3.9999.21'\n  \
         SEA_PLAN: 'urn:oid:2.16.840.1.113883.3.9999.31'\npatient_index: {index}\n"
    )
}

/// A number as PID-3 has it: `MR 42`, `PI 7`, `MB 9`, or of an authority that nobody trusts, `X 5`.
fn number(text: &str) -> String {
    let (kind, value) = text.split_once(' ').expect("a kind and a value");
    let authority = match kind {
        "MR" => "HARBOR",
        "PI" => "CAPE_RX",
        "MB" => "SEA_PLAN",
        "SS" => "SSA",
        _ => "ELSEWHERE",
    };
    format!("{value}^^^{authority}^{kind}")
}

/// PID-3 of several numbers.
pub fn numbers(list: &[&str]) -> String {
    list.iter().map(|text| number(text)).collect::<Vec<_>>().join("~")
}

/// A message with its header.
pub fn message(feed: &str, kind: &str, control_id: &str, segments: &[String]) -> String {
    let header =
        format!("MSH|^~\\&|{feed}|{feed}|TIDEGATE|ONPREM|20260301120000-0500||{kind}|{control_id}|P|2.5.1");
    let event = kind.split('^').nth(1).unwrap_or_default();
    let event = format!("EVN|{event}|20260301120000-0500");
    let mut all = vec![header];
    if kind.starts_with("ADT") {
        all.push(event);
    }
    all.extend(segments.iter().cloned());
    all.join("\r") + "\r"
}

/// What a feed says of a person beside the numbers.
#[derive(Clone, Copy)]
pub struct About {
    pub birth: &'static str,
    pub sex: &'static str,
    pub phone: &'static str,
}

/// Somebody born in 1970.
pub const ROWAN: About = About { birth: "19700312", sex: "F", phone: "(207)555-0136" };
/// Somebody else.
pub const ALDER: About = About { birth: "19850704", sex: "M", phone: "(207)555-0177" };
/// Nothing said.
pub const NOTHING: About = About { birth: "", sex: "", phone: "" };

/// PID.
pub fn pid(list: &[&str], about: About) -> String {
    let About { birth, sex, phone } = about;
    format!("PID|1||{}||Quillfeather^Rowan^^^^^L||{birth}|{sex}|||||{phone}", numbers(list))
}

/// ADT^A08 with an allergy of its own.
pub fn update(feed: &str, control_id: &str, list: &[&str], about: About, allergy: &str) -> String {
    let allergy = format!("AL1|1|DA|{allergy}^Substance {allergy}^L");
    // A04 keeps the allergies that others told of; A08 would replace them.
    message(feed, "ADT^A04^ADT_A01", control_id, &[pid(list, about), "PV1|1|N".to_owned(), allergy])
}

/// ORU^R01 with one result.
pub fn result(feed: &str, control_id: &str, list: &[&str], about: About, order: &str) -> String {
    let obr = format!(
        "OBR|1||{order}^{feed}|24323-8^Panel^LN|||20260301110000-0500|||||||||||||||20260301113000-0500|||F"
    );
    let obx = "OBX|1|NM|2823-3^Potassium^LN||4.4|mmol/L|||||F".to_owned();
    message(feed, "ORU^R01^ORU_R01", control_id, &[pid(list, about), obr, obx])
}

/// ADT^A40: `retired` ends.
pub fn merge(feed: &str, control_id: &str, list: &[&str], retired: &[&str], about: About) -> String {
    let mrg = format!("MRG|{}", numbers(retired));
    message(feed, "ADT^A40^ADT_A39", control_id, &[pid(list, about), mrg])
}

/// ADT^A24 of two records, or ADT^A37.
pub fn link(
    feed: &str,
    control_id: &str,
    kind: Link,
    one: (&[&str], About),
    other: (&[&str], About),
) -> String {
    let event = match kind {
        Link::Joins => "A24",
        Link::Parts => "A37",
    };
    let segments = [pid(one.0, one.1), pid(other.0, other.1).replacen("PID|1|", "PID|2|", 1)];
    message(feed, &format!("ADT^{event}^ADT_{event}"), control_id, &segments)
}

/// What a message says of two records.
#[derive(Clone, Copy)]
pub enum Link {
    /// They are of one person.
    Joins,
    /// They are of two.
    Parts,
}
