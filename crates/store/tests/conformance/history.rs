//! Versions of resources, newest first.

use store::{EXAMINED_MAX, History, HistoryOf, ResourceKey, Resources};

use crate::harness::Adapter;
use crate::samples::{DAY_US, NOW_US, key, references, resource_type, version};
use crate::search::{found, put};

pub async fn histories_are_newest_first_and_page(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let mut deletion = version("Patient", "a", 3);
    deletion.deleted = true;
    put(&node, 1, vec![version("Patient", "a", 1), version("Encounter", "e", 1), version("Patient", "b", 1)])
        .await;
    put(&node, 2, vec![version("Patient", "a", 2)]).await;
    put(&node, 3, vec![deletion, version("Patient", "a", 4)]).await;
    let of = |name: &str, id: Option<&str>, count| {
        let of = match id {
            Some(id) => HistoryOf::Resource(key(name, id)),
            None => HistoryOf::Type(resource_type(name)),
        };
        History::of(of, count)
    };
    let walk = async |mut asked: History| {
        let (mut seen, mut total) = (Vec::new(), None);
        loop {
            let page = node.resources.history(&asked).await.expect("reads").expect("exists");
            total = page.total.or(total);
            for stored in page.versions {
                let ResourceKey { id, .. } = stored.key;
                assert_eq!(stored.updated_us, NOW_US + i64::from(stored.version));
                seen.push((id, stored.version, stored.deleted));
            }
            asked.before = page.next;
            if asked.before.is_none() {
                return (seen, total);
            }
        }
    };
    let one = |id: &str, number: u32, deleted: bool| (id.to_owned(), number, deleted);
    let own = vec![one("a", 4, false), one("a", 3, true), one("a", 2, false), one("a", 1, false)];
    let all = vec![
        one("a", 4, false),
        one("a", 3, true),
        one("a", 2, false),
        one("b", 1, false),
        one("a", 1, false),
    ];
    let mut of_system = all.clone();
    of_system.insert(4, one("e", 1, false));
    for count in [1, 2, 10] {
        assert_eq!(
            walk(History::of(HistoryOf::System, count)).await,
            (of_system.clone(), Some(6)),
            "by {count}"
        );
        assert_eq!(walk(of("Patient", Some("a"), count)).await, (own.clone(), Some(4)), "by {count}");
        assert_eq!(walk(of("Patient", None, count)).await, (all.clone(), Some(5)), "by {count}");
    }
    let first = node.resources.history(&of("Patient", Some("a"), 10)).await.expect("reads").expect("exists");
    let bodies: Vec<bool> = first
        .versions
        .iter()
        .map(|stored| stored.body == version("Patient", "a", stored.version).body)
        .collect();
    assert_eq!(bodies, [true; 4], "each version has its own body");
    for (name, id) in [("Patient", "nope"), ("Encounter", "a"), ("Device", "a")] {
        assert!(
            node.resources.history(&of(name, Some(id), 5)).await.expect("reads").is_none(),
            "{name} {id}"
        );
    }
    let none = node.resources.history(&of("Device", None, 5)).await.expect("reads").expect("is empty");
    assert_eq!((none.versions.len(), none.total), (0, Some(0)));
    let subject = references("subject", &[(None, "a")]);
    assert!(found(&*node.resources, "Patient", vec![subject]).await.is_empty());
    assert!(node.resources.read(&key("Patient", "a")).await.expect("reads").is_some());
}

/// Ids and versions of a history, walked by pages; how many pages there were.
async fn walked(resources: &dyn Resources, mut asked: History) -> (Vec<(String, u32)>, usize) {
    let (mut seen, mut pages) = (Vec::new(), 0);
    loop {
        let page = resources.history(&asked).await.expect("reads").expect("exists");
        seen.extend(page.versions.into_iter().map(|stored| (stored.key.id, stored.version)));
        pages += 1;
        asked.before = page.next;
        if asked.before.is_none() {
            return (seen, pages);
        }
    }
}

