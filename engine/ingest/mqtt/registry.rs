//! Who is connected under which client id, and the sessions of those who are not.
//!
//! A client id belongs to one connection at a time. When it comes again, the newcomer takes the place at once and the
//! one before is asked for the session, which it hands over before it says goodbye to its device.

use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::counters::Counters;
use super::packets::{FOREVER, Will};
use super::session::Session;

/// Sessions kept for devices that are away; beyond that the one that is away longest goes.
const MAX_KEPT: usize = 10_000;

/// What a connection is told from outside.
#[derive(Debug)]
pub(super) enum Kick {
    /// Its client id came again; the session goes to `heir`.
    TakeOver {
        /// Whether the newcomer starts clean, so that the session ends.
        clean: bool,
        /// Gets the session, if it is one that outlives its connection.
        heir: oneshot::Sender<Option<Session>>,
    },
    /// The listener stops.
    Stop {
        /// When the connection has to say goodbye, even with messages under way.
        deadline: Instant,
    },
}

/// A will and the client id it belongs to.
#[derive(Debug)]
pub(super) struct DueWill {
    pub(super) client: Arc<str>,
    pub(super) will: Will,
}

/// The answer to a claim of a client id.
#[derive(Debug)]
pub(super) enum Claim {
    /// Too many connections.
    Full,
    /// The id is free; with the session that was kept for it, and a will that became due because it was not taken up.
    Free(Option<Box<Session>>, Option<DueWill>),
    /// Another connection has it and hands over its session.
    Taken(oneshot::Receiver<Option<Session>>),
}

/// What giving a client id back leaves to do.
#[derive(Debug, Default)]
pub(super) struct Released {
    /// The session, for whoever has the id now, and the will that was to wait beside it.
    pub(super) session: Option<(Session, Option<Will>)>,
    /// The will of another device, whose session had to make room.
    pub(super) due: Option<DueWill>,
}

#[derive(Debug)]
enum Slot {
    Live { connection: u64, kicks: mpsc::UnboundedSender<Kick> },
    Kept(Box<Kept>),
}

#[derive(Debug)]
struct Kept {
    session: Session,
    since: Instant,
    until: Option<Instant>,
    /// A will that waits for its delay to pass.
    will: Option<(Instant, Will)>,
}

#[derive(Debug, Default)]
struct Inner {
    clients: HashMap<Arc<str>, Slot, ahash::RandomState>,
    kept: usize,
    assigned: u64,
}

/// The client ids of one listener.
#[derive(Debug)]
pub(super) struct Registry {
    inner: Mutex<Inner>,
    max_connections: usize,
    counters: Arc<Counters>,
    /// Tells the ids we assign from those of another run.
    run: u64,
}

impl Registry {
    /// An empty registry. `run` is any number that another process would not have.
    pub(super) fn new(max_connections: usize, run: u64, counters: Arc<Counters>) -> Registry {
        Registry { inner: Mutex::default(), max_connections, counters, run }
    }

    /// A client id for a device that brought none.
    pub(super) fn assign(&self) -> Arc<str> {
        let mut inner = self.inner.lock();
        inner.assigned += 1;
        Arc::from(format!("alcedo-{:x}-{}", self.run, inner.assigned))
    }

    /// Claims `client` for a connection. With `clean`, whatever was kept for it ends.
    pub(super) fn claim(
        &self,
        client: &Arc<str>,
        connection: u64,
        kicks: mpsc::UnboundedSender<Kick>,
        clean: bool,
        now: Instant,
    ) -> Claim {
        let mut inner = self.inner.lock();
        let live = inner.clients.len() - inner.kept;
        let takes_over = matches!(inner.clients.get(client), Some(Slot::Live { .. }));
        if live >= self.max_connections && !takes_over {
            return Claim::Full;
        }
        match inner.clients.insert(client.clone(), Slot::Live { connection, kicks }) {
            None => Claim::Free(None, None),
            Some(Slot::Kept(kept)) => {
                inner.kept -= 1;
                let expired = kept.until.is_some_and(|until| until <= now);
                if expired {
                    self.counters.sessions_expired.up();
                }
                // A session that ends publishes a will that still waits; one that goes on forgets it.
                let ends = clean || expired;
                let Kept { session, will, .. } = *kept;
                let due = will.filter(|_| ends).map(|(_, will)| DueWill { client: client.clone(), will });
                Claim::Free((!ends).then(|| Box::new(session)), due)
            }
            Some(Slot::Live { kicks, .. }) => {
                let (heir, session) = oneshot::channel();
                // If the connection is just ending, it finds the message when it looks for an heir.
                let _ = kicks.send(Kick::TakeOver { clean, heir });
                Claim::Taken(session)
            }
        }
    }

