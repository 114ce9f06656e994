//! Listening sockets: taken from systemd's file-descriptor store when the process before this one left them there,
//! made and stored otherwise, so that no client is refused while fastgo restarts.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use listenfd::ListenFd;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::notify::{Notifier, store_name};

/// Connections that may wait to be accepted; the kernel caps it at `net.core.somaxconn`.
const BACKLOG: i32 = 65_535;
/// How long the service manager may take to close the sockets that are removed from its store.
const REMOVAL: Duration = Duration::from_secs(5);

/// An address on which this process cannot listen.
#[derive(Debug)]
pub struct BindFailed {
    address: SocketAddr,
    source: io::Error,
}

impl BindFailed {
    /// Whether the settings are at fault, so that trying again must fail again. An address that this machine does not
    /// have is not: its network may come up later.
    pub fn is_usage(&self) -> bool {
        matches!(self.source.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied)
    }
}

impl fmt::Display for BindFailed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ip, port) = (self.address.ip(), self.address.port());
        match self.source.kind() {
            io::ErrorKind::AddrInUse => write!(formatter, "port {port} is already in use: choose another with --port"),
            io::ErrorKind::PermissionDenied => {
                write!(formatter, "port {port} needs privileges: choose one from 1024 up with --port")
            }
            io::ErrorKind::AddrNotAvailable => {
                write!(formatter, "this machine does not have the address {ip}: choose another with --bind")
            }
            // The chain of errors shows the source.
            _ => write!(formatter, "cannot listen on {}", self.address),
        }
    }
}

impl std::error::Error for BindFailed {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// The address with a port that the kernel chose in place of port 0, after checking that nothing listens on it.
///
/// # Errors
/// When something does, or the address cannot be bound.
pub fn free_address(address: SocketAddr) -> Result<SocketAddr, BindFailed> {
    bind(address, false, false)
        .and_then(|socket| local_address(&socket))
        .map_err(|source| BindFailed { address, source })
}

/// A socket from the store with the name it was kept under; `None` for a descriptor that is no TCP socket.
type Stored = (String, Option<TcpListener>);

/// At least `count` sockets that listen on `address`, non-blocking and closed on exec.
///
/// Stored sockets of that address are used, all of them, since clients may wait in each; what else the store holds is
/// removed from it. Missing sockets are made, with `SO_REUSEPORT` when `count` is more than one, and stored. With
/// port 0 the kernel chooses one port for all, and nothing is stored.
///
/// Under a service manager the machine need not have the address yet: at boot services start before the network has a
/// lease. Elsewhere that is an error, since a person is there to read it.
///
/// Reads and clears `LISTEN_FDS` and `LISTEN_PID`: call it once, before any thread is started. `listenfd` owns the
/// descriptors it hands out; `sd-notify` would give bare numbers, of which only unsafe code makes sockets.
///
/// # Errors
/// What the kernel says, above all [`io::ErrorKind::AddrInUse`], also when a process of the same user shares the port.
pub fn obtain(address: SocketAddr, count: usize, notifier: Notifier) -> Result<Vec<TcpListener>, BindFailed> {
    obtain_from(take_stored(), address, count, notifier).map_err(|source| BindFailed { address, source })
}

/// Whether this machine has the address now.
pub fn is_local(ip: IpAddr) -> bool {
    // Without `IP_FREEBIND` the kernel binds only to addresses of its own.
    UdpSocket::bind((ip, 0)).map_or_else(|error| error.kind() != io::ErrorKind::AddrNotAvailable, |_| true)
}

fn take_stored() -> Vec<Stored> {
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.split(':');
    let mut fds = ListenFd::from_env();
    (0..fds.len())
        .map(|index| {
            let name = names.next().unwrap_or_default().to_owned();
            (name, fds.take_tcp_listener(index).ok().flatten())
        })
        .collect()
}

fn obtain_from(
    stored: Vec<Stored>,
    address: SocketAddr,
    count: usize,
    notifier: Notifier,
) -> io::Result<Vec<TcpListener>> {
    let name = store_name(address);
    let mut listeners = Vec::new();
    let mut removed = false;
    for (stored_name, socket) in stored {
        match socket {
            Some(socket) if stored_name == name && listens_on(&socket, address) => listeners.push(socket),
            // A foreign one that shares the wanted name takes the others along; they are stored again below.
            _ => {
                notifier.remove(&stored_name);
                removed = true;
            }
        }
    }
    for listener in &listeners {
        listener.set_nonblocking(true)?;
        // `net.core.somaxconn` may have been raised since.
        SockRef::from(listener).listen(BACKLOG)?;
    }
    let reused = listeners.len();
    let early = notifier.is_connected();
    match make_missing(&mut listeners, address, count, early) {
        Err(error) if removed && error.kind() == io::ErrorKind::AddrInUse => {
            after_removal(notifier, || make_missing(&mut listeners, address, count, early))?;
        }
        made => made?,
    }
    if early && !is_local(address.ip()) {
        tracing::warn!(
            event = "address",
            "this machine does not have the address {} yet: connections are accepted as soon as it does",
            address.ip()
        );
    }
    if reused > 0 {
        tracing::info!(event = "listeners", reused, made = listeners.len() - reused, "took over listening sockets");
    }
    if address.port() != 0 {
        // Storing a socket again is harmless: the service manager keeps one of each.
        notifier.store(&name, &listeners.iter().map(AsFd::as_fd).collect::<Vec<_>>());
    }
    Ok(listeners)
}

/// Tries `bind` again once the service manager has closed the sockets that were removed: until then one that
/// listens on every address keeps the port of each.
fn after_removal(notifier: Notifier, mut bind: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    let deadline = Instant::now() + REMOVAL;
    notifier.wait_until_handled(REMOVAL);
    loop {
        match bind() {
            // Newer service managers close in a process of their own, after the barrier.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(10));
            }
            result => return result,
        }
    }
}

fn listens_on(socket: &TcpListener, address: SocketAddr) -> bool {
    SockRef::from(socket).is_listener().unwrap_or(false) && socket.local_addr().is_ok_and(|local| local == address)
}

/// Adds sockets until there are `count`; with `early` also on an address that this machine does not have yet.
fn make_missing(
    listeners: &mut Vec<TcpListener>,
    mut address: SocketAddr,
    count: usize,
    early: bool,
) -> io::Result<()> {
    let shared = count > 1;
    if shared && listeners.is_empty() {
        // SO_REUSEPORT would silently share the port with another fastgo of the same user; an exclusive bind does not.
        let exclusive = bind(address, false, early)?;
        address = local_address(&exclusive)?;
    }
    while listeners.len() < count {
        match bind(address, shared, early).and_then(|socket| socket.listen(BACKLOG).map(|()| socket)) {
            Ok(socket) => listeners.push(socket.into()),
            // Stored sockets made without SO_REUSEPORT let nothing beside them: share them instead.
            Err(_) if !listeners.is_empty() && !SockRef::from(&listeners[0]).reuse_port()? => {
                listeners.push(listeners[0].try_clone()?);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn bind(address: SocketAddr, shared: bool, early: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    if early {
        match address {
            SocketAddr::V4(_) => socket.set_freebind_v4(true)?,
            SocketAddr::V6(_) => socket.set_freebind_v6(true)?,
        }
    }
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

fn local_address(socket: &Socket) -> io::Result<SocketAddr> {
    socket.local_addr()?.as_socket().ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
}

#[cfg(test)]
mod tests;
