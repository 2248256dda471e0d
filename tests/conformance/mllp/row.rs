//! A case as data: what is sent, what must come back, what must be kept.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use harness::Person;
use store::MessageState;

/// Cases of one letter.
pub struct Group {
    /// `F`, as the ids begin.
    pub letter: char,
    /// Listeners that its rows send to, beside `emr`.
    pub channels: &'static [Channel],
    /// Its rows.
    pub rows: fn() -> Vec<Row>,
    /// Cases shown by a test of their own.
    pub elsewhere: &'static [Elsewhere],
    /// Cases not shown yet. May only shrink.
    pub pending: &'static [&'static str],
}

/// A listener of the group's node.
pub struct Channel {
    /// Its name.
    pub name: &'static str,
    /// Its options, as lines of YAML without indentation.
    pub options: &'static [&'static str],
}

/// A case that a test of its own shows.
pub struct Elsewhere {
    /// The case.
    pub id: &'static str,
    /// What it shows.
    pub what: &'static str,
    /// Path from the workspace.
    pub file: &'static str,
    /// The test's name.
    pub function: &'static str,
}

/// One case, or one variant of it.
pub struct Row {
    /// The case.
    pub id: &'static str,
    /// This variant of it.
    pub what: &'static str,
    /// The listener it sends to.
    pub channel: &'static str,
    /// What is sent, in order.
    pub sends: Vec<Step>,
    /// What must come back, in order, and nothing else.
    pub answers: Vec<Answer>,
    /// The bytes around an answer: the start, the end.
    pub framed_by: (u8, &'static [u8]),
    /// What becomes of the connection.
    pub then: Then,
    /// What the journal must hold of this connection, in order, and nothing else.
    pub kept: Vec<Kept>,
    /// What FHIR must say afterwards.
    pub reads: Vec<Read>,
}

/// A value that a message must have left in FHIR.
pub struct Read {
    /// `Patient?identifier=…`, which must find one resource.
    pub query: String,
    /// Where the value stands in it, as a JSON pointer.
    pub pointer: &'static str,
    /// The value; `None`: nothing stands there.
    pub text: Option<String>,
}

/// One thing a sender does.
pub enum Step {
    /// Writes these bytes at once.
    Bytes(Vec<u8>),
    /// Writes these bytes in pieces of this size, each sent before the next.
    Pieces(Vec<u8>, usize),
    /// Sends nothing for this long.
    Pause(Duration),
    /// Ends its input and goes on reading.
    EndOfInput,
}

/// One acknowledgment.
pub struct Answer {
    /// MSA-1; empty: no acknowledgment but a commit block, whose byte stands in place of MSA-2.
    pub code: &'static str,
    /// MSA-2, byte for byte.
    pub control_id: Vec<u8>,
    /// ERR-3.1, or ERR-1.4.1 before v2.5.
    pub error: Option<&'static str>,
    /// What else must stand in it.
    pub holds: Vec<Vec<u8>>,
    /// What must not.
    pub lacks: Vec<Vec<u8>>,
}

/// What becomes of the connection once the answers are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// It takes another message; when the sender has ended its input, the node closes in order.
    Open,
    /// The node closes it.
    Closed,
}

/// One entry of the journal and its row in the message list.
pub struct Kept {
    /// The entry's bytes.
    pub bytes: Vec<u8>,
    /// MSA-1 of the acknowledgment kept with it.
    pub code: Option<&'static str>,
    /// Where the message ended.
    pub state: MessageState,
    /// Why it ended there.
    pub reason: Option<&'static str>,
}

