//! What a command was given to read: files, folders (in name order), or stdin.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::{Exit, Failure};

/// Longest input that is read whole.
pub const INPUT_BYTES_MAX: u64 = 1 << 30;

/// One input: its name for messages, and its bytes.
pub struct Input {
    /// Path, or `stdin`.
    pub name: String,
    /// Content.
    pub bytes: Vec<u8>,
}

/// Calls `each` with every input, one after the other; `extensions` restricts files found in folders.
pub fn each(
    files: &[PathBuf],
    extensions: &[&str],
    mut each: impl FnMut(Input) -> Result<(), Failure>,
) -> Result<(), Failure> {
    if files.is_empty() {
        let mut bytes = Vec::new();
        let read = std::io::stdin().lock().take(INPUT_BYTES_MAX).read_to_end(&mut bytes);
        read.map_err(|error| Failure::because(Exit::Io, &error))?;
        return each(Input { name: "stdin".to_owned(), bytes });
    }
    for file in files {
        if file.is_dir() {
            for found in files_below(file, extensions)? {
                each(read(&found)?)?;
            }
        } else {
            each(read(file)?)?;
        }
    }
    Ok(())
}

fn read(file: &Path) -> Result<Input, Failure> {
    let name = file.display().to_string();
    let failure = |error: std::io::Error| Failure::new(Exit::Io, format!("{name}: {error}"));
    if std::fs::metadata(file).map_err(failure)?.len() > INPUT_BYTES_MAX {
        return Err(Failure::new(Exit::Io, format!("{name}: longer than {INPUT_BYTES_MAX} bytes")));
    }
    let bytes = std::fs::read(file).map_err(failure)?;
    Ok(Input { name, bytes })
}

fn files_below(folder: &Path, extensions: &[&str]) -> Result<Vec<PathBuf>, Failure> {
    let failure = |error: std::io::Error| Failure::new(Exit::Io, format!("{}: {error}", folder.display()));
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failure)? {
        let path = entry.map_err(failure)?.path();
        if path.is_dir() {
            files.extend(files_below(&path, extensions)?);
        } else if path.extension().and_then(|e| e.to_str()).is_some_and(|e| extensions.contains(&e)) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
