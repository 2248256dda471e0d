//! Values (`PID-3~1 ?? =x`), rules (`PID-16 as CWE.CodeableConcept code marital-status`).

use super::Parsed;
use super::cursor::Cursor;
use super::path::{Path, path_in};

/// A value as written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Path(Path),
    Literal {
        text: String,
        offset: usize,
    },
    /// `site.fact`.
    Fact {
        name: String,
        offset: usize,
    },
    Call {
        function: String,
        arguments: Vec<Value>,
        offset: usize,
    },
    /// `a ?? b`.
    First(Vec<Value>),
}

/// What `as` asks for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Conversion {
    Primitive(String),
    /// `CWE.CodeableConcept`, `NK1.Patient.contact`, `PID.us-core-race`.
    Map {
        source: String,
        target: String,
    },
}

/// A rule string, taken apart.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Rule {
    pub value: Option<Value>,
    pub conversion: Option<(Conversion, usize)>,
    pub table: Option<(String, usize)>,
    pub system: bool,
    /// `ref` after a conversion: make the resource and refer to it.
    pub make_reference: bool,
    /// `ref HANDLE` or `ref *`.
    pub reference: Option<(String, usize)>,
}

/// Reads a whole scalar as a value.
pub(crate) fn value(text: &str) -> Parsed<Value> {
    let mut cursor = Cursor::new(text);
    let found = value_in(&mut cursor)?;
    cursor.expect_end()?;
    Ok(found)
}

/// Reads a whole scalar as a rule: alternatives, each with its own conversion.
pub(crate) fn rule(text: &str) -> Parsed<Vec<Rule>> {
    let mut cursor = Cursor::new(text);
    let mut found = vec![single(&mut cursor)?];
    while cursor.eat_text("??") {
        found.push(single(&mut cursor)?);
    }
    cursor.expect_end()?;
    Ok(found)
}

fn single(cursor: &mut Cursor) -> Parsed<Rule> {
    let mut found = Rule::default();
    let start = cursor.position();
    if cursor.eat_word("ref") {
        cursor.skip_space();
        let offset = cursor.position();
        let handle = if cursor.eat('*') { "*".to_owned() } else { word(cursor) };
        if handle.is_empty() {
            return Err(cursor.error("ref needs a handle"));
        }
        found.reference = Some((handle, offset));
        return Ok(found);
    }
    cursor.reset(start);
    found.value = Some(value_in(cursor)?);
    if cursor.eat_word("as") {
        found.conversion = Some(conversion(cursor)?);
    }
    if cursor.eat_word("code") {
        cursor.skip_space();
        let offset = cursor.position();
        let table = table_name(cursor);
        if table.is_empty() {
            return Err(cursor.error("code needs the name of a code table"));
        }
        found.table = Some((table, offset));
    }
    found.system = cursor.eat_word("system");
    found.make_reference = cursor.eat_word("ref");
    Ok(found)
}

/// Reads the scalar of an `as` key: `date` or `CWE.CodeableConcept`.
pub(crate) fn conversion_of(text: &str) -> Parsed<Conversion> {
    let mut cursor = Cursor::new(text);
    let (found, _) = conversion(&mut cursor)?;
    cursor.expect_end()?;
    Ok(found)
}

fn conversion(cursor: &mut Cursor) -> Parsed<(Conversion, usize)> {
    cursor.skip_space();
    let offset = cursor.position();
    let first = word(cursor);
    if first.is_empty() {
        return Err(cursor.error("as needs a type"));
    }
    if cursor.eat('.') {
        // A target is named as a code table is: letters, digits, dots and hyphens.
        let target = table_name(cursor);
        if target.is_empty() {
            return Err(cursor.error("the FHIR type is missing after the dot"));
        }
        return Ok((Conversion::Map { source: first, target }, offset));
    }
    Ok((Conversion::Primitive(first), offset))
}

