//! Consumer groups, classic protocol: joining, sharing partitions, leaving, expiry, committed offsets.

use std::time::{Duration, Instant};

use rdkafka::Offset;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::Message;

use super::client::*;
use super::handle::BrokerHandle;
use super::wire::{Wire, code};

/// The first member of a group, and the next one after a clean leave, get records long before any session timeout.
pub fn the_first_message_and_a_clean_rejoin_are_quick(broker: &mut dyn BrokerHandle) -> Outcome {
    // Both take a few tenths of a second; the session timeout of these members is 30 s.
    const QUICK: Duration = Duration::from_secs(5);
    let boot = broker.bootstrap();
    let topic = new_topic(&boot, "join", 4)?;
    let group = fresh("join");
    Producer::new(&boot, &[])?.put_all(&topic, 2, &["a"])?;
    for what in ["the first message", "the first message after a clean rejoin"] {
        let began = Instant::now();
        let member = member(&boot, &group, &topic, &[])?;
        let mut seen = 0;
        read_member(&member, what, 1, |_| seen += 1)?;
        let took = began.elapsed();
        ensure!(took < QUICK, "{what} took {took:?}");
    }
    Ok(())
}

/// Eager protocol: two members share four partitions evenly, and when one leaves the other has all four.
pub fn two_members_share_and_a_leaver_gives_back(broker: &mut dyn BrokerHandle) -> Outcome {
    share_and_leave(&broker.bootstrap(), "range").map(drop)
}

/// Cooperative protocol: the same, and the first member keeps two partitions through both rebalances.
pub fn cooperative_members_keep_what_they_have(broker: &mut dyn BrokerHandle) -> Outcome {
    let changes = share_and_leave(&broker.bootstrap(), "cooperative-sticky")?;
    let revoked: usize = changes.iter().map(|c| if let Change::Revoked(n) = c { *n } else { 0 }).sum();
    let assigned: usize = changes.iter().map(|c| if let Change::Assigned(n) = c { *n } else { 0 }).sum();
    ensure!((revoked, assigned) == (2, 6), "the member that stayed saw {changes:?}, wanted 4 in, 2 out, 2 in");
    Ok(())
}

/// What the member that stayed saw.
fn share_and_leave(boot: &str, strategy: &str) -> Outcome<Vec<Change>> {
    let topic = new_topic(boot, strategy, 4)?;
    let group = fresh(strategy);
    let extra = [("partition.assignment.strategy", strategy)];
    let stays = member(boot, &group, &topic, &extra)?;
    poll_until("four partitions for one member", &[&stays], |_, _| {}, || Ok(assigned(&stays)? == 4))?;

    let leaves = member(boot, &group, &topic, &extra)?;
    poll_until(
        "two partitions for each of two members",
        &[&stays, &leaves],
        |_, _| {},
        || Ok(assigned(&stays)? == 2 && assigned(&leaves)? == 2),
    )?;
    {
        // In a block: librdkafka's list of an assignment keeps its consumer from ending.
        let (first, second) = (stays.assignment().step("assignment")?, leaves.assignment().step("assignment")?);
        let first: Vec<i32> = first.elements_for_topic(&topic).iter().map(|e| e.partition()).collect();
        let second: Vec<i32> = second.elements_for_topic(&topic).iter().map(|e| e.partition()).collect();
        let shared = first.iter().any(|partition| second.contains(partition));
        ensure!(!shared, "a partition has two owners: {first:?} and {second:?}");
    }

    // The leaver's close waits for the rebalance of its own revocation, nothing else; the other one goes on polling.
    std::thread::scope(|scope| {
        scope.spawn(move || drop(leaves));
        poll_until("four partitions after the other member left", &[&stays], |_, _| {}, || Ok(assigned(&stays)? == 4))
    })?;

    // Every partition really flows to the one that stayed.
    let producer = Producer::new(boot, &[])?;
    for partition in 0..4 {
        producer.put(&topic, partition, "x")?;
    }
    producer.flush()?;
    let mut seen = [false; 4];
    read_member(&stays, "a record of each partition", 4, |record| seen[record.partition() as usize] = true)?;
    ensure!(seen == [true; 4], "partitions read after the other member left: {seen:?}");
    Ok(stays.context().all())
}

/// A group continues at its committed offset; the text that a commit carries comes back; other groups see nothing of it.
pub fn a_group_resumes_at_its_committed_offset(broker: &mut dyn BrokerHandle) -> Outcome {
    let boot = broker.bootstrap();
    let topic = new_topic(&boot, "commit", 1)?;
    let group = fresh("commit");
    let values: Vec<String> = (0..10).map(|n| n.to_string()).collect();
    Producer::new(&boot, &[])?.put_all(&topic, 0, &values)?;
    let found = committed(&boot, &group, &topic, 0)?;
    ensure!(found.is_none(), "committed before any commit: {found:?}");
    {
        let first = member(&boot, &group, &topic, &[])?;
        read_member(&first, "ten records", 10, |_| {})?;
        let mut offsets = at(&topic, 0, 7)?;
        offsets.set_partition_offset(&topic, 0, Offset::Offset(7)).step("offset")?;
        if let Some(mut element) = offsets.find_partition(&topic, 0) {
            element.set_metadata("up to six");
        }
        first.commit(&offsets, CommitMode::Sync).step("commit")?;
    }
    let found = committed(&boot, &group, &topic, 0)?;
    ensure!(found == Some(7), "committed offset: {found:?}, wanted 7");
    let found = committed(&boot, &fresh("commit"), &topic, 0)?;
    ensure!(found.is_none(), "another group's committed offset: {found:?}");
    let consumer = reader(&boot, &[("group.id", &group)])?;
    let mut asked = TopicPartitionList::new();
    asked.add_partition(&topic, 0);
    let answer = consumer.committed_offsets(asked, PATIENCE).step("committed offsets")?;
    let text = answer.find_partition(&topic, 0).map(|found| found.metadata().to_owned());
    ensure!(text.as_deref() == Some("up to six"), "metadata of the commit: {text:?}");

    let second = member(&boot, &group, &topic, &[])?;
    let mut seen = Vec::new();
    read_member(&second, "the rest", 3, |record| seen.push(record.offset()))?;
    ensure!(seen == [7, 8, 9], "the next member read offsets {seen:?}");
    Ok(())
}

