//! Rules that gave nothing, and why: the trace of what is absent. Nothing here runs without a trace.

use super::scope::{Scope, Value as Item};
use super::{Executor, location};
use crate::coverage::path_text;
use crate::diagnostic::Place;
use crate::plan::{Action, Elements, Expression, Function, Make, Path, Rule, Slot, Test};
use crate::syntax::Operator;
use crate::trace::{Miss, Read, Why};
use serde_json::{Map, Value};

/// Most misses kept for one message; a large one repeats the same few.
const MISSES_MAX: usize = 20_000;
/// Most values of one path that a miss shows.
const VALUES_MAX: usize = 8;

impl<'a> Executor<'a> {
    /// Notes a rule that gave nothing.
    pub(super) fn miss(
        &mut self,
        slot: &Slot,
        rule: &'a Rule,
        scope: &Scope<'a>,
        out: &Map<String, Value>,
        why: Why,
    ) {
        if self.trace.is_none() {
            return;
        }
        let mut paths = Vec::new();
        of_action(&rule.action, &mut paths);
        let reads = self.reads(&paths, scope);
        let element = self.element_at(Some(location(slot, rule.suffix.as_deref(), out)));
        self.note_miss(element, rule.place, reads, why);
    }

    /// Notes that a rule gave a value.
    pub(super) fn ran(&mut self, rule: &Rule) {
        if let Some(trace) = &mut self.trace {
            let Place { file, line, column, .. } = rule.place;
            trace.ran.insert((file, line, column));
        }
    }

    /// Notes a rule without a source value: HL7 null, or nothing there.
    pub(super) fn miss_value(
        &mut self,
        slot: &Slot,
        rule: &'a Rule,
        scope: &Scope<'a>,
        out: &Map<String, Value>,
    ) {
        if self.trace.is_none() {
            return;
        }
        let mut paths = Vec::new();
        of_action(&rule.action, &mut paths);
        let is_null = |part: &hl7v2::Part<'_>| part.presence() == hl7v2::Presence::Null;
        let null = self.quietly(|executor| {
            paths.iter().any(|path| {
                executor
                    .parts(path, scope)
                    .iter()
                    .any(|value| matches!(value, Item::Part(part, _) if is_null(part)))
            })
        });
        self.miss(slot, rule, scope, out, if null { Why::Null } else { Why::Unvalued });
    }

    /// Notes the rules after the one that gave a single element its value.
    pub(super) fn miss_rest(
        &mut self,
        rules: &'a [Rule],
        slot: &Slot,
        scope: &Scope<'a>,
        out: &Map<String, Value>,
    ) {
        if self.trace.is_none() {
            return;
        }
        for rule in rules {
            match rule.when.as_ref().filter(|when| !self.holds(when, scope)) {
                Some(when) => self.miss_condition(slot, rule, scope, out, when),
                None => self.miss(slot, rule, scope, out, Why::Superseded),
            }
        }
    }

    /// Notes a rule whose condition does not hold, with what its paths held.
    pub(super) fn miss_condition(
        &mut self,
        slot: &Slot,
        rule: &'a Rule,
        scope: &Scope<'a>,
        out: &Map<String, Value>,
        when: &'a Test,
    ) {
        if self.trace.is_some() {
            let why = self.condition(when, scope);
            self.miss(slot, rule, scope, out, why);
        }
    }

    /// Notes an object whose `$when` does not hold. It has no place of its own: its first rule stands for it.
    pub(super) fn miss_object(&mut self, elements: &'a Elements, when: &'a Test, scope: &Scope<'a>) {
        if self.trace.is_none() {
            return;
        }
        let why = self.condition(when, scope);
        let mut paths = Vec::new();
        of_elements(elements, &mut paths);
        let reads = self.reads(&paths, scope);
        let place = first_place(elements).unwrap_or_default();
        let element = self.element_at(None);
        self.note_miss(element, place, reads, why);
    }

    /// Notes a resource that is not made of a segment.
    pub(super) fn miss_resource(&mut self, make: &'a Make, scope: &Scope<'a>, skipped: bool) {
        let why = match (&make.when, skipped) {
            _ if self.trace.is_none() => return,
            (_, true) => Why::Event,
            (Some(when), false) if !self.holds(when, scope) => self.condition(when, scope),
            _ => Why::Unidentified,
        };
        self.note_resource(make, why);
    }

