//! A persistent query over a broker with hooks, in this process: fed, followed and judged.

use std::time::{Duration, Instant};

use alcedo::broker::hooks::Hooks;
use alcedo::broker::{Broker, Config};
use alcedo::config::{Origin, Settings};
use alcedo::session::Storage;
use alcedo::{Engine, Session};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};

use crate::conformance::client::{Isolation, Outcome, PATIENCE, Producer, Step, ensure, out, read, reader};

/// The name of the engine's clients.
pub const ENGINE: &str = "alcedo";

/// A broker, an engine on it, and the two ends of a query that doubles a number.
pub struct Bench {
    pub hooks: Hooks,
    pub sent: usize,
    /// Every so many records are none that the query can read, and become dead letters.
    pub bad_every: Option<usize>,
    /// Whether the query joins each number with itself, through topics of its own.
    pub joins: bool,
    bootstrap: String,
    session: Session,
    engine: Engine,
    producer: Producer,
    follower: BaseConsumer,
    seen: Vec<usize>,
    _broker: Broker,
}

impl Bench {
    /// Everything but the query; the input topic is there.
    pub fn start(guarantee: &str, commit_interval_ms: u32) -> Outcome<Bench> {
        let hooks = Hooks::new();
        let config = Config { hooks: Some(hooks.clone()), threads: 1, ..Config::default() };
        let broker = Broker::start_blocking(config).step("the broker")?;
        let bootstrap = broker.addr().to_string();
        let mut settings = Settings::new();
        for (name, value) in [
            ("processing.guarantee", guarantee),
            ("commit.interval.ms", &commit_interval_ms.to_string()),
            ("session.timeout.ms", "1000"),
            ("auto.offset.reset", "earliest"),
        ] {
            settings.set(Origin::Flag, name, value).step(name)?;
        }
        let engine = Engine::builder().storage(Storage::Cluster(bootstrap.clone())).settings(settings);
        let engine = engine.start().step("the engine")?;
        let mut session = engine.session();
        for name in ["numbers", "again"] {
            let sql = format!(
                "CREATE STREAM {name} (id BIGINT) WITH (kafka_topic = 'in', value_format = 'JSON', partitions = 1);"
            );
            session.execute(&sql).step(&sql)?;
        }
        let producer = Producer::new(&bootstrap, &[])?;
        let follower = reader(&bootstrap, &[("isolation.level", "read_committed"), ("enable.partition.eof", "false")])?;
        let mut assignment = TopicPartitionList::new();
        assignment.add_partition_offset("out", 0, Offset::Offset(0)).step("assignment")?;
        follower.assign(&assignment).step("assign")?;
        Ok(Bench {
            hooks,
            sent: 0,
            bad_every: None,
            joins: false,
            bootstrap,
            session,
            engine,
            producer,
            follower,
            seen: Vec::new(),
            _broker: broker,
        })
    }

    /// Starts the query. A statement that fails leaves no trace, so it can be tried until it is accepted.
    pub fn query(&mut self) -> Outcome {
        let on_error = match self.bad_every {
            Some(_) => ", on_error = 'dead_letter', dead_letter_topic = 'dead'",
            None => "",
        };
        let select = match self.joins {
            true => {
                "n.id AS k, AS_VALUE(n.id) AS id, n.id * 2 AS twice FROM numbers n JOIN again a WITHIN 1 DAY ON n.id = a.id"
            }
            false => "id, id * 2 AS twice FROM numbers",
        };
        let sql =
            &format!("CREATE STREAM doubles WITH (kafka_topic = 'out', partitions = 1{on_error}) AS SELECT {select};");
        let first = match self.session.execute(sql) {
            Ok(_) => return Ok(()),
            Err(error) => error,
        };
        self.session.execute(sql).map(drop).map_err(|again| format!("{sql}\nfirst: {first}\nthen: {again}"))
    }

    /// Writes some more numbers, without waiting for them.
    pub fn feed(&mut self, count: usize) -> Outcome {
        for id in self.sent..self.sent + count {
            let value = if self.is_bad(id) { format!("no number {id}") } else { format!("{{\"ID\":{id}}}") };
            self.producer.send(out("in", 0, id).payload(value.as_bytes()))?;
        }
        self.sent += count;
        self.producer.inner.poll(Duration::ZERO);
        Ok(())
    }

