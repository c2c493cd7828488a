//! What goes in comes out: keys, values, headers, timestamps, every compression, sizes up to the topic's limit.

use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::{Header, OwnedHeaders};

use super::client::*;
use super::handle::BrokerHandle;
use super::wire::{Wanted, Wire};

/// Keys, values, headers (repeated, empty, null) and timestamps are kept byte for byte; null and empty stay apart.
pub fn headers_keys_and_timestamps_come_back(broker: &mut dyn BrokerHandle) -> Outcome {
    let boot = broker.bootstrap();
    let topic = new_topic(&boot, "records", 1)?;
    let headers = OwnedHeaders::new()
        .insert(Header { key: "unit", value: Some("°C") })
        .insert(Header { key: "unit", value: Some("") })
        .insert(Header { key: "none", value: None::<&str> });
    let producer = Producer::new(&boot, &[])?;
    producer.send(out(&topic, 0, 0).key(b"a").payload(b"full").timestamp(1_600_000_000_000).headers(headers))?;
    producer.send(out(&topic, 0, 1).key(b"a").timestamp(1_000))?;
    producer.send(out(&topic, 0, 2).payload(b"").timestamp(1_600_000_000_001))?;
    producer.send(out(&topic, 0, 3).key(b"").payload(&[0, 255, 128]).timestamp(2))?;
    let mut reports = producer.flush()?;
    reports.sort_by_key(|report| report.id);
    let offsets: Vec<i64> = reports.iter().map(|report| report.offset).collect();
    ensure!(offsets == [0, 1, 2, 3], "offsets in the delivery reports: {offsets:?}");

    let got = read(&boot, &topic, 1, Isolation::Committed)?;
    let bytes = |bytes: &[u8]| Some(bytes.to_vec());
    let unit = |value: &str| ("unit".to_owned(), bytes(value.as_bytes()));
    let record = |offset, timestamp, key, value, headers| Got {
        partition: 0,
        offset,
        timestamp: Some(timestamp),
        key,
        value,
        headers,
    };
    let wanted = vec![
        record(
            0,
            1_600_000_000_000,
            bytes(b"a"),
            bytes(b"full"),
            vec![unit("°C"), unit(""), ("none".to_owned(), None)],
        ),
        record(1, 1_000, bytes(b"a"), None, vec![]),
        record(2, 1_600_000_000_001, None, bytes(b""), vec![]),
        record(3, 2, bytes(b""), bytes(&[0, 255, 128]), vec![]),
    ];
    ensure!(got == wanted, "read {got:#?}, wanted {wanted:#?}");
    Ok(())
}

/// Stored as gzip, read back whole.
pub fn gzip_batches_stay_gzip(broker: &mut dyn BrokerHandle) -> Outcome {
    compressed(broker, "gzip", 1)
}

/// Stored as snappy, read back whole.
pub fn snappy_batches_stay_snappy(broker: &mut dyn BrokerHandle) -> Outcome {
    compressed(broker, "snappy", 2)
}

/// Stored as lz4, read back whole.
pub fn lz4_batches_stay_lz4(broker: &mut dyn BrokerHandle) -> Outcome {
    compressed(broker, "lz4", 3)
}

/// Stored as zstd, read back whole.
pub fn zstd_batches_stay_zstd(broker: &mut dyn BrokerHandle) -> Outcome {
    compressed(broker, "zstd", 4)
}

