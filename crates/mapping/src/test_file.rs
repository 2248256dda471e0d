//! `*.test.yaml`: the tests that stand beside maps.

mod matching;
mod running;

use crate::check::only_keys;
use crate::diagnostic::Findings;
use crate::yaml::{self, Node};

pub(crate) use running::run;

pub(crate) const TEST_KEYS: &[&str] = &[
    "name", "doc", "site", "er7", "input", "expect", "absent", "removes", "unmapped", "lossy", "ignored",
    "rejected", "issues", "count", "merges", "moves", "links", "reject", "bundle", "invalid",
];

/// The result of one test; no failures: it passed. Failures of synthetic fixtures show values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestOutcome {
    /// The test file.
    pub file: String,
    /// Line of the test.
    pub line: usize,
    /// Its name.
    pub name: String,
    /// What did not come out as written.
    pub failures: Vec<String>,
}

/// A test file as it is written. A node holds its package for months and runs no test of it, so the tests are read anew
/// by whoever runs them.
pub(crate) struct TestSource {
    file: String,
    text: Box<str>,
}

impl TestSource {
    /// Reads a test file and keeps its text; what could not be executed is a finding.
    pub fn proven(file: &str, node: &Node, text: &str, findings: &mut Findings) -> Option<Self> {
        read(file, node, findings).map(|_| Self { file: file.to_owned(), text: text.into() })
    }

    /// Its tests. It has some, since it was proven when the package was compiled; were it not so, that is a failed outcome.
    pub fn read_or_tell(&self, outcomes: &mut Vec<TestOutcome>) -> Option<TestFile> {
        let mut findings = Findings::default();
        let node = yaml::read(0, &self.text, &mut findings);
        let tests = node.and_then(|node| read(&self.file, &node, &mut findings));
        if tests.is_none() {
            let failures = vec!["it cannot be read again".to_owned()];
            outcomes.push(TestOutcome {
                file: self.file.clone(),
                line: 1,
                name: self.file.clone(),
                failures,
            });
        }
        tests
    }
}

/// A test file, read.
pub(crate) struct TestFile {
    pub file: String,
    pub subject: Subject,
    pub cases: Vec<Case>,
}

/// What a test file is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Subject {
    Segment(String),
    Type(String),
    Message(String),
    /// Beside a site's `site.yaml`.
    Site(String),
}

/// One test.
pub(crate) struct Case {
    pub line: usize,
    pub name: String,
    pub site: Option<String>,
    pub er7: Option<String>,
    pub input: Option<String>,
    pub node: Node,
}

/// Reads a test file; what it cannot execute is an error.
fn read(file: &str, node: &Node, findings: &mut Findings) -> Option<TestFile> {
    only_keys(node, &["tests", "doc"], findings);
    let (subject, folder_site) = subject(file)?;
    let mut cases = Vec::new();
    for case in node.get("tests").map(Node::items).unwrap_or_default() {
        only_keys(case, TEST_KEYS, findings);
        let text = |key: &str| case.get(key).and_then(Node::scalar).map(str::to_owned);
        let Some(name) = text("name") else {
            findings.add(case.place, "E0601", "a test needs its name");
            continue;
        };
        let is_type = matches!(subject, Subject::Type(_));
        if text("er7").is_some() == text("input").is_some() || (text("input").is_some() && !is_type) {
            findings.add(case.place, "E0601", "a test has either er7, or (for a type map) input");
        }
        let line = usize::try_from(case.place.line).unwrap_or(0);
        cases.push(Case {
            line,
            name,
            site: text("site").or_else(|| folder_site.clone()),
            er7: text("er7"),
            input: text("input"),
            node: case.clone(),
        });
    }
    if cases.is_empty() {
        findings.add(node.place, "E0601", "the file has no tests");
    }
    Some(TestFile { file: file.to_owned(), subject, cases })
}

fn subject(file: &str) -> Option<(Subject, Option<String>)> {
    let mut parts: Vec<&str> = file.split('/').collect();
    let site = match parts.as_slice() {
        ["sites", site, ..] => Some((*site).to_owned()),
        _ => None,
    };
    if site.is_some() {
        parts.drain(..2);
    }
    let name = parts.last()?.strip_suffix(".test.yaml")?.to_owned();
    let subject = match (parts.first(), parts.len(), &site) {
        (Some(&"segments"), 2, _) => Subject::Segment(name),
        (Some(&"types"), 2, _) => Subject::Type(name),
        (Some(&"messages"), 2, _) => Subject::Message(name),
        (_, _, Some(site)) => Subject::Site(site.clone()),
        _ => Subject::Message(name),
    };
    Some((subject, site))
}
