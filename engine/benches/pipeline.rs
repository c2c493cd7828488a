//! CPU seconds per million events of the whole path, beside the floor: what raw librdkafka costs for the same topic.
//!
//! `cargo bench --bench pipeline` (2,000,000 events, 3 rounds) or with `-- --events 200000 --rounds 1`. The broker runs
//! in a process of its own; only the client's CPU is counted (user and system, all threads). Every engine run is a process
//! `alcedo run ... --until-end`, its CPU taken from the operating system after it has ended, start-up included.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use alcedo::anomaly::{Features, Precision, Separators, car_autoencoder, parse_row, score};
use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaErrorCode;

const PARTITIONS: i32 = 4;
const DEVICES: u64 = 1000;

fn main() {
    let options = Options::from_arguments();
    let broker = BrokerProcess::start();
    println!(
        "{} events of about 110 bytes, {PARTITIONS} partitions; CPU seconds per million events, minima of {} rounds",
        options.events, options.rounds
    );
    produce_sensor_events(&broker.address, options.events);

    // Round by round, so that a noisy neighbour or a warm cache favours nobody.
    let guarantees = ["at_least_once", "exactly_once_v2"];
    let mut floor = Cost::MAX;
    let mut queries = [Cost::MAX; 2];
    let mut start_up = Cost::MAX;
    for round in 0..options.rounds {
        floor = floor.min(raw_consume(&broker.address, "sensors", options.events));
        start_up = start_up.min(run_engine(&broker.address, "-- Nothing to do.\n", "exactly_once_v2"));
        for (query, guarantee) in queries.iter_mut().zip(guarantees) {
            let sink = format!("hot_{guarantee}_{round}");
            *query = query.min(run_engine(&broker.address, &filter_and_project(&sink), guarantee));
            let written = count_committed(&broker.address, &sink);
            assert_eq!(written, options.events / 10, "another number of rows came out than pass the filter");
        }
    }
    let floor_cost = floor.per_million(options.events);
    row("raw librdkafka consume (the floor)", floor, options.events, floor_cost);
    for (query, guarantee) in queries.into_iter().zip(guarantees) {
        row(&format!("filter + project, {guarantee}"), query, options.events, floor_cost);
    }
    println!(
        "an empty file takes {:.0} ms CPU, {:.0} ms wall, which is part of each run above",
        start_up.cpu * 1e3,
        start_up.wall * 1e3
    );

    let messages = (options.events / 20).clamp(1024, 100_000);
    produce_car_messages(&broker.address, messages);
    let mut floor = Cost::MAX;
    let mut scored = Cost::MAX;
    for round in 0..options.rounds {
        floor = floor.min(raw_consume(&broker.address, "cars", messages));
        let sink = format!("SCORES_{round}");
        let sql = format!(
            "CREATE STREAM cars (eventid INTEGER, sensorinput VARCHAR) WITH (kafka_topic='cars', value_format='DELIMITED');\n\
             CREATE STREAM {sink} AS SELECT eventid, CAST(ANOMALY(sensorinput) AS DOUBLE) AS anomaly FROM cars;\n"
        );
        scored = scored.min(run_engine(&broker.address, &sql, "exactly_once_v2"));
        assert_eq!(count_committed(&broker.address, &sink), messages);
    }
    println!("autoencoder on text, {messages} messages of about 1.1 kB; CPU microseconds a row");
    println!("  raw librdkafka consume of them                  {:6.2}", floor.cpu / messages as f64 * 1e6);
    println!("  topic to topic, f64, exactly once               {:6.2}", scored.cpu / messages as f64 * 1e6);
    println!(
        "  the same without an empty file's start-up       {:6.2}",
        (scored.cpu - start_up.cpu) / messages as f64 * 1e6
    );
    for precision in [Precision::F64, Precision::F32] {
        println!("  text to score alone, batches of 1,024, {precision:?}      {:6.2}", score_text(precision));
    }
}

/// 10 % of the rows pass, 3 of 6 columns, one of them computed.
fn filter_and_project(sink: &str) -> String {
    format!(
        "CREATE STREAM sensors (device VARCHAR KEY, id BIGINT, temp DOUBLE, pressure DOUBLE, status VARCHAR, site VARCHAR, ts BIGINT) \
           WITH (kafka_topic='sensors', value_format='JSON');\n\
         CREATE STREAM {sink} WITH (kafka_topic='{sink}', partitions={PARTITIONS}) AS \
           SELECT device, id, temp * 1.8e0 + 32 AS fahrenheit, site FROM sensors WHERE temp >= 90.0e0;\n"
    )
}

