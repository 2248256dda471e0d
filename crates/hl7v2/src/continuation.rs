//! Messages in several parts (HL7 v2.5.1 section 2.10.2): DSC says that a message goes on, MSH-14 that it continues one,
//! ADD that it continues the segment before it.

use crate::Message;

/// Which part of a longer message a message is.
#[derive(Clone, PartialEq, Eq)]
pub struct Part {
    /// MSH-14: it continues the message whose DSC-1 is this.
    pub continues: Option<Vec<u8>>,
    /// DSC-1 of a last segment with DSC-2 `F` or empty: a message with this MSH-14 continues it.
    pub continued: Option<Vec<u8>>,
}

impl Part {
    /// The part that a message is; `None` for a message that is whole as it stands.
    #[must_use]
    pub fn of(message: &Message<'_>) -> Option<Self> {
        let text = |bytes: &[u8]| (!bytes.trim_ascii().is_empty()).then(|| bytes.trim_ascii().to_vec());
        let continues = text(message.header().segment().field(14).raw());
        let last = message.segments().last().filter(|segment| segment.name() == "DSC");
        // DSC-2 `I` belongs to interactive queries, whose continuation is asked for.
        let last = last.filter(|dsc| matches!(dsc.field(2).raw().trim_ascii(), b"" | b"F" | b"f"));
        let continued = last.and_then(|dsc| text(dsc.field(1).raw()));
        let has_addenda = message.segments().any(|segment| segment.name() == "ADD");
        let is_part = continues.is_some() || continued.is_some() || has_addenda;
        is_part.then_some(Self { continues, continued })
    }
}

impl std::fmt::Debug for Part {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (continues, continued) = (self.continues.is_some(), self.continued.is_some());
        write!(formatter, "Part(continues: {continues}, continued: {continued})")
    }
}

/// Segments of a continuing message that head it, and say nothing more of what it continues.
const HEADS: [&str; 3] = ["MSH", "SFT", "UAC"];

/// Joins parts, first to last, to the message that was cut up: the first's header, the segments of all, none of DSC, and
/// what stands behind `ADD|` at the end of the segment before.
#[must_use]
pub fn assemble(parts: &[Message<'_>]) -> Vec<u8> {
    let mut whole = Vec::with_capacity(parts.iter().map(|part| part.bytes().len()).sum());
    for (number, part) in parts.iter().enumerate() {
        let last = part.segment_count().saturating_sub(1);
        let is_continued = Part::of(part).is_some_and(|part| part.continued.is_some());
        for (at, segment) in part.segments().enumerate() {
            let is_head = number > 0 && HEADS.contains(&segment.name());
            if is_head || (is_continued && at == last) {
                continue;
            }
            let line = segment.span().of(part.bytes());
            if segment.name() == "ADD" {
                // An empty ADD only announces that the segment goes on in the next message.
                if whole.last() == Some(&b'\r') {
                    whole.pop();
                }
                whole.extend_from_slice(line.get(4..).unwrap_or_default());
            } else {
                whole.extend_from_slice(line);
            }
            whole.push(b'\r');
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    const MSH: &str = "MSH|^~\\&|LAB|H|||2026||ORU^R01|";

    fn joined(parts: &[&str]) -> String {
        let parts: Vec<Message<'_>> =
            parts.iter().map(|part| Message::read(part.as_bytes()).expect("a message")).collect();
        String::from_utf8(assemble(&parts)).expect("text")
    }

    #[test]
    fn parts_become_the_message_that_was_cut() {
        let first = format!("{MSH}1|P|2.5.1\rPID|1\rOBX|1|TX|N||one \rADD|\rDSC|P7|F\r");
        let second = format!("{MSH}2|P|2.5.1||P7\rADD|two\rNTE|1\rDSC|P8\r");
        let third = format!("{MSH}3|P|2.5.1||P8\rOBX|2|TX\r");
        assert_eq!(
            joined(&[&first, &second, &third]),
            format!("{MSH}1|P|2.5.1\rPID|1\rOBX|1|TX|N||one two\rNTE|1\rOBX|2|TX\r")
        );
    }

    #[test]
    fn an_addendum_inside_of_one_message_is_joined() {
        let one = format!("{MSH}1|P|2.5.1\rNTE|1||one \rADD|two \rADD|three\r");
        assert_eq!(joined(&[&one]), format!("{MSH}1|P|2.5.1\rNTE|1||one two three\r"));
    }

    #[test]
    fn a_part_is_told_by_its_pointers() {
        let part = |text: &str| Part::of(&Message::read(text.as_bytes()).expect("a message"));
        assert_eq!(part(&format!("{MSH}1|P|2.5.1\rPID|1\r")), None);
        assert_eq!(part(&format!("{MSH}1|P|2.5.1\rDSC||\r")), None);
        assert_eq!(part(&format!("{MSH}1|P|2.5.1\rDSC|Q7|I\r")), None);
        let found = part(&format!("{MSH}1|P|2.5.1||P6\rDSC|P7|F\r")).expect("a part");
        assert_eq!((found.continues, found.continued), (Some(b"P6".to_vec()), Some(b"P7".to_vec())));
    }
}
