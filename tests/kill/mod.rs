//! The kill test: `kill -9` of a running persistent query at random moments, while events keep coming.
//!
//! A producer writes numbered events of a hundred devices into four partitions; `alcedo run` computes a column and writes
//! them on; the process is killed and started again, many times, each time in the middle of its output. Afterwards a
//! `read_committed` reader must see every event exactly once (or at least once, where that is the promise), in order per
//! device, and after each restart output must have come within ten seconds. It runs with the broker outside (the embedded
//! one in a process of its own, and Apache Kafka), and with the broker inside the process that is killed (`--data`). The same
//! for a join, whose rows meet their partners of before the kill in what is kept of them, one side through a topic of its own.
//!
//! `feed` writes and follows, `verify` judges, this file kills. By default few kills and events, for `cargo test`;
//! `ALCEDO_TEST_KILLS=20` and `ALCEDO_TEST_KILL_EVENTS=100000` give the full size, `ALCEDO_TEST_SEED` repeats the moments.

mod feed;
mod verify;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::conformance::apache::ApacheKafka;
use crate::conformance::client::{Outcome, Step, await_partitions, ensure};
use crate::conformance::embedded::EmbeddedBroker;
use crate::conformance::handle::{BrokerHandle, Process, free_ports};
use feed::{Feed, Follower, PARTITIONS, count_input, read_output};
use verify::{Guarantee, verify};

/// How soon after a restart there must be output, in spite of the dead member's session and open transaction.
const RESUME: Duration = Duration::from_secs(10);
/// How soon SIGTERM must end the process, with a clean commit.
const STOP: Duration = Duration::from_secs(5);
/// A kill falls at a random moment within this time after the first output of a run.
const KILL_WITHIN_MS: u64 = 400;

#[test]
fn exactly_once_with_the_broker_outside() {
    outside(Guarantee::ExactlyOnce);
}

#[test]
fn at_least_once_with_the_broker_outside() {
    outside(Guarantee::AtLeastOnce);
}

#[test]
fn a_join_exactly_once_with_the_broker_outside() {
    let mut broker = EmbeddedBroker::new().unwrap_or_else(|error| panic!("{error}"));
    broker.start().unwrap_or_else(|error| panic!("{error}"));
    let mut query = Query::outside(Guarantee::ExactlyOnce, &broker.bootstrap()).joining();
    report("a join, embedded broker outside", Guarantee::ExactlyOnce, torture(&mut query));
}

#[test]
fn a_join_at_least_once_with_the_broker_inside() {
    let guarantee = Guarantee::AtLeastOnce;
    report("a join, embedded broker inside", guarantee, torture(&mut Query::inside(guarantee).joining()));
}

#[test]
fn exactly_once_with_the_broker_inside() {
    inside(Guarantee::ExactlyOnce);
}

#[test]
fn at_least_once_with_the_broker_inside() {
    inside(Guarantee::AtLeastOnce);
}

/// Both guarantees on Apache Kafka, if there is one.
#[test]
fn apache_kafka() {
    let Some(jars) = std::env::var_os("ALCEDO_TEST_KAFKA").filter(|jars| !jars.is_empty()) else {
        let line = "skipped: kill test on Apache Kafka (ALCEDO_TEST_KAFKA is not set)";
        let _ = writeln!(std::io::stderr(), "{line}");
        return;
    };
    for guarantee in [Guarantee::ExactlyOnce, Guarantee::AtLeastOnce] {
        let mut broker = ApacheKafka::new(Path::new(&jars)).unwrap_or_else(|error| panic!("{error}"));
        broker.start().unwrap_or_else(|error| panic!("{error}"));
        report("Apache Kafka outside", guarantee, torture(&mut Query::outside(guarantee, &broker.bootstrap())));
    }
    let guarantee = Guarantee::ExactlyOnce;
    let mut broker = ApacheKafka::new(Path::new(&jars)).unwrap_or_else(|error| panic!("{error}"));
    broker.start().unwrap_or_else(|error| panic!("{error}"));
    let mut query = Query::outside(guarantee, &broker.bootstrap()).joining();
    report("a join, Apache Kafka outside", guarantee, torture(&mut query));
}

