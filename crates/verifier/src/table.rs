//! The verifier's own reader of tab-separated tables.

use std::collections::BTreeMap;

use crate::grammar::GrammarError;

/// Cells of each row with the number of its line; comments, blank lines and the header are left out.
pub(crate) fn rows<'a, const COLUMNS: usize>(
    files: &'a BTreeMap<String, String>,
    file: &str,
) -> Result<Vec<(usize, [&'a str; COLUMNS])>, GrammarError> {
    let error = |line, text: &str| GrammarError { file: file.to_owned(), line, text: text.to_owned() };
    let text = files.get(file).ok_or_else(|| error(1, "the profile has no such file"))?;
    let mut rows = Vec::new();
    let mut header = false;
    for (index, line) in text.split('\n').enumerate() {
        let line = line.trim_end_matches('\r');
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if !header {
            header = true;
            continue;
        }
        let cells: Vec<&str> = line.split('\t').collect();
        let cells =
            <[&str; COLUMNS]>::try_from(cells).map_err(|_| error(index + 1, "wrong number of columns"))?;
        rows.push((index + 1, cells));
    }
    Ok(rows)
}
