//! From the plan's trees to flat writes.

use super::{V2Path, Write};
use crate::Package;
use crate::execute::ALTERNATE_CODES;
use crate::plan::{
    Action, Coded, Convert, Elements, Expression, Field, Form, Nested, Path, Program, Root, Rule, Selector,
    Slot, Take, Test,
};

/// What stands around a rule.
#[derive(Clone)]
struct Around {
    /// Element path so far.
    element: String,
    /// What `.` is.
    item: V2Path,
    given: Vec<V2Path>,
    deviates: Option<String>,
    /// Paths of the value that is filled up: inside `fill` and `set`.
    filled: Vec<V2Path>,
}

struct Walk<'p> {
    package: &'p Package,
    program: &'p Program,
    found: Vec<Write>,
}

/// Every element that an element map writes; `source` is the segment or type that it is about.
pub(super) fn writes(package: &Package, program: &Program, body: &Elements, source: &str) -> Vec<Write> {
    let item = V2Path { root: source.to_owned(), numbers: Vec::new() };
    let around =
        Around { element: String::new(), item, given: Vec::new(), deviates: None, filled: Vec::new() };
    let mut walk = Walk { package, program, found: Vec::new() };
    walk.elements(body, &around);
    walk.found
}

impl Walk<'_> {
    fn elements(&mut self, elements: &Elements, around: &Around) {
        let mut inner = around.clone();
        if let Some(each) = &elements.each {
            let path = resolved(each, &around.item);
            inner.given.push(path.clone());
            inner.item = path;
            // The item of segments is the segment: its fields are named in full.
        }
        if let Some(when) = &elements.when {
            test_paths(when, &inner.item, &mut inner.given);
        }
        for field in &elements.fields {
            self.field(field, &inner);
        }
    }

    fn field(&mut self, field: &Field, around: &Around) {
        for rule in &field.rules {
            self.rule(rule, &field.slot, around);
        }
        if let Some(Nested { suffix, elements: nested }) = field.nested.as_deref() {
            let inner = Around { element: below(around, &field.slot, suffix.as_deref()), ..around.clone() };
            self.elements(nested, &inner);
        }
    }

    fn rule(&mut self, rule: &Rule, slot: &Slot, around: &Around) {
        let mut inner = around.clone();
        if let Some(when) = &rule.when {
            test_paths(when, &inner.item, &mut inner.given);
        }
        inner.deviates = rule.deviates.clone().or(inner.deviates);
        match &rule.action {
            Action::Take(take) => self.take(rule, take, slot, &inner),
            Action::Build(elements) => {
                inner.element = below(around, slot, rule.suffix.as_deref());
                self.elements(elements, &inner);
            }
            Action::First(rules) => rules.iter().for_each(|rule| self.rule(rule, slot, &inner)),
            Action::Refer { handle, .. } => {
                let element = below(around, slot, rule.suffix.as_deref());
                let write = Write { handle: Some(handle.name.clone()), ..self.write(element, rule, &inner) };
                self.found.push(write);
            }
            Action::Dispatch { by, branches, otherwise } => {
                expression_paths(by, &inner.item, &mut inner.given);
                for rule in branches.iter().flat_map(|(_, rules)| rules).chain(otherwise) {
                    self.rule(rule, slot, &inner);
                }
            }
        }
    }

    fn take(&mut self, rule: &Rule, take: &Take, slot: &Slot, around: &Around) {
        let element = below(around, slot, rule.suffix.as_deref());
        let mut write = self.write(element.clone(), rule, around);
        expression_paths(&take.from, &around.item, &mut write.from);
        literals(&take.from, &mut write.literals);
        if take.convert == Convert::Boolean {
            // The plan holds constants as table 0136 writes them.
            let told = |text: &String| if text == "Y" { "true" } else { "false" }.to_owned();
            write.literals = write.literals.iter().map(told).collect();
        }
        write.table =
            take.table.and_then(|index| self.program.tables.get(index)).map(|table| table.name.clone());
        (write.by, write.is_reference) = self.conversion(&take.convert);
        let from = write.from.clone();
        if write.table.is_some() {
            self.coded(&write, take.coded);
        }
        if let Some(unit) = &take.unit {
            self.unit(&write, unit, &take.convert, &around.item);
        }
        self.found.push(write);
        for filled in [&rule.fill, &rule.set].into_iter().flatten() {
            let item = from.first().cloned().unwrap_or_else(|| around.item.clone());
            let inner = Around { element: element.clone(), item, filled: from.clone(), ..around.clone() };
            self.elements(filled, &inner);
        }
    }

    /// The parts that the unit of a number fills: in words, and as a code with its system.
    fn unit(&mut self, write: &Write, unit: &Expression, convert: &Convert, item: &V2Path) {
        let mut from = Vec::new();
        expression_paths(unit, item, &mut from);
        let quantities: &[&str] = match convert {
            Convert::SnRange => &[".low", ".high"],
            Convert::SnRatio => &[".numerator", ".denominator"],
            _ => &[""],
        };
        for quantity in quantities {
            for part in ["unit", "code", "system"] {
                let element = format!("{}{quantity}.{part}", write.element);
                self.found.push(Write { element, from: from.clone(), by: None, ..write.clone() });
            }
        }
    }

    /// The parts that a translated code fills.
    fn coded(&mut self, write: &Write, coded: Coded) {
        let table = write
            .table
            .as_ref()
            .and_then(|name| self.program.tables.iter().find(|table| table.name == *name));
        let keeps = table.is_some_and(|table| {
            table.unmapped.as_ref().is_some_and(|unmapped| unmapped.keep)
                || table.rows.values().any(|row| row.keep || row.lossy)
        });
        if coded == Coded::Code && keeps && self.program.systems.declared.contains(ALTERNATE_CODES) {
            let element = format!("{}.extension({ALTERNATE_CODES})", write.element);
            for part in ["", ".coding.code", ".coding.system"] {
                let element = format!("{element}{part}");
                self.found.push(Write { element, by: None, ..write.clone() });
            }
        }
        let prefix = match coded {
            Coded::Code => return,
            Coded::Coding => "",
            Coded::Concept => ".coding",
        };
        for part in ["code", "system", "display"] {
            self.found.push(Write {
                element: format!("{}{prefix}.{part}", write.element),
                by: None,
                ..write.clone()
            });
        }
    }

    fn write(&self, element: String, rule: &Rule, around: &Around) -> Write {
        let mut given = around.given.clone();
        given.extend(around.filled.iter().cloned());
        Write {
            element,
            from: Vec::new(),
            given,
            literals: Vec::new(),
            by: None,
            table: None,
            handle: None,
            is_reference: false,
            deviates: around.deviates.clone(),
            at: self.package.at(rule.place),
        }
    }

    fn conversion(&self, convert: &Convert) -> (Option<String>, bool) {
        match convert {
            Convert::Map { index, reference } => {
                (self.program.maps.get(*index).map(|map| map.name.clone()), *reference)
            }
            simple => (Some(simple.name().to_owned()), false),
        }
    }
}

