//! `corpora-report CORPORA [FOLDER …]`: every field and component that is not mapped, how often, in which kinds of messages and where first; and every broken invariant.

use mapping::{Context, LeafFate};
use oracles::measure::{self, Counts};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Kinds of messages named in a line.
const KINDS_SHOWN: usize = 6;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

/// What was seen of one fate of one component.
#[derive(Default)]
struct Seen {
    count: usize,
    kinds: BTreeMap<String, usize>,
    first: String,
}

type Places = BTreeMap<(String, String, String), Seen>;

fn run() -> Result<(), String> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let root = arguments.next().ok_or("usage: corpora-report CORPORA [FOLDER ...]")?;
    let named: Vec<PathBuf> = arguments.collect();
    let folders =
        if named.is_empty() { folders(&root)? } else { named.iter().map(|name| root.join(name)).collect() };
    let package = measure::package()?;
    let (mut all, mut places) = (Counts::default(), Places::new());
    let mut fields: BTreeMap<(String, &str), usize> = BTreeMap::new();
    let mut out = String::new();
    for folder in folders {
        let run = measure::run(&package, &folder).map_err(|error| error.to_string())?;
        if run.counts.messages == 0 {
            continue;
        }
        let _ = writeln!(out, "{}", shares(&folder.display().to_string(), &run.counts));
        all.add(&run.counts);
        for (word, found) in [("left", run.left_fields), ("set aside", run.ignored_fields)] {
            found.into_iter().for_each(|(field, count)| *fields.entry((field, word)).or_default() += count);
        }
        look(&package, &folder, &mut places)?;
    }
    let _ = writeln!(out, "{}", shares("all", &all));
    for ((field, word), count) in fields {
        let _ = writeln!(out, "{word}\t{field}\t{count}");
    }
    let mut ranked: Vec<_> = places.iter().collect();
    ranked.sort_by_key(|(place, seen)| (std::cmp::Reverse(seen.count), (*place).clone()));
    for ((fate, path, reason), seen) in ranked {
        let mut kinds: Vec<_> = seen.kinds.iter().collect();
        kinds.sort_by_key(|(kind, count)| (std::cmp::Reverse(**count), (*kind).clone()));
        let kinds: Vec<String> =
            kinds.iter().take(KINDS_SHOWN).map(|(kind, count)| format!("{kind} {count}")).collect();
        let _ =
            writeln!(out, "{fate}\t{path}\t{}\t{}\t{}\t{reason}", seen.count, kinds.join(", "), seen.first);
    }
    std::io::stdout().write_all(out.as_bytes()).map_err(|error| error.to_string())
}

fn folders(root: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = std::fs::read_dir(root).map_err(|error| error.to_string())?;
    let mut folders: Vec<PathBuf> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir()).collect();
    folders.retain(|folder| folder.file_name().is_some_and(|name| name != measure::SATURATED));
    folders.sort();
    Ok(folders)
}

fn shares(name: &str, counts: &Counts) -> String {
    format!(
        "{name}\t{} messages\t{} rejected\tin hundredths of a percent: fields mapped {}, ignored {}, leaves mapped {}, ignored {}",
        counts.messages,
        counts.rejected,
        counts.mapped_fields(),
        counts.ignored_fields(),
        counts.mapped_share(),
        counts.ignored_share()
    )
}

fn look(package: &mapping::Package, folder: &Path, places: &mut Places) -> Result<(), String> {
    for found in oracles::files::messages(folder).map_err(|error| error.to_string())? {
        let Ok(message) = hl7v2::Message::read(&found.bytes) else { continue };
        let context = Context { namespace: measure::NAMESPACE, site: Some(measure::SITE), trace: false };
        let Ok(translation) = package.translate(&message, &context) else { continue };
        let header = message.segment(0);
        let kind = header.map_or(String::new(), |header| {
            format!("{}^{}", header.field(9).component(1).text(), header.field(9).component(2).text())
        });
        let mut note = |fate: &str, path: String, reason: &str| {
            let seen = places.entry((fate.to_owned(), path, reason.to_owned())).or_default();
            seen.count += 1;
            *seen.kinds.entry(kind.clone()).or_default() += 1;
            if seen.first.is_empty() {
                seen.first = format!("{}#{}", found.file, found.ordinal);
            }
        };
        for leaf in &translation.coverage.leaves {
            let fate = match leaf.fate {
                LeafFate::Mapped | LeafFate::Lossy => continue,
                LeafFate::Ignored => "ignored",
                LeafFate::Unmapped => "unmapped",
                LeafFate::Rejected => "rejected",
            };
            note(
                fate,
                measure::component_of(&leaf.path.to_string()),
                leaf.reason.as_deref().unwrap_or_default(),
            );
        }
        for resource in fhir::bundle::entries(&translation.bundle()) {
            measure::broken(resource).into_iter().for_each(|broken| note("broken", broken, ""));
        }
    }
    Ok(())
}
