//! The glue between one socket and its protocol: moves bytes and time, and lets go of the session at the end.
//!
//! One task a connection, one `poll` for everything that can happen to it. Nothing here blocks another connection.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::counters::Cause;
use super::inbox::Now;
use super::notice::Notice;
use super::packets::{Connect, Refusal};
use super::pipe::Pipe;
use super::protocol::{Progress, Protocol, Remains, Shared};
use super::registry::{Claim, DueWill, Kick, Registry};
use super::session::Session;
use super::users::Users;
use super::wire::{Close, reason};
use crate::ingest::deliver::{Handover, IngestRecord, Receipt};

/// How soon a record is offered again to a producer that had no room.
const OFFER_AGAIN: Duration = Duration::from_millis(5);
/// How long a connection may take to hand its session to the next one.
const HAND_OVER: Duration = Duration::from_secs(5);

/// What a connection is told from outside: the sender is for whoever claims its client id.
pub(super) type Kicks = (mpsc::UnboundedSender<Kick>, mpsc::UnboundedReceiver<Kick>);

/// What all connections of a listener have to do with.
#[derive(Clone)]
pub(super) struct Desk {
    pub(super) shared: Arc<Shared>,
    pub(super) registry: Arc<Registry>,
    /// Who may connect; anyone when there are none.
    pub(super) users: Option<Arc<Users>>,
}

/// Serves one connection to its end. `stream` may be anything that carries bytes.
pub(super) async fn serve<S>(stream: S, desk: Desk, connection: u64, kicks: Kicks)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Desk { shared, registry, users } = desk;
    let now = Instant::now();
    let mut driver = Driver {
        pipe: Pipe::new(stream),
        protocol: Protocol::new(shared.clone(), now),
        shared: shared.clone(),
        registry,
        users,
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
    pipe: Pipe<S>,
    protocol: Protocol,
    shared: Arc<Shared>,
    registry: Arc<Registry>,
    users: Option<Arc<Users>>,
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
                Event::Kick(Kick::TakeOver { heir, clean }) => {
                    self.hand_over(heir, clean);
                    return Close { reason: 0, cause: Cause::TakenOver, will: false };
                }
                Event::Settled | Event::Sent => {}
                Event::Read(0) | Event::Lost => return Close::LOST,
                Event::Read(bytes) => {
                    self.shared.counters.bytes.add(bytes as u64);
                    self.protocol.seen(Instant::now());
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
            match self.protocol.feed(&mut self.pipe.input, now)? {
                Progress::NeedMore(bytes) => {
                    self.pipe.make_room(bytes);
                    return Ok(true);
                }
                Progress::Blocked => return Ok(false),
                Progress::Connect(connect) => self.admit(*connect).await?,
            }
        }
    }

    /// Whether the device is who it says, and may connect.
    async fn may_connect(&self, connect: &Connect) -> bool {
        let Some(users) = self.users.clone() else { return true };
        let Some(login) = connect.login.clone() else { return self.shared.config.allow_anonymous };
        // The rounds of a key derivation are meant to take time, and other connections share this thread.
        let checked = tokio::task::spawn_blocking(move || users.check(&login.user, &login.password)).await;
        let Ok((right, read)) = checked else { return false };
        if let Err(error) = read {
            self.shared.config.notices.say(|| Notice::UsersUnreadable { error: error.to_string() });
        }
        right
    }

    async fn admit(&mut self, connect: Connect) -> Result<(), Close> {
        // Who the device is is asked first, before it can take over a client id.
        if !self.may_connect(&connect).await {
            let refusal = Refusal::new(connect.v5, reason::LOGIN, 0x04, Cause::Login);
            self.protocol.refuse(&refusal);
            return Err(Close::from(&refusal));
        }
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
        match self.pipe.poll_send(&mut self.protocol.out, cx) {
            Poll::Ready(Err(_)) => return Poll::Ready(Event::Lost),
            Poll::Ready(Ok(sent)) if sent > 0 && !reading => return Poll::Ready(Event::Sent),
            _ => {}
        }
        if reading && let Poll::Ready(read) = self.pipe.poll_read(cx) {
            return Poll::Ready(read.map_or(Event::Lost, Event::Read));
        }
        if timed && self.timer.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Event::Timer);
        }
        Poll::Pending
    }

    /// Gives the session to the connection that took the client id, before anything else is done.
    fn hand_over(&mut self, heir: tokio::sync::oneshot::Sender<Option<Session>>, clean: bool) {
        let Some(remains) = self.protocol.close(Close::new(reason::TAKEN_OVER, Cause::TakenOver)) else { return };
        let Remains { client, session, session_expiry, will } = remains;
        let keeps = session_expiry > 0 && !clean;
        let _ = heir.send(keeps.then_some(session));
        // The device is back and its session goes on: a will that was to wait for that is void. When the session ends
        // instead, the will is due (MQTT 5, 3.1.2.5 and 3.1.3.2.2).
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
        self.pipe.goodbye(&mut self.protocol.out).await;
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
        let released = self.registry.release(&client, self.connection, session, session_expiry, waiting, now);
        if let Some(due) = released.due {
            publish_will(&self.shared, due);
        }
        if let Some((session, mut waiting)) = released.session {
            let mut session = (session_expiry > 0).then_some(session);
            while let Ok(kick) = self.kicks.try_recv() {
                if let Kick::TakeOver { heir, clean } = kick {
                    let _ = heir.send(session.take());
                    if let Some(will) = waiting.take().filter(|_| clean) {
                        publish_will(&self.shared, DueWill { client: client.clone(), will });
                    }
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
    let receipt = Receipt::unattended(shared.counters.received.outcomes.clone());
    if let Handover::Full(held) = shared.intake.deliver.deliver(record, receipt) {
        tokio::spawn(offer_until_taken(shared.clone(), held));
    }
}

/// Offers a will again and again, as long as a message of a device would be.
async fn offer_until_taken(shared: Arc<Shared>, mut held: Box<(IngestRecord, Receipt)>) {
    let until = Instant::now() + shared.config.delivery_timeout;
    while Instant::now() < until {
        tokio::time::sleep(OFFER_AGAIN).await;
        let (record, receipt) = *held;
        match shared.intake.deliver.deliver(record, receipt) {
            Handover::Taken => return,
            Handover::Full(again) => held = again,
        }
    }
}

fn wall_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}
