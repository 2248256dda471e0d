//! Clients and users that a site registered.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use smart::{KeySet, Scope, ScopeError, User, is_client_id};

use super::beside::Beside;
use crate::auth::token_hash;

/// Addresses of one client.
const REDIRECTS_MAX: usize = 16;

/// What is wrong with a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistrationError {
    /// The id of a client.
    #[error("the id of a client is 1 to 128 printable ASCII characters")]
    Id,
    /// An address to which a client is sent back.
    #[error(
        "a redirect address is https, or http on this machine, or a scheme of an app, and has no fragment; at most 16"
    )]
    Redirect,
    /// Neither a person nor a system.
    #[error("a client has redirect addresses, for a person to sign in, or keys, to ask for itself")]
    Use,
    /// A scope.
    #[error("a scope cannot be registered: {0}")]
    Scope(#[from] ScopeError),
}

/// A client.
#[derive(Debug, Clone)]
pub struct RegisteredClient {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) redirects: Vec<String>,
    /// Its public keys; a client without has no secret.
    pub(super) keys: Option<KeySet>,
    pub(super) scopes: Vec<Scope>,
    pub(super) beside: Beside,
}

impl RegisteredClient {
    /// `name`: as people read it. `redirects`: compared whole. `keys`: of a client that signs. `scopes`: those it may ask
    /// for, with spaces between them, `openid fhirUser online_access offline_access` among them; `launch/patient` needs
    /// not be named.
    ///
    /// # Errors
    /// [`RegistrationError`] with what is wrong first.
    pub fn new(
        id: String,
        name: String,
        redirects: Vec<String>,
        keys: Option<KeySet>,
        scopes: &str,
    ) -> Result<Self, RegistrationError> {
        let beside = Beside::of(scopes);
        let scopes = Self::check(&id, &redirects, keys.is_some(), scopes)?;
        Ok(Self { id, name, redirects, keys, scopes, beside })
    }

    /// Judges a registration whose keys need not be at hand; the scopes that it names. `signs`: whether it has keys.
    ///
    /// # Errors
    /// [`RegistrationError`] with what is wrong first.
    pub fn check(
        id: &str,
        redirects: &[String],
        signs: bool,
        scopes: &str,
    ) -> Result<Vec<Scope>, RegistrationError> {
        if !is_client_id(id) {
            return Err(RegistrationError::Id);
        }
        if redirects.len() > REDIRECTS_MAX || !redirects.iter().all(|redirect| is_redirect(redirect)) {
            return Err(RegistrationError::Redirect);
        }
        if redirects.is_empty() && !signs {
            return Err(RegistrationError::Use);
        }
        let meant = scopes.split_ascii_whitespace().filter(|text| Scope::is_meant(text));
        Ok(meant.map(Scope::parse).collect::<Result<Vec<Scope>, ScopeError>>()?)
    }

    /// What of the scopes that it asks for it may have: those for resources that are covered by what it is registered for,
    /// and of the others those that it is registered for.
    ///
    /// # Errors
    /// [`ScopeError`] when one for resources is not understood.
    pub(super) fn permitted(&self, asked: &str) -> Result<(Vec<Scope>, Beside), ScopeError> {
        let beside = Beside::of(asked).within(self.beside);
        let meant = asked.split_ascii_whitespace().filter(|text| Scope::is_meant(text));
        let asked = meant.map(Scope::parse).collect::<Result<Vec<Scope>, ScopeError>>()?;
        let is_covered = |scope: &Scope| self.scopes.iter().any(|own| own.covers(scope));
        Ok((asked.into_iter().filter(is_covered).collect(), beside))
    }
}

