//! What a stretch of seconds adds up to: requests, errors, latency, and the extremes of load and board.

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use super::super::fields::{FIELDS, Values, index};

/// Anything slower is counted as this, 10 minutes in microseconds.
const HIGHEST: u64 = 600_000_000;

const ADMITTED: usize = index("total_requests");
const SUCCESSFUL: usize = index("completed_requests");
const FAILED: usize = index("error_count");
const CLIENT_ERRORS: usize = index("responses.4xx");
const SERVER_ERRORS: usize = index("responses.5xx");
const LATE: usize = index("responses.408");
const QUEUE_REJECTED: usize = index("queue.rejected");
const CONNECTIONS_REJECTED: usize = index("connections.rejected");
const CONNECTIONS_TIMED_OUT: usize = index("connections.timed_out");
const CPU: usize = index("cpu_usage_percent");
const MEMORY: usize = index("memory_alloc_mb");
const CONNECTIONS: usize = index("active_connections");
const IN_FLIGHT: usize = index("in_flight_requests");
const QUEUE_DEPTH: usize = index("queue.depth");
const SLOWEST: usize = index("latency_ms.max");
const TEMPERATURE: usize = index("pi.temperature_c");
const CLOCK: usize = index("pi.cpu_freq_mhz");
const UNDER_VOLTAGE: usize = index("pi.under_voltage");
const THROTTLED: usize = index("pi.throttled.bits");
const BOARD_MEMORY: usize = index("pi.memory.used_percent");

/// The firmware's bits that say what applies now (bits 16 to 19 are since boot) with their names in `/metrics`.
const THROTTLED_NOW: [&str; 4] = ["under_voltage", "frequency_capped", "throttled", "soft_temperature_limit"];

/// One second with what it added to the counters.
#[derive(Debug)]
pub(super) struct Step<'a> {
    /// Unix time of its end.
    pub(super) time: u32,
    /// How long it took.
    pub(super) seconds: f64,
    pub(super) values: &'a Values,
    before: &'a Values,
    latencies: &'a Histogram<u64>,
}

impl<'a> Step<'a> {
    /// The second from `before` to `values`.
    pub(super) fn new(
        time: u32,
        seconds: f64,
        before: &'a Values,
        values: &'a Values,
        latencies: &'a Histogram<u64>,
    ) -> Self {
        Self { time, seconds, values, before, latencies }
    }

    /// How much a counter rose. Counters that are read one after another may pass each other by a little.
    fn rise(&self, counter: usize) -> f64 {
        (self.values[counter] - self.before[counter]).max(0.0)
    }

    pub(super) fn successful_per_sec(&self) -> f64 {
        self.rise(SUCCESSFUL) / self.seconds
    }

    pub(super) fn errors_per_sec(&self) -> f64 {
        self.rise(FAILED) / self.seconds
    }

    /// Requests a second, whether admitted or answered in it: under overload the two differ.
    pub(super) fn rate(&self) -> f64 {
        self.rise(ADMITTED).max(self.rise(SUCCESSFUL) + self.rise(FAILED)) / self.seconds
    }

    pub(super) fn connections(&self) -> f64 {
        self.values[CONNECTIONS]
    }

    pub(super) fn in_flight(&self) -> f64 {
        self.values[IN_FLIGHT]
    }
}

/// The sum of some seconds.
#[derive(Debug, Clone)]
pub(super) struct Tally {
    seconds: f64,
    /// How much each counter rose.
    rises: Values,
    /// The highest of each number; NaN for what was always missing.
    highest: Values,
    first_memory: f64,
    slowest_clock: f64,
    cpu_seconds: f64,
    peak_successful_per_sec: f64,
    /// The firmware's bits of now, all that were ever set; `None` where it gives none.
    throttled: Option<u32>,
    /// To two significant digits.
    latencies: Histogram<u64>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            seconds: 0.0,
            rises: [0.0; FIELDS.len()],
            highest: [f64::NAN; FIELDS.len()],
            first_memory: f64::NAN,
            slowest_clock: f64::NAN,
            cpu_seconds: 0.0,
            peak_successful_per_sec: 0.0,
            throttled: None,
            latencies: Histogram::new_with_bounds(1, HIGHEST, 2).expect("constant bounds are valid"),
        }
    }
}

impl Tally {
    pub(super) fn add(&mut self, step: &Step<'_>) {
        self.seconds += step.seconds;
        for at in 0..FIELDS.len() {
            self.rises[at] += step.rise(at);
            self.highest[at] = self.highest[at].max(step.values[at]);
        }
        if self.first_memory.is_nan() {
            self.first_memory = step.values[MEMORY];
        }
        self.slowest_clock = self.slowest_clock.min(step.values[CLOCK]);
        self.cpu_seconds += step.values[CPU].max(0.0) / 100.0 * step.seconds;
        self.peak_successful_per_sec = self.peak_successful_per_sec.max(step.successful_per_sec());
        let bits = step.values[THROTTLED];
        if !bits.is_nan() {
            *self.throttled.get_or_insert(0) |= bits as u32 & 0xf;
        }
        if !step.latencies.is_empty() {
            self.latencies.add(step.latencies).expect("the bounds are those of the metrics");
        }
    }

