//! One connection as a state machine: bytes in, bytes out, records handed over. No socket, no clock, no task.
//!
//! Whoever drives it reads only while it says that it needs more, so that a full queue stops the socket and TCP slows
//! the device down. Its own answers wait in `out`.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use tokio::time::Instant;

use super::config::ListenerConfig;
use super::counters::{Cause, Counters};
use super::inbox::{self, Inbox, Intake, MAX_OUT, Now};
use super::notice::Notice;
use super::packets::{self, Connack, Connect, Leave, Refusal, Will};
use super::rules::{Found, Routes};
use super::session::Session;
use super::wire::{self, Close, Packet, Split, kind, reason};
use crate::ingest::deliver::{Deliver, IngestRecord};

/// Topic aliases a device may use (MQTT 5, 3.3.2.3.4).
const TOPIC_ALIASES: u16 = 64;

/// What all connections of a listener share.
pub(super) struct Shared {
    pub(super) config: ListenerConfig,
    pub(super) counters: Arc<Counters>,
    pub(super) intake: Intake,
}

impl Shared {
    pub(super) fn new(config: ListenerConfig, deliver: Arc<dyn Deliver>) -> Shared {
        let counters = Arc::new(Counters::default());
        let (received, notices) = (counters.received.clone(), config.notices.clone());
        let intake =
            Intake::new(config.rules.clone(), deliver, received, notices, config.max_in_flight, TOPIC_ALIASES, true);
        Shared { config, counters, intake }
    }

    /// The record of a will, if a rule matches its topic.
    pub(super) fn will_record(&self, client: &str, will: &Will, timestamp_ms: i64) -> Option<IngestRecord> {
        let mut routes = Routes::new(self.intake.rules.clone(), Some(client));
        match routes.find(will.topic.as_bytes()) {
            Found::Route(route) => {
                let flags = (will.qos, will.retained);
                Some(inbox::record(route, flags, will.said.as_deref(), will.payload.clone(), timestamp_ms))
            }
            Found::Unmatched { first } => {
                self.intake.unmatched(will.topic.as_bytes(), first);
                None
            }
            Found::Invalid => None,
        }
    }
}

/// How far the bytes went.
#[derive(Debug)]
pub(super) enum Progress {
    /// This many more bytes are needed, at least.
    NeedMore(usize),
    /// Whole packets may be left, but nothing more is taken until something is settled or sent.
    Blocked,
    /// A CONNECT: the connection has to be admitted.
    Connect(Box<Connect>),
}

/// One connection.
pub(super) struct Protocol {
    shared: Arc<Shared>,
    /// Bytes to send.
    pub(super) out: BytesMut,
    opened: Instant,
    last_seen: Instant,
    state: State,
}

enum State {
    Connecting,
    Open(Box<Open>),
    /// The connection is at its end; only `out` is left.
    Over,
}

/// An admitted connection.
struct Open {
    client: Arc<str>,
    keep_alive: Duration,
    session_expiry: u32,
    max_packet: u32,
    will: Option<Will>,
    inbox: Inbox,
}

/// What is left of a connection that was admitted.
pub(super) struct Remains {
    pub(super) client: Arc<str>,
    pub(super) session: Session,
    /// Seconds that the session is to be kept.
    pub(super) session_expiry: u32,
    /// The will, if it is due.
    pub(super) will: Option<Will>,
}

impl Protocol {
    pub(super) fn new(shared: Arc<Shared>, now: Instant) -> Protocol {
        Protocol { shared, out: BytesMut::new(), opened: now, last_seen: now, state: State::Connecting }
    }

