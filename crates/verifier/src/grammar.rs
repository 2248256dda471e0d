//! What the output of a profile may look like, read from its tables.

use std::collections::{BTreeMap, HashMap, HashSet};

use aws_lc_rs::digest;
use regex::Regex;

use crate::fold::hex;
use crate::table::rows;

/// Digits of the profile's content hash in `meta.tag`.
const TAG_DIGITS: usize = 16;

/// The output grammar of one profile, read by this crate's own reader from the profile's files.
pub struct Grammar {
    profile_id: String,
    policy_tag: String,
    forms: HashMap<String, HashMap<String, Form>>,
    /// Resource types with rows.
    resources: HashSet<String>,
    systems: HashMap<String, Option<Regex>>,
    system_prefixes: Vec<(String, Option<Regex>)>,
    words: HashMap<String, HashSet<String>>,
    pub(crate) extensions: Vec<ExtensionForm>,
}

/// A profile file that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{file}:{line}: {text}")]
pub struct GrammarError {
    /// Path in the profile's folder.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// What is wrong.
    pub text: String,
}

/// What may stand at an element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Form {
    /// Nothing.
    Absent,
    /// A mask and nothing else.
    Masked,
    /// A boolean or number.
    Plain,
    /// A code of the required binding.
    Bound,
    /// A word of a list.
    Word(String),
    /// Codings, of a list where one is named.
    Coded(Option<String>),
    /// System and code under their owner's check.
    Part,
    /// A quantity, or what is made of quantities.
    Quantity,
    /// The same, with no age over 89.
    Age,
    /// A number, or a quantity.
    QuantityOrNumber,
    /// Four digits.
    Year,
    /// Four digits, or an age band beside.
    YearOrBand,
    /// An address, a state alone or with prefix and country.
    Address,
    /// A state of the United States.
    State,
    /// Three digits.
    Prefix,
    /// An ISO 3166 code.
    Country,
    /// A released id.
    Id,
    /// A reference, or the text of one.
    Reference,
    /// Listed extensions.
    Extension,
    /// Contained resources.
    Contained,
    /// The engine's own agent or activity.
    Rebuilt,
    /// The marks of de-identification.
    Marks,
    /// One or two digits.
    Digits,
    /// Nothing: its choice is `true` instead.
    Renamed,
    /// By its children.
    Open,
}

/// An extension that may be there.
#[derive(Debug)]
pub(crate) struct ExtensionForm {
    pub(crate) url: String,
    pub(crate) resource: String,
    /// Empty for the extension's own value.
    pub(crate) part: String,
    pub(crate) value_type: String,
    pub(crate) form: Form,
}

impl Grammar {
    /// Reads `fhir.tsv`, `codes.tsv`, `extensions.tsv` and `vocab/*.txt` of a profile folder (name → text). The content
    /// hash over all files is what outputs must carry.
    ///
    /// # Errors
    /// [`GrammarError`] at the first line that cannot be read.
    pub fn compile(profile_id: &str, files: &BTreeMap<String, String>) -> Result<Self, GrammarError> {
        let mut grammar = Self {
            profile_id: profile_id.to_owned(),
            policy_tag: content_tag(files),
            forms: HashMap::new(),
            resources: HashSet::new(),
            systems: HashMap::new(),
            system_prefixes: Vec::new(),
            words: HashMap::new(),
            extensions: Vec::new(),
        };
        for (path, text) in files {
            if let Some(name) = path.strip_prefix("vocab/").and_then(|file| file.strip_suffix(".txt")) {
                let lines =
                    text.split('\n').map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
                grammar.words.insert(name.to_owned(), lines.map(str::to_owned).collect());
            }
        }
        grammar.read_forms(files)?;
        grammar.read_codes(files)?;
        grammar.read_extensions(files)?;
        Ok(grammar)
    }

    /// The profile it was read from.
    pub fn profile_id(&self) -> &str {
        &self.profile_id
    }

    fn read_forms(&mut self, files: &BTreeMap<String, String>) -> Result<(), GrammarError> {
        for (line, [owner, path, type_code, operation]) in rows::<4>(files, "fhir.tsv")? {
            let error =
                |text: &str| GrammarError { file: "fhir.tsv".to_owned(), line, text: text.to_owned() };
            let form = self.form(operation).ok_or_else(|| error("unknown operation"))?;
            if form == Form::Id {
                self.resources.insert(owner.to_owned());
            }
            let types = self.forms.entry(path.to_owned()).or_default();
            if types.insert(type_code.to_owned(), form).is_some() {
                return Err(error("a second row for the same element"));
            }
        }
        Ok(())
    }

