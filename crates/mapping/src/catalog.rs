//! What a package says, read back: every rule as what it reads and what it writes. For reports and tests; nothing is translated.

mod walk;

use crate::Package;
use crate::diagnostic::Place;
use crate::plan::{Ignore, Make, Map, MessagePlan, Program, Target};
use std::collections::{BTreeMap, BTreeSet};

/// A compiled base package, flattened.
#[derive(Debug, Default, Clone)]
pub struct Catalog {
    /// Segment and type maps, by name.
    pub maps: Vec<CatalogMap>,
    /// Code tables, by name.
    pub tables: Vec<CatalogTable>,
    /// Message files, by name.
    pub messages: Vec<CatalogMessage>,
    /// `ig.yaml`: why rows of the HL7 guide's tables have no other answer here.
    pub answers: Vec<Answer>,
}

/// A file and a line of the package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct At {
    /// Path inside the package.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
}

/// A v2 path without repetition marks: segment or data type, then field, component, subcomponent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct V2Path {
    /// `PID`, or `CX` in a type map.
    pub root: String,
    /// Numbers from 1; empty for the whole.
    pub numbers: Vec<u16>,
}

/// One segment or type map.
#[derive(Debug, Clone)]
pub struct CatalogMap {
    /// `PID.Patient`.
    pub name: String,
    /// `PID`.
    pub source: String,
    /// `Patient`, `HumanName` or `text`.
    pub target: String,
    /// What it writes.
    pub writes: Vec<Write>,
    /// Paths that it leaves out, with the reason.
    pub ignored: Vec<(V2Path, String)>,
    /// Where it stands.
    pub at: At,
}

/// One element that a rule writes.
#[derive(Debug, Clone)]
pub struct Write {
    /// Path below the map's target; a choice with its type (`valueQuantity`), an extension as `extension(URL)`.
    pub element: String,
    /// Paths the value comes from.
    pub from: Vec<V2Path>,
    /// Paths that decide whether it is written: conditions, and what is walked over.
    pub given: Vec<V2Path>,
    /// Texts that it may be, whatever the message says.
    pub literals: Vec<String>,
    /// The type map it goes through, or the built-in conversion (`dateTime`, `NM.Quantity`).
    pub by: Option<String>,
    /// The code table it goes through.
    pub table: Option<String>,
    /// The handle it refers to.
    pub handle: Option<String>,
    /// The type map makes a resource that is referred to.
    pub is_reference: bool,
    /// Why it is not as the HL7 guide says.
    pub deviates: Option<String>,
    /// Where the rule stands.
    pub at: At,
}

/// One code table.
#[derive(Debug, Clone)]
pub struct CatalogTable {
    /// Its name.
    pub name: String,
    /// Tables of the HL7 guide that it answers.
    pub ig: Vec<String>,
    /// Codes and why they are not as the guide says.
    pub deviates: Vec<(Vec<String>, String)>,
    /// System of the targets.
    pub to: String,
    /// Every code stands for itself.
    pub is_same: bool,
    /// System of the original codes.
    pub from: Option<String>,
    /// Codes that stay beside their target.
    pub kept: BTreeSet<String>,
    /// Whether a code without a row stays.
    pub keeps_others: bool,
    /// Code to system and code; `None` is deliberately nothing.
    pub rows: BTreeMap<String, Option<(String, String)>>,
    /// Where it stands.
    pub at: At,
}

/// One message file.
#[derive(Debug, Clone)]
pub struct CatalogMessage {
    /// `ADT_A01`.
    pub name: String,
    /// Its triggers, `ADT^A01`.
    pub triggers: Vec<String>,
    /// What it makes: handle, groups and segment it is made from, map.
    pub makes: Vec<Made>,
    /// What its events write over what the maps said: handle, event, write.
    pub overrides: Vec<(String, String, Write)>,
    /// Paths that it leaves out, with the reason.
    pub ignored: Vec<(V2Path, String)>,
}

/// One line of `make`.
#[derive(Debug, Clone)]
pub struct Made {
    /// The handle.
    pub handle: String,
    /// Groups from the outermost, then the segment: `PROCEDURE.PR1`.
    pub from: String,
    /// Name of the map.
    pub map: String,
    /// Events for which it is not made.
    pub skipped: Vec<String>,
}

/// One entry of `ig.yaml`.
#[derive(Debug, Clone)]
pub struct Answer {
    /// `segments`, `types`, `codes` or `messages`.
    pub kind: String,
    /// Name of the guide's table: `PV1[Encounter]`.
    pub table: String,
    /// v2 path or code, and after a blank the element: `PV1-19 identifier.type`; empty for the whole table.
    pub row: String,
    /// The reason, in our words.
    pub reason: String,
    /// Where it stands.
    pub at: At,
}

