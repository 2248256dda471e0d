//! Code tables as FHIR ConceptMaps (R4 ConceptMap), and back: what a terminology server keeps, and what an analyst edits.

use crate::codes::{CodeTable, Row, Unmapped};
use crate::{Package, plan::Program};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Canonical URLs of exported tables begin so; the table's name follows.
const CANONICAL: &str = "urn:tidegate:code-table:";

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
    /// Mapped by another ConceptMap where nothing fits, which a table cannot follow.
    #[error("group {0}: `unmapped` refers to another map, which a code table cannot")]
    OtherMap(usize),
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
    /// that deliberately gives nothing `unmatched`.
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
    // The table's own system comes with its policy for codes without a row, even where every row names another.
    groups.entry(&table.to).or_default();
    for (code, row) in &table.rows {
        groups.entry(row.system.as_deref().unwrap_or(&table.to)).or_default().insert(code, row);
    }
    let groups: Vec<Value> = groups.into_iter().filter_map(|(to, rows)| group(table, to, &rows)).collect();
    let mut made = json!({
        "resourceType": "ConceptMap",
        "url": format!("{CANONICAL}{}", table.name),
        "version": version,
        "name": table.name,
        "status": "active",
    });
    if let (Some(object), false) = (made.as_object_mut(), groups.is_empty()) {
        object.insert("group".into(), Value::Array(groups));
    }
    made
}

/// One group; `None` where it would hold nothing, for R4 wants an element in each.
fn group(table: &CodeTable, to: &str, rows: &BTreeMap<&str, &Row>) -> Option<Value> {
    if rows.is_empty() {
        return None;
    }
    let elements = rows.iter().map(|(code, row)| {
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
        json!({ "code": code, "target": [target] })
    });
    let mut made = Map::new();
    if let Some(from) = &table.from {
        made.insert("source".into(), from.as_str().into());
    }
    made.insert("target".into(), to.into());
    made.insert("element".into(), elements.collect());
    if to == table.to
        && let Some(Unmapped { emit: Some(code), .. }) = &table.unmapped
    {
        made.insert("unmapped".into(), json!({ "mode": "fixed", "code": code }));
    }
    Some(Value::Object(made))
}

/// A ConceptMap as the text of `codes/<name>.yaml`. Equivalences that say less than `equal` or `equivalent` make a lossy row.
///
/// # Errors
/// What in it a code table cannot say.
pub fn code_table_of(concept_map: &Value, name: &str) -> Result<String, ConceptMapError> {
    if concept_map.get("resourceType").and_then(Value::as_str) != Some("ConceptMap") {
        return Err(ConceptMapError::OtherResource);
    }
    let groups = list(concept_map, "group");
    let sources: std::collections::BTreeSet<Option<&str>> =
        groups.iter().map(|group| group.get("source").and_then(Value::as_str)).collect();
    let [source] = sources.into_iter().collect::<Vec<_>>()[..] else {
        return Err(ConceptMapError::Sources(groups.len()));
    };
    let main = groups.first().and_then(|group| group.get("target")).and_then(Value::as_str);
    let to = main.ok_or(ConceptMapError::NoTarget(1))?;
    let mut text = format!("code: {}\n", quoted(name));
    if let Some(source) = source {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "from: {}", quoted(&short(source)));
    }
    let _ = writeln!(text, "to: {}\nrows:", quoted(to));
    let mut fixed = None;
    for (number, group) in (1..).zip(groups) {
        let system = group.get("target").and_then(Value::as_str).ok_or(ConceptMapError::NoTarget(number))?;
        for (at, element) in (1..).zip(list(group, "element")) {
            text.push_str(&row(element, (system != to).then_some(system), number, at)?);
        }
        match group.get("unmapped").and_then(|unmapped| unmapped.get("mode")).and_then(Value::as_str) {
            Some("other-map") => return Err(ConceptMapError::OtherMap(number)),
            Some("fixed") => fixed = group.pointer("/unmapped/code").and_then(Value::as_str).or(fixed),
            Some(_) | None => {}
        }
    }
    let emit = fixed.map(|code| format!("emit: {}, ", quoted(code))).unwrap_or_default();
    let _ = writeln!(text, "unmapped: {{{emit}keep: true, level: warn}}");
    Ok(text)
}

/// One line of `rows`.
fn row(element: &Value, system: Option<&str>, group: usize, at: usize) -> Result<String, ConceptMapError> {
    let missing = ConceptMapError::NoCode { group, element: at };
    let from = element.get("code").and_then(Value::as_str).ok_or(missing.clone())?;
    let targets = list(element, "target");
    let says_nothing = |target: &&Value| {
        matches!(target.get("equivalence").and_then(Value::as_str), Some("unmatched" | "disjoint"))
    };
    let named: Vec<&Value> = targets.iter().filter(|target| !says_nothing(target)).collect();
    let [target] = named[..] else {
        return match named.len() {
            0 => Ok(format!("  {}: none\n", quoted(from))),
            targets => Err(ConceptMapError::Targets { group, element: at, targets }),
        };
    };
    let code = target.get("code").and_then(Value::as_str).ok_or(missing)?;
    let is_exact = matches!(target.get("equivalence").and_then(Value::as_str), Some("equal" | "equivalent"));
    let display = target.get("display").and_then(Value::as_str);
    if display.is_none() && system.is_none() {
        let code = if is_exact { code.to_owned() } else { format!("{code}~") };
        return Ok(format!("  {}: {}\n", quoted(from), quoted(&code)));
    }
    let mut parts = vec![format!("code: {}", quoted(code))];
    parts.extend(display.map(|display| format!("display: {}", quoted(display))));
    parts.extend(system.map(|system| format!("system: {}", quoted(system))));
    if !is_exact {
        parts.push("lossy: true".to_owned());
    }
    Ok(format!("  {}: {{{}}}\n", quoted(from), parts.join(", ")))
}

fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// `HL7nnnn` for a table of HL7, else the URI.
fn short(system: &str) -> String {
    let number = system.strip_prefix("http://terminology.hl7.org/CodeSystem/v2-");
    let number =
        number.filter(|number| number.len() == 4 && number.bytes().all(|byte| byte.is_ascii_digit()));
    number.map_or_else(|| system.to_owned(), |number| format!("HL7{number}"))
}

/// A YAML scalar that reads back as this text: plain where that is safe, else in double quotes.
fn quoted(text: &str) -> String {
    let is_plain = !text.is_empty()
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.~/".contains(c));
    if is_plain { text.to_owned() } else { Value::String(text.to_owned()).to_string() }
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

    const TABLE: &str = "code: t\nfrom: HL70002\nto: http://alpha.example\nrows:\n  M: married\n  'B: x': other~\n  N: none\n  S: {code: single, display: 'Single, never', system: 'http://beta.example'}\nunmapped: {emit: unk, keep: true}\n";

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
        assert_eq!((first.code_tables(None), first.concept_map("absent", None)), (vec!["t"], None));
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

    #[test]
    fn a_code_that_yaml_would_read_as_something_else_is_quoted() {
        assert_eq!(
            (quoted("A-1"), quoted(""), quoted("a: b"), quoted("-x")),
            ("A-1".into(), "\"\"".into(), "\"a: b\"".into(), "\"-x\"".into())
        );
    }
}
