//! Evaluates an expression: three-valued, on collections, with a budget of steps.

use std::cell::Cell;
use std::cmp::Ordering;
use std::collections::HashSet;

use super::compare::{as_text, equal, integer, key, order, text, truth};
use super::item::{Item, Typed, is_of};
use super::syntax::{Expression, Function, Operator, Variable};

/// The system of UCUM, `%ucum`.
const UCUM: &str = "http://unitsofmeasure.org";

/// Value set, system and code to whether the set holds it.
pub(crate) type MemberOf<'s> = dyn Fn(&str, Option<&str>, &str) -> Option<bool> + 's;

/// What an expression can refer to beside its focus.
pub(crate) struct Scope<'a, 's> {
    /// Nearest resource.
    pub(crate) resource: Typed<'a>,
    /// Nearest resource that is not contained.
    pub(crate) root: Typed<'a>,
    /// The element of the constraint.
    pub(crate) context: Typed<'a>,
    /// The resource that a reference names, where it is at hand.
    pub(crate) resolve: &'s dyn Fn(&str) -> Option<Typed<'a>>,
    /// Whether a value set holds a code of a system; `None` when that is not known.
    pub(crate) member_of: &'s MemberOf<'s>,
    /// Steps that are left.
    pub(crate) budget: &'s Cell<u32>,
}

/// Why an evaluation ended without a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// It would need what is not known here: another unit, a resource elsewhere, a value set.
    Undecided,
    /// The budget is spent.
    TooCostly,
}

pub(crate) type Items<'a> = Vec<Item<'a>>;
pub(crate) type Evaluated<'a> = Result<Items<'a>, Stop>;

