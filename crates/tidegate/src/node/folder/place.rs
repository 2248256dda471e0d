//! The folders of a source: claiming a file, keeping how far it is, putting it away.
//!
//! Beside the files that partners drop lies `.tidegate`, ours alone, with at most one file under way: `file`, its `answer`
//! so far, and `taking.json`, which is replaced as a whole and says what is durable; and for each file of which application
//! acknowledgments are promised, `CLAIM.promised`, which says where it went.

use std::collections::BinaryHeap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Error, ErrorKind, Read as _, Result, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use aws_lc_rs::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};
use sources::folder::{Claim, Progress};
use uuid::Uuid;

use crate::config::Folder;
use crate::keys::to_hex;

/// Files looked at in one look; of more, the oldest.
const FILES_LISTED_MAX: usize = 1_000;
/// Bytes at each end of a file by which it is known again.
const IDENTITY_BYTES: u64 = 64 << 10;
/// Names that are not taken: a file that is still being written.
const UNFINISHED: [&str; 2] = [".tmp", ".part"];
/// How names end that say where a file went.
const PROMISED: &str = "promised";

/// The folders of one source.
pub(super) struct Place {
    drop: PathBuf,
    archive: PathBuf,
    errors: PathBuf,
    work: PathBuf,
    pattern: Option<String>,
}

/// What is durable of the file under way.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Saved {
    /// Name under which it was dropped.
    name: String,
    /// How it is known again; `None` until it was looked at.
    pub identity: Option<Identity>,
    /// How far it is taken.
    pub progress: Progress,
    /// Length of the answer that belongs to it.
    pub answer_bytes: u64,
    /// Where it goes, once all of it is taken.
    end: Option<End>,
}

/// Length and a digest of both ends of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    /// In bytes.
    pub length: u64,
    digest: String,
}

/// Where a file goes.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct End {
    name: String,
    is_clean: bool,
}

impl Place {
    /// Makes the folders that are not there.
    pub fn open(config: &Folder) -> Result<Self> {
        let work = config.path.join(".tidegate");
        let mut devices = Vec::new();
        for folder in [&config.path, &config.archive, &config.errors, &work] {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            devices.push(std::fs::metadata(folder)?.dev());
        }
        if devices.windows(2).any(|pair| pair.first() != pair.last()) {
            return Err(Error::new(
                ErrorKind::CrossesDevices,
                "path, archive and errors lie on several file systems; put them on one",
            ));
        }
        Ok(Self {
            drop: config.path.clone(),
            archive: config.archive.clone(),
            errors: config.errors.clone(),
            work,
            pattern: config.pattern.clone(),
        })
    }

