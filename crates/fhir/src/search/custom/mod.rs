//! Search parameters of FHIR packages, compiled once when they are loaded, by the compiler of R4's own.
//!
//! A definition that says what R4 says already, or less, is R4's; one that says something else under a code of R4 is refused,
//! and so is what cannot be compiled: a parameter that nobody can ask for, or that finds less than it says, is worse than none.

mod definition;
mod fit;

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use self::definition::{Definition, Reader};
use super::expression::Expression;
use super::reach::ElementRead;
use super::{SearchKind, SearchParameter};
use crate::definitions::r4;
use crate::profile::{PackageError, PackageFiles, about};

/// Most search parameters of all packages, counted by resource type.
const PARAMETERS_MAX: usize = 2_000;

/// What a package says of a search parameter.
#[derive(Debug)]
pub struct CustomDefinition {
    /// Its canonical, without version.
    pub url: &'static str,
    /// All that decides which values it has; another text means another index.
    pub text: String,
    /// Every element that its expressions read.
    pub reads: Vec<ElementRead>,
    /// Types that it leads to, where it is a reference.
    pub leads: Vec<&'static str>,
    /// Types of what it gives.
    pub gives: Vec<String>,
}

/// The search parameters of some packages, by resource type and code; none that R4 has.
#[derive(Debug, Default, Clone)]
pub struct CustomParameters {
    by_type: BTreeMap<&'static str, Vec<&'static SearchParameter>>,
}

impl CustomParameters {
    /// Compiles the definitions of packages, but for those whose canonical (with or without version) is in `except`.
    ///
    /// # Errors
    /// Each definition that cannot be used: its file, its code, which part of its expression, and what would do; and each
    /// exception that is in no package.
    pub fn compile(packages: &[PackageFiles], except: &[String]) -> Result<Self, Vec<PackageError>> {
        let mut errors = Vec::new();
        let mut unused: Vec<&String> = except.iter().collect();
        let mut definitions = Vec::new();
        for package in packages {
            errors.extend(about(package).err());
            for (name, bytes) in &package.files {
                let file = format!("{}/{name}", package.origin);
                match Definition::read(bytes) {
                    Ok(Some(found)) => {
                        unused.retain(|canonical| !found.is_named(canonical));
                        let is_excepted = except.iter().any(|canonical| found.is_named(canonical));
                        if !is_excepted && !found.is_retired() {
                            definitions.push((file, found));
                        }
                    }
                    Ok(None) => {}
                    Err(problem) => errors.push(PackageError { file, problem }),
                }
            }
        }
        let unknown = |canonical: &String| PackageError {
            file: canonical.clone(),
            problem: "is excepted, and no package has it".to_owned(),
        };
        errors.extend(unused.into_iter().map(unknown));
        let compiled = compiled(&definitions, &mut errors);
        if errors.is_empty() { Ok(compiled) } else { Err(errors) }
    }

    /// The parameters of a resource type, by code.
    pub fn of(&self, resource: &str) -> &[&'static SearchParameter] {
        self.by_type.get(resource).map_or(&[], Vec::as_slice)
    }

    /// Every type that has some, with them.
    pub fn types(&self) -> impl Iterator<Item = (&'static str, &[&'static SearchParameter])> {
        self.by_type.iter().map(|(of, parameters)| (*of, parameters.as_slice()))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_type.is_empty()
    }

    /// Those of which something holds, and the others.
    pub fn divide(
        &self,
        holds: impl Fn(&'static str, &'static SearchParameter) -> bool,
    ) -> (Self, Vec<(&'static str, &'static SearchParameter)>) {
        let (mut kept, mut others) = (Self::default(), Vec::new());
        for (of, parameters) in self.types() {
            for parameter in parameters {
                if holds(of, parameter) {
                    kept.by_type.entry(of).or_default().push(*parameter);
                } else {
                    others.push((of, *parameter));
                }
            }
        }
        (kept, others)
    }
}

/// A parameter with the file that it is of.
type Held<'f> = (&'f str, &'static SearchParameter);

fn compiled(definitions: &[(String, Definition)], errors: &mut Vec<PackageError>) -> CustomParameters {
    let own: HashMap<&str, (&'static str, SearchKind)> =
        definitions.iter().map(|(_, one)| (one.url, (one.code, one.kind))).collect();
    let reader = Reader { own: &own };
    let mut held: BTreeMap<&'static str, BTreeMap<&'static str, Held<'_>>> = BTreeMap::new();
    let mut count = 0;
    for (file, definition) in definitions {
        for of in definition.types() {
            let problem = |problem: String| PackageError {
                file: file.clone(),
                problem: format!("`{}` of {of} ({}): {problem}", definition.code, definition.url),
            };
            let parameter = match reader.parameter(definition, of) {
                Ok(parameter) => parameter,
                Err(text) => {
                    errors.push(problem(text));
                    continue;
                }
            };
            match r4().search_parameter(of, definition.code) {
                Some(known) if says_no_more(&parameter, known) => continue,
                Some(known) => {
                    errors.push(problem(clash(known)));
                    continue;
                }
                None if definition.code.starts_with('_') => {
                    errors.push(problem("codes that begin with _ are those of R4".to_owned()));
                    continue;
                }
                None => {}
            }
            let of_type = held.entry(of).or_default();
            match of_type.get(definition.code) {
                Some((_, other)) if text_of(other) == text_of(&parameter) => {}
                Some((other, _)) => {
                    let text =
                        format!("{other} defines it otherwise; except one of the two by its canonical");
                    errors.push(problem(text));
                }
                None => {
                    count += 1;
                    of_type.insert(definition.code, (file, Box::leak(Box::new(parameter))));
                }
            }
        }
    }
    if count > PARAMETERS_MAX {
        let problem = format!("there are {count} of them, more than {PARAMETERS_MAX}");
        errors.push(PackageError { file: "search parameters".to_owned(), problem });
    }
    let of_type = |of: BTreeMap<_, Held<'_>>| of.into_values().map(|(_, parameter)| parameter).collect();
    CustomParameters { by_type: held.into_iter().map(|(of, all)| (of, of_type(all))).collect() }
}

fn clash(known: &SearchParameter) -> String {
    format!(
        "R4 has this code, as {} with `{}`; a package may say the same, not something else: give it a code of its own, or \
         except it by its canonical",
        known.kind.as_str(),
        known.expression,
    )
}

fn text_of(parameter: &SearchParameter) -> &str {
    parameter.custom.map_or("", |custom| custom.text.as_str())
}

/// Whether a parameter has no value that R4's own of its code has not: the same expression, or fewer of its branches. R4's
/// own serves both.
fn says_no_more(one: &SearchParameter, known: &SearchParameter) -> bool {
    let branches = |parameter: &SearchParameter| parameter.program.map(shape).unwrap_or_default();
    let parts = |parameter: &SearchParameter| -> Vec<(SearchKind, Vec<String>)> {
        let all = parameter.components.iter();
        all.map(|component| (component.kind, shape(component.program))).collect()
    };
    let all = branches(known);
    one.kind == known.kind
        && branches(one).iter().all(|branch| all.contains(branch))
        && parts(one) == parts(known)
}

/// The branches of an expression, each in one form: a type at the start says what evaluation begins with anyway.
fn shape(program: &Expression) -> Vec<String> {
    let branches = match program {
        Expression::Union(branches) => branches.as_slice(),
        one => std::slice::from_ref(one),
    };
    let mut all: Vec<String> = branches.iter().map(|branch| format!("{:?}", branch.rootless())).collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}
