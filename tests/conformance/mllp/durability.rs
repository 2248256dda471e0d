//! What survives a crash, and what comes twice.

use super::hold::hold;
use super::row::{Group, Row};

/// The cases.
pub const GROUP: Group = Group {
    letter: 'D',
    channels: &[],
    rows,
    elsewhere: &[],
    pending: &["D1", "D2", "D3", "D4", "D5", "D6", "D7"],
};

fn rows() -> Vec<Row> {
    Vec::new()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_holds() {
    hold(&GROUP).await;
}
