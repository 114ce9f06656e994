//! How the process lives on its machine: logs, signals, systemd's protocols, and `fastgo all`.
//!
//! Nothing here knows an engine; `cli` connects these modules with the running server.

pub mod addresses;
mod child;
pub mod firmware;
mod journal;
pub mod listeners;
mod log_record;
pub mod logging;
pub mod notify;
pub mod restarts;
mod screen;
pub mod signals;
pub mod supervised;
pub mod supervisor;
pub mod watchdog;
