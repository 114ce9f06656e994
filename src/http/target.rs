//! The request target: which forms are accepted (RFC 9112 §3.2) and the path they name.

use super::head::Method;
use super::response::Reject;

/// The path of `target`, without its query. Accepts origin-form, absolute-form for `http`, and `*` for OPTIONS.
///
/// What passes here is a subset of what the `http` crate's `Uri` accepts, so hyper never refuses a target that the
/// shared rules admitted.
pub(super) fn path_of(method: Method, target: &str) -> Result<&str, Reject> {
    if target.starts_with('/') {
        return origin_form(target);
    }
    match method {
        Method::Options if target == "*" => Ok(target),
        _ => absolute_form(target),
    }
}

fn origin_form(target: &str) -> Result<&str, Reject> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    if path.bytes().all(is_path_byte) && query.bytes().all(is_query_byte) {
        Ok(path)
    } else {
        Err(Reject::bad_request("the request target has a character that must be percent-encoded"))
    }
}

fn absolute_form(target: &str) -> Result<&str, Reject> {
    let invalid = Err(Reject::bad_request("the request target is neither a path nor an http URL"));
    let Some(scheme_end) = target.find("://") else { return invalid };
    if !target[..scheme_end].eq_ignore_ascii_case("http") {
        return invalid;
    }
    let rest = &target[scheme_end + 3..];
    let authority_end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(authority_end);
    if authority.is_empty() || !is_host(authority.as_bytes()) || target.parse::<http::Uri>().is_err() {
        return invalid;
    }
    match path {
        "" => Ok("/"),
        _ if path.starts_with('?') => origin_form_query(path).map(|()| "/"),
        _ => origin_form(path),
    }
}

fn origin_form_query(query: &str) -> Result<(), Reject> {
    if query.bytes().all(is_query_byte) {
        Ok(())
    } else {
        Err(Reject::bad_request("the request target has a character that must be percent-encoded"))
    }
}

/// Whether `value` can be a `Host` field value: `uri-host [ ":" port ]` (RFC 9110 §7.2). Empty is allowed there.
pub(super) fn is_host(value: &[u8]) -> bool {
    let host_end = match value.first() {
        Some(b'[') => match value.iter().position(|&byte| byte == b']') {
            Some(end) => end + 1,
            None => return false,
        },
        _ => value.iter().position(|&byte| byte == b':').unwrap_or(value.len()),
    };
    let (host, port) = value.split_at(host_end);
    let host_is_valid = match host {
        [b'[', address @ .., b']'] => {
            !address.is_empty() && address.iter().all(|&byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.'))
        }
        _ => host.iter().all(|&byte| {
            byte.is_ascii_alphanumeric()
                || matches!(
                    byte,
                    b'-' | b'.'
                        | b'_'
                        | b'~'
                        | b'%'
                        | b'!'
                        | b'$'
                        | b'&'
                        | b'\''
                        | b'('
                        | b')'
                        | b'*'
                        | b'+'
                        | b';'
                        | b'='
                )
        }),
    };
    let port_is_valid = match port {
        [] => true,
        [b':', digits @ ..] => digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    host_is_valid && port_is_valid
}

fn is_path_byte(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x24..=0x3B | 0x3D | 0x40..=0x5F | 0x61..=0x7A | 0x7C | 0x7E)
}

fn is_query_byte(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x24..=0x3B | 0x3D | 0x3F..=0x7E)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_accepted_form_yields_its_path() {
        for (method, target, path) in [
            (Method::Get, "/", "/"),
            (Method::Get, "/health?deep=1", "/health"),
            (Method::Get, "/a?x={}|^`", "/a"),
            (Method::Get, "http://pi.local", "/"),
            (Method::Get, "HTTP://pi.local:8080/metrics?x", "/metrics"),
            (Method::Get, "http://[::1]:8080?q", "/"),
            (Method::Options, "*", "*"),
        ] {
            assert_eq!(path_of(method, target).unwrap(), path, "{target}");
        }
    }

    #[test]
    fn anything_else_is_a_bad_request() {
        for target in [
            "*",
            "health",
            "ftp://x/",
            "http://",
            "http://u@h/",
            "http://h:99999999/",
            "/a#b",
            "/a<b",
            "/ü",
            "//\u{7f}",
        ] {
            assert_eq!(path_of(Method::Get, target).unwrap_err().status, 400, "{target}");
        }
    }

    #[test]
    fn what_passes_here_passes_hypers_uri_parser() {
        for byte in 0x21..0x7F_u8 {
            let path = format!("/a{}b", char::from(byte));
            let query = format!("/a?{}b", char::from(byte));
            for target in [path, query] {
                if path_of(Method::Get, &target).is_ok() {
                    assert!(target.parse::<http::Uri>().is_ok(), "{target}");
                }
            }
        }
    }

    #[test]
    fn host_values() {
        for good in ["", "pi", "pi.local:8080", "[::1]", "[fe80::1]:80", "192.168.1.2:80", "a_b"] {
            assert!(is_host(good.as_bytes()), "{good}");
        }
        for bad in ["a b", "a,b", "a/b", "u@h", "h:port", "[::1", "[]", "h:123456", "a\\b", "h:80:80", "[::1]x"] {
            assert!(!is_host(bad.as_bytes()), "{bad}");
        }
    }
}
