//! The grammar of paths, values, rules and conditions. Offsets count characters of the scalar, for error columns.

mod condition;
mod cursor;
mod path;
mod value;

pub(crate) use condition::{Condition, Operator, condition};
pub(crate) use path::{Path, Root, Selector, path};
pub(crate) use value::{Conversion, Rule, Value, conversion_of, rule, value};

/// What could not be read, and where in the scalar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    pub offset: usize,
    pub length: usize,
    pub message: String,
}

pub(crate) type Parsed<T> = Result<T, SyntaxError>;

/// Deepest nesting of parentheses and calls.
const DEPTH_MAX: usize = 24;
