//! Issues and the OperationOutcome they are told by.

use serde_json::{Map, Value, json};

/// One problem of a resource or request: FHIRPath location, never a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// How grave it is.
    pub severity: Severity,
    /// What kind of problem it is.
    pub code: IssueCode,
    /// FHIRPath of the element (`Patient.name[0].family`); empty for a problem of the whole request.
    pub location: String,
    /// What is wrong, in words that hold no content of the resource.
    pub text: String,
}

impl Issue {
    /// An error.
    pub fn error(code: IssueCode, location: impl Into<String>, text: impl Into<String>) -> Self {
        Self { severity: Severity::Error, code, location: location.into(), text: text.into() }
    }

    /// Whether it forbids the resource, other than a warning or a remark.
    pub fn is_error(&self) -> bool {
        matches!(self.severity, Severity::Fatal | Severity::Error)
    }
}

/// `http://hl7.org/fhir/issue-severity`, gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing could be done.
    Fatal,
    /// The request failed or the resource is not valid.
    Error,
    /// Done, and somebody should look.
    Warning,
    /// A remark.
    Information,
}

impl Severity {
    /// Its code.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fatal => "fatal",
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Information => "information",
        }
    }
}

/// Declares the issue codes with their code in `http://hl7.org/fhir/issue-type` and their HTTP status.
macro_rules! issue_codes {
    ($($(#[$doc:meta])* $name:ident $code:literal $status:literal,)*) => {
        /// `http://hl7.org/fhir/issue-type`, the ones we use.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum IssueCode { $($(#[$doc])* $name,)* }

        impl IssueCode {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Its code.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The HTTP status a request that fails for this reason gets (R4, http §3.1.0.1.7 and the interactions).
            pub fn http_status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }
        }
    };
}

issue_codes! {
    /// Content against the specification.
    Invalid "invalid" 400,
    /// Unknown element, wrong JSON type, wrong cardinality.
    Structure "structure" 400,
    /// A required element is absent.
    Required "required" 400,
    /// A value of the wrong form.
    Value "value" 400,
    /// A rule of the type is broken.
    Invariant "invariant" 400,
    /// A code outside of its required value set.
    CodeInvalid "code-invalid" 400,
    /// An extension that is not acceptable.
    Extension "extension" 400,
    /// An interaction, type or parameter that the server does not have.
    NotSupported "not-supported" 404,
    /// No such resource.
    NotFound "not-found" 404,
    /// The resource was deleted.
    Deleted "deleted" 410,
    /// Nobody is signed in.
    Login "login" 401,
    /// The rights do not suffice.
    Forbidden "forbidden" 403,
    /// Refused by a security rule.
    Security "security" 403,
    /// Well-formed, yet it cannot be processed.
    Processing "processing" 422,
    /// Over a size limit.
    TooLong "too-long" 413,
    /// Over a work limit.
    TooCostly "too-costly" 503,
    /// Exists already.
    Duplicate "duplicate" 409,
    /// A version or edit conflict.
    Conflict "conflict" 409,
    /// A fault of the server.
    Exception "exception" 500,
    /// Took too long.
    Timeout "timeout" 503,
    /// Too many requests.
    Throttled "throttled" 429,
    /// Some of the data could not be had.
    Incomplete "incomplete" 503,
    /// Against a rule of the site.
    BusinessRule "business-rule" 422,
    /// Not told, by a rule.
    Suppressed "suppressed" 200,
    /// A remark.
    Informational "informational" 200,
}

/// An OperationOutcome resource. Without issues it says that all is well, for R4 asks for at least one.
pub fn operation_outcome(issues: &[Issue]) -> Value {
    let issues: Vec<Value> = match issues {
        [] => vec![json!({"severity": "information", "code": "informational", "diagnostics": "no issues"})],
        some => some.iter().map(outcome_issue).collect(),
    };
    json!({"resourceType": "OperationOutcome", "issue": issues})
}

/// The HTTP status of a set of issues: that of the first among the gravest; 200 without an error.
pub fn http_status(issues: &[Issue]) -> u16 {
    let gravest = issues.iter().filter(|issue| issue.is_error()).min_by_key(|issue| issue.severity);
    gravest.map_or(200, |issue| issue.code.http_status())
}

fn outcome_issue(issue: &Issue) -> Value {
    let mut object = Map::new();
    object.insert("severity".into(), issue.severity.as_str().into());
    object.insert("code".into(), issue.code.as_str().into());
    if !issue.text.is_empty() {
        object.insert("diagnostics".into(), issue.text.clone().into());
    }
    if !issue.location.is_empty() {
        object.insert("expression".into(), json!([issue.location]));
    }
    Value::Object(object)
}
