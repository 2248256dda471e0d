//! Character sets, line ends, bytes that are no text.

use super::hold::hold;
use super::row::{Group, Message, Row};

/// The cases.
pub const GROUP: Group = Group {
    letter: 'C',
    channels: &[],
    rows,
    elsewhere: &[],
    pending: &["C1", "C2", "C4", "C5", "C6", "C7", "C8"],
};

fn rows() -> Vec<Row> {
    declared()
}

/// The character set that MSH-18 declares is the one that is read.
fn declared() -> Vec<Row> {
    let latin = Message::new("C3").with("UNICODE UTF-8", "8859/1").with("Quill", b"Qu\xefll");
    vec![Row::new("C3", "Latin-1 that says so").bytes(latin.framed()).accepted(&latin)]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_holds() {
    hold(&GROUP).await;
}
