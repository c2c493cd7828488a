//! The bytes that come once a message: packet boundaries, PUBLISH, and the acknowledgements.
//!
//! A packet is a slice of the read buffer and a payload a slice of the packet, so a message reaches the producer without
//! a copy. MQTT 5, sections 2.1, 3.3 to 3.7, and the same of MQTT 3.1.1.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use mqtt_protocol_core::mqtt::packet::{Properties, PropertiesParse, Property};

use super::counters::Cause;
pub(super) use super::rules::Said;

/// MQTT 5 reason codes (section 2.4) that a listener says.
pub(super) mod reason {
    pub const MALFORMED: u8 = 0x81;
    pub const PROTOCOL_ERROR: u8 = 0x82;
    pub const IMPLEMENTATION: u8 = 0x83;
    pub const CLIENT_ID: u8 = 0x85;
    pub const LOGIN: u8 = 0x86;
    pub const SERVER_BUSY: u8 = 0x89;
    pub const SHUTTING_DOWN: u8 = 0x8B;
    pub const AUTHENTICATION_METHOD: u8 = 0x8C;
    pub const KEEP_ALIVE: u8 = 0x8D;
    pub const TAKEN_OVER: u8 = 0x8E;
    pub const TOPIC_NAME: u8 = 0x90;
    pub const PACKET_ID_NOT_FOUND: u8 = 0x92;
    pub const RECEIVE_MAXIMUM: u8 = 0x93;
    pub const TOPIC_ALIAS: u8 = 0x94;
    pub const TOO_LARGE: u8 = 0x95;
}

/// The end of a connection: what MQTT 5 tells the device, what is counted, and whether its will is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Close {
    /// The reason code of the DISCONNECT; zero sends none.
    pub(super) reason: u8,
    pub(super) cause: Cause,
    pub(super) will: bool,
}

impl Close {
    pub(super) const fn new(reason: u8, cause: Cause) -> Close {
        Close { reason, cause, will: true }
    }

    pub(super) const MALFORMED: Close = Close::new(reason::MALFORMED, Cause::Malformed);
    pub(super) const PROTOCOL: Close = Close::new(reason::PROTOCOL_ERROR, Cause::Protocol);
    pub(super) const LOST: Close = Close::new(0, Cause::Lost);
}

/// Packet types: the upper half of the first byte.
pub(super) mod kind {
    pub const CONNECT: u8 = 1;
    pub const CONNACK: u8 = 2;
    pub const PUBLISH: u8 = 3;
    pub const PUBREL: u8 = 6;
    pub const SUBSCRIBE: u8 = 8;
    pub const SUBACK: u8 = 9;
    pub const UNSUBSCRIBE: u8 = 10;
    pub const PINGREQ: u8 = 12;
    pub const PINGRESP: u8 = 13;
    pub const DISCONNECT: u8 = 14;
}

/// A whole packet.
#[derive(Debug)]
pub(super) struct Packet {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) body: Bytes,
}

/// What the read buffer begins with.
#[derive(Debug)]
pub(super) enum Split {
    Packet(Packet),
    /// Not a whole packet; this many more bytes are needed at least.
    Need(usize),
}

/// The length of the fixed header and that of the rest, if the first bytes are there; else how many are missing.
pub(super) fn frame(input: &[u8]) -> Result<Result<(usize, usize), usize>, Close> {
    let mut length = 0usize;
    let mut header = 1;
    loop {
        let Some(byte) = input.get(header) else { return Ok(Err(header + 1 - input.len())) };
        length |= usize::from(byte & 0x7F) << (7 * (header - 1));
        header += 1;
        if byte & 0x80 == 0 {
            return Ok(Ok((header, length)));
        }
        if header == 5 {
            return Err(Close::MALFORMED);
        }
    }
}

