//! Deleting the records below an offset.

use super::*;
use crate::broker::Storage;

fn watermarks(admin: &Admin, partitions: &[TopicPartition]) -> Result<Vec<(i64, i64)>> {
    Ok(admin.watermarks(partitions, WAIT)?.iter().map(|one| (one.earliest, one.latest)).collect())
}

/// A topic of two partitions with ten records each.
fn filled(config: &ClientConfig) -> Result<Vec<TopicPartition>> {
    let topic = topic(config, "purge", 2);
    let mut writer = Writer::plain(config)?;
    for partition in 0..2 {
        let mut batch = numbers(&topic, 0..10);
        batch.partition = Some(partition);
        writer.write(&batch)?;
    }
    writer.flush(WAIT)?;
    Ok(vec![TopicPartition::new(Arc::clone(&topic), 0), TopicPartition::new(topic, 1)])
}

#[test]
fn records_are_deleted_up_to_an_offset_or_the_end_and_readers_go_on_behind_it() -> Result<()> {
    let config = broker();
    let admin = Admin::connect(&config, WAIT)?;
    let partitions = filled(&config)?;
    let [first, second] = [0, 1].map(|at| partitions[at].clone());
    admin.delete_records(&[], WAIT)?;
    admin.delete_records(&[(first.clone(), 4), (second.clone(), -1)], WAIT)?;
    assert_eq!(watermarks(&admin, &partitions)?, [(4, 10), (10, 10)]);
    admin.delete_records(&[(first.clone(), 2), (second, 10)], WAIT)?;
    assert_eq!(watermarks(&admin, &partitions)?, [(4, 10), (10, 10)], "a start never goes down");
    let options = ReaderOptions { reset: Reset::Earliest, ..ReaderOptions::default() };
    let mut reader = Reader::assigned(&config, options, &[(first, 0)])?;
    let (seen, events) = read_until(&mut reader, &mut (), |seen, _| seen.len() == 6);
    assert_eq!(seen, ["4", "5", "6", "7", "8", "9"]);
    assert!(matches!(&events[..], [Event::OutOfRange { wanted: 0, resumed: Some(4), .. }]), "{events:?}");
    Ok(())
}

#[test]
fn a_refusal_names_the_partition_and_leaves_the_others_purged() -> Result<()> {
    let config = broker();
    let admin = Admin::connect(&config, WAIT)?;
    let partitions = filled(&config)?;
    let [first, second] = [0, 1].map(|at| partitions[at].clone());
    let error = admin.delete_records(&[(first.clone(), 11), (second, 5)], WAIT).expect_err("it ends at 10");
    assert_eq!(error.message(), format!("cannot delete the records of {first} below offset 11"));
    assert_eq!(error.detail_text(), Some("offset out of range"));
    assert!(error.hint_text().is_some_and(|hint| hint.contains("ends before")) && !error.is_retryable(), "{error:?}");
    assert_eq!(watermarks(&admin, &partitions)?, [(0, 10), (5, 10)]);

    let compacted = unique("compacted");
    admin.create_topic(&NewTopic::new(&compacted, 1).config("cleanup.policy", "compact"), WAIT)?;
    let at = TopicPartition::new(compacted, 0);
    let error = admin.delete_records(&[(at.clone(), -1)], WAIT).expect_err("it is only compacted");
    assert_eq!(error.message(), format!("cannot delete the records of {at}"));
    assert!(error.hint_text().is_some_and(|hint| hint.contains("cleanup.policy")), "{error:?}");

    let missing = TopicPartition::new(unique("missing"), 0);
    let error = admin.delete_records(&[(missing, 1)], Duration::from_secs(5)).expect_err("there is none");
    assert!(error.message().contains("delete"), "{error:?}");
    Ok(())
}

#[test]
fn what_was_deleted_stays_deleted_when_the_broker_is_killed() -> Result<()> {
    let folder = tempfile::tempdir().expect("a folder");
    let config = Config { storage: Storage::Dir(folder.path().into()), ..Config::default() };
    let broker = Broker::start_blocking(config.clone())?;
    let client = ClientConfig::new(broker.addr().to_string());
    let partitions = filled(&client)?;
    let admin = Admin::connect(&client, WAIT)?;
    admin.delete_records(&[(partitions[0].clone(), 7), (partitions[1].clone(), 10)], WAIT)?;
    broker.crash();
    let broker = Broker::start_blocking(config)?;
    let admin = Admin::connect(&ClientConfig::new(broker.addr().to_string()), WAIT)?;
    assert_eq!(watermarks(&admin, &partitions)?, [(7, 10), (10, 10)]);
    Ok(())
}
