//! `tidegate check`: everything that could be wrong with a node before it opens a port.

use super::output;
use crate::cli::ConfigArgs;
use crate::config::{self, Config, Role};
use crate::{Exit, Failure};

/// Runs the command.
pub fn run(args: &ConfigArgs) -> Result<(), Failure> {
    let config = load(&args.config)?;
    crate::database::prove(&config)?;
    match config.role {
        Role::Clinical => clinical(&config)?,
        Role::Portal => portal(&config)?,
    }
    crate::node::prove_search_parameters(&config)?.iter().for_each(|words| output::words(words));
    output::words(&format!("{}: right", args.config.display()));
    Ok(())
}

/// Loads a configuration, or fails with everything that is wrong with it.
pub fn load(file: &std::path::Path) -> Result<Config, Failure> {
    config::load(file).map_err(|problems| {
        let words: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Failure::new(Exit::Configuration, words.join("\n"))
    })
}

#[cfg(feature = "clinical")]
fn clinical(config: &Config) -> Result<(), Failure> {
    crate::node::unchecked(config)?.iter().for_each(|words| output::words(words));
    Ok(())
}

#[cfg(not(feature = "clinical"))]
fn clinical(_: &Config) -> Result<(), Failure> {
    Err(Failure::new(Exit::Configuration, "this build is a cloud node's: it has no clinical role"))
}

fn portal(config: &Config) -> Result<(), Failure> {
    crate::node::prove_portal(config)
}
