//! One request and the way to its response: at once in the event loop, or later from anywhere.

use std::future::poll_fn;
use std::net::TcpStream;

use super::budget::Charge;
use super::connection::{Connection, Visit};
use super::table::State;
use crate::app::{Plan, Request, Task, overloaded};
use crate::clock::Moment;
use crate::http::{Reject, Response, Session};

/// The reason given where memory does not allow another unfinished request.
const TOO_MANY: &str = "too many unfinished requests";

/// A whole request whose connection the event loop holds. Dropped unanswered, it is answered 500.
pub struct Exchange<'a> {
    pub(super) visit: &'a mut Visit,
    pub(super) session: &'a mut Session<Request>,
    /// What a detached request takes beside its buffers.
    pub(super) pending_bytes: usize,
    pub(super) now: Moment,
}

/// A connection whose response is being made outside the event loop. Dropped unanswered, it closes the connection.
pub struct Pending {
    connection: Connection,
    stream: Option<TcpStream>,
    session: Session<Request>,
    charge: Charge,
    /// When the request's last byte came.
    received: Moment,
}

impl Exchange<'_> {
    /// The protocol state, for an encoder that writes the response itself.
    pub fn session(&mut self) -> &mut Session<Request> {
        self.session
    }

    /// The current time, as of the start of the loop's turn.
    pub fn now(&self) -> Moment {
        self.now
    }

    /// Answers at once what takes nothing more; else gives what it takes, and the connection to answer on.
    pub fn plan(self, request: Request) -> Option<(Pending, Task)> {
        match self.visit.connection.server.app.plan(request) {
            Plan::Answer(response) => self.session.respond(&response, self.now),
            Plan::Later(task) => match self.charge() {
                Some(charge) => return self.take_out(charge).map(|pending| (pending, task)),
                None => self.session.respond(&task.refuse(overloaded(TOO_MANY)), self.now),
            },
        }
        None
    }

    /// Takes the connection out of the event loop until its response is made; `None` when it is broken, or when memory
    /// does not allow another unfinished request, which is then answered.
    pub fn detach(self) -> Option<Pending> {
        if let Some(charge) = self.charge() {
            return self.take_out(charge);
        }
        self.session.respond(&self.visit.connection.server.refusal(TOO_MANY), self.now);
        None
    }

    /// The memory of a detached request, if the budget has it.
    fn charge(&self) -> Option<Charge> {
        let mut charge = self.visit.connection.server.buffers.charge();
        charge.resize(self.session.unfinished() + self.pending_bytes).then_some(charge)
    }

    fn take_out(self, charge: Charge) -> Option<Pending> {
        let Visit { connection, is_watched, is_drained, .. } = *self.visit;
        let stream = self.visit.stream.take()?;
        // A client that is gone is noticed only on a connection that is watched.
        if !is_watched && !connection.reactor.watch(connection.key, &stream) {
            connection.remove();
            return None;
        }
        // Responses to earlier requests do not wait for this one's; what cannot be sent now is sent with it.
        connection.flush(&stream, self.session, self.now);
        let pending = State::Pending { readable: !is_drained, is_reset: false, waker: None };
        connection.reactor.table().set(connection.key, pending, Moment::NEVER);
        let session = self.session.split_off(self.now);
        Some(Pending { connection, stream: Some(stream), session, charge, received: self.now })
    }
}

impl Pending {
    /// When the work must have begun: within the time to read the request, and the time to write its response.
    pub fn start_by(&self) -> Moment {
        let timeouts = self.connection.server.timeouts();
        (self.session.since() + timeouts.read).min(self.end_by())
    }

    /// When the work must have ended.
    pub fn end_by(&self) -> Moment {
        self.received + self.connection.server.timeouts().write
    }

    /// Sends the response, or has it sent, and gives the connection back to the event loop.
    pub fn respond(mut self, response: &Response) {
        self.session.respond(response, Moment::now());
        self.finish();
    }

    /// The protocol state, for an encoder that writes the response itself and then calls [`Self::finish`].
    pub fn session(&mut self) -> &mut Session<Request> {
        &mut self.session
    }

    /// Gives the connection back to the event loop with the response that the session holds.
    pub fn finish(mut self) {
        if let Some(stream) = self.stream.take() {
            let session = self.session.split_off(Moment::now());
            let charge = std::mem::replace(&mut self.charge, self.connection.server.buffers.charge());
            self.connection.hand_back(stream, session, charge);
        }
    }

    /// Returns when the client is gone, so that no answer can be sent. One that only closed its sending side is not.
    pub async fn client_gone(&self) {
        poll_fn(|context| self.connection.poll_reset(context)).await;
    }

    /// Whether the client is gone.
    pub fn is_client_gone(&self) -> bool {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        self.connection.poll_reset(&mut context).is_ready()
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if self.stream.is_some() {
            self.connection.remove();
        }
    }
}

/// The response to a request whose work was not done in time.
pub fn work_timed_out() -> Response {
    Reject::new(408, "the work took longer than the write timeout").response()
}
