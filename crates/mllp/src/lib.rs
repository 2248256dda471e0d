//! MLLP (HL7 Version 2 Transport: Minimal Lower Layer Protocol, release 1): a byte stream into frames and back.
//!
//! A frame is `VT payload FS CR`, or what a [`Framing`] says instead; in release 2 each frame is committed by a block. The
//! crate knows these bytes, sockets and TLS, and must never know HL7: it does
//! not read a payload, does not log one, and does not decide what an acknowledgment says.
//!
//! - [`Decoder`] and [`encode`]: pure framing. Linear in the bytes, bounded in memory, the same events however the bytes
//!   are cut into reads. A frame that a sender began again is never spliced to the one it broke off.
//! - [`Listener`]: accepts connections within limits and hands frames to a [`Handler`], many in flight, answered in
//!   order; says of each answer whether it went out. What is answered later goes by the [`Line`] of its [`Peer`].
//! - [`Client`]: sends frames and waits for the replies; matching a reply to a message is the caller's.
//!
//! ```
//! use mllp::{Decoder, Event, Limits, encode};
//! let mut wire = bytes::BytesMut::new();
//! encode(b"MSH|^~\\&|", &mut wire).expect("no frame byte inside");
//! let mut decoder = Decoder::new(Limits::default());
//! decoder.push(&wire);
//! let Some(Event::Frame(frame)) = decoder.next_event() else { panic!("a frame") };
//! assert_eq!(&frame.payload[..], b"MSH|^~\\&|");
//! ```

mod cidr;
mod client;
mod codec;
mod connection;
mod ending;
mod error;
mod events;
mod framing;
mod handler;
mod line;
mod queue;
mod server;
mod stream;
mod tls;

pub use cidr::Cidr;
pub use client::{Client, ClientConfig, WINDOW_MAX};
pub use codec::{Decoder, Ending, Event, Frame, Limits, Pending};
pub use error::{Error, TlsFailure};
pub use framing::{Framing, encode};
pub use handler::{ConnectionRefusal, Delivery, Handler, Peer, Refusal, Reply};
pub use line::{LINE_FRAMES_MAX, Line};
pub use server::{Config, Drained, Listener, Outside, SamePeer};
pub use tls::{ClientTls, PeerCertificate, ServerTls};
