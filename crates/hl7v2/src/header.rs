//! The header segment, MSH.

use std::borrow::Cow;

use crate::dictionary;
use crate::timestamp::{Offset, Timestamp};
use crate::{Part, SegmentRef};

/// A view of MSH; `Copy`, borrows the message.
#[derive(Clone, Copy)]
pub struct Header<'a> {
    segment: SegmentRef<'a>,
}

/// MSH-10 as sent, byte for byte. Its `Debug` prints the length only.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ControlId<'a> {
    raw: &'a [u8],
}

impl<'a> ControlId<'a> {
    /// The bytes as sent.
    #[must_use]
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// The bytes as text for keys and screens, undecoded escapes and all; U+FFFD where they are no UTF-8.
    #[must_use]
    pub fn text(&self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.raw)
    }

    /// True when MSH-10 is missing, blank or null.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.raw == b"\"\"" || self.raw.iter().all(u8::is_ascii_whitespace)
    }
}

impl std::fmt::Debug for ControlId<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ControlId").field("bytes", &self.raw.len()).finish()
    }
}

/// When the sender wants an acknowledgment (table 0155, MSH-15 and MSH-16).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AckCondition {
    /// `AL`: always.
    Always,
    /// `NE`: never.
    Never,
    /// `ER`: on error or reject only.
    ErrorOnly,
    /// `SU`: on success only.
    SuccessOnly,
}

impl AckCondition {
    /// The condition of a code; none for an unknown code, which counts as not sent.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Some(match code.trim() {
            "AL" => Self::Always,
            "NE" => Self::Never,
            "ER" => Self::ErrorOnly,
            "SU" => Self::SuccessOnly,
            _ => return None,
        })
    }

    /// Whether an acknowledgment is wanted for this outcome.
    #[must_use]
    pub fn wants(self, success: bool) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::ErrorOnly => !success,
            Self::SuccessOnly => success,
        }
    }
}

impl<'a> Header<'a> {
    pub(crate) fn new(segment: SegmentRef<'a>) -> Self {
        Self { segment }
    }

    /// The segment itself.
    #[must_use]
    pub fn segment(&self) -> SegmentRef<'a> {
        self.segment
    }

    /// MSH-3, an HD.
    #[must_use]
    pub fn sending_application(&self) -> Part<'a> {
        self.segment.field(3)
    }

    /// MSH-4, an HD.
    #[must_use]
    pub fn sending_facility(&self) -> Part<'a> {
        self.segment.field(4)
    }

    /// MSH-5, an HD.
    #[must_use]
    pub fn receiving_application(&self) -> Part<'a> {
        self.segment.field(5)
    }

    /// MSH-6, an HD.
    #[must_use]
    pub fn receiving_facility(&self) -> Part<'a> {
        self.segment.field(6)
    }

    /// MSH-7, when the message was made; its offset is the default for every time in the message.
    #[must_use]
    pub fn time(&self) -> Part<'a> {
        self.segment.field(7)
    }

    /// MSH-9.1: `ADT`.
    #[must_use]
    pub fn code(&self) -> Cow<'a, str> {
        self.segment.field(9).component(1).text()
    }

    /// MSH-9.2: `A04`.
    #[must_use]
    pub fn event(&self) -> Cow<'a, str> {
        self.segment.field(9).component(2).text()
    }

    /// MSH-9.3, or what table 0354 gives for code and event; empty when neither knows.
    #[must_use]
    pub fn structure(&self) -> Cow<'a, str> {
        let sent = self.segment.field(9).component(3).text();
        if !sent.trim().is_empty() {
            return sent;
        }
        Cow::Borrowed(dictionary::structure_of(self.code().trim(), self.event().trim()).unwrap_or_default())
    }

    /// MSH-10.
    #[must_use]
    pub fn control_id(&self) -> ControlId<'a> {
        ControlId { raw: self.segment.field(10).raw() }
    }

    /// MSH-11.1: `P`, `T` or `D`.
    #[must_use]
    pub fn processing_id(&self) -> Cow<'a, str> {
        self.segment.field(11).component(1).text()
    }

    /// MSH-12.1 as sent.
    #[must_use]
    pub fn version(&self) -> Cow<'a, str> {
        self.segment.field(12).component(1).text()
    }

    /// MSH-15: when a commit acknowledgment is wanted. None: not sent, or an unknown code.
    #[must_use]
    pub fn accept_acknowledgment(&self) -> Option<AckCondition> {
        AckCondition::from_code(&self.segment.field(15).text())
    }

    /// MSH-16: when an application acknowledgment is wanted. None: not sent, or an unknown code.
    #[must_use]
    pub fn application_acknowledgment(&self) -> Option<AckCondition> {
        AckCondition::from_code(&self.segment.field(16).text())
    }

    /// True when MSH-15 or MSH-16 asks for enhanced mode (HL7 v2.5.1 section 2.9.3).
    #[must_use]
    pub fn is_enhanced_mode(&self) -> bool {
        self.accept_acknowledgment().is_some() || self.application_acknowledgment().is_some()
    }

    /// True for an acknowledgment (`ACK`, `MCF`), which is never acknowledged itself.
    #[must_use]
    pub fn is_acknowledgment(&self) -> bool {
        matches!(self.code().trim(), "ACK" | "MCF")
    }

    /// The offset of MSH-7: the default for times of the message sent without one.
    #[must_use]
    pub fn offset(&self) -> Option<Offset> {
        self.time().component(1).text().parse::<Timestamp>().ok()?.offset()
    }

    /// MSH-18 as sent.
    #[must_use]
    pub fn charset(&self) -> Part<'a> {
        self.segment.field(18)
    }
}

impl std::fmt::Debug for Header<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Header").field(&self.segment).finish()
    }
}
