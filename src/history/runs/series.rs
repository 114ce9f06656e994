//! A run's course in at most 240 rows, however long it lasts.

use super::super::fields::{Merge, index, merge_value, merged_value, write_row};
use super::tally::Step;

/// Where two rows become one; afterwards each row covers twice the time.
const MOST_ROWS: usize = 240;

enum Source {
    Field(usize),
    Successful,
    Errors,
}

/// The columns: name, where the values come from, and how several seconds become one.
const COLUMNS: [(&str, Source, Merge); 11] = [
    ("successful_per_sec", Source::Successful, Merge::Mean),
    ("errors_per_sec", Source::Errors, Merge::Mean),
    ("latency_ms.p50", Source::Field(index("latency_ms.p50")), Merge::MeanOfAnswers),
    ("latency_ms.p99", Source::Field(index("latency_ms.p99")), Merge::Highest),
    ("active_connections", Source::Field(index("active_connections")), Merge::Highest),
    ("in_flight_requests", Source::Field(index("in_flight_requests")), Merge::Highest),
    ("queue.depth", Source::Field(index("queue.depth")), Merge::Highest),
    ("cpu_usage_percent", Source::Field(index("cpu_usage_percent")), Merge::Mean),
    ("memory_alloc_mb", Source::Field(index("memory_alloc_mb")), Merge::Highest),
    ("pi.temperature_c", Source::Field(index("pi.temperature_c")), Merge::Highest),
    ("pi.cpu_freq_mhz", Source::Field(index("pi.cpu_freq_mhz")), Merge::Mean),
];

const ANSWERS: usize = index("latency_ms.count");
const LATENCIES: [usize; 2] = [index("latency_ms.p50"), index("latency_ms.p99")];

#[derive(Debug, Clone)]
struct Row {
    time: u32,
    seconds: u32,
    sums: [f64; COLUMNS.len()],
    weights: [f64; COLUMNS.len()],
}

/// The rows of one run.
#[derive(Debug, Clone)]
pub(super) struct Series {
    /// Seconds that a full row covers.
    step: u32,
    rows: Vec<Row>,
}

impl Default for Series {
    fn default() -> Self {
        Self { step: 1, rows: Vec::new() }
    }
}

impl Series {
    pub(super) fn push(&mut self, step: &Step<'_>) {
        let mut row =
            Row { time: step.time, seconds: 1, sums: [f64::NAN; COLUMNS.len()], weights: [0.0; COLUMNS.len()] };
        let answers = step.values[ANSWERS];
        for (at, (_, source, merge)) in COLUMNS.iter().enumerate() {
            let value = match source {
                Source::Successful => step.successful_per_sec(),
                Source::Errors => step.errors_per_sec(),
                // Without an answer there is no latency; the zeros in `/metrics` mean none.
                Source::Field(field) if LATENCIES.contains(field) && answers == 0.0 => f64::NAN,
                Source::Field(field) => step.values[*field],
            };
            merge_value(*merge, &mut row.sums[at], &mut row.weights[at], value, answers);
        }
        match self.rows.last_mut() {
            Some(last) if last.seconds < self.step => last.absorb(&row),
            _ => self.rows.push(row),
        }
        if self.rows.len() > MOST_ROWS {
            self.halve();
        }
    }

    /// Drops the rows after `end`.
    pub(super) fn cut_after(&mut self, end: u32) {
        self.rows.retain(|row| row.time <= end);
    }

    /// `"step_seconds":…,"fields":[…],"rows":[…]`
    pub(super) fn write(&self, out: &mut String) {
        use std::fmt::Write as _;
        let names: Vec<&str> = COLUMNS.iter().map(|(name, ..)| *name).collect();
        let _ = write!(out, "\"step_seconds\":{},\"fields\":{},\"rows\":[", self.step, serde_json::Value::from(names));
        for (nth, row) in self.rows.iter().enumerate() {
            if nth > 0 {
                out.push(',');
            }
            let values: [f64; COLUMNS.len()] =
                std::array::from_fn(|at| merged_value(COLUMNS[at].2, row.sums[at], row.weights[at]));
            write_row(out, row.time, &values);
        }
        out.push(']');
    }

    fn halve(&mut self) {
        self.step *= 2;
        let rows = std::mem::take(&mut self.rows);
        for row in rows {
            match self.rows.last_mut() {
                Some(last) if last.seconds + row.seconds <= self.step => last.absorb(&row),
                _ => self.rows.push(row),
            }
        }
    }
}

impl Row {
    /// Takes in a later row.
    fn absorb(&mut self, later: &Self) {
        self.time = later.time;
        self.seconds += later.seconds;
        for (at, (_, _, merge)) in COLUMNS.iter().enumerate() {
            let (sum, more) = (&mut self.sums[at], later.sums[at]);
            if more.is_nan() {
                continue;
            }
            *sum = match merge {
                _ if sum.is_nan() => more,
                Merge::Highest => sum.max(more),
                Merge::Last => more,
                Merge::Mean | Merge::MeanOfAnswers => *sum + more,
            };
            self.weights[at] += later.weights[at];
        }
    }
}
