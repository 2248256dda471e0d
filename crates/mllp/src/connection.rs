//! One connection from its first byte to its close.

use std::future::Future;
use std::io;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::stream::FuturesOrdered;
use futures_util::{FutureExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::time::{Instant, sleep_until, timeout};

use crate::codec::{Decoder, Ending as FrameEnding, Event, Frame, Pending};
use crate::ending::{Ask, Ending};
use crate::events::{self, Closed};
use crate::framing::Commit;
use crate::handler::{Delivery, Handler, Peer, Refusal, Reply};
use crate::line::{Line, LineEnd};
use crate::queue::{Outbox, settle};
use crate::server::{Config, Outside};
use crate::stream::Stream;

/// Bytes asked for in one read: between frames, and within one.
const READ_BYTES_IDLE: usize = 8 * 1024;
const READ_BYTES_FRAME: usize = 64 * 1024;
/// How long a peer may still send, after a refusal, before the socket is closed under it: a close with unread bytes
/// resets the connection, and the reply could be lost.
const LINGER: Duration = Duration::from_secs(1);
/// The same for a peer that did nothing wrong and may not know yet that it is to stop.
const LINGER_DRAINING: Duration = Duration::from_millis(50);
/// How long an orderly close may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// What a handler made of one event. `reply` is `None` when it panicked.
struct Answer {
    reply: Option<Reply>,
    payload_bytes: usize,
    /// To a whole frame, which is committed in release 2 whatever is answered.
    is_of_frame: bool,
}

type Answering = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// What the timer is set for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    Write,
    Silence,
    Frame,
    Idle,
}

pub(crate) struct Connection<H> {
    peer: Arc<Peer>,
    handler: Arc<H>,
    config: Arc<Config>,
    reader: ReadHalf<Stream>,
    writer: WriteHalf<Stream>,
    decoder: Decoder,
    in_flight: FuturesOrdered<Answering>,
    in_flight_bytes: usize,
    outbox: Outbox,
    /// Frames outside of the ordered replies.
    line: LineEnd,
    /// The peer sends no more.
    at_end: bool,
    /// No more input is taken, for this reason.
    closing: Option<Closed>,
    /// No more replies go out.
    sealed: bool,
    draining: bool,
    was_reading: bool,
    frames: u64,
    has_warned: bool,
    undelivered: u64,
    frames_begun: u64,
    frame_began_at: Instant,
    last_read_at: Instant,
}

impl<H: Handler> Connection<H> {
    pub(crate) fn new(stream: Stream, mut peer: Peer, handler: Arc<H>, config: Arc<Config>) -> Self {
        let (reader, writer) = split(stream);
        let now = Instant::now();
        let (line, line_end) = Line::open();
        peer.line = line;
        Self {
            peer: Arc::new(peer),
            handler,
            decoder: Decoder::framed(config.limits, config.framing),
            outbox: Outbox::new(config.framing),
            config,
            reader,
            writer,
            in_flight: FuturesOrdered::new(),
            in_flight_bytes: 0,
            line: line_end,
            at_end: false,
            closing: None,
            sealed: false,
            draining: false,
            was_reading: false,
            frames: 0,
            has_warned: false,
            undelivered: 0,
            frames_begun: 0,
            frame_began_at: now,
            last_read_at: now,
        }
    }

    /// Serves the connection until it ends, which `ending` may ask for.
    pub(crate) async fn run(mut self, mut ending: Ending) {
        events::connection_opened(&self.peer);
        loop {
            self.take_input();
            let may_read = self.may_read();
            if !may_read && self.is_done() {
                break;
            }
            self.note_reading(may_read);
            let due = self.due(may_read);
            let wake_at = due.map_or_else(Instant::now, |(at, _)| at);
            tokio::select! {
                result = self.outbox.write(&mut self.writer), if !self.outbox.is_empty() => {
                    if result.is_err() {
                        self.break_off(Closed::WriteFailed);
                    }
                }
                Some(answer) = self.in_flight.next(), if !self.in_flight.is_empty() => self.take_answer(answer),
                Some(frame) = self.line.recv(), if self.takes_line() => self.take_line(frame),
                result = read(&mut self.reader, self.decoder.buffer()), if may_read => {
                    match result {
                        Ok(0) => self.at_end = true,
                        Ok(_) => self.last_read_at = Instant::now(),
                        Err(_) => self.break_off(Closed::ReadFailed),
                    }
                }
                () = sleep_until(wake_at), if due.is_some() => self.act_on(due),
                ask = ending.asked(), if !self.draining => self.take_ask(ask),
            }
        }
        self.close().await;
    }

    /// Hands events on while there is room, and after the last byte whatever the end decides.
    fn take_input(&mut self) {
        while self.closing.is_none() && self.has_room() {
            match self.decoder.next_event() {
                Some(event) => self.take_event(event, false),
                None if self.at_end => {
                    if let Some(event) = self.decoder.finish() {
                        self.take_event(event, true);
                    }
                    self.closing = self.closing.or(Some(Closed::ByPeer));
                }
                None => {
                    self.limit_junk();
                    break;
                }
            }
        }
    }

