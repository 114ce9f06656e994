//! fastgo.
pub mod app;
pub mod config;
pub mod engine;
pub mod http;
pub mod metrics;
pub mod platform;
