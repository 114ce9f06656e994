//! fastgo.
pub mod config;
pub mod daemon;
pub mod http;
pub mod metrics;
pub mod throttle;
