//! Runs the command line and turns the outcome into an exit code.

use std::process::ExitCode;

use clap::Parser as _;
use fastgo::cli::{Cli, is_usage};

/// Returns freed memory to the system sooner than the platform's allocator, on pages of any size.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Run by the loader before anything takes memory from the heap.
#[used]
#[expect(unsafe_code, reason = "the attribute; the function uses nothing that has to be initialized first")]
#[unsafe(link_section = ".preinit_array")]
static BEFORE_MAIN: extern "C" fn() = disable_huge_pages;

/// Where the system gives huge pages to all memory, each of the heap's sparsely used regions would take 2 MB.
extern "C" fn disable_huge_pages() {
    // A kernel that cannot do it is as good as it gets.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

fn main() -> ExitCode {
    Cli::parse().run().unwrap_or_else(|error| {
        // Before logging is set up, or where its filter hides errors, use stderr.
        if tracing::enabled!(tracing::Level::ERROR) {
            for line in format!("{error:#}").lines() {
                tracing::error!(event = "failed", "{line}");
            }
        } else {
            eprintln!("fastgo: {}", format!("{error:#}").replace('\n', "\nfastgo: "));
        }
        ExitCode::from(if is_usage(&error) { 2 } else { 1 })
    })
}
