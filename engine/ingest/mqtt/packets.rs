//! The packets that come once a connection, read and written by `mqtt-protocol-core` and made neutral of the version.
//!
//! That crate does not look at reserved flags; what MQTT says about them is checked here.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use mqtt_protocol_core::mqtt::packet::{
    AssignedClientIdentifier, MaximumPacketSize, Property, ReasonString, ReceiveMaximum, SharedSubscriptionAvailable,
    SubscriptionIdentifierAvailable, TopicAliasMaximum, WildcardSubscriptionAvailable, v3_1_1, v5_0,
};
use mqtt_protocol_core::mqtt::result_code::{
    ConnectReasonCode, SubackReasonCode, SubackReturnCode, UnsubackReasonCode,
};

use super::counters::Cause;
use super::rules::{Said, valid_topic};
use super::wire::{self, Close, Packet, kind, reason};

/// A session that lives as long as the process (MQTT 5, 3.1.2.11.2).
pub(super) const FOREVER: u32 = u32::MAX;

/// A message to publish when its device is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Will {
    pub(super) topic: String,
    pub(super) payload: Bytes,
    pub(super) qos: u8,
    pub(super) retained: bool,
    pub(super) delay: Duration,
    /// User properties and content type, where there are any.
    pub(super) said: Option<Box<Said>>,
}

/// Who a device says it is.
#[derive(Clone)]
pub(super) struct Login {
    pub(super) user: String,
    pub(super) password: Vec<u8>,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Login({}, ********)", self.user)
    }
}

/// A CONNECT of either version.
#[derive(Debug, Clone)]
pub(super) struct Connect {
    pub(super) v5: bool,
    pub(super) client: String,
    pub(super) clean: bool,
    /// Zero when the device asks for none.
    pub(super) keep_alive: Duration,
    /// Seconds that the session outlives the connection; [`FOREVER`] without end.
    pub(super) session_expiry: u32,
    /// The largest packet the device takes.
    pub(super) max_packet: u32,
    pub(super) will: Option<Will>,
    /// User name and password, if it gives a name.
    pub(super) login: Option<Login>,
}

/// Why a CONNECT is refused: the bytes to answer with, perhaps none, and what is counted.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) answer: Vec<u8>,
    pub(super) cause: Cause,
}

impl Refusal {
    fn silent(cause: Cause) -> Refusal {
        Refusal { answer: Vec::new(), cause }
    }

    /// A CONNACK with the code of the version.
    pub(super) fn new(v5: bool, reason: u8, return_code: u8, cause: Cause) -> Refusal {
        let answer = if v5 { vec![0x20, 3, 0, reason, 0] } else { vec![0x20, 2, 0, return_code] };
        Refusal { answer, cause }
    }
}

/// Reads a CONNECT, the version from its own bytes.
///
/// # Errors
/// With the CONNACK to send before closing, or none where the bytes are no CONNECT at all.
pub(super) fn connect(packet: &Packet) -> Result<Connect, Refusal> {
    let body = &packet.body[..];
    if packet.kind != kind::CONNECT || packet.flags != 0 {
        return Err(Refusal::silent(Cause::Malformed));
    }
    let level = match body {
        [0, 4, b'M', b'Q', b'T', b'T', level, ..] => *level,
        // MQTT 3.1, which had another name.
        [0, 6, b'M', b'Q', b'I', b's', b'd', b'p', ..] => 3,
        _ => return Err(Refusal::silent(Cause::Malformed)),
    };
    let flags = *body.get(7).ok_or_else(|| Refusal::silent(Cause::Malformed))?;
    let v5 = match level {
        4 => false,
        5 => true,
        _ => return Err(Refusal::new(level > 5, 0x84, 0x01, Cause::Version)),
    };
    let will_qos = flags >> 3 & 3;
    let will_flags_without_will = flags & 0x04 == 0 && flags & 0x38 != 0;
    if flags & 1 != 0 || will_qos == 3 || will_flags_without_will {
        return Err(if v5 {
            Refusal::new(true, reason::MALFORMED, 0, Cause::Malformed)
        } else {
            Refusal::silent(Cause::Malformed)
        });
    }
    let connect = if v5 { connect_5(body)? } else { connect_4(body)? };
    if let Some(will) = &connect.will
        && valid_topic(will.topic.as_bytes()).is_none()
    {
        return Err(if v5 {
            Refusal::new(true, reason::TOPIC_NAME, 0, Cause::Protocol)
        } else {
            Refusal::silent(Cause::Protocol)
        });
    }
    if connect.client.contains('\0') {
        return Err(Refusal::new(v5, reason::CLIENT_ID, 0x02, Cause::ClientId));
    }
    Ok(connect)
}

