//! In-memory topics under their cap.

use std::sync::Arc;

use parking_lot::Mutex;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};

use super::*;

#[test]
fn the_oldest_records_go_after_one_warning_and_the_newest_stay() {
    let warnings: Arc<Mutex<Vec<String>>> = Arc::default();
    let heard = Arc::clone(&warnings);
    let config = Config {
        storage: Storage::Memory { max_bytes: Some(1 << 20) },
        warn: Some(Arc::new(move |line: &str| heard.lock().push(line.to_string()))),
        ..Config::default()
    };
    let broker = Broker::start_blocking(config).unwrap();
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", broker.addr().to_string()).set("batch.size", "20000").set("linger.ms", "1");
    let producer: ThreadedProducer<DefaultProducerContext> = client.create().unwrap();
    let value = vec![7u8; 1000];
    let wait = Duration::from_secs(20);
    for _ in 0..3 {
        for _ in 0..1000 {
            producer.send(BaseRecord::<(), _>::to("t").payload(&value)).map_err(|(error, _)| error).unwrap();
        }
        producer.flush(wait).unwrap();
    }
    let consumer: BaseConsumer = client.create().unwrap();
    let (low, high) = consumer.fetch_watermarks("t", 0, wait).unwrap();
    assert_eq!(high, 3000);
    // A megabyte holds about a thousand of them; a segment is a sixteenth of it.
    assert!((1950..2150).contains(&low), "{low}");
    let warnings = warnings.lock();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("oldest records"), "{warnings:?}");
}
