//! What we make of a message, held against what other converters made of it.
//!
//! Their outputs are no truth: they drop data, invent offsets and write systems that are no URIs. So both sides are brought to one form (`canonical`), their
//! resources are matched by what they say (`align`), and every difference that is left must stand on a list that says who is right and why (`list`).

pub mod align;
pub mod canonical;
pub mod list;
pub mod pairs;
pub mod schematized;

use std::collections::BTreeMap;

use align::Kind;

/// Where the sides differ in the same way: corpus, path and kind.
pub type Place = (String, String, Kind);

/// Differences of one place.
#[derive(Default)]
pub struct Group {
    /// How many there are.
    pub count: usize,
    /// File, their side and ours, of the first few.
    pub examples: Vec<(String, [String; 2])>,
}

/// Differences over whole corpora.
#[derive(Default)]
pub struct Findings {
    /// Compared pairs by corpus.
    pub compared: BTreeMap<String, usize>,
    /// Leaves of their side, by corpus: what could differ.
    pub leaves: BTreeMap<String, usize>,
    /// Pairs that were not compared, and why.
    pub skipped: Vec<String>,
    /// The differences.
    pub groups: BTreeMap<Place, Group>,
}

/// Examples kept of each place.
const EXAMPLES: usize = 3;

impl Findings {
    /// Adds what one pair differs in.
    pub fn add(
        &mut self,
        corpus: &str,
        file: &str,
        theirs: &[canonical::Resource],
        ours: &[canonical::Resource],
    ) {
        *self.compared.entry(corpus.to_owned()).or_default() += 1;
        let leaves = theirs.iter().map(|resource| align::count(&resource.content)).sum::<usize>();
        *self.leaves.entry(corpus.to_owned()).or_default() += leaves;
        for difference in align::compare(theirs, ours) {
            let group = self.groups.entry((corpus.to_owned(), difference.path, difference.kind)).or_default();
            group.count += 1;
            if group.examples.len() < EXAMPLES {
                group.examples.push((file.to_owned(), difference.sides));
            }
        }
    }
}
