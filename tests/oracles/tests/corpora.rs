//! The shipped package over every message of the fixtures, and of the folder that `TIDEGATE_CORPORA` names.
//!
//! The counts of the corpora are `corpora-counts.tsv`; a run may not get worse than the table. `UPDATE_EXPECT=1` accepts.

use std::collections::BTreeMap;
use std::path::PathBuf;

use mapping::Package;
use oracles::measure::{self, Counts, HEAD, Run, SATURATED};
use oracles::{corpora, workspace};

/// Populated fields mapped, at least, in hundredths of a percent, of the corpora.
const MAPPED_FIELDS_MIN: usize = 9_000;
/// The same of the fixtures, which hold what nobody maps on purpose.
const FIXTURES_MAPPED_FIELDS_MIN: usize = 8_200;
/// Populated fields ignored, at most, in hundredths of a percent.
const IGNORED_FIELDS_MAX: usize = 800;
/// Messages rejected, at most, in hundredths of a percent.
const REJECTED_MAX: usize = 200;
/// Complaints and unmapped components printed when a run fails.
const SHOWN: usize = 60;

fn package() -> Package {
    measure::package().unwrap_or_else(|findings| panic!("the package does not compile:\n{findings}"))
}

fn table() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpora-counts.tsv")
}

/// The messages that are not translated as they are, each with its reason.
fn refusals() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpora-refusals.tsv")
}

#[test]
fn fixtures_are_covered_and_valid() {
    let run = measure::run(&package(), &workspace().join("fixtures")).expect("fixtures are readable");
    assert!(run.counts.messages >= 9, "only {} fixtures were found", run.counts.messages);
    assert_eq!(run.counts.rejected, 0, "{}", report(&run));
    assert_eq!(run.counts.invalid, 0, "{}", report(&run));
    assert!(run.broken.is_empty(), "{:?}", run.broken);
    assert!(run.counts.mapped_fields() >= FIXTURES_MAPPED_FIELDS_MIN, "{}", report(&run));
}

#[test]
fn corpora_do_not_get_worse() {
    let Some(root) = corpora() else { return };
    let package = package();
    let mut runs = BTreeMap::new();
    let mut folders: Vec<PathBuf> = std::fs::read_dir(&root)
        .expect("the corpora are readable")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    folders.sort();
    for folder in folders.iter().filter(|folder| folder.is_dir()) {
        let run = measure::run(&package, folder).expect("the corpus is readable");
        if run.counts.messages > 0 {
            let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            runs.insert(name, run);
        }
    }
    let mut all = Run::default();
    for run in runs.iter().filter(|(folder, _)| folder.as_str() != SATURATED).map(|(_, run)| run) {
        all.counts.add(&run.counts);
        all.complaints.extend(run.complaints.iter().cloned());
        add(&mut all.unmapped, &run.unmapped);
        add(&mut all.broken, &run.broken);
        add(&mut all.ignored, &run.ignored);
        add(&mut all.rejected, &run.rejected);
        add(&mut all.ignored_fields, &run.ignored_fields);
        add(&mut all.left_fields, &run.left_fields);
        for (kind, counts) in &run.by_type {
            let sum = all.by_type.entry(kind.clone()).or_default();
            sum.iter_mut().zip(counts).for_each(|(sum, more)| *sum += more);
        }
    }
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        let mut lines = vec![HEAD.to_owned()];
        lines.extend(runs.iter().map(|(folder, run)| run.counts.line(folder)));
        lines.push(all.counts.line("all"));
        std::fs::write(table(), lines.join("\n") + "\n").expect("the table is writable");
        std::fs::write(refusals(), refused(&runs)).expect("the list is writable");
        eprintln!("{}", report(&all));
    }
    let committed = std::fs::read_to_string(table()).expect("the table is committed");
    let committed: BTreeMap<String, Counts> = committed.lines().skip(1).filter_map(Counts::parse).collect();
    for (folder, run) in &runs {
        let before = committed.get(folder).unwrap_or_else(|| panic!("{folder} is not in the table"));
        assert!(run.counts.rejected <= before.rejected, "{folder} rejects more: {}", report(run));
        assert!(run.counts.mapped_share() >= before.mapped_share(), "{folder} maps less: {}", report(run));
        assert_eq!(run.counts.invalid, 0, "{folder}: {}", report(run));
    }
    let listed = std::fs::read_to_string(refusals()).expect("the list is committed");
    assert_eq!(listed, refused(&runs), "other messages are refused than corpora-refusals.tsv says");
    assert!(all.counts.mapped_fields() >= MAPPED_FIELDS_MIN, "{}", report(&all));
    assert!(all.counts.ignored_fields() <= IGNORED_FIELDS_MAX, "{}", report(&all));
    assert!(all.counts.rejected * 10_000 <= all.counts.messages * REJECTED_MAX, "{}", report(&all));
}

/// The list of messages that are rejected, and of fragments.
fn refused(runs: &BTreeMap<String, Run>) -> String {
    let mut lines = vec!["folder\tmessage\tfate\treason".to_owned()];
    for (folder, run) in runs {
        for refusal in &run.refusals {
            let fate = if refusal.fragment { "fragment" } else { "rejected" };
            lines.push(format!("{folder}\t{}\t{fate}\t{}", refusal.place, refusal.reason));
        }
    }
    lines.join("\n") + "\n"
}

fn add(sum: &mut BTreeMap<String, usize>, more: &BTreeMap<String, usize>) {
    more.iter().for_each(|(path, count)| *sum.entry(path.clone()).or_default() += count);
}

/// The most frequent paths first.
fn ranked(paths: &BTreeMap<String, usize>) -> String {
    let mut ranked: Vec<_> = paths.iter().collect();
    ranked.sort_by_key(|(path, count)| (std::cmp::Reverse(**count), (*path).clone()));
    ranked.iter().take(SHOWN).map(|(path, count)| format!("{path} {count}")).collect::<Vec<_>>().join(", ")
}

fn report(run: &Run) -> String {
    let counts = &run.counts;
    let by_type: Vec<String> = run
        .by_type
        .iter()
        .map(|(kind, [messages, leaves, mapped])| {
            format!("{kind} {messages}: {}", (mapped * 10_000).checked_div(*leaves).unwrap_or(0))
        })
        .collect();
    format!(
        "{} messages, {} rejected, {} fragments, {} invalid; in hundredths of a percent: fields mapped {}, ignored {}, leaves mapped {}, ignored {}\ninvariants broken: {}\nby type: {}\nfields left: {}\nfields ignored: {}\nunmapped: {}\nignored: {}\nrejected: {}\n{}",
        counts.messages,
        counts.rejected,
        counts.fragments,
        counts.invalid,
        counts.mapped_fields(),
        counts.ignored_fields(),
        counts.mapped_share(),
        counts.ignored_share(),
        ranked(&run.broken),
        by_type.join(", "),
        ranked(&run.left_fields),
        ranked(&run.ignored_fields),
        ranked(&run.unmapped),
        ranked(&run.ignored),
        ranked(&run.rejected),
        run.complaints.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("\n")
    )
}
