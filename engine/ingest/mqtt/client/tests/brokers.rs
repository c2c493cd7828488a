//! The whole client, and a broker that is only a socket.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Runtime;

use super::config;
use crate::ingest::connector::State;
use crate::ingest::mqtt::client::config::{ClientConfig, Server, Version};
use crate::ingest::mqtt::client::forget::forget;
use crate::ingest::mqtt::client::run::MqttClient;
use crate::ingest::mqtt::notice::Notice;
use crate::ingest::mqtt::tests::fake::{Device, Fake, SOON, publish, wait_until};

/// A client, and the port at which it looks for its broker.
struct Stage {
    listener: TcpListener,
    fake: Arc<Fake>,
    notices: Arc<Mutex<Vec<Notice>>>,
    client: Option<MqttClient>,
    runtime: Runtime,
}

impl Stage {
    fn new(fake: Arc<Fake>, adjust: impl FnOnce(&mut ClientConfig)) -> Stage {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port is found");
        let mut stage = Stage {
            listener,
            fake,
            notices: Arc::default(),
            client: None,
            runtime: Runtime::new().expect("a runtime starts"),
        };
        let mut settings = config(stage.port());
        adjust(&mut settings);
        stage.start(settings);
        stage
    }

    fn start(&mut self, settings: ClientConfig) {
        let heard = self.notices.clone();
        let settings = settings.on_notice(move |notice| heard.lock().push(notice));
        let client = MqttClient::start(settings, self.fake.clone(), false, self.runtime.handle());
        self.client = Some(client.expect("the settings are right"));
    }

    fn port(&self) -> u16 {
        self.listener.local_addr().expect("it is bound").port()
    }

    fn client(&self) -> &MqttClient {
        self.client.as_ref().expect("it runs")
    }

    /// The client's next connection.
    fn accept(&self) -> Device {
        let (stream, _) = self.listener.accept().expect("the client comes");
        stream.set_read_timeout(Some(SOON)).expect("a socket takes a timeout");
        Device { stream }
    }

    /// The next connection, accepted and subscribed.
    fn open(&self, present: bool) -> Device {
        let mut broker = self.accept();
        assert_eq!(broker.whole_packet().expect("a CONNECT")[0], 0x10);
        broker.send(&[0x20, 3, u8::from(present), 0, 0]);
        if !present {
            assert_eq!(broker.whole_packet().expect("a SUBSCRIBE")[0], 0x82);
            broker.send(&[0x90, 4, 0, 1, 0, 1]);
        }
        broker
    }

    /// A count of the client by name.
    fn counts(&self, name: &str) -> u64 {
        let counts = self.client().counters().list();
        counts.into_iter().find(|(known, _)| *known == name).expect("a count of this name").1
    }
}

#[test]
fn a_lost_connection_comes_back_and_a_lost_session_is_subscribed_anew_and_told() {
    let stage = Stage::new(Arc::default(), |_| {});
    let mut broker = stage.open(false);
    broker.send(&publish(true, 1, 1, "car/1", "a"));
    assert_eq!(broker.packet().expect("an answer"), [0x40, 2, 0, 1]);
    broker.vanish();
    // The broker still has the session: nothing needs to be said again.
    let mut broker = stage.open(true);
    broker.send(&publish(true, 1, 2, "car/1", "b"));
    assert_eq!(broker.packet().expect("an answer"), [0x40, 2, 0, 2]);
    broker.vanish();
    let mut broker = stage.open(false);
    broker.send(&publish(true, 1, 3, "car/1", "c"));
    assert_eq!(broker.packet().expect("an answer"), [0x40, 2, 0, 3]);
    assert_eq!(stage.fake.payloads(), ["a", "b", "c"]);
    let name = format!("127.0.0.1:{}", stage.port());
    assert!(stage.notices.lock().contains(&Notice::SessionLost { broker: name.clone() }));
    assert_eq!(
        ["connections", "reconnects", "sessions_resumed", "sessions_lost"].map(|name| stage.counts(name)),
        [3, 2, 1, 1]
    );
    let status = stage.client().status();
    assert_eq!((status.state, status.broker), (State::Running, Some(name)));
    assert!(status.last_error.is_some(), "what went wrong stays to be seen");
}

#[test]
fn a_broker_that_knows_only_3_1_1_is_spoken_to_in_it() {
    // One says so in its own form, the other just closes.
    for answers in [true, false] {
        let stage = Stage::new(Arc::default(), |_| {});
        let mut broker = stage.accept();
        assert_eq!(broker.whole_packet().expect("a CONNECT")[8], 5);
        if answers {
            broker.send(&[0x20, 2, 0, 1]);
        }
        drop(broker);
        let mut broker = stage.accept();
        assert_eq!(broker.whole_packet().expect("a CONNECT")[8], 4);
        broker.send(&[0x20, 2, 0, 0]);
        broker.whole_packet().expect("a SUBSCRIBE");
        broker.send(&[&[0x90, 3, 0, 1, 1][..], &publish(false, 1, 1, "car/1", "x")].concat());
        assert_eq!(broker.packet().expect("an answer"), [0x40, 2, 0, 1]);
        // From then on it stays with it.
        broker.vanish();
        assert_eq!(stage.accept().whole_packet().expect("a CONNECT")[8], 4);
    }
}

#[test]
fn a_version_that_was_asked_for_stays() {
    let stage = Stage::new(Arc::default(), |settings| settings.version = Version::V5);
    for _ in 0..2 {
        let mut broker = stage.accept();
        assert_eq!(broker.whole_packet().expect("a CONNECT")[8], 5);
        broker.send(&[0x20, 2, 0, 1]);
    }
}

