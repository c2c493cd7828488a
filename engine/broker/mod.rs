//! The embedded broker: Kafka's protocol over a log on disk or in memory, on one node, in this process.
//!
//! It is what the engine runs on when there is no Kafka: the first run, tests, an edge device. It is an embedded log
//! and not a product broker: no replication, no authentication, loopback unless told otherwise. It knows nothing of
//! the engine and shares only its error type.
//!
//! A request's way: `wire` reads a frame, `api` decodes it and calls on what `node` holds: `topics` with their
//! `partition`s, each a `log` and its `producers` under one lock; `groups`; `transactions`. What is durable
//! besides records is `state`, a fold of events in the `journal`. `folder` guards the files, `upkeep` lets go of what is
//! too old, by the [`clock`]; [`hooks`] let a test make things fail.
//!
//! What holds everywhere: a record or a decision is written before it is acknowledged, so `kill -9` loses nothing
//! acknowledged (losing power may, by the [`Fsync`] policy); a batch is stored and served as the bytes it came in,
//! with only its offset filled in; nothing a client sends can make the broker panic or read past a request.

mod alarm;
pub mod clock;
mod config;
mod folder;
pub mod hooks;
mod journal;
mod log;
mod node;
mod partition;
mod producers;
mod random;
mod state;
mod topic_config;
mod topics;
mod upkeep;

mod groups;
mod transactions;

mod api;
mod wire;

#[cfg(test)]
mod tests;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

pub use config::{Config, Fsync, Storage, Warn};

use crate::error::{Error, Result};
use node::Node;

/// How long connections may take to let go when the broker stops.
const STOP_PATIENCE: Duration = Duration::from_millis(500);

/// How a broker ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// With everything on the disk.
    Clean,
    /// As a process that is killed.
    Crash,
}

/// A running broker. It stops cleanly when dropped.
#[derive(Debug)]
pub struct Broker {
    addr: SocketAddr,
    stop: Option<oneshot::Sender<End>>,
    thread: Option<JoinHandle<()>>,
}

impl Broker {
    /// Starts a broker; it is ready to serve when this returns. It has threads of its own, so it may be called from
    /// any thread and outside any runtime.
    ///
    /// Errors: an address beyond loopback without permission, a taken port, a folder that cannot be used, is in use,
    /// or is of an unknown format.
    pub fn start_blocking(config: Config) -> Result<Broker> {
        if !config.listen.ip().is_loopback() && !config.allow_non_loopback {
            return Err(Error::usage(format!("refusing to listen on {}", config.listen))
                .detail("the embedded broker has no authentication, and other machines could reach this address")
                .hint("Listen on 127.0.0.1, or allow it explicitly."));
        }
        let cannot_listen = |error: std::io::Error, at: SocketAddr| {
            let error_text = match error.kind() {
                std::io::ErrorKind::AddrInUse => "the port is taken".to_string(),
                _ => error.to_string(),
            };
            Error::external(format!("the embedded broker cannot listen on {at}"))
                .detail(error_text)
                .hint("Name another address, or port 0 for any free port.")
                .with_source(error)
        };
        let listener = TcpListener::bind(config.listen).map_err(|error| cannot_listen(error, config.listen))?;
        let addr = listener.local_addr().map_err(|error| cannot_listen(error, config.listen))?;
        listener.set_nonblocking(true).map_err(|error| cannot_listen(error, addr))?;
        let threads = config.threads.max(1);
        let node = Arc::new(Node::open(config, addr)?);
        let internal = |error: std::io::Error| Error::external("the broker's threads cannot start").with_source(error);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("broker")
            .enable_all()
            .build()
            .map_err(internal)?;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("broker-main".into())
            .spawn(move || {
                let end = runtime.block_on(run(Arc::clone(&node), listener, stopped));
                node.stopping.store(true, Ordering::Relaxed);
                // Connections end where they wait, so nothing is half done.
                runtime.shutdown_timeout(STOP_PATIENCE);
                if end == End::Clean {
                    node.close();
                }
            })
            .map_err(internal)?;
        Ok(Broker { addr, stop: Some(stop), thread: Some(thread) })
    }

    /// [`Broker::start_blocking`] for callers on a runtime.
    pub async fn start(config: Config) -> Result<Broker> {
        tokio::task::spawn_blocking(move || Broker::start_blocking(config))
            .await
            .unwrap_or_else(|_| Err(Error::internal("the broker's start was interrupted")))
    }

    /// The address it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Stops it: connections are closed, everything is forced to the disk, the folder is let go.
    pub fn shutdown_blocking(mut self) {
        self.stop();
    }

    /// [`Broker::shutdown_blocking`] for callers on a runtime.
    pub async fn shutdown(self) {
        // A failure can only mean that the runtime is going away, and then dropping has stopped the broker.
        let _ = tokio::task::spawn_blocking(move || self.shutdown_blocking()).await;
    }

    /// Ends it as `kill -9` would: connections break, nothing is forced to the disk, no file is finished. Its folder can
    /// be opened by another broker when this returns. For tests of recovery.
    pub fn crash(mut self) {
        if let Some(stop) = self.stop.take() {
            // It is gone already if nobody listens.
            let _ = stop.send(End::Crash);
        }
        self.stop();
    }

    fn stop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!(target: "alcedo::broker", "the broker's thread panicked");
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Accepts connections until the handle is dropped.
async fn run(node: Arc<Node>, listener: TcpListener, stopped: oneshot::Receiver<End>) -> End {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            node.config.warn(&format!("the broker cannot listen: {error}"));
            return End::Clean;
        }
    };
    let timers = Arc::clone(&node);
    tokio::spawn(async move { timers.run_timers().await });
    tokio::spawn(Arc::clone(&node).run_fsync());
    tokio::spawn(Arc::clone(&node).run_upkeep());
    let accept = async {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    tokio::spawn(wire::connection::serve(Arc::clone(&node), stream, peer));
                }
                // Out of descriptors, most likely: existing connections go on, and some will end.
                Err(error) => {
                    node.config.warn(&format!("a connection could not be accepted: {error}"));
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    };
    tokio::select! {
        () = accept => End::Clean,
        // Without a word the handle was dropped.
        end = stopped => end.unwrap_or(End::Clean),
    }
}
