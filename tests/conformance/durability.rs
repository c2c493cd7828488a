//! What is left after SIGKILL and a restart: everything that was acknowledged, and who owns what is still open.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::Producer as _;

use super::client::*;
use super::fencing::expect_fatal;
use super::groups::read_member;
use super::handle::BrokerHandle;
use super::topics::{await_gone, delete};
use super::wire::Wire;

/// Killed in the middle of a stream of records: each record that was acknowledged is there, at its offset, once.
pub fn acknowledged_records_survive_a_kill(broker: &mut dyn BrokerHandle) -> Outcome {
    const PARTITIONS: i32 = 4;
    const BEFORE_THE_KILL: usize = 20_000;
    let boot = broker.bootstrap();
    let topic = new_topic(&boot, "acked", PARTITIONS)?;
    let producer = Producer::new(&boot, &[("linger.ms", "1"), ("batch.num.messages", "200")])?;
    let mut acked = Vec::new();
    let mut id = 0;
    let deadline = Instant::now() + PATIENCE;
    while acked.len() < BEFORE_THE_KILL {
        ensure!(Instant::now() < deadline, "{} records were acknowledged in {PATIENCE:?}", acked.len());
        for _ in 0..100 {
            producer.send(out(&topic, id as i32 % PARTITIONS, id).payload(format!("{id:0100}").as_bytes()))?;
            id += 1;
        }
        producer.inner.poll(Duration::ZERO);
        acked.extend(producer.inner.context().take());
    }
    broker.kill()?; // Thousands of records are on their way now.
    producer.inner.poll(Duration::from_millis(1));
    acked.extend(producer.inner.context().take());
    drop(producer);
    broker.start()?;

    await_partitions(&boot, &topic, PARTITIONS)?;
    let got = read(&boot, &topic, PARTITIONS, Isolation::Committed)?;
    let stored: HashSet<(i32, i64, Vec<u8>)> =
        got.into_iter().map(|r| (r.partition, r.offset, r.value.unwrap_or_default())).collect();
    let acked: Vec<Report> = acked.into_iter().filter(|report| report.error.is_none()).collect();
    let lost =
        acked.iter().filter(|r| !stored.contains(&(r.partition, r.offset, format!("{:0100}", r.id).into_bytes())));
    let lost: Vec<_> = lost.map(|r| (r.partition, r.offset, r.id)).collect();
    ensure!(lost.is_empty(), "lost {} of {} acknowledged records, first {:?}", lost.len(), acked.len(), lost[0]);
    let values: HashSet<&[u8]> = stored.iter().map(|(_, _, value)| value.as_slice()).collect();
    ensure!(
        values.len() == stored.len(),
        "{} of {} stored records are repetitions",
        stored.len() - values.len(),
        stored.len()
    );
    Ok(())
}

/// Committed offsets are still there.
pub fn group_offsets_survive_a_kill(broker: &mut dyn BrokerHandle) -> Outcome {
    let boot = broker.bootstrap();
    let topic = new_topic(&boot, "offsets-kill", 1)?;
    let group = fresh("offsets-kill");
    Producer::new(&boot, &[])?.put_all(&topic, 0, &["x"; 10])?;
    {
        let member = member(&boot, &group, &topic, &[])?;
        read_member(&member, "records", 10, |_| {})?;
        member.commit(&at(&topic, 0, 4)?, CommitMode::Sync).step("commit")?;
        member.commit(&at(&topic, 0, 6)?, CommitMode::Sync).step("commit")?;
    }
    broker.restart()?;
    await_partitions(&boot, &topic, 1)?;
    let found = committed(&boot, &group, &topic, 0)?;
    ensure!(found == Some(6), "committed offset after the restart: {found:?}, wanted 6");
    let member = member(&boot, &group, &topic, &[])?;
    let mut first = None;
    read_member(&member, "records after the restart", 4, |record| {
        first.get_or_insert(rdkafka::Message::offset(record));
    })?;
    ensure!(first == Some(6), "the group went on at offset {first:?}, wanted 6");
    Ok(())
}

/// An open transaction stays open over a kill, invisible to `read_committed`, and the same producer goes on and commits it.
pub fn an_open_transaction_survives_a_kill(broker: &mut dyn BrokerHandle) -> Outcome {
    let boot = broker.bootstrap();
    let topic = new_topic(&boot, "open-kill", 1)?;
    let producer = Producer::transactional(&boot, &fresh("open-kill"), &[])?;
    producer.begin()?;
    producer.put_all(&topic, 0, &["before"])?;
    broker.restart()?;
    await_partitions(&boot, &topic, 1)?;
    let got = texts(&read(&boot, &topic, 1, Isolation::Committed)?);
    ensure!(got.is_empty(), "read_committed saw {got:?} of the open transaction after the restart");
    producer.put_all(&topic, 0, &["after"])?;
    producer.commit()?;
    let got = texts(&read(&boot, &topic, 1, Isolation::Committed)?);
    ensure!(got == ["before", "after"], "read_committed saw {got:?}");
    Ok(())
}

