//! Rules that gave nothing, and why: the trace of what is absent. Nothing here runs without a trace.

use super::Executor;
use super::notes::{Notes, Reader, Reads, spot};
use super::scope::{Scope, Value as Item};
use super::value::text_of;
use crate::coverage::LeafName;
use crate::diagnostic::Place;
use crate::plan::{Action, Elements, Expression, Function, Make, Path, Root, Rule, Slot, Test};
use crate::syntax::Operator;
use crate::trace::{Cause, Location, MissNote, Noted, ReadNote, Word, position};
use hl7v2::{Presence, Span};
use serde_json::{Map, Value};
use std::ops::Range;

/// Most misses kept for one message; a large one repeats the same few.
const MISSES_MAX: u32 = 20_000;
/// Most values of one path that a miss shows.
const VALUES_MAX: usize = 8;

impl<'a> Executor<'a> {
    /// Notes a rule that gave nothing.
    pub(super) fn miss(
        &mut self,
        slot: &'a Slot,
        rule: &'a Rule,
        scope: &Scope<'a>,
        out: &Map<String, Value>,
        why: Cause,
    ) {
        if let Some(reads) = self.open_notes().map(|notes| notes.of_rule(rule)) {
            let (reads, _) = self.look(reads, scope);
            self.note_at(slot, rule, out, reads, why);
        }
    }

    /// Notes a rule without a source value: HL7 null, or nothing there.
    pub(super) fn miss_value(
        &mut self,
        slot: &'a Slot,
        rule: &'a Rule,
        scope: &Scope<'a>,
        out: &Map<String, Value>,
    ) {
        if let Some(reads) = self.open_notes().map(|notes| notes.of_rule(rule)) {
            let (reads, is_null) = self.look(reads, scope);
            self.note_at(slot, rule, out, reads, if is_null { Cause::Null } else { Cause::Unvalued });
        }
    }

    /// Passes over a rule that has nothing to read, if a trace has nothing to tell of it, or no more than that.
    pub(super) fn pass_over(&mut self, rule: &'a Rule, slot: &'a Slot, out: &Map<String, Value>) -> bool {
        if self.notes.is_none() {
            return true;
        }
        let reads_fields = matches!(&rule.action, Action::Take(take) if is_fields(&take.from));
        if rule.when.is_some() || !reads_fields {
            return false;
        }
        if let Some(notes) = self.open_notes() {
            let first = position(notes.trace.reads.len());
            let paths = notes.of_rule(rule);
            let written = notes.paths.get(paths).unwrap_or_default().iter();
            notes.trace.reads.extend(written.map(|(_, written)| ReadNote::Path(*written)));
            let last = position(notes.trace.reads.len());
            self.note_at(slot, rule, out, first..last, Cause::Unvalued);
        }
        true
    }

    /// Notes the rules after the one that gave a single element its value.
    pub(super) fn miss_rest(
        &mut self,
        rules: &'a [Rule],
        slot: &'a Slot,
        scope: &Scope<'a>,
        out: &Map<String, Value>,
    ) {
        if self.notes.is_none() {
            return;
        }
        for rule in rules {
            match rule.when.as_ref().filter(|when| !self.holds(when, scope)) {
                Some(when) => self.miss_condition(slot, rule, scope, out, when),
                None => self.miss(slot, rule, scope, out, Cause::Superseded),
            }
        }
    }

    /// Notes a rule whose condition does not hold, with what its paths held.
    pub(super) fn miss_condition(
        &mut self,
        slot: &'a Slot,
        rule: &'a Rule,
        scope: &Scope<'a>,
        out: &Map<String, Value>,
        when: &'a Test,
    ) {
        if let Some(why) = self.condition(when, scope) {
            self.miss(slot, rule, scope, out, why);
        }
    }

    /// Notes an object whose `$when` does not hold. It has no place of its own: its first rule stands for it.
    pub(super) fn miss_object(&mut self, elements: &'a Elements, when: &'a Test, scope: &Scope<'a>) {
        let Some(why) = self.condition(when, scope) else { return };
        if let Some(reads) = self.notes.as_mut().map(|notes| notes.of_object(elements)) {
            let (reads, _) = self.look(reads, scope);
            let place = first_place(elements).unwrap_or_default();
            if let Some(notes) = &mut self.notes {
                let at = notes.here();
                notes.miss(at, place, reads, why);
            }
        }
    }

