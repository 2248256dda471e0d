//! Constraints: FHIRPath as far as R4 and its profiles use it, parsed once, evaluated on elements.
//!
//! A constraint is broken when it evaluates to false. Empty breaks nothing, for R4's own expressions rely on it: bdl-8
//! gives empty for an entry without a `fullUrl`, and is met.

mod compare;
mod evaluate;
mod function;
mod html;
mod item;
mod pattern;
mod syntax;

use crate::error::Error;
pub(crate) use evaluate::Scope;
use evaluate::Stop;
use item::Item;
pub(crate) use item::{Typed, is_of};
use syntax::Expression;

/// Steps that the constraints of one resource may take together: some ten for each, some hundred milliseconds in all.
pub(crate) const STEPS_MAX: u32 = 1_000_000;

/// A rule of an element.
#[derive(Debug)]
pub(crate) struct Constraint {
    /// Its key (`obs-6`).
    pub(crate) key: Box<str>,
    /// What it says, in the words of the specification.
    pub(crate) human: Box<str>,
    expression: Expression,
}

/// What became of a constraint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Met,
    Broken,
    /// Not known here.
    Undecided,
    /// The resource is too large for its constraints.
    TooCostly,
}

impl Constraint {
    /// A constraint; with `compiles` its regular expressions are proven too.
    ///
    /// # Errors
    /// [`Error::Expression`] when the expression is outside the subset.
    pub(crate) fn parse(key: &str, human: &str, expression: &str, compiles: bool) -> Result<Self, Error> {
        let expression = syntax::parse(expression, compiles)?;
        Ok(Self { key: key.into(), human: human.into(), expression })
    }

    /// Whether the context of the scope keeps it.
    pub(crate) fn verdict<'a>(&'a self, scope: &Scope<'a, '_>) -> Verdict {
        match scope.truth(&self.expression, &[Item::Element(scope.context)]) {
            Ok(Some(false)) => Verdict::Broken,
            Ok(Some(true)) | Ok(None) => Verdict::Met,
            Err(Stop::Undecided) => Verdict::Undecided,
            Err(Stop::TooCostly) => Verdict::TooCostly,
        }
    }
}
