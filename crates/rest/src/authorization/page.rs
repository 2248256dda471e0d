//! The page on which a person signs in and allows or refuses what a client asks for. No script, no style, no foreign origin.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;

use crate::outcome::OwnForm;

/// Nothing is loaded and nothing is run. Where the form leads is not limited, for its answer leads to the client.
const POLICY: &str = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'";

/// What the page shows.
pub(super) struct Page<'a> {
    pub(super) client: &'a str,
    pub(super) scopes: Vec<String>,
    /// What the form carries along.
    pub(super) hidden: Vec<(&'static str, String)>,
    /// What went wrong before.
    pub(super) notice: Option<&'static str>,
}

impl Page<'_> {
    pub(super) fn response(&self, status: StatusCode) -> Response {
        let mut body = format!("<h1>{} asks for access</h1>", escape(self.client));
        if let Some(notice) = self.notice {
            body.push_str(&format!("<p role=\"alert\"><strong>{}</strong></p>", escape(notice)));
        }
        body.push_str("<p>If you allow it, it may do this:</p><ul>");
        for scope in &self.scopes {
            body.push_str(&format!("<li><code>{}</code></li>", escape(scope)));
        }
        body.push_str("</ul><form method=\"post\" action=\"authorize\">");
        for (name, value) in &self.hidden {
            body.push_str(&format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">", escape(value)));
        }
        body.push_str(
            "<p><label>Name <input name=\"user\" autocomplete=\"username\" required></label></p>\
             <p><label>Secret <input name=\"secret\" type=\"password\" autocomplete=\"current-password\" required></label></p>\
             <p><label>Patient id, if you are a practitioner <input name=\"patient\"></label></p>\
             <p><button name=\"decision\" value=\"allow\">Allow</button> \
             <button name=\"decision\" value=\"refuse\" formnovalidate>Refuse</button></p></form>",
        );
        html(status, "Access", &body)
    }
}

/// A page that says why there is nothing to allow.
pub(super) fn notice(status: StatusCode, text: &str) -> Response {
    html(status, "No access", &format!("<h1>No access</h1><p>{}</p>", escape(text)))
}

fn html(status: StatusCode, title: &str, body: &str) -> Response {
    let page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title></head><body>{body}</body></html>"
    );
    let mut response = Response::new(Body::from(page));
    *response.status_mut() = status;
    response.extensions_mut().insert(OwnForm);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    response
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            plain => escaped.push(plain),
        }
    }
    escaped
}
