//! What is counted: outcomes, failures by kind, and latency histograms that add up across processes.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use hdrhistogram::Histogram;
use nix::errno::Errno;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One way a connection or a request can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    Refused,
    Reset,
    ConnectTimeout,
    ResponseTimeout,
    ClosedEarly,
    BadResponse,
    Status(u16),
    Unreachable,
    NoLocalPort,
    NoDescriptor,
    NoMemory,
    ClientLost,
    Other(i32),
}

impl Failure {
    /// The key in the JSON summary.
    pub(super) fn name(self) -> String {
        match self {
            Self::Refused => "refused".into(),
            Self::Reset => "reset".into(),
            Self::ConnectTimeout => "connect_timeout".into(),
            Self::ResponseTimeout => "timeout".into(),
            Self::ClosedEarly => "closed_early".into(),
            Self::BadResponse => "bad_response".into(),
            Self::Status(status) => format!("status_{status}"),
            Self::Unreachable => "unreachable".into(),
            Self::NoLocalPort => "no_local_port".into(),
            Self::NoDescriptor => "no_descriptor".into(),
            Self::NoMemory => "no_memory".into(),
            Self::ClientLost => "client_lost".into(),
            Self::Other(errno) => format!("os_error_{errno}"),
        }
    }

    /// Sorts an error of a connection attempt.
    pub(super) fn from_connect(error: &io::Error) -> Self {
        if error.raw_os_error() == Some(Errno::ETIMEDOUT as i32) { Self::ConnectTimeout } else { Self::from_io(error) }
    }

    /// Sorts an error of an open connection.
    pub(super) fn from_io(error: &io::Error) -> Self {
        let errno = Errno::from_raw(error.raw_os_error().unwrap_or(0));
        match errno {
            Errno::ECONNREFUSED => Self::Refused,
            Errno::ECONNRESET | Errno::EPIPE | Errno::ECONNABORTED => Self::Reset,
            // The peer no longer acknowledges what is sent.
            Errno::ETIMEDOUT => Self::ResponseTimeout,
            Errno::EHOSTUNREACH | Errno::ENETUNREACH | Errno::ENETDOWN | Errno::EHOSTDOWN => Self::Unreachable,
            Errno::EADDRNOTAVAIL | Errno::EADDRINUSE => Self::NoLocalPort,
            Errno::EMFILE | Errno::ENFILE => Self::NoDescriptor,
            Errno::ENOMEM | Errno::ENOBUFS => Self::NoMemory,
            other => Self::Other(other as i32),
        }
    }
}

/// What a failure means, from its JSON key.
pub(crate) fn explain(name: &str) -> &'static str {
    match name {
        "refused" => "connection refused: nothing listens on this port",
        "reset" => "the server reset the connection",
        "connect_timeout" => "no answer to the connection attempt: accept queue full, or packets lost",
        "timeout" => "no complete response in time",
        "closed_early" => "the server closed the connection unexpectedly",
        "bad_response" => "the response was not valid HTTP/1.1",
        "status_408" => "the request waited too long in the server (408)",
        "status_429" => "the server limits the rate (429)",
        "status_503" => "the server is overloaded (503)",
        "unreachable" => "no route to the host",
        "no_local_port" => "no free local port: widen net.ipv4.ip_local_port_range, wait a minute, or add --source",
        "no_descriptor" => "too many open files on this machine",
        "no_memory" => "this machine's kernel had no memory for another socket",
        "client_lost" => "a client process ended before it could report",
        name if name.starts_with("status_") => "the server answered with an error",
        _ => "the operating system's error number",
    }
}

/// A latency histogram in microseconds, one to 3.6 × 10⁹ (one hour), three significant digits.
#[derive(Clone, Debug)]
pub(crate) struct Latency(Histogram<u64>);

impl Default for Latency {
    fn default() -> Self {
        Self(Histogram::new_with_bounds(1, 3_600_000_000, 3).expect("the bounds are constant and valid"))
    }
}

impl Latency {
    pub(crate) fn record(&mut self, duration: Duration) {
        self.0.saturating_record(duration.as_micros() as u64);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.0.add(&other.0).expect("both have the same bounds");
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }

    pub(crate) fn mean(&self) -> Duration {
        Duration::from_secs_f64(self.0.mean() / 1e6)
    }

