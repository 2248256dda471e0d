//! Reads a FHIR package: a gzipped tar file whose definitions lie in `package/` (R4 NPM package specification).

use std::collections::BTreeMap;
use std::io::Read as _;

use super::PackageError;

/// Longest package, unpacked.
pub const PACKAGE_BYTES_MAX: u64 = 512 << 20;
/// Most files of a package.
pub const PACKAGE_FILES_MAX: usize = 20_000;

const BLOCK: usize = 512;
/// Where the definitions lie.
const FOLDER: &str = "package/";

/// The files of a package that lie directly in `package/` and are JSON, by name.
///
/// # Errors
/// [`PackageError`] when the bytes are no package, or one above the limits.
pub fn unpack(archive: &str, bytes: &[u8]) -> Result<BTreeMap<String, Vec<u8>>, PackageError> {
    let error = |problem: String| PackageError { file: archive.to_owned(), problem };
    let mut tar = Vec::new();
    flate2::read::GzDecoder::new(bytes)
        .take(PACKAGE_BYTES_MAX + 1)
        .read_to_end(&mut tar)
        .map_err(|_| error("is not gzip data".to_owned()))?;
    if u64::try_from(tar.len()).unwrap_or(u64::MAX) > PACKAGE_BYTES_MAX {
        return Err(error(format!("unpacks to more than {PACKAGE_BYTES_MAX} bytes")));
    }
    let mut files = BTreeMap::new();
    let mut rest = tar.as_slice();
    // The name that an extended header gives to the file after it.
    let mut long_name = None;
    while let Some((header, content)) = rest.split_at_checked(BLOCK) {
        let Some(entry) = Entry::read(header) else { break };
        let size = entry.size.ok_or_else(|| error("is not a tar file".to_owned()))?;
        let (content, after) = content
            .split_at_checked(size.next_multiple_of(BLOCK))
            .ok_or_else(|| error("ends early".to_owned()))?;
        let content = content.get(..size).unwrap_or_default();
        rest = after;
        match entry.kind {
            b'x' => long_name = pax_path(content),
            b'L' => long_name = Some(text(content)),
            b'0' | 0 => {
                let name = long_name.take().unwrap_or(entry.name);
                let name = name.strip_prefix("./").unwrap_or(&name);
                if let Some(file) = name.strip_prefix(FOLDER).filter(|file| is_definition(file)) {
                    files.insert(file.to_owned(), content.to_vec());
                }
            }
            _ => long_name = None,
        }
        if files.len() > PACKAGE_FILES_MAX {
            return Err(error(format!("has more than {PACKAGE_FILES_MAX} files")));
        }
    }
    Ok(files)
}

/// Whether a file of a package's folder is one that is read: JSON, not hidden, not in a folder below.
pub fn is_definition(name: &str) -> bool {
    name.ends_with(".json") && !name.starts_with('.') && !name.contains('/')
}

/// A tar header (POSIX ustar).
struct Entry {
    name: String,
    size: Option<usize>,
    kind: u8,
}

impl Entry {
    /// `None` at the end of the archive.
    fn read(header: &[u8]) -> Option<Self> {
        let field = |from: usize, to: usize| text(header.get(from..to).unwrap_or_default());
        let name = field(0, 100);
        if name.is_empty() {
            return None;
        }
        let prefix = if header.get(257..262) == Some(b"ustar") { field(345, 500) } else { String::new() };
        let name = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
        let size = usize::from_str_radix(&field(124, 136), 8).ok();
        Some(Self { name, size, kind: header.get(156).copied().unwrap_or_default() })
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_matches(['\0', ' ']).to_owned()
}

/// `path` of a pax header: lines of `LENGTH KEY=VALUE`.
fn pax_path(content: &[u8]) -> Option<String> {
    let content = String::from_utf8_lossy(content);
    let pairs = content.lines().filter_map(|line| line.split_once(' ')?.1.split_once('='));
    pairs.into_iter().find(|(key, _)| *key == "path").map(|(_, path)| path.to_owned())
}
