//! Durable registrations: what [`Store::submit`] has answered is on the medium.
//!
//! - `writer`: one thread that commits whatever waits as one batch; knows no async runtime, answers through a closure.
//! - `reader`: one thread for look-ups and the course list.
//! - `backend`: what both need of a database, and the operator too.
//! - `open`: opens the one that a location names.
//! - `sqlite`: the tables, their guarantees, and the turns of the processes that share one file.
//! - `postgres`: the same on a `PostgreSQL` server, for several boards. Its async runtime is its own affair.
//! - [`admission`], [`limits`], [`breaker`]: who is refused and when to try again; pure, with the time as an argument.
//! - [`model`]: what is asked and answered. [`settings`]: the settings that concern the store.

pub mod admission;
mod backend;
pub mod breaker;
pub mod clock;
mod courses;
mod figures;
pub mod limits;
pub mod model;
mod open;
#[cfg(feature = "postgres")]
mod postgres;
mod reader;
pub mod settings;
mod sqlite;
mod writer;

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::trace::Queued;
pub use backend::{Administration, Inspection, OpenError};
pub use courses::{Course, CourseList, CourseRow, Import, LineProblem, StudentRow};
pub use figures::Figures;
use model::{Answer, Command, RegistrationId, Unavailable};
use reader::Lookups;
use settings::Location;
pub use sqlite::{local_time, parse_local_time};
use writer::{Queue, Writer};

/// The registrations of this board, for all threads of a server.
pub struct Store {
    queue: Arc<Queue>,
    lookups: Arc<Lookups>,
    threads: Vec<JoinHandle<()>>,
}

impl Store {
    /// A store in the database at `location`, which may come into being later and be replaced by another at any time;
    /// `None` if the location says that there is none. Commands that would wait longer than `max_wait` are refused.
    /// `pool`: the most connections to a server.
    pub fn start(location: &Location, pool: usize, max_wait: Duration) -> io::Result<Option<Self>> {
        let Some(source) = location.source(pool)? else { return Ok(None) };
        let (queue, lookups) = (Arc::new(Queue::new(max_wait)), Arc::new(Lookups::new(max_wait)));
        let mut store = Self { queue, lookups, threads: Vec::new() };
        let (queue, lookups) = (Arc::clone(&store.queue), Arc::clone(&store.lookups));
        let writer = Writer::new(Arc::clone(&source));
        store.threads.push(
            thread::Builder::new()
                .name("store-writer".into())
                .spawn(move || writer.run(&queue, || lookups.changed()))?,
        );
        let lookups = Arc::clone(&store.lookups);
        store.threads.push(thread::Builder::new().name("store-reader".into()).spawn(move || lookups.run(source))?);
        Ok(Some(store))
    }

    /// Has a command carried out, and returns at once. `completion` is called once: with the outcome, on the store's
    /// thread, or before this returns if the command is refused. It must not block.
    pub fn submit(&self, command: Command, completion: impl FnOnce(Result<Answer, Unavailable>) + Send + 'static) {
        self.submit_traced(command, None, completion);
    }

    /// The same for a command that may be traced: `queued` is its wait.
    pub fn submit_traced(
        &self,
        command: Command,
        queued: Option<Queued>,
        completion: impl FnOnce(Result<Answer, Unavailable>) + Send + 'static,
    ) {
        self.queue.submit(command, queued, Box::new(completion));
    }

    /// Looks for a registration, in the same way as [`Self::submit`].
    pub fn find(&self, id: RegistrationId, completion: impl FnOnce(Result<Answer, Unavailable>) + Send + 'static) {
        self.lookups.find(id, Box::new(completion));
    }

    /// The courses as they were at most a quarter of a second ago. The same `Arc` as before if nothing has changed.
    pub fn courses(&self) -> Arc<CourseList> {
        self.lookups.courses()
    }

    /// The store's measurements of itself.
    pub fn figures(&self) -> Figures {
        self.queue.figures()
    }
}

impl Drop for Store {
    /// Carries out and answers what was admitted.
    fn drop(&mut self) {
        self.queue.stop();
        self.lookups.stop();
        for thread in self.threads.drain(..) {
            // A panic of the thread has been reported by its hook.
            let _ = thread.join();
        }
    }
}

/// Fills `bytes` from the kernel's random numbers.
fn fill_random(bytes: &mut [u8]) -> io::Result<()> {
    let mut filled = 0;
    while filled < bytes.len() {
        filled += rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty())?;
    }
    Ok(())
}
