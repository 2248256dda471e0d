//! The forms of scalars, as regular expressions without look-around. Nested parentheses are no matter of theirs.

use crate::check::FUNCTIONS;
use serde_json::{Value, json};

/// What a map is of: `PID`, `CX`.
pub(super) const SOURCE: &str = "[A-Z][A-Z0-9]{1,2}";
/// A map to a resource, with groups and `*` before the segment.
pub(super) const MADE: &str = r"^([A-Z][A-Z0-9_]*\*?\.)*[A-Z][A-Z0-9]{2}\*? -> [A-Za-z]+(-[A-Za-z0-9]+)?$";
/// `PID-1 PID-2`, `CX.9`.
pub(super) const IGNORED: &str = r"^[A-Z/][A-Za-z0-9_/*~.() =-]*$";
/// `date`, `CWE.CodeableConcept`, `NK1.Patient.contact`.
pub(super) const CONVERSION: &str = r"^[A-Za-z0-9]+(\.[A-Za-z][A-Za-z0-9.-]*)?$";

const PARTS: &str = r"[1-9][0-9]*(\*|~[1-9][0-9]*|\(.+\))?(\.[1-9][0-9]*)*";

/// A scalar of YAML, whatever an editor takes it for.
pub(super) fn text() -> Value {
    json!({"type": ["string", "number", "boolean", "null"]})
}

/// A text that is this from end to end.
pub(super) fn pattern(body: &str) -> Value {
    json!({"type": "string", "pattern": format!("^({body})$")})
}

fn path_body() -> String {
    let segment = format!(r"/?([A-Z][A-Z0-9_]*\*?\.)*[A-Z][A-Z0-9]{{2}}\*?(\(.+\))?(-{PARTS})?");
    // A component of the item of a type map.
    let component = r"[A-Z][A-Z0-9]{1,2}(\.[1-9][0-9]*)+";
    let item = r"\.([1-9][0-9]*(\.[1-9][0-9]*)*)?";
    format!("{segment}|{component}|{item}")
}

fn term_body() -> String {
    let functions: Vec<&str> = FUNCTIONS.iter().map(|(name, ..)| *name).chain(["id", "lookup"]).collect();
    let literal = r#"=?"[^"]*"|=[^\s"][^\s]*"#;
    let call = format!(r"({})\(.*\)", functions.join("|"));
    format!(r"({}|{literal}|site\.[A-Za-z0-9_]+|{call})", path_body())
}

fn value_body() -> String {
    let term = term_body();
    format!(r"{term}(\s*\?\?\s*{term})*")
}

/// The same; an editor takes `.1` for a number.
fn number_or(body: &str) -> Value {
    json!({"type": ["string", "number"], "pattern": format!("^({body})$")})
}

/// `PID-3~1`.
pub(super) fn path() -> Value {
    number_or(&path_body())
}

/// `PID-3(.5=MR) ?? PID-3~1`.
pub(super) fn value() -> Value {
    number_or(&value_body())
}

/// `PID-16 as CWE.CodeableConcept code marital-status`.
pub(super) fn rule() -> Value {
    let tail = r"(\s+as\s+[A-Za-z0-9]+(\.[A-Za-z][A-Za-z0-9.-]*)?)?(\s+code\s+[A-Za-z0-9_.-]+)?(\s+system)?(\s+ref)?";
    let one = format!(r"(ref\s+(\*|[A-Za-z0-9_]+)|{}{tail})", value_body());
    number_or(&format!(r"{one}(\s*\?\?\s*{one})*"))
}

/// A condition: what it may begin with.
pub(super) fn condition() -> Value {
    json!({"type": ["string", "number"], "pattern": r#"^(not[ (]|\(|[A-Z/.="]|[a-z]+\(|site\.)"#})
}
