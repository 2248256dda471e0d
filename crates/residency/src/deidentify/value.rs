//! Single values: numbers, dates, ages, codes, units, parts of an address.

use serde_json::{Map, Value, json};

use super::walk::Outcome;
use crate::profile::{AddressParts, Operation, Profile, Rule, UCUM, Vocabulary};

/// Events this many years back show an age over 89.
const OLD_YEARS: i32 = 90;
/// Digits of a ZIP code that are looked at.
const ZIP_DIGITS: usize = 5;
/// What a restricted prefix becomes (45 CFR 164.514(b)(2)(i)(B)).
const ZIP_RESTRICTED: &str = "000";
/// Most digits of a dose number.
const INT_ONLY_DIGITS_MAX: usize = 2;

/// A primitive value with what its decision looks at.
pub(super) struct Leaf<'a> {
    pub(super) profile: &'a Profile,
    pub(super) rule: &'a Rule,
    /// The object it stands in.
    pub(super) parent: &'a Map<String, Value>,
    pub(super) address: Option<AddressParts>,
    pub(super) year_now: i32,
}

impl Leaf<'_> {
    /// `None` when the JSON type is not the element's.
    pub(super) fn outcome(&self, value: &Value) -> Option<Outcome> {
        let kept = |text: Option<&str>| {
            text.map_or(Outcome::Drop, |text| Outcome::Keep(Value::String(text.to_owned())))
        };
        Some(match &self.rule.operation {
            Operation::Keep => match (self.rule.type_code, value) {
                ("boolean", Value::Bool(_)) => Outcome::Keep(value.clone()),
                ("boolean", _) => return None,
                (_, Value::Number(_)) => Outcome::Keep(value.clone()),
                _ => return None,
            },
            Operation::Enum(Some(vocabulary)) => kept(vocabulary.find(value.as_str()?)),
            Operation::Enum(None) => {
                let code = value.as_str()?;
                kept(self.rule.codes.filter(|codes| codes.contains(code)).map(|_| code))
            }
            Operation::Coded => kept(Some(value.as_str()?)),
            Operation::Vocab(vocabulary) => kept(vocabulary.find(value.as_str()?)),
            Operation::Year => self.year(value.as_str()?),
            Operation::Year90 => self.year_of_birth(value.as_str()?),
            Operation::QtyAge90 => self.integer_age(value)?,
            Operation::IntOnly => {
                let text = value.as_str()?;
                let digits = (1..=INT_ONLY_DIGITS_MAX).contains(&text.len())
                    && text.bytes().all(|byte| byte.is_ascii_digit());
                if digits { kept(Some(text)) } else { Outcome::Mask }
            }
            Operation::BoolTrue => Outcome::Renamed("Boolean", Value::Bool(true)),
            Operation::State => {
                kept(self.domestic().then(|| self.profile.states.find(value.as_str()?)).flatten())
            }
            Operation::Country if self.address.is_some_and(|parts| parts.country) => {
                kept(self.profile.countries.find(value.as_str()?))
            }
            Operation::Zip3 if self.address.is_some_and(|parts| parts.zip3) && self.domestic() => {
                kept(zip3(self.profile, value.as_str()?))
            }
            _ => Outcome::Drop,
        })
    }

    fn year(&self, date: &str) -> Outcome {
        match year(date) {
            Some(year) if self.year_now.saturating_sub(year) < OLD_YEARS => {
                Outcome::Keep(Value::String(format!("{year:04}")))
            }
            _ => Outcome::Drop,
        }
    }

    /// The year, or the band when a person born in it may be over the limit this year.
    fn year_of_birth(&self, date: &str) -> Outcome {
        match year(date) {
            Some(year) if self.year_now.saturating_sub(year) <= self.profile.over_age => {
                Outcome::Keep(Value::String(format!("{year:04}")))
            }
            Some(_) => Outcome::Beside(json!({
                "extension": [{"url": self.profile.age_band_extension, "valueCode": "90+"}],
            })),
            None => Outcome::Drop,
        }
    }

    fn integer_age(&self, value: &Value) -> Option<Outcome> {
        let number = value.as_number()?;
        let over = number.as_f64().is_none_or(|age| age > f64::from(self.profile.over_age));
        Some(if over && is_age(self.profile, self.parent) {
            Outcome::Drop
        } else {
            Outcome::Keep(value.clone())
        })
    }

    /// Whether the address is of the United States, as far as it says.
    fn domestic(&self) -> bool {
        match self.parent.get("country") {
            None => true,
            Some(country) => country
                .as_str()
                .is_some_and(|country| ["US", "USA"].contains(&country.trim().to_uppercase().as_str())),
        }
    }
}

/// The year a FHIR date, dateTime or instant starts with.
fn year(date: &str) -> Option<i32> {
    let digits = date.get(..4)?;
    let rest = date.get(4..)?;
    let valid =
        digits.bytes().all(|byte| byte.is_ascii_digit()) && (rest.is_empty() || rest.starts_with('-'));
    if valid { digits.parse().ok() } else { None }
}

