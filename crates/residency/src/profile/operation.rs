//! What can be done to an element, and to which elements it can be done.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::codes::Vocabulary;

/// The operation of one row.
#[derive(Debug, Clone)]
pub(crate) enum Operation {
    /// As it is: numbers and booleans alone.
    Keep,
    /// Not there.
    Drop,
    /// Not there, with the reason `masked`.
    Mask,
    /// The resource stays when the element is there.
    Reject,
    /// A code of the required binding, or of a vocabulary.
    Enum(Option<Arc<Vocabulary>>),
    /// Codings of allowed systems, of a vocabulary where one is named; no text.
    Code(Option<Arc<Vocabulary>>),
    /// Decided with the owner: system and code of a coding or quantity.
    Coded,
    /// A word of a vocabulary.
    Vocab(Arc<Vocabulary>),
    /// A quantity with a UCUM unit or none.
    Qty,
    /// The year of a date.
    Year,
    /// The year of birth, or an age band.
    Year90,
    /// An age, or 90 and above.
    Age90,
    /// A quantity, handled as an age where the code says it is one.
    QtyAge90,
    /// The named parts of an address.
    Addr(AddressParts),
    /// A state of the United States.
    State,
    /// The first three digits of a ZIP code.
    Zip3,
    /// An ISO 3166 code.
    Country,
    /// A reference under released ids.
    Ref,
    /// The resource's own id.
    Rekey,
    /// Extensions of the allow-list.
    ExtAllow,
    /// The same; an unlisted one refuses the resource.
    ExtAllowOrReject,
    /// Contained resources by their own rows.
    Recurse,
    /// Made anew by the engine.
    Rebuild,
    /// Replaced by the marks of de-identification.
    Meta,
    /// One or two digits.
    IntOnly,
    /// `true` in place of a date or number.
    BoolTrue,
    /// By the rows of its children.
    Descend(&'static str),
}

/// Which parts of an address stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AddressParts {
    pub(crate) zip3: bool,
    pub(crate) country: bool,
}

/// Name of the vocabularies that address parts are checked against.
pub(crate) const STATES: &str = "us-states";
pub(crate) const COUNTRIES: &str = "countries";

const NUMERIC: [&str; 5] = ["boolean", "integer", "positiveInt", "unsignedInt", "decimal"];

/// Every operation's name, for help with a misspelt one.
pub(crate) const NAMES: [&str; 32] = [
    "keep",
    "drop",
    "mask",
    "reject",
    "enum",
    "enum:",
    "code",
    "code:",
    "coded",
    "vocab:",
    "qty",
    "year",
    "year90",
    "age90",
    "qty+age90",
    "addr:state+zip3+country",
    "addr:state",
    "state",
    "zip3",
    "country",
    "ref",
    "rekey",
    "ext-allow",
    "ext-allow-or-reject",
    "recurse",
    "rebuild",
    "meta",
    "int-only",
    "bool-true",
    "timing",
    "dosage",
    "attach-stub",
];

impl Operation {
    /// Reads an operation; the error says what is wrong with it.
    pub(crate) fn parse(
        text: &str,
        vocabularies: &BTreeMap<String, Arc<Vocabulary>>,
    ) -> Result<Self, String> {
        let (name, argument) =
            text.split_once(':').map_or((text, None), |(name, argument)| (name, Some(argument)));
        let vocabulary = |name: &str| {
            vocabularies
                .get(name)
                .cloned()
                .ok_or_else(|| format!("there is no vocabulary `vocab/{name}.txt`"))
        };
        match (name, argument) {
            ("enum", argument) => Ok(Self::Enum(argument.map(vocabulary).transpose()?)),
            ("code", argument) => Ok(Self::Code(argument.map(vocabulary).transpose()?)),
            ("vocab", Some(argument)) => Ok(Self::Vocab(vocabulary(argument)?)),
            ("addr", Some("state+zip3+country")) => {
                Ok(Self::Addr(AddressParts { zip3: true, country: true }))
            }
            ("addr", Some("state")) => Ok(Self::Addr(AddressParts { zip3: false, country: false })),
            (_, None) => Self::plain(name).ok_or_else(|| format!("there is no operation `{text}`")),
            (_, Some(_)) => Err(format!("there is no operation `{text}`")),
        }
    }

    fn plain(name: &str) -> Option<Self> {
        Some(match name {
            "keep" => Self::Keep,
            "drop" => Self::Drop,
            "mask" => Self::Mask,
            "reject" => Self::Reject,
            "coded" => Self::Coded,
            "qty" => Self::Qty,
            "year" => Self::Year,
            "year90" => Self::Year90,
            "age90" => Self::Age90,
            "qty+age90" => Self::QtyAge90,
            "state" => Self::State,
            "zip3" => Self::Zip3,
            "country" => Self::Country,
            "ref" => Self::Ref,
            "rekey" => Self::Rekey,
            "ext-allow" => Self::ExtAllow,
            "ext-allow-or-reject" => Self::ExtAllowOrReject,
            "recurse" => Self::Recurse,
            "rebuild" => Self::Rebuild,
            "meta" => Self::Meta,
            "int-only" => Self::IntOnly,
            "bool-true" => Self::BoolTrue,
            "timing" => Self::Descend("timing"),
            "dosage" => Self::Descend("dosage"),
            "attach-stub" => Self::Descend("attach-stub"),
            "descend" => Self::Descend("descend"),
            _ => return None,
        })
    }

