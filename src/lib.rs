//! fastgo: three HTTP concurrency models side by side on one small board.
//!
//! From the outside inwards; each module uses only those after it:
//!
//! - [`cli`]: the commands and what each of them starts.
//! - [`daemon`]: the process on its machine. Logs, signals, systemd, and the supervisor behind `fastgo all`.
//! - [`engine`]: how a request's work runs. One folder for each engine.
//! - [`server`]: what every engine shares. Event loop, connections, limits, streams, shutdown.
//! - [`app`]: what is served. Routes, work, pages, events; knows no runtime and no socket.
//! - [`store`]: durable registrations. One writer, one file, admission, limits; knows no runtime.
//! - [`history`]: the samples of the last day and the last runs; knows no runtime and no socket.
//! - [`metrics`]: counters on the hot path, a sample each second, JSON and Prometheus from one table.
//! - [`alerts`]: what is wrong, reported to a person who looks at no page.
//! - [`platform`]: the board. Collectors for `/proc` and `/sys`, one small file for each subsystem.
//! - [`config`]: the settings. [`http`]: HTTP/1.1 without I/O.
//! - [`trace`]: W3C trace context, spans, and their export; knows no thread-local variables.
//! - [`client`]: single requests to other servers. [`clock`]: time for deadlines. [`state_directory`]: where state is kept. [`log_limit`]: at most one warning a second. [`terminal`]: colours and numbers for people.
//!
//! Beside the server, each a command or a listener of its own:
//!
//! - [`check`]: whether this server will do for so many students, from a short load with the client of `flood`.
//! - [`flood`]: opens very many connections at once and holds them.
//! - [`doctor`]: what this machine's limits allow, and the commands that raise those that are too low.
//! - [`registrations`]: import, opening, status, export and backup of a registration day.
//! - [`status`]: what runs on this machine, where, and what failed.
//! - [`pprof`]: profiles of the running process, on loopback.

// Public: what the tests, benches and fuzz targets use, and `cli` for `main`.
mod alerts;
mod allocator;
pub mod app;
mod check;
pub mod cli;
mod client;
pub mod clock;
pub mod config;
mod daemon;
mod doctor;
pub mod engine;
mod flood;
mod history;
pub mod http;
mod log_limit;
mod metrics;
mod platform;
pub mod pprof;
mod registrations;
pub mod server;
mod state_directory;
mod status;
pub mod store;
mod terminal;
mod trace;
