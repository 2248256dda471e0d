//! Translation against one serde_json parse of the bundle it makes (goal: at most 5 times), and against the number of OBX.
#![allow(missing_docs, clippy::print_stdout, reason = "a benchmark prints")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};
use support::{HEADER, context, package, read};

const ROUNDS: usize = 60;

fn best(mut run: impl FnMut()) -> Duration {
    let timed = |run: &mut dyn FnMut()| {
        let start = Instant::now();
        run();
        start.elapsed()
    };
    (0..ROUNDS).map(|_| timed(&mut run)).min().unwrap_or_default()
}

fn oru(results: usize) -> Vec<u8> {
    let mut text =
        format!("{}PID|1||42^^^H^MR||Doe^Jo||1970|F\rOBR|1||F1|A\r", HEADER.replace("ADT^A01", "ORU^R01"));
    for n in 1..=results {
        text.push_str(&format!(
            "OBX|{n}|NM|G{n}^Glucose^LN||81.{n}|mg/dL^^UCUM|70-99|N|||F|||20240102030405\rNTE|1||checked\r"
        ));
    }
    text.into_bytes()
}

fn main() {
    let start = Instant::now();
    let package = package();
    println!("compile {:?}", start.elapsed());
    for results in [10, 100, 1000] {
        let bytes = oru(results);
        let message = read(&bytes);
        let made = package.translate(&message, &context()).expect("translates");
        let json = serde_json::to_vec(&made.bundle()).expect("is JSON");
        let parse = best(|| drop(serde_json::from_slice::<serde_json::Value>(&json)));
        let translate = best(|| drop(package.translate(&message, &context())));
        let per_result = translate.as_nanos() / u128::try_from(results).unwrap_or(1);
        println!(
            "{results} OBX: translate {translate:?} ({per_result} ns each), parse of {} bytes {parse:?}, ratio {:.2}",
            json.len(),
            translate.as_secs_f64() / parse.as_secs_f64()
        );
    }
}
