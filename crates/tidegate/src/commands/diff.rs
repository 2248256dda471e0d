//! `tidegate diff`: what another mapping package would make otherwise of messages. Nothing is written; no value is shown
//! that was not asked for.

use mapping::{Context, Difference, Differences, Group, Package};
use serde_json::{Value, json};
use store::sqlite::{Role, Sqlite};
use store::{Journal as _, Seq};

use super::map::{EXTENSIONS, NAMESPACE};
use super::node_api::visible;
use super::{check, input, output};
use crate::cli::{DiffArgs, ReportOutput};
use crate::node::content;
use crate::{Exit, Failure, clock, database};

/// Stored messages read at once.
const PAGE_ENTRIES: usize = 256;

/// Two packages, and how they differ so far.
struct Comparison<'a> {
    is: Package,
    would_be: Package,
    site: Option<&'a str>,
    differences: Differences,
    /// What no header could be read of.
    unreadable: u64,
    /// Parts of longer messages (DSC, ADD), which say nothing alone.
    parts: u64,
}

/// Runs the command.
pub async fn run(args: &DiffArgs) -> Result<(), Failure> {
    let config = args.config.as_deref().map(check::load).transpose()?;
    let configured = config.as_ref().and_then(|config| config.mappings.clone());
    let mappings = args.mappings.clone().or(configured).unwrap_or_else(|| "mappings".into());
    let mut comparison = Comparison {
        is: content::mappings(&mappings)?,
        would_be: content::mappings(&args.with)?,
        site: args.site.as_deref(),
        differences: Differences::default(),
        unreadable: 0,
        parts: 0,
    };
    let failure = |error: store::Error| Failure::because(Exit::Io, &error);
    // Read beside the node, of which nothing is locked.
    match (&args.data, &config) {
        (Some(copy), _) => {
            let store = database::open_folder(copy, Role::Clinical, 1).await.map_err(failure)?;
            stored(&store, args, &mut comparison).await?;
        }
        (None, Some(config)) => {
            let store = database::open_reading(config, 1).await.map_err(failure)?;
            stored(&store, args, &mut comparison).await?;
        }
        (None, None) => files(args, &mut comparison)?,
    }
    comparison.report(args)
}

fn files(args: &DiffArgs, comparison: &mut Comparison<'_>) -> Result<(), Failure> {
    let mut number = 0_u64;
    input::each(&args.files, &EXTENSIONS, |input| {
        for bytes in hl7v2::batch::messages(&input.bytes) {
            number += 1;
            comparison.add(&format!("{}#{number}", input.name), bytes);
        }
        Ok(())
    })
}

/// What was accepted, in the order received.
async fn stored(store: &Sqlite, args: &DiffArgs, comparison: &mut Comparison<'_>) -> Result<(), Failure> {
    let failure = |error: store::Error| Failure::because(Exit::Io, &error);
    let until_us = clock::now_us();
    let age = args.since.map(|age| i64::try_from(age.as_micros()).unwrap_or(i64::MAX));
    let from_us = age.map_or(0, |age| until_us.saturating_sub(age));
    let mut after = Seq(0);
    loop {
        let entries = store.window(from_us, until_us, after, PAGE_ENTRIES).await.map_err(failure)?;
        let Some(last) = entries.last() else { break };
        after = last.seq;
        for entry in entries.iter().filter(|entry| entry.refused.is_none()) {
            comparison.add(&entry.id.0.to_string(), &entry.bytes);
        }
    }
    store.close().await.map_err(failure)
}

impl Comparison<'_> {
    fn add(&mut self, name: &str, bytes: &[u8]) {
        let Ok(message) = hl7v2::Message::read(bytes) else {
            self.unreadable += 1;
            return;
        };
        if hl7v2::continuation::Part::of(&message).is_some() {
            self.parts += 1;
            return;
        }
        let context = Context { namespace: NAMESPACE, site: self.site, trace: false };
        let (is, would_be) =
            (self.is.translate(&message, &context), self.would_be.translate(&message, &context));
        self.differences.add(name, &is, &would_be);
    }

    fn report(&self, args: &DiffArgs) -> Result<(), Failure> {
        for (count, words) in [
            (self.unreadable, "without a readable header were left out"),
            (self.parts, "that are parts of longer messages were left out"),
        ] {
            if count > 0 {
                output::words(&format!("{count} messages {words}"));
            }
        }
        let all = &self.differences;
        if all.messages == 0 {
            return Err(Failure::new(Exit::Usage, "no message found to compare"));
        }
        match args.output {
            ReportOutput::Table => self.table(args.show_values)?,
            ReportOutput::Json => output::line(&self.object(args.show_values).to_string())?,
        }
        if all.is_empty() {
            output::words(&format!("{} messages: no difference", all.messages));
            return Ok(());
        }
        let words = format!("{} of {} messages differ", all.differing, all.messages);
        Err(Failure::new(Exit::CheckFailed, words))
    }

    fn table(&self, shows_values: bool) -> Result<(), Failure> {
        if self.differences.is_empty() {
            return Ok(());
        }
        let head = ["type", "element", "change", "count", "examples"].map(str::to_owned);
        output::line(&row(&head))?;
        for (kind, element, what, group) in self.differences.groups() {
            let element = if element.is_empty() { "(all)" } else { element };
            let (count, examples) = (group.count.to_string(), visible(&group.examples.join(" ")));
            output::line(&row(&[
                kind.to_owned(),
                element.to_owned(),
                what.word().to_owned(),
                count,
                examples,
            ]))?;
            for (before, after) in group.values.iter().filter(|_| shows_values) {
                let shown = |value: &Option<String>| value.as_deref().map_or_else(|| "-".to_owned(), visible);
                output::line(&format!("    {} -> {}", shown(before), shown(after)))?;
            }
        }
        Ok(())
    }

    fn object(&self, shows_values: bool) -> Value {
        let all = &self.differences;
        let groups = all
            .groups()
            .map(|(kind, element, what, group)| of_group(kind, element, what, group, shows_values));
        json!({"messages": all.messages, "differing": all.differing, "unreadable": self.unreadable, "parts": self.parts,
            "package": self.is.hash(), "with": self.would_be.hash(), "differences": groups.collect::<Vec<_>>()})
    }
}

fn of_group(kind: &str, element: &str, what: Difference, group: &Group, shows_values: bool) -> Value {
    let mut made = json!({"type": kind, "element": element, "change": what.word(), "count": group.count,
        "messages": group.messages, "examples": group.examples});
    if let (Some(object), true) = (made.as_object_mut(), shows_values) {
        let values = group.values.iter().map(|(before, after)| json!({"before": before, "after": after}));
        object.insert("values".to_owned(), values.collect());
    }
    made
}

fn row([kind, element, change, count, examples]: &[String; 5]) -> String {
    format!("{kind:<20} {element:<52} {change:<8} {count:>6}  {examples}")
}
