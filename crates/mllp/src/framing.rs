//! Which bytes begin and end a frame.

use bytes::BytesMut;
use memchr::memchr2;

use crate::Error;

/// Start of a frame, in the standard.
const VT: u8 = 0x0B;
/// First byte of a frame's end, in the standard.
const FS: u8 = 0x1C;
/// Second byte of a frame's end, in the standard.
const CR: u8 = 0x0D;
const LF: u8 = 0x0A;
const TAB: u8 = 0x09;
/// First byte that may be part of text in any character set.
const SPACE: u8 = 0x20;

/// The bytes of a frame, and whether frames are committed (MLLP release 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Framing {
    pub(crate) start: u8,
    pub(crate) end: u8,
    pub(crate) after_end: Option<u8>,
    pub(crate) is_committed: bool,
}

/// The payload of a commit block (HL7 Transport Specification: MLLP, release 2, section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Commit {
    /// ACK: the content is in safe storage.
    Accepted,
    /// NAK: it is not.
    Refused,
}

impl Framing {
    /// Release 1, as nearly everybody speaks it: `VT payload FS CR`.
    pub const RELEASE_1: Self = Self { start: VT, end: FS, after_end: Some(CR), is_committed: false };

    /// Bytes of a site's own. `after_end: None`: the end byte alone ends a frame, and a payload cannot hold it.
    ///
    /// # Errors
    /// [`Error::Framing`] when one of them can be text, ends a segment, or stands twice.
    pub fn new(start: u8, end: u8, after_end: Option<u8>) -> Result<Self, Error> {
        let is_apart = |byte: u8| byte < SPACE && ![CR, LF, TAB].contains(&byte);
        let follows = after_end.is_none_or(|byte| byte < SPACE && byte != start && byte != end);
        let is_right = is_apart(start) && is_apart(end) && start != end && follows;
        is_right.then_some(Self { start, end, after_end, is_committed: false }).ok_or(Error::Framing)
    }

    /// The same with a commit block for each frame, as release 2 has it.
    ///
    /// # Errors
    /// [`Error::Framing`] when a frame's byte is one of a commit block, or the end byte stands alone.
    pub fn committed(self) -> Result<Self, Error> {
        let blocks = [Commit::Accepted.byte(), Commit::Refused.byte()];
        let bytes = [Some(self.start), Some(self.end), self.after_end];
        let is_right = self.after_end.is_some() && !bytes.iter().flatten().any(|byte| blocks.contains(byte));
        is_right.then_some(Self { is_committed: true, ..self }).ok_or(Error::Framing)
    }

    /// Appends `payload` as one frame.
    ///
    /// # Errors
    /// [`Error::NotEncodable`] when the payload holds the start or the end byte: a receiver would see another frame than
    /// the one meant.
    pub fn encode(&self, payload: &[u8], wire: &mut BytesMut) -> Result<(), Error> {
        if memchr2(self.start, self.end, payload).is_some() {
            return Err(Error::NotEncodable);
        }
        wire.reserve(payload.len() + 3);
        wire.extend_from_slice(&[self.start]);
        wire.extend_from_slice(payload);
        wire.extend_from_slice(&[self.end]);
        wire.extend(self.after_end);
        Ok(())
    }

    /// What a payload says about one that was sent, when it is a commit block.
    pub(crate) fn commit(&self, payload: &[u8]) -> Option<Commit> {
        let &[byte] = payload else { return None };
        let commits = [Commit::Accepted, Commit::Refused];
        commits.into_iter().find(|commit| self.is_committed && commit.byte() == byte)
    }
}

impl Default for Framing {
    fn default() -> Self {
        Self::RELEASE_1
    }
}

impl Commit {
    pub(crate) const fn byte(self) -> u8 {
        match self {
            Self::Accepted => 0x06,
            Self::Refused => 0x15,
        }
    }
}

/// Appends `payload` as one frame of release 1.
///
/// # Errors
/// As [`Framing::encode`].
pub fn encode(payload: &[u8], wire: &mut BytesMut) -> Result<(), Error> {
    Framing::RELEASE_1.encode(payload, wire)
}
