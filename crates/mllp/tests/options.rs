//! What a listener does otherwise when it is told to: frame bytes, commit blocks, bytes outside of frames, one
//! connection a peer.

mod support;

use bytes::BytesMut;
use mllp::{
    Client, ClientConfig, Config, Decoder, Delivery, Error, Event, Framing, Limits, Outside, SamePeer,
};
use support::{acknowledged, closed, connect, framed, replies, serve, soon};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

fn payloads(framing: Framing, stream: &[u8]) -> Vec<Vec<u8>> {
    let mut decoder = Decoder::framed(Limits::default(), framing);
    let mut found = Vec::new();
    for byte in stream {
        decoder.push(&[*byte]);
        found.extend(std::iter::from_fn(|| decoder.next_event()));
    }
    found.extend(decoder.finish());
    let payload = |event| match event {
        Event::Frame(frame) => frame.payload.to_vec(),
        other => panic!("{other:?}"),
    };
    found.into_iter().map(payload).collect()
}

#[test]
fn frame_bytes_are_those_that_the_site_names() {
    let own = Framing::new(0x02, 0x03, Some(b'\n')).expect("STX, ETX LF");
    assert_eq!(payloads(own, b"\x02A\x0b\x1c\r\x03B\x03\n\x02C\x03\n"), [&b"A\x0b\x1c\r\x03B"[..], b"C"]);
    let alone = Framing::new(0x0b, 0x1c, None).expect("VT, FS");
    assert_eq!(payloads(alone, b"\x0bA\x1c\x0bB\x1c\r\n\x0bC\x1c"), [b"A", b"B", b"C"]);
    let mut wire = BytesMut::new();
    own.encode(b"A\x0b\x1c", &mut wire).expect("neither is a frame byte here");
    assert_eq!(&wire[..], b"\x02A\x0b\x1c\x03\n");
    assert!(own.encode(b"A\x03", &mut wire).is_err());
    for (start, end, after) in [
        (b'A', 0x1c, Some(b'\r')),
        (0x0b, b'\r', None),
        (0x0b, 0x0b, Some(b'\r')),
        (0x0b, 0x1c, Some(0x0b)),
        (0x0b, 0x1c, Some(b'|')),
    ] {
        assert!(matches!(Framing::new(start, end, after), Err(Error::Framing)), "{start} {end} {after:?}");
    }
    assert!(alone.committed().is_err(), "a commit block needs its two end bytes");
    assert!(Framing::new(0x06, 0x1c, Some(b'\r')).expect("bytes").committed().is_err());
}

#[tokio::test]
async fn release_2_commits_each_frame_before_it_answers() {
    let framing = Framing::RELEASE_1.committed().expect("no byte stands twice");
    let served = serve(Config { framing, ..Config::default() }).await;
    let mut peer = connect(&served).await;
    peer.write_all(&[framed(b"one"), framed(b"none"), framed(b"\x06"), framed(b"two")].concat())
        .await
        .expect("written");
    assert_eq!(replies(&mut peer, 5).await, ["\u{6}", "ACK one", "\u{6}", "\u{6}", "ACK two"]);
    assert_eq!(served.recorder.frames(), ["one", "none", "two"], "a commit block is no message");
    // A frame that broke off is not committed, and what refuses it is no commit.
    peer.write_all(&[b"\x0bhalf".as_slice(), &framed(b"tree")].concat()).await.expect("written");
    assert_eq!(replies(&mut peer, 4).await, ["\u{15}", "NAK truncated", "\u{6}", "ACK tree"]);

    let mut client = Client::connect(ClientConfig { framing, ..ClientConfig::new(served.address()) }).await;
    let client = client.as_mut().expect("connects");
    assert_eq!(&client.exchange(b"four").await.expect("a reply")[..], b"ACK four");
    assert_eq!(&client.exchange(b"five").await.expect("a reply")[..], b"ACK five");
}

#[tokio::test]
async fn bytes_outside_of_frames_close_a_connection_or_do_not() {
    let quick = || Config { end_timeout: std::time::Duration::from_millis(50), ..Config::default() };
    let served = serve(Config { outside: Outside::Keep, ..quick() }).await;
    let mut peer = connect(&served).await;
    peer.write_all(b"hello").await.expect("written");
    assert_eq!(replies(&mut peer, 1).await, ["NAK junk"]);
    peer.write_all(&framed(b"one")).await.expect("written");
    assert_eq!(replies(&mut peer, 1).await, ["ACK one"]);
    assert_eq!(served.recorder.refusals(), ["Junk(5 bytes)"]);

    let served = serve(quick()).await;
    let mut peer = connect(&served).await;
    peer.write_all(b"hello").await.expect("written");
    assert_eq!(acknowledged(&closed(&mut peer).await), ["NAK junk"]);
}

#[tokio::test]
async fn a_peer_that_connects_again_ends_its_older_connection() {
    let config = Config { same_peer: SamePeer::Replace, connections_max: 1, ..Config::default() };
    let served = serve(config).await;
    let mut old = connect(&served).await;
    old.write_all(&[framed(b"one").as_slice(), b"\x0bhalf"].concat()).await.expect("written");
    assert_eq!(replies(&mut old, 1).await, ["ACK one"]);
    let mut new = connect(&served).await;
    new.write_all(&framed(b"two")).await.expect("written");
    assert_eq!(replies(&mut new, 1).await, ["ACK two"], "it has the place of the older one");
    let rest = acknowledged(&closed(&mut old).await);
    assert_eq!(rest, ["NAK truncated"]);
    assert_eq!(served.recorder.refusals(), ["Truncated(4 bytes)"], "what it had begun is reported");
    let mut buffer = [0; 1];
    let mut third = connect(&served).await;
    assert_eq!(new.read(&mut buffer).await.expect("closed in order"), 0);
    third.write_all(&framed(b"tree")).await.expect("written");
    assert_eq!(replies(&mut third, 1).await, ["ACK tree"]);
    soon(|| served.recorder.deliveries() == [Delivery::Sent; 3]).await;
}
