//! One row of the guide against the index.

use super::builtin;
use super::index::{ALTERNATE_CODES, Ignored, Index};
use super::read::{Kind, Row};
use super::target::{self, Target, Urls};
use mapping::{At, V2Path, Write};
use std::collections::BTreeSet;

/// What becomes of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// A rule of ours does it.
    Implemented(String),
    /// Ours is different, for this reason.
    Deviates(String, String),
    /// Not done, and no reason given; what was looked for.
    Missing(String),
    /// The row names no target.
    NoTarget,
    /// The target is no valid R4, and why.
    Invalid(String),
    /// A target without a v2 code that could lead to it.
    NoCode,
}

impl Verdict {
    /// The column of the report.
    pub fn name(&self) -> &'static str {
        match self {
            Verdict::Implemented(_) => "implemented",
            Verdict::Deviates(..) => "deviates",
            Verdict::Missing(_) => "not implemented",
            Verdict::NoTarget => "no target",
            Verdict::Invalid(_) => "no valid target",
            Verdict::NoCode => "no v2 code",
        }
    }
}

/// Judges rows; remembers which entries of `ig.yaml` answered one.
pub struct Judge<'i> {
    index: &'i Index,
    /// Indices of the answers that were used.
    pub used: BTreeSet<usize>,
}

