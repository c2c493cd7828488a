//! A commit is decided before its markers are written: what hangs on the markers waits for them, and nothing else does.

use std::time::{Duration, Instant};

use alcedo::broker::hooks::Hooks;
use alcedo::broker::{Broker, Config};
use alcedo::kafka::{Admin, ClientConfig, TopicPartition, replay_partitions};

use super::query::Bench;
use crate::conformance::client::{
    Isolation, Outcome, PATIENCE, Producer, Step, at, committed, ensure, new_topic, read, texts, until,
};
use crate::conformance::wire::{Wire, code};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::Producer as _;

/// The query waits for its own markers before the next transaction, and goes on when they come.
#[test]
fn a_query_goes_on_when_late_markers_come() {
    let outcome = (|| -> Outcome {
        let mut bench = Bench::start("exactly_once_v2", 5)?;
        bench.query()?;
        bench.feed(10)?;
        bench.await_all()?;
        let held = bench.hooks.hold_markers();
        let before = bench.seen();
        bench.feed(10)?;
        // Time for commits that must not show: a reader of committed records stops at the open transaction.
        let until = Instant::now() + Duration::from_millis(300);
        while Instant::now() < until {
            bench.look(Duration::from_millis(10))?;
        }
        ensure!(bench.seen() == before, "{} outputs showed without their markers", bench.seen() - before);
        drop(held);
        bench.feed(10)?;
        bench.await_all()?;
        bench.finish(true).map(drop)
    })();
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

/// While markers are held, a commit is answered, and neither its records nor its offsets can be seen.
#[test]
fn a_decided_commit_shows_with_its_markers() {
    let outcome = (|| -> Outcome {
        let hooks = Hooks::new();
        let config = Config { hooks: Some(hooks.clone()), ..Config::default() };
        let broker = Broker::start_blocking(config).step("the broker")?;
        let boot = broker.addr().to_string();
        let topic = new_topic(&boot, "held", 1)?;
        let group = "held-group";
        let member: BaseConsumer = crate::conformance::client::reader(&boot, &[("group.id", group)])?;
        let metadata = member.group_metadata().ok_or("no group metadata")?;
        let producer = Producer::transactional(&boot, "held", &[])?;
        producer.begin()?;
        producer.put_all(&topic, 0, &["a"])?;
        producer.inner.send_offsets_to_transaction(&at(&topic, 0, 1)?, &metadata, PATIENCE).step("offsets")?;
        let held = hooks.hold_markers();
        producer.inner.commit_transaction(PATIENCE).step("commit")?;
        let mut wire = Wire::connect(&boot)?;
        let state = wire.transaction_state("held")?;
        ensure!(state.as_deref() == Some("PrepareCommit"), "the transaction is {state:?}");
        let got = texts(&read(&boot, &topic, 1, Isolation::Committed)?);
        ensure!(got.is_empty(), "read_committed saw {got:?} without a marker");
        let found = committed(&boot, group, &topic, 0)?;
        ensure!(found.is_none(), "the committed offset shows without a marker: {found:?}");
        let (error, _) = wire.stable_offset(group, &topic)?;
        ensure!(error == code::UNSTABLE_OFFSET_COMMIT, "a stable offset is asked for: error {error}");
        drop(held);
        until("the marker", || Ok((texts(&read(&boot, &topic, 1, Isolation::Committed)?) == ["a"]).then_some(())))?;
        let found = committed(&boot, group, &topic, 0)?;
        ensure!(found == Some(1), "the committed offset: {found:?}");
        Ok(())
    })();
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

/// What is restored holds also what stands in a transaction that is decided and whose markers are late: whoever goes on from
/// the committed offsets goes on behind it.
#[test]
fn what_is_restored_waits_for_late_markers() {
    let outcome = (|| -> Outcome {
        let hooks = Hooks::new();
        let config = Config { hooks: Some(hooks.clone()), ..Config::default() };
        let broker = Broker::start_blocking(config).step("the broker")?;
        let boot = broker.addr().to_string();
        let topic = new_topic(&boot, "changelog", 1)?;
        let producer = Producer::transactional(&boot, "owner", &[])?;
        producer.begin()?;
        producer.put_all(&topic, 0, &["early"])?;
        producer.inner.commit_transaction(PATIENCE).step("commit")?;
        until("the marker", || Ok((texts(&read(&boot, &topic, 1, Isolation::Committed)?) == ["early"]).then_some(())))?;
        let held = hooks.hold_markers();
        producer.begin()?;
        producer.put_all(&topic, 0, &["late"])?;
        producer.inner.commit_transaction(PATIENCE).step("commit")?;
        let (sender, receiver) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let client = ClientConfig::new(&boot);
            let at = TopicPartition::new(topic.as_str(), 0);
            let mut values = Vec::new();
            let restored = Admin::new(&client).and_then(|admin| {
                replay_partitions(&client, &admin, &[at], PATIENCE, &mut |batch| {
                    values
                        .extend(batch.values.iter().flatten().map(|value| String::from_utf8_lossy(value).into_owned()));
                })
            });
            let _ = sender.send(restored.map(|()| values));
        });
        let early = receiver.recv_timeout(Duration::from_millis(300));
        ensure!(early.is_err(), "it did not wait: {early:?}");
        drop(held);
        let restored = receiver.recv_timeout(PATIENCE).step("the restored records")?.step("the changelog")?;
        ensure!(restored == ["early", "late"], "restored: {restored:?}");
        thread.join().map_err(|_| "the reader panicked".to_string())
    })();
    outcome.unwrap_or_else(|error| panic!("{error}"));
}
