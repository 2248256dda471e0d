//! Batches and continuation.

use super::hold::hold;
use super::row::{Elsewhere, Group, Row};

/// The cases.
pub const GROUP: Group = Group {
    letter: 'B',
    channels: &[],
    rows,
    elsewhere: &[
        Elsewhere {
            id: "B1",
            what: "what the envelopes of a file declare is held against it; nothing is dropped",
            file: "tests/conformance/files.rs",
            function: "what_does_not_agree_is_reported_and_nothing_is_dropped",
        },
        Elsewhere {
            id: "B3",
            what: "a file of many messages is streamed in constant memory",
            file: "tests/conformance/files.rs",
            function: "a_long_file_takes_no_more_memory_than_its_parts",
        },
        Elsewhere {
            id: "B3",
            what: "a node killed in the midst of a file goes on without a gap or a second entry",
            file: "tests/conformance/files.rs",
            function: "a_node_killed_in_the_midst_of_a_file_goes_on_without_gap_or_repetition",
        },
    ],
    pending: &["B2"],
};

fn rows() -> Vec<Row> {
    Vec::new()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_holds() {
    hold(&GROUP).await;
}
