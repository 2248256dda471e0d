//! The shipped package against the tables of HL7's v2-to-FHIR guide, when they lie beside the corpora.
//!
//! The counts of each table are `ig-counts.tsv`; a run may not leave more rows without an answer. `UPDATE_EXPECT=1` accepts.

use mapping::Package;
use oracles::ig::builtin::{PROVENANCE, PROVENANCE_CONSTANTS};
use oracles::ig::{self, report::Report};
use oracles::{files, workspace};
use serde_json::Value;
use std::path::PathBuf;
use std::sync::LazyLock;

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

/// The report, made once for all tests.
fn report() -> Option<&'static Report> {
    static REPORT: LazyLock<Option<Report>> = LazyLock::new(made);
    REPORT.as_ref()
}

fn made() -> Option<Report> {
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

/// A message in which every field of [`PROVENANCE`] is valued.
const WHOLE: &str = "MSH|^~\\&|HARBOR_EMR|HARBOR|TIDEGATE|NODE|20190316141001-0400||ADT^A01^ADT_A01|H1|P|2.7.1|||||||en||P1^^1.2.3.4^ISO|HARBOR TRUST^L^77\rSFT|Acme Software|4.2|Acme ADT\rEVN|A01|20190316141002-0400||01|7731^Lindqvist^Astrid|20190316141003-0400|WARD\rPID|1||100423^^^HARBOR&1.2.3.4&ISO^MR||Fairweather^Imogen||||||||||||||||||||||||||||20190315|QUAY^1.2.3.9^ISO\rORC|NW|||||||||44^Okafor^Daniel|||||||W5^Ward|D1^Desk|7^Lind^Eva\r";

/// The Provenance of the message, and the one of the sender's own record.
fn provenance(package: &Package, message: &str) -> Value {
    let message = hl7v2::Message::read(message.as_bytes()).expect("has a header");
    let context = mapping::Context { namespace: uuid::Uuid::nil(), site: None, trace: false };
    let translation = package.translate(&message, &context).expect("translates");
    let sets = translation.change.sets.into_iter();
    let made: Vec<Value> =
        sets.filter(|set| set.resource_type.as_str() == "Provenance").map(|set| set.resource).collect();
    serde_json::json!({ "made": made })
}

/// Every value at a path without indices.
fn values<'v>(value: &'v Value, path: &str) -> Vec<&'v Value> {
    let step = |at: &'v Value, name: &str| -> Vec<&'v Value> {
        let below = at.get(name);
        below
            .and_then(Value::as_array)
            .map_or_else(|| below.into_iter().collect(), |list| list.iter().collect())
    };
    let path = format!("made.{path}");
    path.split('.').fold(vec![value], |found, name| found.into_iter().flat_map(|at| step(at, name)).collect())
}

/// The message with one field emptied.
fn without(segment: &str, field: u16) -> String {
    let at = usize::from(field) - usize::from(segment == "MSH");
    let lines = WHOLE.trim_end().split('\r').map(|line| {
        let mut fields: Vec<&str> = line.split('|').collect();
        if line.starts_with(segment) {
            fields[at] = "";
        }
        fields.join("|") + "\r"
    });
    lines.collect()
}

#[test]
fn provenance_is_as_listed() {
    let package = package();
    let whole = provenance(&package, WHOLE);
    for (segment, numbers, element) in PROVENANCE {
        let less = provenance(&package, &without(segment, numbers[0]));
        let (with, without) = (values(&whole, element), values(&less, element));
        assert!(!with.is_empty(), "{segment}-{numbers:?}: no {element} in {whole}");
        let second = *segment == "MSH" && numbers[..] == [7];
        assert!(with != without || second, "{segment}-{numbers:?} does not change {element}: {with:?}");
    }
    // MSH-7 is the time of recording where EVN-2 is absent.
    let header = provenance(&package, &without("EVN", 2));
    assert_eq!(header["made"][0]["recorded"], "2019-03-16T14:10:01-04:00");
    for (_, element, text) in PROVENANCE_CONSTANTS {
        assert!(values(&whole, element).iter().any(|value| *value == text), "{element} is never {text}");
    }
}
