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
pub(crate) struct Resolved<'s> {
    pub uri: Cow<'s, str>,
    /// Only a site-scoped stand-in was possible.
    pub lossy: bool,
}

/// Prefix of URIs made for authorities that nothing declares.
const SITE_URN: &str = "urn:tidegate";
/// Prefix of the v2 tables as code systems (HL7 terminology, THO).
const V2_TABLE: &str = "http://terminology.hl7.org/CodeSystem/v2-";

impl Systems {
    /// An assigning authority: universal id first, then the site's registry, then declared names, else a site-scoped URN.
    pub fn authority<'s>(
        &'s self,
        site: &'s Site,
        token: &str,
        name: &str,
        universal: &str,
        universal_type: &str,
        type_code: &str,
    ) -> Option<Resolved<'s>> {
        if let Some(id) = Universal::of(universal, universal_type) {
            // A registered OID has a URI of its own (R4 identifier registry).
            let registered = self.identifiers.get(&*upper(universal));
            return Some(registered.map_or_else(|| Resolved::made(id.uri()), Resolved::registered));
        }
        let shown = if name.is_empty() { universal } else { name };
        if shown.is_empty() {
            return None;
        }
        let of_site = || {
            // Most sites have no registry of their own.
            if site.systems.is_empty() {
                return None;
            }
            let by_type = site.systems.get(&[shown, "^", type_code].concat());
            by_type.or_else(|| site.systems.get(shown))
        };
        if let Some(uri) = of_site().or_else(|| self.identifiers.get(&*upper(shown))) {
            return Some(Resolved::registered(uri));
        }
        if let Some(id) = Universal::of(shown, "") {
            return Some(Resolved::made(id.uri()));
        }
        Some(Resolved { uri: site_urn(token, shown).into(), lossy: true })
    }

    /// A coding system by its v2 name.
    pub fn code_system<'s>(&'s self, site: &'s Site, token: &str, name: &str) -> Option<Resolved<'s>> {
        if name.is_empty() {
            return None;
        }
        let declared = || {
            let upper = upper(name);
            self.codes.get(&*upper).or_else(|| self.identifiers.get(&*upper))
        };
        if let Some(uri) = site.systems.get(name).or_else(declared) {
            return Some(Resolved::registered(uri));
        }
        if let Some(uri) = v2_table(name).or_else(|| Some(Universal::of(name, "")?.uri())) {
            return Some(Resolved::made(uri));
        }
        Some(Resolved { uri: site_urn(token, name).into(), lossy: true })
    }
}

impl<'s> Resolved<'s> {
    fn registered(uri: &'s String) -> Self {
        Self { uri: uri.into(), lossy: false }
    }

    fn made(uri: String) -> Self {
        Self { uri: uri.into(), lossy: false }
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
    four.then(|| [V2_TABLE, digits].concat())
}

/// A universal id, which has a FHIR URI.
enum Universal<'t> {
    Uri(&'t str),
    Oid(&'t str),
    Uuid(uuid::Uuid),
    Dns(&'t str),
}

impl<'t> Universal<'t> {
    fn of(id: &'t str, kind: &str) -> Option<Self> {
        let is_oid = |text: &str| {
            text.contains('.')
                && text.starts_with(['0', '1', '2'])
                && text.split('.').all(|arc| !arc.is_empty() && arc.bytes().all(|b| b.is_ascii_digit()))
        };
        if id.starts_with("urn:") || id.starts_with("http://") || id.starts_with("https://") {
            return (!id.contains(char::is_whitespace)).then_some(Self::Uri(id));
        }
        if matches!(kind, "" | "ISO" | "OID" | "HCD") && is_oid(id) {
            return Some(Self::Oid(id));
        }
        if matches!(kind, "" | "UUID" | "GUID") && id.len() == 36 {
            return uuid::Uuid::parse_str(id).ok().map(Self::Uuid);
        }
        (kind == "DNS" && id.contains('.') && !id.contains(char::is_whitespace)).then_some(Self::Dns(id))
    }

    fn uri(&self) -> String {
        match self {
            Self::Uri(uri) => (*uri).to_owned(),
            Self::Oid(oid) => ["urn:oid:", oid].concat(),
            Self::Uuid(uuid) => format!("urn:uuid:{uuid}"),
            Self::Dns(name) => format!("urn:tidegate:dns:{}", name.to_ascii_lowercase()),
        }
    }
}

/// `urn:tidegate:<site token>:<name>`, the name percent-encoded (RFC 8141 §2).
pub(crate) fn site_urn(token: &str, name: &str) -> String {
    let hex = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0').to_ascii_uppercase();
    let mut uri = [SITE_URN, ":", token, ":"].concat();
    uri.reserve(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_') {
            uri.push(char::from(byte));
        } else {
            uri.extend(['%', hex(byte >> 4), hex(byte & 0xF)]);
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
        assert_eq!(found, Some(Resolved { uri: npi.into(), lossy: false }));
        let found = systems.authority(&site, "t", "HOSP", "", "", "MR");
        assert_eq!(found.map(|r| r.uri), Some("urn:x:y".into()));
        let found = systems.authority(&site, "t", "A B", "", "", "MR");
        assert_eq!(found, Some(Resolved { uri: "urn:tidegate:t:A%20B".into(), lossy: true }));
    }

    #[test]
    fn v2_tables_have_a_uri() {
        let systems = Systems::default();
        let site = Site::default();
        let found = systems.code_system(&site, "t", "HL70001").map(|r| r.uri);
        assert_eq!(found.as_deref(), Some("http://terminology.hl7.org/CodeSystem/v2-0001"));
        assert_eq!(systems.code_system(&site, "t", "99LOC").map(|r| r.lossy), Some(true));
    }
}
