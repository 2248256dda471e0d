//! The sending side: what an answer of a partner means.

use super::hold::hold;
use super::row::{Group, Row};

/// The cases.
pub const GROUP: Group = Group {
    letter: 'O',
    channels: &[],
    rows,
    elsewhere: &[],
    pending: &["O1", "O2", "O3", "O4", "O5", "O6", "O7", "O8", "O9"],
};

fn rows() -> Vec<Row> {
    Vec::new()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_holds() {
    hold(&GROUP).await;
}
