//! What the made-up hospital measures, diagnoses, prescribes and charges: real codes, invented prices.

/// What the laboratory measures; limits are in tenths.
#[derive(Debug, Clone, Copy)]
pub struct Analyte {
    /// LOINC code.
    pub code: &'static str,
    /// Its name.
    pub name: &'static str,
    /// UCUM unit.
    pub unit: &'static str,
    /// Reference range as sent.
    pub range: &'static str,
    /// Least value drawn, in tenths.
    pub low: u32,
    /// Greatest value drawn, in tenths.
    pub high: u32,
}

/// What the pharmacy dispenses.
#[derive(Debug, Clone, Copy, Default)]
pub struct Drug {
    /// RxNorm code of the clinical drug, as prescribed.
    pub rxnorm: &'static str,
    /// Its name.
    pub name: &'static str,
    /// National Drug Code of the package, as dispensed (an invented labeler).
    pub ndc: &'static str,
    /// Amount of one dose.
    pub amount: &'static str,
    /// UCUM unit of the dose.
    pub unit: &'static str,
    /// Dose form.
    pub form: &'static str,
    /// How often, HL7 table 0335.
    pub repeat: &'static str,
}

/// What the payer's system charges.
#[derive(Debug, Clone, Copy, Default)]
pub struct Service {
    /// CPT code.
    pub code: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Price in dollars.
    pub price: &'static str,
}

/// The panel of every laboratory order.
pub const ANALYTES: [Analyte; 6] = [
    Analyte { code: "2823-3", name: "Potassium", unit: "mmol/L", range: "3.5-5.1", low: 30, high: 60 },
    Analyte { code: "2951-2", name: "Sodium", unit: "mmol/L", range: "136-145", low: 1300, high: 1480 },
    Analyte { code: "2345-7", name: "Glucose", unit: "mg/dL", range: "70-99", low: 650, high: 1900 },
    Analyte { code: "2160-0", name: "Creatinine", unit: "mg/dL", range: "0.7-1.3", low: 5, high: 28 },
    Analyte { code: "718-7", name: "Hemoglobin", unit: "g/dL", range: "12.0-16.0", low: 80, high: 175 },
    Analyte { code: "777-3", name: "Platelets", unit: "10*3/uL", range: "150-400", low: 900, high: 4500 },
];
/// ICD-10 code and name.
pub const DIAGNOSES: [(&str, &str); 5] = [
    ("I10", "Essential hypertension"),
    ("E11.9", "Type 2 diabetes mellitus"),
    ("J18.9", "Pneumonia"),
    ("N39.0", "Urinary tract infection"),
    ("K35.80", "Acute appendicitis"),
];
/// RxNorm code of the ingredient, name, reaction.
pub const ALLERGIES: [(&str, &str, &str); 3] = [
    ("7980", "Penicillin G", "Hives"),
    ("1191", "Aspirin", "Wheezing"),
    ("10180", "Sulfamethoxazole", "Rash"),
];
/// National provider identifier, family name, given name.
pub const DOCTORS: [(&str, &str, &str); 4] = [
    ("1234567893", "Castellanor", "Renwick"),
    ("1245319599", "Thistlewood", "Imogena"),
    ("1003000126", "Obersteiner", "Gottlieb"),
    ("1588667638", "Marchbanks", "Eudora"),
];
/// Ward, room and bed of the made-up hospital.
pub const BEDS: [(&str, &str, &str); 4] =
    [("4WEST", "412", "2"), ("4WEST", "415", "1"), ("2EAST", "207", "1"), ("ICU", "03", "1")];
/// What is prescribed and dispensed.
pub const DRUGS: [Drug; 4] = [
    Drug {
        rxnorm: "314076",
        name: "lisinopril 10 MG Oral Tablet",
        ndc: "99991-0101-30",
        amount: "10",
        unit: "mg",
        form: "TAB",
        repeat: "QD",
    },
    Drug {
        rxnorm: "860975",
        name: "metformin hydrochloride 500 MG Oral Tablet",
        ndc: "99991-0202-60",
        amount: "500",
        unit: "mg",
        form: "TAB",
        repeat: "BID",
    },
    Drug {
        rxnorm: "308182",
        name: "amoxicillin 250 MG Oral Capsule",
        ndc: "99991-0303-30",
        amount: "250",
        unit: "mg",
        form: "CAP",
        repeat: "TID",
    },
    Drug {
        rxnorm: "197361",
        name: "amlodipine 5 MG Oral Tablet",
        ndc: "99991-0404-90",
        amount: "5",
        unit: "mg",
        form: "TAB",
        repeat: "QD",
    },
];
/// What is charged.
pub const SERVICES: [Service; 4] = [
    Service { code: "99223", name: "Initial hospital care", price: "412.50" },
    Service { code: "80053", name: "Comprehensive metabolic panel", price: "48.75" },
    Service { code: "71046", name: "Chest X-ray, two views", price: "96.20" },
    Service { code: "93000", name: "Electrocardiogram", price: "61.00" },
];
/// CPT code and name of what was done.
pub const PROCEDURES: [(&str, &str); 3] = [
    ("44970", "Laparoscopic appendectomy"),
    ("31622", "Diagnostic bronchoscopy"),
    ("43239", "Upper endoscopy with biopsy"),
];
