//! The state machine alone.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use parking_lot::Mutex;
use proptest::prelude::*;
use tokio::time::Instant;

use super::config;
use crate::error::Error;
use crate::ingest::mqtt::client::config::ClientConfig;
use crate::ingest::mqtt::client::protocol::{Beginning, End, Progress, Protocol};
use crate::ingest::mqtt::counters::Received;
use crate::ingest::mqtt::inbox::{Intake, Now};
use crate::ingest::mqtt::notice::Notice;
use crate::ingest::mqtt::session::Session;
use crate::ingest::mqtt::tests::fake::{Fake, again, frame, publish, pubrel, string};

/// A connection without a socket, driven by the test.
struct Bench {
    config: Arc<ClientConfig>,
    fake: Arc<Fake>,
    intake: Arc<Intake>,
    notices: Arc<Mutex<Vec<Notice>>>,
    protocol: Option<Protocol>,
    input: BytesMut,
    now: Instant,
}

/// SUBACK that grants QoS 1.
fn suback(v5: bool) -> Vec<u8> {
    if v5 { vec![0x90, 4, 0, 1, 0, 1] } else { vec![0x90, 3, 0, 1, 1] }
}

fn connack(v5: bool, present: bool) -> Vec<u8> {
    let present = u8::from(present);
    if v5 { vec![0x20, 3, present, 0, 0] } else { vec![0x20, 2, present, 0] }
}

impl Bench {
    fn new(config: ClientConfig, fake: Arc<Fake>) -> Bench {
        let notices = Arc::new(Mutex::new(Vec::new()));
        let heard = notices.clone();
        let config = config.on_notice(move |notice| heard.lock().push(notice));
        let (rules, received) = (config.rules.clone(), Arc::new(Received::default()));
        let intake = Intake::new(rules, fake.clone(), received, config.notices.clone(), config.max_in_flight, 0, false);
        let (config, intake) = (Arc::new(config), Arc::new(intake));
        let input = BytesMut::new();
        Bench { config, fake, intake, notices, protocol: None, input, now: Instant::now() }
    }

    /// Begins a connection; its CONNECT is thrown away.
    fn begin(&mut self, v5: bool, subscribe: bool, session: Option<Session>) {
        let beginning = Beginning { v5, subscribe, session };
        let protocol = Protocol::new(self.config.clone(), self.intake.clone(), beginning, self.now);
        self.protocol = Some(protocol.expect("the settings fit"));
        self.input.clear();
        self.sent();
    }

    /// A bench with an open connection and a session that is new.
    fn open(v5: bool, config: ClientConfig, fake: Arc<Fake>) -> Bench {
        let mut bench = Bench::new(config, fake);
        bench.begin(v5, true, None);
        bench.take(&[connack(v5, false), suback(v5)].concat());
        assert!(bench.protocol().is_open());
        bench.sent();
        bench
    }

    fn protocol(&mut self) -> &mut Protocol {
        self.protocol.as_mut().expect("a connection is there")
    }

    fn feed(&mut self) -> Result<Progress, End> {
        let now = Now { instant: self.now, wall_ms: 77 };
        self.protocol.as_mut().expect("a connection is there").feed(&mut self.input, now)
    }

    fn take(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
        self.feed().expect("the bytes are right");
    }

    fn refuse(&mut self, bytes: &[u8]) -> End {
        self.input.extend_from_slice(bytes);
        self.feed().expect_err("the bytes are wrong")
    }

    fn answers(&mut self) -> Vec<u8> {
        self.protocol().settle().expect("nothing failed");
        self.sent()
    }

    fn sent(&mut self) -> Vec<u8> {
        self.protocol().out.split().to_vec()
    }

    fn close(&mut self, reason: u8) -> (Vec<u8>, Option<Session>) {
        let (out, session) = self.protocol.take().expect("a connection is there").close(reason);
        (out.to_vec(), session)
    }
}

