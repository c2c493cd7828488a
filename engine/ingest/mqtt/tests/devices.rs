//! A real listener, and devices that are sockets.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::fake::*;
use crate::error::Error;
use crate::ingest::mqtt::{MqttListener, Notice};

fn stand() -> Stand {
    Stand::new(config(), Arc::default())
}

/// A CONNECT with a will for `topic`.
fn connect_with_will(v5: bool, client: &str, topic: &str, properties: &[u8], keep_alive: u16) -> Vec<u8> {
    let will = [&string(topic)[..], &string("gone")[..]].concat();
    let rest = if v5 { [&[properties.len() as u8], properties, &will].concat() } else { will };
    connect_with(v5, client, 0x2E, keep_alive, &rest)
}

#[test]
fn a_message_is_acknowledged_after_its_delivery_over_tcp() {
    let stand = Stand::new(config(), Fake::holding());
    let mut device = stand.device(false, "c");
    device.send(&[publish(false, 1, 1, "car/1", "x"), PINGREQ.to_vec()].concat());
    assert_eq!(device.packet().expect("an answer"), PINGRESP, "the ping overtakes the acknowledgement that waits");
    stand.fake.settle(0, Ok(()));
    assert_eq!(device.packet().expect("an answer"), [0x40, 2, 0, 1]);
    assert_eq!(stand.counters.received.delivered(), 1);
}

#[test]
fn mqtt_5_is_told_the_limits_and_the_client_id_it_was_given() {
    let mut config = config();
    config.max_in_flight = 0x0102;
    let stand = Stand::new(config, Arc::default());
    let mut device = stand.socket();
    device.send(&connect(true, "", true, 0));
    let connack = device.whole_packet().expect("a CONNACK");
    let holds = |part: &[u8]| connack.windows(part.len()).any(|window| window == part);
    assert!(holds(&[0x21, 1, 2]), "receive maximum");
    assert!(holds(&[0x27, 0, 0x0F, 0x42, 0x40]), "maximum packet size");
    assert!(holds(b"\x12\0\x1Ealcedo-") || holds(b"alcedo-"), "assigned client id");
    device.send(&publish(true, 1, 1, "car/1", "x"));
    assert_eq!(device.packet().expect("an answer"), [0x40, 2, 0, 1]);
    assert!(stand.fake.records.lock()[0].headers[3].1.starts_with(b"alcedo-"));
}

#[test]
fn mqtt_3_1_1_without_a_client_id_needs_a_clean_session() {
    let stand = stand();
    let mut device = stand.device(false, "");
    device.send(&PINGREQ);
    assert_eq!(device.packet().expect("an answer"), PINGRESP);
    let mut device = stand.socket();
    device.send(&connect(false, "", false, 0));
    assert_eq!(device.packet().expect("an answer"), [0x20, 2, 0, 2]);
    assert!(device.is_closed());
    assert_eq!(stand.counters.client_ids_refused.get(), 1);
}

#[test]
fn other_versions_are_refused_in_their_own_words() {
    let stand = stand();
    for (level, name, answer) in
        [(3, "MQIsdp", &[0x20, 2, 0, 1][..]), (3, "MQTT", &[0x20, 2, 0, 1]), (6, "MQTT", &[0x20, 3, 0, 0x84, 0])]
    {
        let mut device = stand.socket();
        device.send(&frame(0x10, &[&string(name)[..], &[level, 2, 0, 0], &string("c")[..]].concat()));
        assert_eq!(device.whole_packet().expect("an answer"), answer);
        assert!(device.is_closed());
    }
    assert_eq!(stand.counters.versions_refused.get(), 3);
}

#[test]
fn a_client_id_that_comes_again_takes_over_and_the_old_connection_is_told() {
    let stand = stand();
    let mut first = stand.device(true, "c");
    let mut second = stand.device(true, "c");
    assert_eq!(first.packet().expect("a DISCONNECT"), [0xE0, 1, 0x8E]);
    assert!(first.is_closed());
    second.send(&publish(true, 1, 1, "car/1", "x"));
    assert_eq!(second.packet().expect("an answer"), [0x40, 2, 0, 1]);
    let mut old = stand.device(false, "c");
    assert_eq!(second.packet().expect("a DISCONNECT"), [0xE0, 1, 0x8E]);
    let _new = stand.device(false, "c");
    assert!(old.is_closed(), "MQTT 3.1.1 has no words for it");
    wait_until("three takeovers are counted", || stand.counters.takeovers.get() == 3);
    wait_until("one connection is left", || stand.counters.connections_open.get() == 1);
}