    /// Opens the connection with a session that is new or came from before, and answers with CONNACK.
    pub(super) fn admit(&mut self, connect: Connect, client: Arc<str>, resumed: Option<Session>, now: Instant) {
        let config = &self.shared.config;
        let present = resumed.is_some();
        let session = resumed.unwrap_or_else(|| self.shared.intake.new_session());
        let connack = packets::connack(&Connack {
            v5: connect.v5,
            session_present: present,
            assigned: connect.client.is_empty().then_some(&*client),
            receive_maximum: config.max_in_flight,
            max_packet: config.max_packet_size,
            topic_alias_maximum: TOPIC_ALIASES,
        });
        packets::append(&mut self.out, &connack, connect.max_packet);
        let routes = Routes::new(self.shared.intake.rules.clone(), Some(&client));
        self.last_seen = now;
        self.state = State::Open(Box::new(Open {
            keep_alive: connect.keep_alive,
            session_expiry: connect.session_expiry,
            max_packet: connect.max_packet,
            will: connect.will,
            inbox: Inbox::new(connect.v5, client.clone(), session, routes, now),
            client,
        }));
    }

    /// Answers a CONNECT with a refusal; the connection is over then.
    pub(super) fn refuse(&mut self, refusal: &Refusal) {
        self.out.extend_from_slice(&refusal.answer);
        self.state = State::Over;
    }

    /// Notes that bytes came: a packet that is still on its way is a sign of life too.
    pub(super) fn seen(&mut self, now: Instant) {
        self.last_seen = now;
    }

    /// Takes whole packets from `input`, as far as there is room for what they ask.
    ///
    /// # Errors
    /// With the end of the connection.
    pub(super) fn feed(&mut self, input: &mut BytesMut, now: Now) -> Result<Progress, Close> {
        loop {
            if self.out.len() > MAX_OUT || self.holds_back() {
                return Ok(Progress::Blocked);
            }
            // Whatever speaks another protocol is not waited for.
            if matches!(self.state, State::Connecting) && input.first().is_some_and(|first| *first != 0x10) {
                return Err(Close::MALFORMED);
            }
            let packet = match wire::split(input, self.shared.config.max_packet_size)? {
                Split::Packet(packet) => packet,
                Split::Need(bytes) => return Ok(Progress::NeedMore(bytes)),
            };
            match &mut self.state {
                State::Open(open) => open.packet(packet, &self.shared, &mut self.out, now)?,
                State::Connecting => match packets::connect(&packet) {
                    Ok(connect) => return Ok(Progress::Connect(Box::new(connect))),
                    Err(refusal) => {
                        self.refuse(&refusal);
                        return Err(Close::from(&refusal));
                    }
                },
                State::Over => return Ok(Progress::Blocked),
            }
        }
    }

    /// Whether the listener itself makes the device wait. Its silence is no fault of the device then.
    pub(super) fn holds_back(&self) -> bool {
        matches!(&self.state, State::Open(open) if open.inbox.is_full(&self.shared.intake))
    }

    /// Writes the answers whose turn has come.
    ///
    /// # Errors
    /// When a message of this connection could not be delivered: the device has to send it again.
    pub(super) fn settle(&mut self) -> Result<(), Close> {
        let State::Open(open) = &mut self.state else { return Ok(()) };
        open.inbox.settle(&self.shared.intake, &mut self.out)
    }

    /// Ready when [`settle`](Self::settle) has something to do.
    pub(super) fn poll_settled(&self, cx: &mut Context<'_>) -> Poll<()> {
        match &self.state {
            State::Open(open) => open.inbox.poll_settled(&self.out, cx),
            _ => Poll::Pending,
        }
    }

    /// Whether a record waits for the producer to have room.
    pub(super) fn holds_record(&self) -> bool {
        matches!(&self.state, State::Open(open) if open.inbox.holds_record())
    }

    /// Offers that record again.
    pub(super) fn offer_again(&mut self) {
        if let State::Open(open) = &mut self.state {
            open.inbox.offer_again(&self.shared.intake);
        }
    }

    /// Whether every message was settled.
    pub(super) fn is_settled(&self) -> bool {
        !matches!(&self.state, State::Open(open) if open.inbox.len() > 0)
    }

