//! Tab-separated tables: comments start with `#`, the first other line is the header.

use std::collections::BTreeMap;

use crate::diagnostic::{Diagnostic, Place};

/// One line of a table.
pub(crate) struct Row<'a> {
    pub(crate) line: usize,
    cells: Vec<&'a str>,
}

impl<'a> Row<'a> {
    /// Text of a column; empty when there is none.
    pub(crate) fn cell(&self, column: usize) -> &'a str {
        self.cells.get(column).copied().unwrap_or_default()
    }

    /// Where that column stands.
    pub(crate) fn place(&self, column: usize) -> Place {
        let before: usize = self.cells.iter().take(column).map(|cell| cell.chars().count() + 1).sum();
        Place { line: self.line, column: before + 1, length: self.cell(column).chars().count().max(1) }
    }
}

/// The rows of a table whose header must read as given.
pub(crate) fn read<'a>(
    files: &'a BTreeMap<String, String>,
    file: &str,
    separator: char,
    header: &[&str],
    found: &mut Vec<Diagnostic>,
) -> Vec<Row<'a>> {
    let Some(text) = files.get(file) else {
        found.push(Diagnostic::new(file, Place::START, "missing-file", "the profile has no such file"));
        return Vec::new();
    };
    let lines = text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let mut rows = lines.map(|(index, line)| Row { line: index + 1, cells: line.split(separator).collect() });
    if rows.next().is_none_or(|first| first.cells != header) {
        let message = format!("the first line must name the columns {}", header.join(", "));
        found.push(Diagnostic::new(file, Place::START, "table-header", message));
        return Vec::new();
    }
    let (rows, broken): (Vec<Row>, Vec<Row>) = rows
        .partition(|row| row.cells.len() == header.len() && row.cells.iter().all(|cell| !cell.is_empty()));
    for row in broken {
        let message = format!("a row has {} columns, each with text", header.len());
        found.push(Diagnostic::new(file, row.place(0), "table-row", message));
    }
    rows
}
