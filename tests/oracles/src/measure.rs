//! Counts of what becomes of every message of a folder.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use mapping::{Context, LeafFate, Package, Rejection};
use uuid::Uuid;

use crate::files;

/// The message types the package promises to cover.
pub const COVERED: [(&str, &str); 18] = [
    ("ADT", "A01"),
    ("ADT", "A02"),
    ("ADT", "A03"),
    ("ADT", "A04"),
    ("ADT", "A05"),
    ("ADT", "A06"),
    ("ADT", "A07"),
    ("ADT", "A08"),
    ("ADT", "A11"),
    ("ADT", "A12"),
    ("ADT", "A13"),
    ("ADT", "A28"),
    ("ADT", "A31"),
    ("ADT", "A40"),
    ("ORU", "R01"),
    ("RDE", "O11"),
    ("RDS", "O13"),
    ("DFT", "P03"),
];

/// A namespace for ids that no site uses.
const NAMESPACE: Uuid = Uuid::from_u128(0x7d1e_6a7e_0000_5000_8000_0000_0000_0001);

/// What became of the messages of one folder.
#[derive(Default, Clone, PartialEq, Eq)]
pub struct Counts {
    /// Messages of the covered types.
    pub messages: usize,
    /// Of those, rejected as a whole.
    pub rejected: usize,
    /// Populated leaves of the rejected messages; no part of the shares.
    pub refused_leaves: usize,
    /// Populated leaves of the translated messages, by fate.
    pub fates: [usize; 5],
    /// Resources that have not the form of R4: `fhir::validate` or fhirkit finds an error other than a broken invariant,
    /// which may be the sender's own contradiction.
    pub invalid: usize,
    /// Resources by type.
    pub resources: BTreeMap<String, usize>,
}

/// One run over one folder.
#[derive(Default)]
pub struct Run {
    /// The counts.
    pub counts: Counts,
    /// Messages, populated leaves and those mapped or lossy, by message type.
    pub by_type: BTreeMap<String, [usize; 3]>,
    /// Where leaves were left unmapped: field and component, how often.
    pub unmapped: BTreeMap<String, usize>,
    /// Where leaves were ignored.
    pub ignored: BTreeMap<String, usize>,
    /// Invariants that the resources break, by element and rule, how often. fhirkit evaluates none.
    pub broken: BTreeMap<String, usize>,
    /// Why messages were rejected or resources invalid: file, number and reason, no values.
    pub complaints: Vec<String>,
}

impl Counts {
    /// Populated leaves.
    pub fn leaves(&self) -> usize {
        self.fates.iter().sum()
    }

    /// Leaves that are mapped or lossy, in hundredths of a percent.
    pub fn mapped_share(&self) -> usize {
        share(self.fates[0] + self.fates[1], self.leaves())
    }

    /// Leaves that are ignored, in hundredths of a percent.
    pub fn ignored_share(&self) -> usize {
        share(self.fates[2], self.leaves())
    }

    /// Adds another folder's counts.
    pub fn add(&mut self, other: &Counts) {
        self.messages += other.messages;
        self.rejected += other.rejected;
        self.refused_leaves += other.refused_leaves;
        self.invalid += other.invalid;
        self.fates.iter_mut().zip(other.fates).for_each(|(sum, more)| *sum += more);
        for (name, count) in &other.resources {
            *self.resources.entry(name.clone()).or_default() += count;
        }
    }

    /// The line of the table.
    pub fn line(&self, folder: &str) -> String {
        let mut line = format!("{folder}\t{}\t{}\t{}", self.messages, self.rejected, self.refused_leaves);
        for count in self.fates.iter().chain([&self.invalid]) {
            let _ = write!(line, "\t{count}");
        }
        let types: Vec<String> =
            self.resources.iter().map(|(name, count)| format!("{name}={count}")).collect();
        format!("{line}\t{}", types.join(" "))
    }

    /// Reads a line of the table.
    pub fn parse(line: &str) -> Option<(String, Counts)> {
        let mut cells = line.split('\t');
        let folder = cells.next()?.to_owned();
        let mut number = || cells.next()?.parse().ok();
        let (messages, rejected, refused_leaves) = (number()?, number()?, number()?);
        let fates = [number()?, number()?, number()?, number()?, number()?];
        let invalid = number()?;
        let types = cells.next().unwrap_or_default().split_whitespace();
        let resources = types
            .filter_map(|cell| cell.split_once('='))
            .filter_map(|(name, count)| Some((name.to_owned(), count.parse().ok()?)));
        Some((
            folder,
            Counts { messages, rejected, refused_leaves, fates, invalid, resources: resources.collect() },
        ))
    }
}

/// The overlay under which a corpus is read: its senders are in the United States, so race and ethnicity are written.
const SITE: &str = "demo";

