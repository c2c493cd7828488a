//! One connection as a state machine: bytes in, bytes out, records handed over. No socket, no clock, no task.
//!
//! Whoever drives it reads only while it says that it needs more, so that a full queue stops the socket and TCP slows
//! the device down. Its own answers wait in `out`.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::time::Instant;

use super::config::{ListenerConfig, Notice};
use super::counters::{Cause, Counters};
use super::packets::{self, Connack, Connect, Leave, Refusal, Will};
use super::rules::{Found, Routes, Rules};
use super::session::{Entry, Exchange, Outcome, PacketId, Session, Wait};
use super::wire::{self, Answer, Close, Packet, Publish, Split, kind, reason};
use crate::ingest::deliver::{Deliver, Handover, IngestRecord, Receipt};

/// How much answer may wait for a device that does not read, before we stop reading from it.
const MAX_OUT: usize = 64 * 1024;

/// Payload bytes of one connection that may wait for their delivery; one packet more may come on top.
const MAX_WAITING_BYTES: usize = 8 * 1024 * 1024;

/// Topic aliases a device may use (MQTT 5, 3.3.2.3.4).
const TOPIC_ALIASES: u16 = 64;

/// What all connections of a listener share.
pub(super) struct Shared {
    pub(super) config: ListenerConfig,
    pub(super) rules: Arc<Rules>,
    pub(super) counters: Arc<Counters>,
    pub(super) deliver: Arc<dyn Deliver>,
    /// Topics that were reported as matching no rule.
    pub(super) reported: parking_lot::Mutex<hashbrown::HashSet<Bytes, ahash::RandomState>>,
}

/// Topics without a rule that are reported by name; beyond that they are only counted.
const MAX_REPORTED: usize = 1000;

impl Shared {
    /// Counts a message without a rule, and reports its topic when nobody else did.
    fn unmatched(&self, topic: &[u8], first: bool) {
        self.counters.unmatched.up();
        if !first {
            return;
        }
        let mut reported = self.reported.lock();
        if reported.len() >= MAX_REPORTED || reported.contains(topic) {
            return;
        }
        reported.insert(Bytes::copy_from_slice(topic));
        drop(reported);
        let notices = &self.config.notices;
        notices.say(|| Notice::UnmatchedTopic { topic: String::from_utf8_lossy(topic).into_owned() });
    }