/// Microseconds of this thread for a row of text: parsed and scored, 1,024 rows at a time.
fn score_text(precision: Precision) -> f64 {
    const ROWS: usize = 1024;
    const BATCHES: usize = 20;
    let model = car_autoencoder(precision).expect("the model loads");
    let mut state = 42;
    let texts: Vec<String> = (0..ROWS)
        .map(|_| {
            let mut text = String::new();
            push_readings(&mut state, &mut text);
            text
        })
        .collect();
    let score_all = || {
        let mut fill =
            |row: usize, features: &mut [f64]| match parse_row(texts[row].as_bytes(), Separators::Hash, features) {
                Ok(()) => Features::Ready,
                Err(fault) => Features::Fault(fault),
            };
        let scores = score(&model, ROWS, &mut fill).expect("the model runs");
        assert!(scores.faults.is_empty() && scores.values[0].is_finite());
    };
    score_all();
    let batches = (0..BATCHES).map(|_| {
        let start = Instant::now();
        score_all();
        start.elapsed().as_secs_f64()
    });
    batches.fold(f64::MAX, f64::min) / ROWS as f64 * 1e6
}

struct Options {
    events: u64,
    rounds: usize,
}

impl Options {
    fn from_arguments() -> Self {
        let arguments: Vec<String> = std::env::args().collect();
        let number = |name: &str| {
            let at = arguments.iter().position(|argument| argument == name)?;
            Some(arguments.get(at + 1).and_then(|n| n.parse().ok()).unwrap_or_else(|| panic!("{name} takes a number")))
        };
        let events: u64 = number("--events").unwrap_or(2_000_000);
        Options { events: events / 10 * 10, rounds: number("--rounds").unwrap_or(3).max(1) as usize }
    }
}

/// What something took, in seconds.
#[derive(Clone, Copy)]
struct Cost {
    cpu: f64,
    wall: f64,
}

impl Cost {
    const MAX: Cost = Cost { cpu: f64::MAX, wall: f64::MAX };

    fn min(self, other: Cost) -> Cost {
        Cost { cpu: self.cpu.min(other.cpu), wall: self.wall.min(other.wall) }
    }

    fn per_million(self, events: u64) -> f64 {
        self.cpu / events as f64 * 1e6
    }
}

fn row(what: &str, cost: Cost, events: u64, floor: f64) {
    let cpu = cost.per_million(events);
    println!("{what:<40} {cpu:6.3} s  {:5.2} x the floor  {:5.2} s wall", cpu / floor, cost.wall);
}

/// `alcedo broker` in memory, on a port of its own choice.
struct BrokerProcess {
    child: Child,
    address: String,
}

impl BrokerProcess {
    fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_alcedo"))
            .args(["broker", "--listen", "127.0.0.1:0", "--memory-topics", "8GB"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the broker starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("stdout is piped");
        BufReader::new(stdout).read_line(&mut line).expect("the broker says its address");
        let address = line.split_whitespace().find(|word| word.contains("127.0.0.1:")).expect("an address").to_string();
        BrokerProcess { child, address }
    }
}

impl Drop for BrokerProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn client(address: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", address).set("broker.address.family", "v4");
    config.set_log_level(RDKafkaLogLevel::Critical);
    config
}

fn produce(address: &str, count: u64, topic: &str, mut record: impl FnMut(u64, &mut String, &mut String)) {
    let admin: rdkafka::admin::AdminClient<_> = client(address).create().expect("an admin client");
    let new_topic = rdkafka::admin::NewTopic::new(topic, PARTITIONS, rdkafka::admin::TopicReplication::Fixed(1));
    let created = admin.create_topics([&new_topic], &rdkafka::admin::AdminOptions::new());
    tokio::runtime::Runtime::new().expect("a runtime").block_on(created).expect("the topic is created");
    let producer: BaseProducer = client(address)
        .set("linger.ms", "20")
        .set("queue.buffering.max.messages", "1000000")
        .create()
        .expect("a producer");
    let (mut key, mut value) = (String::new(), String::new());
    for id in 0..count {
        record(id, &mut key, &mut value);
        while let Err((error, _)) =
            producer.send(BaseRecord::to(topic).key(&key).payload(&value).timestamp(1_700_000_000_000 + id as i64))
        {
            assert_eq!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::QueueFull));
            producer.poll(Duration::from_millis(10));
        }
        if id % 1024 == 0 {
            producer.poll(Duration::ZERO);
        }
    }
    producer.flush(Duration::from_secs(120)).expect("all records are delivered");
}

fn produce_sensor_events(address: &str, count: u64) {
    use std::fmt::Write;
    produce(address, count, "sensors", |id, key, value| {
        key.clear();
        value.clear();
        let _ = write!(key, "device-{:04}", id * 7 % DEVICES);
        // Ten per cent of the readings reach 90 degrees.
        let temp = if id % 10 == 3 { 90.0 + (id % 97) as f64 / 10.0 } else { 20.0 + (id % 691) as f64 / 10.0 };
        let _ = write!(
            value,
            r#"{{"id":{id},"temp":{temp:.1},"pressure":{:.3},"status":"ok","site":"plant-{}","ts":{}}}"#,
            1.0 + (id % 1000) as f64 / 1000.0,
            id % 20,
            1_700_000_000_000u64 + id
        );
    });
}

