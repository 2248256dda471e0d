//! JSON Patch (RFC 6902) over JSON Pointer (RFC 6901), all operations or none.

use serde_json::Value;

/// Operations of one patch.
pub(crate) const OPERATIONS_MAX: usize = 1_000;

/// What of a resource a patch may not touch: the server's own.
const OWN: [&str; 4] = ["/id", "/resourceType", "/meta/versionId", "/meta/lastUpdated"];

/// A patch that was read.
#[derive(Clone)]
pub(crate) struct Patch(Vec<Operation>);

impl std::fmt::Debug for Patch {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Patch({} operations)", self.0.len())
    }
}

#[derive(Clone)]
enum Operation {
    Add(Pointer, Value),
    Remove(Pointer),
    Replace(Pointer, Value),
    Move(Pointer, Pointer),
    Copy(Pointer, Pointer),
    Test(Pointer, Value),
}

/// The parts of a pointer, unescaped.
#[derive(Clone, PartialEq, Eq)]
struct Pointer(Vec<String>);

/// Why a patch is refused: the operation's number from 1, and what is wrong with it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It is no patch.
    Malformed(usize, &'static str),
    /// It does not fit what stands.
    Unfit(usize, &'static str),
    /// A test failed.
    Test(usize),
}

impl Patch {
    /// Reads a patch.
    ///
    /// # Errors
    /// [`Refused::Malformed`], with number 0 for the patch as a whole.
    pub(crate) fn read(value: &Value) -> Result<Self, Refused> {
        let Some(items) = value.as_array() else {
            return Err(Refused::Malformed(0, "a JSON Patch is an array of operations"));
        };
        if items.is_empty() || items.len() > OPERATIONS_MAX {
            return Err(Refused::Malformed(0, "a JSON Patch has 1 to 1000 operations"));
        }
        let numbered = (1..).zip(items);
        numbered
            .map(|(number, item)| operation(item).map_err(|what| Refused::Malformed(number, what)))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The document after all operations.
    ///
    /// # Errors
    /// [`Refused::Unfit`] and [`Refused::Test`]; the document is as it was then.
    pub(crate) fn apply(&self, document: &Value) -> Result<Value, Refused> {
        let mut patched = document.clone();
        for (number, operation) in (1..).zip(&self.0) {
            operation.apply(&mut patched, number)?;
        }
        Ok(patched)
    }
}

fn operation(item: &Value) -> Result<Operation, &'static str> {
    let name = item.get("op").and_then(Value::as_str).ok_or("`op` is absent")?;
    let pointer = |member: &str| -> Result<Pointer, &'static str> {
        let text = item.get(member).and_then(Value::as_str).ok_or("`path` or `from` is absent")?;
        Pointer::read(text)
    };
    let value = || item.get("value").cloned().ok_or("`value` is absent");
    let own = |pointer: Pointer| {
        if pointer.is_own() { Err("the server's own elements are not patched") } else { Ok(pointer) }
    };
    let path = pointer("path")?;
    match name {
        "add" => Ok(Operation::Add(own(path)?, value()?)),
        "remove" => Ok(Operation::Remove(own(path)?)),
        "replace" => Ok(Operation::Replace(own(path)?, value()?)),
        "move" => {
            let from = own(pointer("from")?)?;
            if path.0.starts_with(&from.0) && path != from {
                return Err("a value is not moved into itself");
            }
            Ok(Operation::Move(from, own(path)?))
        }
        "copy" => Ok(Operation::Copy(pointer("from")?, own(path)?)),
        "test" => Ok(Operation::Test(path, value()?)),
        _ => Err("`op` is add, remove, replace, move, copy or test"),
    }
}

impl Pointer {
    fn read(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() {
            return Ok(Self(Vec::new()));
        }
        let Some(rest) = text.strip_prefix('/') else { return Err("a pointer begins with a slash") };
        let part = |part: &str| {
            let is_escaped = part.split('~').skip(1).all(|after| after.starts_with(['0', '1']));
            is_escaped.then(|| part.replace("~1", "/").replace("~0", "~"))
        };
        rest.split('/').map(part).collect::<Option<_>>().map(Self).ok_or("an escape of a pointer is broken")
    }

