//! The guide's CSV files, read tolerantly: two header rows, quoted cells, names and column counts that vary.

use crate::files;
use std::path::Path;

/// The four kinds of tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A message structure.
    Messages,
    /// A segment to a resource.
    Segments,
    /// A data type to a data type or resource.
    Types,
    /// A code table.
    Codes,
}

impl Kind {
    /// All, in the order of the report.
    pub const ALL: [Kind; 4] = [Kind::Messages, Kind::Segments, Kind::Types, Kind::Codes];

    /// As `ig.yaml` and the report call it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Messages => "messages",
            Kind::Segments => "segments",
            Kind::Types => "types",
            Kind::Codes => "codes",
        }
    }

    fn folder(self) -> &'static str {
        match self {
            Kind::Types => "datatypes",
            Kind::Codes => "codesystems",
            Kind::Messages | Kind::Segments => self.name(),
        }
    }
}

/// One row of a table.
#[derive(Debug, Clone)]
pub struct Row {
    /// Kind of the table.
    pub kind: Kind,
    /// Name of the table: `PV1[Encounter]`.
    pub table: String,
    /// Line of the row among the rows of the file, from 1.
    pub number: usize,
    /// v2 path, structure path or code.
    pub id: String,
    /// Element, resource or code it goes to; for codes the system follows in `detail`.
    pub target: String,
    /// What stands in the column of proposed extensions.
    pub proposed: String,
    /// FHIR type of the target; of a code row the target's system.
    pub detail: String,
    /// Text that is assigned.
    pub assignment: String,
    /// The guide's type map that the value goes through.
    pub through: String,
}

/// Every row of every table, in the order of the files.
pub fn rows(folder: &Path) -> std::io::Result<Vec<Row>> {
    let mut all = Vec::new();
    for kind in Kind::ALL {
        for path in files::walk(&folder.join(kind.folder()), &[".csv"])? {
            let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            let text = String::from_utf8_lossy(&std::fs::read(&path)?).into_owned();
            let cells = cells(text.trim_start_matches('\u{feff}'));
            let table = table_name(&stem);
            all.extend(table_rows(kind, &table, &cells));
        }
    }
    Ok(all)
}

/// `HL7 Segment - FHIR R4_ PV1[Encounter] - PV1` to `PV1[Encounter]`.
fn table_name(stem: &str) -> String {
    let rest = stem.split_once("_ ").map_or(stem, |(_, rest)| rest);
    rest.split_once(" - ").map_or(rest, |(name, _)| name).trim().to_owned()
}

fn table_rows(kind: Kind, table: &str, cells: &[Vec<String>]) -> Vec<Row> {
    let head: &[String] = cells.get(1).map_or(&[], Vec::as_slice);
    let named = |name: &str| {
        let found = head.iter().enumerate().filter(move |(_, cell)| cell.trim() == name);
        found.map(|(column, _)| column).collect::<Vec<_>>()
    };
    let (codes, systems) = (named("Code"), named("Code System"));
    let column = |list: &[usize], n: usize| list.get(n).copied().unwrap_or(usize::MAX);
    // Position of id, target, proposed, detail, assignment, type map.
    let places = match kind {
        Kind::Messages => [1, 9, usize::MAX, 10, usize::MAX, usize::MAX],
        Kind::Segments | Kind::Types => [1, 9, 10, 11, 16, 14],
        Kind::Codes => {
            [column(&codes, 0), column(&codes, 1), usize::MAX, column(&systems, 1), usize::MAX, usize::MAX]
        }
    };
    let rows = cells.iter().skip(2).enumerate().map(|(index, row)| {
        let [id, target, proposed, detail, assignment, through] =
            places.map(|place| row.get(place).map(|cell| cell.trim().to_owned()).unwrap_or_default());
        Row {
            kind,
            table: table.to_owned(),
            number: index + 1,
            id,
            target,
            proposed,
            detail,
            assignment,
            through,
        }
    });
    rows.collect()
}

/// Comma-separated cells; a quoted cell may hold commas, line breaks and doubled quotes.
fn cells(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell) = (Vec::new(), Vec::new(), String::new());
    let mut quoted = false;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                cell.push('"');
                letters.next();
            }
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\n' if !quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            '\r' if !quoted => {}
            letter => cell.push(letter),
        }
    }
    if !cell.is_empty() || !row.is_empty() {
        row.push(cell);
        rows.push(row);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_cells_keep_commas_breaks_and_quotes() {
        let read = cells("a,\"b, \"\"c\"\"\nd\",e\r\n,f");
        assert_eq!(read, [vec!["a", "b, \"c\"\nd", "e"], vec!["", "f"]]);
    }

    #[test]
    fn a_code_table_is_read_by_its_head_wherever_its_columns_stand() {
        let cells = cells(
            "HL7 v2,,,,,,FHIR,,\nCode,Text,Code System,A,B,C,Code,Display,Code System\nF,Female,T,,,,female,Female,urn:x\n",
        );
        let rows = table_rows(Kind::Codes, "Sex", &cells);
        assert_eq!(rows.len(), 1);
        assert_eq!(
            (rows[0].id.as_str(), rows[0].target.as_str(), rows[0].detail.as_str()),
            ("F", "female", "urn:x")
        );
    }

    #[test]
    fn the_name_of_a_table_is_what_stands_between_the_dashes() {
        assert_eq!(
            table_name("HL7 Segment - FHIR R4_ PID[Provenance-Patient] - PID"),
            "PID[Provenance-Patient]"
        );
        assert_eq!(table_name("HL7 Concept Map_ AllergyType - Sheet1"), "AllergyType");
    }
}
