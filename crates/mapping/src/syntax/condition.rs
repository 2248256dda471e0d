//! `PV1-2 and PV1-2 != N`, `NK1-3 = EMR/E/F`, `precision(PID-7) >= hour`.

use super::Parsed;
use super::cursor::Cursor;
use super::path::path_in;
use super::value::{Value, term, value_in};

/// A condition as written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    Valued(Value),
    Null(Value),
    Compare { left: Value, operator: Operator, right: Vec<Value> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Reads a whole scalar as a condition.
pub(crate) fn condition(text: &str) -> Parsed<Condition> {
    let mut cursor = Cursor::new(text);
    let found = condition_in(&mut cursor)?;
    cursor.expect_end()?;
    Ok(found)
}

pub(super) fn condition_in(cursor: &mut Cursor) -> Parsed<Condition> {
    let mut parts = vec![conjunction(cursor)?];
    while cursor.eat_word("or") {
        parts.push(conjunction(cursor)?);
    }
    Ok(single(parts, Condition::Any))
}

fn conjunction(cursor: &mut Cursor) -> Parsed<Condition> {
    let mut parts = vec![negation(cursor)?];
    while cursor.eat_word("and") {
        parts.push(negation(cursor)?);
    }
    Ok(single(parts, Condition::All))
}

fn single(mut parts: Vec<Condition>, many: fn(Vec<Condition>) -> Condition) -> Condition {
    match (parts.pop(), parts.is_empty()) {
        (Some(only), true) => only,
        (last, _) => {
            parts.extend(last);
            many(parts)
        }
    }
}

fn negation(cursor: &mut Cursor) -> Parsed<Condition> {
    if !cursor.eat_word("not") {
        return test(cursor);
    }
    cursor.deeper()?;
    let inner = negation(cursor)?;
    cursor.shallower();
    Ok(Condition::Not(Box::new(inner)))
}

fn test(cursor: &mut Cursor) -> Parsed<Condition> {
    cursor.skip_space();
    if cursor.eat('(') {
        cursor.deeper()?;
        let inner = condition_in(cursor)?;
        cursor.shallower();
        cursor.skip_space();
        return if cursor.eat(')') {
            Ok(inner)
        } else {
            Err(cursor.error("a closing parenthesis is expected here"))
        };
    }
    let left = value_in(cursor)?;
    if cursor.eat_word("is") {
        return if cursor.eat_word("null") {
            Ok(Condition::Null(left))
        } else {
            Err(cursor.error("only `is null` is known"))
        };
    }
    let Some(operator) = operator(cursor) else { return Ok(Condition::Valued(left)) };
    Ok(Condition::Compare { left, operator, right: alternatives(cursor)? })
}

fn operator(cursor: &mut Cursor) -> Option<Operator> {
    [
        ("!=", Operator::NotEqual),
        ("<=", Operator::LessOrEqual),
        (">=", Operator::GreaterOrEqual),
        ("=", Operator::Equal),
        ("<", Operator::Less),
        (">", Operator::Greater),
    ]
    .into_iter()
    .find(|(text, _)| cursor.eat_text(text))
    .map(|(_, operator)| operator)
}

fn alternatives(cursor: &mut Cursor) -> Parsed<Vec<Value>> {
    let mut found = Vec::new();
    loop {
        cursor.skip_space();
        found.push(right(cursor)?);
        if !cursor.eat('/') {
            return Ok(found);
        }
    }
}

/// The right side: a quoted text, a path with a field number, a call, or a bare word.
fn right(cursor: &mut Cursor) -> Parsed<Value> {
    let offset = cursor.position();
    if cursor.eat('"') {
        return Ok(Value::Literal { text: cursor.quoted()?, offset });
    }
    if let Some(path) = path_in(cursor)? {
        if path.text.contains(['-', '.']) {
            return Ok(Value::Path(path));
        }
        cursor.reset(offset);
    }
    let text = cursor.take_while(|c| !c.is_whitespace() && !matches!(c, ')' | '(' | ',' | '/'));
    if cursor.peek() == Some('(') || text.starts_with("site.") {
        cursor.reset(offset);
        return term(cursor);
    }
    if text.is_empty() {
        return Err(cursor.error("a word to compare with is expected here"));
    }
    Ok(Value::Literal { text, offset })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precedence_and_alternatives() {
        let read = condition("PV1-2 and PV1-2 != N or not NK1-3 = EMR/E/F").expect("good");
        let Condition::Any(parts) = read else { panic!("or binds loosest") };
        assert!(matches!(&parts[0], Condition::All(all) if all.len() == 2));
        assert!(
            matches!(&parts[1], Condition::Not(inner) if matches!(&**inner, Condition::Compare { right, .. } if right.len() == 3))
        );
    }

    #[test]
    fn bare_three_letter_words_are_words() {
        let Ok(Condition::Compare { right, .. }) = condition("NK1-3 = EMR") else { panic!("compares") };
        assert!(matches!(&right[0], Value::Literal { text, .. } if text == "EMR"));
    }

    #[test]
    fn half_a_condition_is_refused() {
        for text in ["PV1-2 =", "not", "(PV1-2", "PV1-2 and", "PV1-2 is nul"] {
            assert!(condition(text).is_err(), "{text}");
        }
    }
}
