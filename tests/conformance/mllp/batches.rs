//! Batches and continuation.

use super::hold::hold;
use super::row::{Answer, Channel, Elsewhere, Group, Kept, Message, Row, framed};

/// The cases.
pub const GROUP: Group = Group {
    letter: 'B',
    channels: &[Channel { name: "each", options: &["batch: each"] }],
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
    pending: &[],
};

fn rows() -> Vec<Row> {
    let mut rows = in_one_answer();
    rows.extend(in_disagreement());
    rows.extend(in_answers_each());
    rows
}

const FHS: &[u8] = b"FHS|^~\\&|HARBOR_EMR|HARBOR|TIDEGATE|ONPREM|20190312||||F7\r";
const BHS: &[u8] = b"BHS|^~\\&|HARBOR_EMR|HARBOR|TIDEGATE|ONPREM|20190312||||B7\r";

/// A message whose header is refused.
fn untyped(control_id: &str) -> Message {
    Message::new(control_id).with("ADT^A01^ADT_A01", "")
}

fn msa(code: &str, control_id: &str) -> Vec<u8> {
    format!("\rMSA|{code}|{control_id}").into_bytes()
}

/// One frame in, one frame out, and in it a verdict on every message.
fn in_one_answer() -> Vec<Row> {
    let (one, two) = (Message::new("B2-1"), Message::new("B2-2"));
    let (good, bad, last) = (Message::new("B2-3"), untyped("B2-4"), Message::new("B2-5"));
    let file = [FHS, BHS, &one.er7, &two.er7, b"BTS|2\rFTS|1\r"].concat();
    let mixed = [BHS, &good.er7, &bad.er7, &last.er7, b"BTS|3\r"].concat();
    vec![
        Row::new("B2", "a file of one batch in a frame")
            .bytes(framed(&file))
            .answered(
                Answer::accept(&one)
                    .holding(b"FHS|^~\\&|TIDEGATE|ONPREM|HARBOR_EMR|HARBOR|")
                    .holding(b"|F7\rBHS|^~\\&|TIDEGATE|ONPREM|HARBOR_EMR|HARBOR|")
                    .holding(msa("AA", "B2-2"))
                    .holding(b"\rBTS|2\rFTS|1\r"),
            )
            .keeps(Kept::routed(&one))
            .keeps(Kept::routed(&two)),
        Row::new("B2", "a batch with a message that is refused between two that are not")
            .bytes(framed(&mixed))
            .answered(
                Answer::new("AA", b"B2-3", Some("101"))
                    .holding(msa("AR", "B2-4"))
                    .holding(msa("AA", "B2-5"))
                    .holding(b"\rBTS|3\r"),
            )
            .keeps(Kept::routed(&good))
            .keeps(Kept::held(&bad.er7, Some("AR"), "header"))
            .keeps(Kept::routed(&last)),
    ]
}

/// What the trailers declare is held against what came.
fn in_disagreement() -> Vec<Row> {
    let (one, open) = (Message::new("B1-1"), Message::new("B1-2"));
    let short = [BHS, &one.er7, b"BTS|2\r"].concat();
    let unended = [BHS, open.er7.as_slice()].concat();
    let empty = [BHS, b"BTS|0\r".as_slice()].concat();
    vec![
        Row::new("B2", "a batch of fewer messages than it declares")
            .bytes(framed(&short))
            .answered(
                Answer::new("AA", b"B1-1", Some("100"))
                    .holding(msa("AR", ""))
                    .holding(b"\rBTS|2|message-count declared 2 found 1\r"),
            )
            .keeps(Kept::routed(&one))
            .keeps(Kept::held(b"BTS|2\r", Some("AR"), "message-count")),
        Row::new("B2", "a batch without its trailer")
            .bytes(framed(&unended))
            .answered(
                Answer::new("AA", b"B1-2", Some("100"))
                    .holding(msa("AR", ""))
                    .holding(b"\rBTS|2|batch-trailer-missing\r"),
            )
            .keeps(Kept::routed(&open))
            .keeps(Kept::held(&unended, Some("AR"), "batch-trailer-missing")),
        Row::new("B2", "a batch without a message")
            .bytes(framed(&empty))
            .answered(Answer::new("AR", b"", Some("100")).holding(b"\rBTS|0\r"))
            .keeps(Kept::held(&empty, Some("AR"), "no-message")),
    ]
}

/// A sender that counts acknowledgments gets one frame for each message.
fn in_answers_each() -> Vec<Row> {
    let (one, bad, two) = (Message::new("B2-6"), untyped("B2-7"), Message::new("B2-8"));
    let batch = [BHS, &one.er7, &bad.er7, &two.er7, b"BTS|3\r"].concat();
    vec![
        Row::new("B2", "a batch answered message by message")
            .on("each")
            .bytes(framed(&batch))
            .accepted(&one)
            .answered(Answer::new("AR", b"B2-7", Some("101")))
            .keeps(Kept::held(&bad.er7, Some("AR"), "header"))
            .accepted(&two),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_holds() {
    hold(&GROUP).await;
}
