//! `tidegate replay`: messages of a query again, with progress until each request has an outcome; or what would change.

use std::io::{BufRead as _, IsTerminal as _};
use std::time::Duration;

use serde_json::{Value, json};

use super::message::write;
use super::node_api::{Node, cell, items};
use super::output;
use crate::cli::ReplayArgs;
use crate::{Exit, Failure};

/// Between two looks at the requests.
const POLL_PAUSE: Duration = Duration::from_millis(500);

/// Runs the command.
pub async fn run(args: ReplayArgs) -> Result<(), Failure> {
    let node = Node::of(&args.node)?;
    match &args.to {
        Some(to) => forward(&node, &args, to).await,
        None if args.dry_run => foresee(&node, &args).await,
        None => replay(&node, &args).await,
    }
}

async fn foresee(node: &Node, args: &ReplayArgs) -> Result<(), Failure> {
    let mut before = Value::Null;
    let mut all = Vec::new();
    loop {
        let asked = json!({"query": args.query, "dry_run": true, "before": before});
        let page = node.post("/admin/replay", &asked).await?;
        all.extend(items(&page["messages"]).iter().cloned());
        before = page["next"].clone();
        if before.is_null() {
            break;
        }
        output::words(&format!("{} messages so far", all.len()));
    }
    write(&all, args.output, foreseen)?;
    output::words(&format!("{} messages; nothing was written", all.len()));
    found(all.len())
}

fn foreseen(message: &Value) -> String {
    let [id, kind, state, then, reason] =
        ["id", "type", "state", "then", "then_reason"].map(|name| cell(&message[name]));
    let mut text = format!("{id} {kind} {state} -> {then} {reason} deliveries {}", message["deliveries"]);
    if let Some(why) = message["nothing"].as_str() {
        text = format!("{id} {kind} {state}: nothing would change: {why}");
    }
    for one in items(&message["resources"]) {
        let elements: Vec<String> = items(&one["elements"]).iter().map(cell).collect();
        let [change, kind, id] = ["change", "type", "id"].map(|name| cell(&one[name]));
        text.push_str(&format!("\n  {change:<8} {kind}/{id}: {}", elements.join(", ")));
    }
    text
}

async fn replay(node: &Node, args: &ReplayArgs) -> Result<(), Failure> {
    if !args.yes {
        confirm("Process every message of this query again? Type yes:")?;
    }
    let asked = node.post("/admin/replay", &json!({"query": args.query})).await?;
    let messages = items(&asked["messages"]);
    found(messages.len())?;
    output::words(&format!("{} messages, {} requests made", messages.len(), asked["requested"]));
    let settled = wait(node, messages).await?;
    write(items(&settled["messages"]), args.output, |one| {
        format!("{} {}", cell(&one["id"]), cell(&one["outcome"]))
    })?;
    let is_done = items(&settled["messages"]).iter().all(|one| one["outcome"] == "done");
    output::words(&format!("outcomes {}", settled["outcomes"]));
    if is_done { Ok(()) } else { Err(Failure::new(Exit::CheckFailed, "not every message was processed")) }
}

/// Page after page of the window, oldest message first; a page is queued whole or not at all.
async fn forward(node: &Node, args: &ReplayArgs, to: &str) -> Result<(), Failure> {
    if !args.yes {
        confirm("Send every message of this window to that destination once more? Type yes:")?;
    }
    let (mut after, mut queued, mut kept) = (json!(0), 0, 0);
    while !after.is_null() {
        let asked = json!({"query": args.query, "to": to, "after": after});
        let page = node.post("/admin/forward", &asked).await?;
        queued += page["queued"].as_u64().unwrap_or_default();
        kept += page["kept"].as_u64().unwrap_or_default();
        after = page["next"].clone();
        output::words(&format!("{queued} messages queued, {kept} may not go there; through {after}"));
    }
    write(&[json!({"to": to, "queued": queued, "kept": kept})], args.output, |one| {
        format!("{} {} {}", cell(&one["to"]), one["queued"], one["kept"])
    })?;
    found(usize::try_from(queued).unwrap_or(usize::MAX))
}

/// Waits until no request is open; says how many are whenever that changes.
async fn wait(node: &Node, messages: &[Value]) -> Result<Value, Failure> {
    let mut told = u64::MAX;
    loop {
        let outcomes = node.post("/admin/replay/outcomes", &json!({"messages": messages})).await?;
        let open = outcomes["open"].as_u64().unwrap_or_default();
        if open == 0 {
            return Ok(outcomes);
        }
        if open != told {
            output::words(&format!("{open} of {} open", messages.len()));
            told = open;
        }
        tokio::time::sleep(POLL_PAUSE).await;
    }
}

fn found(count: usize) -> Result<(), Failure> {
    if count == 0 { Err(Failure::new(Exit::CheckFailed, "no message found")) } else { Ok(()) }
}

/// Asks at a terminal; elsewhere the option must say it.
fn confirm(question: &str) -> Result<(), Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::new(
            Exit::Usage,
            "this changes stored data: see it with --dry-run, then give --yes",
        ));
    }
    output::words(question);
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(|error| Failure::because(Exit::Io, &error))?;
    if line.trim() == "yes" { Ok(()) } else { Err(Failure::new(Exit::CheckFailed, "nothing was requested")) }
}
