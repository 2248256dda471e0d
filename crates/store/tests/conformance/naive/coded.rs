//! Tokens: codes, identifiers and truths, `:not`, `:text`, `:of-type`.

use serde_json::Value;
use store::{Clause, TokenValue, TypedValue};

use super::draw::{CODES, Draw, SYSTEMS, WORDS, fold, same};
use super::world::{World, list, text};
use super::{Asked, all_of};

/// A token parameter as the naive reading knows it.
struct Parameter {
    of: &'static str,
    code: &'static str,
    systems: &'static [&'static str],
    codes: &'static [&'static str],
    /// Systems and codes that a resource has; an empty system is none.
    held: fn(&Value) -> Vec<(&str, &str)>,
}

fn held_codes(resource: &Value) -> Vec<(&str, &str)> {
    let codings = list(resource, "/code/coding").into_iter();
    codings.map(|coding| (text(coding, "system"), text(coding, "code"))).collect()
}

fn held_identifiers(resource: &Value) -> Vec<(&str, &str)> {
    let all = list(resource, "/identifier").into_iter();
    all.map(|identifier| (text(identifier, "system"), text(identifier, "value"))).collect()
}

fn held_truth(resource: &Value) -> Vec<(&str, &str)> {
    let truth = resource["active"].as_bool().into_iter();
    truth.map(|is| ("", if is { "true" } else { "false" })).collect()
}

/// The system of a `code` is that of its value set.
fn held_gender(resource: &Value) -> Vec<(&str, &str)> {
    resource["gender"].as_str().into_iter().map(|code| (GENDERS[1], code)).collect()
}

const NO_SYSTEM: [&str; 1] = [""];
const GENDERS: [&str; 2] = ["", "http://hl7.org/fhir/administrative-gender"];

static OF_OBSERVATION: [Parameter; 1] =
    [Parameter { of: "Observation", code: "code", systems: &SYSTEMS, codes: &CODES, held: held_codes }];
static OF_REPORT: [Parameter; 1] =
    [Parameter { of: "DiagnosticReport", code: "code", systems: &SYSTEMS, codes: &CODES, held: held_codes }];
static OF_PATIENT: [Parameter; 3] = [
    Parameter { of: "Patient", code: "identifier", systems: &SYSTEMS, codes: &CODES, held: held_identifiers },
    Parameter {
        of: "Patient",
        code: "active",
        systems: &NO_SYSTEM,
        codes: &["true", "false"],
        held: held_truth,
    },
    Parameter {
        of: "Patient",
        code: "gender",
        systems: &GENDERS,
        codes: &["female", "MALE", "other", "unknown"],
        held: held_gender,
    },
];

/// A token asked for. Of the system, `None`: any; `Some("")`: none.
#[derive(Clone, Copy)]
pub struct Token {
    system: Option<&'static str>,
    code: Option<&'static str>,
}

impl Token {
    pub fn draw(draw: &mut Draw, systems: &[&'static str], codes: &[&'static str]) -> Self {
        let system = if draw.seldom(2) { None } else { Some(draw.one(systems)) };
        let needs_code = matches!(system, None | Some(""));
        Self { system, code: (needs_code || draw.often()).then(|| draw.one(codes)) }
    }

    /// The same without its system: that of a `code` is implied.
    pub fn of_any_system(self) -> Self {
        Self { system: None, ..self }
    }

    pub fn value(self) -> TokenValue {
        TokenValue { system: self.system.map(Into::into), code: self.code.map(Into::into) }
    }

    pub fn holds(self, system: &str, code: &str) -> bool {
        self.system.is_none_or(|asked| asked == system) && self.code.is_none_or(|asked| same(asked, code))
    }

    /// Whether one of the codings of a concept is it.
    pub fn in_concept(self, concept: &Value) -> bool {
        let codings = list(concept, "/coding").into_iter();
        codings.into_iter().any(|coding| self.holds(text(coding, "system"), text(coding, "code")))
    }
}

/// A token parameter of a type.
pub fn by_token(draw: &mut Draw, of: &str) -> Asked {
    let parameters: &'static [Parameter] = match of {
        "Observation" => &OF_OBSERVATION,
        "DiagnosticReport" => &OF_REPORT,
        _ => &OF_PATIENT,
    };
    let parameter = &parameters[draw.below(parameters.len())];
    assert_eq!(parameter.of, of);
    let tokens = draw.some(|draw| Token::draw(draw, parameter.systems, parameter.codes));
    let not = draw.seldom(3);
    let values = tokens.iter().map(|token| token.value()).collect();
    let covers = if not { "token:not" } else { "token" };
    Asked::new(
        Clause::Token { parameter: parameter.code.into(), values, not },
        covers,
        move |resource: &Value, _: &World| {
            let held = (parameter.held)(resource);
            not ^ held.iter().any(|(system, code)| tokens.iter().any(|token| token.holds(system, code)))
        },
    )
}

/// `:text` of codes, or of the types of identifiers.
pub fn by_words(draw: &mut Draw, of: &str) -> Asked {
    let words = draw.some(|draw| draw.one(&WORDS));
    let (code, pointer) = if of == "Patient" { ("identifier", "/identifier") } else { ("code", "/code") };
    Asked::new(
        Clause::Words { parameter: code.into(), values: words.iter().map(|word| (*word).into()).collect() },
        "token:text",
        move |resource: &Value, _: &World| {
            let concepts: Vec<&Value> = match resource.pointer(pointer) {
                Some(Value::Array(all)) => all.iter().filter_map(|one| one.get("type")).collect(),
                Some(concept) => vec![concept],
                None => Vec::new(),
            };
            let displays = |concept| {
                let codings = list(concept, "/coding").into_iter();
                codings.filter_map(|coding| coding["display"].as_str()).chain(concept["text"].as_str())
            };
            concepts.into_iter().flat_map(displays).any(|text| {
                let padded = format!(" {}", fold(text));
                words.iter().any(|word| padded.contains(&format!(" {}", fold(word))))
            })
        },
    )
}

/// `:of-type` of identifiers.
pub fn by_type_of_identifier(draw: &mut Draw) -> Asked {
    let asked = draw.some(|draw| (draw.one(&SYSTEMS[1..]), draw.one(&CODES), draw.one(&CODES)));
    let typed = |(system, code, value): &(&str, &str, &str)| TypedValue {
        system: (*system).into(),
        code: (*code).into(),
        value: (*value).into(),
    };
    Asked::new(
        Clause::OfType { parameter: "identifier".into(), values: asked.iter().map(typed).collect() },
        "token:of-type",
        move |resource: &Value, _: &World| {
            list(resource, "/identifier").into_iter().any(|identifier| {
                let codings = list(identifier, "/type/coding");
                asked.iter().any(|(system, code, value)| {
                    let is_it = |coding: &&Value| {
                        text(coding, "system") == *system && same(text(coding, "code"), code)
                    };
                    same(text(identifier, "value"), value) && codings.iter().any(is_it)
                })
            })
        },
    )
}

/// `_id`, of some that are there and some that are not.
pub fn by_id(draw: &mut Draw, of: &'static str, world: &World) -> Asked {
    let here = all_of(world, of);
    let id = |draw: &mut Draw| match draw.seldom(4) {
        true => "nobody".to_owned(),
        false => text(here[draw.below(here.len())], "id").to_owned(),
    };
    let ids: Vec<String> = (0..1 + draw.below(4)).map(|_| id(draw)).collect();
    let clause = Clause::Id(ids.clone());
    Asked::new(clause, "_id", move |resource: &Value, _: &World| {
        ids.iter().any(|id| id == text(resource, "id"))
    })
}
