//! Counts of what becomes of every message of a folder.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use mapping::{Context, LeafFate, Package, Rejection};
use uuid::Uuid;

use crate::{files, workspace};

/// Messages in which every field is filled with a canary: run for their robustness, not counted in the goal.
pub const SATURATED: &str = "deid-canaries";
/// A namespace for ids that no site uses.
pub const NAMESPACE: Uuid = Uuid::from_u128(0x7d1e_6a7e_0000_5000_8000_0000_0000_0001);

/// What became of the messages of one folder.
#[derive(Default, Clone, PartialEq, Eq)]
pub struct Counts {
    /// All messages.
    pub messages: usize,
    /// Of those, rejected as a whole.
    pub rejected: usize,
    /// Of those translated, what a node would refuse that does not take patients without a number: the fragments.
    pub fragments: usize,
    /// Populated leaves of the rejected messages; no part of the shares.
    pub refused_leaves: usize,
    /// Populated leaves of the translated messages, by fate.
    pub fates: [usize; 5],
    /// Populated fields (each repetition) of the translated messages, by what became of them.
    pub fields: [usize; 3],
    /// Resources that have not the form of R4: `fhir::validate` or fhirkit finds an error other than a broken invariant,
    /// which may be the sender's own contradiction.
    pub invalid: usize,
    /// Resources by type.
    pub resources: BTreeMap<String, usize>,
}

/// What became of a populated repetition of a field. Set ids (type SI) and OBX-2 are none: they say how to read the others.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum FieldFate {
    /// A leaf at least is mapped or lossy, and none is unmapped or rejected.
    Mapped,
    /// All leaves are ignored.
    Ignored,
    /// A leaf is unmapped or rejected.
    Left,
}

/// One run over one folder.
#[derive(Default)]
pub struct Run {
    /// The counts.
    pub counts: Counts,
    /// Messages, populated fields and those mapped, by message type.
    pub by_type: BTreeMap<String, [usize; 3]>,
    /// Where leaves were left unmapped: field and component, how often.
    pub unmapped: BTreeMap<String, usize>,
    /// Where leaves were ignored.
    pub ignored: BTreeMap<String, usize>,
    /// Fields of which all leaves were ignored.
    pub ignored_fields: BTreeMap<String, usize>,
    /// Fields of which a leaf was unmapped or rejected.
    pub left_fields: BTreeMap<String, usize>,
    /// Where leaves were rejected.
    pub rejected: BTreeMap<String, usize>,
    /// Messages that were rejected, or are fragments: file and number, and the reason.
    pub refusals: Vec<Refusal>,
    /// Invariants that the resources break, by element and rule, how often. fhirkit evaluates none.
    pub broken: BTreeMap<String, usize>,
    /// Why resources are invalid: file, number and reason, no values.
    pub complaints: Vec<String>,
}

/// A message that is not translated, or only by a node that takes patients without a number.
pub struct Refusal {
    /// File and number.
    pub place: String,
    /// The path or type at fault.
    pub reason: String,
    /// Whether the corpora's overlay translates it.
    pub fragment: bool,
}

impl Counts {
    /// Fields mapped, in hundredths of a percent.
    pub fn mapped_fields(&self) -> usize {
        share(self.fields[0], self.fields.iter().sum())
    }

    /// Fields ignored, in hundredths of a percent.
    pub fn ignored_fields(&self) -> usize {
        share(self.fields[1], self.fields.iter().sum())
    }

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
        self.fragments += other.fragments;
        self.refused_leaves += other.refused_leaves;
        self.fields.iter_mut().zip(other.fields).for_each(|(sum, more)| *sum += more);
        self.invalid += other.invalid;
        self.fates.iter_mut().zip(other.fates).for_each(|(sum, more)| *sum += more);
        for (name, count) in &other.resources {
            *self.resources.entry(name.clone()).or_default() += count;
        }
    }

    /// The line of the table.
    pub fn line(&self, folder: &str) -> String {
        let mut line = format!(
            "{folder}\t{}\t{}\t{}\t{}",
            self.messages, self.rejected, self.fragments, self.refused_leaves
        );
        for count in self.fates.iter().chain(&self.fields).chain([&self.invalid]) {
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
        let (messages, rejected, fragments, refused_leaves) = (number()?, number()?, number()?, number()?);
        let fates = [number()?, number()?, number()?, number()?, number()?];
        let fields = [number()?, number()?, number()?];
        let invalid = number()?;
        let types = cells.next().unwrap_or_default().split_whitespace();
        let resources = types
            .filter_map(|cell| cell.split_once('='))
            .filter_map(|(name, count)| Some((name.to_owned(), count.parse().ok()?)));
        Some((
            folder,
            Counts {
                messages,
                rejected,
                fragments,
                refused_leaves,
                fates,
                fields,
                invalid,
                resources: resources.collect(),
            },
        ))
    }
}

/// The overlay under which a corpus is read, `corpora-site.yaml`.
pub const SITE: &str = "corpora";
/// An overlay that takes no patient without a number.
const STRICT: &str = "demo";

