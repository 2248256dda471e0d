//! Searching by every kind of clause, sorted pages, what comes along, histories.

use fhir::{DateMatch, IndexValue, NumberMatch};
use store::{
    Clause, EXAMINED_MAX, INCLUDED_MAX, Include, QuantityValue, ResourceVersion, Resources, SORTED_MAX,
    Search, Sort, SortBy, TextMatch, Total, UriMatch, Way,
};

use crate::harness::{Adapter, Clinical};
use crate::samples::{DAY_US, NOW_US, of_patient, resource_type, search, set, token, tokens, version, with};

pub async fn put(node: &Clinical, seq: i64, versions: Vec<ResourceVersion>) {
    let mut one = set(seq);
    one.versions = versions;
    node.apply.commit(one).await.expect("commits");
}

/// The ids of all pages, in their order.
pub async fn walk(resources: &dyn Resources, mut asked: Search) -> Vec<String> {
    let mut ids = Vec::new();
    for _ in 0..10_000 {
        let page = resources.search(&asked).await.expect("searches");
        assert!(page.matches.len() <= asked.count);
        ids.extend(page.matches.into_iter().map(|stored| stored.key.id));
        asked.after = page.next;
        if asked.after.is_none() {
            return ids;
        }
    }
    panic!("the pages do not end");
}

pub async fn found(resources: &dyn Resources, name: &str, clauses: Vec<Clause>) -> Vec<String> {
    let mut ids = walk(resources, search(name, clauses)).await;
    ids.sort();
    ids
}

pub fn date(parameter: &str, values: &[&str]) -> Clause {
    let read = |text: &&str| DateMatch::parse(text, NOW_US).expect("a date");
    Clause::Date { parameter: parameter.into(), values: values.iter().map(read).collect() }
}

fn text(parameter: &str, values: &[&str], how: TextMatch) -> Clause {
    Clause::Text {
        parameter: parameter.into(),
        values: values.iter().map(|text| (*text).into()).collect(),
        how,
    }
}

fn number(parameter: &str, asked: &str, system: Option<&str>, unit: Option<&str>) -> Clause {
    let number = NumberMatch::parse(asked).expect("a number");
    let value = QuantityValue { number, system: system.map(Into::into), unit: unit.map(Into::into) };
    Clause::Number { parameter: parameter.into(), values: vec![value] }
}

pub fn interval(text: &str) -> IndexValue {
    let interval = fhir::date_interval(text).expect("a date");
    IndexValue::Date { low_us: interval.low_us, high_us: interval.high_us }
}

pub async fn dates_match_by_their_interval(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let born = |id: &str, text: &str| with(version("Patient", id, 1), "birthdate", interval(text));
    let open = IndexValue::Date { low_us: 20_000 * DAY_US, high_us: i64::MAX };
    put(
        &node,
        1,
        vec![
            born("day", "1980-05-11"),
            born("month", "1980-05"),
            born("year", "1980"),
            born("time", "1980-05-11T23:59:00Z"),
            born("before", "1979-12-31"),
            with(version("Patient", "open", 1), "birthdate", open),
            version("Patient", "none", 1),
        ],
    )
    .await;
    let cases: [(&str, &[&str]); 16] = [
        ("1980", &["day", "month", "time", "year"]),
        ("1980-05", &["day", "month", "time"]),
        ("1980-05-11", &["day", "time"]),
        ("eq1980-05-11T23:59Z", &["time"]),
        ("ne1980", &["before", "open"]),
        ("gt1980-05-11", &["month", "open", "year"]),
        ("ge1980-05-11", &["day", "month", "open", "time", "year"]),
        ("lt1980-05-11", &["before", "month", "year"]),
        ("le1980-05-11", &["before", "day", "month", "time", "year"]),
        ("sa1980-05-11", &["open"]),
        ("eb1980-05-11", &["before"]),
        ("sa1979", &["day", "month", "open", "time", "year"]),
        ("eb2030", &["before", "day", "month", "time", "year"]),
        ("ge2030", &["open"]),
        ("ap1980-05-11", &["before", "day", "month", "time", "year"]),
        ("1800", &[]),
    ];
    for (asked, expected) in cases {
        let ids = found(&*node.resources, "Patient", vec![date("birthdate", &[asked])]).await;
        assert_eq!(ids, expected, "{asked}");
    }
    let window = vec![date("birthdate", &["ge1980-05-11"]), date("birthdate", &["le1980-05-11"])];
    assert_eq!(found(&*node.resources, "Patient", window).await, ["day", "month", "time", "year"]);
    let either = vec![date("birthdate", &["1979", "1980-05-11"])];
    assert_eq!(found(&*node.resources, "Patient", either).await, ["before", "day", "time"]);
}

