//! The message list.

use std::collections::HashMap;

use store::{JournalId, KeyTerm, MessageFilter, MessageState, Messages, Seq, Settlement};
use uuid::Uuid;

use crate::harness::Adapter;
use crate::samples::{NOW_US, business_key, delivery, key, message, record, set, version};

async fn seqs(
    messages: &dyn Messages,
    filter: &MessageFilter,
    before: Option<i64>,
    limit: usize,
) -> Vec<i64> {
    let rows = messages.list(filter, before.map(Seq), limit).await.expect("reads");
    rows.iter().map(|row| row.seq.0).collect()
}

pub async fn the_list_is_newest_first_and_pages(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    for seq in 1..=5 {
        let mut one = set(seq);
        one.message.parent = (seq == 5).then(|| message(1).id);
        one.message.reason = (seq == 4).then(|| "code".to_owned());
        node.apply.commit(one).await.expect("commits");
    }
    let any = MessageFilter::default();
    assert_eq!(seqs(&*node.messages, &any, None, 2).await, [5, 4]);
    assert_eq!(seqs(&*node.messages, &any, Some(4), 2).await, [3, 2]);
    assert_eq!(seqs(&*node.messages, &any, Some(2), 9).await, [1]);
    let rows = node.messages.list(&any, None, 2).await.expect("reads");
    assert_eq!((rows[0].parent, rows[1].reason.as_deref()), (Some(message(1).id), Some("code")));
}

pub async fn keys_are_found_whatever_their_case(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let mut first = set(1);
    first.keys = vec![
        business_key("patient", " MRN-É1 "),
        business_key("visit", "mrn-é1"),
        business_key("order", "9"),
    ];
    node.apply.commit(first).await.expect("commits");
    node.apply.commit(set(2)).await.expect("commits");
    let by = |key: &str| MessageFilter {
        key: Some(KeyTerm { kind: None, value: key.into() }),
        ..MessageFilter::default()
    };
    assert_eq!(seqs(&*node.messages, &by("mrn-é1"), None, 9).await, [1]);
    assert_eq!(seqs(&*node.messages, &by("MRN-É1"), None, 9).await, [1]);
    assert!(seqs(&*node.messages, &by("MRN"), None, 9).await.is_empty());
    assert!(seqs(&*node.messages, &by(""), None, 9).await.is_empty());
}

pub async fn filters_hold_together(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    for seq in 1..=8 {
        let mut one = set(seq);
        one.message.channel = if seq % 2 == 0 { "adt".into() } else { "oru".into() };
        one.message.state = if seq < 5 { MessageState::Quarantined } else { MessageState::Routed };
        one.keys = if seq > 2 { vec![business_key("patient", "k")] } else { Vec::new() };
        node.apply.commit(one).await.expect("commits");
    }
    let filter = MessageFilter {
        state: Some(MessageState::Quarantined),
        channel: Some("adt".into()),
        key: Some(KeyTerm { kind: Some("patient"), value: "K".into() }),
        ..MessageFilter::default()
    };
    assert_eq!(seqs(&*node.messages, &filter, None, 9).await, [4]);
    let other_kind = KeyTerm { kind: Some("visit"), value: "K".into() };
    let filter = MessageFilter { key: Some(other_kind), ..filter };
    assert!(seqs(&*node.messages, &filter, None, 9).await.is_empty());
    let quarantined = MessageFilter { state: Some(MessageState::Quarantined), ..MessageFilter::default() };
    assert_eq!(seqs(&*node.messages, &quarantined, Some(4), 9).await, [3, 2, 1]);
}

