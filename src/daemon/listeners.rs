//! Listening sockets: taken from systemd's file-descriptor store when the process before this one left them there,
//! made and stored otherwise, so that no client is refused while fastgo restarts.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd;

use listenfd::ListenFd;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::notify::{Notifier, store_name};

/// Connections that may wait to be accepted; the kernel caps it at `net.core.somaxconn`.
const BACKLOG: i32 = 65_535;

/// A socket from the store with the name it was kept under; `None` for a descriptor that is no TCP socket.
type Stored = (String, Option<TcpListener>);

/// At least `count` sockets that listen on `address`, non-blocking and closed on exec.
///
/// Stored sockets of that address are used, all of them, since clients may wait in each; what else the store holds is
/// removed from it. Missing sockets are made, with `SO_REUSEPORT` when `count` is more than one, and stored. With
/// port 0 the kernel chooses one port for all, and nothing is stored.
///
/// Reads and clears `LISTEN_FDS` and `LISTEN_PID`: call it once, before any thread is started. `listenfd` owns the
/// descriptors it hands out; `sd-notify` would give bare numbers, of which only unsafe code makes sockets.
///
/// # Errors
/// What the kernel says, above all [`io::ErrorKind::AddrInUse`], also when a process of the same user shares the port.
pub fn obtain(address: SocketAddr, count: usize, notifier: Notifier) -> io::Result<Vec<TcpListener>> {
    obtain_from(take_stored(), address, count, notifier)
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
    for (stored_name, socket) in stored {
        match socket {
            Some(socket) if stored_name == name && listens_on(&socket, address) => listeners.push(socket),
            // A foreign one that shares the wanted name takes the others along; they are stored again below.
            _ => notifier.remove(&stored_name),
        }
    }
    for listener in &listeners {
        listener.set_nonblocking(true)?;
        // `net.core.somaxconn` may have been raised since.
        SockRef::from(listener).listen(BACKLOG)?;
    }
    let reused = listeners.len();
    make_missing(&mut listeners, address, count)?;
    if reused > 0 {
        tracing::info!(event = "listeners", reused, made = listeners.len() - reused, "took over listening sockets");
    }
    if address.port() != 0 {
        // Storing a socket again is harmless: the service manager keeps one of each.
        notifier.store(&name, &listeners.iter().map(AsFd::as_fd).collect::<Vec<_>>());
    }
    Ok(listeners)
}

fn listens_on(socket: &TcpListener, address: SocketAddr) -> bool {
    SockRef::from(socket).is_listener().unwrap_or(false) && socket.local_addr().is_ok_and(|local| local == address)
}

