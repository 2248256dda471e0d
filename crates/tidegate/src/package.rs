//! Folders of text files, read for crates that may not read files themselves.

use std::collections::BTreeMap;
use std::path::Path;

/// Longest file of a mapping package or profile.
pub const FILE_BYTES_MAX: u64 = 4 << 20;
/// Most files of one folder tree.
pub const FILES_MAX: usize = 5_000;

/// Relative path (with `/`) to text, of every file below `folder`; hidden files are left out.
pub fn read_folder(folder: &Path) -> std::io::Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    read_into(folder, "", &mut files)?;
    Ok(files)
}

/// Names of the folders directly below `folder`.
pub fn folder_names(folder: &Path) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            names.extend(
                entry.file_name().to_str().filter(|name| !name.starts_with('.')).map(ToOwned::to_owned),
            );
        }
    }
    names.sort();
    Ok(names)
}

fn read_into(folder: &Path, prefix: &str, files: &mut BTreeMap<String, String>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        let path = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
        if entry.file_type()?.is_dir() {
            read_into(&entry.path(), &path, files)?;
        } else {
            files.insert(path.clone(), read_file(&entry.path(), &path)?);
        }
        if files.len() > FILES_MAX {
            return Err(std::io::Error::other(format!("more than {FILES_MAX} files")));
        }
    }
    Ok(())
}

fn read_file(file: &Path, path: &str) -> std::io::Result<String> {
    if std::fs::metadata(file)?.len() > FILE_BYTES_MAX {
        return Err(std::io::Error::other(format!("{path} is longer than {FILE_BYTES_MAX} bytes")));
    }
    let named = |error: std::io::Error| std::io::Error::new(error.kind(), format!("{path}: {error}"));
    std::fs::read_to_string(file).map_err(named)
}
