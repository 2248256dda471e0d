//! The journal.

use store::{AckOutcome, Appended, Arrival, Disposition, Entry, Journal, JournalId, Seq};
use uuid::Uuid;

use crate::harness::Adapter;
use crate::samples::{DAY_US, NOW_US, arrival};

async fn append(journal: &dyn Journal, arrival: store::Arrival) -> Seq {
    match journal.append(arrival).await.expect("appends") {
        Appended::New { seq, .. } => seq,
        duplicate => panic!("not new: {duplicate:?}"),
    }
}

async fn all(journal: &dyn Journal) -> Vec<Entry> {
    journal.after(Seq(0), 1_000).await.expect("reads")
}

pub async fn an_entry_is_read_back_whole(adapter: &dyn Adapter) {
    let journal = adapter.clinical().await.journal;
    let sent = arrival("1", "MSH|one\r\u{e9}", NOW_US);
    let seq = append(&*journal, sent.clone()).await;
    let entry = journal.read(sent.id).await.expect("reads").expect("is there");
    assert_eq!((entry.id, entry.seq, entry.received_us), (sent.id, seq, NOW_US));
    assert_eq!((entry.channel, entry.peer, entry.bytes), (sent.channel, sent.peer, sent.bytes));
    assert_eq!((entry.refused, entry.control_id_reused), (None, false));
    let given = entry.acknowledgment.expect("given");
    let sent = sent.acknowledgment.expect("given");
    assert_eq!((given.code, given.bytes, given.outcome), (sent.code, sent.bytes, AckOutcome::Owed));
}

pub async fn a_large_entry_is_read_back_whole_beside_small_ones(adapter: &dyn Adapter) {
    let journal = adapter.clinical().await.journal;
    // Sizes around a part of a MiB, and several of them.
    let sizes = [1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, (3 << 20) + 7, 2];
    let mut sent = Vec::new();
    for (number, size) in sizes.into_iter().enumerate() {
        let text: String = ('a'..='z').cycle().take(size).collect();
        sent.push(arrival(&number.to_string(), &text, NOW_US));
        append(&*journal, sent[number].clone()).await;
    }
    let whole = all(&*journal).await;
    assert_eq!(whole.len(), sent.len());
    for (sent, entry) in sent.iter().zip(&whole) {
        assert!(
            entry.bytes == sent.bytes,
            "{} bytes were sent, {} read",
            sent.bytes.len(),
            entry.bytes.len()
        );
        let one = journal.read(sent.id).await.expect("reads").expect("is there");
        assert!(one.bytes == sent.bytes, "{} bytes, read by id", sent.bytes.len());
    }
}

pub async fn what_follows_is_read_in_pages_of_bounded_size(adapter: &dyn Adapter) {
    let journal = adapter.clinical().await.journal;
    let long = "x".repeat(store::PAGE_BYTES_MAX / 4 + 1);
    let longest = "y".repeat(store::PAGE_BYTES_MAX + 1);
    // Of two months, so that a page ends in one while the other has entries too.
    let texts = [&long, &long, &longest, &long, &long, &long, &long, &long];
    for (number, text) in texts.iter().enumerate() {
        let day = i64::try_from(number).expect("small") * 3;
        append(&*journal, arrival(&number.to_string(), text, NOW_US + day * DAY_US)).await;
    }
    let mut last = Seq(0);
    loop {
        let page = journal.after(last, 100).await.expect("reads");
        let Some(end) = page.last() else { break };
        for (number, entry) in (last.0..).zip(&page) {
            let sent = texts.get(usize::try_from(number).expect("small")).expect("was sent");
            assert_eq!((entry.seq.0, entry.bytes.len()), (number + 1, sent.len()));
        }
        last = end.seq;
        let before_last: usize = page.iter().rev().skip(1).map(|entry| entry.bytes.len()).sum();
        assert!(before_last < store::PAGE_BYTES_MAX, "{before_last}");
    }
    assert_eq!(usize::try_from(last.0).expect("small"), texts.len());
}

pub async fn the_character_set_of_the_channel_is_kept(adapter: &dyn Adapter) {
    let journal = adapter.clinical().await.journal;
    let named = Arrival { charset: Some("windows-1252".into()), ..arrival("1", "x", NOW_US) };
    let (id, none) = (named.id, arrival("2", "x", NOW_US));
    let other = none.id;
    append(&*journal, named).await;
    append(&*journal, none).await;
    let read = async |id| journal.read(id).await.expect("reads").expect("is there").charset;
    assert_eq!((read(id).await, read(other).await), (Some("windows-1252".into()), None));
    let all = all(&*journal).await;
    assert_eq!(
        all.into_iter().map(|entry| entry.charset).collect::<Vec<_>>(),
        [Some("windows-1252".into()), None]
    );
}

