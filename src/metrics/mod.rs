//! Request, connection and process metrics: counters on the hot path, a sample each second, JSON and Prometheus output.
//!
//! [`counters`] is what the hot path touches. Once a second [`Metrics::sample`] measures what needs an interval. A
//! [`Reading`] joins both and is written as JSON or Prometheus text; `table.rs` is the one place that names a metric.

mod counters;
mod json;
mod latency;
mod lookup;
mod prometheus;
mod reading;
mod table;
#[cfg(test)]
mod tests;

pub use counters::{Counted, Endpoint, Gauge};
pub use prometheus::Exposition;
pub use reading::{Metrics, Reading};
