//! Who may ask the FHIR surface beside those with a token of the node's own: clients with tokens of issuers that the site
//! trusts, and clients that the node's own authorization server knows.

use std::path::PathBuf;

use serde::Deserialize;

use super::Problem;

/// SMART App Launch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Smart {
    /// Issuers whose access tokens are believed.
    #[serde(default)]
    pub issuers: Vec<TrustedIssuer>,
    /// Where clients are told to get tokens of such an issuer; not beside `server`.
    #[serde(default)]
    pub discovery: Option<Discovery>,
    /// The node's own authorization server.
    #[serde(default)]
    pub server: Option<SmartServer>,
}

/// An issuer of access tokens.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustedIssuer {
    /// `iss` of its tokens, exactly.
    pub issuer: String,
    /// `aud` of its tokens; absent: the address of `/fhir` on this node.
    #[serde(default)]
    pub audience: Option<String>,
    /// File with its public keys, a JSON Web Key Set. It is read again when it changes.
    pub keys: PathBuf,
}

/// Endpoints of an issuer, for `/fhir/.well-known/smart-configuration`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Discovery {
    /// `iss` of its tokens.
    pub issuer: String,
    /// Where people sign in; absent: only systems get tokens.
    #[serde(default)]
    pub authorization_endpoint: Option<String>,
    /// Where tokens are given.
    pub token_endpoint: String,
    /// Where a token is looked up.
    #[serde(default)]
    pub introspection_endpoint: Option<String>,
    /// Where a token is ended.
    #[serde(default)]
    pub revocation_endpoint: Option<String>,
    /// Where the issuer's keys are.
    #[serde(default)]
    pub jwks_uri: Option<String>,
    /// Whether it gives tokens to systems by a signed assertion.
    #[serde(default)]
    pub backend: bool,
}

/// The node's own authorization server, under `/auth`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmartServer {
    /// File of who may sign in, a line each: `<name> <sha256 of a random secret> Patient/<id>` or `… Practitioner/<id>`;
    /// user-only. Absent: nobody.
    #[serde(default)]
    pub users: Option<PathBuf>,
    /// Clients.
    pub clients: Vec<SmartClient>,
}

/// A client.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmartClient {
    /// `client_id`.
    pub id: String,
    /// Name that people are shown.
    pub name: String,
    /// Addresses to which people may be sent back, each compared whole.
    #[serde(default)]
    pub redirects: Vec<String>,
    /// File with its public keys, a JSON Web Key Set; of a client that signs.
    #[serde(default)]
    pub keys: Option<PathBuf>,
    /// Scopes for which it may ask, with spaces between them.
    pub scopes: String,
}

impl Smart {
    /// Its paths, to resolve.
    pub(super) fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let server = self.server.iter_mut();
        let own = server.flat_map(|server| {
            let keys = server.clients.iter_mut().filter_map(|client| client.keys.as_mut());
            server.users.iter_mut().chain(keys)
        });
        self.issuers.iter_mut().map(|issuer| &mut issuer.keys).chain(own)
    }
}

/// What is wrong, as far as no other file must be read.
pub(super) fn check(smart: &Smart, place: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut wrong = |key: &str, cause: &str, fix: &str| {
        let place = format!("{place}: smart.{key}");
        problems.push(Problem { place, cause: cause.to_owned(), fix: fix.to_owned() });
    };
    if smart.discovery.is_some() && smart.server.is_some() {
        let fix = "keep `server`, which tells its own endpoints, or `discovery`, which tells another's";
        wrong("discovery", "stands beside `server`", fix);
    }
    let clients = smart.server.iter().flat_map(|server| &server.clients);
    let mut ids: Vec<&str> = clients.map(|client| client.id.as_str()).collect();
    ids.sort_unstable();
    if ids.windows(2).any(|pair| pair.first() == pair.last()) {
        wrong("server.clients", "have one id twice", "give each client an id of its own");
    }
    for client in smart.server.iter().flat_map(|server| &server.clients) {
        let SmartClient { id, redirects, keys, scopes, .. } = client;
        if let Err(error) = rest::RegisteredClient::check(id, redirects, keys.is_some(), scopes) {
            let fix = "deploy/onprem.yaml has a client that signs in people, and one that signs for itself";
            wrong(&format!("server.clients.{id}"), &error.to_string(), fix);
        }
    }
    if smart.issuers.iter().any(|issuer| !issuer.issuer.starts_with("https://")) {
        let fix = "give the `iss` of its tokens, which is an https address";
        wrong("issuers", "have one that is no https address", fix);
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(smart: &Smart) -> Vec<String> {
        check(smart, "f.yaml").into_iter().map(|problem| problem.place).collect()
    }

    #[test]
    fn endpoints_are_of_one_server_and_ids_of_one_client() {
        let client = SmartClient {
            id: "app".to_owned(),
            name: "App".to_owned(),
            redirects: vec!["https://app.example/".to_owned()],
            keys: None,
            scopes: "patient/*.rs".to_owned(),
        };
        let issuer = TrustedIssuer {
            issuer: "https://idp.example".to_owned(),
            audience: None,
            keys: PathBuf::from("idp.json"),
        };
        let discovery = Discovery {
            issuer: "https://idp.example".to_owned(),
            authorization_endpoint: None,
            token_endpoint: "https://idp.example/token".to_owned(),
            introspection_endpoint: None,
            revocation_endpoint: None,
            jwks_uri: None,
            backend: true,
        };
        let server = |clients| Some(SmartServer { users: Some(PathBuf::from("users")), clients });
        let right =
            Smart { issuers: vec![issuer.clone()], discovery: None, server: server(vec![client.clone()]) };
        assert!(problems(&Smart::default()).is_empty() && problems(&right).is_empty());
        let of = |client: SmartClient| problems(&Smart { server: server(vec![client]), ..right.clone() });
        let wrong = SmartClient { scopes: "patient/Nonsense.rs".to_owned(), ..client.clone() };
        assert_eq!(of(wrong), ["f.yaml: smart.server.clients.app"]);
        let wrong = SmartClient { redirects: Vec::new(), ..client.clone() };
        assert_eq!(of(wrong), ["f.yaml: smart.server.clients.app"]);
        let both = Smart { discovery: Some(discovery), ..right.clone() };
        assert_eq!(problems(&both), ["f.yaml: smart.discovery"]);
        let twice = Smart { server: server(vec![client.clone(), client]), ..right.clone() };
        assert_eq!(problems(&twice), ["f.yaml: smart.server.clients"]);
        let plain = TrustedIssuer { issuer: "http://idp.example".to_owned(), ..issuer };
        assert_eq!(problems(&Smart { issuers: vec![plain], ..right.clone() }), ["f.yaml: smart.issuers"]);
        let mut resolved = right;
        resolved.paths().for_each(|path| *path = PathBuf::from("site").join(&*path));
        let server = resolved.server.expect("a server");
        assert_eq!(server.users, Some(PathBuf::from("site/users")));
    }
}
