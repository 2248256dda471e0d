//! The pieces of a file that arrives in chunks: the same pieces as [`super::pieces`] gives of the whole, whatever the
//! chunks, in memory that one piece bounds.

use super::{Content, FRAME_END, FRAME_START, PieceKind, classify};

/// A piece of a file with its bytes, as far as they were kept.
#[derive(Clone, PartialEq, Eq)]
pub struct Stretch {
    /// What it is.
    pub kind: PieceKind,
    /// Offset of its first byte in the file.
    pub start: u64,
    /// How many bytes it has.
    pub length: u64,
    /// Its bytes; only the first ones when it is longer than the limit ([`Stretch::is_whole`]).
    pub bytes: Vec<u8>,
}

impl Stretch {
    /// Offset after its last byte.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.start.saturating_add(self.length)
    }

    /// Are all its bytes here?
    #[must_use]
    pub fn is_whole(&self) -> bool {
        size(self.bytes.len()) == self.length
    }

    fn take(&mut self, bytes: &[u8], limit: usize) {
        self.length = self.length.saturating_add(size(bytes.len()));
        let room = limit.saturating_sub(self.bytes.len()).min(bytes.len());
        self.bytes.extend_from_slice(bytes.get(..room).unwrap_or_default());
    }
}

impl std::fmt::Debug for Stretch {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Stretch({:?}, {}..{})", self.kind, self.start, self.end())
    }
}

/// Splits a file that is pushed chunk by chunk. Any chunking gives the same stretches; one that begins at the end of a
/// stretch goes on as if it had read the file from its beginning.
pub struct Splitter {
    limit: usize,
    /// Bytes that are pushed and not yet part of a stretch, from `at` on.
    pending: Vec<u8>,
    at: usize,
    /// Bytes after `at` that are known to hold no line end and no frame byte.
    searched: usize,
    offset: u64,
    current: Option<Stretch>,
    /// The line under way is longer than the limit: its rest belongs to the stretch that it began.
    is_overlong: bool,
    is_finished: bool,
}

impl Splitter {
    /// A splitter that begins at `offset` of a file, which is 0 or the end of a stretch. It keeps at most `limit` bytes of
    /// a stretch, and at most that and one chunk besides.
    #[must_use]
    pub fn new(limit: usize, offset: u64) -> Self {
        Self {
            limit: limit.max(1),
            pending: Vec::new(),
            at: 0,
            searched: 0,
            offset,
            current: None,
            is_overlong: false,
            is_finished: false,
        }
    }

    /// The next bytes of the file.
    pub fn push(&mut self, chunk: &[u8]) {
        self.pending.drain(..self.at);
        self.at = 0;
        self.pending.extend_from_slice(chunk);
    }

    /// The file has no more bytes.
    pub fn finish(&mut self) {
        self.is_finished = true;
    }

    /// The next stretch that is known to its end; `None`: more bytes are needed, or all were given.
    pub fn next_stretch(&mut self) -> Option<Stretch> {
        while let Some((content, length)) = self.next_line() {
            let line = self.pending.get(self.at..self.at + length).unwrap_or_default();
            let start = self.offset;
            self.at += length;
            self.offset = self.offset.saturating_add(size(length));
            self.searched = 0;
            match &mut self.current {
                Some(current) if content.is_none_or(|content| current.kind.takes(content)) => {
                    current.take(line, self.limit);
                }
                current => {
                    let kind = content.unwrap_or(Content::Text).kind();
                    let mut next = Stretch { kind, start, length: 0, bytes: Vec::new() };
                    next.take(line, self.limit);
                    if let Some(before) = current.replace(next) {
                        return Some(before);
                    }
                }
            }
        }
        if self.is_finished { self.current.take() } else { None }
    }

