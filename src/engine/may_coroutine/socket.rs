//! A socket that coroutines park on.

use std::io;
use std::net::TcpStream;

use may::io::{CoIo, WaitIo as _, WaitIoWaker};

/// Takes itself off the runtime's watch before its descriptor is closed.
///
/// A `CoIo` that is simply dropped does so in the other order: another thread may accept a connection that gets the same
/// descriptor in between, and that one is then never woken.
pub(super) struct Socket(Option<CoIo<TcpStream>>);

impl Socket {
    /// Has the runtime watch `stream`.
    pub(super) fn new(stream: TcpStream) -> io::Result<Self> {
        Ok(Self(Some(CoIo::new(stream)?)))
    }

    /// For reads and writes that do not block.
    pub(super) fn stream(&mut self) -> &mut TcpStream {
        self.io_mut().inner_mut()
    }

    /// Parks until there is an event, and gives its epoll flags.
    pub(super) fn wait(&mut self) -> usize {
        self.io_mut().wait_io()
    }

    /// Ends the waits of whoever parks on this socket.
    pub(super) fn waker(&mut self) -> WaitIoWaker {
        self.io_mut().waker()
    }

    /// The stream, no longer watched.
    pub(super) fn into_stream(mut self) -> TcpStream {
        self.0.take().expect("only this and drop take it").into_inner()
    }

    fn io_mut(&mut self) -> &mut CoIo<TcpStream> {
        self.0.as_mut().expect("only into_stream and drop take it")
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if let Some(io) = self.0.take() {
            drop(io.into_inner());
        }
    }
}
