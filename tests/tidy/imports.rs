//! What only some crates may touch: clock, environment, files, sockets, processes, randomness.

use crate::allowed;
use crate::scan::production;

/// A power: how it looks in code, and which files (by the start of their path) may have it.
struct Power {
    name: &'static str,
    signs: &'static [&'static str],
    homes: &'static [&'static str],
}

const POWERS: [Power; 7] = [
    Power {
        name: "clock",
        signs: &["SystemTime::now", "Timestamp::now", "Zoned::now", "UtcDateTime::now", "now_v7()"],
        homes: &["crates/tidegate/src/clock.rs"],
    },
    Power {
        name: "stopwatch",
        signs: &["Instant::now"],
        // Of delivery only the partners: how long an answer may take, and the gap between two messages.
        homes: &[
            "crates/tidegate/",
            "crates/mllp/",
            "crates/rest/",
            "crates/store/",
            "crates/delivery/src/mllp/",
        ],
    },
    Power {
        name: "environment",
        signs: &["std::env", "env::var", "env::args"],
        homes: &["crates/tidegate/"],
    },
    Power {
        name: "files",
        signs: &[
            "std::fs",
            "tokio::fs",
            "fs::read",
            "fs::write",
            "File::open",
            "File::create",
            "OpenOptions",
        ],
        homes: &["crates/tidegate/", "crates/store/src/sqlite/"],
    },
    Power {
        name: "sockets",
        signs: &[
            "TcpListener",
            "TcpStream",
            "TcpSocket",
            "UdpSocket",
            "UnixStream",
            "lookup_host",
            "ToSocketAddrs",
        ],
        homes: &[
            "crates/mllp/",
            "crates/delivery/src/link.rs",
            "crates/rest/src/serve.rs",
            "crates/tidegate/",
        ],
    },
    Power {
        name: "processes",
        signs: &["Command::new", "process::exit", "process::abort"],
        homes: &["crates/tidegate/src/demo/"],
    },
    Power {
        name: "randomness",
        signs: &["SystemRandom", "rand::fill", "getrandom", "thread_rng", "new_v4"],
        homes: &[
            "crates/tidegate/",
            // Keys that this crate itself makes.
            "crates/audit/src/",
            // Ids of requests and of records about them, which no replay repeats.
            "crates/rest/src/edge.rs",
            "crates/rest/src/intake/accept.rs",
            // Ids of what clients create; what is stored keeps its own.
            "crates/rest/src/interaction/write/new_id.rs",
            // The salt of the digests by which a repeated message is known.
            "crates/store/src/sqlite/journal/marks.rs",
        ],
    },
];

#[test]
fn each_power_stays_in_its_home() {
    let sources = production();
    for power in POWERS {
        let mut violations = Vec::new();
        let mut used = vec![false; power.homes.len()];
        for source in &sources {
            let home = power.homes.iter().position(|home| source.path.starts_with(home));
            for (number, line) in source.code() {
                let Some(sign) = power.signs.iter().find(|sign| line.contains(**sign)) else { continue };
                match home {
                    Some(home) => used[home] = true,
                    None => violations.push((source.path.clone(), format!("{number}: `{sign}`"))),
                }
            }
        }
        allowed::check(power.name, violations);
        for (home, used) in power.homes.iter().zip(used) {
            assert!(used, "{}: {home} does not use it any more; take it out of the table", power.name);
        }
    }
}

/// Standard output belongs to the commands, standard error to the commands and the log.
#[test]
fn only_commands_print() {
    let signs = ["println!(", "eprintln!(", "print!(", "eprint!(", "io::stdout", "io::stderr"];
    let mut violations = Vec::new();
    for source in production().iter().filter(|source| source.owner() != "tidegate") {
        for (number, line) in source.code().filter(|(_, line)| signs.iter().any(|sign| line.contains(sign))) {
            violations.push((source.path.clone(), format!("{number}: {}", line.trim())));
        }
    }
    allowed::check("printing", violations);
}

