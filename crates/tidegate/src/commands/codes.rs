//! `tidegate codes list|export|import`: code tables as FHIR ConceptMaps, and back.

use std::path::PathBuf;

use serde_json::Value;

use super::{input, output};
use crate::cli::{CodesArgs, CodesCommand, ExportArgs, ImportArgs, ListArgs};
use crate::node::content;
use crate::{Exit, Failure};

/// Runs the command.
pub fn run(args: CodesArgs) -> Result<(), Failure> {
    match args.command {
        CodesCommand::List(args) => list(&args),
        CodesCommand::Export(args) => export(&args),
        CodesCommand::Import(args) => import(args),
    }
}

fn list(args: &ListArgs) -> Result<(), Failure> {
    let package = package(args)?;
    let site = args.site.as_deref();
    output::line(&row("table", "rows", "from", "to"))?;
    for name in package.code_tables(site) {
        let map = package.concept_map(name, site).unwrap_or_default();
        let groups = map["group"].as_array().map(Vec::as_slice).unwrap_or_default();
        let coded = |group: &Value| {
            let elements = group["element"].as_array().map(Vec::as_slice).unwrap_or_default();
            elements.iter().filter(|element| element["code"].is_string()).count()
        };
        let rows: usize = groups.iter().map(coded).sum();
        let text = |key: &str| groups.first().and_then(|group| group[key].as_str()).unwrap_or("-");
        // Codes without a row that stand for themselves.
        let others = groups.iter().any(|group| group["unmapped"]["mode"] == "provided");
        let rows = match (rows, others) {
            (0, true) => "same".to_owned(),
            (rows, true) => format!("{rows}+"),
            (rows, false) => rows.to_string(),
        };
        output::line(&row(name, &rows, text("source"), text("target")))?;
    }
    Ok(())
}

fn row(name: &str, rows: &str, from: &str, to: &str) -> String {
    format!("{name:<36} {rows:>5}  {from:<56} {to}")
}

fn export(args: &ExportArgs) -> Result<(), Failure> {
    let package = package(&args.of)?;
    let site = args.of.site.as_deref();
    let map = package.concept_map(&args.table, site).ok_or_else(|| {
        let words =
            format!("no code table `{}`; there are: {}", args.table, package.code_tables(site).join(", "));
        Failure::new(Exit::Usage, words)
    })?;
    let mut bytes = fhir::canonical_json(&map);
    bytes.push(b'\n');
    output::data(&bytes)
}

fn package(args: &ListArgs) -> Result<mapping::Package, Failure> {
    let package = content::mappings(&args.mappings)?;
    let Some(site) = &args.site else { return Ok(package) };
    if package.sites().any(|known| known == site) {
        return Ok(package);
    }
    let known: Vec<&str> = package.sites().collect();
    Err(Failure::new(Exit::Usage, format!("no site `{site}`; there are: {}", known.join(", "))))
}

fn import(args: ImportArgs) -> Result<(), Failure> {
    let files: Vec<PathBuf> = args.file.into_iter().collect();
    let mut read: Vec<(String, Value)> = Vec::new();
    input::each(&files, &["json"], |input| {
        let map = serde_json::from_slice(&input.bytes).map_err(|error| {
            let words =
                format!("{}: not JSON at line {} column {}", input.name, error.line(), error.column());
            Failure::new(Exit::CheckFailed, words)
        })?;
        read.push((input.name, map));
        Ok(())
    })?;
    let [(file, map)] = &read[..] else {
        return Err(Failure::new(Exit::Usage, "name one file with one ConceptMap"));
    };
    let name = match (&args.name, map["name"].as_str().or(map["id"].as_str())) {
        (Some(name), _) => name.clone(),
        (None, Some(name)) => file_name(name),
        (None, None) => {
            return Err(Failure::new(Exit::Usage, "the ConceptMap has no name: give one with --name"));
        }
    };
    if name != file_name(&name) || name.is_empty() {
        let words = format!(
            "a table's name is of lower-case letters, digits and hyphens\n  fix: --name {}",
            file_name(&name)
        );
        return Err(Failure::new(Exit::Usage, words));
    }
    let text = mapping::code_table_of(map, &name)
        .map_err(|error| Failure::new(Exit::CheckFailed, format!("{file}: {error}")))?;
    output::words(&format!("keep it as codes/{name}.yaml; its target systems must stand in systems.yaml"));
    output::data(text.as_bytes())
}

/// A name as files have it: `AdministrativeGender` is `administrative-gender`.
fn file_name(name: &str) -> String {
    let mut made = String::new();
    let mut was_lower = false;
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && was_lower {
            made.push('-');
        }
        if letter.is_ascii_alphanumeric() {
            made.push(letter.to_ascii_lowercase());
        } else if !made.is_empty() && !made.ends_with('-') {
            made.push('-');
        }
        was_lower = letter.is_ascii_lowercase() || letter.is_ascii_digit();
    }
    made.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn a_table_is_named_like_its_file() {
        for (name, file) in [
            ("AdministrativeGender", "administrative-gender"),
            ("v2 0001", "v2-0001"),
            ("ward-types", "ward-types"),
            ("__", ""),
        ] {
            assert_eq!(file_name(name), file);
        }
    }
}
