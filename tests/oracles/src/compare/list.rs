//! The list of reviewed differences.

use std::collections::{BTreeMap, BTreeSet};

use super::{Findings, Place};

/// The head of the list.
pub const HEAD: &str = "corpus\tpath\tkind\tverdict\tcitation";

/// Who is right.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Verdict {
    /// The standard, R4 or a tricky case is on our side.
    OursRight,
    /// They are right; ours is to be changed.
    TheirsRightTodo,
    /// Neither binds: a decision.
    Choice,
}

impl Verdict {
    /// The word in the list.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::OursRight => "ours-right",
            Verdict::TheirsRightTodo => "theirs-right-todo",
            Verdict::Choice => "choice",
        }
    }

    fn read(word: &str) -> Option<Verdict> {
        [Verdict::OursRight, Verdict::TheirsRightTodo, Verdict::Choice]
            .into_iter()
            .find(|one| one.word() == word)
    }
}

/// One line: a corpus, or `*` for each, and paths that have one reason in common.
pub struct Entry {
    /// The line in the file.
    pub line: usize,
    corpus: String,
    /// The paths, with `*` for any text.
    pub paths: Vec<String>,
    kind: String,
    /// Who is right.
    pub verdict: Verdict,
    /// Why.
    pub citation: String,
}

/// Reads the list; what is no entry is said.
///
/// # Errors
/// The number of a line and what is wrong with it.
pub fn read(text: &str) -> Result<Vec<Entry>, String> {
    let lines =
        text.lines().enumerate().skip(1).filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|(at, line)| {
            let cells: Vec<&str> = line.split('\t').collect();
            let [corpus, path, kind, verdict, citation] = cells[..] else {
                return Err(format!("line {}: not five columns", at + 1));
            };
            let verdict = Verdict::read(verdict).ok_or(format!("line {}: no verdict", at + 1))?;
            if !["missing", "extra", "other", "*"].contains(&kind) || citation.trim().is_empty() {
                return Err(format!("line {}: no kind or no citation", at + 1));
            }
            let paths = path.split_whitespace().map(str::to_owned).collect();
            let (corpus, kind) = (corpus.to_owned(), kind.to_owned());
            Ok(Entry { line: at + 1, corpus, paths, kind, verdict, citation: citation.to_owned() })
        })
        .collect()
}

impl Entry {
    /// Which of its paths speaks for a place.
    fn covers(&self, (corpus, path, kind): &Place) -> Option<usize> {
        let rest = fits(&self.corpus, corpus) && fits(&self.kind, kind.word());
        self.paths.iter().position(|pattern| rest && fits(pattern, path))
    }
}

/// `*` in a pattern is any text, also none.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else { return pattern == text };
    let Some(rest) = text.strip_prefix(before) else { return false };
    (0..=rest.len()).filter(|at| rest.is_char_boundary(*at)).any(|at| fits(after, &rest[at..]))
}

/// The findings against the list.
#[derive(Default)]
pub struct Judged<'a> {
    /// Places that no entry covers.
    pub unlisted: Vec<&'a Place>,
    /// Lines and paths that cover nothing, or only what an earlier one covers.
    pub idle: Vec<(usize, &'a str)>,
    /// Differences and places by verdict.
    pub by_verdict: BTreeMap<Verdict, [usize; 2]>,
    /// The line and the path that speak for each place.
    pub spoken: BTreeMap<&'a Place, (usize, usize)>,
}

/// Holds the findings against the list; the first entry that covers a place speaks for it.
pub fn judge<'a>(findings: &'a Findings, entries: &'a [Entry]) -> Judged<'a> {
    let mut judged = Judged::default();
    for (place, group) in &findings.groups {
        match entries.iter().find_map(|entry| Some((entry, entry.covers(place)?))) {
            None => judged.unlisted.push(place),
            Some((entry, path)) => {
                let counts = judged.by_verdict.entry(entry.verdict).or_default();
                counts[0] += group.count;
                counts[1] += 1;
                judged.spoken.insert(place, (entry.line, path));
            }
        }
    }
    let busy: BTreeSet<(usize, usize)> = judged.spoken.values().copied().collect();
    for entry in entries {
        let idle = entry.paths.iter().enumerate().filter(|(at, _)| !busy.contains(&(entry.line, *at)));
        judged.idle.extend(idle.map(|(_, path)| (entry.line, path.as_str())));
    }
    judged
}

#[cfg(test)]
mod tests {
    use super::super::align::Kind;
    use super::*;

    fn findings(paths: &[&str]) -> Findings {
        let mut findings = Findings::default();
        for path in paths {
            findings.groups.entry(("us".to_owned(), (*path).to_owned(), Kind::Extra)).or_default().count = 2;
        }
        findings
    }

    #[test]
    fn a_star_is_any_text() {
        assert!(fits("Patient.*.url", "Patient.extension.url") && fits("*", "") && fits("a*b*c", "abbc"));
        assert!(!fits("Patient.name", "Patient.names") && !fits("Patient.*", "Person.name"));
    }

    #[test]
    fn what_is_not_listed_and_what_is_idle_is_found() {
        let list = format!(
            "{HEAD}\nus\tPatient.*\textra\tchoice\tR4 Patient\nus\tPatient.name Patient.photo\textra\tours-right\tR4\n"
        );
        let (found, entries) = (findings(&["Patient.name", "Account"]), read(&list).expect("it is a list"));
        let judged = judge(&found, &entries);
        assert_eq!(judged.unlisted.iter().map(|place| place.1.as_str()).collect::<Vec<_>>(), ["Account"]);
        assert_eq!(judged.idle, [(3, "Patient.name"), (3, "Patient.photo")]);
        assert_eq!(judged.by_verdict[&Verdict::Choice], [2, 1]);
    }

    #[test]
    fn a_line_needs_verdict_and_citation() {
        for line in
            ["us\tPatient\textra\tright\tR4", "us\tPatient\textra\tchoice\t ", "us\tPatient\textra\tchoice"]
        {
            assert!(read(&format!("{HEAD}\n{line}\n")).is_err());
        }
    }
}