impl<'a> Scope<'a, '_> {
    /// The items that an expression gives on a focus.
    pub(crate) fn evaluate(&self, expression: &'a Expression, focus: &[Item<'a>]) -> Evaluated<'a> {
        self.spend(1)?;
        match expression {
            Expression::This => Ok(focus.to_vec()),
            Expression::Variable(variable) => Ok(vec![self.variable(*variable)]),
            Expression::Empty => Ok(Vec::new()),
            Expression::Text(text) => Ok(vec![Item::Text((&**text).into())]),
            Expression::Number(digits) => {
                digits.parse().map(|number| vec![Item::Integer(number)]).map_err(|_| Stop::Undecided)
            }
            Expression::Truth(is) => Ok(vec![Item::Truth(*is)]),
            Expression::Root(name) => self.root_step(name, focus),
            Expression::Child(left, name) => self.child(left, name, focus),
            Expression::Index(left, index) => {
                let index = self.integer(index, focus)?;
                let at = index.and_then(|index| usize::try_from(index).ok());
                let items = self.evaluate(left, focus)?;
                Ok(at.and_then(|at| items.into_iter().nth(at)).into_iter().collect())
            }
            Expression::Is(left, name) => match self.evaluate(left, focus)?.as_slice() {
                [] => Ok(Vec::new()),
                [item] => Ok(vec![Item::Truth(is(item, name))]),
                _ => Err(Stop::Undecided),
            },
            Expression::As(left, name) => {
                let mut items = self.evaluate(left, focus)?;
                items.retain(|item| is(item, name));
                Ok(items)
            }
            Expression::Binary(operator, left, right) => match operator {
                Operator::Equal | Operator::NotEqual => Ok(result(self.truth(expression, focus)?)),
                _ if operator.is_logic() => Ok(result(self.truth(expression, focus)?)),
                _ => self.binary(*operator, left, right, focus),
            },
            Expression::Call(left, function, arguments) => self.call(left, *function, arguments, focus),
            Expression::Matches(left, pattern) => {
                let pattern = pattern.get().ok_or(Stop::Undecided)?;
                let on = |text: &str| Item::Truth(pattern.is_match(text));
                self.on_text(left, focus, on)
            }
            Expression::Replace(left, pattern, with) => {
                let pattern = pattern.get().ok_or(Stop::Undecided)?;
                let on = |text: &str| Item::Text(pattern.replace_all(text, &**with).into_owned().into());
                self.on_text(left, focus, on)
            }
        }
    }

    pub(crate) fn spend(&self, steps: usize) -> Result<(), Stop> {
        let steps = u32::try_from(steps).unwrap_or(u32::MAX);
        let left = self.budget.get().checked_sub(steps).ok_or(Stop::TooCostly)?;
        self.budget.set(left);
        Ok(())
    }

    fn variable(&self, variable: Variable) -> Item<'a> {
        match variable {
            Variable::Resource => Item::Element(self.resource),
            Variable::RootResource => Item::Element(self.root),
            Variable::Context => Item::Element(self.context),
            Variable::Ucum => Item::Text(UCUM.into()),
        }
    }

    fn root_step(&self, name: &str, focus: &[Item<'a>]) -> Evaluated<'a> {
        let of_type = |item: &&Item<'a>| matches!(item, Item::Element(found) if is_of(found.type_code, name));
        Ok(focus.iter().filter(of_type).cloned().collect())
    }

    fn child(&self, left: &'a Expression, name: &str, focus: &[Item<'a>]) -> Evaluated<'a> {
        let mut found = Vec::new();
        match left {
            Expression::This => step(focus, name, &mut found)?,
            _ => step(&self.evaluate(left, focus)?, name, &mut found)?,
        }
        self.spend(found.len())?;
        Ok(found)
    }

    /// A truth value; `None` for empty. What is one by its form needs no collection.
    pub(crate) fn truth(&self, expression: &'a Expression, focus: &[Item<'a>]) -> Result<Option<bool>, Stop> {
        match expression {
            Expression::Binary(operator, left, right) if operator.is_logic() => {
                self.logic(*operator, left, right, focus)
            }
            Expression::Binary(operator @ (Operator::Equal | Operator::NotEqual), left, right) => {
                let is = self.equality(left, right, focus)?;
                Ok(is.map(|is| is == (*operator == Operator::Equal)))
            }
            Expression::Call(left, function @ (Function::Exists | Function::Empty), arguments)
                if arguments.is_empty() =>
            {
                Ok(Some(self.is_there(left, focus)? == (*function == Function::Exists)))
            }
            Expression::Call(left, Function::Not, _) => Ok(self.truth(left, focus)?.map(|is| !is)),
            Expression::Truth(is) => Ok(Some(*is)),
            other => Ok(truth(&self.evaluate(other, focus)?)),
        }
    }

    fn equality(
        &self,
        left: &'a Expression,
        right: &'a Expression,
        focus: &[Item<'a>],
    ) -> Result<Option<bool>, Stop> {
        let left = self.evaluate(left, focus)?;
        if let (Expression::Text(wanted), [item]) = (right, left.as_slice())
            && let Some(text) = text(item)
        {
            return Ok(Some(text == &**wanted));
        }
        let right = self.evaluate(right, focus)?;
        self.spend(left.len() + right.len())?;
        Ok(equality(&left, &right))
    }

    pub(crate) fn integer(
        &self,
        expression: &'a Expression,
        focus: &[Item<'a>],
    ) -> Result<Option<i64>, Stop> {
        match self.evaluate(expression, focus)?.as_slice() {
            [] => Ok(None),
            [item] => integer(item).map(Some).ok_or(Stop::Undecided),
            _ => Err(Stop::Undecided),
        }
    }

    /// A function of one text; empty for none.
    pub(crate) fn on_text(
        &self,
        left: &'a Expression,
        focus: &[Item<'a>],
        on: impl Fn(&str) -> Item<'a>,
    ) -> Evaluated<'a> {
        match self.evaluate(left, focus)?.as_slice() {
            [] => Ok(Vec::new()),
            [item] => match as_text(item) {
                Some(text) => Ok(vec![on(&text)]),
                // A primitive that has extensions only has no text.
                None if matches!(item, Item::Element(found) if found.primitive.is_some()) => Ok(Vec::new()),
                None => Err(Stop::Undecided),
            },
            _ => Err(Stop::Undecided),
        }
    }

    fn binary(
        &self,
        operator: Operator,
        left: &'a Expression,
        right: &'a Expression,
        focus: &[Item<'a>],
    ) -> Evaluated<'a> {
        if operator == Operator::Union {
            let mut items = self.evaluate(left, focus)?;
            items.extend(self.evaluate(right, focus)?);
            return self.distinct(items);
        }
        let (left, right) = (self.evaluate(left, focus)?, self.evaluate(right, focus)?);
        self.spend(left.len() + right.len())?;
        match operator {
            Operator::In => membership(&left, &right),
            Operator::Contains => membership(&right, &left),
            Operator::Join => {
                let text = |items: &[Item<'a>]| match items {
                    [] => Ok(String::new()),
                    [item] => as_text(item).map(std::borrow::Cow::into_owned).ok_or(Stop::Undecided),
                    _ => Err(Stop::Undecided),
                };
                Ok(vec![Item::Text((text(&left)? + &text(&right)?).into())])
            }
            Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => {
                comparison(operator, &left, &right)
            }
            _ => arithmetic(operator, &left, &right),
        }
    }

    fn logic(
        &self,
        operator: Operator,
        left: &'a Expression,
        right: &'a Expression,
        focus: &[Item<'a>],
    ) -> Result<Option<bool>, Stop> {
        let left = self.decided(left, focus)?;
        let ends = match operator {
            Operator::Implies if left == Some(false) => Some(true),
            Operator::Or if left == Some(true) => Some(true),
            Operator::And if left == Some(false) => Some(false),
            _ => None,
        };
        if ends.is_some() {
            return Ok(ends);
        }
        let right = self.decided(right, focus)?;
        Ok(match (operator, left, right) {
            (Operator::Implies, Some(true), right) => right,
            (Operator::Implies, _, Some(true)) => Some(true),
            (Operator::And, _, Some(false)) => Some(false),
            (Operator::And, Some(true), Some(true)) => Some(true),
            (Operator::Or, _, Some(true)) => Some(true),
            (Operator::Or, Some(false), Some(false)) => Some(false),
            (Operator::Xor, Some(left), Some(right)) => Some(left != right),
            _ => None,
        })
    }

    /// What cannot be decided is not known, which logic can go on with.
    fn decided(&self, expression: &'a Expression, focus: &[Item<'a>]) -> Result<Option<bool>, Stop> {
        match self.truth(expression, focus) {
            Err(Stop::Undecided) => Ok(None),
            other => other,
        }
    }

    pub(crate) fn distinct(&self, mut items: Items<'a>) -> Evaluated<'a> {
        self.spend(items.len())?;
        if items.len() > 1 {
            let mut seen = HashSet::with_capacity(items.len());
            items.retain(|item| seen.insert(key(item)));
        }
        Ok(items)
    }
}

/// The children of one name.
fn step<'a>(items: &[Item<'a>], name: &str, found: &mut Items<'a>) -> Result<(), Stop> {
    for item in items {
        match item {
            Item::Element(parent) => parent.children(name, &mut |child| found.push(Item::Element(child))),
            Item::Target(_) => return Err(Stop::Undecided),
            Item::Text(_) | Item::Integer(_) | Item::Truth(_) => {}
        }
    }
    Ok(())
}

