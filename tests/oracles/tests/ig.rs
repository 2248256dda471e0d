//! The shipped package against the tables of HL7's v2-to-FHIR guide, when they lie beside the corpora.
//!
//! The counts of each table are `ig-counts.tsv`; a run may not leave more rows without an answer. `UPDATE_EXPECT=1` accepts.

use mapping::Package;
use oracles::ig::{self, report::Report};
use oracles::{files, workspace};
use std::path::PathBuf;

/// Deviations, at most, in hundredths of the rows that have a valid target.
const DEVIATES_SHARE_MAX: usize = 10;

fn package() -> Package {
    let sources = files::package(&workspace().join("mappings")).expect("the package is readable");
    Package::compile(&sources).unwrap_or_else(|found| {
        panic!("{}", found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    })
}

fn table() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("ig-counts.tsv")
}

fn report() -> Option<Report> {
    let Some(folder) = ig::folder() else {
        eprintln!(
            "TIDEGATE_CORPORA is not set, or ../ig-v2-to-fhir is not beside it: not compared with the guide"
        );
        return None;
    };
    let rows = ig::read::rows(&folder).expect("the guide's tables are readable");
    assert!(rows.len() > 9_000, "only {} rows of the guide were read", rows.len());
    Some(ig::report::report(package().catalog(), rows))
}

#[test]
fn the_counts_are_as_committed() {
    let Some(report) = report() else { return };
    let summary = report.summary();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(table(), &summary).expect("the table is writable");
    }
    let committed = std::fs::read_to_string(table()).expect("the table is committed");
    let changed: Vec<&str> =
        summary.lines().filter(|line| !committed.lines().any(|other| other == *line)).collect();
    assert!(
        committed == summary,
        "ig-counts.tsv is out of date (UPDATE_EXPECT=1 accepts):\n{}",
        changed.join("\n")
    );
    let idle: Vec<String> = report
        .idle
        .iter()
        .map(|at| format!("{}:{} {} {}", at.at.file, at.at.line, at.table, at.row))
        .collect();
    assert!(idle.is_empty(), "these entries answer no row:\n{}", idle.join("\n"));
}

#[test]
fn deviations_are_few() {
    let Some(report) = report() else { return };
    let (mut deviates, mut all) = (0, 0);
    for ((_, table), [implemented, deviating, missing, ..]) in report.counts() {
        if table == "all" {
            deviates += deviating;
            all += implemented + deviating + missing;
        }
    }
    assert!(deviates * 100 <= all * DEVIATES_SHARE_MAX, "{deviates} of {all} rows deviate");
}
