//! Code tables as FHIR ConceptMaps (R4 ConceptMap), and back: what a terminology server keeps, and what an analyst edits.

mod import;

pub use import::code_table_of;

use crate::codes::{CodeTable, Row};
use crate::{Package, plan::Program};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Canonical URLs of exported tables begin so; the table's name follows.
const CANONICAL: &str = "urn:tidegate:code-table:";
/// Extension of a ConceptMap: what becomes of the original of a code without a row (`keep`), how loudly it is told
/// (`level`); or [`UNSAID`].
const POLICY: &str = "urn:tidegate:code-table-unmapped";
/// The table does not say what becomes of a code without a row.
const UNSAID: &str = "unsaid";
/// Extension of a ConceptMap: a table of the HL7 guide that this one answers (`ig`).
const GUIDE_TABLE: &str = "urn:tidegate:code-table-guide";
/// Extension of a ConceptMap: codes, and why they are not as the guide says (`deviates`).
const DEVIATION: &str = "urn:tidegate:code-table-deviation";
/// Extension of a target: the original stays beside it (`keep`).
const KEPT: &str = "urn:tidegate:code-row-kept";
/// R4 extension of an element that has no value, and why an element of a group has no code here.
const ABSENT_REASON: &str = "http://hl7.org/fhir/StructureDefinition/data-absent-reason";
const NO_ROWS: &str = "not-applicable";

/// Why a ConceptMap is no code table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConceptMapError {
    /// Another resource, or no resource.
    #[error("this is not a ConceptMap (its resourceType says something else)")]
    OtherResource,
    /// No group, or several with different sources.
    #[error("a code table has one source system; this ConceptMap has {0}")]
    Sources(usize),
    /// A group names no target system.
    #[error("group {0} names no target system")]
    NoTarget(usize),
    /// One source code with several targets.
    #[error("group {group} element {element}: {targets} targets; a code table translates a code to one")]
    Targets {
        /// Counted from 1.
        group: usize,
        /// Counted from 1.
        element: usize,
        /// How many there are.
        targets: usize,
    },
    /// An element or a target has no code.
    #[error("group {group} element {element} has no code")]
    NoCode {
        /// Counted from 1.
        group: usize,
        /// Counted from 1.
        element: usize,
    },
    /// One source code in two elements.
    #[error("group {group} element {element}: its code stands in an earlier element too")]
    Twice {
        /// Counted from 1.
        group: usize,
        /// Counted from 1.
        element: usize,
    },
    /// Mapped by another ConceptMap where nothing fits, which a table cannot follow.
    #[error("group {0}: `unmapped` refers to another map, which a code table cannot")]
    OtherMap(usize),
    /// Two target systems each say what becomes of a code without a row.
    #[error("group {0}: an earlier group has an `unmapped` of its own; a code table says it once")]
    SecondUnmapped(usize),
}

impl Package {
    /// Names of the code tables, in order; with a site, those of its overlay.
    pub fn code_tables(&self, site: Option<&str>) -> Vec<&str> {
        let mut names: Vec<&str> =
            self.program_of(site).tables.iter().map(|table| table.name.as_str()).collect();
        names.sort_unstable();
        names
    }

    /// A code table as a ConceptMap; `None` when there is none of this name. A row is `equivalent`, a lossy one `wider`, one
    /// that deliberately gives nothing `unmatched`; codes that stand for themselves are `unmapped` of the mode `provided`.
    /// What R4 has no element for (`keep`, `level`, `ig`, `deviates`) stands in extensions, so that [`code_table_of`]
    /// gives the table back.
    pub fn concept_map(&self, table: &str, site: Option<&str>) -> Option<Value> {
        let table = self.program_of(site).tables.iter().find(|one| one.name == table)?;
        Some(concept_map(table, self.version()))
    }

    fn program_of(&self, site: Option<&str>) -> &Program {
        let named = |program: &&Program| site.is_some() && program.site.name.as_deref() == site;
        self.sites.iter().find(named).unwrap_or(&self.base)
    }
}

fn concept_map(table: &CodeTable, version: &str) -> Value {
    let mut groups: BTreeMap<&str, BTreeMap<&str, &Row>> = BTreeMap::new();
    for (code, row) in &table.rows {
        groups.entry(row.system.as_deref().unwrap_or(&table.to)).or_default().insert(code, row);
    }
    // The table's own system comes first, even where every row names another.
    let own = groups.remove(&*table.to).unwrap_or_default();
    let groups: Vec<Value> =
        std::iter::once((&*table.to, own)).chain(groups).map(|(to, rows)| group(table, to, &rows)).collect();
    json!({
        "resourceType": "ConceptMap",
        "extension": extensions(table),
        "url": format!("{CANONICAL}{}", table.name),
        "version": version,
        "name": table.name,
        "status": "active",
        "group": groups,
    })
}

