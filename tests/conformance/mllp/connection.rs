//! The life of a connection.

use harness::{eventually, stored};
use mllp::{Client, ClientConfig};

use super::hold::hold;
use super::row::{Channel, Elsewhere, Group, Kept, Message, Row};
use super::site::{Site, source};
use super::wire::Wire;

/// Path of this file.
const HERE: &str = "tests/conformance/mllp/connection.rs";
const LISTENER: &str = "crates/mllp/tests/listener.rs";
const REPLAYED: &str = "tests/conformance/mllp/replayed.rs";
const SLOW: &str = "tests/conformance/mllp/slow.rs";

/// The cases.
pub const GROUP: Group = Group {
    letter: 'S',
    channels: &[
        Channel { name: "hasty", options: &["frame_seconds_max: 1"] },
        Channel { name: "impatient", options: &["idle_seconds_max: 1"] },
        Channel { name: "narrow", options: &["connections_max: 1"] },
        Channel { name: "single", options: &["connections_max: 1", "same_peer: replace"] },
    ],
    rows,
    elsewhere: &[
        shown(
            "S2",
            "a silent connection is probed within three minutes",
            HERE,
            "a_silent_connection_is_probed",
        ),
        shown(
            "S3",
            "a slow frame ends at its deadline, and others do not notice",
            LISTENER,
            "a_slow_frame_ends_at_its_deadline_and_others_do_not_notice",
        ),
        shown(
            "S4",
            "a peer that takes no answers is cut, and nothing piles up",
            LISTENER,
            "a_peer_that_does_not_read_is_cut_and_nothing_piles_up",
        ),
        shown(
            "S5",
            "one connection too many is refused and kept",
            HERE,
            "a_connection_too_many_is_refused_and_kept",
        ),
        shown(
            "S6",
            "a sender that connects again replaces itself",
            HERE,
            "a_sender_that_connects_again_is_served",
        ),
        shown(
            "S7",
            "a node that stops answers what it has taken",
            HERE,
            "a_node_that_stops_answers_what_it_has_taken",
        ),
        shown(
            "S8",
            "one address that cannot be had stops nobody else",
            HERE,
            "a_listener_that_cannot_bind_stops_nobody",
        ),
        shown(
            "S9",
            "an answer that did not arrive is known as such, and given when the message comes again",
            SLOW,
            "an_answer_that_did_not_arrive_is_given_when_the_message_comes_again",
        ),
        shown(
            "S9",
            "a reset between commit and acknowledgment is noted, and the resend gets the stored one",
            REPLAYED,
            "a_reset_before_the_acknowledgment_is_noted_and_the_resend_gets_the_stored_one",
        ),
    ],
    pending: &[],
};

const fn shown(
    id: &'static str,
    what: &'static str,
    file: &'static str,
    function: &'static str,
) -> Elsewhere {
    Elsewhere { id, what, file, function }
}

