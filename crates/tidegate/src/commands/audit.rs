//! `tidegate audit verify|search|export`: reads the ledger of a node's data folder.

use std::sync::Arc;

use audit::export::Line;
use audit::{Record, Verdict};
use store::Ledger;
use store::sqlite::Sqlite;

use super::check::load;
use super::output;
use crate::cli::{AuditArgs, AuditCommand, SearchArgs, VerifyArgs};
use crate::config::Config;
use crate::{Exit, Failure, clock, database, keys};

/// Leaves read at a time.
const PAGE_LEAVES: usize = 1_000;

/// Runs the command.
pub async fn run(args: AuditArgs) -> Result<(), Failure> {
    match args.command {
        AuditCommand::Verify(args) => verify(&args).await,
        AuditCommand::Search(args) => search(&args).await,
        AuditCommand::Export(args) => export(&load(&args.config)?).await,
    }
}

async fn verify(args: &VerifyArgs) -> Result<(), Failure> {
    let config = load(&args.config)?;
    let witness = match &args.witness {
        Some(source) => Some(witness_note(source, &config.node).await?),
        None => None,
    };
    let store = match &args.data {
        Some(copy) => opened(database::open_folder(copy, database::role(config.role), 1).await)?,
        None => open(&config).await?,
    };
    let verdict = read_through(&*store, &config, witness.as_deref()).await?;
    store.close().await.map_err(|error| Failure::because(Exit::Io, &error))?;
    report(&verdict)
}

/// Reads the whole ledger into a verdict.
async fn read_through(
    ledger: &dyn Ledger,
    config: &Config,
    witness: Option<&str>,
) -> Result<Verdict, Failure> {
    let wrong = |error: &dyn std::error::Error| Failure::because(Exit::Configuration, error);
    let public = keys::read_text(&config.keys, keys::LEDGER_PUBLIC).map_err(|error| wrong(&error))?;
    let key = audit::VerifyingKey::from_text(&public).map_err(|error| wrong(&error))?;
    let witnesses: Vec<String> = witness.map(str::to_owned).into_iter().collect();
    let verdict = store::verify_ledger(ledger, key, &witnesses, clock::now_us(), |_| {}).await;
    verdict.map_err(|error| Failure::because(Exit::LedgerBroken, &error))
}

fn report(verdict: &Verdict) -> Result<(), Failure> {
    let witnessed = match verdict.witnessed_size {
        Some(size) => format!("witnessed to {size}"),
        None => "not witnessed".to_owned(),
    };
    output::line(&format!("records {}  root {}  {witnessed}", verdict.size, keys::to_hex(&verdict.root)))?;
    for remark in &verdict.remarks {
        output::words(&format!("remark: {}", words_of(remark)));
    }
    if verdict.findings.is_empty() {
        return output::line("the ledger is whole");
    }
    let findings: Vec<String> = verdict.findings.iter().map(words_of).collect();
    Err(Failure::new(Exit::LedgerBroken, format!("the ledger is broken\n{}", findings.join("\n"))))
}

fn words_of(finding: &audit::Finding) -> String {
    match finding.leaf {
        Some(leaf) => format!("record {leaf}: {}", finding.text),
        None => finding.text.clone(),
    }
}

async fn search(args: &SearchArgs) -> Result<(), Failure> {
    if let Some(kind) = args.kind.as_ref().filter(|kind| audit::Kind::parse(kind).is_none()) {
        let known: Vec<&str> = audit::Kind::ALL.iter().map(|kind| kind.as_str()).collect();
        return Err(Failure::new(Exit::Usage, format!("no kind `{kind}`; there are: {}", known.join(", "))));
    }
    let config = load(&args.config)?;
    each_leaf(&config, |line| {
        let Line::Leaf { leaf, record, .. } = line else { return Ok(()) };
        let read =
            Record::from_bytes(&record).map_err(|error| Failure::because(Exit::LedgerBroken, &error))?;
        // The record's own JSON carries its message under a fixed name, so no second reading of ids is needed.
        let text = String::from_utf8_lossy(&record);
        let is_message = args.message.is_none_or(|message| text.contains(&message.to_string()));
        let is_kind = args.kind.as_ref().is_none_or(|kind| read.kind().as_str() == kind);
        if is_message && is_kind {
            output::line(&format!("{{\"leaf\":{leaf},\"record\":{text}}}"))
        } else {
            Ok(())
        }
    })
    .await
}

async fn export(config: &Config) -> Result<(), Failure> {
    each_leaf(config, |line| output::line(&line.to_text())).await
}

async fn each_leaf(
    config: &Config,
    mut each: impl FnMut(Line) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let store = open(config).await?;
    let broken = |error: store::Error| Failure::because(Exit::LedgerBroken, &error);
    let mut next = 0;
    loop {
        let rows = store.leaves(next, PAGE_LEAVES).await.map_err(broken)?;
        if rows.is_empty() {
            break;
        }
        for row in rows {
            let leaf = row.leaf.unwrap_or(next);
            let hash = row.hash.unwrap_or_else(|| audit::leaf_hash(&row.record));
            each(Line::Leaf { leaf, record: row.record, hash })?;
            next = leaf + 1;
        }
    }
    for note in store.checkpoints().await.map_err(broken)? {
        each(Line::Checkpoint(note))?;
    }
    store.close().await.map_err(|error| Failure::because(Exit::Io, &error))
}

/// Beside a running node.
async fn open(config: &Config) -> Result<Arc<Sqlite>, Failure> {
    opened(database::open_reading(config, 1).await)
}

fn opened(store: store::Result<Arc<Sqlite>>) -> Result<Arc<Sqlite>, Failure> {
    store.map_err(|error| Failure::because(Exit::Io, &error))
}

/// The signed note that a witness keeps of `origin`'s ledger: from the cloud node, or from a file.
async fn witness_note(source: &str, origin: &str) -> Result<String, Failure> {
    let Some(address) = source.strip_prefix("http://") else {
        return std::fs::read_to_string(source)
            .map_err(|error| Failure::new(Exit::Io, format!("{source}: {error}")));
    };
    let answer = crate::http::get(address.trim_end_matches('/'), &format!("/witness/{origin}"), None).await;
    let answer = answer.map_err(|words| Failure::new(Exit::Unavailable, words))?;
    if answer.status != 200 {
        return Err(Failure::new(Exit::Unavailable, format!("{source} keeps no checkpoint of {origin}")));
    }
    String::from_utf8(answer.body.to_vec()).map_err(|error| Failure::because(Exit::Unavailable, &error))
}
