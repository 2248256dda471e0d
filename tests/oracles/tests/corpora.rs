//! The shipped package over every message of the fixtures, and of the folder that `TIDEGATE_CORPORA` names.
//!
//! The counts of the corpora are `corpora-counts.tsv`; a run may not get worse than the table. `UPDATE_EXPECT=1` accepts.

use std::collections::BTreeMap;
use std::path::PathBuf;

use mapping::Package;
use oracles::measure::{self, Counts, HEAD, Run};
use oracles::{corpora, files, workspace};

/// Messages in which every field is filled with a canary: run for their robustness, not counted in the goal.
const SATURATED: &str = "deid-canaries";
/// Leaves mapped or lossy, at least, in hundredths of a percent: of the fixtures and of the corpora.
const MAPPED_SHARE_MIN: usize = 8_500;
/// Leaves ignored, at most, in hundredths of a percent.
const IGNORED_SHARE_MAX: usize = 1_000;
/// Complaints and unmapped components printed when a run fails.
const SHOWN: usize = 60;

fn package() -> Package {
    let sources = files::package(&workspace().join("mappings")).expect("the package is readable");
    Package::compile(&sources).unwrap_or_else(|findings| {
        let lines: Vec<String> = findings
            .iter()
            .map(|at| format!("{}:{}:{} {} {}", at.file, at.line, at.column, at.code, at.message))
            .collect();
        panic!("the package does not compile:\n{}", lines.join("\n"))
    })
}

fn table() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpora-counts.tsv")
}

#[test]
fn fixtures_are_covered_and_valid() {
    let run = measure::run(&package(), &workspace().join("fixtures")).expect("fixtures are readable");
    assert!(run.counts.messages >= 9, "only {} fixtures were found", run.counts.messages);
    assert_eq!(run.counts.rejected, 0, "{}", report(&run));
    assert_eq!(run.counts.invalid, 0, "{}", report(&run));
    assert!(run.broken.is_empty(), "{:?}", run.broken);
    assert!(run.counts.mapped_share() >= MAPPED_SHARE_MIN, "{}", report(&run));
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
    assert!(all.counts.mapped_share() >= MAPPED_SHARE_MIN, "{}", report(&all));
    assert!(all.counts.ignored_share() <= IGNORED_SHARE_MAX, "{}", report(&all));
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
        "{} messages, {} rejected, {} leaves, mapped {}, ignored {} (hundredths of a percent), {} invalid\ninvariants broken: {}\nby type: {}\nunmapped: {}\nignored: {}\n{}",
        counts.messages,
        counts.rejected,
        counts.leaves(),
        counts.mapped_share(),
        counts.ignored_share(),
        counts.invalid,
        ranked(&run.broken),
        by_type.join(", "),
        ranked(&run.unmapped),
        ranked(&run.ignored),
        run.complaints.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("\n")
    )
}
