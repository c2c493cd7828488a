//! Transactions: what a reader sees of them, and which offsets they commit.

use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::Producer as _;

use super::client::*;
use super::groups::read_member;
use super::handle::BrokerHandle;
use super::wire::{Wanted, Wire, code};

/// A commit over two topics makes all of it visible, in order; its markers take one offset in each partition.
pub fn a_commit_makes_everything_visible(broker: &mut dyn BrokerHandle) -> Outcome {
    let boot = broker.bootstrap();
    let (one, two) = (new_topic(&boot, "commit-a", 1)?, new_topic(&boot, "commit-b", 2)?);
    let producer = Producer::transactional(&boot, &fresh("commit"), &[])?;
    producer.begin()?;
    producer.put(&one, 0, "a")?;
    producer.put(&two, 1, "b")?;
    producer.put(&one, 0, "c")?;
    producer.commit()?;
    producer.begin()?;
    producer.put(&one, 0, "d")?;
    producer.commit()?;
    producer.begin()?;
    producer.commit()?; // Nothing in it: no marker anywhere.

    let got = read(&boot, &one, 1, Isolation::Committed)?;
    ensure!(texts(&got) == ["a", "c", "d"], "read {:?} from the first topic", texts(&got));
    ensure!(got.iter().map(|r| r.offset).eq([0, 1, 3]), "a marker belongs at offset 2: {got:?}");
    let got = texts(&read(&boot, &two, 2, Isolation::Committed)?);
    ensure!(got == ["b"], "read {got:?} from the second topic");
    for (topic, partition, wanted) in [(&one, 0, (0, 5)), (&two, 0, (0, 0)), (&two, 1, (0, 2))] {
        let found = watermarks(&boot, topic, partition)?;
        ensure!(found == wanted, "watermarks of {topic} {partition}: {found:?}, wanted {wanted:?}");
    }
    Ok(())
}

/// Aborted records are hidden from `read_committed` and there for `read_uncommitted`; the fetch lists the transaction.
pub fn read_committed_hides_aborted_records(broker: &mut dyn BrokerHandle) -> Outcome {
    let boot = broker.bootstrap();
    let topic = new_topic(&boot, "abort", 1)?;
    let producer = Producer::transactional(&boot, &fresh("abort"), &[])?;
    for (value, commit) in [("kept", true), ("dropped", false), ("kept too", true)] {
        producer.begin()?;
        producer.put(&topic, 0, value)?;
        if commit { producer.commit()? } else { producer.abort()? }
    }
    let got = texts(&read(&boot, &topic, 1, Isolation::Committed)?);
    ensure!(got == ["kept", "kept too"], "read_committed saw {got:?}");
    let got = texts(&read(&boot, &topic, 1, Isolation::Uncommitted)?);
    ensure!(got == ["kept", "dropped", "kept too"], "read_uncommitted saw {got:?}");

    let mut wire = Wire::connect(&boot)?;
    for (isolation, wanted) in [(1, vec![2]), (0, vec![])] {
        let fetched = wire.fetch(&topic, &Wanted { isolation, ..Wanted::default() })?;
        let aborted: Vec<i64> = fetched.iter().flat_map(|part| &part.aborted).map(|(_, first)| *first).collect();
        ensure!(aborted == wanted, "aborted transactions at isolation {isolation}: {aborted:?}, wanted {wanted:?}");
    }
    Ok(())
}

/// A `read_committed` reader stops before the first open transaction, also for records that are in none, and goes on at its end.
pub fn read_committed_stops_at_an_open_transaction(broker: &mut dyn BrokerHandle) -> Outcome {
    let boot = broker.bootstrap();
    let topic = new_topic(&boot, "open", 1)?;
    let plain = Producer::new(&boot, &[])?;
    let (first, second) =
        (Producer::transactional(&boot, &fresh("open"), &[])?, Producer::transactional(&boot, &fresh("open"), &[])?);
    plain.put_all(&topic, 0, &["before"])?;
    first.begin()?;
    first.put_all(&topic, 0, &["in the first"])?;
    plain.put_all(&topic, 0, &["between"])?;
    second.begin()?;
    second.put_all(&topic, 0, &["in the second"])?;
    second.commit()?;

    let mut wire = Wire::connect(&boot)?;
    let stable = |wire: &mut Wire| -> Outcome<(i64, i64)> {
        let fetched = wire.fetch(&topic, &Wanted { isolation: 1, ..Wanted::default() })?;
        let ends = fetched.first().map(|part| (part.last_stable, part.high_watermark));
        ends.ok_or("a fetch without an answer".to_owned())
    };
    let found = stable(&mut wire)?;
    ensure!(found == (1, 5), "last stable offset and high watermark: {found:?}, wanted (1, 5)");
    let found = (wire.end_offset(&topic, 0, true)?, wire.end_offset(&topic, 0, false)?);
    ensure!(found == (1, 5), "ends by ListOffsets, committed and not: {found:?}, wanted (1, 5)");
    let got = texts(&read(&boot, &topic, 1, Isolation::Committed)?);
    ensure!(got == ["before"], "read_committed saw {got:?} while a transaction is open");
    let got = texts(&read(&boot, &topic, 1, Isolation::Uncommitted)?);
    ensure!(got == ["before", "in the first", "between", "in the second"], "read_uncommitted saw {got:?}");

    first.commit()?;
    let got = texts(&read(&boot, &topic, 1, Isolation::Committed)?);
    ensure!(got == ["before", "in the first", "between", "in the second"], "read_committed saw {got:?} at the end");
    let found = stable(&mut wire)?;
    ensure!(found == (6, 6), "last stable offset and high watermark at the end: {found:?}, wanted (6, 6)");
    Ok(())
}

