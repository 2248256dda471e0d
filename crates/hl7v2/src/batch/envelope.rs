//! What the envelopes of a file say of it (FHS, BHS, BTS, FTS; HL7 v2.5.1 section 2.10.3), held against what is in it.

use super::{PieceKind, first_number};

/// Where the envelopes of a file and its content do not agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Discrepancy {
    /// A BHS whose BTS did not come before the next envelope or the end.
    BatchTrailerMissing,
    /// A BTS without a BHS.
    BatchHeaderMissing,
    /// An FHS whose FTS did not come before the next FHS or the end.
    FileTrailerMissing,
    /// An FTS without an FHS.
    FileHeaderMissing,
    /// BTS-1 is not the number of messages in the batch.
    MessageCount {
        /// BTS-1.
        declared: u64,
        /// Messages of the batch.
        found: u64,
    },
    /// FTS-1 is not the number of batches in the file.
    BatchCount {
        /// FTS-1.
        declared: u64,
        /// Batches of the file.
        found: u64,
    },
}

impl Discrepancy {
    /// A code for reports: `batch-trailer-missing`.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::BatchTrailerMissing => "batch-trailer-missing",
            Self::BatchHeaderMissing => "batch-header-missing",
            Self::FileTrailerMissing => "file-trailer-missing",
            Self::FileHeaderMissing => "file-header-missing",
            Self::MessageCount { .. } => "message-count",
            Self::BatchCount { .. } => "batch-count",
        }
    }

    /// What was declared and what was found, of a count.
    #[must_use]
    pub fn counts(self) -> Option<(u64, u64)> {
        match self {
            Self::MessageCount { declared, found } | Self::BatchCount { declared, found } => {
                Some((declared, found))
            }
            _ => None,
        }
    }
}

/// Follows the envelopes of a file, piece by piece; of constant size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Envelopes {
    /// Batches since the FHS that is open; `None`: none is.
    pub file: Option<u64>,
    /// Messages since the BHS that is open; `None`: none is.
    pub batch: Option<u64>,
    /// Messages outside of batches since the FHS that is open.
    pub loose: u64,
}

impl Envelopes {
    /// The next piece; `bytes` are those of a header or trailer. At most two discrepancies, in the order found.
    pub fn take(&mut self, kind: PieceKind, bytes: &[u8]) -> Vec<Discrepancy> {
        match kind {
            PieceKind::Message => {
                *self.batch.as_mut().unwrap_or(&mut self.loose) += 1;
                Vec::new()
            }
            PieceKind::FileHeader => {
                let found = self.close();
                *self = Self { file: Some(0), ..Self::default() };
                found
            }
            PieceKind::BatchHeader => {
                let found = self.close_batch().into_iter().collect();
                self.batch = Some(0);
                self.file = self.file.map(|batches| batches + 1);
                found
            }
            PieceKind::BatchTrailer => self.batch_trailer(bytes).into_iter().collect(),
            PieceKind::FileTrailer => self.file_trailer(bytes),
            PieceKind::Between | PieceKind::Stray => Vec::new(),
        }
    }

    /// The end of the file: what is still open has no trailer.
    pub fn close(&mut self) -> Vec<Discrepancy> {
        let batch = self.close_batch();
        let file = self.file.take().map(|_| Discrepancy::FileTrailerMissing);
        batch.into_iter().chain(file).collect()
    }

    fn close_batch(&mut self) -> Option<Discrepancy> {
        self.batch.take().map(|_| Discrepancy::BatchTrailerMissing)
    }

    fn batch_trailer(&mut self, bytes: &[u8]) -> Option<Discrepancy> {
        let Some(found) = self.batch.take() else { return Some(Discrepancy::BatchHeaderMissing) };
        let declared = first_number(bytes).filter(|declared| *declared != found)?;
        Some(Discrepancy::MessageCount { declared, found })
    }

    fn file_trailer(&mut self, bytes: &[u8]) -> Vec<Discrepancy> {
        let mut found: Vec<Discrepancy> = self.close_batch().into_iter().collect();
        match self.file.take() {
            None => found.push(Discrepancy::FileHeaderMissing),
            Some(batches) => {
                // A file without BHS is one batch by the standard; some senders count its messages.
                let is_right = |declared: u64| {
                    declared == batches || (batches == 0 && [1, self.loose].contains(&declared))
                };
                let wrong = first_number(bytes).filter(|declared| !is_right(*declared));
                found.extend(wrong.map(|declared| Discrepancy::BatchCount { declared, found: batches }));
            }
        }
        self.loose = 0;
        found
    }
}

#[cfg(test)]
mod tests {
    use super::super::pieces;
    use super::*;

    fn discrepancies(file: &[u8]) -> Vec<Discrepancy> {
        let mut envelopes = Envelopes::default();
        let mut found: Vec<_> =
            pieces(file).flat_map(|piece| envelopes.take(piece.kind, piece.of(file))).collect();
        found.extend(envelopes.close());
        found
    }

    #[test]
    fn envelopes_that_agree_say_nothing() {
        for file in [
            &b"MSH|^~\\&|A\r"[..],
            b"FHS|^~\\&\rBHS|^~\\&\rMSH|^~\\&|A\rMSH|^~\\&|B\rBTS|2\rBHS|^~\\&\rBTS|0\rFTS|2\r",
            b"BHS|^~\\&\rMSH|^~\\&|A\rBTS\r",
            b"FHS|^~\\&\rMSH|^~\\&|A\rMSH|^~\\&|A\rFTS|2\r",
        ] {
            assert_eq!(discrepancies(file), []);
        }
    }

    #[test]
    fn each_disagreement_has_its_name() {
        use Discrepancy::*;
        assert_eq!(
            discrepancies(b"FHS|^~\\&\rBHS|^~\\&\rMSH|^~\\&|A\rBTS|2\rFTS|3\r"),
            [MessageCount { declared: 2, found: 1 }, BatchCount { declared: 3, found: 1 }]
        );
        assert_eq!(
            discrepancies(b"FHS|^~\\&\rBHS|^~\\&\rMSH|^~\\&|A\r"),
            [BatchTrailerMissing, FileTrailerMissing]
        );
        assert_eq!(
            discrepancies(b"BHS|^~\\&\rBHS|^~\\&\rBTS|0\rBTS|0\rFTS|0\r"),
            [BatchTrailerMissing, BatchHeaderMissing, FileHeaderMissing]
        );
    }
}
