//! What a single element could not take because something else had given it already: lossy, never silent.

use super::Executor;
use super::scope::{Scope, Value as Item};
use crate::LeafFate;
use crate::plan::{Action, Convert, Expression, Rule, Take};

/// Reason in coverage.
const ELEMENT_IS_GIVEN: &str = "another source gave the element, which holds one value";

impl<'a> Executor<'a> {
    /// The sources of rules that were not run because an earlier one yielded.
    pub(super) fn supersede(&mut self, rules: &'a [Rule], scope: &Scope<'a>) {
        for rule in rules {
            if rule.when.as_ref().is_some_and(|when| !self.holds(when, scope)) {
                continue;
            }
            match &rule.action {
                Action::Take(take) => self.supersede_source(&take.from, &take.convert, scope),
                Action::First(rules) => self.supersede(rules, scope),
                Action::Build(_) | Action::Refer { .. } | Action::Dispatch { .. } => {}
            }
        }
    }

    /// The alternatives after the one that was taken, in every `a ?? b` of a value.
    pub(super) fn supersede_alternatives(&mut self, take: &'a Take, scope: &Scope<'a>) {
        let null = self.null;
        self.alternatives(&take.from, &take.convert, scope);
        self.null = null;
    }

    fn alternatives(&mut self, source: &'a Expression, convert: &Convert, scope: &Scope<'a>) {
        match source {
            Expression::First(alternatives) => {
                let mut taken = false;
                for alternative in alternatives {
                    if taken {
                        self.supersede_source(alternative, convert, scope);
                    } else {
                        taken = !self.values(alternative, scope).is_empty();
                    }
                }
            }
            Expression::Call { arguments, .. } => {
                arguments.iter().for_each(|argument| self.alternatives(argument, convert, scope));
            }
            Expression::Path(_) | Expression::Literal(_) | Expression::Absent | Expression::IdOf(_) => {}
        }
    }

    /// Repetitions after the one that was taken.
    pub(super) fn supersede_values(&mut self, values: &[Item<'a>], convert: &Convert) {
        for value in values {
            if let Item::Part(part, _) = value {
                match convert {
                    Convert::Map { .. } => self.ledger.mark(*part, LeafFate::Lossy, Some(ELEMENT_IS_GIVEN)),
                    _ => self.ledger.mark_first(*part, LeafFate::Lossy, Some(ELEMENT_IS_GIVEN)),
                }
            }
        }
    }

    fn supersede_source(&mut self, source: &'a Expression, convert: &Convert, scope: &Scope<'a>) {
        match source {
            Expression::Path(path) => {
                let values = self.parts(path, scope);
                self.supersede_values(&values, convert);
            }
            Expression::First(parts) | Expression::Call { arguments: parts, .. } => {
                parts.iter().for_each(|part| self.supersede_source(part, convert, scope));
            }
            Expression::Literal(_) | Expression::Absent | Expression::IdOf(_) => {}
        }
    }
}
