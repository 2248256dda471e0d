//! `tidegate send`: sends messages over MLLP and shows each acknowledgment with its latency.

use std::time::{Duration, Instant};

use hl7v2::acknowledgment::{AckMode, Acknowledgment, ErrorCode};
use hl7v2::batch::PieceKind;
use hl7v2::{AckCondition, Message};
use mllp::{Client, ClientConfig};

use super::{input, output};
use crate::cli::{AckAsked, SendArgs};
use crate::{Exit, Failure};

const EXTENSIONS: [&str; 3] = ["hl7", "er7", "txt"];
/// Acknowledgments that are read while one message waits for its own; more end the wait.
const STRAYS_MAX: usize = 64;

/// Runs the command.
pub async fn run(args: SendArgs) -> Result<(), Failure> {
    let (mut messages, mut batch) = (Vec::new(), Vec::new());
    input::each(&args.files, &EXTENSIONS, |input| {
        let asked = |message: &[u8]| asking(message, args.accept_ack, args.application_ack);
        messages.extend(hl7v2::batch::messages(&input.bytes).map(asked));
        let pieces = hl7v2::batch::pieces(&input.bytes).filter(|piece| piece.kind != PieceKind::Between);
        for piece in pieces {
            batch.extend_from_slice(piece.of(&input.bytes));
            if !matches!(batch.last(), Some(b'\r' | b'\n')) {
                batch.push(b'\r');
            }
        }
        Ok(())
    })?;
    if messages.is_empty() {
        return Err(Failure::new(Exit::CheckFailed, "no message found in the input"));
    }
    let mut config = ClientConfig::new(args.address.clone());
    config.reply_timeout = Duration::from_secs(args.timeout);
    let unavailable = |error: mllp::Error| Failure::because(Exit::Unavailable, &error);
    let mut client = Client::connect(config).await.map_err(unavailable)?;
    output::line("number  code  matches  error  latency_ms")?;
    let mut refused = 0_u64;
    if args.as_batch {
        let begun = Instant::now();
        let answer = client.exchange(&enveloped(batch, messages.len())).await.map_err(unavailable)?;
        let latency = begun.elapsed();
        let answers: Vec<&[u8]> = hl7v2::batch::messages(&answer).collect();
        for at in 0..messages.len().max(answers.len()) {
            let message = messages.get(at).map_or(&[][..], Vec::as_slice);
            let number = u64::try_from(at).unwrap_or(u64::MAX).saturating_add(1);
            let shown = show(number, message, answers.get(at).unwrap_or(&&[][..]), latency)?;
            refused += u64::from(!shown.is_accepted);
        }
    }
    let count = messages.len();
    for (number, message) in (1..).zip(messages.iter().filter(|_| !args.as_batch)) {
        let begun = Instant::now();
        client.send(message).await.map_err(unavailable)?;
        refused += u64::from(!answers(&mut client, number, message, begun).await?);
    }
    client.close().await.map_err(unavailable)?;
    output::words(&format!("{count} sent, {refused} not accepted"));
    if refused == 0 { Ok(()) } else { Err(Failure::new(Exit::CheckFailed, "not every message was accepted")) }
}

/// A batch as it is, or messages with a batch around them.
fn enveloped(batch: Vec<u8>, count: usize) -> Vec<u8> {
    if batch.starts_with(b"BHS") || batch.starts_with(b"FHS") {
        return batch;
    }
    let trailer = format!("BTS|{count}\r");
    [b"BHS|^~\\&\r".as_slice(), &batch, trailer.as_bytes()].concat()
}

/// Waits for all that a message may get and shows each; `true` when nothing was refused and all that is sure to come came.
async fn answers(client: &mut Client, number: u64, message: &[u8], begun: Instant) -> Result<bool, Failure> {
    let mut due = Due::of(message);
    let (mut accepted, mut strays) = (true, 0_u32);
    if due.is_none() {
        output::line(&format!("{number:<7} -     no acknowledgment is asked for"))?;
    }
    for _ in 0..STRAYS_MAX {
        if due.is_none() {
            break;
        }
        let answer = match client.receive().await {
            Ok(answer) => answer,
            Err(mllp::Error::Timeout) if !due.is_sure() => {
                output::line(&format!(
                    "{number:<7} -     none came, and none is owed for the other outcome"
                ))?;
                break;
            }
            // What came was for another message: that is an answer, and not this one's.
            Err(_) if strays > 0 => {
                output::line(&format!("{number:<7} -     none of its own came"))?;
                return Ok(false);
            }
            Err(error) => return Err(Failure::because(Exit::Unavailable, &error)),
        };
        let shown = show(number, message, &answer, begun.elapsed())?;
        accepted &= shown.is_accepted;
        strays += u32::from(!shown.matches);
        due.note(&shown);
    }
    Ok(accepted)
}

/// What may still come for a message.
struct Due {
    commit: Option<AckCondition>,
    application: Option<AckCondition>,
}

