//! `tidegate msg find|show`: messages of a running node.

use std::io::IsTerminal as _;

use serde_json::{Value, json};

use super::node_api::{Node, bytes, cell, items, visible};
use super::output;
use crate::cli::{FindArgs, MessageArgs, MessageCommand, NodeOutput, ShowArgs};
use crate::{Exit, Failure};

/// Messages of one answer.
const PAGE_MESSAGES: u64 = 500;

/// Runs the command.
pub async fn run(args: MessageArgs) -> Result<(), Failure> {
    match args.command {
        MessageCommand::Find(args) => find(&args).await,
        MessageCommand::Show(args) => show(&args).await,
    }
}

async fn find(args: &FindArgs) -> Result<(), Failure> {
    let node = Node::of(&args.node)?;
    let query = args.query.join(" ");
    let mut found: Vec<Value> = Vec::new();
    let mut before = Value::Null;
    let mut open = args.limit;
    while open > 0 {
        let asked = json!({"query": query, "limit": open.min(PAGE_MESSAGES), "before": before});
        let page = node.post("/admin/messages/search", &asked).await?;
        let messages = items(&page["messages"]);
        open = open.saturating_sub(u64::try_from(messages.len()).unwrap_or(u64::MAX));
        found.extend(messages.iter().cloned());
        before = page["next"].clone();
        if before.is_null() {
            break;
        }
    }
    if args.output == NodeOutput::Table {
        output::line(&row(
            ["position", "id", "received", "state", "type", "sender", "reason"].map(str::to_owned)
        ))?;
    }
    write(&found, args.output, |message| {
        row(["position", "id", "received", "state", "type", "sender", "reason"]
            .map(|name| cell(&message[name])))
    })?;
    if !before.is_null() {
        output::words(&format!(
            "the newest {} are shown and more match; narrow the query, or raise --limit",
            found.len()
        ));
    }
    if found.is_empty() { Err(Failure::new(Exit::CheckFailed, "no message found")) } else { Ok(()) }
}

fn row([position, id, received, state, kind, sender, reason]: [String; 7]) -> String {
    format!("{position:<9} {id:<36} {received:<27} {state:<12} {kind:<8} {sender:<24} {reason}")
}

/// Writes rows in the form asked for.
pub(super) fn write(
    rows: &[Value],
    form: NodeOutput,
    table: impl Fn(&Value) -> String,
) -> Result<(), Failure> {
    match form {
        NodeOutput::Json => output::line(&json!(rows).to_string()),
        NodeOutput::Ndjson => rows.iter().try_for_each(|row| output::line(&row.to_string())),
        NodeOutput::Table => rows.iter().try_for_each(|row| output::line(&table(row))),
    }
}

async fn show(args: &ShowArgs) -> Result<(), Failure> {
    let node = Node::of(&args.node)?;
    let path = format!("/admin/messages/{}", args.id);
    let message = match &args.reveal {
        Some(reason) => node.post(&format!("{path}/reveal"), &json!({"reason": reason})).await?,
        None => node.get(&path).await?,
    };
    if args.raw {
        return raw(&message);
    }
    if args.fhir {
        let resources = items(&message["resources"]).iter().map(|one| one["resource"].clone());
        return write(&resources.collect::<Vec<_>>(), args.output, Value::to_string);
    }
    if args.trace {
        return write(items(&message["trace"]), args.output, step);
    }
    match args.output {
        NodeOutput::Table => summary(&message),
        NodeOutput::Json | NodeOutput::Ndjson => output::line(&message.to_string()),
    }
}

/// The bytes as received; at a terminal each segment on a line of its own.
fn raw(message: &Value) -> Result<(), Failure> {
    if !std::io::stdout().is_terminal() {
        return output::data(&bytes(message)?);
    }
    let text = message["er7"].as_str().unwrap_or_default();
    let lines = text.split(['\r', '\n']).filter(|line| !line.is_empty());
    lines.map(visible).try_for_each(|line| output::line(&line))
}

fn step(step: &Value) -> String {
    let values = [&step["input"], &step["output"]].map(cell);
    let values = if values.iter().all(|value| value == "-") { String::new() } else { values.join(" -> ") };
    format!("{:<14} {:<44} {}  {values}", cell(&step["source"]), cell(&step["element"]), cell(&step["rule"]))
}

fn summary(message: &Value) -> Result<(), Failure> {
    let row = &message["message"];
    for name in ["id", "position", "received", "channel", "peer", "bytes", "refused", "untranslated"] {
        output::line(&format!("{name:<12} {}", cell(&message[name])))?;
    }
    for name in ["type", "sender", "state", "reason", "mapped", "leaves", "package"] {
        output::line(&format!("{name:<12} {}", cell(&row[name])))?;
    }
    for one in items(&message["resources"]) {
        output::line(&format!(
            "resource     {}/{} version {}",
            cell(&one["type"]),
            cell(&one["id"]),
            one["version"]
        ))?;
    }
    for one in items(&message["deliveries"]) {
        let [destination, resource, state] =
            ["destination", "resource", "state"].map(|name| cell(&one[name]));
        output::line(&format!("delivery     {destination} {resource} {state}"))?;
    }
    for leaf in items(&message["leaves"]).iter().filter(|leaf| leaf["fate"] != "mapped") {
        let [path, fate, reason] = ["path", "fate", "reason"].map(|name| cell(&leaf[name]));
        output::line(&format!("leaf         {path} {fate} {reason}"))?;
    }
    Ok(())
}
