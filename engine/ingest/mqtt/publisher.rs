//! A small real MQTT client: publishes a sequence of messages over TCP at QoS 1 and at a given rate.
//!
//! It runs in a thread of its own with its own small runtime, so that what it measures is not what else this process
//! does. The demo uses it as the device.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hashbrown::HashMap;
use parking_lot::Mutex;
use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Outgoing, Packet, QoS};

use crate::error::{Error, Result};

/// What a publisher is told.
#[derive(Debug, Clone)]
pub struct PublisherConfig {
    /// Where the listener or broker is.
    pub address: SocketAddr,
    /// The client id.
    pub client_id: String,
    /// Messages a second; without one as fast as acknowledgements come.
    pub rate: Option<f64>,
    /// Most messages sent and not acknowledged.
    pub max_in_flight: u16,
    /// How long it may go without any progress before it gives up.
    pub patience: Duration,
}

impl PublisherConfig {
    /// A publisher without a rate, at most 100 messages ahead of their acknowledgements, with 10 s of patience.
    pub fn new(address: SocketAddr, client_id: impl Into<String>) -> PublisherConfig {
        let patience = Duration::from_secs(10);
        PublisherConfig { address, client_id: client_id.into(), rate: None, max_in_flight: 100, patience }
    }

    /// Sets the rate, in messages a second.
    pub fn rate(mut self, rate: f64) -> PublisherConfig {
        self.rate = Some(rate);
        self
    }
}

/// What a publisher did.
#[derive(Debug, Clone, Default)]
pub struct PublishReport {
    /// Messages handed to the client.
    pub sent: u64,
    /// Messages acknowledged.
    pub acknowledged: u64,
    /// When each message was handed to the client, in order.
    pub published: Vec<Instant>,
    /// Publish to acknowledgement of each acknowledged message, in the order of the acknowledgements.
    pub latencies: Vec<Duration>,
}

impl PublishReport {
    /// The latency that the share `quantile` (0 to 1) of the acknowledged messages does not exceed.
    pub fn latency(&self, quantile: f64) -> Option<Duration> {
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable();
        let rank = (quantile.clamp(0.0, 1.0) * sorted.len() as f64).ceil() as usize;
        sorted.get(rank.saturating_sub(1)).copied()
    }
}

#[derive(Debug, Default)]
struct Progress {
    stop: AtomicBool,
    sent: AtomicU64,
    acknowledged: AtomicU64,
    published: Mutex<Vec<Instant>>,
    latencies: Mutex<Vec<Duration>>,
}

