//! fastgo.
pub mod config;
pub mod http;
pub mod metrics;
pub mod platform;
