//! The 64 mistakes of naive servers, by number: one row a case, with what shows that this server does not make it, or why it
//! is not of this server. Rows of requests run on every database; rows of tests are in the modules that they name.

mod rows;
mod search;
mod world;

use serde_json::Value;

use crate::answer::Answer;
use crate::desk::{Writing, writing};

/// What shows a case.
pub enum Shown {
    /// Requests over the resources of [`world::WORLD`], in turn.
    Steps(&'static [Step]),
    /// Tests of this crate.
    Tests(&'static [fn()]),
    /// A suite elsewhere in the workspace, and what it shows.
    Elsewhere(&'static str),
    /// Not of this server, and why.
    Not(&'static str),
}

/// Number, what it is about, what shows it. A case in two parts has two rows.
pub type Row = (u32, &'static str, Shown);

/// A request and its answer.
pub struct Step {
    pub method: &'static str,
    /// Below `/fhir/`; what an address cannot hold is escaped when it is sent.
    pub path: &'static str,
    pub headers: &'static [(&'static str, &'static str)],
    pub body: &'static str,
    pub status: u16,
    pub holds: &'static [Holds],
}

/// What holds of an answer.
#[derive(Debug)]
pub enum Holds {
    /// Ids of the matches, in any order.
    Found(&'static [&'static str]),
    /// Ids of the matches, in this order.
    Order(&'static [&'static str]),
    /// Ids of what comes along, in any order.
    Along(&'static [&'static str]),
    /// The text of the value at a JSON pointer.
    At(&'static str, &'static str),
    Absent(&'static str),
    Says(&'static str),
    SaysNot(&'static str),
    Header(&'static str, &'static str),
    Empty,
}

/// A search that finds these.
pub const fn finds(path: &'static str, ids: &'static [Holds]) -> Step {
    Step { method: "GET", path, headers: &[], body: "", status: 200, holds: ids }
}

/// A request that is refused.
pub const fn refused(path: &'static str, status: u16, holds: &'static [Holds]) -> Step {
    Step { method: "GET", path, headers: &[], body: "", status, holds }
}

/// An address with what it cannot hold as it is.
fn escaped(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/?&=%+-._~:,$!*'();@".contains(&byte);
    let each = path.bytes();
    each.map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn ids(answer: &Answer, mode: &str) -> Vec<String> {
    let bundle = answer.json();
    let entries = bundle["entry"].as_array().into_iter().flatten();
    let of_mode = entries.filter(|entry| entry["search"]["mode"] == mode);
    of_mode.filter_map(|entry| entry["resource"]["id"].as_str().map(str::to_owned)).collect()
}

fn sorted(ids: &[&str]) -> Vec<String> {
    let mut all: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
    all.sort();
    all
}

fn check(answer: &Answer, holds: &Holds, told: &str) {
    let told = format!("{told} {holds:?}: {}", answer.body);
    let in_order = |mode: &str| {
        let mut all = ids(answer, mode);
        all.sort();
        all
    };
    match holds {
        Holds::Found(expected) => assert_eq!(in_order("match"), sorted(expected), "{told}"),
        Holds::Order(expected) => assert_eq!(ids(answer, "match"), *expected, "{told}"),
        Holds::Along(expected) => assert_eq!(in_order("include"), sorted(expected), "{told}"),
        Holds::At(pointer, expected) => {
            let json = answer.json();
            let value = json.pointer(pointer).unwrap_or_else(|| panic!("{told}"));
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            assert_eq!(text, *expected, "{told}");
        }
        Holds::Absent(pointer) => assert_eq!(answer.json().pointer(pointer), None::<&Value>, "{told}"),
        Holds::Says(text) => assert!(answer.body.contains(text), "{told}"),
        Holds::SaysNot(text) => assert!(!answer.body.contains(text), "{told}"),
        Holds::Header(name, text) => {
            assert!(answer.header(name).contains(text), "{told} {}", answer.header(name))
        }
        Holds::Empty => assert_eq!(answer.body, "", "{told}"),
    }
}

async fn run(node: &Writing) {
    for (path, body) in world::WORLD {
        let answer = node.ask("PUT", &format!("/fhir/{path}"), &[], body).await;
        assert_eq!(answer.status, 201, "{path}: {}", answer.body);
    }
    for (number, what, shown) in rows::all() {
        let Shown::Steps(steps) = shown else { continue };
        for step in *steps {
            let path = escaped(&format!("/fhir/{}", step.path));
            let answer = node.ask(step.method, &path, step.headers, step.body).await;
            let told = format!("case {number} ({what}): {} {}", step.method, step.path);
            assert_eq!(answer.status.as_u16(), step.status, "{told}: {}", answer.body);
            step.holds.iter().for_each(|holds| check(&answer, holds, &told));
            if answer.status.is_client_error() && step.method != "HEAD" {
                assert_eq!(answer.json()["resourceType"], "OperationOutcome", "{told}");
                assert!(answer.body.contains(answer.header("x-request-id")), "{told}: case 19");
                assert!(
                    !answer.body.contains("Müller") && !answer.body.contains("Fairweather"),
                    "{told}: case 19"
                );
            }
        }
    }
}

#[test]
fn each_of_the_64_has_its_row() {
    let mut numbers: Vec<u32> = rows::all().map(|(number, ..)| *number).collect();
    numbers.dedup();
    assert_eq!(numbers, (1..=64).collect::<Vec<u32>>());
    for (number, what, shown) in rows::all() {
        let is_told = match shown {
            Shown::Steps(steps) => !steps.is_empty(),
            Shown::Tests(tests) => !tests.is_empty(),
            Shown::Elsewhere(text) | Shown::Not(text) => text.len() > 20,
        };
        assert!(is_told && !what.is_empty(), "case {number}");
    }
}

#[tokio::test]
async fn each_case_holds() {
    run(&writing().await).await;
}
