//! What clients change: written after its guards held, all of it or none.

use store::{
    Answers, DecidedSet, Error, Guard, GuardedSet, History, HistoryOf, Origin, Resources, Result, Search,
    WriteMethod,
};

use crate::harness::{Adapter, Clinical};
use crate::samples::{NOW_US, key, record, search, token, tokens, version};

const NUMBER: &str = "4711";

/// A set that writes version `number` of Patient `id`, found by [`NUMBER`].
fn patient(id: &str, number: u32, guards: Vec<Guard>) -> GuardedSet {
    let mut one = token(version("Patient", id, number), "identifier", None, NUMBER);
    one.origin = Origin::Client { client: "portal".into(), method: WriteMethod::Post };
    let set = DecidedSet {
        at_us: NOW_US,
        versions: vec![one],
        deliveries: Vec::new(),
        pseudonyms: Vec::new(),
        records: vec![record(audit::Kind::ResourceCreated)],
        answers: Answers::Client,
    };
    GuardedSet { guards, set }
}

fn deletion(id: &str, number: u32, guards: Vec<Guard>) -> GuardedSet {
    let mut one = patient(id, number, guards);
    one.set.versions[0].deleted = true;
    one
}

fn by_number() -> Search {
    search("Patient", vec![tokens("identifier", &[(None, Some(NUMBER))])])
}

async fn commit(node: &Clinical, sets: Vec<GuardedSet>) -> Result<()> {
    node.apply.commit_guarded(sets).await
}

fn refused(outcome: Result<()>) -> (usize, usize) {
    match outcome {
        Err(Error::Guard { set, guard }) => (set, guard),
        other => panic!("is not refused by a guard: {other:?}"),
    }
}

async fn found(resources: &dyn Resources) -> Vec<String> {
    let page = resources.search(&by_number()).await.expect("searches");
    let mut ids: Vec<String> = page.matches.into_iter().map(|stored| stored.key.id).collect();
    ids.sort();
    ids
}

pub async fn guards_on_a_version_hold_for_it_alone(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let at = |version| vec![Guard::Version { key: key("Patient", "a"), version }];
    assert_eq!(refused(commit(&node, vec![patient("a", 1, at(1))]).await), (0, 0));
    commit(&node, vec![patient("a", 1, at(0))]).await.expect("commits");
    for wrong in [0, 2] {
        assert_eq!(refused(commit(&node, vec![patient("a", 2, at(wrong))]).await), (0, 0));
    }
    commit(&node, vec![patient("a", 2, at(1))]).await.expect("commits");
    commit(&node, vec![deletion("a", 3, at(2))]).await.expect("commits");
    commit(&node, vec![patient("a", 4, at(3))]).await.expect("the deletion is a version");
    let kept = node.ledger.unsealed(100).await.expect("reads");
    assert_eq!(kept.len(), 4, "what is refused leaves no record");
}

pub async fn guards_on_a_resource_tell_what_stands(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let live = || vec![Guard::Live(key("Patient", "a"))];
    let absent = || vec![Guard::Absent(key("Patient", "a"))];
    assert_eq!(refused(commit(&node, vec![patient("b", 1, live())]).await), (0, 0));
    commit(&node, vec![patient("a", 1, absent())]).await.expect("commits");
    assert_eq!(refused(commit(&node, vec![patient("a", 2, absent())]).await), (0, 0));
    commit(&node, vec![patient("b", 1, live())]).await.expect("commits");
    commit(&node, vec![deletion("a", 2, live())]).await.expect("commits");
    assert_eq!(refused(commit(&node, vec![patient("c", 1, live())]).await), (0, 0));
    commit(&node, vec![patient("a", 3, absent())]).await.expect("commits");
    assert_eq!(found(&*node.resources).await, ["a", "b"]);
}

pub async fn guards_on_a_search_see_what_is_written(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let none = || vec![Guard::NoMatch(by_number())];
    let only = |id| vec![Guard::OnlyMatch { search: by_number(), key: key("Patient", id) }];
    assert_eq!(refused(commit(&node, vec![patient("a", 1, only("a"))]).await), (0, 0));
    commit(&node, vec![patient("a", 1, none())]).await.expect("commits");
    assert_eq!(refused(commit(&node, vec![patient("b", 1, none())]).await), (0, 0));
    assert_eq!(refused(commit(&node, vec![patient("b", 1, only("b"))]).await), (0, 0));
    commit(&node, vec![patient("b", 1, only("a"))]).await.expect("commits");
    assert_eq!(refused(commit(&node, vec![patient("a", 2, only("a"))]).await), (0, 0));
    commit(&node, vec![deletion("b", 2, Vec::new())]).await.expect("commits");
    commit(&node, vec![patient("a", 2, only("a"))]).await.expect("what is deleted does not match");
}

