//! A cursor over the characters of one scalar.

use super::{DEPTH_MAX, Parsed, SyntaxError};

pub(super) struct Cursor {
    characters: Vec<char>,
    position: usize,
    depth: usize,
}

impl Cursor {
    pub fn new(text: &str) -> Self {
        Cursor { characters: text.chars().collect(), position: 0, depth: 0 }
    }

    pub fn position(&self) -> usize {
        self.position
    }

    pub fn reset(&mut self, position: usize) {
        self.position = position;
    }

    pub fn peek(&self) -> Option<char> {
        self.characters.get(self.position).copied()
    }

    pub fn peek_at(&self, ahead: usize) -> Option<char> {
        self.characters.get(self.position + ahead).copied()
    }

    pub fn bump(&mut self) -> Option<char> {
        let found = self.peek();
        self.position += usize::from(found.is_some());
        found
    }

    pub fn skip_space(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.position += 1;
        }
    }

    pub fn eat(&mut self, wanted: char) -> bool {
        let hit = self.peek() == Some(wanted);
        self.position += usize::from(hit);
        hit
    }

    /// Eats a whole word when it comes next, after space.
    pub fn eat_word(&mut self, wanted: &str) -> bool {
        let start = self.position;
        self.skip_space();
        let word = self.take_while(|c| c.is_ascii_alphanumeric() || c == '_');
        if word == wanted {
            return true;
        }
        self.position = start;
        false
    }

    /// Eats exact characters when they come next, after space.
    pub fn eat_text(&mut self, wanted: &str) -> bool {
        let start = self.position;
        self.skip_space();
        if wanted.chars().all(|c| self.eat(c)) {
            return true;
        }
        self.position = start;
        false
    }

    pub fn take_while(&mut self, accept: impl Fn(char) -> bool) -> String {
        let mut taken = String::new();
        while let Some(c) = self.peek().filter(|c| accept(*c)) {
            taken.push(c);
            self.position += 1;
        }
        taken
    }

    /// Text up to the closing quote; the opening one is eaten already. `\n`, `\t`, `\"` and `\\` are understood.
    pub fn quoted(&mut self) -> Parsed<String> {
        let start = self.position;
        let mut text = String::new();
        loop {
            match self.bump() {
                None => return Err(self.error_from(start, "the quote is not closed")),
                Some('"') => return Ok(text),
                Some('\\') => match self.bump() {
                    Some('n') => text.push('\n'),
                    Some('t') => text.push('\t'),
                    Some(other) => text.push(other),
                    None => return Err(self.error_from(start, "the quote is not closed")),
                },
                Some(other) => text.push(other),
            }
        }
    }

    pub fn at_end(&mut self) -> bool {
        self.skip_space();
        self.peek().is_none()
    }

    pub fn expect_end(&mut self) -> Parsed<()> {
        if self.at_end() {
            return Ok(());
        }
        let start = self.position;
        let rest: String = self.characters.iter().skip(start).collect();
        let length = rest.split_whitespace().next().map_or(1, |word| word.chars().count());
        Err(SyntaxError { offset: start, length, message: "this does not belong here".into() })
    }

    pub fn error(&self, message: impl Into<String>) -> SyntaxError {
        SyntaxError { offset: self.position, length: 1, message: message.into() }
    }

    pub fn error_from(&self, start: usize, message: impl Into<String>) -> SyntaxError {
        SyntaxError {
            offset: start,
            length: self.position.saturating_sub(start).max(1),
            message: message.into(),
        }
    }

    pub fn deeper(&mut self) -> Parsed<()> {
        self.depth += 1;
        if self.depth > DEPTH_MAX { Err(self.error("nested too deep")) } else { Ok(()) }
    }

    pub fn shallower(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }
}
