//! Whole months: counted and digested, read again, and removed.

use std::path::Path;

use aws_lc_rs::digest::{Context, SHA256};

use super::Request;
use super::files::Files;
use super::read;
use crate::sql::{query, query_scalar};
use crate::sqlite::Sqlite;
use crate::sqlite::codes::unsigned;
use crate::sqlite::fault::of_io;
use crate::sqlite::file::{READ_ROWS_MAX, sync_folder};
use crate::sqlite::month::Month;
use crate::{Dropped, Error, Result, Seq, Verified};

/// Entries whose bytes are read at a time to be verified.
const VERIFIED_AT_ONCE: usize = 64;

/// A month as its file is.
pub(in crate::sqlite) struct MonthPlace {
    /// Which.
    pub month: Month,
    /// Lowest position; 1 when it is empty.
    pub first: i64,
    /// Highest position; 0 when it is empty.
    pub last: i64,
    /// Size of the file.
    pub bytes: u64,
}

impl Sqlite {
    /// Every month there is.
    pub(in crate::sqlite) async fn journal_months(&self) -> Result<Vec<MonthPlace>> {
        let files = &self.journal()?.files;
        let mut places = Vec::new();
        for file in files.newest_first() {
            let last = file.last();
            let bytes = files.home().size(file.month, &file.pool).await?;
            let first = if last == 0 { 1 } else { file.first() };
            places.push(MonthPlace { month: file.month, first, last, bytes });
        }
        Ok(places)
    }

    /// Counts a month and digests it.
    pub(in crate::sqlite) async fn survey_month(&self, month: Month) -> Result<Dropped> {
        let file = self.journal()?.files.get(month).ok_or(Error::NotFound)?;
        let (mut context, mut entries, mut last) = (Context::new(&SHA256), 0, 0);
        loop {
            let rows = query("SELECT seq, digest FROM entries WHERE seq > ? ORDER BY seq LIMIT ?")
                .bind(last)
                .bind(i64::try_from(READ_ROWS_MAX).unwrap_or(i64::MAX))
                .fetch_all(&file.pool)
                .await?;
            let Some(end) = rows.last() else { break };
            last = end.try_get(0)?;
            for row in &rows {
                context.update(&row.try_get::<Vec<u8>, _>(1)?);
                entries += 1;
            }
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(context.finish().as_ref());
        Ok(Dropped { month: month.name(), entries, last: Seq(last), digest })
    }

    /// Removes a month's file, by the journal's writer, which may have it open.
    pub(in crate::sqlite) async fn remove_month(&self, month: Month) -> Result<()> {
        self.journal()?.queue.ask(|reply| Request::Remove { month, reply }).await
    }

    /// Whether an entry was refused; one that is not there was.
    pub(in crate::sqlite) async fn is_refused(&self, month: Month, seq: i64) -> Result<bool> {
        let Some(file) = self.journal()?.files.get(month) else { return Ok(true) };
        let refused: Option<bool> = query_scalar("SELECT refused IS NOT NULL FROM entries WHERE seq = ?")
            .bind(seq)
            .fetch_optional(&file.pool)
            .await?;
        Ok(refused.unwrap_or(true))
    }

    /// Acknowledgments promised in a month that are not given.
    pub(in crate::sqlite) async fn promised_in(&self, month: Month) -> Result<u64> {
        let Some(file) = self.journal()?.files.get(month) else { return Ok(0) };
        let count: i64 = query_scalar(
            "SELECT count(*) FROM promises p WHERE NOT EXISTS
                 (SELECT 1 FROM later_acknowledgments l WHERE l.seq = p.seq AND l.stage = 1)",
        )
        .fetch_one(&file.pool)
        .await?;
        unsigned(count)
    }

    /// Reads every entry of a month against its digest. One that cannot be read is looked for alone, so that each is named.
    pub(in crate::sqlite) async fn verify(&self, month: Month) -> Result<Verified> {
        let journal = self.journal()?;
        let file = journal.files.get(month).ok_or(Error::NotFound)?;
        let (mut verified, mut last) = (Verified::default(), 0);
        loop {
            let seqs: Result<Vec<i64>> =
                query_scalar("SELECT seq FROM entries WHERE seq > ? ORDER BY seq LIMIT ?")
                    .bind(last)
                    .bind(i64::try_from(VERIFIED_AT_ONCE).unwrap_or(i64::MAX))
                    .fetch_all(&file.pool)
                    .await;
            let seqs = match seqs {
                Ok(seqs) => seqs,
                Err(Error::Corrupt(_)) => {
                    verified.is_cut = true;
                    break;
                }
                Err(error) => return Err(error),
            };
            let Some(end) = seqs.last() else { break };
            last = *end;
            for seq in seqs {
                match read::one(&file, seq, &journal.salt).await {
                    Ok(true) => verified.sound += 1,
                    Ok(false) | Err(Error::Corrupt(_)) => verified.garbled.push(Seq(seq)),
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(verified)
    }
}

impl Files {
    /// Forgets a month, closes its readers and removes its file.
    pub(super) async fn remove(&self, month: Month) -> Result<()> {
        if let Some(file) = self.forget(month) {
            file.pool.close().await;
        }
        self.home().remove(month).await
    }
}

/// Removes a month's file and SQLite's files beside it; what is gone already is as good.
pub(super) fn remove_files(folder: &Path, month: Month) -> Result<()> {
    let name = month.file_name();
    for file in [format!("{name}-wal"), format!("{name}-shm"), name] {
        match std::fs::remove_file(folder.join(file)) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(of_io(error)),
        }
    }
    if folder.exists() { sync_folder(folder) } else { Ok(()) }
}
