//! The receiving half of a connection: messages to records, and acknowledgements in the order the messages came.
//!
//! The same on both sides of MQTT, whether a device publishes to the listener or a broker to our client: who receives a
//! message acknowledges it (MQTT 5, 4.3 and 4.6), and does so here when its record is delivered.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use tokio::time::Instant;

use super::counters::{Cause, Received};
use super::notice::{Notice, NoticeHook};
use super::rules::{Found, Route, Routes, Rules};
use super::session::{Entry, Exchange, Outcome, PacketId, Session, Wait};
use super::wire::{self, Answer, Close, Publish, Said, reason};
use crate::ingest::deliver::{Deliver, Handover, IngestRecord, Receipt};

/// How much answer may wait for a peer that does not read, before we stop reading from it.
pub(super) const MAX_OUT: usize = 64 * 1024;

/// Payload bytes of one connection that may wait for their delivery; one packet more may come on top.
const MAX_WAITING_BYTES: usize = 8 * 1024 * 1024;

/// Topics without a rule that are reported by name; beyond that they are only counted.
const MAX_REPORTED: usize = 1000;

/// The time of a step.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    /// For deadlines.
    pub(super) instant: Instant,
    /// For records: milliseconds since 1970.
    pub(super) wall_ms: i64,
}

/// What all connections of one connector share.
pub(super) struct Intake {
    pub(super) rules: Arc<Rules>,
    pub(super) received: Arc<Received>,
    pub(super) deliver: Arc<dyn Deliver>,
    pub(super) notices: NoticeHook,
    /// Most messages of one connection that wait for their delivery.
    pub(super) max_in_flight: u16,
    /// Topic aliases that the peer may use (MQTT 5, 3.3.2.3.4).
    pub(super) topic_aliases: u16,
    /// Whether an MQTT 5 peer that goes beyond the receive maximum is closed, and not just made to wait. A device then
    /// learns of its fault; mosquitto has this one when it takes a session up again, and would only repeat it.
    pub(super) strict: bool,
    /// Topics that were reported as matching no rule.
    reported: parking_lot::Mutex<hashbrown::HashSet<Bytes, ahash::RandomState>>,
}

impl Intake {
    pub(super) fn new(
        rules: Rules,
        deliver: Arc<dyn Deliver>,
        received: Arc<Received>,
        notices: NoticeHook,
        max_in_flight: u16,
        topic_aliases: u16,
        strict: bool,
    ) -> Intake {
        let (rules, reported) = (Arc::new(rules), Default::default());
        Intake { rules, received, deliver, notices, max_in_flight, topic_aliases, strict, reported }
    }

    /// A session for a peer that has none.
    pub(super) fn new_session(&self) -> Session {
        Session::new(usize::from(self.max_in_flight) + 1, self.received.outcomes.clone())
    }

    /// Counts a message without a rule, and reports its topic when nobody else did.
    pub(super) fn unmatched(&self, topic: &[u8], first: bool) {
        self.received.unmatched.up();
        if !first {
            return;
        }
        let mut reported = self.reported.lock();
        if reported.len() >= MAX_REPORTED || reported.contains(topic) {
            return;
        }
        reported.insert(Bytes::copy_from_slice(topic));
        drop(reported);
        self.notices.say(|| Notice::UnmatchedTopic { topic: String::from_utf8_lossy(topic).into_owned() });
    }
}

/// The record of a message that a rule takes.
pub(super) fn record(
    route: &mut Route,
    (qos, retained): (u8, bool),
    said: Option<&Said>,
    value: Bytes,
    timestamp_ms: i64,
) -> IngestRecord {
    let headers = route.headers(qos, retained, said);
    IngestRecord { topic: route.topic.clone(), key: route.key.clone(), headers, value, timestamp_ms }
}

/// What one connection has received and not settled yet.
pub(super) struct Inbox {
    pub(super) v5: bool,
    /// The client id of whoever sends, or under which a broker sends, for notices.
    peer: Arc<str>,
    session: Session,
    routes: Routes,
    aliases: Vec<Option<Bytes>>,
    /// A record that the producer had no room for.
    held: Option<Box<(IngestRecord, Receipt)>>,
    /// QoS 1 and 2 messages of this connection not acknowledged to their end: the used part of the receive maximum.
    unacknowledged: usize,
}

