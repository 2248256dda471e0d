//! Codes without a row in their table: what somebody has to map.

/// Longest code that is told, in characters; what is longer was typed by hand.
const CODE_LENGTH_MAX: usize = 32;
/// Most missed codes that are kept of one message.
const CODES_MAX: usize = 100;

/// A code of the message that its table has no row for, where the table says that somebody should know (`level: warn` or
/// `error`). The code is content of the message: Debug leaves it out.
#[derive(Clone, PartialEq, Eq)]
pub struct MissedCode {
    /// The table, as its file names it.
    pub table: String,
    /// As sent; `None` for what is no code: too long, with blanks or other letters than a code has.
    pub code: Option<String>,
    /// URI of the system of the table's codes, when it names one.
    pub system: Option<String>,
}

impl MissedCode {
    pub(crate) fn new(table: &str, code: &str, system: Option<&str>) -> Self {
        let is_code = code.len() <= CODE_LENGTH_MAX && code.bytes().all(|byte| byte.is_ascii_graphic());
        let code = is_code.then(|| code.to_owned());
        Self { table: table.to_owned(), code, system: system.map(str::to_owned) }
    }

    /// Adds it to those of a message, once.
    pub(crate) fn add_to(self, all: &mut Vec<Self>) {
        if all.len() < CODES_MAX && !all.contains(&self) {
            all.push(self);
        }
    }
}

impl std::fmt::Debug for MissedCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MissedCode").field("table", &self.table).finish_non_exhaustive()
    }
}