    /// When [`check_time`](Self::check_time) has to be called at the latest; `reading` as there.
    pub(super) fn deadline(&self, reading: bool) -> Option<Instant> {
        match &self.state {
            State::Connecting => Some(self.opened + self.shared.config.connect_timeout),
            State::Open(open) => {
                let delivery = open.inbox.oldest().map(|since| since + self.shared.config.delivery_timeout);
                let keep_alive =
                    (reading && !open.keep_alive.is_zero()).then(|| self.last_seen + open.keep_alive * 3 / 2);
                [delivery, keep_alive].into_iter().flatten().min()
            }
            State::Over => None,
        }
    }

    /// Looks at the deadlines. The keep-alive time only runs while `reading`, or while the device does not take answers.
    ///
    /// # Errors
    /// When one has passed.
    pub(super) fn check_time(&self, reading: bool, now: Instant) -> Result<(), Close> {
        let State::Open(open) = &self.state else {
            let late =
                matches!(self.state, State::Connecting) && now >= self.opened + self.shared.config.connect_timeout;
            return if late { Err(Close::new(0, Cause::ConnectTimeout)) } else { Ok(()) };
        };
        if reading && !open.keep_alive.is_zero() && now >= self.last_seen + open.keep_alive * 3 / 2 {
            return Err(Close::new(reason::KEEP_ALIVE, Cause::KeepAlive));
        }
        if open.inbox.oldest().is_some_and(|since| now >= since + self.shared.config.delivery_timeout) {
            let timeout = self.shared.config.delivery_timeout.as_millis();
            let error = format!("no delivery report for {timeout} ms");
            self.shared.config.notices.say(|| Notice::Undelivered { client: open.client.to_string(), error });
            return Err(Close::new(reason::IMPLEMENTATION, Cause::DeliveryTimeout));
        }
        Ok(())
    }

    /// Ends the connection: the last bytes are in `out`, and what outlives it comes back if it was admitted.
    pub(super) fn close(&mut self, close: Close) -> Option<Remains> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Open(open) => {
                if open.inbox.v5 && close.reason != 0 {
                    wire::disconnect(&mut self.out, close.reason);
                }
                Some(Remains {
                    client: open.client,
                    session: open.inbox.into_session(),
                    session_expiry: open.session_expiry,
                    will: open.will.filter(|_| close.will),
                })
            }
            State::Connecting | State::Over => None,
        }
    }
}

impl Open {
    fn packet(&mut self, packet: Packet, shared: &Shared, out: &mut BytesMut, now: Now) -> Result<(), Close> {
        let v5 = self.inbox.v5;
        match packet.kind {
            kind::PUBLISH => self.inbox.publish(wire::publish(packet, v5)?, &shared.intake, now),
            kind::PUBREL if packet.flags != 2 => Err(Close::MALFORMED),
            kind::PUBREL => self.inbox.pubrel(wire::pubrel(packet.body)?, out),
            kind::PINGREQ if packet.flags != 0 || !packet.body.is_empty() => Err(Close::MALFORMED),
            kind::PINGREQ => {
                wire::pingresp(out);
                Ok(())
            }
            kind::SUBSCRIBE => {
                let (suback, filters) = packets::refuse_subscribe(&packet, v5)?;
                shared.counters.subscriptions_refused.add(filters as u64);
                packets::append(out, &suback, self.max_packet);
                Ok(())
            }
            kind::UNSUBSCRIBE => {
                let unsuback = packets::answer_unsubscribe(&packet, v5)?;
                packets::append(out, &unsuback, self.max_packet);
                Ok(())
            }
            kind::DISCONNECT => Err(self.leave(packets::leave(&packet, v5)?)),
            0 => Err(Close::MALFORMED),
            // A second CONNECT, an answer to a message we never sent, AUTH without a method, or a server's packet.
            _ => Err(Close::PROTOCOL),
        }
    }

    fn leave(&mut self, leave: Leave) -> Close {
        match leave.session_expiry {
            // A session that was to end with the connection cannot be kept afterwards (MQTT 5, 3.14.2.2.2).
            Some(expiry) if expiry != 0 && self.session_expiry == 0 => return Close::PROTOCOL,
            Some(expiry) => self.session_expiry = expiry,
            None => {}
        }
        packets::left(leave)
    }
}