/// Takes one packet from the front of `input`.
///
/// # Errors
/// For a packet larger than `max` bytes in all, as soon as its length is known, and for a length of more than four bytes.
pub(super) fn split(input: &mut BytesMut, max: u32) -> Result<Split, Close> {
    let (header, length) = match frame(input)? {
        Ok(frame) => frame,
        Err(missing) => return Ok(Split::Need(missing)),
    };
    if header + length > max as usize {
        return Err(Close::new(reason::TOO_LARGE, Cause::TooLarge));
    }
    if input.len() < header + length {
        return Ok(Split::Need(header + length - input.len()));
    }
    let first = input[0];
    let mut packet = input.split_to(header + length);
    packet.advance(header);
    Ok(Split::Packet(Packet { kind: first >> 4, flags: first & 0x0F, body: packet.freeze() }))
}

/// What the first bytes of a PUBLISH say, when the rest is not to be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) topic: String,
    pub(super) qos: u8,
    pub(super) id: u16,
}

/// Reads the head of a PUBLISH whose fixed header is `header` bytes long; nothing while bytes are missing, which are at
/// most 65,541.
pub(super) fn publish_head(input: &[u8], header: usize) -> Result<Option<Head>, Close> {
    let qos = input[0] >> 1 & 3;
    let Some(length) = input.get(header..header + 2) else { return Ok(None) };
    let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
    let id_at = header + 2 + length;
    let id = match (qos, input.get(id_at..id_at + 2)) {
        (0, _) if input.len() >= id_at => 0,
        (1 | 2, Some(id)) => u16::from_be_bytes([id[0], id[1]]),
        (3, _) => return Err(Close::MALFORMED),
        _ => return Ok(None),
    };
    if qos > 0 && id == 0 {
        return Err(Close::MALFORMED);
    }
    Ok(Some(Head { topic: String::from_utf8_lossy(&input[header + 2..id_at]).into_owned(), qos, id }))
}

/// A PUBLISH. The topic is not checked yet: a known one need not be.
#[derive(Debug)]
pub(super) struct Publish {
    /// Empty when an alias stands for it.
    pub(super) topic: Bytes,
    pub(super) alias: Option<u16>,
    pub(super) qos: u8,
    pub(super) retained: bool,
    /// Whether the sender marks it as sent again.
    pub(super) duplicate: bool,
    /// Not zero when `qos` is not.
    pub(super) id: u16,
    pub(super) payload: Bytes,
    /// User properties and content type, where there are any.
    pub(super) said: Option<Box<Said>>,
}

/// Reads a PUBLISH (section 3.3).
pub(super) fn publish(packet: Packet, v5: bool) -> Result<Publish, Close> {
    let mut body = packet.body;
    let qos = packet.flags >> 1 & 3;
    let duplicate = packet.flags & 8 != 0;
    if qos == 3 || (qos == 0 && duplicate) {
        return Err(Close::MALFORMED);
    }
    let length = usize::from(take_u16(&mut body)?);
    if body.len() < length {
        return Err(Close::MALFORMED);
    }
    let topic = body.split_to(length);
    let id = if qos == 0 { 0 } else { take_u16(&mut body)? };
    if qos != 0 && id == 0 {
        return Err(Close::MALFORMED);
    }
    let (alias, said) = if v5 { publish_properties(&mut body)? } else { (None, None) };
    if topic.is_empty() && alias.is_none() {
        return Err(Close::PROTOCOL);
    }
    Ok(Publish { topic, alias, qos, retained: packet.flags & 1 != 0, duplicate, id, payload: body, said })
}

/// Reads the properties of a PUBLISH: its topic alias, and what is passed on.
fn publish_properties(body: &mut Bytes) -> Result<(Option<u16>, Option<Box<Said>>), Close> {
    // Nearly every message has none.
    if body.first() == Some(&0) {
        body.advance(1);
        return Ok((None, None));
    }
    let (properties, length) = Properties::parse(body).map_err(|_| Close::MALFORMED)?;
    body.advance(length);
    let mut alias = None;
    let mut said = None;
    for property in &properties {
        match property {
            Property::TopicAlias(value) if alias.is_none() => alias = Some(value.val()),
            Property::PayloadFormatIndicator(_)
            | Property::MessageExpiryInterval(_)
            | Property::ResponseTopic(_)
            | Property::CorrelationData(_) => {}
            Property::ContentType(_) | Property::UserProperty(_) => say(&mut said, property),
            _ => return Err(Close::PROTOCOL),
        }
    }
    Ok((alias, said))
}