pub async fn strings_match_from_the_start_whole_and_anywhere(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let named = |id: &str, names: &[&str]| {
        let one = version("Patient", id, 1);
        names.iter().fold(one, |one, name| with(one, "name", IndexValue::String((*name).into())))
    };
    let long = "Very".repeat(100);
    put(
        &node,
        1,
        vec![
            named("a", &["Müller-Lüdenscheidt", "Anna"]),
            named("b", &["MULLER"]),
            named("c", &["muller"]),
            named("d", &["Große  Straße"]),
            named("e", &["100% _wild\\card"]),
            named("f", &[&long]),
        ],
    )
    .await;
    let cases: [(&[&str], TextMatch, &[&str]); 14] = [
        (&["muller"], TextMatch::Start, &["a", "b", "c"]),
        (&["MÜLLER"], TextMatch::Start, &["a", "b", "c"]),
        (&["ludenscheidt"], TextMatch::Start, &[]),
        (&["ludenscheidt"], TextMatch::Contains, &["a"]),
        (&["muller"], TextMatch::Exact, &["c"]),
        (&["MULLER"], TextMatch::Exact, &["b"]),
        (&["Müller-Lüdenscheidt"], TextMatch::Exact, &["a"]),
        (&["müller-lüdenscheidt"], TextMatch::Exact, &[]),
        (&["grosse strasse"], TextMatch::Start, &["d"]),
        (&["%"], TextMatch::Contains, &["e"]),
        (&["100%"], TextMatch::Start, &["e"]),
        (&["anna", "100"], TextMatch::Start, &["a", "e"]),
        (&[&long], TextMatch::Exact, &["f"]),
        (&[&long], TextMatch::Start, &["f"]),
    ];
    for (asked, how, expected) in cases {
        let ids = found(&*node.resources, "Patient", vec![text("name", asked, how)]).await;
        assert_eq!(ids, expected, "{asked:?} {how:?}");
    }
    let both = vec![text("name", &["anna"], TextMatch::Start), text("name", &["mul"], TextMatch::Start)];
    assert_eq!(found(&*node.resources, "Patient", both).await, ["a"]);
}

pub async fn numbers_match_by_precision_and_unit(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let measured = |id: &str, value: &str, system: Option<&str>, code: Option<&str>| {
        let (system, code) = (system.map(Into::into), code.map(Into::into));
        let quantity = IndexValue::Quantity { value: value.into(), system, code, comparator: None };
        with(version("Observation", id, 1), "value-quantity", quantity)
    };
    put(
        &node,
        1,
        vec![
            measured("a", "5.4", Some("urn:ucum"), Some("mg")),
            measured("b", "5.40", Some("urn:other"), Some("mg")),
            measured("c", "5.35", None, None),
            measured("d", "5.45", Some("urn:ucum"), Some("mg")),
            measured("e", "-3", Some("urn:ucum"), Some("g")),
            measured("f", "104", None, None),
            with(version("Observation", "g", 1), "value-quantity", IndexValue::Number("0".into())),
        ],
    )
    .await;
    /// What is asked, system and unit, ids.
    type Case<'a> = (&'a str, Option<&'a str>, Option<&'a str>, &'a [&'a str]);
    let cases: [Case<'_>; 16] = [
        ("5.4", None, None, &["a", "b", "c"]),
        ("5.40", None, None, &["a", "b"]),
        ("5.4", Some("urn:ucum"), Some("mg"), &["a"]),
        ("5.4", None, Some("mg"), &["a", "b"]),
        ("5.4", Some("urn:unknown"), Some("mg"), &[]),
        ("100", None, None, &[]),
        ("1e2", None, None, &["f"]),
        ("gt5.4", None, None, &["d", "f"]),
        ("ge5.4", None, None, &["a", "b", "d", "f"]),
        ("lt0", None, None, &["e"]),
        ("le-3", None, None, &["e"]),
        ("sa5.4", None, Some("mg"), &["d"]),
        ("eb5.4", None, None, &["c", "e", "g"]),
        ("ne5.4", None, None, &["d", "e", "f", "g"]),
        ("ap100", None, None, &["f"]),
        ("0", None, None, &["g"]),
    ];
    for (asked, system, unit, expected) in cases {
        let clause = number("value-quantity", asked, system, unit);
        assert_eq!(found(&*node.resources, "Observation", vec![clause]).await, expected, "{asked} {unit:?}");
    }
}

