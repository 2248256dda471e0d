//! Folders of messages and mapping packages on disk.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// One message with the file it lies in.
pub struct Found {
    /// Path below the folder that was searched.
    pub file: String,
    /// Position in the file, from 1.
    pub ordinal: usize,
    /// The bytes of the message.
    pub bytes: Vec<u8>,
}

/// Every file below `root` whose name ends in one of `suffixes`, sorted by path.
pub fn walk(root: &Path, suffixes: &[&str]) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if suffixes.iter().any(|suffix| path.to_string_lossy().ends_with(suffix)) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Every message in the `.hl7` and `.txt` files below `root`, and in the pages (`.md`) that quote some, in path order.
pub fn messages(root: &Path) -> std::io::Result<Vec<Found>> {
    let mut all = Vec::new();
    for path in walk(root, &[".hl7", ".txt", ".md"])? {
        let mut bytes = std::fs::read(&path)?;
        if path.extension().is_some_and(|extension| extension == "md") {
            bytes = quoted_segments(&bytes);
        }
        let file = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
        for (index, message) in hl7v2::batch::messages(&bytes).enumerate() {
            all.push(Found { file: file.clone(), ordinal: index + 1, bytes: message.to_vec() });
        }
    }
    Ok(all)
}

/// The lines of a page that are segments: a name of three characters and a separator.
fn quoted_segments(page: &[u8]) -> Vec<u8> {
    let lines = page.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    let is_segment = |line: &&[u8]| {
        line.get(3) == Some(&b'|')
            && line.iter().take(3).all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    };
    lines.filter(is_segment).flat_map(|line| line.iter().copied().chain([b'\r'])).collect()
}

/// The files of the mapping package at `root`, as the compiler takes them.
pub fn package(root: &Path) -> std::io::Result<mapping::Sources> {
    let mut sources = BTreeMap::new();
    for path in walk(root, &[".yaml", ".csv"])? {
        let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
        sources.insert(name, std::fs::read_to_string(&path)?);
    }
    Ok(mapping::Sources(sources))
}
