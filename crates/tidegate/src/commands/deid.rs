//! `tidegate deid`: FHIR JSON or NDJSON in, de-identified out; refuses what the profile does not cover.

use std::collections::HashMap;

use aws_lc_rs::hmac;
use residency::{Profile, Pseudonym, Pseudonyms, Subject};
use serde_json::Value;
use verifier::KnownIdentifiers;

use super::{input, output};
use crate::cli::DeidArgs;
use crate::node::content;
use crate::{Exit, Failure, clock, keys};

/// Stands for the owner of what refers to no patient; no clinical id has this form.
const UNOWNED: &str = "(unowned)";
const EXTENSIONS: [&str; 2] = ["json", "ndjson"];

/// Runs the command.
pub fn run(args: &DeidArgs) -> Result<(), Failure> {
    let profiles = content::profiles(&args.profiles)?;
    let (profile, grammar) = profiles.get(&args.profile).ok_or_else(|| {
        let mut known: Vec<&str> = profiles.keys().map(String::as_str).collect();
        known.sort_unstable();
        let words = format!("no profile `{}`; there are: {}", args.profile, known.join(", "));
        Failure::new(Exit::Usage, words)
    })?;
    let mut source = PseudonymSource::new(args)?;
    let (mut count, mut refused) = (0_u64, 0_u64);
    input::each(&args.files, &EXTENSIONS, |input| {
        for resource in serde_json::Deserializer::from_slice(&input.bytes).into_iter::<Value>() {
            count += 1;
            let place = format!("{}#{count}", input.name);
            // A parse error's own words may quote the input; its position may not.
            let resource = resource.map_err(|error| {
                let words = format!("{place}: not JSON at line {} column {}", error.line(), error.column());
                Failure::new(Exit::CheckFailed, words)
            })?;
            match one(&resource, profile, grammar, &mut source) {
                Ok(bytes) => output::data(&bytes)?,
                Err(words) => {
                    refused += 1;
                    output::words(&format!("{place}: refused: {words}"));
                }
            }
        }
        Ok(())
    })?;
    if refused > 0 {
        return Err(Failure::new(Exit::CheckFailed, format!("{refused} of {count} resources refused")));
    }
    Ok(())
}

/// De-identified and verified bytes of one resource, a line feed after them.
fn one(
    resource: &Value,
    profile: &Profile,
    grammar: &verifier::Grammar,
    source: &mut PseudonymSource,
) -> Result<Vec<u8>, String> {
    let owner = owner_of(resource);
    source.supply(profile.needs(resource, Some(&owner)));
    let year = clock::year_now();
    let done = profile.deidentify(resource, Some(&owner), &source.map, year).map_err(|e| e.to_string())?;
    let mut bytes = fhir::canonical_json(&done.resource);
    let mut known = KnownIdentifiers::default();
    known.add_resource(resource);
    verifier::verify(&bytes, grammar, &known).map_err(|findings| {
        let first = findings.first();
        format!("verifier {}", first.map_or_else(String::new, |f| format!("{} at {}", f.check, f.location)))
    })?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// The owner of a resource that stands alone: a patient itself, else the first patient it refers to, else this run, so
/// that the ids of what nobody owns derive from a secret too.
fn owner_of(resource: &Value) -> String {
    if resource.get("resourceType").and_then(Value::as_str) == Some("Patient")
        && let Some(id) = resource.get("id").and_then(Value::as_str)
    {
        return id.to_owned();
    }
    let mut owner = None;
    fhir::references(resource, &mut |_, reference| {
        if owner.is_none() {
            owner = reference.strip_prefix("Patient/").map(ToOwned::to_owned);
        }
    });
    owner.unwrap_or_else(|| UNOWNED.to_owned())
}

/// Where pseudonyms come from: a key file (the same in every run), or a throw-away random map.
struct PseudonymSource {
    key: Option<hmac::Key>,
    map: Pseudonyms,
}

impl PseudonymSource {
    fn new(args: &DeidArgs) -> Result<Self, Failure> {
        let key = match &args.key_file {
            None => {
                output::words("no --key-file: pseudonyms are random and end with this run");
                None
            }
            Some(file) => {
                let (folder, name) = (file.parent().unwrap_or(std::path::Path::new(".")), file.file_name());
                let name = name.and_then(|name| name.to_str()).unwrap_or_default();
                let key =
                    keys::read_32(folder, name).map_err(|e| Failure::because(Exit::Configuration, &e))?;
                Some(hmac::Key::new(hmac::HMAC_SHA256, &*key))
            }
        };
        Ok(Self { key, map: Pseudonyms(HashMap::new()) })
    }

    fn supply(&mut self, subjects: Vec<Subject>) {
        for subject in subjects {
            if !self.map.0.contains_key(&subject) {
                let pseudonym = self.pseudonym(&subject);
                self.map.0.insert(subject, pseudonym);
            }
        }
    }

    fn pseudonym(&self, subject: &Subject) -> Pseudonym {
        let mut bytes = [0; 48];
        match &self.key {
            None => clock::fill_random(&mut bytes),
            Some(key) => {
                let name = format!("{}|{}", subject.resource_type.as_str(), subject.clinical_id);
                let (id, secret) = bytes.split_at_mut(16);
                let of = |purpose: &str| hmac::sign(key, format!("{purpose}|{name}").as_bytes());
                id.iter_mut().zip(of("id").as_ref()).for_each(|(to, from)| *to = *from);
                secret.iter_mut().zip(of("secret").as_ref()).for_each(|(to, from)| *to = *from);
            }
        }
        Pseudonym::from_random(&bytes)
    }
}
