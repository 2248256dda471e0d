//! `tidegate completions`: what a shell needs to complete this command line.

use clap::CommandFactory as _;
use clap_complete::{Shell as Target, generate};

use super::output;
use crate::Failure;
use crate::cli::{Cli, CompletionsArgs, Shell};

/// Runs the command.
pub fn run(args: CompletionsArgs) -> Result<(), Failure> {
    let target = match args.shell {
        Shell::Bash => Target::Bash,
        Shell::Zsh => Target::Zsh,
        Shell::Fish => Target::Fish,
    };
    let mut script = Vec::new();
    generate(target, &mut Cli::command(), "tidegate", &mut script);
    output::data(&script)
}