    /// Closes on a stream of bytes that never becomes a frame.
    fn limit_junk(&mut self) {
        let limit = u64::try_from(self.config.limits.junk_bytes_max).unwrap_or(u64::MAX);
        if matches!(self.decoder.pending(), Pending::Junk(count) if count > limit) {
            self.take_silence(true);
        }
    }

    fn take_silence(&mut self, closing: bool) {
        if let Some(event) = self.decoder.idle() {
            self.take_event(event, closing);
        }
    }

    fn take_event(&mut self, event: Event, closing: bool) {
        match event {
            Event::Frame(frame) => match self.config.framing.commit(&frame.payload) {
                Some(Commit::Accepted) => {}
                Some(Commit::Refused) => events::answer_not_committed(&self.peer),
                None => self.take_frame(frame),
            },
            Event::Junk { head, count } => {
                let is_unframed = self.frames == 0 && self.decoder.pending() == Pending::Nothing;
                let closing = closing || is_unframed && self.config.outside == Outside::Close;
                self.refuse(Refusal::Junk { head, count, closing }, closing);
            }
            Event::Truncated(payload) => self.refuse(Refusal::Truncated(payload), false),
            Event::Oversized { head, length_seen } => {
                self.refuse(Refusal::Oversized { head, length_seen }, true)
            }
        }
    }

    fn take_frame(&mut self, frame: Frame) {
        self.frames += 1;
        if frame.ending == FrameEnding::WithoutCr && !self.has_warned {
            events::frame_without_cr(&self.peer);
            self.has_warned = true;
        }
        let (handler, peer, payload_bytes) = (self.handler.clone(), self.peer.clone(), frame.payload.len());
        self.begin(payload_bytes, true, async move { handler.frame(&peer, frame).await });
    }

    /// Draining ends the connection once it is quiet. A connection that another one replaces is taken to be dead: what
    /// it has begun is a fragment.
    fn take_ask(&mut self, ask: Ask) {
        self.draining = true;
        if ask == Ask::Replaced {
            if let Some(event) = self.decoder.finish() {
                self.take_event(event, true);
            }
            self.closing = Some(Closed::Replaced);
        }
    }

    fn refuse(&mut self, refusal: Refusal, closing: bool) {
        if closing {
            self.closing = Some(Closed::Refused);
        }
        let (handler, peer) = (self.handler.clone(), self.peer.clone());
        self.begin(refusal.kept_bytes(), false, async move { handler.refused(&peer, refusal).await });
    }

    fn begin(
        &mut self,
        payload_bytes: usize,
        is_of_frame: bool,
        answering: impl Future<Output = Reply> + Send + 'static,
    ) {
        self.in_flight_bytes += payload_bytes;
        self.in_flight.push_back(Box::pin(async move {
            let reply = AssertUnwindSafe(answering).catch_unwind().await.ok();
            Answer { reply, payload_bytes, is_of_frame }
        }));
    }

    fn take_answer(&mut self, answer: Answer) {
        self.in_flight_bytes = self.in_flight_bytes.saturating_sub(answer.payload_bytes);
        self.last_read_at = self.last_read_at.max(Instant::now());
        let Some(reply) = answer.reply else {
            events::handler_panicked(&self.peer);
            return self.seal(Closed::HandlerPanicked);
        };
        if self.sealed {
            self.undelivered += u64::from(!reply.payloads.is_empty());
            return settle(reply.delivery, Delivery::Undelivered);
        }
        let close = reply.close;
        let reply = self.committed(reply, answer.is_of_frame);
        if !self.outbox.push(reply) {
            events::reply_not_encodable(&self.peer);
            return self.seal(Closed::HandlerPanicked);
        }
        if close {
            self.seal(Closed::ByHandler);
        }
    }

    /// In release 2 the commit block of a frame goes out before the answer to it.
    fn committed(&self, mut reply: Reply, is_of_frame: bool) -> Reply {
        let is_due = is_of_frame || !reply.payloads.is_empty();
        if self.config.framing.is_committed && is_due {
            let is_stored = is_of_frame && !reply.is_refused;
            let commit = if is_stored { Commit::Accepted } else { Commit::Refused };
            reply.payloads.insert(0, Bytes::copy_from_slice(&[commit.byte()]));
        }
        reply
    }

    /// A frame of the line that cannot be sent leaves no gap, unlike a reply: the next reply is still the next one's.
    fn take_line(&mut self, frame: Reply) {
        self.last_read_at = self.last_read_at.max(Instant::now());
        if self.sealed {
            self.undelivered += 1;
            return settle(frame.delivery, Delivery::Undelivered);
        }
        if !self.outbox.push(frame) {
            self.undelivered += 1;
            events::reply_not_encodable(&self.peer);
        }
    }

    /// Takes no more input and sends no more than what is queued.
    fn seal(&mut self, reason: Closed) {
        self.sealed = true;
        self.closing = self.closing.or(Some(reason));
    }

    /// The socket is of no use any more. Handlers still run to their end.
    fn break_off(&mut self, reason: Closed) {
        self.undelivered += self.outbox.fail();
        self.sealed = true;
        self.closing = Some(reason);
    }

