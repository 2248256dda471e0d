//! Packs the official R4 definitions into `crates/fhir/data/r4.pack`.
//!
//! `cargo run -p tests --bin pack-fhir -- <hl7.fhir.r4.core.tgz> [output]`
//!
//! The input is HL7's package `hl7.fhir.r4.core` 4.0.1; `crates/fhir/data/SOURCE.md` says where it comes from.
//!
//! The pack is UTF-8 text, one record a line, tab-separated, deflated by zlib. The first column names the record:
//!
//! | record | columns |
//! |---|---|
//! | `T` type | name, kind (`resource`, `complex-type`, `primitive-type`), abstract (`0`, `1`), base type |
//! | `E` element of the last `T` | path, min, max, flags (`M` modifier, `S` summary), types `A\|B(Target,Target)`, binding (`r`, `x`, `p`, `e` + value set), path a contentReference names |
//! | `I` invariant | path of its type or element, key, words, FHIRPath |
//! | `V` value set | url without version |
//! | `S` system of the last `V` | url |
//! | `C` code of the last `S` | code, display |
//! | `P` search parameter | canonical url's last part, code, type, base types, target types, expression |
//! | `K` component of the last `P` | defining parameter (last part of its url), expression |
//! | `M` member of the Patient compartment | resource type, search parameters |
//!
//! Invariants are those of severity error; a type does not repeat those of its base type. Left out are those that every
//! element or resource has and that the validator knows by itself ([`NATIVE`]).
//!
//! `crates/fhir/src/pack.rs` reads it. Experimental search parameters (examples, extensions, genetics) are left out.
#![allow(clippy::print_stdout, reason = "a developer tool reports on standard output")]

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

const FHIR_VERSION: &str = "4.0.1";
const DEFINITION_PREFIX: &str = "http://hl7.org/fhir/StructureDefinition/";
const FHIR_TYPE_EXTENSION: &str = "http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type";
const SYSTEM_STRING: &str = "http://hl7.org/fhirpath/System.String";
const SIMPLE_QUANTITY: &str = "http://hl7.org/fhir/StructureDefinition/SimpleQuantity";
const PATIENT_COMPARTMENT: &str = "http://hl7.org/fhir/CompartmentDefinition/patient";
/// Invariants that the validator knows by itself: `ele-1`, `ext-1`, `ref-1` and `dom-2` while it walks; `dom-3` because
/// its expression costs the square of the resource.
const NATIVE: [&str; 5] = ["ele-1", "ext-1", "ref-1", "dom-2", "dom-3"];
const TAR_BLOCK: usize = 512;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let package = arguments.next().ok_or("usage: pack-fhir <hl7.fhir.r4.core.tgz> [output]")?;
    let output = arguments
        .next()
        .unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/fhir/data/r4.pack").into());
    let text = pack(&Package::read(Path::new(&package))?)?;
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(text.as_bytes())?;
    let packed = encoder.finish()?;
    std::fs::write(&output, &packed)?;
    println!("{output}: {} bytes, unpacked {} bytes", packed.len(), text.len());
    let sum = Command::new("sha256sum").arg(&package).output()?;
    print!("{}", String::from_utf8(sum.stdout)?);
    Ok(())
}

