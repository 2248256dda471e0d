//! `cargo run -p fuzz -- TARGET|all [--seconds N] [--seed N] [--input FILE]`: one target, or each in turn, for a time.
//!
//! What breaks is written to `target/fuzz/TARGET.bin`, cut down to its least form, and `--input` gives it to the target again.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use fuzz::{Plan, Report, TARGETS, Target, run};

const USAGE: &str = "usage: cargo run -p fuzz -- TARGET|all [--seconds N] [--seed N] [--input FILE]";

struct Options {
    targets: Vec<&'static Target>,
    seconds: u64,
    seed: u64,
    input: Option<PathBuf>,
}

fn main() -> ExitCode {
    let options = match parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(words) => {
            let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
            say(&format!("fuzz: {words}\n{USAGE}\ntargets: {}", names.join(" ")));
            return ExitCode::from(2);
        }
    };
    if let Some(path) = &options.input {
        return again(&options, path);
    }
    // A panic is told once, with its input, not for each input on the way to the least one.
    std::panic::set_hook(Box::new(|_| {}));
    let time = Some(Duration::from_secs(options.seconds));
    let mut all_hold = true;
    for target in &options.targets {
        let report = run(target, Plan { inputs: u64::MAX, time, seed: options.seed });
        all_hold &= told(target, &report);
    }
    if all_hold { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn parse(arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options { targets: Vec::new(), seconds: 60, seed: 1, input: None };
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        let number = |text: String| text.parse().map_err(|_| format!("{text} is no number"));
        match argument.as_str() {
            "--seconds" => options.seconds = number(value()?)?,
            "--seed" => options.seed = number(value()?)?,
            "--input" => options.input = Some(PathBuf::from(value()?)),
            "all" => options.targets.extend(TARGETS),
            name => {
                let target = TARGETS.iter().find(|target| target.name == name);
                options.targets.push(target.ok_or_else(|| format!("no target is called {name}"))?);
            }
        }
    }
    if options.targets.is_empty() { Err("no target is named".to_owned()) } else { Ok(options) }
}

/// One input again, panics and all.
fn again(options: &Options, path: &std::path::Path) -> ExitCode {
    let input = match std::fs::read(path) {
        Ok(input) => input,
        Err(error) => {
            say(&format!("fuzz: {}: {error}", path.display()));
            return ExitCode::from(2);
        }
    };
    for target in &options.targets {
        if let Err(words) = (target.prepare)()(&input) {
            say(&format!("{}: {words}", target.name));
            return ExitCode::FAILURE;
        }
    }
    say("nothing breaks");
    ExitCode::SUCCESS
}

fn told(target: &Target, report: &Report) -> bool {
    let (inputs, bytes) = (report.inputs, report.bytes);
    let Some(failure) = &report.failure else {
        say(&format!("{}: {inputs} inputs, {bytes} bytes, all hold", target.name));
        return true;
    };
    let folder = fuzz_folder();
    let path = folder.join(format!("{}.bin", target.name));
    let written = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&path, &failure.input));
    let place = written.map_or_else(|error| format!("not written: {error}"), |()| path.display().to_string());
    say(&format!("{}: broken after {inputs} inputs: {}\n  input: {place}", target.name, failure.words));
    false
}

/// Beside the build: the folder of this program's profile lies in it.
fn fuzz_folder() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    program.ancestors().nth(2).unwrap_or(std::path::Path::new("target")).join("fuzz")
}

fn say(words: &str) {
    // Nothing sensible is left to do when stderr is gone.
    drop(writeln!(std::io::stderr(), "{words}"));
}
