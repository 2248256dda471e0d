//! What connections and large messages cost in memory, measured on the process of a running node.

use std::process::Command;

use super::row::{Channel, Message};
use super::site::{Site, source};
use super::wire::Wire;

const CHANNELS: &[Channel] = &[
    Channel { name: "crowded", options: &["connections_max: 2000"] },
    Channel { name: "roomy", options: &["frame_bytes_max: 67108864"] },
];

/// Connections that say nothing, and what they may cost together, in KiB.
const IDLE: (usize, u64) = (1_000, 64 * 1024);
/// Open files of the node and of this process.
const FILES_MAX: &str = "--nofile=4096:";

/// Lets a process open as many files.
fn allow_files(pid: u32) {
    let raised = Command::new("prlimit").args(["--pid", &pid.to_string(), FILES_MAX]).status();
    assert!(raised.expect("prlimit can be started").success(), "the limit of open files can be raised");
}

/// Memory that a process has now, in KiB.
fn resident_kib(pid: u32) -> u64 {
    status_kib(pid, "VmRSS:")
}

/// One line of a process's status, in KiB.
fn status_kib(pid: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line of its memory");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// Leaves a figure in a file beside the matrix.
fn note(name: &str, words: &str) {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("conformance");
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    std::fs::write(folder.join(format!("memory-{name}.txt")), format!("{words}\n"))
        .expect("a file can be written");
}

async fn answered(wire: &mut Wire, control_id: &str) {
    wire.write(&Message::new(control_id).framed()).await.expect("the connection takes a message");
    wire.frame().await.expect("an answer").expect("the connection is open");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_connections_cost_little() {
    let mut site = Site::start("crowded", CHANNELS).await;
    let pid = site.pid();
    allow_files(pid);
    allow_files(std::process::id());
    let mut first = Wire::connect(source(0), site.listener("crowded")).await;
    answered(&mut first, "MEMORY-1").await;
    site.settle().await;
    let before = resident_kib(pid);
    let mut idle = Vec::new();
    for _ in 0..IDLE.0 {
        idle.push(Wire::connect(source(0), site.listener("crowded")).await);
    }
    // Connections are taken in order: when the last is served, all are there.
    let mut last = Wire::connect(source(0), site.listener("crowded")).await;
    answered(&mut last, "MEMORY-2").await;
    let cost = resident_kib(pid).saturating_sub(before);
    note("idle", &format!("{} idle connections cost {cost} KiB", IDLE.0));
    assert!(cost <= IDLE.1, "{cost} KiB");
    drop(idle);
    site.stop();
}

/// How many times its size a message may take from its first byte until it is applied: the frame, what is made of it, its
/// stored form, and what the allocator keeps of buffers that are let go.
const TIMES: u64 = 3;
const LARGE_BYTES: usize = 50 << 20;

/// A document in base64 that hardly gets smaller when it is packed, as a PDF does not.
fn document() -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut last = 1_u64;
    let mut next = || {
        last ^= last << 13;
        last ^= last >> 7;
        last ^= last << 17;
        char::from(ALPHABET[(last >> 58) as usize])
    };
    (0..LARGE_BYTES).map(|_| next()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_message_costs_few_times_its_size() {
    let mut site = Site::start("roomy", CHANNELS).await;
    let pid = site.pid();
    site.settle().await;
    let before = resident_kib(pid);
    std::fs::write(format!("/proc/{pid}/clear_refs"), "5").expect("the peak can be set back");
    let document = document();
    let large = Message::new("LARGE")
        .then(format!("OBX|1|ED|18842-5^Summary^LN||^AP^PDF^Base64^{document}||||||F\r"));
    let mut wire = Wire::connect(source(0), site.listener("roomy")).await;
    for piece in large.framed().chunks(16 << 10) {
        wire.write(piece).await.expect("the connection takes it");
    }
    let answer = wire.frame().await.expect("an answer").expect("the connection is open");
    assert!(String::from_utf8_lossy(&answer).contains("MSA|AA|LARGE"));
    let answered = status_kib(pid, "VmHWM:").saturating_sub(before);
    site.settle().await;
    let processed = status_kib(pid, "VmHWM:").saturating_sub(before);
    let size = u64::try_from(large.er7.len() / 1024).expect("a size");
    let words = format!("{size} KiB cost {answered} KiB until answered, {processed} KiB until processed");
    note("large", &words);
    assert!(answered <= TIMES * size && processed <= TIMES * size, "{words}");
    site.stop();
}
