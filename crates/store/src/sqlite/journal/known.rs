//! Which senders and control ids may have been heard: a filter in memory, so that what is new costs no question to the
//! database before its commit. It never denies what a file holds; what it does not know yet is asked for.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::files::{Files, MonthFile};
use crate::Result;
use crate::sql::query_scalar;
use crate::sqlite::month::Month;

/// Bits of the filter, as a power of two: 8 MiB. With ten million marks one new message in fifteen is asked for in vain.
const BITS_LOG2: u32 = 26;
const WORD_BITS: u64 = 64;
/// Words that are made together, once one of them is needed: a node that hears nothing holds none.
const PAGE_WORDS: usize = 1_024;
/// Marks read at once.
const PAGE_MARKS: i64 = 10_000;
/// Months that are read at the start: the current and the one before, which is as far as a repetition is looked for.
const MONTHS_READ: usize = 2;

/// The filter, and the months of which it knows all marks.
pub(super) struct Known {
    pages: Box<[OnceLock<Box<[AtomicU64; PAGE_WORDS]>>]>,
    months: Mutex<HashSet<Month>>,
}

impl Known {
    /// A filter that knows no month.
    pub fn new() -> Arc<Self> {
        let words = usize::try_from((1_u64 << BITS_LOG2) / WORD_BITS).unwrap_or(usize::MAX);
        let pages = (0..words / PAGE_WORDS).map(|_| OnceLock::new()).collect();
        Arc::new(Self { pages, months: Mutex::default() })
    }

    /// Reads the newest months, beside a writer that adds what it writes.
    pub async fn read(self: Arc<Self>, files: Files) {
        for file in files.newest_first().into_iter().take(MONTHS_READ) {
            match self.read_month(&file).await {
                Ok(()) => self.knows(file.month),
                Err(_) if file.pool.is_closed() => return,
                // The database is asked then.
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "the marks of a month of the journal could not be read");
                }
            }
        }
    }

    async fn read_month(&self, file: &MonthFile) -> Result<()> {
        let mut last = i64::MIN;
        loop {
            let marks: Vec<i64> = query_scalar(
                "SELECT DISTINCT sender FROM entries WHERE sender IS NOT NULL AND sender > ? ORDER BY sender LIMIT ?",
            )
            .bind(last)
            .bind(PAGE_MARKS)
            .fetch_all(&file.pool)
            .await?;
            marks.iter().for_each(|mark| self.add(*mark));
            match marks.last() {
                Some(end) => last = *end,
                None => return Ok(()),
            }
        }
    }

    /// All marks of this month are known from now on.
    pub fn knows(&self, month: Month) {
        self.months.lock().unwrap_or_else(PoisonError::into_inner).insert(month);
    }

    /// Another process may have written: no month is known any more.
    pub fn forget(&self) {
        self.months.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// This mark was, or is about to be, written.
    pub fn add(&self, mark: i64) {
        for (word, bit) in places(mark) {
            let page = self.pages.get(word / PAGE_WORDS);
            let page =
                page.map(|page| page.get_or_init(|| Box::new([const { AtomicU64::new(0) }; PAGE_WORDS])));
            if let Some(word) = page.and_then(|page| page.get(word % PAGE_WORDS)) {
                word.fetch_or(bit, Ordering::Relaxed);
            }
        }
    }

    /// Whether one of these months may hold the mark.
    pub fn may_hold(&self, mark: i64, months: &[Month]) -> bool {
        let is_set = |(word, bit): (usize, u64)| {
            let page = self.pages.get(word / PAGE_WORDS).and_then(OnceLock::get);
            let word = page.and_then(|page| page.get(word % PAGE_WORDS));
            word.is_some_and(|word| word.load(Ordering::Relaxed) & bit != 0)
        };
        let known = self.months.lock().unwrap_or_else(PoisonError::into_inner);
        !months.iter().all(|month| known.contains(month)) || places(mark).into_iter().all(is_set)
    }
}

impl std::fmt::Debug for Known {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Known")
    }
}

/// Two bits of a mark, which is as good as random: half a digest.
fn places(mark: i64) -> [(usize, u64); 2] {
    let mark = u64::from_be_bytes(mark.to_be_bytes());
    [mark, mark >> BITS_LOG2].map(|part| {
        let at = part & ((1 << BITS_LOG2) - 1);
        (usize::try_from(at / WORD_BITS).unwrap_or(usize::MAX), 1 << (at % WORD_BITS))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_may_be_held_and_hardly_anything_else() {
        let (known, month) = (Known::new(), Month::of(0));
        let mark = |n: i64| n.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        assert!(known.may_hold(mark(1), &[month]), "a month that was not read");
        known.knows(month);
        assert!(!known.may_hold(mark(1), &[month]));
        (0..100_000).for_each(|n| known.add(mark(n)));
        assert!((0..100_000).all(|n| known.may_hold(mark(n), &[month])));
        let wrong = (100_000..200_000).filter(|n| known.may_hold(mark(*n), &[month])).count();
        assert!(wrong < 100, "{wrong} of 100000");
        assert!(known.may_hold(mark(500_000), &[month, Month::of(86_400_000_000 * 400)]), "another month");
    }
}
