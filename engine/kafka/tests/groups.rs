//! Members of consumer groups that come, go, die and are given up.

use std::collections::BTreeSet;

use super::*;

#[test]
fn offsets_and_texts_commit_with_the_transaction_and_can_be_peeked_before() -> Result<()> {
    let config = broker();
    let (topic, group) = (topic(&config, "offsets", 1), unique("group"));
    let at = TopicPartition::new(Arc::clone(&topic), 0);
    let mut plain = Writer::plain(&config)?;
    plain.write(&numbers(&topic, 0..10))?;
    plain.flush(WAIT)?;
    let mut reader = Reader::group(&config, ReaderOptions::default(), &group, &[&topic])?;
    read_until(&mut reader, &mut FromCommitted, |seen, _| seen.len() == 10);
    let admin = Admin::connect(&config, WAIT)?;
    let ours = std::slice::from_ref(&at);
    assert_eq!(admin.committed(&group, ours, WAIT)?, [None]);
    let offset = |next| PartitionOffset { at: at.clone(), next, metadata: format!("stream time {next}") };
    let mut writer = Writer::transactional(&config, &unique("id"), WAIT)?;
    writer.commit(&[offset(4)], Some(&reader.group_handle().metadata()?))?;
    assert_eq!(reader.group_handle().committed(ours, WAIT)?, [Some(offset(4))]);
    // Offsets in an open transaction: a peek sees the old ones at once, a member waits for the new ones.
    writer.write(&numbers(&topic, 10..11))?;
    writer.add_offsets(&[offset(10)], &reader.group_handle().metadata()?)?;
    assert_eq!(admin.committed(&group, ours, WAIT)?, [Some(offset(4))]);
    let unsettled = admin.committed_for_good(&group, ours, Duration::from_millis(300)).expect_err("not stable");
    assert!(unsettled.is_retryable(), "{unsettled:?}");
    let waits = reader.group_handle().committed(ours, Duration::from_millis(300)).expect_err("not stable");
    assert!(waits.is_retryable(), "{waits:?}");
    writer.commit(&[], None)?;
    assert_eq!(reader.group_handle().committed(ours, WAIT)?, [Some(offset(10))]);
    assert_eq!(admin.committed_for_good(&group, ours, WAIT)?, [Some(offset(10))]);
    reader.commit(&[offset(7)])?;
    assert_eq!(admin.committed(&group, ours, WAIT)?, [Some(offset(7))]);
    assert_eq!(admin.group_members(&group, WAIT)?.map(|members| members.len()), Some(1));
    reader.close(&mut FromCommitted)?;
    assert_eq!(admin.group_members(&group, WAIT)?, Some(Vec::new()), "it keeps its offsets");
    assert_eq!(admin.group_members(&unique("nobody"), WAIT)?, None);
    assert!(admin.groups(WAIT)?.contains(&group));
    admin.set_committed(&group, &[offset(3)], WAIT)?;
    assert_eq!(admin.committed(&group, ours, WAIT)?, [Some(offset(3))]);
    assert!(admin.delete_committed(&group, ours, WAIT)?);
    assert_eq!(admin.committed(&group, ours, WAIT)?, [None]);
    assert!(admin.delete_group(&group, WAIT)?);
    assert!(!admin.delete_group(&group, WAIT)?);
    Ok(())
}

/// Copies records from one topic to another in transactions, committing before partitions go away.
struct Copier {
    config: ClientConfig,
    to: Arc<str>,
    id: String,
    writer: Option<Writer>,
    pending: Vec<(TopicPartition, i64)>,
    rebalances: usize,
}

impl Copier {
    fn commit(&mut self, group: &Group) -> Result<()> {
        let offsets: Vec<_> =
            self.pending.drain(..).map(|(at, next)| PartitionOffset { at, next, metadata: String::new() }).collect();
        match &mut self.writer {
            Some(writer) => Ok(writer.commit(&offsets, Some(&group.metadata()?))?),
            None => Ok(()),
        }
    }

