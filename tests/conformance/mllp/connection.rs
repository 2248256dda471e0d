//! The life of a connection.

use super::hold::hold;
use super::row::{Group, Row};

/// The cases.
pub const GROUP: Group = Group {
    letter: 'S',
    channels: &[],
    rows,
    elsewhere: &[],
    pending: &["S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8", "S9"],
};

fn rows() -> Vec<Row> {
    Vec::new()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_holds() {
    hold(&GROUP).await;
}
