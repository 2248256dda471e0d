//! Which fields must be in a message for a rule to give anything. Maps say far more than one message holds: most of their rules are
//! passed over by this alone, before anything is read.

use crate::execute::{Item, Level};
use crate::number_hash::NumberMap;
use crate::plan::{
    Action, Convert, Elements, Expression, Field, Function, Map, MessagePlan, Nested, Path, Root, Rule, Test,
};
use crate::segment_code;
use crate::syntax::Operator;
use hl7v2::Message;

/// What of a message, or of the current item, must be there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Basis {
    /// Nothing need be.
    #[default]
    Nothing,
    /// At least one of these.
    OneOf {
        /// Fields, by their numbers in [`Fields`].
        fields: Box<[u32]>,
        /// Components of the item.
        components: Components,
    },
}

impl Basis {
    /// That of what never gives anything.
    fn never() -> Self {
        Self::OneOf { fields: Box::default(), components: Components::default() }
    }
}

/// Components of an item, or subcomponents of one that is a component: number n by bit n.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Components(u64);

impl Components {
    fn only(number: u16) -> Option<Self> {
        1_u64.checked_shl(number.into()).map(Self)
    }

    /// Those of an item that hold a byte. What lies beyond the last bit, no rule stands on.
    pub fn of(item: &Item<'_>) -> Self {
        let (part, level) = match item {
            Item::Part(part, level) => (part, level),
            Item::Text(_) => return Self::only(1).unwrap_or_default(),
            Item::Segment(_) => return Self::default(),
        };
        let numbers = part.leaves().map(|leaf| match level {
            Level::Repetition => leaf.path.component,
            Level::Component => leaf.path.subcomponent,
            Level::Subcomponent => 1,
        });
        Self(numbers.filter_map(Self::only).fold(0, |all, one| all | one.0))
    }
}

/// Every field that the rules of a program speak of, numbered. A segment as a whole is its field 0.
#[derive(Default)]
pub(crate) struct Fields {
    numbers: NumberMap<u32>,
    /// What the maps stand on, by their index; known in the second round.
    bodies: Vec<Basis>,
}

/// Which of these a message has.
pub(crate) struct Present {
    words: Vec<u64>,
}

const WORD: u32 = u64::BITS;

impl Fields {
    fn number(&mut self, segment: &str, field: u16) -> u32 {
        // A program has a few thousand fields.
        let next = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX);
        *self.numbers.entry(key(segment_code::of(segment), field)).or_insert(next)
    }

    /// The fields of a message that hold a byte.
    pub fn of(&self, message: &Message<'_>) -> Present {
        let mut present = Present { words: vec![0; self.numbers.len().div_ceil(64)] };
        for segment in message.segments() {
            let code = segment_code::of(segment.name());
            let mut add = |field: u16| {
                if let Some(number) = self.numbers.get(&key(code, field)) {
                    present.add(*number);
                }
            };
            add(0);
            let count = u16::try_from(segment.field_count()).unwrap_or(u16::MAX);
            (1..=count)
                .filter(|field| !segment.field(usize::from(*field)).raw().is_empty())
                .for_each(&mut add);
        }
        present
    }
}

fn key(code: u32, field: u16) -> u64 {
    u64::from(code) << 16 | u64::from(field)
}

impl Present {
    fn add(&mut self, number: u32) {
        if let Some(word) = usize::try_from(number / WORD).ok().and_then(|at| self.words.get_mut(at)) {
            *word |= 1 << (number % WORD);
        }
    }

    fn has(&self, number: u32) -> bool {
        let word = usize::try_from(number / WORD).ok().and_then(|at| self.words.get(at));
        word.is_some_and(|word| word >> (number % WORD) & 1 == 1)
    }

    /// Can what stands on this give anything, of an item with these components?
    pub fn holds(&self, basis: &Basis, item: Components) -> bool {
        match basis {
            Basis::Nothing => true,
            Basis::OneOf { fields, components } => {
                components.0 & item.0 != 0 || fields.iter().any(|field| self.has(*field))
            }
        }
    }
}

/// Works out the basis of every rule.
pub(crate) fn find(maps: &mut [Map], messages: &mut [MessagePlan]) -> Fields {
    let mut fields = Fields::default();
    maps.iter_mut().for_each(|map| fields.enter(&mut map.body));
    // A part that is taken stands on what it reads itself.
    fields.bodies = maps.iter().map(|map| fields.of_elements(&map.body)).collect();
    maps.iter_mut().for_each(|map| fields.enter(&mut map.body));
    let events = messages.iter_mut().flat_map(|message| message.events.values_mut());
    events.flat_map(|event| &mut event.overrides).for_each(|(_, elements)| fields.enter(elements));
    fields
}

