//! The state machine alone.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::time::Instant;

use super::fake::*;
use crate::error::Error;
use crate::ingest::mqtt::ListenerConfig;
use crate::ingest::mqtt::counters::Cause;
use crate::ingest::mqtt::inbox::Now;
use crate::ingest::mqtt::protocol::{Progress, Protocol, Remains, Shared};
use crate::ingest::mqtt::session::Session;
use crate::ingest::mqtt::wire::Close;

/// A connection without a socket, driven by the test.
struct Bench {
    fake: Arc<Fake>,
    shared: Arc<Shared>,
    protocol: Protocol,
    input: BytesMut,
    now: Instant,
}

impl Bench {
    fn new(config: ListenerConfig, fake: Arc<Fake>) -> Bench {
        let shared = Arc::new(Shared::new(config, fake.clone()));
        let now = Instant::now();
        Bench { fake, protocol: Protocol::new(shared.clone(), now), shared, input: BytesMut::new(), now }
    }

    /// A bench with an open connection.
    fn open(v5: bool, config: ListenerConfig, fake: Arc<Fake>) -> Bench {
        let mut bench = Bench::new(config, fake);
        bench.connect(v5, None);
        bench
    }

    fn connect(&mut self, v5: bool, session: Option<Session>) {
        self.protocol = Protocol::new(self.shared.clone(), self.now);
        self.input.clear();
        self.input.extend_from_slice(&connect(v5, "c", false, 10));
        let Ok(Progress::Connect(connect)) = self.feed() else { panic!("a CONNECT is read") };
        self.protocol.admit(*connect, Arc::from("c"), session, self.now);
        self.sent();
    }

    fn feed(&mut self) -> Result<Progress, Close> {
        self.protocol.feed(&mut self.input, Now { instant: self.now, wall_ms: 77 })
    }

    /// Feeds bytes that must be taken.
    fn take(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
        self.feed().expect("the bytes are right");
    }

    /// Feeds bytes that must end the connection.
    fn refuse(&mut self, bytes: &[u8]) -> Close {
        self.input.extend_from_slice(bytes);
        self.feed().expect_err("the bytes are wrong")
    }

    /// The answers since the last look, settled first.
    fn answers(&mut self) -> Vec<u8> {
        self.protocol.settle().expect("nothing failed");
        self.sent()
    }

    fn sent(&mut self) -> Vec<u8> {
        self.protocol.out.split().to_vec()
    }

    fn remains(&mut self, close: Close) -> Remains {
        self.protocol.close(close).expect("the connection was open")
    }
}

#[test]
fn an_acknowledgement_waits_for_the_delivery_and_for_its_turn() {
    for v5 in [false, true] {
        let mut bench = Bench::open(v5, config(), Fake::holding());
        for (id, qos) in [(1, 1), (2, 2), (3, 1)] {
            bench.take(&publish(v5, qos, id, "car/1", "x"));
        }
        assert_eq!(bench.answers(), [0u8; 0]);
        bench.fake.settle(2, Ok(()));
        bench.fake.settle(1, Ok(()));
        assert_eq!(bench.answers(), [0u8; 0], "the first one is not delivered yet");
        bench.fake.settle(0, Ok(()));
        assert_eq!(bench.answers(), [0x40, 2, 0, 1, 0x50, 2, 0, 2, 0x40, 2, 0, 3]);
    }
}

#[test]
fn a_record_carries_topic_key_time_and_headers() {
    let mut bench = Bench::open(false, config(), Arc::default());
    bench.take(&publish(false, 1, 1, "car/1", "17.5"));
    let records = bench.fake.records.lock();
    let record = &records[0];
    assert_eq!((&*record.topic, record.key.as_deref(), &record.value[..]), ("cars", Some(&b"car/1"[..]), &b"17.5"[..]));
    assert_eq!(record.timestamp_ms, 77);
    assert_eq!(record.headers[3], ("mqtt.client".into(), "c".into()));
}

