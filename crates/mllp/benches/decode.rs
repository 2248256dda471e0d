//! Framing speed: small frames in large reads, and one large frame in small reads, whose cost must stay linear.

use std::time::Instant;

use bytes::BytesMut;
use mllp::{Decoder, Event, Limits, encode};

const CHUNK: usize = 16 * 1024;
const ROUNDS: u32 = 20;

fn main() {
    let small = stream(&[b'A'; 877], 10_000);
    report("877 B frames, 16 KiB reads", &small, CHUNK);
    for megabytes in [1, 5, 10] {
        let large = stream(&vec![b'A'; megabytes * 1024 * 1024], 1);
        report(&format!("{megabytes} MiB frame, 16 KiB reads"), &large, CHUNK);
        report(&format!("{megabytes} MiB frame, 1460 B reads"), &large, 1_460);
    }
}

fn stream(payload: &[u8], count: usize) -> BytesMut {
    let mut wire = BytesMut::new();
    for _ in 0..count {
        encode(payload, &mut wire).expect("no frame byte");
    }
    wire
}

fn report(name: &str, wire: &[u8], chunk: usize) {
    let begin = Instant::now();
    let mut frames = 0;
    for _ in 0..ROUNDS {
        let mut decoder = Decoder::new(Limits::default());
        for bytes in wire.chunks(chunk) {
            decoder.push(bytes);
            while let Some(event) = decoder.next_event() {
                frames += usize::from(matches!(event, Event::Frame(_)));
            }
        }
    }
    let seconds = begin.elapsed().as_secs_f64();
    let megabytes = f64::from(u32::try_from(wire.len()).expect("small")) * f64::from(ROUNDS) / 1e6;
    eprintln!("{name:32} {:8.0} MB/s, {frames} frames", megabytes / seconds);
}