/// What was committed stays visible and what was aborted stays hidden; a successor aborts what was open and fences its producer.
pub fn outcomes_and_fencing_survive_a_kill(broker: &mut dyn BrokerHandle) -> Outcome {
    let boot = broker.bootstrap();
    let topic = new_topic(&boot, "outcome-kill", 1)?;
    let (ended, open) = (fresh("ended-kill"), fresh("open-kill"));
    let producer = Producer::transactional(&boot, &ended, &[])?;
    for (value, commit) in [("kept", true), ("dropped", false), ("kept too", true)] {
        producer.begin()?;
        producer.put(&topic, 0, value)?;
        if commit { producer.commit()? } else { producer.abort()? }
    }
    let zombie = Producer::transactional(&boot, &open, &[])?;
    zombie.begin()?;
    zombie.put_all(&topic, 0, &["left open"])?;
    broker.restart()?;
    await_partitions(&boot, &topic, 1)?;

    let got = texts(&read(&boot, &topic, 1, Isolation::Committed)?);
    ensure!(got == ["kept", "kept too"], "read_committed saw {got:?} after the restart");
    let successor = Producer::transactional(&boot, &open, &[])?;
    successor.begin()?;
    successor.put(&topic, 0, "by the successor")?;
    successor.commit()?;
    expect_fatal("a zombie's commit after the restart", zombie.inner.commit_transaction(PATIENCE))?;
    let got = texts(&read(&boot, &topic, 1, Isolation::Committed)?);
    ensure!(got == ["kept", "kept too", "by the successor"], "read_committed saw {got:?} at the end");
    Ok(())
}

/// Offsets that are part of an open transaction survive too: not visible, and visible once it commits.
pub fn pending_offsets_survive_a_kill(broker: &mut dyn BrokerHandle) -> Outcome {
    let boot = broker.bootstrap();
    let topic = new_topic(&boot, "pending-kill", 1)?;
    let group = fresh("pending-kill");
    Producer::new(&boot, &[])?.put_all(&topic, 0, &["x"; 5])?;
    let member = member(&boot, &group, &topic, &[])?;
    read_member(&member, "records", 5, |_| {})?;
    member.commit(&at(&topic, 0, 1)?, CommitMode::Sync).step("commit")?;
    let metadata = member.group_metadata().ok_or("no group metadata")?;
    let producer = Producer::transactional(&boot, &fresh("pending-kill"), &[])?;
    producer.begin()?;
    producer.inner.send_offsets_to_transaction(&at(&topic, 0, 5)?, &metadata, PATIENCE).step("send offsets")?;
    broker.restart()?;
    await_partitions(&boot, &topic, 1)?;
    let found = committed(&boot, &group, &topic, 0)?;
    ensure!(found == Some(1), "committed offset while the transaction is open: {found:?}, wanted 1");
    producer.commit()?;
    until("the transaction's offset", || Ok((committed(&boot, &group, &topic, 0)? == Some(5)).then_some(())))
}

/// Topics, their partitions and their settings are still there; a deleted one is not.
pub fn topics_survive_a_kill(broker: &mut dyn BrokerHandle) -> Outcome {
    let boot = broker.bootstrap();
    let (kept, deleted) = (fresh("kept-kill"), new_topic(&boot, "deleted-kill", 1)?);
    create_with(&boot, &kept, 7, &[("retention.ms", "123456")])?;
    delete(&boot, &deleted)?.step("delete")?;
    await_gone(&mut Wire::connect(&boot)?, &deleted)?;
    broker.restart()?;
    await_partitions(&boot, &kept, 7)?;
    await_gone(&mut Wire::connect(&boot)?, &deleted)?;
    let again = try_create(&boot, &kept, 1, &[])?;
    ensure!(again == Err(RDKafkaErrorCode::TopicAlreadyExists), "creating a topic that survived: {again:?}");
    let found = super::topics::config_of(&boot, &kept, "retention.ms")?;
    ensure!(found.as_deref() == Some("123456"), "retention.ms after the restart: {found:?}");
    Ok(())
}

