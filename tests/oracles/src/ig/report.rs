//! The report: every row with its verdict, and counts by kind and table.

use super::index::Index;
use super::judge::{Judge, Verdict};
use super::read::{Kind, Row};
use super::target::{self, Urls};
use mapping::{Answer, Catalog};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The verdicts, in the order of the columns.
pub const VERDICTS: [&str; 6] =
    ["implemented", "deviates", "not implemented", "no valid target", "no target", "no v2 code"];

/// All rows with their verdicts.
pub struct Report {
    /// In the order of the files.
    pub rows: Vec<(Row, Verdict)>,
    /// Entries of `ig.yaml` that answer no row: out of date.
    pub idle: Vec<Answer>,
}

/// Judges every row.
pub fn report(catalog: Catalog, rows: Vec<Row>) -> Report {
    let index = Index::new(catalog);
    let mut judge = Judge::new(&index);
    let mut urls: BTreeMap<(Kind, String), Urls> = BTreeMap::new();
    let mut tables: BTreeMap<(Kind, String), Vec<&Row>> = BTreeMap::new();
    for row in &rows {
        tables.entry((row.kind, row.table.clone())).or_default().push(row);
    }
    for (key, rows) in tables {
        urls.insert(key, target::urls(&rows));
    }
    let none = Urls::new();
    let mut judged = Vec::new();
    for row in rows {
        let urls = urls.get(&(row.kind, row.table.clone())).unwrap_or(&none);
        let verdict = judge.verdict(&row, urls);
        judged.push((row, verdict));
    }
    let idle = index.catalog.answers.iter().enumerate().filter(|(at, _)| !judge.used.contains(at));
    let idle = idle.map(|(_, answer)| answer.clone()).collect();
    Report { rows: judged, idle }
}

impl Report {
    /// Every row: kind, table, row, target, verdict, reason or place.
    pub fn tsv(&self) -> String {
        let mut text = String::from("kind\ttable\trow\tid\ttarget\tverdict\tat\treason\n");
        for (row, verdict) in &self.rows {
            let (at, reason) = match verdict {
                Verdict::Implemented(at) => (at.as_str(), ""),
                Verdict::Deviates(reason, at) => (at.as_str(), reason.as_str()),
                Verdict::Missing(why) | Verdict::Invalid(why) => ("", why.as_str()),
                Verdict::NoTarget | Verdict::NoCode => ("", ""),
            };
            let cells =
                [&row.id, &row.target].map(|cell| cell.split_whitespace().collect::<Vec<_>>().join(" "));
            let (kind, number) = (row.kind.name(), row.number);
            let (id, target) = (&cells[0], &cells[1]);
            let _ = writeln!(
                text,
                "{kind}\t{}\t{number}\t{id}\t{target}\t{}\t{at}\t{reason}",
                row.table,
                verdict.name()
            );
        }
        text
    }

    /// Counts by kind and table, the columns of [`VERDICTS`]; a line `all` for each kind.
    pub fn counts(&self) -> BTreeMap<(Kind, String), [usize; 6]> {
        let mut counts: BTreeMap<(Kind, String), [usize; 6]> = BTreeMap::new();
        for (row, verdict) in &self.rows {
            let column = VERDICTS.iter().position(|name| *name == verdict.name());
            for table in ["all", row.table.as_str()] {
                let line = counts.entry((row.kind, table.to_owned())).or_default();
                if let Some(cell) = column.and_then(|column| line.get_mut(column)) {
                    *cell += 1;
                }
            }
        }
        counts
    }

    /// The counts as a table of tabs.
    pub fn summary(&self) -> String {
        let mut text = format!("kind\ttable\t{}\n", VERDICTS.join("\t"));
        for ((kind, table), counts) in self.counts() {
            let counts: Vec<String> = counts.iter().map(usize::to_string).collect();
            let _ = writeln!(text, "{}\t{table}\t{}", kind.name(), counts.join("\t"));
        }
        text
    }
}
