//! The newest of a patient: a way of its own to what every other way finds.

use fhir::{DateMatch, IndexValue, Prefix};
use store::{Clause, Page, ResourceVersion, Resources, SORTED_MAX, Search, Sort, SortBy, Total};

use crate::harness::Adapter;
use crate::samples::{DAY_US, NOW_US, search, version, with};
use crate::search::{interval, put};

fn patient(id: &str) -> IndexValue {
    IndexValue::Reference { resource_type: Some("Patient".into()), id: id.into() }
}

/// A result of the patient `p1`, kept with them, of these dates.
fn result(id: &str, dates: &[&str]) -> ResourceVersion {
    let mut one = with(version("Observation", id, 1), "patient", patient("p1"));
    one.patient = Some("p1".into());
    dates.iter().fold(one, |one, date| with(one, "date", interval(date)))
}

fn newest(of: &str, patient: &str, count: usize, total: Total) -> Search {
    let clause = Clause::Reference { parameter: "patient".into(), values: vec![(None, patient.into())] };
    let sort = vec![Sort { by: SortBy::Parameter("date".into()), descending: true }];
    Search { sort, count, total, ..search(of, vec![clause]) }
}

/// The same, by a way that finds all of them and puts them in order.
fn otherwise(mut asked: Search) -> Search {
    let always = DateMatch { prefix: Prefix::Greater, low_us: i64::MIN, high_us: i64::MIN };
    asked.clauses.push(Clause::Updated(vec![always]));
    asked
}

async fn pages(resources: &dyn Resources, mut asked: Search) -> Vec<Page> {
    let mut pages = Vec::new();
    loop {
        let page = resources.search(&asked).await.expect("searches");
        asked.after.clone_from(&page.next);
        pages.push(page);
        if asked.after.is_none() {
            return pages;
        }
    }
}

fn ids(pages: &[Page]) -> Vec<&str> {
    pages.iter().flat_map(|page| &page.matches).map(|stored| stored.key.id.as_str()).collect()
}

async fn same_as_otherwise(resources: &dyn Resources, asked: &Search) -> usize {
    let (found, expected) =
        (pages(resources, asked.clone()).await, pages(resources, otherwise(asked.clone())).await);
    assert_eq!(ids(&found), ids(&expected), "{asked:?}");
    let ends = |pages: &[Page]| pages.iter().map(|page| page.next.clone()).collect::<Vec<_>>();
    assert_eq!(ends(&found), ends(&expected), "{asked:?}");
    assert_eq!(found[0].total, expected[0].total, "{asked:?}");
    ids(&found).len()
}

pub async fn they_come_as_every_other_way_has_them(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let open = IndexValue::Date { low_us: NOW_US, high_us: i64::MAX };
    let ever = IndexValue::Date { low_us: i64::MIN, high_us: i64::MAX };
    let of_two = with(result("two", &["2024-06-01"]), "patient", patient("p2"));
    let kept_elsewhere =
        ResourceVersion { patient: Some("p2".into()), ..result("elsewhere", &["2024-07-01"]) };
    let mut performed = version("Observation", "performed", 1);
    performed.patient = Some("p1".into());
    let performed = with(with(performed, "performer", patient("p1")), "date", interval("2025-01-01"));
    let gone = ResourceVersion { deleted: true, index: Vec::new(), ..result("gone", &[]) };
    let mut stored = vec![
        version("Patient", "p1", 1),
        version("Patient", "p2", 1),
        result("day", &["2024-05-11"]),
        result("month", &["2024-05"]),
        result("year", &["2024"]),
        result("instant", &["2024-05-11T10:00:00Z"]),
        result("earlier-first", &["2019-01-01", "2024-05-12"]),
        result("later-first", &["2024-05-12", "2019-01-01"]),
        result("undated", &[]),
        result("undated-too", &[]),
        with(result("open", &[]), "date", open),
        with(result("ever", &[]), "date", ever),
        of_two,
        kept_elsewhere,
        performed,
        gone,
    ];
    stored.extend((0..40).map(|at| result(&format!("same-{at:02}"), &["2023-03-03"])));
    put(&node, 1, stored).await;
    for count in [1, 2, 3, 7, 20, 200] {
        for total in [Total::None, Total::Cheap, Total::Estimate, Total::Accurate] {
            for (id, all) in [("p1", 52), ("p2", 1), ("p3", 0)] {
                let asked = newest("Observation", id, count, total);
                assert_eq!(same_as_otherwise(&*node.resources, &asked).await, all);
            }
        }
    }
}

pub async fn what_changes_moves_and_what_goes_is_gone(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let first = ["2024-01-01", "2024-01-02", "2024-01-03"];
    let mut stored = vec![version("Patient", "p1", 1)];
    stored.extend(first.iter().enumerate().map(|(at, date)| result(&format!("o{at}"), &[date])));
    put(&node, 1, stored).await;
    let asked = newest("Observation", "p1", 20, Total::Cheap);
    assert_eq!(ids(&pages(&*node.resources, asked.clone()).await), ["o2", "o1", "o0"]);
    let again = |id: &str, dates: &[&str]| ResourceVersion { version: 2, ..result(id, dates) };
    let of_another = {
        let mut one = with(version("Observation", "o1", 2), "patient", patient("p2"));
        one.patient = Some("p2".into());
        with(one, "date", interval("2024-01-02"))
    };
    put(&node, 2, vec![again("o0", &["2024-02-01"]), of_another]).await;
    assert_eq!(ids(&pages(&*node.resources, asked.clone()).await), ["o0", "o2"]);
    assert_eq!(ids(&pages(&*node.resources, newest("Observation", "p2", 20, Total::Cheap)).await), ["o1"]);
    put(
        &node,
        3,
        vec![ResourceVersion { deleted: true, index: Vec::new(), version: 2, ..result("o2", &[]) }],
    )
    .await;
    let left = pages(&*node.resources, asked).await;
    assert_eq!((ids(&left), left[0].total), (vec!["o0"], Some(1)));
}

/// More than are put in order at once: the walk goes on where a page ended, and counts nobody that it does not see.
pub async fn of_a_patient_with_many_a_page_is_a_page(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let many = i64::try_from(SORTED_MAX + 60).expect("few");
    let mut stored = vec![version("Patient", "p1", 1)];
    stored.extend((0..many).map(|at| {
        // Three of each day, in an order that is not that of their numbers.
        let day = (at * 7_919) % many / 3;
        let (low_us, high_us) = (NOW_US - day * DAY_US, NOW_US - (day - 1) * DAY_US);
        with(result(&format!("o{at}"), &[]), "date", IndexValue::Date { low_us, high_us })
    }));
    put(&node, 1, stored).await;
    for total in [Total::None, Total::Cheap, Total::Accurate] {
        let asked = newest("Observation", "p1", 100, total);
        let found = pages(&*node.resources, asked).await;
        assert_eq!(found[0].total, (total == Total::Accurate).then(|| u64::try_from(many).expect("many")));
        let all = newest("Observation", "p1", 1_000, Total::None);
        let expected = pages(&*node.resources, otherwise(all)).await;
        assert_eq!(ids(&found), ids(&expected));
        assert_eq!(i64::try_from(ids(&found).len()).expect("few"), many);
    }
}
