//! Expressions and conditions at run time.

use super::Executor;
use super::scope::{Groups, Level, Scope, Value, child};
use crate::convert::{binary, time};
use crate::few::Few;
use crate::identity::first_text;
use crate::plan::{Expression, Function, Path, Root, Selector, Test};
use crate::syntax::Operator;
use hl7v2::{Part, Presence};
use std::borrow::Cow;

impl<'a> Executor<'a> {
    /// The valued values of an expression, in order. HL7 nulls set the null mark.
    pub(super) fn values(&mut self, expression: &'a Expression, scope: &Scope<'a>) -> Few<Value<'a>> {
        match expression {
            Expression::Path(path) => {
                let mut found = self.parts(path, scope);
                found.retain(|value| match value {
                    Value::Part(part, _) => self.is_valued(*part),
                    Value::Text(text) => !text.is_empty(),
                    Value::Segment(_) => true,
                });
                found
            }
            Expression::Literal(text) => Few::One(Value::Text(Cow::Borrowed(text))),
            Expression::Absent => Few::None,
            Expression::First(alternatives) => alternatives
                .iter()
                .map(|alternative| self.values(alternative, scope))
                .find(|found| !found.is_empty())
                .unwrap_or_default(),
            Expression::Call { function, arguments } => {
                self.call(*function, arguments, scope).map(|text| Value::Text(Cow::Owned(text))).into()
            }
            Expression::IdOf(handle) => self
                .resources_in_scope(handle, scope)
                .first()
                .and_then(|index| self.instances.get(*index))
                .map(|instance| Value::Text(Cow::Owned(instance.id.clone())))
                .into(),
        }
    }

    /// The text of the first value.
    pub(super) fn text(&mut self, expression: &'a Expression, scope: &Scope<'a>) -> Option<Cow<'a, str>> {
        let first = self.values(expression, scope).into_iter().next()?;
        Some(self.own_text(first))
    }

    fn own_text(&self, value: Value<'a>) -> Cow<'a, str> {
        match value {
            Value::Part(part, _) => first_text(part),
            Value::Text(text) => text,
            Value::Segment(segment) => Cow::Borrowed(self.groups.name(segment)),
        }
    }

    pub(super) fn text_of<'v>(&self, value: &'v Value<'a>) -> Cow<'v, str> {
        text_of(&self.groups, value)
    }

    fn is_valued(&mut self, part: Part<'a>) -> bool {
        match part.presence() {
            Presence::Absent => false,
            Presence::Null => {
                self.null = true;
                false
            }
            Presence::Valued => {
                let nulls = &self.program.site.nulls;
                let null = !nulls.is_empty() && nulls.iter().any(|null| null.as_bytes() == part.raw());
                self.null |= null;
                !null
            }
        }
    }

    /// The parts a path leads to, valued or not.
    pub(super) fn parts(&mut self, path: &'a Path, scope: &Scope<'a>) -> Few<Value<'a>> {
        let Root::Segment { name, groups, every, absolute, filter, field, selector } = &path.root else {
            return scope.item.clone().and_then(|item| below(item, &path.steps)).into();
        };
        let all = *every || filter.is_some();
        let mut segments: Few<usize> = if *absolute && filter.is_some() {
            self.groups.all(name).collect()
        } else if *absolute {
            self.groups.first(name).into()
        } else if groups.is_empty() {
            self.groups.find(name, all, scope)
        } else {
            self.groups.find_in_groups(groups, name, all, scope.group)
        };
        if let Some(filter) = filter {
            segments = self.matching(segments, filter, *every, scope);
        }
        let Some(field) = field else {
            return segments.into_iter().filter_map(|it| below(Value::Segment(it), &path.steps)).collect();
        };
        let mut found = Few::default();
        for segment in segments {
            self.repetitions((segment, *field), selector, &path.steps, scope, &mut found);
        }
        found
    }

    /// The segments for which a filter holds: all of them, or the first of each group.
    fn matching(
        &mut self,
        segments: Few<usize>,
        filter: &'a Test,
        every: bool,
        scope: &Scope<'a>,
    ) -> Few<usize> {
        let mut found: Few<usize> = Few::default();
        for segment in segments {
            let group = self.groups.group_of(segment);
            let taken = !every && found.last().is_some_and(|last| self.groups.group_of(*last) == group);
            let around = Some((scope.bound.or(scope.own), scope.group));
            let inner = Scope { bound: Some(segment), group, around, ..scope.clone() };
            if !taken && self.holds(filter, &inner) {
                found.push(segment);
                if !self.testing {
                    self.decided(filter, &inner);
                }
            }
        }
        found
    }

    /// What a filter compared decided what is made of the segment: it is mapped, as the selector of a dispatch is.
    fn decided(&mut self, filter: &'a Test, scope: &Scope<'a>) {
        match filter {
            Test::All(parts) | Test::Any(parts) => parts.iter().for_each(|part| self.decided(part, scope)),
            Test::Compare { left: left @ Expression::Path(_), operator: Operator::Equal, .. } => {
                for value in self.values(left, scope) {
                    if let Value::Part(part, _) = value {
                        self.ledger.mark_first(part, crate::LeafFate::Mapped, None);
                    }
                }
            }
            Test::Compare { .. } | Test::Not(_) | Test::Valued(_) | Test::Null(_) | Test::Constant(_) => {}
        }
    }

    /// What lies below the repetitions of a field, by segment and number, that are selected.
    fn repetitions(
        &mut self,
        (segment, field): (usize, u16),
        selector: &'a Selector,
        steps: &[u16],
        scope: &Scope<'a>,
        found: &mut Few<Value<'a>>,
    ) {
        let Some(segment) = self.message.segment(segment) else { return };
        let part = segment.field(usize::from(field));
        if part.raw().is_empty() {
            return;
        }
        let value = |part: Part<'a>| Value::Part(part, Level::Repetition);
        let at = |index: usize| below(value(part.repetition(index)), steps);
        match selector {
            Selector::First => found.extend(at(0)),
            Selector::Nth(index) => found.extend(at(usize::from(*index))),
            Selector::Every => found.extend(part.repetitions().filter_map(|one| below(value(one), steps))),
            Selector::Where(filter) => {
                for one in part.repetitions() {
                    if self.holds(filter, &scope.with_item(value(one))) {
                        found.extend(below(value(one), steps));
                    }
                }
            }
        }
    }

    fn call(&mut self, function: Function, arguments: &'a [Expression], scope: &Scope<'a>) -> Option<String> {
        let argument = |executor: &mut Self, index: usize| -> Option<Cow<'a, str>> {
            let first = executor.values(arguments.get(index)?, scope).into_iter().next()?;
            executor.touch(&first);
            Some(executor.own_text(first))
        };
        match function {
            Function::Count => {
                let found = self.values(arguments.first()?, scope);
                Some(found.len().to_string())
            }
            Function::Precision => argument(self, 0)
                .and_then(|text| time::moment(&text).ok().map(|moment| moment.precision.name().to_owned())),
            Function::Present => argument(self, 0).map(|_| "true".to_owned()),
            Function::Lower => argument(self, 0).map(|text| text.to_lowercase()),
            Function::Upper => argument(self, 0).map(|text| text.to_uppercase()),
            Function::Trim => argument(self, 0).map(|text| text.trim().to_owned()),
            Function::Strip => {
                argument(self, 0).map(|text| text.chars().filter(|c| c.is_alphanumeric()).collect())
            }
            Function::Length => argument(self, 0).map(|text| text.chars().count().to_string()),
            Function::Index => Some(scope.index.to_string()),
            Function::Base64 => {
                let (data, encoding) = (argument(self, 0)?, argument(self, 1).unwrap_or_default());
                match binary::to_base64(&data, &encoding) {
                    Ok(packed) => Some(packed),
                    Err(reason) => {
                        self.refused = Some(reason);
                        None
                    }
                }
            }
            Function::Concat | Function::Join => self.joined(function, arguments, scope),
            Function::Later => {
                let (start, amount, unit) = (argument(self, 0)?, argument(self, 1)?, argument(self, 2)?);
                time::later(&start, &amount, &unit)
            }
            Function::Uuid => self.uuid(arguments, scope),
            Function::Outer => self.text(arguments.first()?, &scope.outside()).map(Cow::into_owned),
            Function::Lookup(table) => {
                let code = argument(self, 0)?;
                let found = self.program.tables.get(table)?.translate(code.trim());
                found.target.map(|(_, target, _)| target.to_owned())
            }
            Function::Ordinal => {
                let key = |argument| self.key(argument, scope).map(Cow::into_owned).unwrap_or_default();
                let keys: Vec<String> = arguments.iter().map(key).collect();
                // Lines of `make` that use one map count together, for their ids may not meet.
                let lines = self.plan.map(|plan| &*plan.make).unwrap_or_default();
                let map = scope.make.and_then(|make| lines.get(make)).map(|make| make.map);
                let seen = self.ordinals.entry((map, scope.own, keys.clone())).or_default();
                if *seen == 0 {
                    // The same instance may ask twice; it keeps its number.
                    let next = self.ordinal_counts.entry((map, keys)).or_default();
                    *next += 1;
                    *seen = *next;
                }
                Some(seen.to_string())
            }
        }
    }

    fn joined(
        &mut self,
        function: Function,
        arguments: &'a [Expression],
        scope: &Scope<'a>,
    ) -> Option<String> {
        let skip = usize::from(function == Function::Join);
        let separator =
            if skip == 1 { self.text(arguments.first()?, scope).unwrap_or_default() } else { Cow::default() };
        let mut texts = Vec::new();
        let mut any = false;
        for argument in arguments.iter().skip(skip) {
            let literal = matches!(argument, Expression::Literal(_));
            for value in self.values(argument, scope) {
                any |= !literal;
                self.touch(&value);
                texts.push(self.own_text(value));
            }
        }
        any.then(|| texts.join(&separator))
    }

    /// Remembers a part that went into a computed text, for coverage.
    fn touch(&mut self, value: &Value<'a>) {
        if let Value::Part(part, _) = value {
            self.touched.push(*part);
        }
    }

    fn uuid(&mut self, arguments: &'a [Expression], scope: &Scope<'a>) -> Option<String> {
        let first = self.key(arguments.first()?, scope)?;
        let mut parts = vec![first];
        for argument in arguments.iter().skip(1) {
            parts.push(self.key(argument, scope).unwrap_or_default());
        }
        Some(self.identity.id(self.id_type, &parts))
    }

    /// The identifying text of an argument of `uuid` or `ordinal`.
    fn key(&mut self, argument: &'a Expression, scope: &Scope<'a>) -> Option<Cow<'a, str>> {
        match argument {
            Expression::Path(path) => match self.values(argument, scope).into_iter().next()? {
                Value::Part(part, level) => {
                    let key = self.identity.key(part, level, path.keyed)?;
                    self.touched.push(part);
                    Some(key)
                }
                other => Some(self.own_text(other)).filter(|text| !text.is_empty()),
            },
            Expression::First(alternatives) => {
                alternatives.iter().find_map(|alternative| self.key(alternative, scope))
            }
            Expression::Literal(_) | Expression::Absent | Expression::Call { .. } | Expression::IdOf(_) => {
                self.text(argument, scope).filter(|text| !text.is_empty())
            }
        }
    }

    /// Does a condition hold? Leaves no null mark and touches nothing.
    pub(super) fn holds(&mut self, test: &'a Test, scope: &Scope<'a>) -> bool {
        let (null, touched) = (self.null, self.touched.len());
        let outer = std::mem::replace(&mut self.testing, true);
        let holds = self.test(test, scope);
        self.testing = outer;
        self.null = null;
        self.touched.truncate(touched);
        holds
    }

    fn test(&mut self, test: &'a Test, scope: &Scope<'a>) -> bool {
        match test {
            Test::All(parts) => parts.iter().all(|part| self.test(part, scope)),
            Test::Any(parts) => parts.iter().any(|part| self.test(part, scope)),
            Test::Not(inner) => !self.test(inner, scope),
            Test::Valued(value) => !self.values(value, scope).is_empty(),
            Test::Null(value) => {
                self.null = false;
                self.values(value, scope).is_empty() && self.null
            }
            Test::Constant(always) => *always,
            Test::Compare { left, operator, right } => self.compares(left, *operator, right, scope),
        }
    }

    fn compares(
        &mut self,
        left: &'a Expression,
        operator: Operator,
        right: &'a [Expression],
        scope: &Scope<'a>,
    ) -> bool {
        let lefts: Few<Cow<'a, str>> =
            self.values(left, scope).into_iter().map(|value| self.own_text(value)).collect();
        let wanted = if operator == Operator::NotEqual { Operator::Equal } else { operator };
        let mut holds = false;
        for expression in right {
            for value in self.values(expression, scope) {
                let value = self.own_text(value);
                holds |= lefts.iter().any(|left| compare(left, wanted, &value));
            }
        }
        holds != (operator == Operator::NotEqual)
    }
}

