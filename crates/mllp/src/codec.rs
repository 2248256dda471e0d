//! Framing, without I/O and without clocks.

use std::fmt;

use bytes::{Buf, Bytes, BytesMut};
use memchr::{memchr, memchr2};

use crate::framing::Framing;

/// A larger buffer is let go with the payload that it held, so that an idle connection holds little.
const BUFFER_KEPT_BYTES: usize = 16 * 1024;

/// From here on a buffer grows fourfold and not twofold: what it outgrows is copied, and the allocator keeps it for a
/// while. Room that was never written to costs no memory.
const LARGE_BYTES: usize = 1 << 20;
/// A large buffer grows before it has less room than this.
const ROOM_BYTES: usize = 64 * 1024;
/// A payload longer than this gets all the room that it may ever take: what is not written costs nothing, and each buffer that
/// is outgrown is copied and lies about for a while.
const DOCUMENT_BYTES: usize = 4 << 20;

/// Bounds of what a [`Decoder`] keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest payload, in bytes.
    pub frame_bytes_max: usize,
    /// How much of an oversized payload is kept, so that it can be answered, in bytes.
    pub head_bytes_max: usize,
    /// How much of what is no frame is kept, in bytes.
    pub junk_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { frame_bytes_max: 16 * 1024 * 1024, head_bytes_max: 4 * 1024, junk_bytes_max: 64 * 1024 }
    }
}

/// What a byte stream holds. `Debug` shows sizes only.
#[derive(Clone, PartialEq, Eq)]
pub enum Event {
    /// A frame.
    Frame(Frame),
    /// Bytes outside of frames; line breaks before them are passed over.
    Junk {
        /// The first of them.
        head: Bytes,
        /// How many there were.
        count: u64,
    },
    /// The payload of a frame that broke off: another frame began in its midst, or the stream ended.
    Truncated(Bytes),
    /// A payload over the limit. The rest of the frame is passed over.
    Oversized {
        /// The first bytes of the payload.
        head: Bytes,
        /// Bytes of the payload seen when the limit was passed: the limit and one.
        length_seen: u64,
    },
}

/// One frame's payload. `Debug` shows its size only.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    /// The bytes between its start and its end.
    pub payload: Bytes,
    /// How it ended.
    pub ending: Ending,
}

/// How a frame ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// FS CR, as the standard has it, or what the framing says instead.
    Complete,
    /// FS alone: the next frame, silence or the end of the stream followed. Worth a warning to the sender's owner.
    WithoutCr,
}

/// What a [`Decoder`] is in the midst of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pending {
    /// Nothing: between frames.
    Nothing,
    /// So many bytes that are in no frame.
    Junk(u64),
    /// A frame whose end has not come.
    Frame,
    /// A frame after its FS, CR outstanding.
    FrameEnd,
    /// The rest of an oversized frame.
    Rest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Between,
    InFrame,
    InRest,
}

/// Turns bytes into [`Event`]s. Feed it by [`Decoder::push`] or [`Decoder::buffer`], then call
/// [`Decoder::next_event`] until it gives `None`.
pub struct Decoder {
    limits: Limits,
    framing: Framing,
    state: State,
    /// In a frame: its payload so far and what follows. Else: what has not been looked at.
    buffer: BytesMut,
    /// Bytes at the start of the buffer that are known to be payload; scanning resumes here.
    scanned: usize,
    junk: BytesMut,
    junk_count: u64,
    frames_begun: u64,
}

impl Decoder {
    /// A decoder at the start of a stream of release 1.
    pub fn new(limits: Limits) -> Self {
        Self::framed(limits, Framing::RELEASE_1)
    }

    /// A decoder at the start of a stream with these frame bytes.
    pub fn framed(limits: Limits, framing: Framing) -> Self {
        Self {
            limits,
            framing,
            state: State::Between,
            buffer: BytesMut::new(),
            scanned: 0,
            junk: BytesMut::new(),
            junk_count: 0,
            frames_begun: 0,
        }
    }

