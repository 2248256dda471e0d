//! What must hold of the listeners: addresses that stand once, bytes that can frame, times that make sense.

use super::{Framing, Mllp, Problem};

/// Longest keepalive, in seconds: firewalls forget a silent connection after some minutes, and nobody would know.
const KEEPALIVE_SECONDS_MAX: u64 = 180;
/// Longest of the other times, in seconds.
const SECONDS_MAX: u64 = 86_400;
/// Longest silence at the end of a frame, in milliseconds; the sender waits for its answer as long.
const SILENCE_MS_MAX: u64 = 60_000;

/// The bytes of a framing: start, end, what follows it.
pub type FrameBytes = (u8, u8, Option<u8>);

impl Framing {
    /// Its bytes, when each is two hex digits.
    #[must_use]
    pub fn bytes(&self) -> Option<FrameBytes> {
        let after_end = match self.after_end.as_str() {
            "" => None,
            digits => Some(byte(digits)?),
        };
        Some((byte(&self.start)?, byte(&self.end)?, after_end))
    }
}

fn byte(digits: &str) -> Option<u8> {
    let is_hex = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_hex.then(|| u8::from_str_radix(digits, 16).ok()).flatten()
}

/// What is wrong with the channels.
pub fn check(channels: &[Mllp], place: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (at, channel) in channels.iter().enumerate() {
        let mut wrong = |key: &str, cause: &str, fix: &str| {
            let place = format!("{place}: mllp.{}{key}", channel.name);
            problems.push(Problem { place, cause: cause.to_owned(), fix: fix.to_owned() });
        };
        let before = channels.get(..at).unwrap_or_default();
        if before.iter().any(|other| other.listen == channel.listen) {
            wrong(
                ".listen",
                "is the address of another channel too",
                "give each channel an address of its own",
            );
        }
        check_framing(&channel.framing, &mut wrong);
        check_times(channel, &mut wrong);
        for (key, value) in [
            (".frame_bytes_max", channel.frame_bytes_max),
            (".connections_max", channel.connections_max),
            (".in_flight_max", channel.in_flight_max),
        ] {
            if value == 0 {
                wrong(key, "lets nothing in", "use 1 or more");
            }
        }
    }
    problems
}

/// Can messages be read in the character set of this label? A portal has no channels, and no reader of HL7 v2.
pub(super) fn is_charset(label: &str) -> bool {
    #[cfg(feature = "clinical")]
    let is_known = hl7v2::Charset::from_label(label).is_some();
    #[cfg(not(feature = "clinical"))]
    let is_known = !label.is_empty();
    is_known
}

fn check_framing(framing: &Framing, wrong: &mut impl FnMut(&str, &str, &str)) {
    if !matches!(framing.release, 1 | 2) {
        wrong(
            ".framing.release",
            "is no release of MLLP",
            "use 1, or 2 when the sender waits for commit blocks",
        );
    }
    if framing.bytes().is_none() {
        let fix = "write each byte as two hex digits in quotes, as \"0B\"; `after_end` may be \"\"";
        wrong(".framing", "has bytes that are no hex digits", fix);
    }
}

fn check_times(channel: &Mllp, wrong: &mut impl FnMut(&str, &str, &str)) {
    if !(1..=KEEPALIVE_SECONDS_MAX).contains(&channel.keepalive_seconds) {
        let cause = "would let a firewall forget the connection, or probe without pause";
        wrong(".keepalive_seconds", cause, "use 1 to 180");
    }
    if !(1..=SILENCE_MS_MAX).contains(&channel.end_silence_ms) {
        wrong(".end_silence_ms", "is no time that a sender waits", "use 1 to 60000");
    }
    for (key, seconds) in [
        (".frame_seconds_max", Some(channel.frame_seconds_max)),
        (".write_seconds_max", Some(channel.write_seconds_max)),
        (".idle_seconds_max", channel.idle_seconds_max),
    ] {
        if seconds.is_some_and(|seconds| !(1..=SECONDS_MAX).contains(&seconds)) {
            wrong(key, "is no time that a connection can wait", "use 1 to 86400");
        }
    }
}
