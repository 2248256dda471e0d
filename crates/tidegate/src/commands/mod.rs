//! One file a command: it reads what it was given, calls the crates, writes data to stdout and words to stderr.

mod audit;
#[cfg(all(feature = "clinical", feature = "portal"))]
mod bench;
mod check;
#[cfg(feature = "clinical")]
mod codes;
mod completions;
#[cfg(feature = "clinical")]
mod deid;
#[cfg(feature = "clinical")]
mod diff;
mod doctor;
#[cfg(feature = "clinical")]
mod explain;
#[cfg(feature = "clinical")]
mod generate;
mod init;
#[cfg(feature = "clinical")]
mod input;
#[cfg(feature = "clinical")]
mod listen;
#[cfg(feature = "clinical")]
mod map;
#[cfg(feature = "clinical")]
mod message;
#[cfg(feature = "clinical")]
mod node_api;
mod output;
#[cfg(feature = "clinical")]
mod reload;
#[cfg(feature = "clinical")]
mod replay;
#[cfg(feature = "clinical")]
mod retention;
mod run;
#[cfg(feature = "clinical")]
mod schema;
#[cfg(feature = "clinical")]
mod send;
#[cfg(feature = "clinical")]
mod test;

#[cfg(all(feature = "clinical", feature = "portal"))]
pub(crate) use output::words;

use crate::cli::Command;
use crate::{Exit, Failure};

/// Runs one command to its end.
pub fn run(command: Command) -> Result<(), Failure> {
    match command {
        #[cfg(all(feature = "clinical", feature = "portal"))]
        Command::Demo(args) => runtime()?.block_on(crate::demo::run(args)),
        Command::Init(args) => init::run(&args),
        Command::Run(args) => runtime()?.block_on(run::run(args)),
        Command::Check(args) => check::run(&args),
        #[cfg(feature = "clinical")]
        Command::Map(args) => map::run(&args),
        #[cfg(feature = "clinical")]
        Command::Explain(args) => runtime()?.block_on(explain::run(args)),
        #[cfg(feature = "clinical")]
        Command::Test(args) => test::run(&args),
        #[cfg(feature = "clinical")]
        Command::Diff(args) => runtime()?.block_on(diff::run(&args)),
        #[cfg(feature = "clinical")]
        Command::Codes(args) => codes::run(args),
        #[cfg(feature = "clinical")]
        Command::Schema(args) => schema::run(&args),
        #[cfg(feature = "clinical")]
        Command::Deid(args) => deid::run(&args),
        #[cfg(feature = "clinical")]
        Command::Send(args) => runtime()?.block_on(send::run(args)),
        #[cfg(feature = "clinical")]
        Command::Gen(args) => generate::run(&args),
        #[cfg(feature = "clinical")]
        Command::Msg(args) => runtime()?.block_on(message::run(args)),
        #[cfg(feature = "clinical")]
        Command::Replay(args) => runtime()?.block_on(replay::run(args)),
        #[cfg(feature = "clinical")]
        Command::Reload(args) => runtime()?.block_on(reload::run(args)),
        #[cfg(feature = "clinical")]
        Command::Retention(args) => runtime()?.block_on(retention::retention(args)),
        #[cfg(feature = "clinical")]
        Command::Hold(args) => runtime()?.block_on(retention::hold(args)),
        #[cfg(feature = "clinical")]
        Command::Journal(args) => runtime()?.block_on(retention::journal(args)),
        Command::Audit(args) => runtime()?.block_on(audit::run(args)),
        #[cfg(feature = "clinical")]
        Command::Listen(args) => runtime()?.block_on(listen::run(args)),
        #[cfg(all(feature = "clinical", feature = "portal"))]
        Command::Bench(args) => runtime()?.block_on(bench::run(args)),
        Command::Doctor(args) => runtime()?.block_on(doctor::run(args)),
        Command::Completions(args) => completions::run(args),
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let built = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    built.map_err(|error| Failure::because(Exit::Io, &error))
}
