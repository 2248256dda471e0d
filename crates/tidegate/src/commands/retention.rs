//! `tidegate retention`, `tidegate hold` and `tidegate journal`: the months of the journal.

use std::io::Read as _;
use std::path::Path;

use serde_json::{Value, json};
use store::Retention as _;

use super::message::write;
use super::node_api::{Node, cell, items};
use super::{check, output};
use crate::cli::{
    HoldArgs, HoldCommand, JournalArgs, JournalCommand, JournalVerifyArgs, OnNode, RetentionArgs,
    RetentionCommand,
};
use crate::{Exit, Failure, clock, database};

/// Longest number of a patient, in bytes.
const NUMBER_BYTES_MAX: u64 = 256;

/// `tidegate retention`.
pub async fn retention(args: RetentionArgs) -> Result<(), Failure> {
    match args.command {
        RetentionCommand::Plan(OnNode { node, output }) => {
            let plan = Node::of(&node)?.get("/admin/retention").await?;
            write(items(&plan["months"]), output, month)?;
            let keeps = plan["journal_months"].as_u64();
            let words = keeps
                .map_or("no retention is configured: every month is kept".to_owned(), |months| {
                    format!("kept: the current month and {months} before it")
                });
            output::words(&words);
            Ok(())
        }
        RetentionCommand::Apply(args) => {
            let node = Node::of(&args.on.node)?;
            let done = node.post("/admin/retention/apply", &json!({})).await?;
            let dropped = items(&done["dropped"]);
            write(dropped, args.on.output, |one| {
                format!("{} {} entries", cell(&one["month"]), one["entries"])
            })?;
            output::words(&format!("{} months dropped", dropped.len()));
            Ok(())
        }
    }
}

fn month(month: &Value) -> String {
    let kept: Vec<String> = items(&month["kept"])
        .iter()
        .map(|one| match one["count"].as_u64() {
            Some(count) if count > 1 => format!("{} {count}", cell(&one["why"])),
            _ => cell(&one["why"]),
        })
        .collect();
    let fate = if month["goes"] == true { "goes".to_owned() } else { format!("kept: {}", kept.join(", ")) };
    format!("{} {} bytes, {fate}", cell(&month["month"]), month["bytes"])
}

/// `tidegate hold`.
pub async fn hold(args: HoldArgs) -> Result<(), Failure> {
    match args.command {
        HoldCommand::Add(args) => {
            let patient = args.patient_file.as_deref().map(number).transpose()?;
            let asked = json!({"month": args.month, "patient": patient, "reason": args.reason});
            let placed = Node::of(&args.on.node)?.post("/admin/holds", &asked).await?;
            write(&[placed], args.on.output, |one| format!("hold {}", one["hold"]))
        }
        HoldCommand::List(OnNode { node, output }) => {
            let found = Node::of(&node)?.get("/admin/holds").await?;
            write(items(&found["holds"]), output, |one| {
                let keeps: Vec<String> = items(&one["keeps"]).iter().map(cell).collect();
                let [on, reason, by, at] = ["on", "reason", "by", "at"].map(|name| cell(&one[name]));
                format!("{} {on} {reason} by {by} {at} keeps {}", one["hold"], keeps.join(", "))
            })
        }
        HoldCommand::Release(args) => {
            let path = format!("/admin/holds/{}/release", args.hold);
            let asked = json!({"reason": args.reason});
            let released = Node::of(&args.on.node)?.post(&path, &asked).await?;
            write(&[released], args.on.output, |one| format!("released {}", one["released"]))
        }
    }
}

/// A number from a file, since arguments of a process are seen by others.
fn number(file: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = if file == Path::new("-") {
        std::io::stdin().lock().take(NUMBER_BYTES_MAX).read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|file| file.take(NUMBER_BYTES_MAX).read_to_string(&mut text))
    };
    read.map_err(|error| Failure::new(Exit::Io, format!("{}: {error}", file.display())))?;
    Ok(text.trim().to_owned())
}

/// `tidegate journal`.
pub async fn journal(args: JournalArgs) -> Result<(), Failure> {
    let JournalCommand::Verify(JournalVerifyArgs { config, month }) = args.command;
    let config = check::load(&config)?;
    let failed = |error: &store::Error| Failure::because(Exit::Io, error);
    let store = database::open_reading(&config, 2).await.map_err(|error| failed(&error))?;
    let months = store.months(clock::now_us(), None).await.map_err(|error| failed(&error))?;
    let asked = |name: &String| month.as_ref().is_none_or(|month| month == name);
    let names: Vec<String> = months.into_iter().map(|month| month.month).filter(asked).collect();
    if let (true, Some(month)) = (names.is_empty(), &month) {
        return Err(Failure::new(Exit::CheckFailed, format!("there is no month {month}")));
    }
    let mut is_sound = true;
    for name in names {
        let verified = store.verify_month(&name).await.map_err(|error| failed(&error))?;
        let (garbled, is_cut) = (verified.garbled.len(), verified.is_cut);
        output::line(&format!("{name}: {} entries are what was written, {garbled} are not", verified.sound))?;
        for seq in verified.garbled {
            output::line(&format!("{name}: entry {} cannot be read as it was written", seq.0))?;
        }
        if is_cut {
            output::line(&format!(
                "{name}: a page of the file cannot be read; entries behind it are not known"
            ))?;
        }
        is_sound &= garbled == 0 && !is_cut;
    }
    store.close().await.map_err(|error| failed(&error))?;
    if is_sound {
        Ok(())
    } else {
        Err(Failure::new(Exit::CheckFailed, "the journal is not what was written"))
    }
}
