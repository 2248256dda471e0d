//! Acknowledgment codes (table 0008) and error codes (table 0357).

/// MSA-1, table 0008.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AckCode {
    /// `AA`: application accept.
    ApplicationAccept,
    /// `AE`: application error.
    ApplicationError,
    /// `AR`: application reject.
    ApplicationReject,
    /// `CA`: commit accept.
    CommitAccept,
    /// `CE`: commit error.
    CommitError,
    /// `CR`: commit reject.
    CommitReject,
}

impl AckCode {
    /// `AA`, `AE`, `AR`, `CA`, `CE` or `CR`.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::ApplicationAccept => "AA",
            Self::ApplicationError => "AE",
            Self::ApplicationReject => "AR",
            Self::CommitAccept => "CA",
            Self::CommitError => "CE",
            Self::CommitReject => "CR",
        }
    }

    /// The code of a text; None for any other text, `AAX` too.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Some(match code {
            "AA" => Self::ApplicationAccept,
            "AE" => Self::ApplicationError,
            "AR" => Self::ApplicationReject,
            "CA" => Self::CommitAccept,
            "CE" => Self::CommitError,
            "CR" => Self::CommitReject,
            _ => return None,
        })
    }

    /// `AA` or `CA`.
    #[must_use]
    pub fn is_accept(self) -> bool {
        matches!(self, Self::ApplicationAccept | Self::CommitAccept)
    }

    /// `CA`, `CE` or `CR`.
    #[must_use]
    pub fn is_commit(self) -> bool {
        matches!(self, Self::CommitAccept | Self::CommitError | Self::CommitReject)
    }

    /// The code of the same outcome in the commit half of enhanced mode.
    #[must_use]
    pub fn as_commit(self) -> Self {
        match self {
            Self::ApplicationAccept | Self::CommitAccept => Self::CommitAccept,
            Self::ApplicationError | Self::CommitError => Self::CommitError,
            Self::ApplicationReject | Self::CommitReject => Self::CommitReject,
        }
    }

    /// The code of the same outcome in original mode, and in the application half of enhanced mode.
    #[must_use]
    pub fn as_application(self) -> Self {
        match self {
            Self::ApplicationAccept | Self::CommitAccept => Self::ApplicationAccept,
            Self::ApplicationError | Self::CommitError => Self::ApplicationError,
            Self::ApplicationReject | Self::CommitReject => Self::ApplicationReject,
        }
    }
}

/// Message error condition codes, table 0357.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// 100: segments out of order, or a required segment is missing.
    SegmentSequence,
    /// 101: a required field is missing.
    RequiredFieldMissing,
    /// 102: a value is not of its data type.
    DataType,
    /// 103: a code is not in its table.
    TableValueNotFound,
    /// 200: the message code is not supported.
    UnsupportedMessageType,
    /// 201: the event is not supported.
    UnsupportedEvent,
    /// 202: the processing id is not accepted here.
    UnsupportedProcessingId,
    /// 203: the version is not supported.
    UnsupportedVersion,
    /// 204: a key names nothing known.
    UnknownKey,
    /// 205: the key exists already.
    DuplicateKey,
    /// 206: the record is locked at the moment.
    RecordLocked,
    /// 207: an error inside the application.
    ApplicationInternal,
}

impl ErrorCode {
    /// Every code, in the order of the table.
    pub const ALL: [Self; 12] = [
        Self::SegmentSequence,
        Self::RequiredFieldMissing,
        Self::DataType,
        Self::TableValueNotFound,
        Self::UnsupportedMessageType,
        Self::UnsupportedEvent,
        Self::UnsupportedProcessingId,
        Self::UnsupportedVersion,
        Self::UnknownKey,
        Self::DuplicateKey,
        Self::RecordLocked,
        Self::ApplicationInternal,
    ];

    /// The code: `101`.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.row().0
    }

    /// The table's words for the code: `Required field missing`.
    #[must_use]
    pub fn text(self) -> &'static str {
        self.row().1
    }

    /// The code of a text of three digits.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|error| error.code() == code)
    }

    /// Sending the same message again may succeed.
    #[must_use]
    pub fn is_transient(self) -> bool {
        matches!(self, Self::RecordLocked | Self::ApplicationInternal)
    }

    fn row(self) -> (&'static str, &'static str) {
        match self {
            Self::SegmentSequence => ("100", "Segment sequence error"),
            Self::RequiredFieldMissing => ("101", "Required field missing"),
            Self::DataType => ("102", "Data type error"),
            Self::TableValueNotFound => ("103", "Table value not found"),
            Self::UnsupportedMessageType => ("200", "Unsupported message type"),
            Self::UnsupportedEvent => ("201", "Unsupported event code"),
            Self::UnsupportedProcessingId => ("202", "Unsupported processing id"),
            Self::UnsupportedVersion => ("203", "Unsupported version id"),
            Self::UnknownKey => ("204", "Unknown key identifier"),
            Self::DuplicateKey => ("205", "Duplicate key identifier"),
            Self::RecordLocked => ("206", "Application record locked"),
            Self::ApplicationInternal => ("207", "Application internal error"),
        }
    }
}