pub async fn a_detail_has_all_that_came_of_a_message(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let mut one = set(1);
    one.versions = vec![version("Patient", "p1", 1), version("Encounter", "e1", 1)];
    one.deliveries = vec![delivery(1, "r1"), delivery(2, "r1")];
    one.records = vec![record(audit::Kind::MessageApplied)];
    node.apply.commit(one).await.expect("commits");
    let settled = Settlement::Delivered { receipt: "receipt".into(), at_us: NOW_US };
    let delivered = record(audit::Kind::Delivered).message(message(1).id.0);
    let elsewhere = record(audit::Kind::Delivered).message(message(2).id.0);
    let settlements = vec![(Uuid::from_u128(1), settled)];
    node.outbox.settle(settlements, vec![delivered.clone(), elsewhere]).await.expect("settles");
    let detail = node.messages.detail(message(1).id).await.expect("reads").expect("is there");
    assert_eq!(detail.row, message(1));
    assert_eq!(detail.resources, [(key("Encounter", "e1"), 1), (key("Patient", "p1"), 1)]);
    let states: Vec<_> =
        detail.deliveries.iter().map(|row| (row.id.as_u128(), row.state, row.attempts)).collect();
    use store::DeliveryState::{Delivered, Pending};
    assert_eq!(states, [(1, Delivered, 1), (2, Pending, 0)]);
    assert_eq!(detail.deliveries[0].receipt.as_deref(), Some("receipt"));
    assert_eq!(detail.deliveries[0].delivered_us, Some(NOW_US));
    assert_eq!(detail.deliveries[0].body.expose(), b"released 1");
    assert_eq!(detail.records.len(), 2);
    assert_eq!(detail.records[1].record, delivered.to_bytes());
    assert!(node.messages.detail(JournalId(Uuid::nil())).await.expect("reads").is_none());
}

pub async fn a_reprocess_is_requested_once_and_settled_once(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    for seq in 1..=3 {
        node.apply.commit(set(seq)).await.expect("commits");
    }
    let ids = [message(3).id, message(1).id, JournalId(Uuid::nil()), message(3).id];
    assert_eq!(node.messages.request_reprocess(&ids, "user-1", NOW_US).await.expect("writes"), 2);
    assert_eq!(node.messages.request_reprocess(&ids, "user-1", NOW_US).await.expect("writes"), 0);
    let node = adapter.clinical().await;
    let claimed = node.messages.claim_reprocess(10).await.expect("reads");
    assert_eq!(claimed.iter().map(|(_, id)| *id).collect::<Vec<_>>(), [message(3).id, message(1).id]);
    assert_eq!(node.messages.claim_reprocess(1).await.expect("reads"), claimed[..1]);
    node.messages.settle_reprocess(claimed[0].0, "done").await.expect("writes");
    let twice = node.messages.settle_reprocess(claimed[0].0, "done").await;
    assert!(matches!(twice, Err(store::Error::NotFound)));
    assert_eq!(node.messages.claim_reprocess(10).await.expect("reads"), claimed[1..]);
    assert_eq!(node.messages.request_reprocess(&ids, "user-1", NOW_US).await.expect("writes"), 1);
}

pub async fn the_latest_request_of_a_message_tells_what_became_of_it(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    for seq in 1..=3 {
        node.apply.commit(set(seq)).await.expect("commits");
    }
    let asked = [message(2).id, message(1).id, message(3).id];
    assert!(node.messages.reprocess_outcomes(&asked).await.expect("reads").is_empty());
    node.messages.request_reprocess(&asked[..2], "user-1", NOW_US).await.expect("writes");
    let open = node.messages.reprocess_outcomes(&asked).await.expect("reads");
    assert_eq!(open, [(message(2).id, None), (message(1).id, None)]);
    for (request, _) in node.messages.claim_reprocess(9).await.expect("reads") {
        node.messages.settle_reprocess(request, "done").await.expect("writes");
    }
    node.messages.request_reprocess(&asked[1..2], "user-1", NOW_US).await.expect("writes");
    let outcomes = node.messages.reprocess_outcomes(&asked).await.expect("reads");
    assert_eq!(outcomes, [(message(2).id, Some("done".to_owned())), (message(1).id, None)]);
}

pub async fn states_are_counted(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    use MessageState::{Error, Filtered, Quarantined, Received, Routed, Stored, Translated};
    let states = [Received, Translated, Stored, Routed, Filtered, Quarantined, Error, Error];
    for (seq, state) in (1..).zip(states) {
        let mut one = set(seq);
        one.message.state = state;
        node.apply.commit(one).await.expect("commits");
    }
    let counts: HashMap<_, _> = node.messages.counts().await.expect("reads").into_iter().collect();
    assert_eq!(counts.len(), 7);
    assert!(counts.iter().all(|(state, count)| *count == if *state == Error { 2 } else { 1 }), "{counts:?}");
}

