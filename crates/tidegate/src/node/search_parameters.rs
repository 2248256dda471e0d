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
    tracing::info!(parameters = all, ready, "the index of search parameters is made");
    let mut failed_pause = FAILED_PAUSES.0;
    while !*stopped.borrow() {
        let begun = Instant::now();
        let pause = match store.index_more().await {
            Ok(true) => {
                failed_pause = FAILED_PAUSES.0;
                begun.elapsed().min(PAUSE_MAX)
            }
            Ok(false) => {
                tracing::info!(parameters = all, "the index of search parameters is made whole");
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
