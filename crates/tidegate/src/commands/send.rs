//! `tidegate send`: sends messages over MLLP and shows each acknowledgment with its latency.

use std::time::{Duration, Instant};

use hl7v2::acknowledgment::Acknowledgment;
use mllp::{Client, ClientConfig};

use super::{input, output};
use crate::cli::SendArgs;
use crate::{Exit, Failure};

const EXTENSIONS: [&str; 3] = ["hl7", "er7", "txt"];

/// Runs the command.
pub async fn run(args: SendArgs) -> Result<(), Failure> {
    let mut messages = Vec::new();
    input::each(&args.files, &EXTENSIONS, |input| {
        messages.extend(hl7v2::batch::messages(&input.bytes).map(<[u8]>::to_vec));
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
    for (number, message) in (1..).zip(&messages) {
        let begun = Instant::now();
        let answer = client.exchange(message).await.map_err(unavailable)?;
        refused += u64::from(!show(number, message, &answer, begun.elapsed())?);
    }
    client.close().await.map_err(unavailable)?;
    output::words(&format!("{} sent, {refused} not accepted", messages.len()));
    if refused == 0 { Ok(()) } else { Err(Failure::new(Exit::CheckFailed, "not every message was accepted")) }
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
