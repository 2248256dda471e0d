//! Searches against a model that reads the values one by one: random resources, random clauses.

use fhir::{DateMatch, IndexValue, PREFIXES, Prefix};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use store::{Clause, ResourceVersion, Search, TextMatch};

use crate::harness::Adapter;
use crate::samples::{DAY_US, search, version, with};
use crate::search::{put, walk};

const RESOURCES: usize = 120;
const SEARCHES: usize = 150;
const NAMES: [&str; 8] = ["Anna", "ANNA", "Ánna", "annabel", "Bo", "Bó", "Zoë Bo", "ann"];

/// Birth dates, and places of names in [`NAMES`].
type Person = (Vec<(i64, i64)>, Vec<usize>);

/// Intervals over a few days, some open; texts that fold alike.
fn resource() -> impl Strategy<Value = Person> {
    let interval = (0_i64..30, 1_i64..8, 0_u8..10).prop_map(|(low, width, open)| match open {
        0 => (i64::MIN, (low + width) * DAY_US),
        1 => (low * DAY_US, i64::MAX),
        _ => (low * DAY_US, (low + width) * DAY_US),
    });
    (prop::collection::vec(interval, 0..3), prop::collection::vec(0..NAMES.len(), 0..3))
}

/// What R4 says of a prefix, in its own words.
fn date_holds(prefix: Prefix, (asked_low, asked_high): (i64, i64), (low, high): (i64, i64)) -> bool {
    let contained = asked_low <= low && high <= asked_high;
    let above = high > asked_high;
    let below = low < asked_low;
    match prefix {
        Prefix::Equal => contained,
        Prefix::NotEqual => !contained,
        Prefix::Greater => above,
        Prefix::Less => below,
        Prefix::GreaterOrEqual => above || contained,
        Prefix::LessOrEqual => below || contained,
        Prefix::StartsAfter => low >= asked_high,
        Prefix::EndsBefore => high <= asked_low,
        Prefix::Approximate => low < asked_high && asked_low < high,
    }
}

fn plain(text: &str) -> String {
    text.to_lowercase().replace('á', "a").replace('ó', "o").replace('ë', "e")
}

fn text_holds(how: TextMatch, asked: &str, held: &str) -> bool {
    match how {
        TextMatch::Start => plain(held).starts_with(&plain(asked)),
        TextMatch::Contains => plain(held).contains(&plain(asked)),
        TextMatch::Exact => held == asked,
    }
}

pub async fn searches_agree_with_a_model(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let mut runner = TestRunner::deterministic();
    let mut draw = || resource().new_tree(&mut runner).expect("a value").current();
    let drawn: Vec<_> = (0..RESOURCES).map(|_| draw()).collect();
    let stored = |(number, (dates, names)): (usize, &Person)| -> ResourceVersion {
        let one = version("Patient", &format!("p{number:03}"), 1);
        let one = dates.iter().fold(one, |one, (low_us, high_us)| {
            with(one, "birthdate", IndexValue::Date { low_us: *low_us, high_us: *high_us })
        });
        names.iter().fold(one, |one, name| with(one, "name", IndexValue::String(NAMES[*name].into())))
    };
    put(&node, 1, drawn.iter().enumerate().map(stored).collect()).await;
    let mut runner = TestRunner::deterministic();
    let asked = (0..PREFIXES.len(), -2_i64..32, 1_i64..12, 0..NAMES.len(), 0_usize..3, 0_u8..4);
    let mut answered = 0;
    for _ in 0..SEARCHES {
        let (prefix, low, width, name, how, mode) = asked.new_tree(&mut runner).expect("a value").current();
        let prefix = PREFIXES[prefix].1;
        let how = [TextMatch::Start, TextMatch::Exact, TextMatch::Contains][how];
        let (low_us, high_us) = (low * DAY_US, (low + width) * DAY_US);
        let mut clauses = Vec::new();
        if mode != 0 {
            let values = vec![DateMatch { prefix, low_us, high_us }];
            clauses.push(Clause::Date { parameter: "birthdate".into(), values });
        }
        if mode != 1 {
            clauses.push(Clause::Text { parameter: "name".into(), values: vec![NAMES[name].into()], how });
        }
        let holds = |(dates, names): &Person| {
            let date = dates.iter().any(|held| date_holds(prefix, (low_us, high_us), *held));
            let text = names.iter().any(|held| text_holds(how, NAMES[name], NAMES[*held]));
            (mode == 0 || date) && (mode == 1 || text)
        };
        let expected: Vec<String> = drawn
            .iter()
            .enumerate()
            .filter(|(_, one)| holds(one))
            .map(|(number, _)| format!("p{number:03}"))
            .collect();
        answered += usize::from(!expected.is_empty());
        let asked = Search { count: 7, ..search("Patient", clauses) };
        let mut found = walk(&*node.resources, asked).await;
        found.sort();
        assert_eq!(found, expected, "{prefix:?} {low} {width} {how:?} {} {mode}", NAMES[name]);
    }
    assert!(answered > SEARCHES / 2, "most searches find something: {answered}");
}
