//! Folders of text files, read for crates that may not read files themselves.

use std::collections::BTreeMap;
use std::path::Path;

use fhir::profile::{PackageError, PackageFiles, is_definition, unpack};

/// Longest file of a mapping package or profile.
pub const FILE_BYTES_MAX: u64 = 4 << 20;
/// Longest archive of a FHIR package.
pub const ARCHIVE_BYTES_MAX: u64 = 128 << 20;
/// Most files of one folder tree.
pub const FILES_MAX: usize = 5_000;

/// Relative path (with `/`) to text, of every file below `folder`; hidden files are left out.
pub fn read_folder(folder: &Path) -> std::io::Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    read_into(folder, "", None, &mut files)?;
    Ok(files)
}

/// [`read_folder`] of all but one folder directly below.
pub fn read_folder_without(folder: &Path, without: &str) -> std::io::Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    read_into(folder, "", Some(without), &mut files)?;
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

fn read_into(
    folder: &Path,
    prefix: &str,
    without: Option<&str>,
    files: &mut BTreeMap<String, String>,
) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') || Some(name.as_str()) == without {
            continue;
        }
        let path = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
        if entry.file_type()?.is_dir() {
            read_into(&entry.path(), &path, None, files)?;
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

/// The FHIR packages directly below `folder`, in name order: `*.tgz`, and folders that hold the JSON files of a package
/// or its `package/`. None when there is no such folder.
///
/// # Errors
/// The package that cannot be read.
pub fn fhir_packages(folder: &Path) -> Result<Vec<PackageFiles>, PackageError> {
    let failed = |file: &str, error: std::io::Error| PackageError {
        file: file.to_owned(),
        problem: error.to_string(),
    };
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let entries = std::fs::read_dir(folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
    let entries = entries.map_err(|error| failed(&folder.display().to_string(), error))?;
    let mut paths: Vec<_> = entries.iter().map(std::fs::DirEntry::path).collect();
    paths.sort();
    let mut packages = Vec::new();
    for path in paths {
        let origin = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let files = if path.is_dir() {
            package_folder(&path).map_err(|error| failed(&origin, error))?
        } else if origin.ends_with(".tgz") {
            let bytes = read_bytes(&path, ARCHIVE_BYTES_MAX).map_err(|error| failed(&origin, error))?;
            unpack(&origin, &bytes)?
        } else {
            continue;
        };
        packages.push(PackageFiles { origin, files });
    }
    Ok(packages)
}

/// The packages that a path names: an archive, a folder of one package, or a folder of packages.
///
/// # Errors
/// The package that cannot be read.
pub fn named(path: &Path) -> Result<Vec<PackageFiles>, PackageError> {
    let origin = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if path.is_dir() && !path.join("package.json").is_file() && !path.join("package").is_dir() {
        return fhir_packages(path);
    }
    let failed = |error: std::io::Error| PackageError { file: origin.clone(), problem: error.to_string() };
    let files = if path.is_dir() {
        package_folder(path).map_err(failed)?
    } else {
        unpack(&origin, &read_bytes(path, ARCHIVE_BYTES_MAX).map_err(failed)?)?
    };
    Ok(vec![PackageFiles { origin, files }])
}

fn package_folder(folder: &Path) -> std::io::Result<BTreeMap<String, Vec<u8>>> {
    let inner = folder.join("package");
    let folder = if inner.is_dir() { inner.as_path() } else { folder };
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if is_definition(&name) && entry.file_type()?.is_file() {
            let limit = u64::try_from(fhir::profile::PACKAGE_FILE_BYTES_MAX).unwrap_or(u64::MAX);
            files.insert(name, read_bytes(&entry.path(), limit)?);
        }
        if files.len() > fhir::profile::PACKAGE_FILES_MAX {
            return Err(std::io::Error::other("too many files"));
        }
    }
    Ok(files)
}

fn read_bytes(file: &Path, most: u64) -> std::io::Result<Vec<u8>> {
    if std::fs::metadata(file)?.len() > most {
        return Err(std::io::Error::other(format!("longer than {most} bytes")));
    }
    std::fs::read(file)
}