    /// Adds bytes of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The buffer to read into; only append to it.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// How many frames have begun so far.
    pub fn frames_begun(&self) -> u64 {
        self.frames_begun
    }

    /// What the bytes so far leave open, once [`Decoder::next_event`] has given `None`.
    pub fn pending(&self) -> Pending {
        match self.state {
            State::Between if self.junk_count > 0 => Pending::Junk(self.junk_count),
            State::Between => Pending::Nothing,
            State::InFrame if self.has_end() => Pending::FrameEnd,
            State::InFrame => Pending::Frame,
            State::InRest => Pending::Rest,
        }
    }

    /// The next event of the bytes so far.
    pub fn next_event(&mut self) -> Option<Event> {
        loop {
            let event = match self.state {
                State::Between => self.seek_frame()?,
                State::InFrame => self.scan_frame()?,
                State::InRest => self.skip_rest()?,
            };
            if event.is_some() {
                return event;
            }
        }
    }

    /// What silence decides: a frame whose CR does not come is delivered, and junk is reported. Call it when
    /// [`Decoder::next_event`] gave `None` and nothing has arrived for a while.
    pub fn idle(&mut self) -> Option<Event> {
        match self.pending() {
            Pending::FrameEnd => Some(self.take_frame(self.scanned, Ending::WithoutCr, 1)),
            Pending::Junk(_) => self.take_junk(),
            Pending::Nothing | Pending::Frame | Pending::Rest => None,
        }
    }

    /// What the end of the stream decides; the decoder is then at the start again.
    pub fn finish(&mut self) -> Option<Event> {
        let event = match self.pending() {
            Pending::Frame => {
                self.state = State::Between;
                Some(Event::Truncated(self.buffer.split().freeze()))
            }
            _ => self.idle(),
        };
        self.state = State::Between;
        self.buffer.clear();
        self.scanned = 0;
        event
    }

    /// The FS of this frame is the last byte there is.
    fn has_end(&self) -> bool {
        self.buffer.get(self.scanned) == Some(&self.framing.end) && self.scanned + 1 == self.buffer.len()
    }

    /// Outside of frames: passes over line breaks, keeps junk, enters a frame at its start byte. `None`: needs more bytes.
    fn seek_frame(&mut self) -> Option<Option<Event>> {
        if self.junk_count == 0 {
            let breaks = self.buffer.iter().take_while(|byte| matches!(**byte, b'\r' | b'\n')).count();
            self.buffer.advance(breaks);
        }
        let start = memchr(self.framing.start, &self.buffer);
        let junk = start.unwrap_or(self.buffer.len());
        if junk > 0 {
            self.keep_junk(junk);
        }
        start?;
        self.buffer.advance(1);
        self.begin_frame();
        Some(self.take_junk())
    }

    fn keep_junk(&mut self, length: usize) {
        let kept = length.min(self.limits.junk_bytes_max.saturating_sub(self.junk.len()));
        self.junk.extend(self.buffer.iter().take(kept));
        self.junk_count += u64::try_from(length).unwrap_or(u64::MAX);
        self.buffer.advance(length);
    }

    fn take_junk(&mut self) -> Option<Event> {
        let count = std::mem::take(&mut self.junk_count);
        (count > 0).then(|| Event::Junk { head: self.junk.split().freeze(), count })
    }

    fn begin_frame(&mut self) {
        self.state = State::InFrame;
        self.scanned = 0;
        self.frames_begun += 1;
    }

