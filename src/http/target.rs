//! The request target: which forms are accepted (RFC 9112 §3.2) and the path they name.

use std::net::Ipv6Addr;

use super::method::Method;
use super::response::Reject;

/// The path of `target` and what follows its question mark. Accepts origin-form, absolute-form for `http`, and `*` for OPTIONS.
pub(super) fn path_and_query(method: Method, target: &str) -> Result<(&str, &str), Reject> {
    match target.as_bytes() {
        [b'/', ..] => origin_form(target),
        b"*" if method == Method::Options => Ok((target, "")),
        _ => absolute_form(target),
    }
}

fn origin_form(target: &str) -> Result<(&str, &str), Reject> {
    let end = target.bytes().position(|byte| byte == b'?').unwrap_or(target.len());
    let (path, query) = (&target[..end], target.get(end + 1..).unwrap_or_default());
    if path.bytes().all(is_path_byte) && query.bytes().all(is_query_byte) {
        Ok((path, query))
    } else {
        Err(Reject::bad_request("the request target has a character that must be percent-encoded"))
    }
}

fn absolute_form(target: &str) -> Result<(&str, &str), Reject> {
    let invalid = Err(Reject::bad_request("the request target is neither a path nor an http URL"));
    let Some(scheme_end) = target.find("://") else { return invalid };
    if !target[..scheme_end].eq_ignore_ascii_case("http") {
        return invalid;
    }
    let rest = &target[scheme_end + 3..];
    let authority_end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(authority_end);
    if authority.is_empty() || !is_host(authority.as_bytes()) {
        return invalid;
    }
    let (path, query) = origin_form(path)?;
    Ok((if path.is_empty() { "/" } else { path }, query))
}

/// Whether `value` can be a `Host` field value: `uri-host [ ":" port ]` (RFC 9110 §7.2, RFC 3986 §3.2.2). Empty is allowed
/// there.
pub(super) fn is_host(value: &[u8]) -> bool {
    if let [b'[', rest @ ..] = value {
        let Some(end) = rest.iter().position(|&byte| byte == b']') else { return false };
        return is_ip_literal(&rest[..end]) && is_port_suffix(&rest[end + 1..]);
    }
    let end = value.iter().position(|&byte| byte == b':').unwrap_or(value.len());
    is_registered_name(&value[..end]) && is_port_suffix(&value[end..])
}

/// An IPv6 address, or `v` and a version before an address of the future.
fn is_ip_literal(literal: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(literal) else { return false };
    let Some(future) = text.strip_prefix(['v', 'V']) else { return text.parse::<Ipv6Addr>().is_ok() };
    future.split_once('.').is_some_and(|(version, address)| {
        !version.is_empty()
            && version.bytes().all(|byte| byte.is_ascii_hexdigit())
            && !address.is_empty()
            && address.bytes().all(|byte| byte == b':' || is_name_byte(byte))
    })
}

/// A name or an IPv4 address; a `%` must begin an encoded byte.
fn is_registered_name(name: &[u8]) -> bool {
    let is_plain = |part: &[u8]| part.iter().copied().all(is_name_byte);
    let mut parts = name.split(|&byte| byte == b'%');
    parts.next().is_none_or(is_plain)
        && parts.all(|part| match part {
            [high, low, rest @ ..] => high.is_ascii_hexdigit() && low.is_ascii_hexdigit() && is_plain(rest),
            _ => false,
        })
}

/// Nothing, or a colon and a port that fits 16 bits or is empty.
fn is_port_suffix(suffix: &[u8]) -> bool {
    let [b':', digits @ ..] = suffix else { return suffix.is_empty() };
    let significant = digits.iter().position(|&digit| digit != b'0').map_or(&[][..], |start| &digits[start..]);
    digits.iter().all(u8::is_ascii_digit) && significant.len() <= 5
}

/// `unreserved` or `sub-delims` of RFC 3986 §2.
fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'='
        )
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
    fn every_accepted_form_yields_its_path_and_query() {
        for (method, target, path, query) in [
            (Method::Get, "/", "/", ""),
            (Method::Get, "/a?", "/a", ""),
            (Method::Get, "/health?deep=1", "/health", "deep=1"),
            (Method::Get, "/a?x={}|^`?y", "/a", "x={}|^`?y"),
            (Method::Get, "http://pi.local", "/", ""),
            (Method::Get, "HTTP://pi.local:8080/metrics?x", "/metrics", "x"),
            (Method::Get, "http://[::1]:8080?q", "/", "q"),
            (Method::Options, "*", "*", ""),
        ] {
            assert_eq!(path_and_query(method, target).unwrap(), (path, query), "{target}");
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
            assert_eq!(path_and_query(Method::Get, target).unwrap_err().status, 400, "{target}");
        }
    }

    #[test]
    fn host_values() {
        for good in [
            "",
            "pi",
            "pi.local:8080",
            "[::1]",
            "[fe80::1]:80",
            "192.168.1.2:80",
            "a_b",
            "a%41",
            "a,b",
            "a:",
            "a:000080",
            "[v1.a]",
            "[::ffff:1.2.3.4]",
        ] {
            assert!(is_host(good.as_bytes()), "{good}");
        }
        for bad in [
            "a b", "a%zz", "%", "a%4", "[1]", "[1.2.3]", "[::::]", "[v.a]", "a/b", "u@h", "h:port", "[::1", "[]",
            "h:123456", "a\\b", "h:80:80", "[::1]x",
        ] {
            assert!(!is_host(bad.as_bytes()), "{bad}");
        }
    }
}
