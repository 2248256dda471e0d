//! What a site asks of the resources that are made, and what becomes of a message whose resources break it.

use crate::check::only_keys;
use crate::diagnostic::{Findings, Place};
use crate::package::Package;
use crate::translation::Issue;
use crate::yaml::Node;
use fhir::profile::{PackageError, PackageFiles};
use fhir::{IssueCode, Profiles, Severity};
use serde_json::Value;

/// Where the FHIR packages lie, below the mapping package.
pub const PACKAGES_FOLDER: &str = "packages";
/// Issues of one message's resources that are kept.
const ISSUES_MAX: usize = 200;

/// `validation`, as written.
#[derive(Default, Clone)]
pub(crate) struct Validation {
    /// Canonicals that every resource of their type must keep.
    pub profiles: Vec<(String, Place)>,
    /// Whether a broken rule holds the message back.
    pub quarantines: bool,
}

/// What is wrong with the resources that a message makes.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Validated {
    /// Findings by FHIR element (`Patient.name[0].family`), each once. What is stored in spite of them is a warning.
    pub issues: Vec<Issue>,
    /// Why the message may not be applied, as a code with the first element: `invalid:Invariant:Observation`.
    pub refused: Option<String>,
}

impl Package {
    /// Checks the resources of a message: the form of R4 and its invariants, then the profiles that they name and that
    /// the site demands. What has not the form of R4 refuses the message; a broken invariant or profile does where the
    /// site says `on_error: quarantine`. `site` is [`crate::Translation::site`].
    pub fn validate<'r>(
        &self,
        site: Option<&str>,
        resources: impl IntoIterator<Item = &'r Value>,
    ) -> Validated {
        let named = |name: &str| self.sites.iter().find(|program| program.site.name.as_deref() == Some(name));
        let own = site.and_then(named).and_then(|program| program.site.validation.as_ref());
        let Some(asked) = own.or(self.base.site.validation.as_ref()) else {
            return self.checked(&Validation::default(), resources);
        };
        self.checked(asked, resources)
    }

    /// The FHIR packages that it checks against.
    pub fn profiles(&self) -> &Profiles {
        &self.profiles
    }

    fn checked<'r>(&self, asked: &Validation, resources: impl IntoIterator<Item = &'r Value>) -> Validated {
        let demanded: Vec<&str> = asked.profiles.iter().map(|(canonical, _)| canonical.as_str()).collect();
        let mut validated = Validated::default();
        for resource in resources {
            let of_r4 = fhir::validate(resource);
            let broken = |issue: &fhir::Issue| issue.is_error() && issue.code != IssueCode::Invariant;
            let has_form = !of_r4.iter().any(broken);
            let refuses = |issue: &fhir::Issue| issue.is_error() && (asked.quarantines || broken(issue));
            validated.take(of_r4, refuses, asked.quarantines);
            // What is no resource of R4 is not held against a profile of one.
            if has_form && !self.profiles.packages().is_empty() {
                let of_profiles = self.profiles.check(resource, &demanded);
                validated.take(of_profiles, |issue| issue.is_error() && asked.quarantines, asked.quarantines);
            }
        }
        validated
    }
}

impl Validated {
    fn take(&mut self, found: Vec<fhir::Issue>, refuses: impl Fn(&fhir::Issue) -> bool, quarantines: bool) {
        for issue in found {
            let is_refused = refuses(&issue);
            if is_refused && self.refused.is_none() {
                self.refused = Some(format!("invalid:{:?}:{}", issue.code, issue.location));
            }
            let severity = match issue.severity {
                Severity::Fatal | Severity::Error if !is_refused && !quarantines => Severity::Warning,
                severity => severity,
            };
            let issue =
                Issue { severity, code: issue.code, path: issue.location, rule: None, text: issue.text };
            if self.issues.len() < ISSUES_MAX && !self.issues.contains(&issue) {
                self.issues.push(issue);
            }
        }
    }
}

/// The key `validation` of a site or of `package.yaml`.
pub(crate) fn written(node: &Node, findings: &mut Findings) -> Validation {
    only_keys(node, &["profiles", "on_error", "doc"], findings);
    let mut validation = Validation::default();
    for item in node.get("profiles").map(Node::items).unwrap_or_default() {
        match item.scalar() {
            Some(canonical) => validation.profiles.push((canonical.to_owned(), item.place)),
            None => findings.add(item.place, "E0104", "a single value is expected here"),
        }
    }
    if let Some(said) = node.get("on_error") {
        match said.scalar() {
            Some("warn") => {}
            Some("quarantine") => validation.quarantines = true,
            _ => findings.add(said.place, "E0505", "on_error is warn or quarantine"),
        }
    }
    validation
}

/// Proves that the profiles which are demanded are there.
pub(crate) fn prove(validation: &Validation, profiles: &Profiles, findings: &mut Findings) {
    for (canonical, place) in &validation.profiles {
        if profiles.type_of(canonical).is_none() {
            findings.add_help(
                *place,
                "E0505",
                "no FHIR package has this profile",
                format!("put its package into {PACKAGES_FOLDER}/"),
            );
        }
    }
}

/// Reads the FHIR packages; what is wrong with a file is a finding of that file.
pub(crate) fn read(packages: &[PackageFiles], findings: &mut Findings) -> Profiles {
    Profiles::compile(packages).unwrap_or_else(|errors| {
        for PackageError { file, problem } in errors {
            let index = findings.files.len();
            findings.files.push(format!("{PACKAGES_FOLDER}/{file}"));
            let file = u32::try_from(index).unwrap_or(u32::MAX);
            findings.add(Place { file, line: 1, column: 1, length: 1 }, "E0506", problem);
        }
        Profiles::default()
    })
}