impl<'i> Judge<'i> {
    /// A judge over an index.
    pub fn new(index: &'i Index) -> Judge<'i> {
        Judge { index, used: BTreeSet::new() }
    }

    /// The verdict on a row; `urls` are those of its table.
    pub fn verdict(&mut self, row: &Row, urls: &Urls) -> Verdict {
        match row.kind {
            Kind::Segments => self.segment(row, urls),
            Kind::Types => self.datatype(row, urls),
            Kind::Messages => self.message(row),
            Kind::Codes => self.code(row),
        }
    }

    fn segment(&mut self, row: &Row, urls: &Urls) -> Verdict {
        let (_, kind) = parts(&row.table);
        let (kind, prefix) = about(kind);
        let element = match target::element(row, kind, prefix, urls) {
            Target::None => return Verdict::NoTarget,
            Target::Invalid(why) => return Verdict::Invalid(why),
            Target::Element(element) => element,
        };
        let path = v2_path(&row.id);
        let index = self.index;
        // A row that leaves all to a type map speaks of what that makes.
        let (_, through) = parts(&row.through);
        let (through, _) = about(through);
        let kind = if row.target == "$this" && fhir::r4().is_resource(through) { through } else { kind };
        let writes = index.resources.get(kind).map_or(&[][..], Vec::as_slice);
        let literal = wanted(row);
        self.decide(row, kind, &element, || matching(index, writes, &path, &element, &literal), writes, &path)
    }

    fn datatype(&mut self, row: &Row, urls: &Urls) -> Verdict {
        let (source, kind) = parts(&row.table);
        let (kind, prefix) = about(kind);
        let kind = if kind.eq_ignore_ascii_case("boolean") { "boolean" } else { kind };
        let element = match target::element(row, kind, prefix, urls) {
            Target::None => return Verdict::NoTarget,
            Target::Invalid(why) => return Verdict::Invalid(why),
            Target::Element(element) => element,
        };
        let index = self.index;
        let same = builtin::read_as(source);
        let sources: Vec<&str> = if same.is_empty() { vec![source] } else { same.to_vec() };
        let given = v2_path(&row.id);
        let numbers = given.numbers.clone();
        let literal = wanted(row);
        let mut all = Vec::new();
        let mut hit = None;
        for name in &sources {
            let path = V2Path { root: (*name).to_owned(), numbers: numbers.clone() };
            let Some(writes) = index.types.get(&((*name).to_owned(), kind.to_owned())) else { continue };
            hit = hit.or_else(|| matching(index, writes, &path, &element, &literal));
            all.extend(
                writes.iter().filter(|write| write.from.iter().any(|from| from.meets(&path))).cloned(),
            );
        }
        // A constant of the resource that is made, whatever the value is.
        if given.root.is_empty() && matches!(literal, Wanted::Text(_)) && hit.is_none() {
            let writes = index.resources.get(kind).map_or(&[][..], Vec::as_slice);
            hit = matching(index, writes, &given, &element, &literal);
        }
        let path = V2Path { root: source.to_owned(), numbers };
        self.decide(row, kind, &element, || hit, &all, &path)
    }

    /// `ig.yaml` for the row, which may tell of less than a rule seems to do, hit, reason on a rule beside it, `ig.yaml` for the table, `ignore`; in this order.
    fn decide(
        &mut self,
        row: &Row,
        kind: &str,
        element: &str,
        hit: impl FnOnce() -> Option<&'i Write>,
        beside: &[Write],
        path: &V2Path,
    ) -> Verdict {
        if let Some(found) = self.answer(row, element, true) {
            return found;
        }
        if let Some(write) = hit() {
            return match &write.deviates {
                Some(reason) => Verdict::Deviates(reason.clone(), place(&write.at)),
                None => Verdict::Implemented(place(&write.at)),
            };
        }
        let spoken = beside.iter().find_map(|write| {
            let reads = write.from.iter().any(|from| from.meets(path));
            // A row of the whole segment is about the rule that writes its element.
            let whole = path.numbers.is_empty() && write.element == element;
            let own = whole && write.given.iter().any(|given| given.root == path.root);
            Some((write.deviates.clone().filter(|_| reads || own)?, place(&write.at)))
        });
        if let Some((reason, at)) = spoken {
            return Verdict::Deviates(reason, at);
        }
        if let Some(found) = self.answer(row, element, false) {
            return found;
        }
        let ignored = self.index.ignored.iter().find(|ignored| self.speaks(ignored, kind, path));
        if let Some(ignored) = ignored {
            return Verdict::Deviates(ignored.reason.clone(), place(&ignored.at));
        }
        let near: BTreeSet<&str> = beside
            .iter()
            .filter(|write| write.from.iter().any(|from| from.meets(path)))
            .map(|write| write.element.as_str())
            .collect();
        let near: Vec<&str> = near.into_iter().take(4).collect();
        Verdict::Missing(format!(
            "{element}; it goes to: {}",
            if near.is_empty() { "nothing".into() } else { near.join(", ") }
        ))
    }

    /// Whether an `ignore` is about this row: of the map that makes the same of the same segment, else of one that makes the same; of a
    /// message file only where no map reads the segment at all, for there it tells of that message.
    fn speaks(&self, ignored: &Ignored, kind: &str, path: &V2Path) -> bool {
        if ignored.path.root != path.root || !path.numbers.starts_with(&ignored.path.numbers) {
            return false;
        }
        let maps = || self.index.catalog.maps.iter().filter(|map| map.source == path.root);
        match ignored.kind.as_deref() {
            Some(own) => {
                own == kind && (ignored.source == path.root || !maps().any(|map| map.target == kind))
            }
            None => path.root == "MSH" || maps().next().is_none(),
        }
    }

    /// An entry of `ig.yaml` for the row itself, or for its whole table.
    fn answer(&mut self, row: &Row, element: &str, exact: bool) -> Option<Verdict> {
        let table = row.table.as_str();
        let found = self.index.catalog.answers.iter().enumerate().find(|(_, answer)| {
            if answer.kind != row.kind.name() || (answer.table != table && answer.table != "*") {
                return false;
            }
            if answer.row.is_empty() {
                return !exact;
            }
            let (ids, wanted) = answer.row.split_once(' ').unwrap_or((answer.row.as_str(), ""));
            let own = |id: &str| {
                id == row.id || row.kind == Kind::Messages && row.id.rsplit('.').next() == Some(id)
            };
            // A change of type at the end of a row is told by the row alone.
            let written = row.target.starts_with(wanted);
            exact && ids.split('/').any(own) && (element.starts_with(wanted) || written)
        })?;
        self.used.insert(found.0);
        Some(Verdict::Deviates(found.1.reason.clone(), place(&found.1.at)))
    }

    fn message(&mut self, row: &Row) -> Verdict {
        if row.target.is_empty() {
            return Verdict::NoTarget;
        }
        let text = row.target.replace(char::is_whitespace, "");
        let kind = text.split(['[', '.', '(', '=']).next().unwrap_or_default();
        if !fhir::r4().is_resource(kind) {
            return Verdict::Invalid(format!("{kind} is no resource type"));
        }
        let (structure, from) = row.id.split_once('.').unwrap_or((row.id.as_str(), ""));
        // `ADT_A01:follow:PID.ROL`: the roles that follow PID. A structure without a file of its own is read by the file of its event.
        let structure = structure.split(':').next().filter(|name| !name.is_empty()).unwrap_or(&row.table);
        let event = structure.replace('_', "^");
        let messages = &self.index.catalog.messages;
        let of_event = messages.iter().find(|message| message.triggers.contains(&event));
        let file = messages.iter().find(|message| message.name == structure).or(of_event);
        let structure = file.map_or(structure, |message| message.name.as_str());
        let segment = from.rsplit('.').next().unwrap_or_default();
        let made = self.index.messages.get(&(structure.to_owned(), kind.to_owned()));
        let does = made.is_some_and(|made| made.iter().any(|read| read.rsplit('.').next() == Some(segment)));
        if let Some(found) = self.answer(row, &text, true) {
            return found;
        }
        if does {
            return Verdict::Implemented(format!("messages/{structure}.yaml"));
        }
        if let Some(found) = self.answer(row, &text, false) {
            return found;
        }
        Verdict::Missing(match made {
            Some(_) => format!("{kind} does not read {segment}"),
            None if self.index.messages.keys().any(|(name, _)| name == structure) => {
                format!("no {kind} is made")
            }
            None => format!("no message file {structure}"),
        })
    }

    /// A table of events is answered by the message files: what the event writes, whatever the maps said.
    fn event(&self, row: &Row) -> Option<String> {
        let (_, kind) = parts(&row.table);
        let element =
            kind.strip_prefix("Encounter").filter(|_| row.table.starts_with("Event["))?.to_lowercase();
        let all = self.index.catalog.messages.iter().flat_map(|message| &message.overrides);
        let mut fitting = all.filter(|(handle, event, write)| {
            handle == "visit"
                && *event == row.id
                && write.element == element
                && write.literals.contains(&row.target)
        });
        fitting.next().map(|(_, _, write)| place(&write.at))
    }

    fn code(&mut self, row: &Row) -> Verdict {
        if row.target.is_empty() {
            return Verdict::NoTarget;
        }
        if row.id.is_empty() {
            return Verdict::NoCode;
        }
        if row.detail.is_empty() {
            return Verdict::Invalid("no code system".into());
        }
        if !row.id.is_ascii() || row.id.starts_with('"') {
            return Verdict::Invalid("not a code".into());
        }
        if let Some(at) = self.event(row) {
            return Verdict::Implemented(at);
        }
        let tables: Vec<_> =
            self.index.catalog.tables.iter().filter(|table| table.ig.contains(&row.table)).collect();
        let wanted = (row.detail.clone(), row.target.clone());
        for table in &tables {
            let ours = match table.rows.get(&row.id) {
                Some(found) => found.clone(),
                None => table.is_same.then(|| (table.to.clone(), row.id.clone())),
            };
            let kept =
                table.kept.contains(&row.id) || (table.keeps_others && !table.rows.contains_key(&row.id));
            let original = table.from.clone().filter(|_| kept).map(|system| (system, row.id.clone()));
            if ours.as_ref() == Some(&wanted) || original.as_ref() == Some(&wanted) {
                return Verdict::Implemented(place(&table.at));
            }
        }
        for table in &tables {
            let reason = table
                .deviates
                .iter()
                .find(|(codes, _)| codes.iter().any(|code| *code == row.id || code == "*"));
            if let Some((_, reason)) = reason {
                return Verdict::Deviates(reason.clone(), place(&table.at));
            }
        }
        let element = row.target.clone();
        if let Some(found) = self.answer(row, &element, true).or_else(|| self.answer(row, &element, false)) {
            return found;
        }
        Verdict::Missing(if tables.is_empty() {
            "no table of ours names it".into()
        } else {
            let ours =
                tables.iter().filter_map(|table| table.rows.get(&row.id)).map(|row| format!("{row:?}"));
            format!("{wanted:?}; ours: {}", ours.collect::<Vec<_>>().join(", "))
        })
    }
}

/// What a row wants in its element.
enum Wanted {
    /// The value.
    Value,
    /// This text.
    Text(String),
    /// A text that the guide only describes: `/select most appropriate value/`.
    Chosen,
}

fn wanted(row: &Row) -> Wanted {
    match target::literal(row) {
        Some(text) => Wanted::Text(text),
        None if row.assignment.starts_with('/') => Wanted::Chosen,
        None => Wanted::Value,
    }
}

/// The first write that does what the row wants.
fn matching<'w>(
    index: &Index,
    writes: &'w [Write],
    path: &V2Path,
    element: &str,
    wanted: &Wanted,
) -> Option<&'w Write> {
    let (stem, any_type) = element.strip_suffix("[x]").map_or((element, false), |stem| (stem, true));
    // A resource of which only the number is known is a logical reference in R4.
    let logical = stem.split_once('(').zip(stem.rsplit_once(").identifier"));
    let logical = logical.map(|((before, _), (_, after))| format!("{before}.identifier{after}"));
    let is = |write: &Write, wanted: &str| {
        let rest = write.element.strip_prefix(wanted);
        rest.is_some_and(|rest| {
            any_type || wanted.is_empty() || rest.is_empty() || rest.starts_with(['.', '('])
        })
    };
    writes.iter().find(|write| {
        let same = is(write, stem) || logical.as_deref().is_some_and(|logical| is(write, logical));
        let constant = || !write.literals.is_empty() && concerns(write, path);
        same && match wanted {
            Wanted::Text(text) => assigns(index, write, text) && concerns(write, path),
            // The guide leaves the text to whoever implements it.
            Wanted::Chosen if constant() => true,
            // Which code system it is, is a constant where one field has one: the row names none.
            Wanted::Value if stem.ends_with(".system") && constant() => true,
            Wanted::Value | Wanted::Chosen => {
                write.from.iter().any(|from| from.meets(path)) || path.numbers.is_empty()
            }
        }
    })
}

