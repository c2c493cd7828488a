//! A real listener, and the client that users have.

use std::sync::Arc;
use std::time::Duration;

use rumqttc::v5::mqttbytes::QoS as QoS5;
use rumqttc::v5::mqttbytes::v5::{Packet as Packet5, PubAckReason};
use rumqttc::{QoS, v5};

use super::fake::*;
use crate::ingest::mqtt::publisher::{Publisher, PublisherConfig};

const COUNT: usize = 500;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts")
}

/// Publishes `COUNT` messages with an MQTT 3.1.1 client and waits for the last answer.
fn publish_4(stand: &Stand, qos: QoS) {
    runtime().block_on(async {
        let mut options = rumqttc::MqttOptions::new("client", "127.0.0.1", stand.addr().port());
        options.set_keep_alive(Duration::from_secs(5));
        let (client, mut events) = rumqttc::AsyncClient::new(options, 10);
        let publisher = tokio::spawn(async move {
            for index in 0..COUNT {
                client.publish("car/1", qos, false, index.to_string()).await.expect("the client runs");
            }
            client
        });
        let mut answers = 0;
        while answers < COUNT && !(qos == QoS::AtMostOnce && stand.fake.len() == COUNT) {
            let event = tokio::time::timeout(SOON, events.poll()).await.expect("answers come");
            match event.expect("the connection holds") {
                rumqttc::Event::Incoming(rumqttc::Packet::PubAck(_) | rumqttc::Packet::PubComp(_)) => answers += 1,
                rumqttc::Event::Outgoing(rumqttc::Outgoing::Publish(_)) if qos == QoS::AtMostOnce => answers += 1,
                _ => {}
            }
        }
        publisher.await.expect("it published").disconnect().await.expect("the client runs");
        while events.poll().await.is_ok() {}
    });
}

/// The same with an MQTT 5 client.
fn publish_5(stand: &Stand, qos: QoS5) {
    runtime().block_on(async {
        let mut options = v5::MqttOptions::new("client", "127.0.0.1", stand.addr().port());
        options.set_keep_alive(Duration::from_secs(5));
        let (client, mut events) = v5::AsyncClient::new(options, 10);
        let publisher = tokio::spawn(async move {
            for index in 0..COUNT {
                client.publish("car/1", qos, false, index.to_string()).await.expect("the client runs");
            }
            client
        });
        let mut answers = 0;
        while answers < COUNT {
            let event = tokio::time::timeout(SOON, events.poll()).await.expect("answers come");
            match event.expect("the connection holds") {
                v5::Event::Incoming(Packet5::PubAck(_) | Packet5::PubComp(_)) => answers += 1,
                v5::Event::Outgoing(rumqttc::Outgoing::Publish(_)) if qos == QoS5::AtMostOnce => answers += 1,
                _ => {}
            }
        }
        publisher.await.expect("it published").disconnect().await.expect("the client runs");
        while events.poll().await.is_ok() {}
    });
}

fn expected() -> Vec<String> {
    (0..COUNT).map(|index| index.to_string()).collect()
}

#[test]
fn an_mqtt_3_1_1_client_delivers_in_order_at_every_qos() {
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let stand = Stand::new(config(), Arc::default());
        publish_4(&stand, qos);
        wait_until("all are there", || stand.fake.len() == COUNT);
        assert_eq!(stand.fake.payloads(), expected(), "{qos:?}");
    }
}

#[test]
fn an_mqtt_5_client_delivers_in_order_at_every_qos() {
    for qos in [QoS5::AtMostOnce, QoS5::AtLeastOnce, QoS5::ExactlyOnce] {
        let stand = Stand::new(config(), Arc::default());
        publish_5(&stand, qos);
        wait_until("all are there", || stand.fake.len() == COUNT);
        assert_eq!(stand.fake.payloads(), expected(), "{qos:?}");
    }
}

#[test]
fn an_mqtt_5_client_keeps_to_a_small_receive_maximum() {
    let mut config = config();
    config.max_in_flight = 3;
    let stand = Stand::new(config, Arc::default());
    publish_5(&stand, QoS5::AtLeastOnce);
    publish_5(&stand, QoS5::ExactlyOnce);
    assert_eq!(stand.fake.len(), 2 * COUNT);
    assert_eq!(stand.counters.protocol_errors.get(), 0);
}