pub async fn histories_begin_at_an_instant_whatever_the_clock_did(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    // The clock runs, is wrong by a day for a moment, in either direction, and runs on.
    let made = [
        ("a", 1, 0),
        ("b", 1, 10),
        ("a", 2, 20),
        ("c", 1, 20 - DAY_US),
        ("a", 3, 30),
        ("d", 1, 30 + DAY_US),
        ("b", 2, 40),
        ("a", 4, 50),
    ];
    for (seq, (id, number, after_us)) in (1..).zip(made) {
        let mut changed = version("Patient", id, number);
        changed.updated_us = NOW_US + after_us;
        put(&node, seq, vec![changed]).await;
    }
    for since in [-DAY_US, 0, 15, 20, 21, 30, 45, 50, 51, DAY_US, 2 * DAY_US] {
        for of in [HistoryOf::System, HistoryOf::Type(resource_type("Patient"))] {
            for count in [1, 3, 10] {
                let asked = History { since_us: Some(NOW_US + since), ..History::of(of.clone(), count) };
                let made = made.iter().rev().filter(|(.., after_us)| *after_us >= since);
                let expected: Vec<(String, u32)> =
                    made.map(|(id, number, _)| ((*id).to_owned(), *number)).collect();
                let (seen, _) = walked(&*node.resources, asked).await;
                assert_eq!(seen, expected, "{of:?} since {since} by {count}");
            }
        }
        let asked = History {
            since_us: Some(NOW_US + since),
            ..History::of(HistoryOf::Resource(key("Patient", "a")), 2)
        };
        let made = made.iter().rev().filter(|(id, _, after_us)| *id == "a" && *after_us >= since);
        let expected: Vec<(String, u32)> = made.map(|(id, number, _)| ((*id).to_owned(), *number)).collect();
        assert_eq!(walked(&*node.resources, asked).await.0, expected, "since {since}");
    }
    let all = node.resources.history(&History::of(HistoryOf::System, 10)).await.expect("reads");
    assert_eq!(all.expect("exists").total, Some(8));
    let since = History { since_us: Some(NOW_US + 40), ..History::of(HistoryOf::System, 10) };
    let page = node.resources.history(&since).await.expect("reads").expect("exists");
    assert_eq!((page.versions.len(), page.total), (3, Some(3)), "one page is all of it");
}

pub async fn histories_at_an_instant_have_what_was_current(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let mut deletion = version("Patient", "a", 3);
    deletion.deleted = true;
    for (seq, mut changed, after_us) in [
        (1, version("Patient", "a", 1), 0),
        (2, version("Patient", "b", 1), 10),
        (3, version("Patient", "a", 2), 20),
        (4, deletion, 30),
        (5, version("Patient", "b", 2), 40),
    ] {
        changed.updated_us = NOW_US + after_us;
        put(&node, seq, vec![changed]).await;
    }
    for (from, until, expected) in [
        (-5, 0, vec![]),
        (0, 1, vec![("a", 1)]),
        (19, 20, vec![("b", 1), ("a", 1)]),
        (20, 21, vec![("a", 2), ("b", 1)]),
        (15, 25, vec![("a", 2), ("b", 1), ("a", 1)]),
        (35, 36, vec![("a", 3), ("b", 1)]),
        (40, 1_000, vec![("b", 2), ("a", 3)]),
        (-5, 1_000, vec![("b", 2), ("a", 3), ("a", 2), ("b", 1), ("a", 1)]),
    ] {
        let at = Some((NOW_US + from, NOW_US + until));
        let expected: Vec<(String, u32)> =
            expected.into_iter().map(|(id, number)| (id.to_owned(), number)).collect();
        for count in [1, 10] {
            let system = History { at, ..History::of(HistoryOf::System, count) };
            assert_eq!(walked(&*node.resources, system).await.0, expected, "{from}..{until} by {count}");
            let own: Vec<(String, u32)> = expected.iter().filter(|(id, _)| id == "a").cloned().collect();
            let one = History { at, ..History::of(HistoryOf::Resource(key("Patient", "a")), count) };
            assert_eq!(walked(&*node.resources, one).await.0, own, "a {from}..{until} by {count}");
        }
    }
}

pub async fn a_page_by_time_looks_at_no_more_than_its_limit(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    put(&node, 1, vec![version("Patient", "first", 1)]).await;
    let rest: Vec<_> = (0..EXAMINED_MAX + 5)
        .map(|number| {
            let mut later = version("Patient", &format!("p{number}"), 1);
            later.updated_us = NOW_US + DAY_US;
            later
        })
        .collect();
    put(&node, 2, rest).await;
    let at = History { at: Some((NOW_US, NOW_US + 5)), ..History::of(HistoryOf::System, 10) };
    let (seen, pages) = walked(&*node.resources, at).await;
    assert_eq!((seen, pages), (vec![("first".to_owned(), 1)], 2));
    let since = History { since_us: Some(NOW_US + 2 * DAY_US), ..History::of(HistoryOf::System, 10) };
    assert_eq!(walked(&*node.resources, since).await, (Vec::new(), 1), "nothing is looked at in vain");
}
