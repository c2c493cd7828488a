//! The glue between one socket and its protocol: moves bytes and time, and lets go of the session at the end.
//!
//! One task a connection, one `poll` for everything that can happen to it. Nothing here blocks another connection.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::config::Notice;
use super::counters::Cause;
use super::packets::{Connect, Refusal};
use super::protocol::{Now, Progress, Protocol, Remains, Shared};
use super::registry::{Claim, DueWill, Kick, Registry};
use super::session::Session;
use super::wire::{Close, reason};
use crate::ingest::deliver::{Handover, IngestRecord, Receipt};

/// The read buffer of a quiet connection, which grows to the second figure when reads fill it.
const READ: std::ops::Range<usize> = 2 * 1024..64 * 1024;
/// How soon a record is offered again to a producer that had no room.
const OFFER_AGAIN: Duration = Duration::from_millis(5);
/// How long a device may take to read its last bytes and close.
const GOODBYE: Duration = Duration::from_secs(1);
/// How long a connection may take to hand its session to the next one.
const HAND_OVER: Duration = Duration::from_secs(5);

/// Serves one connection to its end. `stream` may be anything that carries bytes.
pub(super) async fn serve<S>(
    stream: S,
    shared: Arc<Shared>,
    registry: Arc<Registry>,
    connection: u64,
    kicks: (mpsc::UnboundedSender<Kick>, mpsc::UnboundedReceiver<Kick>),
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let now = Instant::now();
    let mut driver = Driver {
        stream,
        input: BytesMut::new(),
        chunk: READ.start,
        protocol: Protocol::new(shared.clone(), now),
        shared: shared.clone(),
        registry,
        connection,
        kick: kicks.0,
        kicks: kicks.1,
        timer: Box::pin(sleep_until(now + shared.config.connect_timeout)),
        stopping: None,
        admitted: false,
    };
    let close = driver.run().await;
    driver.finish(close).await;
}

/// What woke a connection.
enum Event {
    Kick(Kick),
    Settled,
    /// Answers went out, and there may be room to read again.
    Sent,
    Read(usize),
    Timer,
    Lost,
}

struct Driver<S> {
    stream: S,
    input: BytesMut,
    /// How much room the next read gets.
    chunk: usize,
    protocol: Protocol,
    shared: Arc<Shared>,
    registry: Arc<Registry>,
    connection: u64,
    kick: mpsc::UnboundedSender<Kick>,
    kicks: mpsc::UnboundedReceiver<Kick>,
    timer: Pin<Box<Sleep>>,
    /// When the listener stops at the latest. Nothing more is read then, and what is under way is settled.
    stopping: Option<Instant>,
    admitted: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    async fn run(&mut self) -> Close {
        loop {
            let now = Instant::now();
            if self.protocol.holds_back() {
                self.protocol.seen(now);
            }
            if let Err(close) = self.protocol.settle() {
                return close;
            }
            let reading = match self.take(now).await {
                Ok(reading) => reading,
                Err(close) => return close,
            };
            if self.stopping.is_some_and(|deadline| now >= deadline || self.protocol.is_settled()) {
                return Close { reason: reason::SHUTTING_DOWN, cause: Cause::Shutdown, will: false };
            }
            // A device that does not take our answers gets no more time than one that is silent.
            let clock_runs = !self.protocol.holds_back() && self.stopping.is_none();
            let mut wake = [self.protocol.deadline(clock_runs), self.stopping].into_iter().flatten().min();
            if self.protocol.holds_record() {
                let again = now + OFFER_AGAIN;
                wake = Some(wake.map_or(again, |wake| wake.min(again)));
            }
            if let Some(wake) = wake
                && (wake < self.timer.deadline() || self.timer.is_elapsed())
            {
                self.timer.as_mut().reset(wake);
            }
            match poll_fn(|cx| self.poll(cx, reading, wake.is_some())).await {
                Event::Kick(Kick::Stop { deadline }) => self.stopping = Some(deadline),
                Event::Kick(Kick::TakeOver { heir }) => {
                    self.hand_over(heir);
                    return Close { reason: 0, cause: Cause::TakenOver, will: false };
                }
                Event::Settled | Event::Sent => {}
                Event::Read(0) | Event::Lost => return Close::LOST,
                Event::Read(bytes) => {
                    self.shared.counters.bytes.add(bytes as u64);
                    self.protocol.seen(Instant::now());
                    if self.input.len() == self.input.capacity() {
                        self.chunk = (self.chunk * 2).min(READ.end);
                    }
                }
                Event::Timer => {
                    self.protocol.offer_again();
                    if let Err(close) = self.protocol.check_time(clock_runs, Instant::now()) {
                        return close;
                    }
                }
            }
        }
    }

    /// Takes what has been read, and says whether to read on.
    async fn take(&mut self, now: Instant) -> Result<bool, Close> {
        if self.stopping.is_some() {
            return Ok(false);
        }
        let now = Now { instant: now, wall_ms: wall_ms() };
        loop {
            match self.protocol.feed(&mut self.input, now)? {
                Progress::NeedMore(bytes) => {
                    self.input.reserve(self.chunk.max(bytes));
                    return Ok(true);
                }
                Progress::Blocked => return Ok(false),
                Progress::Connect(connect) => self.admit(*connect).await?,
            }
        }
    }

