//! A producer that does what a test tells it, a listener on it, and a device that is only a socket.
//!
//! The tests of the client use the producer, and the packets of a broker, too.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::runtime::Runtime;

use crate::error::Error;
use crate::ingest::deliver::{Deliver, Handover, IngestRecord, Receipt};
use crate::ingest::mqtt::filter::Filter;
use crate::ingest::mqtt::rules::{Pattern, Rules, TopicRule};
use crate::ingest::mqtt::{Counters, ListenerConfig, MqttListener, Notice};

/// How long a test waits for something that is going to happen.
pub(in crate::ingest::mqtt) const SOON: Duration = Duration::from_secs(20);

/// Waits until `condition` holds; the pause only leaves the processor to those who make it so.
pub(in crate::ingest::mqtt) fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < SOON, "not within {SOON:?}: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Keeps what it is given, in order, and answers at once or when told.
#[derive(Default)]
pub(in crate::ingest::mqtt) struct Fake {
    /// Whether receipts are kept back until the test settles them.
    pub(in crate::ingest::mqtt) hold: AtomicBool,
    /// Whether there is no room.
    pub(in crate::ingest::mqtt) full: AtomicBool,
    pub(in crate::ingest::mqtt) records: Mutex<Vec<IngestRecord>>,
    pub(in crate::ingest::mqtt) receipts: Mutex<VecDeque<Receipt>>,
}

impl Deliver for Fake {
    fn deliver(&self, record: IngestRecord, receipt: Receipt) -> Handover {
        if self.full.load(Ordering::SeqCst) {
            return Handover::Full(Box::new((record, receipt)));
        }
        self.records.lock().push(record);
        if self.hold.load(Ordering::SeqCst) {
            self.receipts.lock().push_back(receipt);
        } else {
            receipt.done(Ok(()));
        }
        Handover::Taken
    }
}

impl Fake {
    pub(in crate::ingest::mqtt) fn holding() -> Arc<Fake> {
        let fake = Arc::new(Fake::default());
        fake.hold.store(true, Ordering::SeqCst);
        fake
    }

    /// Settles the oldest receipt, or the one at `index`.
    pub(in crate::ingest::mqtt) fn settle(&self, index: usize, outcome: Result<(), Error>) {
        let receipt = self.receipts.lock().remove(index).expect("a receipt is held");
        receipt.done(outcome);
    }

    pub(in crate::ingest::mqtt) fn payloads(&self) -> Vec<String> {
        let text = |record: &IngestRecord| String::from_utf8_lossy(&record.value).into_owned();
        self.records.lock().iter().map(text).collect()
    }

    pub(in crate::ingest::mqtt) fn len(&self) -> usize {
        self.records.lock().len()
    }
}

/// Rules: `car/…` goes to topic `cars`.
pub(in crate::ingest::mqtt) fn config() -> ListenerConfig {
    let pattern = Pattern::Filter(Filter::parse("car/#").expect("a filter of the test"));
    let rules = Rules { topics: vec![TopicRule { topic: Arc::from("cars"), pattern }], ..Default::default() };
    ListenerConfig::new(vec![SocketAddr::from(([127, 0, 0, 1], 0))], rules)
}

/// A running listener with its own runtime.
pub(in crate::ingest::mqtt) struct Stand {
    pub(in crate::ingest::mqtt) fake: Arc<Fake>,
    pub(in crate::ingest::mqtt) listener: Option<MqttListener>,
    pub(in crate::ingest::mqtt) counters: Arc<Counters>,
    pub(in crate::ingest::mqtt) notices: Arc<Mutex<Vec<Notice>>>,
    addr: SocketAddr,
    // Dropped last, and so after the listener.
    _runtime: Runtime,
}

impl Stand {
    pub(in crate::ingest::mqtt) fn new(config: ListenerConfig, fake: Arc<Fake>) -> Stand {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime starts");
        let notices = Arc::new(Mutex::new(Vec::new()));
        let heard = notices.clone();
        let config = config.on_notice(move |notice| heard.lock().push(notice));
        let listener = MqttListener::start(config, fake.clone(), runtime.handle()).expect("a free port is found");
        let counters = listener.counters().clone();
        let addr = listener.addr();
        Stand { fake, listener: Some(listener), counters, notices, addr, _runtime: runtime }
    }

    pub(in crate::ingest::mqtt) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// A socket to the listener, silent so far.
    pub(in crate::ingest::mqtt) fn socket(&self) -> Device {
        let stream = TcpStream::connect(self.addr).expect("the listener accepts");
        stream.set_read_timeout(Some(SOON)).expect("a socket takes a timeout");
        stream.set_nodelay(true).expect("a socket takes the option");
        Device { stream }
    }

    /// A device that is connected, with clean start, no keep-alive, and in MQTT 5 no properties.
    pub(in crate::ingest::mqtt) fn device(&self, v5: bool, client: &str) -> Device {
        let mut device = self.socket();
        device.send(&connect(v5, client, true, 0));
        assert_eq!(device.packet().expect("a CONNACK"), accepted(v5, false));
        device
    }
}

