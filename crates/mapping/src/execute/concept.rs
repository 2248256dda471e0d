//! A concept and its code table: the translated coding first, then what the sender wrote.

use super::Executor;
use super::scope::{Value as Item, child};
use crate::identity::first_text;
use crate::json::object;
use crate::plan::{Coded, Rule, Take};
use serde_json::{Map, Value};
use std::borrow::Cow;

type Object = Map<String, Value>;

impl<'a> Executor<'a> {
    /// The translated coding first, then what the type map made.
    pub(super) fn translate_concept(
        &mut self,
        table: usize,
        take: &'a Take,
        rule: &'a Rule,
        value: &Item<'a>,
        made: &mut Value,
        hit: &mut Option<(&'a str, bool)>,
    ) {
        let program = self.program;
        let Some(table) = program.tables.get(table) else { return };
        let Some(concept) = made.as_object_mut() else { return };
        let code = match value {
            Item::Part(part, level) => {
                child(*part, *level, 1).map(|(part, _)| first_text(part)).unwrap_or_default()
            }
            Item::Text(text) => Cow::Borrowed(&**text),
            Item::Segment(_) => Cow::default(),
        };
        let code = code.trim();
        if code.is_empty() {
            return;
        }
        // A table that takes every code as its own may not claim one that names another system.
        if table.same && names_other_system(concept, code, &[table.from.as_deref(), Some(&table.to)]) {
            return;
        }
        let found = table.translate(code);
        *hit = Some((&table.name, found.hit));
        self.report_code(found.level, rule, self.part_of(value, &[]), table, code);
        name_original(concept, code, table.from.as_deref());
        let Some((system, code, display)) = found.target else { return };
        let target = coding(system, code, display);
        if take.coded == Coded::Coding {
            if let Value::Object(target) = target {
                *concept = target;
            }
            return;
        }
        let list = concept.entry("coding").or_insert_with(|| Value::Array(Vec::new()));
        if let Some(list) = list.as_array_mut() {
            let same = |other: &Value| {
                other.get("system").and_then(Value::as_str) == Some(system)
                    && other.get("code").and_then(Value::as_str) == Some(code)
            };
            list.retain(|other| !same(other));
            list.insert(0, target);
        }
    }
}

/// Does the coding of this code name a system that is none of these?
fn names_other_system(object: &Object, code: &str, own: &[Option<&str>]) -> bool {
    let codings = object.get("coding").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let first = codings.iter().find(|one| one.get("code").and_then(Value::as_str) == Some(code));
    let system =
        first.and_then(|one| one.get("system")).or_else(|| object.get("system")).and_then(Value::as_str);
    system.is_some_and(|system| !own.contains(&Some(system)))
}

/// A coding of the original code that names no system gets the table's.
fn name_original(object: &mut Object, code: &str, from: Option<&str>) {
    let codings = object
        .get_mut("coding")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
        .filter_map(Value::as_object_mut);
    for original in codings
        .filter(|one| !one.contains_key("system") && one.get("code").and_then(Value::as_str) == Some(code))
    {
        if let Some(from) = from {
            original.insert("system".into(), from.into());
        }
    }
}

/// A coding.
pub(super) fn coding(system: &str, code: &str, display: Option<&str>) -> Value {
    match display {
        Some(display) => {
            object([("system", system.into()), ("code", code.into()), ("display", display.into())])
        }
        None => object([("system", system.into()), ("code", code.into())]),
    }
}