    /// Notes a resource that is not made of a segment.
    pub(super) fn miss_resource(&mut self, make: &'a Make, scope: &Scope<'a>, skipped: bool) {
        let why = match (&make.when, skipped) {
            _ if self.notes.is_none() => return,
            (_, true) => Some(Cause::Event),
            (Some(when), false) if !self.holds(when, scope) => self.condition(when, scope),
            _ => Some(Cause::Unidentified),
        };
        if let Some(why) = why {
            self.note_resource(make, why);
        }
    }

    /// Notes a line of `make` for which the message has no segment.
    pub(super) fn miss_segment(&mut self, make: &'a Make) {
        if let Some(notes) = &mut self.notes {
            let why = Cause::Segment(notes.word(&make.segment));
            self.note_resource(make, why);
        }
    }

    fn note_resource(&mut self, make: &'a Make, why: Cause) {
        let Some(map) = self.program.maps.get(make.map) else { return };
        let Some((kind, notes)) = map.target.resource().zip(self.notes.as_mut()) else { return };
        let first = position(notes.trace.reads.len());
        let segment = ReadNote::Path(notes.word(&make.segment));
        notes.trace.reads.push(segment);
        let at = notes.unmade(kind);
        notes.miss(at, map.place, first..first.saturating_add(1), why);
    }

    /// The notes, as long as there is room for another miss. Where there is none, that is noted.
    fn open_notes(&mut self) -> Option<&mut Notes<'a>> {
        let notes = self.notes.as_mut()?;
        if notes.is_open() { Some(notes) } else { None }
    }

    fn note_at(
        &mut self,
        slot: &'a Slot,
        rule: &'a Rule,
        out: &Map<String, Value>,
        reads: Range<u32>,
        why: Cause,
    ) {
        if let Some(notes) = &mut self.notes {
            let at = notes.at(slot, rule, out);
            notes.miss(at, rule.place, reads, why);
        }
    }

    /// Where the paths lead: the parts that are there, else the path as written; and whether one of them is the HL7 null.
    fn look(&mut self, paths: Range<usize>, scope: &Scope<'a>) -> (Range<u32>, bool) {
        let first = self.notes.as_ref().map_or(0, |notes| position(notes.trace.reads.len()));
        let mut is_null = false;
        for index in paths {
            let Some((path, written)) = self.path(index) else { break };
            let found = self.quietly(|executor| executor.parts(path, scope));
            let parts = found.iter().filter_map(|value| match value {
                Item::Part(part, _) => Some(*part),
                Item::Text(_) | Item::Segment(_) => None,
            });
            let Some(notes) = &mut self.notes else { break };
            let before = notes.trace.reads.len();
            for (at, part) in parts.enumerate() {
                let has_bytes = !part.raw().is_empty();
                is_null |= has_bytes && part.presence() == Presence::Null;
                if at < VALUES_MAX {
                    let name = LeafName::of(self.message, part.path());
                    notes.trace.reads.push(ReadNote::Part(name, has_bytes.then(|| part.span())));
                }
            }
            if notes.trace.reads.len() == before {
                notes.trace.reads.push(ReadNote::Path(written));
            }
        }
        let last = self.notes.as_ref().map_or(first, |notes| position(notes.trace.reads.len()));
        (first..last, is_null)
    }

    fn path(&self, index: usize) -> Option<(&'a Path, Word)> {
        self.notes.as_ref()?.paths.get(index).copied()
    }

    /// A condition that does not hold, in words, with the values it looked at. None when no more is noted.
    fn condition(&mut self, when: &'a Test, scope: &Scope<'a>) -> Option<Cause> {
        let notes = self.open_notes()?;
        let Reads { paths, text } = notes.of_condition(when);
        let first = position(notes.trace.values.len());
        for index in paths {
            let (path, written) = self.path(index)?;
            let found = self.quietly(|executor| executor.parts(path, scope));
            let notes = self.notes.as_mut()?;
            let texts = found.iter().take(VALUES_MAX).map(|value| text_of(&self.groups, value));
            let mut texts = texts.filter(|text| !text.is_empty());
            let held = texts.next().map(|one| {
                let rest = texts.flat_map(|text| [", ".into(), text]);
                notes.trace.write_all(std::iter::once(one).chain(rest))
            });
            notes.trace.values.push((written, held));
        }
        let last = position(self.notes.as_ref()?.trace.values.len());
        Some(Cause::Condition(text, first..last))
    }

    /// Looks at values and leaves no mark of it.
    fn quietly<T>(&mut self, look: impl FnOnce(&mut Self) -> T) -> T {
        let (null, refused, touched) = (self.null, self.refused, self.touched.len());
        let testing = std::mem::replace(&mut self.testing, true);
        let found = look(self);
        (self.null, self.refused, self.testing) = (null, refused, testing);
        self.touched.truncate(touched);
        found
    }
}