impl Fields {
    /// Sets the basis of what lies in an object, innermost first.
    fn enter(&mut self, elements: &mut Elements) {
        for field in &mut elements.fields {
            field.rules.iter_mut().for_each(|rule| self.enter_rule(rule));
            if let Some(Nested { elements: inner, .. }) = field.nested.as_deref_mut() {
                self.enter(inner);
            }
            field.basis = self.of_field(field);
        }
    }

    fn enter_rule(&mut self, rule: &mut Rule) {
        rule.fill.iter_mut().chain(&mut rule.set).for_each(|elements| self.enter(elements));
        match &mut rule.action {
            Action::Take(_) | Action::Refer { .. } => {}
            Action::Build(elements) => self.enter(elements),
            Action::First(rules) => rules.iter_mut().for_each(|rule| self.enter_rule(rule)),
            Action::Dispatch { branches, otherwise, .. } => {
                let rules = branches.iter_mut().flat_map(|(_, rules)| rules).chain(otherwise);
                rules.for_each(|rule| self.enter_rule(rule));
            }
        }
        let when = rule.when.as_ref().map_or(Basis::Nothing, |when| self.of_test(when));
        rule.basis = narrower(when, self.of_action(&rule.action));
    }

    fn of_field(&mut self, field: &Field) -> Basis {
        let nested = field.nested.iter().map(|nested| self.of_elements(&nested.elements));
        let nested: Vec<Basis> = nested.collect();
        either(field.rules.iter().map(|rule| rule.basis.clone()).chain(nested))
    }

    fn of_elements(&mut self, elements: &Elements) -> Basis {
        // What lies within is of each item, whose components are not those of the item around it.
        if let Some(each) = &elements.each {
            return self.of_path(each);
        }
        let when = elements.when.as_ref().map_or(Basis::Nothing, |when| self.of_test(when));
        narrower(when, either(elements.fields.iter().map(|field| field.basis.clone())))
    }

    fn of_action(&mut self, action: &Action) -> Basis {
        match action {
            Action::Take(take) => {
                let from = self.of_expression(&take.from);
                match take.convert {
                    Convert::Map { index, .. } if is_segment(&take.from) => {
                        narrower(from, self.bodies.get(index).cloned().unwrap_or_default())
                    }
                    _ => from,
                }
            }
            Action::Build(elements) => self.of_elements(elements),
            Action::First(rules) => either(rules.iter().map(|rule| rule.basis.clone())),
            Action::Refer { pairs, .. } => {
                let both = pairs.iter().flat_map(|(there, here)| [there, here]);
                let both: Vec<Basis> = both.map(|value| self.of_expression(value)).collect();
                both.into_iter().fold(Basis::Nothing, narrower)
            }
            // What chooses the branch is used by that, whatever the branch gives.
            Action::Dispatch { by, otherwise, .. } if otherwise.is_empty() => self.of_expression(by),
            Action::Dispatch { .. } => Basis::Nothing,
        }
    }

    fn of_expression(&mut self, expression: &Expression) -> Basis {
        match expression {
            Expression::Path(path) => self.of_path(path),
            Expression::Absent => Basis::never(),
            Expression::First(parts) => {
                let parts: Vec<Basis> = parts.iter().map(|part| self.of_expression(part)).collect();
                either(parts)
            }
            Expression::Call { function, arguments } => self.of_call(*function, arguments),
            Expression::Literal(_) | Expression::IdOf(_) => Basis::Nothing,
        }
    }

    fn of_call(&mut self, function: Function, arguments: &[Expression]) -> Basis {
        match function {
            Function::Count | Function::Index | Function::Ordinal => Basis::Nothing,
            // A separator and literals alone make no text.
            Function::Concat | Function::Join => {
                let skip = usize::from(function == Function::Join);
                let values = arguments.iter().skip(skip).filter(|one| !matches!(one, Expression::Literal(_)));
                let values: Vec<Basis> = values.map(|value| self.of_expression(value)).collect();
                either(values)
            }
            Function::Precision
            | Function::Present
            | Function::Lower
            | Function::Upper
            | Function::Trim
            | Function::Strip
            | Function::Length
            | Function::Base64
            | Function::Uuid
            | Function::Later
            | Function::Outer
            | Function::Lookup(_) => {
                arguments.first().map_or(Basis::Nothing, |first| self.of_expression(first))
            }
        }
    }

