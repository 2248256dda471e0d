//! What is to be explained: everything, one field, or one element.

use hl7v2::Message;
use hl7v2::path::Path;
use mapping::{Miss, Step, Translation};

use super::{Explanation, Leaf, meet};
use crate::{Exit, Failure};

/// Most segments of one name that a field without a number is looked for in.
const OCCURRENCES_MAX: usize = 10_000;

/// What is to be explained.
pub enum Choice {
    /// Every leaf.
    All,
    /// A segment by name.
    Segment(String),
    /// A field or part of one; without an occurrence of every segment of the name.
    Field(String),
    /// A FHIR element.
    Element(String),
}

/// What was chosen.
#[derive(Default)]
pub struct Chosen<'e, 't> {
    /// Leaves, in the order of the message.
    pub leaves: Vec<&'e Leaf<'t>>,
    /// Steps that gave the element; empty unless one was asked for.
    pub steps: Vec<&'e Step>,
    /// Rules that gave nothing for it.
    pub misses: Vec<&'e Miss>,
}

impl Chosen<'_, '_> {
    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.leaves.is_empty() && self.steps.is_empty() && self.misses.is_empty()
    }
}

impl Choice {
    /// Reads the options.
    pub fn read(field: Option<&str>, element: Option<&str>) -> Result<Self, Failure> {
        match (field, element) {
            (Some(field), _) => Self::field(field.trim()),
            (None, Some(element)) => Self::element(element.trim()),
            (None, None) => Ok(Self::All),
        }
    }

    fn field(text: &str) -> Result<Self, Failure> {
        let is_segment =
            text.len() == 3 && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        if is_segment {
            return Ok(Self::Segment(text.to_owned()));
        }
        let wrong = |error: hl7v2::path::PathError| {
            let words = format!("--field: {error}\n  fix: write PV1, PID-5.1, PID-3~2 or OBX(3)-5");
            Failure::new(Exit::Usage, words)
        };
        text.parse::<Path>().map(|_| Self::Field(text.to_owned())).map_err(wrong)
    }

    fn element(text: &str) -> Result<Self, Failure> {
        let kind = text.split('.').next().unwrap_or_default();
        if fhir::ResourceType::parse(kind).is_some() {
            return Ok(Self::Element(text.to_owned()));
        }
        let words = "--element: it does not begin with a resource type\n  fix: write Patient.name or Encounter.period.start";
        Err(Failure::new(Exit::Usage, words))
    }

    /// Whether details are shown.
    pub fn is_detailed(&self) -> bool {
        !matches!(self, Self::All)
    }

    /// What fits of an explanation.
    pub fn of<'e, 't>(&self, message: &Message<'_>, all: &'e Explanation<'t>) -> Chosen<'e, 't> {
        match self {
            Self::All => Chosen { leaves: all.leaves.iter().collect(), ..Chosen::default() },
            Self::Segment(name) => {
                let is_of = |leaf: &&Leaf<'_>| {
                    let segment = usize::try_from(leaf.at.segment).ok().and_then(|at| message.segment(at));
                    segment.is_some_and(|segment| segment.name() == name)
                };
                let leaves: Vec<_> = all.leaves.iter().filter(is_of).collect();
                let reads = |miss: &&Miss| miss.reads.iter().any(|read| read.path == *name);
                Chosen { leaves, misses: all.misses.iter().filter(reads).collect(), ..Chosen::default() }
            }
            Self::Field(text) => of_field(text, message, all),
            Self::Element(text) => Chosen {
                leaves: Vec::new(),
                steps: all.steps.iter().filter(|step| is_below(&step.element, text)).collect(),
                misses: all
                    .misses
                    .iter()
                    .filter(|miss| is_below(&miss.element, text) || is_above(&miss.element, text))
                    .collect(),
            },
        }
    }

    /// Words for when nothing fits.
    pub fn nothing(&self, translation: &Translation) -> String {
        match self {
            Self::All => "the message has no field with a value".to_owned(),
            Self::Segment(name) => {
                format!("the message has no {name}, and no rule that was tried reads it")
            }
            Self::Field(text) => {
                format!("{text} is not valued in this message, and no rule that was tried reads it")
            }
            Self::Element(text) => {
                let mut kinds: Vec<&str> = translation.made().map(|set| set.resource_type.as_str()).collect();
                kinds.sort_unstable();
                kinds.dedup();
                if text.starts_with("Provenance") && kinds.contains(&"Provenance") {
                    let words =
                        "is built in: of MSH, EVN and SFT of the message, and the name of the package";
                    return format!("no rule makes {text}: the Provenance of a message {words}");
                }
                if text.ends_with(".id") {
                    return format!(
                        "no rule makes {text}: `id` of its map names the values that it is computed of"
                    );
                }
                let kinds = kinds.join(", ");
                format!("no rule that was tried makes {text}; this message makes {kinds}")
            }
        }
    }
}