impl<'a> Notes<'a> {
    /// What was noted holds again, of another value with the same bytes.
    pub(super) fn again(&mut self, first: Noted, of: (LeafName, Span)) {
        let with_misses = self.is_open();
        self.trace.again(first, of, with_misses);
    }

    fn is_open(&mut self) -> bool {
        let is_full = self.trace.misses_told() >= MISSES_MAX;
        self.trace.is_cut |= is_full;
        !is_full
    }

    fn miss(&mut self, at: Location, place: Place, reads: Range<u32>, why: Cause) {
        if self.is_open() {
            self.trace.push_miss(MissNote { at, rule: spot(place), reads, why });
        }
    }

    /// The paths that a rule reads.
    fn of_rule(&mut self, rule: &'a Rule) -> Range<usize> {
        let collect = |paths: &mut Vec<&'a Path>| of_action(&rule.action, paths);
        self.of(Reader::Rule.of(rule), collect, String::new).paths
    }

    /// The paths that an object reads.
    fn of_object(&mut self, elements: &'a Elements) -> Range<usize> {
        let collect = |paths: &mut Vec<&'a Path>| of_elements(elements, paths);
        self.of(Reader::Object.of(elements), collect, String::new).paths
    }

    /// The paths that a condition reads, each text once, and the condition as it would be written.
    fn of_condition(&mut self, when: &'a Test) -> Reads {
        let collect = |paths: &mut Vec<&'a Path>| {
            let mut all = Vec::new();
            of_test(when, &mut all);
            for path in all {
                if !paths.iter().any(|known| known.text == path.text) {
                    paths.push(path);
                }
            }
        };
        self.of(Reader::Condition.of(when), collect, || test_text(when))
    }

    fn of(
        &mut self,
        reader: u64,
        collect: impl FnOnce(&mut Vec<&'a Path>),
        text: impl FnOnce() -> String,
    ) -> Reads {
        if let Some(known) = self.reads.get(&reader) {
            return known.clone();
        }
        let mut paths = Vec::new();
        collect(&mut paths);
        let first = self.paths.len();
        for path in paths {
            let word = self.word(&path.text);
            self.paths.push((path, word));
        }
        let text = self.trace.write(&text());
        let reads = Reads { paths: first..self.paths.len(), text };
        self.reads.insert(reader, reads.clone());
        reads
    }
}

/// Is this a field, or the first of some? A component of the current item has a name even where it is empty, and a segment that
/// makes a part has what its rules read.
fn is_fields(expression: &Expression) -> bool {
    match expression {
        Expression::Path(path) => matches!(path.root, Root::Segment { field: Some(_), .. }),
        Expression::First(parts) => parts.iter().all(is_fields),
        Expression::Literal(_) | Expression::Absent | Expression::Call { .. } | Expression::IdOf(_) => false,
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
    paths.extend(elements.each.as_deref());
    if elements.each.is_none() {
        for field in &elements.fields {
            field.rules.iter().for_each(|rule| of_action(&rule.action, paths));
            field.nested.iter().for_each(|nested| of_elements(&nested.elements, paths));
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
        own.or_else(|| field.nested.as_ref().and_then(|nested| first_place(&nested.elements)))
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
        Test::Valued(value) => expression_text(value),
        Test::Null(value) => format!("{} is null", expression_text(value)),
        Test::Constant(true) => "a setting of the site that is on".to_owned(),
        Test::Constant(false) => "a setting of the site that is off".to_owned(),
        Test::Compare { left, operator, right } => {
            let right: Vec<String> = right.iter().map(expression_text).collect();
            format!("{} {} {}", expression_text(left), operator_text(*operator), right.join("/"))
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

fn expression_text(expression: &Expression) -> String {
    match expression {
        Expression::Path(path) => path.text.clone(),
        Expression::Literal(text) => text.clone(),
        Expression::Absent => "absent".to_owned(),
        Expression::First(parts) => parts.iter().map(expression_text).collect::<Vec<_>>().join(" ?? "),
        Expression::Call { function, arguments } => {
            let arguments: Vec<String> = arguments.iter().map(expression_text).collect();
            format!("{}({})", function_text(*function), arguments.join(", "))
        }
        Expression::IdOf(handle) => format!("id({})", handle.name),
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