/// What [`Device::packet`] gives of a CONNACK that accepts the connection.
pub(in crate::ingest::mqtt) fn accepted(v5: bool, session_present: bool) -> Vec<u8> {
    let present = u8::from(session_present);
    if v5 { vec![0x20, present, 0] } else { vec![0x20, 2, present, 0] }
}

/// A device that is only a socket.
pub(in crate::ingest::mqtt) struct Device {
    pub(in crate::ingest::mqtt) stream: TcpStream,
}

impl Device {
    pub(in crate::ingest::mqtt) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the socket takes bytes");
    }

    /// The next packet as it came, or nothing at the end. A CONNACK of MQTT 5 is cut: type, flags, reason code.
    pub(in crate::ingest::mqtt) fn packet(&mut self) -> Option<Vec<u8>> {
        let whole = self.whole_packet()?;
        if whole[0] == 0x20 && whole.len() > 4 { Some(vec![0x20, whole[2], whole[3]]) } else { Some(whole) }
    }

    /// The next packet with all its bytes, or nothing at the end.
    pub(in crate::ingest::mqtt) fn whole_packet(&mut self) -> Option<Vec<u8>> {
        let mut packet = vec![0; 2];
        match self.stream.read_exact(&mut packet) {
            Ok(()) => {}
            Err(error) if is_end(&error) => return None,
            Err(error) => panic!("no packet came: {error}"),
        }
        assert!(packet[1] < 0x80, "answers are short");
        let length = usize::from(packet[1]);
        packet.resize(2 + length, 0);
        self.stream.read_exact(&mut packet[2..]).expect("a packet is whole");
        Some(packet)
    }

    /// Whether the listener closed the connection, with nothing more to say.
    pub(in crate::ingest::mqtt) fn is_closed(&mut self) -> bool {
        match self.stream.read(&mut [0; 64]) {
            Ok(bytes) => bytes == 0,
            Err(error) => is_end(&error),
        }
    }

    /// Closes without a DISCONNECT.
    pub(in crate::ingest::mqtt) fn vanish(self) {
        self.stream.shutdown(Shutdown::Both).expect("the socket closes");
    }
}

fn is_end(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), UnexpectedEof | ConnectionReset | ConnectionAborted)
}

/// Puts a packet together from its first byte and its body.
pub(in crate::ingest::mqtt) fn frame(first: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![first];
    let mut length = body.len();
    loop {
        let more = length >= 128;
        packet.push((length % 128) as u8 | if more { 128 } else { 0 });
        length /= 128;
        if !more {
            break;
        }
    }
    packet.extend_from_slice(body);
    packet
}

pub(in crate::ingest::mqtt) fn string(text: &str) -> Vec<u8> {
    let mut bytes = (text.len() as u16).to_be_bytes().to_vec();
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

/// A CONNECT without a will. In MQTT 5 a session that is not clean is kept for an hour.
pub(in crate::ingest::mqtt) fn connect(v5: bool, client: &str, clean: bool, keep_alive: u16) -> Vec<u8> {
    connect_with(v5, client, if clean { 2 } else { 0 }, keep_alive, &[])
}

/// A CONNECT with its flags, and the bytes after the client id.
pub(in crate::ingest::mqtt) fn connect_with(
    v5: bool,
    client: &str,
    flags: u8,
    keep_alive: u16,
    rest: &[u8],
) -> Vec<u8> {
    let mut body = string("MQTT");
    body.extend([if v5 { 5 } else { 4 }, flags]);
    body.extend(keep_alive.to_be_bytes());
    if v5 {
        body.extend(if flags & 2 == 0 { &[5, 0x11, 0, 0, 0x0E, 0x10][..] } else { &[0][..] });
    }
    body.extend(string(client));
    body.extend_from_slice(rest);
    frame(0x10, &body)
}

/// A PUBLISH without properties.
pub(in crate::ingest::mqtt) fn publish(v5: bool, qos: u8, id: u16, topic: &str, payload: &str) -> Vec<u8> {
    let mut body = string(topic);
    if qos > 0 {
        body.extend(id.to_be_bytes());
    }
    if v5 {
        body.push(0);
    }
    body.extend_from_slice(payload.as_bytes());
    frame(0x30 | qos << 1, &body)
}

/// A PUBLISH that is marked as sent again.
pub(in crate::ingest::mqtt) fn again(mut publish: Vec<u8>) -> Vec<u8> {
    publish[0] |= 8;
    publish
}

pub(in crate::ingest::mqtt) fn pubrel(id: u16) -> Vec<u8> {
    let [high, low] = id.to_be_bytes();
    vec![0x62, 2, high, low]
}

pub(in crate::ingest::mqtt) const PINGREQ: [u8; 2] = [0xC0, 0];
pub(in crate::ingest::mqtt) const PINGRESP: [u8; 2] = [0xD0, 0];