pub async fn uris_match_whole_and_as_they_are(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let at = |id: &str, uri: &str| with(version("Library", id, 1), "url", IndexValue::Uri(uri.into()));
    put(&node, 1, vec![at("a", "http://example.org/A"), at("b", "http://example.org/A/b"), at("c", "urn:x")])
        .await;
    let cases: [(&[&str], &[&str]); 4] = [
        (&["http://example.org/A"], &["a"]),
        (&["http://example.org/a"], &[]),
        (&["http://example.org"], &[]),
        (&["urn:x", "http://example.org/A/b"], &["b", "c"]),
    ];
    for (asked, expected) in cases {
        let values = asked.iter().map(|uri| (*uri).into()).collect();
        let clause = Clause::Uri { parameter: "url".into(), values, how: UriMatch::Whole };
        assert_eq!(found(&*node.resources, "Library", vec![clause]).await, expected, "{asked:?}");
    }
}

pub async fn not_and_missing_find_what_has_no_value(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    put(
        &node,
        1,
        vec![
            token(version("Patient", "f", 1), "gender", Some("urn:g"), "female"),
            token(version("Patient", "m", 1), "gender", Some("urn:g"), "male"),
            token(version("Patient", "o", 1), "gender", Some("urn:h"), "other"),
            version("Patient", "none", 1),
        ],
    )
    .await;
    let not = |values: &[(Option<&str>, Option<&str>)]| match tokens("gender", values) {
        Clause::Token { parameter, values, .. } => Clause::Token { parameter, values, not: true },
        other => other,
    };
    let missing = |parameter: &str, missing| Clause::Missing { parameter: parameter.into(), missing };
    let cases: [(Clause, &[&str]); 8] = [
        (not(&[(None, Some("male"))]), &["f", "none", "o"]),
        (not(&[(None, Some("male")), (None, Some("FEMALE"))]), &["none", "o"]),
        (not(&[(Some("urn:g"), None)]), &["none", "o"]),
        (not(&[(Some("urn:unknown"), Some("male"))]), &["f", "m", "none", "o"]),
        (missing("gender", true), &["none"]),
        (missing("gender", false), &["f", "m", "o"]),
        (missing("language", true), &["f", "m", "none", "o"]),
        (missing("language", false), &[]),
    ];
    for (clause, expected) in cases {
        assert_eq!(found(&*node.resources, "Patient", vec![clause]).await, expected);
    }
}

pub async fn the_last_change_is_an_instant(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let changed = |id: &str, days: i64| {
        let mut one = version("Patient", id, 1);
        one.updated_us = NOW_US + days * DAY_US;
        one
    };
    put(&node, 1, vec![changed("a", -1), changed("b", 0), changed("c", 1)]).await;
    // NOW_US is 2026-11-23T00:00:00Z.
    let cases: [(&str, &[&str]); 10] = [
        ("2026-11-23", &["b"]),
        ("ne2026-11-23", &["a", "c"]),
        ("gt2026-11-23", &["c"]),
        ("ge2026-11-23", &["b", "c"]),
        ("lt2026-11-23", &["a"]),
        ("le2026-11-23", &["a", "b"]),
        ("sa2026-11-23", &["c"]),
        ("eb2026-11-23", &["a"]),
        ("2026-11", &["a", "b", "c"]),
        ("gt2026-11-23T00:00:00Z", &["c"]),
    ];
    for (asked, expected) in cases {
        let clause = Clause::Updated(vec![DateMatch::parse(asked, NOW_US).expect("a date")]);
        assert_eq!(found(&*node.resources, "Patient", vec![clause]).await, expected, "{asked}");
    }
    let sorted = |descending| Search {
        sort: vec![Sort { by: SortBy::Updated, descending }],
        ..search("Patient", Vec::new())
    };
    assert_eq!(walk(&*node.resources, sorted(false)).await, ["a", "b", "c"]);
    assert_eq!(walk(&*node.resources, sorted(true)).await, ["c", "b", "a"]);
}

