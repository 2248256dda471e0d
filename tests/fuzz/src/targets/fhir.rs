//! FHIR: any JSON is judged, written and indexed without harm.

use serde_json::Value;

use super::{Target, Verdict, holds, texts};

/// Any JSON as a resource.
pub const RESOURCE: Target = Target {
    name: "resource",
    covers: &["fhir/src/reference.rs", "fhir/src/resource_type.rs", "fhir/src/search/mod.rs"],
    seeds: || {
        let mut seeds = texts(&[
            r#"{"resourceType":"Patient","id":"a","birthDate":"1970-01-01","name":[{"family":"A","_family":{"extension":[{"url":"u"}]}}]}"#,
            r##"{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":1.0e3},"subject":{"reference":"#p"}}"##,
            r#"{"resourceType":"Bundle","type":"transaction","entry":[{"resource":{"resourceType":"Patient"},"request":{"method":"PUT","url":"Patient/1"}}]}"#,
        ]);
        seeds.extend(crate::seeds::resources());
        seeds
    },
    words: &[
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b"null",
        b"\"resourceType\":\"Patient\"",
        b"\"id\":\"a\"",
        b"\"contained\":[",
        b"\"extension\":[",
        b"\"reference\":\"Patient/1\"",
        b"1e999",
        b"\"\\u0000\"",
        b"\"_birthDate\":",
        b"true",
        b"[[[[[[[[",
    ],
    short: 3_000,
    prepare: || Box::new(resource),
};

/// Dates and numbers of a search.
pub const QUERY: Target = Target {
    name: "query",
    covers: &["fhir/src/search/query.rs", "fhir/src/search/query/number.rs"],
    seeds: || texts(&["ge2026-01-01", "ap2026", "lt5.4", "1e2", "sa2026-01-01T10:00Z", "100.00", "ne-0.5"]),
    words: &[b"ap", b"ge", b"T", b"Z", b"+14:00", b"e", b"-", b".", b"9999", b"000000000000"],
    short: 6_000,
    prepare: || Box::new(query),
};

fn resource(input: &[u8]) -> Verdict {
    let Ok(value) = serde_json::from_slice::<Value>(input) else { return Ok(()) };
    let issues = fhir::validate(&value);
    holds(issues.len() <= fhir::ISSUES_MAX, "more issues than the limit")?;
    let canonical = fhir::canonical_json(&value);
    let Ok(again) = serde_json::from_slice::<Value>(&canonical) else {
        return Err("canonical JSON is no JSON".to_owned());
    };
    holds(again == value, "canonical JSON says something else")?;
    holds(fhir::canonical_json(&again) == canonical, "canonical JSON is not the same twice")?;
    let mut same = value.clone();
    fhir::for_each_reference(&mut same, &mut |reference, _| {
        fhir::Reference::parse(reference);
    });
    holds(same == value, "a walk over references changes a resource")
}

fn query(input: &[u8]) -> Verdict {
    let text = String::from_utf8_lossy(input);
    if let Ok(number) = fhir::NumberMatch::parse(&text) {
        holds(
            number.low <= number.value && number.value <= number.high,
            "a number is not between its own bounds",
        )?;
    }
    if let Ok(date) = fhir::DateMatch::parse(&text, 1_767_225_600_000_000) {
        holds(date.low_us <= date.high_us, "a date ends before it begins")?;
    }
    Ok(())
}
