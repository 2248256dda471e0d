//! `tidegate explain`: each value of a message with what it became, by which rule; and why what is missing is missing.

mod choice;
mod json;
mod paint;
mod stored;
#[cfg(test)]
mod tests;
mod text;

use std::collections::BTreeMap;

use hl7v2::{LeafPath, Message, Span};
use mapping::{Context, LeafFate, Miss, PACKAGES_FOLDER, Step, Translation};
use uuid::Uuid;

use self::choice::Choice;
use super::map::NAMESPACE;
use super::{input, output};
use crate::cli::{ExplainArgs, ExplainFormat};
use crate::node::content;
use crate::{Exit, Failure, package};

/// Runs the command.
pub async fn run(mut args: ExplainArgs) -> Result<(), Failure> {
    let of_node = match id_of(&args) {
        Some(id) => Some(stored::message(&mut args, id).await?),
        None => None,
    };
    explain(&args, of_node)
}

/// The id that is given in the place of a file.
fn id_of(args: &ExplainArgs) -> Option<Uuid> {
    let name = args.file.as_ref()?;
    if name.exists() { None } else { Uuid::try_parse(name.to_str()?).ok() }
}

fn explain(args: &ExplainArgs, of_node: Option<stored::Message>) -> Result<(), Failure> {
    let choice = Choice::read(args.field.as_deref(), args.element.as_deref())?;
    let package = content::mappings(&args.mappings)?;
    let failure = |error: std::io::Error| Failure::because(Exit::Io, &error);
    let sources = package::read_folder_without(&args.mappings, PACKAGES_FOLDER).map_err(failure)?;
    let bytes = match of_node {
        Some(message) => {
            message.compare(package.hash());
            message.bytes
        }
        None => bytes_of(args)?,
    };
    let unreadable = |error: hl7v2::Unreadable| Failure::new(Exit::CheckFailed, error.to_string());
    let message = Message::read(&bytes).map_err(unreadable)?;
    let context = Context { namespace: NAMESPACE, site: args.site.as_deref(), trace: true };
    let translation = package
        .translate(&message, &context)
        .map_err(|rejection| Failure::new(Exit::CheckFailed, format!("rejected: {rejection}")))?;
    let explanation = Explanation::of(&message, &translation);
    let chosen = choice.of(&message, &explanation);
    if chosen.is_empty() {
        return Err(Failure::new(Exit::CheckFailed, choice.nothing(&translation)));
    }
    match args.format {
        ExplainFormat::Json => output::line(&json::object(&explanation, &chosen).to_string()),
        ExplainFormat::Text => {
            let view = text::View { explanation: &explanation, chosen: &chosen, sources: &sources };
            output::data(view.render(&choice, paint::Paint::of_stdout()).as_bytes())
        }
    }
}

/// The bytes of the chosen message of the input.
fn bytes_of(args: &ExplainArgs) -> Result<Vec<u8>, Failure> {
    let files: Vec<_> = args.file.iter().cloned().collect();
    let mut messages: Vec<Vec<u8>> = Vec::new();
    input::each(&files, &["hl7", "er7", "txt"], |input| {
        messages.extend(hl7v2::batch::messages(&input.bytes).map(<[u8]>::to_vec));
        Ok(())
    })?;
    let count = messages.len();
    if count == 0 {
        return Err(Failure::new(Exit::CheckFailed, "no message found in the input"));
    }
    let index = usize::try_from(args.message).unwrap_or(usize::MAX).saturating_sub(1);
    if index >= count {
        let words = format!("there is no message {}: the input holds {count}", args.message);
        return Err(Failure::new(Exit::Usage, words));
    }
    if count > 1 {
        output::words(&format!("message {} of {count}; choose another with --message", args.message));
    }
    Ok(messages.swap_remove(index))
}

/// A translation laid out for a reader. PHI.
pub(super) struct Explanation<'t> {
    /// `ADT^A01`.
    message_type: String,
    leaves: Vec<Leaf<'t>>,
    steps: Vec<Step>,
    misses: Vec<Miss>,
    is_cut: bool,
    /// How many resources were made, by type.
    resources: BTreeMap<&'t str, usize>,
}

/// One populated leaf of the message.
pub(super) struct Leaf<'t> {
    at: LeafPath,
    /// `OBX(3)-5.1`.
    path: String,
    value: String,
    span: Span,
    fate: LeafFate,
    reason: Option<&'t str>,
}

impl<'t> Explanation<'t> {
    /// Coverage has the leaves in the order of the message, one for one.
    fn of(message: &Message<'_>, translation: &'t Translation) -> Self {
        let leaves = message.leaves().zip(&translation.coverage.leaves).map(|(leaf, covered)| Leaf {
            at: leaf.path,
            path: leaf.path.describe(message).to_string(),
            value: message.part_of(leaf).text().into_owned(),
            span: covered.span,
            fate: covered.fate,
            reason: covered.reason.as_deref(),
        });
        let trace = translation.trace.as_ref();
        let mut resources = BTreeMap::new();
        for set in translation.made() {
            *resources.entry(set.resource_type.as_str()).or_default() += 1;
        }
        Self {
            message_type: format!("{}^{}", message.header().code(), message.header().event()),
            leaves: leaves.collect(),
            steps: trace.map(|trace| trace.steps().collect()).unwrap_or_default(),
            misses: trace.map(|trace| trace.misses().collect()).unwrap_or_default(),
            is_cut: trace.is_some_and(mapping::Trace::is_cut),
            resources,
        }
    }

    /// The steps that read a leaf, or the whole of which it is a part.
    fn steps_of(&self, leaf: &Leaf<'_>) -> impl Iterator<Item = &Step> {
        let span = leaf.span;
        self.steps.iter().filter(move |step| step.span.is_some_and(|read| meet(read, span)))
    }

    /// The rules that read a leaf and gave nothing.
    fn misses_of(&self, leaf: &Leaf<'_>) -> impl Iterator<Item = &Miss> {
        let span = leaf.span;
        let reads =
            move |miss: &&Miss| miss.reads.iter().any(|read| read.span.is_some_and(|read| meet(read, span)));
        self.misses.iter().filter(reads)
    }
}

/// Whether two spans share a byte.
fn meet(left: Span, right: Span) -> bool {
    left.start < right.end && right.start < left.end
}

/// The word of a fate.
fn fate_word(fate: LeafFate) -> &'static str {
    match fate {
        LeafFate::Mapped => "mapped",
        LeafFate::Lossy => "lossy",
        LeafFate::Ignored => "ignored",
        LeafFate::Unmapped => "unmapped",
        LeafFate::Rejected => "rejected",
    }
}
