//! How a command ends: exit codes that scripts can rely on, words on stderr.

/// Exit codes (sysexits where one fits).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: whoever read stdout has seen enough (`| head`), which is an ordinary end without words.
    ReaderGone,
    /// 1: a check failed, a message was rejected, a test did not pass.
    CheckFailed,
    /// 2: the command line is wrong.
    Usage,
    /// 10: the ledger is broken.
    LedgerBroken,
    /// 69: a node or peer cannot be reached.
    Unavailable,
    /// 74: reading or writing failed.
    Io,
    /// 78: configuration, mapping or profile is wrong.
    Configuration,
}

impl Exit {
    /// The process's exit code.
    pub const fn code(self) -> u8 {
        match self {
            Self::ReaderGone => 0,
            Self::CheckFailed => 1,
            Self::Usage => 2,
            Self::LedgerBroken => 10,
            Self::Unavailable => 69,
            Self::Io => 74,
            Self::Configuration => 78,
        }
    }
}

/// A command that failed: the code, and words for stderr (cause and fix, never content).
#[derive(Debug)]
pub struct Failure {
    /// Exit code.
    pub exit: Exit,
    /// What went wrong and what to do.
    pub words: String,
}

impl Failure {
    /// A failure with words.
    pub fn new(exit: Exit, words: impl Into<String>) -> Self {
        Self { exit, words: words.into() }
    }

    /// With the chain of an error's causes.
    pub fn because(exit: Exit, error: &dyn std::error::Error) -> Self {
        let mut words = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            words = format!("{words}: {error}");
            cause = error.source();
        }
        Self { exit, words }
    }
}
