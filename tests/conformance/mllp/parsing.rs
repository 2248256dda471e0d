//! Delimiters, escapes, repetitions, dates, segments nobody knows.

use super::hold::hold;
use super::row::{Answer, Elsewhere, Group, Kept, Message, Row};

/// The cases.
pub const GROUP: Group = Group {
    letter: 'P',
    channels: &[],
    rows,
    elsewhere: &[
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
    ],
    pending: &[
        "P2", "P3", "P4", "P5", "P6", "P7", "P8", "P9", "P10", "P11", "P12", "P13", "P14", "P15", "P17",
    ],
};

fn rows() -> Vec<Row> {
    delimiters()
}

/// MSH-1 and MSH-2 say which bytes separate, and the answer uses the same.
fn delimiters() -> Vec<Row> {
    let custom = Message::new("P1").separated(b"$%@!*");
    let answer = Answer::new("AA", b"P1", None).holding(b"MSH$%@!*").lacking(b"|");
    vec![
        Row::new("P1", "separators of its own")
            .bytes(custom.framed())
            .answered(answer)
            .keeps(Kept::routed(&custom)),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_holds() {
    hold(&GROUP).await;
}