/// What a table says that a ConceptMap has no element for.
fn extensions(table: &CodeTable) -> Vec<Value> {
    let policy = match &table.unmapped {
        None => json!({ "url": POLICY, "valueCode": UNSAID }),
        Some(policy) => {
            let keep = match (policy.keep, policy.alone) {
                (_, true) => "alone",
                (true, false) => "true",
                (false, false) => "false",
            };
            let mut parts = vec![
                json!({ "url": "keep", "valueCode": keep }),
                json!({ "url": "level", "valueCode": policy.level.name() }),
            ];
            // Of a table whose codes stand for themselves `group.unmapped` says that.
            let emit = policy.emit.as_ref().filter(|_| table.same);
            parts.extend(emit.map(|code| json!({ "url": "emit", "valueCode": code })));
            json!({ "url": POLICY, "extension": parts })
        }
    };
    let guide = table.ig.iter().map(|name| json!({ "url": GUIDE_TABLE, "valueString": name }));
    let deviations = table.deviates.iter().map(|(codes, reason)| {
        let codes = codes.iter().map(|code| json!({ "url": "code", "valueString": code }));
        let parts: Vec<Value> = codes.chain([json!({ "url": "reason", "valueString": reason })]).collect();
        json!({ "url": DEVIATION, "extension": parts })
    });
    std::iter::once(policy).chain(guide).chain(deviations).collect()
}

fn group(table: &CodeTable, to: &str, rows: &BTreeMap<&str, &Row>) -> Value {
    let mut elements: Vec<Value> = rows.iter().map(|(code, row)| element(code, row)).collect();
    if elements.is_empty() {
        // R4 wants an element in each group (ConceptMap.group.element 1..*): this one says that there is no row.
        elements
            .push(json!({ "_code": { "extension": [ { "url": ABSENT_REASON, "valueCode": NO_ROWS } ] } }));
    }
    let mut made = Map::new();
    if let Some(from) = &table.from {
        made.insert("source".into(), from.as_str().into());
    }
    made.insert("target".into(), to.into());
    made.insert("element".into(), elements.into());
    let emit = table.unmapped.as_ref().and_then(|unmapped| unmapped.emit.as_deref());
    let unmapped = match emit {
        _ if table.same => Some(json!({ "mode": "provided" })),
        Some(code) => Some(json!({ "mode": "fixed", "code": code })),
        None => None,
    };
    if let Some(unmapped) = unmapped.filter(|_| to == table.to) {
        made.insert("unmapped".into(), unmapped);
    }
    Value::Object(made)
}

