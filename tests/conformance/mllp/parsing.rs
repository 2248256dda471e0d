//! Delimiters, escapes, repetitions, dates, segments nobody knows.

use super::hold::hold;
use super::outbound;
use super::row::{Answer, Elsewhere, Group, Kept, Message, Row};

/// The cases.
pub const GROUP: Group = Group {
    letter: 'P',
    channels: &[],
    rows,
    elsewhere: &[
        outbound::case("P17", "untouched messages are forwarded byte by byte"),
        Elsewhere {
            id: "P16",
            what: "DSC, MSH-14 and ADD: parts are kept each and applied once as the whole",
            file: "tests/conformance/parts.rs",
            function: "parts_are_kept_each_and_applied_once_as_the_whole",
        },
        Elsewhere {
            id: "P16",
            what: "a part without the one before it is held",
            file: "tests/conformance/parts.rs",
            function: "a_part_without_the_one_before_it_is_held_until_that_came",
        },
        shown("P2", "MSH-2 of two to five characters", READING, "encoding_characters_of_any_number_are_read"),
        shown(
            "P3",
            "MSH-1 and MSH-2 count as fields",
            READING,
            "fields_components_and_repetitions_are_numbered_as_in_the_standard",
        ),
        shown("P5", "hexadecimal escapes of every form", VALUES, "escapes_are_undone_and_unknown_ones_kept"),
        shown("P6", "formatting commands", VALUES, "escapes_are_undone_and_unknown_ones_kept"),
        shown(
            "P7",
            "escapes that nobody knows stay as they are",
            VALUES,
            "escapes_are_undone_and_unknown_ones_kept",
        ),
        shown(
            "P8",
            "text after a decoded escape is written as it was read",
            PROPERTIES,
            "escaping_is_undone",
        ),
        shown("P9", "null differs from absent", READING, "null_differs_from_absent"),
        shown("P14", "times of every precision", VALUES, "times_become_fhir_with_the_precision_sent"),
        shown("P14", "times that cannot be", VALUES, "impossible_times_are_refused"),
    ],
    pending: &[],
};

const READING: &str = "crates/hl7v2/tests/reading.rs";
const VALUES: &str = "crates/hl7v2/tests/values.rs";
const PROPERTIES: &str = "crates/hl7v2/tests/properties.rs";
const FAMILY: &str = "/name/0/family";

const fn shown(
    id: &'static str,
    what: &'static str,
    file: &'static str,
    function: &'static str,
) -> Elsewhere {
    Elsewhere { id, what, file, function }
}

fn rows() -> Vec<Row> {
    let mut rows = delimiters();
    rows.extend(escapes());
    rows.extend(nothing());
    rows.extend(structure());
    rows.extend(values());
    rows
}

/// Accepted, and this stands in the patient.
fn reads(
    id: &'static str,
    what: &'static str,
    message: Message,
    pointer: &'static str,
    text: Option<&str>,
) -> Row {
    Row::new(id, what).bytes(message.framed()).accepted(&message).patient(&message, pointer, text)
}

/// MSH-1 and MSH-2 say which bytes separate, and the answer uses the same.
fn delimiters() -> Vec<Row> {
    let custom = Message::named("P1-1", "Delimont").separated(b"$%@!*");
    let answer = Answer::new("AA", b"P1-1", None).holding(b"MSH$%@!*").lacking(b"|");
    let seen = Message::named("P1-2", "Delimont").separated(b"|@~\\&");
    let unlisted = Message::named("P2-2", "Delimont").with("^~\\&", "^~&").with("HARBOR&2.16", "HARBOR.2.16");
    vec![
        Row::new("P1", "separators of its own")
            .bytes(custom.framed())
            .answered(answer)
            .keeps(Kept::routed(&custom))
            .patient(&custom, FAMILY, Some("Delimont")),
        reads("P1", "MSH|@~\\&", seen, FAMILY, Some("Delimont")),
        reads("P2", "truncation character", truncated(), FAMILY, Some("Delimont#ville")),
        reads("P2", "MSH|^~&, which leaves out the escape", unlisted, FAMILY, Some("Delimont")),
    ]
}

/// v2.7: `#` is a fifth character of MSH-2, and `\P\` stands for it.
fn truncated() -> Message {
    Message::named("P2-1", "Delimont\\P\\ville").with("^~\\&", "^~\\&#").with("|2.5.1|", "|2.7|")
}

/// Escapes are undone after the parts are told apart.
fn escapes() -> Vec<Row> {
    let named = |id: &str, family: &str| Message::named(id, family);
    vec![
        reads(
            "P4",
            "\\T\\ \\S\\ \\R\\ \\F\\ \\E\\",
            named("P4", "a\\T\\b\\S\\c\\R\\d\\F\\e\\E\\f"),
            FAMILY,
            Some("a&b^c~d|e\\f"),
        ),
        reads(
            "P5",
            "\\X41\\ and lower-case digits",
            named("P5", "M\\XC3BC\\ller\\x41\\"),
            FAMILY,
            Some("Müller\\x41\\"),
        ),
        reads("P6", "\\H\\ and \\N\\", named("P6", "\\H\\Bold\\N\\well"), FAMILY, Some("Boldwell")),
        reads(
            "P7",
            "\\C2842\\ and \\Zx\\ stay",
            named("P7", "a\\C2842\\b\\Zx\\"),
            FAMILY,
            Some("a\\C2842\\b\\Zx\\"),
        ),
        reads("P8", "a lone escape character", named("P8-1", "half\\"), FAMILY, Some("half\\")),
        reads(
            "P8",
            "a path of a share",
            named("P8-2", "\\\\server\\share"),
            FAMILY,
            Some("\\\\server\\share"),
        ),
    ]
}

