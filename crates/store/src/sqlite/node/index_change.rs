//! The difference between the index rows of two versions, as statements.

use std::collections::BTreeSet;

use super::entries::IndexRow;
use crate::sql::Rows;

/// Index rows to take out and to put in.
pub(super) struct IndexChange {
    out: [Rows; 7],
    put: [Rows; 7],
}

impl Default for IndexChange {
    fn default() -> Self {
        Self {
            out: [
                Rows::each("DELETE FROM comp WHERE patient = ? AND tid = ? AND newness = ? AND rid = ?", 4),
                Rows::each("DELETE FROM tok WHERE pid = ? AND code = ? AND sys = ? AND rid = ?", 4),
                Rows::each("DELETE FROM ref WHERE pid = ? AND target = ? AND rid = ?", 3),
                Rows::each("DELETE FROM dat WHERE pid = ? AND low_us = ? AND high_us = ? AND rid = ?", 4),
                Rows::each("DELETE FROM str WHERE pid = ? AND folded = ? AND text = ? AND rid = ?", 4),
                Rows::each("DELETE FROM uri WHERE pid = ? AND uri = ? AND rid = ?", 3),
                Rows::each(
                    "DELETE FROM num WHERE pid = ? AND value = ? AND sys = ? AND unit = ? AND rid = ?",
                    5,
                ),
            ],
            put: [
                Rows::put("INSERT INTO comp (patient, tid, newness, rid)", 4),
                Rows::put("INSERT INTO tok (pid, code, sys, rid)", 4),
                Rows::put("INSERT INTO ref (pid, target, rid)", 3),
                Rows::put("INSERT INTO dat (pid, low_us, high_us, rid)", 4),
                Rows::put("INSERT INTO str (pid, folded, text, rid)", 4),
                Rows::put("INSERT INTO uri (pid, uri, rid)", 3),
                Rows::put("INSERT INTO num (pid, value, sys, unit, rid)", 5),
            ],
        }
    }
}

impl IndexChange {
    /// The change of one resource: only rows that differ. No row stands twice in either list.
    pub fn replace(&mut self, tid: i64, rid: i64, old: Vec<IndexRow>, new: Vec<IndexRow>) {
        if old.is_empty() {
            new.into_iter().for_each(|row| push(&mut self.put, tid, rid, row));
            return;
        }
        let (old, new) = (BTreeSet::from_iter(old), BTreeSet::from_iter(new));
        old.difference(&new).for_each(|row| push(&mut self.out, tid, rid, row.clone()));
        new.difference(&old).for_each(|row| push(&mut self.put, tid, rid, row.clone()));
    }

    /// The statements, those that take out first.
    pub fn into_tables(self) -> impl Iterator<Item = Rows> {
        self.out.into_iter().chain(self.put).filter(|rows| !rows.is_empty())
    }
}

fn push(tables: &mut [Rows; 7], tid: i64, rid: i64, row: IndexRow) {
    let [comp, tok, refs, dat, strs, uris, num] = tables;
    match row {
        IndexRow::Compartment { patient, newness } => {
            comp.push([patient.into(), tid.into(), newness.into(), rid.into()]);
        }
        IndexRow::Token { pid, code, sys } => tok.push([pid.into(), code.into(), sys.into(), rid.into()]),
        IndexRow::Reference { pid, target } => refs.push([pid.into(), target.into(), rid.into()]),
        IndexRow::Date { pid, low_us, high_us } => {
            dat.push([pid.into(), low_us.into(), high_us.into(), rid.into()]);
        }
        IndexRow::Text { pid, folded, text } => {
            strs.push([pid.into(), folded.into(), text.into(), rid.into()]);
        }
        IndexRow::Uri { pid, uri } => uris.push([pid.into(), uri.into(), rid.into()]),
        IndexRow::Number { pid, sys, unit, bits } => {
            let value = f64::from_bits(bits.cast_unsigned());
            num.push([pid.into(), value.into(), sys.into(), unit.into(), rid.into()]);
        }
    }
}