    /// Whether what it points at is the server's own or holds it whole: the document, `id`, `meta.versionId`.
    fn is_own(&self) -> bool {
        let text: String = self.0.iter().flat_map(|part| ["/", part.as_str()]).collect();
        self.0.is_empty() || OWN.contains(&text.as_str())
    }

    fn parent<'v>(&self, document: &'v mut Value) -> Option<(&'v mut Value, &str)> {
        let (last, above) = self.0.split_last()?;
        let mut at = document;
        for part in above {
            at = step(at, part)?;
        }
        Some((at, last))
    }

    fn find<'v>(&self, document: &'v Value) -> Option<&'v Value> {
        self.0.iter().try_fold(document, |at, part| match at {
            Value::Object(members) => members.get(part),
            Value::Array(items) => items.get(index(part)?),
            _ => None,
        })
    }
}

fn step<'v>(at: &'v mut Value, part: &str) -> Option<&'v mut Value> {
    match at {
        Value::Object(members) => members.get_mut(part),
        Value::Array(items) => items.get_mut(index(part)?),
        _ => None,
    }
}

/// An index without sign or leading zero.
fn index(part: &str) -> Option<usize> {
    let is_plain = part.bytes().all(|byte| byte.is_ascii_digit()) && (part == "0" || !part.starts_with('0'));
    if is_plain { part.parse().ok() } else { None }
}

impl Operation {
    fn apply(&self, document: &mut Value, number: usize) -> Result<(), Refused> {
        let unfit = |done: Option<()>| done.ok_or(Refused::Unfit(number, "there is no such element"));
        match self {
            Self::Add(path, value) => unfit(add(document, path, value.clone())),
            Self::Remove(path) => unfit(remove(document, path).map(drop)),
            Self::Replace(path, value) => unfit(path.parent(document).and_then(|(parent, last)| {
                *step(parent, last)? = value.clone();
                Some(())
            })),
            Self::Move(from, path) => {
                unfit(remove(document, from).and_then(|value| add(document, path, value)))
            }
            Self::Copy(from, path) => {
                unfit(from.find(document).cloned().and_then(|value| add(document, path, value)))
            }
            Self::Test(path, value) => {
                let is_equal = path.find(document).is_some_and(|found| same(found, value));
                if is_equal { Ok(()) } else { Err(Refused::Test(number)) }
            }
        }
    }
}

fn add(document: &mut Value, path: &Pointer, value: Value) -> Option<()> {
    let (parent, last) = path.parent(document)?;
    match parent {
        Value::Object(members) => drop(members.insert(last.to_owned(), value)),
        Value::Array(items) => {
            let at = if last == "-" { items.len() } else { index(last)? };
            if at > items.len() {
                return None;
            }
            items.insert(at, value);
        }
        _ => return None,
    }
    Some(())
}

fn remove(document: &mut Value, path: &Pointer) -> Option<Value> {
    let (parent, last) = path.parent(document)?;
    match parent {
        Value::Object(members) => members.remove(last),
        Value::Array(items) => {
            let at = index(last).filter(|at| *at < items.len())?;
            Some(items.remove(at))
        }
        _ => None,
    }
}

