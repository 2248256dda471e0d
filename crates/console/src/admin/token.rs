//! Who may ask: bearer tokens (RFC 6750) that open this API and nothing else.

use std::net::SocketAddr;
use std::sync::Arc;

use audit::Kind;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};

use crate::Error;
use crate::admin::refusal::Refusal;
use crate::hex::sha256;
use crate::record::{by_client, not_recorded};
use crate::server::{Peer, Server};

/// Client id of a token that is not known.
const UNKNOWN: &str = "unknown";
const SCHEME: &str = "bearer";

/// Who asks: the name that its token was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Client(pub(crate) String);

/// The tokens of the admin API, as SHA-256 hashes. Debug prints how many.
#[derive(Clone, Default)]
pub struct AdminTokens {
    tokens: Arc<Vec<(Client, [u8; 32])>>,
}

impl AdminTokens {
    /// `tokens`: client name and SHA-256 of its token.
    pub fn new(tokens: impl IntoIterator<Item = (String, [u8; 32])>) -> Self {
        Self { tokens: Arc::new(tokens.into_iter().map(|(name, hash)| (Client(name), hash)).collect()) }
    }

    /// The client of a token; compares with every hash, whatever matches, in constant time.
    fn client(&self, token: &str) -> Option<&Client> {
        let asked = sha256(token.as_bytes());
        let mut found = u32::MAX;
        for (position, (_, hash)) in (0_u32..).zip(self.tokens.iter()) {
            let equal: Choice = hash.ct_eq(&asked);
            found = u32::conditional_select(&found, &position, equal);
        }
        self.tokens.get(usize::try_from(found).ok()?).map(|(client, _)| client)
    }
}

impl std::fmt::Debug for AdminTokens {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "AdminTokens({} tokens)", self.tokens.len())
    }
}

/// Lets a request through when its token is known and the node is not busy; leaves [`Client`] and [`Peer`] in the
/// extensions. A token that is not known is in the ledger, as far as failed sign-ins are.
pub(crate) async fn require(
    State(server): State<Arc<Server>>,
    mut request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    let connection = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let peer = Peer(connection.map(|ConnectInfo(peer)| peer.ip().to_canonical()));
    let Some(token) = bearer(request.headers()) else { return Err(Refusal::no_token()) };
    let clinical = crate::clinical::of(&server)?;
    let Some(client) = clinical.admin.client(token).cloned() else {
        note_unknown(&server, peer).await?;
        return Err(Refusal::unknown_token());
    };
    let Ok(_permit) = server.admin_requests.try_acquire() else {
        return Err(Error::Busy("requests").into());
    };
    request.extensions_mut().insert(client);
    request.extensions_mut().insert(peer);
    Ok(next.run(request).await.into_response())
}

async fn note_unknown(server: &Server, peer: Peer) -> Result<(), Error> {
    let console = &server.console;
    if !server.attempts.count((console.now_us)()) {
        tracing::warn!("an unknown admin token was used; too many were to record each");
        return Ok(());
    }
    let record = by_client(console, Kind::SignIn, UNKNOWN, peer).outcome("invalid-token");
    console.ledger.append(vec![record]).await.map_err(not_recorded)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (only, more) = (values.next()?, values.next());
    if more.is_some() {
        return None;
    }
    let (scheme, token) = only.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case(SCHEME) && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_names_its_client_and_no_other() {
        let tokens =
            [("a", "one"), ("b", "two")].map(|(name, token)| (name.to_owned(), sha256(token.as_bytes())));
        let set = AdminTokens::new(tokens);
        assert_eq!(set.client("two"), Some(&Client("b".to_owned())));
        assert_eq!((set.client("three"), set.client("")), (None, None));
        assert_eq!(AdminTokens::default().client("one"), None);
        assert_eq!(format!("{set:?}"), "AdminTokens(2 tokens)");
    }
}
