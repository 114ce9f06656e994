//! How often one student and one address may ask for changes.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::http::Response;
use crate::store::admission::retry_after_seconds;
use crate::store::limits::{Limiter, Rate, client_of};

/// The limits on requests that change registrations.
#[derive(Debug)]
pub(super) struct RateLimits {
    student: Option<Limiter>,
    address: Option<Limiter>,
}

impl RateLimits {
    /// Limits with these rates; `None` is no limit.
    pub(super) fn new(student: Option<Rate>, address: Option<Rate>) -> Self {
        Self { student: student.map(Limiter::new), address: address.map(Limiter::new) }
    }

    /// Counts a request from `address`.
    ///
    /// # Errors
    /// A response with status 429.
    pub(super) fn check_address(&self, address: IpAddr) -> Result<(), Response> {
        let limit = self.address.as_ref();
        limit.map_or(Ok(()), |limit| limit.check(&client_of(address), Instant::now())).map_err(too_many)
    }

    /// Counts a request for `student`.
    ///
    /// # Errors
    /// A response with status 429.
    pub(super) fn check_student(&self, student: &str) -> Result<(), Response> {
        let limit = self.student.as_ref();
        limit.map_or(Ok(()), |limit| limit.check(student, Instant::now())).map_err(too_many)
    }
}

fn too_many(wait: Duration) -> Response {
    let response = Response::error(429, "too many requests: wait a moment");
    response.with("retry-after", retry_after_seconds(wait).to_string()).with("cache-control", "no-store")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
        response.headers.iter().find(|(header, _)| *header == name).map(|(_, value)| &**value)
    }

    #[test]
    fn refusals_for_too_many_requests() {
        let limits =
            RateLimits::new(Some(Rate { per_second: 1.0, burst: 2 }), Some(Rate { per_second: 1.0, burst: 3 }));
        let address: IpAddr = "2001:db8::1".parse().unwrap();
        assert!((0..2).all(|_| limits.check_student("ann").is_ok()));
        let refused = limits.check_student("ann").unwrap_err();
        assert_eq!((refused.status, header(&refused, "retry-after")), (429, Some("1")));
        assert!((0..3).all(|_| limits.check_address(address).is_ok()));
        assert_eq!(limits.check_address("2001:db8::2".parse().unwrap()).unwrap_err().status, 429);
        let off = RateLimits::new(None, None);
        assert!((0..1000).all(|_| off.check_student("ann").is_ok() && off.check_address(address).is_ok()));
    }
}
