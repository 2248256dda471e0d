//! Style, script and icon, compiled in; their URLs carry their digest, so they never change under a name.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

use crate::hex::{hex, sha256};
use crate::{Error, headers};

/// Digest bytes in a file's name.
const TAG_BYTES: usize = 8;

/// One embedded file.
pub(crate) struct Asset {
    name: String,
    content_type: &'static str,
    body: &'static str,
}

static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("console", "css", "text/css; charset=utf-8", include_str!("../assets/console.css"))
});
static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("console", "js", "text/javascript; charset=utf-8", include_str!("../assets/console.js"))
});
static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("tidegate", "svg", "image/svg+xml", include_str!("../assets/icon.svg")));

impl Asset {
    fn new(stem: &str, extension: &str, content_type: &'static str, body: &'static str) -> Self {
        let digest = sha256(body.as_bytes());
        let tag = hex(digest.get(..TAG_BYTES).unwrap_or(&digest));
        Self { name: format!("{stem}-{tag}.{extension}"), content_type, body }
    }
}

/// URL of the style sheet.
pub(crate) fn style_url() -> String {
    format!("/assets/{}", STYLE.name)
}

/// URL of the icon.
pub(crate) fn icon_url() -> String {
    format!("/assets/{}", ICON.name)
}

/// URL of the script.
pub(crate) fn script_url() -> String {
    format!("/assets/{}", SCRIPT.name)
}

/// `GET /assets/{name}`: no session needed, for the sign-in page is styled too.
pub(crate) async fn serve(Path(name): Path<String>) -> Result<Response, Error> {
    let found = [&*STYLE, &*SCRIPT, &*ICON].into_iter().find(|asset| asset.name == name);
    let asset = found.ok_or(Error::NotFound("asset"))?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(asset.content_type)),
        (header::CACHE_CONTROL, headers::IMMUTABLE),
    ];
    Ok((headers, asset.body).into_response())
}
