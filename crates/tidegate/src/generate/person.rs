//! Made-up people.

use super::random::Random;

/// Made-up family names; none is a common word, so that a leak scan can look for them anywhere.
const FAMILIES: [&str; 40] = [
    "Abrenika",
    "Bostrovan",
    "Cestaroy",
    "Dornellis",
    "Evandruk",
    "Fjellmora",
    "Grantovich",
    "Haverstane",
    "Ilmarovic",
    "Jorvellan",
    "Kestrivan",
    "Lindequor",
    "Mavrandel",
    "Nostrelli",
    "Ottermaal",
    "Pellagrove",
    "Quintavale",
    "Rovansek",
    "Silvertraub",
    "Tormalund",
    "Ulvestrand",
    "Vandermoor",
    "Westerquil",
    "Xanthopol",
    "Yarrowmond",
    "Zelenkova",
    "Ashgrovian",
    "Brackenholt",
    "Corvandale",
    "Drumhollen",
    "Eastermark",
    "Fennimoor",
    "Gallowstad",
    "Hollandreux",
    "Ironquist",
    "Juniperson",
    "Kaldermann",
    "Larkenspur",
    "Mirethorne",
    "Nightengard",
];
const GIVENS: [&str; 40] = [
    "Aldonza",
    "Bertrame",
    "Calixta",
    "Dagmaris",
    "Elowenna",
    "Fabrizia",
    "Gervaise",
    "Hortensja",
    "Isandro",
    "Jacomina",
    "Kasimira",
    "Leopolda",
    "Melchior",
    "Nepomuk",
    "Ottoline",
    "Philippa",
    "Quillon",
    "Rosalba",
    "Severine",
    "Thaddeus",
    "Umberta",
    "Valentin",
    "Wilhelmo",
    "Xaviera",
    "Yolandis",
    "Zenobius",
    "Ambrosia",
    "Bonifaz",
    "Clothild",
    "Desideria",
    "Eulalie",
    "Florimond",
    "Gwendolar",
    "Hyacinthe",
    "Ignacius",
    "Josephat",
    "Konstanz",
    "Ludmilla",
    "Marcelino",
    "Nicodemus",
];
const STREETS: [&str; 12] = [
    "Harbourlight Way",
    "Old Mallowby Road",
    "Tinderquay Street",
    "Cooperfield Lane",
    "Rushmarsh Terrace",
    "Silverbrook Close",
    "Northgatehouse Road",
    "Wrenhaven Court",
    "Almondbury Parade",
    "Fallowmere Drive",
    "Kingfisherwell Row",
    "Lanternhill Avenue",
];
const CITIES: [(&str, &str, &str); 6] = [
    ("Brightwater", "NY", "10451"),
    ("Mapleford", "MA", "02139"),
    ("Stonebridge", "PA", "19104"),
    ("Oakhollow", "NJ", "07030"),
    ("Ferncastle", "CT", "06510"),
    ("Saltmarsh", "NH", "03601"),
];

/// One synthetic patient, as four systems know them.
#[derive(Debug, Clone)]
pub struct Person {
    /// How many people came before, and one.
    pub number: u32,
    /// Record number at the hospital (EMR and laboratory).
    pub record_number: String,
    /// Number at the pharmacy.
    pub pharmacy_number: String,
    /// Member number at the payer.
    pub member_number: String,
    /// Policy number of the insurance.
    pub policy_number: String,
    /// Account at the payer's system.
    pub account: String,
    /// Social security number in the range never issued (area 900-999).
    pub ssn: String,
    /// Family name.
    pub family: String,
    /// Given names.
    pub given: String,
    /// `F` or `M`.
    pub sex: &'static str,
    /// `YYYYMMDD`.
    pub birth_date: String,
    /// Street line.
    pub street: String,
    /// City, state, ZIP.
    pub place: (&'static str, &'static str, &'static str),
    /// Home phone, 555-01xx.
    pub phone: String,
    /// E-mail address under a reserved domain.
    pub email: String,
    /// Next of kin, who is also the guarantor.
    pub kin: Kin,
}

/// A synthetic spouse.
#[derive(Debug, Clone)]
pub struct Kin {
    /// Family name.
    pub family: String,
    /// Given name.
    pub given: String,
    /// Phone, 555-01xx.
    pub phone: String,
    /// `YYYYMMDD`.
    pub birth_date: String,
}

impl Person {
    /// Person number `number` of a feed; no number repeats within one.
    pub fn new(random: &mut Random, number: u32) -> Self {
        let family = random.pick(&FAMILIES).to_owned();
        let given = random.pick(&GIVENS).to_owned();
        Self {
            number,
            record_number: format!("{}{number:05}", random.digits(4)),
            pharmacy_number: format!("CX{}{number:05}", random.digits(3)),
            member_number: format!("MB{}{number:05}", random.digits(3)),
            policy_number: format!("PN{}{number:05}", random.digits(3)),
            account: format!("AC{}{number:05}", random.digits(3)),
            ssn: format!("9{}-{:02}-{}", random.digits(2), random.between(10, 99), random.digits(4)),
            sex: random.pick(&["F", "M"]),
            birth_date: birth_date(random, 1931, 2015),
            street: format!("{} {}", random.between(100, 9899), random.pick(&STREETS)),
            place: random.pick(&CITIES),
            phone: phone(random),
            email: format!("{}.{}{number}@example.org", given.to_lowercase(), family.to_lowercase()),
            kin: Kin {
                family: random.pick(&FAMILIES).to_owned(),
                given: random.pick(&GIVENS).to_owned(),
                phone: phone(random),
                birth_date: birth_date(random, 1931, 1995),
            },
            family,
            given,
        }
    }

    /// The same person with another phone.
    pub fn with_other_phone(&self, random: &mut Random) -> Self {
        Self { phone: phone(random), ..self.clone() }
    }

    /// The same person at another address.
    pub fn moved(&self, random: &mut Random) -> Self {
        let street = format!("{} {}", random.between(100, 9899), random.pick(&STREETS));
        Self { street, place: random.pick(&CITIES), ..self.clone() }
    }
}

fn phone(random: &mut Random) -> String {
    format!("({})555-01{:02}", random.between(201, 989), random.between(0, 99))
}

fn birth_date(random: &mut Random, from: u32, to: u32) -> String {
    format!("{}{:02}{:02}", random.between(from, to), random.between(1, 12), random.between(1, 28))
}
