//! What is taken back: a cancelled visit, a wrong result, everything of a person who does not want it shared.

use serde_json::Value;

use super::town::Town;
use super::{Outcome, people, settle};
use crate::demo::Demo;
use crate::demo::feed::Systems;

/// Who revokes their consent: a person who was not merged, so that everything is under one number.
const REVOKES: usize = 2;

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

/// A31 with PD1-12 = Y: what was released of the person is withdrawn, and on-prem everything stays.
pub async fn revoked(demo: &Demo, town: &mut Town) -> Outcome {
    let person = town.episodes.get(REVOKES).ok_or("too few people")?.person.clone();
    let id = people::one_patient(demo, &person).await?;
    let twin = people::twin_of(demo, &id).await?;
    let before = people::compartment(demo, &twin).await?;
    let results = format!("Observation?patient={id}&_count=0");
    let kept = demo.onprem.total(&results).await?;
    let message = town.protection(REVOKES)?;
    Systems::connect(&demo.place.addresses).await?.send(&message).await?;
    let patient = format!("/fhir/Patient/{twin}");
    let is_gone = || async {
        demo.cloud.read(&patient).await.is_ok_and(|answer| answer.status == 410)
            && people::compartment(demo, &twin).await == Ok(0)
    };
    settle(is_gone).await;
    let (status, after) = (demo.cloud.read(&patient).await?.status, people::compartment(demo, &twin).await?);
    if status != 410 || after != 0 || before == 0 {
        return Err(format!("the patient answers {status}, and {after} of {before} resources are there"));
    }
    let stays = demo.onprem.total(&results).await?;
    if stays == kept && people::one_patient(demo, &person).await? == id {
        Ok(format!("{before} resources and their patient are gone there; on-prem all of them stay"))
    } else {
        Err(format!("{stays} of {kept} results are left on-prem"))
    }
}
