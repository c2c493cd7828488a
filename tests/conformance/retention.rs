//! What retention and compaction let go of, and what they leave.

use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::Producer as _;
use std::time::{SystemTime, UNIX_EPOCH};

use super::client::*;
use super::handle::BrokerHandle;

/// Settings under which Kafka compacts within a second or two: the next record begins a new segment.
pub const EAGER: [(&str, &str); 4] = [
    ("cleanup.policy", "compact"),
    ("segment.ms", "50"),
    ("min.cleanable.dirty.ratio", "0.0"),
    ("delete.retention.ms", "0"),
];

/// Milliseconds since 1970.
pub fn now_ms() -> Outcome<i64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH).step("the clock")?.as_millis() as i64)
}

/// Records older than `retention.ms` go, those being written too, the offsets go on, and reading the old ones is out of range.
pub fn records_beyond_the_retention_time_go(broker: &mut dyn BrokerHandle) -> Outcome {
    let boot = broker.bootstrap();
    let topic = fresh("old");
    create_with(&boot, &topic, 1, &[("retention.ms", "60000")])?;
    let producer = Producer::new(&boot, &[])?;
    let an_hour_ago = now_ms()? - 3_600_000;
    for id in 0..5 {
        producer.send(out(&topic, 0, id).payload(b"old").timestamp(an_hour_ago))?;
    }
    producer.flush()?;
    until("the old records to go", || Ok((watermarks(&boot, &topic, 0)? == (5, 5)).then_some(())))?;
    let reports = producer.put_all(&topic, 0, &["new"])?;
    ensure!(reports.iter().map(|report| report.offset).eq([5]), "the next offset is not 5: {reports:?}");
    let got = texts(&read_from(&boot, &topic, 1, 5, Isolation::Committed)?);
    ensure!(got == ["new"], "read {got:?}");
    match read(&boot, &topic, 1, Isolation::Committed) {
        Err(error) if error.contains("reset") => {}
        other => return Err(format!("reading from offset 0 after retention: {other:?}")),
    }
    Ok(())
}

/// The oldest segments go beyond `retention.bytes`, whole ones, and no more of them than needed.
pub fn the_oldest_records_go_beyond_the_retention_size(broker: &mut dyn BrokerHandle) -> Outcome {
    let boot = broker.bootstrap();
    let topic = fresh("much");
    create_with(&boot, &topic, 1, &[("retention.bytes", "2097152"), ("segment.bytes", "1048576")])?;
    let producer = Producer::new(&boot, &[("batch.num.messages", "1")])?;
    let value = vec![b'v'; 100_000];
    for id in 0..60 {
        producer.send(out(&topic, 0, id).payload(&value))?;
    }
    producer.flush()?;
    // Ten records make a segment; two megabytes are 21 of them, and the segments at either end count whole.
    until("the oldest to go", || Ok((watermarks(&boot, &topic, 0)?.0 >= 30).then_some(())))?;
    let (low, high) = watermarks(&boot, &topic, 0)?;
    ensure!(high == 60 && low <= 39, "watermarks {low} and {high}: more went than the size asks for");
    let got = read_from(&boot, &topic, 1, low, Isolation::Committed)?;
    ensure!(got.len() as i64 == high - low, "{} records from {low} to {high}", got.len());
    Ok(())
}

/// What is in the topic now, by key; a record of another key is written first, so that the segment before it is finished.
pub fn look(boot: &str, topic: &str, producer: &Producer, isolation: Isolation) -> Outcome<Vec<(String, String, i64)>> {
    producer.send(out(topic, 0, 0).key(b"~").payload(b"~"))?;
    producer.flush()?;
    let text = |bytes: &Option<Vec<u8>>| match bytes {
        Some(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        None => "null".to_owned(),
    };
    let records = read(boot, topic, 1, isolation)?.into_iter().filter(|got| got.key.as_deref() != Some(b"~"));
    Ok(records.map(|got| (text(&got.key), text(&got.value), got.offset)).collect())
}

fn put(producer: &Producer, topic: &str, key: &str, value: Option<&str>) -> Outcome {
    let record = out(topic, 0, 0).key(key.as_bytes());
    match value {
        Some(value) => producer.send(record.payload(value.as_bytes())),
        None => producer.send(record),
    }?;
    producer.flush().map(drop)
}

/// Of each key only the last value stays, at its old offset, in every compression; a deleted key goes altogether.
pub fn compaction_keeps_the_last_value_of_each_key(broker: &mut dyn BrokerHandle) -> Outcome {
    let boot = broker.bootstrap();
    for compression in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let topic = fresh(&format!("compact-{compression}"));
        create_with(&boot, &topic, 1, &EAGER)?;
        let settings = [("compression.type", compression), ("linger.ms", "50")];
        let producer = Producer::new(&boot, &settings)?;
        let padding = "x".repeat(200);
        for round in 0..4 {
            for key in ["a", "b", "c", "d"] {
                let value = format!("{round}{padding}");
                producer.send(out(&topic, 0, 0).key(key.as_bytes()).payload(value.as_bytes()))?;
            }
            producer.flush()?;
        }
        put(&producer, &topic, "a", None)?;
        put(&producer, &topic, "b", Some("last"))?;
        let last = |round: &str| format!("{round}{padding}");
        let wanted =
            [("c".to_owned(), last("3"), 14), ("d".to_owned(), last("3"), 15), ("b".to_owned(), "last".to_owned(), 17)];
        let mut found = Vec::new();
        let done = until("compaction", || {
            found = look(&boot, &topic, &producer, Isolation::Committed)?;
            Ok((found == wanted).then_some(()))
        });
        done.map_err(|error| format!("{compression}: {error}; the topic holds {found:?}"))?;
    }
    Ok(())
}

