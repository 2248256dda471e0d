//! What a Patient of several feeds looks like, and what is known to one feed only.

use pipeline::FLAG_KNOWN_HERE_ONLY;
use store::MessageState;

use crate::feeds::{About, EMR, NOTHING, PAYER, PHARMACY, ROWAN, update};
use crate::rig::{Rig, named, values};

#[tokio::test]
async fn a_feed_replaces_its_own_identifiers_and_keeps_those_of_others() {
    let mut rig = Rig::with(&[
        update(EMR, "1", &["MR 42", "SS 900-55-0142"], ROWAN, "A1"),
        update(PHARMACY, "2", &["PI 7", "MR 42"], NOTHING, "A2"),
        update(EMR, "3", &["MR 42"], ROWAN, "A1"),
    ])
    .await;
    assert_eq!(values(&rig.patient().await), ["42", "7", "900-55-0142"], "what is not spoken about stays");
    let version = rig.send(&update(PAYER, "4", &["MB 9", "MR 42"], NOTHING, "A3")).await;
    assert_eq!(rig.row(version).await.state, MessageState::Routed);
    assert_eq!(values(&rig.patient().await), ["42", "7", "9", "900-55-0142"]);
}

#[tokio::test]
async fn a_patient_of_one_feed_is_marked_until_the_emr_tells_of_it() {
    let mut rig = Rig::new().await;
    let first = rig.send(&update(PHARMACY, "1", &["PI 7"], ROWAN, "A1")).await;
    assert_eq!(rig.row(first).await.flags & FLAG_KNOWN_HERE_ONLY, FLAG_KNOWN_HERE_ONLY);
    assert_eq!(rig.patient().await["id"], named("PI 7").as_str());
    let told = rig.send(&update(EMR, "2", &["MR 42", "PI 7"], About { phone: "", ..ROWAN }, "A2")).await;
    assert_eq!(rig.row(told).await.flags & FLAG_KNOWN_HERE_ONLY, 0);
    assert!(rig.records(told).await.contains(&audit::Kind::PatientsLinked));
    let patient = rig.patient().await;
    assert_eq!(patient["id"], named("MR 42").as_str());
    assert_eq!(patient["telecom"][0]["value"], "(207)555-0136", "what only the pharmacy said is kept");
    let later = rig.send(&update(PHARMACY, "3", &["PI 7"], ROWAN, "A3")).await;
    assert_eq!(rig.row(later).await.flags & FLAG_KNOWN_HERE_ONLY, 0);
    assert_eq!(rig.alias(&named("PI 7")).await, Some(named("MR 42")));
    rig.reprocess(first).await;
    assert_eq!(rig.all("AllergyIntolerance").await.len(), 3);
}