/// Notes a property that becomes a header.
pub(super) fn say(said: &mut Option<Box<Said>>, property: &Property) {
    match property {
        Property::ContentType(text) => {
            said.get_or_insert_default().content_type = Some(Bytes::copy_from_slice(text.val().as_bytes()));
        }
        Property::UserProperty(pair) => {
            let value = Bytes::copy_from_slice(pair.val().as_bytes());
            said.get_or_insert_default().user.push((pair.key().to_string(), value));
        }
        _ => {}
    }
}

/// Reads the packet id of a PUBREL, the only acknowledgement a device sends to a listener that never publishes.
pub(super) fn pubrel(mut body: Bytes) -> Result<u16, Close> {
    match take_u16(&mut body)? {
        0 => Err(Close::MALFORMED),
        id => Ok(id),
    }
}

fn take_u16(body: &mut Bytes) -> Result<u16, Close> {
    if body.len() < 2 {
        return Err(Close::MALFORMED);
    }
    Ok(body.get_u16())
}

/// The acknowledgements a listener sends; the value is the first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Puback = 0x40,
    Pubrec = 0x50,
    Pubcomp = 0x70,
}

/// Writes an acknowledgement. MQTT 3.1.1 has no reason codes, and zero is left out in MQTT 5 too.
pub(super) fn answer(out: &mut BytesMut, answer: Answer, id: u16, reason: u8, v5: bool) {
    let with_reason = v5 && reason != 0;
    out.put_u8(answer as u8);
    out.put_u8(if with_reason { 3 } else { 2 });
    out.put_u16(id);
    if with_reason {
        out.put_u8(reason);
    }
}

/// Writes a PINGREQ.
pub(super) fn pingreq(out: &mut BytesMut) {
    out.put_slice(&[0xC0, 0]);
}

/// Writes a PINGRESP.
pub(super) fn pingresp(out: &mut BytesMut) {
    out.put_slice(&[0xD0, 0]);
}

