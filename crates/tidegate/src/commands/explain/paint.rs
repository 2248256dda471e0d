//! Colour on a terminal, none elsewhere, and none when `NO_COLOR` is set (no-color.org).

use std::io::IsTerminal as _;

use mapping::LeafFate;

/// Whether and how text is coloured.
#[derive(Clone, Copy)]
pub struct Paint {
    is_on: bool,
}

impl Paint {
    /// For what goes to stdout.
    pub fn of_stdout() -> Self {
        let is_refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { is_on: std::io::stdout().is_terminal() && !is_refused }
    }

    /// No colour.
    #[cfg(test)]
    pub fn off() -> Self {
        Self { is_on: false }
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.is_on { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// What the eye looks for.
    pub fn strong(self, text: &str) -> String {
        self.with("1", text)
    }

    /// What stands beside.
    pub fn faint(self, text: &str) -> String {
        self.with("2", text)
    }

    /// A fate, by how much of the value arrived.
    pub fn fate(self, fate: LeafFate, text: &str) -> String {
        let code = match fate {
            LeafFate::Mapped => "32",
            LeafFate::Lossy => "33",
            LeafFate::Ignored => "2",
            LeafFate::Unmapped | LeafFate::Rejected => "31",
        };
        self.with(code, text)
    }
}
