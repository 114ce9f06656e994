//! Which numbers of `/metrics` are kept, and how ten seconds of one become a single number.

/// How the values of several seconds are brought into one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Merge {
    /// Their mean.
    Mean,
    /// Their mean, each second weighing as much as it had answers.
    MeanOfAnswers,
    /// The highest.
    Highest,
    /// The last, for what only rises while the process lives.
    Last,
}

/// One number that is kept of each second.
#[derive(Debug)]
pub struct Field {
    /// Its name in `/metrics`, dots between levels.
    pub name: &'static str,
    pub(super) merge: Merge,
}

const fn field(name: &'static str, merge: Merge) -> Field {
    Field { name, merge }
}

use Merge::{Highest, Last, Mean, MeanOfAnswers};

/// Every number that is kept, in the order of a row.
pub const FIELDS: &[Field] = &[
    field("uptime_seconds", Last),
    field("active_connections", Mean),
    field("idle_connections", Mean),
    field("sse_subscribers", Mean),
    field("in_flight_requests", Mean),
    field("num_tasks", Mean),
    field("total_requests", Last),
    field("completed_requests", Last),
    field("error_count", Last),
    field("requests_per_sec", Mean),
    field("cpu_usage_percent", Mean),
    field("memory_alloc_mb", Mean),
    field("latency_ms.count", Mean),
    field("latency_ms.p50", MeanOfAnswers),
    field("latency_ms.p90", MeanOfAnswers),
    field("latency_ms.p95", MeanOfAnswers),
    field("latency_ms.p99", Highest),
    field("latency_ms.max", Highest),
    field("queue.depth", Mean),
    field("queue.rejected", Last),
    field("workers.total", Last),
    field("workers.busy", Mean),
    field("responses.4xx", Last),
    field("responses.5xx", Last),
    field("responses.408", Last),
    field("bytes.read", Last),
    field("bytes.written", Last),
    field("connections.rejected", Last),
    field("connections.timed_out", Last),
    field("pi.temperature_c", Highest),
    field("pi.cpu_freq_mhz", Mean),
    field("pi.under_voltage", Highest),
    field("pi.throttled.bits", Last),
    field("pi.cores_percent", Mean),
    field("pi.memory.used_percent", Mean),
    field("pi.listen_overflows", Last),
];

/// One second's numbers in the order of [`FIELDS`]; NaN for what is missing.
pub type Values = [f64; FIELDS.len()];

/// Where `name` stands in [`FIELDS`]; a name that is not there does not compile.
pub(super) const fn index(name: &str) -> usize {
    let mut at = 0;
    while at < FIELDS.len() {
        if same(FIELDS[at].name.as_bytes(), name.as_bytes()) {
            return at;
        }
        at += 1;
    }
    panic!("no such field")
}

const fn same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let mut at = 0;
    while at < one.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    true
}

const ANSWERS: usize = index("latency_ms.count");

/// Brings several seconds into one row.
#[derive(Debug, Clone)]
pub(super) struct Merger {
    sums: Values,
    weights: Values,
}

impl Default for Merger {
    fn default() -> Self {
        Self { sums: [f64::NAN; FIELDS.len()], weights: [0.0; FIELDS.len()] }
    }
}

impl Merger {
    pub(super) fn add(&mut self, values: &Values) {
        for (at, field) in FIELDS.iter().enumerate() {
            merge_value(field.merge, &mut self.sums[at], &mut self.weights[at], values[at], values[ANSWERS]);
        }
    }

    pub(super) fn merged(&self) -> Values {
        std::array::from_fn(|at| merged_value(FIELDS[at].merge, self.sums[at], self.weights[at]))
    }
}

/// Adds `value` to one that is being merged.
pub(super) fn merge_value(merge: Merge, sum: &mut f64, weight: &mut f64, value: f64, answers: f64) {
    if value.is_nan() {
        return;
    }
    let before = if sum.is_nan() { 0.0 } else { *sum };
    match merge {
        Merge::Mean => (*sum, *weight) = (before + value, *weight + 1.0),
        Merge::MeanOfAnswers => {
            let share = if answers > 0.0 { answers } else { 0.0 };
            (*sum, *weight) = (before + value * share, *weight + share);
        }
        Merge::Highest => *sum = sum.max(value),
        Merge::Last => *sum = value,
    }
}

/// The value of those added so far; NaN for none.
pub(super) fn merged_value(merge: Merge, sum: f64, weight: f64) -> f64 {
    match merge {
        Merge::Mean | Merge::MeanOfAnswers if sum.is_nan() => f64::NAN,
        Merge::Mean | Merge::MeanOfAnswers if weight == 0.0 => 0.0,
        Merge::Mean | Merge::MeanOfAnswers => sum / weight,
        Merge::Highest | Merge::Last => sum,
    }
}

/// Appends `[time,value,…]`: whole numbers as they are, others to four significant digits, null for what is missing.
pub(super) fn write_row(out: &mut String, time: u32, values: &[f64]) {
    use std::fmt::Write as _;
    let _ = write!(out, "[{time}");
    for &value in values {
        out.push(',');
        if !value.is_finite() {
            out.push_str("null");
        } else if value.fract() == 0.0 || value.abs() >= 1000.0 {
            let _ = write!(out, "{value:.0}");
        } else {
            let places = if value.abs() >= 100.0 { 10.0 } else { 100.0 };
            let finer = if value.abs() < 1.0 { 1000.0 } else { places };
            let _ = write!(out, "{}", (value * finer).round() / finer);
        }
    }
    out.push(']');
}

/// The names as a JSON array.
pub(super) fn names_json() -> String {
    serde_json::Value::from(FIELDS.iter().map(|field| field.name).collect::<Vec<_>>()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(set: &[(&str, f64)]) -> Values {
        let mut values = [f64::NAN; FIELDS.len()];
        for (name, value) in set {
            values[FIELDS.iter().position(|field| field.name == *name).unwrap()] = *value;
        }
        values
    }

    #[test]
    fn rows_are_short_and_exact_where_it_counts() {
        let mut text = String::new();
        write_row(&mut text, 7, &[4_294_967_297.0, 0.0, 12.3456, 0.01234, 123.45, 1234.5, f64::NAN, -3.25]);
        assert_eq!(text, "[7,4294967297,0,12.35,0.012,123.5,1234,null,-3.25]");
        assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
    }

    #[test]
    fn ten_seconds_become_one() {
        let mut merger = Merger::default();
        for (answers, p50, p99, total, connections) in [(99.0, 10.0, 20.0, 99.0, 5.0), (1.0, 510.0, 900.0, 100.0, 7.0)]
        {
            merger.add(&values(&[
                ("latency_ms.count", answers),
                ("latency_ms.p50", p50),
                ("latency_ms.p99", p99),
                ("total_requests", total),
                ("active_connections", connections),
            ]));
        }
        let row = merger.merged();
        for (name, expected) in [
            // The one slow answer weighs as one.
            ("latency_ms.p50", 15.0),
            ("latency_ms.p99", 900.0),
            ("total_requests", 100.0),
            ("active_connections", 6.0),
        ] {
            let value = row[FIELDS.iter().position(|field| field.name == name).unwrap()];
            assert!((value - expected).abs() < 1e-9, "{name}: {value}");
        }
        assert!(row[index("pi.temperature_c")].is_nan(), "what no second had stays missing");
    }

    #[test]
    fn names_are_distinct() {
        for (at, field) in FIELDS.iter().enumerate() {
            assert!(FIELDS[..at].iter().all(|before| before.name != field.name), "{}", field.name);
        }
    }
}
