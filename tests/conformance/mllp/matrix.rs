//! The list of cases, each with what shows it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::row::Group;
use super::{acknowledging, batches, characters, connection, durability, framing, outbound, parsing};

/// How many cases each letter has.
const CASES: [(char, u32); 8] =
    [('F', 20), ('S', 9), ('O', 9), ('A', 13), ('C', 8), ('P', 17), ('B', 3), ('D', 7)];

const GROUPS: [&Group; 8] = [
    &framing::GROUP,
    &connection::GROUP,
    &outbound::GROUP,
    &acknowledging::GROUP,
    &characters::GROUP,
    &parsing::GROUP,
    &batches::GROUP,
    &durability::GROUP,
];

/// What shows each case: a line for each row and each named test.
fn shown() -> BTreeMap<String, Vec<String>> {
    let mut shown: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for group in GROUPS {
        for row in (group.rows)() {
            shown.entry(row.id.to_owned()).or_default().push(format!("row: {}", row.what));
        }
        for test in group.elsewhere {
            let text = std::fs::read_to_string(harness::root().join(test.file));
            let text = text.unwrap_or_else(|error| panic!("{}: {}: {error}", test.id, test.file));
            let is_there = text.contains(&format!("fn {}(", test.function));
            assert!(is_there, "{}: {} has no `{}` any more", test.id, test.file, test.function);
            let line = format!("{}::{}: {}", test.file, test.function, test.what);
            shown.entry(test.id.to_owned()).or_default().push(line);
        }
        for id in group.pending.iter().map(ToString::to_string).chain(shown.keys().cloned()) {
            let is_ours = CASES.iter().any(|(letter, _)| id.starts_with(*letter));
            assert!(is_ours, "{id} is no case");
        }
        let ids = (group.rows)().iter().map(|row| row.id).collect::<Vec<_>>();
        let all = ids.iter().chain(group.pending).chain(group.elsewhere.iter().map(|test| &test.id));
        for id in all {
            assert!(id.starts_with(group.letter), "{id} stands in the group of {}", group.letter);
        }
    }
    shown
}

#[test]
fn every_case_is_shown() {
    let mut shown = shown();
    let pending: BTreeSet<&str> = GROUPS.iter().flat_map(|group| group.pending).copied().collect();
    let mut matrix = String::new();
    let (mut missing, mut needless, mut count) = (Vec::new(), Vec::new(), 0);
    for (letter, last) in CASES {
        for number in 1..=last {
            let id = format!("{letter}{number}");
            count += 1;
            let lines = shown.remove(&id);
            match (&lines, pending.contains(id.as_str())) {
                (None, false) => missing.push(id.clone()),
                (Some(_), true) => needless.push(id.clone()),
                (None, true) | (Some(_), false) => {}
            }
            for line in lines.unwrap_or_else(|| vec!["pending".to_owned()]) {
                writeln!(matrix, "{id:4} {line}").expect("a string grows");
            }
        }
    }
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("conformance");
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    std::fs::write(folder.join("matrix.txt"), &matrix).expect("a file can be written");
    assert_eq!(count, 86, "the list of cases");
    assert!(missing.is_empty(), "nothing shows {missing:?}");
    assert!(needless.is_empty(), "shown now, and no longer pending: {needless:?}");
    assert!(shown.is_empty(), "these are no cases: {:?}", shown.keys());
}
