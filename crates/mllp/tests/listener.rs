//! The listener over real sockets.

mod support;

use std::time::Duration;

use mllp::{Client, ClientConfig, Config, Delivery, Error, Limits};
use support::{Served, acknowledged, closed, connect, framed, replies, serve, soon};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn quick() -> Config {
    Config { end_timeout: Duration::from_millis(100), ..Config::default() }
}

/// Sends these pieces, each in a write of its own, and compares the replies.
async fn converse(served: &Served, pieces: &[&[u8]], expected: &[&str]) {
    let mut peer = connect(served).await;
    for piece in pieces {
        peer.write_all(piece).await.expect("write");
        peer.flush().await.expect("flush");
        tokio::task::yield_now().await;
    }
    assert_eq!(replies(&mut peer, expected.len()).await, expected);
}

#[tokio::test]
async fn frames_are_answered_in_order_however_they_arrive() {
    let served = serve(quick()).await;
    let bytes: Vec<&[u8]> = b"\x0BA1\x1C\r".chunks(1).collect();
    converse(&served, &bytes, &["ACK A1"]).await;
    converse(&served, &[b"\x0BA1\x1C\r\x0BA2\x1C\r"], &["ACK A1", "ACK A2"]).await;
    converse(&served, &[b"\x0BA1\x1C", b"\r\x0BA2\x1C\r"], &["ACK A1", "ACK A2"]).await;
    converse(&served, &[b"\x0BA1\x1C\r\n", b"\x0BA2\x1C\r"], &["ACK A1", "ACK A2"]).await;
    converse(&served, &[b"\x0B\x1C\r\x0BA2\x1C\r"], &["ACK ", "ACK A2"]).await;
    converse(&served, &[b"\x0B\x0BA1\x1C\r"], &["ACK A1"]).await;
    converse(&served, &[b"\x0BA\x1CB\x1C\r"], &["ACK A\u{fffd}B"]).await;
    assert!(served.recorder.refusals().is_empty());
}

#[tokio::test]
async fn fifty_pipelined_frames_run_together_begin_in_order_and_are_answered_in_order() {
    let served = serve(quick()).await;
    let mut peer = connect(&served).await;
    let names: Vec<String> = (0..50).map(|number| format!("gate{number}")).collect();
    let wire: Vec<u8> = names.iter().flat_map(|name| framed(name.as_bytes())).collect();
    peer.write_all(&wire).await.expect("write");
    // All fifty are begun before the first is answered.
    soon(|| served.recorder.frames().len() == 50).await;
    assert_eq!(served.recorder.frames(), names);
    served.recorder.open_gate(50);
    let expected: Vec<String> = names.iter().map(|name| format!("ACK {name}")).collect();
    assert_eq!(replies(&mut peer, 50).await, expected);
    soon(|| served.recorder.deliveries() == vec![Delivery::Sent; 50]).await;
}

#[tokio::test]
async fn no_more_frames_are_begun_than_allowed() {
    let served = serve(Config { in_flight_max: 4, ..quick() }).await;
    let mut peer = connect(&served).await;
    let wire: Vec<u8> = (0..20).flat_map(|number| framed(format!("gate{number}").as_bytes())).collect();
    peer.write_all(&wire).await.expect("write");
    soon(|| served.recorder.frames().len() == 4).await;
    // Another connection is served meanwhile, so that "no more" had its chance to be wrong.
    converse(&served, &[b"\x0BB\x1C\r"], &["ACK B"]).await;
    assert_eq!(served.recorder.frames().len(), 5);
    served.recorder.open_gate(20);
    assert_eq!(replies(&mut peer, 20).await.len(), 20);
}

#[tokio::test]
async fn a_frame_without_cr_is_delivered_at_the_next_frame_or_after_silence() {
    let served = serve(quick()).await;
    converse(&served, &[b"\x0BA1\x1C\x0BA2\x1C\r"], &["ACK A1", "ACK A2"]).await;
    converse(&served, &[b"\x0BA3\x1C"], &["ACK A3"]).await;
}

#[tokio::test]
async fn junk_before_a_frame_is_reported_and_the_frame_answered() {
    let served = serve(quick()).await;
    converse(&served, &[b"\r\nxyz\x0BA1\x1C\r"], &["NAK junk", "ACK A1"]).await;
    assert_eq!(served.recorder.refusals(), ["Junk(3 bytes)"]);
}

#[tokio::test]
async fn a_connection_that_never_frames_is_closed() {
    let served = serve(quick()).await;
    for bytes in [&b"MSH|^~\\&|A\rPID|1\r"[..], b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01"] {
        let mut peer = connect(&served).await;
        peer.write_all(bytes).await.expect("write");
        assert_eq!(closed(&mut peer).await, framed(b"NAK junk"));
    }
    assert_eq!(served.recorder.refusals().len(), 3);
    assert!(served.recorder.frames().is_empty());
    // A scan that connects and leaves is no event for the handler.
    drop(connect(&served).await);
    converse(&served, &[b"\x0BA1\x1C\r"], &["ACK A1"]).await;
    assert_eq!(served.recorder.refusals().len(), 3);
}