#[test]
fn a_taken_over_session_goes_on_with_what_is_under_way() {
    for v5 in [false, true] {
        let stand = Stand::new(config(), Fake::holding());
        let mut first = stand.socket();
        first.send(&connect(v5, "c", false, 0));
        assert_eq!(first.packet().expect("a CONNACK"), accepted(v5, false));
        first.send(&publish(v5, 2, 7, "car/1", "x"));
        wait_until("the record is handed over", || stand.fake.len() == 1);
        let mut second = stand.socket();
        second.send(&connect(v5, "c", false, 0));
        assert_eq!(second.packet().expect("a CONNACK"), accepted(v5, true));
        second.send(&again(publish(v5, 2, 7, "car/1", "x")));
        wait_until("the repeat is seen", || stand.counters.received.repeats.get() == 1);
        stand.fake.settle(0, Ok(()));
        assert_eq!(second.packet().expect("an answer"), [0x50, 2, 0, 7]);
        second.send(&pubrel(7));
        assert_eq!(second.packet().expect("an answer"), [0x70, 2, 0, 7]);
        assert_eq!(stand.fake.len(), 1);
    }
}

#[test]
fn a_session_outlives_its_connection_and_a_clean_start_ends_it() {
    for v5 in [false, true] {
        let stand = stand();
        let mut device = stand.socket();
        device.send(&[connect(v5, "c", false, 0), publish(v5, 2, 7, "car/1", "x")].concat());
        device.packet().expect("a CONNACK");
        assert_eq!(device.packet().expect("an answer"), [0x50, 2, 0, 7]);
        device.vanish();
        wait_until("the connection is lost", || stand.counters.connections_lost.get() == 1);
        let mut device = stand.socket();
        device.send(&[connect(v5, "c", false, 0), again(publish(v5, 2, 7, "car/1", "x"))].concat());
        assert_eq!(device.packet().expect("a CONNACK"), accepted(v5, true));
        assert_eq!(device.packet().expect("an answer"), [0x50, 2, 0, 7]);
        assert_eq!(stand.fake.len(), 1);
        let mut device = stand.device(v5, "c");
        device.send(&again(publish(v5, 2, 7, "car/1", "x")));
        assert_eq!(device.packet().expect("an answer"), [0x50, 2, 0, 7]);
        assert_eq!(stand.fake.len(), 2, "nothing is remembered after a clean start");
    }
}

#[test]
fn a_silent_device_is_closed_after_its_keep_alive_time_and_its_will_is_published() {
    let stand = stand();
    let begin = Instant::now();
    let mut device = stand.socket();
    device.send(&connect_with_will(true, "c", "car/will", &[], 1));
    device.packet().expect("a CONNACK");
    assert_eq!(device.packet().expect("a DISCONNECT"), [0xE0, 1, 0x8D]);
    assert!(begin.elapsed() >= Duration::from_millis(1500));
    wait_until("the will is published", || stand.fake.payloads() == ["gone"]);
    assert_eq!((stand.counters.keep_alive_expired.get(), stand.counters.wills.get()), (1, 1));
}

#[test]
fn a_will_is_published_when_the_device_is_lost_and_not_when_it_leaves() {
    for v5 in [false, true] {
        let stand = stand();
        let mut device = stand.socket();
        device.send(&connect_with_will(v5, "c", "car/will", &[], 0));
        device.packet().expect("a CONNACK");
        device.vanish();
        wait_until("the will is published", || stand.fake.len() == 1);
        let record = stand.fake.records.lock()[0].clone();
        assert_eq!((&*record.topic, record.key.as_deref()), ("cars", Some(&b"car/will"[..])));
        let headers: Vec<_> = record.headers.iter().map(|(_, value)| &value[..]).collect();
        assert_eq!(headers, [&b"car/will"[..], b"1", b"true", b"c"]);
        let mut device = stand.socket();
        device.send(&[connect_with_will(v5, "c", "car/will", &[], 0), vec![0xE0, 0]].concat());
        device.packet().expect("a CONNACK");
        assert!(device.is_closed());
        wait_until("it left", || stand.counters.closed_by_device.get() == 1);
        assert_eq!(stand.fake.len(), 1);
    }
}

