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
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;

use super::config::ListenerConfig;
use super::connection::{Desk, Kicks, publish_will, serve};
use super::counters::Counters;
use super::notice::Notice;
use super::protocol::Shared;
use super::registry::{Kick, Registry};
use super::tls::ServerTls;
use super::users::Users;
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
        let tls = config.tls.as_ref().map(ServerTls::load).transpose()?.map(TlsAcceptor::from);
        let users = config.users.as_ref().map(Users::load).transpose()?.map(Arc::new);
        if users.is_some() && tls.is_none() && config.remote().is_some() {
            config.notices.say(|| Notice::PlainPasswords);
        }
        let shared = Arc::new(Shared::new(config, deliver));
        let counters = shared.counters.clone();
        let run = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64);
        let registry = Arc::new(Registry::new(shared.config.max_connections, run, counters.clone()));
        let (stop, stopped) = watch::channel(None);
        let (over_sender, over) = blocking::channel();
        let (over_async_sender, over_async) = mpsc::channel(1);
        runtime.spawn(async move {
            let pace = Pace::new(shared.config.max_connection_rate, Instant::now());
            let (connections, kicks) = (JoinSet::new(), HashMap::new());
            let house = House { shared, registry, tls, users, connections, kicks, pace, next: 0 };
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
    tls: Option<TlsAcceptor>,
    users: Option<Arc<Users>>,
    connections: JoinSet<u64>,
    kicks: HashMap<u64, mpsc::UnboundedSender<Kick>>,
    pace: Pace,
    next: u64,
}

impl House {
    async fn run(mut self, listeners: Vec<TcpListener>, mut stopped: watch::Receiver<Option<Instant>>) {
        let mut sweep = interval(SWEEP);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let wait = self.pace.wait(Instant::now());
            tokio::select! {
                () = sleep(wait.unwrap_or_default()), if wait.is_some() => {
                    self.shared.counters.accepts_delayed.up();
                }
                accepted = accept_any(&listeners), if wait.is_none() => match accepted {
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
        self.pace.take();
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
        let desk = Desk { shared: self.shared.clone(), registry: self.registry.clone(), users: self.users.clone() };
        let tls = self.tls.clone();
        self.connections.spawn(async move {
            match tls {
                None => serve(stream, desk, number, (kick, kicks)).await,
                Some(tls) => serve_tls(stream, &tls, desk, number, (kick, kicks)).await,
            }
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
        // Sessions end with the process, and so do the delays of wills whose devices are gone.
        for due in self.registry.waiting_wills() {
            publish_will(&self.shared, due);
        }
        // Each connection keeps to the deadline; the rest is for their goodbyes.
        while let Ok(Some(_)) = timeout_at(deadline + LAST, self.connections.join_next()).await {}
        self.connections.shutdown().await;
    }
}

/// Serves a connection inside TLS, if the handshake succeeds within the time that a CONNECT has.
async fn serve_tls(stream: TcpStream, tls: &TlsAcceptor, desk: Desk, number: u64, mut kicks: Kicks) {
    let handshake = timeout(desk.shared.config.connect_timeout, tls.accept(stream));
    tokio::select! {
        shaken = handshake => match shaken {
            Ok(Ok(stream)) => serve(stream, desk, number, kicks).await,
            _ => _ = desk.shared.counters.tls_failures.up(),
        },
        // The listener stops; nothing was begun yet.
        _ = kicks.1.recv() => {}
    }
}

/// How fast sockets are accepted: a bucket of one second's worth, which fills as time passes. Whoever comes faster waits
/// in the system's queue, so that devices which all come back at once are served in turn.
struct Pace {
    rate: f64,
    left: f64,
    filled: Instant,
}

impl Pace {
    fn new(rate: u32, now: Instant) -> Pace {
        Pace { rate: rate.into(), left: rate.into(), filled: now }
    }

    /// How long to wait before the next one.
    fn wait(&mut self, now: Instant) -> Option<Duration> {
        let since = now.saturating_duration_since(self.filled).as_secs_f64();
        self.left = (self.left + since * self.rate).min(self.rate);
        self.filled = now;
        (self.left < 1.0).then(|| Duration::from_secs_f64((1.0 - self.left) / self.rate))
    }

    fn take(&mut self) {
        self.left -= 1.0;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_lets_a_seconds_worth_through_and_then_one_at_a_time() {
        let mut now = Instant::now();
        let mut pace = Pace::new(4, now);
        for _ in 0..4 {
            assert_eq!(pace.wait(now), None);
            pace.take();
        }
        let wait = pace.wait(now).expect("the bucket is empty");
        assert_eq!(wait, Duration::from_millis(250));
        now += wait;
        assert_eq!(pace.wait(now), None);
        pace.take();
        assert!(pace.wait(now).is_some());
        now += Duration::from_secs(60);
        let burst = std::iter::from_fn(|| {
            let free = pace.wait(now).is_none();
            pace.take();
            free.then_some(())
        });
        assert_eq!(burst.count(), 4, "a quiet minute does not add up");
    }
}
