//! `tidegate schema`: JSON Schemas of the files of a mapping package, for editors.

use std::path::Path;

use serde_json::{Map, Value};

use super::output;
use crate::cli::SchemaArgs;
use crate::{Exit, Failure};

/// Runs the command.
pub fn run(args: &SchemaArgs) -> Result<(), Failure> {
    let schemas = mapping::schemas();
    let Some(folder) = &args.out else {
        let all: Map<String, Value> =
            schemas.into_iter().map(|(kind, _, schema)| (kind.to_owned(), schema)).collect();
        return output::line(&Value::Object(all).to_string());
    };
    std::fs::create_dir_all(folder).map_err(|error| failure(folder, &error))?;
    for (kind, files, schema) in schemas {
        let file = folder.join(format!("{kind}.schema.json"));
        std::fs::write(&file, format!("{schema}\n")).map_err(|error| failure(&file, &error))?;
        output::line(&format!("{} for {files}", file.display()))?;
    }
    Ok(())
}

fn failure(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Exit::Io, format!("{}: {error}", path.display()))
}