    /// Gives `client` back, with a session to keep for `expiry` seconds. The session comes back when another connection
    /// has claimed the id meanwhile: its request for it is among the connection's messages.
    pub(super) fn release(
        &self,
        client: &Arc<str>,
        connection: u64,
        session: Session,
        expiry: u32,
        will: Option<Will>,
        now: Instant,
    ) -> Released {
        let mut inner = self.inner.lock();
        let mine =
            matches!(inner.clients.get(client), Some(Slot::Live { connection: owner, .. }) if *owner == connection);
        if !mine {
            return Released { session: Some((session, will)), due: None };
        }
        if expiry == 0 {
            inner.clients.remove(client);
            return Released::default();
        }
        let due = if inner.kept >= MAX_KEPT { self.evict(&mut inner) } else { None };
        let until = (expiry != FOREVER).then(|| now + Duration::from_secs(expiry.into()));
        let will = will.map(|will| (now + will.delay, will));
        inner.clients.insert(client.clone(), Slot::Kept(Box::new(Kept { session, since: now, until, will })));
        inner.kept += 1;
        Released { session: None, due }
    }

    /// Ends the session of the device that is away longest; its will is due if it still waits.
    fn evict(&self, inner: &mut Inner) -> Option<DueWill> {
        let longest = inner
            .clients
            .iter()
            .filter_map(|(client, slot)| match slot {
                Slot::Kept(kept) => Some((kept.since, client.clone())),
                Slot::Live { .. } => None,
            })
            .min();
        let (_, client) = longest?;
        let slot = inner.clients.remove(&client)?;
        inner.kept -= 1;
        self.counters.sessions_expired.up();
        match slot {
            Slot::Kept(kept) => kept.will.map(|(_, will)| DueWill { client, will }),
            Slot::Live { .. } => None,
        }
    }

    /// The wills that still wait, for when all sessions end.
    pub(super) fn waiting_wills(&self) -> Vec<DueWill> {
        let mut inner = self.inner.lock();
        let wills = inner.clients.iter_mut().filter_map(|(client, slot)| match slot {
            Slot::Kept(kept) => kept.will.take().map(|(_, will)| DueWill { client: client.clone(), will }),
            Slot::Live { .. } => None,
        });
        wills.collect()
    }

    /// Ends the sessions whose time is over and gives the wills that are due. Called every second or so.
    pub(super) fn sweep(&self, now: Instant) -> Vec<DueWill> {
        let mut inner = self.inner.lock();
        let mut due = Vec::new();
        if inner.kept == 0 {
            return due;
        }
        let mut ended = 0;
        inner.clients.retain(|client, slot| {
            let Slot::Kept(kept) = slot else { return true };
            let expired = kept.until.is_some_and(|until| until <= now);
            let will = kept.will.take_if(|(at, _)| expired || *at <= now);
            due.extend(will.map(|(_, will)| DueWill { client: client.clone(), will }));
            ended += usize::from(expired);
            !expired
        });
        inner.kept -= ended;
        self.counters.sessions_expired.add(ended as u64);
        due
    }

