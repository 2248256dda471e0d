//! A node from a configuration file, as `tidegate run` starts one, that can be told to break its promise: the
//! power-loss test must notice.
//!
//! `power-node [--synchronous-off] [--acknowledge-first] CONFIG`; ends in order when stdin closes.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use async_trait::async_trait;
use store::{AckOutcome, Appended, Arrival, Entry, Journal, JournalId, Micros, Result, Seq};
use tidegate::node::{self, Overrides};
use tokio::io::AsyncReadExt as _;
use tokio::sync::watch;

#[tokio::main]
async fn main() -> ExitCode {
    let mut overrides = Overrides::default();
    let mut file = None;
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--synchronous-off" => overrides.synchronous_off = true,
            "--acknowledge-first" => overrides.journal = Some(|journal| Arc::new(AcknowledgeFirst(journal))),
            _ => file = Some(PathBuf::from(argument)),
        }
    }
    let Some(file) = file else {
        return failed("usage: power-node [--synchronous-off] [--acknowledge-first] CONFIG");
    };
    let config = match tidegate::config::load(&file) {
        Ok(config) => config,
        Err(problems) => return failed(&format!("{problems:?}")),
    };
    node::log::start(config.log);
    match node::run(config, overrides, stdin_closed()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failed(&failure.words),
    }
}

fn failed(words: &str) -> ExitCode {
    eprintln!("{words}");
    ExitCode::FAILURE
}

async fn stdin_closed() {
    let mut buffer = [0; 64];
    let mut stdin = tokio::io::stdin();
    while stdin.read(&mut buffer).await.is_ok_and(|count| count > 0) {}
}

/// Says of every arrival that it is stored, and stores it afterwards.
struct AcknowledgeFirst(Arc<dyn Journal>);

#[async_trait]
impl Journal for AcknowledgeFirst {
    async fn append(&self, arrival: Arrival) -> Result<Appended> {
        let journal = Arc::clone(&self.0);
        tokio::spawn(async move { journal.append(arrival).await });
        Ok(Appended::New { seq: Seq(0), control_id_reused: false })
    }

    async fn settle(&self, id: JournalId, outcome: AckOutcome) -> Result<()> {
        self.0.settle(id, outcome).await
    }

    async fn read(&self, id: JournalId) -> Result<Option<Entry>> {
        self.0.read(id).await
    }

    async fn after(&self, seq: Seq, limit: usize) -> Result<Vec<Entry>> {
        self.0.after(seq, limit).await
    }

    async fn window(
        &self,
        from_us: Micros,
        until_us: Micros,
        after: Seq,
        limit: usize,
    ) -> Result<Vec<Entry>> {
        self.0.window(from_us, until_us, after, limit).await
    }

    fn appended(&self) -> watch::Receiver<Seq> {
        self.0.appended()
    }
}
