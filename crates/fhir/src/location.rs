//! Where a walk over a resource stands, as a chain on the stack that becomes FHIRPath text only when an issue needs it.

use std::fmt::Write as _;

/// Most characters of a JSON name that an issue repeats.
const NAME_CHARS_MAX: usize = 64;

/// One step of the path from the resource to the element.
#[derive(Clone, Copy)]
pub(crate) struct Location<'a> {
    parent: Option<&'a Location<'a>>,
    name: &'a str,
    index: Option<usize>,
}

impl<'a> Location<'a> {
    /// The start: a resource type or type name.
    pub(crate) fn root(name: &'a str) -> Self {
        Self { parent: None, name, index: None }
    }

    /// A child element.
    pub(crate) fn child(&'a self, name: &'a str) -> Self {
        Self { parent: Some(self), name, index: None }
    }

    /// The same element, one of its repetitions (from 0).
    pub(crate) fn repetition(self, index: usize) -> Self {
        Self { index: Some(index), ..self }
    }

    fn write(&self, text: &mut String) {
        if let Some(parent) = self.parent {
            parent.write(text);
            text.push('.');
        }
        text.push_str(self.name);
        if let Some(index) = self.index {
            // Writing to a String cannot fail.
            let _infallible = write!(text, "[{index}]");
        }
    }
}

impl std::fmt::Display for Location<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = String::new();
        self.write(&mut text);
        formatter.write_str(&text)
    }
}

/// A JSON name as an issue may show it: only what has the form of an element name, so that no content slips in by a key.
pub(crate) fn presentable(json_name: &str) -> Option<&str> {
    let letters = json_name.strip_prefix('_').unwrap_or(json_name);
    let element_like = letters.starts_with(|first: char| first.is_ascii_lowercase())
        && letters.bytes().all(|byte| byte.is_ascii_alphabetic())
        && json_name.len() <= NAME_CHARS_MAX;
    element_like.then_some(json_name)
}
