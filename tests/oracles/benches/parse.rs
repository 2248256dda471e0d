//! Reading speed beside the two other parsers of the field, in one run: the same message of 2 kB, then one leaf of it.
#![allow(clippy::print_stdout, reason = "a benchmark reports on stdout")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use hl7v2::Message;

const HEAD: &str = "MSH|^~\\&|EMR|WARD|RIS|LAB|20260102030405-0500||ADT^A01^ADT_A01|900001|P|2.5.1\r\
EVN|A01|20260102030405\r\
PID|1||900001^^^HOSP&1.2.3.4&ISO^MR||Testperson^Vera^Q^^^^L||19700101|F\r";
const BYTES: usize = 2_000;
const ROUNDS: u32 = 200;
const WINDOWS: u32 = 300;

/// Shortest mean over many windows: the figure least disturbed by other work on the machine.
fn best(work: impl Fn()) -> Duration {
    let window = || {
        let start = Instant::now();
        (0..ROUNDS).for_each(|_| work());
        start.elapsed() / ROUNDS
    };
    (0..WINDOWS).map(|_| window()).min().unwrap_or_default()
}

fn main() {
    let mut text = HEAD.to_owned();
    while text.len() < BYTES {
        text.push_str("DG1|1||J18.9^Pneumonia^I10|Pneumonia, unspecified organism|20260102|A|||||||||1|1001^Doctor^Alma\r");
    }
    let text = text.as_str();
    let ours = best(|| {
        let read = Message::read(black_box(text.as_bytes()));
        let family =
            read.as_ref().map(|message| message.segment(2).map(|pid| pid.field(5).component(1).text().len()));
        let _ = black_box(family.ok());
    });
    let er7 = best(|| drop(black_box(er7::parse(black_box(text)))));
    let hl7_parser = best(|| {
        let _ = black_box(hl7_parser::Message::parse_with_lenient_newlines(black_box(text), true).is_ok());
    });
    for (name, time) in [("tidegate, and PID-5.1", ours), ("er7", er7), ("hl7-parser", hl7_parser)] {
        let (micros, times) = (time.as_secs_f64() * 1e6, time.as_secs_f64() / ours.as_secs_f64());
        println!("{name:<24} {:>6} bytes {micros:>9.2} µs {times:>7.1} x", text.len());
    }
}
