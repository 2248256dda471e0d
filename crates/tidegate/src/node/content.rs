//! The content of a clinical node: mapping package, policy and profiles, compiled and proven when they load.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use fhir::profile::PackageFiles;
use mapping::{PACKAGES_FOLDER, Package, Sources};
use residency::{Policy, Profile};
use verifier::Grammar;

use super::portal::PROFILES;
use crate::config::Problem;
use crate::{Exit, Failure, package};

/// Folder of the residency policy below the profiles folder.
pub const RESIDENCY: &str = "residency";

/// Relative path to text, of one folder.
type Files = std::collections::BTreeMap<String, String>;

/// Profiles by id: the transformer, and the verifier's own reading of the same files.
pub type Profiles = HashMap<String, (Arc<Profile>, Arc<Grammar>)>;

/// Compiles a mapping package; every finding is named with file, line, column, cause and fix.
pub fn mappings(folder: &Path) -> Result<Package, Failure> {
    let (files, packages) = package_files(folder)?;
    let sources = Sources(files);
    Package::compile_with(&sources, &packages)
        .map_err(|found| failure(folder, &sources.0, found.iter().map(Finding::from)))
}

/// The files of a mapping package, and the FHIR packages that lie within.
fn package_files(folder: &Path) -> Result<(Files, Vec<PackageFiles>), Failure> {
    let wrong = |error: &dyn std::fmt::Display| {
        Failure::new(Exit::Configuration, format!("{}: {error}", folder.display()))
    };
    let files = package::read_folder_without(folder, PACKAGES_FOLDER).map_err(|error| wrong(&error))?;
    let packages = package::fhir_packages(&folder.join(PACKAGES_FOLDER)).map_err(|error| wrong(&error))?;
    Ok((files, packages))
}

/// Compiles a package and runs its tests, for a node that runs another; `None` when it is the one in force.
///
/// # Errors
/// Each finding with file, line, column and code, and each test that fails; without the lines themselves, since this
/// goes to the log.
pub fn proven_mappings(folder: &Path, in_force: &str) -> Result<Option<Package>, Vec<Problem>> {
    let problem = |place: String, cause: String, fix: &str| Problem { place, cause, fix: fix.to_owned() };
    let (files, packages) = package_files(folder)
        .map_err(|failure| vec![problem("mappings".to_owned(), failure.words, "make the folder readable")])?;
    let package = Package::compile_with(&Sources(files), &packages).map_err(|found| {
        let of = |one: &mapping::Diagnostic| {
            let mapping::Diagnostic { file, line, column, code, message, help, .. } = one;
            let place = format!("{}/{file}:{line}:{column}", folder.display());
            problem(place, format!("{code} {message}"), help.as_deref().unwrap_or("see tidegate test"))
        };
        found.iter().map(of).collect::<Vec<_>>()
    })?;
    if package.hash() == in_force {
        return Ok(None);
    }
    let failed: Vec<Problem> = package
        .run_tests()
        .into_iter()
        .filter(|outcome| !outcome.failures.is_empty())
        .map(|outcome| {
            let place = format!("{}/{}:{}", folder.display(), outcome.file, outcome.line);
            problem(place, "a test fails".to_owned(), "see tidegate test")
        })
        .collect();
    if failed.is_empty() { Ok(Some(package)) } else { Err(failed) }
}

/// Compiles every profile below `profiles/deidentification`.
pub fn profiles(folder: &Path) -> Result<Profiles, Failure> {
    let folder = folder.join(PROFILES);
    let ids = package::folder_names(&folder)
        .map_err(|error| Failure::new(Exit::Configuration, format!("{}: {error}", folder.display())))?;
    ids.into_iter().map(|id| Ok((id.clone(), profile(&folder, &id)?))).collect()
}

fn profile(folder: &Path, id: &str) -> Result<(Arc<Profile>, Arc<Grammar>), Failure> {
    let folder = folder.join(id);
    let files = read(&folder)?;
    let profile = Profile::compile(id, &files)
        .map_err(|diagnostics| residency_failure(&folder, &files, &diagnostics))?;
    let grammar = Grammar::compile(id, &files)
        .map_err(|error| Failure::new(Exit::Configuration, format!("{}/{error}", folder.display())))?;
    Ok((Arc::new(profile), Arc::new(grammar)))
}

/// Compiles the residency policy against the profiles that exist.
pub fn policy(folder: &Path, profiles: &Profiles) -> Result<Policy, Failure> {
    let folder = folder.join(RESIDENCY);
    let files = read(&folder)?;
    let ids: Vec<&str> = profiles.keys().map(String::as_str).collect();
    Policy::compile(&files, &ids).map_err(|diagnostics| residency_failure(&folder, &files, &diagnostics))
}

fn residency_failure(folder: &Path, files: &Files, found: &[residency::Diagnostic]) -> Failure {
    failure(folder, files, found.iter().map(Finding::from))
}

/// All findings of one folder, rendered.
fn failure<'a>(folder: &Path, files: &Files, found: impl Iterator<Item = Finding<'a>>) -> Failure {
    let rendered: Vec<String> =
        found.map(|finding| render(folder, &finding, files.get(finding.file).map(String::as_str))).collect();
    Failure::new(Exit::Configuration, rendered.join("\n"))
}

fn read(folder: &Path) -> Result<Files, Failure> {
    package::read_folder(folder)
        .map_err(|error| Failure::new(Exit::Configuration, format!("{}: {error}", folder.display())))
}

/// A load-time finding, whoever found it; line and column from 1.
struct Finding<'a> {
    file: &'a str,
    line: usize,
    column: usize,
    length: usize,
    code: &'a str,
    message: &'a str,
    help: Option<&'a str>,
}

impl<'a> From<&'a mapping::Diagnostic> for Finding<'a> {
    fn from(found: &'a mapping::Diagnostic) -> Self {
        let mapping::Diagnostic { file, line, column, length, code, message, help } = found;
        let (line, column, length) = (*line, *column, *length);
        Self { file, line, column, length, code, message, help: help.as_deref() }
    }
}

impl<'a> From<&'a residency::Diagnostic> for Finding<'a> {
    fn from(found: &'a residency::Diagnostic) -> Self {
        let residency::Diagnostic { file, line, column, length, code, message, help } = found;
        let (line, column, length) = (*line, *column, *length);
        Self { file, line, column, length, code, message, help: help.as_deref() }
    }
}

/// `E0214 mappings/segments/PID.Patient.yaml:21:12 …`, the line, a caret, and the fix.
fn render(folder: &Path, finding: &Finding<'_>, source: Option<&str>) -> String {
    let Finding { file, line, column, length, code, message, help } = finding;
    let mut text = format!("{code} {}/{file}:{line}:{column}  {message}\n", folder.display());
    if let Some(source_line) = source.and_then(|source| source.lines().nth(line.saturating_sub(1))) {
        let number = line.to_string();
        let gutter = " ".repeat(number.len());
        let caret = format!("{}{}", " ".repeat(column.saturating_sub(1)), "^".repeat((*length).max(1)));
        text.push_str(&format!(" {number} | {source_line}\n {gutter} | {caret}"));
        if let Some(help) = help {
            text.push_str(&format!(" {help}"));
        }
        text.push('\n');
    } else if let Some(help) = help {
        text.push_str(&format!("   fix: {help}\n"));
    }
    text
}
