//! Where a log begins and ends, and which offset a time has.

use rdkafka::consumer::Consumer;
use rdkafka::{Offset, TopicPartitionList};

use super::client::*;
use super::handle::BrokerHandle;

/// The first record at or after a time, also when times are not in order; past the last one there is no offset.
pub fn offset_by_timestamp(broker: &mut dyn BrokerHandle) -> Outcome {
    let boot = broker.bootstrap();
    let topic = new_topic(&boot, "times", 1)?;
    let producer = Producer::new(&boot, &[("linger.ms", "0")])?;
    // One batch each, then one batch of three, so that a time inside a batch is found as well.
    for timestamp in [1_000, 3_000, 2_000] {
        producer.send(out(&topic, 0, 0).payload(b"x").timestamp(timestamp))?;
        producer.flush()?;
    }
    let batching = Producer::new(&boot, &[("linger.ms", "50")])?;
    for timestamp in [4_000, 5_000, 6_000] {
        batching.send(out(&topic, 0, 0).payload(b"x").timestamp(timestamp))?;
    }
    batching.flush()?;

    let consumer = reader(&boot, &[])?;
    let ask = |time: i64| -> Outcome<Offset> {
        let mut times = TopicPartitionList::new();
        times.add_partition_offset(&topic, 0, Offset::Offset(time)).step("time")?;
        let answer = consumer.offsets_for_times(times, PATIENCE).step("offsets for times")?;
        answer.find_partition(&topic, 0).map(|found| found.offset()).ok_or("no answer".to_owned())
    };
    for (time, wanted) in [
        (0, Offset::Offset(0)),
        (1_000, Offset::Offset(0)),
        (1_001, Offset::Offset(1)),
        (2_500, Offset::Offset(1)),
        (3_001, Offset::Offset(3)),
        (4_500, Offset::Offset(4)),
        (6_000, Offset::Offset(5)),
        (6_001, Offset::End),
    ] {
        let found = ask(time)?;
        ensure!(found == wanted, "offset for time {time}: {found:?}, wanted {wanted:?}");
    }
    Ok(())
}

/// Low and high watermark of an empty partition, and after records.
pub fn watermarks_follow_the_log(broker: &mut dyn BrokerHandle) -> Outcome {
    let boot = broker.bootstrap();
    let topic = new_topic(&boot, "watermarks", 2)?;
    Producer::new(&boot, &[])?.put_all(&topic, 1, &["a", "b", "c"])?;
    for (partition, wanted) in [(0, (0, 0)), (1, (0, 3))] {
        let found = watermarks(&boot, &topic, partition)?;
        ensure!(found == wanted, "watermarks of partition {partition}: {found:?}, wanted {wanted:?}");
    }
    Ok(())
}