pub async fn positions_ascend_from_one_without_gaps(adapter: &dyn Adapter) {
    let journal = adapter.clinical().await.journal;
    for number in 1..=5_i64 {
        let seq = append(&*journal, arrival(&number.to_string(), "x", NOW_US)).await;
        assert_eq!(seq, Seq(number));
    }
    let seqs: Vec<i64> =
        journal.after(Seq(2), 2).await.expect("reads").iter().map(|entry| entry.seq.0).collect();
    assert_eq!(seqs, [3, 4]);
}

pub async fn positions_continue_after_a_restart(adapter: &dyn Adapter) {
    append(&*adapter.clinical().await.journal, arrival("1", "x", NOW_US)).await;
    let journal = adapter.clinical().await.journal;
    assert_eq!(*journal.appended().borrow(), Seq(1));
    assert_eq!(append(&*journal, arrival("2", "x", NOW_US)).await, Seq(2));
    assert_eq!(all(&*journal).await.len(), 2);
}

pub async fn concurrent_arrivals_each_get_one_position(adapter: &dyn Adapter) {
    let journal = adapter.clinical().await.journal;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..300 {
        let journal = journal.clone();
        tasks.spawn(async move { append(&*journal, arrival(&number.to_string(), "x", NOW_US)).await.0 });
    }
    let mut seqs = tasks.join_all().await;
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=300).collect::<Vec<i64>>());
    assert_eq!(all(&*journal).await.len(), 300);
}

pub async fn a_duplicate_gets_the_stored_acknowledgment(adapter: &dyn Adapter) {
    let journal = adapter.clinical().await.journal;
    let first = arrival("1", "x", NOW_US);
    append(&*journal, first.clone()).await;
    let mut second = arrival("1", "x", NOW_US + 1);
    second.acknowledgment.as_mut().expect("given").bytes = "another".into();
    let heard = journal.append(second).await.expect("appends");
    let acknowledgment = first.acknowledgment.map(|given| given.bytes);
    assert_eq!(heard, Appended::Duplicate { of: first.id, acknowledgment });
    assert_eq!(all(&*journal).await.len(), 1);
}

pub async fn duplicates_of_one_batch_become_one_entry(adapter: &dyn Adapter) {
    let journal = adapter.clinical().await.journal;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let journal = journal.clone();
        tasks.spawn(async move { journal.append(arrival("1", "x", NOW_US)).await.expect("appends") });
    }
    let heard = tasks.join_all().await;
    let entries = all(&*journal).await;
    assert_eq!(entries.len(), 1);
    assert_eq!(heard.iter().filter(|appended| matches!(appended, Appended::New { .. })).count(), 1);
    let replayed = entries[0].acknowledgment.clone().map(|given| given.bytes);
    let replay = Appended::Duplicate { of: entries[0].id, acknowledgment: replayed };
    assert_eq!(heard.iter().filter(|appended| **appended == replay).count(), 49);
}

pub async fn other_bytes_with_the_same_control_id_are_new_and_flagged(adapter: &dyn Adapter) {
    let journal = adapter.clinical().await.journal;
    append(&*journal, arrival("1", "x", NOW_US)).await;
    let again = arrival("1", "y", NOW_US);
    let heard = journal.append(again.clone()).await.expect("appends");
    assert_eq!(heard, Appended::New { seq: Seq(2), control_id_reused: true });
    assert!(journal.read(again.id).await.expect("reads").expect("is there").control_id_reused);
    let heard = journal.append(arrival("2", "y", NOW_US)).await.expect("appends");
    assert_eq!(heard, Appended::New { seq: Seq(3), control_id_reused: false });
}

pub async fn other_senders_share_control_ids_freely(adapter: &dyn Adapter) {
    let journal = adapter.clinical().await.journal;
    append(&*journal, arrival("1", "x", NOW_US)).await;
    let mut other = arrival("1", "x", NOW_US);
    let sender = other.sender.as_mut().expect("named");
    // The same letters, cut elsewhere: the digest must not run the fields together.
    (sender.application, sender.facility) = (b"EMRH".to_vec(), b"OSP".to_vec());
    let heard = journal.append(other).await.expect("appends");
    assert_eq!(heard, Appended::New { seq: Seq(2), control_id_reused: false });
}

