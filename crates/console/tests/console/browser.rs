//! A person's browser: keeps the cookie, reads tokens from forms.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use tower::ServiceExt;

use crate::ports::{CODE, Node, console};

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }
}

#[derive(Clone)]
pub struct Browser {
    pub router: Router,
    pub cookie: Option<String>,
    pub site: Option<&'static str>,
}

impl Browser {
    pub fn new(console: console::Console) -> Self {
        Self { router: console::router(console), cookie: None, site: None }
    }

    pub fn request(&self, method: Method, url: &str, form: Option<&str>) -> Request<Body> {
        let mut request = Request::builder().method(method).uri(url);
        if let Some(cookie) = &self.cookie {
            request = request.header(header::COOKIE, format!("other=1; {cookie}"));
        }
        if let Some(site) = self.site {
            request = request.header("sec-fetch-site", site);
        }
        match form {
            Some(form) => request
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(Body::from(form.to_owned()))
                .expect("request"),
            None => request.body(Body::empty()).expect("request"),
        }
    }

    pub async fn send(&self, method: Method, url: &str, form: Option<&str>) -> Answer {
        let response =
            self.router.clone().oneshot(self.request(method, url, form)).await.expect("infallible");
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.expect("body").to_bytes();
        let text = String::from_utf8(bytes.to_vec()).expect("text");
        Answer { status: parts.status, headers: parts.headers, text }
    }

    pub async fn get(&self, url: &str) -> Answer {
        self.send(Method::GET, url, None).await
    }

    pub async fn post(&self, url: &str, form: &str) -> Answer {
        self.send(Method::POST, url, Some(form)).await
    }

    /// Posts with the session's token before the other fields.
    pub async fn submit(&self, url: &str, form: &str) -> Answer {
        let token = self.token().await;
        self.post(url, &format!("token={token}&{form}")).await
    }

    pub async fn token(&self) -> String {
        let page = self.get("/").await.text;
        let (_, rest) = page.split_once("name=\"token\" value=\"").expect("a form");
        rest.split('"').next().expect("its token").to_owned()
    }

    /// Signs in with the one code.
    pub async fn sign_in(&mut self) -> Answer {
        let answer = self.post("/login", &format!("code={CODE}")).await;
        let cookie = answer.header("set-cookie").split(';').next().unwrap_or_default().to_owned();
        self.cookie = Some(cookie);
        answer
    }
}

/// A signed-in browser of a node.
pub async fn signed_in(node: &Arc<Node>, clinical: bool) -> Browser {
    let mut browser = Browser::new(console(node, clinical));
    let answer = browser.sign_in().await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
    browser
}