#[test]
fn a_will_is_published_when_the_client_id_is_taken_over() {
    for v5 in [false, true] {
        let stand = stand();
        let mut first = stand.socket();
        first.send(&connect_with_will(v5, "c", "car/will", &[], 0));
        first.packet().expect("a CONNACK");
        let mut second = stand.socket();
        second.send(&connect(v5, "c", true, 0));
        second.packet().expect("a CONNACK");
        wait_until("the will is published", || stand.fake.payloads() == ["gone"]);
        assert_eq!(stand.counters.wills.get(), 1);
    }
    // A will with a delay waits for the device, which is back: only when its session ends all the same it is due.
    let delayed = [&[5, 0x18, 0, 0, 0, 60][..], &string("car/will"), &string("gone")].concat();
    for clean in [false, true] {
        let stand = stand();
        let mut first = stand.socket();
        first.send(&connect_with(true, "c", 0x04, 0, &delayed));
        first.packet().expect("a CONNACK");
        let mut second = stand.socket();
        second.send(&connect(true, "c", clean, 0));
        assert_eq!(second.packet().expect("a CONNACK"), accepted(true, !clean));
        wait_until("the first is told", || stand.counters.connections_open.get() == 1);
        wait_until("a will that is due", || stand.fake.len() == usize::from(clean));
    }
}

#[test]
fn a_will_with_a_delay_waits_for_the_device_as_long_as_there_is_a_session() {
    let stand = stand();
    // Will delay 1 s. Without a session to come back to, the will is due at once.
    let delay = [0x18, 0, 0, 0, 1];
    let mut device = stand.socket();
    device.send(&connect_with_will(true, "a", "car/a", &delay, 0));
    device.packet().expect("a CONNACK");
    device.vanish();
    wait_until("the will is published", || stand.fake.len() == 1);
    // With one it waits: the device that is back in time has none published.
    let with_session = |client: &str| {
        let will = [&[5][..], &delay, &string("car/b"), &string("gone")].concat();
        connect_with(true, client, 0x04, 0, &will)
    };
    let begin = Instant::now();
    for client in ["back", "away"] {
        let mut device = stand.socket();
        device.send(&with_session(client));
        device.packet().expect("a CONNACK");
        device.vanish();
    }
    wait_until("both are lost", || stand.counters.connections_lost.get() == 3);
    let mut device = stand.socket();
    device.send(&connect(true, "back", false, 0));
    assert_eq!(device.packet().expect("a CONNACK"), accepted(true, true));
    wait_until("the will of the other is published", || stand.fake.len() == 2);
    assert!(begin.elapsed() >= Duration::from_secs(1));
    assert_eq!(&stand.fake.records.lock()[1].headers[3].1[..], b"away");
}

#[test]
fn a_will_without_a_rule_is_counted_like_a_message() {
    let stand = stand();
    let mut device = stand.socket();
    device.send(&connect_with_will(false, "c", "bus/will", &[], 0));
    device.packet().expect("a CONNACK");
    device.vanish();
    wait_until("it is counted", || stand.counters.received.unmatched.get() == 1);
    assert_eq!(stand.counters.wills.get(), 0);
}

#[test]
fn too_large_a_packet_ends_the_connection_before_it_is_there() {
    let mut config = config();
    config.max_packet_size = 1000;
    let stand = Stand::new(config, Arc::default());
    let mut device = stand.device(true, "c");
    device.send(&[0x30, 0xFF, 0xFF, 0x7F]);
    assert_eq!(device.packet().expect("a DISCONNECT"), [0xE0, 1, 0x95]);
    assert!(device.is_closed());
    let mut device = stand.device(false, "c");
    device.send(&publish(false, 0, 0, "car/1", &"x".repeat(1000)));
    assert!(device.is_closed());
    wait_until("both are counted", || stand.counters.packets_too_large.get() == 2);
    let mut device = stand.device(false, "c");
    let largest = "x".repeat(1000 - 3 - 2 - 5 - 2);
    device.send(&publish(false, 1, 1, "car/1", &largest));
    assert_eq!(device.packet().expect("an answer"), [0x40, 2, 0, 1]);
}

