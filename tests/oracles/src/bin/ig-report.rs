//! `ig-report IG_FOLDER [OUT.tsv]`: the guide's tables against `mappings/`, row by row; the counts go to the screen.

use oracles::{files, ig, workspace};
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
    let folder = arguments.next().or_else(ig::folder).ok_or("usage: ig-report IG_FOLDER [OUT.tsv]")?;
    let sources = files::package(&workspace().join("mappings")).map_err(|error| error.to_string())?;
    let package = mapping::Package::compile(&sources)
        .map_err(|findings| findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
    let rows = ig::read::rows(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let report = ig::report::report(package.catalog(), rows);
    if let Some(out) = arguments.next() {
        std::fs::write(&out, report.tsv()).map_err(|error| format!("{}: {error}", out.display()))?;
    }
    std::io::stdout().write_all(report.summary().as_bytes()).map_err(|error| error.to_string())?;
    for answer in &report.idle {
        eprintln!("{}:{}: {} {} answers no row", answer.at.file, answer.at.line, answer.table, answer.row);
    }
    Ok(())
}
