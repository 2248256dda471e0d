//! Profiles of FHIR packages: read once, checked as often as one likes.
//!
//! A profile is its snapshot, as far as it asks more than R4 does: cardinality, types and targets, fixed values and
//! patterns, required value sets whose codes can be listed, constraints, slices by value, pattern, type or existence.
//! `mustSupport` asks nothing of a resource. What of a package cannot be checked is named in [`Profiles::unchecked`].

mod archive;
mod check;
mod compile;
mod rule;
mod values;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

pub use archive::{PACKAGE_BYTES_MAX, PACKAGE_FILES_MAX, is_definition, unpack};
use check::Check;
use compile::Compiler;
use rule::Profile;
use values::{Codes, Terminology};

use crate::definitions::r4;
use crate::location::Location;
use crate::outcome::{Issue, IssueCode, Severity};
use crate::path::{STEPS_MAX, Typed};

/// Where the canonicals of R4's own definitions begin.
const CORE: &str = "http://hl7.org/fhir/StructureDefinition/";
/// Longest file of a package.
pub const PACKAGE_FILE_BYTES_MAX: usize = 32 << 20;
/// What a package says in `fhirVersions`.
const FHIR_VERSION: &str = "4.0";

/// The files of one FHIR package, by name (`StructureDefinition-us-core-patient.json`), and its own name for errors.
#[derive(Default, Clone)]
pub struct PackageFiles {
    /// File or folder it was read from.
    pub origin: String,
    /// Content by file name.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl std::fmt::Debug for PackageFiles {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "PackageFiles({}, {} files)", self.origin, self.files.len())
    }
}

/// Why a package cannot be used: which file, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {problem}")]
pub struct PackageError {
    /// The package, or one file of it (`us_core.tgz/StructureDefinition-us-core-race.json`).
    pub file: String,
    /// What is wrong.
    pub problem: String,
}

/// What a package asks that is not checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unchecked {
    /// Id of the profile.
    pub profile: String,
    /// Id of the element in its snapshot.
    pub element: String,
    /// What is left out, and why.
    pub what: String,
}

/// The profiles of some packages.
#[derive(Default)]
pub struct Profiles {
    /// By canonical without version, the newest first.
    by_url: HashMap<Box<str>, Vec<Profile>>,
    sets: HashMap<Box<str>, Option<Codes>>,
    unchecked: Vec<Unchecked>,
    packages: Vec<String>,
}

impl std::fmt::Debug for Profiles {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { by_url, packages, .. } = self;
        write!(formatter, "Profiles({} definitions of {packages:?})", by_url.len())
    }
}

impl Profiles {
    /// Compiles packages.
    ///
    /// # Errors
    /// Every file that is wrong.
    pub fn compile(packages: &[PackageFiles]) -> Result<Self, Vec<PackageError>> {
        let mut errors = Vec::new();
        let mut read = Vec::new();
        let mut names = Vec::new();
        for package in packages {
            names.extend(about(package).map_err(|error| errors.push(error)));
            for (name, bytes) in &package.files {
                let file = format!("{}/{name}", package.origin);
                match definition(bytes) {
                    Ok(Some(value)) => read.push((file, value)),
                    Ok(None) => {}
                    Err(problem) => errors.push(PackageError { file, problem }),
                }
            }
        }
        let profiles = compiled(&read, names, &mut errors);
        if errors.is_empty() { Ok(profiles) } else { Err(errors) }
    }

    /// Names and versions of the packages (`hl7.fhir.us.core#6.1.0`).
    pub fn packages(&self) -> &[String] {
        &self.packages
    }

    /// What the packages ask that is not checked.
    pub fn unchecked(&self) -> &[Unchecked] {
        &self.unchecked
    }

    /// The type that a profile constrains, by its canonical with or without version; `None` when it is not there.
    pub fn type_of(&self, canonical: &str) -> Option<&str> {
        Some(&self.find(canonical)?.type_code)
    }

    /// Checks a resource against the profiles that its `meta.profile` names and those demanded of its type, and its
    /// extensions against their definitions. What R4 itself asks is [`crate::validate`]'s matter. A demanded profile
    /// of another type is passed over.
    pub fn check(&self, resource: &Value, demanded: &[&str]) -> Vec<Issue> {
        let Some(typed) = Typed::resource(resource) else { return Vec::new() };
        let at = Location::root(typed.type_code);
        let budget = Cell::new(STEPS_MAX);
        let mut issues = Vec::new();
        let mut wanted: Vec<&Profile> = Vec::new();
        let named =
            resource.pointer("/meta/profile").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        for (index, canonical) in named.iter().filter_map(Value::as_str).enumerate() {
            match self.find(canonical) {
                Some(profile) => wanted.push(profile),
                None if is_of_r4(canonical) => {}
                None => {
                    let meta = at.child("meta");
                    let location = meta.child("profile").repetition(index).to_string();
                    let text = "the profile is not loaded, so nothing was checked against it".to_owned();
                    let (severity, code) = (Severity::Warning, IssueCode::NotFound);
                    issues.push(Issue { severity, code, location, text });
                }
            }
        }
        wanted.extend(demanded.iter().filter_map(|canonical| self.find(canonical)));
        let mut done: Vec<&Profile> = Vec::new();
        for profile in wanted {
            if *profile.type_code == *typed.type_code
                && !done.iter().any(|other| std::ptr::eq(*other, profile))
            {
                issues.extend(self.against(profile, typed, typed, &at, &budget));
                done.push(profile);
            }
        }
        self.extensions(typed, typed, &at, 0, &budget, &mut issues);
        issues
    }