#[test]
fn qos_2_goes_through_its_four_steps() {
    for v5 in [false, true] {
        let mut bench = Bench::open(v5, config(), Arc::default());
        bench.take(&publish(v5, 2, 7, "car/1", "x"));
        assert_eq!(bench.answers(), [0x50, 2, 0, 7]);
        bench.take(&again(publish(v5, 2, 7, "car/1", "x")));
        assert_eq!(bench.answers(), [0x50, 2, 0, 7], "a repeat is acknowledged");
        bench.take(&pubrel(7));
        assert_eq!(bench.answers(), [0x70, 2, 0, 7]);
        assert_eq!(bench.fake.len(), 1, "and not delivered");
        assert_eq!(bench.shared.counters.received.repeats.get(), 1);
        // Released, the id stands for a new message.
        bench.take(&publish(v5, 2, 7, "car/1", "y"));
        assert_eq!(bench.fake.payloads(), ["x", "y"]);
    }
}

#[test]
fn a_pubrel_for_nothing_is_answered_and_one_too_early_is_an_error() {
    let mut bench = Bench::open(true, config(), Fake::holding());
    bench.take(&pubrel(9));
    assert_eq!(bench.answers(), [0x70, 3, 0, 9, 0x92]);
    bench.take(&publish(true, 2, 7, "car/1", "x"));
    assert_eq!(bench.refuse(&pubrel(7)), Close::PROTOCOL);
}

#[test]
fn a_repeat_on_the_next_connection_waits_for_the_first_delivery() {
    for v5 in [false, true] {
        let mut bench = Bench::open(v5, config(), Fake::holding());
        bench.take(&publish(v5, 2, 7, "car/1", "x"));
        let remains = bench.remains(Close::LOST);
        bench.connect(v5, Some(remains.session));
        bench.take(&again(publish(v5, 2, 7, "car/1", "x")));
        assert_eq!(bench.answers(), [0u8; 0], "nothing is safe yet");
        bench.fake.settle(0, Ok(()));
        assert_eq!(bench.answers(), [0x50, 2, 0, 7]);
        assert_eq!(bench.fake.len(), 1);
    }
}

#[test]
fn a_packet_id_is_remembered_until_pubrel_over_a_reconnect() {
    let mut bench = Bench::open(true, config(), Arc::default());
    bench.take(&publish(true, 2, 7, "car/1", "x"));
    bench.answers();
    let remains = bench.remains(Close::LOST);
    assert_eq!(remains.session_expiry, 3600);
    bench.connect(true, Some(remains.session));
    bench.take(&again(publish(true, 2, 7, "car/1", "x")));
    assert_eq!((bench.answers(), bench.fake.len()), (vec![0x50, 2, 0, 7], 1));
    bench.take(&pubrel(7));
    assert_eq!(bench.answers(), [0x70, 2, 0, 7]);
}

#[test]
fn a_failed_delivery_ends_the_connection_unacknowledged_and_the_message_can_come_again() {
    for v5 in [false, true] {
        let mut bench = Bench::open(v5, config(), Fake::holding());
        bench.take(&publish(v5, 1, 1, "car/1", "a"));
        bench.take(&publish(v5, 2, 2, "car/1", "b"));
        bench.fake.settle(0, Ok(()));
        bench.fake.settle(0, Err(Error::external("broker is down")));
        let close = bench.protocol.settle().expect_err("it failed");
        assert_eq!((close.reason, close.cause), (0x83, Cause::Undelivered));
        let remains = bench.remains(close);
        let end = if v5 { &[0x40, 2, 0, 1, 0xE0, 1, 0x83][..] } else { &[0x40, 2, 0, 1][..] };
        assert_eq!(bench.sent(), end, "what was delivered before is acknowledged");
        bench.fake.hold.store(false, std::sync::atomic::Ordering::SeqCst);
        bench.connect(v5, Some(remains.session));
        bench.take(&again(publish(v5, 2, 2, "car/1", "b")));
        assert_eq!(bench.answers(), [0x50, 2, 0, 2]);
        assert_eq!(bench.fake.payloads(), ["a", "b", "b"]);
    }
}

