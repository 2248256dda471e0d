//! The admin API of a running node, as commands ask it.

use std::net::IpAddr;
use std::path::PathBuf;

use serde_json::Value;
use zeroize::Zeroizing;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::check;
use super::doctor::reachable;
use crate::cli::NodeArgs;
use crate::http::{self, Answer, Asked};
use crate::node::own_client;
use crate::{Exit, Failure};

/// Names the token file when no option does.
const TOKEN_FILE: &str = "TIDEGATE_TOKEN_FILE";

/// A node and the token to ask it with.
pub struct Node {
    /// `host:port`.
    address: String,
    token: Zeroizing<String>,
    /// The node serves HTTPS; it is known by its own certificate.
    tls: Option<rustls::ClientConfig>,
}

impl Node {
    /// The node that the options name.
    pub fn of(args: &NodeArgs) -> Result<Self, Failure> {
        let (address, tls) = match (&args.config, &args.node) {
            (Some(file), _) => {
                let config = check::load(file)?;
                let tls = config.http.tls.as_ref().map(own_client).transpose()?;
                (reachable(config.http.listen).to_string(), tls)
            }
            (None, Some(url)) => (address(url)?, None),
            (None, None) => {
                return Err(Failure::new(Exit::Usage, "name the node with -c FILE or --node URL"));
            }
        };
        let file = args.token_file.clone().or_else(|| std::env::var_os(TOKEN_FILE).map(PathBuf::from));
        let file = file.ok_or_else(|| {
            let words = format!("name the file of the admin token with --token-file or {TOKEN_FILE}");
            Failure::new(Exit::Usage, words)
        })?;
        let text = std::fs::read_to_string(&file)
            .map_err(|error| Failure::new(Exit::Io, format!("{}: {error}", file.display())))?;
        let text = Zeroizing::new(text);
        Ok(Self { address, token: Zeroizing::new(text.trim().to_owned()), tls })
    }

    /// `GET path`.
    pub async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.ask(path, None).await
    }

    /// `POST path`.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.ask(path, Some(body.to_string().into_bytes())).await
    }

    async fn ask(&self, path: &str, json: Option<Vec<u8>>) -> Result<Value, Failure> {
        let (address, token) = (self.address.as_str(), Some(self.token.as_str()));
        read(http::ask(Asked { address, path, token, json, tls: self.tls.clone() }).await)
    }
}

/// `host:port` of a plain URL on loopback.
fn address(url: &str) -> Result<String, Failure> {
    let wrong = |words: &str| Failure::new(Exit::Usage, format!("--node: {words}"));
    if url.starts_with("https://") {
        return Err(https());
    }
    let rest = url.strip_prefix("http://").ok_or_else(|| wrong("write it as http://127.0.0.1:8080"))?;
    let authority = rest.trim_end_matches('/');
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let is_loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    match is_loopback {
        true if authority.contains(':') => Ok(authority.to_owned()),
        true => Ok(format!("{authority}:80")),
        false => Err(wrong("a token goes in clear to loopback only; run the command on the node's machine")),
    }
}

fn https() -> Failure {
    let words = "--node: which certificate to trust is not known
  fix: name the node's configuration with -c";
    Failure::new(Exit::Usage, words)
}

fn read(answer: Result<Answer, String>) -> Result<Value, Failure> {
    let Answer { status, body } = answer.map_err(|words| Failure::new(Exit::Unavailable, words))?;
    let value: Value = serde_json::from_slice(&body).unwrap_or_default();
    if status == 200 && !value.is_null() {
        return Ok(value);
    }
    let exit = match status {
        400 | 422 => Exit::Usage,
        500.. => Exit::Unavailable,
        _ => Exit::CheckFailed,
    };
    let cause = value["cause"].as_str().map_or_else(|| format!("status {status}"), str::to_owned);
    let fix = value["fix"].as_str().map(|fix| format!("\n  fix: {fix}")).unwrap_or_default();
    let faults: String = items(&value["faults"]).iter().map(fault).collect();
    Err(Failure::new(exit, format!("{cause}{fix}{faults}")))
}

/// A line for a place at which something is wrong, and one for what would be right.
fn fault(fault: &Value) -> String {
    let [place, cause, fix] = ["place", "cause", "fix"].map(|name| cell(&fault[name]));
    format!("\n{place}  {cause}\n  fix: {fix}")
}

/// The elements of an array; none when it is no array.
pub fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The bytes of a revealed message, as received.
pub fn bytes(message: &Value) -> Result<Vec<u8>, Failure> {
    let read = message["er7_base64"].as_str().and_then(|text| STANDARD.decode(text).ok());
    read.ok_or_else(|| Failure::new(Exit::Unavailable, "the node's answer is not understood"))
}

/// Text without characters that would move a terminal's cursor.
pub fn visible(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).collect()
}

/// A value as a cell of a table.
pub fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) if text.is_empty() => "-".to_owned(),
        Value::String(text) => visible(text),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn a_token_goes_to_loopback_only() {
        assert_eq!(address("http://127.0.0.1:8080/").ok().as_deref(), Some("127.0.0.1:8080"));
        assert_eq!(address("http://localhost:8080").ok().as_deref(), Some("localhost:8080"));
        assert_eq!(address("http://[::1]:8080").ok().as_deref(), Some("[::1]:8080"));
        for url in ["https://127.0.0.1:8080", "http://192.0.2.1:8080", "http://example.org", "127.0.0.1:8080"]
        {
            assert!(address(url).is_err(), "{url}");
        }
    }
}