    /// The next line's content and length; no content: it goes on the line before.
    fn next_line(&mut self) -> Option<(Option<Content>, usize)> {
        let rest = self.pending.get(self.at..).filter(|rest| !rest.is_empty())?;
        if self.is_overlong {
            let end = rest.iter().position(|byte| ends_line(*byte));
            self.is_overlong = end.is_none();
            if end != Some(0) {
                return Some((None, end.unwrap_or(rest.len())));
            }
        }
        // No more is looked at than every chunking has seen when it decides.
        let seen = rest.len().min(self.limit + 2);
        let is_full = seen == self.limit + 2;
        let is_last = self.is_finished && !is_full;
        if !is_last && !is_full && !self.has_news(seen) {
            return None;
        }
        let window = self.pending.get(self.at..self.at + seen)?;
        let (content, length) = classify(window);
        // A byte more than the line, for what ends a frame is known by the byte after it.
        if is_last || length + 1 < seen {
            return Some((Some(content), length));
        }
        if is_full {
            self.is_overlong = !matches!(content, Content::Blank | Content::Frame);
            return Some((Some(content), length));
        }
        None
    }

    /// May the line under way be at its end, by bytes that were not looked at before? So a long line costs one look a
    /// byte.
    fn has_news(&mut self, seen: usize) -> bool {
        let line = self.pending.get(self.at..self.at + seen).unwrap_or_default();
        let is_text = line.first().is_some_and(|first| first.is_ascii_graphic());
        let has_news =
            !is_text || line.get(self.searched..).unwrap_or_default().iter().any(|b| ends_line(*b));
        if !has_news {
            self.searched = seen;
        }
        has_news
    }
}

impl std::fmt::Debug for Splitter {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Splitter(at {}, {} bytes pending)", self.offset, self.pending.len() - self.at)
    }
}

fn ends_line(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n' | FRAME_START | FRAME_END)
}

/// A length as an offset: a `usize` has at most 64 bits.
fn size(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::pieces;
    use super::*;

    fn split(file: &[u8], chunk: usize, limit: usize) -> Vec<Stretch> {
        let mut splitter = Splitter::new(limit, 0);
        let mut found = Vec::new();
        for chunk in file.chunks(chunk) {
            splitter.push(chunk);
            found.extend(std::iter::from_fn(|| splitter.next_stretch()));
        }
        splitter.finish();
        found.extend(std::iter::from_fn(|| splitter.next_stretch()));
        found
    }

    const FILE: &[u8] = b"FHS|^~\\&|A\r\nBHS|^~\\&|A\rMSH|^~\\&|A\rPID|1\r\r\nMSH|^~\\&|B\rBTS|2\rFTS|1\r\
        \x0BMSH|^~\\&|C\rOBX|1\x0BMSH|^~\\&|D\r\x1C\rstray\x1Cx\r\n\xEF\xBB\xBFMSH|^~\\&|E";

    #[test]
    fn one_byte_at_a_time_gives_the_pieces_of_the_whole() {
        let whole: Vec<_> = pieces(FILE).map(|piece| (piece.kind, piece.of(FILE).to_vec())).collect();
        for chunk in 1..FILE.len() {
            let found = split(FILE, chunk, 1 << 20);
            let found: Vec<_> = found.into_iter().map(|one| (one.kind, one.bytes)).collect();
            assert_eq!(found, whole, "chunks of {chunk}");
        }
    }

    #[test]
    fn what_is_longer_than_the_limit_is_counted_whole_and_kept_in_part() {
        let file = [b"MSH|^~\\&|A\rOBX|1|".as_slice(), &[b'x'; 500], b"\rNTE|1\rMSH|^~\\&|B\r"].concat();
        for chunk in [1, 7, 64, file.len()] {
            let found = split(&file, chunk, 40);
            let kinds: Vec<_> = found.iter().map(|one| (one.kind, one.is_whole())).collect();
            assert_eq!(kinds, [(PieceKind::Message, false), (PieceKind::Message, true)], "chunks of {chunk}");
            assert_eq!(found.iter().map(|one| one.length).sum::<u64>(), size(file.len()));
            assert!(found.iter().all(|one| one.bytes.len() <= 40));
        }
    }
}
