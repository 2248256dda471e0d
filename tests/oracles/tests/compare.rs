//! What we make of the messages of other converters, against their outputs, when `TIDEGATE_CORPORA` names the corpora.
//!
//! Every place where the sides differ is on `differences.tsv`, with who is right and by which rule; an entry that speaks of nothing any more has to go.
//! `compare-report` prints the places with examples.

use oracles::compare::list::{self, Verdict};
use oracles::compare::pairs;
use oracles::{corpora, measure};

/// Pairs to compare, at least.
const PAIRS_MIN: [(&str, usize); 3] = [("microsoft", 120), ("reportstream", 145), ("whistle", 45)];

#[test]
fn every_difference_is_reviewed() {
    let text = include_str!("../differences.tsv");
    let entries = list::read(text).unwrap_or_else(|reason| panic!("differences.tsv: {reason}"));
    let Some(root) = corpora() else {
        eprintln!("TIDEGATE_CORPORA is not set: not compared with other converters");
        return;
    };
    let package =
        measure::package().unwrap_or_else(|findings| panic!("the package does not compile:\n{findings}"));
    let findings = pairs::run(&package, &root).expect("the corpora are readable");
    for (corpus, least) in PAIRS_MIN {
        let compared = findings.compared.get(corpus).copied().unwrap_or(0);
        assert!(compared >= least, "only {compared} pairs of {corpus}:\n{}", findings.skipped.join("\n"));
    }
    let judged = list::judge(&findings, &entries);
    for verdict in [Verdict::OursRight, Verdict::Choice, Verdict::TheirsRightTodo] {
        let [differences, places] = judged.by_verdict.get(&verdict).copied().unwrap_or_default();
        eprintln!("{}: {differences} differences at {places} places", verdict.word());
    }
    assert!(
        !judged.by_verdict.contains_key(&Verdict::TheirsRightTodo),
        "what another converter does better is built, or the list says why not"
    );
    let unlisted: Vec<String> = judged
        .unlisted
        .iter()
        .map(|(corpus, path, kind)| format!("{corpus}\t{path}\t{}", kind.word()))
        .collect();
    assert!(unlisted.is_empty(), "not reviewed ({}):\n{}", unlisted.len(), unlisted.join("\n"));
    let idle: Vec<String> = judged.idle.iter().map(|(line, path)| format!("line {line}: {path}")).collect();
    assert!(idle.is_empty(), "these entries speak of nothing:\n{}", idle.join("\n"));
}
