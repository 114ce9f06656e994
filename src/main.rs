//! Reads the command line, dispatches, and turns the outcome into an exit code.

mod cli;

use std::process::ExitCode;

use clap::Parser as _;

/// Returns freed memory to the system sooner than the platform's allocator, on pages of any size.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::Cli::parse().run().unwrap_or_else(|error| {
        // Before there is a log, or where it hides errors, stderr has to do.
        if tracing::enabled!(tracing::Level::ERROR) {
            tracing::error!(event = "failed", "{error:#}");
        } else {
            eprintln!("fastgo: {}", format!("{error:#}").replace('\n', "\nfastgo: "));
        }
        // Bad settings and a taken address will not go away by trying again; 2 says so.
        ExitCode::from(if cli::is_usage(&error) { 2 } else { 1 })
    })
}
