//! What a site's overlay settles beside its maps.

use crate::diagnostic::Place;
use std::collections::BTreeMap;

/// Names of authorities, with their places.
#[derive(Default, Clone)]
pub(crate) struct PatientIndex {
    pub trusted: Vec<(String, Place)>,
    pub own: Vec<(String, Place)>,
}

/// Settings of one site; the base package has the default.
#[derive(Default, Clone)]
pub(crate) struct Site {
    pub name: Option<String>,
    /// Field number of MSH and the value its first component must have.
    pub matches: BTreeMap<u16, String>,
    pub zone: Option<jiff::tz::TimeZone>,
    /// Authority, `AUTHORITY^TYPE` or coding-system name to URI.
    pub systems: BTreeMap<String, String>,
    /// `patient_index`, as written.
    pub index: PatientIndex,
    /// URIs of the authorities whose number names one person, the one that names the patient first.
    pub trusted: Vec<String>,
    /// Those of them whose numbers the sender itself assigns.
    pub own: Vec<String>,
    pub facts: BTreeMap<String, String>,
    /// Texts that mean HL7 null at this site, beside `""`.
    pub nulls: Vec<String>,
    /// What it asks of the resources; `None`: what the package asks.
    pub validation: Option<crate::validation::Validation>,
    /// Data types of the fields of Z segments.
    pub segments: BTreeMap<String, BTreeMap<u16, String>>,
}
