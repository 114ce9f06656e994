//! hyper's hello world with a single-threaded runtime and a listener per core: the hyper engine is compared with it.

use std::io;
use std::net::{SocketAddrV4, TcpListener as Listener};
use std::thread;

use fastgo_peers::{address, hello};
use socket2::{Domain, Socket, Type};
use tokio::net::TcpListener;

/// Connections that may wait for `accept`; the kernel caps it at `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

fn main() -> io::Result<()> {
    let address = address();
    let cores = thread::available_parallelism()?.get();
    let threads: Vec<_> = (1..cores).map(|_| thread::spawn(move || serve(address))).collect();
    serve(address)?;
    threads.into_iter().try_for_each(|thread| thread.join().expect("a server thread panicked"))
}

fn serve(address: SocketAddrV4) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let listener = TcpListener::from_std(listen(address)?)?;
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::task::spawn_local(hello::serve(stream));
        }
    })
}

/// A listener of its own for each thread: `SO_REUSEPORT` lets the kernel spread the connections over them.
fn listen(address: SocketAddrV4) -> io::Result<Listener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
