//! The packets of a connection's beginning and end, written and read by `mqtt-protocol-core`, neutral of the version.

use bytes::{Buf, Bytes};
use mqtt_protocol_core::mqtt::packet::{
    Properties, PropertiesParse, Property, Qos, ReceiveMaximum, RetainHandling, SessionExpiryInterval, SubEntry,
    SubOpts, v3_1_1, v5_0,
};

use super::config::ClientConfig;
use crate::error::{Error, Result};
use crate::ingest::mqtt::wire::{Close, Packet};

/// The packet id of the one SUBSCRIBE of a connection.
pub(super) const SUBSCRIBE_ID: u16 = 1;

fn cannot(what: &str, error: impl std::fmt::Debug) -> Error {
    Error::external(format!("an MQTT {what} cannot be written")).detail(format!("{error:?}"))
}

/// A CONNECT. With `clean`, whatever session the broker keeps under our id ends, and the new one with the connection.
///
/// # Errors
/// When a name or password is longer than MQTT's 65,535 bytes.
pub(super) fn connect(config: &ClientConfig, v5: bool, clean: bool) -> Result<Vec<u8>> {
    let keep_alive = u16::try_from(config.keep_alive.as_secs()).unwrap_or(u16::MAX);
    // The builders of the two versions are types of their own.
    macro_rules! build {
        ($builder:expr) => {{
            let mut builder = $builder
                .client_id(&*config.client_id)
                .map_err(|error| cannot("CONNECT", error))?
                .clean_start(clean)
                .keep_alive(keep_alive);
            if let Some(login) = &config.login {
                builder = builder
                    .user_name(login.user.as_str())
                    .and_then(|builder| builder.password(login.password.clone()))
                    .map_err(|error| cannot("CONNECT", error))?;
            }
            builder.build().map_err(|error| cannot("CONNECT", error))?.to_continuous_buffer()
        }};
    }
    if !v5 {
        return Ok(build!(v3_1_1::Connect::builder()));
    }
    let mut properties: Vec<Property> = Vec::new();
    properties.extend(ReceiveMaximum::new(config.max_in_flight).ok().map(Property::from));
    if !clean {
        properties.extend(SessionExpiryInterval::new(config.session_expiry).ok().map(Property::from));
    }
    Ok(build!(v5_0::Connect::builder().props(properties)))
}

/// What a CONNACK says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Connack {
    pub(super) session_present: bool,
    /// Why the connection is refused, with the code in MQTT's own notation.
    pub(super) refusal: Option<String>,
    /// Whether it is refused because the broker does not speak this version.
    pub(super) other_version: bool,
    /// Seconds of keep-alive that the broker prescribes.
    pub(super) keep_alive: Option<u16>,
    /// Seconds that the broker keeps the session, when it is not what was asked for.
    pub(super) session_expiry: Option<u32>,
}

/// Reads a CONNACK. A broker that knows only MQTT 3.1.1 answers in its own form, whatever it was asked in.
pub(super) fn connack(packet: &Packet, v5: bool) -> Result<Connack, Close> {
    let (flags, code) = match packet.body[..] {
        [flags, code, ..] if packet.flags == 0 => (flags, code),
        _ => return Err(Close::MALFORMED),
    };
    let mut connack = Connack {
        session_present: flags & 1 != 0,
        refusal: None,
        other_version: false,
        keep_alive: None,
        session_expiry: None,
    };
    let old_form = packet.body.len() == 2;
    if old_form {
        connack.other_version = v5 && code != 0 || code == 1;
        connack.refusal = (code != 0).then(|| format!("{} (code {code})", return_code(code)));
        return if v5 && code == 0 { Err(Close::MALFORMED) } else { Ok(connack) };
    }
    if !v5 {
        return Err(Close::MALFORMED);
    }
    let mut text = None;
    let (properties, _) = Properties::parse(&packet.body[2..]).map_err(|_| Close::MALFORMED)?;
    for property in &properties {
        match property {
            Property::ServerKeepAlive(value) => connack.keep_alive = Some(value.val()),
            Property::SessionExpiryInterval(value) => connack.session_expiry = Some(value.val()),
            Property::ReasonString(value) => text = Some(value.val().to_string()),
            _ => {}
        }
    }
    connack.other_version = code == 0x84;
    connack.refusal = (code >= 0x80).then(|| reason_text(code, text.as_deref()));
    Ok(connack)
}

