//! `tidegate run`: one node, until it is told to stop.

use std::path::PathBuf;

use tokio::io::AsyncReadExt as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::check::load;
use crate::cli::RunArgs;
use crate::node::{self, Overrides, Reread};
use crate::{Exit, Failure, config};

/// Runs the command.
pub async fn run(args: RunArgs) -> Result<(), Failure> {
    let config = load(&args.config)?;
    node::log::start(config.log);
    let mut terminate =
        signal(SignalKind::terminate()).map_err(|error| Failure::because(Exit::Io, &error))?;
    let rereads = rereads(args.config.clone())?;
    let until_stdin_closes = args.until_stdin_closes;
    let until = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
            () = stdin_closed(), if until_stdin_closes => {}
        }
    };
    node::run_changing(config, Overrides::default(), until, rereads).await
}

/// The configuration, read again at each SIGHUP.
fn rereads(file: PathBuf) -> Result<mpsc::Receiver<Reread>, Failure> {
    let mut hangup = signal(SignalKind::hangup()).map_err(|error| Failure::because(Exit::Io, &error))?;
    let (sender, rereads) = mpsc::channel(1);
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            // The node is gone when nobody takes it.
            if sender.send(config::load(&file)).await.is_err() {
                return;
            }
        }
    });
    Ok(rereads)
}

/// Ends when stdin does; what comes in is not looked at.
async fn stdin_closed() {
    let mut buffer = [0; 64];
    let mut stdin = tokio::io::stdin();
    while stdin.read(&mut buffer).await.is_ok_and(|count| count > 0) {}
}