    async fn admit(&mut self, connect: Connect) -> Result<(), Close> {
        // Who the device is would be asked here, before it can take over a client id.
        let client: Arc<str> =
            if connect.client.is_empty() { self.registry.assign() } else { Arc::from(connect.client.as_str()) };
        let claim = self.registry.claim(&client, self.connection, self.kick.clone(), connect.clean, Instant::now());
        let session: Option<Session> = match claim {
            Claim::Full => {
                let refusal = Refusal::new(connect.v5, reason::SERVER_BUSY, 0x03, Cause::Limit);
                self.protocol.refuse(&refusal);
                return Err(Close::from(&refusal));
            }
            Claim::Free(session, due) => {
                if let Some(due) = due {
                    publish_will(&self.shared, due);
                }
                session.map(|session| *session)
            }
            Claim::Taken(session) => {
                timeout(HAND_OVER, session).await.ok().and_then(Result::ok).flatten().filter(|_| !connect.clean)
            }
        };
        let counters = &self.shared.counters;
        let first = counters.connections.up() == 0;
        counters.connections_open.up();
        if session.is_some() {
            counters.sessions_resumed.up();
        }
        if first {
            self.shared.config.notices.say(|| Notice::FirstDevice);
        }
        self.admitted = true;
        self.protocol.admit(connect, client, session, Instant::now());
        Ok(())
    }

    fn poll(&mut self, cx: &mut Context<'_>, reading: bool, timed: bool) -> Poll<Event> {
        if let Poll::Ready(Some(kick)) = self.kicks.poll_recv(cx) {
            return Poll::Ready(Event::Kick(kick));
        }
        if self.protocol.poll_settled(cx).is_ready() {
            return Poll::Ready(Event::Settled);
        }
        match self.poll_send(cx) {
            Poll::Ready(Err(_)) => return Poll::Ready(Event::Lost),
            Poll::Ready(Ok(sent)) if sent > 0 && !reading => return Poll::Ready(Event::Sent),
            _ => {}
        }
        if reading && let Poll::Ready(read) = pin!(self.stream.read_buf(&mut self.input)).poll(cx) {
            return Poll::Ready(read.map_or(Event::Lost, Event::Read));
        }
        if timed && self.timer.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Event::Timer);
        }
        Poll::Pending
    }

    /// Sends what can be sent without waiting; ready with the number of bytes when nothing is left.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut sent = 0;
        while !self.protocol.out.is_empty() {
            match Pin::new(&mut self.stream).poll_write(cx, &self.protocol.out) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(bytes)) => {
                    self.protocol.out.advance(bytes);
                    sent += bytes;
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                // With answers left, room to read again is announced by the bytes that did go out.
                Poll::Pending if sent > 0 => return Poll::Ready(Ok(sent)),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(sent))
    }

    /// Gives the session to the connection that took the client id, before anything else is done.
    fn hand_over(&mut self, heir: tokio::sync::oneshot::Sender<Option<Session>>) {
        let Some(remains) = self.protocol.close(Close::new(reason::TAKEN_OVER, Cause::TakenOver)) else { return };
        let Remains { client, session, session_expiry, will } = remains;
        let keeps = session_expiry > 0;
        let _ = heir.send(keeps.then_some(session));
        // The device is back under its id: a will that was to wait for that is void (MQTT 5, 3.1.2.5).
        if let Some(will) = will.filter(|will| will.delay.is_zero() || !keeps) {
            publish_will(&self.shared, DueWill { client, will });
        }
    }

    async fn finish(mut self, close: Close) {
        let counters = &self.shared.counters;
        counters.ended(close.cause);
        if self.admitted {
            counters.connections_open.down();
        }
        if let Some(remains) = self.protocol.close(close) {
            self.let_go(remains);
        }
        let goodbye = async {
            while !self.protocol.out.is_empty() {
                if self.stream.write_buf(&mut self.protocol.out).await? == 0 {
                    break;
                }
            }
            self.stream.shutdown().await?;
            // Closing with bytes unread would reset the connection and could take our last packet with it.
            let mut rest = [0u8; 4096];
            while self.stream.read(&mut rest).await? > 0 {}
            io::Result::Ok(())
        };
        let _ = timeout(GOODBYE, goodbye).await;
    }

    /// Keeps the session for the device, or gives it to the connection that claimed the id in this very moment.
    fn let_go(&mut self, remains: Remains) {
        let Remains { client, session, session_expiry, will } = remains;
        // A will with a delay waits beside the session; without a session to wait for it is due now.
        let (waiting, due) = match will {
            Some(will) if session_expiry > 0 && !will.delay.is_zero() => (Some(will), None),
            will => (None, will),
        };
        let now = Instant::now();
        if let Some(session) = self.registry.release(&client, self.connection, session, session_expiry, waiting, now) {
            let mut session = (session_expiry > 0).then_some(session);
            while let Ok(kick) = self.kicks.try_recv() {
                if let Kick::TakeOver { heir } = kick {
                    let _ = heir.send(session.take());
                }
            }
        }
        if let Some(will) = due {
            publish_will(&self.shared, DueWill { client, will });
        }
    }
}

/// Publishes a will like a message that came just now.
pub(super) fn publish_will(shared: &Arc<Shared>, due: DueWill) {
    let Some(record) = shared.will_record(&due.client, &due.will, wall_ms()) else { return };
    shared.counters.wills.up();
    let receipt = Receipt::unattended(shared.counters.outcomes.clone());
    if let Handover::Full(held) = shared.deliver.deliver(record, receipt) {
        tokio::spawn(offer_until_taken(shared.clone(), held));
    }
}

/// Offers a will again and again, as long as a message of a device would be.
async fn offer_until_taken(shared: Arc<Shared>, mut held: Box<(IngestRecord, Receipt)>) {
    let until = Instant::now() + shared.config.delivery_timeout;
    while Instant::now() < until {
        tokio::time::sleep(OFFER_AGAIN).await;
        let (record, receipt) = *held;
        match shared.deliver.deliver(record, receipt) {
            Handover::Taken => return,
            Handover::Full(again) => held = again,
        }
    }
}

fn wall_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}
