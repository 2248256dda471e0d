//! `tidegate send`: sends messages over MLLP and shows each acknowledgment with its latency.

use std::time::{Duration, Instant};

use hl7v2::acknowledgment::Acknowledgment;
use hl7v2::batch::PieceKind;
use mllp::{Client, ClientConfig};

use super::{input, output};
use crate::cli::SendArgs;
use crate::{Exit, Failure};

const EXTENSIONS: [&str; 3] = ["hl7", "er7", "txt"];

/// Runs the command.
pub async fn run(args: SendArgs) -> Result<(), Failure> {
    let (mut messages, mut batch) = (Vec::new(), Vec::new());
    input::each(&args.files, &EXTENSIONS, |input| {
        messages.extend(hl7v2::batch::messages(&input.bytes).map(<[u8]>::to_vec));
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
            refused += u64::from(!show(number, message, answers.get(at).unwrap_or(&&[][..]), latency)?);
        }
    }
    let count = messages.len();
    for (number, message) in (1..).zip(messages.iter().filter(|_| !args.as_batch)) {
        let begun = Instant::now();
        let answer = client.exchange(message).await.map_err(unavailable)?;
        refused += u64::from(!show(number, message, &answer, begun.elapsed())?);
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

/// One line of the table; `true` when the message was accepted under its own control id.
fn show(number: u64, message: &[u8], answer: &[u8], latency: Duration) -> Result<bool, Failure> {
    let sent = hl7v2::Message::read(message).ok();
    let control_id = sent.as_ref().map(|sent| sent.header().control_id().raw().to_vec()).unwrap_or_default();
    let latency_ms = latency.as_secs_f64() * 1e3;
    match Acknowledgment::read(answer) {
        Ok(acknowledgment) => {
            let (code, matches) = (acknowledgment.code.code(), acknowledgment.answers(&control_id));
            let error = acknowledgment.error.map_or("-", hl7v2::acknowledgment::ErrorCode::code);
            output::line(&format!("{number:<7} {code:<5} {matches:<8} {error:<6} {latency_ms:.2}"))?;
            Ok(acknowledgment.code.is_accept() && matches)
        }
        Err(error) => {
            output::line(&format!("{number:<7} {error}  {latency_ms:.2}"))?;
            Ok(false)
        }
    }
}
