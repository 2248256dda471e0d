//! `PID-3(.5=MR).4.2`, `NTE*-3*`, `OBSERVATION*.OBX(OBX-3.1 = 8302-2)-5`, `/MSH-7`, `CX.4.1`, `.5`.

use super::condition::{Condition, condition_in};
use super::cursor::Cursor;
use super::{Parsed, SyntaxError};

/// A path as written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Path {
    pub root: Root,
    pub steps: Vec<Step>,
    /// Where in the scalar: first character and length.
    pub offset: usize,
    pub length: usize,
    /// The text as written, for messages.
    pub text: String,
}

/// What a path starts from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Root {
    Segment {
        name: String,
        groups: Vec<String>,
        every: bool,
        absolute: bool,
        /// Only segments for which it holds.
        filter: Option<Box<Condition>>,
        field: Option<u16>,
        selector: Selector,
    },
    /// The item being mapped, seen as this v2 type.
    Type(String),
    /// The current item.
    Item,
}

/// Which repetitions of a field.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Selector {
    /// No mark.
    Plain,
    Every,
    /// 0-based.
    Nth(u16),
    Where(Box<Condition>),
}

/// A component or subcomponent number.
pub(crate) type Step = u16;

/// Reads a whole scalar as a path.
pub(crate) fn path(text: &str) -> Parsed<Path> {
    let mut cursor = Cursor::new(text);
    cursor.skip_space();
    let found = path_in(&mut cursor)?.ok_or_else(|| SyntaxError {
        offset: 0,
        length: text.chars().count().max(1),
        message: "a path is expected here, like PID-3.1".into(),
    })?;
    cursor.expect_end()?;
    Ok(found)
}

/// Reads a path if one starts here; leaves the cursor untouched otherwise.
pub(super) fn path_in(cursor: &mut Cursor) -> Parsed<Option<Path>> {
    let start = cursor.position();
    let read = match cursor.peek() {
        Some('.') => item(cursor)?,
        Some(c) if c == '/' || c.is_ascii_uppercase() => named(cursor)?,
        _ => None,
    };
    let Some((root, steps)) = read else {
        cursor.reset(start);
        return Ok(None);
    };
    let length = cursor.position() - start;
    let end = cursor.position();
    cursor.reset(start);
    let mut text = String::new();
    while cursor.position() < end {
        text.extend(cursor.bump());
    }
    Ok(Some(Path { root, steps, offset: start, length, text }))
}

fn item(cursor: &mut Cursor) -> Parsed<Option<(Root, Vec<Step>)>> {
    if cursor.peek_at(1).is_some_and(|c| c.is_ascii_digit()) {
        return Ok(Some((Root::Item, steps(cursor)?)));
    }
    cursor.bump();
    Ok(Some((Root::Item, Vec::new())))
}

fn named(cursor: &mut Cursor) -> Parsed<Option<(Root, Vec<Step>)>> {
    let absolute = cursor.eat('/');
    let first = name(cursor);
    if first.is_empty() {
        return Ok(None);
    }
    if !absolute && cursor.peek() == Some('.') && cursor.peek_at(1).is_some_and(|c| c.is_ascii_digit()) {
        return Ok(Some((Root::Type(first), steps(cursor)?)));
    }
    let mut every = cursor.eat('*');
    let mut groups = Vec::new();
    let mut segment = first;
    while cursor.peek() == Some('.') && cursor.peek_at(1).is_some_and(|c| c.is_ascii_uppercase()) {
        cursor.bump();
        groups.push(segment);
        segment = name(cursor);
        every = cursor.eat('*');
    }
    if segment.len() != 3 {
        return Ok(None);
    }
    let filter = if cursor.peek() == Some('(') { Some(filter(cursor)?) } else { None };
    let (field, selector) =
        if cursor.peek() == Some('-') && cursor.peek_at(1).is_some_and(|c| c.is_ascii_digit()) {
            cursor.bump();
            (Some(number(cursor)?), selector(cursor)?)
        } else {
            (None, Selector::Plain)
        };
    let bare = field.is_none() && filter.is_none() && !every && groups.is_empty() && !absolute;
    if bare && !boundary(cursor) {
        return Ok(None);
    }
    let steps = if field.is_some() { steps(cursor)? } else { Vec::new() };
    Ok(Some((Root::Segment { name: segment, groups, every, absolute, filter, field, selector }, steps)))
}

/// A bare segment name must stand alone (`PID`), else it is some other word.
fn boundary(cursor: &Cursor) -> bool {
    cursor.peek().is_none_or(|c| c.is_whitespace() || c == ')' || c == ',')
}

fn selector(cursor: &mut Cursor) -> Parsed<Selector> {
    match cursor.peek() {
        Some('*') => {
            cursor.bump();
            Ok(Selector::Every)
        }
        Some('~') => {
            cursor.bump();
            let n = number(cursor)?;
            Ok(Selector::Nth(n - 1))
        }
        Some('(') => filter(cursor).map(Selector::Where),
        _ => Ok(Selector::Plain),
    }
}

/// `(cond)`, after a segment or a field.
fn filter(cursor: &mut Cursor) -> Parsed<Box<Condition>> {
    cursor.bump();
    cursor.deeper()?;
    let filter = condition_in(cursor)?;
    cursor.shallower();
    cursor.skip_space();
    if !cursor.eat(')') {
        return Err(cursor.error("the filter needs its closing parenthesis"));
    }
    Ok(Box::new(filter))
}

fn steps(cursor: &mut Cursor) -> Parsed<Vec<Step>> {
    let mut steps = Vec::new();
    while cursor.peek() == Some('.') && cursor.peek_at(1).is_some_and(|c| c.is_ascii_digit()) {
        cursor.bump();
        steps.push(number(cursor)?);
    }
    if steps.len() > 3 {
        return Err(cursor.error("a path ends at the subcomponent"));
    }
    Ok(steps)
}

fn name(cursor: &mut Cursor) -> String {
    if cursor.peek().is_some_and(|c| c.is_ascii_uppercase()) {
        cursor.take_while(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
    } else {
        String::new()
    }
}

fn number(cursor: &mut Cursor) -> Parsed<u16> {
    let start = cursor.position();
    let digits = cursor.take_while(|c| c.is_ascii_digit());
    match digits.parse::<u16>() {
        Ok(n) if n > 0 => Ok(n),
        Ok(_) | Err(_) => Err(cursor.error_from(start, "a number from 1 is expected here")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read() {
        for text in [
            "PID-3.4.2",
            "PID-3*",
            "PID-3~1",
            "PID-3(.5=MR).1",
            "CX.4.1",
            ".",
            ".5",
            "/MSH-7",
            "NK1*",
            "NTE*-3*",
            "OBSERVATION*.OBX-5",
            "OBX*(OBX-3.1 = 8302-2)-5",
            "OBSERVATION*.OBX(OBX-4 = outer(OBX-4))-5.1",
            "OBX(OBX-5)",
            "A*.B.NK1*",
            "PID",
        ] {
            assert_eq!(path(text).map(|p| p.text), Ok(text.to_owned()));
        }
    }

    #[test]
    fn zero_and_rubbish_are_refused() {
        for text in ["PID-0", "PID-3~0", "PID-3(.5=MR", "OBX(OBX-3", "OBX()-5", "pid-3", "PID-3 x", ""] {
            assert!(path(text).is_err(), "{text}");
        }
    }
}
