//! Delimiters, escapes, repetitions, dates, segments nobody knows.

use super::hold::hold;
use super::row::{Answer, Group, Kept, Message, Row};

/// The cases.
pub const GROUP: Group = Group {
    letter: 'P',
    channels: &[],
    rows,
    elsewhere: &[],
    pending: &[
        "P2", "P3", "P4", "P5", "P6", "P7", "P8", "P9", "P10", "P11", "P12", "P13", "P14", "P15", "P16",
        "P17",
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
