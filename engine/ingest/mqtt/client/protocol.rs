//! One connection to a broker as a state machine: bytes in, bytes out, records handed over. No socket, no clock, no task.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::time::Instant;

use super::config::ClientConfig;
use super::packets::{self, Connack, SUBSCRIBE_ID};
use crate::error::Result;
use crate::ingest::mqtt::counters::Cause;
use crate::ingest::mqtt::inbox::{Inbox, Intake, MAX_OUT, Now};
use crate::ingest::mqtt::notice::Notice;
use crate::ingest::mqtt::rules::Routes;
use crate::ingest::mqtt::session::Session;
use crate::ingest::mqtt::wire::{self, Close, Packet, Split, kind, reason};

/// How long a broker may take to answer a ping, at most.
const PING_PATIENCE: Duration = Duration::from_secs(30);

/// The end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct End {
    /// What happened, after "MQTT broker x: ".
    pub(super) text: String,
    /// What to do about it.
    pub(super) hint: Option<&'static str>,
    /// The reason code to say in an MQTT 5 DISCONNECT; zero sends none.
    pub(super) reason: u8,
    /// Whether the broker does not speak this version of MQTT.
    pub(super) other_version: bool,
}

impl End {
    pub(super) fn new(text: impl Into<String>) -> End {
        End { text: text.into(), hint: None, reason: 0, other_version: false }
    }
}

impl From<Close> for End {
    fn from(close: Close) -> End {
        let text = match close.cause {
            Cause::Undelivered => "the connection was closed because a record could not be delivered",
            Cause::Malformed => "it sent bytes that are no MQTT packet",
            Cause::TooLarge => "it sent a packet that is too large",
            _ => "it sent a packet that MQTT does not allow there",
        };
        End { reason: close.reason, ..End::new(text) }
    }
}

/// How far the bytes went.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// This many more bytes are needed, at least.
    NeedMore(usize),
    /// Whole packets may be left, but nothing more is taken until something is settled or sent.
    Blocked,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// CONNECT is sent.
    Connecting,
    /// SUBSCRIBE is sent. Messages of a session that goes on may come before its answer.
    Subscribing,
    /// Everything is said; messages come.
    Open,
}

/// What a connection begins with.
pub(super) struct Beginning {
    /// MQTT 5, or 3.1.1.
    pub(super) v5: bool,
    /// Whether to subscribe even where the broker still has the session: it may know other filters than we do now.
    pub(super) subscribe: bool,
    /// What the connection before left.
    pub(super) session: Option<Session>,
}

/// One connection.
pub(super) struct Protocol {
    config: Arc<ClientConfig>,
    intake: Arc<Intake>,
    /// Bytes to send.
    pub(super) out: BytesMut,
    v5: bool,
    subscribe: bool,
    state: State,
    /// The session until the broker says whether it goes on.
    waiting: Option<Session>,
    inbox: Option<Inbox>,
    /// Whether the broker had the session; known with the CONNACK.
    resumed: Option<bool>,
    /// Bytes of a packet that is too large which are still to be skipped.
    skip: usize,
    keep_alive: Duration,
    opened: Instant,
    last_sent: Instant,
    ping: Option<Instant>,
}

impl Protocol {
    /// Begins with CONNECT in `out`.
    ///
    /// # Errors
    /// When the settings do not fit into MQTT's packets.
    pub(super) fn new(
        config: Arc<ClientConfig>,
        intake: Arc<Intake>,
        beginning: Beginning,
        now: Instant,
    ) -> Result<Protocol> {
        let Beginning { v5, subscribe, session } = beginning;
        let out = BytesMut::from(&packets::connect(&config, v5, config.clean)?[..]);
        let keep_alive = config.keep_alive;
        Ok(Protocol {
            config,
            intake,
            out,
            v5,
            subscribe,
            state: State::Connecting,
            waiting: session,
            inbox: None,
            resumed: None,
            skip: 0,
            keep_alive,
            opened: now,
            last_sent: now,
            ping: None,
        })
    }

    /// Whether the broker had the session, once it has accepted the connection.
    pub(super) fn resumed(&self) -> Option<bool> {
        self.resumed
    }