#[test]
fn an_mqtt_5_client_hears_why_a_message_was_dropped() {
    let stand = Stand::new(config(), Arc::default());
    runtime().block_on(async {
        let options = v5::MqttOptions::new("client", "127.0.0.1", stand.addr().port());
        let (client, mut events) = v5::AsyncClient::new(options, 10);
        client.publish("bus/1", QoS5::AtLeastOnce, false, "x").await.expect("the client runs");
        loop {
            let event = tokio::time::timeout(SOON, events.poll()).await.expect("an answer comes");
            match event {
                Ok(v5::Event::Incoming(Packet5::PubAck(ack))) => {
                    assert_eq!(ack.reason, PubAckReason::TopicNameInvalid);
                    return;
                }
                // The client reports the refusal as an error of its own.
                Err(v5::ConnectionError::MqttState(_)) => return,
                Err(error) => panic!("{error}"),
                Ok(_) => {}
            }
        }
    });
}

#[test]
fn a_client_that_stays_silent_is_kept_alive_by_its_pings() {
    let stand = Stand::new(config(), Arc::default());
    runtime().block_on(async {
        let mut options = rumqttc::MqttOptions::new("client", "127.0.0.1", stand.addr().port());
        options.set_keep_alive(Duration::from_secs(1));
        let (_client, mut events) = rumqttc::AsyncClient::new(options, 10);
        let mut pongs = 0;
        while pongs < 2 {
            let event = tokio::time::timeout(SOON, events.poll()).await.expect("events come");
            if let rumqttc::Event::Incoming(rumqttc::Packet::PingResp) = event.expect("the connection holds") {
                pongs += 1;
            }
        }
    });
    assert_eq!(stand.counters.keep_alive_expired.get(), 0);
}

#[test]
fn the_publisher_reports_what_was_acknowledged_and_when_it_was_published() {
    let stand = Stand::new(config(), Arc::default());
    let messages = (0..COUNT).map(|index| ("car/1".to_string(), index.to_string().into_bytes()));
    let publisher = Publisher::start(PublisherConfig::new(stand.addr(), "demo"), messages).expect("it starts");
    let report = publisher.join().expect("everything is acknowledged");
    assert_eq!((report.sent, report.acknowledged), (COUNT as u64, COUNT as u64));
    assert_eq!((report.published.len(), report.latencies.len()), (COUNT, COUNT));
    assert!(report.published.is_sorted());
    assert_eq!(stand.fake.payloads(), expected());
    wait_until("it said goodbye", || stand.counters.closed_by_device.get() == 1);
}

#[test]
fn the_publisher_keeps_to_its_rate_and_stops_when_told() {
    let stand = Stand::new(config(), Arc::default());
    let messages = (0..).map(|index: u64| ("car/1".to_string(), index.to_string().into_bytes()));
    let config = PublisherConfig::new(stand.addr(), "demo").rate(200.0);
    let begin = std::time::Instant::now();
    let publisher = Publisher::start(config, messages).expect("it starts");
    wait_until("some are acknowledged", || publisher.acknowledged() >= 20);
    publisher.stop();
    let report = publisher.join().expect("everything is acknowledged");
    assert_eq!(report.sent, report.acknowledged);
    let took = report.published[19] - begin;
    assert!(took >= Duration::from_millis(95), "the 20th message at 200 a second came after {took:?}");
}

#[test]
fn the_publisher_gives_up_when_nobody_answers() {
    let mut stand = Stand::new(config(), Arc::default());
    let addr = stand.addr();
    drop(stand.listener.take());
    let mut config = PublisherConfig::new(addr, "demo");
    config.patience = Duration::from_millis(300);
    let publisher = Publisher::start(config, [("car/1".to_string(), vec![1])]).expect("it starts");
    let error = publisher.join().expect_err("nobody is there");
    assert!(error.to_string().starts_with("MQTT publisher stopped with 0 of 1 acknowledged: "), "{error}");
}

#[test]
fn the_publisher_sends_again_what_a_lost_connection_left_open() {
    let stand = Stand::new(config(), Fake::holding());
    let messages = (0..3).map(|index: u64| ("car/1".to_string(), index.to_string().into_bytes()));
    let publisher = Publisher::start(PublisherConfig::new(stand.addr(), "demo"), messages).expect("it starts");
    wait_until("the records are handed over", || stand.fake.len() == 3);
    stand.fake.settle(0, Ok(()));
    wait_until("the first is acknowledged", || publisher.acknowledged() == 1);
    // A newcomer with the same client id closes the publisher's connection.
    stand.fake.hold.store(false, std::sync::atomic::Ordering::SeqCst);
    let mut intruder = stand.socket();
    intruder.send(&connect(false, "demo", false, 0));
    assert_eq!(intruder.packet().expect("a CONNACK"), accepted(false, true));
    drop(intruder);
    wait_until("the others come again", || stand.fake.len() == 5);
    // Their first deliveries are still under way in the session, and answers keep their order.
    stand.fake.settle(0, Ok(()));
    stand.fake.settle(0, Ok(()));
    let report = publisher.join().expect("it comes back");
    assert_eq!(report.acknowledged, 3);
    assert_eq!(stand.fake.payloads(), ["0", "1", "2", "1", "2"]);
}
