//! The parsers, and what must hold for any bytes given to them.

mod fhir;
mod mapping;
mod mllp;
mod smart;
mod v2;

/// What is said of one input: nothing, or what does not hold.
pub type Verdict = Result<(), String>;
/// A check, with whatever it needs made once for a run.
pub type Check = Box<dyn Fn(&[u8]) -> Verdict>;

/// A parser under test.
pub struct Target {
    /// What it is called on the command line.
    pub name: &'static str,
    /// Source files whose reading it exercises, from `crates/`.
    pub covers: &'static [&'static str],
    /// Inputs to begin from.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Words of its syntax.
    pub words: &'static [&'static [u8]],
    /// Inputs in a short run: fewer where one costs more.
    pub short: u64,
    /// Makes the check.
    pub prepare: fn() -> Check,
}

/// Every target.
pub const TARGETS: &[&Target] = &[
    &mllp::DECODER,
    &mllp::ADDRESSES,
    &v2::MESSAGE,
    &v2::ESCAPES,
    &v2::DATES,
    &v2::CHARSETS,
    &v2::PATHS,
    &v2::BATCHES,
    &v2::PARTS,
    &mapping::TRANSLATION,
    &mapping::LANGUAGE,
    &fhir::RESOURCE,
    &fhir::QUERY,
    &smart::SCOPES,
    &smart::TOKENS,
];

/// Says `words` when `holds` is not so.
fn holds(holds: bool, words: &str) -> Verdict {
    if holds { Ok(()) } else { Err(words.to_owned()) }
}

/// Texts as seeds.
fn texts(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}
