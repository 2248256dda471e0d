//! A regular expression of a constraint, compiled when it is first needed.

use std::sync::OnceLock;

use regex::{Regex, RegexBuilder};

/// Most bytes a compiled expression may take.
const COMPILED_BYTES_MAX: usize = 4 << 20;

/// A regular expression. Those of R4 are compiled by the first match, for most resources need none.
pub(crate) struct Pattern {
    text: Box<str>,
    compiled: OnceLock<Option<Regex>>,
}

impl Pattern {
    pub(crate) fn new(text: &str) -> Self {
        Self { text: text.into(), compiled: OnceLock::new() }
    }

    /// The expression; `None` when the text is none, or one that is too large.
    pub(crate) fn get(&self) -> Option<&Regex> {
        let build = || RegexBuilder::new(&self.text).size_limit(COMPILED_BYTES_MAX).build().ok();
        self.compiled.get_or_init(build).as_ref()
    }
}

impl std::fmt::Debug for Pattern {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "/{}/", self.text)
    }
}
