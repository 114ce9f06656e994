//! hyper's hello world on tokio's multi-thread runtime: the worker-pool engine is compared with it.

use fastgo_peers::{address, hello};
use tokio::net::TcpListener;

fn main() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_io().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(address()).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(hello::serve(stream));
        }
    })
}
