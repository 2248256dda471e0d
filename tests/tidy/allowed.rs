//! `allowed.txt`: what a rule forgives for now, one a line: `rule path reason…`.

use std::collections::BTreeSet;

/// Fails with every violation that is not forgiven, and with every forgiveness that is not needed.
pub fn check(rule: &str, violations: Vec<(String, String)>) {
    let text = crate::workspace::read("tests/tidy/allowed.txt");
    let mut unused = BTreeSet::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let mut words = line.splitn(3, ' ');
        let (Some(of), Some(path), Some(reason)) = (words.next(), words.next(), words.next()) else {
            panic!("allowed.txt: `{line}` is not `rule path reason`");
        };
        assert!(reason.len() > 10, "allowed.txt: `{line}` has no reason");
        if of == rule {
            unused.insert(path.to_owned());
        }
    }
    let forgiven = unused.clone();
    let mut words = Vec::new();
    for (path, what) in violations {
        unused.remove(&path);
        if !forgiven.contains(&path) {
            words.push(format!("{path}: {what}"));
        }
    }
    words.extend(
        unused.iter().map(|path| format!("allowed.txt: `{rule} {path}` is not needed any more; remove it")),
    );
    assert!(words.is_empty(), "{rule}:\n{}", words.join("\n"));
}
