//! The trace: for each FHIR element where it came from and how.

/// One step per FHIR element written: where it came from. Values are PHI; Debug prints counts only.
#[derive(Clone, Default)]
pub struct Trace {
    /// In the order written.
    pub steps: Vec<Step>,
}

impl std::fmt::Debug for Trace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trace").field("steps", &self.steps.len()).finish()
    }
}

/// One element written.
#[derive(Clone)]
pub struct Step {
    /// `Patient/<id>`.
    pub resource: String,
    /// FHIRPath location, `Patient.name[0].family`.
    pub element: String,
    /// `PID-5.1.1`; None for literals and references.
    pub source_path: Option<String>,
    /// Bytes of the message.
    pub span: Option<hl7v2::Span>,
    /// `segments/PID.Patient.yaml:21:12`.
    pub rule: String,
    /// What was done, in order.
    pub conversions: Vec<String>,
    /// Code table and whether it had the code.
    pub code_table: Option<(String, bool)>,
    /// Text before conversion. PHI.
    pub input: Option<String>,
    /// Value after conversion. PHI.
    pub output: Option<String>,
}

impl std::fmt::Debug for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Step")
            .field("element", &self.element)
            .field("source_path", &self.source_path)
            .field("rule", &self.rule)
            .finish_non_exhaustive()
    }
}
