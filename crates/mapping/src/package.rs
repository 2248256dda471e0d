//! A package: files in, programs out; the site is chosen by MSH.

use crate::check::{self, Trees};
use crate::diagnostic::{Diagnostic, Findings, Place};
use crate::plan::Program;
use crate::site::Site;
use crate::test_file::{self, TestSource};
use crate::validation;
use crate::yaml::{self, Node};
use crate::{Context, Rejection, TestOutcome, Translation, execute};
use aws_lc_rs::digest;
use fhir::Profiles;
use fhir::profile::PackageFiles;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The files of a mapping package: relative path (`segments/PID.Patient.yaml`) to text. Reading the folder is the shell's work.
#[derive(Clone, Default, Debug)]
pub struct Sources(pub BTreeMap<String, String>);

/// A compiled package: immutable, `Send + Sync`, shared by `Arc`.
pub struct Package {
    name: String,
    version: String,
    hash: String,
    pub(crate) files: Arc<[String]>,
    pub(crate) base: Program,
    pub(crate) sites: Vec<Program>,
    pub(crate) tests: Box<[TestSource]>,
    pub(crate) answers: Vec<crate::Answer>,
    pub(crate) profiles: Profiles,
}

impl Package {
    /// Compiles the files of a package.
    ///
    /// # Errors
    /// Every finding of the load, ordered by file and line; a package with findings is never used.
    pub fn compile(sources: &Sources) -> Result<Package, Vec<Diagnostic>> {
        Self::compile_with(sources, &[])
    }

    /// [`Package::compile`] with FHIR packages, whose profiles the resources are checked against.
    ///
    /// # Errors
    /// As [`Package::compile`], and every file of a FHIR package that is wrong.
    pub fn compile_with(sources: &Sources, packages: &[PackageFiles]) -> Result<Package, Vec<Diagnostic>> {
        let mut findings = Findings { files: sources.0.keys().cloned().collect(), list: Vec::new() };
        let read = Read::all(sources, &mut findings);
        let about = read.about(&mut findings);
        let validation = read.package.as_ref().and_then(|node| node.get("validation"));
        let validation = validation.map(|node| validation::written(node, &mut findings));
        let site = Site { validation, ..Site::default() };
        let base = check::compile(&read.base, site, &mut findings);
        let mut sites = Vec::new();
        for (name, (own, node)) in &read.sites {
            let Some(node) = node else {
                findings.add(Place::default(), "E0103", format!("sites/{name} has no site.yaml"));
                continue;
            };
            let (site, trees) = check::overlay(&read.base, own, node, &mut findings);
            if sites
                .iter()
                .any(|other: &Program| !site.matches.is_empty() && other.site.matches == site.matches)
            {
                findings.add(node.place, "E0501", "another site matches the same senders");
            }
            let mut program = check::compile(&trees, site, &mut findings);
            program.share(&base);
            sites.push(program);
        }
        let profiles = validation::read(packages, &mut findings);
        for program in std::iter::once(&base).chain(&sites) {
            if let Some(asked) = &program.site.validation {
                validation::prove(asked, &profiles, &mut findings);
            }
        }
        let tests = read
            .tests
            .iter()
            .filter_map(|(file, node)| TestSource::proven(file, node, sources.0.get(file)?, &mut findings))
            .collect();
        let answers = check::answers(read.answers.as_ref(), &mut findings);
        if !findings.list.is_empty() {
            findings.list.sort_by(|a, b| {
                (&a.file, a.line, a.column, a.code).cmp(&(&b.file, b.line, b.column, b.code))
            });
            return Err(findings.list);
        }
        let (name, version) = about;
        let hash = hash(sources, packages);
        let files = findings.files.into();
        Ok(Package { name, version, hash, files, base, sites, tests, answers, profiles })
    }

    /// The package's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The package's version.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Lower-case hex SHA-256 over all files (path, length, bytes), those of the FHIR packages included.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Translates one message. Pure: same bytes, package and context give the same result.
    ///
    /// # Errors
    /// [`Rejection`] when the message as a whole cannot be translated.
    pub fn translate(
        &self,
        message: &hl7v2::Message<'_>,
        context: &Context<'_>,
    ) -> Result<Translation, Rejection> {
        let program = self.program(message, context);
        let mut translation = execute::translate(self, program, message, context)?;
        translation.site.clone_from(&program.site.name);
        Ok(translation)
    }

    /// Runs the `*.test.yaml` files of the package. A map without a test is a failed outcome.
    pub fn run_tests(&self) -> Vec<TestOutcome> {
        test_file::run(self, None)
    }