    pub(crate) fn min(&self) -> Duration {
        Duration::from_micros(self.0.min())
    }

    pub(crate) fn max(&self) -> Duration {
        Duration::from_micros(self.0.max())
    }

    /// The value below which the fraction `quantile` (0 to 1) of all lies.
    pub(crate) fn at(&self, quantile: f64) -> Duration {
        Duration::from_micros(self.0.value_at_quantile(quantile))
    }
}

/// As pairs of value and count, only those that occurred: the form in which a process hands it on.
impl Serialize for Latency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(
            self.0.iter_recorded().map(|step| (step.value_iterated_to(), step.count_since_last_iteration())),
        )
    }
}

impl<'de> Deserialize<'de> for Latency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut latency = Self::default();
        for (value, count) in Vec::<(u64, u64)>::deserialize(deserializer)? {
            latency.0.saturating_record_n(value, count);
        }
        Ok(latency)
    }
}

/// Everything that adds up: over time in one process, then over all processes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Tally {
    /// Connections that were established.
    pub(crate) connected: u64,
    /// Complete responses with a 2xx status.
    pub(crate) answered: u64,
    /// Connections opened during the hold in place of ones the server had closed between requests.
    pub(crate) replaced: u64,
    /// Requests that this client itself sent more than 10 ms after they were due.
    pub(crate) late: u64,
    /// Bytes received, heads included.
    pub(crate) bytes: u64,
    /// Failures by [`Failure::name`].
    pub(crate) failures: BTreeMap<String, u64>,
    /// From the instant a connection was due until it was established.
    pub(crate) connect: Latency,
    /// From the first request of a connection until its response was complete (2xx only).
    pub(crate) first: Latency,
    /// From the instant a paced request was due until its response was complete (2xx only).
    pub(crate) paced: Latency,
}

impl Tally {
    pub(super) fn fail(&mut self, failure: Failure) {
        *self.failures.entry(failure.name()).or_default() += 1;
    }

    /// All failures together.
    pub(crate) fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    /// Whether so many requests left late that it shows in the quantiles of the paced latency.
    pub(crate) fn is_late(&self) -> bool {
        self.late * 1_000 > self.paced.count()
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.connected += other.connected;
        self.answered += other.answered;
        self.replaced += other.replaced;
        self.late += other.late;
        self.bytes += other.bytes;
        for (name, count) in &other.failures {
            *self.failures.entry(name.clone()).or_default() += count;
        }
        self.connect.merge(&other.connect);
        self.first.merge(&other.first);
        self.paced.merge(&other.paced);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tally_survives_the_way_to_another_process_and_adds_up() {
        let mut one = Tally::default();
        for micros in 1..=10_000_u64 {
            one.first.record(Duration::from_micros(micros));
        }
        one.answered = 10_000;
        one.fail(Failure::Status(503));
        let wire = serde_json::to_string(&one).unwrap();
        let mut sum: Tally = serde_json::from_str(&wire).unwrap();
        sum.merge(&one);
        assert_eq!(sum.answered, 20_000);
        assert_eq!(sum.failures["status_503"], 2);
        assert_eq!(sum.failed(), 2);
        assert_eq!(sum.first.count(), 20_000);
        for quantile in [0.5, 0.99, 1.0] {
            assert_eq!(sum.first.at(quantile), one.first.at(quantile));
        }
        let median = sum.first.at(0.5).as_micros();
        assert!((4_990..=5_010).contains(&median), "{median}");
    }

    #[test]
    fn socket_errors_are_sorted_by_number() {
        for (errno, name) in [
            (Errno::ECONNREFUSED, "refused"),
            (Errno::ECONNRESET, "reset"),
            (Errno::EADDRNOTAVAIL, "no_local_port"),
            (Errno::EMFILE, "no_descriptor"),
            (Errno::ETIMEDOUT, "timeout"),
            (Errno::EACCES, "os_error_13"),
        ] {
            assert_eq!(Failure::from_io(&io::Error::from(errno)).name(), name);
        }
        assert_eq!(Failure::from_connect(&io::Error::from(Errno::ETIMEDOUT)).name(), "connect_timeout");
        assert_eq!(Failure::from_connect(&io::Error::from(Errno::ECONNREFUSED)).name(), "refused");
    }
}
