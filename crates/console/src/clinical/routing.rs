//! Why a resource may go where. Residency knows; it is lent to the console by this trait.

use serde_json::Value;

/// Says where a resource may go, and why.
pub trait Route: Send + Sync {
    /// One answer for each destination, by its id.
    fn routes(&self, resource: &Value) -> Vec<Routing>;
    /// Content hash of the policy in force, hexadecimal.
    fn policy_hash(&self) -> &str;
}

/// Whether a resource may go to one destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routing {
    /// The destination.
    pub destination: String,
    /// Its zone and region, `cloud, US`.
    pub zone: String,
    /// The resource's labels.
    pub labels: Vec<String>,
    /// The profile it leaves under; `None`: it stays.
    pub profile: Option<String>,
    /// Why it stays, a code; empty when it may go.
    pub reason: &'static str,
    /// The rules in the order they are tried.
    pub rules: Vec<RuleTried>,
}

/// One rule as it was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleTried {
    /// Its id.
    pub id: String,
    /// Whether it permits; else it denies.
    pub permits: bool,
    /// What of it does not hold: `destination`, `zone`, `type`, `label`. Empty: it matches.
    pub fails: Vec<&'static str>,
}
