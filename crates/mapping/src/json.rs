//! JSON objects of given properties. `json!` copies each value that it is given; these take it.

use serde_json::{Map, Value};

/// An object.
pub(crate) fn object<const N: usize>(properties: [(&str, Value); N]) -> Value {
    Value::Object(properties.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// A list of one.
pub(crate) fn list_of(item: Value) -> Value {
    Value::Array(vec![item])
}

/// A Reference to a resource.
pub(crate) fn reference(to: String) -> Value {
    object([("reference", to.into())])
}

/// Adds an item to a list of an object, which is made when there is none.
pub(crate) fn push(object: &mut Map<String, Value>, name: &str, item: Value) {
    match object.get_mut(name) {
        Some(Value::Array(list)) => list.push(item),
        Some(_) | None => {
            object.insert(name.to_owned(), list_of(item));
        }
    }
}
