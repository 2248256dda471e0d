//! What a source file may be: its size, its words about itself, and what it may not hold.

use crate::allowed;
use crate::scan::{functions, production};
use crate::workspace::files_ending;

/// Most lines of a production file, inline tests apart.
const FILE_LINES_MAX: usize = 600;
/// Most lines of a function.
const FUNCTION_LINES_MAX: usize = 70;
/// Lines above an `expect` in which its proof may stand.
const PROOF_LINES: usize = 6;

#[test]
fn files_are_short() {
    let long = production().into_iter().filter(|source| source.lines.len() > FILE_LINES_MAX);
    let words = long.map(|source| (source.path, format!("{} lines; split it by topic", source.lines.len())));
    allowed::check("file-lines", words.collect());
}

#[test]
fn functions_are_short() {
    let mut violations = Vec::new();
    for source in production() {
        for (name, line, length) in functions(&source.lines) {
            if length > FUNCTION_LINES_MAX {
                violations.push((source.path.clone(), format!("{line}: `{name}` has {length} lines")));
            }
        }
    }
    allowed::check("function-lines", violations);
}

#[test]
fn every_module_says_what_it_is() {
    let silent = files_ending(".rs").into_iter().filter(|file| !file.text.starts_with("//! "));
    allowed::check(
        "module-doc",
        silent.map(|file| (file.path, "begins without a `//!` line".to_owned())).collect(),
    );
}

#[test]
fn nothing_is_left_unfinished() {
    let marks = [
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
        concat!("db", "g!("),
        concat!("FIX", "ME"),
        concat!("TO", "DO"),
        concat!("XX", "X "),
        concat!("#[ig", "nore"),
    ];
    let mut violations = Vec::new();
    for file in files_ending(".rs").into_iter().chain(files_ending(".py")) {
        for (number, line) in (1..).zip(file.text.lines()) {
            if let Some(mark) = marks.iter().find(|mark| line.contains(**mark)) {
                violations.push((file.path.clone(), format!("{number}: `{mark}`")));
            }
        }
    }
    allowed::check("unfinished", violations);
}

/// A panic in production needs a sentence that proves it cannot happen, or says why it should.
#[test]
fn a_panic_is_argued_for() {
    let panics = [".unwrap()", ".unwrap_err()", ".expect(\"", ".expect_err(", "panic!(", "unreachable!("];
    let mut violations = Vec::new();
    for source in production() {
        for (number, line) in source.code() {
            let above = source.lines[..number - 1].iter().rev().take(PROOF_LINES);
            let is_argued = above
                .map(|line| line.trim())
                .any(|line| line.starts_with("//") || line.contains("reason = \""));
            // A parser's own `expect` is no panic.
            let line = line.replace("self.expect(", "");
            if panics.iter().any(|panic| line.contains(panic)) && !is_argued {
                violations.push((
                    source.path.clone(),
                    format!("{number}: no line above proves that this cannot panic"),
                ));
            }
        }
    }
    allowed::check("panic", violations);
}

#[test]
fn a_lint_is_silenced_with_a_reason() {
    let mut violations = Vec::new();
    for file in files_ending(".rs") {
        let lines: Vec<&str> = file.text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let begins = line.trim_start();
            let statement = lines[at..]
                .iter()
                .take(6)
                .take_while(|l| !l.trim_end().ends_with("fn"))
                .copied()
                .collect::<String>();
            let statement = statement.split_once(")]").map_or(statement.as_str(), |(before, _)| before);
            if (begins.starts_with("#[allow(")
                || begins.starts_with("#![allow(")
                || begins.starts_with("#[expect("))
                && !statement.contains("reason = \"")
            {
                violations.push((file.path.clone(), format!("{}: an allow without `reason`", at + 1)));
            }
        }
    }
    allowed::check("allow", violations);
}

/// A name that says nothing collects everything.
#[test]
fn no_module_is_a_drawer() {
    let drawers =
        ["util", "utils", "helper", "helpers", "common", "misc", "manager", "types", "core", "prelude"];
    let mut violations = Vec::new();
    for file in files_ending(".rs") {
        for part in file.path.trim_end_matches(".rs").split('/').filter(|part| drawers.contains(part)) {
            violations.push((file.path.clone(), format!("`{part}` says nothing: name it by its topic")));
        }
    }
    allowed::check("drawer", violations);
}
