//! Producers that must be stopped: zombies, and transactions whose producer fell silent.

use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::Producer as _;

use super::client::*;
use super::handle::BrokerHandle;
use super::wire::Wire;

/// A second producer with the same transactional id aborts what the first left open and fences it for good.
pub fn a_zombie_is_fenced_and_its_records_aborted(broker: &mut dyn BrokerHandle) -> Outcome {
    let boot = broker.bootstrap();
    let topic = new_topic(&boot, "zombie", 1)?;
    let id = fresh("zombie");
    let zombie = Producer::transactional(&boot, &id, &[])?;
    zombie.begin()?;
    zombie.put_all(&topic, 0, &["by the zombie"])?;

    let successor = Producer::transactional(&boot, &id, &[])?;
    successor.begin()?;
    successor.put_all(&topic, 0, &["by the successor"])?;
    expect_fatal("a zombie's commit", zombie.inner.commit_transaction(PATIENCE))?;
    successor.commit()?;
    let got = texts(&read(&boot, &topic, 1, Isolation::Committed)?);
    ensure!(got == ["by the successor"], "read_committed saw {got:?}");
    Ok(())
}

/// A zombie that only now sends is refused as well, and nothing of it is stored.
pub fn a_zombie_cannot_write(broker: &mut dyn BrokerHandle) -> Outcome {
    let boot = broker.bootstrap();
    let topic = new_topic(&boot, "late", 1)?;
    let id = fresh("late");
    let zombie = Producer::transactional(&boot, &id, &[])?;
    zombie.begin()?;
    zombie.put_all(&topic, 0, &["in time"])?;
    let _successor = Producer::transactional(&boot, &id, &[])?;
    let late = zombie.put_all(&topic, 0, &["too late"]);
    ensure!(late.is_err(), "a fenced producer's record was acknowledged: {late:?}");
    let got = texts(&read(&boot, &topic, 1, Isolation::Uncommitted)?);
    ensure!(got == ["in time"], "read_uncommitted saw {got:?}");
    let got = texts(&read(&boot, &topic, 1, Isolation::Committed)?);
    ensure!(got.is_empty(), "read_committed saw {got:?}");
    Ok(())
}

/// A transaction that is open longer than its timeout is aborted by the broker, so that readers can go on, and its producer
/// can not commit it any more.
pub fn a_transaction_beyond_its_timeout_is_aborted(broker: &mut dyn BrokerHandle) -> Outcome {
    const TIMEOUT: Duration = Duration::from_secs(1);
    let boot = broker.bootstrap();
    let topic = new_topic(&boot, "timeout", 1)?;
    let timeout = TIMEOUT.as_millis().to_string();
    let producer = Producer::transactional(&boot, &fresh("timeout"), &[("transaction.timeout.ms", &timeout)])?;
    producer.begin()?;
    let began = Instant::now();
    producer.put_all(&topic, 0, &["never finished"])?;
    let mut wire = Wire::connect(&boot)?;
    ensure!(wire.end_offset(&topic, 0, true)? == 0, "the transaction is not open");
    until("the open transaction to be aborted", || Ok((wire.end_offset(&topic, 0, true)? == 2).then_some(())))?;
    let took = began.elapsed();
    ensure!(took >= TIMEOUT, "aborted after {took:?}, timeout {TIMEOUT:?}");
    ensure!(took < TIMEOUT * 8, "aborted after {took:?} only, timeout {TIMEOUT:?}");
    let got = texts(&read(&boot, &topic, 1, Isolation::Committed)?);
    ensure!(got.is_empty(), "read_committed saw {got:?}");
    let late = producer.inner.commit_transaction(PATIENCE);
    ensure!(late.is_err(), "the aborted transaction was committed");
    let got = texts(&read(&boot, &topic, 1, Isolation::Committed)?);
    ensure!(got.is_empty(), "read_committed saw {got:?} after the late commit");
    Ok(())
}

/// The broker refuses a timeout above its own `transaction.max.timeout.ms` (15 minutes).
pub fn a_timeout_above_the_limit_is_refused(broker: &mut dyn BrokerHandle) -> Outcome {
    let boot = broker.bootstrap();
    let refused = Producer::transactional(&boot, &fresh("long"), &[("transaction.timeout.ms", "900001")]);
    let wanted = RDKafkaErrorCode::InvalidTransactionTimeout.to_string();
    match refused {
        Err(error) if error.contains(&wanted) || error.contains("timeout") => Ok(()),
        Err(error) => Err(format!("a timeout of 15 minutes and a millisecond: {error}, wanted {wanted}")),
        Ok(_) => Err("a timeout of 15 minutes and a millisecond was accepted".to_owned()),
    }
}

/// The error must be the one that tells a client to stop for good.
pub fn expect_fatal(what: &str, outcome: Result<(), KafkaError>) -> Outcome {
    match outcome {
        Err(KafkaError::Transaction(error)) if error.is_fatal() => Ok(()),
        other => Err(format!("{what}: {other:?}, wanted a fatal error")),
    }
}
