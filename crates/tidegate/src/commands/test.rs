//! `tidegate test`: the tests that stand beside mappings, which rules they run, and the proofs of every profile and policy.

use std::path::Path;

use mapping::{RuleFate, RuleRun};

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
    let run = format!("{} of {} rules run by tests", coverage.run(), coverage.rules.len());
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
    if failed.is_empty() { Ok(()) } else { Err(Failure::new(Exit::CheckFailed, "tests failed")) }
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