pub async fn types_and_senders_are_found_whole_or_by_their_first_part(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    for (seq, (message_type, sender)) in
        (1..).zip([("ADT^A01", "EMR|NORTH"), ("ADT^A08", "EMR|SOUTH"), ("ACK", "RX|NORTH")])
    {
        let mut one = set(seq);
        (one.message.message_type, one.message.sender) = (message_type.into(), sender.into());
        one.message.received_us = seq * 10;
        node.apply.commit(one).await.expect("commits");
    }
    let by = |message_type: Option<&str>, sender: Option<&str>| MessageFilter {
        message_type: message_type.map(Into::into),
        sender: sender.map(Into::into),
        ..MessageFilter::default()
    };
    assert_eq!(seqs(&*node.messages, &by(Some("ADT"), None), None, 9).await, [2, 1]);
    assert_eq!(seqs(&*node.messages, &by(Some("ADT^A08"), None), None, 9).await, [2]);
    assert_eq!(seqs(&*node.messages, &by(Some("ACK"), Some("RX")), None, 9).await, [3]);
    assert!(seqs(&*node.messages, &by(Some("AD"), None), None, 9).await.is_empty());
    assert!(seqs(&*node.messages, &by(None, Some("NORTH")), None, 9).await.is_empty());
    let window = MessageFilter { since_us: Some(20), until_us: Some(30), ..MessageFilter::default() };
    assert_eq!(seqs(&*node.messages, &window, None, 9).await, [2]);
}

pub async fn an_applied_edit_resolves_all_that_it_was_made_of(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let held = |seq: i64, parent: Option<i64>, state| {
        let mut one = set(seq);
        (one.message.state, one.message.parent) = (state, parent.map(|parent| message(parent).id));
        one
    };
    for one in [
        held(1, None, MessageState::Quarantined),
        held(2, None, MessageState::Error),
        held(3, Some(1), MessageState::Quarantined),
    ] {
        node.apply.commit(one).await.expect("commits");
    }
    let row = |seq| {
        let messages = node.messages.clone();
        async move { messages.detail(message(seq).id).await.expect("reads").expect("is there").row }
    };
    assert_eq!((row(1).await.resolved_by, row(1).await.is_open()), (None, true), "the edit is held back too");
    node.apply.commit(held(4, Some(3), MessageState::Routed)).await.expect("commits");
    node.apply.commit(held(5, Some(3), MessageState::Stored)).await.expect("commits");
    for seq in [1, 3] {
        let row = row(seq).await;
        assert_eq!((row.resolved_by, row.state), (Some(message(4).id), MessageState::Quarantined));
        assert!(!row.is_open());
    }
    assert_eq!((row(2).await.resolved_by, row(4).await.resolved_by), (None, None));
    let children = node.messages.children(message(3).id).await.expect("reads");
    assert_eq!(children.iter().map(|row| row.seq.0).collect::<Vec<_>>(), [4, 5]);

    let held_back =
        MessageFilter { state: Some(MessageState::Quarantined), is_unresolved: true, ..Default::default() };
    assert!(seqs(&*node.messages, &held_back, None, 9).await.is_empty());
    let open = MessageFilter { is_unresolved: true, ..MessageFilter::default() };
    assert_eq!(seqs(&*node.messages, &open, None, 9).await, [5, 4, 2]);
    let counts: HashMap<_, _> = node.messages.counts().await.expect("reads").into_iter().collect();
    assert_eq!((counts.get(&MessageState::Quarantined), counts.get(&MessageState::Error)), (None, Some(&1)));

    // A reprocess of what was edited keeps the link.
    let mut again = held(1, None, MessageState::Quarantined);
    again.cause = store::Cause::Reprocessed(Seq(1));
    node.apply.commit(again).await.expect("commits");
    assert_eq!(row(1).await.resolved_by, Some(message(4).id));
}

pub async fn neighbours_are_those_of_the_filtered_list(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    for seq in 1..=5 {
        let mut one = set(seq);
        one.message.channel = if seq % 2 == 0 { "oru".into() } else { "adt".into() };
        node.apply.commit(one).await.expect("commits");
    }
    let id = |seq: Option<i64>| seq.map(|seq| message(seq).id);
    let any = MessageFilter::default();
    let adt = MessageFilter { channel: Some("adt".into()), ..MessageFilter::default() };
    for (filter, of, older, newer) in [
        (&any, 3, Some(2), Some(4)),
        (&adt, 3, Some(1), Some(5)),
        (&any, 1, None, Some(2)),
        (&any, 5, Some(4), None),
    ] {
        let found = node.messages.neighbours(filter, Seq(of)).await.expect("reads");
        assert_eq!(found, (id(older), id(newer)));
    }
}
