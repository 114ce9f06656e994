//! Every integration test in one binary: real processes, real sockets on loopback, one body over every engine.

mod accept_errors;
mod access;
mod alerts;
mod all;
mod assets;
mod check;
mod cli;
mod common;
mod concurrency;
mod conformance;
mod daemon_signals;
mod daemon_systemd;
mod desync;
mod docs;
mod doctor;

mod drain;
mod engines;
mod flood;
mod fourth_engine;
mod history;
mod idle;
mod limits;
mod metrics;
mod overload;
mod pprof;
mod registrations;
mod routes;
mod sse;
mod stock_may;
mod timeouts;
mod traces;
