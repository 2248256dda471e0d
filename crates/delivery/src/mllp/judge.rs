//! From what a message asked for, what came back and how often it was tried, to what becomes of it. Pure.

use std::time::Duration;

use hl7v2::{AckCondition, Header};

use super::answer::Answer;
use super::classify::Class;

/// How long a message is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Attempts before a message may be given up that the partner calls busy for, or does not answer. Both this and
    /// `give_up_after` must be passed: a partner that is out of order for a night costs no message.
    pub attempts_max: u32,
    /// Age of the first attempt before it may be given up.
    pub give_up_after: Duration,
    /// Attempts that may end with an answer of which nobody knows what it means.
    pub unknown_attempts_max: u32,
}

impl Default for Patience {
    fn default() -> Self {
        Self { attempts_max: 20, give_up_after: Duration::from_secs(86_400), unknown_attempts_max: 5 }
    }
}

/// What a message wants to hear first (MSH-15 and MSH-16, HL7 v2.5.1 section 2.9.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum First {
    /// An answer in any case; silence is none. In original mode the application's, in enhanced mode the commit.
    Answer,
    /// The application's answer, with its own time: the commit was not asked for.
    Application,
    /// Only bad news: silence is good news.
    ErrorOnly,
    /// Nothing.
    Nothing,
}

/// What it wants to hear after the partner took it over (CA).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Later {
    /// Nothing: it is delivered.
    Nothing,
    /// The outcome; silence is noted.
    Outcome,
    /// Only bad news.
    ErrorOnly,
}

/// What a message asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expectation {
    /// First.
    pub first: First,
    /// After CA.
    pub later: Later,
}

impl Expectation {
    /// What this header asks for. In enhanced mode an absent condition is `NE`.
    pub fn of(header: &Header<'_>) -> Self {
        if !header.is_enhanced_mode() {
            return Self { first: First::Answer, later: Later::Nothing };
        }
        let commit = header.accept_acknowledgment().unwrap_or(AckCondition::Never);
        let application = header.application_acknowledgment().unwrap_or(AckCondition::Never);
        let later = match application {
            AckCondition::Always | AckCondition::SuccessOnly => Later::Outcome,
            AckCondition::ErrorOnly => Later::ErrorOnly,
            AckCondition::Never => Later::Nothing,
        };
        let first = match (commit, application) {
            (commit, _) if commit.wants(true) => First::Answer,
            (_, application) if application.wants(true) => First::Application,
            (AckCondition::Never, AckCondition::Never) => First::Nothing,
            _ => First::ErrorOnly,
        };
        Self { first, later }
    }
}

/// What came of sending a message once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// An answer to it, and what that means.
    Answer(Answer, Class),
    /// A reply that names no message.
    Unreadable,
    /// Nothing in time, on a connection that holds.
    Silence,
    /// The connection broke.
    Lost,
}

