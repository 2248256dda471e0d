//! Replies of several frames, and frames outside of the ordered replies, over real sockets.

mod support;

use std::time::Duration;

use mllp::{Config, Delivery, LINE_FRAMES_MAX, Line};
use support::{Served, closed, connect, framed, replies, serve, soon};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

const LARGE: usize = 256 * 1024;

/// A connection that was served once, and its line.
async fn greeted(served: &Served) -> (TcpStream, Line) {
    let mut peer = connect(served).await;
    peer.write_all(b"\x0BA0\x1C\r").await.expect("write");
    assert_eq!(replies(&mut peer, 1).await, ["ACK A0"]);
    let line = served.recorder.peers().last().expect("a peer").line.clone();
    (peer, line)
}

#[tokio::test]
async fn a_reply_of_several_payloads_is_several_frames_before_the_next_reply() {
    let served = serve(Config::default()).await;
    let mut peer = connect(&served).await;
    peer.write_all(b"\x0BA1\x1C\r\x0Bthree\x1C\r\x0BA3\x1C\r").await.expect("write");
    assert_eq!(replies(&mut peer, 5).await, ["ACK A1", "1", "2", "3", "ACK A3"]);
    soon(|| served.recorder.deliveries() == [Delivery::Sent; 3]).await;
}

#[tokio::test]
async fn a_reply_with_one_payload_that_cannot_be_framed_is_not_sent_in_part() {
    let served = serve(Config::default()).await;
    let mut peer = connect(&served).await;
    peer.write_all(b"\x0Bno frame\x1C\r").await.expect("write");
    assert_eq!(closed(&mut peer).await, b"");
    soon(|| served.recorder.deliveries() == [Delivery::Undelivered]).await;
}

#[tokio::test]
async fn a_frame_of_the_line_does_not_wait_for_the_replies() {
    let served = serve(Config::default()).await;
    let (mut peer, line) = greeted(&served).await;
    assert_eq!(line.send("idle").await, Delivery::Sent);
    assert_eq!(replies(&mut peer, 1).await, ["idle"]);
    peer.write_all(b"\x0Bgate1\x1C\r\x0BA2\x1C\r").await.expect("write");
    soon(|| served.recorder.frames().len() == 3).await;
    assert_eq!(line.send("between").await, Delivery::Sent);
    assert_eq!(replies(&mut peer, 1).await, ["between"]);
    served.recorder.open_gate(1);
    assert_eq!(replies(&mut peer, 2).await, ["ACK gate1", "ACK A2"]);
}

#[tokio::test]
async fn frames_of_the_line_keep_their_order_and_are_all_told() {
    let served = serve(Config::default()).await;
    let (mut peer, line) = greeted(&served).await;
    let count = 3 * LINE_FRAMES_MAX;
    let sending = async {
        for number in 0..count {
            assert_eq!(line.send(number.to_string()).await, Delivery::Sent);
        }
    };
    let (received, ()) = tokio::join!(replies(&mut peer, count), sending);
    assert!(received.iter().enumerate().all(|(number, payload)| *payload == number.to_string()));
}

#[tokio::test]
async fn a_frame_of_the_line_that_cannot_be_framed_is_undelivered_and_the_connection_stays() {
    let served = serve(Config::default()).await;
    let (mut peer, line) = greeted(&served).await;
    assert_eq!(line.send("a\x1Cb").await, Delivery::Undelivered);
    peer.write_all(b"\x0BA1\x1C\r").await.expect("write");
    assert_eq!(replies(&mut peer, 1).await, ["ACK A1"]);
}

#[tokio::test]
async fn the_line_of_a_closed_connection_says_undelivered() {
    let served = serve(Config::default()).await;
    let (peer, line) = greeted(&served).await;
    drop(peer);
    soon(|| line.is_closed()).await;
    assert_eq!(line.send("late").await, Delivery::Undelivered);
}

#[tokio::test]
async fn a_held_line_does_not_keep_a_drained_connection_open() {
    let served = serve(Config::default()).await;
    let (mut peer, line) = greeted(&served).await;
    let drained = served.stop();
    assert_eq!(closed(&mut peer).await, b"");
    assert_eq!(drained.await.expect("listener").cut, 0);
    assert_eq!(line.send("late").await, Delivery::Undelivered);
}

#[tokio::test]
async fn the_line_of_a_peer_that_does_not_read_waits_and_is_cut() {
    let config = Config { write_timeout: Duration::from_millis(300), in_flight_max: 4, ..Config::default() };
    let served = serve(config).await;
    let (_peer, line) = greeted(&served).await;
    let many = (0..4 * LINE_FRAMES_MAX).map(|_| {
        let line = line.clone();
        async move { line.send(vec![b'A'; LARGE]).await }
    });
    let all = futures_util::future::join_all(many);
    let outcomes = tokio::time::timeout(Duration::from_secs(20), all).await.expect("cut");
    assert!(outcomes.contains(&Delivery::Undelivered));
    assert!(line.is_closed());
    // Another connection is served.
    let mut other = connect(&served).await;
    other.write_all(&framed(b"A1")).await.expect("write");
    assert_eq!(replies(&mut other, 1).await, ["ACK A1"]);
}
