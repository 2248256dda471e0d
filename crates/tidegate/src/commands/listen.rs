//! `tidegate listen`: a receiver that shows what comes and can misbehave, to try a sender with.

use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use hl7v2::acknowledgment::{AckCode, AckError, ErrorCode, Severity, acknowledge, acknowledge_unreadable};
use mllp::{Frame, Handler, Listener, Peer, Refusal, Reply};
use tokio::sync::watch;

use super::output;
use crate::cli::{Answering, ListenArgs};
use crate::{Exit, Failure, clock};

/// Longest code or control id that is shown.
const SHOWN_MAX: usize = 40;
/// MSA-2 of an answer with a wrong id.
const WRONG_ID: &[u8] = b"NOT-YOURS";

/// Runs the command.
pub async fn run(args: ListenArgs) -> Result<(), Failure> {
    if let Some(folder) = &args.save {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|error| Failure::new(Exit::Io, format!("{}: {error}", folder.display())))?;
    }
    let config = mllp::Config { address: SocketAddr::new(args.bind, args.port), ..mllp::Config::default() };
    let listener =
        Listener::bind(config).await.map_err(|error| Failure::because(Exit::Unavailable, &error))?;
    let address = listener.local_address().map_err(|error| Failure::because(Exit::Io, &error))?;
    if !args.bind.is_loopback() {
        output::words(
            "warning: this listens beyond this machine, without TLS and for everyone who can reach it. What is sent \
             here can be read on the network: made-up messages only",
        );
    }
    output::words(&format!("listens on {address}"));
    output::line("number  type         control id                                bytes    answer")?;
    let (ended, mut end) = watch::channel(false);
    let receiver = Arc::new(Receiver {
        answering: args.ack,
        count: args.count,
        save: args.save,
        messages: AtomicU64::new(0),
        refused: AtomicU64::new(0),
        failure: Mutex::new(None),
        ended,
    });
    let until = async move {
        tokio::select! {
            // The sender of the flag lives as long as the listener.
            _ = end.wait_for(|ended| *ended) => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    };
    listener.serve(Arc::clone(&receiver), until).await;
    let (messages, refused) =
        (receiver.messages.load(Ordering::SeqCst), receiver.refused.load(Ordering::SeqCst));
    output::words(&format!("{messages} messages, {refused} frames or connections refused"));
    match receiver.failure.lock().unwrap_or_else(PoisonError::into_inner).take() {
        Some(failure) => Err(failure),
        None => Ok(()),
    }
}

struct Receiver {
    answering: Answering,
    count: Option<u64>,
    save: Option<PathBuf>,
    messages: AtomicU64,
    refused: AtomicU64,
    /// What ended the command early.
    failure: Mutex<Option<Failure>>,
    ended: watch::Sender<bool>,
}

impl Handler for Receiver {
    async fn frame(&self, _: &Peer, frame: Frame) -> Reply {
        let number = self.messages.fetch_add(1, Ordering::SeqCst) + 1;
        if self.count.is_some_and(|count| number > count) {
            return Reply::none().then_close();
        }
        if let Answering::Late(delay) = self.answering {
            tokio::time::sleep(delay).await;
        }
        let (bytes, said) = answer(self.answering, &frame.payload, number);
        if let Err(failure) = self.note(number, &frame.payload, said) {
            self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
            self.ended.send_replace(true);
            // What could not be kept is not acknowledged.
            return Reply::none().then_close();
        }
        if self.count == Some(number) {
            // The reply still goes out: a listener that ends answers what is in its hands.
            self.ended.send_replace(true);
        }
        let reply = bytes.map_or_else(Reply::none, Reply::new);
        if self.answering == Answering::Close { reply.then_close() } else { reply }
    }

    async fn refused(&self, _: &Peer, refusal: Refusal) -> Reply {
        self.refused.fetch_add(1, Ordering::SeqCst);
        // Sizes and reasons only; see `Refusal`.
        output::words(&format!("refused: {refusal:?}"));
        Reply::none()
    }
}

impl Receiver {
    fn note(&self, number: u64, payload: &Bytes, said: &str) -> Result<(), Failure> {
        if let Some(folder) = &self.save {
            save(&folder.join(format!("{number:06}.hl7")), payload)?;
        }
        let (kind, control_id) = match hl7v2::Message::read(payload) {
            Ok(message) => {
                let header = message.header();
                let kind = format!("{}^{}", header.code(), header.event());
                (shown(&kind), shown(&header.control_id().text()))
            }
            Err(_) => ("unreadable".to_owned(), "-".to_owned()),
        };
        output::line(&format!("{number:<7} {kind:<12} {control_id:<41} {:<8} {said}", payload.len()))
    }
}

