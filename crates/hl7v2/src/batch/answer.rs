//! The batch acknowledgment of a file: its own envelopes, answered, around an acknowledgment of each message (HL7 v2.5.1
//! section 2.10.3.3, "all messages are acknowledged in the response batch").

use super::Discrepancy;

/// Writes a batch acknowledgment along a file, piece by piece; of constant size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BatchAnswer {
    /// Batches in the answered file that is open; `None`: none is.
    pub file: Option<u64>,
    /// Acknowledgments in the answered batch that is open; `None`: none is.
    pub batch: Option<u64>,
}

impl BatchAnswer {
    /// Answers an FHS: sender and receiver swapped, FHS-12 its FHS-11. `time` is an instant in HL7's form.
    pub fn file_header(&mut self, header: &[u8], control_id: &str, time: &str) -> Vec<u8> {
        let mut bytes = self.file_trailer(&[]);
        self.file = Some(0);
        bytes.extend(answered(*b"FHS", header, control_id, time));
        bytes
    }

    /// Answers a BHS; BHS-12 is its BHS-11. Messages outside of any batch are answered in one of their own, whose `header`
    /// is empty.
    pub fn batch_header(&mut self, header: &[u8], control_id: &str, time: &str) -> Vec<u8> {
        let mut bytes = self.batch_trailer(&[]);
        self.batch = Some(0);
        self.file = self.file.map(|batches| batches + 1);
        bytes.extend(answered(*b"BHS", header, control_id, time));
        bytes
    }

    /// The acknowledgment of one message; the batch is opened first when none is.
    pub fn message(&mut self, acknowledgment: &[u8], control_id: &str, time: &str) -> Vec<u8> {
        let mut bytes =
            if self.batch.is_none() { self.batch_header(&[], control_id, time) } else { Vec::new() };
        self.batch = self.batch.map(|messages| messages + 1);
        bytes.extend_from_slice(acknowledgment);
        bytes
    }

    /// BTS of the batch that is open, with what was wrong with the one that it answers as BTS-2.
    pub fn batch_trailer(&mut self, found: &[Discrepancy]) -> Vec<u8> {
        self.batch.take().map(|count| trailer("BTS", count, found)).unwrap_or_default()
    }

    /// FTS of the file that is open, after BTS of a batch that is; what was wrong stands in FTS-2, or in BTS-2 when there
    /// is no file.
    pub fn file_trailer(&mut self, found: &[Discrepancy]) -> Vec<u8> {
        let Some(batches) = self.file else { return self.batch_trailer(found) };
        let mut bytes = self.batch_trailer(&[]);
        self.file = None;
        bytes.extend(trailer("FTS", batches, found));
        bytes
    }
}

fn trailer(name: &str, count: u64, found: &[Discrepancy]) -> Vec<u8> {
    let words: Vec<String> = found
        .iter()
        .map(|found| match found.counts() {
            Some((declared, counted)) => format!("{} declared {declared} found {counted}", found.code()),
            None => found.code().to_owned(),
        })
        .collect();
    let comment = if words.is_empty() { String::new() } else { format!("|{}", words.join(", ")) };
    format!("{name}|{count}{comment}\r").into_bytes()
}

/// A header that answers `header`, in its delimiters.
fn answered(name: [u8; 3], header: &[u8], control_id: &str, time: &str) -> Vec<u8> {
    let separator = header.get(3).copied().filter(u8::is_ascii_punctuation).unwrap_or(b'|');
    let line = header.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    // The separator is field 1 itself, so the n-th part is field n + 1.
    let parts: Vec<&[u8]> = line.split(|byte| *byte == separator).collect();
    let field = |n: usize| parts.get(n - 1).copied().unwrap_or_default();
    let encoding = if field(2).is_empty() { &b"^~\\&"[..] } else { field(2) };
    let fields: [&[u8]; 11] = [
        encoding,
        field(5),
        field(6),
        field(3),
        field(4),
        time.as_bytes(),
        b"",
        b"",
        b"",
        control_id.as_bytes(),
        field(11),
    ];
    let mut bytes = name.to_vec();
    for value in fields {
        bytes.push(separator);
        bytes.extend_from_slice(value);
    }
    bytes.push(b'\r');
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_has_the_envelopes_of_the_file() {
        let mut answer = BatchAnswer::default();
        let (id, time) = ("7", "20260102030405+0000");
        let mut bytes = answer.file_header(b"FHS|^~\\&|A|B|C|D|2026||||F1\r", id, time);
        bytes.extend(answer.batch_header(b"BHS|^~\\&|A|B|C|D|2026||||B1|\r", id, time));
        bytes.extend(answer.message(b"MSH|^~\\&\rMSA|AA|1\r", id, time));
        bytes.extend(answer.batch_trailer(&[Discrepancy::MessageCount { declared: 2, found: 1 }]));
        bytes.extend(answer.file_trailer(&[]));
        assert_eq!(
            String::from_utf8_lossy(&bytes),
            "FHS|^~\\&|C|D|A|B|20260102030405+0000||||7|F1\rBHS|^~\\&|C|D|A|B|20260102030405+0000||||7|B1\r\
             MSH|^~\\&\rMSA|AA|1\rBTS|1|message-count declared 2 found 1\rFTS|1\r"
        );
    }

    #[test]
    fn messages_without_a_batch_are_answered_in_one() {
        let mut answer = BatchAnswer::default();
        let mut bytes = answer.message(b"MSH|^~\\&\rMSA|AA|1\r", "7", "2026");
        bytes.extend(answer.file_trailer(&[]));
        assert_eq!(String::from_utf8_lossy(&bytes), "BHS|^~\\&|||||2026||||7|\rMSH|^~\\&\rMSA|AA|1\rBTS|1\r");
    }
}
