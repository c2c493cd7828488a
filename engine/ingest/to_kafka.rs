//! Records of the edges into topics: a receipt comes back with the cluster's delivery report.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::{Deliver, Handover, IngestRecord, Receipt};
use crate::error::{Error, Result};
use crate::kafka::{Delivery, Producer, Record};

/// Records handed to librdkafka whose reports have not come yet; more wait at the edge.
const IN_FLIGHT_MAX: usize = 100_000;

/// Writes records with a shared producer.
pub struct KafkaDeliver {
    producer: Arc<Producer>,
    pending: SyncSender<(Delivery, Receipt)>,
}

impl KafkaDeliver {
    /// Starts the thread that waits for delivery reports; it ends when this is dropped and nothing is pending.
    pub fn start(producer: Arc<Producer>) -> Result<KafkaDeliver> {
        let (pending, reports) = sync_channel(IN_FLIGHT_MAX);
        std::thread::Builder::new()
            .name("ingest-reports".into())
            .spawn(move || settle(&reports))
            .map_err(|error| Error::external("a thread cannot be started").with_source(error))?;
        Ok(KafkaDeliver { producer, pending })
    }
}

/// Reports come in order per partition, and nearly so over all; waiting for them in the order of sending holds nothing
/// up for long.
fn settle(reports: &Receiver<(Delivery, Receipt)>) {
    while let Ok((delivery, receipt)) = reports.recv() {
        receipt.done(delivery.wait().map(drop));
    }
}

impl Deliver for KafkaDeliver {
    fn deliver(&self, record: IngestRecord, receipt: Receipt) -> Handover {
        if self.producer.in_flight() >= IN_FLIGHT_MAX {
            return Handover::Full(Box::new((record, receipt)));
        }
        let headers: Vec<(&str, Option<&[u8]>)> =
            record.headers.iter().map(|(name, value)| (name.as_ref(), Some(value.as_ref()))).collect();
        let sent = self.producer.send(Record {
            topic: &record.topic,
            partition: None,
            key: record.key.as_deref(),
            value: Some(&record.value),
            timestamp: record.timestamp_ms,
            headers: &headers,
        });
        match sent {
            Ok(delivery) => {
                if let Err(error) = self.pending.try_send((delivery, receipt)) {
                    // The bound above keeps the channel from filling; a receipt that is dropped counts as failed.
                    drop(error);
                }
                Handover::Taken
            }
            Err(error) if error.is_retryable() => {
                drop(headers);
                Handover::Full(Box::new((record, receipt)))
            }
            Err(error) => {
                receipt.done(Err(error));
                Handover::Taken
            }
        }
    }
}