    /// Connections and kept sessions, for tests.
    #[cfg(test)]
    pub(super) fn sizes(&self) -> (usize, usize) {
        let inner = self.inner.lock();
        (inner.clients.len() - inner.kept, inner.kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Desk {
        registry: Registry,
        counters: Arc<Counters>,
        now: Instant,
    }

    fn desk(max: usize) -> Desk {
        let counters = Arc::new(Counters::default());
        Desk { registry: Registry::new(max, 7, counters.clone()), counters, now: Instant::now() }
    }

    impl Desk {
        fn session(&self) -> Session {
            Session::new(1, self.counters.received.outcomes.clone())
        }

        fn claim(&self, client: &str, connection: u64, clean: bool) -> (Claim, mpsc::UnboundedReceiver<Kick>) {
            let (kicks, received) = mpsc::unbounded_channel();
            (self.registry.claim(&Arc::from(client), connection, kicks, clean, self.now), received)
        }

        fn release(&self, client: &str, connection: u64, expiry: u32, will: Option<Will>) -> Option<Session> {
            self.registry
                .release(&Arc::from(client), connection, self.session(), expiry, will, self.now)
                .session
                .map(|kept| kept.0)
        }
    }

    fn will(seconds: u64) -> Will {
        let delay = Duration::from_secs(seconds);
        Will { topic: "t".into(), payload: bytes::Bytes::new(), qos: 0, retained: false, delay, said: None }
    }

    #[test]
    fn a_kept_session_comes_back_unless_a_clean_start_ends_it() {
        let desk = desk(9);
        assert!(matches!(desk.claim("a", 1, false).0, Claim::Free(None, None)));
        assert!(desk.release("a", 1, FOREVER, None).is_none());
        assert_eq!(desk.registry.sizes(), (0, 1));
        assert!(matches!(desk.claim("a", 2, false).0, Claim::Free(Some(_), None)));
        desk.release("a", 2, 60, None);
        assert!(matches!(desk.claim("a", 3, true).0, Claim::Free(None, None)));
        desk.release("a", 3, 0, None);
        assert_eq!(desk.registry.sizes(), (0, 0));
    }

    #[test]
    fn a_session_expires_at_its_time() {
        let mut desk = desk(9);
        let _a = desk.claim("a", 1, false);
        let _b = desk.claim("b", 2, false);
        desk.release("a", 1, 60, None);
        desk.release("b", 2, 60, None);
        desk.now += Duration::from_secs(59);
        assert!(desk.registry.sweep(desk.now).is_empty());
        assert_eq!(desk.registry.sizes(), (0, 2));
        desk.now += Duration::from_secs(1);
        assert!(matches!(desk.claim("b", 3, false).0, Claim::Free(None, None)));
        desk.registry.sweep(desk.now);
        assert_eq!(desk.registry.sizes(), (1, 0));
        assert_eq!(desk.counters.sessions_expired.get(), 2);
    }

    #[test]
    fn a_taken_id_asks_its_owner_for_the_session_even_when_that_is_just_ending() {
        let desk = desk(1);
        let (_, mut first) = desk.claim("a", 1, false);
        let (Claim::Taken(mut session), _second) = desk.claim("a", 2, false) else { panic!("the id is taken") };
        let left = desk.release("a", 1, FOREVER, None).expect("it is no longer the owner");
        let Ok(Kick::TakeOver { heir, .. }) = first.try_recv() else { panic!("the owner is asked") };
        heir.send(Some(left)).expect("the newcomer waits");
        assert!(session.try_recv().expect("it was sent").is_some());
        assert_eq!(desk.registry.sizes(), (1, 0));
    }

    #[test]
    fn connections_are_limited_and_kept_sessions_do_not_count() {
        let desk = desk(1);
        let _a = desk.claim("a", 1, false);
        assert!(matches!(desk.claim("b", 2, false).0, Claim::Full));
        desk.release("a", 1, FOREVER, None);
        assert!(matches!(desk.claim("b", 3, false).0, Claim::Free(None, None)));
    }

    #[test]
    fn a_session_that_makes_room_for_another_has_its_will_published() {
        let mut desk = desk(9);
        for n in 0..MAX_KEPT as u64 {
            let client = format!("car-{n}");
            let _claim = desk.claim(&client, n, false);
            desk.release(&client, n, FOREVER, Some(will(60)));
            desk.now += Duration::from_millis(1);
        }
        // The one that is away longest is back, and so is not the one that goes.
        let _claim = desk.claim("car-0", 0, false);
        desk.release("car-0", 0, FOREVER, None);
        let _claim = desk.claim("new", 1, false);
        let released = desk.registry.release(&Arc::from("new"), 1, desk.session(), FOREVER, None, desk.now);
        assert_eq!(released.due.map(|due| due.client.to_string()).as_deref(), Some("car-1"));
        assert_eq!(desk.registry.sizes(), (0, MAX_KEPT));
    }

    #[test]
    fn a_delayed_will_is_due_after_its_delay_and_forgotten_when_the_device_is_back() {
        let mut desk = desk(9);
        for client in ["a", "b", "c"] {
            let _claim = desk.claim(client, 1, false);
            desk.release(client, 1, 60, Some(will(10)));
        }
        assert!(matches!(desk.claim("a", 2, false).0, Claim::Free(Some(_), None)));
        assert!(matches!(desk.claim("b", 2, true).0, Claim::Free(None, Some(_))));
        assert!(desk.registry.sweep(desk.now).is_empty());
        desk.now += Duration::from_secs(10);
        let due = desk.registry.sweep(desk.now);
        assert_eq!(due.iter().map(|due| &*due.client).collect::<Vec<_>>(), ["c"]);
        assert!(desk.registry.sweep(desk.now).is_empty());
    }
}