fn produce_car_messages(address: &str, count: u64) {
    use std::fmt::Write;
    let mut state = 42;
    produce(address, count, "cars", |id, key, value| {
        key.clear();
        value.clear();
        let _ = write!(key, "car-{}", id % 100);
        let _ = write!(value, "{id},");
        push_readings(&mut state, value);
    });
}

/// 210 readings with `#` between them, the next of a fixed pseudo-random series.
fn push_readings(state: &mut u64, text: &mut String) {
    use std::fmt::Write;
    for reading in 0..210 {
        *state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let hundredths = 200 + (*state >> 33) % 800;
        let separator = if reading == 0 { "" } else { "#" };
        let _ = write!(text, "{separator}{}.{:02}", hundredths / 100, hundredths % 100);
    }
}

/// A raw consumer that counts bytes, fed in batches from librdkafka's queue; what it takes from its assignment on.
fn raw_consume(address: &str, topic: &str, count: u64) -> Cost {
    let consumer: BaseConsumer = client(address)
        .set("group.id", "floor")
        .set("enable.auto.commit", "false")
        .set("fetch.queue.backoff.ms", "2")
        .create()
        .expect("a consumer");
    let mut assignment = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        assignment.add_partition_offset(topic, partition, Offset::Offset(0)).expect("an offset");
    }
    let (before, start) = (cpu_seconds(libc::RUSAGE_SELF), Instant::now());
    consumer.assign(&assignment).expect("an assignment");
    let (mut seen, mut bytes) = (0, 0);
    let deadline = Instant::now() + Duration::from_secs(120);
    // SAFETY: the queue and every message come from this consumer, which outlives them; each message is destroyed once.
    unsafe {
        use rdkafka::bindings as rd;
        let queue = rd::rd_kafka_queue_get_consumer(consumer.client().native_ptr());
        let mut messages = vec![std::ptr::null_mut(); 10_000];
        while seen < count {
            let got = rd::rd_kafka_consume_batch_queue(queue, 5, messages.as_mut_ptr(), messages.len());
            for message in &messages[..got.max(0) as usize] {
                if (**message).err == rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                    bytes += (**message).len;
                    seen += 1;
                }
                rd::rd_kafka_message_destroy(*message);
            }
            assert!(Instant::now() < deadline, "saw {seen} of {count} messages");
        }
        rd::rd_kafka_queue_destroy(queue);
    }
    std::hint::black_box(bytes);
    Cost { cpu: cpu_seconds(libc::RUSAGE_SELF) - before, wall: start.elapsed().as_secs_f64() }
}

/// Runs a SQL file to the end of what the topics hold; what that process took from its start to its exit.
fn run_engine(address: &str, sql: &str, guarantee: &str) -> Cost {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("bench.sql");
    std::fs::File::create(&file).and_then(|mut f| f.write_all(sql.as_bytes())).expect("a SQL file");
    let before = cpu_seconds(libc::RUSAGE_CHILDREN);
    let start = Instant::now();
    let status = Command::new(env!("CARGO_BIN_EXE_alcedo"))
        .args(["run", "-b", address, "--until-end", "--service-id", &format!("bench-{}", std::process::id())])
        .arg(&file)
        .env("ALCEDO_PROCESSING_GUARANTEE", guarantee)
        .stderr(Stdio::null())
        .status()
        .expect("the engine starts");
    assert!(status.success(), "alcedo run ended with {status}");
    Cost { cpu: cpu_seconds(libc::RUSAGE_CHILDREN) - before, wall: start.elapsed().as_secs_f64() }
}

/// Records a `read_committed` reader finds in a topic.
fn count_committed(address: &str, topic: &str) -> u64 {
    let consumer: BaseConsumer = client(address)
        .set("group.id", "count")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("isolation.level", "read_committed")
        .create()
        .expect("a consumer");
    let metadata = consumer.fetch_metadata(Some(topic), Duration::from_secs(10)).expect("metadata");
    let partitions: Vec<i32> = metadata.topics()[0].partitions().iter().map(|partition| partition.id()).collect();
    let mut assignment = TopicPartitionList::new();
    for partition in &partitions {
        assignment.add_partition_offset(topic, *partition, Offset::Offset(0)).expect("an offset");
    }
    consumer.assign(&assignment).expect("an assignment");
    let (mut count, mut ended) = (0, 0);
    while ended < partitions.len() {
        match consumer.poll(Duration::from_secs(30)).expect("an event") {
            Ok(_) => count += 1,
            Err(rdkafka::error::KafkaError::PartitionEOF(_)) => ended += 1,
            Err(error) => panic!("{error}"),
        }
    }
    count
}

/// User and system seconds of this process or of its children that have ended.
fn cpu_seconds(who: libc::c_int) -> f64 {
    // SAFETY: `getrusage` fills the struct it is given.
    let usage = unsafe {
        let mut usage = std::mem::zeroed::<libc::rusage>();
        libc::getrusage(who, &mut usage);
        usage
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}
