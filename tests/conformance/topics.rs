//! Topics through the admin calls: create, describe, configure, grow, delete records, delete.

use rdkafka::Offset;
use rdkafka::TopicPartitionList;
use rdkafka::admin::{AlterConfig, NewPartitions, ResourceSpecifier};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::Message;
use rdkafka::{consumer::Consumer, error::KafkaError};

use super::client::*;
use super::handle::BrokerHandle;
use super::wire::{Wire, code};

/// A topic is there once created, refuses a second creation, and is gone once deleted.
pub fn create_describe_and_delete(broker: &mut dyn BrokerHandle) -> Outcome {
    let boot = broker.bootstrap();
    let topic = fresh("topic");
    let mut wire = Wire::connect(&boot)?;
    let error = wire.topic_error(&topic)?;
    ensure!(error == code::UNKNOWN_TOPIC_OR_PARTITION, "metadata before the creation: error {error}");

    create_with(&boot, &topic, 3, &[])?;
    let again = try_create(&boot, &topic, 3, &[])?;
    ensure!(again == Err(RDKafkaErrorCode::TopicAlreadyExists), "second creation: {again:?}");
    let metadata = reader(&boot, &[])?.fetch_metadata(None, PATIENCE).step("metadata of all topics")?;
    let found = metadata.topics().iter().find(|t| t.name() == topic).map(|t| t.partitions().len());
    ensure!(found == Some(3), "partitions in the metadata of all topics: {found:?}");

    delete(&boot, &topic)?.step("delete")?;
    await_gone(&mut wire, &topic)?;
    let again = delete(&boot, &topic)?;
    ensure!(again == Err(RDKafkaErrorCode::UnknownTopicOrPartition), "second deletion: {again:?}");
    Ok(())
}

/// A topic made again under the same name has none of the old records and begins at offset 0.
pub fn a_recreated_topic_starts_empty(broker: &mut dyn BrokerHandle) -> Outcome {
    let boot = broker.bootstrap();
    let topic = new_topic(&boot, "again", 2)?;
    Producer::new(&boot, &[])?.put_all(&topic, 0, &["old"; 10])?;
    delete(&boot, &topic)?.step("delete")?;
    await_gone(&mut Wire::connect(&boot)?, &topic)?;
    // Kafka deletes in the background, so the name may be taken for a moment.
    until("the name to be free", || match try_create(&boot, &topic, 1, &[])? {
        Ok(()) => Ok(Some(())),
        Err(RDKafkaErrorCode::TopicAlreadyExists) => Ok(None),
        Err(error) => Err(format!("create {topic} again: {error}")),
    })?;
    await_partitions(&boot, &topic, 1)?;
    let reports = Producer::new(&boot, &[])?.put_all(&topic, 0, &["new"])?;
    ensure!(reports.iter().map(|r| r.offset).eq([0]), "the first offset is not 0: {reports:?}");
    let got = texts(&read(&boot, &topic, 1, Isolation::Committed)?);
    ensure!(got == ["new"], "read {got:?}");
    Ok(())
}

/// DeleteRecords moves the beginning of a partition: to an offset, then to the end; what lies before is out of range.
pub fn deleted_records_move_the_low_watermark(broker: &mut dyn BrokerHandle) -> Outcome {
    let boot = broker.bootstrap();
    let topic = new_topic(&boot, "purge", 1)?;
    let producer = Producer::new(&boot, &[])?;
    let values: Vec<String> = (0..10).map(|n| n.to_string()).collect();
    producer.put_all(&topic, 0, &values)?;
    let delete_before = |offset: Offset| -> Outcome {
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition_offset(&topic, 0, offset).step("offset")?;
        let answer = wait(admin(&boot)?.delete_records(&offsets, &options())).step("delete records")?;
        answer.elements().iter().try_for_each(|element| element.error()).step("delete records")
    };

    delete_before(Offset::Offset(6))?;
    let found = watermarks(&boot, &topic, 0)?;
    ensure!(found == (6, 10), "watermarks after deleting up to 6: {found:?}");
    let got = texts(&read_from(&boot, &topic, 1, 6, Isolation::Committed)?);
    ensure!(got == values[6..], "read {got:?} from offset 6");
    match read(&boot, &topic, 1, Isolation::Committed) {
        Err(error) if error.contains("reset") => {}
        other => return Err(format!("reading from offset 0 after deleting up to 6: {other:?}")),
    }

    delete_before(Offset::End)?;
    let found = watermarks(&boot, &topic, 0)?;
    ensure!(found == (10, 10), "watermarks after deleting everything: {found:?}");
    let reports = producer.put_all(&topic, 0, &["after"])?;
    ensure!(reports.iter().map(|r| r.offset).eq([10]), "the next offset is not 10: {reports:?}");
    Ok(())
}

