//! `tidegate map`: HL7 v2 to FHIR on stdout, issues on stderr; nothing is stored.

use mapping::{Context, LeafFate, Package, Translation};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{input, output};
use crate::cli::{MapArgs, MapFormat};
use crate::node::content;
use crate::{Exit, Failure};

/// Ids made by this command live in a namespace of their own, so that they never pass for a site's.
pub(super) const NAMESPACE: Uuid = Uuid::from_u128(0x7469_6465_6761_7465_0000_6d61_7000_0001);
/// Files taken from a folder.
pub(super) const EXTENSIONS: [&str; 3] = ["hl7", "er7", "txt"];

/// Runs the command.
pub fn run(args: &MapArgs) -> Result<(), Failure> {
    let package = content::mappings(&args.mappings)?;
    let (mut messages, mut rejected, mut refused) = (0_u64, 0_u64, 0_u64);
    input::each(&args.files, &EXTENSIONS, |input| {
        for bytes in hl7v2::batch::messages(&input.bytes) {
            messages += 1;
            let place = format!("{}#{messages}", input.name);
            match translate(&package, args, bytes) {
                Ok(translation) => {
                    refused += u64::from(!is_accepted(&place, &package, &translation));
                    write(&place, &translation, args.format)?;
                }
                Err(words) => {
                    rejected += 1;
                    output::words(&format!("{place}: rejected: {words}"));
                }
            }
        }
        Ok(())
    })?;
    if messages == 0 {
        return Err(Failure::new(Exit::CheckFailed, "no message found in the input"));
    }
    if rejected > 0 {
        return Err(Failure::new(Exit::CheckFailed, format!("{rejected} of {messages} messages rejected")));
    }
    if refused > 0 {
        let words = format!("{refused} of {messages} messages make resources that a node would quarantine");
        return Err(Failure::new(Exit::CheckFailed, words));
    }
    Ok(())
}

/// Says what is wrong with the resources as this message alone makes them; whether a node would store them.
fn is_accepted(place: &str, package: &Package, translation: &Translation) -> bool {
    let mut is_accepted = true;
    for set in translation.made() {
        let validated = package.validate(translation.site.as_deref(), [&set.resource]);
        is_accepted &= validated.refused.is_none();
        for issue in validated.issues {
            let (severity, handle) = (issue.severity, &set.handle);
            output::words(&format!("{place}: {severity:?} {} {} ({handle})", issue.path, issue.text));
        }
    }
    is_accepted
}

fn translate(package: &Package, args: &MapArgs, bytes: &[u8]) -> Result<Translation, String> {
    let message = hl7v2::Message::read(bytes).map_err(|error| error.to_string())?;
    let trace = args.format == MapFormat::Trace;
    let context = Context { namespace: NAMESPACE, site: args.site.as_deref(), trace };
    package.translate(&message, &context).map_err(|rejection| rejection.to_string())
}

fn write(place: &str, translation: &Translation, format: MapFormat) -> Result<(), Failure> {
    for issue in &translation.issues {
        let rule = issue.rule.as_deref().unwrap_or("-");
        output::words(&format!("{place}: {:?} {} {} ({rule})", issue.severity, issue.path, issue.text));
    }
    match format {
        MapFormat::Bundle => output_json(&translation.bundle()),
        MapFormat::Ndjson => translation.made().try_for_each(|set| output_json(&set.resource)),
        MapFormat::Trace => trace(translation),
        MapFormat::Coverage => coverage(place, translation),
    }
}

fn output_json(resource: &Value) -> Result<(), Failure> {
    let mut bytes = fhir::canonical_json(resource);
    bytes.push(b'\n');
    output::data(&bytes)
}

fn trace(translation: &Translation) -> Result<(), Failure> {
    let mut steps = translation.trace.iter().flat_map(|trace| trace.steps());
    steps.try_for_each(|step| {
        let line = json!({"resource": step.resource, "element": step.element, "source": step.source_path,
            "span": step.span.map(|span| [span.start, span.end]), "rule": step.rule, "conversions": step.conversions,
            "code_table": step.code_table, "input": step.input, "output": step.output});
        output::line(&line.to_string())
    })
}

/// Paths only, no values: safe wherever it goes.
fn coverage(place: &str, translation: &Translation) -> Result<(), Failure> {
    let leaves = &translation.coverage.leaves;
    let count = |fate: LeafFate| leaves.iter().filter(|leaf| leaf.fate == fate).count();
    let paths = |fate: LeafFate| -> Vec<String> {
        leaves.iter().filter(|leaf| leaf.fate == fate).map(|leaf| leaf.path.to_string()).collect()
    };
    let line = json!({"message": place, "leaves": leaves.len(), "mapped": count(LeafFate::Mapped),
        "lossy": count(LeafFate::Lossy), "ignored": count(LeafFate::Ignored),
        "unmapped": paths(LeafFate::Unmapped), "rejected": paths(LeafFate::Rejected)});
    output::line(&line.to_string())
}