    /// Notes a line of `make` for which the message has no segment.
    pub(super) fn miss_segment(&mut self, make: &Make) {
        if self.trace.is_some() {
            self.note_resource(make, Why::Segment(make.segment.clone()));
        }
    }

    fn note_resource(&mut self, make: &Make, why: Why) {
        let Some(map) = self.program.maps.get(make.map) else { return };
        let Some(kind) = map.target.resource() else { return };
        let reads = vec![Read { path: make.segment.clone(), span: None }];
        self.note_miss((kind.as_str().to_owned(), kind.as_str().to_owned()), map.place, reads, why);
    }

    fn note_miss(&mut self, at: (String, String), place: Place, reads: Vec<Read>, why: Why) {
        let rule = self.rule_text(place);
        let Some(trace) = &mut self.trace else { return };
        if trace.misses.len() >= MISSES_MAX {
            trace.is_cut = true;
            return;
        }
        let (resource, element) = at;
        trace.misses.push(Miss { resource, element, rule, reads, why });
    }

    /// The resource that is made, and the element of it.
    pub(super) fn element_at(&self, last: Option<String>) -> (String, String) {
        let mut text = self.resource.split('/').next().unwrap_or_default().to_owned();
        for part in self.location.iter().chain(&last) {
            text.push('.');
            text.push_str(part);
        }
        (self.resource.clone(), text)
    }

    /// Where the paths lead: the parts that are there, else the path as written.
    fn reads(&mut self, paths: &[&'a Path], scope: &Scope<'a>) -> Vec<Read> {
        let mut reads: Vec<Read> = Vec::new();
        for path in paths {
            let found = self.quietly(|executor| executor.parts(path, scope));
            let parts = found.iter().filter_map(|value| match value {
                Item::Part(part, _) => Some(*part),
                Item::Text(_) | Item::Segment(_) => None,
            });
            let mut any = false;
            for part in parts.take(VALUES_MAX) {
                let span = Some(part.span()).filter(|_| !part.raw().is_empty());
                let read = Read { path: path_text(self.message, part.path()), span };
                any = true;
                if !reads.contains(&read) {
                    reads.push(read);
                }
            }
            let written = Read { path: path.text.clone(), span: None };
            if !any && !reads.contains(&written) {
                reads.push(written);
            }
        }
        reads
    }

    /// A condition that does not hold, in words, with the values it looked at.
    fn condition(&mut self, when: &'a Test, scope: &Scope<'a>) -> Why {
        let mut paths = Vec::new();
        of_test(when, &mut paths);
        let mut values: Vec<(String, Option<String>)> = Vec::new();
        for path in paths {
            if values.iter().any(|(known, _)| *known == path.text) {
                continue;
            }
            let found = self.quietly(|executor| executor.parts(path, scope));
            let texts: Vec<String> = found
                .iter()
                .take(VALUES_MAX)
                .map(|value| self.text_of(value).into_owned())
                .filter(|text| !text.is_empty())
                .collect();
            values.push((path.text.clone(), (!texts.is_empty()).then(|| texts.join(", "))));
        }
        Why::Condition { text: test_text(when), values }
    }

    /// Looks at values and leaves no mark of it.
    fn quietly<T>(&mut self, look: impl FnOnce(&mut Self) -> T) -> T {
        let (null, refused, touched) = (self.null, self.refused, self.touched.len());
        let found = look(self);
        (self.null, self.refused) = (null, refused);
        self.touched.truncate(touched);
        found
    }
}

fn of_action<'a>(action: &'a Action, paths: &mut Vec<&'a Path>) {
    match action {
        Action::Take(take) => of_expression(&take.from, paths),
        Action::Build(elements) => of_elements(elements, paths),
        Action::First(rules) => rules.iter().for_each(|rule| of_action(&rule.action, paths)),
        Action::Refer { .. } => {}
        Action::Dispatch { by, .. } => of_expression(by, paths),
    }
}