/// A SUBSCRIBE for all filters. An MQTT 5 broker is asked to send its retained messages only for a new subscription, and
/// to leave the retained flag as the publisher set it.
pub(super) fn subscribe(config: &ClientConfig, v5: bool) -> Result<Vec<u8>> {
    let qos = match config.qos {
        0 => Qos::AtMostOnce,
        1 => Qos::AtLeastOnce,
        _ => Qos::ExactlyOnce,
    };
    let mut options = SubOpts::new().set_qos(qos);
    if v5 {
        options = options.set_rap(true).set_rh(RetainHandling::SendRetainedIfNotExists);
    }
    let entries = config.filters.iter().map(|filter| SubEntry::new(filter.as_str(), options));
    let entries = entries.collect::<Result<Vec<_>, _>>().map_err(|error| cannot("SUBSCRIBE", error))?;
    let written = if v5 {
        let built = v5_0::Subscribe::builder().packet_id(SUBSCRIBE_ID).entries(entries).build();
        built.map(|subscribe| subscribe.to_continuous_buffer())
    } else {
        let built = v3_1_1::Subscribe::builder().packet_id(SUBSCRIBE_ID).entries(entries).build();
        built.map(|subscribe| subscribe.to_continuous_buffer())
    };
    written.map_err(|error| cannot("SUBSCRIBE", error))
}

/// What a SUBACK says of each filter: the granted QoS, or why it is refused.
pub(super) type Granted = Vec<Result<u8, String>>;

/// Reads a SUBACK.
pub(super) fn suback(packet: &Packet, v5: bool) -> Result<(u16, Granted), Close> {
    let mut body: Bytes = packet.body.clone();
    if packet.flags != 0 || body.len() < 3 {
        return Err(Close::MALFORMED);
    }
    let id = body.get_u16();
    if v5 {
        let (_, length) = Properties::parse(&body).map_err(|_| Close::MALFORMED)?;
        body.advance(length);
    }
    let grant = |code: &u8| match code {
        0..=2 => Ok(*code),
        _ if v5 => Err(reason_text(*code, None)),
        _ => Err(format!("refused (code {code})")),
    };
    Ok((id, body.iter().map(grant).collect()))
}

/// Why the broker says DISCONNECT (MQTT 5).
pub(super) fn disconnect(packet: &Packet) -> String {
    let code = packet.body.first().copied().unwrap_or(0);
    let text = packet.body.get(1..).and_then(|rest| Properties::parse(rest).ok()).and_then(|(properties, _)| {
        properties.iter().find_map(|property| match property {
            Property::ReasonString(value) => Some(value.val().to_string()),
            _ => None,
        })
    });
    reason_text(code, text.as_deref())
}

fn return_code(code: u8) -> &'static str {
    match code {
        1 => "this version of MQTT is not spoken there",
        2 => "the client id is not accepted",
        3 => "the service is not available",
        4 => "bad user name or password",
        5 => "not authorized",
        _ => "refused",
    }
}