    fn copy(&mut self, batch: &RawBatch) -> Result<()> {
        let mut out = OutBatch::new(Arc::clone(&self.to));
        for row in 0..batch.len() {
            out.push(batch.timestamps[row], batch.keys.get(row), batch.values.get(row));
        }
        let at = TopicPartition::new(Arc::clone(&batch.topic), batch.partition);
        let next = batch.offsets.last().expect("not empty") + 1;
        self.pending.retain(|(of, _)| *of != at);
        self.pending.push((at, next));
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => none.insert(Writer::transactional(&self.config, &self.id, WAIT)?),
        };
        Ok(writer.write(&out)?)
    }
}

impl RebalanceHandler for Copier {
    fn assigned(&mut self, group: &Group, partitions: &[TopicPartition]) -> Result<Vec<i64>> {
        self.rebalances += 1;
        FromCommitted.assigned(group, partitions)
    }

    fn revoked(&mut self, group: &Group, _: &[TopicPartition], lost: bool) -> Result<()> {
        assert!(!lost);
        self.commit(group)
    }
}

#[test]
fn members_that_come_and_go_neither_lose_nor_repeat_a_record() -> Result<()> {
    let config = broker();
    let (from, to, group) = (topic(&config, "from", 4), topic(&config, "to", 1), unique("group"));
    const COUNT: i64 = 20_000;
    let member = |number: usize| -> Result<(Reader, Copier)> {
        let reader = Reader::group(&config, ReaderOptions::default(), &group, &[&from])?;
        let id = format!("{group}-{number}");
        let (config, to) = (config.clone(), Arc::clone(&to));
        Ok((reader, Copier { config, to, id, writer: None, pending: Vec::new(), rebalances: 0 }))
    };
    let mut writer = Writer::plain(&config)?;
    let mut members = vec![member(0)?];
    let deadline = Instant::now() + WAIT * 3;
    let (mut written, mut copied, mut joined) = (0, 0, 1);
    while copied < COUNT as usize {
        assert!(Instant::now() < deadline, "{copied} of {COUNT} copied");
        if written < COUNT {
            writer.write(&numbers(&from, written..written + 100))?;
            written += 100;
        }
        for (reader, copier) in &mut members {
            // Small polls leave records in the client when a rebalance comes.
            copied += reader.poll(50, Duration::from_millis(5), copier)?;
            for batch in reader.batches() {
                copier.copy(batch)?;
            }
        }
        if written % 2000 == 0 {
            for (reader, copier) in &mut members {
                copier.commit(reader.group_handle())?;
            }
        }
        // A second member joins, a third, and the first leaves.
        if joined < 3 && copied > joined * 4000 && members.iter().all(|(_, copier)| copier.rebalances > 0) {
            members.push(member(joined)?);
            joined += 1;
        } else if joined == 3 && copied > 13_000 && members.iter().all(|(_, copier)| copier.rebalances > 0) {
            let (reader, mut copier) = members.remove(0);
            reader.close(&mut copier)?;
            joined += 1;
        }
    }
    for (reader, mut copier) in members {
        reader.close(&mut copier)?;
    }
    assert!(joined >= 3, "members joined: {joined}");
    let options = ReaderOptions { ends: true, ..ReaderOptions::default() };
    let mut check = Reader::assigned(&config, options, &all_of(&to, 1))?;
    let (seen, _) =
        read_until(&mut check, &mut (), |_, events| events.iter().any(|event| matches!(event, Event::End { .. })));
    assert_eq!(seen.len(), COUNT as usize);
    let distinct: BTreeSet<_> = seen.iter().collect();
    assert_eq!(distinct.len(), COUNT as usize);
    Ok(())
}