/// A running publisher. Dropping it stops it and waits for its thread.
#[derive(Debug)]
pub struct Publisher {
    progress: Arc<Progress>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Publisher {
    /// Starts publishing `messages`, pairs of topic and payload.
    ///
    /// # Errors
    /// When no thread can be started. What happens later is told by [`join`](Self::join).
    pub fn start<M>(config: PublisherConfig, messages: M) -> Result<Publisher>
    where
        M: IntoIterator<Item = (String, Vec<u8>)> + Send + 'static,
        M::IntoIter: Send,
    {
        let progress = Arc::new(Progress::default());
        let seen = progress.clone();
        let thread = std::thread::Builder::new().name("mqtt-publisher".to_string()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|error| Error::external("cannot start the MQTT publisher").with_source(error))?;
            runtime.block_on(publish(&config, &seen, &mut messages.into_iter()))
        });
        let thread = thread.map_err(|error| Error::external("cannot start the MQTT publisher").with_source(error))?;
        Ok(Publisher { progress, thread: Some(thread) })
    }

    /// Messages handed to the client so far.
    pub fn sent(&self) -> u64 {
        self.progress.sent.load(Ordering::Relaxed)
    }

    /// Messages acknowledged so far.
    pub fn acknowledged(&self) -> u64 {
        self.progress.acknowledged.load(Ordering::Relaxed)
    }

    /// When the message with this index (from 0) was handed to the client.
    pub fn published_at(&self, index: usize) -> Option<Instant> {
        self.progress.published.lock().get(index).copied()
    }

    /// Publishes nothing more; what was sent is still waited for by [`join`](Self::join).
    pub fn stop(&self) {
        self.progress.stop.store(true, Ordering::Relaxed);
    }

    /// Waits until everything sent is acknowledged, and says DISCONNECT.
    ///
    /// # Errors
    /// Of kind external, when nothing went on for as long as the patience: the connection failed, or acknowledgements
    /// did not come.
    pub fn join(mut self) -> Result<PublishReport> {
        let ended = self.thread.take().map(JoinHandle::join);
        if let Some(ended) = ended {
            ended.map_err(|_| Error::internal("the MQTT publisher panicked"))??;
        }
        let progress = &self.progress;
        Ok(PublishReport {
            sent: progress.sent.load(Ordering::Relaxed),
            acknowledged: progress.acknowledged.load(Ordering::Relaxed),
            published: std::mem::take(&mut *progress.published.lock()),
            latencies: std::mem::take(&mut *progress.latencies.lock()),
        })
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn publish(
    config: &PublisherConfig,
    progress: &Arc<Progress>,
    messages: &mut (dyn Iterator<Item = (String, Vec<u8>)> + Send),
) -> Result<()> {
    let mut options = MqttOptions::new(&config.client_id, config.address.ip().to_string(), config.address.port());
    options.set_keep_alive(Duration::from_secs(30));
    options.set_inflight(config.max_in_flight.max(1));
    options.set_max_packet_size(1 << 20, 1 << 20);
    let (client, events) = AsyncClient::new(options, usize::from(config.max_in_flight.max(1)));
    let mut follower = tokio::spawn(follow(events, progress.clone(), config.patience));
    let sender = async {
        let begin = tokio::time::Instant::now();
        for (index, (topic, payload)) in messages.enumerate() {
            if let Some(rate) = config.rate.filter(|rate| *rate > 0.0) {
                tokio::time::sleep_until(begin + Duration::from_secs_f64(index as f64 / rate)).await;
            }
            if progress.stop.load(Ordering::Relaxed) {
                break;
            }
            progress.published.lock().push(Instant::now());
            progress.sent.fetch_add(1, Ordering::Relaxed);
            if client.publish(topic, QoS::AtLeastOnce, false, payload).await.is_err() {
                // The follower has ended and says why.
                return;
            }
        }
        progress.stop.store(true, Ordering::Relaxed);
        while progress.acknowledged.load(Ordering::Relaxed) < progress.sent.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let _ = client.disconnect().await;
    };
    let failed = || Error::internal("the MQTT publisher panicked");
    tokio::select! {
        ended = &mut follower => return ended.map_err(|_| failed())?,
        () = sender => {}
    }
    follower.await.map_err(|_| failed())?
}

/// Drives the connection, and matches acknowledgements with messages.
async fn follow(mut events: EventLoop, progress: Arc<Progress>, patience: Duration) -> Result<()> {
    // Packet ids in use and the message each stands for; messages leave in the order they were published.
    let mut under_way: HashMap<u16, usize> = HashMap::new();
    let mut next = 0;
    let mut leaving = false;
    let mut last_progress = Instant::now();
    let mut last_error = String::from("no acknowledgement came");
    loop {
        let waits = under_way.len() as u64 > 0 || progress.sent.load(Ordering::Relaxed) as usize > next;
        if !waits {
            last_progress = Instant::now();
        }
        let event = tokio::time::timeout(patience, events.poll()).await;
        match event {
            Ok(Ok(Event::Outgoing(Outgoing::Publish(id)))) => {
                // An id that is in use is a message sent again after a lost connection.
                under_way.entry(id).or_insert_with(|| {
                    next += 1;
                    next - 1
                });
            }
            Ok(Ok(Event::Incoming(Packet::PubAck(ack)))) => {
                if let Some(index) = under_way.remove(&ack.pkid) {
                    let published = progress.published.lock().get(index).copied();
                    if let Some(published) = published {
                        progress.latencies.lock().push(published.elapsed());
                    }
                    progress.acknowledged.fetch_add(1, Ordering::Relaxed);
                    last_progress = Instant::now();
                }
            }
            Ok(Ok(Event::Outgoing(Outgoing::Disconnect))) => leaving = true,
            Ok(Ok(_)) => {}
            // The end that was asked for.
            _ if leaving => return Ok(()),
            Ok(Err(error)) => {
                last_error = error.to_string();
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(_) => {}
        }
        if waits && last_progress.elapsed() >= patience {
            let sent = progress.sent.load(Ordering::Relaxed);
            let acknowledged = progress.acknowledged.load(Ordering::Relaxed);
            return Err(Error::external(format!("MQTT publisher stopped with {acknowledged} of {sent} acknowledged"))
                .detail(last_error)
                .retryable());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_a_latency_that_was_measured() {
        let latencies = [4, 1, 3, 2].map(Duration::from_millis).to_vec();
        let report = PublishReport { latencies, ..Default::default() };
        assert_eq!(report.latency(0.5), Some(Duration::from_millis(2)));
        assert_eq!(report.latency(0.99), Some(Duration::from_millis(4)));
        assert_eq!(report.latency(0.0), Some(Duration::from_millis(1)));
        assert_eq!(PublishReport::default().latency(0.5), None);
    }
}
