//! Blocks the engine on purpose; compiled only for the test of the watchdog.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use super::request::Request;
use super::route::Route;

/// `POST /test/hang` blocks the thread that serves it, and from then on so does every other request.
pub(super) fn hang_if_asked(request: &Request) {
    static HUNG: AtomicBool = AtomicBool::new(false);
    if matches!(request.route, Route::Hang) {
        HUNG.store(true, Relaxed);
    }
    while HUNG.load(Relaxed) {
        std::thread::sleep(Duration::from_secs(1));
    }
}
