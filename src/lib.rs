//! fastgo.
pub mod http;