/// Equality of RFC 6902 §4.6: numbers by their value.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one == other || one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, value)| other.get(name).is_some_and(|other| same(value, other)))
        }
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn patched(document: &Value, patch: Value) -> Result<Value, Refused> {
        Patch::read(&patch).and_then(|patch| patch.apply(document))
    }

    #[test]
    fn operations_do_what_rfc_6902_says() {
        for (document, patch, expected) in [
            (json!({"a": 1}), json!([{"op": "add", "path": "/b", "value": 2}]), json!({"a": 1, "b": 2})),
            (
                json!({"a": [1, 3]}),
                json!([{"op": "add", "path": "/a/1", "value": 2}]),
                json!({"a": [1, 2, 3]}),
            ),
            (json!({"a": [1]}), json!([{"op": "add", "path": "/a/-", "value": 2}]), json!({"a": [1, 2]})),
            (json!({"a": 1, "b": 2}), json!([{"op": "remove", "path": "/a"}]), json!({"b": 2})),
            (json!({"a": [1, 2]}), json!([{"op": "remove", "path": "/a/0"}]), json!({"a": [2]})),
            (json!({"a": 1}), json!([{"op": "replace", "path": "/a", "value": null}]), json!({"a": null})),
            (
                json!({"a": {"b": 1}, "c": {}}),
                json!([{"op": "move", "from": "/a/b", "path": "/c/d"}]),
                json!({"a": {}, "c": {"d": 1}}),
            ),
            (
                json!({"a": [1]}),
                json!([{"op": "copy", "from": "/a", "path": "/b"}]),
                json!({"a": [1], "b": [1]}),
            ),
            (
                json!({"a/b": 1, "m~n": 2}),
                json!([{"op": "remove", "path": "/a~1b"}, {"op": "test", "path": "/m~0n", "value": 2}]),
                json!({"m~n": 2}),
            ),
            (
                json!({"a": 1.0}),
                json!([{"op": "test", "path": "/a", "value": 1.00}, {"op": "test", "path": "", "value": {"a": 1}}]),
                json!({"a": 1.0}),
            ),
        ] {
            assert_eq!(patched(&document, patch.clone()), Ok(expected), "{patch}");
        }
    }

    #[test]
    fn what_does_not_fit_changes_nothing() {
        let document = json!({"a": [1], "b": {"c": 1}});
        for (patch, expected) in [
            (json!([{"op": "remove", "path": "/x"}]), Refused::Unfit(1, "there is no such element")),
            (
                json!([{"op": "add", "path": "/x/y", "value": 1}]),
                Refused::Unfit(1, "there is no such element"),
            ),
            (
                json!([{"op": "add", "path": "/a/2", "value": 1}]),
                Refused::Unfit(1, "there is no such element"),
            ),
            (
                json!([{"op": "add", "path": "/a/01", "value": 1}]),
                Refused::Unfit(1, "there is no such element"),
            ),
            (
                json!([{"op": "replace", "path": "/a/1", "value": 1}]),
                Refused::Unfit(1, "there is no such element"),
            ),
            (
                json!([{"op": "remove", "path": "/a/0"}, {"op": "test", "path": "/b/c", "value": 2}]),
                Refused::Test(2),
            ),
            (json!([{"op": "test", "path": "/x", "value": null}]), Refused::Test(1)),
        ] {
            assert_eq!(patched(&document, patch.clone()), Err(expected), "{patch}");
        }
    }

    #[test]
    fn what_is_no_patch_is_refused() {
        for patch in [
            json!({}),
            json!([]),
            json!([{}]),
            json!([{"op": "add", "path": "/a"}]),
            json!([{"op": "jump", "path": "/a"}]),
            json!([{"op": "remove", "path": "a"}]),
            json!([{"op": "remove", "path": "/a~2"}]),
            json!([{"op": "move", "from": "/a", "path": "/a/b"}]),
            json!([{"op": "copy", "path": "/a"}]),
        ] {
            assert!(matches!(Patch::read(&patch), Err(Refused::Malformed(..))), "{patch}");
        }
    }

    #[test]
    fn the_servers_own_elements_are_not_patched() {
        for path in ["/id", "/resourceType", "/meta/versionId", "/meta/lastUpdated", ""] {
            for op in ["add", "replace", "remove"] {
                let patch = json!([{"op": op, "path": path, "value": "x"}]);
                assert!(matches!(Patch::read(&patch), Err(Refused::Malformed(1, _))), "{op} {path}");
            }
            let moved = json!([{"op": "move", "from": "/a", "path": path}]);
            assert!(matches!(Patch::read(&moved), Err(Refused::Malformed(1, _))), "{path}");
        }
        assert!(Patch::read(&json!([{"op": "test", "path": "/id", "value": "x"}])).is_ok());
    }
}
