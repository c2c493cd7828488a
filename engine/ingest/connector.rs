//! The contract of connectors: what `CREATE SOURCE CONNECTOR` starts, and what the other connector statements ask of it.
//!
//! A [`ConnectorClass`] is one value of `connector.class`. Its life in three steps, each an object of its own:
//!
//! 1. [`ConnectorClass::plan`] reads the properties and gives a [`ConnectorPlan`]: everything that can be known to be
//!    wrong is refused here, and nothing is touched. A file of statements plans all of them before the first is carried out.
//! 2. [`ConnectorPlan::start`] is called when the statement is carried out, once the target topics exist. What fails now
//!    (a port that is taken) fails the statement, which leaves no trace.
//! 3. The [`RunningConnector`] lives until it is stopped. It is asked for its state and its counts from any thread, at any
//!    time, and answers at once.
//!
//! A connector whose source is away goes on trying by itself, with growing pauses ([`backoff`]): it is
//! [`State::Retrying`] meanwhile, and [`last_error`](RunningConnector::last_error) says why. [`State::Failed`] is for what
//! no trying mends; it stays so until somebody drops or replaces it. Both are told once as a notice, by the connector.
//!
//! Whatever a connector tells its source is safe (an acknowledgement, a file position) follows Kafka's delivery report or
//! a committed transaction, and never the handing over.
//!
//! A new class implements these three traits in its own folder of `ingest` and gets one line in the registry of classes,
//! `session/connectors/classes.rs`. It starts its own threads or its own Tokio runtime; every queue in it is bounded.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::properties::Properties;
use crate::error::{Error, Result};
use crate::kafka::{Admin, ClientConfig, Producer};
use crate::notice::Notices;

/// The name of the count that every connector has: records that are safe in Kafka since the connector was started in
/// this process. Rates are made of it.
pub const DELIVERED: &str = "delivered";

/// What a connector is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// It brings what its source gives.
    Running,
    /// Its source is away, or Kafka is; it tries again by itself.
    Retrying,
    /// Somebody paused it.
    Paused,
    /// It ended with an error that trying again does not mend.
    Failed,
    /// Its source was finite and is safe in Kafka whole.
    Finished,
}

impl State {
    /// Whether no record will come any more, whatever happens outside.
    pub fn is_over(self) -> bool {
        matches!(self, State::Failed | State::Finished)
    }
}

impl fmt::Display for State {
    /// In capitals, as ksqlDB and Kafka Connect write states.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            State::Running => "RUNNING",
            State::Retrying => "RETRYING",
            State::Paused => "PAUSED",
            State::Failed => "FAILED",
            State::Finished => "FINISHED",
        })
    }
}

/// The latest thing that went wrong with a connector as a whole; it stays when the connector has recovered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastError {
    /// When.
    pub at: SystemTime,
    /// What, as one line without a value from the data and without a secret.
    pub text: String,
}

impl LastError {
    /// An error that happened now.
    pub fn now(error: &Error) -> LastError {
        LastError { at: SystemTime::now(), text: error.to_string() }
    }
}

/// A topic that a connector writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its name.
    pub topic: String,
    /// Partitions to create it with when it is missing; without a number it is created on the embedded broker only, with one.
    pub partitions: Option<i32>,
}

impl Target {
    /// A topic that a cluster must have already.
    pub fn new(topic: impl Into<String>) -> Target {
        Target { topic: topic.into(), partitions: None }
    }
}

/// What a connector is started with.
pub struct Host {
    /// The connector's name: the subject of its notices.
    pub name: String,
    /// The service id, a part of the names of transactions and of our own topics.
    pub service: String,
    /// Address and properties of the cluster, for a connector with a client of its own.
    pub client: ClientConfig,
    /// Questions to the cluster.
    pub admin: Arc<Admin>,
    /// The shared idempotent producer; [`KafkaDeliver`](super::to_kafka::KafkaDeliver) makes a [`Deliver`](super::Deliver) of it.
    pub producer: Arc<Producer>,
    /// Whether topics are in memory, so that an acknowledgement means memory.
    pub in_memory: bool,
    /// Whether records and positions go out in transactions (`processing.guarantee`), for connectors that can.
    pub exactly_once: bool,
    /// Whether it starts paused, because it was paused when it last ran.
    pub paused: bool,
    /// Where it says things; at most one line for each thing that happens, never one for each record.
    pub notices: Notices,
}

