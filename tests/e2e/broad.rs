//! A search that matches too much: on the console's page, over the admin API and over FHIR there is a page with a word
//! that there is more and a way on, or a refusal that names the limit; never a part that looks like all.

use std::collections::BTreeSet;

use harness::surface::link;
use harness::{Page, Pair, Person, Sender, Surface, Visitor, eventually, stored};
use serde_json::{Value, json};

use crate::admin::command;

/// One more than the console counts, and than one replay takes.
const HELD: usize = 1_001;
/// One more than FHIR sorts by several keys.
const RESULTS: usize = 1_001;
/// Connections that send at once.
const SENDERS: usize = 7;
/// Rows of a page of the console.
const ROWS: usize = 50;

/// Messages of a type that nobody maps, from several connections at once.
async fn hold(pair: &Pair) {
    assert_eq!(HELD % SENDERS, 0);
    let mut sending = Vec::new();
    for connection in 0..SENDERS {
        let address = pair.mllp();
        sending.push(tokio::spawn(async move {
            let mut sender = Sender::connect(address).await;
            for number in 0..HELD / SENDERS {
                let control_id = format!("BR-{connection}-{number}");
                let msh = Person::msh("ADT^Z99", &control_id, "20190312081500-0500");
                sender.accepted(&format!("{msh}\rEVN|Z99\r")).await;
            }
        }));
    }
    for one in sending {
        one.await.expect("a sender does not panic");
    }
}

/// The result of a search, by its form.
async fn searched(visitor: &Visitor, query: &str) -> Page {
    let form = visitor.get("/search").await;
    let answer = visitor.submit(&form, "/search", &[("query", query)]).await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    let page = visitor.get(answer.header("location")).await;
    assert_eq!(page.status, 200, "{}", page.text);
    page
}

/// Where a page's link to older messages leads.
fn older(page: &Page) -> Option<String> {
    let (before, _) = page.text.split_once("\" rel=\"next\">Older")?;
    Some(before.rsplit('"').next().expect("a link has an address").to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_messages_are_a_page_that_says_so_and_a_replay_of_them_is_refused() {
    let mut pair = Pair::start("broad").await;
    hold(&pair).await;
    let query = "status:quarantined";
    let counted = eventually("all of them held", || async {
        let all = command(&pair, &["msg", "find", "--output", "ndjson", "--limit", "5000", query]).await;
        match all.stdout.lines().count() {
            HELD => Ok(all),
            other => Err(format!("{other} messages")),
        }
    })
    .await;
    assert!(!counted.stderr.contains("more match"), "that was all of them: {}", counted.stderr);

    // The page: the newest, how many there are, what to do, and a way to each of the others.
    let visitor = pair.visitor().await;
    let mut page = searched(&visitor, query).await;
    assert!(page.text.contains("more than 1000 messages"), "{}", page.text);
    assert!(page.text.contains("This search matches too much.") && page.text.contains("since:1d"));
    assert_eq!(page.messages().len(), ROWS);
    let mut seen: BTreeSet<String> = page.messages().into_iter().collect();
    while let Some(next) = older(&page) {
        page = visitor.get(&next).await;
        assert_eq!(page.status, 200, "{}", page.text);
        let rows = page.messages();
        let before = seen.len();
        seen.extend(rows.iter().cloned());
        assert_eq!(seen.len(), before + rows.len(), "no message is on two pages");
    }
    assert_eq!(seen.len(), HELD, "each is on one");
    let narrow = searched(&visitor, "status:quarantined ctl:BR-3-7").await;
    assert!(!narrow.text.contains("matches too much"), "{}", narrow.text);
    assert_eq!(narrow.messages().len(), 1);

    // The command: as many as were asked for, and a word that these are not all.
    let some = command(&pair, &["msg", "find", "--output", "ndjson", query]).await;
    assert_eq!((some.code, some.stdout.lines().count()), (0, ROWS), "{}", some.stderr);
    assert!(some.stderr.contains("the newest 50 are shown and more match"), "{}", some.stderr);

    // The replay: nothing, rather than a part.
    let refused = command(&pair, &["replay", "--where", query, "--yes"]).await;
    assert_ne!(refused.code, 0);
    assert!(refused.stderr.contains("more than 1000 messages; nothing was requested"), "{}", refused.stderr);
    pair.stop_onprem().await;
    let store = stored::clinical(&pair.onprem_config.data).await;
    assert_eq!(stored::count_records(&store, audit::Kind::MessageReprocessed).await, 0);
    assert!(stored::count_records(&store, audit::Kind::ResourceSearched).await > HELD / ROWS);
    stored::close(store).await;
}

/// What a bundle says of itself: matches, an issue if it has one, and its links.
async fn bundle(surface: &Surface, search: &str) -> Value {
    surface.json(&format!("/fhir/{search}")).await.expect("a bundle")
}

fn matches(bundle: &Value) -> usize {
    let entries = bundle["entry"].as_array().map(Vec::as_slice).unwrap_or_default();
    entries.iter().filter(|entry| entry["search"]["mode"] == "match").count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_resources_are_pages_to_the_end_in_any_order_and_what_is_cut_is_said() {
    let pair = Pair::start("many").await;
    let person = Person::new(82);
    let codes: Vec<String> = (0..RESULTS).map(|n| format!("{}-{}", 60_000 + n, n % 10)).collect();
    let results: Vec<_> = codes.iter().map(|code| (code.as_str(), "4.1", "F")).collect();
    pair.sender().await.accepted(&person.oru("BR-R", &results)).await;
    for surface in [pair.here(), pair.there()] {
        // Every page to the end has each match once.
        let all = surface.counted("Observation", RESULTS).await;
        let ids: BTreeSet<_> = all.iter().map(|one| one["id"].to_string()).collect();
        assert_eq!(ids.len(), RESULTS);
        let page = bundle(&surface, "Observation").await;
        assert_eq!(matches(&page), ROWS);
        assert!(link(&page, "next").is_some(), "the page is not all, and says where the rest is");

        // More than a page may have is cut to it; the link to itself says so, and the rest follows.
        let page = bundle(&surface, "Observation?_count=5000").await;
        assert_eq!(matches(&page), 200);
        assert!(link(&page, "self").is_some_and(|to| to.ends_with("_count=200")), "{}", page["link"]);
        assert!(link(&page, "next").is_some());

        let counted = bundle(&surface, "Observation?_summary=count").await;
        assert_eq!((counted["total"].clone(), matches(&counted)), (json!(RESULTS), 0));

        // An order that no index has, over more than are read at once.
        let sorted = surface.counted("Observation?_sort=status,_id", RESULTS).await;
        let ids: Vec<_> = sorted.iter().map(|one| one["id"].as_str().unwrap_or_default()).collect();
        assert!(ids.is_sorted_by(|one, next| one < next), "all are final, so the ids decide");

        // What would come along is cut, in an entry that says so.
        let with = bundle(&surface, "Patient?_revinclude=Observation:subject").await;
        let entries = with["entry"].as_array().expect("entries");
        let last = entries.last().expect("an entry");
        assert_eq!(last["search"]["mode"], "outcome");
        assert!(last["resource"].to_string().contains("more than 400 resources"), "{last}");
    }
}