#[test]
fn a_delivery_that_fails_while_the_device_is_away_is_made_again_when_it_is_back() {
    let mut bench = Bench::open(true, config(), Fake::holding());
    bench.take(&publish(true, 2, 7, "car/1", "x"));
    let remains = bench.remains(Close::LOST);
    bench.fake.settle(0, Err(Error::external("broker is down")));
    bench.connect(true, Some(remains.session));
    assert_eq!(bench.answers(), [0u8; 0]);
    bench.take(&again(publish(true, 2, 7, "car/1", "x")));
    bench.fake.settle(0, Ok(()));
    assert_eq!((bench.answers(), bench.fake.len()), (vec![0x50, 2, 0, 7], 2));
}

#[test]
fn a_topic_without_a_rule_has_its_reason_in_mqtt_5_and_is_acknowledged_in_3_1_1() {
    for (v5, puback, pubrec) in [
        (false, &[0x40, 2, 0, 1][..], &[0x50, 2, 0, 2][..]),
        (true, &[0x40, 3, 0, 1, 0x90][..], &[0x50, 3, 0, 2, 0x90][..]),
    ] {
        let mut bench = Bench::open(v5, config(), Arc::default());
        for (qos, id) in [(0, 0), (1, 1), (2, 2)] {
            bench.take(&publish(v5, qos, id, "bus/1", "x"));
        }
        assert_eq!(bench.answers(), [puback, pubrec].concat());
        bench.take(&pubrel(2));
        let pubcomp = if v5 { &[0x70, 3, 0, 2, 0x92][..] } else { &[0x70, 2, 0, 2][..] };
        assert_eq!(bench.answers(), pubcomp, "a PUBREC with an error ended the exchange in MQTT 5");
        assert_eq!((bench.fake.len(), bench.shared.counters.received.unmatched.get()), (0, 3));
    }
}

#[test]
fn a_record_that_can_never_be_kept_is_dropped_so_that_it_does_not_come_for_ever() {
    for (v5, answer) in [(false, &[0x40, 2, 0, 1][..]), (true, &[0x40, 3, 0, 1, 0x83][..])] {
        let mut bench = Bench::open(v5, config(), Fake::holding());
        bench.take(&publish(v5, 1, 1, "car/1", "x"));
        bench.fake.settle(0, Err(Error::data("record is too large for topic `cars`")));
        assert_eq!(bench.answers(), answer);
        assert_eq!(bench.shared.counters.received.refused(), 1);
    }
}

#[test]
fn mqtt_3_1_1_stops_reading_at_the_bound_and_its_silence_is_not_held_against_the_device() {
    let mut settings = config();
    settings.max_in_flight = 2;
    let mut bench = Bench::open(false, settings, Fake::holding());
    for id in 1..=3 {
        bench.input.extend_from_slice(&publish(false, 1, id, "car/1", "x"));
    }
    assert!(matches!(bench.feed(), Ok(Progress::Blocked)));
    assert_eq!(bench.fake.len(), 2);
    assert!(bench.protocol.holds_back());
    assert!(bench.protocol.check_time(false, bench.now + Duration::from_secs(20)).is_ok());
    bench.fake.settle(0, Ok(()));
    assert_eq!(bench.answers(), [0x40, 2, 0, 1]);
    assert!(matches!(bench.feed(), Ok(Progress::Blocked)), "the third one took the room");
    assert_eq!(bench.fake.len(), 3);
}