/// The element path of a slot below what stands around it.
fn below(around: &Around, slot: &Slot, suffix: Option<&str>) -> String {
    let name = match &slot.form {
        Form::Element => slot.name.clone(),
        Form::Choice => format!("{}{}", slot.name, suffix.unwrap_or_default()),
        Form::Extension { url, .. } => format!("extension({url})"),
    };
    if around.element.is_empty() { name } else { format!("{}.{name}", around.element) }
}

fn resolved(path: &Path, item: &V2Path) -> V2Path {
    match &path.root {
        Root::Item => {
            let numbers = item.numbers.iter().chain(&path.steps).copied().collect();
            V2Path { root: item.root.clone(), numbers }
        }
        Root::Segment { name, field, .. } => {
            V2Path { root: name.clone(), numbers: field.iter().chain(&path.steps).copied().collect() }
        }
    }
}

fn path_paths(path: &Path, item: &V2Path, into: &mut Vec<V2Path>) {
    let found = resolved(path, item);
    if let Root::Segment { selector: Selector::Where(filter), name, field, .. } = &path.root {
        let field = V2Path { root: name.clone(), numbers: field.iter().copied().collect() };
        test_paths(filter, &field, into);
    }
    if !into.contains(&found) {
        into.push(found);
    }
}

fn expression_paths(expression: &Expression, item: &V2Path, into: &mut Vec<V2Path>) {
    match expression {
        Expression::Path(path) => path_paths(path, item, into),
        Expression::Literal(_) | Expression::Absent | Expression::IdOf(_) => {}
        Expression::First(list) | Expression::Call { arguments: list, .. } => {
            list.iter().for_each(|part| expression_paths(part, item, into));
        }
    }
}

fn literals(expression: &Expression, into: &mut Vec<String>) {
    match expression {
        Expression::Literal(text) => into.push(text.clone()),
        Expression::First(list) => list.iter().for_each(|part| literals(part, into)),
        Expression::Path(_) | Expression::Absent | Expression::IdOf(_) | Expression::Call { .. } => {}
    }
}

fn test_paths(test: &Test, item: &V2Path, into: &mut Vec<V2Path>) {
    match test {
        Test::All(list) | Test::Any(list) => list.iter().for_each(|part| test_paths(part, item, into)),
        Test::Not(inner) => test_paths(inner, item, into),
        Test::Valued(value) | Test::Null(value) => expression_paths(value, item, into),
        Test::Compare { left, right, .. } => {
            expression_paths(left, item, into);
            right.iter().for_each(|part| expression_paths(part, item, into));
        }
        Test::Constant(_) => {}
    }
}