fn zip3<'a>(profile: &Profile, zip: &'a str) -> Option<&'a str> {
    let zip = zip.trim();
    let (first, rest) = zip.split_at_checked(ZIP_DIGITS)?;
    let rest_valid = rest.is_empty() || (rest.trim_start_matches('-').len() == 4 && rest.len() <= 5);
    let digits = first.bytes().chain(rest.trim_start_matches('-').bytes()).all(|byte| byte.is_ascii_digit());
    if !(rest_valid && digits) {
        return None;
    }
    let prefix = first.get(..3)?;
    Some(if profile.zip3.contains(prefix) { ZIP_RESTRICTED } else { prefix })
}

/// Whether system and code of a coding may leave.
pub(super) fn coding_allowed(
    profile: &Profile,
    coding: &Map<String, Value>,
    vocabulary: Option<&Vocabulary>,
) -> bool {
    let text = |name: &str| coding.get(name).and_then(Value::as_str);
    let (Some(system), Some(code)) = (text("system"), text("code")) else { return false };
    profile.codes.allow(system, code) && vocabulary.is_none_or(|vocabulary| vocabulary.contains(code))
}

/// System and code of a coding, when they may leave.
pub(super) fn bare_coding(
    profile: &Profile,
    coding: &Value,
    vocabulary: Option<&Vocabulary>,
) -> Option<Value> {
    let map = coding.as_object().filter(|map| coding_allowed(profile, map, vocabulary))?;
    Some(json!({"system": map.get("system")?, "code": map.get("code")?}))
}

/// The unit of a quantity.
pub(super) enum Unit {
    /// A UCUM code.
    Coded,
    /// Text that is a UCUM code.
    Text(String),
    /// A bare number.
    None,
    /// Another.
    Refused,
}

pub(super) fn unit(profile: &Profile, quantity: &Map<String, Value>) -> Unit {
    let text = |name: &str| quantity.get(name).and_then(Value::as_str);
    match (text("system"), text("code"), text("unit")) {
        (Some(UCUM), Some(code), _) if profile.codes.allow(UCUM, code) => Unit::Coded,
        (None, None, Some(unit)) if profile.codes.allow(UCUM, unit) => Unit::Text(unit.to_owned()),
        (None, None, None) => Unit::None,
        _ => Unit::Refused,
    }
}

/// Where an age stands against the limit.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Age {
    Below,
    Over,
    Unclear,
}

/// An Age, or a quantity that is one.
pub(super) fn age(profile: &Profile, quantity: &Map<String, Value>) -> Age {
    let code = match unit(profile, quantity) {
        Unit::Coded => quantity.get("code").and_then(Value::as_str).map(str::to_owned),
        Unit::Text(unit) => Some(unit),
        Unit::None | Unit::Refused => None,
    };
    let years = quantity.get("value").and_then(Value::as_f64).zip(code.and_then(|code| years_of(&code)));
    match years {
        Some((value, factor)) if value * factor > f64::from(profile.over_age) => Age::Over,
        Some(_) => Age::Below,
        None => Age::Unclear,
    }
}

pub(super) fn range_age(profile: &Profile, range: &Map<String, Value>) -> Age {
    let ends: Vec<Age> = ["low", "high"]
        .iter()
        .filter_map(|end| range.get(*end)?.as_object())
        .map(|end| age(profile, end))
        .collect();
    if ends.contains(&Age::Over) {
        Age::Over
    } else if ends.contains(&Age::Unclear) {
        Age::Unclear
    } else {
        Age::Below
    }
}

/// A quantity that may be an age: by the code beside it, or because its unit is years, months or weeks.
pub(super) fn quantity_age(
    profile: &Profile,
    quantity: &Map<String, Value>,
    parent: &Map<String, Value>,
) -> Age {
    let found = age(profile, quantity);
    if is_age(profile, parent) {
        return found;
    }
    let unit = quantity.get("code").or_else(|| quantity.get("unit")).and_then(Value::as_str);
    match (found, unit) {
        (Age::Over, Some("a" | "mo" | "wk")) => Age::Over,
        _ => Age::Below,
    }
}

/// Whether the code of an observation or component says that its value is an age.
fn is_age(profile: &Profile, parent: &Map<String, Value>) -> bool {
    let codings = parent.get("code").and_then(|code| code.get("coding")).and_then(Value::as_array);
    codings.is_some_and(|codings| {
        codings.iter().any(|coding| {
            coding.get("code").and_then(Value::as_str).is_some_and(|code| profile.age_codes.contains(code))
        })
    })
}

/// Years in one of a UCUM unit of time.
fn years_of(code: &str) -> Option<f64> {
    match code {
        "a" => Some(1.0),
        "mo" => Some(1.0 / 12.0),
        "wk" => Some(1.0 / 52.0),
        "d" => Some(1.0 / 365.0),
        "h" => Some(1.0 / 8760.0),
        "min" => Some(1.0 / 525_600.0),
        _ => None,
    }
}

/// An age in the band over the limit.
pub(super) fn ninety_and_over() -> Value {
    json!({"value": 90, "comparator": ">=", "system": UCUM, "code": "a"})
}

/// What the engine says in place of a Provenance's agents and activity: that it de-identified. Who sent or entered the
/// record, and when, stays.
pub(super) fn rebuilt(name: &str) -> Option<Value> {
    match name {
        "agent" => Some(json!([{
            "type": {"coding": [{
                "system": "http://terminology.hl7.org/CodeSystem/provenance-participant-type", "code": "assembler",
            }]},
            "who": super::masked(),
        }])),
        "activity" => Some(json!({"coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle", "code": "deidentify",
        }]})),
        _ => None,
    }
}
