//! YAML read as a tree in which every key and scalar is text and knows its line and column.

use crate::diagnostic::{Findings, Place};
use granit_parser::{Event, Parser, ScalarStyle};

/// Longest mapping file, in bytes.
pub(crate) const FILE_BYTES_MAX: usize = 1 << 20;
/// Most nodes in one file.
const NODES_MAX: usize = 50_000;
/// Deepest nesting.
const DEPTH_MAX: usize = 32;

/// One node of the tree.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub place: Place,
    pub kind: Kind,
}

/// What a node holds.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Scalar(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// One key with its value.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub key: String,
    pub place: Place,
    pub value: Node,
}

impl Node {
    /// The text of a scalar.
    pub fn scalar(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(text) => Some(text),
            Kind::List(_) | Kind::Map(_) => None,
        }
    }

    /// The entries of a map; empty for anything else.
    pub fn entries(&self) -> &[Entry] {
        match &self.kind {
            Kind::Map(entries) => entries,
            Kind::Scalar(_) | Kind::List(_) => &[],
        }
    }

    /// The items of a list, or the node itself as the only item.
    pub fn items(&self) -> &[Node] {
        match &self.kind {
            Kind::List(items) => items,
            Kind::Scalar(_) | Kind::Map(_) => std::slice::from_ref(self),
        }
    }

    /// Is this a map?
    pub fn is_map(&self) -> bool {
        matches!(self.kind, Kind::Map(_))
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }
}

/// Reads one file. Findings are added for everything that stops it.
pub(crate) fn read(file: u32, text: &str, findings: &mut Findings) -> Option<Node> {
    let start = Place { file, line: 1, column: 1, length: 1 };
    if text.len() > FILE_BYTES_MAX {
        findings.add(start, "E0002", format!("the file is longer than {FILE_BYTES_MAX} bytes"));
        return None;
    }
    let mut reader = Reader { file, stack: Vec::new(), root: None, documents: 0, nodes: 0 };
    for event in Parser::new_from_str(text) {
        match event {
            Ok((event, span)) => {
                if let Err((place, message)) = reader.take(event, span) {
                    findings.add(place, "E0001", message);
                    return None;
                }
            }
            Err(error) => {
                let place = reader.place(error.marker().line(), error.marker().col(), 1);
                findings.add(place, "E0001", format!("not YAML: {}", error.kind()));
                return None;
            }
        }
    }
    if reader.root.is_none() {
        findings.add(start, "E0001", "the file is empty");
    }
    reader.root
}

struct Reader {
    file: u32,
    stack: Vec<Open>,
    root: Option<Node>,
    documents: usize,
    nodes: usize,
}

/// A collection that is not closed yet.
struct Open {
    place: Place,
    holds: Holds,
}

enum Holds {
    List(Vec<Node>),
    Map(Vec<Entry>, Option<(String, Place)>),
}

type Refusal = (Place, String);

impl Reader {
    fn place(&self, line: usize, column: usize, length: usize) -> Place {
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Place {
            file: self.file,
            line: number(line),
            column: number(column).saturating_add(1),
            length: number(length.max(1)),
        }
    }

    fn take(&mut self, event: Event<'_>, span: granit_parser::Span) -> Result<(), Refusal> {
        let length = if span.start.line() == span.end.line() {
            span.end.col().saturating_sub(span.start.col())
        } else {
            1
        };
        let place = self.place(span.start.line(), span.start.col(), length);
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err((place, "a file holds one document".into()));
                }
                Ok(())
            }
            Event::Alias(_) | Event::UnresolvedAlias(_) | Event::Anchor(..) => Err((
                place,
                "aliases and anchors are not used here; quote a scalar that begins with * or &".into(),
            )),
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_properties(place, anchor, tag.is_some())?;
                let quoted = matches!(style, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted);
                let place = if quoted { Place { column: place.column + 1, ..place } } else { place };
                self.put(Node { place, kind: Kind::Scalar(text.into_owned()) })
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.refuse_properties(place, anchor, tag.is_some())?;
                self.open(place, Holds::List(Vec::new()))
            }
            Event::MappingStart(_, anchor, tag) => {
                self.refuse_properties(place, anchor, tag.is_some())?;
                self.open(place, Holds::Map(Vec::new(), None))
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            _ => Ok(()),
        }
    }

    fn refuse_properties(&mut self, place: Place, anchor: usize, tagged: bool) -> Result<(), Refusal> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return Err((place, format!("more than {NODES_MAX} nodes in one file")));
        }
        if anchor != 0 || tagged {
            return Err((place, "anchors and tags are not used here".into()));
        }
        Ok(())
    }

    fn open(&mut self, place: Place, holds: Holds) -> Result<(), Refusal> {
        if self.stack.len() >= DEPTH_MAX {
            return Err((place, format!("nested deeper than {DEPTH_MAX}")));
        }
        self.stack.push(Open { place, holds });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Refusal> {
        let Some(open) = self.stack.pop() else { return Ok(()) };
        let kind = match open.holds {
            Holds::List(items) => Kind::List(items),
            Holds::Map(entries, _) => Kind::Map(entries),
        };
        self.put(Node { place: open.place, kind })
    }

    fn put(&mut self, node: Node) -> Result<(), Refusal> {
        match self.stack.last_mut().map(|open| &mut open.holds) {
            None => self.root = Some(node),
            Some(Holds::List(items)) => items.push(node),
            Some(Holds::Map(entries, pending)) => match pending.take() {
                Some((key, place)) => {
                    if entries.iter().any(|entry| entry.key == key) {
                        return Err((place, format!("the key {key} stands twice")));
                    }
                    entries.push(Entry { key, place, value: node });
                }
                None => match node.kind {
                    Kind::Scalar(key) => *pending = Some((key, node.place)),
                    Kind::List(_) | Kind::Map(_) => {
                        return Err((node.place, "a key must be a scalar".into()));
                    }
                },
            },
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_stay_text_and_know_where_they_stand() {
        let mut findings = Findings { files: vec!["a.yaml".into()], ..Findings::default() };
        let tree = read(0, "a: NO\nb:\n  - 010\n  - 'x y'\n", &mut findings).expect("good YAML");
        assert_eq!(tree.get("a").and_then(Node::scalar), Some("NO"));
        let item = &tree.get("b").expect("key").items()[1];
        assert_eq!((item.scalar(), item.place.line, item.place.column), (Some("x y"), 4, 6));
    }

    #[test]
    fn duplicate_keys_aliases_and_second_documents_are_refused() {
        for text in ["a: 1\na: 2\n", "a: &x 1\nb: *x\n", "a: 1\n---\nb: 2\n", ""] {
            let mut findings = Findings { files: vec!["a.yaml".into()], ..Findings::default() };
            assert!(read(0, text, &mut findings).is_none(), "{text:?}");
            assert_eq!(findings.list.len(), 1, "{text:?}");
        }
    }
}