#[test]
fn it_subscribes_and_acknowledges_each_message_after_its_delivery_in_its_turn() {
    for v5 in [false, true] {
        let mut bench = Bench::new(config(1), Fake::holding());
        bench.begin(v5, true, None);
        bench.take(&connack(v5, false));
        let subscribe = bench.sent();
        assert_eq!((subscribe[0], &subscribe[2..4]), (0x82, &[0, 1][..]));
        assert!(!bench.protocol().is_open());
        bench.take(&suback(v5));
        assert_eq!((bench.protocol().is_open(), bench.protocol().resumed()), (true, Some(false)));
        for (id, qos) in [(1, 1), (2, 2), (0, 0), (3, 1)] {
            bench.take(&publish(v5, qos, id, "car/1", "x"));
        }
        assert_eq!((bench.answers(), bench.protocol().outstanding()), (vec![], 4));
        bench.fake.settle(3, Ok(()));
        bench.fake.settle(1, Ok(()));
        assert_eq!(bench.answers(), [0u8; 0], "the first one is not delivered yet");
        bench.fake.settle(0, Ok(()));
        assert_eq!(bench.answers(), [0x40, 2, 0, 1, 0x50, 2, 0, 2]);
        bench.fake.settle(0, Ok(()));
        assert_eq!(bench.answers(), [0x40, 2, 0, 3]);
        bench.take(&pubrel(2));
        assert_eq!(bench.answers(), [0x70, 2, 0, 2]);
    }
}

#[test]
fn a_record_carries_topic_key_time_and_headers_of_its_message() {
    let mut bench = Bench::open(true, config(1), Arc::default());
    let mut retained = publish(true, 1, 1, "car/1", "17.5");
    retained[0] |= 1;
    bench.take(&retained);
    let records = bench.fake.records.lock();
    let record = &records[0];
    assert_eq!((&*record.topic, record.key.as_deref(), &record.value[..]), ("cars", Some(&b"car/1"[..]), &b"17.5"[..]));
    assert_eq!(record.timestamp_ms, 77);
    let headers: Vec<_> = record.headers.iter().map(|(name, value)| (&**name, &value[..])).collect();
    assert_eq!(headers, [("mqtt.topic", &b"car/1"[..]), ("mqtt.qos", b"1"), ("mqtt.retained", b"true")]);
}

#[test]
fn a_session_that_goes_on_is_subscribed_again_only_when_it_has_to_be() {
    let mut bench = Bench::new(config(1), Arc::default());
    bench.begin(true, false, None);
    bench.take(&connack(true, true));
    assert_eq!((bench.protocol().is_open(), bench.sent()), (true, vec![]));
    bench.begin(true, true, None);
    bench.take(&connack(true, true));
    assert_eq!((bench.protocol().is_open(), bench.sent()[0]), (false, 0x82));
    // Messages of the session may overtake the answer to the subscription.
    bench.take(&publish(true, 1, 9, "car/1", "x"));
    assert_eq!(bench.answers(), [0x40, 2, 0, 9]);
    bench.begin(true, false, None);
    bench.take(&connack(true, false));
    assert_eq!((bench.protocol().resumed(), bench.sent()[0]), (Some(false), 0x82), "a lost one is subscribed anew");
}

#[test]
fn a_delivery_that_ends_after_a_reconnect_is_not_acknowledged_on_the_new_connection() {
    for resumed in [false, true] {
        let mut bench = Bench::open(true, config(1), Fake::holding());
        bench.take(&publish(true, 1, 1, "car/1", "old"));
        let (_, session) = bench.close(0);
        bench.begin(true, false, session);
        bench.take(&connack(true, resumed));
        if !resumed {
            bench.take(&suback(true));
        }
        bench.sent();
        // The id may stand for another message now.
        bench.take(&publish(true, 1, 1, "car/2", "new"));
        bench.fake.settle(0, Ok(()));
        assert_eq!(bench.answers(), [0u8; 0], "the new one is not delivered yet");
        bench.fake.settle(0, Ok(()));
        assert_eq!(bench.answers(), [0x40, 2, 0, 1]);
        assert_eq!(bench.fake.payloads(), ["old", "new"]);
    }
}

#[test]
fn a_qos_2_exchange_goes_on_over_a_reconnect_and_over_a_restart() {
    let mut bench = Bench::open(true, config(1), Arc::default());
    bench.take(&publish(true, 2, 7, "car/1", "x"));
    assert_eq!(bench.answers(), [0x50, 2, 0, 7]);
    let (_, session) = bench.close(0);
    bench.begin(true, false, session);
    bench.take(&connack(true, true));
    bench.take(&again(publish(true, 2, 7, "car/1", "x")));
    assert_eq!((bench.answers(), bench.fake.len()), (vec![0x50, 2, 0, 7], 1), "it is not delivered twice");
    bench.take(&pubrel(7));
    assert_eq!(bench.answers(), [0x70, 2, 0, 7]);
    // After a restart nothing is known of it, and the broker's PUBREL is answered all the same.
    bench.begin(false, false, None);
    bench.take(&connack(false, true));
    bench.take(&pubrel(7));
    assert_eq!(bench.answers(), [0x70, 2, 0, 7]);
}