#[test]
fn a_pause_says_goodbye_after_what_is_under_way_and_a_resume_comes_back() {
    let stage = Stage::new(Fake::holding(), |_| {});
    let mut broker = stage.open(false);
    broker.send(&publish(true, 1, 1, "car/1", "x"));
    wait_until("it is handed over", || stage.fake.len() == 1);
    std::thread::scope(|scope| {
        let pausing = scope.spawn(|| stage.client().pause());
        stage.fake.settle(0, Ok(()));
        assert_eq!(broker.packet().expect("an answer"), [0x40, 2, 0, 1]);
        assert_eq!(broker.packet().expect("a DISCONNECT"), [0xE0, 0]);
        drop(broker);
        pausing.join().expect("the pause ends");
    });
    assert_eq!(stage.client().status().state, State::Paused);
    stage.client().resume();
    let mut broker = stage.open(true);
    stage.fake.hold.store(false, std::sync::atomic::Ordering::SeqCst);
    broker.send(&publish(true, 1, 2, "car/1", "y"));
    assert_eq!(broker.packet().expect("an answer"), [0x40, 2, 0, 2]);
    assert_eq!(stage.client().status().state, State::Running);
}

#[test]
fn a_stop_acknowledges_what_is_under_way_and_keeps_the_session() {
    let mut stage = Stage::new(Fake::holding(), |_| {});
    let mut broker = stage.open(false);
    broker.send(&publish(true, 1, 1, "car/1", "x"));
    wait_until("it is handed over", || stage.fake.len() == 1);
    let client = stage.client.take().expect("it runs");
    let ender = std::thread::spawn(move || client.stop(SOON));
    stage.fake.settle(0, Ok(()));
    assert_eq!(broker.packet().expect("an answer"), [0x40, 2, 0, 1]);
    assert_eq!(broker.packet().expect("a DISCONNECT"), [0xE0, 0]);
    drop(broker);
    ender.join().expect("it ends");
    stage.listener.set_nonblocking(true).expect("a socket takes the option");
    assert!(stage.listener.accept().is_err(), "nobody comes any more");
}

#[test]
fn forgetting_replaces_the_session_with_a_clean_one_in_either_version() {
    for old in [false, true] {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port is found");
        let settings = config(listener.local_addr().expect("it is bound").port());
        let forgetting = std::thread::spawn(move || forget(&settings, SOON));
        let accept = || {
            let (stream, _) = listener.accept().expect("the client comes");
            Device { stream }
        };
        let mut broker = accept();
        let mut connect = broker.whole_packet().expect("a CONNECT");
        if old {
            broker.send(&[0x20, 2, 0, 1]);
            broker = accept();
            connect = broker.whole_packet().expect("a CONNECT");
        }
        assert_eq!((connect[8], connect[9] & 2), (if old { 4 } else { 5 }, 2), "a clean start ends the session");
        broker.send(if old { &[0x20, 2, 0, 0] } else { &[0x20, 3, 0, 0, 0] });
        assert_eq!(broker.packet().expect("a DISCONNECT"), [0xE0, 0]);
        drop(broker);
        forgetting.join().expect("it does not panic").expect("the broker was told");
    }
}

#[test]
fn a_session_that_cannot_be_ended_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port is found");
    let settings = config(listener.local_addr().expect("it is bound").port());
    drop(listener);
    let error = forget(&settings, SOON).expect_err("nobody is there").to_string();
    assert!(
        error.starts_with("the session of client id me stays at the MQTT broker: MQTT broker 127.0.0.1:"),
        "{error}"
    );
}

#[test]
fn an_unreachable_broker_is_told_once_and_tried_again_and_again() {
    let mut stage = Stage::new(Arc::default(), |_| {});
    drop(stage.client.take());
    stage.notices.lock().clear();
    // A port at which nobody listens, though nobody else gets it either.
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port is found");
    let port = taken.local_addr().expect("it is bound").port();
    drop(taken);
    let mut settings = config(port);
    settings.backoff_max = Duration::from_millis(20);
    stage.start(settings);
    wait_until("it tried", || stage.counts("connect_failures") >= 3);
    let status = stage.client().status();
    assert_eq!(status.state, State::Retrying);
    let text = format!("MQTT broker 127.0.0.1:{port}: cannot be reached: connection refused");
    assert_eq!(status.last_error.map(|error| error.text), Some(text.clone()));
    let again = Duration::from_millis(20);
    assert_eq!(stage.notices.lock()[..], [Notice::Disconnected { error: text, again }]);
}

#[test]
fn the_next_server_is_tried_when_one_does_not_answer() {
    let mut nobody = 0;
    let stage = Stage::new(Arc::default(), |settings| {
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port is found");
        nobody = free.local_addr().expect("it is bound").port();
        let first = Server { host: "127.0.0.1".to_string(), port: nobody, tls: false };
        settings.servers.insert(0, first);
    });
    let _broker = stage.open(false);
    wait_until("it is connected", || stage.client().status().state == State::Running);
    assert_eq!(stage.client().status().broker, Some(format!("127.0.0.1:{}", stage.port())));
    assert_ne!(stage.port(), nobody);
}

#[test]
fn a_dropped_client_leaves_at_once() {
    let mut stage = Stage::new(Fake::holding(), |_| {});
    let mut broker = stage.open(false);
    broker.send(&publish(true, 1, 1, "car/1", "x"));
    wait_until("it is handed over", || stage.fake.len() == 1);
    drop(stage.client.take());
    assert_eq!(broker.packet().expect("a DISCONNECT"), [0xE0, 0], "and acknowledges nothing");
    assert!(broker.is_closed());
}
