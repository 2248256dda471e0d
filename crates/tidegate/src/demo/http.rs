//! One node's HTTP surface as the demo's checks ask it.

use std::net::SocketAddr;

use serde_json::Value;

pub use crate::http::Answer;

/// A surface and a bearer token.
#[derive(Clone)]
pub struct Http {
    address: SocketAddr,
    token: String,
}

impl Http {
    /// The surface at `address`.
    pub fn new(address: SocketAddr, token: &str) -> Self {
        Self { address, token: token.to_owned() }
    }

    /// The same surface, asked with another token.
    pub fn with_token(&self, token: &str) -> Self {
        Self { address: self.address, token: token.to_owned() }
    }

    /// `GET path`.
    pub async fn read(&self, path: &str) -> Result<Answer, String> {
        crate::http::get(&self.address.to_string(), path, Some(&self.token)).await
    }

    /// `GET path`, which must answer 200 with JSON.
    pub async fn json(&self, path: &str) -> Result<Value, String> {
        let answer = self.read(path).await?;
        if answer.status != 200 {
            return Err(format!("{path}: status {}", answer.status));
        }
        serde_json::from_slice(&answer.body).map_err(|error| format!("{path}: {error}"))
    }

    /// How many match: `Bundle.total`, or the matches themselves where they are too few for a de-identified surface to tell.
    pub async fn total(&self, search: &str) -> Result<u64, String> {
        let bundle = self.json(&format!("/fhir/{search}")).await?;
        if let Some(total) = bundle["total"].as_u64() {
            return Ok(total);
        }
        let found = self.search(&search.replace("_count=0", &format!("_count={}", rest::SMALL_CELL))).await?;
        match u64::try_from(found.len()) {
            Ok(few) if few < rest::SMALL_CELL => Ok(few),
            _ => Err(format!("{search}: the bundle has no total")),
        }
    }

    /// The matches of a search, first page.
    pub async fn search(&self, search: &str) -> Result<Vec<Value>, String> {
        let mut bundle = self.json(&format!("/fhir/{search}")).await?;
        let Value::Array(entries) = bundle["entry"].take() else { return Ok(Vec::new()) };
        Ok(entries.into_iter().map(|mut entry| entry["resource"].take()).collect())
    }
}