pub async fn a_duplicate_after_seven_days_is_new(adapter: &dyn Adapter) {
    let journal = adapter.clinical().await.journal;
    let first = arrival("1", "x", NOW_US);
    append(&*journal, first.clone()).await;
    let at_seven = journal.append(arrival("1", "x", NOW_US + 7 * DAY_US)).await.expect("appends");
    assert!(matches!(at_seven, Appended::Duplicate { of, .. } if of == first.id));
    let later = journal.append(arrival("1", "x", NOW_US + 7 * DAY_US + 1)).await.expect("appends");
    assert_eq!(later, Appended::New { seq: Seq(2), control_id_reused: false });
}

pub async fn a_duplicate_is_known_after_a_restart(adapter: &dyn Adapter) {
    let first = arrival("1", "x", NOW_US);
    append(&*adapter.clinical().await.journal, first.clone()).await;
    let journal = adapter.clinical().await.journal;
    let heard = journal.append(arrival("1", "x", NOW_US)).await.expect("appends");
    assert!(matches!(heard, Appended::Duplicate { of, .. } if of == first.id));
}

pub async fn a_duplicate_is_known_across_the_turn_of_the_month(adapter: &dyn Adapter) {
    let journal = adapter.clinical().await.journal;
    // 2026-11-30 and 2026-12-01
    let first = arrival("1", "x", NOW_US + 7 * DAY_US);
    append(&*journal, first.clone()).await;
    let heard = journal.append(arrival("1", "x", NOW_US + 8 * DAY_US)).await.expect("appends");
    assert!(matches!(heard, Appended::Duplicate { of, .. } if of == first.id));
    let other = journal.append(arrival("1", "y", NOW_US + 8 * DAY_US)).await.expect("appends");
    assert_eq!(other, Appended::New { seq: Seq(2), control_id_reused: true });
}

pub async fn refused_entries_are_kept_and_never_duplicates(adapter: &dyn Adapter) {
    let journal = adapter.clinical().await.journal;
    let mut refused = arrival("1", "x", NOW_US);
    refused.disposition = Disposition::Refused("charset");
    append(&*journal, refused.clone()).await;
    let mut again = refused.clone();
    again.id = JournalId(Uuid::now_v7());
    append(&*journal, again).await;
    let accepted = journal.append(arrival("1", "x", NOW_US)).await.expect("appends");
    assert_eq!(accepted, Appended::New { seq: Seq(3), control_id_reused: false });
    let kept = journal.read(refused.id).await.expect("reads").expect("is there");
    assert_eq!(kept.refused.as_deref(), Some("charset"));
}

pub async fn entries_without_a_sender_are_never_duplicates(adapter: &dyn Adapter) {
    let journal = adapter.clinical().await.journal;
    for _ in 0..2 {
        let mut junk = arrival("1", "GET / HTTP/1.1", NOW_US);
        (junk.sender, junk.acknowledgment) = (None, None);
        append(&*journal, junk).await;
    }
    assert!(all(&*journal).await.iter().all(|entry| entry.acknowledgment.is_none()));
}

pub async fn an_outcome_is_seen_after_a_later_commit(adapter: &dyn Adapter) {
    let journal = adapter.clinical().await.journal;
    let first = arrival("1", "x", NOW_US);
    append(&*journal, first.clone()).await;
    journal.settle(first.id, AckOutcome::Undelivered).await.expect("settles");
    journal.settle(first.id, AckOutcome::Sent).await.expect("settles");
    append(&*journal, arrival("2", "x", NOW_US)).await;
    let entry = journal.read(first.id).await.expect("reads").expect("is there");
    assert_eq!(entry.acknowledgment.map(|given| given.outcome), Some(AckOutcome::Sent));
}

pub async fn an_outcome_survives_closing(adapter: &dyn Adapter) {
    let first = arrival("1", "x", NOW_US);
    append(&*adapter.clinical().await.journal, first.clone()).await;
    // Another process settles what an earlier one answered.
    let journal = adapter.clinical().await.journal;
    journal.settle(first.id, AckOutcome::Undelivered).await.expect("settles");
    let entry = adapter.clinical().await.journal.read(first.id).await.expect("reads").expect("is there");
    assert_eq!(entry.acknowledgment.map(|given| given.outcome), Some(AckOutcome::Undelivered));
}

