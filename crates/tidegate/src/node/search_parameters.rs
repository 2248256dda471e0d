//! Search parameters of FHIR packages: loaded at a start, for a cloud node only those that can test nothing that
//! de-identification removes, and their index made beside all other work.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fhir::{CustomParameters, SearchParameter};
use store::Indexing;
use store::sqlite::Sqlite;
use tokio::sync::watch;

use crate::config::{Config, Role};
use crate::{Exit, Failure, package};

/// The longest pause between two parts. One lasts as long as the part did, so that the writer has half of its time for all
/// others at least.
const PAUSE_MAX: Duration = Duration::from_millis(200);
/// Before a part that failed is tried again; it doubles up to the second.
const FAILED_PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// A parameter with the type that it is of.
pub type OfType = (&'static str, &'static SearchParameter);

/// The parameters of a configuration that its role can have, and those that it cannot.
///
/// # Errors
/// [`Exit::Configuration`] with each definition that cannot be used.
pub fn load(config: &Config) -> Result<(CustomParameters, Vec<OfType>), Failure> {
    let wrong = |words: String| Failure::new(Exit::Configuration, words);
    let asked = &config.search_parameters;
    let mut packages = Vec::new();
    for path in &asked.packages {
        let found =
            package::named(path).map_err(|error| wrong(format!("search_parameters.packages: {error}")))?;
        if found.is_empty() {
            return Err(wrong(format!(
                "search_parameters.packages: {}: no package is there",
                path.display()
            )));
        }
        packages.extend(found);
    }
    let all = CustomParameters::compile(&packages, &asked.except).map_err(|errors| {
        let lines: Vec<String> = errors.iter().map(|error| format!("search_parameters: {error}")).collect();
        let fix = "  fix: mend the definition, or name its canonical in `search_parameters.except`";
        wrong(format!("{}\n{fix}", lines.join("\n")))
    })?;
    match config.role {
        Role::Clinical => Ok((all, Vec::new())),
        Role::Portal if all.is_empty() => Ok((all, Vec::new())),
        Role::Portal => Ok(deidentified(&all, &super::portal::grammars(config)?)),
    }
}

/// Those that every profile which has the type lets search.
fn deidentified(
    all: &CustomParameters,
    grammars: &BTreeMap<String, verifier::Grammar>,
) -> (CustomParameters, Vec<OfType>) {
    all.divide(|of, parameter| {
        let mut own = grammars.values().filter(|grammar| grammar.has(of)).peekable();
        own.peek().is_some() && own.all(|grammar| grammar.lets_search(of, parameter))
    })
}

/// Why a cloud node lacks a parameter, in words.
pub fn lacked((of, parameter): &OfType) -> String {
    format!(
        "search_parameters: `{}` of {of} is not searched here: it reads or gives what de-identified resources do not have",
        parameter.code
    )
}

/// Makes the index, until it is made or `stopped` turns true.
pub async fn index(store: Arc<Sqlite>, mut stopped: watch::Receiver<bool>) {
    let index = store.search_index();
    let (all, ready) = index.counts();
    if index.pending().is_empty() {
        return;
    }
    tracing::info!(count = all.saturating_sub(ready), "the index of search parameters is made");
    let mut failed_pause = FAILED_PAUSES.0;
    while !*stopped.borrow() {
        let begun = Instant::now();
        let pause = match store.index_more().await {
            Ok(true) => {
                failed_pause = FAILED_PAUSES.0;
                begun.elapsed().min(PAUSE_MAX)
            }
            Ok(false) => {
                tracing::info!(count = all, "the index of search parameters is made whole");
                return;
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "a part of the search index is not made"
                );
                let pause = failed_pause;
                failed_pause = (failed_pause * 2).min(FAILED_PAUSES.1);
                pause
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            changed = stopped.changed() => {
                if changed.is_err() {
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use fhir::CustomParameters;
    use fhir::profile::PackageFiles;
    use serde_json::json;

    use super::deidentified;
    use crate::package;

    /// The grammars of the profiles that come with the product.
    fn grammars() -> BTreeMap<String, verifier::Grammar> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../profiles").join("deidentification");
        let of = |id: String| {
            let files = package::read_folder(&folder.join(&id)).expect("a profile");
            let grammar = verifier::Grammar::compile(&id, &files).expect("compiles");
            (id, grammar)
        };
        package::folder_names(&folder).expect("a folder").into_iter().map(of).collect()
    }

    /// Whether a cloud node has a parameter.
    fn is_had(of: &str, kind: &str, expression: &str) -> bool {
        let definition = json!({"resourceType": "SearchParameter", "url": "http://example.org/it", "code": "it",
            "base": [of], "type": kind, "expression": expression, "status": "active"});
        let about = json!({"name": "x", "fhirVersions": ["4.0.1"]});
        let files = BTreeMap::from([
            ("package.json".to_owned(), about.to_string().into_bytes()),
            ("SearchParameter-it.json".to_owned(), definition.to_string().into_bytes()),
        ]);
        let package = PackageFiles { origin: "x".to_owned(), files };
        let all = CustomParameters::compile(&[package], &[]).expect("compiles");
        let (kept, others) = deidentified(&all, &grammars());
        assert_eq!(kept.of(of).len() + others.len(), 1);
        others.is_empty()
    }

    #[test]
    fn a_cloud_node_has_what_reads_nothing_that_is_removed() {
        const RACE: &str =
            "Patient.extension('http://hl7.org/fhir/us/core/StructureDefinition/us-core-race')";
        let race = |rest: &str| format!("{RACE}.{rest}");
        for (of, kind, expression) in [
            ("Patient", "token", "Patient.maritalStatus".to_owned()),
            ("Patient", "token", race("extension('ombCategory').value.ofType(Coding)")),
            ("Observation", "quantity", "Observation.value.ofType(Quantity)".to_owned()),
            ("Condition", "date", "Condition.recordedDate".to_owned()),
            ("Encounter", "reference", "Encounter.participant.individual".to_owned()),
            ("Observation", "token", "Observation.where(status = 'final').code".to_owned()),
        ] {
            assert!(is_had(of, kind, &expression), "{expression}");
        }
        for (of, kind, expression) in [
            // Removed, or coarser than it was because it names a person.
            ("Patient", "token", "Patient.identifier.type".to_owned()),
            ("Patient", "token", "Patient.name.exists()".to_owned()),
            ("Patient", "date", "Patient.birthDate".to_owned()),
            ("Patient", "date", "Patient.deceased.ofType(dateTime)".to_owned()),
            ("Patient", "token", "Patient.where(name.family = 'x').gender".to_owned()),
            ("Patient", "token", "Patient.contact.relationship".to_owned()),
            ("Patient", "string", "Patient.address.state".to_owned()),
            // Texts and names of any kind.
            ("Patient", "string", "Patient.maritalStatus.text".to_owned()),
            ("Observation", "string", "Observation.note.text".to_owned()),
            // An extension, or a part of one, that does not leave, or of which it is not known which it is.
            ("Patient", "token", race("extension('detailed').value.ofType(Coding)")),
            ("Patient", "token", race("extension.value.code")),
            ("Patient", "token", race("extension('ombCategory').value")),
            ("Patient", "token", "Patient.extension.value.ofType(Coding)".to_owned()),
            ("Patient", "token", "Patient.extension('urn:unknown').value.ofType(Coding)".to_owned()),
            // A type that no profile lets leave.
            ("Person", "token", "Person.active.exists()".to_owned()),
        ] {
            assert!(!is_had(of, kind, &expression), "{expression}");
        }
    }
}
