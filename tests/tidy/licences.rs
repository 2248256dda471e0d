//! Licences and bans, from `.deny.toml`, so that the rule holds where cargo-deny is not installed.

use std::collections::BTreeSet;

use crate::workspace::{cargo, metadata, read};

/// Words of `.deny.toml` between `key = [` and `]`, as quoted there.
fn list(key: &str) -> Vec<String> {
    let text = read(".deny.toml");
    let start = text.find(&format!("\n{key} = [")).unwrap_or_else(|| panic!(".deny.toml has no {key}"));
    let body = text[start..].split_once('[').expect("the list begins").1;
    let body = body.split_once("\n]").expect("the list ends on a line of its own").0;
    body.lines().filter_map(|line| line.split('"').nth(1)).map(ToOwned::to_owned).collect()
}

/// Does a licence expression allow use under the allowed licences alone? SPDX: OR, AND, parentheses, and the old `/`.
fn permits(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let (answer, used) = any(&words, allowed);
    answer && used == words.len()
}

fn any(words: &[&str], allowed: &BTreeSet<String>) -> (bool, usize) {
    let (mut answer, mut at) = all(words, allowed);
    while words.get(at) == Some(&"OR") {
        let (other, used) = all(&words[at + 1..], allowed);
        answer |= other;
        at += 1 + used;
    }
    (answer, at)
}

fn all(words: &[&str], allowed: &BTreeSet<String>) -> (bool, usize) {
    let (mut answer, mut at) = one(words, allowed);
    while words.get(at) == Some(&"AND") {
        let (other, used) = one(&words[at + 1..], allowed);
        answer &= other;
        at += 1 + used;
    }
    (answer, at)
}

fn one(words: &[&str], allowed: &BTreeSet<String>) -> (bool, usize) {
    match words {
        ["(", rest @ ..] => {
            let (answer, used) = any(rest, allowed);
            (answer, used + 2)
        }
        [name, "WITH", exception, ..] => (allowed.contains(&format!("{name} WITH {exception}")), 3),
        [name, ..] => (allowed.contains(*name), 1),
        [] => (false, 0),
    }
}

#[test]
fn expressions_are_read_as_spdx_means_them() {
    let allowed: BTreeSet<String> = ["MIT", "ISC"].map(ToOwned::to_owned).into();
    for good in ["MIT", "GPL-2.0-only OR MIT", "ISC AND (MIT OR AGPL-3.0)", "MIT/Apache-2.0", "(MIT)"] {
        assert!(permits(good, &allowed), "{good}");
    }
    for bad in [
        "",
        "GPL-3.0",
        "MIT AND LGPL-2.1",
        "MIT WITH some-exception",
        "MIT MIT",
        "(GPL-3.0 OR AGPL-3.0) AND MIT",
    ] {
        assert!(!permits(bad, &allowed), "{bad}");
    }
}

#[test]
fn every_dependency_may_be_used_in_closed_products() {
    let allowed: BTreeSet<String> = list("allow").into_iter().collect();
    for refused in ["AGPL", "LGPL", "GPL", "BUSL", "SSPL"] {
        assert!(
            !allowed.iter().any(|licence| licence.starts_with(refused)),
            "{refused} is allowed in .deny.toml"
        );
    }
    let metadata = metadata();
    for package in metadata["packages"].as_array().expect("metadata lists packages") {
        let licence = package["license"].as_str().unwrap_or_default();
        assert!(permits(licence, &allowed), "{} has the licence `{licence}`", package["name"]);
    }
}

#[test]
fn nothing_banned_is_built() {
    let banned = list("deny");
    assert!(banned.iter().any(|name| name == "openssl"), "{banned:?}");
    let tree = cargo(&["tree", "--workspace", "--prefix", "none"]);
    let built: BTreeSet<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(built.contains("rustls"), "this is not our tree");
    for name in banned {
        assert!(!built.contains(name.as_str()), "{name} is banned in .deny.toml and is built");
    }
}