    /// Its name without an argument, as the console shows it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Drop => "drop",
            Self::Mask => "mask",
            Self::Reject => "reject",
            Self::Enum(_) => "enum",
            Self::Code(_) | Self::Coded => "code",
            Self::Vocab(_) => "vocab",
            Self::Qty => "qty",
            Self::Year => "year",
            Self::Year90 => "year90",
            Self::Age90 => "age90",
            Self::QtyAge90 => "qty+age90",
            Self::Addr(_) => "addr",
            Self::State => "state",
            Self::Zip3 => "zip3",
            Self::Country => "country",
            Self::Ref => "ref",
            Self::Rekey => "rekey",
            Self::ExtAllow | Self::ExtAllowOrReject => "ext-allow",
            Self::Recurse => "recurse",
            Self::Rebuild => "rebuild",
            Self::Meta => "meta",
            Self::IntOnly => "int-only",
            Self::BoolTrue => "bool-true",
            Self::Descend(name) => name,
        }
    }

    /// Whether the rows of the children are read.
    pub(crate) fn enters(&self, type_code: &str) -> bool {
        match self {
            Self::Descend(_) | Self::Code(_) | Self::Qty | Self::QtyAge90 | Self::Age90 | Self::Addr(_) => {
                !primitive(type_code)
            }
            Self::Year | Self::Ref | Self::Coded => !primitive(type_code),
            Self::Keep
            | Self::Drop
            | Self::Mask
            | Self::Reject
            | Self::Enum(_)
            | Self::Vocab(_)
            | Self::Year90 => false,
            Self::State
            | Self::Zip3
            | Self::Country
            | Self::Rekey
            | Self::ExtAllow
            | Self::ExtAllowOrReject => false,
            Self::Recurse | Self::Rebuild | Self::Meta | Self::IntOnly | Self::BoolTrue => false,
        }
    }

    /// Says why the operation cannot stand on an element of this type.
    pub(crate) fn refuse(&self, element: &fhir::Element, type_code: &str) -> Option<String> {
        let path = element.path;
        let is = |types: &[&str]| types.contains(&type_code);
        let fits = match self {
            Self::Drop | Self::Reject => true,
            Self::Mask => !is(&["Resource", "Extension"]) && !path.ends_with(".id"),
            Self::Keep => is(&NUMERIC),
            Self::Enum(Some(_)) => type_code == "code",
            Self::Enum(None) => type_code == "code" && required_codes(element).is_some(),
            Self::Code(_) => is(&["CodeableConcept", "Coding"]),
            Self::Coded => {
                let owner = path.split('.').next().unwrap_or_default();
                ["CodeableConcept", "Coding", "Quantity", "Age", "Duration"].contains(&owner)
                    && is(&["Coding", "uri", "code"])
                    && ["coding", "system", "code"].contains(&element.name)
            }
            Self::Vocab(_) | Self::IntOnly => type_code == "string",
            Self::Qty => is(&["Quantity", "Range", "Ratio", "Duration", "Age"]),
            Self::Year => is(&["date", "dateTime", "Period"]),
            Self::Year90 => is(&["date", "dateTime"]),
            Self::Age90 => is(&["Age", "Range"]),
            Self::QtyAge90 => is(&["Quantity", "integer"]),
            Self::Addr(_) => type_code == "Address",
            Self::State => path == "Address.state",
            Self::Zip3 => path == "Address.postalCode",
            Self::Country => path == "Address.country",
            Self::Ref => type_code == "Reference" || path == "Reference.reference",
            Self::Rekey => {
                element.name == "id"
                    && path.split('.').next().is_some_and(|owner| fhir::r4().is_resource(owner))
            }
            Self::ExtAllow | Self::ExtAllowOrReject => type_code == "Extension",
            Self::Recurse => type_code == "Resource" && element.name == "contained",
            Self::Rebuild => ["Provenance.agent", "Provenance.activity"].contains(&path),
            Self::Meta => type_code == "Meta",
            Self::BoolTrue => {
                is(&["date", "dateTime", "integer"])
                    && element.types.iter().any(|other| other.code == "boolean")
            }
            Self::Descend("timing") => type_code == "Timing",
            Self::Descend("dosage") => type_code == "Dosage",
            Self::Descend("attach-stub") => type_code == "Attachment",
            Self::Descend(_) => is(&["BackboneElement", "Element", "Money", "Period", "@ref"]),
        };
        let name = self.name();
        if !fits && matches!(self, Self::Keep) {
            return Some(format!("`keep` would let text of type {type_code} out"));
        }
        if !fits {
            return Some(format!("`{name}` cannot stand on type {type_code}"));
        }
        if element.is_modifier && matches!(self, Self::Drop) && element.name == "modifierExtension" {
            return Some("a modifier extension that is dropped changes the meaning of what stays".to_owned());
        }
        if matches!(self, Self::Drop) && element.min > 0 {
            return Some("the element is required; `drop` would make the output invalid".to_owned());
        }
        None
    }
}

/// The codes of an element's required binding, where the definitions can list them.
pub(crate) fn required_codes(element: &fhir::Element) -> Option<&'static fhir::CodeSet> {
    let binding = element.binding?;
    if binding.strength != fhir::Strength::Required {
        return None;
    }
    fhir::r4().codes(binding.value_set)
}

fn primitive(type_code: &str) -> bool {
    fhir::r4().is_primitive(type_code)
}
