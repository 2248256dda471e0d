//! Our HL7 v2 reader against er7 and hl7-parser, leaf by leaf.
//!
//! Whatever er7 accepts we read the same, save for segments whose name is not three characters: er7 takes everything up to
//! the separator as the name, we say that such a line is no segment of HL7. hl7-parser loses segments silently (blank lines,
//! bare segments) and shifts MSH when MSH-2 has other than four characters, so it must agree only elsewhere.

use oracles::files::{self, Found};
use oracles::readers::{self, View};

fn everything() -> Vec<Found> {
    let mut found = files::messages(&oracles::workspace().join("fixtures")).expect("fixtures are readable");
    if let Some(root) = oracles::corpora() {
        found.extend(files::messages(&root).expect("the corpora are readable"));
    }
    found
}

fn compare(
    name: &str,
    read: impl Fn(&str) -> Option<View>,
    excused: impl Fn(&str, &View, &View) -> bool,
) -> usize {
    let (mut compared, mut wrong) = (0, Vec::new());
    for message in everything() {
        let Ok(text) = std::str::from_utf8(&message.bytes) else { continue };
        let (Some(ours), Some(theirs)) = (readers::ours(&message.bytes), read(text)) else { continue };
        compared += 1;
        if let Some(difference) = ours.difference(&theirs)
            && !excused(text, &ours, &theirs)
        {
            wrong.push(format!("{}#{}: {difference}", message.file, message.ordinal));
        }
    }
    assert!(wrong.is_empty(), "{name} disagrees on {} of {compared}:\n{}", wrong.len(), wrong.join("\n"));
    compared
}

#[test]
fn er7_sees_the_same_leaves() {
    let compared = compare("er7", readers::er7, |text, _, _| has_odd_segment_name(text));
    assert!(compared >= 9, "only {compared} messages were compared");
}

#[test]
fn hl7_parser_sees_the_same_leaves_where_it_loses_no_segment() {
    let compared = compare("hl7-parser", readers::hl7_parser, |text, ours, theirs| {
        ours.segments.len() != theirs.segments.len() || encoding_characters(text) != 4
    });
    assert!(compared >= 9, "only {compared} messages were compared");
}

#[test]
fn whatever_er7_accepts_we_read() {
    for message in everything() {
        let Ok(text) = std::str::from_utf8(&message.bytes) else { continue };
        assert!(
            readers::er7(text).is_none() || readers::ours(&message.bytes).is_some(),
            "{}#{} is refused by us alone",
            message.file,
            message.ordinal
        );
    }
}

/// Does a line begin with a name that is not three characters long?
fn has_odd_segment_name(text: &str) -> bool {
    let lines = text.split(['\r', '\n']).filter(|line| !line.trim().is_empty());
    lines.filter_map(|line| line.split('|').next()).any(|name| name.chars().count() != 3)
}

/// The length of MSH-2.
fn encoding_characters(text: &str) -> usize {
    let separator = text.chars().nth(3);
    separator.and_then(|separator| text.split(separator).nth(1)).map_or(0, |field| field.chars().count())
}
