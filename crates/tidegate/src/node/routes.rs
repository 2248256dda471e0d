//! The console's reasons why a resource may go where are those of residency.

use std::sync::Arc;

use console::{Route, Routing, RuleTried};
use residency::{Decision, Policy};
use serde_json::Value;

/// Routes by the policy in force. What is around a resource (a visit's labels, a consent) is not asked.
pub struct Routes(pub Arc<Policy>);

impl Route for Routes {
    fn routes(&self, resource: &Value) -> Vec<Routing> {
        let Some(resource_type) = fhir::ResourceType::of(resource) else { return Vec::new() };
        let labels = residency::label(&self.0, resource);
        let routing = |destination: &residency::Destination| {
            let (profile, reason) = match self.0.decide(&destination.id, resource_type, &labels) {
                Decision::Permit { profile, .. } => (Some(profile), ""),
                Decision::Deny { reason, .. } => (None, reason),
            };
            let rules = self.0.explain(&destination.id, resource_type, &labels).into_iter();
            Routing {
                destination: destination.id.clone(),
                zone: format!("{}, {}", destination.zone, destination.region),
                labels: labels.0.clone(),
                profile,
                reason,
                rules: rules
                    .map(|tried| RuleTried { id: tried.id, permits: tried.permits, fails: tried.fails })
                    .collect(),
            }
        };
        // Resources go where resources are taken; what becomes of the message as it is stands with its deliveries.
        let destinations = self.0.destinations().into_iter();
        destinations.filter(|destination| destination.form == residency::Form::Fhir).map(routing).collect()
    }

    fn policy_hash(&self) -> &str {
        self.0.hash()
    }
}
