//! `GET [base]/.well-known/smart-configuration`: where clients get tokens, and what they can ask for (SMART App Launch 2.2,
//! conformance).

use axum::extract::State;
use axum::response::Response;
use serde_json::{Map, Value, json};
use smart::Algorithm;

use super::{Shared, ok};
use crate::negotiation::Format;
use crate::outcome::Failure;
use crate::server::Fhir;

/// Where the tokens of a surface are issued.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Authorization {
    /// `iss` of its tokens.
    pub issuer: String,
    /// Where a person signs in; absent: only systems get tokens.
    pub authorization_endpoint: Option<String>,
    /// Where codes and assertions become tokens.
    pub token_endpoint: String,
    /// Where a token is looked up.
    pub introspection_endpoint: Option<String>,
    /// Where a token is ended.
    pub revocation_endpoint: Option<String>,
    /// Where the issuer's public keys are.
    pub jwks_uri: Option<String>,
    /// Whether systems get tokens by a signed assertion.
    pub backend: bool,
    /// Whether it is the node's own authorization server, which tells who signed in and lets clients go on.
    pub own: bool,
}

/// Open to all, as the CapabilityStatement is.
pub(crate) async fn smart_configuration(State(server): Shared) -> Result<Response, Failure> {
    let authorization = server.fhir.authorization.as_ref().ok_or_else(Failure::unknown_route)?;
    let document = Value::Object(document(authorization));
    // RFC 8259 JSON of no FHIR type.
    let bytes = serde_json::to_vec(&document).map_err(|_| Failure::internal())?;
    Ok(ok(bytes, (Format::Json, false), None))
}

fn document(of: &Authorization) -> Map<String, Value> {
    let mut document = Map::new();
    let mut put = |name: &str, value: Value| drop(document.insert(name.to_owned(), value));
    let mut capabilities = vec!["permission-patient", "permission-user", "permission-v1", "permission-v2"];
    let (mut grants, mut methods) = (Vec::new(), Vec::new());
    put("issuer", json!(of.issuer));
    put("token_endpoint", json!(of.token_endpoint));
    if let Some(endpoint) = &of.authorization_endpoint {
        put("authorization_endpoint", json!(endpoint));
        put("response_types_supported", json!(["code"]));
        capabilities.extend(["launch-standalone", "context-standalone-patient", "client-public"]);
        grants.push("authorization_code");
        methods.push("none");
    }
    let mut scopes = vec!["launch/patient", "patient/*.cruds", "user/*.cruds", "system/*.cruds"];
    if of.own {
        capabilities.extend(["permission-offline", "permission-online", "sso-openid-connect"]);
        capabilities.extend(["launch-ehr", "context-ehr-patient"]);
        grants.push("refresh_token");
        scopes.extend(["launch", "openid", "fhirUser", "online_access", "offline_access"]);
    }
    if of.backend {
        capabilities.push("client-confidential-asymmetric");
        grants.push("client_credentials");
        methods.push("private_key_jwt");
        let names: Vec<&str> = Algorithm::ALL.iter().map(|(_, name)| *name).collect();
        put("token_endpoint_auth_signing_alg_values_supported", json!(names));
    }
    for (name, endpoint) in [
        ("introspection_endpoint", &of.introspection_endpoint),
        ("revocation_endpoint", &of.revocation_endpoint),
        ("jwks_uri", &of.jwks_uri),
    ] {
        if let Some(endpoint) = endpoint {
            put(name, json!(endpoint));
        }
    }
    put("grant_types_supported", json!(grants));
    put("token_endpoint_auth_methods_supported", json!(methods));
    put("code_challenge_methods_supported", json!(["S256"]));
    put("scopes_supported", json!(scopes));
    put("capabilities", json!(capabilities));
    document
}

/// `CapabilityStatement.rest.security`.
pub(super) fn security(fhir: &Fhir) -> Value {
    let text = "A bearer token (RFC 6750), of this node or of an issuer it trusts; every access is recorded before it is \
        answered. What no scope of a token covers is as if it were not there.";
    let Some(authorization) = &fhir.authorization else { return json!({"description": text}) };
    let mut uris = vec![json!({"url": "token", "valueUri": authorization.token_endpoint})];
    for (name, endpoint) in [
        ("authorize", &authorization.authorization_endpoint),
        ("introspect", &authorization.introspection_endpoint),
        ("revoke", &authorization.revocation_endpoint),
    ] {
        uris.extend(endpoint.iter().map(|endpoint| json!({"url": name, "valueUri": endpoint})));
    }
    json!({
        "extension": [{
            "url": "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris",
            "extension": uris,
        }],
        "service": [{"coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/restful-security-service",
            "code": "SMART-on-FHIR",
        }]}],
        "description": text,
    })
}
