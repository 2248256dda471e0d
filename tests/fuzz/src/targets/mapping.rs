//! Translation by the package as shipped: no bytes break it, a trace changes nothing, and every resource is valid R4.

use hl7v2::Message;
use mapping::{Context, Package, Sources};

use super::{Target, Verdict, holds};

/// A message through the whole package.
pub const TRANSLATION: Target = Target {
    name: "translation",
    covers: &["mapping/src/package.rs"],
    seeds: crate::seeds::messages,
    words: &[
        b"|",
        b"^",
        b"~",
        b"&",
        b"\"\"",
        b"\r",
        b"2026",
        b"PID|1||7^^^H^MR",
        b"OBX|1|NM|",
        b"A^B^LN",
        b"-0500",
        b"0",
    ],
    short: 400,
    prepare: || {
        let package = Package::compile(&Sources(crate::seeds::mappings()));
        let package = package.unwrap_or_else(|found| panic!("the package does not compile: {found:?}"));
        Box::new(move |input| translated(&package, input))
    },
};

/// Files of a package, one of them changed: it compiles or is refused with a place.
pub const LANGUAGE: Target = Target {
    name: "language",
    covers: &["mapping/src/yaml.rs", "mapping/src/syntax/mod.rs"],
    seeds: || crate::seeds::mappings().into_values().map(String::into_bytes).collect(),
    words: &[
        b": ", b"\n", b"  ", b"- ", b"{", b"}", b"[", b"]", b"'", b"\"", b" -> ", b" as ", b" code ",
        b" ref ", b"PID-3", b"??", b"*", b"~1", b"(.5=MR)", b"$each", b"uuid(", b"&a", b"*a", b"!!int",
        b"---\n",
    ],
    short: 300,
    prepare: || Box::new(compiled),
};

const NAMESPACE: uuid::Uuid = uuid::Uuid::from_u128(1);

fn translated(package: &Package, input: &[u8]) -> Verdict {
    let Ok(message) = Message::read(input) else { return Ok(()) };
    let told = |trace| {
        let context = Context { namespace: NAMESPACE, site: Some("demo"), trace };
        package.translate(&message, &context).map(|made| (made.bundle(), made.coverage.leaves.len()))
    };
    let plain = told(false);
    holds(plain == told(true), "a trace changes the result")?;
    let Ok((bundle, _)) = plain else { return Ok(()) };
    for resource in fhir::bundle::entries(&bundle) {
        if let Some(issue) = fhir::validate(resource).iter().find(|issue| !is_quarantined(issue)) {
            return Err(format!("a resource is not valid: {issue:?}"));
        }
    }
    Ok(())
}

/// A message may say too little for the resource that it is about (an appointment of nobody): a node keeps such a message in
/// quarantine. Broken invariants are the sender's reversed dates and the like, and are warnings.
fn is_quarantined(issue: &fhir::Issue) -> bool {
    let says_too_little = issue.code == fhir::IssueCode::Required && issue.location.matches('.').count() == 1;
    says_too_little || issue.code == fhir::IssueCode::Invariant
}

/// The input replaces the file that it came from, or stands as a file of its own kind.
fn compiled(input: &[u8]) -> Verdict {
    let text = String::from_utf8_lossy(input).into_owned();
    let path = match text.split([':', '\n']).next().unwrap_or_default().trim() {
        "message" => "messages/ADT_A01.yaml",
        "map" => "segments/PID.Patient.yaml",
        "code" => "codes/administrative-gender.yaml",
        "site" => "sites/demo/site.yaml",
        "tests" => "segments/PID.Patient.test.yaml",
        _ => "systems.yaml",
    };
    let base = "name: fuzz\nversion: 1.0.0\n";
    let mut files = std::collections::BTreeMap::from([("package.yaml".to_owned(), base.to_owned())]);
    files.insert(path.to_owned(), text);
    match Package::compile(&Sources(files)) {
        Ok(_) => Ok(()),
        Err(found) => holds(!found.is_empty(), "a package is refused without a reason"),
    }
}