/// Records of aborted transactions go, those of an open one stay, and a reader of committed records is never misled.
pub fn compaction_leaves_open_transactions_alone(broker: &mut dyn BrokerHandle) -> Outcome {
    let boot = broker.bootstrap();
    let topic = fresh("compact-txn");
    create_with(&boot, &topic, 1, &EAGER)?;
    let plain = Producer::new(&boot, &[])?;
    let ended = Producer::transactional(&boot, &fresh("compact-txn"), &[])?;
    put(&plain, &topic, "a", Some("before"))?;
    for (value, commit) in [("void", false), ("first", true), ("second", true), ("void too", false)] {
        ended.begin()?;
        put(&ended, &topic, "a", Some(value))?;
        if commit { ended.commit()? } else { ended.abort()? }
    }
    let mut all = Vec::new();
    let done = until("compaction", || {
        all = look(&boot, &topic, &plain, Isolation::Uncommitted)?;
        Ok((all == [("a".to_owned(), "second".to_owned(), 5)]).then_some(()))
    });
    done.map_err(|error| format!("{error}; the topic holds {all:?}"))?;

    let open = Producer::transactional(&boot, &fresh("compact-txn"), &[])?;
    open.begin()?;
    put(&open, &topic, "a", Some("open"))?;
    put(&plain, &topic, "a", Some("behind"))?;
    for _ in 0..20 {
        let committed = look(&boot, &topic, &plain, Isolation::Committed)?;
        let values: Vec<&str> = committed.iter().map(|(_, value, _)| value.as_str()).collect();
        ensure!(values == ["second"], "read_committed saw {values:?} before an open transaction");
    }
    let values: Vec<String> =
        look(&boot, &topic, &plain, Isolation::Uncommitted)?.into_iter().map(|one| one.1).collect();
    ensure!(values == ["second", "open", "behind"], "read_uncommitted saw {values:?}");
    open.abort()?;
    let done = until("compaction after the abort", || {
        all = look(&boot, &topic, &plain, Isolation::Committed)?;
        Ok((all.len() == 1 && all[0].1 == "behind").then_some(()))
    });
    done.map_err(|error| format!("{error}; the topic holds {all:?}"))
}

/// A compacted topic takes no record without a key.
pub fn a_compacted_topic_refuses_records_without_a_key(broker: &mut dyn BrokerHandle) -> Outcome {
    let boot = broker.bootstrap();
    let topic = fresh("keyless");
    create_with(&boot, &topic, 1, &[("cleanup.policy", "compact")])?;
    let producer = Producer::new(&boot, &[])?;
    producer.send(out(&topic, 0, 0).payload(b"x"))?;
    let report = until("the report", || {
        producer.inner.poll(std::time::Duration::from_millis(5));
        Ok(producer.inner.context().take().into_iter().next())
    })?;
    let wanted = Some(RDKafkaErrorCode::InvalidRecord);
    ensure!(report.error == wanted, "a record without a key: {:?}, wanted {wanted:?}", report.error);
    ensure!(watermarks(&boot, &topic, 0)? == (0, 0), "the record is there all the same");
    Ok(())
}

/// Compacted and retained: the last value of a key goes too when its time is over.
pub fn both_policies_hold_together(broker: &mut dyn BrokerHandle) -> Outcome {
    let boot = broker.bootstrap();
    let topic = fresh("both");
    let settings = [EAGER.as_slice(), &[("cleanup.policy", "compact,delete"), ("retention.ms", "60000")]].concat();
    // The later of two settings of one name would be refused: only the policy of this check stays.
    let settings: Vec<(&str, &str)> = settings.into_iter().filter(|setting| *setting != EAGER[0]).collect();
    create_with(&boot, &topic, 1, &settings)?;
    let producer = Producer::new(&boot, &[])?;
    let an_hour_ago = now_ms()? - 3_600_000;
    producer.send(out(&topic, 0, 0).key(b"a").payload(b"old").timestamp(an_hour_ago))?;
    producer.flush()?;
    until("the old record to go", || Ok((watermarks(&boot, &topic, 0)? == (1, 1)).then_some(())))?;
    put(&producer, &topic, "a", Some("1"))?;
    put(&producer, &topic, "a", Some("2"))?;
    until("compaction", || {
        producer.send(out(&topic, 0, 0).key(b"~").payload(b"~"))?;
        producer.flush()?;
        let got = read_from(&boot, &topic, 1, 1, Isolation::Committed)?;
        let of_a: Vec<i64> = got.iter().filter(|got| got.key.as_deref() == Some(b"a")).map(|got| got.offset).collect();
        Ok((of_a == [2]).then_some(()))
    })
}
