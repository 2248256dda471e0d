//! `tidegate test`: the tests that stand beside mappings, which rules they run, and the proofs of every profile and policy.

use std::path::Path;

use mapping::{FileRules, RuleCoverage, RuleFate, RuleRun};

use super::output;
use crate::cli::TestArgs;
use crate::node::content;
use crate::{Exit, Failure};

/// Runs the command.
pub fn run(args: &TestArgs) -> Result<(), Failure> {
    let package = content::mappings(&args.folder)?;
    let (outcomes, coverage) = package.run_tests_covering();
    let failed: Vec<_> = outcomes.iter().filter(|outcome| !outcome.failures.is_empty()).collect();
    for outcome in &failed {
        output::line(&format!(
            "FAILED {}/{}:{} {}",
            args.folder.display(),
            outcome.file,
            outcome.line,
            outcome.name
        ))?;
        for failure in &outcome.failures {
            output::line(&format!("  {failure}"))?;
        }
    }
    let share = percent(coverage.share());
    let run = format!("{} of {} rules run by tests, {share}", coverage.run(), coverage.rules.len());
    if args.files {
        files(&args.folder, &coverage)?;
    }
    if args.rules {
        coverage.not_run().try_for_each(|rule| output::line(&not_run(&args.folder, rule)))?;
    }
    let profiles = content::profiles(&args.profiles)?;
    content::policy(&args.profiles, &profiles)?;
    output::line(&format!(
        "{} mapping tests, {} failed; {run}; {} profiles and the policy load",
        outcomes.len(),
        failed.len(),
        profiles.len()
    ))?;
    if outcomes.is_empty() {
        return Err(Failure::new(Exit::CheckFailed, "the package has no tests"));
    }
    if !failed.is_empty() {
        return Err(Failure::new(Exit::CheckFailed, "tests failed"));
    }
    match args.rules_min {
        Some(least) if coverage.share() < usize::from(least) * 100 => {
            let words = format!(
                "tests run {share} of the rules, less than {least} %\n  fix: tidegate test --rules names the others"
            );
            Err(Failure::new(Exit::CheckFailed, words))
        }
        _ => Ok(()),
    }
}

/// `mappings/segments/PID.Patient.yaml  40 of 44  90.90 %`, the least covered first.
fn files(folder: &Path, coverage: &RuleCoverage) -> Result<(), Failure> {
    let mut files = coverage.by_file();
    files.sort_by_key(|file| (file.share(), file.file));
    files.iter().try_for_each(|file| {
        let FileRules { file: name, run, all } = file;
        output::line(&format!("{}/{name}  {run} of {all}  {}", folder.display(), percent(file.share())))
    })
}

/// Hundredths of a percent.
fn percent(hundredths: usize) -> String {
    format!("{}.{:02} %", hundredths / 100, hundredths % 100)
}

/// `mappings/segments/PID.Patient.yaml:21  PID.Patient birthDate  tried: unvalued`.
fn not_run(folder: &Path, rule: &RuleRun) -> String {
    let RuleRun { at, gives, fate, .. } = rule;
    let why = match fate {
        RuleFate::Run => "run".to_owned(),
        RuleFate::Tried(code) => format!("tried, and gave nothing: {code}"),
        RuleFate::Untried => "never tried".to_owned(),
    };
    format!("{}/{}:{}  {gives}  {why}", folder.display(), at.file, at.line)
}
