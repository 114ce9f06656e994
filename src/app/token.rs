//! The access token of pages and measurements: in `Authorization`, in a page's address, and from there in a cookie.

use sha2::{Digest as _, Sha256};

use super::route::Route;
use crate::config::Secret;
use crate::http::{Head, Method, Response};

/// The cookie in which a browser keeps that it has shown the token.
const COOKIE: &str = "fastgo_token";

/// A longer value is no token.
const MAX_SHOWN: usize = 256;

/// A year, in seconds.
const KEPT: u32 = 31_536_000;

const HTML: &str = "text/html; charset=utf-8";

/// What a page of the token's form may do.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const FORM: &str = include_str!("token.html");

/// The token, as hashes: comparing them takes a time that says nothing about it.
pub(super) struct Token {
    token: [u8; 32],
    /// What the cookie holds, which must not be the token itself.
    cookie: String,
}

/// What a request shows, for routes that may ask for it.
#[derive(Debug, Default)]
pub(super) struct Credentials {
    bearer: Option<Box<[u8]>>,
    cookie: Option<Box<[u8]>>,
    /// The query of a page, when it has a token.
    query: Option<Box<str>>,
    path: Option<Box<str>>,
}

impl Credentials {
    /// `None` where a request shows nothing, or nothing is asked for.
    pub(super) fn of(route: Route, head: &Head<'_>) -> Option<Box<Self>> {
        if !route.is_guarded() {
            return None;
        }
        let is_page = matches!(route, Route::Asset(_));
        let short = |value: &[u8]| (value.len() <= MAX_SHOWN).then(|| Box::from(value));
        let bearer = head.authorization.and_then(|value| short(bearer(value)?));
        let cookie = head.cookie.and_then(|value| short(cookie(value)?));
        let query = Some(head.query).filter(|query| is_page && parameter(query).is_some());
        let path = query.map(|_| head.path.into());
        let shown = Self { bearer, cookie, query: query.map(Into::into), path };
        (shown.bearer.is_some() || shown.cookie.is_some() || shown.query.is_some()).then(|| Box::new(shown))
    }
}

impl Token {
    pub(super) fn new(secret: &Secret) -> Self {
        let cookie = Sha256::digest([b"fastgo cookie ", secret.reveal().as_bytes()].concat());
        Self { token: Sha256::digest(secret.reveal()).into(), cookie: hex(&cookie) }
    }

    /// The response to a request that does not show the token, or that shows it in an address: a browser then keeps it in
    /// a cookie and asks again without.
    pub(super) fn refusal(&self, route: Route, method: Method, shown: Option<&Credentials>) -> Option<Response> {
        if let Some((query, path)) = shown.and_then(|shown| shown.query.as_deref().zip(shown.path.as_deref()))
            && parameter(query).is_some_and(|token| self.is(token.as_bytes()))
        {
            return Some(self.keep(path, query));
        }
        let by_bearer = shown.and_then(|shown| shown.bearer.as_deref()).is_some_and(|token| self.is(token));
        let by_cookie = shown.and_then(|shown| shown.cookie.as_deref());
        if by_bearer || by_cookie.is_some_and(|cookie| is_same(cookie, self.cookie.as_bytes())) {
            return None;
        }
        let response = if matches!(route, Route::Asset(_)) && method == Method::Get {
            let page = Response { status: 401, ..Response::ok(HTML, FORM) };
            page.with("content-security-policy", POLICY).with("referrer-policy", "no-referrer")
        } else {
            Response::error(401, "the access token is missing or wrong")
        };
        Some(response.with("www-authenticate", "Bearer realm=\"fastgo\"").with("cache-control", "no-store"))
    }

    fn is(&self, token: &[u8]) -> bool {
        is_same(&Sha256::digest(token), &self.token)
    }

    fn keep(&self, path: &str, query: &str) -> Response {
        let rest: Vec<_> = query.split('&').filter(|pair| !is_parameter(pair)).collect();
        let mark = if rest.is_empty() { "" } else { "?" };
        let response = Response { status: 303, ..Response::ok("text/plain; charset=utf-8", "") };
        let cookie = format!("{COOKIE}={}; Path=/; Max-Age={KEPT}; HttpOnly; SameSite=Lax", self.cookie);
        let response = response.with("location", format!("{path}{mark}{}", rest.join("&"))).with("set-cookie", cookie);
        response.with("cache-control", "no-store").with("referrer-policy", "no-referrer")
    }
}

/// Whether two values are equal, in a time that depends on their lengths alone.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len()
        && one.iter().zip(other).fold(0, |difference, (one, other)| difference | (one ^ other)) == 0
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// The token in `Authorization: Bearer TOKEN`.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| rest.trim_ascii())
}

/// This server's cookie among those in `Cookie`.
fn cookie(value: &[u8]) -> Option<&[u8]> {
    let mut pairs = value.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
    pairs.find_map(|pair| pair.strip_prefix(COOKIE.as_bytes())?.strip_prefix(b"="))
}

fn is_parameter(pair: &str) -> bool {
    pair == "token" || pair.starts_with("token=")
}

/// The token in a query. It holds no character that would be encoded there.
fn parameter(query: &str) -> Option<&str> {
    query.split('&').find_map(|pair| pair.strip_prefix("token="))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_in_three_ways() {
        assert_eq!(bearer(b"bearer  abc "), Some(&b"abc"[..]));
        assert_eq!(bearer(b"Basic abc"), None);
        assert_eq!(bearer(b"Bearer"), None);
        assert_eq!(cookie(b"a=b; fastgo_token=12; fastgo_token2=3"), Some(&b"12"[..]));
        assert_eq!(cookie(b"xfastgo_token=12"), None);
        assert_eq!(parameter("engines=a&token=abc"), Some("abc"));
        assert_eq!(parameter("tokens=abc"), None);
    }

    #[test]
    fn the_cookie_is_not_the_token() {
        let token = Token::new(&Secret::new("a-token-of-some-length"));
        assert!(token.is(b"a-token-of-some-length") && !token.is(b"a-token-of-some-lengtH") && !token.is(b""));
        assert!(!token.is(token.cookie.as_bytes()));
        let kept = token.keep("/compare3", "token=x&engines=a,b&token");
        let header = |name| kept.headers.iter().find(|(field, _)| *field == name).map(|(_, value)| value.to_string());
        assert_eq!(header("location").as_deref(), Some("/compare3?engines=a,b"));
        assert!(header("set-cookie").is_some_and(|cookie| !cookie.contains("a-token")));
    }
}