    fn is_bad(&self, id: usize) -> bool {
        self.bad_every.is_some_and(|every| id.is_multiple_of(every))
    }

    /// The numbers that were sent and have an output.
    fn good(&self) -> Vec<usize> {
        (0..self.sent).filter(|id| !self.is_bad(*id)).collect()
    }

    /// Reads what has come out, waiting shortly for the first.
    pub fn look(&mut self, wait: Duration) -> Outcome {
        let mut wait = wait;
        while let Some(message) = self.follower.poll(wait) {
            wait = Duration::ZERO;
            // The topic may not be there yet.
            if let Ok(message) = message {
                self.seen.push(number(message.payload())?);
            }
        }
        Ok(())
    }

    /// How many outputs have been seen so far.
    pub fn seen(&self) -> usize {
        self.seen.len()
    }

    /// Waits until everything that was sent has come out.
    pub fn await_all(&mut self) -> Outcome {
        self.producer.flush()?;
        let mut deadline = Instant::now() + PATIENCE;
        loop {
            let before = self.seen.len();
            let missing = missing(&self.seen, &self.good());
            if missing.is_empty() {
                return Ok(());
            }
            if self.seen.len() > before {
                deadline = Instant::now() + PATIENCE;
            }
            let states: Vec<String> = self.engine.stats().into_iter().map(|query| query.state).collect();
            ensure!(
                Instant::now() < deadline,
                "{} of {} are missing, first {:?}; the query is {states:?}",
                missing.len(),
                self.sent,
                &missing[..missing.len().min(5)]
            );
            self.look(Duration::from_millis(20))?;
        }
    }

    /// Stops everything and reads the output once more, from its beginning; how many outputs came twice.
    pub fn finish(self, exactly_once: bool) -> Outcome<usize> {
        self.engine.shutdown(PATIENCE).step("shutdown")?;
        let records = read(&self.bootstrap, "out", 1, Isolation::Committed)?;
        let ids: Vec<usize> = records.iter().map(|got| number(got.value.as_deref())).collect::<Outcome<_>>()?;
        let good = self.good();
        let missing = missing(&ids, &good);
        ensure!(missing.is_empty(), "{} of {} are lost, first {}", missing.len(), good.len(), missing[0]);
        if exactly_once {
            let wrong = ids.iter().zip(&good).find(|(id, expected)| id != expected);
            ensure!(wrong.is_none(), "output {wrong:?} is out of its place: {} outputs of {}", ids.len(), good.len());
            ensure!(ids.len() == good.len(), "{} outputs of {}", ids.len(), good.len());
        }
        if self.bad_every.is_some() {
            let dead = read(&self.bootstrap, "dead", 1, Isolation::Committed)?;
            let dead: Vec<String> = dead
                .iter()
                .map(|got| String::from_utf8_lossy(got.value.as_deref().unwrap_or_default()).into())
                .collect();
            let bad: Vec<String> =
                (0..self.sent).filter(|id| self.is_bad(*id)).map(|id| format!("no number {id}")).collect();
            ensure!(!exactly_once || dead == bad, "{} dead letters of {}: {dead:?}", dead.len(), bad.len());
            ensure!(bad.iter().all(|bad| dead.contains(bad)), "a dead letter is lost: {dead:?}");
        }
        Ok(ids.len() - good.len())
    }
}

fn number(payload: Option<&[u8]>) -> Outcome<usize> {
    let value: serde_json::Value = serde_json::from_slice(payload.unwrap_or_default()).step("an output")?;
    let (id, twice) = (value["ID"].as_u64(), value["TWICE"].as_u64());
    ensure!(id.is_some() && twice == id.map(|id| id * 2), "a wrong output: {value}");
    Ok(id.unwrap_or_default() as usize)
}

fn missing(seen: &[usize], good: &[usize]) -> Vec<usize> {
    let seen: std::collections::HashSet<usize> = seen.iter().copied().collect();
    good.iter().copied().filter(|id| !seen.contains(id)).collect()
}
