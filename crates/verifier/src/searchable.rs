//! Which search parameters of packages de-identified resources can have: those that read what their profile lets stand, and
//! nothing else. What this cannot tell for certain it refuses.

use fhir::{ElementRead, OwnExtension, SearchKind, SearchParameter};

use crate::grammar::{Form, Grammar};

/// Any resource, in the rows of extensions.
const EVERY: &str = "*";
/// Elements by which extensions tell themselves apart.
const URL: &str = "Extension.url";
const VALUE: &str = "Extension.value[x]";
const NESTED: &str = "Extension.extension";

impl Grammar {
    /// Whether a parameter of a resource type can test nothing that this profile removes, masks or makes coarse for it can
    /// name a person: its values are codes, references, dates to the year, numbers or measurements, as those of R4's own
    /// parameters there, and each element that it reads stands.
    pub fn lets_search(&self, resource: &str, parameter: &SearchParameter) -> bool {
        let Some(custom) = parameter.custom else { return false };
        let values: &[&str] = match parameter.kind {
            SearchKind::Token => &["boolean", "code", "CodeableConcept", "Coding"],
            SearchKind::Reference => &["Reference"],
            SearchKind::Date => &["date", "dateTime", "instant", "Period"],
            SearchKind::Number => &["decimal", "integer", "positiveInt", "unsignedInt"],
            SearchKind::Quantity => &["Age", "Count", "Distance", "Duration", "Quantity"],
            SearchKind::String | SearchKind::Uri | SearchKind::Composite | SearchKind::Special => &[],
        };
        self.covers(resource)
            && custom.gives.iter().all(|of| values.contains(&of.as_str()))
            && custom.reads.iter().all(|read| self.lets_read(resource, read))
    }

    fn lets_read(&self, resource: &str, read: &ElementRead) -> bool {
        match (read.within.as_slice(), read.path) {
            ([], _) if read.type_code == "Extension" => {
                self.form_of(read.path, read.type_code) == Some(&Form::Extension)
            }
            ([], path) => self.form_of(path, read.type_code).is_some_and(stands),
            (_, URL | NESTED) => true,
            (within, VALUE) => self.lets_read_extension(resource, within, read.type_code),
            // Parts of an extension's value: as of a value anywhere.
            (_, path) => self.form_of(path, read.type_code).is_some_and(stands),
        }
    }

    /// That an extension stands, with all of its values that have this type, and that it is known which one it is.
    fn lets_read_extension(&self, resource: &str, within: &[OwnExtension], type_code: &str) -> bool {
        let (url, part) = match within {
            [OwnExtension::Named(url)] => (*url, ""),
            [OwnExtension::Named(url), OwnExtension::Named(part)] => (*url, *part),
            _ => return false,
        };
        let is_of = |of: &str| of == resource || of == EVERY;
        let own =
            self.extensions.iter().filter(|one| one.url == url && one.part == part && is_of(&one.resource));
        let mut forms = own.filter(|one| one.value_type == type_code).map(|one| &one.form).peekable();
        forms.peek().is_some() && forms.all(stands)
    }
}

/// Whether what stands at an element of this form may be searched by.
fn stands(form: &Form) -> bool {
    match form {
        Form::Plain
        | Form::Bound
        | Form::Word(_)
        | Form::Coded(_)
        | Form::Part
        | Form::Quantity
        | Form::Age
        | Form::QuantityOrNumber
        | Form::Year
        | Form::Reference
        | Form::Digits
        | Form::Open => true,
        // Gone, masked, another element's, or of a birth, a place, or a resource within.
        Form::Absent
        | Form::Masked
        | Form::YearOrBand
        | Form::Address
        | Form::State
        | Form::Prefix
        | Form::Country
        | Form::Id
        | Form::Extension
        | Form::Contained
        | Form::Rebuilt
        | Form::Marks
        | Form::Renamed => false,
    }
}
