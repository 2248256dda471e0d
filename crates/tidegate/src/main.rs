//! The `tidegate` command.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = tidegate::cli::Cli::parse();
    match tidegate::commands::run(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if failure.exit == tidegate::Exit::ReaderGone {
                return ExitCode::SUCCESS;
            }
            // Nothing sensible is left to do when stderr is gone.
            drop(writeln!(std::io::stderr(), "tidegate: {}", failure.words));
            ExitCode::from(failure.exit.code())
        }
    }
}
