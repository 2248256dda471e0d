//! Batches and continuation.

use super::hold::hold;
use super::row::{Group, Row};

/// The cases.
pub const GROUP: Group =
    Group { letter: 'B', channels: &[], rows, elsewhere: &[], pending: &["B1", "B2", "B3"] };

fn rows() -> Vec<Row> {
    Vec::new()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_holds() {
    hold(&GROUP).await;
}
