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
    AnswerTimeout,
    ClosedEarly,
    BadResponse,
    Status(u16),
    Unreachable,
    NoLocalPort,
    NoDescriptor,
    NoMemory,
    WorkerLost,
    Other(i32),
}

impl Failure {
    /// The key in the JSON summary.
    pub(super) fn name(self) -> String {
        match self {
            Self::Refused => "refused".into(),
            Self::Reset => "reset".into(),
            Self::ConnectTimeout => "connect_timeout".into(),
            Self::AnswerTimeout => "timeout".into(),
            Self::ClosedEarly => "closed_early".into(),
            Self::BadResponse => "bad_response".into(),
            Self::Status(status) => format!("status_{status}"),
            Self::Unreachable => "unreachable".into(),
            Self::NoLocalPort => "no_local_port".into(),
            Self::NoDescriptor => "no_descriptor".into(),
            Self::NoMemory => "no_memory".into(),
            Self::WorkerLost => "worker_lost".into(),
            Self::Other(errno) => format!("os_error_{errno}"),
        }
    }

    /// Sorts a socket error.
    pub(super) fn from_io(error: &io::Error) -> Self {
        let errno = Errno::from_raw(error.raw_os_error().unwrap_or(0));
        match errno {
            Errno::ECONNREFUSED => Self::Refused,
            Errno::ECONNRESET | Errno::EPIPE | Errno::ECONNABORTED => Self::Reset,
            Errno::ETIMEDOUT => Self::ConnectTimeout,
            Errno::EHOSTUNREACH | Errno::ENETUNREACH | Errno::ENETDOWN | Errno::EHOSTDOWN => Self::Unreachable,
            Errno::EADDRNOTAVAIL | Errno::EADDRINUSE => Self::NoLocalPort,
            Errno::EMFILE | Errno::ENFILE => Self::NoDescriptor,
            Errno::ENOMEM | Errno::ENOBUFS => Self::NoMemory,
            other => Self::Other(other as i32),
        }
    }
}

/// What a failure means, in a few words, from its JSON key.
pub(super) fn explain(name: &str) -> &'static str {
    match name {
        "refused" => "nothing listens there, or the server turned the connection away",
        "reset" => "the server broke the connection off",
        "connect_timeout" => "no answer to the connection attempt: accept queue full, or packets lost",
        "timeout" => "no complete answer in time",
        "closed_early" => "the server closed a connection that was still wanted",
        "bad_response" => "the answer was not valid HTTP/1.1",
        "status_408" => "the server gave up waiting for the request",
        "status_429" | "status_503" => "the server shed load",
        "unreachable" => "no route to the host",
        "no_local_port" => "no free local port: widen net.ipv4.ip_local_port_range, wait a minute, or add --source",
        "no_descriptor" => "too many open files on this machine",
        "no_memory" => "this machine's kernel had no memory for another socket",
        "worker_lost" => "a client process died before it could report",
        name if name.starts_with("status_") => "the server answered, but not with success",
        _ => "the operating system's error number",
    }
}

/// A latency histogram in microseconds, one to 3.6 × 10⁹ (one hour), three significant digits.
#[derive(Clone, Debug)]
pub(super) struct Latency(Histogram<u64>);

impl Default for Latency {
    fn default() -> Self {
        Self(Histogram::new_with_bounds(1, 3_600_000_000, 3).expect("the bounds are constant and valid"))
    }
}

impl Latency {
    pub(super) fn record(&mut self, duration: Duration) {
        self.0.saturating_record(duration.as_micros() as u64);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.0.add(&other.0).expect("both have the same bounds");
    }

    pub(super) fn count(&self) -> u64 {
        self.0.len()
    }

    pub(super) fn mean(&self) -> Duration {
        Duration::from_secs_f64(self.0.mean() / 1e6)
    }

    pub(super) fn min(&self) -> Duration {
        Duration::from_micros(self.0.min())
    }

    pub(super) fn max(&self) -> Duration {
        Duration::from_micros(self.0.max())
    }

    /// The value below which the fraction `quantile` (0 to 1) of all lies.
    pub(super) fn at(&self, quantile: f64) -> Duration {
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
pub(super) struct Tally {
    /// Connections that were established.
    pub(super) connected: u64,
    /// Answers with a 2xx status, complete.
    pub(super) answered: u64,
    /// Connections opened during the hold in place of ones the server had closed between requests.
    pub(super) replaced: u64,
    /// Requests that this client itself sent more than 10 ms after they were due.
    pub(super) late: u64,
    /// Bytes received, heads included.
    pub(super) bytes: u64,
    /// Failures by [`Failure::name`].
    pub(super) failures: BTreeMap<String, u64>,
    /// From the instant a connection was due until it was established.
    pub(super) connect: Latency,
    /// From the first request of a connection until its answer was complete (2xx only).
    pub(super) first: Latency,
    /// From the instant a paced request was due until its answer was complete (2xx only).
    pub(super) paced: Latency,
}

impl Tally {
    pub(super) fn fail(&mut self, failure: Failure) {
        self.fail_n(failure, 1);
    }

    pub(super) fn fail_n(&mut self, failure: Failure, count: u64) {
        *self.failures.entry(failure.name()).or_default() += count;
    }

    /// All failures together.
    pub(super) fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    pub(super) fn merge(&mut self, other: &Self) {
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
            (Errno::EACCES, "os_error_13"),
        ] {
            assert_eq!(Failure::from_io(&io::Error::from(errno)).name(), name);
        }
    }
}