/// Whether a constant is written in connection with a path: by its rule, by a condition or walk around it, or always.
fn concerns(write: &Write, path: &V2Path) -> bool {
    let near = |list: &[V2Path]| list.iter().any(|from| from.meets(path));
    near(&write.from) || near(&write.given) || path.root.is_empty()
}

/// Whether a write can give this text: as a literal, from its code table, or as the URL of its extension.
fn assigns(index: &Index, write: &Write, text: &str) -> bool {
    if write.literals.iter().any(|literal| literal == text)
        || write.element.contains(&format!("extension({text})"))
    {
        return true;
    }
    let Some(table) =
        write.table.as_ref().and_then(|name| index.catalog.tables.iter().find(|table| table.name == *name))
    else {
        return false;
    };
    // The original of a code that stays beside its target.
    if write.element.contains(ALTERNATE_CODES) {
        let others = table.keeps_others && !table.rows.contains_key(text);
        return table.from.as_deref() == Some(text) || table.kept.contains(text) || others;
    }
    let mut targets = table.rows.values().flatten();
    table.to == text || targets.any(|(system, code)| system == text || code == text)
}

/// `PV1[Encounter]` to its two parts.
fn parts(table: &str) -> (&str, &str) {
    let (source, rest) = table.split_once('[').unwrap_or((table, ""));
    (source.trim(), rest.trim_end_matches(']').trim())
}

/// `MessageHeader.source-endpoint` to type and element that the table's elements stand below.
fn about(kind: &str) -> (&str, &str) {
    let kind = kind.split('-').next().unwrap_or(kind);
    kind.split_once('.').unwrap_or((kind, ""))
}

/// `PV1-3`, `CX.4.1`, `DTM.(p1)`: root and the numbers that can be read.
fn v2_path(id: &str) -> V2Path {
    let mut words = id.split(['-', '.']).map(str::trim);
    let root = words.next().unwrap_or_default().to_owned();
    V2Path { root, numbers: words.map_while(|word| word.parse().ok()).collect() }
}

fn place(at: &At) -> String {
    if at.line == 0 { at.file.clone() } else { format!("{}:{}", at.file, at.line) }
}
