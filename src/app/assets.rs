//! The pages and their assets, embedded in the binary.

use std::fmt;
use std::io::Write as _;
use std::sync::LazyLock;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use include_dir::{Dir, include_dir};
use sha2::{Digest, Sha256};

use crate::http::Response;

static STATIC: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/static");

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let mut assets = Vec::new();
    collect(&STATIC, &mut assets);
    assets
});

/// Scripts and styles only from here; the streams of the other engines may be on any port or host of this network.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self' http: https:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// One embedded file.
pub struct Asset {
    /// Its URL path.
    path: String,
    content_type: &'static str,
    etag: String,
    body: &'static [u8],
    gzip: Bytes,
}

impl fmt::Debug for Asset {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Asset").field(&self.path).finish()
    }
}

/// The asset at this path: `/static/…`, or a page at `/NAME`. The compare pages are one file, whose script looks at the path.
pub(super) fn find(path: &str) -> Option<&'static Asset> {
    let path = if path == "/compare" { "/compare3" } else { path };
    ASSETS.iter().find(|asset| asset.path == path)
}

/// Compresses everything once, on a thread whose stack is big enough for it; a coroutine's is not.
pub(super) fn prepare() {
    LazyLock::force(&ASSETS);
}

fn collect(dir: &Dir<'static>, assets: &mut Vec<Asset>) {
    for file in dir.files() {
        let name = file.path().to_string_lossy();
        let path = match name.strip_suffix(".html") {
            Some(page) => format!("/{page}"),
            None => format!("/static/{name}"),
        };
        let body = file.contents();
        let digest = Sha256::digest(body);
        let etag = digest[..8].iter().fold(String::from("W/\""), |tag, byte| tag + &format!("{byte:02x}")) + "\"";
        assets.push(Asset { path, content_type: content_type(&name), etag, body, gzip: compress(body) });
    }
    for dir in dir.dirs() {
        collect(dir, assets);
    }
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("json") => "application/json",
        Some("png") => "image/png",
        _ => "application/octet-stream",
    }
}

impl Asset {
    /// Whether it is for everybody: files without anything about this server, and the page of those who register.
    pub(super) fn is_public(&self) -> bool {
        self.path.starts_with("/static/") || self.path == "/register"
    }

    /// The response to a client that has the versions `if_none_match`, and decodes gzip or not.
    pub(super) fn response(&'static self, gzip: bool, if_none_match: Option<&[u8]>) -> Response {
        let matched = if_none_match.is_some_and(|tags| self.matches(tags));
        let mut response = if matched {
            Response { status: 304, ..Response::ok(self.content_type, Bytes::new()) }
        } else if gzip {
            Response::ok(self.content_type, self.gzip.clone()).with("content-encoding", "gzip")
        } else {
            Response::ok(self.content_type, Bytes::from_static(self.body))
        };
        response = response.with("etag", self.etag.as_str()).with("cache-control", "no-cache");
        response = response.with("vary", "accept-encoding").with("x-content-type-options", "nosniff");
        if self.content_type.starts_with("text/html") {
            response = response.with("content-security-policy", POLICY).with("referrer-policy", "no-referrer");
        }
        response
    }

    /// Weak comparison, as for If-None-Match (RFC 9110 §13.1.2).
    fn matches(&self, tags: &[u8]) -> bool {
        tags.split(|&byte| byte == b',')
            .map(<[u8]>::trim_ascii)
            .any(|tag| tag == b"*" || tag.strip_prefix(b"W/").unwrap_or(tag) == &self.etag.as_bytes()[2..])
    }
}

fn compress(body: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).and_then(|()| encoder.finish()).expect("writing to a Vec cannot fail").into()
}