impl Inbox {
    /// An inbox that goes on with `session`, which owes the new connection nothing so far.
    pub(super) fn new(v5: bool, peer: Arc<str>, mut session: Session, routes: Routes, now: Instant) -> Inbox {
        session.resume(now);
        Inbox { v5, peer, session, routes, aliases: Vec::new(), held: None, unacknowledged: 0 }
    }

    /// What outlives the connection. A record that the producer had no room for counts as failed.
    pub(super) fn into_session(self) -> Session {
        self.session
    }

    /// Messages that are not settled.
    pub(super) fn len(&self) -> usize {
        self.session.len()
    }

    /// When the oldest of those came.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.session.oldest()
    }

    /// Whether nothing more can be taken before something is settled.
    pub(super) fn is_full(&self, intake: &Intake) -> bool {
        // MQTT 5 peers know the bound; one message more is read, to tell them if they do not keep to it.
        let room = usize::from(intake.max_in_flight) + usize::from(self.v5 && intake.strict);
        self.held.is_some() || self.session.len() >= room || self.session.bytes() >= MAX_WAITING_BYTES
    }

    /// Writes the answers whose turn has come.
    ///
    /// # Errors
    /// When a message of this connection could not be delivered: it has to be sent again.
    pub(super) fn settle(&mut self, intake: &Intake, out: &mut BytesMut) -> Result<(), Close> {
        while out.len() <= MAX_OUT {
            let Some((entry, outcome)) = self.session.pop() else { break };
            self.settled(entry, outcome, intake, out)?;
        }
        Ok(())
    }

    /// Ready when [`settle`](Self::settle) has something to do.
    pub(super) fn poll_settled(&self, out: &BytesMut, cx: &mut Context<'_>) -> Poll<()> {
        if out.len() <= MAX_OUT { self.session.poll_settled(cx) } else { Poll::Pending }
    }

    /// Whether a record waits for the producer to have room.
    pub(super) fn holds_record(&self) -> bool {
        self.held.is_some()
    }

    /// Offers that record again.
    pub(super) fn offer_again(&mut self, intake: &Intake) {
        if let Some(held) = self.held.take() {
            let (record, receipt) = *held;
            if let Handover::Full(held) = intake.deliver.deliver(record, receipt) {
                self.held = Some(held);
            }
        }
    }

    /// Takes a message that is too large to be kept, of which only this much was read. It is answered in its turn, like
    /// one that no rule matches, so that it does not come again.
    pub(super) fn too_large(&mut self, qos: u8, id: u16, intake: &Intake, now: Now) -> Result<(), Close> {
        intake.received.messages.up();
        intake.received.dropped_too_large.up();
        if qos > 0 {
            self.count(qos, id, intake)?;
        }
        self.remember(qos, id);
        self.session.push_settled(id, qos, Wait::TooLarge, now.instant);
        Ok(())
    }

    /// Takes a message: hands its record over, or queues why there is none.
    ///
    /// # Errors
    /// With the end of the connection, for a message that MQTT does not allow.
    pub(super) fn publish(&mut self, publish: Publish, intake: &Intake, now: Now) -> Result<(), Close> {
        let received = &intake.received;
        received.messages.up();
        received.payload_bytes.add(publish.payload.len() as u64);
        if publish.duplicate {
            received.duplicates.up();
        }
        let topic = self.topic(&publish, intake)?;
        let Publish { qos, id, retained, .. } = publish;
        if qos > 0 {
            self.count(qos, id, intake)?;
        }
        if qos == 2 {
            match self.session.ids.get_mut(&id) {
                Some(known) if known.exchange != Exchange::Lost => {
                    received.repeats.up();
                    self.session.push_settled(id, qos, Wait::Repeat, now.instant);
                    return Ok(());
                }
                Some(known) => known.exchange = Exchange::Delivering,
                None => {}
            }
        }
        let record = match self.routes.find(&topic) {
            Found::Route(route) => {
                record(route, (qos, retained), publish.said.as_deref(), publish.payload, now.wall_ms)
            }
            Found::Unmatched { first } => {
                intake.unmatched(&topic, first);
                self.remember(qos, id);
                self.session.push_settled(id, qos, Wait::Unmatched, now.instant);
                return Ok(());
            }
            Found::Invalid => return Err(Close::new(reason::TOPIC_NAME, Cause::Malformed)),
        };
        self.remember(qos, id);
        let receipt = self.session.push(id, qos, record.value.len(), now.instant);
        if let Handover::Full(held) = intake.deliver.deliver(record, receipt) {
            received.held_back.up();
            self.held = Some(held);
        }
        Ok(())
    }

    /// The topic of a message, its alias looked up or noted.
    fn topic(&mut self, publish: &Publish, intake: &Intake) -> Result<Bytes, Close> {
        let Some(alias) = publish.alias else { return Ok(publish.topic.clone()) };
        if alias == 0 || alias > intake.topic_aliases {
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
    fn count(&mut self, qos: u8, id: u16, intake: &Intake) -> Result<(), Close> {
        if qos == 2 && self.session.ids.get(&id).is_some_and(|known| known.counted) {
            return Ok(());
        }
        if self.v5 && intake.strict && self.unacknowledged >= usize::from(intake.max_in_flight) {
            return Err(Close::new(reason::RECEIVE_MAXIMUM, Cause::Protocol));
        }
        self.unacknowledged += 1;
        if qos == 2
            && let Some(known) = self.session.ids.get_mut(&id)
        {
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

    /// Takes the PUBREL that ends a QoS 2 exchange.
    ///
    /// # Errors
    /// With the end of the connection, when it comes before its message was acknowledged.
    pub(super) fn pubrel(&mut self, id: u16, out: &mut BytesMut) -> Result<(), Close> {
        // PUBREL answers PUBREC, which is not sent before the message is delivered.
        if self.session.ids.get(&id).is_some_and(|known| known.exchange == Exchange::Delivering) {
            return Err(Close::PROTOCOL);
        }
        let reason = if self.forget(id).is_some() { 0 } else { reason::PACKET_ID_NOT_FOUND };
        wire::answer(out, Answer::Pubcomp, id, reason, self.v5);
        Ok(())
    }

    fn settled(&mut self, entry: Entry, outcome: Outcome, intake: &Intake, out: &mut BytesMut) -> Result<(), Close> {
        match outcome {
            Outcome::Delivered => self.keep(entry, out),
            Outcome::Unmatched => self.drop_message(entry, reason::TOPIC_NAME, out),
            Outcome::TooLarge => self.drop_message(entry, reason::IMPLEMENTATION, out),
            Outcome::Refused => {
                let error = self.session.failure();
                intake.notices.say(|| Notice::Refused { client: self.peer.to_string(), error });
                self.drop_message(entry, reason::IMPLEMENTATION, out);
            }
            Outcome::Repeat => match self.session.ids.get(&entry.id).map(|known| known.exchange) {
                Some(Exchange::Dropped(reason)) => self.drop_message(entry, reason, out),
                Some(Exchange::Lost) => return Err(self.undelivered(entry, intake)),
                Some(Exchange::Kept | Exchange::Delivering) => self.keep(entry, out),
                // Released meanwhile: the device had its PUBREC from the first one.
                None if entry.owed => wire::answer(out, Answer::Pubrec, entry.id, 0, self.v5),
                None => {}
            },
            Outcome::Failed if entry.owed && entry.qos > 0 => return Err(self.undelivered(entry, intake)),
            Outcome::Failed => {
                if entry.qos == 2
                    && let Some(known) = self.session.ids.get_mut(&entry.id)
                {
                    known.exchange = Exchange::Lost;
                }
            }
        }
        Ok(())
    }

    /// Acknowledges a message that was delivered.
    fn keep(&mut self, entry: Entry, out: &mut BytesMut) {
        if entry.qos == 2
            && let Some(known) = self.session.ids.get_mut(&entry.id)
        {
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
            if entry.qos == 2
                && let Some(known) = self.session.ids.get_mut(&entry.id)
            {
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
    fn undelivered(&mut self, entry: Entry, intake: &Intake) -> Close {
        if entry.qos == 2 {
            self.forget(entry.id);
        }
        let error = self.session.failure();
        intake.notices.say(|| Notice::Undelivered { client: self.peer.to_string(), error });
        Close::new(reason::IMPLEMENTATION, Cause::Undelivered)
    }
}
