//! `cargo gate [--corpora DIR] [--full]`: format, lints, the cloud build, and every test.
//!
//! It installs nothing. A test that needs a tool which is not there is left out and named at the end; where `CI=true`
//! that is a failure, so that a hole cannot hide behind a green run.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// A tool that some tests need, and what is not shown without it.
struct Tool {
    name: &'static str,
    /// Program and arguments that end well where the tool is there; `BUILD` stands for the build folder.
    probe: &'static [&'static str],
    shows: &'static str,
    /// Whether only `--full` runs what needs it.
    full: bool,
}

/// The console in a browser needs all three of its tools.
const BROWSER: &str = "the console in a browser: keyboard, themes, accessibility, no script";

const TOOLS: [Tool; 8] = [
    Tool {
        name: "cc",
        probe: &["cc", "--version"],
        shows: "that an acknowledged message survives a loss of power, a kill at any call and a failing disk",
        full: false,
    },
    Tool {
        name: "python3",
        probe: &["python3", "--version"],
        shows: "the leak scan and the second ledger verifier",
        full: false,
    },
    Tool {
        name: "systemd-analyze",
        probe: &["systemd-analyze", "--version"],
        shows: "that the service units expose little",
        full: false,
    },
    Tool {
        name: "postgres",
        // Debian keeps the programs of a server out of the path.
        probe: &[
            "sh",
            "-c",
            "for folder in /usr/lib/postgresql/*/bin; do PATH=$PATH:$folder; done; initdb --version && postgres --version && psql --version",
        ],
        shows: "that PostgreSQL keeps what the ports of storage promise",
        full: false,
    },
    Tool { name: "node", probe: &["node", "--version"], shows: BROWSER, full: false },
    Tool { name: "chromium", probe: &["chromium", "--version"], shows: BROWSER, full: false },
    // tests/browser/README.md says how they are installed.
    Tool {
        name: "browser-packages",
        probe: &["node", "tests/browser/packages.mjs", "BUILD/browser"],
        shows: BROWSER,
        full: false,
    },
    // tests/clients/README.md says how they are installed.
    Tool {
        name: "client-packages",
        probe: &["sh", "tests/clients/packages", "BUILD/clients"],
        shows: "that clients of others go through a portal's story, and schemathesis through every address",
        full: true,
    },
];

struct Options {
    corpora: Option<PathBuf>,
    full: bool,
}

fn main() -> ExitCode {
    let options = match parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(words) => {
            say(&format!("gate: {words}\nusage: cargo gate [--corpora DIR] [--full]"));
            return ExitCode::from(2);
        }
    };
    let needed = TOOLS.iter().filter(|tool| options.full || !tool.full);
    let absent: Vec<&Tool> = needed.filter(|tool| !is_there(tool)).collect();
    for (name, arguments) in steps(&options) {
        say(&format!("gate: {name}"));
        if !cargo(&arguments, &options, &absent) {
            say(&format!("gate: {name} failed (cargo {})", arguments.join(" ")));
            return ExitCode::FAILURE;
        }
    }
    report(&options, &absent)
}

fn parse(arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options { corpora: None, full: false };
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--full" => options.full = true,
            "--corpora" => {
                let folder = arguments.next().ok_or("--corpora needs a folder")?;
                let folder = std::fs::canonicalize(&folder).map_err(|error| format!("{folder}: {error}"))?;
                options.corpora = Some(folder);
            }
            other => return Err(format!("unknown argument {other}")),
        }
    }
    Ok(options)
}

fn steps(options: &Options) -> Vec<(&'static str, Vec<&'static str>)> {
    let mut portal =
        vec!["clippy", "--quiet", "-p", "tidegate", "--no-default-features", "--features", "portal"];
    portal.extend(["--", "-D", "warnings"]);
    let mut portal_tests = vec!["clippy", "--quiet", "-p", "rest", "--no-default-features", "--all-targets"];
    portal_tests.extend(["--", "-D", "warnings"]);
    let mut steps = vec![
        ("format", vec!["fmt", "--all", "--check"]),
        ("lints", vec!["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"]),
        ("cloud build", portal),
        ("tests of the cloud build", portal_tests),
        ("binary", vec!["build", "--quiet", "-p", "tidegate"]),
    ];
    if options.full {
        // The clients of others send hundreds of thousands of requests to it.
        steps.push(("binary as shipped", vec!["build", "--quiet", "--release", "-p", "tidegate"]));
    }
    steps.push(("tests", vec!["test", "--workspace", "--no-fail-fast"]));
    steps
}

/// Tests read what they may use from the environment: the corpora, the size of the run, and tools that are absent.
fn cargo(arguments: &[&str], options: &Options, absent: &[&Tool]) -> bool {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root());
    if let Some(corpora) = &options.corpora {
        command.env("TIDEGATE_CORPORA", corpora);
    }
    if options.full {
        command.env("TIDEGATE_FULL", "1");
    }
    let names: Vec<&str> = absent.iter().map(|tool| tool.name).collect();
    command.env("TIDEGATE_ABSENT_TOOLS", names.join(","));
    match command.status() {
        Ok(status) => status.success(),
        Err(error) => {
            say(&format!("gate: cargo cannot be started: {error}"));
            false
        }
    }
}

fn report(options: &Options, absent: &[&Tool]) -> ExitCode {
    if options.corpora.is_none() {
        say("gate: not measured against corpora (give --corpora DIR)");
    }
    for tool in absent {
        say(&format!("gate: {} is not installed, so this run does not show {}", tool.name, tool.shows));
    }
    let is_ci = std::env::var_os("CI").is_some_and(|value| value == "true");
    if is_ci && !absent.is_empty() {
        say("gate: CI=true accepts no hole");
        return ExitCode::FAILURE;
    }
    say("gate: passed");
    ExitCode::SUCCESS
}

fn is_there(tool: &Tool) -> bool {
    let Some((program, arguments)) = tool.probe.split_first() else { return false };
    let build = build_folder().display().to_string();
    let arguments = arguments.iter().map(|argument| argument.replace("BUILD", &build));
    let ran = Command::new(program).args(arguments).current_dir(root()).output();
    ran.is_ok_and(|output| output.status.success())
}

/// Where cargo put this program's profile folder.
fn build_folder() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    program.ancestors().nth(2).map_or_else(|| root().join("target"), Path::to_owned)
}

/// The workspace: two folders up from this package.
fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).unwrap_or(package).to_owned()
}

fn say(words: &str) {
    // Nothing sensible is left to do when stderr is gone.
    drop(writeln!(std::io::stderr(), "{words}"));
}