pub async fn a_window_has_what_was_received_in_it(adapter: &dyn Adapter) {
    let journal = adapter.clinical().await.journal;
    for (number, day) in [0, 1, 9, 2, 40].into_iter().enumerate() {
        append(&*journal, arrival(&number.to_string(), "x", NOW_US + day * DAY_US)).await;
    }
    let seqs = |entries: Vec<Entry>| entries.iter().map(|entry| entry.seq.0).collect::<Vec<_>>();
    let window = journal.window(NOW_US + DAY_US, NOW_US + 40 * DAY_US, Seq(0), 10).await.expect("reads");
    assert_eq!(seqs(window), [2, 3, 4]);
    let rest = journal.window(NOW_US + DAY_US, NOW_US + 40 * DAY_US + 1, Seq(2), 2).await.expect("reads");
    assert_eq!(seqs(rest), [3, 4]);
}

pub async fn months_are_read_in_the_order_of_positions(adapter: &dyn Adapter) {
    let journal = adapter.clinical().await.journal;
    for (number, day) in [0, 10, 1, 11, 2, 70].into_iter().enumerate() {
        append(&*journal, arrival(&number.to_string(), "x", NOW_US + day * DAY_US)).await;
    }
    let mut seqs = Vec::new();
    loop {
        let page = journal.after(Seq(seqs.last().copied().unwrap_or(0)), 2).await.expect("reads");
        if page.is_empty() {
            break;
        }
        seqs.extend(page.iter().map(|entry| entry.seq.0));
    }
    assert_eq!(seqs, [1, 2, 3, 4, 5, 6]);
    let reopened = adapter.clinical().await.journal;
    assert_eq!(all(&*reopened).await.len(), 6);
}

pub async fn readers_are_woken_after_the_commit(adapter: &dyn Adapter) {
    let journal = adapter.clinical().await.journal;
    let mut appended = journal.appended();
    let sent = arrival("1", "x", NOW_US);
    let waiting = tokio::spawn(async move {
        appended.changed().await.expect("is open");
        *appended.borrow()
    });
    append(&*journal, sent).await;
    assert_eq!(waiting.await.expect("waits"), Seq(1));
}

pub async fn an_unknown_entry_is_none(adapter: &dyn Adapter) {
    let journal = adapter.clinical().await.journal;
    append(&*journal, arrival("1", "x", NOW_US)).await;
    assert_eq!(journal.read(JournalId(Uuid::now_v7())).await.expect("reads"), None);
    assert_eq!(journal.read(JournalId(Uuid::nil())).await.expect("reads"), None);
}

pub async fn an_entry_id_is_given_once(adapter: &dyn Adapter) {
    let journal = adapter.clinical().await.journal;
    let first = arrival("1", "x", NOW_US);
    let mut second = arrival("2", "y", NOW_US);
    second.id = first.id;
    let third = arrival("3", "z", NOW_US);
    let (first, second, third) =
        tokio::join!(journal.append(first), journal.append(second), journal.append(third));
    assert!(first.is_ok() && third.is_ok());
    assert!(matches!(second, Err(store::Error::Conflict(_))), "{second:?}");
    assert_eq!(all(&*journal).await.len(), 2);
}

pub async fn an_edited_child_is_no_duplicate_and_makes_none(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let first = arrival("1", "bytes", NOW_US);
    let parent = first.id;
    node.journal.append(first).await.expect("appends");
    let child = Arrival { parent: Some(parent), acknowledgment: None, ..arrival("1", "bytes", NOW_US) };
    let id = child.id;
    let appended = node.journal.append(child).await.expect("appends");
    assert!(matches!(appended, Appended::New { control_id_reused: false, .. }), "{appended:?}");
    let read = node.journal.read(id).await.expect("reads").expect("is there");
    assert_eq!((read.parent, read.acknowledgment), (Some(parent), None));
    let edited = Arrival { parent: Some(parent), ..arrival("2", "edited", NOW_US) };
    node.journal.append(edited).await.expect("appends");
    // The sender mends its system and sends the same: that is its own first message.
    let appended = node.journal.append(arrival("2", "edited", NOW_US)).await.expect("appends");
    assert!(matches!(appended, Appended::New { control_id_reused: false, .. }), "{appended:?}");
}