/// Absent leaves alone, `""` takes away.
fn nothing() -> Vec<Row> {
    let first = Message::named("P9-1", "Nullworth");
    let again = |id: &str, given: &str| {
        let message = first.clone().with("|P9-1|", format!("|{id}|"));
        let at = String::from_utf8(message.er7).expect("ASCII");
        let (before, rest) = at.split_once("Nullworth^").expect("the name");
        let (_, after) = rest.split_once('^').expect("its rest");
        let er7 = format!("{before}Nullworth^{given}^{after}").into_bytes();
        Message { er7, control_id: id.to_owned(), number: first.number.clone() }
    };
    let removed = again("P9-2", "\"\"");
    vec![
        Row::new("P9", "a null component takes away what stands")
            .bytes([first.framed(), removed.framed()].concat())
            .accepted(&first)
            .accepted(&removed)
            .patient(&first, FAMILY, Some("Nullworth"))
            .patient(&first, "/name/0/given/0", None),
    ]
}

/// Repetitions, subcomponents, and what is in no version.
fn structure() -> Vec<Row> {
    let repeated = Message::named("P10", "Repton").with("PID|1||", "PID|1||~~");
    let extra = Message::named("P12-1", "Zedwick")
        .with("EVN|A01|", "ZZZ|1|own^words\rEVN|A01|")
        .then(b"zpd|x|y||||\r");
    let trailing = Message::named("P12-2", "Zedwick").with("\rAL1", "||||||||||||||||||||||||||\rAL1");
    let broken = Message::new("P15").then(b"NTE|1|L|first line\rsecond line, in no segment|x\r");
    vec![
        reads("P10", "leading and empty repetitions", repeated, FAMILY, Some("Repton")),
        reads(
            "P11",
            "a component promoted to its first subcomponent",
            Message::named("P11", "Subton&of&"),
            FAMILY,
            Some("Subton"),
        ),
        reads("P12", "segments that nobody knows, in lower case too", extra, FAMILY, Some("Zedwick")),
        reads("P12", "fields beyond the version", trailing, FAMILY, Some("Zedwick")),
        Row::new("P15", "a line end inside of a field: refused, with the segment that it cut")
            .bytes(broken.framed())
            .answered(Answer::new("AE", b"P15", Some("100")).holding(b"NTE^1"))
            .keeps(Kept::held(&broken.er7, Some("AE"), "header")),
    ]
}

/// What the type of a value decides.
fn values() -> Vec<Row> {
    let observed = |id: &str, obx: &str| {
        let person = super::row::person();
        let results = [("2823-3", "4.1", "F")];
        let er7 = person.oru(id, &results);
        let (before, _) = er7.split_once("OBX|").expect("a result");
        let er7 = format!("{before}{obx}\r").into_bytes();
        Message { number: person.number, control_id: id.to_owned(), er7 }
    };
    let obx = |kind: &str, value: &str| {
        format!("OBX|1|{kind}|18842-5^Summary^LN||{value}||||||F|||20190314101600-0400")
    };
    let row = |id, what, message: Message| Row::new(id, what).bytes(message.framed()).accepted(&message);
    let dated = |id: &str, birth: &str| {
        let message = Message::named(id, "Datewell");
        let text = String::from_utf8(message.er7.clone()).expect("ASCII");
        let (before, rest) = text.split_once("^^^^^L||").expect("the name's end");
        let (_, after) = rest.split_once('|').expect("PID-7");
        Message { er7: format!("{before}^^^^^L||{birth}|{after}").into_bytes(), ..message }
    };
    const BORN: &str = "/birthDate";
    vec![
        row("P13", "a number", observed("P13-1", &obx("NM", "4.10"))),
        row("P13", "text with & and ^", observed("P13-2", &obx("FT", "salt & pepper ^ more"))),
        row("P13", "several values", observed("P13-3", &obx("ST", "one~two"))),
        row("P13", "a document", observed("P13-4", &obx("ED", "^AP^PDF^Base64^QUJD"))),
        reads("P14", "a year", dated("P14-1", "1970"), BORN, Some("1970")),
        reads("P14", "a month", dated("P14-2", "197002"), BORN, Some("1970-02")),
        reads(
            "P14",
            "a time with an offset",
            dated("P14-3", "19700203040506.789+0100"),
            BORN,
            Some("1970-02-03"),
        ),
        reads("P14", "eight zeros are no date", dated("P14-4", "00000000"), BORN, None),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_holds() {
    hold(&GROUP).await;
}