#[test]
fn a_failed_delivery_ends_the_connection_unacknowledged() {
    for v5 in [false, true] {
        let mut bench = Bench::open(v5, config(1), Fake::holding());
        bench.take(&publish(v5, 1, 1, "car/1", "x"));
        bench.fake.settle(0, Err(Error::external("Kafka is down")));
        let end = bench.protocol().settle().expect_err("it failed");
        assert_eq!((end.reason, end.text.contains("could not be delivered")), (0x83, true));
        let (out, session) = bench.close(end.reason);
        assert_eq!(out, if v5 { vec![0xE0, 1, 0x83] } else { vec![] });
        assert_eq!(bench.notices.lock()[0], Notice::Undelivered { client: "me".into(), error: "Kafka is down".into() });
        bench.fake.hold.store(false, std::sync::atomic::Ordering::SeqCst);
        bench.begin(v5, false, session);
        bench.take(&connack(v5, true));
        bench.take(&again(publish(v5, 1, 1, "car/1", "x")));
        assert_eq!(bench.answers(), [0x40, 2, 0, 1]);
        assert_eq!((bench.intake.received.duplicates.get(), bench.intake.received.failed()), (1, 1));
    }
}

#[test]
fn a_message_that_is_too_large_is_skipped_acknowledged_in_its_turn_and_told() {
    for v5 in [false, true] {
        for piece in [1, 7, 100_000] {
            let mut settings = config(1);
            settings.max_packet_size = 200;
            let mut bench = Bench::open(v5, settings, Fake::holding());
            let large = publish(v5, 1, 2, "car/2", &"x".repeat(1000));
            let all = [publish(v5, 1, 1, "car/1", "a"), large.clone(), publish(v5, 1, 3, "car/3", "c")].concat();
            for bytes in all.chunks(piece) {
                bench.take(bytes);
            }
            assert_eq!(bench.fake.payloads(), ["a", "c"], "{piece}");
            assert_eq!(bench.answers(), [0u8; 0]);
            bench.fake.settle(0, Ok(()));
            bench.fake.settle(0, Ok(()));
            let skipped = if v5 { &[0x40, 3, 0, 2, 0x83][..] } else { &[0x40, 2, 0, 2] };
            assert_eq!(bench.answers(), [&[0x40, 2, 0, 1], skipped, &[0x40, 2, 0, 3]].concat());
            let bytes = large.len() as u64;
            assert_eq!(bench.notices.lock()[..], [Notice::TooLarge { topic: "car/2".into(), bytes, most: 200 }]);
            assert_eq!(bench.intake.received.dropped_too_large.get(), 1);
        }
    }
}

/// MQTT 5 brokers are told the bound; mosquitto goes beyond it all the same when it takes up a session again.
#[test]
fn nothing_more_is_read_than_may_be_outstanding() {
    for (v5, qos) in [(false, 1), (true, 1), (true, 2)] {
        let mut settings = config(1);
        settings.max_in_flight = 2;
        let mut bench = Bench::open(v5, settings, Fake::holding());
        for id in 1..=4 {
            bench.input.extend_from_slice(&publish(v5, qos, id, "car/1", "x"));
        }
        assert_eq!(bench.feed(), Ok(Progress::Blocked));
        assert_eq!((bench.fake.len(), bench.protocol().holds_back()), (2, true));
        for id in 1..=2 {
            bench.fake.settle(0, Ok(()));
            assert_eq!(bench.answers(), [if qos == 1 { 0x40 } else { 0x50 }, 2, 0, id]);
        }
        bench.feed().expect("the bytes are right");
        assert_eq!(bench.fake.len(), 4);
    }
}

#[test]
fn a_quiet_connection_is_pinged_and_a_silent_broker_given_up() {
    let mut bench = Bench::open(true, config(1), Arc::default());
    let (now, keep_alive) = (bench.now, Duration::from_secs(60));
    assert_eq!(bench.protocol().deadline(true), Some(now + keep_alive));
    let later = now + keep_alive;
    bench.protocol().check_time(true, later).expect("it is time for a ping");
    assert_eq!(bench.sent(), [0xC0, 0]);
    // While we do not read, no answer can be seen.
    bench.protocol().check_time(false, later + keep_alive).expect("nothing is read");
    let patience = Duration::from_secs(30);
    let end = bench.protocol().check_time(true, later + keep_alive + patience).expect_err("no answer came");
    assert_eq!(end.text, "it does not answer any more");
    bench.take(&[0xD0, 0]);
    assert_eq!(bench.protocol().deadline(true), Some(now + keep_alive), "an answer ends the wait");
    bench.protocol().sent(later);
    assert_eq!(bench.protocol().deadline(true), Some(later + keep_alive), "what is sent puts a ping off");
}

