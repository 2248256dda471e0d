//! A stored resource as it goes out, in bytes: with `meta.versionId` and `meta.lastUpdated`, which are not stored in the body.
//! Most are written into the stored text, which is canonical; only what has another form is read and written anew.

use store::Stored;

use super::outward;
use super::subset::Subset;
use crate::outcome::Failure;
use crate::server::Role;
use crate::time::{Precision, fhir_instant, instant};

/// What may follow the two in a `meta` (R4, resource §2.27.3), and so tells that neither is there.
const META_STARTS: [&str; 4] = ["\"source\"", "\"profile\"", "\"security\"", "\"tag\""];
const META: &str = "\"meta\"";
/// Room for the two.
const META_LENGTH: usize = 96;

/// The canonical JSON of a resource, or of what is asked of it.
///
/// # Errors
/// 500 when the stored bytes are no resource.
pub(super) fn outward_json(stored: &Stored, role: &Role, subset: &Subset) -> Result<Vec<u8>, Failure> {
    let mut json = Vec::with_capacity(stored.body.expose().len() + META_LENGTH);
    write_outward(&mut json, stored, role, subset)?;
    Ok(json)
}

/// Writes what [`outward_json`] gives behind what is there.
///
/// # Errors
/// As there; then nothing is written.
pub(super) fn write_outward(
    json: &mut Vec<u8>,
    stored: &Stored,
    role: &Role,
    subset: &Subset,
) -> Result<(), Failure> {
    if *subset == Subset::Whole
        && let Some(parts) = spliced(stored, role.precision)
    {
        parts.each(|part| json.extend_from_slice(part.as_bytes()));
        return Ok(());
    }
    let mut resource = outward(stored, role)?;
    subset.apply(&mut resource);
    json.extend_from_slice(&fhir::canonical_json(&resource));
    Ok(())
}

/// The stored text in two, and what comes between them.
#[derive(Debug, PartialEq)]
struct Spliced<'t> {
    head: &'t str,
    own: String,
    rest: &'t str,
}

impl Spliced<'_> {
    fn each(&self, write: impl FnMut(&str)) {
        [self.head, &self.own, self.rest].into_iter().for_each(write);
    }
}

/// The stored text with both put in; `None` where it cannot be told from its beginning where they belong.
fn spliced(stored: &Stored, precision: Precision) -> Option<Spliced<'_>> {
    let text = std::str::from_utf8(stored.body.expose()).ok()?;
    let rest = text.strip_prefix("{\"resourceType\":\"")?.strip_prefix(stored.key.resource_type.as_str())?;
    let rest = rest.strip_prefix("\",\"id\":\"")?.strip_prefix(stored.key.id.as_str())?.strip_prefix('"')?;
    let head = text.get(..text.len() - rest.len())?;
    let updated = fhir_instant(instant(stored.updated_us, precision));
    let own = format!("\"versionId\":\"{}\",\"lastUpdated\":\"{updated}\"", stored.version);
    let (own, rest) = match rest.strip_prefix(",\"meta\":{") {
        Some(meta) if META_STARTS.iter().any(|start| meta.starts_with(start)) => {
            (format!(",\"meta\":{{{own},"), meta)
        }
        Some(_) => return None,
        // Another place, or one of a contained resource: whoever reads it all knows.
        None if rest.contains(META) => return None,
        None => (format!(",\"meta\":{{{own}}}"), rest),
    };
    Some(Spliced { head, own, rest })
}

#[cfg(test)]
mod tests {
    use fhir::ResourceType;
    use serde_json::{Value, json};
    use store::{Origin, ResourceBody, ResourceKey};

    use super::*;
    use crate::server::PORTAL;

    fn stored(body: &[u8]) -> Stored {
        let value: Value = serde_json::from_slice(body).expect("JSON");
        Stored {
            key: ResourceKey {
                resource_type: ResourceType::of(&value).expect("a type"),
                id: value["id"].as_str().expect("an id").to_owned(),
            },
            version: 7,
            updated_us: 1_790_000_000_123_456,
            deleted: false,
            patient: None,
            origin: Origin::Package("p".to_owned()),
            body: ResourceBody::new(body.to_vec()),
        }
    }

    fn slow(stored: &Stored) -> Vec<u8> {
        fhir::canonical_json(&outward(stored, &PORTAL).expect("is read"))
    }

    #[test]
    fn what_is_put_in_is_what_reading_and_writing_gives() {
        let metas = [
            (json!({"source": "urn:x"}), true),
            (json!({"profile": ["http://x/p"], "tag": [{"code": "t"}]}), true),
            (json!({"security": [{"system": "urn:s", "code": "R"}]}), true),
            (json!({"tag": [{"code": "t"}]}), true),
            (json!({"id": "m", "source": "urn:x"}), false),
            (json!({"extension": [{"url": "u", "valueCode": "c"}]}), false),
            (json!({"versionId": "3", "lastUpdated": "2020-01-01T00:00:00Z"}), false),
            (json!({"_source": {"id": "x"}}), false),
            (json!({}), false),
        ];
        let plain = json!({"resourceType": "Patient", "id": "p-1", "active": true,
            "name": [{"family": "M\u{fc}ller \"the\\ 1st\"\n", "given": ["\u{1f600}"]}]});
        let contained = json!({"resourceType": "Patient", "id": "p1", "contained": [
            {"resourceType": "Organization", "id": "o", "meta": {"source": "urn:x"}}]});
        let named = json!({"resourceType": "Patient", "id": "p1", "name": [{"text": "says \"meta\" here"}]});
        let mut cases = vec![(plain.clone(), true), (contained, false), (named, true)];
        cases.push((json!({"resourceType": "Basic", "id": "b"}), true));
        for (meta, is_fast) in metas {
            let mut resource = plain.clone();
            resource["meta"] = meta;
            cases.push((resource, is_fast));
        }
        for (resource, is_fast) in cases {
            let stored = stored(&fhir::canonical_json(&resource));
            let spliced = spliced(&stored, PORTAL.precision);
            assert_eq!(spliced.is_some(), is_fast, "{resource}");
            let told = outward_json(&stored, &PORTAL, &Subset::Whole).expect("is read");
            assert_eq!(String::from_utf8(told), String::from_utf8(slow(&stored)), "{resource}");
        }
    }

    #[test]
    fn what_is_not_canonical_is_read_and_written_anew() {
        for body in [
            &b"{\"id\":\"p1\",\"resourceType\":\"Patient\"}"[..],
            b"{\"resourceType\":\"Patient\",\"id\":\"p1\",\"active\":true,\"meta\":{\"source\":\"u\"}}",
            b"{ \"resourceType\": \"Patient\", \"id\": \"p1\" }",
            b"{\"resourceType\":\"Patient\",\"id\":\"p1\",\"meta\" : {\"source\":\"u\"}}",
        ] {
            let stored = stored(body);
            assert_eq!(spliced(&stored, PORTAL.precision), None);
            assert_eq!(outward_json(&stored, &PORTAL, &Subset::Whole).expect("is read"), slow(&stored));
        }
    }
}
