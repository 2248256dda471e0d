//! One message under construction: its header, its segments, and what it says about people.

use super::segment::{self, Segment};
use super::{Generated, Moment, Sent, System};

/// Gives every message of a seed a control id of its own.
#[derive(Debug, Clone)]
pub struct Numbering {
    seed: u64,
    messages: u32,
}

impl Numbering {
    /// The numbering of a seed.
    pub fn new(seed: u64) -> Self {
        Self { seed, messages: 0 }
    }

    /// A message of `system` with nothing but its header; `message_type` is MSH-9 (`ADT^A01^ADT_A01`).
    pub fn draft(&mut self, system: System, message_type: &str, at: Moment) -> Draft {
        self.messages += 1;
        let (application, facility) = system.sender();
        let prefix = match system {
            System::Emr => "HB",
            System::Laboratory => "HL",
            System::Pharmacy => "CX",
            System::Payer => "MP",
        };
        let control_id = format!("{prefix}{}-{:07}", self.seed, self.messages);
        // MSH-1 is the separator itself, so that every field of this one segment stands one place earlier.
        let header = Segment::new("MSH")
            .field(1, "^~\\&")
            .field(2, application)
            .field(3, facility)
            .field(4, "TIDEGATE")
            .field(5, "ONPREM")
            .field(6, at.time())
            .field(8, message_type)
            .field(9, control_id.clone())
            .field(10, "P")
            .field(11, "2.5.1")
            .field(17, "UNICODE UTF-8");
        let message_type = message_type.split('^').take(2).collect::<Vec<_>>().join("^");
        let mut sent = Sent::default();
        sent.dates.push(at.day());
        Draft { system, message_type, control_id, segments: vec![header], sent }
    }
}

/// A message under construction.
#[derive(Debug)]
pub struct Draft {
    system: System,
    message_type: String,
    control_id: String,
    segments: Vec<Segment>,
    /// What the message says about people; its makers add to it.
    pub sent: Sent,
}

impl Draft {
    /// Adds a segment.
    pub fn add(&mut self, segment: Segment) {
        self.segments.push(segment);
    }

    /// The message.
    pub fn finish(self) -> Generated {
        let Self { system, message_type, control_id, segments, sent } = self;
        Generated { system, message_type, control_id, er7: segment::message(&segments), sent }
    }
}