#[test]
fn a_dead_member_s_partitions_and_open_transaction_do_not_stay_with_it() -> Result<()> {
    let config = broker();
    let (from, to, group) = (topic(&config, "from", 1), topic(&config, "to", 1), unique("group"));
    let mut plain = Writer::plain(&config)?;
    plain.write(&numbers(&from, 0..100))?;
    plain.flush(WAIT)?;
    let copier = |id: &str| Copier {
        config: config.clone(),
        to: Arc::clone(&to),
        id: format!("{group}-{id}"),
        writer: None,
        pending: Vec::new(),
        rebalances: 0,
    };
    let mut dead = Reader::group(&config, ReaderOptions::default(), &group, &[&from])?;
    let mut dying = copier("dying");
    let mut copied = 0;
    while copied < 100 {
        copied += dead.poll(30, Duration::from_millis(50), &mut dying)?;
        for batch in dead.batches() {
            dying.copy(batch)?;
        }
        if copied == 30 {
            dying.commit(dead.group_handle())?;
        }
    }
    dying.writer.as_mut().expect("has written").flush(WAIT)?;
    dead.abandon();
    drop(dying);
    fence(&config, &format!("{group}-dying"), WAIT)?;
    let mut next = copier("next");
    let mut reader = Reader::group(&config, ReaderOptions::default(), &group, &[&from])?;
    let deadline = Instant::now() + WAIT;
    let mut copied = 0;
    while copied < 70 {
        assert!(Instant::now() < deadline, "took over {copied} of 70");
        copied += reader.poll(1000, Duration::from_millis(50), &mut next)?;
        for batch in reader.batches() {
            next.copy(batch)?;
        }
    }
    reader.close(&mut next)?;
    let options = ReaderOptions { ends: true, ..ReaderOptions::default() };
    let mut check = Reader::assigned(&config, options, &all_of(&to, 1))?;
    let (seen, _) =
        read_until(&mut check, &mut (), |_, events| events.iter().any(|event| matches!(event, Event::End { .. })));
    assert_eq!(seen, (0..100).map(|number| number.to_string()).collect::<Vec<_>>());
    Ok(())
}

/// Notes what it was given and what was taken.
#[derive(Default)]
struct Witness {
    assigned: usize,
    revoked: usize,
}

impl RebalanceHandler for Witness {
    fn assigned(&mut self, _: &Group, partitions: &[TopicPartition]) -> Result<Vec<i64>> {
        self.assigned += partitions.len();
        Ok(vec![0; partitions.len()])
    }

    fn revoked(&mut self, _: &Group, partitions: &[TopicPartition], _: bool) -> Result<()> {
        self.revoked += partitions.len();
        Ok(())
    }
}

#[test]
fn a_member_that_stops_polling_loses_its_partitions_and_cannot_commit() -> Result<()> {
    let mut config = broker();
    let (from, group) = (topic(&config, "lost", 1), unique("group"));
    config.properties.insert("max.poll.interval.ms".into(), "6000".into());
    let (mut slow, mut quick) = (Witness::default(), Witness::default());
    let mut stuck = Reader::group(&config, ReaderOptions::default(), &group, &[&from])?;
    let deadline = Instant::now() + WAIT * 2;
    while slow.assigned == 0 && Instant::now() < deadline {
        stuck.poll(10, Duration::from_millis(50), &mut slow)?;
    }
    let (old, mut writer) = (stuck.group_handle().metadata()?, Writer::transactional(&config, &unique("id"), WAIT)?);
    let mut reader = Reader::group(&config, ReaderOptions::default(), &group, &[&from])?;
    while quick.assigned == 0 && Instant::now() < deadline {
        reader.poll(10, Duration::from_millis(50), &mut quick)?;
    }
    assert_eq!(quick.assigned, 1);
    let offset = PartitionOffset { at: TopicPartition::new(from, 0), next: 0, metadata: String::new() };
    let refused = writer.commit(&[offset], Some(&old)).expect_err("its generation is over");
    assert!(matches!(refused, Failure::Abort(_)), "{refused:?}");
    writer.abort()?;
    while slow.revoked == 0 && Instant::now() < deadline {
        stuck.poll(10, Duration::from_millis(50), &mut slow)?;
    }
    assert_eq!(slow.revoked, 1, "it learns so when it polls again");
    Ok(())
}
