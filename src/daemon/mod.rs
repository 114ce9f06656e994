//! How the process lives on its machine: logs, signals, systemd's protocols, and `fastgo all`.
//!
//! Nothing here knows HTTP routes or engines; `main` ties these rooms to the running server.

pub mod addresses;
mod child;
mod journal;
pub mod listeners;
mod log_record;
pub mod logging;
pub mod notify;
mod screen;
pub mod signals;
pub mod supervised;
pub mod supervisor;
pub mod watchdog;