fn make_missing(listeners: &mut Vec<TcpListener>, mut address: SocketAddr, count: usize) -> io::Result<()> {
    let shared = count > 1;
    if shared && listeners.is_empty() {
        // SO_REUSEPORT would silently share the port with another fastgo of the same user; an exclusive bind does not.
        let exclusive = bind(address, false)?;
        address = local_address(&exclusive)?;
    }
    while listeners.len() < count {
        match bind(address, shared).and_then(|socket| socket.listen(BACKLOG).map(|()| socket)) {
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

fn bind(address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
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
mod tests {
    use std::net::TcpStream;
    use std::os::fd::OwnedFd;

    use super::super::notify::tests::ServiceManager;
    use super::*;

    const ANY: &str = "127.0.0.1:0";

    fn obtain_fresh(address: &str, count: usize) -> io::Result<Vec<TcpListener>> {
        obtain_from(Vec::new(), address.parse().unwrap(), count, Notifier::default())
    }

    fn address_of(listeners: &[TcpListener]) -> SocketAddr {
        listeners[0].local_addr().unwrap()
    }

    /// What the next process gets of what this one stored.
    fn restart(name: &str, fds: Vec<OwnedFd>) -> Vec<Stored> {
        fds.into_iter().map(|fd| (name.to_owned(), Some(TcpListener::from(fd)))).collect()
    }

    #[test]
    fn several_sockets_share_the_port_that_the_kernel_chose() {
        let listeners = obtain_fresh(ANY, 3).unwrap();
        assert_eq!(listeners.len(), 3);
        for listener in &listeners {
            assert_eq!(listener.local_addr().unwrap(), address_of(&listeners));
            assert_eq!(listener.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
        }
    }

    #[test]
    fn a_port_in_use_is_an_error_even_where_it_could_be_shared() {
        for (first, second) in [(1, 1), (1, 2), (2, 1), (2, 2)] {
            let listeners = obtain_fresh(ANY, first).unwrap();
            let error = obtain_fresh(&address_of(&listeners).to_string(), second).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AddrInUse, "{first} then {second}");
        }
    }

    #[test]
    fn the_unspecified_address_of_ipv6_serves_both_families() {
        let listeners = obtain_fresh("[::]:0", 1).unwrap();
        let port = address_of(&listeners).port();
        TcpStream::connect(("127.0.0.1", port)).unwrap();
        TcpStream::connect(("::1", port)).unwrap();
    }

    #[test]
    fn a_restart_takes_over_the_sockets_and_their_waiting_clients() {
        let Some((manager, notifier)) = ServiceManager::of(a_restart_takes_over_the_sockets_and_their_waiting_clients)
        else {
            return;
        };
        for count in [1, 3] {
            let address = address_of(&obtain_fresh(ANY, 1).unwrap());
            let first = obtain_from(Vec::new(), address, count, notifier).unwrap();
            let (message, fds) = manager.receive();
            let name = store_name(address);
            assert_eq!(message, format!("FDSTORE=1\nFDNAME={name}"));
            drop(first);
            let _client = TcpStream::connect(address).unwrap();
            let second = obtain_from(restart(&name, fds), address, count, notifier).unwrap();
            assert_eq!(second.len(), count);
            assert_eq!(second.iter().filter(|listener| listener.accept().is_ok()).count(), 1);
            assert_eq!(manager.receive().1.len(), count);
        }
    }

    #[test]
    fn all_stored_sockets_stay_in_use_and_missing_ones_are_added() {
        let Some((manager, notifier)) = ServiceManager::of(all_stored_sockets_stay_in_use_and_missing_ones_are_added)
        else {
            return;
        };
        for (before, wanted, after) in [(3, 1, 3), (1, 3, 3), (2, 3, 3)] {
            let address = address_of(&obtain_fresh(ANY, 1).unwrap());
            drop(obtain_from(Vec::new(), address, before, notifier).unwrap());
            let stored = restart(&store_name(address), manager.receive().1);
            let listeners = obtain_from(stored, address, wanted, notifier).unwrap();
            assert_eq!(listeners.len(), after, "{before} stored, {wanted} wanted");
            assert_eq!(manager.receive().1.len(), after);
        }
    }

    #[test]
    fn sockets_of_another_address_are_removed_and_closed() {
        let Some((manager, notifier)) = ServiceManager::of(sockets_of_another_address_are_removed_and_closed) else {
            return;
        };
        let old = obtain_fresh(ANY, 1).unwrap();
        let old_address = address_of(&old);
        let new_address = address_of(&obtain_fresh(ANY, 1).unwrap());
        let stored = old.into_iter().map(|socket| (store_name(old_address), Some(socket))).collect();
        let listeners = obtain_from(stored, new_address, 1, notifier).unwrap();
        assert_eq!(address_of(&listeners), new_address);
        assert_eq!(manager.message(), format!("FDSTOREREMOVE=1\nFDNAME={}", store_name(old_address)));
        assert_eq!(manager.message(), format!("FDSTORE=1\nFDNAME={}", store_name(new_address)));
        assert_eq!(TcpStream::connect(old_address).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn a_stored_socket_that_does_not_listen_is_replaced() {
        let Some((manager, notifier)) = ServiceManager::of(a_stored_socket_that_does_not_listen_is_replaced) else {
            return;
        };
        let bound = bind(ANY.parse().unwrap(), false).unwrap();
        let address = local_address(&bound).unwrap();
        let name = store_name(address);
        let stored = vec![(name.clone(), Some(bound.into())), (name.clone(), None)];
        let listeners = obtain_from(stored, address, 1, notifier).unwrap();
        TcpStream::connect(address_of(&listeners)).unwrap();
        assert_eq!(manager.message(), format!("FDSTOREREMOVE=1\nFDNAME={name}"));
        assert_eq!(manager.message(), format!("FDSTOREREMOVE=1\nFDNAME={name}"));
        assert_eq!(manager.message(), format!("FDSTORE=1\nFDNAME={name}"));
        assert!(manager.is_quiet());
    }
}
