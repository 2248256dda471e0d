//! SMART App Launch of a node: the keys, clients and users that its configuration names, read from their files.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use smart::{Issuer, KeySet, User};
use store::sqlite::Sqlite;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::config::{Config, SmartClient, TrustedIssuer};
use crate::{Exit, Failure, clock, keys};

/// How often the key files of issuers are looked at.
const KEYS_LOOKED_AT_EVERY: Duration = Duration::from_secs(30);

/// What the configuration names.
pub(crate) struct Smart {
    issuers: Vec<Issuer>,
    clients: Vec<rest::RegisteredClient>,
    users: Vec<rest::RegisteredUser>,
}

/// Reads all files that `smart` names.
pub(crate) fn load(config: &Config) -> Result<Smart, Failure> {
    let base_url = super::base_url(config);
    let issuer = |trusted: &TrustedIssuer| {
        Ok(Issuer {
            issuer: trusted.issuer.clone(),
            audience: trusted.audience.clone().unwrap_or_else(|| format!("{base_url}/fhir")),
            keys: key_set(&trusted.keys)?,
        })
    };
    let issuers = config.smart.issuers.iter().map(issuer).collect::<Result<_, Failure>>()?;
    let server = config.smart.server.as_ref();
    let clients =
        server.map_or(&[][..], |server| &server.clients).iter().map(client).collect::<Result<_, _>>()?;
    let users = match server.and_then(|server| server.users.as_deref()) {
        None => Vec::new(),
        Some(file) => users(file, &format!("{base_url}/fhir"))?,
    };
    Ok(Smart { issuers, clients, users })
}

/// What a node has of SMART, wired to its FHIR surface.
pub(crate) struct Wired {
    /// The endpoints under `/auth`, where the node has them.
    pub(crate) router: Option<axum::Router>,
}

/// Gives a FHIR surface its issuers, and the node its own authorization server where the configuration has one.
pub(crate) fn wire(
    config: &Config,
    loaded: Smart,
    store: &Arc<Sqlite>,
    fhir: &mut rest::Fhir,
    (stopped, tasks): (&watch::Receiver<bool>, &mut JoinSet<()>),
) -> Wired {
    let Smart { issuers, clients, users } = loaded;
    fhir.issuers = rest::Issuers::new(issuers);
    if !config.smart.issuers.is_empty() {
        let (trusted, issuers) = (config.smart.issuers.clone(), fhir.issuers.clone());
        tasks.spawn(renew(trusted, issuers, stopped.clone()));
    }
    if let Some(discovery) = config.smart.discovery.clone() {
        fhir.authorization = Some(rest::Authorization {
            issuer: discovery.issuer,
            authorization_endpoint: discovery.authorization_endpoint,
            token_endpoint: discovery.token_endpoint,
            introspection_endpoint: discovery.introspection_endpoint,
            revocation_endpoint: discovery.revocation_endpoint,
            jwks_uri: discovery.jwks_uri,
            backend: discovery.backend,
            own: false,
        });
    }
    if config.smart.server.is_none() {
        return Wired { router: None };
    }
    let server = rest::AuthorizationServer {
        clients,
        users,
        issued: fhir.issued.clone(),
        tokens: fhir.tokens.clone(),
        access: store.clone(),
        origin: super::base_url(config),
        node: config.node.clone(),
        secure: super::base_url(config).starts_with("https://"),
        now_us: clock::now_us,
        fill_random: clock::fill_random,
        metrics: fhir.metrics.clone(),
        limiter: fhir.limiter.clone(),
        identity: Arc::new(super::identity::Key::default()),
        sign_in: config.http.limits.sign_in.in_force(),
        origins: fhir.origins.clone(),
    };
    fhir.authorization = Some(server.told());
    Wired { router: Some(rest::authorization(server)) }
}

