//! What a large message costs from its first byte until it is durable and answered, measured on this process: a frame, the
//! journal, an answer, and nothing behind them.

use std::sync::Arc;

use mllp::{Config, Limits, Listener};
use sources::{BatchReply, Receiver, serve};
use store::Journal as _;
use store::sqlite::{Options, Role, Sqlite};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use uuid::Uuid;

const NOW_US: i64 = 1_767_323_045_000_000;
const LARGE_BYTES: usize = 50 << 20;
/// What is written at once.
const PIECE_BYTES: usize = 16 << 10;
/// How many times its size it may take at most.
const TIMES_MAX: usize = 2;

/// One line of this process's status, in bytes.
fn status_bytes(name: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("this process runs");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line of its memory");
    line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") * 1_024
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_message_costs_little_more_than_itself() {
    let folder = std::env::temp_dir().join(format!("tidegate-sources-memory-{}", std::process::id()));
    let options = Options { synchronous_full: false, read_connections: 1, now_us: || NOW_US };
    let store = Sqlite::open(&folder, Role::Clinical, options).await.expect("a store can be made");
    let receiver = Receiver {
        channel: "large".to_owned(),
        journal: store.clone(),
        batch_reply: BatchReply::Batch,
        rules: Arc::default(),
        later: None,
        now_us: || NOW_US,
        new_id: Uuid::now_v7,
        hl7_time: |_| "20260102030405+0000".to_owned(),
    };
    let limits = Limits { frame_bytes_max: 64 << 20, ..Limits::default() };
    let listener = Listener::bind(Config { limits, ..Config::default() }).await.expect("a free port");
    let address = listener.local_address().expect("it is bound");
    let serving = tokio::spawn(serve(listener, receiver, std::future::pending()));

    let mut stream = TcpStream::connect(address).await.expect("it listens");
    let before = status_bytes("VmRSS:");
    std::fs::write("/proc/self/clear_refs", "5").expect("the peak can be set back");
    let head = b"\x0bMSH|^~\\&|A|B|||2026||ORU^R01|LARGE|P|2.5.1\rOBX|1|ED|18842-5||^AP^PDF^Base64^";
    stream.write_all(head).await.expect("it reads");
    let piece = vec![b'Q'; PIECE_BYTES];
    for _ in 0..LARGE_BYTES / PIECE_BYTES {
        stream.write_all(&piece).await.expect("it reads");
    }
    stream.write_all(b"||||||F\r\x1c\r").await.expect("it reads");
    let mut answer = Vec::new();
    while !answer.ends_with(b"\x1c\r") {
        assert!(stream.read_buf(&mut answer).await.expect("it answers") > 0);
    }
    let cost = status_bytes("VmHWM:").saturating_sub(before);
    assert!(String::from_utf8_lossy(&answer).contains("MSA|AA|LARGE"));
    eprintln!("{LARGE_BYTES} bytes cost {cost} until answered");
    assert!(cost <= TIMES_MAX * LARGE_BYTES, "{cost} bytes for {LARGE_BYTES}");

    let entries = store.after(store::Seq(0), 1).await.expect("it reads");
    assert_eq!(entries.first().map(|entry| entry.bytes.len()), Some(head.len() - 1 + LARGE_BYTES + 8));
    serving.abort();
    store.close().await.expect("it closes");
    std::fs::remove_dir_all(&folder).expect("the folder can be removed");
}