    /// Message types this package translates: (`ADT`, `A01`), in order.
    pub fn triggers(&self) -> Vec<(String, String)> {
        let mut all: Vec<(String, String)> =
            self.programs().flat_map(|program| program.triggers.keys().cloned()).collect();
        all.sort();
        all.dedup();
        all
    }

    /// Whether it translates this event of this message type, for some sender.
    pub fn has_trigger(&self, code: &str, event: &str) -> bool {
        let of = |event: &str| {
            let trigger = (code.to_owned(), event.to_owned());
            self.programs().any(|program| program.triggers.contains_key(&trigger))
        };
        of(event) || of(execute::EVERY_EVENT)
    }

    /// Whether it translates any event of this message type.
    pub fn has_message_type(&self, code: &str) -> bool {
        let first = (code.to_owned(), String::new());
        self.programs()
            .any(|program| program.triggers.range(&first..).next().is_some_and(|(found, _)| found.0 == code))
    }

    fn programs(&self) -> impl Iterator<Item = &Program> {
        std::iter::once(&self.base).chain(&self.sites)
    }

    /// Names of the site overlays.
    pub fn sites(&self) -> impl Iterator<Item = &str> {
        self.sites.iter().filter_map(|program| program.site.name.as_deref())
    }

    /// The program for the sender: the forced site, else the most specific match of MSH, else the base.
    pub(crate) fn program(&self, message: &hl7v2::Message<'_>, context: &Context<'_>) -> &Program {
        if let Some(name) = context.site {
            return self
                .sites
                .iter()
                .find(|program| program.site.name.as_deref() == Some(name))
                .unwrap_or(&self.base);
        }
        let Some(header) = message.segments().find(|segment| segment.name() == "MSH") else {
            return &self.base;
        };
        let fits = |program: &&Program| {
            let matches = &program.site.matches;
            !matches.is_empty()
                && matches.iter().all(|(field, value)| {
                    header.field(usize::from(*field)).component(1).subcomponent(1).text() == value.as_str()
                })
        };
        self.sites.iter().filter(fits).max_by_key(|program| program.site.matches.len()).unwrap_or(&self.base)
    }
}

impl std::fmt::Debug for Package {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Package")
            .field("name", &self.name)
            .field("version", &self.version)
            .field("maps", &self.base.maps.len())
            .field("sites", &self.sites.len())
            .finish_non_exhaustive()
    }
}

/// The files, sorted by what they are.
#[derive(Default)]
struct Read {
    package: Option<Node>,
    base: Trees,
    sites: BTreeMap<String, (Trees, Option<Node>)>,
    tests: Vec<(String, Node)>,
    /// `ig.yaml`.
    answers: Option<Node>,
}

impl Read {
    fn all(sources: &Sources, findings: &mut Findings) -> Read {
        let mut read = Read::default();
        for (index, (path, text)) in sources.0.iter().enumerate() {
            let file = u32::try_from(index).unwrap_or(u32::MAX);
            let start = Place { file, line: 1, column: 1, length: 1 };
            let parts: Vec<&str> = path.split('/').collect();
            let (site, rest) = match parts.as_slice() {
                ["sites", site, rest @ ..] => (Some((*site).to_owned()), rest),
                rest => (None, rest),
            };
            if rest.last().is_some_and(|name| name.ends_with(".md")) {
                continue;
            }
            if let ["codes", name] = rest
                && name.ends_with(".csv")
            {
                read.trees(site.as_deref()).tables.insert((*name).to_owned(), text.as_str().into());
                continue;
            }
            let Some(node) = yaml::read(file, text, findings) else { continue };
            read.place(path, site.as_deref(), rest, node, start, findings);
        }
        read
    }

    fn trees(&mut self, site: Option<&str>) -> &mut Trees {
        match site {
            Some(site) => &mut self.sites.entry(site.to_owned()).or_default().0,
            None => &mut self.base,
        }
    }