    /// Whether the broker has accepted everything.
    pub(super) fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// Takes whole packets from `input`, as far as there is room for what they ask.
    ///
    /// # Errors
    /// With the end of the connection.
    pub(super) fn feed(&mut self, input: &mut BytesMut, now: Now) -> Result<Progress, End> {
        loop {
            if self.skip > 0 {
                let bytes = self.skip.min(input.len());
                input.advance(bytes);
                self.skip -= bytes;
                if self.skip > 0 {
                    return Ok(Progress::NeedMore(1));
                }
            }
            if self.out.len() > MAX_OUT || self.holds_back() {
                return Ok(Progress::Blocked);
            }
            match wire::frame(input)? {
                Ok((header, length)) if header + length > self.config.max_packet_size as usize => {
                    match self.skip_packet(input, header, length, now)? {
                        true => continue,
                        false => return Ok(Progress::NeedMore(1)),
                    }
                }
                _ => {}
            }
            match wire::split(input, u32::MAX)? {
                Split::Need(bytes) => return Ok(Progress::NeedMore(bytes)),
                Split::Packet(packet) => self.packet(packet, now)?,
            }
        }
    }

    /// Begins to skip a packet that is too large, once its head is there. Were the connection closed over it, the broker
    /// would send it again for ever.
    fn skip_packet(&mut self, input: &[u8], header: usize, length: usize, now: Now) -> Result<bool, End> {
        let Some(inbox) = self.inbox.as_mut().filter(|_| input[0] >> 4 == kind::PUBLISH) else {
            return Err(Close::new(reason::TOO_LARGE, Cause::TooLarge).into());
        };
        let Some(head) = wire::publish_head(input, header)? else { return Ok(false) };
        inbox.too_large(head.qos, head.id, &self.intake, now)?;
        let (bytes, most) = ((header + length) as u64, self.config.max_packet_size);
        self.intake.notices.say(|| Notice::TooLarge { topic: head.topic, bytes, most });
        self.skip = header + length;
        Ok(true)
    }

    fn packet(&mut self, packet: Packet, now: Now) -> Result<(), End> {
        self.ping = None;
        let (v5, out) = (self.v5, &mut self.out);
        let Some(inbox) = &mut self.inbox else {
            return match packet.kind {
                kind::CONNACK => self.connack(packets::connack(&packet, v5)?, now),
                _ => Err(Close::PROTOCOL.into()),
            };
        };
        match packet.kind {
            kind::PUBLISH => Ok(inbox.publish(wire::publish(packet, v5)?, &self.intake, now)?),
            kind::PUBREL if packet.flags == 2 => Ok(inbox.pubrel(wire::pubrel(packet.body)?, out)?),
            kind::SUBACK => self.suback(&packet),
            kind::PINGRESP => Ok(()),
            kind::DISCONNECT if v5 => {
                Err(End::new(format!("it closed the connection: {}", packets::disconnect(&packet))))
            }
            _ => Err(Close::PROTOCOL.into()),
        }
    }

    fn connack(&mut self, connack: Connack, now: Now) -> Result<(), End> {
        if let Some(refusal) = connack.refusal {
            let hint = match connack.other_version {
                true => Some("Leave 'mqtt.version' out, or name the one it speaks."),
                false => Some("See 'mqtt.username', 'mqtt.password' and 'mqtt.client.id'."),
            };
            let text = format!("it refused the connection: {refusal}");
            return Err(End { hint, other_version: connack.other_version, ..End::new(text) });
        }
        let resumed = connack.session_present && !self.config.clean;
        self.resumed = Some(resumed);
        if let Some(seconds) = connack.keep_alive {
            self.keep_alive = Duration::from_secs(seconds.into());
        }
        // What the session before had under way comes again with new packet ids, if it comes.
        let kept = self.waiting.take().filter(|_| resumed);
        let session = kept.unwrap_or_else(|| self.intake.new_session());
        let routes = Routes::new(self.intake.rules.clone(), None);
        self.inbox = Some(Inbox::new(self.v5, self.config.client_id.clone(), session, routes, now.instant));
        if resumed && !self.subscribe {
            self.state = State::Open;
            return Ok(());
        }
        let subscribe =
            packets::subscribe(&self.config, self.v5).map_err(|error| End::new(format!("not subscribed: {error}")))?;
        self.out.extend_from_slice(&subscribe);
        self.state = State::Subscribing;
        Ok(())
    }