#[test]
fn a_broker_that_does_not_answer_in_time_is_given_up() {
    let mut bench = Bench::new(config(1), Arc::default());
    bench.begin(true, true, None);
    let late = bench.now + Duration::from_secs(30);
    assert_eq!(bench.protocol().deadline(true), Some(late));
    let end = bench.protocol().check_time(true, late).expect_err("it is late");
    assert_eq!(end.text, "it did not answer within 30 s");
}

#[test]
fn refusals_say_why_and_what_to_look_at() {
    let mut bench = Bench::new(config(1), Arc::default());
    bench.begin(false, true, None);
    let end = bench.refuse(&[0x20, 2, 0, 4]);
    assert_eq!(end.text, "it refused the connection: bad user name or password (code 4)");
    assert!(end.hint.is_some_and(|hint| hint.contains("'mqtt.password'")) && !end.other_version);
    bench.begin(true, true, None);
    assert!(bench.refuse(&[0x20, 2, 0, 1]).other_version);
    bench.begin(true, true, None);
    bench.take(&connack(true, false));
    let end = bench.refuse(&[0x90, 4, 0, 1, 0, 0x87]);
    assert_eq!(end.text, "it refused to send car/#: not authorized (code 0x87)");
    let mut bench = Bench::open(true, config(1), Arc::default());
    let end = bench.refuse(&[0xE0, 1, 0x8B]);
    assert_eq!(end.text, "it closed the connection: the broker shuts down (code 0x8B)");
}

#[test]
fn a_lower_quality_of_service_is_told_and_taken() {
    let mut bench = Bench::new(config(1), Arc::default());
    bench.begin(true, true, None);
    bench.take(&[connack(true, false), vec![0x90, 4, 0, 1, 0, 0]].concat());
    assert!(bench.protocol().is_open());
    assert_eq!(bench.notices.lock()[..], [Notice::LowerQos { filter: "car/#".into(), granted: 0 }]);
}

#[test]
fn packets_out_of_place_end_the_connection() {
    let mut bench = Bench::new(config(1), Arc::default());
    for bytes in [publish(true, 0, 0, "car/1", "x"), suback(true), vec![0xD0, 0]] {
        bench.begin(true, true, None);
        assert_eq!(bench.refuse(&bytes).reason, 0x82, "{bytes:?} before CONNACK");
    }
    for bytes in [connack(true, false), suback(true), vec![0x40, 2, 0, 1], vec![0x82, 3, 0, 1, 0]] {
        let mut bench = Bench::open(true, config(1), Arc::default());
        assert_eq!(bench.refuse(&bytes).reason, 0x82, "{bytes:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    #[test]
    fn anything_a_broker_sends_is_survived(
        v5 in any::<bool>(),
        packets in proptest::collection::vec(
            prop_oneof![
                (any::<u8>(), proptest::collection::vec(any::<u8>(), 0..48)).prop_map(|(first, body)| frame(first, &body)),
                (0u8..3, 1u16..4).prop_map(|(qos, id)| publish(true, qos, id, "car/1", "x")),
                (1u16..4).prop_map(pubrel),
                "[a-z/+#]{0,8}".prop_map(|topic| frame(0x32, &[&string(&topic)[..], &[0, 1, 0]].concat())),
            ],
            0..12,
        ),
        piece in 1usize..64,
    ) {
        let mut settings = config(1);
        settings.max_packet_size = 40;
        let mut bench = Bench::open(v5, settings, Arc::default());
        'packets: for piece in packets.concat().chunks(piece) {
            bench.input.extend_from_slice(piece);
            loop {
                match bench.feed() {
                    Ok(Progress::NeedMore(more)) => {
                        prop_assert!(more > 0);
                        break;
                    }
                    Ok(Progress::Blocked) => _ = bench.answers(),
                    Err(_) => break 'packets,
                }
            }
            bench.answers();
        }
    }
}