/// Many transactions of two producers, interleaved in one partition, some aborted: exactly the committed ones remain.
pub fn interleaved_transactions_keep_apart(broker: &mut dyn BrokerHandle) -> Outcome {
    let boot = broker.bootstrap();
    let topic = new_topic(&boot, "mixed", 1)?;
    let producers =
        [Producer::transactional(&boot, &fresh("mixed"), &[])?, Producer::transactional(&boot, &fresh("mixed"), &[])?];
    let mut wanted = Vec::new();
    for round in 0..20 {
        for producer in &producers {
            producer.begin()?;
        }
        for part in 0..2 {
            for (index, producer) in producers.iter().enumerate() {
                let value = format!("{round}-{index}-{part}");
                producer.put_all(&topic, 0, &[&value])?;
                if (round + index) % 3 != 0 {
                    wanted.push(value);
                }
            }
        }
        for (index, producer) in producers.iter().enumerate() {
            if (round + index) % 3 != 0 { producer.commit()? } else { producer.abort()? }
        }
    }
    let got = texts(&read(&boot, &topic, 1, Isolation::Committed)?);
    ensure!(got == wanted, "read_committed saw {got:?}, wanted {wanted:?}");
    // From the middle of the log as well: the list of aborted transactions must fit the place where a fetch begins.
    for from in [1, 37, 60, 99] {
        let tail = read_from(&boot, &topic, 1, from, Isolation::Committed)?;
        let wanted_tail = read(&boot, &topic, 1, Isolation::Committed)?.into_iter().filter(|r| r.offset >= from);
        ensure!(tail.iter().cloned().eq(wanted_tail), "read_committed from offset {from} saw {:?}", texts(&tail));
    }
    Ok(())
}

/// Offsets sent to a transaction count when it commits, not before, and never when it aborts.
pub fn offsets_in_a_transaction_count_on_commit_only(broker: &mut dyn BrokerHandle) -> Outcome {
    let boot = broker.bootstrap();
    let topic = new_topic(&boot, "txn-offsets", 1)?;
    let group = fresh("txn-offsets");
    Producer::new(&boot, &[])?.put_all(&topic, 0, &["x"; 20])?;
    let member = member(&boot, &group, &topic, &[])?;
    read_member(&member, "records", 20, |_| {})?;
    member.commit(&at(&topic, 0, 3)?, CommitMode::Sync).step("commit")?;
    let metadata = member.group_metadata().ok_or("no group metadata")?;
    let producer = Producer::transactional(&boot, &fresh("txn-offsets"), &[])?;
    let mut wire = Wire::connect(&boot)?;
    for (offset, commit, after) in [(10, false, 3), (12, true, 12)] {
        producer.begin()?;
        let offsets = at(&topic, 0, offset)?;
        producer.inner.send_offsets_to_transaction(&offsets, &metadata, PATIENCE).step("send offsets")?;
        let found = committed(&boot, &group, &topic, 0)?;
        ensure!(found == Some(3), "committed offset while the transaction is open: {found:?}");
        // Who asks for stable offsets is told to wait (KIP-447), so that a successor does not start too early.
        let (error, _) = wire.stable_offset(&group, &topic)?;
        let wanted = code::UNSTABLE_OFFSET_COMMIT;
        ensure!(error == wanted, "stable offset while the transaction is open: error {error}, wanted {wanted}");
        if commit {
            producer.commit()?
        } else {
            producer.abort()?
        }
        // The marker may reach the offsets after the commit has returned.
        until("the offsets to be stable", || Ok((wire.stable_offset(&group, &topic)?.0 == code::NONE).then_some(())))?;
        let found = committed(&boot, &group, &topic, 0)?;
        ensure!(found == Some(after), "committed offset after the end: {found:?}, wanted {after}");
    }
    Ok(())
}

/// A producer with the metadata of a generation that is over cannot commit offsets: its member may have lost the partitions.
pub fn offsets_of_an_old_generation_are_refused(broker: &mut dyn BrokerHandle) -> Outcome {
    let boot = broker.bootstrap();
    let topic = new_topic(&boot, "txn-generation", 2)?;
    let group = fresh("txn-generation");
    Producer::new(&boot, &[])?.put_all(&topic, 0, &["x"; 3])?;
    let old = member(&boot, &group, &topic, &[])?;
    read_member(&old, "records", 3, |_| {})?;
    let metadata = old.group_metadata().ok_or("no group metadata")?;
    let other = member(&boot, &group, &topic, &[])?;
    poll_until(
        "a second generation",
        &[&old, &other],
        |_, _| {},
        || Ok(assigned(&old)? == 1 && assigned(&other)? == 1),
    )?;
    let producer = Producer::transactional(&boot, &fresh("txn-generation"), &[])?;
    producer.begin()?;
    producer.put_all(&topic, 1, &["hidden"])?;
    let refused = producer.inner.send_offsets_to_transaction(&at(&topic, 0, 3)?, &metadata, PATIENCE);
    match &refused {
        Err(KafkaError::Transaction(error)) if error.txn_requires_abort() => {}
        other => return Err(format!("offsets under an old generation: {other:?}, wanted an error that aborts")),
    }
    let code = refused.err().and_then(|error| error.rdkafka_error_code());
    ensure!(code == Some(RDKafkaErrorCode::IllegalGeneration), "offsets under an old generation: {code:?}");
    producer.abort()?;
    let found = committed(&boot, &group, &topic, 0)?;
    ensure!(found.is_none(), "committed offset after the refusal: {found:?}");
    let got = texts(&read(&boot, &topic, 2, Isolation::Committed)?);
    ensure!(!got.contains(&"hidden".to_owned()), "the refused transaction's record is visible");
    Ok(())
}
