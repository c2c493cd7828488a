//! Fetch: byte limits, waiting at the end, offsets out of range.

use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;

use super::client::*;
use super::handle::BrokerHandle;
use super::wire::{Wanted, Wire, code};

/// `max_bytes` bounds an answer and `max_partition_bytes` one partition in it, however much is waiting, and a plain consumer
/// reads the whole backlog. The backlog is 24 MB unless `ALCEDO_TEST_BACKLOG_MB` says otherwise.
pub fn byte_limits_hold_over_a_backlog(broker: &mut dyn BrokerHandle) -> Outcome {
    const RECORD: usize = 8_000;
    const PARTITIONS: i32 = 4;
    let boot = broker.bootstrap();
    let megabytes: usize = match std::env::var("ALCEDO_TEST_BACKLOG_MB") {
        Ok(text) => text.parse().step("ALCEDO_TEST_BACKLOG_MB")?,
        Err(_) => 24,
    };
    let total = megabytes * 1_000_000 / RECORD;
    let topic = new_topic(&boot, "backlog", PARTITIONS)?;
    let producer = Producer::new(&boot, &[("batch.size", "100000"), ("linger.ms", "5"), ("acks", "all")])?;
    let value = vec![b'x'; RECORD];
    for id in 0..total {
        producer.send(out(&topic, id as i32 % PARTITIONS, id).payload(&value))?;
    }
    producer.flush()?;

    let mut wire = Wire::connect(&boot)?;
    let mut offsets: Vec<(i32, i64)> = (0..PARTITIONS).map(|partition| (partition, 0)).collect();
    let (max_bytes, partition_max_bytes) = (1_000_000, 300_000);
    for round in 0..5 {
        let wanted = Wanted { partitions: &offsets, max_bytes, partition_max_bytes, ..Wanted::default() };
        let fetched = wire.fetch(&topic, &wanted)?;
        let sizes: Vec<usize> = fetched.iter().map(|part| part.records.len()).collect();
        ensure!(sizes.iter().sum::<usize>() > 0, "round {round}: no data");
        ensure!(sizes.iter().sum::<usize>() <= 1_000_000, "round {round}: {sizes:?} bytes, limit 1000000");
        ensure!(sizes.iter().all(|size| *size <= 300_000), "round {round}: {sizes:?} bytes, limit 300000 a partition");
        for part in &fetched {
            if let (Some(last), Some(at)) = (part.batches().last(), offsets.get_mut(part.partition as usize)) {
                at.1 = last.last_offset + 1;
            }
        }
    }
    ensure!(offsets.iter().all(|(_, offset)| *offset > 0), "a partition was starved: {offsets:?}");

    let mut next = vec![0; PARTITIONS as usize];
    let mut wrong = None;
    read_with(&boot, &topic, PARTITIONS, 0, &[], |message| {
        let expected = &mut next[message.partition() as usize];
        if message.offset() != *expected || message.payload_len() != RECORD {
            wrong.get_or_insert((message.partition(), message.offset(), *expected));
        }
        *expected = message.offset() + 1;
    })?;
    ensure!(wrong.is_none(), "partition, offset, expected offset: {wrong:?}");
    ensure!(next.iter().sum::<i64>() == total as i64, "read up to {next:?}, {total} records were written");
    Ok(())
}

/// A limit smaller than the first batch must not stop the reader for ever (KIP-74): that batch comes whole, and it alone.
pub fn the_first_batch_comes_whole_above_every_limit(broker: &mut dyn BrokerHandle) -> Outcome {
    let boot = broker.bootstrap();
    let topic = new_topic(&boot, "kip74", 2)?;
    let producer = Producer::new(&boot, &[("linger.ms", "0")])?;
    for partition in [0, 1, 0, 1] {
        producer.put_all(&topic, partition, &["x".repeat(50_000)])?; // A flush each: a batch each.
    }
    let mut wire = Wire::connect(&boot)?;
    let partitions = [(0, 0), (1, 0)];
    let wanted = Wanted { partitions: &partitions, max_bytes: 1_000, partition_max_bytes: 10, ..Wanted::default() };
    let fetched = wire.fetch(&topic, &wanted)?;
    let counts: Vec<usize> = fetched.iter().map(|part| part.batches().len()).collect();
    ensure!(counts.iter().sum::<usize>() == 1, "whole batches for each partition: {counts:?}, wanted one in all");
    let bytes: usize = fetched.iter().map(|part| part.records.len()).sum();
    ensure!(bytes < 60_000, "{bytes} bytes for one batch of 50 kB");
    Ok(())
}