    fn of_test(&mut self, test: &Test) -> Basis {
        match test {
            Test::All(parts) => {
                let parts: Vec<Basis> = parts.iter().map(|part| self.of_test(part)).collect();
                parts.into_iter().fold(Basis::Nothing, narrower)
            }
            Test::Any(parts) => {
                let parts: Vec<Basis> = parts.iter().map(|part| self.of_test(part)).collect();
                either(parts)
            }
            Test::Valued(value) | Test::Null(value) => self.of_expression(value),
            Test::Constant(false) => Basis::never(),
            // What is absent differs from every value.
            Test::Compare { operator: Operator::NotEqual, .. } | Test::Not(_) | Test::Constant(true) => {
                Basis::Nothing
            }
            Test::Compare { left, .. } => self.of_expression(left),
        }
    }

    fn of_path(&mut self, path: &Path) -> Basis {
        match &path.root {
            Root::Item => path
                .steps
                .first()
                .and_then(|number| Components::only(*number))
                .map_or(Basis::Nothing, |components| Basis::OneOf { fields: Box::default(), components }),
            Root::Segment { name, field, .. } => {
                let fields = [self.number(name, field.unwrap_or_default())].into();
                Basis::OneOf { fields, components: Components::default() }
            }
        }
    }
}

/// Is it a segment as a whole, or the first of some?
fn is_segment(expression: &Expression) -> bool {
    match expression {
        Expression::Path(path) => matches!(path.root, Root::Segment { field: None, .. }),
        Expression::First(parts) => parts.iter().all(is_segment),
        Expression::Literal(_) | Expression::Absent | Expression::Call { .. } | Expression::IdOf(_) => false,
    }
}

/// Where one suffices.
fn either(all: impl IntoIterator<Item = Basis>) -> Basis {
    let (mut fields, mut components) = (Vec::new(), 0);
    for basis in all {
        match basis {
            Basis::Nothing => return Basis::Nothing,
            Basis::OneOf { fields: more, components: others } => {
                fields.extend(more);
                components |= others.0;
            }
        }
    }
    fields.sort_unstable();
    fields.dedup();
    Basis::OneOf { fields: fields.into(), components: Components(components) }
}

/// Where both are needed, the one that is less to look at.
fn narrower(one: Basis, other: Basis) -> Basis {
    match (&one, &other) {
        (Basis::Nothing, _) => other,
        (Basis::OneOf { fields, .. }, Basis::OneOf { fields: others, .. }) if others.len() < fields.len() => {
            other
        }
        (Basis::OneOf { .. }, _) => one,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::execute::child;

    #[test]
    fn what_is_absent_everywhere_is_passed_over() {
        let mut fields = Fields::default();
        let [birth, death, name] =
            [("PID", 7), ("PID", 29), ("NK1", 2)].map(|(segment, field)| fields.number(segment, field));
        assert_eq!(fields.number("PID", 7), birth);
        let message = Message::read(b"MSH|^~\\&|A|B\rPID|1||42||||1970\r").expect("has a header");
        let present = fields.of(&message);
        let on = |fields: &[u32]| Basis::OneOf { fields: fields.into(), components: Components::default() };
        let holds = |basis: &Basis| present.holds(basis, Components::default());
        assert!(holds(&on(&[birth])) && holds(&on(&[death, birth])) && holds(&Basis::Nothing));
        assert!(!holds(&on(&[death, name])) && !holds(&Basis::never()));
        assert!(
            holds(&either([on(&[death]), on(&[birth])])) && holds(&either([on(&[death]), Basis::Nothing]))
        );
        assert!(
            !holds(&narrower(on(&[death]), Basis::Nothing))
                && !holds(&narrower(on(&[birth, name]), on(&[death])))
        );
    }

    #[test]
    fn components_are_those_that_hold_a_byte() {
        let message = Message::read(b"MSH|^~\\&|A|B\rPID|1||42^^^H&1.2&ISO^MR\r").expect("has a header");
        let number = message.segment(1).expect("PID").field(3).repetition(0);
        let at = |part, level| Components::of(&Item::Part(part, level)).0;
        assert_eq!(at(number, Level::Repetition), 1 << 1 | 1 << 4 | 1 << 5);
        let (authority, level) = child(number, Level::Repetition, 4).expect("a component");
        assert_eq!(at(authority, level), 1 << 1 | 1 << 2 | 1 << 3);
        let (space, level) = child(authority, level, 1).expect("a subcomponent");
        assert_eq!(at(space, level), 1 << 1);
        assert_eq!(Components::of(&Item::Text("42".into())).0, 1 << 1);
        assert_eq!(Components::of(&Item::Segment(1)), Components::default());
        assert_eq!(Components::only(64), None);
    }
}
