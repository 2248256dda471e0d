//! `tidegate test`: the tests that stand beside mappings, and the proofs of every profile and policy.

use super::output;
use crate::cli::TestArgs;
use crate::node::content;
use crate::{Exit, Failure};

/// Runs the command.
pub fn run(args: &TestArgs) -> Result<(), Failure> {
    let package = content::mappings(&args.folder)?;
    let outcomes = package.run_tests();
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
    let profiles = content::profiles(&args.profiles)?;
    content::policy(&args.profiles, &profiles)?;
    output::line(&format!(
        "{} mapping tests, {} failed; {} profiles and the policy load",
        outcomes.len(),
        failed.len(),
        profiles.len()
    ))?;
    if outcomes.is_empty() {
        return Err(Failure::new(Exit::CheckFailed, "the package has no tests"));
    }
    if failed.is_empty() { Ok(()) } else { Err(Failure::new(Exit::CheckFailed, "tests failed")) }
}