    /// Adds the seconds of a later stretch.
    pub(super) fn append(&mut self, later: &Self) {
        self.seconds += later.seconds;
        for at in 0..FIELDS.len() {
            self.rises[at] += later.rises[at];
            self.highest[at] = self.highest[at].max(later.highest[at]);
        }
        if self.first_memory.is_nan() {
            self.first_memory = later.first_memory;
        }
        self.slowest_clock = self.slowest_clock.min(later.slowest_clock);
        self.cpu_seconds += later.cpu_seconds;
        self.peak_successful_per_sec = self.peak_successful_per_sec.max(later.peak_successful_per_sec);
        if let Some(bits) = later.throttled {
            *self.throttled.get_or_insert(0) |= bits;
        }
        self.latencies.add(&later.latencies).expect("equal bounds");
    }

    pub(super) fn requests(&self) -> f64 {
        self.rises[ADMITTED]
    }

    pub(super) fn peak_connections(&self) -> f64 {
        self.highest[CONNECTIONS]
    }

    /// The `results` of a run.
    pub(super) fn results(&self) -> Value {
        let per = |amount: f64, of: f64| if of > 0.0 { number(amount / of) } else { Value::Null };
        let measured = |value: f64| if self.latencies.is_empty() { Value::Null } else { number(value) };
        let latency = |quantile| measured(self.latencies.value_at_quantile(quantile) as f64 / 1000.0);
        let rise = |counter: usize| number(self.rises[counter]);
        let highest = |field: usize| number(self.highest[field]);
        let answered = self.rises[SUCCESSFUL] + self.rises[CLIENT_ERRORS] + self.rises[SERVER_ERRORS];
        let abandoned = self.rises[FAILED] - self.rises[CLIENT_ERRORS] - self.rises[SERVER_ERRORS];
        json!({
            "requests": rise(ADMITTED),
            "successful": rise(SUCCESSFUL),
            "successful_per_sec": {
                "mean": per(self.rises[SUCCESSFUL], self.seconds),
                "peak": number(self.peak_successful_per_sec),
            },
            "latency_ms": {
                "p50": latency(0.5),
                "p90": latency(0.9),
                "p99": latency(0.99),
                "max": measured(self.highest[SLOWEST]),
            },
            "errors": {
                "total": rise(FAILED),
                "4xx": rise(CLIENT_ERRORS),
                "408": rise(LATE),
                "5xx": rise(SERVER_ERRORS),
                "abandoned": number(abandoned.max(0.0)),
                "queue_rejected": rise(QUEUE_REJECTED),
                "connections_rejected": rise(CONNECTIONS_REJECTED),
                "connections_timed_out": rise(CONNECTIONS_TIMED_OUT),
            },
            "peak_connections": highest(CONNECTIONS),
            "peak_in_flight": highest(IN_FLIGHT),
            "peak_queue_depth": highest(QUEUE_DEPTH),
            "memory_mb": { "start": number(self.first_memory), "peak": highest(MEMORY) },
            "cpu_percent": { "mean": per(self.cpu_seconds * 100.0, self.seconds), "peak": highest(CPU) },
            "cpu_us_per_request": per(self.cpu_seconds * 1e6, answered),
        })
    }

    /// The `board` of a run: what was measured of it meanwhile.
    pub(super) fn board(&self) -> Value {
        let named = |bits: u32| -> Vec<&str> {
            THROTTLED_NOW.iter().enumerate().filter(|(bit, _)| bits & (1 << bit) != 0).map(|(_, name)| *name).collect()
        };
        let under_voltage = self.highest[UNDER_VOLTAGE];
        json!({
            "temperature_max_c": number(self.highest[TEMPERATURE]),
            "throttled": self.throttled.map(named),
            "under_voltage": (!under_voltage.is_nan()).then_some(under_voltage > 0.0),
            "cpu_freq_min_mhz": number(self.slowest_clock),
            "memory_used_max_percent": number(self.highest[BOARD_MEMORY]),
        })
    }
}

/// Three decimals, none for whole numbers; null for what is missing.
fn number(value: f64) -> Value {
    if !value.is_finite() {
        Value::Null
    } else if value.fract() == 0.0 {
        (value as i64).into()
    } else {
        ((value * 1000.0).round() / 1000.0).into()
    }
}