fn outside(guarantee: Guarantee) {
    let mut broker = EmbeddedBroker::new().unwrap_or_else(|error| panic!("{error}"));
    broker.start().unwrap_or_else(|error| panic!("{error}"));
    report("embedded broker outside", guarantee, torture(&mut Query::outside(guarantee, &broker.bootstrap())));
}

fn inside(guarantee: Guarantee) {
    report("embedded broker inside", guarantee, torture(&mut Query::inside(guarantee)));
}

fn report(place: &str, guarantee: Guarantee, outcome: Outcome<String>) {
    let line = match &outcome {
        Ok(text) => text.as_str(),
        Err(error) => panic!("{place}, {}: {error}", guarantee.setting()),
    };
    let _ = writeln!(std::io::stderr(), "kill test, {place}, {}: {line}", guarantee.setting());
}

/// Kills the query as often as it is told, judges the output, and returns one line of figures.
fn torture(query: &mut Query) -> Outcome<String> {
    let (kills, events) = (number("ALCEDO_TEST_KILLS", 2)?, number("ALCEDO_TEST_KILL_EVENTS", 6_000)?);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).step("the clock")?;
    let seed = number("ALCEDO_TEST_SEED", now.subsec_nanos() as usize)?;
    let mut random = Random(seed as u64 | 1);
    let began = Instant::now();
    let outcome = (|| {
        query.start()?;
        for topic in query.inputs() {
            await_partitions(&query.bootstrap, topic, PARTITIONS)?;
        }
        await_partitions(&query.bootstrap, "halves", PARTITIONS)?;
        let feed = Feed::start(&query.bootstrap, query.inputs())?;
        let mut follower = Follower::start(&query.bootstrap, "halves")?;
        // Each run gets its share of the events: one half until there is output, the other until the kill.
        let share = events / (kills + 1);
        let mut slowest = Duration::ZERO;
        for kill in 0..=kills {
            let (fresh, started) = (feed.sent(), Instant::now());
            feed.allow(kill * share + share / 2);
            let resumed = follower.look(started + RESUME, fresh)?;
            ensure!(resumed, "no new output within {RESUME:?} of start {kill}\n{}", query.last_words());
            slowest = slowest.max(started.elapsed());
            if kill < kills {
                feed.allow((kill + 1) * share);
                let moment = Instant::now() + Duration::from_millis(random.below(KILL_WITHIN_MS));
                while follower.look(moment, 0)? {}
                query.kill()?;
                query.start()?;
            }
        }
        feed.allow(events);
        feed.finish()?;
        follower.await_all(events)?;
        query.stop()?;
        query.while_the_broker_serves(|bootstrap| {
            for topic in query.inputs() {
                let input = count_input(bootstrap, topic)?;
                ensure!(input == events, "topic {topic} holds {input} records, {events} were sent");
            }
            let repeated = verify(&read_output(bootstrap, "halves")?, events, query.guarantee)?;
            let total = began.elapsed().as_secs_f64();
            let slowest = slowest.as_secs_f64();
            Ok(format!(
                "{events} events, {kills} kills, {repeated} repeated, slowest resume {slowest:.1} s, {total:.1} s in all"
            ))
        })
    })();
    outcome.map_err(|error| format!("{error}\nALCEDO_TEST_SEED={seed}\n{}", query.last_words()))
}

/// The query as a process: `alcedo run` over one SQL file.
struct Query {
    guarantee: Guarantee,
    bootstrap: String,
    folder: tempfile::TempDir,
    /// Where the broker inside keeps its data; none when it is outside.
    data: Option<PathBuf>,
    process: Option<Process>,
    /// Whether each event is joined with another of the same number.
    joins: bool,
}

