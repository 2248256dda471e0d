//! Framing: however a stream is cut, the same frames come of it, and none is longer than allowed.

use mllp::{Cidr, Decoder, Event, Limits};

use super::{Target, Verdict, holds, texts};

/// The frame decoder.
pub const DECODER: Target = Target {
    name: "decoder",
    covers: &["mllp/src/codec.rs"],
    seeds: || {
        let mut seeds =
            texts(&["\x0BA\x1C\r\x0BB\x1C\r", "junk\x0B\x1C\r", "\x0BA\x1C\x0BB\x1C\r\n", "MSH|a\rPID|1\r"]);
        seeds.extend(
            crate::seeds::messages().into_iter().take(8).map(|one| [b"\x0B", &one[..], b"\x1C\r"].concat()),
        );
        seeds
    },
    words: &[b"\x0B", b"\x1C", b"\x1C\r", b"\x0BMSH|", b"\r", b"\n", b"\x1C\x1C"],
    short: 4_000,
    prepare: || Box::new(decoded_alike),
};

/// Allowed networks of a listener.
pub const ADDRESSES: Target = Target {
    name: "addresses",
    covers: &["mllp/src/cidr.rs"],
    seeds: || texts(&["10.0.0.0/8", "192.0.2.1", "2001:db8::/32", "::ffff:192.0.2.0/120", "0.0.0.0/0"]),
    words: &[b"/", b"::", b".", b"32", b"128", b"ffff"],
    short: 4_000,
    prepare: || Box::new(networks),
};

const LIMITS: Limits = Limits { frame_bytes_max: 2048, head_bytes_max: 64, junk_bytes_max: 64 };

fn decoded_alike(input: &[u8]) -> Verdict {
    let whole = events(input, input.len().max(1));
    for size in [1, 3, 64] {
        holds(events(input, size) == whole, "another cutting of the stream gives other events")?;
    }
    let within = whole.iter().all(|event| match event {
        Event::Frame(frame) => frame.payload.len() <= LIMITS.frame_bytes_max,
        Event::Truncated(payload) => payload.len() <= LIMITS.frame_bytes_max,
        Event::Junk { head, .. } | Event::Oversized { head, .. } => head.len() <= LIMITS.head_bytes_max,
    });
    holds(within, "an event is longer than its limit")
}

fn events(input: &[u8], size: usize) -> Vec<Event> {
    let mut decoder = Decoder::new(LIMITS);
    let mut found = Vec::new();
    for chunk in input.chunks(size) {
        decoder.push(chunk);
        found.extend(std::iter::from_fn(|| decoder.next_event()));
    }
    found.extend(decoder.finish());
    found
}

fn networks(input: &[u8]) -> Verdict {
    let text = String::from_utf8_lossy(input);
    let Ok(network) = text.parse::<Cidr>() else { return Ok(()) };
    let address = text.split('/').next().and_then(|address| address.parse::<std::net::IpAddr>().ok());
    // A mapped address counts as the IPv4 address that it is, which no IPv6 network holds.
    let address = address.filter(|address| address.to_canonical() == *address);
    holds(address.is_none_or(|address| network.contains(address)), "a network does not hold its own address")
}