impl Due {
    fn of(message: &[u8]) -> Self {
        let mode = Message::read(message).map(|message| AckMode::of(&message.header()));
        let wanted = |condition| (condition != AckCondition::Never).then_some(condition);
        match mode {
            Ok(AckMode::Enhanced { accept, application }) => {
                Self { commit: wanted(accept), application: wanted(application) }
            }
            // One answer comes to whatever is sent.
            Ok(AckMode::Original) | Err(_) => Self { commit: None, application: Some(AckCondition::Always) },
        }
    }

    fn is_none(&self) -> bool {
        self.commit.is_none() && self.application.is_none()
    }

    /// Something comes whatever becomes of the message.
    fn is_sure(&self) -> bool {
        self.commit == Some(AckCondition::Always) || self.application == Some(AckCondition::Always)
    }

    fn note(&mut self, shown: &Shown) {
        if !shown.matches {
            return;
        }
        // A commit acknowledgment that refuses ends the exchange, and so does an application acknowledgment.
        self.commit = None;
        if !shown.is_commit || !shown.is_accepted {
            self.application = None;
        }
    }
}

/// What a line of the table says.
struct Shown {
    matches: bool,
    is_commit: bool,
    is_accepted: bool,
}

/// One line of the table.
fn show(number: u64, message: &[u8], answer: &[u8], latency: Duration) -> Result<Shown, Failure> {
    let sent = Message::read(message).ok();
    let control_id = sent.as_ref().map(|sent| sent.header().control_id().raw().to_vec()).unwrap_or_default();
    let latency_ms = latency.as_secs_f64() * 1e3;
    match Acknowledgment::read(answer) {
        Ok(acknowledgment) => {
            let (code, matches) = (acknowledgment.code, acknowledgment.answers(&control_id));
            let error = acknowledgment.error.map_or("-", ErrorCode::code);
            output::line(&format!("{number:<7} {:<5} {matches:<8} {error:<6} {latency_ms:.2}", code.code()))?;
            let is_accepted = code.is_accept() && matches;
            // An answer without a control id is one to what could not be read.
            let matches = matches || acknowledgment.control_id.is_empty();
            Ok(Shown { matches, is_commit: code.is_commit(), is_accepted })
        }
        Err(error) => {
            output::line(&format!("{number:<7} {error}  {latency_ms:.2}"))?;
            Ok(Shown { matches: true, is_commit: false, is_accepted: false })
        }
    }
}

/// The message with these in MSH-15 and MSH-16; a message whose header cannot be read stays as it is.
fn asking(message: &[u8], accept: Option<AckAsked>, application: Option<AckAsked>) -> Vec<u8> {
    let (Ok(read), true) = (Message::read(message), accept.is_some() || application.is_some()) else {
        return message.to_vec();
    };
    let separator = read.delimiters().field;
    let end = message.iter().position(|byte| matches!(byte, b'\r' | b'\n')).unwrap_or(message.len());
    let (header, rest) = message.split_at(end);
    let mut fields: Vec<&[u8]> = header.split(|byte| *byte == separator).collect();
    // MSH-1 is the separator itself, so MSH-15 is the fifteenth part.
    fields.resize(fields.len().max(16), b"");
    for (at, asked) in [(14, accept), (15, application)] {
        if let (Some(field), Some(asked)) = (fields.get_mut(at), asked) {
            *field = asked.code().as_bytes();
        }
    }
    [&fields.join(&separator), rest].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_asks_as_told_and_stays_the_same_otherwise() {
        let short = b"MSH|^~\\&|A|B|||1||ADT^A01|ID|P|2.5.1\rPID|1\r";
        let asked = asking(short, Some(AckAsked::Always), None);
        assert_eq!(asked, b"MSH|^~\\&|A|B|||1||ADT^A01|ID|P|2.5.1|||AL|\rPID|1\r");
        let long = b"MSH|^~\\&|A|B|||1||ADT^A01|ID|P|2.5.1|||NE|NE||8859/1\nPID|1";
        let asked = asking(long, None, Some(AckAsked::SuccessOnly));
        assert_eq!(asked, b"MSH|^~\\&|A|B|||1||ADT^A01|ID|P|2.5.1|||NE|SU||8859/1\nPID|1");
        let read = Message::read(&asked).expect("readable");
        assert_eq!(read.header().application_acknowledgment(), Some(AckCondition::SuccessOnly));
        assert_eq!(asking(short, None, None), short);
        assert_eq!(asking(b"junk", Some(AckAsked::Always), None), b"junk");
    }

    #[test]
    fn what_is_waited_for_follows_what_came() {
        let of = |accept, application| Due { commit: Some(accept), application: Some(application) };
        let shown = |is_commit, is_accepted| Shown { matches: true, is_commit, is_accepted };
        let mut both = of(AckCondition::Always, AckCondition::ErrorOnly);
        assert!(both.is_sure());
        both.note(&shown(true, true));
        assert!(!both.is_none() && !both.is_sure());
        let mut refused = of(AckCondition::Always, AckCondition::Always);
        refused.note(&shown(true, false));
        assert!(refused.is_none());
        let mut other = of(AckCondition::Always, AckCondition::Always);
        other.note(&Shown { matches: false, is_commit: true, is_accepted: false });
        assert!(other.is_sure());
    }
}
