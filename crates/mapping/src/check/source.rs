//! v2 paths against the dictionary.

use super::Checker;
use crate::diagnostic::Place;
use crate::plan::{Keyed, Path, Root, Selector};
use crate::syntax;
use hl7v2::dictionary;

/// What the paths of a map may speak of.
#[derive(Debug, Clone, Default)]
pub(crate) struct Source {
    /// The map's own segment; `None` in a type map.
    pub segment: Option<String>,
    /// Segments it may read beside its own; `None`: any.
    pub reads: Option<Vec<String>>,
    /// v2 type of the current item; `None`: there is no item; empty: not known.
    pub item: Option<String>,
    /// In the filter of a segment, where `outer` means the place around it.
    pub filters: bool,
}

/// How a path is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// Its value is mapped: an unmarked repeating field is an error.
    Value,
    /// An argument: an unmarked field is its first repetition.
    First,
    /// Any repetition counts.
    Any,
}

/// What is known of a path's value.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    /// v2 type; empty when not known, `varies` when it depends on the message.
    pub datatype: String,
    /// More than one value can come.
    pub many: bool,
}

/// Types that read as coded elements.
const CODED: [&str; 4] = ["CWE", "CE", "CNE", "CF"];
/// Types of persons.
const PERSONS: [&str; 4] = ["XCN", "CNN", "PPN", "NDL"];