    fn suback(&mut self, packet: &Packet) -> Result<(), End> {
        let (id, granted) = packets::suback(packet, self.v5)?;
        if self.state != State::Subscribing || id != SUBSCRIBE_ID || granted.len() != self.config.filters.len() {
            return Err(Close::PROTOCOL.into());
        }
        for (filter, granted) in self.config.filters.iter().zip(granted) {
            match granted {
                Err(refusal) => {
                    let hint = Some("Check the broker's access rules for this user, and 'mqtt.topics'.");
                    return Err(End { hint, ..End::new(format!("it refused to send {filter}: {refusal}")) });
                }
                Ok(granted) if granted < self.config.qos => {
                    self.intake.notices.say(|| Notice::LowerQos { filter: filter.clone(), granted });
                }
                Ok(_) => {}
            }
        }
        self.state = State::Open;
        Ok(())
    }

    /// Whether we make the broker wait. Its silence is no fault of its own then.
    pub(super) fn holds_back(&self) -> bool {
        self.inbox.as_ref().is_some_and(|inbox| inbox.is_full(&self.intake))
    }

    /// Messages taken and not acknowledged.
    pub(super) fn outstanding(&self) -> usize {
        self.inbox.as_ref().map_or(0, Inbox::len)
    }

    /// Writes the acknowledgements whose turn has come.
    ///
    /// # Errors
    /// When a message could not be delivered: the connection ends, so that the broker sends it again.
    pub(super) fn settle(&mut self) -> Result<(), End> {
        match &mut self.inbox {
            Some(inbox) => Ok(inbox.settle(&self.intake, &mut self.out)?),
            None => Ok(()),
        }
    }

    /// Ready when [`settle`](Self::settle) has something to do.
    pub(super) fn poll_settled(&self, cx: &mut Context<'_>) -> Poll<()> {
        match &self.inbox {
            Some(inbox) => inbox.poll_settled(&self.out, cx),
            None => Poll::Pending,
        }
    }

    /// Whether a record waits for the producer to have room.
    pub(super) fn holds_record(&self) -> bool {
        self.inbox.as_ref().is_some_and(Inbox::holds_record)
    }

    /// Offers that record again.
    pub(super) fn offer_again(&mut self) {
        if let Some(inbox) = &mut self.inbox {
            inbox.offer_again(&self.intake);
        }
    }

    /// Notes that bytes went out: MQTT counts them against the keep-alive time.
    pub(super) fn sent(&mut self, now: Instant) {
        self.last_sent = now;
    }

    /// When [`check_time`](Self::check_time) has to be called at the latest. While nothing is read, a ping cannot be
    /// answered.
    pub(super) fn deadline(&self, reading: bool) -> Option<Instant> {
        if self.state != State::Open {
            return Some(self.opened + self.config.connect_timeout);
        }
        let answer = self.ping.filter(|_| reading).map(|sent| sent + self.ping_patience());
        let ping = (self.ping.is_none() && !self.keep_alive.is_zero()).then(|| self.last_sent + self.keep_alive);
        [answer, ping].into_iter().flatten().min()
    }

    fn ping_patience(&self) -> Duration {
        self.keep_alive.min(PING_PATIENCE)
    }

    /// Pings when it is time to.
    ///
    /// # Errors
    /// When the broker does not answer.
    pub(super) fn check_time(&mut self, reading: bool, now: Instant) -> Result<(), End> {
        if self.state != State::Open {
            let late = now >= self.opened + self.config.connect_timeout;
            let waited = self.config.connect_timeout.as_secs_f64();
            return if late { Err(End::new(format!("it did not answer within {waited} s"))) } else { Ok(()) };
        }
        match self.ping {
            Some(_) if !reading => self.ping = Some(now),
            Some(sent) if now >= sent + self.ping_patience() => {
                return Err(End { reason: reason::KEEP_ALIVE, ..End::new("it does not answer any more") });
            }
            None if !self.keep_alive.is_zero() && now >= self.last_sent + self.keep_alive => {
                wire::pingreq(&mut self.out);
                self.ping = Some(now);
            }
            _ => {}
        }
        Ok(())
    }

    /// Ends the connection: the last bytes are in `out`, and the session for the next one comes back.
    pub(super) fn close(mut self, reason: u8) -> (BytesMut, Option<Session>) {
        if self.inbox.is_some() {
            match reason {
                // A clean end has the same two bytes in both versions.
                0 => self.out.extend_from_slice(&[0xE0, 0]),
                reason if self.v5 => wire::disconnect(&mut self.out, reason),
                _ => {}
            }
        }
        let session = self.inbox.map(Inbox::into_session).or(self.waiting);
        (self.out, session)
    }
}
