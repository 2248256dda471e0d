//! `compare-report CORPORA [LIST.tsv]`: every place where we and other converters differ, with examples, and the line of the list that speaks for it.

use oracles::compare::{list, pairs};
use oracles::measure;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let root = arguments.next().ok_or("usage: compare-report CORPORA [LIST.tsv]")?;
    let entries = match arguments.next() {
        None => Vec::new(),
        Some(path) => list::read(&std::fs::read_to_string(path).map_err(|error| error.to_string())?)?,
    };
    let findings = pairs::run(&measure::package()?, &root).map_err(|error| error.to_string())?;
    let judged = list::judge(&findings, &entries);
    let mut out = String::new();
    for (place, group) in &findings.groups {
        let line = judged.spoken.get(place).map_or("new".to_owned(), |(line, _)| line.to_string());
        out += &format!("{}\t{}\t{}\t{}\t{line}\n", place.0, place.1, place.2.word(), group.count);
        for (file, [theirs, ours]) in &group.examples {
            out += &format!("\t{file}\t{theirs}\t{ours}\n");
        }
    }
    std::io::stdout().write_all(out.as_bytes()).map_err(|error| error.to_string())?;
    for reason in &findings.skipped {
        eprintln!("skipped {reason}");
    }
    for (line, path) in &judged.idle {
        eprintln!("line {line} speaks of nothing: {path}");
    }
    eprintln!(
        "{:?} pairs, {:?} leaves, {} places, {} new",
        findings.compared,
        findings.leaves,
        findings.groups.len(),
        judged.unlisted.len()
    );
    for (verdict, [differences, places]) in &judged.by_verdict {
        eprintln!("{}: {differences} differences at {places} places", verdict.word());
    }
    Ok(())
}