#[test]
fn malformed_bytes_close_only_their_own_connection_and_are_counted() {
    let stand = stand();
    let mut healthy = stand.device(true, "h");
    for bytes in [
        &[0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF][..], // five length bytes
        &[0x36, 2, 0, 0],                          // QoS 3
        &[0x30, 3, 0, 9, b'x'],                    // a topic beyond the end
        &[0x00, 0],                                // packet type 0
        &[0xC1, 0],                                // PINGREQ with a flag
        &[0x60, 2, 0, 1],                          // PUBREL without its flag
        &[0x80, 2, 0, 1],                          // SUBSCRIBE without its flag
        &[0x30, 4, 0, 2, 0xC3, 0x28],              // no UTF-8
    ] {
        let before = stand.counters.packets_malformed.get();
        let mut device = stand.device(false, "c");
        device.send(bytes);
        assert!(device.is_closed(), "{bytes:?}");
        wait_until("it is counted", || stand.counters.packets_malformed.get() == before + 1);
    }
    let mut device = stand.device(true, "c");
    device.send(&[0x36, 2, 0, 0]);
    assert_eq!(device.packet().expect("a DISCONNECT"), [0xE0, 1, 0x81]);
    // Before a connection there is nobody to tell.
    for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0x10, 0], &publish(false, 0, 0, "car/1", "x")] {
        let mut device = stand.socket();
        device.send(bytes);
        assert!(device.is_closed(), "{bytes:?}");
    }
    healthy.send(&PINGREQ);
    assert_eq!(healthy.packet().expect("an answer"), PINGRESP);
}

#[test]
fn an_unmatched_topic_is_reported_once_for_all_devices() {
    let stand = stand();
    for client in ["a", "b"] {
        let mut device = stand.device(true, client);
        device.send(&[publish(true, 1, 1, "bus/1", "x"), publish(true, 1, 2, "bus/1", "y")].concat());
        assert_eq!(device.packet().expect("an answer"), [0x40, 3, 0, 1, 0x90]);
        assert_eq!(device.packet().expect("an answer"), [0x40, 3, 0, 2, 0x90]);
    }
    assert_eq!(stand.counters.received.unmatched.get(), 4);
    assert_eq!(stand.notices.lock()[..], [Notice::FirstDevice, Notice::UnmatchedTopic { topic: "bus/1".into() }]);
}

#[test]
fn a_broker_that_is_down_gives_no_acknowledgement_and_the_device_sends_again() {
    for v5 in [false, true] {
        let stand = Stand::new(config(), Fake::holding());
        let mut device = stand.device(v5, "c");
        device.send(&publish(v5, 1, 1, "car/1", "x"));
        wait_until("the record is handed over", || stand.fake.len() == 1);
        stand.fake.settle(0, Err(Error::external("broker is down")));
        if v5 {
            assert_eq!(device.packet().expect("a DISCONNECT"), [0xE0, 1, 0x83]);
        }
        assert!(device.is_closed());
        let told = Notice::Undelivered { client: "c".into(), error: "broker is down".into() };
        wait_until("it is told", || stand.notices.lock().contains(&told));
        stand.fake.hold.store(false, Ordering::SeqCst);
        let mut device = stand.device(v5, "c");
        device.send(&again(publish(v5, 1, 1, "car/1", "x")));
        assert_eq!(device.packet().expect("an answer"), [0x40, 2, 0, 1]);
        assert_eq!((stand.counters.received.failed(), stand.counters.received.delivered()), (1, 1));
    }
}

#[test]
fn a_broker_that_hangs_ends_the_connection_after_the_delivery_timeout() {
    let mut config = config();
    config.delivery_timeout = Duration::from_millis(200);
    let stand = Stand::new(config, Fake::holding());
    let mut device = stand.device(true, "c");
    device.send(&publish(true, 1, 1, "car/1", "x"));
    assert_eq!(device.packet().expect("a DISCONNECT"), [0xE0, 1, 0x83]);
    wait_until("it is counted", || stand.counters.delivery_timeouts.get() == 1);
}