/// Reads key files again when they change. What cannot be read or used leaves the keys in force.
async fn renew(trusted: Vec<TrustedIssuer>, issuers: rest::Issuers, stopped: watch::Receiver<bool>) {
    let mut known: Vec<Option<KeySet>> = trusted.iter().map(|trusted| key_set(&trusted.keys).ok()).collect();
    let look = async {
        loop {
            tokio::time::sleep(KEYS_LOOKED_AT_EVERY).await;
            for (trusted, known) in trusted.iter().zip(&mut known) {
                match key_set(&trusted.keys) {
                    Ok(keys) if known.as_ref() != Some(&keys) => {
                        issuers.renew(&trusted.issuer, &keys);
                        *known = Some(keys);
                        tracing::info!("the keys of an issuer are renewed");
                    }
                    Ok(_) => {}
                    Err(failure) => {
                        tracing::error!(error = failure.words, "the keys of an issuer stay as they were");
                    }
                }
            }
        }
    };
    tokio::select! {
        () = look => {}
        () = super::until(stopped) => {}
    }
}

fn client(client: &SmartClient) -> Result<rest::RegisteredClient, Failure> {
    let keys = client.keys.as_deref().map(key_set).transpose()?;
    let SmartClient { id, name, redirects, scopes, .. } = client.clone();
    rest::RegisteredClient::new(id, name, redirects, keys, &scopes).map_err(|error| {
        Failure::new(Exit::Configuration, format!("smart.server.clients: {}: {error}", client.id))
    })
}

fn key_set(file: &Path) -> Result<KeySet, Failure> {
    let wrong = |error: &dyn std::fmt::Display| {
        Failure::new(Exit::Configuration, format!("{}: {error}", file.display()))
    };
    let bytes = std::fs::read(file).map_err(|error| wrong(&error))?;
    KeySet::parse(&bytes).map_err(|error| wrong(&error))
}

/// Who may sign in.
fn users(file: &Path, base_url: &str) -> Result<Vec<rest::RegisteredUser>, Failure> {
    let wrong = |words: String| Failure::new(Exit::Configuration, format!("{}: {words}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
    let mut users = Vec::new();
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let user = match words.as_slice() {
            [name, hex, of] => keys::from_hex(hex)
                .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok())
                .zip(User::parse(of, base_url))
                .map(|(secret, user)| rest::RegisteredUser {
                    name: (*name).to_owned(),
                    secret,
                    user,
                    resource: if of.contains("://") { (*of).to_owned() } else { format!("{base_url}/{of}") },
                }),
            _ => None,
        };
        let words = || format!("line {number} is no `<name> <sha256> Patient/<id>` or `… Practitioner/<id>`");
        users.push(user.ok_or_else(|| wrong(words()))?);
    }
    Ok(users)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";

    /// What reading a file of this text comes to.
    fn of<T>(name: &str, text: &str, read: impl Fn(&Path) -> T) -> T {
        let file = std::env::temp_dir().join(format!("tidegate-smart-{}-{name}", uuid::Uuid::new_v4()));
        std::fs::write(&file, text).expect("a file can be written");
        let came = read(&file);
        std::fs::remove_file(&file).expect("the file can be removed");
        came
    }

    #[test]
    fn a_file_of_users_says_who_each_is_or_which_line_is_wrong() {
        let base = "https://node.example/fhir";
        let text = format!("eve {HASH} Patient/p1\n\ndr {HASH} {base}/Practitioner/d1\n");
        let read = of("users", &text, |file| users(file, base)).expect("right");
        let found: Vec<(&str, User)> =
            read.iter().map(|user| (user.name.as_str(), user.user.clone())).collect();
        let eve = User::parse("Patient/p1", base).expect("a patient");
        assert_eq!(found, [("eve", eve), ("dr", User::Practitioner)]);
        for wrong in
            ["eve", &format!("eve {HASH}"), &format!("eve {HASH} RelatedPerson/r"), "eve abc Patient/p1"]
        {
            let failure = of("users", &format!("eve {HASH} Patient/p1\n{wrong}"), |file| users(file, base));
            let words = failure.expect_err("wrong").words;
            assert!(words.contains("line 2") && !words.contains(HASH), "{words}");
        }
    }

    #[test]
    fn a_key_set_is_read_or_its_file_is_named() {
        let failure = of("keys", r#"{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}"#, key_set);
        let words = failure.expect_err("a shared key").words;
        assert!(words.contains("-keys: ") && !words.contains("c2VjcmV0"), "{words}");
        assert!(key_set(Path::new("/nowhere/keys.json")).is_err());
    }
}
