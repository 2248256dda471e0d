//! The limits of the reader. Beyond them a message is [`crate::Unreadable`], never read in part.

/// Bytes in one message. Offsets are `u32`; listeners set a lower limit of their own.
pub const MAX_MESSAGE_BYTES: usize = 256 * 1024 * 1024;
/// Lines in one message.
pub const MAX_SEGMENTS: usize = 262_144;
/// Fields in one segment.
pub const MAX_FIELDS: usize = 4_096;
/// Repetitions in one field. Finding the n-th takes n steps, so the limit also bounds a walk by number.
pub const MAX_REPETITIONS: usize = 10_000;
/// Components, or subcomponents, in one field (a waveform is one field of many).
pub const MAX_COMPONENTS: usize = 65_534;
/// Characters that one formatting escape (`\.sp9\`) may add.
pub const MAX_FORMAT_REPEAT: usize = 100;
/// Depth of the group grammar of a message structure.
pub const MAX_GROUP_DEPTH: usize = 16;