#[test]
fn a_full_producer_slows_the_socket_down_and_nothing_is_lost() {
    let mut config = config();
    config.max_in_flight = 4;
    let stand = Stand::new(config, Arc::default());
    stand.fake.full.store(true, Ordering::SeqCst);
    let mut device = stand.device(false, "c");
    // More than the buffers of two sockets hold, so that the device itself comes to a stop.
    let payload = "x".repeat(100_000);
    let messages = 400;
    let mut writer = device.stream.try_clone().expect("a socket can be shared");
    writer.set_write_timeout(Some(Duration::from_millis(300))).expect("a socket takes a timeout");
    let mut all: Vec<u8> = Vec::new();
    for _ in 0..messages {
        all.extend(publish(false, 0, 0, "car/1", &payload));
    }
    let mut written = 0;
    while let Ok(bytes) = writer.write(&all[written..]) {
        written += bytes;
        assert!(written < all.len(), "the listener took everything although nothing was kept");
    }
    assert!(stand.counters.bytes.get() < 1_000_000, "it read {} bytes ahead", stand.counters.bytes.get());
    stand.fake.full.store(false, Ordering::SeqCst);
    writer.set_write_timeout(Some(SOON)).expect("a socket takes a timeout");
    writer.write_all(&all[written..]).expect("the listener reads again");
    device.send(&publish(false, 1, 1, "car/1", "last"));
    assert_eq!(device.packet().expect("an answer"), [0x40, 2, 0, 1]);
    assert_eq!(stand.fake.len(), messages + 1);
}

#[test]
fn too_many_connections_are_refused_and_a_takeover_is_none_more() {
    let mut config = config();
    config.max_connections = 1;
    let stand = Stand::new(config, Arc::default());
    let mut first = stand.device(true, "a");
    for (v5, answer) in [(true, &[0x20, 3, 0, 0x89, 0][..]), (false, &[0x20, 2, 0, 3])] {
        let mut device = stand.socket();
        device.send(&connect(v5, "b", true, 0));
        assert_eq!(device.whole_packet().expect("an answer"), answer);
        assert!(device.is_closed());
    }
    let _again = stand.device(true, "a");
    assert_eq!(first.packet().expect("a DISCONNECT"), [0xE0, 1, 0x8E]);
    assert_eq!(stand.counters.connections_refused.get(), 2);
}

#[test]
fn a_socket_that_never_connects_is_closed() {
    let mut config = config();
    config.connect_timeout = Duration::from_millis(100);
    let stand = Stand::new(config, Arc::default());
    let mut device = stand.socket();
    device.send(&connect(true, "c", true, 0)[..5]);
    assert!(device.is_closed());
    wait_until("it is counted", || stand.counters.connect_timeouts.get() == 1);
}

#[test]
fn a_shutdown_acknowledges_what_is_under_way_and_says_goodbye() {
    let mut stand = Stand::new(config(), Fake::holding());
    let mut device = stand.device(true, "c");
    device.send(&publish(true, 1, 1, "car/1", "x"));
    wait_until("the record is handed over", || stand.fake.len() == 1);
    let listener = stand.listener.take().expect("it runs");
    let addr = listener.addr();
    let ender = std::thread::spawn(move || listener.shutdown_blocking(SOON));
    wait_until("nobody is let in any more", || std::net::TcpStream::connect(addr).is_err());
    stand.fake.settle(0, Ok(()));
    assert_eq!(device.packet().expect("an answer"), [0x40, 2, 0, 1]);
    assert_eq!(device.packet().expect("a DISCONNECT"), [0xE0, 1, 0x8B]);
    assert!(device.is_closed());
    drop(device);
    ender.join().expect("the shutdown ends");
    // The sockets that tried the door may have been let in before it closed.
    assert!(stand.counters.closed_by_shutdown.get() >= 1);
    assert_eq!(stand.counters.connections_open.get(), 0);
}