/// The events go on as they come.
const COPY: &str = "device, id, n, reading * 2 AS half FROM readings";

/// They meet those of another topic, which are not by the name of the device.
const JOIN: &str = "r.device AS device, r.id AS id, n, reading * 2 AS half \
    FROM readings r JOIN marks m WITHIN 1 SECOND ON r.device = m.device WHERE r.id = m.id";

impl Query {
    fn outside(guarantee: Guarantee, bootstrap: &str) -> Query {
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("cannot create a folder: {error}"));
        Query { guarantee, bootstrap: bootstrap.to_owned(), folder, data: None, process: None, joins: false }
    }

    fn inside(guarantee: Guarantee) -> Query {
        let mut query = Query::outside(guarantee, &format!("127.0.0.1:{}", free_ports(1)));
        query.data = Some(query.folder.path().join("data"));
        query
    }

    fn joining(self) -> Query {
        Query { joins: true, ..self }
    }

    /// The topics the events are written to.
    fn inputs(&self) -> &'static [&'static str] {
        if self.joins { &["readings", "marks"] } else { &["readings"] }
    }

    fn start(&mut self) -> Outcome {
        let file = self.folder.path().join("halves.sql");
        let select = if self.joins { JOIN } else { COPY };
        let sql = format!(
            "SET 'processing.guarantee' = '{}';\n\
             CREATE STREAM readings (device VARCHAR KEY, id BIGINT, n BIGINT, reading DOUBLE)\n  \
             WITH (kafka_topic = 'readings', value_format = 'JSON', partitions = {PARTITIONS});\n\
             CREATE STREAM marks (k VARCHAR KEY, id BIGINT, device VARCHAR)\n  \
             WITH (kafka_topic = 'marks', value_format = 'JSON', partitions = {PARTITIONS});\n\
             CREATE STREAM halves WITH (kafka_topic = 'halves', value_format = 'JSON', partitions = {PARTITIONS}) AS\n  \
             SELECT {select};\n",
            self.guarantee.setting()
        );
        std::fs::write(&file, sql).step("the SQL file")?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_alcedo"));
        command.arg("run").arg(&file).args(["--service-id", "kill-test", "--from", "earliest"]);
        match &self.data {
            Some(data) => command.arg("--data").arg(data).args(["--listen", &self.bootstrap]),
            None => command.args(["-b", &self.bootstrap]),
        };
        self.process = Some(Process::spawn(command)?);
        Ok(())
    }

    fn kill(&mut self) -> Outcome {
        let mut process = self.process.take().ok_or("the query is not running")?;
        if let Some(status) = process.ended()? {
            return Err(format!("the query ended by itself: {status}\n{}", process.last_words()));
        }
        process.kill()
    }

    fn stop(&mut self) -> Outcome {
        let mut process = self.process.take().ok_or("the query is not running")?;
        let status = process.stop(STOP)?;
        ensure!(status.success(), "SIGTERM ended the query with {status}\n{}", process.last_words());
        Ok(())
    }

    /// With the broker inside, it is gone with the query: then its data are served by the broker alone.
    fn while_the_broker_serves<T>(&self, look: impl FnOnce(&str) -> Outcome<T>) -> Outcome<T> {
        let _broker = match &self.data {
            Some(data) => {
                let mut command = Command::new(env!("CARGO_BIN_EXE_alcedo"));
                command.arg("broker").arg("--data").arg(data).args(["--listen", &self.bootstrap]);
                Some(Process::start(command, &self.bootstrap, RESUME)?)
            }
            None => None,
        };
        look(&self.bootstrap)
    }

    fn last_words(&self) -> String {
        self.process.as_ref().map(Process::last_words).unwrap_or_default()
    }
}

fn number(name: &str, default: usize) -> Outcome<usize> {
    match std::env::var(name) {
        Ok(text) => text.parse().step(name),
        Err(_) => Ok(default),
    }
}

/// Marsaglia's xorshift: enough for moments.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}