fn rows() -> Vec<Row> {
    let message = |id| Message::new(id);
    let (one, two, three) = (message("S1"), message("S2"), message("S2-idle"));
    let slow = message("S3");
    let half = &slow.er7[..slow.er7.len() / 2];
    vec![
        Row::new("S1", "the sender ends its input with the message").bytes(one.framed()).end().accepted(&one),
        Row::new("S2", "silence before a message").pause(1_500).bytes(two.framed()).accepted(&two),
        Row::new("S2", "an idle connection is closed where the channel says so")
            .on("impatient")
            .bytes(three.framed())
            .accepted(&three)
            .closed(),
        Row::new("S3", "a frame that does not end")
            .on("hasty")
            .bytes([b"\x0b", half].concat())
            .closed()
            .keeps(Kept::held(half, None, "frame-timeout")),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_holds() {
    hold(&GROUP).await;
}

/// Sends a message, which must be accepted.
async fn accepted(wire: &mut Wire, control_id: &str) {
    let message = Message::new(control_id);
    wire.write(&message.framed()).await.expect("the connection takes a message");
    let answer = wire.frame().await.expect("an answer").expect("the connection is open");
    let id = format!("MSA|AA|{control_id}");
    assert!(answer.windows(id.len()).any(|bytes| bytes == id.as_bytes()), "{control_id}");
}

/// The keepalive timer of the node's end runs, and fires before a firewall forgets.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_connection_is_probed() {
    const TICKS_PER_SECOND: u32 = 100;
    let site = Site::start("probed", GROUP.channels).await;
    let mut wire = Wire::connect(source(0), site.listener("emr")).await;
    accepted(&mut wire, "S2-probe").await;
    // Local and remote port, timer and ticks until it fires, of the node's end.
    let (node, ours) =
        (format!(":{:04X}", site.listener("emr").port()), format!(":{:04X}", wire.from.port()));
    eventually("the timer of the keepalive", || async {
        let table = std::fs::read_to_string("/proc/net/tcp").map_err(|error| error.to_string())?;
        let columns = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let ends = columns
            .into_iter()
            .find(|columns| columns.len() > 5 && columns[1].ends_with(&node) && columns[2].ends_with(&ours));
        let timer = ends.ok_or("the connection is not in the table")?[5].to_owned();
        let (kind, ticks) = timer.split_once(':').ok_or("no timer")?;
        let ticks = u32::from_str_radix(ticks, 16).map_err(|error| error.to_string())?;
        // 02 is the keepalive timer; 01 still waits for the answer's own acknowledgment.
        if kind == "02" && ticks <= 180 * TICKS_PER_SECOND { Ok(()) } else { Err(format!("timer {timer}")) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_too_many_is_refused_and_kept() {
    let mut site = Site::start("narrow", GROUP.channels).await;
    let mut first = Wire::connect(source(0), site.listener("narrow")).await;
    accepted(&mut first, "S5-1").await;
    let mut refused = Vec::new();
    for _ in 0..3 {
        let mut wire = Wire::connect(source(1), site.listener("narrow")).await;
        assert!(matches!(wire.frame().await, Ok(None) | Err(_)), "it is closed without an answer");
        refused.push(wire.from.to_string());
    }
    accepted(&mut first, "S5-2").await;
    assert!(site.words().contains("connection refused"), "the log tells of it");
    site.settle().await;
    site.stop();
    let store = stored::clinical(&site.pair.onprem_config.data).await;
    let rows = stored::messages(&store).await;
    let kept: Vec<_> = rows.iter().filter(|row| row.reason.as_deref() == Some("connection-limit")).collect();
    assert_eq!(kept.len(), 1, "one entry a peer and minute");
    let entries = stored::journal(&store).await;
    let entry = entries.iter().find(|entry| entry.id == kept[0].id).expect("its entry");
    // Refusals are noted side by side, so that any of the three may be the one that is written down.
    assert!(refused.contains(&entry.peer), "{} is none of {refused:?}", entry.peer);
    assert_eq!(entry.bytes.len(), 0);
    stored::close(store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_that_connects_again_is_served() {
    let mut site = Site::start("single", GROUP.channels).await;
    let mut old = Wire::connect(source(0), site.listener("single")).await;
    accepted(&mut old, "S6-1").await;
    let cut = Message::new("S6-cut");
    let half = &cut.er7[..cut.er7.len() / 2];
    old.write(&[b"\x0b", half].concat()).await.expect("half a message");
    // The half has arrived when the node has read as much: it reads in order, and one connection at a time is open.
    let mut new = Wire::connect(source(0), site.listener("single")).await;
    accepted(&mut new, "S6-2").await;
    assert_eq!(old.frame().await.expect("the old connection ends in order"), None);
    accepted(&mut new, "S6-3").await;
    site.settle().await;
    site.stop();
    let store = stored::clinical(&site.pair.onprem_config.data).await;
    let journal = stored::journal(&store).await;
    let fragments: Vec<_> = journal.iter().filter(|entry| entry.refused.is_some()).collect();
    assert!(fragments.len() <= 1 && fragments.iter().all(|entry| entry.bytes == half), "never spliced");
    stored::close(store).await;
}

/// What was taken into the journal is answered before the connection ends, and nothing else is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_stops_answers_what_it_has_taken() {
    let mut site = Site::start("drained", GROUP.channels).await;
    let mut wire = Wire::connect(source(0), site.listener("emr")).await;
    let messages: Vec<Message> = (0..200).map(|n| Message::new(&format!("S7-{n}"))).collect();
    wire.write(&messages.iter().flat_map(Message::framed).collect::<Vec<u8>>()).await.expect("written");
    let mut answers = vec![wire.frame().await.expect("an answer").expect("the connection is open")];
    let stopping = tokio::task::spawn_blocking(move || {
        site.stop();
        site
    });
    loop {
        match wire.frame().await {
            Ok(Some(answer)) => answers.push(answer),
            Ok(None) => break,
            Err(words) => panic!("after {} answers: {words}", answers.len()),
        }
    }
    let site = stopping.await.expect("the node stops in order");
    for (message, answer) in messages.iter().zip(&answers) {
        let id = format!("MSA|AA|{}\r", message.control_id);
        assert!(String::from_utf8_lossy(answer).contains(&id), "in order");
    }
    let store = stored::clinical(&site.pair.onprem_config.data).await;
    let from = wire.from.to_string();
    let kept = stored::journal(&store).await.into_iter().filter(|entry| entry.peer == from).count();
    assert_eq!(kept, answers.len(), "each that was kept was answered, and each that was answered was kept");
    stored::close(store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_that_cannot_bind_stops_nobody() {
    let mut site = Site::make("taken", GROUP.channels).await;
    let taken = std::net::TcpListener::bind(site.listener("narrow")).expect("the port is free");
    site.spawn();
    site.ready(503).await;
    let mut wire = Wire::connect(source(0), site.listener("emr")).await;
    accepted(&mut wire, "S8-1").await;
    let (_, state) = site.pair.here().answer("/readyz").await.expect("an answer");
    assert!(state.to_string().contains("listeners"), "{state}");
    let console = site.pair.visitor().await.get("/").await;
    assert!(console.text.contains("narrow does not listen on"), "the console says which");
    assert!(site.words().contains("does not listen, tries again"), "{}", site.words());
    drop(taken);
    site.ready(200).await;
    let client = Client::connect(ClientConfig::new(site.listener("narrow").to_string())).await;
    client.expect("it listens now").exchange(&Message::new("S8-2").er7).await.expect("an answer");
    accepted(&mut wire, "S8-3").await;
    site.stop();
}
