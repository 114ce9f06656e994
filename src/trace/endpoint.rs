//! The address of a collector.

use std::fmt;

use crate::client::Url;

/// Where spans are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(pub(super) Url);

impl Endpoint {
    /// What a value must look like.
    pub const EXPECTED: &str = "http://HOST:PORT, of a collector that receives OTLP over HTTP, or none";

    /// The base URL of a collector. The path `/v1/traces` is added, as the specification of the variable requires.
    pub fn parse(text: &str) -> Option<Self> {
        let mut url = Url::parse(text).filter(|url| !url.path.contains('?'))?;
        url.path = format!("{}/v1/traces", url.path.trim_end_matches('/')).into();
        Some(Self(url))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_added_to_the_base() {
        for (text, shown) in [
            ("http://localhost:4318", "http://localhost:4318/v1/traces"),
            ("http://localhost:4318/", "http://localhost:4318/v1/traces"),
            ("http://[::1]:4318/otlp", "http://[::1]:4318/otlp/v1/traces"),
        ] {
            assert_eq!(Endpoint::parse(text).unwrap().to_string(), shown);
        }
        for bad in ["localhost:4318", "https://a:4318", "http://a/?q"] {
            assert_eq!(Endpoint::parse(bad), None, "{bad}");
        }
    }
}
