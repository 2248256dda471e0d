//! Versions of resources, newest first.

use store::{History, ResourceKey};

use crate::harness::Adapter;
use crate::samples::{NOW_US, key, references, resource_type, version};
use crate::search::{found, put};

pub async fn histories_are_newest_first_and_page(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let mut deletion = version("Patient", "a", 3);
    deletion.deleted = true;
    put(&node, 1, vec![version("Patient", "a", 1), version("Encounter", "e", 1), version("Patient", "b", 1)])
        .await;
    put(&node, 2, vec![version("Patient", "a", 2)]).await;
    put(&node, 3, vec![deletion, version("Patient", "a", 4)]).await;
    let of = |name: &str, id: Option<&str>, count| History {
        resource_type: resource_type(name),
        id: id.map(Into::into),
        count,
        before: None,
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
    for count in [1, 2, 10] {
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
