//! Conditions.

use super::Checker;
use super::source::{Source, Use};
use crate::diagnostic::Place;
use crate::plan::{Expression, Test};
use crate::syntax::{self, Condition};
use crate::yaml::Node;

impl Checker<'_> {
    /// Reads and checks the condition of a node.
    pub(super) fn condition_node(&mut self, node: &Node, source: &Source) -> Option<Test> {
        let text = self.text(node)?;
        let parsed = self.parsed(node.place, syntax::condition(text))?;
        let test = self.condition(&parsed, node.place, source)?;
        if let Test::Constant(always) = test {
            // A fact decides; the other sites may differ, so only a condition without any fact is dead.
            return Some(Test::Constant(always));
        }
        Some(test)
    }

    pub(super) fn condition(&mut self, condition: &Condition, place: Place, source: &Source) -> Option<Test> {
        Some(match condition {
            Condition::All(parts) => Test::All(self.conditions(parts, place, source)?),
            Condition::Any(parts) => Test::Any(self.conditions(parts, place, source)?),
            Condition::Not(inner) => Test::Not(Box::new(self.condition(inner, place, source)?)),
            Condition::Valued(syntax::Value::Fact { name, .. }) => {
                Test::Constant(self.site.facts.get(name).is_some_and(|fact| fact != "false"))
            }
            Condition::Valued(value) => Test::Valued(self.tested(value, place, source)?),
            Condition::Null(value) => Test::Null(self.tested(value, place, source)?),
            Condition::Compare { left, operator, right } => {
                let left = self.tested(left, place, source)?;
                let right: Box<[Expression]> =
                    right.iter().filter_map(|value| self.tested(value, place, source)).collect();
                if matches!((&left, &*right), (Expression::Literal(_), all) if all.iter().all(|value| matches!(value, Expression::Literal(_))))
                    && !mentions_fact(condition)
                {
                    self.findings.add(place, "E0203", "this condition is always the same");
                }
                Test::Compare { left, operator: *operator, right }
            }
        })
    }

    fn conditions(&mut self, parts: &[Condition], place: Place, source: &Source) -> Option<Box<[Test]>> {
        let tests: Box<[Test]> =
            parts.iter().filter_map(|part| self.condition(part, place, source)).collect();
        (tests.len() == parts.len()).then_some(tests)
    }

    fn tested(&mut self, value: &syntax::Value, place: Place, source: &Source) -> Option<Expression> {
        self.expression(value, place, source, Use::Any).map(|(value, _)| value)
    }
}

fn mentions_fact(condition: &Condition) -> bool {
    match condition {
        Condition::Compare { left, right, .. } => {
            std::iter::once(left).chain(right).any(|value| matches!(value, syntax::Value::Fact { .. }))
        }
        Condition::All(_)
        | Condition::Any(_)
        | Condition::Not(_)
        | Condition::Valued(_)
        | Condition::Null(_) => false,
    }
}
