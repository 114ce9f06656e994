//! The request methods that this server knows.

use super::response::Reject;

/// The methods of RFC 9110 §9 and PATCH. Any other token is answered 501.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the methods")]
pub enum Method {
    #[default]
    Get,
    Head,
    Post,
    Put,
    Delete,
    Options,
    Trace,
    Patch,
}

impl Method {
    /// The method, or 501 for a token that no standard defines (RFC 9110 §15.6.2).
    pub(super) fn parse(token: &str) -> Result<Self, Reject> {
        Ok(match token {
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "DELETE" => Self::Delete,
            // A tunnel is offered nowhere, and what follows such a request is not HTTP.
            "CONNECT" => return Err(Reject::new(405, "CONNECT is not supported")),
            "OPTIONS" => Self::Options,
            "TRACE" => Self::Trace,
            "PATCH" => Self::Patch,
            _ => return Err(Reject::new(501, "unknown method")),
        })
    }
}