    /// In a frame: looks for its end from where the last look ended. `None`: needs more bytes.
    fn scan_frame(&mut self) -> Option<Option<Event>> {
        let unseen = self.buffer.get(self.scanned..)?;
        let Framing { start, end, after_end, .. } = self.framing;
        let Some(found) = memchr2(start, end, unseen) else {
            self.scanned = self.buffer.len();
            if self.scanned > self.limits.frame_bytes_max {
                return Some(Some(self.give_up()));
            }
            self.make_room();
            return None;
        };
        self.scanned += found;
        if self.scanned > self.limits.frame_bytes_max {
            return Some(Some(self.give_up()));
        }
        if self.buffer.get(self.scanned) == Some(&start) {
            return Some(self.restart());
        }
        let Some(after_end) = after_end else {
            return Some(Some(self.take_frame(self.scanned, Ending::Complete, 1)));
        };
        match self.buffer.get(self.scanned + 1) {
            None => None,
            Some(next) if *next == after_end => {
                Some(Some(self.take_frame(self.scanned, Ending::Complete, 2)))
            }
            Some(next) if *next == start => Some(Some(self.take_frame(self.scanned, Ending::WithoutCr, 1))),
            // A lone end byte is payload.
            Some(_) => {
                self.scanned += 1;
                Some(None)
            }
        }
    }

    /// Room for more of a large payload, as far as the limit lets it grow.
    fn make_room(&mut self) {
        let length = self.buffer.len();
        if length >= LARGE_BYTES && self.buffer.capacity() - length < ROOM_BYTES {
            let left = self.limits.frame_bytes_max.saturating_sub(length);
            let more = if length >= DOCUMENT_BYTES { left } else { left.min(3 * length) };
            self.buffer.reserve(more + ROOM_BYTES);
        }
    }

    fn take_frame(&mut self, length: usize, ending: Ending, end_length: usize) -> Event {
        let payload = self.buffer.split_to(length).freeze();
        self.buffer.advance(end_length);
        if self.buffer.is_empty() && length.max(self.buffer.capacity()) > BUFFER_KEPT_BYTES {
            self.buffer = BytesMut::new();
        }
        self.state = State::Between;
        self.scanned = 0;
        Event::Frame(Frame { payload, ending })
    }

    /// A start in the midst of a frame: what came before is another, broken message. Two starts are one.
    fn restart(&mut self) -> Option<Event> {
        let fragment = self.buffer.split_to(self.scanned).freeze();
        self.buffer.advance(1);
        self.begin_frame();
        (!fragment.is_empty()).then_some(Event::Truncated(fragment))
    }

    fn give_up(&mut self) -> Event {
        let kept = self.limits.head_bytes_max.min(self.buffer.len()).min(self.limits.frame_bytes_max);
        let head = Bytes::copy_from_slice(self.buffer.get(..kept).unwrap_or_default());
        self.buffer.advance(self.scanned.min(self.buffer.len()));
        self.scanned = 0;
        self.state = State::InRest;
        let length_seen =
            u64::try_from(self.limits.frame_bytes_max).map_or(u64::MAX, |max| max.saturating_add(1));
        Event::Oversized { head, length_seen }
    }

    /// The rest of an oversized frame: to its end, or to the start of another. `None`: needs more bytes.
    fn skip_rest(&mut self) -> Option<Option<Event>> {
        let Framing { start, end, after_end, .. } = self.framing;
        let Some(found) = memchr2(start, end, &self.buffer) else {
            self.buffer.clear();
            return None;
        };
        self.buffer.advance(found);
        if self.buffer.first() == Some(&start) {
            self.state = State::Between;
            return Some(None);
        }
        let ends = match (after_end, self.buffer.get(1)) {
            (None, _) => 1,
            (Some(_), None) => return None,
            (Some(after_end), Some(next)) if *next == after_end => 2,
            // A lone end byte is payload.
            (Some(_), Some(_)) => {
                self.buffer.advance(1);
                return Some(None);
            }
        };
        self.buffer.advance(ends);
        self.state = State::Between;
        Some(None)
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (pending, buffered) = (self.pending(), self.buffer.len());
        f.debug_struct("Decoder")
            .field("pending", &pending)
            .field("buffered_bytes", &buffered)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame({} bytes, {:?})", self.payload.len(), self.ending)
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frame(frame) => frame.fmt(f),
            Self::Junk { head, count } => write!(f, "Junk({count} bytes, {} kept)", head.len()),
            Self::Truncated(payload) => write!(f, "Truncated({} bytes)", payload.len()),
            Self::Oversized { head, .. } => write!(f, "Oversized({} bytes kept)", head.len()),
        }
    }
}
