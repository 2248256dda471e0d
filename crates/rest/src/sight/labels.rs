//! Security labels (`meta.security`) that hide a resource from a scope that does not name them.

use store::TokenValue;

/// Confidentiality (HL7 v3): more than normal protection.
const CONFIDENTIALITY: &str = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
const RESTRICTED: [&str; 2] = ["R", "V"];
/// Sensitivity of information (HL7 v3 ActCode, InformationSensitivityPolicy).
const SENSITIVITY: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
const SENSITIVE: [&str; 23] = [
    "BH", "COGN", "DVD", "EMOTDIS", "ETH", "ETHUD", "GDIS", "HIV", "MH", "MST", "OPIOIDUD", "PSY", "PSYTHPN",
    "SCA", "SDV", "SEX", "SICKLE", "SPI", "STD", "SUD", "SUICIDE", "TBOO", "VIO",
];

/// The labels that hide a resource, but for those that a scope names.
pub(super) fn hiding(named: &[TokenValue]) -> Vec<TokenValue> {
    let of = |system: &'static str, codes: &'static [&'static str]| {
        codes
            .iter()
            .map(move |code| TokenValue { system: Some(system.to_owned()), code: Some((*code).to_owned()) })
    };
    let every = of(CONFIDENTIALITY, &RESTRICTED).chain(of(SENSITIVITY, &SENSITIVE));
    every.filter(|label| !named.iter().any(|named| names(named, label))).collect()
}

/// Whether a value of `_security` names a label.
fn names(value: &TokenValue, label: &TokenValue) -> bool {
    let system = value.system.is_none() || value.system == label.system;
    let code = match (&value.code, &label.code) {
        (Some(code), Some(label)) => code.eq_ignore_ascii_case(label),
        (None, _) => true,
        (Some(_), None) => false,
    };
    system && code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_that_is_named_does_not_hide() {
        let all = hiding(&[]);
        assert_eq!(all.len(), RESTRICTED.len() + SENSITIVE.len());
        let value = |system: Option<&str>, code: Option<&str>| TokenValue {
            system: system.map(str::to_owned),
            code: code.map(str::to_owned),
        };
        assert_eq!(hiding(&[value(None, Some("r"))]).len(), all.len() - 1);
        assert_eq!(hiding(&[value(Some(SENSITIVITY), None)]).len(), RESTRICTED.len());
        assert_eq!(hiding(&[value(Some("urn:other"), Some("R"))]).len(), all.len());
    }
}