fn of_elements<'a>(elements: &'a Elements, paths: &mut Vec<&'a Path>) {
    paths.extend(&elements.each);
    if elements.each.is_none() {
        for field in &elements.fields {
            field.rules.iter().for_each(|rule| of_action(&rule.action, paths));
            field.nested.iter().for_each(|(_, inner)| of_elements(inner, paths));
        }
    }
}

fn of_expression<'a>(expression: &'a Expression, paths: &mut Vec<&'a Path>) {
    match expression {
        Expression::Path(path) => paths.push(path),
        Expression::First(parts) | Expression::Call { arguments: parts, .. } => {
            parts.iter().for_each(|part| of_expression(part, paths));
        }
        Expression::Literal(_) | Expression::Absent | Expression::IdOf(_) => {}
    }
}

fn of_test<'a>(test: &'a Test, paths: &mut Vec<&'a Path>) {
    match test {
        Test::All(parts) | Test::Any(parts) => parts.iter().for_each(|part| of_test(part, paths)),
        Test::Not(inner) => of_test(inner, paths),
        Test::Valued(value) | Test::Null(value) => of_expression(value, paths),
        Test::Compare { left, right, .. } => {
            of_expression(left, paths);
            right.iter().for_each(|value| of_expression(value, paths));
        }
        Test::Constant(_) => {}
    }
}

fn first_place(elements: &Elements) -> Option<Place> {
    elements.fields.iter().find_map(|field| {
        let own = field.rules.first().map(|rule| rule.place);
        own.or_else(|| field.nested.as_ref().and_then(|(_, inner)| first_place(inner)))
    })
}

/// A condition as it would be written.
fn test_text(test: &Test) -> String {
    let many = |parts: &[Test], word: &str| {
        let texts: Vec<String> = parts
            .iter()
            .map(|part| match part {
                Test::Any(_) if word == " and " => format!("({})", test_text(part)),
                _ => test_text(part),
            })
            .collect();
        texts.join(word)
    };
    match test {
        Test::All(parts) => many(parts, " and "),
        Test::Any(parts) => many(parts, " or "),
        Test::Not(inner) => match inner.as_ref() {
            Test::All(_) | Test::Any(_) => format!("not ({})", test_text(inner)),
            inner => format!("not {}", test_text(inner)),
        },
        Test::Valued(value) => text_of(value),
        Test::Null(value) => format!("{} is null", text_of(value)),
        Test::Constant(true) => "a setting of the site that is on".to_owned(),
        Test::Constant(false) => "a setting of the site that is off".to_owned(),
        Test::Compare { left, operator, right } => {
            let right: Vec<String> = right.iter().map(text_of).collect();
            format!("{} {} {}", text_of(left), operator_text(*operator), right.join("/"))
        }
    }
}

fn operator_text(operator: Operator) -> &'static str {
    match operator {
        Operator::Equal => "=",
        Operator::NotEqual => "!=",
        Operator::Less => "<",
        Operator::LessOrEqual => "<=",
        Operator::Greater => ">",
        Operator::GreaterOrEqual => ">=",
    }
}

fn text_of(expression: &Expression) -> String {
    match expression {
        Expression::Path(path) => path.text.clone(),
        Expression::Literal(text) => text.clone(),
        Expression::Absent => "absent".to_owned(),
        Expression::First(parts) => parts.iter().map(text_of).collect::<Vec<_>>().join(" ?? "),
        Expression::Call { function, arguments } => {
            let arguments: Vec<String> = arguments.iter().map(text_of).collect();
            format!("{}({})", function_text(*function), arguments.join(", "))
        }
        Expression::IdOf(handle) => format!("id({handle})"),
    }
}

fn function_text(function: Function) -> &'static str {
    match function {
        Function::Count => "count",
        Function::Precision => "precision",
        Function::Present => "present",
        Function::Concat => "concat",
        Function::Join => "join",
        Function::Lower => "lower",
        Function::Upper => "upper",
        Function::Trim => "trim",
        Function::Strip => "strip",
        Function::Length => "length",
        Function::Index => "index",
        Function::Base64 => "base64",
        Function::Uuid => "uuid",
        Function::Later => "later",
        Function::Ordinal => "ordinal",
        Function::Outer => "outer",
        Function::Lookup(_) => "lookup",
    }
}
