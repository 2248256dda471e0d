//! The dictionary's text tables, parsed once. Every name is a slice of the embedded text.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::{ComponentDefinition, FieldDefinition, Group, Member};
use crate::limits::MAX_GROUP_DEPTH;

const SEGMENTS: &str = include_str!("../../dictionary/segments.txt");
const DATATYPES: &str = include_str!("../../dictionary/datatypes.txt");
const STRUCTURES: &str = include_str!("../../dictionary/structures.txt");
const EVENTS: &str = include_str!("../../dictionary/events.txt");

/// The data type of a field whose type another field names.
const VARIES: &str = "varies";

pub(super) fn segments() -> &'static HashMap<&'static str, &'static [FieldDefinition]> {
    static TABLE: OnceLock<HashMap<&'static str, &'static [FieldDefinition]>> = OnceLock::new();
    TABLE.get_or_init(|| {
        sections(SEGMENTS)
            .map(|(name, lines)| {
                let fields: Vec<_> = lines
                    .map(|line| FieldDefinition {
                        name: line.name,
                        datatype: line.datatype,
                        repeats: line.repeats,
                        table: line.table,
                    })
                    .collect();
                (name, &*fields.leak())
            })
            .collect()
    })
}

pub(super) fn datatypes() -> &'static HashMap<&'static str, &'static [ComponentDefinition]> {
    static TABLE: OnceLock<HashMap<&'static str, &'static [ComponentDefinition]>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut types: HashMap<_, &'static [ComponentDefinition]> = sections(DATATYPES)
            .map(|(name, lines)| {
                let components: Vec<_> = lines
                    .map(|line| ComponentDefinition {
                        name: line.name,
                        datatype: line.datatype,
                        table: line.table,
                    })
                    .collect();
                (name, &*components.leak())
            })
            .collect();
        types.insert(VARIES, &[]);
        types
    })
}

pub(super) fn structures() -> &'static HashMap<&'static str, &'static Group> {
    static TABLE: OnceLock<HashMap<&'static str, &'static Group>> = OnceLock::new();
    TABLE.get_or_init(|| {
        rows(STRUCTURES)
            .filter_map(|row| row.split_once(' '))
            .map(|(name, grammar)| {
                let members = members(&mut grammar.split_ascii_whitespace(), 0).0;
                (name, &*Box::leak(Box::new(Group { name, optional: false, repeats: false, members })))
            })
            .collect()
    })
}

pub(super) fn events() -> &'static HashMap<(&'static str, &'static str), &'static str> {
    static TABLE: OnceLock<HashMap<(&'static str, &'static str), &'static str>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut table = HashMap::new();
        for row in rows(EVENTS) {
            let mut words = row.split_ascii_whitespace();
            let Some((id, (code, _))) = words.next().and_then(|id| Some((id, id.split_once('_')?))) else {
                continue;
            };
            for event in words {
                // The first structure wins: the table lists some events under an older structure too.
                table.entry((code, event)).or_insert(id);
            }
        }
        table
    })
}

fn rows(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().filter(|line| !line.starts_with('#') && !line.is_empty())
}

struct Line {
    name: &'static str,
    datatype: &'static str,
    repeats: bool,
    table: Option<u16>,
}

/// A name and the indented lines below it.
fn sections(text: &'static str) -> impl Iterator<Item = (&'static str, impl Iterator<Item = Line>)> {
    let lines: Vec<&'static str> = rows(text).collect();
    let starts: Vec<usize> =
        (0..lines.len()).filter(|at| lines.get(*at).is_some_and(|l| !l.starts_with(' '))).collect();
    let ends: Vec<usize> = starts.iter().skip(1).copied().chain([lines.len()]).collect();
    starts.into_iter().zip(ends).map(move |(start, end)| {
        let name = lines.get(start).and_then(|l| l.split(' ').next()).unwrap_or_default();
        let body: Vec<&'static str> = lines.get(start + 1..end).unwrap_or_default().to_vec();
        (name, body.into_iter().map(line))
    })
}