pub(crate) fn is(item: &Item<'_>, name: &str) -> bool {
    match item {
        Item::Element(found) => is_of(found.type_code, name),
        Item::Target(type_code) => is_of(type_code, name),
        Item::Text(_) => name.eq_ignore_ascii_case("string"),
        Item::Integer(_) => name.eq_ignore_ascii_case("integer"),
        Item::Truth(_) => name.eq_ignore_ascii_case("boolean"),
    }
}

pub(crate) fn result<'a>(is: Option<bool>) -> Items<'a> {
    is.map(Item::Truth).into_iter().collect()
}

fn equality(left: &[Item<'_>], right: &[Item<'_>]) -> Option<bool> {
    if left.is_empty() || right.is_empty() {
        return None;
    }
    if left.len() != right.len() {
        return Some(false);
    }
    let mut all = Some(true);
    for (left, right) in left.iter().zip(right) {
        match equal(left, right) {
            Some(true) => {}
            Some(false) => return Some(false),
            None => all = None,
        }
    }
    all
}

fn membership<'a>(item: &[Item<'a>], of: &[Item<'a>]) -> Evaluated<'a> {
    match item {
        [] => Ok(Vec::new()),
        [item] => Ok(result(Some(of.iter().any(|other| equal(item, other) == Some(true))))),
        _ => Err(Stop::Undecided),
    }
}

fn comparison<'a>(operator: Operator, left: &[Item<'a>], right: &[Item<'a>]) -> Evaluated<'a> {
    let (left, right) = match (left, right) {
        ([], _) | (_, []) => return Ok(Vec::new()),
        ([left], [right]) => (left, right),
        _ => return Err(Stop::Undecided),
    };
    let order = order(left, right).ok_or(Stop::Undecided)?;
    Ok(result(Some(match operator {
        Operator::Less => order == Ordering::Less,
        Operator::LessOrEqual => order != Ordering::Greater,
        Operator::Greater => order == Ordering::Greater,
        _ => order != Ordering::Less,
    })))
}

/// On integers: no constraint of R4 or US Core calculates with others.
fn arithmetic<'a>(operator: Operator, left: &[Item<'a>], right: &[Item<'a>]) -> Evaluated<'a> {
    let (left, right) = match (left, right) {
        ([], _) | (_, []) => return Ok(Vec::new()),
        ([left], [right]) => (left, right),
        _ => return Err(Stop::Undecided),
    };
    if let (Operator::Plus, Some(left), Some(right)) = (operator, text(left), text(right)) {
        return Ok(vec![Item::Text([left, right].concat().into())]);
    }
    let (Some(left), Some(right)) = (integer(left), integer(right)) else { return Err(Stop::Undecided) };
    let number = match operator {
        Operator::Plus => left.checked_add(right),
        Operator::Minus => left.checked_sub(right),
        Operator::Times => left.checked_mul(right),
        Operator::Quotient => left.checked_div(right),
        _ => left.checked_rem(right),
    };
    Ok(number.map(Item::Integer).into_iter().collect())
}
