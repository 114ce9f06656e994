//! Which route a request is for.

use super::assets::{self, Asset};
use crate::history::Window;
use crate::http::{Head, Method};
use crate::metrics::Endpoint;
use crate::store::model::RegistrationId;

/// Where a request goes.
#[derive(Debug, Clone, Copy)]
pub enum Route {
    /// `/`
    Process,
    /// `/health`
    Health,
    /// `/metrics`
    Metrics,
    /// `/sse/metrics`
    Events,
    /// `/history`, with the window that was asked for, if it exists.
    History(Option<Window>),
    /// `/runs`
    Runs,
    /// `/runs/ID`
    Run(u32),
    /// `/courses`
    Courses,
    /// `/sse/courses`
    CourseEvents,
    /// `/registrations`
    Registrations,
    /// `/registrations/ID`; `None` where no registration can have the id.
    Registration(Option<RegistrationId>),
    /// A page or one of its assets.
    Asset(&'static Asset),
    /// `*`, the server as a whole, in an OPTIONS request.
    Server,
    /// No route.
    NotFound,
    /// `/test/hang`
    #[cfg(feature = "test-hooks")]
    Hang,
}

impl Route {
    pub(super) fn of(head: &Head<'_>) -> Self {
        match head.path {
            "/" => Self::Process,
            "*" => Self::Server,
            "/health" => Self::Health,
            "/metrics" => Self::Metrics,
            "/sse/metrics" => Self::Events,
            "/courses" => Self::Courses,
            "/sse/courses" => Self::CourseEvents,
            "/registrations" => Self::Registrations,
            "/history" => Self::History(window(head.query)),
            // The page of the same name is for clients that accept HTML.
            "/runs" if !wants_page(head) => Self::Runs,
            #[cfg(feature = "test-hooks")]
            "/test/hang" => Self::Hang,
            path => {
                if let Some(id) = path.strip_prefix("/registrations/") {
                    Self::Registration(id.parse().ok())
                } else if let Some(id) = path.strip_prefix("/runs/") {
                    run_id(id).map_or(Self::NotFound, Self::Run)
                } else {
                    assets::find(path).map_or(Self::NotFound, Self::Asset)
                }
            }
        }
    }

    /// Whether its requests are traced: those that take work.
    pub(super) fn is_traced(self) -> bool {
        matches!(self, Self::Process | Self::Registrations | Self::Registration(_))
    }

    /// Whether it shows how the server is doing, which may need the access token.
    pub(super) fn is_guarded(self) -> bool {
        match self {
            Self::Asset(asset) => !asset.is_public(),
            Self::Metrics | Self::Events | Self::History(_) | Self::Runs | Self::Run(_) => true,
            _ => false,
        }
    }

    /// The label under which it is counted.
    pub fn endpoint(self) -> Endpoint {
        match self {
            Self::Process => Endpoint::Process,
            Self::Health => Endpoint::Health,
            Self::Metrics => Endpoint::Metrics,
            Self::Events => Endpoint::Events,
            Self::Courses | Self::CourseEvents => Endpoint::Courses,
            Self::Registrations | Self::Registration(_) => Endpoint::Registrations,
            // Read by the pages, and counted with them.
            Self::Asset(_) | Self::History(_) | Self::Runs | Self::Run(_) => Endpoint::Page,
            Self::Server | Self::NotFound => Endpoint::NotFound,
            #[cfg(feature = "test-hooks")]
            Self::Hang => Endpoint::NotFound,
        }
    }
}

/// The window that a query asks for; a quarter of an hour unless it says otherwise.
fn window(query: &str) -> Option<Window> {
    let name = query.split('&').find_map(|pair| pair.strip_prefix("window="));
    name.map_or(Some(Window::Quarter), Window::parse)
}

/// The number in the path of a run.
fn run_id(text: &str) -> Option<u32> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

fn wants_page(head: &Head<'_>) -> bool {
    let reads = matches!(head.method, Method::Get | Method::Head);
    reads && head.accept.is_some_and(|accept| mentions(accept, "text/html"))
}

/// Whether a comma-separated list names `name` with a weight other than zero (RFC 9110 §12.4.2).
pub(super) fn mentions(list: &[u8], name: &str) -> bool {
    list.split(|&byte| byte == b',').any(|item| {
        let mut parts = item.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
        let named = parts.next().is_some_and(|part| part.eq_ignore_ascii_case(name.as_bytes()));
        let refused = |part: &[u8]| {
            let weight = part.strip_prefix(b"q=").or_else(|| part.strip_prefix(b"Q="));
            weight.is_some_and(|weight| weight.iter().all(|byte| matches!(byte, b'0' | b'.')))
        };
        named && !parts.any(refused)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_with_weights() {
        assert!(mentions(b"br, gzip;q=0.5", "gzip"));
        assert!(mentions(b"application/openmetrics-text;version=1.0.0;q=0.6,text/plain;q=0.3", "text/plain"));
        assert!(!mentions(b"gzip;q=0", "gzip"));
        assert!(!mentions(b"gzip;q=0.000", "gzip"));
        assert!(!mentions(b"", "gzip"));
    }
}