fn by(parameter: &str, descending: bool) -> Sort {
    Sort { by: SortBy::Parameter(parameter.into()), descending }
}

pub async fn sorted_pages_put_missing_values_last(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let one = |id: &str, dates: &[&str], status: &str| {
        let one = token(version("Observation", id, 1), "status", None, status);
        dates.iter().fold(one, |one, text| with(one, "date", interval(text)))
    };
    put(
        &node,
        1,
        vec![
            one("a", &["2020-05-01"], "final"),
            one("b", &["2020-01-01", "2020-09-01"], "final"),
            one("c", &[], "amended"),
            one("d", &["2020-05-01"], "amended"),
            one("e", &[], "final"),
        ],
    )
    .await;
    let id = |descending| Sort { by: SortBy::Id, descending };
    let cases: [(Vec<Sort>, [&str; 5]); 7] = [
        (vec![by("date", false)], ["b", "a", "d", "c", "e"]),
        (vec![by("date", true)], ["b", "d", "a", "c", "e"]),
        (vec![by("status", false), by("date", true)], ["d", "c", "b", "a", "e"]),
        (vec![by("date", false), by("status", false)], ["b", "d", "a", "c", "e"]),
        (vec![id(true)], ["e", "d", "c", "b", "a"]),
        (vec![by("nosuch", true), id(false)], ["a", "b", "c", "d", "e"]),
        (Vec::new(), ["a", "b", "c", "d", "e"]),
    ];
    for (sort, expected) in cases {
        for count in [1, 2, 5] {
            let asked = Search { sort: sort.clone(), count, ..search("Observation", Vec::new()) };
            assert_eq!(walk(&*node.resources, asked).await, expected, "{sort:?} by {count}");
        }
    }
}

/// More resources than are sorted in memory: every third without a date, dates repeat.
fn many(number: usize) -> ResourceVersion {
    let of = |modulo: usize| i64::try_from(number * 7919 % modulo).expect("small");
    let mut one = version("Observation", &format!("o{number:05}"), 1);
    one.updated_us = NOW_US + of(500);
    let one = token(one, "status", None, if number.is_multiple_of(2) { "final" } else { "amended" });
    let one = token(one, "category", Some("urn:c"), "laboratory");
    let one = with(one, "value-string", IndexValue::String(format!("Text {}", of(97))));
    if number.is_multiple_of(3) {
        return one;
    }
    let low_us = of(400) * DAY_US;
    with(one, "date", IndexValue::Date { low_us, high_us: low_us + DAY_US })
}

pub async fn many_matches_are_walked_in_the_order_of_an_index(adapter: &dyn Adapter) {
    /// More than are sorted in memory, fewer than are counted.
    const MANY: usize = SORTED_MAX + 1_500;
    let node = adapter.clinical().await;
    put(&node, 1, (0..MANY).map(many).collect()).await;
    let final_only = || vec![tokens("status", &[(None, Some("final"))])];
    let updated = |descending| Sort { by: SortBy::Updated, descending };
    for sort in [
        vec![by("date", false)],
        vec![by("date", true)],
        vec![by("status", false)],
        vec![by("value-string", true)],
        vec![updated(false)],
        vec![updated(true)],
        Vec::new(),
    ] {
        let mut model: Vec<usize> = (0..MANY).collect();
        sort_model(&mut model, &sort);
        let expected: Vec<String> = model.iter().map(|number| format!("o{number:05}")).collect();
        for count in [100, 777] {
            let asked = Search { sort: sort.clone(), count, ..search("Observation", Vec::new()) };
            assert!(walk(&*node.resources, asked).await == expected, "{sort:?} by {count}");
        }
        let expected: Vec<&String> = expected
            .iter()
            .zip(&model)
            .filter(|(_, number)| number.is_multiple_of(2))
            .map(|(id, _)| id)
            .collect();
        let asked = Search { sort: sort.clone(), count: 200, ..search("Observation", final_only()) };
        let walked = walk(&*node.resources, asked).await;
        assert!(walked.iter().collect::<Vec<_>>() == expected, "{sort:?} of final ones");
    }
    let counted = Search { total: Total::Accurate, count: 0, ..search("Observation", final_only()) };
    let page = node.resources.search(&counted).await.expect("searches");
    assert_eq!((page.total, page.matches.len()), (Some(1_250), 0));
    let twice = || [final_only(), final_only()].concat();
    let two = Search { total: Total::Accurate, ..search("Observation", twice()) };
    assert_eq!(node.resources.search(&two).await.expect("searches").total, Some(1_250));
    let estimated = Search { total: Total::Estimate, ..search("Observation", twice()) };
    let estimate = node.resources.search(&estimated).await.expect("searches").total.expect("an estimate");
    assert!((1_125..=1_375).contains(&estimate), "{estimate}");
}