/// What becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Done; a code when there is something to note.
    Delivered(Option<&'static str>),
    /// Taken over; its outcome is outstanding.
    Accepted,
    /// Again later.
    Retry(&'static str),
    /// Given up.
    Dead(&'static str),
}

/// Judges the first answer. `attempts`: with this one. `age`: since the first attempt.
pub fn judge(
    heard: &Heard,
    expectation: Expectation,
    attempts: u32,
    age: Duration,
    patience: &Patience,
) -> Verdict {
    let again = |code| {
        let is_over = attempts >= patience.attempts_max && age >= patience.give_up_after;
        if is_over { Verdict::Dead(code) } else { Verdict::Retry(code) }
    };
    let unknown = |code| {
        if attempts >= patience.unknown_attempts_max { Verdict::Dead(code) } else { Verdict::Retry(code) }
    };
    match (heard, expectation.first) {
        (Heard::Answer(answer, Class::Delivered), _) => {
            let is_commit = answer.acknowledgment().is_some_and(|code| code.is_commit());
            let is_outstanding = is_commit && expectation.later != Later::Nothing;
            if is_outstanding { Verdict::Accepted } else { Verdict::Delivered(None) }
        }
        (Heard::Answer(_, Class::Transient), _) => again("busy"),
        (Heard::Answer(_, Class::Data), _) => Verdict::Dead("refused"),
        (Heard::Answer(_, Class::Unknown), _) => unknown("unknown-answer"),
        (Heard::Unreadable, _) => unknown("unreadable-answer"),
        (Heard::Silence, First::ErrorOnly) => Verdict::Delivered(Some("silence")),
        (Heard::Silence, First::Nothing) => Verdict::Delivered(Some("no-acknowledgment-asked")),
        (Heard::Silence, First::Answer | First::Application) => again("no-answer"),
        (Heard::Lost, _) => again("connection-lost"),
    }
}

/// Judges the outcome of what the partner took over; `None`: it did not come in time. It is not sent again by itself:
/// the partner has it.
pub fn judge_outcome(outcome: Option<Class>, later: Later) -> Verdict {
    match (outcome, later) {
        (Some(Class::Delivered), _) | (None, Later::ErrorOnly | Later::Nothing) => Verdict::Delivered(None),
        (None, Later::Outcome) => Verdict::Delivered(Some("no-application-acknowledgment")),
        (Some(Class::Transient | Class::Data | Class::Unknown), _) => Verdict::Dead("application-refused"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::answer::{Reply, read};
    use super::*;

    fn expectation(conditions: &str) -> Expectation {
        let er7 = format!("MSH|^~\\&|A||B||2026||ADT^A01|1|P|2.5|||{conditions}\r");
        Expectation::of(&hl7v2::Message::read(er7.as_bytes()).expect("a message").header())
    }

    fn heard(code: &str, class: Class) -> Heard {
        let er7 = format!("MSH|^~\\&|B||A||2026||ACK|1|P|2.5\rMSA|{code}|77\r");
        match read(er7.as_bytes()) {
            Reply::Of { answer, .. } => Heard::Answer(answer, class),
            Reply::OfNothing => panic!("an answer"),
        }
    }

    #[test]
    fn what_msh_15_and_16_ask_for() {
        for (conditions, first, later) in [
            ("", First::Answer, Later::Nothing),
            ("AL|AL", First::Answer, Later::Outcome),
            ("AL|SU", First::Answer, Later::Outcome),
            ("AL|ER", First::Answer, Later::ErrorOnly),
            ("AL|NE", First::Answer, Later::Nothing),
            ("AL", First::Answer, Later::Nothing),
            ("SU|NE", First::Answer, Later::Nothing),
            ("NE|AL", First::Application, Later::Outcome),
            ("|AL", First::Application, Later::Outcome),
            ("ER|AL", First::Application, Later::Outcome),
            ("ER|NE", First::ErrorOnly, Later::Nothing),
            ("NE|ER", First::ErrorOnly, Later::ErrorOnly),
            ("NE|NE", First::Nothing, Later::Nothing),
        ] {
            assert_eq!(expectation(conditions), Expectation { first, later }, "{conditions}");
        }
    }

    fn verdict(heard: &Heard, conditions: &str, attempts: u32, hours: u64) -> Verdict {
        let age = Duration::from_secs(hours * 3_600);
        judge(heard, expectation(conditions), attempts, age, &Patience::default())
    }

    #[test]
    fn a_commit_settles_resending_and_the_application_the_outcome() {
        let commit = heard("CA", Class::Delivered);
        assert_eq!(verdict(&commit, "AL|AL", 1, 0), Verdict::Accepted);
        assert_eq!(verdict(&commit, "AL|NE", 1, 0), Verdict::Delivered(None));
        assert_eq!(verdict(&commit, "", 1, 0), Verdict::Delivered(None));
        assert_eq!(verdict(&heard("AA", Class::Delivered), "AL|AL", 1, 0), Verdict::Delivered(None));
        assert_eq!(judge_outcome(Some(Class::Delivered), Later::Outcome), Verdict::Delivered(None));
        let missing = Verdict::Delivered(Some("no-application-acknowledgment"));
        assert_eq!(judge_outcome(None, Later::Outcome), missing);
        assert_eq!(judge_outcome(None, Later::ErrorOnly), Verdict::Delivered(None));
        assert_eq!(
            judge_outcome(Some(Class::Transient), Later::Outcome),
            Verdict::Dead("application-refused")
        );
    }

    #[test]
    fn a_partner_out_of_order_costs_no_message_until_both_limits_are_passed() {
        for (heard, code) in [
            (Heard::Silence, "no-answer"),
            (Heard::Lost, "connection-lost"),
            (heard("AE", Class::Transient), "busy"),
        ] {
            assert_eq!(verdict(&heard, "", 1_000, 23), Verdict::Retry(code));
            assert_eq!(verdict(&heard, "", 19, 1_000), Verdict::Retry(code));
            assert_eq!(verdict(&heard, "", 20, 24), Verdict::Dead(code));
        }
    }

    #[test]
    fn what_is_wrong_is_given_up_at_once_and_what_is_unknown_after_some_attempts() {
        assert_eq!(verdict(&heard("AR", Class::Data), "", 1, 0), Verdict::Dead("refused"));
        assert_eq!(verdict(&heard("AAX", Class::Unknown), "", 4, 0), Verdict::Retry("unknown-answer"));
        assert_eq!(verdict(&heard("AAX", Class::Unknown), "", 5, 0), Verdict::Dead("unknown-answer"));
        assert_eq!(verdict(&Heard::Unreadable, "", 5, 0), Verdict::Dead("unreadable-answer"));
    }

    #[test]
    fn silence_is_good_news_for_who_asked_for_bad_news_only() {
        assert_eq!(verdict(&Heard::Silence, "ER|NE", 1, 0), Verdict::Delivered(Some("silence")));
        assert_eq!(verdict(&Heard::Lost, "ER|NE", 1, 0), Verdict::Retry("connection-lost"));
        let unasked = Verdict::Delivered(Some("no-acknowledgment-asked"));
        assert_eq!(verdict(&Heard::Silence, "NE|NE", 1, 0), unasked);
    }
}