#[test]
fn mqtt_5_has_a_receive_maximum_that_repeats_do_not_use_up() {
    let mut settings = config();
    settings.max_in_flight = 2;
    let mut bench = Bench::open(true, settings, Fake::holding());
    bench.take(&publish(true, 2, 1, "car/1", "x"));
    bench.take(&again(publish(true, 2, 1, "car/1", "x")));
    bench.fake.settle(0, Ok(()));
    assert_eq!(bench.answers(), [0x50, 2, 0, 1, 0x50, 2, 0, 1]);
    bench.take(&publish(true, 1, 2, "car/1", "y"));
    let close = bench.refuse(&publish(true, 1, 3, "car/1", "z"));
    assert_eq!((close.reason, close.cause), (0x93, Cause::Protocol));
}

#[test]
fn a_record_without_room_is_offered_again_before_anything_else_is_read() {
    let mut bench = Bench::open(false, config(), Arc::default());
    bench.fake.full.store(true, std::sync::atomic::Ordering::SeqCst);
    bench.input.extend_from_slice(&publish(false, 1, 1, "car/1", "a"));
    bench.input.extend_from_slice(&publish(false, 1, 2, "car/1", "b"));
    assert!(matches!(bench.feed(), Ok(Progress::Blocked)));
    bench.protocol.offer_again();
    assert!(bench.protocol.holds_record());
    bench.fake.full.store(false, std::sync::atomic::Ordering::SeqCst);
    bench.protocol.offer_again();
    assert_eq!(bench.answers(), [0x40, 2, 0, 1]);
    bench.feed().expect("the bytes are right");
    assert_eq!(bench.fake.payloads(), ["a", "b"]);
    assert_eq!(bench.shared.counters.received.held_back.get(), 1);
}

#[test]
fn keep_alive_ends_after_one_and_a_half_times_its_time_without_a_byte() {
    let mut bench = Bench::open(true, config(), Arc::default());
    let second = Duration::from_secs(1);
    assert_eq!(bench.protocol.deadline(true), Some(bench.now + second * 15));
    assert!(bench.protocol.check_time(true, bench.now + second * 14).is_ok());
    bench.protocol.seen(bench.now + second * 10);
    assert!(bench.protocol.check_time(true, bench.now + second * 24).is_ok());
    let close = bench.protocol.check_time(true, bench.now + second * 25).expect_err("it is over");
    assert_eq!((close.reason, close.cause, close.will), (0x8D, Cause::KeepAlive, true));
}

#[test]
fn a_delivery_without_a_report_ends_the_connection_after_its_time() {
    let mut settings = config();
    settings.delivery_timeout = Duration::from_secs(3);
    let mut bench = Bench::open(true, settings, Fake::holding());
    bench.take(&publish(true, 1, 1, "car/1", "x"));
    assert_eq!(bench.protocol.deadline(false), Some(bench.now + Duration::from_secs(3)));
    assert!(bench.protocol.check_time(false, bench.now + Duration::from_secs(2)).is_ok());
    let close = bench.protocol.check_time(false, bench.now + Duration::from_secs(3)).expect_err("it is late");
    assert_eq!((close.reason, close.cause), (0x83, Cause::DeliveryTimeout));
}

#[test]
fn no_connect_in_time_and_no_second_one() {
    let bench = Bench::new(config(), Arc::default());
    let late = bench.now + config().connect_timeout;
    assert_eq!(bench.protocol.deadline(true), Some(late));
    assert_eq!(bench.protocol.check_time(true, late).expect_err("it is late").cause, Cause::ConnectTimeout);
    let mut bench = Bench::open(false, config(), Arc::default());
    assert_eq!(bench.refuse(&connect(false, "c", true, 0)), Close::PROTOCOL);
}

