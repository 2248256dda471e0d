//! A one-time link is opened twice: the second time it opens nothing, and the ledger knows of both.

use audit::Kind;
use harness::{Pair, Visitor, stored};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_opened_twice_lets_one_in() {
    let mut pair = Pair::start("once").await;
    let (address, code) = (pair.addresses.http, pair.shown.login_code.clone());
    let (mut owner, mut other) = (Visitor::new(address), Visitor::new(address));
    // Opening the link uses nothing up: mail scanners and previews open links too.
    for visitor in [&owner, &other] {
        let page = visitor.get(&format!("/login?code={code}")).await;
        assert_eq!(page.status, 200);
        assert!(page.text.contains("action=\"/login\""));
    }
    assert_eq!(owner.sign_in(&code).await.status, 303);
    let refused = other.sign_in(&code).await;
    assert_eq!(refused.status, 403);
    assert!(refused.text.contains("This sign-in link is not valid"), "{}", refused.text);
    assert_eq!(refused.header("set-cookie"), "");
    assert_ne!(other.get("/live").await.status, 200, "whoever was refused sees nothing");
    assert_eq!(owner.get("/live").await.status, 200, "whoever was let in stays");
    assert!(!pair.onprem_config.keys.join(tidegate::keys::LOGIN).exists(), "the code is gone from the disk");

    // Neither does a node that starts again take the old code.
    pair.stop_onprem().await;
    pair.start_onprem().await;
    assert_eq!(Visitor::new(address).sign_in(&code).await.status, 403);
    pair.stop_onprem().await;
    let store = stored::clinical(&pair.onprem_config.data).await;
    let records = stored::records(&store).await;
    let sign_ins: Vec<_> = records.iter().filter(|(kind, _)| *kind == Kind::SignIn).collect();
    let outcomes: Vec<_> = sign_ins.iter().map(|(_, record)| record["outcome"].clone()).collect();
    assert_eq!(outcomes, ["ok", "invalid-code", "invalid-code"]);
    assert!(
        records.iter().all(|(_, record)| !record.to_string().contains(&code)),
        "no record holds the code"
    );
    stored::close(store).await;
}

/// Browsers that press at the same moment.
const BROWSERS: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_pressed_by_several_at_the_same_moment_lets_one_in() {
    let mut pair = Pair::start("race").await;
    let mut pressing = Vec::new();
    for _ in 0..BROWSERS {
        let (mut visitor, code) = (Visitor::new(pair.addresses.http), pair.shown.login_code.clone());
        pressing.push(tokio::spawn(async move {
            let page = visitor.sign_in(&code).await;
            (page.status, visitor)
        }));
    }
    let mut statuses = Vec::new();
    for one in pressing {
        let (status, visitor) = one.await.expect("a visitor does not panic");
        assert_eq!(
            visitor.get("/live").await.status == 200,
            status == 303,
            "who was let in, and nobody else"
        );
        statuses.push(status);
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [&[303][..], &[403; BROWSERS - 1]].concat());

    pair.stop_onprem().await;
    let store = stored::clinical(&pair.onprem_config.data).await;
    let records = stored::records(&store).await;
    let sign_ins = records.iter().filter(|(kind, _)| *kind == Kind::SignIn);
    let (let_in, refused): (Vec<_>, Vec<_>) = sign_ins.partition(|(_, record)| record["outcome"] == "ok");
    assert_eq!((let_in.len(), refused.len()), (1, BROWSERS - 1), "the ledger knows of each");
    stored::close(store).await;
}