    fn has_room(&self) -> bool {
        let waiting = self.in_flight.len() + self.outbox.len();
        let bytes_fit =
            self.in_flight.is_empty() || self.in_flight_bytes <= self.config.limits.frame_bytes_max;
        waiting < self.config.in_flight_max.max(1) && bytes_fit
    }

    fn takes_line(&self) -> bool {
        self.sealed || self.outbox.len() < self.config.in_flight_max.max(1)
    }

    /// While draining, only a frame that has begun is read to its end.
    fn may_read(&self) -> bool {
        let open = self.closing.is_none() && !self.at_end && self.has_room();
        open && (!self.draining || !matches!(self.decoder.pending(), Pending::Nothing | Pending::Junk(_)))
    }

    fn is_done(&self) -> bool {
        let input_ended = self.closing.is_some() || self.draining && self.has_room();
        input_ended && self.in_flight.is_empty() && self.outbox.is_empty() && self.line.is_empty()
    }

    /// Keeps the clocks of frame and silence, which stand still while nothing is read.
    fn note_reading(&mut self, may_read: bool) {
        let now = Instant::now();
        if may_read && !self.was_reading {
            (self.frame_began_at, self.last_read_at) = (now, now);
        }
        self.was_reading = may_read;
        let begun = self.decoder.frames_begun();
        if begun != self.frames_begun {
            (self.frames_begun, self.frame_began_at) = (begun, now);
        }
        if may_read {
            let pending = self.decoder.pending();
            let want = if pending == Pending::Nothing { READ_BYTES_IDLE } else { READ_BYTES_FRAME };
            let buffer = self.decoder.buffer();
            if buffer.capacity() - buffer.len() < want / 2 {
                buffer.reserve(want);
            }
        }
    }

    /// The next thing that time decides.
    fn due(&self, may_read: bool) -> Option<(Instant, Due)> {
        let config = &self.config;
        let write =
            (!self.outbox.is_empty()).then(|| (self.outbox.progress_at() + config.write_timeout, Due::Write));
        let quiet = self.in_flight.is_empty() && self.outbox.is_empty();
        let read = match self.decoder.pending() {
            _ if !may_read => None,
            Pending::FrameEnd | Pending::Junk(_) => {
                Some((self.last_read_at + config.end_timeout, Due::Silence))
            }
            Pending::Frame | Pending::Rest => Some((self.frame_began_at + config.frame_timeout, Due::Frame)),
            Pending::Nothing if quiet => {
                config.idle_timeout.map(|idle| (self.last_read_at + idle, Due::Idle))
            }
            Pending::Nothing => None,
        };
        write.into_iter().chain(read).min_by_key(|(at, _)| *at)
    }

    fn act_on(&mut self, due: Option<(Instant, Due)>) {
        match due {
            // The deadline was set before the last bytes went out, if any went out meanwhile.
            Some((_, Due::Write))
                if self.outbox.progress_at() + self.config.write_timeout > Instant::now() => {}
            Some((_, Due::Write)) => self.break_off(Closed::WriteTimeout),
            Some((_, Due::Silence)) => self.take_silence(false),
            Some((_, Due::Frame)) => {
                let payload = match self.decoder.finish() {
                    Some(Event::Truncated(payload)) => payload,
                    _ => bytes::Bytes::new(),
                };
                self.refuse(Refusal::FrameTimeout(payload), false);
                self.closing = Some(Closed::FrameTimeout);
            }
            Some((_, Due::Idle)) => self.closing = Some(Closed::Idle),
            None => {}
        }
    }

    async fn close(mut self) {
        // What came in since the last look; from here on a sender is told at once.
        self.line.close();
        while let Ok(frame) = self.line.try_recv() {
            self.undelivered += 1;
            settle(frame.delivery, Delivery::Undelivered);
        }
        let reason = self.closing.unwrap_or(Closed::Draining);
        events::connection_closed(&self.peer, reason, self.frames, self.undelivered);
        // Failing to close in order changes nothing: every reply is settled.
        drop(timeout(CLOSE_TIMEOUT, self.writer.shutdown()).await);
        let linger = match reason {
            Closed::Refused | Closed::FrameTimeout | Closed::ByHandler => LINGER,
            Closed::Draining | Closed::Replaced | Closed::HandlerPanicked => LINGER_DRAINING,
            Closed::ByPeer
            | Closed::Idle
            | Closed::WriteTimeout
            | Closed::WriteFailed
            | Closed::ReadFailed => return,
        };
        drop(timeout(linger, self.discard()).await);
    }

    async fn discard(&mut self) {
        let mut sink = vec![0; READ_BYTES_FRAME];
        while matches!(self.reader.read(&mut sink).await, Ok(count) if count > 0) {}
    }
}

/// May be dropped and called again: what was not read stays in the socket.
async fn read(reader: &mut ReadHalf<Stream>, buffer: &mut BytesMut) -> io::Result<usize> {
    reader.read_buf(&mut buffer.limit(READ_BYTES_FRAME)).await
}
