//! Counting, and telling the truth about it.

mod counters;
mod latency;

pub use counters::{Counters, Endpoint};
pub use latency::LatencySummary;