/// A message as it came, user-only; an older one is never written over.
fn save(file: &Path, payload: &[u8]) -> Result<(), Failure> {
    let write = || {
        let mut options = std::fs::OpenOptions::new();
        let mut open = options.write(true).create_new(true).mode(0o600).open(file)?;
        std::io::Write::write_all(&mut open, payload)
    };
    write().map_err(|error: std::io::Error| Failure::new(Exit::Io, format!("{}: {error}", file.display())))
}

/// The answer to a message, and the word for it.
fn answer(answering: Answering, payload: &[u8], number: u64) -> (Option<Vec<u8>>, &'static str) {
    let (code, said) = match answering {
        Answering::Silent => return (None, "none"),
        Answering::Close => return (None, "closed"),
        Answering::Accept => (AckCode::ApplicationAccept, "AA"),
        Answering::Late(_) => (AckCode::ApplicationAccept, "AA, late"),
        Answering::WrongId => (AckCode::ApplicationAccept, "AA, wrong id"),
        Answering::Error => (AckCode::ApplicationError, "AE"),
        Answering::Reject => (AckCode::ApplicationReject, "AR"),
    };
    let error = (!code.is_accept()).then_some(AckError {
        code: ErrorCode::ApplicationInternal,
        location: None,
        severity: Severity::Error,
        text: "tidegate listen was told to answer so",
    });
    let (control_id, time) = (format!("L{number}"), clock::hl7_time(clock::now_us()));
    let reply = hl7v2::acknowledgment::Reply { code, control_id: &control_id, time: &time, error };
    match hl7v2::Message::read(payload) {
        Ok(message) => {
            let mut bytes = acknowledge(&message, &reply);
            if answering == Answering::WrongId {
                bytes = with_wrong_id(&bytes, message.header().control_id().raw());
            }
            (Some(bytes), said)
        }
        Err(_) => (Some(acknowledge_unreadable(&reply)), "AR, unreadable"),
    }
}

/// The acknowledgment with another MSA-2.
fn with_wrong_id(acknowledgment: &[u8], control_id: &[u8]) -> Vec<u8> {
    let id_at = acknowledgment.windows(4).position(|bytes| bytes == b"\rMSA").map(|at| at + 8);
    let Some(id_at) =
        id_at.filter(|at| acknowledgment.get(*at..).is_some_and(|id| id.starts_with(control_id)))
    else {
        return acknowledgment.to_vec();
    };
    let (before, after) = acknowledgment.split_at(id_at);
    [before, WRONG_ID, after.get(control_id.len()..).unwrap_or_default()].concat()
}

/// Letters, digits and signs of a code or an id; what a terminal could obey is left out.
fn shown(text: &str) -> String {
    let shown: String = text.chars().filter(char::is_ascii_graphic).take(SHOWN_MAX).collect();
    if shown.is_empty() { "-".to_owned() } else { shown }
}

#[cfg(test)]
mod tests {
    use hl7v2::acknowledgment::Acknowledgment;

    use super::{Answering, answer, shown};

    const MESSAGE: &[u8] = b"MSH|^~\\&|A|B|||20260102030405||ADT^A01|ID-1|P|2.5.1\rPID|1\r";

    #[test]
    fn each_answer_is_what_it_says() {
        let cases: [(&str, Option<(&str, bool)>); 7] = [
            ("AA", Some(("AA", true))),
            ("AE", Some(("AE", true))),
            ("AR", Some(("AR", true))),
            ("delay=1s", Some(("AA", true))),
            ("wrong-id", Some(("AA", false))),
            ("none", None),
            ("close", None),
        ];
        for (how, expected) in cases {
            let answering: Answering = how.parse().expect("a known answer");
            let (bytes, _) = answer(answering, MESSAGE, 1);
            let read = bytes.map(|bytes| {
                let read = Acknowledgment::read(&bytes).expect("an acknowledgment");
                (read.code.code(), read.answers(b"ID-1"))
            });
            assert_eq!(read, expected, "{how}");
        }
        for unknown in ["aa", "delay", "delay=5", "delay=-1s", "delay=9999s", ""] {
            assert!(unknown.parse::<Answering>().is_err(), "{unknown}");
        }
    }

    #[test]
    fn nothing_that_a_terminal_obeys_is_shown() {
        assert_eq!(shown("A\u{1b}[31mDT\n^A01"), "A[31mDT^A01");
        assert_eq!(shown(&"x".repeat(99)).len(), 40);
        assert_eq!(shown("\n"), "-");
    }
}
