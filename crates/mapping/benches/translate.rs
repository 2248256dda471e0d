//! The package as shipped over messages of four kinds: translation, translation with its trace, the trace put into words,
//! and validation, each beside one serde_json parse of the bundle that is made (goals: at most 5, 15, none and 5 times; a
//! translation with its trace at most 3 times one without), and against the number of OBX. `cargo bench -p mapping -- ORU` takes the messages whose name begins so.
#![allow(missing_docs, clippy::print_stdout, reason = "a benchmark prints")]

#[path = "../tests/support/shipped.rs"]
mod shipped;

use mapping::{Context, Package};
use std::hint::black_box;
use std::time::{Duration, Instant};
use uuid::Uuid;

const WINDOWS: usize = 40;
/// A window is at least this long.
const WINDOW: Duration = Duration::from_millis(3);

fn main() {
    let start = Instant::now();
    let package = shipped::package();
    println!("compile {:?}", start.elapsed());
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    let mut all = vec![
        ("ADT_A01".to_owned(), shipped::fixture("ADT_A01/admit-inpatient.hl7")),
        ("RDE_O11".to_owned(), shipped::fixture("RDE_O11/new-prescription.hl7")),
        ("DFT_P03".to_owned(), shipped::fixture("DFT_P03/charges-and-credit.hl7")),
    ];
    all.extend([10, 100, 200].map(|results| (format!("ORU_R01 with {results} OBX"), panel(results))));
    all.retain(|(name, _)| name.starts_with(&wanted));
    println!(
        "{:22} {:>8} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10}",
        "", "bytes", "parse", "translate", "trace", "in words", "validate", "read"
    );
    all.iter().for_each(|(name, bytes)| measure(&package, name, bytes));
}

fn measure(package: &Package, name: &str, bytes: &[u8]) {
    let message = hl7v2::Message::read(bytes).expect("has a header");
    let context = |trace| Context { namespace: Uuid::from_u128(7), site: None, trace };
    let made = package.translate(&message, &context(false)).expect("translates");
    let json = serde_json::to_vec(&made.bundle()).expect("is JSON");
    let resources: Vec<_> = made.made().map(|set| &set.resource).collect();
    let parse = best(|| drop(black_box(serde_json::from_slice::<serde_json::Value>(&json))));
    let translate = best(|| drop(black_box(package.translate(&message, &context(false)))));
    let traced = best(|| drop(black_box(package.translate(&message, &context(true)))));
    let trace = package.translate(&message, &context(true)).expect("translates").trace.unwrap_or_default();
    let words = best(|| {
        trace.steps().for_each(|step| drop(black_box(step)));
        trace.misses().for_each(|miss| drop(black_box(miss)));
    });
    let validate = best(|| drop(black_box(package.validate(None, resources.iter().copied()))));
    let read = best(|| drop(black_box(hl7v2::Message::read(bytes))));
    println!(
        "{name:22} {:8} {parse:>10.1?} {translate:>10.1?} {traced:>10.1?} {words:>10.1?} {validate:>10.1?} {read:>10.1?}",
        json.len()
    );
    let times = |one: Duration| one.as_secs_f64() / parse.as_secs_f64();
    println!(
        "{:22} {:>8} {:>10} {:>9.2}x {:>9.2}x {:>9.2}x {:>9.2}x {:>9.2}x   trace on/off {:.2}",
        "",
        "",
        "",
        times(translate),
        times(traced),
        times(words),
        times(validate),
        times(read),
        traced.as_secs_f64() / translate.as_secs_f64()
    );
}

/// One order with as many results, of the form of `fixtures/ORU_R01/numeric-panel.hl7`.
fn panel(results: usize) -> Vec<u8> {
    let text = String::from_utf8(shipped::fixture("ORU_R01/numeric-panel.hl7")).expect("is UTF-8");
    let head = text.split('\r').take_while(|line| !line.starts_with("OBX"));
    let mut lines: Vec<String> = head.map(str::to_owned).collect();
    for n in 1..=results {
        lines.push(format!("OBX|{n}|NM|2951-{n}^Sodium [Moles/volume] in Serum or Plasma^LN||138.{n}|mmol/L^^UCUM|136-145|N|||F|||20190312084000-0500||4502^Hale^Bruno"));
        if n % 5 == 0 {
            lines.push("NTE|1|L|Slight hemolysis noted.".to_owned());
        }
    }
    lines.join("\r").into_bytes()
}

/// The best of many windows, for one run.
fn best(mut run: impl FnMut()) -> Duration {
    let mut window = |runs: u32| {
        let start = Instant::now();
        (0..runs).for_each(|_| run());
        start.elapsed()
    };
    let once = window(1).max(Duration::from_nanos(1));
    let runs = u32::try_from(WINDOW.as_nanos() / once.as_nanos()).unwrap_or(1).max(1);
    (0..WINDOWS).map(|_| window(runs) / runs).min().unwrap_or_default()
}