/// ` CX*:61 Patient Identifier List`.
fn line(text: &'static str) -> Line {
    let (kind, name) = text.trim_start().split_once(' ').unwrap_or((text.trim_start(), ""));
    let (kind, table) = kind.split_once(':').map_or((kind, None), |(kind, table)| (kind, table.parse().ok()));
    let datatype = kind.strip_suffix('*').unwrap_or(kind);
    Line { name, datatype, repeats: datatype.len() < kind.len(), table }
}

/// Members up to the `)` that closes them, and that closing word.
fn members(
    words: &mut impl Iterator<Item = &'static str>,
    depth: usize,
) -> (&'static [Member], &'static str) {
    let mut members = Vec::new();
    let mut close = "";
    while let Some(word) = words.next() {
        if word.starts_with(')') || depth > MAX_GROUP_DEPTH {
            close = word;
            break;
        }
        let (name, optional, repeats) = occurrence(word);
        members.push(match name.strip_suffix('(') {
            None => Member::Segment { name, optional, repeats },
            Some(name) => {
                let (members, close) = self::members(&mut *words, depth + 1);
                let (_, optional, repeats) = occurrence(close);
                Member::Group(Box::leak(Box::new(Group { name, optional, repeats, members })))
            }
        });
    }
    (members.leak(), close)
}

/// A word without its sign, and what the sign says: `?` optional, `*` optional and repeating, `+` repeating.
fn occurrence(word: &'static str) -> (&'static str, bool, bool) {
    let name = word.trim_end_matches(['?', '*', '+']);
    (name, word.ends_with(['?', '*']), word.ends_with(['*', '+']))
}

#[cfg(test)]
mod tests {
    use super::{
        DATATYPES, EVENTS, Line, SEGMENTS, STRUCTURES, datatypes, events, line, rows, segments, structures,
    };
    use crate::dictionary::{Group, Member};

    fn assert_is_read(text: &'static str) {
        let Line { name, datatype, repeats, table } = line(text);
        let sign = if repeats { "*" } else { "" };
        let table = table.map(|table| format!(":{table}")).unwrap_or_default();
        assert_eq!(format!(" {datatype}{sign}{table} {name}"), text);
        assert!(datatypes().contains_key(datatype), "{text}");
    }

    #[test]
    fn every_field_and_component_is_read_and_has_a_known_type() {
        for text in rows(SEGMENTS).chain(rows(DATATYPES)).filter(|row| row.starts_with(' ')) {
            assert_is_read(text);
        }
        let headings = |text| rows(text).filter(|row| !row.starts_with(' ')).count();
        assert_eq!(segments().len(), headings(SEGMENTS));
        assert_eq!(datatypes().len(), headings(DATATYPES) + 1, "and `varies`");
    }

    #[test]
    fn every_structure_is_read_to_its_last_word() {
        for row in rows(STRUCTURES) {
            let (name, grammar) = row.split_once(' ').expect("a name and its grammar");
            assert_eq!(written(structures().get(name).expect("known")), grammar);
        }
    }

    #[test]
    fn every_event_leads_to_a_structure() {
        let unknown: Vec<_> = events().values().filter(|id| !structures().contains_key(*id)).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
        assert!(events().len() > rows(EVENTS).count() / 2);
    }

    fn written(group: &Group) -> String {
        let sign = |optional, repeats| match (optional, repeats) {
            (false, false) => "",
            (false, true) => "+",
            (true, false) => "?",
            (true, true) => "*",
        };
        let members = group.members.iter().map(|member| match member {
            Member::Segment { name, optional, repeats } => format!("{name}{}", sign(*optional, *repeats)),
            Member::Group(inner) => {
                format!("{}( {} ){}", inner.name, written(inner), sign(inner.optional, inner.repeats))
            }
        });
        members.collect::<Vec<_>>().join(" ")
    }
}
