//! Which type maps make the same of the same bytes wherever these stand in a message.

use crate::plan::{Action, Convert, Elements, Expression, Function, Map, Path, Root, Rule, Take, Test};

/// Marks the maps that read nothing but their value and the header of the message.
pub(super) fn mark(maps: &mut [Map]) {
    // A map is found once those that it calls are; one that calls itself never is.
    loop {
        let known: Vec<bool> = maps.iter().map(|map| map.is_local).collect();
        let found: Vec<bool> = maps.iter().map(|map| map.is_local || is_local(map, &known)).collect();
        if found == known {
            return;
        }
        maps.iter_mut().zip(found).for_each(|(map, found)| map.is_local = found);
    }
}

fn is_local(map: &Map, known: &[bool]) -> bool {
    let of = Locality { known };
    map.id.iter().all(|id| of.expression(id)) && of.elements(&map.body)
}

struct Locality<'m> {
    known: &'m [bool],
}

impl Locality<'_> {
    fn elements(&self, elements: &Elements) -> bool {
        elements.each.iter().all(|path| self.path(path))
            && elements.when.iter().all(|when| self.test(when))
            && elements.fields.iter().all(|field| {
                field.rules.iter().all(|rule| self.rule(rule))
                    && field.nested.iter().all(|nested| self.elements(&nested.elements))
            })
    }

    fn rule(&self, rule: &Rule) -> bool {
        rule.when.iter().all(|when| self.test(when))
            && rule.fill.iter().chain(&rule.set).all(|elements| self.elements(elements))
            && match &rule.action {
                Action::Take(take) => self.take(take),
                Action::Build(elements) => self.elements(elements),
                Action::First(rules) => rules.iter().all(|rule| self.rule(rule)),
                Action::Refer { .. } => false,
                Action::Dispatch { by, branches, otherwise } => {
                    let mut rules = branches.iter().flat_map(|(_, rules)| rules).chain(otherwise);
                    self.expression(by) && rules.all(|rule| self.rule(rule))
                }
            }
    }

    fn take(&self, take: &Take) -> bool {
        let is_known = match take.convert {
            Convert::Map { index, .. } => self.known.get(index).copied().unwrap_or(false),
            _ => true,
        };
        // What is joined goes on in the segments that follow.
        is_known
            && take.join.is_none()
            && self.expression(&take.from)
            && take.unit.iter().all(|unit| self.expression(unit))
    }

    fn expression(&self, expression: &Expression) -> bool {
        match expression {
            Expression::Path(path) => self.path(path),
            Expression::Literal(_) | Expression::Absent => true,
            Expression::First(parts) => parts.iter().all(|part| self.expression(part)),
            Expression::Call { function, arguments } => {
                !matches!(function, Function::Ordinal | Function::Index | Function::Outer)
                    && arguments.iter().all(|argument| self.expression(argument))
            }
            Expression::IdOf(_) => false,
        }
    }

    fn test(&self, test: &Test) -> bool {
        match test {
            Test::All(parts) | Test::Any(parts) => parts.iter().all(|part| self.test(part)),
            Test::Not(inner) => self.test(inner),
            Test::Valued(value) | Test::Null(value) => self.expression(value),
            Test::Compare { left, right, .. } => {
                self.expression(left) && right.iter().all(|value| self.expression(value))
            }
            Test::Constant(_) => true,
        }
    }

    fn path(&self, path: &Path) -> bool {
        match &path.root {
            Root::Item => true,
            Root::Segment { name, filter, .. } => name == "MSH" && filter.is_none(),
        }
    }
}