/// A topic keeps the producer's codec (`compression.type=producer` is the default), and offsets count records, not batches.
fn compressed(broker: &mut dyn BrokerHandle, name: &str, codec: i16) -> Outcome {
    let boot = broker.bootstrap();
    let topic = new_topic(&boot, name, 1)?;
    let values: Vec<String> = (0..500).map(|n| format!("{{\"n\":{n},\"pad\":\"{}\"}}", "abc".repeat(50))).collect();
    let producer = Producer::new(&boot, &[("compression.codec", name), ("linger.ms", "20")])?;
    producer.put_all(&topic, 0, &values)?;

    let got = read(&boot, &topic, 1, Isolation::Committed)?;
    ensure!(texts(&got) == values, "read {} records that differ from the {} written", got.len(), values.len());
    ensure!(got.iter().map(|r| r.offset).eq(0..500), "offsets are not 0 to 499");

    let mut wire = Wire::connect(&boot)?;
    let fetched = wire.fetch(&topic, &Wanted::default())?;
    let batches = fetched.iter().flat_map(|part| part.batches()).collect::<Vec<_>>();
    let mut next = 0;
    for batch in &batches {
        ensure!(batch.base_offset == next, "a batch at offset {}, wanted {next}", batch.base_offset);
        ensure!(batch.last_offset - next + 1 == i64::from(batch.records), "offsets are not records: {batch:?}");
        next = batch.last_offset + 1;
    }
    ensure!(next == 500, "the batches hold {next} of 500 records");
    ensure!(batches.iter().all(|b| b.codec() == codec), "a batch lost its codec: {batches:?}");

    // In the middle of a compressed batch: the broker sends the whole batch, the client skips to the offset.
    let tail = read_from(&boot, &topic, 1, 497, Isolation::Committed)?;
    ensure!(texts(&tail) == values[497..], "reading from offset 497 gave {:?}", texts(&tail));
    Ok(())
}

/// One megabyte fits under the default limit of a topic, several in a row too.
pub fn one_megabyte_records(broker: &mut dyn BrokerHandle) -> Outcome {
    let boot = broker.bootstrap();
    let topic = new_topic(&boot, "large", 1)?;
    // Does not compress and differs from record to record.
    let value = |seed: u32| -> Vec<u8> {
        let mut state = seed.wrapping_mul(2_654_435_761).max(1);
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state.to_le_bytes()
        };
        (0..250_000).flat_map(|_| next()).collect()
    };
    let values: Vec<Vec<u8>> = (1..=5).map(value).collect();
    let producer = Producer::new(&boot, &[("message.max.bytes", "1048576")])?;
    for (id, value) in values.iter().enumerate() {
        producer.send(out(&topic, 0, id).payload(value))?;
    }
    producer.flush()?;
    let got = read(&boot, &topic, 1, Isolation::Committed)?;
    ensure!(got.len() == 5, "read {} of 5 records", got.len());
    ensure!(got.iter().zip(&values).all(|(got, wanted)| got.value.as_ref() == Some(wanted)), "a record differs");
    Ok(())
}

/// A batch above the topic's `max.message.bytes` is refused and nothing of it is stored; a raised limit lets it in.
pub fn a_record_above_the_limit_is_refused(broker: &mut dyn BrokerHandle) -> Outcome {
    let boot = broker.bootstrap();
    let (small, large) = (fresh("limit-small"), fresh("limit-large"));
    create_with(&boot, &small, 1, &[("max.message.bytes", "10000")])?;
    create_with(&boot, &large, 1, &[("max.message.bytes", "3000000")])?;
    let producer = Producer::new(&boot, &[("message.max.bytes", "4000000")])?;
    for (topic, size, stored) in [(&small, 9_000, true), (&small, 11_000, false), (&large, 2_000_000, true)] {
        producer.send(out(topic, 0, 0).payload(&vec![b'x'; size]))?;
        let error = producer.flush().err();
        ensure!(error.is_none() == stored, "{size} bytes to {topic}: {error:?}");
        if let Some(error) = error {
            let code = RDKafkaErrorCode::MessageSizeTooLarge;
            ensure!(error.contains(&code.to_string()), "{size} bytes to {topic}: {error}, wanted {code}");
        }
    }
    let got = read(&boot, &small, 1, Isolation::Committed)?;
    ensure!(got.len() == 1, "{} records in the topic with the small limit", got.len());
    Ok(())
}