fn pack(package: &Package) -> Outcome<String> {
    let mut text = format!("tidegate-r4\t2\t{FHIR_VERSION}\n");
    let mut counts = BTreeMap::new();
    let mut value_sets = BTreeSet::new();
    let mut types = BTreeSet::new();
    let inherited = inherited(package);
    for definition in package.resources("StructureDefinition") {
        pack_type(&mut text, definition, &inherited, &mut value_sets, &mut types, &mut counts)?;
    }
    let terminology = Terminology::of(package);
    for url in &value_sets {
        match terminology.expansion(url) {
            Some(systems) => pack_value_set(&mut text, url, &systems, &mut counts)?,
            None => println!("not expanded: {url}"),
        }
    }
    for parameter in package.resources("SearchParameter") {
        pack_search_parameter(&mut text, parameter, &types, &mut counts)?;
    }
    let patient = |definition: &&Value| string(definition, "url") == PATIENT_COMPARTMENT;
    let compartment =
        package.resources("CompartmentDefinition").find(patient).ok_or("no Patient compartment")?;
    for member in list(compartment, "resource") {
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

/// The resources of a FHIR package by file name.
struct Package(BTreeMap<String, Value>);

impl Package {
    /// Reads `package/*.json` of a gzipped tar file (POSIX ustar: a header block, then the content in whole blocks).
    fn read(path: &Path) -> Outcome<Self> {
        let mut tar = Vec::new();
        flate2::read::GzDecoder::new(std::fs::File::open(path)?).read_to_end(&mut tar)?;
        let mut files = BTreeMap::new();
        let mut rest = tar.as_slice();
        while let Some((header, content)) = rest.split_at_checked(TAR_BLOCK) {
            let field = |from: usize, to: usize| {
                let bytes = header.get(from..to).unwrap_or_default();
                String::from_utf8_lossy(bytes).trim_matches(['\0', ' ']).to_owned()
            };
            let name = field(0, 100);
            if name.is_empty() {
                break;
            }
            let size = usize::from_str_radix(&field(124, 136), 8)?;
            let (content, after) =
                content.split_at_checked(size.next_multiple_of(TAR_BLOCK)).ok_or("tar file ends early")?;
            let file =
                name.strip_prefix("package/").filter(|file| file.ends_with(".json") && !file.contains('/'));
            if let (Some(file), Some(json)) = (file, content.get(..size)) {
                files.insert(
                    file.to_owned(),
                    serde_json::from_slice(json).map_err(|error| format!("{file}: {error}"))?,
                );
            }
            rest = after;
        }
        Ok(Self(files))
    }

    fn resources(&self, resource_type: &str) -> impl Iterator<Item = &Value> {
        self.0.values().filter(move |resource| string(resource, "resourceType") == resource_type)
    }
}

fn pack_type(
    text: &mut String,
    definition: &Value,
    inherited: &BTreeMap<&str, BTreeSet<&str>>,
    value_sets: &mut BTreeSet<String>,
    types: &mut BTreeSet<String>,
    counts: &mut BTreeMap<&'static str, usize>,
) -> Outcome<()> {
    let (name, kind) = (string(definition, "type"), string(definition, "kind"));
    if kind == "logical" || string(definition, "derivation") == "constraint" {
        return Ok(());
    }
    if string(definition, "fhirVersion") != FHIR_VERSION {
        return Err(format!("{name} says FHIR {}", string(definition, "fhirVersion")).into());
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
        let known = inherited.get(base).filter(|_| !path.contains('.'));
        pack_constraints(text, element, known, counts)?;
        // The `value` of a primitive is its JSON value itself, not a property.
        if !path.contains('.') || (kind == "primitive-type" && path.ends_with(".value")) {
            continue;
        }
        *counts.entry("elements").or_default() += 1;
        pack_element(text, element, kind, value_sets)?;
    }
    Ok(())
}

/// The keys of the invariants of each type, by its name.
fn inherited(package: &Package) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut found = BTreeMap::new();
    for definition in package.resources("StructureDefinition") {
        if string(definition, "derivation") == "constraint" {
            continue;
        }
        let root = list(&definition["snapshot"], "element").first();
        let constraints = root.map_or(&[][..], |root| list(root, "constraint"));
        let keys = constraints.iter().map(|constraint| string(constraint, "key")).collect();
        found.insert(string(definition, "type"), keys);
    }
    found
}

fn pack_constraints(
    text: &mut String,
    element: &Value,
    known: Option<&BTreeSet<&str>>,
    counts: &mut BTreeMap<&'static str, usize>,
) -> Outcome<()> {
    for constraint in list(element, "constraint") {
        let key = string(constraint, "key");
        let is_known = NATIVE.contains(&key) || known.is_some_and(|known| known.contains(key));
        if is_known || string(constraint, "severity") != "error" {
            continue;
        }
        let (human, expression) = (one_line(string(constraint, "human")), string(constraint, "expression"));
        if expression.is_empty() || expression.contains(['\t', '\n']) {
            return Err(format!("the invariant {key} has no expression of one line").into());
        }
        *counts.entry("invariants").or_default() += 1;
        writeln!(text, "I\t{}\t{key}\t{human}\t{expression}", string(element, "path"))?;
    }
    Ok(())
}

fn pack_element(
    text: &mut String,
    element: &Value,
    kind: &str,
    value_sets: &mut BTreeSet<String>,
) -> Outcome<()> {
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
    // A profile of Quantity that elements of R4 have as their type; all it asks is this.
    let names_simple = |of: &Value| list(of, "profile").iter().any(|profile| profile == SIMPLE_QUANTITY);
    let is_simple = list(element, "type").iter().any(names_simple);
    let min = element["min"].as_u64().ok_or_else(|| format!("no min at {path}"))?;
    let content = string(element, "contentReference").trim_start_matches('#');
    writeln!(
        text,
        "E\t{path}\t{min}\t{}\t{flags}\t{}\t{binding}\t{content}",
        string(element, "max"),
        types.join("|")
    )?;
    if is_simple {
        writeln!(
            text,
            "I\t{path}\tsqty-1\tThe comparator is not used on a SimpleQuantity\tcomparator.empty()"
        )?;
    }
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

struct Terminology<'a> {
    value_sets: BTreeMap<&'a str, &'a Value>,
    code_systems: BTreeMap<&'a str, &'a Value>,
}

impl<'a> Terminology<'a> {
    fn of(package: &'a Package) -> Self {
        let by_url =
            |kind| package.resources(kind).map(|resource| (string(resource, "url"), resource)).collect();
        Self { value_sets: by_url("ValueSet"), code_systems: by_url("CodeSystem") }
    }

    /// The codes of a value set by system; `None` when a part of it is not in the package.
    fn expansion(&self, url: &str) -> Option<Systems<'a>> {
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
                Some(chosen) => {
                    chosen.iter().map(|concept| named(concept, all.as_ref().map(|(_, c)| c))).collect()
                }
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
    if bases.is_empty() || parameter["experimental"] == true {
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

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn string<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}
