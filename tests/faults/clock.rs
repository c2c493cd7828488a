//! What expires by the broker's clock, on a clock that the test moves.

use std::time::Duration;

use alcedo::broker::clock::Clock;
use alcedo::broker::{Broker, Config, Storage};
use rdkafka::consumer::{CommitMode, Consumer};

use crate::conformance::client::*;
use crate::conformance::wire::Wire;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A broker in memory with a clock of the test's, which stands at the present.
fn start(config: Config) -> Outcome<(Broker, Clock, String)> {
    let clock = Clock::manual(Clock::system().now_ms());
    let broker = Broker::start_blocking(Config { clock: clock.clone(), ..config }).step("the broker")?;
    let boot = broker.addr().to_string();
    Ok((broker, clock, boot))
}

fn run(test: impl FnOnce() -> Outcome) {
    test().unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn records_go_when_their_time_is_over_and_not_before() {
    run(|| {
        let (_broker, clock, boot) = start(Config::default())?;
        create_with(&boot, "week", 1, &[("retention.ms", "604800000")])?;
        create_with(&boot, "ever", 1, &[])?;
        let producer = Producer::new(&boot, &[])?;
        for topic in ["week", "ever"] {
            producer.put_all(topic, 0, &["x"; 3])?;
        }
        clock.advance(DAY * 6);
        ensure!(watermarks(&boot, "week", 0)? == (0, 3), "gone after six days");
        clock.advance(DAY * 2);
        until("the records to go", || Ok((watermarks(&boot, "week", 0)? == (3, 3)).then_some(())))?;
        ensure!(watermarks(&boot, "ever", 0)? == (0, 3), "a topic without retention lost records");
        Ok(())
    });
}

#[test]
fn a_transaction_that_is_open_for_too_long_is_aborted() {
    run(|| {
        let (_broker, clock, boot) = start(Config::default())?;
        let topic = new_topic(&boot, "late", 1)?;
        let producer = Producer::transactional(&boot, "late", &[("transaction.timeout.ms", "600000")])?;
        producer.begin()?;
        producer.put_all(&topic, 0, &["void"])?;
        let mut wire = Wire::connect(&boot)?;
        clock.advance(Duration::from_secs(500));
        ensure!(wire.transaction_state("late")?.as_deref() == Some("Ongoing"), "it ended before its time");
        clock.advance(Duration::from_secs(101));
        until("the abort", || Ok((wire.transaction_state("late")?.as_deref() == Some("CompleteAbort")).then_some(())))?;
        ensure!(read(&boot, &topic, 1, Isolation::Committed)?.is_empty(), "the record shows");
        Ok(())
    });
}

#[test]
fn offsets_of_a_group_without_members_go_after_their_time() {
    run(|| {
        let (_broker, clock, boot) = start(Config::default())?;
        let topic = new_topic(&boot, "offsets", 1)?;
        Producer::new(&boot, &[])?.put_all(&topic, 0, &["x"; 5])?;
        let outsider = reader(&boot, &[("group.id", "idle")])?;
        outsider.commit(&at(&topic, 0, 3)?, CommitMode::Sync).step("commit")?;
        clock.advance(DAY * 6);
        ensure!(committed(&boot, "idle", &topic, 0)? == Some(3), "gone after six days");
        // Committing begins the time anew.
        outsider.commit(&at(&topic, 0, 4)?, CommitMode::Sync).step("commit")?;
        clock.advance(DAY * 6);
        ensure!(committed(&boot, "idle", &topic, 0)? == Some(4), "gone six days after the last commit");
        clock.advance(DAY * 2);
        until("the offset to go", || Ok(committed(&boot, "idle", &topic, 0)?.is_none().then_some(())))
    });
}

#[test]
fn a_group_with_members_keeps_its_offsets_and_one_that_lost_them_has_its_time_from_then_on() {
    run(|| {
        let config = Config { offsets_retention: Duration::from_secs(100), ..Config::default() };
        let (_broker, clock, boot) = start(config)?;
        let topic = new_topic(&boot, "kept", 1)?;
        Producer::new(&boot, &[])?.put_all(&topic, 0, &["x"; 5])?;
        let settings = [("session.timeout.ms", "1000000"), ("max.poll.interval.ms", "2000000")];
        let member = member(&boot, "busy", &topic, &settings)?;
        poll_until("the partition", &[&member], |_, _| {}, || Ok(assigned(&member)? == 1))?;
        member.commit(&at(&topic, 0, 3)?, CommitMode::Sync).step("commit")?;
        let outsider = reader(&boot, &[("group.id", "idle")])?;
        outsider.commit(&at(&topic, 0, 3)?, CommitMode::Sync).step("commit")?;
        clock.advance(Duration::from_secs(150));
        // The other group's offset is the sign that upkeep has been here.
        until("the idle group's offset to go", || Ok(committed(&boot, "idle", &topic, 0)?.is_none().then_some(())))?;
        ensure!(committed(&boot, "busy", &topic, 0)? == Some(3), "a group with a member lost its offset");
        drop(member);
        until("the offset of the group that was left", || {
            clock.advance(Duration::from_secs(60));
            Ok(committed(&boot, "busy", &topic, 0)?.is_none().then_some(()))
        })
    });
}

#[test]
fn a_transactional_id_that_is_not_used_is_forgotten_and_its_producer_told() {
    run(|| {
        let (_broker, clock, boot) = start(Config::default())?;
        let topic = new_topic(&boot, "ids", 1)?;
        let producer = Producer::transactional(&boot, "unused", &[])?;
        producer.begin()?;
        producer.put(&topic, 0, "x")?;
        producer.commit()?;
        let mut wire = Wire::connect(&boot)?;
        clock.advance(DAY * 6);
        ensure!(wire.transaction_state("unused")?.is_some(), "forgotten after six days");
        clock.advance(DAY * 2);
        until("the id to be forgotten", || Ok(wire.transaction_state("unused")?.is_none().then_some(())))?;
        // A new producer of the same name begins as if it were the first.
        let again = Producer::transactional(&boot, "unused", &[])?;
        again.begin()?;
        again.put(&topic, 0, "y")?;
        again.commit()?;
        let got = texts(&read(&boot, &topic, 1, Isolation::Committed)?);
        ensure!(got == ["x", "y"], "read {got:?}");
        Ok(())
    });
}

#[test]
fn a_crash_loses_nothing_that_was_acknowledged() {
    run(|| {
        let dir = tempfile::tempdir().step("a folder")?;
        let config = || Config { storage: Storage::Dir(dir.path().to_path_buf()), ..Config::default() };
        let broker = Broker::start_blocking(config()).step("the broker")?;
        let boot = broker.addr().to_string();
        let topic = new_topic(&boot, "crash", 1)?;
        let values: Vec<String> = (0..500).map(|n| n.to_string()).collect();
        Producer::new(&boot, &[("batch.num.messages", "7")])?.put_all(&topic, 0, &values)?;
        let transactional = Producer::transactional(&boot, "crash", &[])?;
        transactional.begin()?;
        transactional.put_all(&topic, 0, &["open"])?;
        broker.crash();
        let names = |path: &std::path::Path| -> Outcome<Vec<String>> {
            let entries = std::fs::read_dir(path).step("the folder")?;
            Ok(entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
        };
        let topics = dir.path().join("topics");
        let partition = topics.join(&names(&topics)?[0]).join("0");
        let left = names(&partition)?;
        ensure!(left.iter().all(|name| name.ends_with(".log")), "a crash finishes nothing: {left:?}");
        let broker = Broker::start_blocking(config()).step("the broker, again")?;
        let boot = broker.addr().to_string();
        let got = texts(&read(&boot, &topic, 1, Isolation::Committed)?);
        ensure!(got == values, "{} records after the crash", got.len());
        ensure!(texts(&read(&boot, &topic, 1, Isolation::Uncommitted)?).len() == 501, "the open record is gone");
        Ok(())
    });
}