#[test]
fn a_topic_alias_stands_for_its_topic_on_this_connection() {
    let mut bench = Bench::open(true, config(), Arc::default());
    let with_alias = |topic: &str, alias: u8| {
        let mut body = string(topic);
        body.extend([3, 0x23, 0, alias, b'x']);
        frame(0x30, &body)
    };
    bench.take(&with_alias("car/1", 5));
    bench.take(&with_alias("", 5));
    let keys: Vec<_> = bench.fake.records.lock().iter().map(|record| record.key.clone()).collect();
    assert_eq!(keys, [Some("car/1".into()), Some("car/1".into())]);
    assert_eq!(bench.refuse(&with_alias("", 6)), Close::PROTOCOL);
    let mut bench = Bench::open(true, config(), Arc::default());
    assert_eq!(bench.refuse(&with_alias("car/1", 65)).reason, 0x94);
}

#[test]
fn a_wildcard_in_a_published_topic_ends_the_connection() {
    let mut bench = Bench::open(true, config(), Arc::default());
    assert_eq!(bench.refuse(&publish(true, 0, 0, "car/#", "x")).reason, 0x90);
}

#[test]
fn subscriptions_are_refused_with_a_reason_and_counted() {
    let mut bench = Bench::open(false, config(), Arc::default());
    bench.take(&frame(0x82, &[&[0, 5], &string("a/#")[..], &[1], &string("b")[..], &[0]].concat()));
    assert_eq!(bench.answers(), [0x90, 4, 0, 5, 0x80, 0x80]);
    bench.take(&frame(0xA2, &[&[0, 6], &string("a/#")[..]].concat()));
    assert_eq!(bench.answers(), [0xB0, 2, 0, 6]);
    assert_eq!(bench.shared.counters.subscriptions_refused.get(), 2);
    let mut bench = Bench::open(true, config(), Arc::default());
    bench.take(&frame(0x82, &[&[0, 5, 0], &string("a/#")[..], &[1]].concat()));
    let suback = bench.answers();
    assert_eq!((suback[0], &suback[2..4], suback.last()), (0x90, &[0, 5][..], Some(&0x87)));
    bench.take(&frame(0xA2, &[&[0, 6, 0], &string("a/#")[..]].concat()));
    assert_eq!(bench.answers(), [0xB0, 4, 0, 6, 0, 0x11]);
}

#[test]
fn a_disconnect_takes_the_will_along_unless_it_says_otherwise() {
    let mut bench = Bench::open(true, config(), Arc::default());
    assert!(!bench.refuse(&[0xE0, 0]).will);
    let mut bench = Bench::open(true, config(), Arc::default());
    let close = bench.refuse(&[0xE0, 7, 4, 5, 0x11, 0, 0, 0, 9]);
    assert!(close.will);
    assert_eq!(bench.remains(close).session_expiry, 9, "the session's time can change at the end");
}

#[test]
fn a_device_that_takes_no_answers_is_not_read_from() {
    let mut bench = Bench::open(false, config(), Arc::default());
    for _ in 0..40_000 {
        bench.input.extend_from_slice(&PINGREQ);
    }
    assert!(matches!(bench.feed(), Ok(Progress::Blocked)));
    assert!(bench.protocol.out.len() < 70_000);
    assert!(!bench.protocol.holds_back(), "its keep-alive time goes on");
    bench.sent();
    assert!(matches!(bench.feed(), Ok(Progress::NeedMore(_))));
}

#[test]
fn what_an_mqtt_5_message_says_about_itself_becomes_headers() {
    let mut bench = Bench::open(true, config(), Arc::default());
    let properties = [&[0x26][..], &string("unit"), &string("C"), &[0x03], &string("text/csv")].concat();
    let body = [&string("car/1")[..], &[properties.len() as u8], &properties, b"x"].concat();
    bench.take(&frame(0x30, &body));
    let records = bench.fake.records.lock();
    let headers: Vec<_> = records[0].headers.iter().map(|(name, value)| (&**name, &value[..])).collect();
    assert_eq!(headers[..2], [("unit", &b"C"[..]), ("mqtt.content.type", b"text/csv")]);
    assert_eq!(headers[2].0, "mqtt.topic");
}
