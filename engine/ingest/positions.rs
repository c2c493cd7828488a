//! Where sources are: a compacted topic, `_alcedo_SERVICE_positions`, of one partition.
//!
//! A key is `CONNECTOR/PART`, a value a small JSON text whose shape is the connector's own. With transactions a position is
//! written in the transaction of the records before it, so both are there or neither is.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::error::Result;
use crate::kafka::{Admin, ClientConfig, NewTopic, Producer, Record, replay};
use crate::record::OutBatch;

/// How long the cluster gets to answer.
const ANSWER: Duration = Duration::from_secs(30);

/// The positions of one connector, by part.
pub type Positions = BTreeMap<String, String>;

/// The positions topic of a service, as one connector sees it.
#[derive(Debug, Clone)]
pub struct PositionLog {
    topic: Arc<str>,
    prefix: String,
}

impl PositionLog {
    /// The positions of a connector of a service.
    pub fn new(service: &str, connector: &str) -> PositionLog {
        // A connector's name may hold a slash, if it was quoted; its part of the key may not.
        let prefix = format!("{}/", connector.replace('%', "%25").replace('/', "%2F"));
        PositionLog { topic: Arc::from(format!("_alcedo_{service}_positions")), prefix }
    }

    /// Creates the topic when there is none.
    pub fn ensure(&self, admin: &Admin) -> Result<()> {
        if admin.topic(&self.topic, ANSWER)?.is_none() {
            admin.create_topic(&NewTopic::new(&*self.topic, 1).config("cleanup.policy", "compact"), ANSWER)?;
        }
        Ok(())
    }

    /// Reads the connector's positions.
    pub fn read(&self, client: &ClientConfig, admin: &Admin) -> Result<Positions> {
        let mut positions = Positions::new();
        replay(client, admin, &self.topic, ANSWER, &mut |key, value| {
            let key = key.and_then(|key| std::str::from_utf8(key).ok()).unwrap_or_default();
            let Some(part) = key.strip_prefix(&self.prefix) else { return };
            match value.and_then(|value| std::str::from_utf8(value).ok()) {
                Some(value) => positions.insert(part.to_string(), value.to_string()),
                None => positions.remove(part),
            };
        })?;
        Ok(positions)
    }

    /// The records that keep these positions.
    pub fn records(&self, positions: &Positions) -> OutBatch {
        let mut batch = OutBatch::new(Arc::clone(&self.topic));
        for (part, value) in positions {
            batch.push(-1, Some(format!("{}{part}", self.prefix).as_bytes()), Some(value.as_bytes()));
        }
        batch
    }

    /// Forgets all positions of the connector.
    pub fn forget(&self, client: &ClientConfig, admin: &Admin, producer: &Producer) -> Result<()> {
        let mut deliveries = Vec::new();
        for part in self.read(client, admin)?.keys() {
            let key = format!("{}{part}", self.prefix);
            let record = Record { topic: &self.topic, key: Some(key.as_bytes()), timestamp: -1, ..Record::default() };
            deliveries.push(producer.send(record)?);
        }
        deliveries.into_iter().try_for_each(|delivery| delivery.wait().map(drop))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connectors_do_not_see_each_others_positions() {
        let one = PositionLog::new("s", "a");
        let other = PositionLog::new("s", "a/b");
        let positions = Positions::from([("b/c".to_string(), "1".to_string())]);
        let key = |log: &PositionLog| String::from_utf8(log.records(&positions).keys.get(0).expect("a key").to_vec());
        assert_eq!(key(&one).expect("text"), "a/b/c");
        assert_eq!(key(&other).expect("text"), "a%2Fb/b/c");
    }
}