impl Row {
    /// A row on `emr` that sends and expects nothing yet.
    pub fn new(id: &'static str, what: &'static str) -> Self {
        let (sends, answers, kept) = (Vec::new(), Vec::new(), Vec::new());
        let framed_by: (u8, &'static [u8]) = (0x0b, b"\x1c\r");
        Self {
            id,
            what,
            channel: "emr",
            sends,
            answers,
            framed_by,
            then: Then::Open,
            kept,
            reads: Vec::new(),
        }
    }

    /// Sends to this listener.
    pub fn on(mut self, channel: &'static str) -> Self {
        self.channel = channel;
        self
    }

    /// Writes bytes at once.
    pub fn bytes(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.sends.push(Step::Bytes(bytes.as_ref().to_vec()));
        self
    }

    /// Writes bytes in pieces.
    pub fn pieces(mut self, bytes: impl AsRef<[u8]>, size: usize) -> Self {
        self.sends.push(Step::Pieces(bytes.as_ref().to_vec(), size));
        self
    }

    /// Sends nothing for so many milliseconds.
    pub fn pause(mut self, milliseconds: u64) -> Self {
        self.sends.push(Step::Pause(Duration::from_millis(milliseconds)));
        self
    }

    /// Ends the input.
    pub fn end(mut self) -> Self {
        self.sends.push(Step::EndOfInput);
        self
    }

    /// This acknowledgment comes next.
    pub fn answered(mut self, answer: Answer) -> Self {
        self.answers.push(answer);
        self
    }

    /// A commit block of MLLP release 2 comes next: 06 or 15.
    pub fn commit(self, byte: u8) -> Self {
        self.answered(Answer::new("", [byte], None))
    }

    /// Answers come between these bytes.
    pub fn framed_by(mut self, start: u8, end: &'static [u8]) -> Self {
        self.framed_by = (start, end);
        self
    }

    /// This entry comes next.
    pub fn keeps(mut self, kept: Kept) -> Self {
        self.kept.push(kept);
        self
    }

    /// The next message: accepted with AA under its own control id, and routed.
    pub fn accepted(self, message: &Message) -> Self {
        self.answered(Answer::accept(message)).keeps(Kept::routed(message))
    }

    /// The message's patient says so in FHIR.
    pub fn patient(mut self, message: &Message, pointer: &'static str, text: Option<&str>) -> Self {
        let query = format!("Patient?identifier={}", message.number);
        self.reads.push(Read { query, pointer, text: text.map(ToOwned::to_owned) });
        self
    }

    /// The node closes the connection.
    pub fn closed(mut self) -> Self {
        self.then = Then::Closed;
        self
    }
}

impl Answer {
    /// An acknowledgment of `control_id`.
    pub fn new(code: &'static str, control_id: impl AsRef<[u8]>, error: Option<&'static str>) -> Self {
        let control_id = control_id.as_ref().to_vec();
        Self { code, control_id, error, holds: Vec::new(), lacks: Vec::new() }
    }

    /// AA of a message.
    pub fn accept(message: &Message) -> Self {
        Self::new("AA", &message.control_id, None)
    }

    /// These bytes stand in it.
    pub fn holding(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.holds.push(bytes.as_ref().to_vec());
        self
    }

    /// These bytes do not stand in it.
    pub fn lacking(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.lacks.push(bytes.as_ref().to_vec());
        self
    }
}

impl Kept {
    /// Accepted with AA, stored, and on its way out.
    pub fn routed(message: &Message) -> Self {
        Self { bytes: message.er7.clone(), code: Some("AA"), state: MessageState::Routed, reason: None }
    }

    /// Held back for this reason, acknowledged with this code or not at all.
    pub fn held(bytes: impl AsRef<[u8]>, code: Option<&'static str>, reason: &'static str) -> Self {
        let bytes = bytes.as_ref().to_vec();
        Self { bytes, code, state: MessageState::Quarantined, reason: Some(reason) }
    }
}

/// A message and its MSH-10.
#[derive(Clone)]
pub struct Message {
    /// PID-3.1, the record number.
    pub number: String,
    /// MSH-10.
    pub control_id: String,
    /// The whole message.
    pub er7: Vec<u8>,
}

/// Persons made so far; each message is of a person of its own.
static PERSONS: AtomicU32 = AtomicU32::new(1_000);

/// A made-up person that no other row knows.
pub fn person() -> Person {
    Person::new(PERSONS.fetch_add(1, Ordering::Relaxed))
}

impl Message {
    /// An ADT^A01 that is right in every way, of a person of its own.
    pub fn new(control_id: &str) -> Self {
        let person = person();
        let er7 = person.a01(control_id).into_bytes();
        Self { number: person.number, control_id: control_id.to_owned(), er7 }
    }

    /// The same of a person with this family name, as bytes of ER7.
    pub fn named(control_id: &str, family: impl AsRef<[u8]>) -> Self {
        let (person, id) = (person(), control_id.to_owned());
        let message = Self { er7: person.a01(&id).into_bytes(), control_id: id, number: person.number };
        message.with(&person.family, family)
    }

    /// The same with some text replaced where it stands first.
    ///
    /// # Panics
    /// When the text is not there.
    pub fn with(mut self, from: &str, to: impl AsRef<[u8]>) -> Self {
        let at = self.er7.windows(from.len()).position(|bytes| bytes == from.as_bytes());
        let at = at.unwrap_or_else(|| panic!("{}: no {from:?} in the message", self.control_id));
        self.er7.splice(at..at + from.len(), to.as_ref().iter().copied());
        self
    }

    /// The same with these five separators instead of `|^~\\&`.
    pub fn separated(mut self, separators: &[u8; 5]) -> Self {
        for byte in &mut self.er7 {
            if let Some(at) = b"|^~\\&".iter().position(|usual| usual == byte) {
                *byte = separators[at];
            }
        }
        self
    }

    /// The same with bytes after its end.
    pub fn then(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.er7.extend_from_slice(bytes.as_ref());
        self
    }

    /// VT, the message, FS CR.
    pub fn framed(&self) -> Vec<u8> {
        framed(&self.er7)
    }
}

/// VT, the bytes, FS CR.
pub fn framed(bytes: &[u8]) -> Vec<u8> {
    [b"\x0b", bytes, b"\x1c\r"].concat()
}
