//! Naming systems: from what v2 writes (an HD, a table 0396 name) to the URI that FHIR needs.

use crate::site::Site;
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

/// The systems registry of a package, and every URL it declares.
#[derive(Default)]
pub(crate) struct Systems {
    /// Upper-case name to URI, for coding systems.
    pub codes: HashMap<String, String>,
    /// Upper-case name to URI, for identifier systems.
    pub identifiers: HashMap<String, String>,
    /// Every declared URI and extension URL.
    pub declared: BTreeSet<String>,
}

/// A URI and how sure we are of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resolved {
    pub uri: String,
    /// Only a site-scoped stand-in was possible.
    pub lossy: bool,
}

/// Prefix of URIs made for authorities that nothing declares.
const SITE_URN: &str = "urn:tidegate";
/// Prefix of the v2 tables as code systems (HL7 terminology, THO).
const V2_TABLE: &str = "http://terminology.hl7.org/CodeSystem/v2-";

impl Systems {
    /// An assigning authority: universal id first, then the site's registry, then declared names, else a site-scoped URN.
    pub fn authority(
        &self,
        site: &Site,
        token: &str,
        name: &str,
        universal: &str,
        universal_type: &str,
        type_code: &str,
    ) -> Option<Resolved> {
        if let Some(uri) = universal_uri(universal, universal_type) {
            // A registered OID has a URI of its own (R4 identifier registry).
            let uri = self.identifiers.get(&*upper(universal)).cloned().unwrap_or(uri);
            return Some(Resolved { uri, lossy: false });
        }
        let shown = if name.is_empty() { universal } else { name };
        if shown.is_empty() {
            return None;
        }
        let by_type = site.systems.get(&format!("{shown}^{type_code}"));
        if let Some(uri) = by_type.or_else(|| site.systems.get(shown)) {
            return Some(Resolved { uri: uri.clone(), lossy: false });
        }
        if let Some(uri) = self.identifiers.get(&*upper(shown)) {
            return Some(Resolved { uri: uri.clone(), lossy: false });
        }
        if let Some(uri) = universal_uri(shown, "") {
            return Some(Resolved { uri, lossy: false });
        }
        Some(Resolved { uri: site_urn(token, shown), lossy: true })
    }

    /// A coding system by its v2 name.
    pub fn code_system(&self, site: &Site, token: &str, name: &str) -> Option<Resolved> {
        if name.is_empty() {
            return None;
        }
        if let Some(uri) = site
            .systems
            .get(name)
            .or_else(|| self.codes.get(&*upper(name)))
            .or_else(|| self.identifiers.get(&*upper(name)))
        {
            return Some(Resolved { uri: uri.clone(), lossy: false });
        }
        if let Some(uri) = v2_table(name).or_else(|| universal_uri(name, "")) {
            return Some(Resolved { uri, lossy: false });
        }
        Some(Resolved { uri: site_urn(token, name), lossy: true })
    }
}

/// As the registry writes a name.
fn upper(name: &str) -> Cow<'_, str> {
    if name.bytes().any(|byte| byte.is_ascii_lowercase()) {
        return name.to_ascii_uppercase().into();
    }
    name.into()
}

/// `HL70001` to the URI of table 0001.
pub(crate) fn v2_table(name: &str) -> Option<String> {
    let digits = name.strip_prefix("HL7")?;
    let four = digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_digit());
    four.then(|| format!("{V2_TABLE}{digits}"))
}

/// An OID, UUID or URI as a FHIR URI.
fn universal_uri(id: &str, kind: &str) -> Option<String> {
    let oid = |text: &str| {
        text.contains('.')
            && text.starts_with(['0', '1', '2'])
            && text.split('.').all(|arc| !arc.is_empty() && arc.bytes().all(|b| b.is_ascii_digit()))
    };
    if id.starts_with("urn:") || id.starts_with("http://") || id.starts_with("https://") {
        return (!id.contains(char::is_whitespace)).then(|| id.to_owned());
    }
    if oid(id) && matches!(kind, "" | "ISO" | "OID" | "HCD") {
        return Some(format!("urn:oid:{id}"));
    }
    if matches!(kind, "" | "UUID" | "GUID") && id.len() == 36 {
        return uuid::Uuid::parse_str(id).ok().map(|uuid| format!("urn:uuid:{uuid}"));
    }
    (kind == "DNS" && id.contains('.') && !id.contains(char::is_whitespace))
        .then(|| format!("urn:tidegate:dns:{}", id.to_ascii_lowercase()))
}

/// `urn:tidegate:<site token>:<name>`, the name percent-encoded (RFC 8141 §2).
pub(crate) fn site_urn(token: &str, name: &str) -> String {
    let mut uri = format!("{SITE_URN}:{token}:");
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_') {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn universal_id_wins_over_namespace() {
        let systems = Systems::default();
        let site = Site { systems: [("HOSP".to_owned(), "urn:x:y".to_owned())].into(), ..Site::default() };
        let found = systems.authority(&site, "t", "HOSP", "1.2.3.4", "ISO", "MR");
        assert_eq!(found, Some(Resolved { uri: "urn:oid:1.2.3.4".into(), lossy: false }));
        let npi = "http://hl7.org/fhir/sid/us-npi".to_owned();
        let registered = Systems {
            identifiers: [("2.16.840.1.113883.4.6".to_owned(), npi.clone())].into(),
            ..Systems::default()
        };
        let found = registered.authority(&site, "t", "NPI", "2.16.840.1.113883.4.6", "ISO", "NPI");
        assert_eq!(found, Some(Resolved { uri: npi, lossy: false }));
        let found = systems.authority(&site, "t", "HOSP", "", "", "MR");
        assert_eq!(found.map(|r| r.uri), Some("urn:x:y".into()));
        let found = systems.authority(&site, "t", "A B", "", "", "MR");
        assert_eq!(found, Some(Resolved { uri: "urn:tidegate:t:A%20B".into(), lossy: true }));
    }

    #[test]
    fn v2_tables_have_a_uri() {
        let systems = Systems::default();
        let found = systems.code_system(&Site::default(), "t", "HL70001").map(|r| r.uri);
        assert_eq!(found.as_deref(), Some("http://terminology.hl7.org/CodeSystem/v2-0001"));
        assert_eq!(systems.code_system(&Site::default(), "t", "99LOC").map(|r| r.lossy), Some(true));
    }
}
