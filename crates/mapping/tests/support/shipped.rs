//! The package as shipped, and the messages beside it.
#![allow(dead_code, reason = "each file that includes this uses its part")]

use mapping::{Package, Sources};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A place in the repository.
pub fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// The files of `mappings/` by their path in it.
pub fn sources() -> BTreeMap<String, String> {
    let base = root("mappings");
    let mut files = BTreeMap::new();
    let mut folders = vec![base.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("the folder is readable") {
            let path = entry.expect("the entry is readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "yaml" || end == "csv") {
                let name = path.strip_prefix(&base).expect("it lies below").to_string_lossy().into_owned();
                files.insert(name, std::fs::read_to_string(&path).expect("the file is text"));
            }
        }
    }
    files
}

/// The package, compiled.
pub fn package() -> Package {
    compiled(sources())
}

/// A package of these files.
pub fn compiled(files: BTreeMap<String, String>) -> Package {
    Package::compile(&Sources(files)).unwrap_or_else(|findings| {
        panic!("{}", findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    })
}

/// A message of `fixtures/`.
pub fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(root("fixtures").join(name)).expect("the fixture is readable")
}