/// Orders that no index has, or only begins, over more resources than are read at once.
pub async fn many_matches_are_put_into_any_order(adapter: &dyn Adapter) {
    const MANY: usize = SORTED_MAX + 700;
    let node = adapter.clinical().await;
    put(&node, 1, (0..MANY).map(many).collect()).await;
    let id = |descending| Sort { by: SortBy::Id, descending };
    let updated = |descending| Sort { by: SortBy::Updated, descending };
    for sort in [
        vec![id(true)],
        vec![by("date", true), id(true)],
        vec![by("date", false), by("status", true), id(false)],
        vec![by("status", false), by("date", true)],
        vec![updated(true), by("value-string", false)],
        vec![id(false), by("date", true)],
    ] {
        for (clauses, of) in [
            (Vec::new(), 1),
            (vec![tokens("status", &[(None, Some("final"))])], 2),
            (
                vec![
                    tokens("status", &[(None, Some("final"))]),
                    text("value-string", &["text"], TextMatch::Start),
                ],
                2,
            ),
        ] {
            let mut model: Vec<usize> = (0..MANY).filter(|number| number.is_multiple_of(of)).collect();
            sort_model(&mut model, &sort);
            let expected: Vec<String> = model.iter().map(|number| format!("o{number:05}")).collect();
            let asked = Search { sort: sort.clone(), count: 190, ..search("Observation", clauses) };
            assert!(walk(&*node.resources, asked).await == expected, "{sort:?} of one in {of}");
        }
    }
}

/// The order of [`many`], worked out from the values themselves.
fn sort_model(numbers: &mut [usize], sort: &[Sort]) {
    let value = |number: usize, by: &SortBy| -> Option<Vec<u8>> {
        let one = many(number);
        let entry = |parameter: &str| one.index.iter().find(|entry| entry.parameter == parameter);
        match by {
            SortBy::Updated => Some(one.updated_us.to_be_bytes().to_vec()),
            SortBy::Id => Some(one.key.id.into_bytes()),
            SortBy::Parameter(parameter) => entry(parameter).map(|entry| match &entry.value {
                IndexValue::Date { low_us, .. } => low_us.to_be_bytes().to_vec(),
                IndexValue::Token { code, .. } => code.clone().into_bytes(),
                IndexValue::String(text) => text.to_lowercase().into_bytes(),
                _ => Vec::new(),
            }),
        }
    };
    let values: Vec<Vec<Option<Vec<u8>>>> = sort
        .iter()
        .map(|key| {
            (0..=numbers.iter().copied().max().unwrap_or(0)).map(|number| value(number, &key.by)).collect()
        })
        .collect();
    numbers.sort_by(|one, other| {
        let mut order = std::cmp::Ordering::Equal;
        for (key, values) in sort.iter().zip(&values) {
            order = order.then(match (&values[*one], &values[*other]) {
                (None, None) => std::cmp::Ordering::Equal,
                (None, _) => std::cmp::Ordering::Greater,
                (_, None) => std::cmp::Ordering::Less,
                (one, other) if key.descending => other.cmp(one),
                (one, other) => one.cmp(other),
            });
        }
        let first = sort.first().zip(values.first());
        let backwards = first.is_some_and(|(key, values)| key.descending && values[*one].is_some());
        order.then(if backwards { other.cmp(one) } else { one.cmp(other) })
    });
}

pub async fn a_page_looks_at_no_more_than_its_limit(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let rare = EXAMINED_MAX + 700;
    let one = |number: usize| {
        let one = version("Observation", &format!("o{number:05}"), 1);
        let note = if number == rare { "the rare one" } else { "usual" };
        with(one, "value-string", IndexValue::String(note.into()))
    };
    put(&node, 1, (0..EXAMINED_MAX + 800).map(one).collect()).await;
    let rare = text("value-string", &["rare"], TextMatch::Contains);
    let mut asked = Search { count: 5, ..search("Observation", vec![rare]) };
    let first = node.resources.search(&asked).await.expect("searches");
    assert!(first.matches.is_empty() && first.examined_cut && first.total.is_none());
    asked.after = first.next;
    assert!(asked.after.is_some(), "the next page goes on");
    let second = node.resources.search(&asked).await.expect("searches");
    assert_eq!((second.matches.len(), second.examined_cut, second.next), (1, false, None));
}