/// One value of `connector.class`.
pub trait ConnectorClass: Sync {
    /// The value itself, in lower case.
    fn name(&self) -> &'static str;

    /// Names of Kafka Connect's classes that mean the same, as their documentation writes them; the last part, and the last part
    /// without `Connector`, are matched too, as Kafka Connect does.
    fn aliases(&self) -> &'static [&'static str] {
        &[]
    }

    /// What it does, in one line.
    fn about(&self) -> &'static str;

    /// The properties it takes, without its class; what completion offers.
    fn properties(&self) -> &'static [&'static str];

    /// Properties whose values are never shown, beside those whose names say so (`…password…`, `…secret…`, `…token…`).
    fn secrets(&self) -> &'static [&'static str] {
        &[]
    }

    /// Reads and checks the properties, without touching anything outside.
    ///
    /// # Errors
    /// Of kind SQL, at the property that is wrong: unknown (with the nearest name), missing, or with a value that it cannot have.
    fn plan(&self, properties: &Properties) -> Result<Box<dyn ConnectorPlan>>;
}

/// A connector that was checked and could be started.
pub trait ConnectorPlan: Send {
    /// The topics it will write; they exist when it is started.
    fn targets(&self) -> Vec<Target>;

    /// Whether its source has an end, so that `--until-end` can wait for it.
    fn is_finite(&self) -> bool {
        false
    }

    /// Looks outside, without changing anything, for what should be there when a person creates the connector (a file to read).
    /// Not called for a connector that comes back after a restart: that one starts, and tries again until it is there. The
    /// properties are those it was planned from, for the place of an error.
    ///
    /// # Errors
    /// What is missing; the statement is refused with it.
    fn probe(&self, properties: &Properties) -> Result<()> {
        let _ = properties;
        Ok(())
    }

    /// Starts it.
    ///
    /// # Errors
    /// What cannot be started now and would not start by waiting. Nothing is left running.
    fn start(self: Box<Self>, host: Host) -> Result<Arc<dyn RunningConnector>>;
}

/// A connector that was started. Every call but [`stop`](Self::stop), [`pause`](Self::pause) and [`resume`](Self::resume)
/// answers at once.
pub trait RunningConnector: Send + Sync {
    /// What it is doing.
    fn state(&self) -> State;

    /// The latest thing that went wrong, if anything did.
    fn last_error(&self) -> Option<LastError>;

    /// Its counts by name, [`DELIVERED`] among them, since it was started; a pause does not reset them.
    fn counts(&self) -> Vec<(&'static str, u64)>;

    /// More to say about it, by name, for `DESCRIBE CONNECTOR`: how far it is, whom it is connected to.
    fn facts(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// The addresses it listens on.
    fn addresses(&self) -> Vec<SocketAddr> {
        Vec::new()
    }

    /// Takes nothing from its source any more until it is resumed; what is under way becomes safe first. Waits for that a few
    /// seconds at most. Does nothing when it is paused, or over.
    ///
    /// # Errors
    /// Why it goes on.
    fn pause(&self) -> Result<()>;

    /// Goes on where it was paused. Does nothing when it is not paused.
    ///
    /// # Errors
    /// Why it stays paused.
    fn resume(&self) -> Result<()>;

    /// Ends it: takes nothing more, lets what is under way become safe within `patience`, then ends in any case. What was not
    /// safe by then comes again from the source. A second call does nothing.
    fn stop(&self, patience: Duration);

    /// Forgets where it was in its source, for a connector that was stopped because it was dropped: one of the same name begins
    /// anew.
    ///
    /// # Errors
    /// Why it may still be remembered.
    fn forget(&self) -> Result<()> {
        Ok(())
    }
}

/// The pause before trying again, after so many failures in a row: from a quarter of a second to half a minute, doubling.
pub fn backoff(failures: u32) -> Duration {
    Duration::from_millis(250 << failures.saturating_sub(1).min(7)).min(Duration::from_secs(30))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_half_a_minute() {
        assert_eq!(backoff(1), Duration::from_millis(250));
        assert_eq!(backoff(2), Duration::from_millis(500));
        assert_eq!(backoff(8), Duration::from_secs(30));
        assert_eq!(backoff(u32::MAX), Duration::from_secs(30));
    }
}
