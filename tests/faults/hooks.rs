//! The hooks do what they say: before an effect there is none, after it there is, and a delay is one.

use std::time::{Duration, Instant};

use alcedo::broker::hooks::{ApiKey, Fault, Hooks, ResponseError};
use alcedo::broker::{Broker, Config};

use crate::conformance::client::{Isolation, Outcome, Producer, Step, ensure, new_topic, read, texts};

fn start() -> Outcome<(Hooks, Broker, String)> {
    let hooks = Hooks::new();
    let broker = Broker::start_blocking(Config { hooks: Some(hooks.clone()), ..Config::default() });
    let broker = broker.step("the broker")?;
    let boot = broker.addr().to_string();
    Ok((hooks, broker, boot))
}

/// Writes one record while the fault is there; how often the record is in the topic afterwards.
fn times_written(fault: Fault, idempotent: bool) -> Outcome<usize> {
    let (hooks, _broker, boot) = start()?;
    let topic = new_topic(&boot, "once", 1)?;
    let placed = hooks.add(fault.of(ApiKey::Produce));
    let idempotence = if idempotent { "true" } else { "false" };
    let producer = Producer::new(&boot, &[("enable.idempotence", idempotence)])?;
    producer.put_all(&topic, 0, &["x"])?;
    ensure!(placed.struck() == 1, "the fault met {} requests", placed.struck());
    Ok(texts(&read(&boot, &topic, 1, Isolation::Uncommitted)?).len())
}

#[test]
fn a_request_that_is_cut_or_refused_before_its_effect_has_none_and_after_it_has_one() {
    let error = ResponseError::NotLeaderOrFollower;
    for (fault, idempotent, wanted) in [
        (Fault::cut(), false, 1),
        (Fault::refuse(error), false, 1),
        // The client does not know that the first try took effect, and tries again.
        (Fault::cut().after(), false, 2),
        (Fault::refuse(error).after(), false, 2),
        // With sequence numbers the broker does.
        (Fault::cut().after(), true, 1),
        (Fault::refuse(error).after(), true, 1),
    ] {
        let times = times_written(fault.clone(), idempotent);
        assert_eq!(times, Ok(wanted), "{fault:?}, idempotent: {idempotent}");
    }
}

#[test]
fn a_delayed_answer_takes_its_time() {
    let outcome = (|| -> Outcome {
        let (hooks, _broker, boot) = start()?;
        let topic = new_topic(&boot, "late", 1)?;
        let producer = Producer::new(&boot, &[])?;
        producer.put_all(&topic, 0, &["a"])?;
        let delay = Duration::from_millis(200);
        for fault in [Fault::delay(delay), Fault::delay(delay).after()] {
            hooks.add(fault.of(ApiKey::Produce));
            let began = Instant::now();
            producer.put_all(&topic, 0, &["b"])?;
            ensure!(began.elapsed() >= delay, "it took {:?}", began.elapsed());
        }
        Ok(())
    })();
    outcome.unwrap_or_else(|error| panic!("{error}"));
}