/// A reason code of MQTT 5 (section 2.4) in words, with what the broker adds.
fn reason_text(code: u8, added: Option<&str>) -> String {
    let words = match code {
        0x00 => "it says goodbye",
        0x84 => "this version of MQTT is not spoken there",
        0x85 => "the client id is not accepted",
        0x86 => "bad user name or password",
        0x87 => "not authorized",
        0x88 => "the service is not available",
        0x89 => "the broker is busy",
        0x8A => "banned",
        0x8B => "the broker shuts down",
        0x8D => "it heard nothing for the keep-alive time",
        0x8E => "another client came with the same client id",
        0x8F => "the topic filter is not accepted",
        0x93 => "too many messages were under way",
        0x95 => "a packet was too large",
        0x97 => "a quota is used up",
        0x98 => "an administrator ended it",
        0x9E => "shared subscriptions are not supported",
        0x9F => "connections come too fast",
        0xA2 => "wildcards are not supported",
        _ => "an error",
    };
    match added {
        Some(added) => format!("{words} (code 0x{code:02X}, {added})"),
        None => format!("{words} (code 0x{code:02X})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::mqtt::client::config::Server;
    use crate::ingest::mqtt::packets::Login;
    use crate::ingest::mqtt::rules::Rules;

    fn config() -> ClientConfig {
        let server = Server { host: "h".into(), port: 1, tls: false };
        ClientConfig::new(vec![server], vec!["a/#".into(), "b".into()], Rules::default(), "me")
    }

    fn packet(body: &[u8]) -> Packet {
        Packet { kind: 0, flags: 0, body: Bytes::copy_from_slice(body) }
    }

    #[test]
    fn a_connect_of_each_version_asks_for_a_session_that_is_kept() {
        let mut config = config();
        config.login = Some(Login { user: "u".into(), password: b"p".to_vec() });
        let old = connect(&config, false, false).expect("it can be written");
        assert_eq!(old, b"\x10\x14\0\x04MQTT\x04\xC0\0\x3C\0\x02me\0\x01u\0\x01p");
        let new = connect(&config, true, false).expect("it can be written");
        assert_eq!(new, b"\x10\x1D\0\x04MQTT\x05\xC0\0\x3C\x08\x21\x03\xE8\x11\xFF\xFF\xFF\xFF\0\x02me\0\x01u\0\x01p");
        let clean = connect(&config, true, true).expect("it can be written");
        assert_eq!(clean[9..16], [0xC2, 0, 0x3C, 3, 0x21, 3, 0xE8], "a clean one asks for no expiry");
    }

    #[test]
    fn a_subscribe_of_each_version_names_every_filter() {
        assert_eq!(subscribe(&config(), false).expect("it can be written"), b"\x82\x0C\0\x01\0\x03a/#\x01\0\x01b\x01");
        let new = subscribe(&config(), true).expect("it can be written");
        assert_eq!(new, b"\x82\x0D\0\x01\0\0\x03a/#\x19\0\x01b\x19");
    }

    #[test]
    fn a_connack_says_whether_there_is_a_session_or_why_there_is_no_connection() {
        let accepted = connack(&packet(&[1, 0]), false).expect("it is right");
        assert!(accepted.session_present && accepted.refusal.is_none());
        let limits = [1, 0, 8, 0x13, 0, 9, 0x11, 0, 0, 0, 7];
        let accepted = connack(&packet(&limits), true).expect("it is right");
        assert_eq!((accepted.keep_alive, accepted.session_expiry), (Some(9), Some(7)));
        let refused = connack(&packet(&[0, 5]), false).expect("it is right");
        assert_eq!(refused.refusal.as_deref(), Some("not authorized (code 5)"));
        let refused = connack(&packet(&[0, 0x86, 5, 0x1F, 0, 2, b'n', b'o']), true).expect("it is right");
        assert_eq!(refused.refusal.as_deref(), Some("bad user name or password (code 0x86, no)"));
        for (body, v5) in [(&[0, 1][..], true), (&[0, 1], false), (&[0, 0x84, 0], true)] {
            assert!(connack(&packet(body), v5).expect("it is right").other_version, "{body:?}");
        }
        assert!(connack(&packet(&[0]), true).is_err());
        assert!(connack(&packet(&[0, 0]), true).is_err(), "an old broker cannot accept what it does not know");
        assert!(connack(&packet(&[0, 0, 0]), false).is_err());
    }

    #[test]
    fn a_suback_says_what_each_filter_is_granted() {
        let (id, granted) = suback(&packet(&[0, 1, 1, 0x80]), false).expect("it is right");
        assert_eq!((id, granted), (1, vec![Ok(1), Err("refused (code 128)".to_string())]));
        let (_, granted) = suback(&packet(&[0, 1, 0, 2, 0x87]), true).expect("it is right");
        assert_eq!(granted, [Ok(2), Err("not authorized (code 0x87)".to_string())]);
        assert!(suback(&packet(&[0, 1]), false).is_err());
    }

    #[test]
    fn a_disconnect_says_why() {
        assert_eq!(disconnect(&packet(&[])), "it says goodbye (code 0x00)");
        assert_eq!(disconnect(&packet(&[0x8B])), "the broker shuts down (code 0x8B)");
        let text = disconnect(&packet(&[0x98, 5, 0x1F, 0, 2, b'o', b'k']));
        assert_eq!(text, "an administrator ended it (code 0x98, ok)");
    }
}
