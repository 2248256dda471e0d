//! What survives a crash, and what comes twice.

use super::hold::hold;
use super::outbound;
use super::row::{Answer, Elsewhere, Group, Kept, Message, Row};

/// The cases.
pub const GROUP: Group = Group {
    letter: 'D',
    channels: &[],
    rows,
    elsewhere: &[
        Elsewhere {
            id: "D1",
            what: "kills at every write, and failures of each: nothing acknowledged is lost, doubled or reordered",
            file: "tests/faults/main.rs",
            function: "whatever_fails_an_acknowledged_message_is_kept_and_applied_once",
        },
        Elsewhere {
            id: "D2",
            what: "an fsync that fails is the end of acknowledging until a restart",
            file: "tests/faults/disk.rs",
            function: "after_a_failed_fsync_of_the_journal_nothing_is_acknowledged_until_a_restart",
        },
        Elsewhere {
            id: "D2",
            what: "a full disk is waited for",
            file: "tests/faults/disk.rs",
            function: "a_full_disk_is_waited_for_and_the_node_goes_on_by_itself",
        },
        Elsewhere {
            id: "D3",
            what: "a torn or garbled tail of the log costs only what was not acknowledged",
            file: "crates/store/tests/files.rs",
            function: "a_torn_tail_of_the_log_costs_only_what_was_not_acknowledged",
        },
        outbound::case("D5", "a patient's order, across retries and a merge"),
        outbound::case("D6", "a poison message is given up"),
        Elsewhere {
            function: "a_window_is_sent_again_to_one_destination",
            ..outbound::case("D7", "a window to one destination")
        },
        Elsewhere {
            id: "D4",
            what: "each acknowledgment of a message comes again byte for byte",
            file: "tests/conformance/mllp/replayed.rs",
            function: "a_repetition_gets_both_acknowledgments_again",
        },
        Elsewhere {
            id: "D4",
            what: "a control id that comes again after more than seven days is new",
            file: "crates/store/tests/conformance/journal.rs",
            function: "a_duplicate_after_seven_days_is_new",
        },
    ],
    pending: &[],
};

fn rows() -> Vec<Row> {
    repeated()
}

/// The same message again is answered again and kept once; the same control id with other bytes is a message of its own.
fn repeated() -> Vec<Row> {
    let (same, first) = (Message::new("D4"), Message::new("D4-REUSED"));
    let second = Message::new("D4-REUSED");
    vec![
        Row::new("D4", "the same message three times")
            .bytes([same.framed(), same.framed(), same.framed()].concat())
            .answered(Answer::accept(&same))
            .answered(Answer::accept(&same))
            .answered(Answer::accept(&same))
            .keeps(Kept::routed(&same)),
        Row::new("D4", "another message under the same control id")
            .bytes([first.framed(), second.framed()].concat())
            .accepted(&first)
            .accepted(&second),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_holds() {
    hold(&GROUP).await;
}