    fn form(&self, operation: &str) -> Option<Form> {
        let listed = |name: &str| self.words.contains_key(name).then(|| name.to_owned());
        Some(match operation {
            "drop" | "reject" => Form::Absent,
            "mask" => Form::Masked,
            "keep" => Form::Plain,
            "enum" => Form::Bound,
            "code" => Form::Coded(None),
            "coded" => Form::Part,
            "qty" => Form::Quantity,
            "age90" => Form::Age,
            "qty+age90" => Form::QuantityOrNumber,
            "year" => Form::Year,
            "year90" => Form::YearOrBand,
            "addr:state" | "addr:state+zip3+country" => Form::Address,
            "state" => Form::State,
            "zip3" => Form::Prefix,
            "country" => Form::Country,
            "rekey" => Form::Id,
            "ref" => Form::Reference,
            "ext-allow" | "ext-allow-or-reject" => Form::Extension,
            "recurse" => Form::Contained,
            "rebuild" => Form::Rebuilt,
            "meta" => Form::Marks,
            "int-only" => Form::Digits,
            "bool-true" => Form::Renamed,
            "descend" | "timing" | "dosage" | "attach-stub" => Form::Open,
            _ => match operation.split_once(':')? {
                ("enum" | "vocab", name) => Form::Word(listed(name)?),
                ("code", name) => Form::Coded(Some(listed(name)?)),
                _ => return None,
            },
        })
    }

    fn read_codes(&mut self, files: &BTreeMap<String, String>) -> Result<(), GrammarError> {
        for (line, [system, matching, shape]) in rows::<3>(files, "codes.tsv")? {
            let error =
                |text: &str| GrammarError { file: "codes.tsv".to_owned(), line, text: text.to_owned() };
            let shape = match shape {
                "deny" => None,
                shape => Some(Regex::new(shape).map_err(|_| error("the shape is not a regular expression"))?),
            };
            match matching {
                "exact" => drop(self.systems.insert(system.to_owned(), shape)),
                "prefix" => self.system_prefixes.push((system.to_owned(), shape)),
                _ => return Err(error("neither `exact` nor `prefix`")),
            }
        }
        self.system_prefixes.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        Ok(())
    }

    fn read_extensions(&mut self, files: &BTreeMap<String, String>) -> Result<(), GrammarError> {
        for (line, [url, resource, part, value_type, operation]) in rows::<5>(files, "extensions.tsv")? {
            let error =
                |text: &str| GrammarError { file: "extensions.tsv".to_owned(), line, text: text.to_owned() };
            self.extensions.push(ExtensionForm {
                url: url.to_owned(),
                resource: resource.to_owned(),
                part: if part == "-" { String::new() } else { part.to_owned() },
                value_type: value_type.to_owned(),
                form: self.form(operation).ok_or_else(|| error("unknown operation"))?,
            });
        }
        Ok(())
    }

    pub(crate) fn policy_tag(&self) -> &str {
        &self.policy_tag
    }

    pub(crate) fn form_of(&self, path: &str, type_code: &str) -> Option<&Form> {
        self.forms.get(path)?.get(type_code)
    }

    /// Whether the profile lets resources of a type leave.
    pub fn has(&self, resource_type: &str) -> bool {
        self.covers(resource_type)
    }

    /// Whether the profile has rows for a resource type.
    pub(crate) fn covers(&self, resource_type: &str) -> bool {
        self.resources.contains(resource_type)
    }

    pub(crate) fn has_word(&self, list: &str, word: &str) -> bool {
        self.words.get(list).is_some_and(|words| words.contains(word))
    }

    pub(crate) fn code_fits(&self, system: &str, code: &str) -> bool {
        if let Some(shape) = self.systems.get(system) {
            return shape.as_ref().is_some_and(|shape| shape.is_match(code));
        }
        let shape = self.system_prefixes.iter().find(|(prefix, _)| system.starts_with(prefix.as_str()));
        shape.is_some_and(|(prefix, shape)| {
            let rest = system.get(prefix.len()..).unwrap_or_default();
            let plain = rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-./".contains(&byte));
            plain && shape.as_ref().is_some_and(|shape| shape.is_match(code))
        })
    }
}

impl std::fmt::Debug for Grammar {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Grammar({}, {} elements)", self.profile_id, self.forms.len())
    }
}

/// The start of SHA-256 over the profile's files: each name and text with its length before it, big-endian.
fn content_tag(files: &BTreeMap<String, String>) -> String {
    let mut joined = Vec::new();
    for (name, text) in files {
        for part in [name, text] {
            joined.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            joined.extend_from_slice(part.as_bytes());
        }
    }
    let hash = digest::digest(&digest::SHA256, &joined);
    hex(hash.as_ref().get(..TAG_DIGITS / 2).unwrap_or_default())
}
