//! A dry run says what the message then does, and does nothing.

use store::{MessageState, WriteSet};

use crate::feeds::{About, EMR, NOTHING, PHARMACY, ROWAN, update};
use crate::rig::Rig;

/// What the store would show of a write set: state, reason, versions, what leaves.
fn versions(set: &WriteSet) -> Vec<(String, u32)> {
    let mut all: Vec<_> = set
        .versions
        .iter()
        .map(|version| (format!("{}/{}", version.key.resource_type, version.key.id), version.version))
        .collect();
    all.sort();
    all
}

#[tokio::test]
async fn it_is_what_the_message_then_writes_and_nothing_is_written_before() {
    let mut rig = Rig::with(&[update(EMR, "1", &["MR 42"], ROWAN, "A1")]).await;
    let message = update(PHARMACY, "2", &["PI 7", "MR 42"], About { phone: "555-0142", ..ROWAN }, "A2");
    let (before, recorded) = (rig.state().await, rig.recorded().await);
    let set = rig.rehearse(&message).await;
    let again = rig.rehearse(&message).await;
    assert_eq!((rig.state().await, rig.recorded().await), (before, recorded), "nothing is written");
    assert_eq!(versions(&set), versions(&again));
    assert_eq!(set.message.state, MessageState::Routed);
    assert!(!set.versions.is_empty() && !set.deliveries.is_empty());

    let id = rig.send(&message).await;
    let detail = rig.detail(id).await;
    let mut wrote: Vec<_> = detail
        .resources
        .iter()
        .map(|(key, version)| (format!("{}/{}", key.resource_type, key.id), *version))
        .collect();
    wrote.sort();
    assert_eq!(wrote, versions(&set));
    assert_eq!((detail.row.state, detail.row.issues), (set.message.state, set.message.issues));
    let released = |rows: Vec<String>| {
        let mut rows = rows;
        rows.sort();
        rows
    };
    assert_eq!(
        released(detail.deliveries.iter().map(|row| row.released_id.clone()).collect()),
        released(set.deliveries.iter().map(|row| row.released_id.clone()).collect()),
        "the patient's pseudonym exists, so ids are those of the real run"
    );
}

#[tokio::test]
async fn a_message_that_would_be_held_back_says_why() {
    let rig = Rig::new().await;
    let set = rig.rehearse(&update(EMR, "1", &[], NOTHING, "A1")).await;
    assert_eq!(set.message.state, MessageState::Quarantined);
    assert!(set.message.reason.is_some() && set.versions.is_empty() && set.deliveries.is_empty());
    assert_eq!(rig.recorded().await, 0);
}
