//! What an acknowledgment says, and when none is due.

use super::hold::hold;
use super::row::{Group, Row};

/// The cases.
pub const GROUP: Group = Group {
    letter: 'A',
    channels: &[],
    rows,
    elsewhere: &[],
    pending: &["A1", "A2", "A3", "A4", "A5", "A6", "A7", "A8", "A9", "A10", "A11", "A12", "A13"],
};

fn rows() -> Vec<Row> {
    Vec::new()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_holds() {
    hold(&GROUP).await;
}
