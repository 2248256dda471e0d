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

/// One synthetic patient.
#[derive(Debug, Clone)]
pub struct Person {
    /// Record number of the sending system.
    pub record_number: String,
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
    /// Next of kin: family, given, phone.
    pub kin: (String, String, String),
}

impl Person {
    /// Person number `number` of a feed; record numbers never repeat within one.
    pub fn new(random: &mut Random, number: u32) -> Self {
        let family = random.pick(&FAMILIES).to_owned();
        let given = random.pick(&GIVENS).to_owned();
        let phone =
            |random: &mut Random| format!("({})555-01{:02}", random.between(201, 989), random.between(0, 99));
        let year = random.between(1931, 2015);
        Self {
            record_number: format!("{}{:05}", random.digits(4), number),
            ssn: format!("9{}-{:02}-{}", random.digits(2), random.between(10, 99), random.digits(4)),
            sex: random.pick(&["F", "M"]),
            birth_date: format!("{year}{:02}{:02}", random.between(1, 12), random.between(1, 28)),
            street: format!("{} {}", random.between(100, 9899), random.pick(&STREETS)),
            place: random.pick(&CITIES),
            phone: phone(random),
            email: format!("{}.{}{number}@example.org", given.to_lowercase(), family.to_lowercase()),
            kin: (random.pick(&FAMILIES).to_owned(), random.pick(&GIVENS).to_owned(), phone(random)),
            family,
            given,
        }
    }
}
