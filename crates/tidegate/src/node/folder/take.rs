//! One file, chunk by chunk, into the journal.

use std::fs::File;
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};

use hl7v2::batch::{Splitter, Stretch};
use sources::folder::{FileIntake, Finding};

use super::place::{Identity, Saved};
use super::{Interruption, RETRY_PAUSE, Source};

/// Bytes read at once.
const CHUNK_BYTES: usize = 64 << 10;
/// Stretches appended together; the journal commits as many.
const GROUP_STRETCHES_MAX: usize = 256;
/// Bytes after which a group is closed.
const GROUP_BYTES_MAX: usize = 1 << 20;
/// Bytes of the file after which progress is made durable. What a crash finds beyond it is recognised, not taken twice.
const CHECKPOINT_BYTES: u64 = 4 << 20;

/// Takes a file to its end and puts it away.
pub(super) fn take(source: &mut Source, mut saved: Saved) -> Result<(), Interruption> {
    if !source.place.is_concluded(&saved) {
        read(source, &mut saved)?;
        source.place.conclude(&mut saved)?;
    }
    source.place.put_away(&saved)?;
    let (channel, progress) = (&source.receiver.channel, &saved.progress);
    let (id, count) = (progress.claim.id, progress.counts.messages);
    if progress.is_clean() {
        tracing::info!(channel, %id, count, "a file was taken");
    } else {
        tracing::warn!(channel, %id, count, "a file was taken with findings, see its report");
    }
    Ok(())
}

fn read(source: &mut Source, saved: &mut Saved) -> Result<(), Interruption> {
    let mut file = match File::open(source.place.file()) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            saved.progress.note(Finding::at("unreadable", 0));
            return Ok(());
        }
        opened => opened?,
    };
    let identity = Identity::of(&mut file)?;
    match &saved.identity {
        Some(known) if *known != identity => {
            // Somebody writes into it: what stands behind the progress is not what was there.
            saved.progress.note(Finding::at("changed", saved.progress.offset));
            return Ok(());
        }
        Some(_) => {}
        None => {
            saved.identity = Some(identity.clone());
            source.place.save(saved)?;
        }
    }
    file.seek(SeekFrom::Start(saved.progress.offset))?;
    let answer = source.place.answer(saved.answer_bytes)?;
    let intake = FileIntake::new(source.receiver.clone(), saved.progress.clone());
    let saved_at = saved.progress.offset;
    Taking { source, saved, intake, answer, saved_at }.run(&mut file, identity.length)
}

/// A file under way.
struct Taking<'s> {
    source: &'s mut Source,
    saved: &'s mut Saved,
    intake: FileIntake,
    answer: File,
    saved_at: u64,
}

impl Taking<'_> {
    fn run(mut self, file: &mut File, length: u64) -> Result<(), Interruption> {
        let mut splitter = Splitter::new(self.source.message_bytes_max, self.saved.progress.offset);
        let mut chunk = vec![0; CHUNK_BYTES];
        let mut group = Vec::new();
        let mut size = 0;
        loop {
            let count = file.read(&mut chunk)?;
            match chunk.get(..count) {
                Some(read) if count > 0 => splitter.push(read),
                _ => splitter.finish(),
            }
            while let Some(stretch) = splitter.next_stretch() {
                size += stretch.bytes.len();
                group.push(stretch);
                if group.len() >= GROUP_STRETCHES_MAX || size >= GROUP_BYTES_MAX {
                    self.append(&group)?;
                    group.clear();
                    size = 0;
                }
            }
            if count == 0 {
                break;
            }
        }
        self.append(&group)?;
        let last = self.intake.finish();
        self.answer.write_all(&last)?;
        if file.metadata()?.len() != length {
            self.intake.note(Finding::at("changed", length));
        }
        self.checkpoint()
    }

    /// Until the journal has the group: a disk that is full holds the file up, and loses nothing of it.
    fn append(&mut self, group: &[Stretch]) -> Result<(), Interruption> {
        while !self.source.is_stopped() {
            match self.source.handle.block_on(self.intake.take(group)) {
                Ok(answer) => {
                    self.answer.write_all(&answer)?;
                    if self.intake.progress().offset - self.saved_at >= CHECKPOINT_BYTES {
                        self.checkpoint()?;
                    }
                    return Ok(());
                }
                Err(error) => {
                    let channel = &self.source.receiver.channel;
                    tracing::error!(channel, %error, "the journal does not take a file now, tried again");
                    self.source.pause(RETRY_PAUSE);
                }
            }
        }
        self.checkpoint()?;
        Err(Interruption::Stopped)
    }

    fn checkpoint(&mut self) -> Result<(), Interruption> {
        self.answer.sync_data()?;
        self.saved.progress = self.intake.progress().clone();
        self.saved.answer_bytes = self.answer.stream_position()?;
        self.saved_at = self.saved.progress.offset;
        Ok(self.source.place.save(self.saved)?)
    }
}