    fn against<'a>(
        &'a self,
        profile: &'a Profile,
        item: Typed<'a>,
        resource: Typed<'a>,
        at: &Location<'_>,
        budget: &'a Cell<u32>,
    ) -> Vec<Issue> {
        let mut check = Check { profiles: self, profile, resource, budget, issues: Vec::new() };
        check.element(item, &profile.root, at, 0);
        check.issues
    }

    /// Every extension whose definition is there, wherever it stands.
    fn extensions<'a>(
        &'a self,
        parent: Typed<'a>,
        resource: Typed<'a>,
        at: &Location<'_>,
        depth: usize,
        budget: &'a Cell<u32>,
        issues: &mut Vec<Issue>,
    ) {
        if depth > crate::validate::DEPTH_MAX {
            return;
        }
        let (mut index, mut last) = (0, None);
        parent.all_children(&mut |slot, child| {
            let element: *const _ = slot.element;
            index = if last == Some(element) { index + 1 } else { 0 };
            last = Some(element);
            let here = at.child(slot.element.base_name());
            let here = if slot.element.repeats() { here.repetition(index) } else { here };
            if child.type_code == "Extension"
                && let Some(profile) = child.text("url").and_then(|url| self.find(url))
                && &*profile.type_code == "Extension"
            {
                issues.extend(self.against(profile, child, resource, &here, budget));
            }
            self.extensions(child, resource, &here, depth + 1, budget, issues);
        });
    }

    /// A profile by its canonical; without a version the newest.
    fn find(&self, canonical: &str) -> Option<&Profile> {
        let (url, version) = canonical.split_once('|').unwrap_or((canonical, ""));
        let all = self.by_url.get(url)?;
        all.iter().find(|profile| version.is_empty() || *profile.version == *version)
    }

    fn codes(&self, set: &str) -> Option<&Codes> {
        self.sets.get(without_version(set))?.as_ref()
    }
}

/// Name and version of a package, and whether it is one of R4.
pub(crate) fn about(package: &PackageFiles) -> Result<String, PackageError> {
    let file = format!("{}/package.json", package.origin);
    let error = |problem: &str| PackageError { file: file.clone(), problem: problem.to_owned() };
    let bytes = package.files.get("package.json").ok_or_else(|| error("is not there"))?;
    let about: Value = serde_json::from_slice(bytes).map_err(|_| error("is not JSON"))?;
    let versions = ["fhirVersions", "fhir-version-list"].map(|name| list(&about, name));
    let mut versions = versions.into_iter().flatten().filter_map(Value::as_str);
    if !versions.any(|version| version.starts_with(FHIR_VERSION)) {
        return Err(error("is no package of FHIR 4.0"));
    }
    Ok(format!("{}#{}", string(&about, "name"), string(&about, "version")))
}

/// A definition that is used; `None` for other files.
fn definition(bytes: &[u8]) -> Result<Option<Value>, String> {
    if bytes.len() > PACKAGE_FILE_BYTES_MAX {
        return Err(format!("is longer than {PACKAGE_FILE_BYTES_MAX} bytes"));
    }
    let value: Value = serde_json::from_slice(bytes).map_err(|error| format!("is not JSON: {error}"))?;
    Ok(match string(&value, "resourceType") {
        "ValueSet" | "CodeSystem" => Some(value),
        "StructureDefinition" if string(&value, "derivation") == "constraint" => Some(value),
        _ => None,
    })
}

fn compiled(read: &[(String, Value)], packages: Vec<String>, errors: &mut Vec<PackageError>) -> Profiles {
    let mut terminology = Terminology::default();
    let mut types = HashMap::new();
    for (_, value) in read {
        let url = string(value, "url");
        match string(value, "resourceType") {
            "ValueSet" => drop(terminology.value_sets.insert(url, value)),
            "CodeSystem" => drop(terminology.code_systems.insert(url, value)),
            _ => drop(types.insert(url, string(value, "type"))),
        }
    }
    let known: BTreeSet<&'static str> = r4().constraint_keys().collect();
    let mut compiler = Compiler {
        terminology: &terminology,
        types: &types,
        known: &known,
        sets: HashMap::new(),
        unchecked: Vec::new(),
        profile: String::new(),
    };
    let mut by_url: HashMap<Box<str>, Vec<Profile>> = HashMap::new();
    for (file, value) in
        read.iter().filter(|(_, value)| string(value, "resourceType") == "StructureDefinition")
    {
        match compiler.profile(value) {
            Ok(profile) => by_url.entry(profile.url.clone()).or_default().push(profile),
            Err(problem) => errors.push(PackageError { file: file.clone(), problem }),
        }
    }
    for profiles in by_url.values_mut() {
        profiles.sort_by_key(|profile| std::cmp::Reverse(numbers(&profile.version)));
    }
    Profiles { by_url, sets: compiler.sets, unchecked: compiler.unchecked, packages }
}

/// The numbers of a version, for its order.
fn numbers(version: &str) -> Vec<u64> {
    version.split(['.', '-']).map(|part| part.parse().unwrap_or(0)).collect()
}

/// Whether a canonical names a type of R4 itself.
fn is_of_r4(canonical: &str) -> bool {
    without_version(canonical).strip_prefix(CORE).is_some_and(|name| r4().types.contains_key(name))
}

fn without_version(canonical: &str) -> &str {
    canonical.split('|').next().unwrap_or(canonical)
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn string<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}