impl V2Path {
    /// Whether one is the other or a part of it.
    pub fn meets(&self, other: &V2Path) -> bool {
        self.root == other.root && self.numbers.iter().zip(&other.numbers).all(|(left, right)| left == right)
    }
}

impl std::fmt::Display for V2Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.root)?;
        let mark =
            if self.root.len() == 3 && hl7v2::dictionary::segment(&self.root).is_some() { "-" } else { "." };
        for (index, number) in self.numbers.iter().enumerate() {
            write!(f, "{}{number}", if index == 0 { mark } else { "." })?;
        }
        Ok(())
    }
}

impl Package {
    /// The base package, flattened.
    pub fn catalog(&self) -> Catalog {
        let program = &self.base;
        Catalog {
            maps: program.maps.iter().map(|map| self.catalog_map(program, map)).collect(),
            tables: program.tables.iter().map(|table| self.catalog_table(table)).collect(),
            messages: program
                .messages
                .iter()
                .enumerate()
                .map(|(index, plan)| self.catalog_message(program, index, plan))
                .collect(),
            answers: self.answers.clone(),
        }
    }

    /// The file and line of a place.
    pub(crate) fn at(&self, place: Place) -> At {
        let file = usize::try_from(place.file).ok().and_then(|index| self.files.get(index));
        At { file: file.cloned().unwrap_or_default(), line: place.line }
    }

    fn catalog_map(&self, program: &Program, map: &Map) -> CatalogMap {
        let (source, _) = map.name.split_once('.').unwrap_or((map.name.as_str(), ""));
        let target = match &map.target {
            Target::Resource(kind) => kind.as_str().to_owned(),
            Target::Object(path) => path.clone(),
            Target::Extension(name) => name.clone(),
            Target::Text => "text".to_owned(),
        };
        CatalogMap {
            name: map.name.clone(),
            source: source.to_owned(),
            target,
            writes: walk::writes(self, program, &map.body, source),
            ignored: ignored(&map.ignore, source),
            at: self.at(map.place),
        }
    }

    fn catalog_table(&self, table: &crate::codes::CodeTable) -> CatalogTable {
        let rows = table.rows.iter().map(|(from, row)| {
            let system = row.system.as_deref().unwrap_or(&table.to);
            (from.clone(), row.code.as_ref().map(|code| (system.to_owned(), code.clone())))
        });
        let kept = table.rows.iter().filter(|(_, row)| row.keep || row.lossy);
        CatalogTable {
            name: table.name.clone(),
            ig: table.ig.clone(),
            deviates: table.deviates.clone(),
            to: table.to.clone(),
            from: table.from.clone(),
            kept: kept.map(|(code, _)| code.clone()).collect(),
            keeps_others: table.unmapped.as_ref().is_some_and(|unmapped| unmapped.keep),
            is_same: table.same,
            rows: rows.collect(),
            at: self.at(table.place),
        }
    }

    fn catalog_message(&self, program: &Program, index: usize, plan: &MessagePlan) -> CatalogMessage {
        let own = program.triggers.iter().filter(|(_, plan)| **plan == index);
        let made = |make: &Make| {
            let map = program.maps.get(make.map).map(|map| map.name.clone()).unwrap_or_default();
            let skips = plan.events.iter().filter(|(_, event)| event.skip.contains(&make.handle.name));
            Made {
                handle: make.handle.name.clone(),
                from: make.groups.iter().chain([&make.segment]).cloned().collect::<Vec<_>>().join("."),
                map,
                skipped: skips.map(|(name, _)| name.clone()).collect(),
            }
        };
        let mut overrides = Vec::new();
        for (name, event) in &plan.events {
            for (handle, elements) in &event.overrides {
                let writes = walk::writes(self, program, elements, "EVN");
                overrides.extend(writes.into_iter().map(|write| (handle.clone(), name.clone(), write)));
            }
        }
        CatalogMessage {
            name: plan.name.clone(),
            triggers: own.map(|((code, event), _)| format!("{code}^{event}")).collect(),
            makes: plan.make.iter().map(made).collect(),
            overrides,
            ignored: ignored(&plan.ignore, ""),
        }
    }
}

fn ignored(list: &[Ignore], source: &str) -> Vec<(V2Path, String)> {
    let root =
        |ignore: &Ignore| if ignore.segment.is_empty() { source } else { ignore.segment.as_str() }.to_owned();
    list.iter()
        .map(|ignore| {
            (V2Path { root: root(ignore), numbers: ignore.numbers.to_vec() }, ignore.reason.clone())
        })
        .collect()
}