#[test]
fn a_shutdown_does_not_wait_longer_than_it_was_told() {
    let mut stand = Stand::new(config(), Fake::holding());
    let mut device = stand.socket();
    device.send(&[connect_with_will(true, "c", "car/will", &[], 0), publish(true, 1, 1, "car/1", "x")].concat());
    device.packet().expect("a CONNACK");
    wait_until("the record is handed over", || stand.fake.len() == 1);
    let listener = stand.listener.take().expect("it runs");
    let ender = std::thread::spawn(move || listener.shutdown_blocking(Duration::from_millis(50)));
    assert_eq!(device.packet().expect("a DISCONNECT"), [0xE0, 1, 0x8B]);
    drop(device);
    ender.join().expect("the shutdown ends");
    assert_eq!(stand.fake.len(), 1, "a will is not published: the device is well");
}

#[test]
fn a_dropped_listener_closes_its_connections() {
    let mut stand = stand();
    let mut device = stand.device(false, "c");
    drop(stand.listener.take());
    assert!(device.is_closed());
}

#[test]
fn a_taken_port_has_its_own_error() {
    let stand = stand();
    let mut config = config();
    config.listeners = vec![stand.addr()];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    let error = MqttListener::start(config, stand.fake.clone(), runtime.handle()).expect_err("the port is taken");
    assert_eq!(error.to_string(), format!("MQTT port {} on 127.0.0.1 is taken", stand.addr().port()));
    assert!(error.hint_text().is_some_and(|hint| hint.contains("port 0")));
}

#[test]
fn a_listener_that_was_configured_by_hand_is_not_open_to_others_either() {
    let mut config = config();
    config.listeners = vec![([0, 0, 0, 0], 0).into()];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    assert!(MqttListener::start(config, Arc::new(Fake::default()), runtime.handle()).is_err());
}

/// A session with a will that waits for a minute.
fn leave_a_waiting_will(stand: &Stand, client: &str) {
    let will = [&[5, 0x18, 0, 0, 0, 60][..], &string("car/b"), &string(client)].concat();
    let mut device = stand.socket();
    device.send(&connect_with(true, client, 0x04, 0, &will));
    device.packet().expect("a CONNACK");
    let lost = stand.counters.connections_lost.get();
    device.vanish();
    wait_until("it is lost", || stand.counters.connections_lost.get() == lost + 1);
}

#[test]
fn a_will_that_waits_is_due_when_its_session_ends() {
    // Because the device starts clean.
    let stand = stand();
    leave_a_waiting_will(&stand, "a");
    let _back = stand.device(true, "a");
    wait_until("the will is published", || stand.fake.payloads() == ["a"]);
    // Because the device starts clean while its old connection is still there.
    let will = [&[5, 0x18, 0, 0, 0, 60][..], &string("car/b"), &string("b")].concat();
    let mut device = stand.socket();
    device.send(&connect_with(true, "b", 0x04, 0, &will));
    device.packet().expect("a CONNACK");
    let _back = stand.device(true, "b");
    wait_until("the will is published", || stand.fake.payloads() == ["a", "b"]);
    // Because the listener ends, and sessions with it.
    leave_a_waiting_will(&stand, "c");
    let Stand { fake, mut listener, .. } = stand;
    listener.take().expect("it runs").shutdown_blocking(SOON);
    assert_eq!(fake.payloads(), ["a", "b", "c"]);
}

#[test]
fn a_will_carries_its_retained_flag_and_what_it_says_about_itself() {
    let stand = stand();
    let properties = [&[0x26][..], &string("unit"), &string("C"), &[0x03], &string("text/plain")].concat();
    let mut device = stand.socket();
    device.send(&connect_with_will(true, "c", "car/will", &properties, 0));
    device.packet().expect("a CONNACK");
    device.vanish();
    wait_until("the will is published", || stand.fake.len() == 1);
    let record = stand.fake.records.lock()[0].clone();
    let headers: Vec<_> = record.headers.iter().map(|(name, value)| (&**name, &value[..])).collect();
    assert_eq!(headers[..2], [("unit", &b"C"[..]), ("mqtt.content.type", b"text/plain")]);
    assert_eq!(headers[4], ("mqtt.retained", &b"true"[..]));
}
