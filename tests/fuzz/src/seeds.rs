//! What a run begins from: the fixtures of the repository, and the package of mappings.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The workspace: two folders up from this package.
pub fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).unwrap_or(package).to_owned()
}

/// Every message under `fixtures/`, in order of path.
pub fn messages() -> Vec<Vec<u8>> {
    let found = files(&root().join("fixtures"), &["hl7"]);
    assert!(found.len() > 20, "fixtures/ holds the seeds, and only {} were found", found.len());
    found.into_values().collect()
}

/// The files of `mappings/` by their path in it.
pub fn mappings() -> BTreeMap<String, String> {
    let found = files(&root().join("mappings"), &["yaml", "csv"]);
    found.into_iter().map(|(path, bytes)| (path, String::from_utf8_lossy(&bytes).into_owned())).collect()
}

/// Resources as the fixtures expect them.
pub fn resources() -> Vec<Vec<u8>> {
    files(&root().join("fixtures"), &["json"]).into_values().collect()
}

fn files(folder: &Path, endings: &[&str]) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).unwrap_or_else(|error| panic!("{}: {error}", next.display())) {
            let path = entry.unwrap_or_else(|error| panic!("{}: {error}", next.display())).path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| endings.iter().any(|one| ending == *one)) {
                let name = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().into_owned();
                let bytes =
                    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                found.insert(name, bytes);
            }
        }
    }
    found
}
