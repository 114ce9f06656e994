//! System calls on a connection's socket that do not block.

use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt::{set_socket_linger, set_tcp_user_timeout, socket_error};
use rustix::net::{RecvFlags, SendFlags, recv, send};

/// Bytes that one look at a closing connection throws away at the most.
const DISCARD_BYTES: usize = 64 * 1024;

/// The outcome of a read.
pub(super) enum Received {
    /// So many bytes.
    Bytes(usize),
    /// Nothing is there yet.
    Nothing,
    /// The client has closed its side, or the connection broke.
    End,
}

/// The outcome of a write.
pub(super) enum Sent {
    /// So many bytes.
    Bytes(usize),
    /// The client has not read what was sent before.
    Full,
    /// The kernel has given the connection up, because the client took nothing for too long.
    TimedOut,
    /// The connection broke.
    Broken,
}

/// Reads what is there into `buffer`.
pub(super) fn receive(stream: &TcpStream, buffer: &mut [u8]) -> Received {
    loop {
        match recv(stream, &mut *buffer, RecvFlags::DONTWAIT) {
            Ok((0, _)) => return Received::End,
            Ok((count, _)) => return Received::Bytes(count),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Received::Nothing,
            Err(_) => return Received::End,
        }
    }
}

/// Writes as much of `bytes` as the socket takes at once.
pub(super) fn transmit(stream: &TcpStream, bytes: &[u8]) -> Sent {
    loop {
        match send(stream, bytes, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
            Ok(count) => return Sent::Bytes(count),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Sent::Full,
            Err(Errno::TIMEDOUT) => return Sent::TimedOut,
            Err(_) => return Sent::Broken,
        }
    }
}

/// Throws away a bounded amount of input; `true` once the client has closed its side.
pub(super) fn discard(stream: &TcpStream) -> bool {
    let mut buffer = [0; 4096];
    let mut discarded = 0;
    while discarded < DISCARD_BYTES {
        match receive(stream, &mut buffer) {
            Received::Bytes(count) => discarded += count,
            Received::Nothing => return false,
            Received::End => return true,
        }
    }
    false
}

/// Whether input has arrived that closing would answer with a reset.
pub(super) fn has_input(stream: &TcpStream) -> bool {
    matches!(recv(stream, &mut [0; 1], RecvFlags::DONTWAIT | RecvFlags::PEEK), Ok((1.., _)))
}

/// Whether the kernel has given up a broken connection because the client took nothing for too long.
pub(super) fn has_timed_out(stream: &TcpStream) -> bool {
    matches!(socket_error(stream), Ok(Err(Errno::TIMEDOUT)))
}

/// Says that nothing more is sent; `false` when the connection is broken.
pub(super) fn finish_sending(stream: &TcpStream) -> bool {
    stream.shutdown(Shutdown::Write).is_ok()
}

/// Sets for how long the kernel keeps what a client does not read; of a listening socket, on the connections that it accepts.
pub(crate) fn set_unread_time(socket: impl AsFd, time: Duration) -> rustix::io::Result<()> {
    set_tcp_user_timeout(socket, u32::try_from(time.as_millis()).unwrap_or(u32::MAX))
}

/// Has closing reset the connection, so that the kernel does not go on sending to a client that does not read.
pub(super) fn reset_on_close(stream: &TcpStream) {
    // An error means that the connection is gone already.
    let _ = set_socket_linger(stream, Some(Duration::ZERO));
}
