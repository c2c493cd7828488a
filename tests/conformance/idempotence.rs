//! The idempotent producer's side of the broker: sequence numbers, and the window in which a repeated batch is recognised.
//! librdkafka repeats batches only when a connection breaks at the right moment, so these are frames by hand.

use super::client::*;
use super::handle::BrokerHandle;
use super::wire::{Wire, batch, code};

/// A batch sent again is acknowledged with its first offset and not stored twice; this holds for the last five batches.
pub fn a_repeated_batch_is_stored_once(broker: &mut dyn BrokerHandle) -> Outcome {
    let boot = broker.bootstrap();
    let topic = new_topic(&boot, "twice", 1)?;
    let mut wire = Wire::connect(&boot)?;
    let producer = wire.init_producer_id()?;
    send_six(&mut wire, &topic, producer)?;
    expect_window(&mut wire, &topic, producer)?;
    let got = texts(&read(&boot, &topic, 1, Isolation::Committed)?);
    ensure!(got.len() == 12, "{} records are stored, 12 were sent first: {got:?}", got.len());
    Ok(())
}

/// A gap in the sequence is refused, and the producer can go on where it was.
pub fn a_gap_in_the_sequence_is_refused(broker: &mut dyn BrokerHandle) -> Outcome {
    let boot = broker.bootstrap();
    let topic = new_topic(&boot, "gap", 1)?;
    let mut wire = Wire::connect(&boot)?;
    let producer = wire.init_producer_id()?;
    for (sequence, wanted) in
        [(0, code::NONE), (2, code::OUT_OF_ORDER_SEQUENCE_NUMBER), (1, code::NONE), (2, code::NONE)]
    {
        let (error, _) = wire.produce(&topic, 0, &batch(producer, sequence, &["x"]))?;
        ensure!(error == wanted, "batch with sequence {sequence}: error {error}, wanted {wanted}");
    }
    let (_, end) = watermarks(&boot, &topic, 0)?;
    ensure!(end == 3, "{end} records are stored, wanted 3");
    Ok(())
}

/// A batch of an epoch that is over is refused; a new epoch begins at sequence 0.
pub fn an_old_epoch_is_refused(broker: &mut dyn BrokerHandle) -> Outcome {
    let boot = broker.bootstrap();
    let topic = new_topic(&boot, "epoch", 1)?;
    let mut wire = Wire::connect(&boot)?;
    let (id, epoch) = wire.init_producer_id()?;
    for (epoch, sequence, wanted) in [
        (epoch, 0, code::NONE),
        (epoch + 1, 0, code::NONE),
        (epoch, 1, code::INVALID_PRODUCER_EPOCH),
        (epoch + 1, 1, code::NONE),
    ] {
        let (error, _) = wire.produce(&topic, 0, &batch((id, epoch), sequence, &["x"]))?;
        ensure!(error == wanted, "epoch {epoch}, sequence {sequence}: error {error}, wanted {wanted}");
    }
    Ok(())
}

/// A batch whose checksum does not fit its bytes is refused and nothing is stored.
pub fn a_corrupt_batch_is_refused(broker: &mut dyn BrokerHandle) -> Outcome {
    let boot = broker.bootstrap();
    let topic = new_topic(&boot, "corrupt", 1)?;
    let mut wire = Wire::connect(&boot)?;
    let mut bytes = batch((-1, -1), -1, &["value"]);
    if let Some(last) = bytes.last_mut() {
        *last ^= 1;
    }
    let (error, _) = wire.produce(&topic, 0, &bytes)?;
    ensure!(error == code::CORRUPT_MESSAGE, "a corrupt batch: error {error}, wanted {}", code::CORRUPT_MESSAGE);
    let (_, end) = watermarks(&boot, &topic, 0)?;
    ensure!(end == 0, "{end} records are stored");
    Ok(())
}

/// The window is not forgotten in a crash: a producer that repeats its last batches afterwards stores nothing twice.
pub fn the_duplicate_window_survives_a_kill(broker: &mut dyn BrokerHandle) -> Outcome {
    let boot = broker.bootstrap();
    let topic = new_topic(&boot, "twice-kill", 1)?;
    let mut wire = Wire::connect(&boot)?;
    let producer = wire.init_producer_id()?;
    send_six(&mut wire, &topic, producer)?;
    broker.restart()?;
    await_partitions(&boot, &topic, 1)?;
    let mut wire = Wire::connect(&boot)?;
    if broker.keeps_the_whole_window() {
        expect_window(&mut wire, &topic, producer)?;
    } else {
        let (error, offset) = wire.produce(&topic, 0, &batch(producer, 10, &["a", "b"]))?;
        ensure!((error, offset) == (code::NONE, 10), "the last batch again: error {error}, offset {offset}");
        let (error, _) = wire.produce(&topic, 0, &batch(producer, 8, &["a", "b"]))?;
        ensure!(error == code::OUT_OF_ORDER_SEQUENCE_NUMBER, "the last batch but one again: error {error}");
    }
    let (error, offset) = wire.produce(&topic, 0, &batch(producer, 12, &["next"]))?;
    ensure!((error, offset) == (code::NONE, 12), "the next batch: error {error}, offset {offset}, wanted offset 12");
    let got = read(&boot, &topic, 1, Isolation::Committed)?;
    ensure!(got.len() == 13, "{} records are stored, wanted 13", got.len());
    Ok(())
}

/// Six batches of two records each, at offsets 0 to 11.
fn send_six(wire: &mut Wire, topic: &str, producer: (i64, i16)) -> Outcome {
    for sequence in (0..12).step_by(2) {
        let (error, offset) = wire.produce(topic, 0, &batch(producer, sequence, &["a", "b"]))?;
        let wanted = (code::NONE, i64::from(sequence));
        ensure!((error, offset) == wanted, "batch with sequence {sequence}: error {error}, offset {offset}");
    }
    Ok(())
}

/// The last five of the six batches are recognised; the first has left the window and counts as out of order.
fn expect_window(wire: &mut Wire, topic: &str, producer: (i64, i16)) -> Outcome {
    for sequence in [10, 2, 6] {
        let (error, offset) = wire.produce(topic, 0, &batch(producer, sequence, &["a", "b"]))?;
        let wanted = (code::NONE, i64::from(sequence));
        ensure!((error, offset) == wanted, "repeated sequence {sequence}: error {error}, offset {offset}");
    }
    let (error, _) = wire.produce(topic, 0, &batch(producer, 0, &["a", "b"]))?;
    ensure!(error == code::OUT_OF_ORDER_SEQUENCE_NUMBER, "a batch from before the window: error {error}");
    Ok(())
}
