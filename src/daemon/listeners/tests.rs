//! Sockets from a service manager's store and new ones, on a service manager of the test.

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
fn a_free_address_has_a_port_and_no_listener() {
    let free = free_address(ANY.parse().unwrap()).unwrap();
    assert_ne!(free.port(), 0);
    let listeners = obtain_fresh(ANY, 1).unwrap();
    let taken = address_of(&listeners);
    let error = free_address(taken).unwrap_err();
    assert!(error.is_usage() && error.to_string().contains(&taken.port().to_string()), "{error}");
    let elsewhere = free_address("192.0.2.1:0".parse().unwrap()).unwrap_err();
    assert!(!elsewhere.is_usage() && elsewhere.to_string().contains("192.0.2.1"), "{elsewhere}");
}

#[test]
fn the_unspecified_address_of_ipv6_serves_both_families() {
    let listeners = obtain_fresh("[::]:0", 1).unwrap();
    let port = address_of(&listeners).port();
    TcpStream::connect(("127.0.0.1", port)).unwrap();
    TcpStream::connect(("::1", port)).unwrap();
}

#[test]
fn an_address_that_comes_later_is_an_error_only_without_a_service_manager() {
    /// For documentation (RFC 5737 and 3849): no machine has them.
    const ELSEWHERE: [&str; 2] = ["192.0.2.7:0", "[2001:db8::7]:0"];
    for address in ELSEWHERE {
        let error = obtain_fresh(address, 1).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable);
    }
    let Some((_manager, notifier)) =
        ServiceManager::of(an_address_that_comes_later_is_an_error_only_without_a_service_manager)
    else {
        return;
    };
    for (address, count) in ELSEWHERE.into_iter().zip([1, 2]) {
        let wanted: SocketAddr = address.parse().unwrap();
        let listeners = obtain_from(Vec::new(), wanted, count, notifier).unwrap();
        assert_eq!((address_of(&listeners).ip(), listeners.len()), (wanted.ip(), count));
        assert!(!is_local(wanted.ip()) && is_local("127.0.0.1".parse().unwrap()));
    }
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
fn the_same_port_on_another_address_is_free_once_the_service_manager_has_let_go() {
    let Some((manager, notifier)) =
        ServiceManager::of(the_same_port_on_another_address_is_free_once_the_service_manager_has_let_go)
    else {
        return;
    };
    for count in [1, 2] {
        let everywhere = obtain_fresh("[::]:0", count).unwrap();
        let old = address_of(&everywhere);
        let new = SocketAddr::from(([127, 0, 0, 1], old.port()));
        // What the service manager still holds while this process has its copies.
        let held: Vec<_> = everywhere.iter().map(|socket| socket.try_clone().unwrap()).collect();
        let stored = everywhere.into_iter().map(|socket| (store_name(old), Some(socket))).collect();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                (0..count).for_each(|_| assert!(manager.message().starts_with("FDSTOREREMOVE=1\n")));
                let (message, barrier) = manager.receive();
                assert_eq!(message, "BARRIER=1");
                drop(barrier);
                std::thread::sleep(Duration::from_millis(50));
                drop(held);
            });
            let listeners = obtain_from(stored, new, count, notifier).unwrap();
            assert_eq!((address_of(&listeners), listeners.len()), (new, count));
        });
        assert!(manager.message().starts_with("FDSTORE=1\n"));
    }
}

#[test]
fn a_stored_socket_that_does_not_listen_is_replaced() {
    let Some((manager, notifier)) = ServiceManager::of(a_stored_socket_that_does_not_listen_is_replaced) else {
        return;
    };
    let bound = bind(ANY.parse().unwrap(), false, false).unwrap();
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