/// A value as text; a segment by its name.
pub(super) fn text_of<'v>(groups: &Groups<'v>, value: &'v Value<'_>) -> Cow<'v, str> {
    match value {
        Value::Part(part, _) => first_text(*part),
        Value::Text(text) => Cow::Borrowed(text),
        Value::Segment(segment) => Cow::Borrowed(groups.name(*segment)),
    }
}

/// What lies at these component numbers below a value.
fn below<'a>(value: Value<'a>, steps: &[u16]) -> Option<Value<'a>> {
    steps.iter().try_fold(value, |value, step| match value {
        Value::Part(part, level) => child(part, level, *step).map(|(part, level)| Value::Part(part, level)),
        Value::Text(text) => (*step == 1).then_some(Value::Text(text)),
        Value::Segment(_) => None,
    })
}

fn compare(left: &str, operator: Operator, right: &str) -> bool {
    if matches!(operator, Operator::Equal | Operator::NotEqual) {
        return (left == right) == (operator == Operator::Equal);
    }
    let order =
        match (number(left), number(right), time::Precision::named(left), time::Precision::named(right)) {
            (Some(left), Some(right), _, _) => left.partial_cmp(&right),
            (_, _, Some(left), Some(right)) => Some(left.cmp(&right)),
            _ => Some(left.cmp(right)),
        };
    let Some(order) = order else { return false };
    match operator {
        Operator::Equal | Operator::NotEqual => false,
        Operator::Less => order.is_lt(),
        Operator::LessOrEqual => order.is_le(),
        Operator::Greater => order.is_gt(),
        Operator::GreaterOrEqual => order.is_ge(),
    }
}

/// A plain decimal, for comparing only; never written out.
fn number(text: &str) -> Option<f64> {
    let plain =
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+'));
    if plain { text.parse().ok() } else { None }
}