#[tokio::test]
async fn junk_after_a_frame_is_reported_and_the_connection_stays() {
    let served = serve(quick()).await;
    let mut peer = connect(&served).await;
    peer.write_all(b"\x0BA1\x1C\rjunk").await.expect("write");
    assert_eq!(replies(&mut peer, 2).await, ["ACK A1", "NAK junk"]);
    peer.write_all(b"\x0BA2\x1C\r").await.expect("write");
    assert_eq!(replies(&mut peer, 1).await, ["ACK A2"]);
}

#[tokio::test]
async fn a_frame_begun_again_is_never_spliced() {
    let served = serve(quick()).await;
    converse(&served, &[b"\x0BA1 header\r", b"\x0BA2\x1C\r"], &["NAK truncated", "ACK A2"]).await;
    assert_eq!(served.recorder.refusals(), ["Truncated(10 bytes)"]);
    assert_eq!(served.recorder.frames(), ["A2"]);
}

#[tokio::test]
async fn an_oversized_frame_is_refused_and_the_connection_closed_while_the_peer_still_sends() {
    let limits = Limits { frame_bytes_max: 100_000, ..Limits::default() };
    let served = serve(Config { limits, ..quick() }).await;
    let mut peer = connect(&served).await;
    peer.write_all(b"\x0B").await.expect("write");
    let (mut reading, mut writing) = peer.split();
    let sending = async {
        let block = [b'A'; 64 * 1024];
        // Up to 64 MiB; ends when the listener has closed.
        for _ in 0..1_024 {
            if writing.write_all(&block).await.is_err() {
                break;
            }
        }
    };
    let mut reply = vec![0; framed(b"NAK oversized").len()];
    let (received, ()) = tokio::join!(reading.read_exact(&mut reply), sending);
    received.expect("the refusal arrives");
    assert_eq!(reply, framed(b"NAK oversized"));
    assert_eq!(served.recorder.refusals(), ["Oversized(over 100001 bytes)"]);
}