pub async fn sets_see_those_before_them_and_fail_together(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let none = || vec![Guard::NoMatch(by_number())];
    let sets = vec![patient("a", 1, none()), patient("b", 1, none())];
    assert_eq!(refused(commit(&node, sets).await), (1, 0));
    assert!(found(&*node.resources).await.is_empty());
    assert_eq!(node.ledger.unsealed(100).await.expect("reads").len(), 0);
    let sets = vec![patient("a", 1, none()), patient("b", 1, vec![Guard::Live(key("Patient", "a"))])];
    commit(&node, sets).await.expect("commits");
    assert_eq!(found(&*node.resources).await, ["a", "b"]);
}

pub async fn sets_of_one_commit_follow_one_another(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let at = |id, version| vec![Guard::Version { key: key("Patient", id), version }];
    let live = |id| vec![Guard::Live(key("Patient", id))];
    let only_a = vec![Guard::OnlyMatch { search: by_number(), key: key("Patient", "a") }];
    let sets = vec![
        patient("a", 1, at("a", 0)),
        patient("b", 1, live("a")),
        patient("a", 2, at("a", 1)),
        deletion("b", 2, live("b")),
        patient("c", 1, only_a),
        patient("a", 3, at("a", 2)),
    ];
    commit(&node, sets).await.expect("commits");
    assert_eq!(found(&*node.resources).await, ["a", "c"]);
    let versions = || async {
        let asked = History::of(HistoryOf::Resource(key("Patient", "a")), 10);
        let page = node.resources.history(&asked).await.expect("reads").expect("it was written");
        page.versions.iter().map(|stored| stored.version).collect::<Vec<_>>()
    };
    assert_eq!(versions().await, [3, 2, 1]);
    let sets = vec![patient("a", 4, at("a", 3)), deletion("a", 5, at("a", 4)), patient("d", 1, live("a"))];
    assert_eq!(refused(commit(&node, sets).await), (2, 0));
    assert_eq!(
        (versions().await, found(&*node.resources).await),
        (vec![3, 2, 1], vec!["a".into(), "c".into()])
    );
    assert_eq!(node.ledger.unsealed(100).await.expect("reads").len(), 6);
}

pub async fn of_many_at_once_one_finds_nothing_there(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let rounds = if std::env::var_os("TIDEGATE_FULL").is_some() { 1_000 } else { 25 };
    for round in 0..rounds {
        let number = format!("round-{round}");
        let criteria = search("Patient", vec![tokens("identifier", &[(None, Some(number.as_str()))])]);
        let tries: Vec<_> = (0..16)
            .map(|one| {
                let mut set = patient(&format!("{round}-{one}"), 1, vec![Guard::NoMatch(criteria.clone())]);
                set.set.versions[0].index.clear();
                let version = set.set.versions.remove(0);
                set.set.versions.push(token(version, "identifier", None, &number));
                let apply = node.apply.clone();
                tokio::spawn(async move { apply.commit_guarded(vec![set]).await })
            })
            .collect();
        let mut written = 0;
        for one in tries {
            match one.await.expect("ends") {
                Ok(()) => written += 1,
                Err(error) => assert!(matches!(error, Error::Guard { set: 0, guard: 0 }), "{error:?}"),
            }
        }
        assert_eq!(written, 1);
        let page = node.resources.search(&criteria).await.expect("searches");
        assert_eq!(page.matches.len(), 1);
    }
}

pub async fn an_origin_is_read_back(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    commit(&node, vec![patient("a", 1, Vec::new())]).await.expect("commits");
    let mut of_messages = patient("a", 2, Vec::new());
    of_messages.set.versions[0].origin = Origin::Package("p1".into());
    commit(&node, vec![of_messages]).await.expect("commits");
    let client = Origin::Client { client: "portal".into(), method: WriteMethod::Post };
    let now = node.resources.read(&key("Patient", "a")).await.expect("reads").expect("is there");
    assert_eq!(now.origin, Origin::Package("p1".into()));
    let first = node.resources.vread(&key("Patient", "a"), 1).await.expect("reads").expect("is kept");
    assert_eq!(first.origin, client);
    let asked = store::History::of(store::HistoryOf::Resource(key("Patient", "a")), 10);
    let history = node.resources.history(&asked).await.expect("reads").expect("is there");
    let origins: Vec<Origin> = history.versions.into_iter().map(|stored| stored.origin).collect();
    assert_eq!(origins, [Origin::Package("p1".into()), client]);
}