/// `https://…`, `http://` of this machine, or `scheme:…` of an installed app (RFC 8252 §7).
fn is_redirect(address: &str) -> bool {
    let Some((scheme, rest)) = address.split_once(':') else { return false };
    let is_plain = address.bytes().all(|byte| byte.is_ascii_graphic()) && !address.contains('#');
    let is_known = match scheme {
        "https" => rest.starts_with("//") && rest.len() > 2,
        "http" => ["//127.0.0.1", "//[::1]", "//localhost"].iter().any(|host| {
            let beyond = rest.strip_prefix(host);
            beyond.is_some_and(|beyond| beyond.is_empty() || beyond.starts_with([':', '/', '?']))
        }),
        "javascript" | "data" | "file" | "vbscript" | "blob" | "about" => false,
        // An app's own scheme is a domain turned round.
        app => {
            app.contains('.')
                && app.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-+".contains(&byte))
        }
    };
    is_plain && is_known
}

/// A person who may sign in. Debug names nobody.
#[derive(Clone)]
pub struct RegisteredUser {
    /// The name that is typed.
    pub name: String,
    /// SHA-256 of the secret that is typed; it is random, as a token is.
    pub secret: [u8; 32],
    /// Who that is.
    pub user: User,
    /// Address of their resource (`fhirUser`).
    pub resource: String,
}

impl std::fmt::Debug for RegisteredUser {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("RegisteredUser([redacted])")
    }
}

/// Who signs in with a name and a secret; takes as long whatever is wrong.
pub(super) fn signed_in<'u>(
    users: &'u [RegisteredUser],
    name: &str,
    secret: &str,
) -> Option<&'u RegisteredUser> {
    let (name, secret) = (token_hash(name), token_hash(secret));
    let mut found = None;
    for user in users {
        let is_name = verify_slices_are_equal(&token_hash(&user.name), &name).is_ok();
        let is_secret = verify_slices_are_equal(&user.secret, &secret).is_ok();
        if is_name & is_secret {
            found = Some(user);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_lead_to_tls_this_machine_or_an_app() {
        for right in [
            "https://app.example/callback",
            "https://app.example/callback?from=node",
            "http://127.0.0.1:4000/callback",
            "http://[::1]/callback",
            "http://localhost",
            "com.example.app:/callback",
        ] {
            assert!(is_redirect(right), "{right}");
        }
        for wrong in [
            "",
            "/callback",
            "http://app.example/callback",
            "http://127.0.0.1.example/callback",
            "http://localhost@app.example/",
            "https://app.example/#fragment",
            "https://",
            "javascript:alert(1)",
            "data:text/html,x",
            "https://app.example/ b",
        ] {
            assert!(!is_redirect(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_registration_says_what_is_wrong() {
        let of = |id: &str, redirects: &[&str], scopes: &str| {
            let redirects = redirects.iter().map(|text| (*text).to_owned()).collect();
            RegisteredClient::new(id.to_owned(), "App".to_owned(), redirects, None, scopes).map(|_| ())
        };
        assert_eq!(of("app", &["https://app.example/"], "launch/patient patient/*.rs"), Ok(()));
        assert_eq!(of("", &["https://app.example/"], ""), Err(RegistrationError::Id));
        assert_eq!(of("app", &["ftp://app.example/"], ""), Err(RegistrationError::Redirect));
        assert_eq!(of("app", &[], ""), Err(RegistrationError::Use));
        let wrong = of("app", &["https://app.example/"], "patient/Nonsense.rs");
        assert_eq!(wrong, Err(RegistrationError::Scope(ScopeError::Type)));
    }

    #[test]
    fn what_is_asked_for_is_cut_to_what_is_registered() {
        let redirects = vec!["https://app.example/".to_owned()];
        let client =
            RegisteredClient::new("app".into(), "App".into(), redirects, None, "patient/Observation.rs")
                .expect("right");
        let permitted = |asked: &str| {
            client
                .permitted(asked)
                .map(|(scopes, _)| scopes.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        let asked = "openid patient/Observation.r patient/*.rs user/Observation.r";
        assert_eq!(permitted(asked), Ok(vec!["patient/Observation.r".to_owned()]));
        assert_eq!(permitted("patient/Observation.x"), Err(ScopeError::Permissions));
    }
}
