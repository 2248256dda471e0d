//! The classes that pages are made of. A class is here, in the style sheet and in a template, or nowhere.

use std::collections::BTreeSet;

/// Every class, with what it is for.
const VOCABULARY: &[(&str, &str)] = &[
    ("skip", "link to the content, seen when focused"),
    ("top", "the header"),
    ("brand", "name of the product, leads home"),
    ("mark", "its sign"),
    ("node", "name and role of the node"),
    ("role", "the role of the node"),
    ("role-clinical", "on-prem, identified"),
    ("role-portal", "cloud, de-identified"),
    ("pages", "the navigation"),
    ("own", "what belongs to the person: theme, sign out"),
    ("warnings", "what stands on every page"),
    ("foot", "the footer"),
    ("head", "heading of a page with what it says of itself"),
    ("back", "link to the page above"),
    ("panel", "a sheet of content"),
    ("flush", "a panel whose table reaches its edges"),
    ("columns", "panels side by side"),
    ("panels", "linked panels side by side"),
    ("stack", "panels one below the other"),
    ("tools", "a row of forms"),
    ("row", "things in one line"),
    ("query", "the wide field of a search"),
    ("scroll", "a part that scrolls by itself; focusable, with a name"),
    ("tall", "a scrolled table whose header stays"),
    ("number", "a cell of digits"),
    ("long", "text that may break anywhere"),
    ("hint", "small and quiet"),
    ("tag", "a small mark beside a text"),
    ("chips", "tags in a row"),
    ("badge", "a state: icon, word, colour"),
    ("good", "went well"),
    ("wait", "not done yet, or to be watched"),
    ("mute", "meant to be so"),
    ("bad", "needs a person"),
    ("revealed", "values are shown"),
    ("facts", "names and values"),
    ("note", "a box that says one thing; with good, wait or bad"),
    ("empty", "what stands where nothing is yet"),
    ("strip", "figures side by side"),
    ("figure", "one figure with its name"),
    ("value", "its digits"),
    ("gate", "the boundary between two figures"),
    ("spark", "a line of numbers, drawn small"),
    ("spark-area", "below it"),
    ("spark-line", "the line"),
    ("spark-bad", "what of it went wrong"),
    ("steps", "numbered steps"),
    ("live-bar", "refresh, pause and what a live part says"),
    ("more", "a row that stands for many"),
    ("fresh", "a row that has just come"),
    ("pager", "links to other pages of a list"),
    ("list", "things one below the other"),
    ("keys", "keys or words with their meaning"),
    ("hash", "a digest"),
    ("proof", "the steps of a proof"),
    ("at", "where the pointer is, on the message page"),
    ("code", "text as it was received or stored"),
    ("raw", "HL7 v2"),
    ("json", "FHIR"),
    ("trace", "rules and what they did"),
    ("segment", "a line of HL7 v2"),
    ("leaf", "a value in it"),
    ("mapped", "reached the output"),
    ("lossy", "reached it in part"),
    ("unmapped", "reached nothing"),
    ("rejected", "was refused"),
    ("unseen", "for those who hear the page"),
    ("crumbs", "way back and neighbours"),
    ("actions", "what can be done with the thing of the page"),
    ("button", "a link that looks like what it does"),
    ("small", "a small button"),
    ("times", "instants of a message, side by side"),
    ("bench", "the linked panels of a message"),
    ("rail", "what stays on top of them"),
    ("tabs", "links to the panels"),
    ("title", "heading of a panel with what it offers"),
    ("inset", "text in a panel without edges"),
    ("sides", "two wide panels side by side"),
    ("dump", "bytes"),
    ("source", "the field an element came from"),
    ("rules", "rules in the order they are tried"),
    ("matched", "a rule that matches"),
    ("path", "steps of an act, one of them now"),
    ("editor", "the field of a whole message"),
    ("outcome", "how a dry run ended"),
    ("before", "what was there"),
    ("after", "what is there"),
    ("beside", "two sides in one table"),
    ("linked", "has counterparts in other panels"),
    ("lit", "pointed at, here or there"),
    ("paths", "a list of paths"),
    ("quiet", "a button beside the main one"),
    ("danger", "a button that cannot be undone"),
];

/// The beginning of a class whose end a template fills in.
const FILLED: [&str; 1] = ["role-"];

const STYLE: &str = include_str!("../../assets/console.css");

fn templates() -> Vec<(String, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/templates");
    let files = std::fs::read_dir(folder).expect("folder");
    let read = |file: std::io::Result<std::fs::DirEntry>| {
        let path = file.expect("file").path();
        (path.display().to_string(), std::fs::read_to_string(&path).expect("text"))
    };
    files.map(read).collect()
}

fn vocabulary() -> BTreeSet<&'static str> {
    VOCABULARY.iter().map(|(class, _)| *class).collect()
}

/// A text without what the template engine fills in.
fn without_filled(text: &str) -> String {
    let mut plain = text.to_owned();
    for (start, end) in [("{{", "}}"), ("{%", "%}")] {
        while let Some((before, rest)) = plain.split_once(start) {
            let (_, after) = rest.split_once(end).expect("closed");
            plain = format!("{before} {after}");
        }
    }
    plain
}

#[test]
fn templates_use_known_classes_alone() {
    let known = vocabulary();
    let mut unknown = Vec::new();
    for (path, text) in templates() {
        for (at, _) in text.match_indices("class=\"") {
            let rest = &text[at + "class=\"".len()..];
            let value = class_value(rest);
            for class in without_filled(value).split_whitespace() {
                if !known.contains(class) && !FILLED.contains(&class) {
                    unknown.push(format!("{path}: {class}"));
                }
            }
        }
    }
    assert!(unknown.is_empty(), "not in the vocabulary:\n{}", unknown.join("\n"));
}

/// The attribute's value: to the quote that is not inside an expression.
fn class_value(rest: &str) -> &str {
    let mut depth = 0_usize;
    let bytes = rest.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        match (byte, bytes.get(at + 1)) {
            (b'{', Some(b'{' | b'%')) => depth += 1,
            (b'}' | b'%', Some(b'}')) if depth > 0 => depth -= 1,
            (b'"', _) if depth == 0 => return &rest[..at],
            _ => {}
        }
    }
    rest
}

#[test]
fn the_style_sheet_and_the_vocabulary_are_one() {
    let mut styled = BTreeSet::new();
    for (at, _) in STYLE.match_indices('.') {
        let name: String =
            STYLE[at + 1..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        if name.starts_with(|c: char| c.is_ascii_lowercase()) && !name.starts_with("rs") {
            styled.insert(name);
        }
    }
    let known = vocabulary();
    let styled: BTreeSet<&str> = styled.iter().map(String::as_str).collect();
    assert_eq!(styled.difference(&known).collect::<Vec<_>>(), Vec::<&&str>::new(), "styled and not known");
    assert_eq!(known.difference(&styled).collect::<Vec<_>>(), Vec::<&&str>::new(), "known and not styled");
}

#[test]
fn each_class_says_what_it_is_for_once() {
    assert_eq!(vocabulary().len(), VOCABULARY.len());
    assert!(VOCABULARY.iter().all(|(class, what)| !class.is_empty() && what.len() > 3));
}
