//! `tidegate run`: one node, until it is told to stop.

use tokio::io::AsyncReadExt as _;
use tokio::signal::unix::{SignalKind, signal};

use super::check::load;
use crate::cli::RunArgs;
use crate::node::{self, Overrides};
use crate::{Exit, Failure};

/// Runs the command.
pub async fn run(args: RunArgs) -> Result<(), Failure> {
    let config = load(&args.config)?;
    node::log::start(config.log);
    let mut terminate =
        signal(SignalKind::terminate()).map_err(|error| Failure::because(Exit::Io, &error))?;
    let until_stdin_closes = args.until_stdin_closes;
    let until = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
            () = stdin_closed(), if until_stdin_closes => {}
        }
    };
    node::run(config, Overrides::default(), until).await
}

/// Ends when stdin does; what comes in is not looked at.
async fn stdin_closed() {
    let mut buffer = [0; 64];
    let mut stdin = tokio::io::stdin();
    while stdin.read(&mut buffer).await.is_ok_and(|count| count > 0) {}
}