#[tokio::test]
async fn a_large_frame_in_small_writes_is_answered_fast() {
    let served = serve(quick()).await;
    let mut peer = connect(&served).await;
    let payload = vec![b'A'; 5 * 1024 * 1024];
    let begin = std::time::Instant::now();
    for chunk in framed(&payload).chunks(16 * 1024) {
        peer.write_all(chunk).await.expect("write");
    }
    let reply = replies(&mut peer, 1).await;
    assert_eq!(reply[0].len(), payload.len() + 4);
    assert!(begin.elapsed() < Duration::from_secs(4), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn a_half_closed_peer_still_gets_its_answers() {
    let served = serve(quick()).await;
    let mut peer = connect(&served).await;
    peer.write_all(b"\x0Bgate1\x1C\r\x0BA2").await.expect("write");
    peer.shutdown().await.expect("half-close");
    soon(|| served.recorder.frames().len() == 1).await;
    served.recorder.open_gate(1);
    assert_eq!(closed(&mut peer).await, [framed(b"ACK gate1"), framed(b"NAK truncated")].concat());
}

#[tokio::test]
async fn a_slow_frame_ends_at_its_deadline_and_others_do_not_notice() {
    let served = serve(Config { frame_timeout: Duration::from_millis(300), ..quick() }).await;
    let mut slow = connect(&served).await;
    slow.write_all(b"\x0BMSH").await.expect("write");
    let (mut reading, mut writing) = slow.split();
    let mut answer = Vec::new();
    let dripping = async {
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        loop {
            tick.tick().await;
            if writing.write_all(b"x").await.is_err() {
                break std::future::pending::<()>().await;
            }
        }
    };
    tokio::select! {
        () = dripping => {}
        result = reading.read_to_end(&mut answer) => { result.expect("closed in order"); }
    }
    assert_eq!(answer, framed(b"NAK slow"));
    assert!(served.recorder.refusals()[0].starts_with("FrameTimeout("));
    converse(&served, &[b"\x0BA1\x1C\r"], &["ACK A1"]).await;
}

#[tokio::test]
async fn a_peer_that_does_not_read_is_cut_and_nothing_piles_up() {
    let config = Config { write_timeout: Duration::from_millis(300), in_flight_max: 4, ..quick() };
    let served = serve(config).await;
    let mut peer = connect(&served).await;
    let sending = async {
        loop {
            // Each is answered with 256 KiB, which the peer never reads.
            if peer.write_all(&framed(b"large")).await.is_err() {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), sending).await.expect("cut");
    soon(|| served.recorder.deliveries().contains(&Delivery::Undelivered)).await;
    assert!(served.recorder.frames().len() < 200, "{}", served.recorder.frames().len());
    converse(&served, &[b"\x0BA1\x1C\r"], &["ACK A1"]).await;
}

#[tokio::test]
async fn too_many_connections_are_refused_with_an_event() {
    let served = serve(Config { connections_max: 2, ..quick() }).await;
    let mut first = Client::connect(ClientConfig::new(served.address())).await.expect("connect");
    let mut second = Client::connect(ClientConfig::new(served.address())).await.expect("connect");
    first.exchange(b"A").await.expect("served");
    second.exchange(b"B").await.expect("served");
    let mut third = connect(&served).await;
    assert!(closed(&mut third).await.is_empty());
    soon(|| served.recorder.refusals() == ["Connection(TooMany)"]).await;
    first.close().await.expect("closed");
    // The place is free again as soon as the listener has seen the close.
    for _ in 0..1_000 {
        let mut again = Client::connect(ClientConfig::new(served.address())).await.expect("connect");
        if again.exchange(b"C").await.is_ok() {
            return;
        }
    }
    panic!("the place never came free");
}

#[tokio::test]
async fn addresses_outside_the_allowed_blocks_are_refused() {
    let served = serve(Config { allow: vec!["192.0.2.0/24".parse().expect("block")], ..quick() }).await;
    let mut peer = connect(&served).await;
    assert!(closed(&mut peer).await.is_empty());
    soon(|| served.recorder.refusals() == ["Connection(NotAllowed)"]).await;
}

#[tokio::test]
async fn an_idle_connection_is_closed_only_when_asked_for() {
    let served = serve(Config { idle_timeout: Some(Duration::from_millis(150)), ..quick() }).await;
    let mut peer = connect(&served).await;
    peer.write_all(b"\x0BA1\x1C\r").await.expect("write");
    assert_eq!(closed(&mut peer).await, framed(b"ACK A1"));
    assert!(served.recorder.refusals().is_empty());
}

#[tokio::test]
async fn draining_finishes_what_was_received_and_accepts_no_more() {
    let served = serve(quick()).await;
    let mut peer = connect(&served).await;
    let mut idle = connect(&served).await;
    peer.write_all(b"\x0Bgate1\x1C\r\x0BA2").await.expect("write");
    soon(|| served.recorder.frames().len() == 1).await;
    let (address, recorder) = (served.address(), served.recorder.clone());
    let draining = served.stop();
    assert!(closed(&mut idle).await.is_empty());
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
    // The frame that had begun is read to its end.
    peer.write_all(b"\x1C\r").await.expect("write");
    recorder.open_gate(1);
    assert_eq!(closed(&mut peer).await, [framed(b"ACK gate1"), framed(b"ACK A2")].concat());
    assert_eq!(draining.await.expect("listener").cut, 0);
    assert_eq!(recorder.deliveries(), [Delivery::Sent; 2]);
}

#[tokio::test]
async fn a_connection_that_does_not_finish_is_cut_at_the_drain_deadline() {
    let served = serve(Config { drain_timeout: Duration::from_millis(100), ..quick() }).await;
    let mut peer = connect(&served).await;
    peer.write_all(b"\x0Bgate1\x1C\r").await.expect("write");
    soon(|| served.recorder.frames().len() == 1).await;
    assert_eq!(served.stop().await.expect("listener").cut, 1);
}

#[tokio::test]
async fn a_panic_ends_its_connection_and_later_frames_of_it_are_undelivered() {
    let served = serve(quick()).await;
    let mut peer = connect(&served).await;
    peer.write_all(b"\x0BA1\x1C\r\x0Bpanic\x1C\r\x0BA3\x1C\r").await.expect("write");
    assert_eq!(closed(&mut peer).await, framed(b"ACK A1"));
    soon(|| served.recorder.deliveries() == [Delivery::Sent, Delivery::Undelivered]).await;
    converse(&served, &[b"\x0BA4\x1C\r"], &["ACK A4"]).await;
}

#[tokio::test]
async fn a_handler_finishes_for_a_peer_that_left_and_learns_that() {
    let served = serve(quick()).await;
    let mut peer = connect(&served).await;
    peer.write_all(b"\x0Bgate1\x1C\r").await.expect("write");
    soon(|| served.recorder.frames().len() == 1).await;
    support::reset(peer);
    served.recorder.open_gate(1);
    soon(|| served.recorder.deliveries() == [Delivery::Undelivered]).await;
}

#[tokio::test]
async fn a_reply_may_be_absent_or_the_last() {
    let served = serve(quick()).await;
    let mut peer = connect(&served).await;
    peer.write_all(b"\x0Bnone\x1C\r\x0BA2\x1C\r\x0Bbye\x1C\r\x0BA4\x1C\r").await.expect("write");
    assert_eq!(acknowledged(&closed(&mut peer).await), ["ACK A2", "ACK bye"]);
}

#[tokio::test]
async fn a_bound_address_is_an_error_that_may_pass() {
    let served = serve(quick()).await;
    let address = served.address().parse().expect("address");
    let error = mllp::Listener::bind(Config { address, ..quick() }).await.expect_err("bound");
    assert!(matches!(error, Error::Bind(_)) && error.is_transient());
}
