//! What is wrong with a policy or profile file, and where.

use std::fmt;

/// A finding that keeps a policy or profile from loading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Path of the file inside its folder.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Length in characters of what is marked.
    pub length: usize,
    /// Stable code (`undecided-element`).
    pub code: &'static str,
    /// What is wrong, a lowercase fragment.
    pub message: String,
    /// What would put it right.
    pub help: Option<String>,
}

impl Diagnostic {
    pub(crate) fn new(file: &str, place: Place, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line: place.line,
            column: place.column,
            length: place.length,
            code,
            message: message.into(),
            help: None,
        }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}:{}: {} [{}]", self.file, self.line, self.column, self.message, self.code)?;
        if let Some(help) = &self.help {
            write!(formatter, "; {help}")?;
        }
        Ok(())
    }
}

/// A span inside a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) length: usize,
}

impl Place {
    /// The start of a file.
    pub(crate) const START: Self = Self { line: 1, column: 1, length: 1 };

    pub(crate) fn of<T>(spanned: &serde_saphyr::Spanned<T>, length: usize) -> Self {
        Self::at(spanned.referenced, length)
    }

    pub(crate) fn at(location: serde_saphyr::Location, length: usize) -> Self {
        let number = |value: u64| usize::try_from(value).unwrap_or(usize::MAX).max(1);
        Self { line: number(location.line()), column: number(location.column()), length }
    }
}

/// Reads a YAML file whole into its types; unknown keys are errors of the types.
pub(crate) fn read_yaml<T: serde::de::DeserializeOwned>(file: &str, text: &str) -> Result<T, Diagnostic> {
    serde_saphyr::from_str(text).map_err(|error| {
        let place = error.location().map_or(Place::START, |location| Place::at(location, 1));
        Diagnostic::new(file, place, "yaml", error.without_snippet().to_string())
    })
}

/// The listed word closest to a misspelt one, when it is close.
pub(crate) fn nearest<'a>(word: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 4).max(2);
    words
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(far, _)| *far <= limit)
        .min()
        .map(|(_, near)| near)
}

/// Levenshtein distance in characters.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, a) in left.chars().enumerate() {
        let mut diagonal = index;
        let mut before = index + 1;
        let mut next = vec![before];
        for (b, above) in right.iter().zip(row.iter().skip(1)) {
            let cost = (diagonal + usize::from(a != *b)).min(before + 1).min(above + 1);
            diagonal = *above;
            before = cost;
            next.push(cost);
        }
        row = next;
    }
    row.last().copied().unwrap_or(usize::MAX)
}