/// The head of the table.
pub const HEAD: &str = "folder\tmessages\trejected\tfragments\trefused_leaves\tmapped\tlossy\tignored\tunmapped\trejected_leaves\tfields_mapped\tfields_ignored\tfields_left\tinvalid\tresources";

fn share(part: usize, whole: usize) -> usize {
    (part * 10_000).checked_div(whole).unwrap_or(0)
}

/// The shipped package with the overlay for corpora.
///
/// # Errors
/// A file that is not readable, or what the compiler says against the package.
pub fn package() -> Result<Package, String> {
    let mut sources = files::package(&workspace().join("mappings")).map_err(|error| error.to_string())?;
    sources.0.insert(format!("sites/{SITE}/site.yaml"), include_str!("../corpora-site.yaml").to_owned());
    Package::compile(&sources)
        .map_err(|found| found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

/// Translates every message below `root`.
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
    let under =
        |site| package.translate(message, &Context { namespace: NAMESPACE, site: Some(site), trace: false });
    run.counts.messages += 1;
    let refusal = |reason: &Rejection, fragment| Refusal {
        place: place.to_owned(),
        reason: reason.to_string(),
        fragment,
    };
    match under(SITE) {
        Err(rejection) => {
            run.counts.rejected += 1;
            run.counts.refused_leaves += message.leaves().count();
            run.refusals.push(refusal(&rejection, false));
        }
        Ok(translation) => {
            if let Err(rejection) = under(STRICT) {
                run.counts.fragments += 1;
                run.refusals.push(refusal(&rejection, true));
            }
            let of_type = run.by_type.entry(format!("{}^{}", kind.0, kind.1)).or_default();
            of_type[0] += 1;
            let bundle = translation.bundle();
            for resource in fhir::bundle::entries(&bundle) {
                let name =
                    resource.get("resourceType").and_then(serde_json::Value::as_str).unwrap_or_default();
                *run.counts.resources.entry(name.to_owned()).or_default() += 1;
                for broken in broken(resource) {
                    *run.broken.entry(broken).or_default() += 1;
                }
                let complaints = judge(resource);
                run.counts.invalid += usize::from(!complaints.is_empty());
                run.complaints.extend(complaints.iter().map(|complaint| format!("{place}: {complaint}")));
            }
            for (field, fate) in fields(&translation.coverage.leaves) {
                run.counts.fields[fate as usize] += 1;
                of_type[1] += 1;
                of_type[2] += usize::from(fate == FieldFate::Mapped);
                if fate != FieldFate::Mapped {
                    let list = if fate == FieldFate::Ignored {
                        &mut run.ignored_fields
                    } else {
                        &mut run.left_fields
                    };
                    *list.entry(component_of(&field)).or_default() += 1;
                }
            }
            for leaf in &translation.coverage.leaves {
                run.counts.fates[position(leaf.fate)] += 1;
                let list = match leaf.fate {
                    LeafFate::Unmapped => &mut run.unmapped,
                    LeafFate::Ignored => &mut run.ignored,
                    LeafFate::Rejected => &mut run.rejected,
                    LeafFate::Mapped | LeafFate::Lossy => continue,
                };
                *list.entry(component_of(&leaf.path.to_string())).or_default() += 1;
            }
        }
    }
}

/// The populated repetitions of fields and what became of each.
fn fields(leaves: &[mapping::LeafCoverage]) -> BTreeMap<String, FieldFate> {
    let mut found: BTreeMap<String, FieldFate> = BTreeMap::new();
    for leaf in leaves {
        let path = leaf.path.to_string();
        let (segment, rest) = path.split_once('-').unwrap_or((&path, ""));
        let repetition = rest.split('.').next().unwrap_or_default();
        if reads_others(segment.get(..3).unwrap_or_default(), repetition) {
            continue;
        }
        let fate = match leaf.fate {
            LeafFate::Mapped | LeafFate::Lossy => FieldFate::Mapped,
            LeafFate::Ignored => FieldFate::Ignored,
            LeafFate::Unmapped | LeafFate::Rejected => FieldFate::Left,
        };
        let worst = |before: FieldFate| match (before, fate) {
            (FieldFate::Left, _) | (_, FieldFate::Left) => FieldFate::Left,
            (FieldFate::Mapped, _) | (_, FieldFate::Mapped) => FieldFate::Mapped,
            _ => FieldFate::Ignored,
        };
        let of_field = found.entry(format!("{segment}-{repetition}")).or_insert(fate);
        *of_field = worst(*of_field);
    }
    found
}

/// A set id, or the field that says of what type another is.
fn reads_others(segment: &str, repetition: &str) -> bool {
    let number = repetition.split('~').next().and_then(|number| number.parse::<usize>().ok()).unwrap_or(0);
    let definition =
        hl7v2::dictionary::segment(segment).and_then(|fields| fields.get(number.checked_sub(1)?));
    definition.is_some_and(|field| field.datatype == "SI") || (segment == "OBX" && number == 2)
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
pub fn component_of(path: &str) -> String {
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