/// A fetch at the end of a partition waits for `max_wait`, answers empty then, and answers at once when data comes.
pub fn a_fetch_at_the_end_waits_for_data(broker: &mut dyn BrokerHandle) -> Outcome {
    let boot = broker.bootstrap();
    let topic = new_topic(&boot, "wait", 1)?;
    let producer = Producer::new(&boot, &[("linger.ms", "0")])?;
    producer.put_all(&topic, 0, &["first"])?;
    let mut wire = Wire::connect(&boot)?;
    let waiting = |wait| Wanted { partitions: &[(0, 1)], wait, min_bytes: 1, ..Wanted::default() };

    let began = Instant::now();
    let fetched = wire.fetch(&topic, &waiting(Duration::from_millis(300)))?;
    let took = began.elapsed();
    ensure!(fetched.iter().all(|part| part.records.is_empty()), "data where there is none");
    ensure!(fetched.iter().all(|part| part.high_watermark == 1), "high watermark is not 1");
    // A broker may round down to its timer's tick.
    ensure!(took >= Duration::from_millis(250), "the answer came after {took:?}, not after 300 ms");

    let began = Instant::now();
    let fetched = std::thread::scope(|scope| {
        let fetch = scope.spawn(|| wire.fetch(&topic, &waiting(Duration::from_secs(15))));
        let sent = producer.put_all(&topic, 0, &["second"]);
        sent.and(fetch.join().map_err(|_| "the fetching thread panicked".to_owned())?)
    })?;
    let took = began.elapsed();
    ensure!(took < Duration::from_secs(10), "data took {took:?} to wake a waiting fetch");
    ensure!(fetched.iter().flat_map(|part| part.batches()).count() == 1, "not the one new batch");
    Ok(())
}

/// Beyond the end is an error with its own code, not silence and not an empty answer.
pub fn an_offset_out_of_range_is_an_error(broker: &mut dyn BrokerHandle) -> Outcome {
    let boot = broker.bootstrap();
    let topic = new_topic(&boot, "range", 1)?;
    Producer::new(&boot, &[])?.put_all(&topic, 0, &["a", "b"])?;

    let mut wire = Wire::connect(&boot)?;
    for (offset, wanted) in [(2, code::NONE), (3, code::OFFSET_OUT_OF_RANGE), (-1, code::OFFSET_OUT_OF_RANGE)] {
        let fetched = wire.fetch(&topic, &Wanted { partitions: &[(0, offset)], ..Wanted::default() })?;
        let errors: Vec<i16> = fetched.iter().map(|part| part.error).collect();
        ensure!(errors == [wanted], "fetch at offset {offset}: errors {errors:?}, wanted {wanted}");
    }
    let fetched = wire.fetch("no-such-topic", &Wanted::default())?;
    let errors: Vec<i16> = fetched.iter().map(|part| part.error).collect();
    ensure!(errors == [code::UNKNOWN_TOPIC_OR_PARTITION], "fetch from a topic that is not there: errors {errors:?}");

    let consumer = reader(&boot, &[])?;
    consumer.assign(&at(&topic, 0, 100)?).step("assign")?;
    let error = until("an error at offset 100 of 2", || match consumer.poll(Duration::from_millis(100)) {
        Some(Err(error)) => Ok(Some(error)),
        Some(Ok(message)) => Err(format!("a record at offset {}", message.offset())),
        None => Ok(None),
    })?;
    let reset = KafkaError::MessageConsumption(RDKafkaErrorCode::AutoOffsetReset);
    ensure!(error == reset, "reading from offset 100 of 2: {error}, wanted {reset}");
    Ok(())
}