pub async fn what_comes_along_is_one_step_away_and_each_once(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let refers = |one: ResourceVersion, parameter: &str, name: &str, id: &str| {
        with(one, parameter, IndexValue::Reference { resource_type: Some(name.into()), id: id.into() })
    };
    let mut gone = version("Encounter", "gone", 2);
    gone.deleted = true;
    put(
        &node,
        1,
        vec![
            version("Patient", "p1", 1),
            version("Encounter", "e1", 1),
            version("Encounter", "gone", 1),
            gone,
            refers(of_patient(version("Observation", "o1", 1), "p1"), "encounter", "Encounter", "e1"),
            refers(of_patient(version("Observation", "o2", 1), "p1"), "encounter", "Encounter", "gone"),
            refers(
                of_patient(version("Observation", "o3", 1), "not-stored"),
                "has-member",
                "Observation",
                "o1",
            ),
            refers(version("Provenance", "v1", 1), "target", "Observation", "o1"),
            refers(
                refers(version("Provenance", "v2", 1), "target", "Observation", "o1"),
                "target",
                "Observation",
                "o2",
            ),
        ],
    )
    .await;
    let all: Vec<String> = ["subject", "encounter", "has-member"].map(String::from).to_vec();
    let forward = |parameters: &[String], target: Option<&str>| Include {
        way: Way::Forward,
        source: resource_type("Observation"),
        parameters: parameters.to_vec(),
        targets: target.map(resource_type).into_iter().collect(),
        iterate: false,
    };
    let reverse = |parameter: &str| Include {
        way: Way::Reverse,
        source: resource_type("Provenance"),
        parameters: vec![parameter.into()],
        targets: Vec::new(),
        iterate: false,
    };
    let elsewhere = Include { source: resource_type("Encounter"), ..forward(&all, None) };
    let cases: [(Vec<Include>, &[&str]); 8] = [
        (Vec::new(), &[]),
        (vec![forward(&all[..1], None)], &["p1"]),
        (vec![forward(&all, None)], &["e1", "p1"]),
        (vec![forward(&all, Some("Encounter"))], &["e1"]),
        (vec![forward(&all, Some("Device"))], &[]),
        (vec![reverse("target")], &["v1", "v2"]),
        (vec![forward(&all, None), reverse("target"), reverse("agent")], &["e1", "p1", "v1", "v2"]),
        (vec![elsewhere], &[]),
    ];
    for (includes, expected) in cases {
        let asked = Search { includes: includes.clone(), ..search("Observation", Vec::new()) };
        let page = node.resources.search(&asked).await.expect("searches");
        let mut ids: Vec<String> = page.included.into_iter().map(|stored| stored.key.id).collect();
        ids.sort();
        assert_eq!(
            (ids, page.matches.len(), page.total),
            (expected.iter().map(|id| (*id).to_owned()).collect(), 3, Some(3)),
            "{includes:?}"
        );
    }
    let second = Search {
        includes: vec![forward(&all, None)],
        ..search("Observation", vec![Clause::Id(vec!["o3".into()])])
    };
    let page = node.resources.search(&second).await.expect("searches");
    assert_eq!(page.included.iter().map(|stored| stored.key.id.as_str()).collect::<Vec<_>>(), ["o1"]);
}

pub async fn what_comes_along_has_a_limit(adapter: &dyn Adapter) {
    let node = adapter.clinical().await;
    let observations = (0..INCLUDED_MAX + 1)
        .map(|number| of_patient(version("Observation", &format!("o{number}"), 1), "p1"));
    put(&node, 1, std::iter::once(version("Patient", "p1", 1)).chain(observations).collect()).await;
    let include = Include {
        way: Way::Reverse,
        source: resource_type("Observation"),
        parameters: vec!["subject".into()],
        targets: Vec::new(),
        iterate: false,
    };
    let asked = Search { includes: vec![include], ..search("Patient", Vec::new()) };
    let page = node.resources.search(&asked).await.expect("searches");
    assert_eq!((page.matches.len(), page.included.len(), page.included_cut), (1, INCLUDED_MAX, true));
}
