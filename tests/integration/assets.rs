//! The embedded pages and their assets: revalidation, compression and the policy that keeps them to their own origin.

use std::io::Read;
use std::path::Path;

use crate::common::{Response, Server, every_engine};

/// A browser's: `/runs` is a page only for one.
const ACCEPT: &str = "Accept: text/html,*/*\r\n";

const PAGES: [&str; 3] = ["/dashboard", "/compare", "/compare3"];

/// Every file that is embedded: its URL path and its content.
fn files() -> Vec<(String, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("static");
    let (mut files, mut folders) = (Vec::new(), vec![root.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().expect("a folder").flatten() {
            let path = entry.path();
            let name = path.strip_prefix(&root).expect("a file of static").to_string_lossy().into_owned();
            match name.strip_suffix(".html") {
                _ if path.is_dir() => folders.push(path),
                Some(page) => files.push((format!("/{page}"), std::fs::read(path).expect("a page"))),
                None => files.push((format!("/static/{name}"), std::fs::read(path).expect("an asset"))),
            }
        }
    }
    let (_, compare) = files.iter().find(|(path, _)| path == "/compare3").expect("the compare pages");
    files.push(("/compare".to_owned(), compare.clone()));
    assert!(PAGES.iter().all(|page| files.iter().any(|(path, _)| path == page)));
    files
}

fn gunzip(response: &Response) -> Vec<u8> {
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(&response.body[..]).read_to_end(&mut plain).expect("gzip");
    plain
}

#[test]
fn pages_are_html_under_a_strict_policy() {
    every_engine(|engine| {
        let server = Server::start(engine, &[]);
        let mut client = server.connect();
        for page in PAGES {
            let response = client.get(page, "").expect(200);
            assert_eq!(response.header("content-type"), Some("text/html; charset=utf-8"), "{page}");
            assert!(response.text().to_ascii_lowercase().starts_with("<!doctype html>"), "{page}");
            let policy = response.header("content-security-policy").expect("a policy");
            assert!(policy.contains("default-src 'none'"), "{policy}");
            assert!(policy.contains("script-src 'self'") && policy.contains("frame-ancestors 'none'"), "{policy}");
            assert!(!policy.contains("unsafe"), "{policy}");
            assert_eq!(response.header("x-content-type-options"), Some("nosniff"), "{page}");
            for reference in response.text().split(['"', '\'']).filter(|part| part.starts_with("/static/")) {
                client.get(reference, "").expect(200);
            }
            let lower = response.text().to_ascii_lowercase();
            assert!(
                !lower.contains("<style") && !lower.contains(" style="),
                "{page}: the policy forbids inline styles"
            );
            for script in lower.split("<script").skip(1) {
                assert!(script.split('>').next().is_some_and(|tag| tag.contains("src=")), "{page}: an inline script");
            }
            for elsewhere in ["src=\"http", "href=\"http", "src=\"//", "href=\"//"] {
                let links = lower.matches(elsewhere).count() - lower.matches(&format!("<a {elsewhere}")).count();
                assert_eq!(links, 0, "{page} loads something from elsewhere");
            }
        }
    });
}

#[test]
fn assets_exist_have_types_and_revalidate() {
    every_engine(|engine| {
        let server = Server::start(engine, &[]);
        let mut client = server.connect();
        for (path, content) in files() {
            let path = path.as_str();
            let full = client.get(path, ACCEPT).expect(200);
            assert!(full.body == content, "{path} is not the embedded file");
            let expected = match path.rsplit_once('.').map(|(_, extension)| extension) {
                Some("js") => "text/javascript; charset=utf-8",
                Some("css") => "text/css; charset=utf-8",
                Some("svg") => "image/svg+xml",
                Some("json" | "webmanifest") => "application/json",
                Some("png") => "image/png",
                Some("ico") => "image/x-icon",
                _ => "text/html; charset=utf-8",
            };
            assert_eq!(full.header("content-type"), Some(expected), "{path}");
            let tag = full.header("etag").expect("an ETag").to_owned();
            assert!(tag.trim_start_matches("W/").starts_with('"') && tag.ends_with('"'), "{path}: {tag}");
            assert!(full.header("cache-control").is_some(), "{path}");

            for condition in [tag.clone(), format!("\"other\", {tag}"), "*".to_owned()] {
                let fresh = client.get(path, &format!("{ACCEPT}If-None-Match: {condition}\r\n")).expect(304);
                assert_eq!(fresh.header("etag"), Some(tag.as_str()), "{path} {condition}");
                assert!(!fresh.closes(), "{path}");
            }
            let stale = client.get(path, "Accept: text/html\r\nIf-None-Match: \"other\"\r\n").expect(200);
            assert_eq!(stale.body, full.body, "{path}");
        }
    });
}

#[test]
fn text_is_compressed_for_those_who_accept_it() {
    every_engine(|engine| {
        let server = Server::start(engine, &[]);
        let mut client = server.connect();
        let mut compressed = 0;
        let files = files();
        let is_text = |path: &&str| matches!(path.rsplit('.').next(), Some("js" | "css")) || PAGES.contains(path);
        for path in files.iter().map(|(path, _)| path.as_str()).filter(is_text) {
            let plain = client.get(path, ACCEPT).expect(200);
            assert_eq!(plain.header("content-encoding"), None, "{path}");
            let small = client.get(path, "Accept-Encoding: deflate, gzip;q=0.5, br\r\n").expect(200);
            if small.header("content-encoding").is_none() {
                // Not worth it for a few hundred bytes.
                assert!(plain.body.len() < 1024, "{path} is {} bytes", plain.body.len());
                continue;
            }
            compressed += 1;
            assert_eq!(small.header("content-encoding"), Some("gzip"), "{path}");
            assert!(small.body.len() < plain.body.len(), "{path}");
            assert_eq!(gunzip(&small), plain.body, "{path}");
            for response in [&plain, &small] {
                let vary = response.header("vary").unwrap_or_default().to_ascii_lowercase();
                assert!(vary.contains("accept-encoding"), "{path}: a cache must distinguish the two");
            }
            let tag = small.header("etag").expect("an ETag");
            // Strong tags distinguish codings (RFC 9110 §8.8.3.3); a weak one may stand for both.
            assert!(tag.starts_with("W/") || Some(tag) != plain.header("etag"), "{path}: {tag}");
            client.get(path, &format!("Accept-Encoding: gzip\r\nIf-None-Match: {tag}\r\n")).expect(304);
            for refusal in ["gzip;q=0", "identity", "br", "gzip;q=0.000, *;q=0"] {
                let response = client.get(path, &format!("Accept-Encoding: {refusal}\r\n")).expect(200);
                assert_eq!(response.header("content-encoding"), None, "{path} {refusal}");
            }
        }
        assert!(compressed >= PAGES.len(), "{compressed}");
    });
}

#[test]
fn nothing_outside_the_embedded_files_can_be_reached() {
    every_engine(|engine| {
        let server = Server::start(engine, &[]);
        let mut client = server.connect();
        for path in [
            "/static",
            "/static/",
            "/static//",
            "/static/.",
            "/static/..",
            "/static/../Cargo.toml",
            "/static/%2e%2e/Cargo.toml",
            "/static/..%2fCargo.toml",
            "/static//etc/passwd",
            "/static/..\\Cargo.toml",
            "/static/%00",
            "/static/css",
            "/static/js/",
        ] {
            client.get(path, "").expect_error(404);
        }
    });
}
