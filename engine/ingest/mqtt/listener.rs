//! The listening sockets of a connector, and its end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc as blocking;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hashbrown::HashMap;
use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout_at};

use super::config::ListenerConfig;
use super::connection::{publish_will, serve};
use super::counters::Counters;
use super::protocol::Shared;
use super::registry::{Kick, Registry};
use crate::error::{Error, Result};
use crate::ingest::deliver::Deliver;

/// How often kept sessions and delayed wills are looked at.
const SWEEP: Duration = Duration::from_secs(1);
/// How long the connections' goodbyes may take.
const LAST: Duration = Duration::from_secs(2);
/// Sockets beyond the allowed connections that are still answered with a refusal, and not just closed.
const REFUSABLE: usize = 64;

/// A running listener. Dropping it closes everything at once; [`shutdown`](Self::shutdown) does it in order.
#[derive(Debug)]
pub struct MqttListener {
    addresses: Vec<SocketAddr>,
    counters: Arc<Counters>,
    /// Set to the time by which everything has to be over.
    stop: watch::Sender<Option<Instant>>,
    /// Closes when everything is over.
    over: Mutex<blocking::Receiver<()>>,
    over_async: mpsc::Receiver<()>,
}

impl MqttListener {
    /// Binds the addresses and serves devices on `runtime` until it is shut down or dropped.
    ///
    /// # Errors
    /// Of kind SQL, for an address beyond this machine that was not allowed. Of kind external, when an address is taken
    /// or cannot be bound.
    pub fn start(config: ListenerConfig, deliver: Arc<dyn Deliver>, runtime: &Handle) -> Result<MqttListener> {
        config.check()?;
        let bound: Result<Vec<_>> = config.listeners.iter().map(|address| bind(*address)).collect();
        let _context = runtime.enter();
        let mut listeners = Vec::new();
        let mut addresses = Vec::new();
        for listener in bound? {
            let address = listener.local_addr().map_err(|error| cannot_listen(config.listeners[0], error))?;
            addresses.push(address);
            listeners.push(TcpListener::from_std(listener).map_err(|error| cannot_listen(address, error))?);
        }
        let counters = Arc::new(Counters::default());
        let run = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64);
        let registry = Arc::new(Registry::new(config.max_connections, run, counters.clone()));
        let shared = Arc::new(Shared {
            rules: Arc::new(config.rules.clone()),
            config,
            counters: counters.clone(),
            deliver,
            reported: Default::default(),
        });
        let (stop, stopped) = watch::channel(None);
        let (over_sender, over) = blocking::channel();
        let (over_async_sender, over_async) = mpsc::channel(1);
        runtime.spawn(async move {
            let house = House { shared, registry, connections: JoinSet::new(), kicks: HashMap::new(), next: 0 };
            house.run(listeners, stopped).await;
            drop((over_sender, over_async_sender));
        });
        Ok(MqttListener { addresses, counters, stop, over: Mutex::new(over), over_async })
    }

    /// The first address it listens on, with the port it got.
    pub fn addr(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// All addresses it listens on, in the order of the configuration.
    pub fn addrs(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// What it has seen. The counters stay readable after the listener's end.
    pub fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// Stops accepting and reading, acknowledges what is delivered within `patience`, says DISCONNECT to every device
    /// and closes. What is not acknowledged by then the devices send again to whoever listens next.
    pub async fn shutdown(mut self, patience: Duration) {
        self.stop.send_replace(Some(Instant::now() + patience));
        // Nobody ever sends: it only closes.
        let _ = self.over_async.recv().await;
    }

    /// The same, for a thread outside the runtime. Waits at most three seconds longer than `patience`.
    pub fn shutdown_blocking(self, patience: Duration) {
        self.stop.send_replace(Some(Instant::now() + patience));
        let _ = self.over.lock().recv_timeout(patience + Duration::from_secs(3));
    }
}

fn bind(address: SocketAddr) -> Result<std::net::TcpListener> {
    let listener = std::net::TcpListener::bind(address).map_err(|error| cannot_listen(address, error))?;
    listener.set_nonblocking(true).map_err(|error| cannot_listen(address, error))?;
    Ok(listener)
}

fn cannot_listen(address: SocketAddr, error: io::Error) -> Error {
    let port = address.port();
    let answer = match error.kind() {
        io::ErrorKind::AddrInUse => Error::external(format!("MQTT port {port} on {} is taken", address.ip()))
            .hint("Stop what listens there, or choose another port in 'listeners'; port 0 takes a free one."),
        io::ErrorKind::PermissionDenied => Error::external(format!("no permission for MQTT port {port}"))
            .hint("Ports below 1024 need a privilege; choose a higher one in 'listeners'."),
        _ => Error::external(format!("cannot listen for MQTT on {address}")).detail(error.to_string()),
    };
    answer.with_source(error)
}

/// All connections of a listener.
struct House {
    shared: Arc<Shared>,
    registry: Arc<Registry>,
    connections: JoinSet<u64>,
    kicks: HashMap<u64, mpsc::UnboundedSender<Kick>>,
    next: u64,
}

impl House {
    async fn run(mut self, listeners: Vec<TcpListener>, mut stopped: watch::Receiver<Option<Instant>>) {
        let mut sweep = interval(SWEEP);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                accepted = accept_any(&listeners) => match accepted {
                    Ok(stream) => self.take(stream),
                    // Out of file descriptors, most likely: it passes when a connection closes.
                    Err(_) => sleep(Duration::from_millis(50)).await,
                },
                Some(ended) = self.connections.join_next() => self.forget(ended.ok()),
                _ = sweep.tick() => {
                    for due in self.registry.sweep(Instant::now()) {
                        publish_will(&self.shared, due);
                    }
                }
                changed = stopped.changed() => {
                    // Without a handle, and so without a deadline, the tasks end with their set.
                    let deadline = changed.ok().and(*stopped.borrow());
                    drop(listeners);
                    if let Some(deadline) = deadline {
                        self.stop(deadline).await;
                    }
                    return;
                }
            }
        }
    }

    fn take(&mut self, stream: TcpStream) {
        self.shared.counters.sockets.up();
        if self.connections.len() >= self.shared.config.max_connections + REFUSABLE {
            self.shared.counters.connections_refused.up();
            return;
        }
        // Acknowledgements are small and awaited; a failure to say so costs time, not truth.
        let _ = stream.set_nodelay(true);
        let number = self.next;
        self.next += 1;
        let (kick, kicks) = mpsc::unbounded_channel();
        self.kicks.insert(number, kick.clone());
        let (shared, registry) = (self.shared.clone(), self.registry.clone());
        self.connections.spawn(async move {
            serve(stream, shared, registry, number, (kick, kicks)).await;
            number
        });
    }

    fn forget(&mut self, ended: Option<u64>) {
        if let Some(number) = ended {
            self.kicks.remove(&number);
        }
    }

    async fn stop(mut self, deadline: Instant) {
        for kick in self.kicks.values() {
            let _ = kick.send(Kick::Stop { deadline });
        }
        // Each connection keeps to the deadline; the rest is for their goodbyes.
        while let Ok(Some(_)) = timeout_at(deadline + LAST, self.connections.join_next()).await {}
        self.connections.shutdown().await;
    }
}

async fn accept_any(listeners: &[TcpListener]) -> io::Result<TcpStream> {
    std::future::poll_fn(|cx| {
        for listener in listeners {
            if let std::task::Poll::Ready(accepted) = listener.poll_accept(cx) {
                return std::task::Poll::Ready(accepted.map(|(stream, _)| stream));
            }
        }
        std::task::Poll::Pending
    })
    .await
}