    /// The file under way, when there is one: the node ended before it was put away.
    pub fn resume(&self) -> Result<Option<Saved>> {
        let text = match std::fs::read(self.work.join("taking.json")) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            read => read?,
        };
        let saved: Saved = serde_json::from_slice(&text)?;
        if saved.end.is_none() && !self.file().try_exists()? {
            // It was about to be claimed, and still has its own name.
            self.forget()?;
            return Ok(None);
        }
        Ok(Some(saved))
    }

    /// Moves the oldest file that is there into the work folder; `None` when there is none.
    pub fn claim(&self, claim: Claim) -> Result<Option<Saved>> {
        let Some(found) = self.oldest()? else { return Ok(None) };
        let name = found.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let progress = Progress::new(claim);
        let saved = Saved { name, identity: None, progress, answer_bytes: 0, end: None };
        self.save(&saved)?;
        std::fs::rename(&found, self.file())?;
        sync_folder(&self.work)?;
        sync_folder(&self.drop)?;
        Ok(Some(saved))
    }

    fn oldest(&self) -> Result<Option<PathBuf>> {
        let mut heap: BinaryHeap<(SystemTime, PathBuf)> = BinaryHeap::new();
        for entry in std::fs::read_dir(&self.drop)? {
            let entry = entry?;
            let Some(metadata) = self.taken(&entry)? else { continue };
            heap.push((metadata, entry.path()));
            if heap.len() > FILES_LISTED_MAX {
                heap.pop();
            }
        }
        Ok(heap.into_sorted_vec().into_iter().next().map(|(_, path)| path))
    }

    /// When a file that is to be taken was written; `None` when it is not to be.
    fn taken(&self, entry: &std::fs::DirEntry) -> Result<Option<SystemTime>> {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_unfinished = name.starts_with('.') || UNFINISHED.iter().any(|end| name.ends_with(end));
        if is_unfinished || !self.pattern.as_deref().is_none_or(|pattern| matches(pattern, &name)) {
            return Ok(None);
        }
        let metadata = match entry.metadata() {
            // Somebody took it back.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            read => read?,
        };
        if metadata.is_file() { metadata.modified().map(Some) } else { Ok(None) }
    }

    /// The file under way.
    pub fn file(&self) -> PathBuf {
        self.work.join("file")
    }

    /// The answer under way, cut to what is durable of it, for appending.
    pub fn answer(&self, length: u64) -> Result<File> {
        let path = self.work.join("answer");
        let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        file.set_len(length)?;
        file.seek(SeekFrom::End(0))?;
        Ok(file)
    }

    /// Makes `saved` durable.
    pub fn save(&self, saved: &Saved) -> Result<()> {
        self.replace("taking.json", &serde_json::to_vec(saved)?)
    }

    /// All is taken: writes the report when there is something to say, and decides where the file goes.
    pub fn conclude(&self, saved: &mut Saved) -> Result<()> {
        let is_clean = saved.progress.is_clean();
        if !is_clean {
            let mut report = saved.progress.report();
            report["length"] = saved.identity.as_ref().map(|identity| identity.length).into();
            self.replace("report.json", &serde_json::to_vec_pretty(&report)?)?;
        }
        let folder = if is_clean { &self.archive } else { &self.errors };
        saved.end = Some(End { name: free_name(folder, &saved.name, saved.progress.claim)?, is_clean });
        self.save(saved)
    }

    /// Is it decided where the file goes?
    pub fn is_concluded(&self, saved: &Saved) -> bool {
        saved.end.is_some()
    }

    /// Puts away answer, report and file, in this order: who sees the file sees all. Each step may have been done before.
    pub fn put_away(&self, saved: &Saved) -> Result<()> {
        let Some(End { name, is_clean }) = &saved.end else { return Ok(()) };
        let folder = if *is_clean { &self.archive } else { &self.errors };
        if saved.progress.counts.promised > 0 {
            let end = serde_json::to_vec(&End { name: name.clone(), is_clean: *is_clean })?;
            self.replace(&promised_name(saved.progress.claim.id), &end)?;
        }
        if saved.answer_bytes > 0 {
            move_once(&self.work.join("answer"), &folder.join(format!("{name}.ack")))?;
        } else {
            remove_if_there(&self.work.join("answer"))?;
        }
        move_once(&self.work.join("report.json"), &folder.join(format!("{name}.report.json")))?;
        move_once(&self.file(), &folder.join(name))?;
        sync_folder(folder)?;
        self.forget()
    }

    /// Is this the file under way?
    pub fn is_under_way(&self, claim: Uuid) -> Result<bool> {
        Ok(self.resume()?.is_some_and(|saved| saved.progress.claim.id == claim))
    }

    /// Adds to the application acknowledgments beside a file that was put away; `false`: no such file is known.
    pub fn add_owed(&self, claim: Uuid, bytes: &[u8]) -> Result<bool> {
        let end: End = match std::fs::read(self.work.join(promised_name(claim))) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            read => serde_json::from_slice(&read?)?,
        };
        let folder = if end.is_clean { &self.archive } else { &self.errors };
        let path = folder.join(format!("{}.app.ack", end.name));
        let mut file = OpenOptions::new().append(true).create(true).mode(0o640).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        sync_folder(folder)?;
        Ok(true)
    }

    /// Every promise is kept: where each file went is of no more use.
    pub fn forget_promises(&self) -> Result<()> {
        for entry in std::fs::read_dir(&self.work)? {
            let path = entry?.path();
            if path.extension().is_some_and(|end| end == PROMISED) {
                remove_if_there(&path)?;
            }
        }
        Ok(())
    }

    fn forget(&self) -> Result<()> {
        remove_if_there(&self.work.join("taking.json"))?;
        sync_folder(&self.work)
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let (path, new) = (self.work.join(name), self.work.join(format!("{name}.new")));
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o640).open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&new, &path)?;
        sync_folder(&self.work)
    }
}

impl Identity {
    /// Of a file; its position is anywhere afterwards.
    pub fn of(file: &mut File) -> Result<Self> {
        let length = file.metadata()?.len();
        let mut context = Context::new(&SHA256);
        let mut buffer = Vec::new();
        for start in [0, length.saturating_sub(IDENTITY_BYTES)] {
            buffer.clear();
            file.seek(SeekFrom::Start(start))?;
            file.take(IDENTITY_BYTES).read_to_end(&mut buffer)?;
            context.update(&buffer);
        }
        Ok(Self { length, digest: to_hex(context.finish().as_ref()) })
    }
}

/// The name under which it is kept where a file went of which something is promised.
fn promised_name(claim: Uuid) -> String {
    format!("{}.{PROMISED}", claim.simple())
}

/// The dropped name, or with an end of its own when a file of that name was put away before.
fn free_name(folder: &Path, name: &str, claim: Claim) -> Result<String> {
    let ends = ["", ".ack", ".app.ack", ".report.json"];
    for end in ends {
        if folder.join(format!("{name}{end}")).try_exists()? {
            return Ok(format!("{name}.{}", claim.id.simple()));
        }
    }
    Ok(name.to_owned())
}

fn move_once(from: &Path, to: &Path) -> Result<()> {
    match std::fs::rename(from, to) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        moved => moved,
    }
}

fn remove_if_there(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Makes the names in a folder durable.
fn sync_folder(folder: &Path) -> Result<()> {
    File::open(folder)?.sync_all()
}

/// Does a name fit a pattern of `*` (any characters) and `?` (one)?
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut from) = (0, 0);
    // Where the last `*` stands, and how much of the name it has taken.
    let mut star: Option<(usize, usize)> = None;
    while from < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(one) if *one == '?' || name.get(from) == Some(one) => {
                at += 1;
                from += 1;
            }
            _ => match &mut star {
                Some((place, taken)) => {
                    *taken += 1;
                    (at, from) = (*place + 1, *taken);
                }
                None => return false,
            },
        }
    }
    pattern.get(at..).unwrap_or_default().iter().all(|one| *one == '*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_pattern_has_stars_and_single_characters() {
        for (pattern, name, expected) in [
            ("*.hl7", "a.hl7", true),
            ("*.hl7", "a.hl7x", false),
            ("lab-??.txt", "lab-01.txt", true),
            ("lab-??.txt", "lab-001.txt", false),
            ("*a*b", "xaxxbxb", true),
            ("*", "", true),
            ("a", "", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
