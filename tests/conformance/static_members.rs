//! Static membership (KIP-345): a member with an instance id that comes back within its session takes its own place.

use std::time::Duration;

use rdkafka::consumer::Consumer;
use rdkafka::error::RDKafkaErrorCode;

use super::client::*;
use super::handle::BrokerHandle;

/// The partitions a member has now.
fn partitions(member: &Member, topic: &str) -> Outcome<Vec<i32>> {
    let assignment = member.assignment().step("assignment")?;
    Ok(assignment.elements_for_topic(topic).iter().map(|element| element.partition()).collect())
}

/// A static member that ends and starts again gets its partitions back, and the other one notices nothing.
pub fn a_static_member_comes_back_without_a_rebalance(broker: &mut dyn BrokerHandle) -> Outcome {
    let boot = broker.bootstrap();
    let topic = new_topic(&boot, "static", 4)?;
    let group = fresh("static");
    let stays = member(&boot, &group, &topic, &[("group.instance.id", "stays")])?;
    poll_until("four partitions", &[&stays], |_, _| {}, || Ok(assigned(&stays)? == 4))?;
    let goes = member(&boot, &group, &topic, &[("group.instance.id", "goes")])?;
    poll_until("two each", &[&stays, &goes], |_, _| {}, || Ok(assigned(&stays)? == 2 && assigned(&goes)? == 2))?;
    let (before, seen) = (partitions(&goes, &topic)?, stays.context().all());
    // Static members do not leave when they end.
    drop(goes);
    let back = member(&boot, &group, &topic, &[("group.instance.id", "goes")])?;
    poll_until("two partitions again", &[&stays, &back], |_, _| {}, || Ok(assigned(&back)? == 2))?;
    let after = partitions(&back, &topic)?;
    ensure!(after == before, "it came back to {after:?}, not to {before:?}");
    // A record of its partition flows to it, so heartbeats of both have been answered since.
    Producer::new(&boot, &[])?.put_all(&topic, before[0], &["x"])?;
    let mut got = false;
    poll_until("a record", &[&stays, &back], |index, _| got |= index == 1, || Ok(true))?;
    poll_until("a record", &[&stays, &back], |index, _| got |= index == 1, || Ok(assigned(&stays)? == 2))?;
    let now = stays.context().all();
    ensure!(now == seen, "the member that stayed saw {now:?}, before {seen:?}");
    Ok(())
}

/// Of two processes with one instance id the later one wins; the earlier is told that it is fenced.
pub fn an_older_process_with_the_same_instance_id_is_fenced(broker: &mut dyn BrokerHandle) -> Outcome {
    let boot = broker.bootstrap();
    let topic = new_topic(&boot, "twins", 2)?;
    let group = fresh("twins");
    let settings = [("group.instance.id", "twin")];
    let older = member(&boot, &group, &topic, &settings)?;
    poll_until("both partitions", &[&older], |_, _| {}, || Ok(assigned(&older)? == 2))?;
    let newer = member(&boot, &group, &topic, &settings)?;
    poll_until("both partitions for the newer", &[&newer], |_, _| {}, || Ok(assigned(&newer)? == 2))?;
    let (fenced, text) = until("the older to be fenced", || {
        // What it is told on the way is librdkafka's business; that it cannot go on is what counts.
        drop(older.poll(Duration::from_millis(20)));
        Ok(older.client().fatal_error())
    })?;
    ensure!(fenced == RDKafkaErrorCode::FencedInstanceId, "the older one is told {fenced:?}: {text}");
    ensure!(assigned(&newer)? == 2, "the newer lost its partitions");
    Ok(())
}