/// Where a partition begins outlives a kill even when retention took all its records; so do compacted segments.
pub fn retention_and_compaction_survive_a_kill(broker: &mut dyn BrokerHandle) -> Outcome {
    let boot = broker.bootstrap();
    let topic = fresh("retention-kill");
    create_with(&boot, &topic, 1, &[("retention.ms", "60000")])?;
    let producer = Producer::new(&boot, &[])?;
    let an_hour_ago = super::retention::now_ms()? - 3_600_000;
    for id in 0..5 {
        producer.send(out(&topic, 0, id).payload(b"old").timestamp(an_hour_ago))?;
    }
    producer.flush()?;
    until("the old records to go", || Ok((watermarks(&boot, &topic, 0)? == (5, 5)).then_some(())))?;
    let compacted = fresh("compaction-kill");
    create_with(&boot, &compacted, 1, &super::retention::EAGER)?;
    for n in 0..20 {
        producer.send(out(&compacted, 0, n).key(b"a").payload(n.to_string().as_bytes()))?;
        producer.flush()?;
    }
    let mut before = Vec::new();
    until("compaction", || {
        before = super::retention::look(&boot, &compacted, &producer, Isolation::Committed)?;
        Ok((before.len() == 1).then_some(()))
    })?;
    broker.restart()?;
    await_partitions(&boot, &topic, 1)?;
    await_partitions(&boot, &compacted, 1)?;
    // A partition shows its leader a moment before that serves it.
    let found = until("watermarks after a kill", || match watermarks(&boot, &topic, 0) {
        Err(error) if error.contains("Not leader") => Ok(None),
        found => found.map(Some),
    })?;
    ensure!(found == (5, 5), "watermarks after a kill: {found:?}, wanted (5, 5)");
    let after = super::retention::look(&boot, &compacted, &producer, Isolation::Committed)?;
    ensure!(after == before && after[0].1 == "19", "after a kill {after:?}, before it {before:?}");
    Ok(())
}

/// Where a partition begins after DeleteRecords outlives a restart, be it in the middle of a batch or at the very end, and the
/// next record gets the next offset.
pub fn deleted_records_stay_deleted(broker: &mut dyn BrokerHandle) -> Outcome {
    let boot = broker.bootstrap();
    let topic = new_topic(&boot, "purge-kill", 2)?;
    let producer = Producer::new(&boot, &[("linger.ms", "50")])?;
    for partition in 0..2 {
        producer.put_all(&topic, partition, &["a", "b", "c", "d", "e"])?;
    }
    let mut wire = Wire::connect(&boot)?;
    for (partition, below) in [(0, 3), (1, -1)] {
        let found = wire.delete_records(&topic, partition, below)?;
        ensure!(found.0 == 0, "delete below {below} of partition {partition}: {found:?}");
    }
    if broker.notes_the_start_at_once() {
        broker.kill()?;
    } else {
        broker.stop()?;
    }
    broker.start()?;
    await_partitions(&boot, &topic, 2)?;
    for (partition, wanted) in [(0, (3, 5)), (1, (5, 5))] {
        // A partition shows its leader a moment before that serves it.
        let found = until("watermarks after a restart", || match watermarks(&boot, &topic, partition) {
            Err(error) if error.contains("Not leader") => Ok(None),
            found => found.map(Some),
        })?;
        ensure!(found == wanted, "watermarks of partition {partition} after a restart: {found:?}, wanted {wanted:?}");
    }
    let got = texts(&read_from(&boot, &topic, 1, 3, Isolation::Committed)?);
    ensure!(got == ["d", "e"], "read {got:?} from offset 3");
    let reports = producer.put_all(&topic, 1, &["f"])?;
    ensure!(reports.iter().map(|report| report.offset).eq([5]), "the next offset is not 5: {reports:?}");
    Ok(())
}

/// A clean stop loses nothing either, and the next start serves at once.
pub fn everything_survives_a_clean_stop(broker: &mut dyn BrokerHandle) -> Outcome {
    let boot = broker.bootstrap();
    let topic = new_topic(&boot, "stop", 1)?;
    let producer = Producer::transactional(&boot, &fresh("stop"), &[])?;
    producer.begin()?;
    producer.put(&topic, 0, "a")?;
    producer.commit()?;
    broker.stop()?;
    broker.start()?;
    await_partitions(&boot, &topic, 1)?;
    producer.begin()?;
    producer.put(&topic, 0, "b")?;
    producer.commit()?;
    let got = texts(&read(&boot, &topic, 1, Isolation::Committed)?);
    ensure!(got == ["a", "b"], "read_committed saw {got:?}");
    Ok(())
}