pub(super) fn value_in(cursor: &mut Cursor) -> Parsed<Value> {
    let first = term(cursor)?;
    let mut alternatives = vec![first];
    while cursor.eat_text("??") {
        alternatives.push(term(cursor)?);
    }
    Ok(match (alternatives.pop(), alternatives.is_empty()) {
        (Some(only), true) => only,
        (last, _) => {
            alternatives.extend(last);
            Value::First(alternatives)
        }
    })
}

pub(super) fn term(cursor: &mut Cursor) -> Parsed<Value> {
    cursor.skip_space();
    let offset = cursor.position();
    if cursor.eat('"') {
        return Ok(Value::Literal { text: cursor.quoted()?, offset });
    }
    if cursor.eat('=') {
        let text = if cursor.eat('"') {
            cursor.quoted()?
        } else {
            cursor.take_while(|c| !c.is_whitespace() && c != ')' && c != ',')
        };
        if text.is_empty() {
            return Err(cursor.error_from(offset, "the literal is empty"));
        }
        return Ok(Value::Literal { text, offset });
    }
    if let Some(path) = path_in(cursor)? {
        return Ok(Value::Path(path));
    }
    let name = cursor.take_while(|c| c.is_ascii_alphanumeric() || c == '_');
    if name == "site" && cursor.eat('.') {
        let fact = word(cursor);
        return if fact.is_empty() {
            Err(cursor.error("the fact's name is missing"))
        } else {
            Ok(Value::Fact { name: fact, offset })
        };
    }
    if name.is_empty() || !cursor.eat('(') {
        return Err(cursor.error_from(offset, "a path, =literal or function is expected here"));
    }
    call(cursor, name, offset)
}

fn call(cursor: &mut Cursor, function: String, offset: usize) -> Parsed<Value> {
    cursor.deeper()?;
    let mut arguments = Vec::new();
    cursor.skip_space();
    while !cursor.eat(')') {
        // The first argument of these two is a name, no value.
        if function == "id" || function == "lookup" && arguments.is_empty() {
            let at = cursor.position();
            let name = table_name(cursor);
            if name.is_empty() {
                return Err(cursor.error(if function == "id" {
                    "id needs a handle"
                } else {
                    "lookup needs the name of a code table"
                }));
            }
            arguments.push(Value::Literal { text: name, offset: at });
        } else {
            arguments.push(value_in(cursor)?);
        }
        cursor.skip_space();
        if !cursor.eat(',') && cursor.peek() != Some(')') {
            return Err(cursor.error("a comma or the closing parenthesis is expected here"));
        }
        cursor.skip_space();
    }
    cursor.shallower();
    Ok(Value::Call { function, arguments, offset })
}

fn table_name(cursor: &mut Cursor) -> String {
    cursor.take_while(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == '.')
}

fn word(cursor: &mut Cursor) -> String {
    cursor.take_while(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_string_is_taken_apart() {
        let read = rule("PID-16 as CWE.CodeableConcept code marital-status").expect("good rule").remove(0);
        assert_eq!(
            read.conversion.map(|c| c.0),
            Some(Conversion::Map { source: "CWE".into(), target: "CodeableConcept".into() })
        );
        assert_eq!(read.table.map(|t| t.0), Some("marital-status".into()));
        assert_eq!(rule("ref patient").expect("good")[0].reference.clone(), Some(("patient".into(), 4)));
        assert!(rule("PD1-4* as XCN.Practitioner ref").expect("good")[0].make_reference);
    }

    #[test]
    fn an_error_points_at_the_character() {
        assert_eq!(rule("PID-7 az date").map_err(|e| e.offset), Err(6));
        assert_eq!(value("count(PID-11").map_err(|e| e.offset), Err(12));
        assert!(value("PID-7 ??").is_err());
        assert_eq!(rule("CWE.14 system ?? CWE.3 system").map(|r| r.len()), Ok(2));
    }
}