/// DeleteRecords beyond the end, of what is not there and of a topic that is only compacted is refused, each with its own code;
/// below the beginning it changes nothing.
pub fn records_that_cannot_be_deleted(broker: &mut dyn BrokerHandle) -> Outcome {
    const REFUSED: i64 = -1;
    let boot = broker.bootstrap();
    let topic = new_topic(&boot, "no-purge", 1)?;
    Producer::new(&boot, &[])?.put_all(&topic, 0, &["a", "b", "c"])?;
    let (compacted, both) = (fresh("no-purge"), fresh("no-purge"));
    create_with(&boot, &compacted, 1, &[("cleanup.policy", "compact")])?;
    create_with(&boot, &both, 1, &[("cleanup.policy", "compact,delete")])?;
    let mut wire = Wire::connect(&boot)?;
    for (topic, partition, below, wanted) in [
        (topic.as_str(), 0, 4, (code::OFFSET_OUT_OF_RANGE, REFUSED)),
        (&topic, 0, -2, (code::OFFSET_OUT_OF_RANGE, REFUSED)),
        (&topic, 1, 0, (code::UNKNOWN_TOPIC_OR_PARTITION, REFUSED)),
        ("no-such-topic", 0, 0, (code::UNKNOWN_TOPIC_OR_PARTITION, REFUSED)),
        (&compacted, 0, 0, (code::POLICY_VIOLATION, REFUSED)),
        (&both, 0, -1, (code::NONE, 0)),
        (&topic, 0, 2, (code::NONE, 2)),
        (&topic, 0, 1, (code::NONE, 2)),
        (&topic, 0, -1, (code::NONE, 3)),
    ] {
        let found = wire.delete_records(topic, partition, below)?;
        ensure!(found == wanted, "delete below {below} of {topic} {partition}: {found:?}, wanted {wanted:?}");
    }
    Ok(())
}

/// DeleteRecords reaches into an open transaction: what is deleted of it is gone, and the last stable offset is the new beginning
/// until it ends.
pub fn deleted_records_of_an_open_transaction(broker: &mut dyn BrokerHandle) -> Outcome {
    let boot = broker.bootstrap();
    let topic = new_topic(&boot, "purge-open", 1)?;
    // A batch for each record: in the middle of one, Kafka's last stable offset is where the batch begins.
    let producer = Producer::transactional(&boot, &fresh("purge-open"), &[("batch.num.messages", "1")])?;
    producer.begin()?;
    producer.put_all(&topic, 0, &["a", "b", "c"])?;
    let mut wire = Wire::connect(&boot)?;
    let found = wire.delete_records(&topic, 0, 2)?;
    ensure!(found == (code::NONE, 2), "delete below 2: {found:?}");
    let stable = wire.end_offset(&topic, 0, true)?;
    ensure!(stable == 2, "the last stable offset is {stable}, wanted the beginning, 2");
    let got = read_from(&boot, &topic, 1, 2, Isolation::Committed)?;
    ensure!(got.is_empty(), "read_committed saw {got:?} of an open transaction");
    producer.put_all(&topic, 0, &["d"])?;
    producer.commit()?;
    let got = texts(&read_from(&boot, &topic, 1, 2, Isolation::Committed)?);
    ensure!(got == ["c", "d"], "read {got:?} from offset 2");
    Ok(())
}

/// Settings given at creation are shown, altered ones too, and unknown names or impossible values are refused.
pub fn configs_are_set_altered_and_described(broker: &mut dyn BrokerHandle) -> Outcome {
    let boot = broker.bootstrap();
    let topic = fresh("configs");
    create_with(&boot, &topic, 1, &[("retention.ms", "12345"), ("cleanup.policy", "compact")])?;
    let value = |name| config_of(&boot, &topic, name);
    for (name, wanted) in [("retention.ms", "12345"), ("cleanup.policy", "compact"), ("max.message.bytes", "1048588")] {
        let found = value(name)?;
        ensure!(found.as_deref() == Some(wanted), "{name}: {found:?}, wanted {wanted:?}");
    }

    let alter =
        AlterConfig::new(ResourceSpecifier::Topic(&topic)).set("retention.ms", "-1").set("cleanup.policy", "delete");
    let answers = wait(admin(&boot)?.alter_configs([&alter], &options())).step("alter configs")?;
    answers.into_iter().try_for_each(|answer| answer.map(drop).map_err(|(_, code)| code)).step("alter configs")?;
    until("the altered settings", || Ok((value("retention.ms")?.as_deref() == Some("-1")).then_some(())))?;
    let found = value("cleanup.policy")?;
    ensure!(found.as_deref() == Some("delete"), "cleanup.policy: {found:?}");

    for (name, bad) in [("no.such.setting", "1"), ("retention.ms", "soon")] {
        let refused = try_create(&boot, &fresh("configs"), 1, &[(name, bad)])?;
        ensure!(refused == Err(RDKafkaErrorCode::InvalidConfig), "create with {name}={bad}: {refused:?}");
    }
    Ok(())
}

