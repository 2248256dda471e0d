//! What is taken back: a cancelled visit, a wrong result.

use serde_json::Value;

use super::Outcome;
use super::town::Town;
use crate::demo::Demo;

/// Cancelled visits (A11) and wrong results (OBX-11 = W) carry it in their status, on both sides alike.
pub async fn cancelled(demo: &Demo, town: &Town) -> Outcome {
    let counts = town.counts();
    let mut words = Vec::new();
    for (kind, status, expected) in [
        ("Encounter", "cancelled", counts.cancelled_visits),
        ("Observation", "entered-in-error", counts.wrong_results),
    ] {
        let expected = usize::try_from(expected).unwrap_or(0);
        let count =
            |resources: &[Value]| resources.iter().filter(|resource| resource["status"] == status).count();
        let search = format!("{kind}?_count=200");
        let (here, there) =
            (count(&demo.onprem.search(&search).await?), count(&demo.cloud.search(&search).await?));
        if expected == 0 || (here, there) != (expected, expected) {
            return Err(format!(
                "{kind} {status}: {here} on-prem, {there} in the cloud, {expected} were sent"
            ));
        }
        words.push(format!("{expected} {kind} {status}"));
    }
    Ok(words.join(", "))
}
