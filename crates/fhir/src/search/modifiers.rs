//! Modifiers that search parameters take (R4, search §3.1.1.4.5): what is read from a query, told by the
//! CapabilityStatement, and drawn by the tests of searching.

use super::{Audience, SearchKind, SearchParameter};

impl SearchParameter {
    /// Its modifiers, beside the types that a reference can name. Those that read what is removed from de-identified
    /// resources (texts, identifiers) are of identified ones alone.
    pub fn modifiers(&self, audience: Audience) -> &'static [&'static str] {
        let identified = audience == Audience::Identified;
        match self.kind {
            SearchKind::Token if identified && self.finds_identifiers() => {
                &["text", "not", "of-type", "missing"]
            }
            SearchKind::Token if identified => &["text", "not", "missing"],
            SearchKind::Token => &["not", "missing"],
            SearchKind::String => &["exact", "contains", "missing"],
            SearchKind::Uri => &["below", "above", "missing"],
            SearchKind::Reference if identified => &["identifier", "missing"],
            // R4 has none for combinations.
            SearchKind::Composite | SearchKind::Special => &[],
            SearchKind::Reference | SearchKind::Number | SearchKind::Date | SearchKind::Quantity => {
                &["missing"]
            }
        }
    }

    fn finds_identifiers(&self) -> bool {
        self.expression.split('|').any(|path| path.trim().to_ascii_lowercase().ends_with("identifier"))
    }
}
