//! What a partner answered, and to which message: read from any message with an MSA, whatever its type.

use hl7v2::acknowledgment::AckCode;
use hl7v2::{Message, Part, SegmentRef};

/// Longest code of an answer that is kept, in bytes; codes of tables 0008 and 0357 have two or three.
const CODE_BYTES_MAX: usize = 16;
/// ERR segments and repetitions that are looked at.
const ERRORS_MAX: usize = 64;
/// What stands for a code that is none.
const NO_CODE: &str = "?";

/// The codes and words of one answer. `Debug` prints no words: partners put content into them.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// MSA-1 as sent, when it has the form of a code; else `?`.
    pub code: String,
    /// ERR-3.1 of each ERR; ERR-1.4.1 before v2.5; MSA-6.1.
    pub errors: Vec<String>,
    /// MSA-3, and ERR-7 and ERR-8 of each ERR.
    texts: Vec<String>,
}

impl Answer {
    /// MSA-1, when it is a code of table 0008.
    pub fn acknowledgment(&self) -> Option<AckCode> {
        AckCode::from_code(&self.code)
    }

    /// Whether a pattern stands in one of the partner's words, whatever its case.
    pub fn says(&self, pattern: &str) -> bool {
        let pattern = pattern.to_lowercase();
        self.texts.iter().any(|text| text.to_lowercase().contains(&pattern))
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Answer({}, {:?}, {} texts)", self.code, self.errors, self.texts.len())
    }
}

/// To which message a reply belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// It answers the message with this MSH-10, byte for byte.
    Of {
        /// MSA-2 as sent.
        control_id: Vec<u8>,
        /// What it says.
        answer: Answer,
    },
    /// It cannot be told: no HL7 message, no MSA, or no MSA-2.
    OfNothing,
}

/// Reads a reply: an acknowledgment, or a whole answer (ORR, ADR) whose MSA counts in the same way.
pub fn read(bytes: &[u8]) -> Reply {
    let Ok(message) = Message::read(bytes) else { return Reply::OfNothing };
    let Some(msa) = message.segment_named("MSA", 1) else { return Reply::OfNothing };
    let control_id = msa.field(2).raw().to_vec();
    if control_id.is_empty() {
        return Reply::OfNothing;
    }
    let errs: Vec<SegmentRef<'_>> =
        message.segments().filter(|segment| segment.name() == "ERR").take(ERRORS_MAX).collect();
    let mut errors = Vec::new();
    for err in &errs {
        errors.extend(code(err.field(3).component(1)));
        let before_25 = err.field(1).repetitions().take(ERRORS_MAX);
        errors.extend(before_25.filter_map(|one| code(one.component(4).subcomponent(1))));
    }
    errors.extend(code(msa.field(6).component(1)));
    let words = errs.iter().flat_map(|err| [err.field(7), err.field(8)]).chain([msa.field(3)]);
    let texts = words.filter(Part::is_valued).map(|part| part.text().into_owned()).collect();
    let answer = Answer { code: code(msa.field(1)).unwrap_or_else(|| NO_CODE.to_owned()), errors, texts };
    Reply::Of { control_id, answer }
}

/// What has the form of a code; `?` for other content, which may be anything.
fn code(part: Part<'_>) -> Option<String> {
    let text = part.text();
    let text = text.trim();
    if text.is_empty() || text == "\"\"" {
        return None;
    }
    let is_code = text.len() <= CODE_BYTES_MAX && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    Some(if is_code { text.to_owned() } else { NO_CODE.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(er7: &str) -> (String, Answer) {
        match read(er7.as_bytes()) {
            Reply::Of { control_id, answer } => {
                (String::from_utf8(control_id).expect("the test sends ASCII"), answer)
            }
            Reply::OfNothing => panic!("{er7} answers nothing"),
        }
    }

    #[test]
    fn codes_are_read_in_the_forms_of_all_versions() {
        let (id, answer) =
            of("MSH|^~\\&|B||A||2026||ACK|1|P|2.5\rMSA|AE|77\rERR||PID^1^3|207^busy|E\rERR|||103\r");
        assert_eq!((id.as_str(), answer.code.as_str()), ("77", "AE"));
        assert_eq!(answer.errors, ["207", "103"]);
        let (_, old) =
            of("MSH|^~\\&|B||A||2003||ACK|1|P|2.3\rMSA|AR|77\rERR|PID^1^3^101&missing&HL70357~^^^102\r");
        assert_eq!(old.errors, ["101", "102"]);
        let (_, oldest) = of("MSH|^~\\&|B||A||1998||ACK|1|P|2.2\rMSA|AE|77||||206^locked\r");
        assert_eq!(oldest.errors, ["206"]);
    }

    #[test]
    fn the_control_id_is_compared_as_it_is() {
        assert_eq!(of("MSH|^~\\&|B||A||2026||ACK|1|P|2.5\rMSA|AA|7\\T\\7 \r").0, "7\\T\\7 ");
    }

    #[test]
    fn a_whole_answer_counts_by_its_msa() {
        let (id, answer) = of("MSH|^~\\&|B||A||2026||ORR^O02|1|P|2.5\rMSA|AA|77\rPID|1||9\rORC|OK|1\r");
        assert_eq!((id.as_str(), answer.acknowledgment()), ("77", Some(AckCode::ApplicationAccept)));
    }

    #[test]
    fn what_names_no_message_answers_none() {
        for er7 in
            ["", "ACK", "MSH|^~\\&|B||A||2026||ACK|1|P|2.5\r", "MSH|^~\\&|B||A||2026||ACK|1|P|2.5\rMSA|AA\r"]
        {
            assert_eq!(read(er7.as_bytes()), Reply::OfNothing, "{er7}");
        }
    }

    #[test]
    fn words_are_matched_and_never_shown() {
        let (_, answer) = of(
            "MSH|^~\\&|B||A||2026||ACK|1|P|2.5\rMSA|AE|77|Doe^Jo is locked\rERR|||100|E|||DB|timeout of Jo\r",
        );
        assert!(answer.says("IS LOCKED") && answer.says("Timeout") && !answer.says("absent"));
        assert!(!format!("{answer:?}").contains("Jo"));
        assert_eq!(of("MSH|^~\\&|B||A||2026||ACK|1|P|2.5\rMSA|Jo Doe|77\r").1.code, "?");
        assert_eq!(of("MSH|^~\\&|B||A||2026||ACK|1|P|2.5\rMSA|AAX|77\r").1.acknowledgment(), None);
    }
}
