//! fastgo: three HTTP concurrency models side by side on one small board.
//!
//! The map of the house, from the door inwards; each room knows only those after it:
//!
//! - `main` reads the command line and dispatches.
//! - [`daemon`]: the process on its machine. Logs, signals, systemd, and the supervisor behind `fastgo all`.
//! - [`engine`]: how it is served. Three engines of one shape, the lobby where idle connections wait, the drain.
//! - [`app`]: what is served. Routes, work, pages, events; knows no runtime and no socket.
//! - [`metrics`]: counting on the hot path, measuring once a second, JSON and Prometheus from one table.
//! - [`platform`]: the board. Collectors for `/proc` and `/sys`, one small file for each subsystem.
//! - [`config`] and [`http`] are leaves: the settings, and the rules of HTTP/1 that all engines share.
//! - [`throttle`]: at most one warning a second. [`terminal`]: colours and numbers for people.
//!
//! Beside the server, each a command or a listener of its own:
//!
//! - [`flood`]: opens very many connections at once and holds them.
//! - [`doctor`]: what this machine's limits allow, and what mends them.
//! - [`pprof`]: profiles of the running process, on loopback.

pub mod app;
pub mod config;
pub mod daemon;
pub mod doctor;
pub mod engine;
pub mod flood;
pub mod http;
pub mod metrics;
pub mod platform;
pub mod pprof;
pub mod terminal;
pub mod throttle;