/// The head of the table.
pub const HEAD: &str = "folder\tmessages\trejected\trefused_leaves\tmapped\tlossy\tignored\tunmapped\trejected_leaves\tinvalid\tresources";

fn share(part: usize, whole: usize) -> usize {
    (part * 10_000).checked_div(whole).unwrap_or(0)
}

/// Translates every message below `root`; counts those of the covered types, and demands
/// of the others that they are refused as unsupported.
pub fn run(package: &Package, root: &Path) -> std::io::Result<Run> {
    let mut run = Run::default();
    for found in files::messages(root)? {
        let Ok(message) = hl7v2::Message::read(&found.bytes) else { continue };
        let place = format!("{}#{}", found.file, found.ordinal);
        measure(package, &message, &place, &mut run);
    }
    Ok(run)
}

fn measure(package: &Package, message: &hl7v2::Message<'_>, place: &str, run: &mut Run) {
    let Some(header) = message.segment(0) else { return };
    let kind = (header.field(9).component(1).text(), header.field(9).component(2).text());
    let covered = COVERED.iter().any(|(code, event)| kind.0 == *code && kind.1 == *event);
    let translation =
        package.translate(message, &Context { namespace: NAMESPACE, site: Some(SITE), trace: false });
    if !covered {
        if !matches!(translation, Err(Rejection::UnsupportedType { .. })) {
            run.complaints.push(format!("{place}: a type without a map was not refused"));
        }
        return;
    }
    run.counts.messages += 1;
    match translation {
        Err(rejection) => {
            run.counts.rejected += 1;
            run.counts.refused_leaves += message.leaves().count();
            run.complaints.push(format!("{place}: {rejection}"));
        }
        Ok(translation) => {
            let of_type = run.by_type.entry(format!("{}^{}", kind.0, kind.1)).or_default();
            of_type[0] += 1;
            of_type[1] += translation.coverage.leaves.len();
            for leaf in &translation.coverage.leaves {
                of_type[2] += usize::from(matches!(leaf.fate, LeafFate::Mapped | LeafFate::Lossy));
                run.counts.fates[position(leaf.fate)] += 1;
                match leaf.fate {
                    LeafFate::Unmapped => *run.unmapped.entry(component_of(&leaf.path)).or_default() += 1,
                    LeafFate::Ignored => *run.ignored.entry(component_of(&leaf.path)).or_default() += 1,
                    LeafFate::Mapped | LeafFate::Lossy | LeafFate::Rejected => {}
                }
            }
            for set in &translation.change.sets {
                *run.counts.resources.entry(set.resource_type.as_str().to_owned()).or_default() += 1;
                for broken in broken(&set.resource) {
                    *run.broken.entry(broken).or_default() += 1;
                }
                let complaints = judge(&set.resource);
                run.counts.invalid += usize::from(!complaints.is_empty());
                run.complaints.extend(complaints.iter().map(|complaint| format!("{place}: {complaint}")));
            }
        }
    }
}

fn position(fate: LeafFate) -> usize {
    match fate {
        LeafFate::Mapped => 0,
        LeafFate::Lossy => 1,
        LeafFate::Ignored => 2,
        LeafFate::Unmapped => 3,
        LeafFate::Rejected => 4,
    }
}

/// `PID[1]-3~2.4.1` without occurrence and repetition.
fn component_of(path: &str) -> String {
    let mut kept = String::new();
    let mut skipping = false;
    for character in path.chars() {
        match character {
            '[' | '~' => skipping = true,
            ']' => skipping = false,
            '.' | '-' => {
                skipping = false;
                kept.push(character);
            }
            other if !skipping => kept.push(other),
            _ => {}
        }
    }
    kept
}

/// What our validator and fhirkit say against a resource: locations, never values.
pub fn judge(resource: &serde_json::Value) -> Vec<String> {
    let ours = fhir::validate(resource).into_iter().filter(|issue| !is_invariant(issue));
    let mut complaints: Vec<String> =
        ours.map(|issue| format!("validate: {} {}", issue.location, issue.text)).collect();
    match fhirkit::from_json::<fhirkit::r4::Resource>(&resource.to_string()) {
        Err(_) => complaints.push("fhirkit: not JSON".to_owned()),
        Ok((_, issues)) => {
            let errors = issues.into_iter().filter(|issue| issue.severity == fhirkit::Severity::Error);
            complaints.extend(errors.map(|issue| format!("fhirkit: {}", issue.path)));
        }
    }
    complaints
}

/// The invariants that a resource breaks: element without repetition, and the rule with its key.
pub fn broken(resource: &serde_json::Value) -> Vec<String> {
    let issues = fhir::validate(resource).into_iter().filter(is_invariant);
    issues.map(|issue| format!("{} {}", component_of(&issue.location), issue.text)).collect()
}

fn is_invariant(issue: &fhir::Issue) -> bool {
    issue.code == fhir::IssueCode::Invariant
}