fn connect_4(body: &[u8]) -> Result<Connect, Refusal> {
    let (packet, length) = v3_1_1::Connect::parse(body).map_err(|_| Refusal::silent(Cause::Malformed))?;
    if length != body.len() {
        return Err(Refusal::silent(Cause::Malformed));
    }
    if packet.client_id().is_empty() && !packet.clean_session() {
        // Identifier rejected: a session to come back to needs a name (3.1.3.1 of MQTT 3.1.1).
        return Err(Refusal::new(false, 0, 0x02, Cause::ClientId));
    }
    let will = packet.will_topic().map(|topic| Will {
        topic: topic.to_string(),
        payload: Bytes::copy_from_slice(packet.will_payload().unwrap_or_default()),
        qos: packet.will_qos() as u8,
        retained: packet.will_retain(),
        delay: Duration::ZERO,
        said: None,
    });
    Ok(Connect {
        v5: false,
        client: packet.client_id().to_string(),
        clean: packet.clean_session(),
        keep_alive: Duration::from_secs(packet.keep_alive().into()),
        session_expiry: if packet.clean_session() { 0 } else { FOREVER },
        max_packet: u32::MAX,
        will,
        login: login(packet.user_name(), packet.password()),
    })
}

fn connect_5(body: &[u8]) -> Result<Connect, Refusal> {
    let malformed = || Refusal::new(true, reason::MALFORMED, 0, Cause::Malformed);
    let (packet, length) = v5_0::Connect::parse(body).map_err(|_| malformed())?;
    if length != body.len() {
        return Err(malformed());
    }
    let mut session_expiry = 0;
    let mut max_packet = u32::MAX;
    for property in packet.props() {
        match property {
            Property::SessionExpiryInterval(value) => session_expiry = value.val(),
            Property::MaximumPacketSize(value) => max_packet = value.val(),
            Property::AuthenticationMethod(_) => {
                return Err(Refusal::new(true, reason::AUTHENTICATION_METHOD, 0, Cause::Protocol));
            }
            _ => {}
        }
    }
    let delay = packet.will_props().iter().find_map(|property| match property {
        Property::WillDelayInterval(value) => Some(value.val()),
        _ => None,
    });
    let mut said = None;
    for property in packet.will_props() {
        wire::say(&mut said, property);
    }
    let will = packet.will_topic().map(|topic| Will {
        topic: topic.to_string(),
        payload: Bytes::copy_from_slice(packet.will_payload().unwrap_or_default()),
        qos: packet.will_qos() as u8,
        retained: packet.will_retain(),
        delay: Duration::from_secs(delay.unwrap_or(0).into()),
        said,
    });
    Ok(Connect {
        v5: true,
        client: packet.client_id().to_string(),
        clean: packet.clean_start(),
        keep_alive: Duration::from_secs(packet.keep_alive().into()),
        session_expiry,
        max_packet,
        will,
        login: login(packet.user_name(), packet.password()),
    })
}

fn login(user: Option<&str>, password: Option<&[u8]>) -> Option<Login> {
    let password = password.unwrap_or_default().to_vec();
    user.map(|user| Login { user: user.to_string(), password })
}

/// What a CONNACK announces.
#[derive(Debug)]
pub(super) struct Connack<'a> {
    pub(super) v5: bool,
    pub(super) session_present: bool,
    /// The client id, when the listener chose it.
    pub(super) assigned: Option<&'a str>,
    pub(super) receive_maximum: u16,
    pub(super) max_packet: u32,
    pub(super) topic_alias_maximum: u16,
}

/// The CONNACK that accepts a connection.
pub(super) fn connack(connack: &Connack<'_>) -> Vec<u8> {
    let present = u8::from(connack.session_present);
    if !connack.v5 {
        return vec![0x20, 2, present, 0];
    }
    let mut properties: Vec<Property> = Vec::new();
    let mut add = |property: Option<Property>| properties.extend(property);
    add(ReceiveMaximum::new(connack.receive_maximum).ok().map(Into::into));
    add(MaximumPacketSize::new(connack.max_packet).ok().map(Into::into));
    add(TopicAliasMaximum::new(connack.topic_alias_maximum).ok().map(Into::into));
    add(WildcardSubscriptionAvailable::new(0).ok().map(Into::into));
    add(SubscriptionIdentifierAvailable::new(0).ok().map(Into::into));
    add(SharedSubscriptionAvailable::new(0).ok().map(Into::into));
    add(connack.assigned.and_then(|id| AssignedClientIdentifier::new(id).ok()).map(Into::into));
    let packet = v5_0::Connack::builder()
        .session_present(connack.session_present)
        .reason_code(ConnectReasonCode::Success)
        .props(properties)
        .build();
    match packet {
        Ok(packet) => packet.to_continuous_buffer(),
        // Without its properties a CONNACK is always right; the limits are then enforced unannounced.
        Err(_) => vec![0x20, 3, present, 0, 0],
    }
}

