//! Counting, and telling the truth about it.
//!
//! [`Counters`] is what the hot path touches. Once a second [`Metrics::sample`] measures what needs an interval. A
//! [`Reading`] joins both and is written as JSON or Prometheus text; `table.rs` is the one place that names a metric.

mod counters;
mod json;
mod latency;
mod prometheus;
mod reading;
mod table;
#[cfg(test)]
mod tests;

pub use counters::{Counters, Endpoint};
pub use prometheus::Exposition;
pub use reading::{Metrics, Reading};
