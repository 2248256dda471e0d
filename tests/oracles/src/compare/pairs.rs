//! The messages of other converters and what they made of them, as they lie in the corpora.

use std::path::{Path, PathBuf};

use mapping::{Context, Package};
use serde_json::Value;

use super::canonical::{self, Resource};
use super::{Findings, schematized};
use crate::{files, measure};

/// The corpora with outputs: folder, and the name in the list.
pub const MICROSOFT: (&str, &str) = ("microsoft-fhir-converter", "microsoft");
/// ReportStream: pairs lie side by side.
pub const REPORTSTREAM: (&str, &str) = ("cdc-prime-reportstream", "reportstream");
/// Where its outputs were made of messages; its other folders go the other way, or from FHIR to FHIR.
const REPORTSTREAM_FOLDERS: [&str; 2] = ["HL7_to_FHIR", "mappinginventory"];
/// Whistle: inputs are JSON. Compared are its data types and segments.
pub const WHISTLE: (&str, &str) = ("google-healthcare-data-harmonization", "whistle");

/// Compares everything below the folder of corpora.
///
/// # Errors
/// A file that cannot be read.
pub fn run(package: &Package, root: &Path) -> std::io::Result<Findings> {
    let mut findings = Findings::default();
    for (corpus, hl7, expected) in beside(root)? {
        let bytes = std::fs::read(&hl7)?;
        let file = name(root, &hl7);
        match theirs(&expected).and_then(|theirs| Ok((theirs, ours(package, &bytes)?))) {
            Ok((theirs, ours)) => findings.add(corpus, &file, &theirs, &ours),
            Err(reason) => findings.skipped.push(format!("{file}: {reason}")),
        }
    }
    let inputs = ["datatypes", "segments"]
        .map(|folder| files::walk(&root.join(WHISTLE.0).join(folder), &[".input.json"]));
    for input in inputs.into_iter().collect::<std::io::Result<Vec<_>>>()?.into_iter().flatten() {
        let file = name(root, &input);
        match whistle(package, &input) {
            Ok((theirs, ours)) => findings.add(WHISTLE.1, &file, &theirs, &ours),
            Err(reason) => findings.skipped.push(format!("{file}: {reason}")),
        }
    }
    Ok(findings)
}

fn name(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned()
}

/// Corpus, message and output of those whose messages are ER7.
fn beside(root: &Path) -> std::io::Result<Vec<(&'static str, PathBuf, PathBuf)>> {
    let mut found = Vec::new();
    let outputs = files::walk(&root.join(MICROSOFT.0).join("expected"), &["-expected.json"])?;
    for output in outputs {
        let stem = output.file_name().map(|name| name.to_string_lossy().replace("-expected.json", ".hl7"));
        let message = root.join(MICROSOFT.0).join("messages").join(stem.unwrap_or_default());
        if message.is_file() {
            found.push((MICROSOFT.1, message, output));
        }
    }
    for output in REPORTSTREAM_FOLDERS
        .iter()
        .map(|folder| files::walk(&root.join(REPORTSTREAM.0).join(folder), &[".fhir"]))
        .collect::<std::io::Result<Vec<_>>>()?
        .into_iter()
        .flatten()
    {
        let message = output.with_extension("hl7");
        if message.is_file() {
            found.push((REPORTSTREAM.1, message, output));
        }
    }
    Ok(found)
}

fn theirs(path: &Path) -> Result<Vec<Resource>, String> {
    Ok(canonical::resources(&json(path)?))
}

fn json(path: &Path) -> Result<Value, String> {
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    serde_json::from_slice(&bytes).map_err(|_| "is not JSON".to_owned())
}

/// What the package makes of a message, under the overlay for corpora.
fn ours(package: &Package, bytes: &[u8]) -> Result<Vec<Resource>, String> {
    let bytes = hl7v2::batch::messages(bytes).next().ok_or("no message")?;
    let message = hl7v2::Message::read(bytes).map_err(|_| "not readable as HL7".to_owned())?;
    let context = Context { namespace: measure::NAMESPACE, site: Some(measure::SITE), trace: false };
    let translation = package.translate(&message, &context).map_err(|rejection| rejection.to_string())?;
    Ok(canonical::resources(&translation.bundle()))
}

/// Inputs that are one segment or one value travel in a message of our own; then only what they made is compared.
fn whistle(package: &Package, input: &Path) -> Result<(Vec<Resource>, Vec<Resource>), String> {
    let output = PathBuf::from(input.to_string_lossy().replace(".input.json", ".output.json"));
    let expected = json(&output)?;
    let carried = schematized::message(&json(input)?, &input.to_string_lossy())?;
    let made = ours(package, carried.er7.as_bytes())?;
    let Some((kind, element)) = carried.element else {
        let theirs = canonical::resources(&expected);
        let ours = match carried.whole {
            true => made,
            false => {
                made.into_iter().filter(|one| theirs.iter().any(|other| other.kind == one.kind)).collect()
            }
        };
        return Ok((theirs, ours));
    };
    let of_kind = made.into_iter().find(|one| one.kind == kind).ok_or(format!("no {kind} was made"))?;
    let ours = of_kind.content.pointer(element).cloned().unwrap_or(Value::Null);
    let list = |value: Value| if value.is_array() { value } else { Value::Array(vec![value]) };
    let part = |content: Value| Resource { kind: carried.data_type.clone(), names: Vec::new(), content };
    let wrap = |value: Value| serde_json::json!({ "value": list(value) });
    Ok((vec![part(wrap(canonical::content(&expected)))], vec![part(wrap(ours))]))
}
