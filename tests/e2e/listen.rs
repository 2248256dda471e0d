//! `tidegate listen` as a misbehaving receiver, with `tidegate send` at the other end.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};

use harness::{Person, Ran, TempFolder, binary};

/// Starts a listener on a free port, sends `messages` there, and waits for both: listener, sender.
fn exchange(how: &[&str], messages: &str, seconds: &str) -> (Ran, Ran) {
    let mut listener = Command::new(binary::path())
        .args(["listen", "0"])
        .args(how)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the listener starts");
    let mut words = BufReader::new(listener.stderr.take().expect("stderr is piped"));
    let mut first = String::new();
    words.read_line(&mut first).expect("the listener says where it listens");
    let address = first.trim().strip_prefix("listens on ").expect("an address").to_owned();
    assert!(address.starts_with("127.0.0.1:"), "{address}");
    let sent = binary::run(&["send", &address, "--timeout", seconds], &harness::root(), messages.as_bytes());
    let (mut stderr, mut stdout) = (String::new(), String::new());
    words.read_to_string(&mut stderr).expect("words");
    listener.stdout.take().expect("stdout is piped").read_to_string(&mut stdout).expect("a table");
    let code = listener.wait().expect("the listener ends").code().unwrap_or(-1);
    (Ran { code, stdout, stderr }, sent)
}

#[test]
fn what_comes_is_shown_without_its_content_and_kept_when_asked() {
    let (folder, person) = (TempFolder::new("listen"), Person::new(61));
    let kept = folder.join("received");
    let messages = format!("{}{}", person.a01("L-1"), person.a03("L-2"));
    let (heard, sent) = exchange(&["--count", "2", "--save", &kept.display().to_string()], &messages, "10");
    assert_eq!((heard.code, sent.code), (0, 0), "{} {}", heard.stderr, sent.stderr);
    let lines: Vec<Vec<&str>> =
        heard.stdout.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
    let size = |er7: String| er7.len().to_string();
    assert_eq!(
        lines,
        [
            vec!["1", "ADT^A01", "L-1", &size(person.a01("L-1")), "AA"],
            vec!["2", "ADT^A03", "L-2", &size(person.a03("L-2")), "AA"],
        ]
    );
    assert!(heard.stderr.contains("2 messages, 0 frames or connections refused"), "{}", heard.stderr);
    for identifier in person.identifiers() {
        assert!(!heard.stdout.contains(&identifier) && !heard.stderr.contains(&identifier));
    }
    let read = |name: &str| std::fs::read_to_string(kept.join(name)).expect("a message was kept");
    assert_eq!((read("000001.hl7"), read("000002.hl7")), (person.a01("L-1"), person.a03("L-2")));
}

#[test]
fn each_misbehaviour_is_seen_by_the_sender() {
    let message = Person::new(62).a01("L-3");
    for (how, code, words) in [
        ("AE", 1, "AE    true"),
        ("AR", 1, "AR    true"),
        ("wrong-id", 1, "AA    false"),
        ("none", 69, ""),
        ("close", 69, "clos"),
    ] {
        let (heard, sent) = exchange(&["--count", "1", "--ack", how], &message, "1");
        assert_eq!((heard.code, sent.code), (0, code), "{how}: {} {}", heard.stderr, sent.stderr);
        let said = format!("{}{}", sent.stdout, sent.stderr);
        assert!(said.contains(words), "{how}: {said}");
    }
    let (_, sent) = exchange(&["--count", "1", "--ack", "delay=1s"], &message, "10");
    let latency = sent.stdout.lines().nth(1).and_then(|line| line.split_whitespace().last()?.parse().ok());
    assert!(latency.is_some_and(|ms: f64| ms >= 1_000.0), "{}", sent.stdout);
    assert_eq!(sent.code, 0);
}
