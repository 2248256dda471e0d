//! Load-time findings: where, what, and the nearest right spelling.

/// A load-time finding: everything an editor needs. `line` and `column` are 1-based.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Path of the file inside the package.
    pub file: String,
    /// 1-based line.
    pub line: usize,
    /// 1-based column, in characters.
    pub column: usize,
    /// Characters to underline, at least 1.
    pub length: usize,
    /// Stable code, `E0214`.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// What would be right, when it is known.
    pub help: Option<String>,
}

impl std::fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}:{}:{}  {}", self.code, self.file, self.line, self.column, self.message)?;
        self.help.as_ref().map_or(Ok(()), |help| write!(f, " ({help})"))
    }
}

/// A place in a file of the package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Place {
    /// Index into the package's file list.
    pub file: u32,
    pub line: u32,
    pub column: u32,
    pub length: u32,
}

impl Place {
    /// The same line, `offset` characters further right.
    pub fn shifted(self, offset: usize, length: usize) -> Place {
        let offset = u32::try_from(offset).unwrap_or(0);
        Place {
            column: self.column.saturating_add(offset),
            length: u32::try_from(length).unwrap_or(1).max(1),
            ..self
        }
    }
}

/// Collects every finding of one load.
#[derive(Default)]
pub(crate) struct Findings {
    pub files: Vec<String>,
    pub list: Vec<Diagnostic>,
}

impl Findings {
    /// Adds a finding.
    pub fn add(&mut self, place: Place, code: &'static str, message: impl Into<String>) {
        self.push(place, code, message.into(), None);
    }

    /// Adds a finding with the nearest of `candidates` to `given` as help.
    pub fn add_near<'c>(
        &mut self,
        place: Place,
        code: &'static str,
        message: impl Into<String>,
        given: &str,
        candidates: impl IntoIterator<Item = &'c str>,
    ) {
        let help = nearest(given, candidates).map(|near| format!("did you mean {near}?"));
        self.push(place, code, message.into(), help);
    }

    /// Adds a finding with a help text.
    pub fn add_help(
        &mut self,
        place: Place,
        code: &'static str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.push(place, code, message.into(), Some(help.into()));
    }

    fn push(&mut self, place: Place, code: &'static str, message: String, help: Option<String>) {
        let index = usize::try_from(place.file).unwrap_or(usize::MAX);
        let found = Diagnostic {
            file: self.files.get(index).cloned().unwrap_or_default(),
            line: usize::try_from(place.line).unwrap_or(0),
            column: usize::try_from(place.column).unwrap_or(0),
            length: usize::try_from(place.length).unwrap_or(1).max(1),
            code,
            message,
            help,
        };
        if !self.list.contains(&found) {
            self.list.push(found);
        }
    }
}

/// The candidate closest to `given`, when close enough to be a slip of the pen.
pub(crate) fn nearest<'c>(given: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let limit = given.chars().count().max(3) / 3 + 1;
    candidates
        .into_iter()
        .filter(|candidate| *candidate != given)
        .map(|candidate| (edit_distance(given, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance, case ignored.
fn edit_distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().flat_map(char::to_lowercase).collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, l) in left.chars().flat_map(char::to_lowercase).enumerate() {
        let mut previous = row.first().copied().unwrap_or(0);
        let mut next = vec![i + 1];
        for (j, r) in right.iter().enumerate() {
            let above = row.get(j + 1).copied().unwrap_or(0);
            let beside = next.last().copied().unwrap_or(0);
            let cost = usize::from(l != *r);
            next.push((previous + cost).min(above + 1).min(beside + 1));
            previous = above;
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_offers_a_slip_and_nothing_far() {
        assert_eq!(nearest("birthDat", ["birthDate", "gender"]), Some("birthDate"));
        assert_eq!(nearest("zzzzzz", ["birthDate", "gender"]), None);
    }
}