/// Writes the DISCONNECT of MQTT 5 (section 3.14).
pub(super) fn disconnect(out: &mut BytesMut, reason: u8) {
    out.put_slice(&[0xE0, 1, reason]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(bytes: &[u8]) -> Result<Split, Close> {
        split(&mut BytesMut::from(bytes), 1000)
    }

    fn parse(bytes: &[u8], v5: bool) -> Result<Publish, Close> {
        match packet(bytes)? {
            Split::Packet(packet) => publish(packet, v5),
            Split::Need(need) => panic!("{need} bytes are missing"),
        }
    }

    #[test]
    fn a_packet_is_split_at_its_length_and_the_rest_stays() {
        let mut input = BytesMut::from(&[0x30, 2, 7, 8, 0xC0, 0][..]);
        let Ok(Split::Packet(first)) = split(&mut input, 100) else { panic!("a packet is there") };
        assert_eq!((first.kind, first.flags, &first.body[..]), (kind::PUBLISH, 0, &[7u8, 8][..]));
        assert_eq!(&input[..], [0xC0, 0]);
    }

    #[test]
    fn a_part_of_a_packet_says_how_much_is_missing() {
        for (bytes, missing) in [(&[][..], 2), (&[0x30][..], 1), (&[0x30, 0x85][..], 1), (&[0x30, 5, 0][..], 4)] {
            assert!(matches!(packet(bytes), Ok(Split::Need(need)) if need == missing), "{bytes:?}");
        }
    }

    #[test]
    fn the_size_limit_holds_before_the_packet_is_there_and_a_fifth_length_byte_is_malformed() {
        assert!(matches!(split(&mut BytesMut::from(&[0x30, 98][..]), 100), Ok(Split::Need(98))));
        let too_large = split(&mut BytesMut::from(&[0x30, 99][..]), 100).expect_err("101 bytes in all");
        assert_eq!(too_large.cause, Cause::TooLarge);
        assert_eq!(packet(&[0x30, 0xFF, 0xFF, 0xFF, 0xFF, 1]).expect_err("five bytes"), Close::MALFORMED);
    }

    #[test]
    fn the_head_of_a_publish_is_read_as_soon_as_it_is_there() {
        let bytes = [0x32, 0xFF, 0x7F, 0, 2, b'a', b'b', 0, 9, b'x'];
        for end in 0..bytes.len() {
            let head = publish_head(&bytes[..end.max(3)], 3).expect("nothing is wrong");
            assert_eq!(head, (end >= 9).then(|| Head { topic: "ab".into(), qos: 1, id: 9 }), "{end}");
        }
        assert!(publish_head(&[0x36, 9, 0, 0, 0, 1], 2).is_err());
        assert!(publish_head(&[0x32, 9, 0, 0, 0, 0], 2).is_err());
    }

    #[test]
    fn a_publish_of_each_version_is_read() {
        let old = parse(&[0x33, 7, 0, 1, b't', 0, 9, b'x', b'y'], false).expect("it is right");
        assert_eq!(
            (old.qos, old.retained, old.id, &old.topic[..], &old.payload[..]),
            (1, true, 9, &b"t"[..], &b"xy"[..])
        );
        let new = parse(&[0x30, 8, 0, 1, b't', 3, 0x23, 0, 4, b'x'], true).expect("it is right");
        assert_eq!((new.qos, new.alias, &new.payload[..]), (0, Some(4), &b"x"[..]));
        assert_eq!(new.said, None);
    }

    #[test]
    fn user_properties_and_the_content_type_are_kept() {
        let properties = [&[0x03, 0, 1, b'j'][..], &[0x26, 0, 1, b'u', 0, 1, b'C'], &[0x02, 0, 0, 0, 9]].concat();
        let body = [&[0, 1, b't', properties.len() as u8], &properties[..], b"x"].concat();
        let publish = parse(&[&[0x30, body.len() as u8], &body[..]].concat(), true).expect("it is right");
        let said = publish.said.expect("it says something");
        assert_eq!(said.content_type.as_deref(), Some(&b"j"[..]));
        assert_eq!(said.user, [("u".to_string(), Bytes::from_static(b"C"))]);
    }

    #[test]
    fn a_wrong_publish_is_malformed() {
        for bytes in [
            &[0x36, 3, 0, 1, b't'][..],   // QoS 3
            &[0x38, 3, 0, 1, b't'],       // a duplicate at QoS 0
            &[0x30, 1, 0],                // half a length
            &[0x30, 3, 0, 2, b't'],       // a topic beyond the end
            &[0x32, 4, 0, 1, b't', 0],    // half a packet id
            &[0x32, 5, 0, 1, b't', 0, 0], // packet id zero
        ] {
            assert_eq!(parse(bytes, false).expect_err("it is wrong"), Close::MALFORMED, "{bytes:?}");
        }
        assert_eq!(parse(&[0x30, 2, 0, 0], false).expect_err("no topic"), Close::PROTOCOL);
        assert_eq!(parse(&[0x30, 3, 0, 1, b't'], true).expect_err("no properties"), Close::MALFORMED);
        assert_eq!(parse(&[0x30, 6, 0, 1, b't', 2, 0x0B, 1], true).expect_err("a subscription id"), Close::PROTOCOL);
    }

    #[test]
    fn acknowledgements_carry_a_reason_only_in_mqtt_5_and_only_when_there_is_one() {
        let write = |reason, v5| {
            let mut out = BytesMut::new();
            answer(&mut out, Answer::Puback, 0x0102, reason, v5);
            out.to_vec()
        };
        assert_eq!(write(0, true), [0x40, 2, 1, 2]);
        assert_eq!(write(0x90, true), [0x40, 3, 1, 2, 0x90]);
        assert_eq!(write(0x90, false), [0x40, 2, 1, 2]);
    }
}