fn of_field<'e, 't>(text: &str, message: &Message<'_>, all: &'e Explanation<'t>) -> Chosen<'e, 't> {
    let spans: Vec<_> = occurrences(text, message)
        .iter()
        .filter_map(|path| path.parse::<Path>().ok())
        .map(|path| path.resolve(message))
        .filter(|part| !part.raw().is_empty())
        .map(|part| part.span())
        .collect();
    let inside = |leaf: &&Leaf<'_>| {
        spans.iter().any(|span| span.start <= leaf.span.start && leaf.span.end <= span.end)
    };
    let key = field_key(text);
    let unread = |miss: &&Miss| {
        miss.reads.iter().any(|read| match read.span {
            Some(read) => spans.iter().any(|span| meet(read, *span)),
            None => spans.is_empty() && field_key(&read.path) == key,
        })
    };
    Chosen {
        leaves: all.leaves.iter().filter(inside).collect(),
        steps: Vec::new(),
        // With leaves, each shows its own.
        misses: if spans.is_empty() { all.misses.iter().filter(unread).collect() } else { Vec::new() },
    }
}

/// `OBX-5` of every OBX: `OBX(1)-5`, `OBX(2)-5`.
fn occurrences(text: &str, message: &Message<'_>) -> Vec<String> {
    let (Some(name), Some(rest)) = (text.get(..3), text.get(3..)) else { return Vec::new() };
    if rest.starts_with('(') {
        return vec![text.to_owned()];
    }
    let count = message.segments().filter(|segment| segment.name() == name).count();
    (1..=count.min(OCCURRENCES_MAX)).map(|nth| format!("{name}({nth}){rest}")).collect()
}

/// `PID-5` of `PID-5~2.1`, `PID(2)-5*` and `/PID-5`.
fn field_key(path: &str) -> String {
    let path = path.trim_start_matches('/');
    let name: String = path.chars().take(3).collect();
    let number: String = path
        .split_once('-')
        .map(|(_, rest)| rest.chars().take_while(char::is_ascii_digit).collect())
        .unwrap_or_default();
    format!("{name}-{number}")
}

/// Whether an element is the wanted one, or inside it.
fn is_below(element: &str, wanted: &str) -> bool {
    let (have, want) = (parts(element, wanted), parts(wanted, wanted));
    have.len() >= want.len() && have.iter().zip(&want).all(|(have, want)| is_same(have, want))
}

/// Whether an element holds the wanted one.
fn is_above(element: &str, wanted: &str) -> bool {
    let (have, want) = (parts(element, wanted), parts(wanted, wanted));
    have.len() < want.len() && have.iter().zip(&want).all(|(have, want)| is_same(have, want))
}

/// The names of a path; with indexes only where the wanted path has some.
fn parts(path: &str, wanted: &str) -> Vec<String> {
    let is_indexed = wanted.contains(|c: char| c.is_ascii_digit()) && wanted.contains('[');
    let plain = |part: &str| part.split('[').next().unwrap_or_default().to_owned();
    path.split('.')
        .map(|part| if is_indexed && !part.ends_with("[x]") { part.to_owned() } else { plain(part) })
        .collect()
}

/// The same name; of a choice with any type (`deceased` and `deceasedBoolean`).
fn is_same(have: &str, want: &str) -> bool {
    have == want
        || have.strip_prefix(want).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()))
        || want.strip_prefix(have).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_is_found_with_and_without_index_and_type() {
        assert!(is_below("Patient.name[0].family", "Patient.name"));
        assert!(is_below("Patient.name[0].family", "Patient.name[0]"));
        assert!(!is_below("Patient.name[1].family", "Patient.name[0]"));
        assert!(is_below("Patient.deceasedBoolean", "Patient.deceased[x]"));
        assert!(is_below("Patient.deceasedBoolean", "Patient.deceased"));
        assert!(!is_below("Patient.names", "Patient.name"));
        assert!(is_above("Patient.name[0]", "Patient.name.family"));
        assert!(is_above("Encounter", "Encounter.period"));
    }

    #[test]
    fn a_field_key_drops_what_selects() {
        for path in ["PID-5", "PID-5~2.1", "PID-5*", "/PID-5", "PID-5(.5=MR).4"] {
            assert_eq!(field_key(path), "PID-5");
        }
    }

    #[test]
    fn what_is_no_path_is_a_usage_error() {
        for (field, element) in [(Some("pid"), None), (Some("PID-0"), None), (None, Some("Patiant.name"))] {
            let failure = Choice::read(field, element).err().expect("refused");
            assert_eq!(failure.exit, Exit::Usage);
        }
    }
}
