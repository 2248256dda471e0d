//! One node's HTTP surface.

use std::net::SocketAddr;

use serde_json::Value;
use tidegate::http::{Answer, get};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::eventually;
use crate::visitor::{Page, page};

/// A surface and a bearer token.
#[derive(Clone)]
pub struct Surface {
    /// Where it listens.
    pub address: SocketAddr,
    token: Option<String>,
}

impl Surface {
    /// The surface at `address`.
    pub fn new(address: SocketAddr, token: &str) -> Self {
        Self { address, token: Some(token.to_owned()) }
    }

    /// The same surface, asked with another token or none.
    pub fn with_token(&self, token: Option<&str>) -> Self {
        Self { address: self.address, token: token.map(ToOwned::to_owned) }
    }

    /// `GET path`.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn get(&self, path: &str) -> Result<Answer, String> {
        get(&self.address.to_string(), path, self.token.as_deref()).await
    }

    /// A request of any method with headers and a body (FHIR JSON, unless a header says otherwise).
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<Page, String> {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.address);
        if let Some(token) = &self.token {
            head += &format!("Authorization: Bearer {token}\r\n");
        }
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            head += "Content-Type: application/fhir+json\r\n";
        }
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        let request = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
        let words = |error: std::io::Error| format!("{method} {path}: {error}");
        let mut stream = TcpStream::connect(self.address).await.map_err(words)?;
        stream.write_all(request.as_bytes()).await.map_err(words)?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.map_err(words)?;
        Ok(page(&bytes))
    }

    /// Status and JSON body of `GET path`.
    ///
    /// # Errors
    /// When there is no answer, or it is not JSON.
    pub async fn answer(&self, path: &str) -> Result<(u16, Value), String> {
        let answer = self.get(path).await?;
        let body = serde_json::from_slice(&answer.body)
            .map_err(|error| format!("{path}: {}: {error}", answer.status))?;
        Ok((answer.status, body))
    }

    /// Body of `GET path`, which must answer 200.
    ///
    /// # Errors
    /// When it does not.
    pub async fn json(&self, path: &str) -> Result<Value, String> {
        match self.answer(path).await? {
            (200, body) => Ok(body),
            (status, body) => Err(format!("{path}: {status}: {body}")),
        }
    }

    /// One resource.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn read(&self, resource_type: &str, id: &str) -> Result<Value, String> {
        self.json(&format!("/fhir/{resource_type}/{id}")).await
    }

    /// Every match of a search, page after page.
    ///
    /// # Errors
    /// When a page cannot be read.
    pub async fn search(&self, search: &str) -> Result<Vec<Value>, String> {
        let mut path = format!("/fhir/{search}");
        let mut all = Vec::new();
        loop {
            let mut bundle = self.json(&path).await?;
            if let Value::Array(entries) = bundle["entry"].take() {
                all.extend(entries.into_iter().map(|mut entry| entry["resource"].take()));
            }
            match link(&bundle, "next") {
                Some(next) => path = next,
                None => return Ok(all),
            }
        }
    }

    /// The one match of a search.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub async fn only(&self, search: &str) -> Result<Value, String> {
        let mut found = self.search(search).await?;
        match (found.pop(), found.len()) {
            (Some(one), 0) => Ok(one),
            (Some(_), more) => Err(format!("{search}: {} matches", more + 1)),
            (None, _) => Err(format!("{search}: no match")),
        }
    }

    /// Waits until a search has this many matches.
    ///
    /// # Panics
    /// When it does not come to that.
    pub async fn counted(&self, search: &str, expected: usize) -> Vec<Value> {
        eventually(search, || async {
            let found = self.search(search).await?;
            if found.len() == expected { Ok(found) } else { Err(format!("{} matches", found.len())) }
        })
        .await
    }

    /// Waits until the one match of a search has this value at a JSON pointer.
    ///
    /// # Panics
    /// When it does not come to that.
    pub async fn shows(&self, search: &str, pointer: &str, expected: Value) -> Value {
        eventually(search, || async {
            let found = self.only(search).await?;
            let value = found.pointer(pointer).cloned().unwrap_or(Value::Null);
            if value == expected { Ok(found) } else { Err(format!("{pointer} is {value}")) }
        })
        .await
    }

    /// How many resources match.
    ///
    /// # Errors
    /// When the search cannot be read.
    pub async fn count(&self, search: &str) -> Result<usize, String> {
        Ok(self.search(search).await?.len())
    }
}

/// Path and query of a bundle's link.
pub fn link(bundle: &Value, relation: &str) -> Option<String> {
    let links = bundle["link"].as_array()?;
    let link = links.iter().find(|link| link["relation"] == relation)?;
    let url = link["url"].as_str()?;
    url.find("/fhir").map(|at| url[at..].to_owned())
}