    fn place(
        &mut self,
        path: &str,
        site: Option<&str>,
        rest: &[&str],
        node: Node,
        start: Place,
        findings: &mut Findings,
    ) {
        if let [.., name] = rest
            && name.ends_with(".test.yaml")
        {
            self.tests.push((path.to_owned(), node));
            return;
        }
        match (site, rest) {
            (None, ["package.yaml"]) => self.package = Some(node),
            (None, ["ig.yaml"]) => self.answers = Some(node),
            (None, ["systems.yaml"]) => self.base.systems = Some(Arc::new(node)),
            (None, ["extensions.yaml"]) => self.base.extensions = Some(Arc::new(node)),
            (Some(site), ["site.yaml"]) => {
                named(&node, "site", site, findings);
                self.sites.entry(site.to_owned()).or_default().1 = Some(node);
            }
            (_, [folder @ ("messages" | "segments" | "types" | "codes"), name])
                if name.ends_with(".yaml") =>
            {
                let stem = name.trim_end_matches(".yaml").to_owned();
                let key = match *folder {
                    "messages" => "message",
                    "codes" => "code",
                    _ => "map",
                };
                named(&node, key, &stem, findings);
                let trees = self.trees(site);
                let kind = match *folder {
                    "messages" => &mut trees.messages,
                    "codes" => &mut trees.codes,
                    _ => &mut trees.maps,
                };
                if kind.insert(stem.clone(), Arc::new(node)).is_some() {
                    findings.add(start, "E0102", format!("{stem} stands in two folders"));
                }
            }
            _ => findings.add(start, "E0003", "this file has no place in a mapping package"),
        }
    }

    fn about(&self, findings: &mut Findings) -> (String, String) {
        let Some(node) = &self.package else {
            findings.add_help(
                Place { line: 1, column: 1, length: 1, file: u32::MAX },
                "E0103",
                "package.yaml is missing",
                "name and version are needed",
            );
            return Default::default();
        };
        check::only_keys(node, &["name", "version", "fhir", "v2", "validation", "doc"], findings);
        let mut text = |key: &str| {
            let found = node.get(key).and_then(Node::scalar).map(str::to_owned);
            if found.is_none() {
                findings.add(node.place, "E0103", format!("package.yaml needs {key}"));
            }
            found.unwrap_or_default()
        };
        (text("name"), text("version"))
    }
}

/// The key that names the file must equal its stem, ` -> ` written as a dot.
fn named(node: &Node, key: &str, stem: &str, findings: &mut Findings) {
    let given = node.get(key).and_then(|value| Some((value.scalar()?, value.place)));
    match given {
        Some((name, _)) if name.replace(" -> ", ".") == stem => {}
        Some((name, place)) => {
            findings.add(place, "E0102", format!("the file is called {stem}, but this says {name}"))
        }
        None => findings.add(node.place, "E0103", format!("the key `{key}` is missing")),
    }
}

fn hash(sources: &Sources, packages: &[PackageFiles]) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    let mut add = |path: &str, bytes: &[u8]| {
        context.update(path.as_bytes());
        context.update(&u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
        context.update(bytes);
    };
    sources.0.iter().for_each(|(path, text)| add(path, text.as_bytes()));
    for PackageFiles { origin, files } in packages {
        let below = |file: &String| format!("{}/{origin}/{file}", validation::PACKAGES_FOLDER);
        files.iter().for_each(|(file, bytes)| add(&below(file), bytes));
    }
    hex(context.finish().as_ref())
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xF)]).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_site_holds_only_what_it_says_itself() {
        let files = [
            ("package.yaml", "name: t\nversion: 1.0.0\n"),
            ("systems.yaml", "alpha: {uri: 'http://alpha.example', kind: code}\n"),
            (
                "messages/ADT_A01.yaml",
                "message: ADT_A01\nfor: [A01]\nmake: {patient: PID -> Patient, relative: NK1 -> RelatedPerson}\n",
            ),
            ("segments/PID.Patient.yaml", "map: PID -> Patient\nid: uuid(PID-3~1)\nbirthDate: PID-7\n"),
            (
                "segments/NK1.RelatedPerson.yaml",
                "map: NK1 -> RelatedPerson\nid: uuid(NK1-33)\npatient: ref patient\n",
            ),
            ("sites/one/site.yaml", "site: one\nmatch: {MSH-4: ONE}\nextends: base\n"),
            (
                "sites/one/segments/PID.Patient.yaml",
                "map: PID -> Patient\nid: uuid(PID-3~1)\nbirthDate: PID-7\nactive: '=true'\n",
            ),
        ];
        let files = files.map(|(path, text)| (path.to_owned(), text.to_owned()));
        let package = Package::compile(&Sources(files.into())).unwrap_or_else(|found| panic!("{found:?}"));
        let [site] = package.sites.as_slice() else { panic!("one site") };
        let is_shared = |own: usize| Arc::ptr_eq(&package.base.maps[own], &site.maps[own]);
        let of = |name: &str| site.maps.iter().position(|map| map.name == name).expect("a map");
        assert!(is_shared(of("NK1.RelatedPerson")) && !is_shared(of("PID.Patient")));
        assert!(Arc::ptr_eq(&package.base.messages[0], &site.messages[0]));
    }
}