fn element(code: &str, row: &Row) -> Value {
    let equivalence = match (&row.code, row.lossy) {
        (None, _) => "unmatched",
        (Some(_), true) => "wider",
        (Some(_), false) => "equivalent",
    };
    let mut target = Map::new();
    if let Some(code) = &row.code {
        target.insert("code".into(), code.as_str().into());
    }
    if let Some(display) = &row.display {
        target.insert("display".into(), display.as_str().into());
    }
    target.insert("equivalence".into(), equivalence.into());
    let is_kept = row.keep || (row.code.is_none() && row.lossy);
    if is_kept {
        target.insert("extension".into(), json!([ { "url": KEPT, "valueBoolean": true } ]));
    }
    json!({ "code": code, "target": [target] })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sources;

    fn package(table: &str) -> Package {
        let files = [
            ("package.yaml", "name: t\nversion: 1.0.0\n"),
            (
                "systems.yaml",
                "alpha: {uri: 'http://alpha.example', kind: code}\nbeta: {uri: 'http://beta.example', kind: code}\n",
            ),
            ("messages/ADT_A01.yaml", "message: ADT_A01\nfor: [A01]\nmake: {patient: PID -> Patient}\n"),
            (
                "segments/PID.Patient.yaml",
                "map: PID -> Patient\nid: uuid(PID-3~1)\nmaritalStatus: PID-16 code t\n",
            ),
            ("codes/t.yaml", table),
        ];
        let files = files.map(|(path, text)| (path.to_owned(), text.to_owned()));
        Package::compile(&Sources(files.into())).unwrap_or_else(|found| panic!("compiles: {found:?}"))
    }

    const TABLE: &str = "code: t\nfrom: HL70002\nto: http://alpha.example\nrows:\n  M: married\n  'B: x': other~\n  N: none\n  S: {code: single, display: 'Single, never', system: 'http://beta.example'}\n  K: {code: none, keep: true}\n  L: none~\nunmapped: {emit: unk, keep: alone, level: error}\nig: [Marital, 'Other One']\ndeviates: {M N: 'the guide: says nothing'}\n";

    #[test]
    fn a_table_that_goes_out_comes_back_the_same() {
        let first = package(TABLE);
        let exported = first.concept_map("t", None).expect("there");
        assert_eq!(fhir::validate(&exported), vec![]);
        assert_eq!(
            exported.pointer("/group/0/source"),
            Some(&json!("http://terminology.hl7.org/CodeSystem/v2-0002"))
        );
        assert_eq!(exported.pointer("/group/0/unmapped/code"), Some(&json!("unk")));
        let text = code_table_of(&exported, "t").expect("imports");
        let again = package(&text).concept_map("t", None);
        assert_eq!(again, Some(exported), "{text}");
        assert_eq!(all_of(&package(&text)), all_of(&first), "{text}");
        assert_eq!((first.code_tables(None), first.concept_map("absent", None)), (vec!["t"], None));
    }

    /// All that a table says, but where it stands.
    fn all_of(package: &Package) -> String {
        let table = package.base.tables.first().expect("there");
        let rows: BTreeMap<_, _> = table
            .rows
            .iter()
            .map(|(code, row)| (code, Row { place: Default::default(), ..row.clone() }))
            .collect();
        let CodeTable { name, from, to, same, unmapped, ig, deviates, place: _, rows: _ } = &**table;
        format!("{:?}", (name, from, to, same, unmapped, ig, deviates, rows))
    }

    #[test]
    fn tables_without_rows_or_with_codes_of_their_own_come_back_the_same() {
        for rows in [
            "rows: same\n",
            "rows: same\nunmapped: drop\n",
            "rows: same\nunmapped: {emit: unk, keep: true}\n",
            "rows: {M: married, '*': same}\n",
            "rows: {'*': {code: same}}\n",
            "rows: {}\nunmapped: {keep: alone}\n",
            "rows: {M: {code: x, system: 'http://beta.example'}}\nunmapped: {emit: unk}\n",
            "rows: {M: {code: x~}}\nunmapped: drop\n",
        ] {
            let first = package(&format!("code: t\nto: http://alpha.example\n{rows}"));
            let exported = first.concept_map("t", None).expect("there");
            assert_eq!(fhir::validate(&exported), vec![], "{rows}");
            let text = code_table_of(&exported, "t").expect("imports");
            assert_eq!(all_of(&package(&text)), all_of(&first), "{text}");
        }
    }

    #[test]
    fn what_a_table_cannot_say_is_refused_with_its_place() {
        let refused = |map: Value| code_table_of(&map, "t").expect_err("is refused");
        assert_eq!(refused(json!({"resourceType": "ValueSet"})), ConceptMapError::OtherResource);
        assert_eq!(refused(json!({"resourceType": "ConceptMap"})), ConceptMapError::Sources(0));
        let with = |group: Value| json!({"resourceType": "ConceptMap", "group": [group]});
        assert_eq!(refused(with(json!({"source": "a"}))), ConceptMapError::NoTarget(1));
        let two = json!([{"code": "A", "target": [{"code": "x", "equivalence": "equal"}, {"code": "y", "equivalence": "equal"}]}]);
        let refusal = refused(with(json!({"source": "a", "target": "b", "element": two})));
        assert_eq!(refusal, ConceptMapError::Targets { group: 1, element: 1, targets: 2 });
        let refusal = refused(with(json!({"source": "a", "target": "b", "element": [{"target": []}]})));
        assert_eq!(refusal, ConceptMapError::NoCode { group: 1, element: 1 });
        let other = json!({"source": "a", "target": "b", "element": [], "unmapped": {"mode": "other-map", "url": "u"}});
        assert_eq!(refused(with(other)), ConceptMapError::OtherMap(1));
        let of = |target: &str| json!({"target": target, "element": [{"code": "A", "target": [{"code": "x", "equivalence": "equal"}]}], "unmapped": {"mode": "provided"}});
        let both = json!({"resourceType": "ConceptMap", "group": [of("b"), of("c")]});
        assert_eq!(refused(both), ConceptMapError::SecondUnmapped(2));
        let mut twice = of("c");
        twice.as_object_mut().expect("an object").remove("unmapped");
        let twice = json!({"resourceType": "ConceptMap", "group": [of("b"), twice]});
        assert_eq!(refused(twice), ConceptMapError::Twice { group: 2, element: 1 });
    }

    #[test]
    fn a_target_that_says_more_or_less_is_lossy() {
        for (equivalence, expected) in
            [("equal", "A: x\n"), ("subsumes", "A: x~\n"), ("narrower", "A: x~\n"), ("disjoint", "A: none\n")]
        {
            let element = json!({"code": "A", "target": [{"code": "x", "equivalence": equivalence}]});
            let map = json!({"resourceType": "ConceptMap", "group": [{"source": "a", "target": "b", "element": [element]}]});
            let text = code_table_of(&map, "t").expect("imports");
            assert!(text.contains(expected), "{equivalence}: {text}");
        }
    }
}