impl Checker<'_> {
    /// Checks a path and resolves it.
    pub(super) fn path(
        &mut self,
        path: &syntax::Path,
        place: Place,
        source: &Source,
        purpose: Use,
    ) -> Option<(Path, Facts)> {
        let at = place.shifted(path.offset, path.length);
        let (root, mut datatype, mut many) = match &path.root {
            syntax::Root::Item | syntax::Root::Type(_) => self.item_root(path, at, source)?,
            syntax::Root::Segment { name, groups, every, absolute, filter, field, selector } => {
                self.check_reach(name, *absolute, at, source);
                let (datatype, repeats) = match field {
                    Some(number) => self.field(name, *number, at)?,
                    None => (String::new(), false),
                };
                let selector = self.selector(selector, &datatype, repeats, place, at, source, purpose)?;
                let filter = match filter {
                    Some(filter) => {
                        let inside = Source { filters: true, ..source.clone() };
                        Some(Box::new(self.condition(filter, place, &inside)?))
                    }
                    None => None,
                };
                let many = *every || matches!(selector, Selector::Every);
                let root = Root::Segment {
                    name: name.clone(),
                    groups: groups.as_slice().into(),
                    every: *every,
                    absolute: *absolute,
                    filter,
                    field: *field,
                    selector,
                };
                (root, datatype, many)
            }
        };
        let mut parent = None;
        for step in &path.steps {
            parent = Some((keyed(&datatype), datatype.clone(), *step));
            datatype = self.component(&datatype, *step, path, at)?;
        }
        let authority_of = parent.and_then(|(keyed, _, step)| match (keyed, step) {
            (Keyed::Cx, 4) | (Keyed::Xcn, 9) | (Keyed::Xon, 6) => Some(keyed),
            _ => None,
        });
        if purpose == Use::Any {
            many = false;
        }
        let plan = Path {
            root,
            steps: path.steps.as_slice().into(),
            text: path.text.clone(),
            keyed: keyed(&datatype),
            authority_of,
        };
        Some((plan, Facts { datatype, many }))
    }

    fn item_root(&mut self, path: &syntax::Path, at: Place, source: &Source) -> Option<(Root, String, bool)> {
        let Some(item) = &source.item else {
            self.findings.add(at, "E0213", format!("there is no current item here for {}", path.text));
            return None;
        };
        if let syntax::Root::Type(name) = &path.root {
            let fits = item == name || item.is_empty() || item == "varies";
            if !fits {
                self.findings.add(at, "E0213", format!("the item here is {item}, not {name}"));
                return None;
            }
            return Some((Root::Item, name.clone(), false));
        }
        Some((Root::Item, item.clone(), false))
    }

    fn check_reach(&mut self, name: &str, absolute: bool, at: Place, source: &Source) {
        let Some(reads) = &source.reads else { return };
        let own = source.segment.as_deref() == Some(name);
        if !own && !absolute && name != "MSH" && !reads.iter().any(|read| read == name) {
            self.findings.add_help(
                at,
                "E0215",
                format!("{name} is not in `reads`"),
                format!("add it: reads: [{name}]"),
            );
        }
    }

    /// Type and repetition of a field.
    fn field(&mut self, segment: &str, number: u16, at: Place) -> Option<(String, bool)> {
        if let Some(datatype) = self.site.segments.get(segment).and_then(|fields| fields.get(&number)) {
            return Some((datatype.clone(), true));
        }
        let Some(fields) = dictionary::segment(segment) else {
            self.findings.add_help(
                at,
                "E0214",
                format!("the segment {segment} is in no HL7 version"),
                "a site declares its Z segments under `segments`",
            );
            return None;
        };
        let index = usize::from(number).checked_sub(1)?;
        let Some(field) = fields.get(index) else {
            let help = slip(number, fields.len())
                .map(|near| format!("did you mean {segment}-{near}?"))
                .unwrap_or_else(|| "see the segment's definition".into());
            self.findings.add_help(
                at,
                "E0214",
                format!("{segment}-{number} is in no HL7 version ({segment} ends at {})", fields.len()),
                help,
            );
            return None;
        };
        Some((field.datatype.to_owned(), field.repeats))
    }

    #[expect(clippy::too_many_arguments, reason = "one path and all that is known of it")]
    fn selector(
        &mut self,
        given: &syntax::Selector,
        datatype: &str,
        repeats: bool,
        place: Place,
        at: Place,
        source: &Source,
        purpose: Use,
    ) -> Option<Selector> {
        Some(match given {
            syntax::Selector::Every => Selector::Every,
            syntax::Selector::Nth(n) => Selector::Nth(*n),
            syntax::Selector::Where(filter) => {
                let inner = Source { item: Some(datatype.to_owned()), ..source.clone() };
                Selector::Where(Box::new(self.condition(filter, place, &inner)?))
            }
            syntax::Selector::Plain if purpose == Use::Any => Selector::Every,
            syntax::Selector::Plain => {
                if repeats && purpose == Use::Value {
                    self.findings.add_help(
                        at,
                        "E0216",
                        "this field repeats",
                        "write * for every repetition, ~1 for the first, or a filter",
                    );
                }
                Selector::First
            }
        })
    }

    fn component(&mut self, datatype: &str, step: u16, path: &syntax::Path, at: Place) -> Option<String> {
        let Some(components) = dictionary::datatype(datatype) else { return Some(String::new()) };
        if datatype == "varies" {
            return Some("varies".to_owned());
        }
        if components.is_empty() && step == 1 {
            return Some(datatype.to_owned());
        }
        match usize::from(step).checked_sub(1).and_then(|index| components.get(index)) {
            Some(component) => Some(component.datatype.to_owned()),
            None => {
                self.findings.add(
                    at,
                    "E0214",
                    format!("{}: {datatype} has {} components, not {step}", path.text, components.len()),
                );
                None
            }
        }
    }
}

/// The number that was probably meant: a digit typed twice, or one too many.
fn slip(number: u16, last: usize) -> Option<u16> {
    let text = number.to_string();
    let shorter = [text.get(1..), text.get(..text.len().saturating_sub(1))];
    shorter
        .into_iter()
        .flatten()
        .filter_map(|part| part.parse::<u16>().ok())
        .find(|near| *near > 0 && usize::from(*near) <= last)
}

/// How a type counts in an id.
pub(super) fn keyed(datatype: &str) -> Keyed {
    match datatype {
        "CX" => Keyed::Cx,
        "XON" => Keyed::Xon,
        "EI" => Keyed::Ei,
        coded if CODED.contains(&coded) => Keyed::Coded,
        person if PERSONS.contains(&person) => Keyed::Xcn,
        _ => Keyed::Plain,
    }
}