/// A commit under an old generation, or by a stranger, is refused: what keeps a member that lost its partitions harmless.
pub fn commits_of_an_old_generation_are_refused(broker: &mut dyn BrokerHandle) -> Outcome {
    let boot = broker.bootstrap();
    let topic = new_topic(&boot, "generation", 1)?;
    let group = fresh("generation");
    let mut wire = Wire::connect(&boot)?;
    let (generation, id) = wire.join_and_sync(&group, &topic, Duration::from_secs(30))?;
    for (generation, id, wanted) in [
        (generation, id.as_str(), code::NONE),
        (generation - 1, id.as_str(), code::ILLEGAL_GENERATION),
        (generation + 1, id.as_str(), code::ILLEGAL_GENERATION),
        (generation, "a stranger", code::UNKNOWN_MEMBER_ID),
    ] {
        let error = wire.commit(&group, generation, id, &topic, 5)?;
        ensure!(error == wanted, "commit by {id:?} in generation {generation}: error {error}, wanted {wanted}");
    }
    Ok(())
}

/// A member that falls silent without leaving loses its partitions after its session timeout (here the smallest that Kafka
/// allows), not earlier, and its successor is not held up longer than that.
pub fn a_silent_member_expires_after_its_session(broker: &mut dyn BrokerHandle) -> Outcome {
    const SESSION: Duration = Duration::from_secs(6);
    let boot = broker.bootstrap();
    let topic = new_topic(&boot, "silent", 2)?;
    let group = fresh("silent");
    let mut wire = Wire::connect(&boot)?;
    let (_, id) = wire.join_and_sync(&group, &topic, SESSION)?;
    let began = Instant::now();
    drop(wire); // A closed connection alone does not end a membership.
    let successor = member(&boot, &group, &topic, &[("partition.assignment.strategy", "range")])?;
    poll_until("the silent member's partitions", &[&successor], |_, _| {}, || Ok(assigned(&successor)? == 2))?;
    let took = began.elapsed();
    ensure!(
        took > SESSION - Duration::from_millis(500),
        "{id} lost its partitions after {took:?}, session {SESSION:?}"
    );
    ensure!(took < SESSION * 2, "{id} kept its partitions for {took:?}, session {SESSION:?}");
    Ok(())
}

/// Groups are listed with their members' state, and a deleted group has forgotten its offsets; a live one is not deleted.
pub fn groups_are_listed_and_deleted(broker: &mut dyn BrokerHandle) -> Outcome {
    let boot = broker.bootstrap();
    let topic = new_topic(&boot, "list", 1)?;
    let group = fresh("list");
    Producer::new(&boot, &[])?.put_all(&topic, 0, &["a"])?;
    let admin = admin(&boot)?;
    let delete = || -> Outcome<Result<(), RDKafkaErrorCode>> {
        let answers = wait(admin.delete_groups(&[&group], &options())).step("delete group")?;
        let answer = answers.into_iter().next().ok_or("delete group: no answer")?;
        Ok(answer.map(drop).map_err(|(_, code)| code))
    };
    {
        let live = member(&boot, &group, &topic, &[])?;
        read_member(&live, "a record", 1, |_| {})?;
        live.commit(&at(&topic, 0, 1)?, CommitMode::Sync).step("commit")?;
        let list = live.fetch_group_list(Some(&group), PATIENCE).step("group list")?;
        let found: Vec<_> = list.groups().iter().map(|g| (g.state().to_owned(), g.members().len())).collect();
        ensure!(found == [("Stable".to_owned(), 1)], "state and members of a group in use: {found:?}");
        let refused = delete()?;
        ensure!(refused == Err(RDKafkaErrorCode::NonEmptyGroup), "deleting a group in use: {refused:?}");
    }
    delete()?.step("delete group")?;
    let found = committed(&boot, &group, &topic, 0)?;
    ensure!(found.is_none(), "committed offset of a deleted group: {found:?}");
    Ok(())
}

/// Polls one member until it has read `count` records.
pub fn read_member(
    member: &Member,
    what: &str,
    count: usize,
    mut each: impl FnMut(&rdkafka::message::BorrowedMessage<'_>),
) -> Outcome {
    let seen = std::cell::Cell::new(0);
    poll_until(
        what,
        &[member],
        |_, record| {
            seen.set(seen.get() + 1);
            each(record);
        },
        || Ok(seen.get() >= count),
    )
}