/// What a log line or span may carry: codes, counts, ids of rows, addresses and errors of ours, never content.
const LOG_FIELDS: &[&str] = &[
    "alert",
    "applied_through",
    "cause",
    "channel",
    "code",
    "connection",
    "count",
    "cut",
    "file",
    "month",
    "deliveries",
    "delivery",
    "destination",
    "dropped",
    "entry",
    "error",
    "findings",
    "fix",
    "frames",
    "id",
    "is_last",
    "item",
    "kind",
    "message",
    "method",
    "node",
    "open",
    "outcome",
    // Of HL7 v2 (`PID-5`), numbers alone.
    "path",
    "peer",
    "place",
    "reason",
    "requested",
    "role",
    "route",
    "size",
    "status",
    "tls",
    "undelivered",
    "was_open",
];

/// A leak review of the log reads the list above.
#[test]
fn logs_carry_known_fields_and_constant_words() {
    let macros = ["info!(", "warn!(", "error!(", "debug!(", "trace!(", "info_span!(", "debug_span!("];
    let mut violations = Vec::new();
    let mut used = std::collections::BTreeSet::new();
    for source in production() {
        let text: String = source.code().map(|(_, line)| format!("{line}\n")).collect();
        for at in macros.iter().flat_map(|mark| {
            text.match_indices(&format!("tracing::{mark}")).map(|(at, _)| at).collect::<Vec<_>>()
        }) {
            for argument in arguments(&text[at..]) {
                match field(&argument) {
                    Some(field) if LOG_FIELDS.contains(&field.as_str()) => drop(used.insert(field)),
                    Some(field) => {
                        violations.push((source.path.clone(), format!("logs the field `{field}`")))
                    }
                    None if argument.contains('{') => {
                        violations.push((source.path.clone(), format!("interpolates: {argument}")))
                    }
                    None => {}
                }
            }
        }
    }
    allowed::check("log", violations);
    let unused: Vec<_> = LOG_FIELDS.iter().filter(|field| !used.contains(**field)).collect();
    assert!(unused.is_empty(), "nobody logs {unused:?} any more");
}

/// Arguments of the macro call that `text` begins with, split at its own commas.
fn arguments(text: &str) -> Vec<String> {
    let mut arguments = vec![String::new()];
    let (mut depth, mut is_quoted, mut before) = (0, false, ' ');
    for c in text.chars() {
        match c {
            '"' if before != '\\' => is_quoted = !is_quoted,
            '(' | '[' | '{' if !is_quoted => depth += 1,
            ')' | ']' | '}' if !is_quoted => depth -= 1,
            _ => {}
        }
        let is_opening = depth == 1 && c == '(' && arguments.len() == 1 && arguments[0].ends_with('!');
        if is_opening {
            arguments[0].clear();
        } else if depth == 0 && c == ')' {
            break;
        } else if depth == 1 && c == ',' && !is_quoted {
            arguments.push(String::new());
        } else if let Some(last) = arguments.last_mut() {
            last.push(c);
        }
        before = c;
    }
    arguments
        .iter()
        .map(|argument| argument.trim().to_owned())
        .filter(|argument| !argument.is_empty())
        .collect()
}

/// Name of a field; `None` for the words of an event and the name of a span.
fn field(argument: &str) -> Option<String> {
    if argument.starts_with('"') {
        return None;
    }
    let name = argument.split(" = ").next().unwrap_or_default().trim_start_matches(['%', '?', '&']);
    Some(
        name.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '.')
            .next()
            .unwrap_or_default()
            .to_owned(),
    )
}

#[test]
fn arguments_of_a_log_line_are_told_apart() {
    let text = "tracing::warn!(error = &error as &dyn std::error::Error, %peer, n = f(a, b), \"it is {x}, so\");\nnext(1)";
    let found: Vec<_> = arguments(text).iter().map(|argument| field(argument)).collect();
    let expected = [Some("error".to_owned()), Some("peer".to_owned()), Some("n".to_owned()), None];
    assert_eq!(found, expected);
}