    /// The record of a will, if a rule matches its topic.
    pub(super) fn will_record(&self, client: &str, will: &Will, timestamp_ms: i64) -> Option<IngestRecord> {
        let mut routes = Routes::new(self.rules.clone(), client);
        match routes.find(will.topic.as_bytes()) {
            Found::Route(route) => Some(IngestRecord {
                topic: route.topic.clone(),
                key: route.key.clone(),
                value: will.payload.clone(),
                timestamp_ms,
                headers: route.headers(will.qos, will.retained),
            }),
            Found::Unmatched { first } => {
                self.unmatched(will.topic.as_bytes(), first);
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

/// The time of a step.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    /// For deadlines.
    pub(super) instant: Instant,
    /// For records: milliseconds since 1970.
    pub(super) wall_ms: i64,
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
    v5: bool,
    client: Arc<str>,
    keep_alive: Duration,
    session_expiry: u32,
    max_packet: u32,
    will: Option<Will>,
    session: Session,
    routes: Routes,
    aliases: Vec<Option<Bytes>>,
    /// A record that the producer had no room for.
    held: Option<Box<(IngestRecord, Receipt)>>,
    /// QoS 1 and 2 messages of this connection not acknowledged to their end: the used part of the receive maximum.
    unacknowledged: usize,
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
        let mut session = resumed.unwrap_or_else(|| self.shared.new_session());
        session.resume(now);
        let connack = packets::connack(&Connack {
            v5: connect.v5,
            session_present: present,
            assigned: connect.client.is_empty().then_some(&*client),
            receive_maximum: config.max_in_flight,
            max_packet: config.max_packet_size,
            topic_alias_maximum: TOPIC_ALIASES,
        });
        packets::append(&mut self.out, &connack, connect.max_packet);
        let routes = Routes::new(self.shared.rules.clone(), &client);
        self.last_seen = now;
        self.state = State::Open(Box::new(Open {
            v5: connect.v5,
            client,
            keep_alive: connect.keep_alive,
            session_expiry: connect.session_expiry,
            max_packet: connect.max_packet,
            will: connect.will,
            session,
            routes,
            aliases: Vec::new(),
            held: None,
            unacknowledged: 0,
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
        let State::Open(open) = &self.state else { return false };
        // MQTT 5 devices know the bound; one message more is read, to tell them if they do not keep to it.
        let room = usize::from(self.shared.config.max_in_flight) + usize::from(open.v5);
        open.held.is_some() || open.session.len() >= room || open.session.bytes() >= MAX_WAITING_BYTES
    }

    /// Writes the answers whose turn has come.
    ///
    /// # Errors
    /// When a message of this connection could not be delivered: the device has to send it again.
    pub(super) fn settle(&mut self) -> Result<(), Close> {
        let State::Open(open) = &mut self.state else { return Ok(()) };
        while self.out.len() <= MAX_OUT {
            let Some((entry, outcome)) = open.session.pop() else { break };
            open.settled(entry, outcome, &self.shared, &mut self.out)?;
        }
        Ok(())
    }

    /// Ready when [`settle`](Self::settle) has something to do.
    pub(super) fn poll_settled(&self, cx: &mut Context<'_>) -> Poll<()> {
        match &self.state {
            State::Open(open) if self.out.len() <= MAX_OUT => open.session.poll_settled(cx),
            _ => Poll::Pending,
        }
    }

    /// Whether a record waits for the producer to have room.
    pub(super) fn holds_record(&self) -> bool {
        matches!(&self.state, State::Open(open) if open.held.is_some())
    }

    /// Offers that record again.
    pub(super) fn offer_again(&mut self) {
        if let State::Open(open) = &mut self.state
            && let Some(held) = open.held.take()
        {
            let (record, receipt) = *held;
            if let Handover::Full(held) = self.shared.deliver.deliver(record, receipt) {
                open.held = Some(held);
            }
        }
    }

    /// Whether every message was settled.
    pub(super) fn is_settled(&self) -> bool {
        !matches!(&self.state, State::Open(open) if open.session.len() > 0)
    }

    /// When [`check_time`](Self::check_time) has to be called at the latest; `reading` as there.
    pub(super) fn deadline(&self, reading: bool) -> Option<Instant> {
        match &self.state {
            State::Connecting => Some(self.opened + self.shared.config.connect_timeout),
            State::Open(open) => {
                let delivery = open.session.oldest().map(|since| since + self.shared.config.delivery_timeout);
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
            let late = matches!(self.state, State::Connecting) && now >= self.opened + self.shared.config.connect_timeout;
            return if late { Err(Close::new(0, Cause::ConnectTimeout)) } else { Ok(()) };
        };
        if reading && !open.keep_alive.is_zero() && now >= self.last_seen + open.keep_alive * 3 / 2 {
            return Err(Close::new(reason::KEEP_ALIVE, Cause::KeepAlive));
        }
        if open.session.oldest().is_some_and(|since| now >= since + self.shared.config.delivery_timeout) {
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
                if open.v5 && close.reason != 0 {
                    wire::disconnect(&mut self.out, close.reason);
                }
                Some(Remains {
                    client: open.client,
                    session: open.session,
                    session_expiry: open.session_expiry,
                    will: open.will.filter(|_| close.will),
                })
            }
            State::Connecting | State::Over => None,
        }
    }
}

impl Shared {
    /// A session for a device that has none.
    pub(super) fn new_session(&self) -> Session {
        Session::new(usize::from(self.config.max_in_flight) + 1, self.counters.outcomes.clone())
    }
}

impl Open {
    fn packet(&mut self, packet: Packet, shared: &Shared, out: &mut BytesMut, now: Now) -> Result<(), Close> {
        match packet.kind {
            kind::PUBLISH => self.publish(wire::publish(packet, self.v5)?, shared, now),
            kind::PUBREL if packet.flags != 2 => Err(Close::MALFORMED),
            kind::PUBREL => self.pubrel(wire::pubrel(packet.body)?, out),
            kind::PINGREQ if packet.flags != 0 || !packet.body.is_empty() => Err(Close::MALFORMED),
            kind::PINGREQ => {
                wire::pingresp(out);
                Ok(())
            }
            kind::SUBSCRIBE => {
                let (suback, filters) = packets::refuse_subscribe(&packet, self.v5)?;
                shared.counters.subscriptions_refused.add(filters as u64);
                packets::append(out, &suback, self.max_packet);
                Ok(())
            }
            kind::UNSUBSCRIBE => {
                let unsuback = packets::answer_unsubscribe(&packet, self.v5)?;
                packets::append(out, &unsuback, self.max_packet);
                Ok(())
            }
            kind::DISCONNECT => Err(self.leave(packets::leave(&packet, self.v5)?)),
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

    fn publish(&mut self, publish: Publish, shared: &Shared, now: Now) -> Result<(), Close> {
        shared.counters.messages.up();
        shared.counters.payload_bytes.add(publish.payload.len() as u64);
        let topic = self.topic(&publish)?;
        let Publish { qos, id, retained, .. } = publish;
        if qos > 0 {
            self.count(qos, id, shared)?;
        }
        if qos == 2 {
            match self.session.ids.get_mut(&id) {
                Some(known) if known.exchange != Exchange::Lost => {
                    shared.counters.repeats.up();
                    self.session.push_settled(id, qos, Wait::Repeat, now.instant);
                    return Ok(());
                }
                Some(known) => known.exchange = Exchange::Delivering,
                None => {}
            }
        }
        let record = match self.routes.find(&topic) {
            Found::Route(route) => IngestRecord {
                topic: route.topic.clone(),
                key: route.key.clone(),
                headers: route.headers(qos, retained),
                value: publish.payload,
                timestamp_ms: now.wall_ms,
            },
            Found::Unmatched { first } => {
                shared.unmatched(&topic, first);
                self.remember(qos, id);
                self.session.push_settled(id, qos, Wait::Unmatched, now.instant);
                return Ok(());
            }
            Found::Invalid => return Err(Close::new(reason::TOPIC_NAME, Cause::Malformed)),
        };
        self.remember(qos, id);
        let receipt = self.session.push(id, qos, record.value.len(), now.instant);
        if let Handover::Full(held) = shared.deliver.deliver(record, receipt) {
            shared.counters.held_back.up();
            self.held = Some(held);
        }
        Ok(())
    }

    /// The topic of a message, its alias looked up or noted.
    fn topic(&mut self, publish: &Publish) -> Result<Bytes, Close> {
        let Some(alias) = publish.alias else { return Ok(publish.topic.clone()) };
        if alias == 0 || alias > TOPIC_ALIASES {
            return Err(Close::new(reason::TOPIC_ALIAS, Cause::Protocol));
        }
        let slot = usize::from(alias) - 1;
        if publish.topic.is_empty() {
            return self.aliases.get(slot).cloned().flatten().ok_or(Close::PROTOCOL);
        }
        if self.aliases.len() <= slot {
            self.aliases.resize(slot + 1, None);
        }
        self.aliases[slot] = Some(Bytes::copy_from_slice(&publish.topic));
        Ok(publish.topic.clone())
    }

    /// Counts a message against the receive maximum (MQTT 5, 4.9), a repeat of a counted one not again.
    fn count(&mut self, qos: u8, id: u16, shared: &Shared) -> Result<(), Close> {
        if qos == 2 && self.session.ids.get(&id).is_some_and(|known| known.counted) {
            return Ok(());
        }
        if self.v5 && self.unacknowledged >= usize::from(shared.config.max_in_flight) {
            return Err(Close::new(reason::RECEIVE_MAXIMUM, Cause::Protocol));
        }
        self.unacknowledged += 1;
        if qos == 2 && let Some(known) = self.session.ids.get_mut(&id) {
            known.counted = true;
        }
        Ok(())
    }

    fn remember(&mut self, qos: u8, id: u16) {
        if qos == 2 {
            self.session.ids.insert(id, PacketId { exchange: Exchange::Delivering, counted: true });
        }
    }

    fn forget(&mut self, id: u16) -> Option<PacketId> {
        let known = self.session.ids.remove(&id)?;
        if known.counted {
            self.unacknowledged = self.unacknowledged.saturating_sub(1);
        }
        Some(known)
    }

    fn pubrel(&mut self, id: u16, out: &mut BytesMut) -> Result<(), Close> {
        // PUBREL answers PUBREC, which is not sent before the message is delivered.
        if self.session.ids.get(&id).is_some_and(|known| known.exchange == Exchange::Delivering) {
            return Err(Close::PROTOCOL);
        }
        let reason = if self.forget(id).is_some() { 0 } else { reason::PACKET_ID_NOT_FOUND };
        wire::answer(out, Answer::Pubcomp, id, reason, self.v5);
        Ok(())
    }

    fn settled(&mut self, entry: Entry, outcome: Outcome, shared: &Shared, out: &mut BytesMut) -> Result<(), Close> {
        match outcome {
            Outcome::Delivered => self.keep(entry, out),
            Outcome::Unmatched => self.drop_message(entry, reason::TOPIC_NAME, out),
            Outcome::Refused => {
                let error = self.session.failure();
                shared.config.notices.say(|| Notice::Refused { client: self.client.to_string(), error });
                self.drop_message(entry, reason::IMPLEMENTATION, out);
            }
            Outcome::Repeat => match self.session.ids.get(&entry.id).map(|known| known.exchange) {
                Some(Exchange::Dropped(reason)) => self.drop_message(entry, reason, out),
                Some(Exchange::Lost) => return Err(self.undelivered(entry, shared)),
                Some(Exchange::Kept | Exchange::Delivering) => self.keep(entry, out),
                // Released meanwhile: the device had its PUBREC from the first one.
                None if entry.owed => wire::answer(out, Answer::Pubrec, entry.id, 0, self.v5),
                None => {}
            },
            Outcome::Failed if entry.owed && entry.qos > 0 => return Err(self.undelivered(entry, shared)),
            Outcome::Failed => {
                if entry.qos == 2 && let Some(known) = self.session.ids.get_mut(&entry.id) {
                    known.exchange = Exchange::Lost;
                }
            }
        }
        Ok(())
    }

    /// Acknowledges a message that was delivered.
    fn keep(&mut self, entry: Entry, out: &mut BytesMut) {
        if entry.qos == 2 && let Some(known) = self.session.ids.get_mut(&entry.id) {
            known.exchange = Exchange::Kept;
        }
        if !entry.owed {
            return;
        }
        match entry.qos {
            1 => {
                self.unacknowledged = self.unacknowledged.saturating_sub(1);
                wire::answer(out, Answer::Puback, entry.id, 0, self.v5);
            }
            2 => wire::answer(out, Answer::Pubrec, entry.id, 0, self.v5),
            _ => {}
        }
    }

    /// Answers a message that is dropped. MQTT 3.1.1 has no way to say so: it is acknowledged, because a device that
    /// sends it again for ever helps nobody.
    fn drop_message(&mut self, entry: Entry, reason: u8, out: &mut BytesMut) {
        if !entry.owed {
            if entry.qos == 2 && let Some(known) = self.session.ids.get_mut(&entry.id) {
                known.exchange = Exchange::Dropped(reason);
            }
        } else if entry.qos == 2 && self.v5 {
            // A PUBREC with an error ends the exchange (MQTT 5, 4.3.3).
            self.forget(entry.id);
            wire::answer(out, Answer::Pubrec, entry.id, reason, true);
        } else if entry.qos == 1 && self.v5 {
            self.unacknowledged = self.unacknowledged.saturating_sub(1);
            wire::answer(out, Answer::Puback, entry.id, reason, true);
        } else {
            self.keep(entry, out);
        }
    }

    /// The end of a connection whose message was not delivered. Its packet id is free, so that it can come again.
    fn undelivered(&mut self, entry: Entry, shared: &Shared) -> Close {
        if entry.qos == 2 {
            self.forget(entry.id);
        }
        let error = self.session.failure();
        shared.config.notices.say(|| Notice::Undelivered { client: self.client.to_string(), error });
        Close::new(reason::IMPLEMENTATION, Cause::Undelivered)
    }
}