/// Refuses every filter of a SUBSCRIBE: the bytes of the SUBACK, and how many filters there were.
pub(super) fn refuse_subscribe(packet: &Packet, v5: bool) -> Result<(Vec<u8>, usize), Close> {
    if packet.flags != 2 {
        return Err(Close::MALFORMED);
    }
    let body = &packet.body[..];
    let (bytes, count) = if v5 {
        let (subscribe, _) = v5_0::Subscribe::parse(body).map_err(|_| Close::MALFORMED)?;
        let count = subscribe.entries().len();
        let text = ReasonString::new("this listener only takes messages; read them from Kafka");
        let suback = v5_0::Suback::builder()
            .packet_id(subscribe.packet_id())
            .reason_codes(vec![SubackReasonCode::NotAuthorized; count])
            .props(text.ok().map(Property::from).into_iter().collect::<Vec<_>>())
            .build();
        (suback.map(|suback| suback.to_continuous_buffer()), count)
    } else {
        let (subscribe, _) = v3_1_1::Subscribe::parse(body).map_err(|_| Close::MALFORMED)?;
        let count = subscribe.entries().len();
        let suback = v3_1_1::Suback::builder()
            .packet_id(subscribe.packet_id())
            .return_codes(vec![SubackReturnCode::Failure; count])
            .build();
        (suback.map(|suback| suback.to_continuous_buffer()), count)
    };
    Ok((bytes.map_err(|_| Close::PROTOCOL)?, count))
}

/// Answers an UNSUBSCRIBE: there never is a subscription.
pub(super) fn answer_unsubscribe(packet: &Packet, v5: bool) -> Result<Vec<u8>, Close> {
    if packet.flags != 2 {
        return Err(Close::MALFORMED);
    }
    let body = &packet.body[..];
    if !v5 {
        let (unsubscribe, _) = v3_1_1::Unsubscribe::parse(body).map_err(|_| Close::MALFORMED)?;
        let id = unsubscribe.packet_id().to_be_bytes();
        return Ok(vec![0xB0, 2, id[0], id[1]]);
    }
    let (unsubscribe, _) = v5_0::Unsubscribe::parse(body).map_err(|_| Close::MALFORMED)?;
    let unsuback = v5_0::Unsuback::builder()
        .packet_id(unsubscribe.packet_id())
        .reason_codes(vec![UnsubackReasonCode::NoSubscriptionExisted; unsubscribe.entries().len()])
        .build();
    Ok(unsuback.map_err(|_| Close::PROTOCOL)?.to_continuous_buffer())
}

/// What a DISCONNECT says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Leave {
    /// Whether the will is still to be published (MQTT 5, reason 0x04 and every error).
    pub(super) will: bool,
    /// A new session expiry, if the device gives one.
    pub(super) session_expiry: Option<u32>,
}

/// Reads a DISCONNECT.
pub(super) fn leave(packet: &Packet, v5: bool) -> Result<Leave, Close> {
    if packet.flags != 0 || (!v5 && !packet.body.is_empty()) {
        return Err(Close::MALFORMED);
    }
    let mut leave = Leave { will: false, session_expiry: None };
    if v5 {
        let (disconnect, _) = v5_0::Disconnect::parse(&packet.body).map_err(|_| Close::MALFORMED)?;
        leave.will = disconnect.reason_code().is_some_and(|reason| reason as u8 != 0);
        leave.session_expiry = disconnect.props().iter().flatten().find_map(|property| match property {
            Property::SessionExpiryInterval(value) => Some(value.val()),
            _ => None,
        });
    }
    Ok(leave)
}

/// The end of a connection at the word of the device.
pub(super) fn left(leave: Leave) -> Close {
    Close { reason: 0, cause: Cause::Left, will: leave.will }
}

impl From<&Refusal> for Close {
    fn from(refusal: &Refusal) -> Close {
        Close { reason: 0, cause: refusal.cause, will: false }
    }
}

/// Appends bytes built elsewhere, unless the device said that it does not take packets that large.
pub(super) fn append(out: &mut BytesMut, bytes: &[u8], max_packet: u32) {
    if bytes.len() <= max_packet as usize {
        out.extend_from_slice(bytes);
    }
}
