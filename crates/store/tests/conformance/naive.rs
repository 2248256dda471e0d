//! Searches against a naive reading of the resources themselves: every kind of parameter, modifier and prefix, drawn at
//! random, alone and together. It reads the JSON and knows neither index nor extraction.

use fhir::{DateMatch, NumberMatch, UCUM};
use serde_json::{Value, json};
use store::{
    Clause, PartValue, QuantityValue, Resources, Search, Sort, SortBy, TextMatch, TokenValue, TypedValue,
    UriMatch,
};

use crate::harness::Adapter;
use crate::modifiers::quantities;
use crate::samples::{NOW_US, real, resource_type, search};
use crate::search::{put, walk};

/// Searches of a run, and of one that is asked to be full (`TIDEGATE_FULL=1`).
const CASES: usize = 3_000;
const CASES_FULL: usize = 100_000;
const OBSERVATIONS: usize = 160;
const PATIENTS: usize = 40;

const SYSTEMS: [&str; 3] = ["", "http://loinc.org", "urn:local"];
const CODES: [&str; 4] = ["a", "A", "b-1", "c"];
const TEXTS: [&str; 5] = ["Glucose in blood", "glucósé", "Blood count", "count, red", "red"];
const FAMILIES: [&str; 6] = ["Anna", "ANNA", "Ánna", "Annabel", "Bo Anna", "Zoë"];
const PROFILES: [&str; 6] = [
    "http://example.org/a",
    "http://example.org/a/",
    "http://example.org/a/b",
    "http://example.org/ab",
    "http://example.org",
    "urn:x",
];
/// Code and size in milligrams.
const UNITS: [(&str, i128); 3] = [("mg", 1), ("g", 1_000), ("kg", 1_000_000)];
const PREFIXES: [&str; 10] = ["", "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"];
const COMPARATORS: [&str; 4] = ["<", "<=", ">=", ">"];
const DAY_US: i128 = 86_400_000_000;
/// 2020-01-01T00:00:00Z
const START_US: i128 = 1_577_836_800_000_000;
const MONTHS: [i128; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// Numbers that repeat with the seed (xorshift).
pub struct Draw(u64);

impl Draw {
    pub fn new() -> Self {
        Self(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("small") % end
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn often(&mut self) -> bool {
        self.below(4) > 0
    }
}

/// A day or part of one in 2020: its text and its interval in microseconds.
fn day(draw: &mut Draw) -> (String, i128, i128) {
    let month = draw.below(12);
    let before: i128 = MONTHS[..month].iter().sum();
    let number = i128::try_from(draw.below(28)).expect("small");
    let low = START_US + (before + number) * DAY_US;
    match draw.below(5) {
        0 => ("2020".to_owned(), START_US, START_US + 366 * DAY_US),
        1 => {
            let first = START_US + before * DAY_US;
            (format!("2020-{:02}", month + 1), first, first + MONTHS[month] * DAY_US)
        }
        2 => {
            let at = low + 10 * 3_600_000_000;
            (format!("2020-{:02}-{:02}T12:00:00+02:00", month + 1, number + 1), at, at + 1_000_000)
        }
        _ => (format!("2020-{:02}-{:02}", month + 1, number + 1), low, low + DAY_US),
    }
}

/// A number of so many hundredths with zero to two decimals, and half of its last digit in thousandths.
fn decimal(draw: &mut Draw) -> (String, i128, i128) {
    let whole = i128::try_from(draw.below(12)).expect("small");
    match draw.below(3) {
        0 => (format!("{whole}"), whole * 1_000, 500),
        1 => (format!("{whole}.5"), whole * 1_000 + 500, 50),
        _ => (format!("{whole}.25"), whole * 1_000 + 250, 5),
    }
}

fn quantity(draw: &mut Draw) -> Value {
    let (text, ..) = decimal(draw);
    let number: Value = serde_json::from_str(&text).expect("a number");
    let mut quantity = json!({"value": number, "system": UCUM, "code": draw.one(&UNITS).0});
    if draw.below(4) == 0 {
        quantity["comparator"] = json!(draw.one(&COMPARATORS));
    }
    quantity
}

fn concept(draw: &mut Draw) -> Value {
    let mut coding = json!({"code": draw.one(&CODES)});
    match draw.one(&SYSTEMS) {
        "" => {}
        system => coding["system"] = json!(system),
    }
    if draw.below(2) == 0 {
        coding["display"] = json!(draw.one(&TEXTS));
    }
    let mut concept = json!({"coding": [coding]});
    if draw.below(2) == 0 {
        concept["text"] = json!(draw.one(&TEXTS));
    }
    concept
}

fn observation(number: usize, draw: &mut Draw) -> Value {
    let mut resource = json!({"resourceType": "Observation", "id": format!("o{number:03}"), "status": "final", "code": concept(draw)});
    if draw.often() {
        let id = format!("{}/p{:02}", draw.one(&["Patient", "Patient", "Group"]), draw.below(PATIENTS));
        resource["subject"] = json!({"reference": id});
    }
    if draw.below(3) == 0 {
        resource["subject"]["identifier"] = json!({"system": "urn:mrn", "value": draw.one(&CODES)});
    }
    if draw.often() {
        resource["valueQuantity"] = quantity(draw);
    }
    match draw.below(4) {
        0 => {}
        1 => {
            let (start, end) = (day(draw), day(draw));
            let mut period = json!({});
            if draw.often() {
                period["start"] = json!(start.0);
            }
            if draw.often() && start.1 <= end.1 {
                period["end"] = json!(end.0);
            }
            resource["effectivePeriod"] = period;
        }
        _ => resource["effectiveDateTime"] = json!(day(draw).0),
    }
    let parts: Vec<Value> =
        (0..draw.below(3)).map(|_| json!({"code": concept(draw), "valueQuantity": quantity(draw)})).collect();
    if !parts.is_empty() {
        resource["component"] = json!(parts);
    }
    resource
}

fn patient(number: usize, draw: &mut Draw) -> Value {
    let names: Vec<Value> = (0..draw.below(3)).map(|_| json!({"family": draw.one(&FAMILIES)})).collect();
    let identifiers: Vec<Value> = (0..draw.below(3))
        .map(|_| {
            json!({"type": {"coding": [{"system": draw.one(&SYSTEMS[1..]), "code": draw.one(&CODES)}]}, "value": draw.one(&CODES)})
        })
        .collect();
    let profiles: Vec<&str> = (0..1 + draw.below(2)).map(|_| draw.one(&PROFILES)).collect();
    json!({"resourceType": "Patient", "id": format!("p{number:02}"), "name": names, "identifier": identifiers,
        "meta": {"profile": profiles}})
}

fn risk(number: usize, draw: &mut Draw) -> Value {
    let probability: Value = serde_json::from_str(&decimal(draw).0).expect("a number");
    json!({"resourceType": "RiskAssessment", "id": format!("r{number:02}"), "status": "final",
        "prediction": [{"probabilityDecimal": probability}]})
}

/// A clause and what it says of a resource, among all resources.
type Asked = (Clause, Box<dyn Fn(&Value, &[Value]) -> bool>);

fn list<'a>(value: &'a Value, pointer: &str) -> Vec<&'a Value> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten().collect()
}

fn fold(text: &str) -> String {
    text.to_lowercase().replace('á', "a").replace(['é', 'ë'], "e").replace('ó', "o")
}

fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

/// `None`: any system; `Some("")`: none.
fn coding_holds(coding: &Value, system: Option<&str>, code: Option<&str>) -> bool {
    system.is_none_or(|system| coding["system"].as_str().unwrap_or_default() == system)
        && code.is_none_or(|code| same(coding["code"].as_str().unwrap_or_default(), code))
}

fn token(draw: &mut Draw) -> (TokenValue, Option<&'static str>, Option<&'static str>) {
    let system = if draw.below(2) == 0 { None } else { Some(draw.one(&SYSTEMS)) };
    let code = if matches!(system, None | Some("")) || draw.often() { Some(draw.one(&CODES)) } else { None };
    (TokenValue { system: system.map(Into::into), code: code.map(Into::into) }, system, code)
}

fn by_code(draw: &mut Draw) -> Asked {
    let (first, second, not) = (token(draw), token(draw), draw.below(3) == 0);
    let clause = Clause::Token { parameter: "code".into(), values: vec![first.0, second.0], not };
    let holds = move |resource: &Value, _: &[Value]| {
        let codings = list(resource, "/code/coding");
        not ^ codings
            .iter()
            .any(|coding| coding_holds(coding, first.1, first.2) || coding_holds(coding, second.1, second.2))
    };
    (clause, Box::new(holds))
}

fn by_words(draw: &mut Draw) -> Asked {
    let word = draw.one(&["glu", "BLOOD", "count", "lood", "in blood", "red", "réd"]);
    let clause = Clause::Words { parameter: "code".into(), values: vec![word.into()] };
    let holds = move |resource: &Value, _: &[Value]| {
        let displays =
            list(resource, "/code/coding").into_iter().filter_map(|coding| coding["display"].as_str());
        displays.chain(resource["code"]["text"].as_str()).any(|text| {
            let padded = format!(" {}", fold(text));
            padded.contains(&format!(" {}", fold(word)))
        })
    };
    (clause, Box::new(holds))
}

/// Where the values of a stored quantity lie, in thousandths of a milligram: lowest and highest, whether each is one.
type Set = (Option<(i128, bool)>, Option<(i128, bool)>);

fn stored_set(value: &str, comparator: Option<&str>, factor: i128) -> Set {
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    let padded = format!("{whole}{fraction:0<3}");
    let number: i128 = padded.parse::<i128>().expect("digits") * factor;
    match comparator {
        None => (Some((number, true)), Some((number, true))),
        Some("<") => (None, Some((number, false))),
        Some("<=") => (None, Some((number, true))),
        Some(">") => (Some((number, false)), None),
        Some(_) => (Some((number, true)), None),
    }
}

/// What R4 says of a prefix, of all that a value can be. Compared in halves, so that half a digit is whole.
fn number_holds(prefix: &str, value: i128, half: i128, set: Set) -> bool {
    let exact = set.0.is_some() && set.0 == set.1;
    let (low, high) = (value - half, value + half);
    let some_above = |bound: i128, itself: bool| {
        set.1.is_none_or(|(top, is)| top > bound || (top == bound && is && itself))
    };
    let some_below = |bound: i128, itself: bool| {
        set.0.is_none_or(|(end, is)| end < bound || (end == bound && is && itself))
    };
    let all_above = |bound: i128| set.0.is_some_and(|(end, is)| end > bound || (end == bound && !is));
    let all_below = |bound: i128| set.1.is_some_and(|(top, is)| top < bound || (top == bound && !is));
    let inside = exact && set.0.is_some_and(|(number, _)| low <= number && number < high);
    match prefix {
        "" | "eq" => inside,
        "ne" => !inside,
        "gt" => some_above(value, false),
        "lt" => some_below(value, false),
        "ge" => some_above(value, true),
        "le" => some_below(value, true),
        "sa" => all_above(value),
        "eb" => all_below(value),
        _ => {
            let near = value.abs() / 10;
            some_above(low.min(value - near), true) && some_below(high.max(value + near), true)
        }
    }
}

fn quantity_holds(quantity: &Value, prefix: &str, (value, half): (i128, i128), unit: Option<i128>) -> bool {
    let Some(number) = quantity["value"].as_number() else { return false };
    let own = UNITS.iter().find(|(code, _)| quantity["code"] == *code).expect("a unit").1;
    // Ten times finer, so that a tenth of a value is whole.
    let (factor, asked) = match unit {
        Some(unit) => (own * 10, unit * 10),
        None => (10, 10),
    };
    let set = stored_set(number.as_str(), quantity["comparator"].as_str(), factor);
    number_holds(prefix, value * asked, half * asked, set)
}

fn by_quantity(draw: &mut Draw) -> Asked {
    let (prefix, (text, value, half)) = (draw.one(&PREFIXES), decimal(draw));
    let asked = format!("{prefix}{text}");
    let unit = if draw.often() { Some(draw.one(&UNITS)) } else { None };
    let values = match unit {
        Some((code, _)) => quantities(&asked, code),
        None => vec![QuantityValue {
            number: NumberMatch::parse(&asked).expect("a number"),
            system: None,
            unit: None,
        }],
    };
    let clause = Clause::Number { parameter: "value-quantity".into(), values };
    let holds = move |resource: &Value, _: &[Value]| {
        quantity_holds(&resource["valueQuantity"], prefix, (value, half), unit.map(|(_, size)| size))
    };
    (clause, Box::new(holds))
}

fn by_part(draw: &mut Draw) -> Asked {
    let (code, prefix, (text, value, half), (unit, size)) =
        (token(draw), draw.one(&PREFIXES), decimal(draw), draw.one(&UNITS));
    let own = draw.below(2) == 0;
    let parts =
        vec![PartValue::Token(code.0), PartValue::Number(quantities(&format!("{prefix}{text}"), unit))];
    let parameter = if own { "code-value-quantity" } else { "component-code-value-quantity" };
    let clause = Clause::Composite { parameter: parameter.into(), values: vec![parts] };
    let holds = move |resource: &Value, _: &[Value]| {
        let elements = if own { vec![resource] } else { list(resource, "/component") };
        elements.into_iter().any(|element| {
            list(element, "/code/coding").into_iter().any(|coding| coding_holds(coding, code.1, code.2))
                && quantity_holds(&element["valueQuantity"], prefix, (value, half), Some(size))
        })
    };
    (clause, Box::new(holds))
}

/// The interval of a stored date, by its text.
fn interval(text: &str) -> (i128, i128) {
    let part =
        |range: std::ops::Range<usize>| text.get(range).map(|part| part.parse::<i128>().expect("digits"));
    let Some(month) = part(5..7) else { return (START_US, START_US + 366 * DAY_US) };
    let month = usize::try_from(month).expect("a month");
    let first = START_US + MONTHS[..month - 1].iter().sum::<i128>() * DAY_US;
    let Some(day) = part(8..10) else { return (first, first + MONTHS[month - 1] * DAY_US) };
    let low = first + (day - 1) * DAY_US;
    if text.contains('T') { (low + 36_000_000_000, low + 36_001_000_000) } else { (low, low + DAY_US) }
}

fn by_date(draw: &mut Draw) -> Asked {
    let (prefix, (text, low, high)) = (draw.one(&PREFIXES), day(draw));
    let asked = DateMatch::parse(&format!("{prefix}{text}"), NOW_US).expect("a date");
    let clause = Clause::Date { parameter: "date".into(), values: vec![asked] };
    let holds = move |resource: &Value, _: &[Value]| {
        let stored = match resource["effectiveDateTime"].as_str() {
            Some(text) => Some(interval(text)),
            None => {
                let bound = |name: &str| resource["effectivePeriod"][name].as_str().map(interval);
                let (start, end) = (bound("start"), bound("end"));
                (start.is_some() || end.is_some())
                    .then(|| (start.map_or(i128::MIN, |it| it.0), end.map_or(i128::MAX, |it| it.1)))
            }
        };
        let Some((from, until)) = stored else { return false };
        let (inside, above, below) = (low <= from && until <= high, until > high, from < low);
        match prefix {
            "" | "eq" => inside,
            "ne" => !inside,
            "gt" => above,
            "lt" => below,
            "ge" => inside || above,
            "le" => inside || below,
            "sa" => from >= high,
            "eb" => until <= low,
            _ => {
                let near = (i128::from(NOW_US) - (low + (high - low) / 2)).abs() / 10;
                from < high + near && until > low - near
            }
        }
    };
    (clause, Box::new(holds))
}

fn by_reference(draw: &mut Draw) -> Asked {
    if draw.below(3) == 0 {
        let value = draw.one(&CODES);
        let values = vec![TokenValue { system: Some("urn:mrn".into()), code: Some(value.into()) }];
        let clause = Clause::Token { parameter: fhir::identifier_name("subject"), values, not: false };
        let holds = move |resource: &Value, _: &[Value]| {
            resource["subject"]["identifier"]["value"].as_str().is_some_and(|own| same(own, value))
        };
        return (clause, Box::new(holds));
    }
    let id = format!("p{:02}", draw.below(PATIENTS));
    let of = draw.one(&[None, Some("Patient"), Some("Group")]);
    let clause =
        Clause::Reference { parameter: "subject".into(), values: vec![(of.map(Into::into), id.clone())] };
    let holds = move |resource: &Value, _: &[Value]| {
        let own = resource["subject"]["reference"].as_str().unwrap_or_default();
        match of {
            Some(of) => own == format!("{of}/{id}"),
            None => own.ends_with(&format!("/{id}")),
        }
    };
    (clause, Box::new(holds))
}

fn by_family(draw: &mut Draw) -> Asked {
    let (asked, how) = (
        draw.one(&["anna", "Anna", "án", "nn", "bo", "Zoe"]),
        draw.one(&[TextMatch::Start, TextMatch::Exact, TextMatch::Contains]),
    );
    let clause = Clause::Text { parameter: "family".into(), values: vec![asked.into()], how };
    let holds = move |resource: &Value, _: &[Value]| {
        list(resource, "/name").into_iter().filter_map(|name| name["family"].as_str()).any(|family| match how
        {
            TextMatch::Start => fold(family).starts_with(&fold(asked)),
            TextMatch::Contains => fold(family).contains(&fold(asked)),
            TextMatch::Exact => family == asked,
        })
    };
    (clause, Box::new(holds))
}

fn by_profile(draw: &mut Draw) -> Asked {
    let (asked, how) = (draw.one(&PROFILES), draw.one(&[UriMatch::Whole, UriMatch::Below, UriMatch::Above]));
    let clause = Clause::Uri { parameter: "_profile".into(), values: vec![asked.into()], how };
    let along = |uri: &str, of: &str| {
        let (uri, of) = (uri.trim_end_matches('/'), of.trim_end_matches('/'));
        uri == of || uri.starts_with(&format!("{of}/"))
    };
    let holds = move |resource: &Value, _: &[Value]| {
        list(resource, "/meta/profile").into_iter().filter_map(Value::as_str).any(|own| match how {
            UriMatch::Whole => own == asked,
            UriMatch::Below => along(own, asked),
            UriMatch::Above => along(asked, own),
        })
    };
    (clause, Box::new(holds))
}

fn by_type_of_identifier(draw: &mut Draw) -> Asked {
    let (system, code, value) = (draw.one(&SYSTEMS[1..]), draw.one(&CODES), draw.one(&CODES));
    let typed = TypedValue { system: system.into(), code: code.into(), value: value.into() };
    let clause = Clause::OfType { parameter: "identifier".into(), values: vec![typed] };
    let holds = move |resource: &Value, _: &[Value]| {
        list(resource, "/identifier").into_iter().any(|identifier| {
            same(identifier["value"].as_str().unwrap_or_default(), value)
                && list(identifier, "/type/coding")
                    .into_iter()
                    .any(|coding| coding_holds(coding, Some(system), Some(code)))
        })
    };
    (clause, Box::new(holds))
}

fn by_probability(draw: &mut Draw) -> Asked {
    let (prefix, (text, value, half)) = (draw.one(&PREFIXES), decimal(draw));
    let number = NumberMatch::parse(&format!("{prefix}{text}")).expect("a number");
    let values = vec![QuantityValue { number, system: None, unit: None }];
    let clause = Clause::Number { parameter: "probability".into(), values };
    let holds = move |resource: &Value, _: &[Value]| {
        list(resource, "/prediction").into_iter().any(|prediction| {
            let number = prediction["probabilityDecimal"].as_number().expect("a number");
            number_holds(prefix, value * 10, half * 10, stored_set(number.as_str(), None, 10))
        })
    };
    (clause, Box::new(holds))
}

fn by_missing(draw: &mut Draw) -> Asked {
    let (missing, (parameter, element)) = (
        draw.below(2) == 0,
        draw.one(&[
            ("value-quantity", "valueQuantity"),
            ("subject", "subject"),
            ("date", "effective"),
            ("device", "device"),
        ]),
    );
    let clause = Clause::Missing { parameter: parameter.into(), missing };
    let holds = move |resource: &Value, _: &[Value]| {
        let period = resource["effectivePeriod"].as_object().is_some_and(|period| !period.is_empty());
        let there = match element {
            "effective" => resource.get("effectiveDateTime").is_some() || period,
            element => resource.get(element).is_some(),
        };
        there != missing
    };
    (clause, Box::new(holds))
}

/// A chain to a patient, and whether one leads here.
fn by_chain(draw: &mut Draw) -> Asked {
    let (inner, inner_holds) = of_patient(draw);
    let targets = vec![(resource_type("Patient"), inner)];
    let clause = Clause::Chain { parameter: "subject".into(), targets };
    let holds = move |resource: &Value, all: &[Value]| {
        let own = resource["subject"]["reference"].as_str().and_then(|own| own.strip_prefix("Patient/"));
        let is_it = |other: &&Value| {
            other["resourceType"] == "Patient" && Some(other["id"].as_str().expect("an id")) == own
        };
        all.iter().filter(is_it).any(|patient| inner_holds(patient, all))
    };
    (clause, Box::new(holds))
}

fn by_has(draw: &mut Draw) -> Asked {
    let (inner, inner_holds) = of_observation(draw, false);
    let clause = Clause::Has {
        source: resource_type("Observation"),
        parameter: "subject".into(),
        clause: Box::new(inner),
    };
    let holds = move |resource: &Value, all: &[Value]| {
        let here = format!("Patient/{}", resource["id"].as_str().expect("an id"));
        let leads_here =
            |other: &&Value| other["resourceType"] == "Observation" && other["subject"]["reference"] == here;
        all.iter().filter(leads_here).any(|other| inner_holds(other, all))
    };
    (clause, Box::new(holds))
}

fn of_patient(draw: &mut Draw) -> Asked {
    match draw.below(3) {
        0 => by_family(draw),
        1 => by_profile(draw),
        _ => by_type_of_identifier(draw),
    }
}

fn of_observation(draw: &mut Draw, links: bool) -> Asked {
    match draw.below(if links { 8 } else { 7 }) {
        0 => by_code(draw),
        1 => by_words(draw),
        2 => by_quantity(draw),
        3 => by_part(draw),
        4 => by_date(draw),
        5 => by_reference(draw),
        6 => by_missing(draw),
        _ => by_chain(draw),
    }
}

fn asked(draw: &mut Draw) -> (&'static str, Vec<Asked>) {
    let number = 1 + draw.below(2);
    match draw.below(8) {
        0 => ("RiskAssessment", vec![by_probability(draw)]),
        1 | 2 => (
            "Patient",
            (0..number).map(|_| if draw.often() { of_patient(draw) } else { by_has(draw) }).collect(),
        ),
        _ => ("Observation", (0..number).map(|_| of_observation(draw, true)).collect()),
    }
}

/// What is searched.
pub fn world(draw: &mut Draw) -> Vec<Value> {
    let mut all: Vec<Value> = (0..OBSERVATIONS).map(|number| observation(number, draw)).collect();
    all.extend((0..PATIENTS).map(|number| patient(number, draw)));
    all.extend((0..20).map(|number| risk(number, draw)));
    all
}

pub async fn searches_agree_with_a_naive_reading(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let mut draw = Draw::new();
    let all = world(&mut draw);
    put(&node, 1, all.iter().map(real).collect()).await;
    let is_full = std::env::var("TIDEGATE_FULL").is_ok_and(|full| full == "1");
    agree(&*node.resources, &all, &mut draw, if is_full { CASES_FULL } else { CASES }, |clause| clause).await;
}

/// Draws searches and compares what they find; each is asked as `ask` has it.
pub async fn agree(
    resources: &dyn Resources,
    all: &[Value],
    draw: &mut Draw,
    cases: usize,
    ask: fn(Clause) -> Clause,
) {
    let mut answered = 0;
    for case in 0..cases {
        let (name, questions) = asked(draw);
        let holds = |resource: &&Value| {
            resource["resourceType"] == name && questions.iter().all(|(_, holds)| holds(resource, all))
        };
        let mut expected: Vec<String> = all
            .iter()
            .filter(holds)
            .map(|resource| resource["id"].as_str().expect("an id").to_owned())
            .collect();
        answered += usize::from(!expected.is_empty());
        let clauses = questions.iter().map(|(clause, _)| ask(clause.clone())).collect();
        let descending = case.is_multiple_of(2);
        let sort = vec![Sort { by: SortBy::Id, descending }];
        let count = if case.is_multiple_of(20) { 3 } else { 100 };
        let found = walk(resources, Search { count, sort, ..search(name, clauses) }).await;
        expected.sort();
        if descending {
            expected.reverse();
        }
        assert_eq!(found, expected, "case {case} of {name}");
    }
    assert!(answered > cases / 3, "many searches find something: {answered} of {cases}");
}