/// CreatePartitions adds empty partitions beside the old ones, and never takes any away.
pub fn partitions_are_added(broker: &mut dyn BrokerHandle) -> Outcome {
    let boot = broker.bootstrap();
    let topic = new_topic(&boot, "grow", 1)?;
    Producer::new(&boot, &[])?.put_all(&topic, 0, &["old"])?;
    let admin = admin(&boot)?;
    let grow = |count: usize| -> Outcome<Result<(), RDKafkaErrorCode>> {
        let answers = wait(admin.create_partitions([&NewPartitions::new(&topic, count)], &options()));
        let answer = answers.step("create partitions")?.into_iter().next().ok_or("create partitions: no answer")?;
        Ok(answer.map(drop).map_err(|(_, code)| code))
    };
    grow(4)?.step("from 1 to 4 partitions")?;
    await_partitions(&boot, &topic, 4)?;
    Producer::new(&boot, &[])?.put_all(&topic, 3, &["new"])?;
    let mut got = texts(&read(&boot, &topic, 4, Isolation::Committed)?);
    got.sort();
    ensure!(got == ["new", "old"], "read {got:?}");
    for count in [2, 4] {
        let refused = grow(count)?;
        ensure!(refused == Err(RDKafkaErrorCode::InvalidPartitions), "from 4 to {count} partitions: {refused:?}");
    }
    Ok(())
}

/// Names that cannot be: other characters than letters, digits, `.`, `_` and `-`, two dots, more than 249 characters.
pub fn impossible_names_are_refused(broker: &mut dyn BrokerHandle) -> Outcome {
    let boot = broker.bootstrap();
    for name in ["with space", "a/b", "..", &"x".repeat(250)] {
        let refused = try_create(&boot, name, 1, &[])?;
        ensure!(refused == Err(RDKafkaErrorCode::InvalidTopic), "create {name:?}: {refused:?}");
    }
    try_create(&boot, &"x".repeat(249), 1, &[])?.step("create a topic with a name of 249 characters")
}

/// A topic of 64 partitions: every record is read through a group of one, in order within its partition.
pub fn sixty_four_partitions(broker: &mut dyn BrokerHandle) -> Outcome {
    const PARTITIONS: i32 = 64;
    const EACH: i64 = 50;
    let boot = broker.bootstrap();
    let topic = new_topic(&boot, "many", PARTITIONS)?;
    let producer = Producer::new(&boot, &[])?;
    for n in 0..EACH {
        for partition in 0..PARTITIONS {
            producer.put(&topic, partition, &n.to_string())?;
        }
    }
    producer.flush()?;
    let member = member(&boot, &fresh("many"), &topic, &[])?;
    let mut next = vec![0; PARTITIONS as usize];
    let mut wrong = None;
    let mut left = PARTITIONS as i64 * EACH;
    until("all records of 64 partitions", || {
        while left > 0 {
            match member.poll(std::time::Duration::from_millis(100)) {
                Some(Ok(message)) => {
                    let expected = &mut next[message.partition() as usize];
                    if message.payload() != Some(expected.to_string().as_bytes()) {
                        wrong.get_or_insert((message.partition(), message.offset()));
                    }
                    *expected += 1;
                    left -= 1;
                }
                Some(Err(KafkaError::PartitionEOF(_))) | None => return Ok(None),
                Some(Err(error)) => return Err(error.to_string()),
            }
        }
        Ok(Some(()))
    })?;
    ensure!(wrong.is_none(), "out of order at partition, offset {wrong:?}");
    ensure!(next.iter().all(|n| *n == EACH), "records by partition: {next:?}");
    Ok(())
}

/// The value of one of a topic's settings.
pub fn config_of(bootstrap: &str, topic: &str, name: &str) -> Outcome<Option<String>> {
    let resource = ResourceSpecifier::Topic(topic);
    let answers = wait(admin(bootstrap)?.describe_configs([&resource], &options())).step("describe configs")?;
    let answer = answers.into_iter().next().ok_or("describe configs: no answer")?.step("describe configs")?;
    Ok(answer.get(name).and_then(|entry| entry.value.clone()))
}

/// Deletes a topic and returns the broker's answer.
pub fn delete(bootstrap: &str, topic: &str) -> Outcome<Result<(), RDKafkaErrorCode>> {
    let answers = wait(admin(bootstrap)?.delete_topics(&[topic], &options())).step("delete topic")?;
    let answer = answers.into_iter().next().ok_or("delete topic: no answer")?;
    Ok(answer.map(drop).map_err(|(_, code)| code))
}

/// Waits until the metadata does not know the topic any more.
pub fn await_gone(wire: &mut Wire, topic: &str) -> Outcome {
    until(&format!("{topic} to be gone"), || {
        Ok((wire.topic_error(topic)? == code::UNKNOWN_TOPIC_OR_PARTITION).then_some(()))
    })
}
