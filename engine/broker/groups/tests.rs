//! The classic protocol step by step, with time as a number.

use bytes::Bytes;
use kafka_protocol::ResponseError;
use tokio::sync::oneshot::Receiver;

use super::Groups;
use super::member::{Join, Joined, NotJoined, Synced};

const SESSION: i64 = 10_000;
const REBALANCE: i64 = 60_000;

type JoinAnswer = Receiver<Result<Joined, NotJoined>>;
type SyncAnswer = Receiver<Result<Synced, ResponseError>>;

fn join_of(member: &str, protocols: &[&str]) -> Join {
    Join {
        member_id: member.into(),
        instance_id: None,
        client_id: "client".into(),
        client_host: "/127.0.0.1".into(),
        session_timeout: SESSION,
        rebalance_timeout: REBALANCE,
        protocol_type: "consumer".into(),
        protocols: protocols.iter().map(|name| (name.to_string(), Bytes::from(format!("topics of {name}")))).collect(),
        id_required: false,
        can_skip_assignment: false,
    }
}

fn join(groups: &Groups, now: i64, member: &str) -> JoinAnswer {
    groups.join(now, "g", join_of(member, &["range", "roundrobin"]))
}

fn joined(answer: &mut JoinAnswer) -> Joined {
    answer.try_recv().expect("the join is answered").expect("joined")
}

fn refused(answer: &mut JoinAnswer) -> ResponseError {
    answer.try_recv().expect("the join is answered").expect_err("refused").error
}

fn sync(groups: &Groups, now: i64, member: &Joined, assignments: &[(&str, &'static str)]) -> SyncAnswer {
    let own = assignments.iter().map(|(id, bytes)| (id.to_string(), Bytes::from_static(bytes.as_bytes()))).collect();
    groups.sync(now, "g", (&member.member_id, None), member.generation, (None, None), own)
}

fn assigned(answer: &mut SyncAnswer) -> Result<Bytes, ResponseError> {
    answer.try_recv().expect("the sync is answered").map(|synced| synced.assignment)
}

/// Two members of one stable generation; the first leads.
fn two_members(groups: &Groups) -> (Joined, Joined) {
    let first = joined(&mut join(groups, 0, ""));
    assert_eq!(assigned(&mut sync(groups, 0, &first, &[(&first.member_id, "all")])).unwrap(), "all");
    let mut second = join(groups, 1, "");
    assert!(second.try_recv().is_err(), "it waits for the first to join again");
    assert_eq!(groups.heartbeat(1, "g", (&first.member_id, None), 1), Err(ResponseError::RebalanceInProgress));
    let first = joined(&mut join(groups, 2, &first.member_id));
    let second = joined(&mut second);
    let mut waiting = sync(groups, 3, &second, &[]);
    assert!(waiting.try_recv().is_err(), "it waits for the leader");
    let assignments = [(first.member_id.as_str(), "one"), (second.member_id.as_str(), "two")];
    assert_eq!(assigned(&mut sync(groups, 3, &first, &assignments)).unwrap(), "one");
    assert_eq!(assigned(&mut waiting).unwrap(), "two");
    (first, second)
}

#[test]
fn a_first_member_leads_generation_one_at_once() {
    let groups = Groups::new(0);
    let joined = joined(&mut join(&groups, 0, ""));
    assert_eq!((joined.generation, &joined.leader), (1, &joined.member_id));
    assert_eq!(joined.protocol.as_deref(), Some("range"));
    assert_eq!(joined.members[0].2, "topics of range");
}

#[test]
fn a_newcomer_rebalances_and_only_the_leader_learns_the_members() {
    let groups = Groups::new(0);
    let (first, second) = two_members(&groups);
    assert_eq!((first.generation, second.generation), (2, 2));
    assert_eq!((first.members.len(), second.members.len()), (2, 0));
    assert_eq!(second.leader, first.member_id);
    assert_eq!(groups.describe("g").unwrap().state, "Stable");
}

#[test]
fn a_newcomer_that_needs_an_id_is_told_it_and_comes_back_with_it() {
    let groups = Groups::new(0);
    let new = Join { id_required: true, ..join_of("", &["range"]) };
    let refusal = groups.join(0, "g", new).try_recv().unwrap().unwrap_err();
    assert_eq!(refusal.error, ResponseError::MemberIdRequired);
    assert!(refusal.member_id.starts_with("client-"));
    assert_eq!(joined(&mut join(&groups, 1, &refusal.member_id)).member_id, refusal.member_id);
    // Used up, or never given: unknown.
    assert_eq!(refused(&mut join(&groups, 1, "somebody")), ResponseError::UnknownMemberId);
}

#[test]
fn an_invitation_that_is_not_used_does_not_hold_the_group_up_for_ever() {
    let groups = Groups::new(0);
    let new = Join { id_required: true, ..join_of("", &["range"]) };
    groups.join(0, "g", new);
    let mut other = join(&groups, 1, "");
    assert!(other.try_recv().is_err(), "the invited may come any moment");
    assert_eq!(groups.next_deadline(), Some(SESSION));
    groups.tick(SESSION);
    assert_eq!(joined(&mut other).generation, 1);
}

#[test]
fn members_without_a_common_protocol_are_refused() {
    let groups = Groups::new(0);
    joined(&mut join(&groups, 0, ""));
    assert_eq!(refused(&mut groups.join(0, "g", join_of("", &["sticky"]))), ResponseError::InconsistentGroupProtocol);
    let other = Join { protocol_type: "connect".into(), ..join_of("", &["range"]) };
    assert_eq!(refused(&mut groups.join(0, "g", other)), ResponseError::InconsistentGroupProtocol);
    assert_eq!(refused(&mut groups.join(0, "", join_of("", &["range"]))), ResponseError::InvalidGroupId);
}

#[test]
fn the_protocol_most_members_prefer_wins_among_those_all_know() {
    let groups = Groups::new(0);
    let first = joined(&mut groups.join(0, "g", join_of("", &["a", "b", "c"])));
    let mut second = groups.join(0, "g", join_of("", &["c", "b"]));
    let mut third = groups.join(0, "g", join_of("", &["c", "b", "a"]));
    groups.join(0, "g", join_of(&first.member_id, &["a", "b", "c"]));
    assert_eq!(joined(&mut second).protocol.as_deref(), Some("c"));
    assert_eq!(joined(&mut third).protocol.as_deref(), Some("c"));
}

#[test]
fn a_member_that_leaves_is_missed_at_the_next_heartbeat() {
    let groups = Groups::new(0);
    let (first, second) = two_members(&groups);
    groups.leave(5, "g", &second.member_id, None).unwrap();
    assert_eq!(groups.heartbeat(6, "g", (&first.member_id, None), 2), Err(ResponseError::RebalanceInProgress));
    assert_eq!(joined(&mut join(&groups, 7, &first.member_id)).members.len(), 1);
    assert_eq!(groups.heartbeat(8, "g", (&second.member_id, None), 2), Err(ResponseError::UnknownMemberId));
}

#[test]
fn a_silent_member_is_gone_after_its_session_and_one_that_beats_is_not() {
    let groups = Groups::new(0);
    let (first, second) = two_members(&groups);
    groups.heartbeat(SESSION - 1, "g", (&first.member_id, None), 2).unwrap();
    groups.tick(SESSION + 2);
    assert_eq!(groups.describe("g").unwrap().members.len(), 2, "heard from when the generation began");
    groups.tick(SESSION + 3);
    let left = groups.describe("g").unwrap();
    assert_eq!((left.members.len(), left.state), (1, "PreparingRebalance"));
    assert_eq!(groups.heartbeat(SESSION + 4, "g", (&second.member_id, None), 2), Err(ResponseError::UnknownMemberId));
}

#[test]
fn a_rebalance_does_not_wait_longer_than_its_timeout() {
    let groups = Groups::new(0);
    let (first, _second) = two_members(&groups);
    let mut again = join(&groups, 10, &first.member_id);
    for now in [5_000, 10_000] {
        let _ = groups.heartbeat(now, "g", (&_second.member_id, None), 2);
    }
    assert!(again.try_recv().is_err(), "the second beats but does not join");
    for now in (15_000..REBALANCE).step_by(5_000) {
        let _ = groups.heartbeat(now, "g", (&_second.member_id, None), 2);
        groups.tick(now);
    }
    assert!(again.try_recv().is_err());
    groups.tick(10 + REBALANCE);
    let again = joined(&mut again);
    assert_eq!((again.generation, again.members.len()), (3, 1));
}

#[test]
fn a_leader_that_never_assigns_is_replaced() {
    let groups = Groups::new(0);
    let first = joined(&mut join(&groups, 0, ""));
    let mut second = join(&groups, 0, "");
    join(&groups, 0, &first.member_id);
    let second = joined(&mut second);
    let mut waiting = sync(&groups, 1, &second, &[]);
    // It beats, but does not sync.
    for now in (5_000..REBALANCE).step_by(5_000) {
        groups.heartbeat(now, "g", (&first.member_id, None), 2).unwrap();
        groups.tick(now);
    }
    groups.tick(REBALANCE);
    assert_eq!(assigned(&mut waiting), Err(ResponseError::RebalanceInProgress));
    let second = joined(&mut join(&groups, REBALANCE, &second.member_id));
    assert_eq!((second.generation, &second.leader), (3, &second.member_id));
}

#[test]
fn a_repeated_join_or_sync_is_answered_from_the_present_generation() {
    let groups = Groups::new(0);
    let (first, second) = two_members(&groups);
    let again = joined(&mut join(&groups, 5, &second.member_id));
    assert_eq!(again.generation, 2, "a follower with the same subscription");
    assert_eq!(assigned(&mut sync(&groups, 5, &second, &[])).unwrap(), "two");
    let mut leader = join(&groups, 6, &first.member_id);
    assert!(leader.try_recv().is_err(), "a leader that joins again wants a new generation");
}

#[test]
fn a_changed_subscription_rebalances() {
    let groups = Groups::new(0);
    let (_, second) = two_members(&groups);
    let mut again = groups.join(5, "g", join_of(&second.member_id, &["range"]));
    assert!(again.try_recv().is_err());
    assert_eq!(groups.describe("g").unwrap().state, "PreparingRebalance");
}

#[test]
fn the_first_generation_can_wait_for_more_members() {
    let groups = Groups::new(3_000);
    let mut first = join(&groups, 0, "");
    let mut second = join(&groups, 2_000, "");
    assert_eq!(groups.next_deadline(), Some(3_000));
    groups.tick(2_999);
    assert!(first.try_recv().is_err());
    groups.tick(3_000);
    assert_eq!(joined(&mut first).generation, joined(&mut second).generation);
}

#[test]
fn commits_need_the_present_generation_and_outsiders_an_empty_group() {
    let groups = Groups::new(0);
    let commit = |member: &str, generation| groups.commit(5, "g", (member, None), generation, || Ok(()));
    commit("", -1).unwrap();
    assert_eq!(commit("x", 3), Err(ResponseError::IllegalGeneration));
    let (first, second) = two_members(&groups);
    commit(&first.member_id, 2).unwrap();
    assert_eq!(commit(&first.member_id, 1), Err(ResponseError::IllegalGeneration));
    assert_eq!(commit("", -1), Err(ResponseError::UnknownMemberId));
    // While the next generation is prepared the old one may still commit what it did.
    groups.leave(6, "g", &second.member_id, None).unwrap();
    commit(&first.member_id, 2).unwrap();
    let first = joined(&mut join(&groups, 7, &first.member_id));
    assert_eq!(commit(&first.member_id, 3), Err(ResponseError::RebalanceInProgress));
}

#[test]
fn offsets_of_a_transaction_are_refused_from_an_old_generation() {
    let groups = Groups::new(0);
    let (first, _) = two_members(&groups);
    let send = |member: &str, generation| groups.commit_in_transaction(5, "g", (member, None), generation, || Ok(()));
    send("", -1).unwrap();
    send(&first.member_id, 2).unwrap();
    assert_eq!(send(&first.member_id, 1), Err(ResponseError::IllegalGeneration));
    assert_eq!(send("other", 2), Err(ResponseError::UnknownMemberId));
}

#[test]
fn a_group_without_members_is_forgotten_and_one_with_members_is_not_deleted() {
    let groups = Groups::new(0);
    let (first, second) = two_members(&groups);
    assert_eq!(groups.while_empty("g", || Ok(())), Err(ResponseError::NonEmptyGroup));
    for member in [first, second] {
        groups.leave(5, "g", &member.member_id, None).unwrap();
    }
    groups.while_empty("g", || Ok(())).unwrap();
    groups.tick(6);
    assert!(groups.describe("g").is_none());
    assert_eq!(groups.next_deadline(), None);
}

/// A join of a static member; a subscription as consumers send it, to one topic, with what else they had at the end.
fn static_join(groups: &Groups, now: i64, member: &str, instance: &str, topic: &str, can_skip: bool) -> JoinAnswer {
    let subscription = [b"\0\x01\0\0\0\x01\0\x01", topic.as_bytes(), now.to_string().as_bytes()].concat();
    let join = Join {
        instance_id: Some(instance.into()),
        protocols: vec![("range".into(), Bytes::from(subscription))],
        can_skip_assignment: can_skip,
        ..join_of(member, &[])
    };
    groups.join(now, "g", join)
}

/// Two static members `one` and `two` of one stable generation; the first leads.
fn two_static(groups: &Groups) -> (Joined, Joined) {
    let first = joined(&mut static_join(groups, 0, "", "one", "t", false));
    assigned(&mut sync(groups, 0, &first, &[(&first.member_id, "all")])).unwrap();
    let mut second = static_join(groups, 1, "", "two", "t", false);
    let first = joined(&mut static_join(groups, 2, &first.member_id, "one", "t", false));
    let second = joined(&mut second);
    let mut waiting = sync(groups, 3, &second, &[]);
    let halves = [(first.member_id.as_str(), "half"), (second.member_id.as_str(), "other half")];
    assigned(&mut sync(groups, 3, &first, &halves)).unwrap();
    assert_eq!(assigned(&mut waiting).unwrap(), "other half");
    (first, second)
}

#[test]
fn a_static_member_that_comes_back_takes_its_place_without_a_rebalance() {
    let groups = Groups::new(0);
    let (first, second) = two_static(&groups);
    let again = joined(&mut static_join(&groups, 10, "", "two", "t", false));
    assert_ne!(again.member_id, second.member_id);
    assert_eq!(again.generation, second.generation);
    assert_eq!(assigned(&mut sync(&groups, 11, &again, &[])).unwrap(), "other half");
    groups.heartbeat(12, "g", (&first.member_id, Some("one")), first.generation).unwrap();
    // The one it replaced is fenced, whatever it asks.
    let old = (second.member_id.as_str(), Some("two"));
    let fenced = ResponseError::FencedInstanceId;
    assert_eq!(groups.heartbeat(13, "g", old, second.generation), Err(fenced));
    assert_eq!(groups.commit(13, "g", old, second.generation, || Ok(())), Err(fenced));
    assert_eq!(groups.commit_in_transaction(13, "g", old, second.generation, || Ok(())), Err(fenced));
    assert_eq!(groups.leave(13, "g", old.0, old.1), Err(fenced));
    assert_eq!(refused(&mut static_join(&groups, 13, old.0, "two", "t", false)), fenced);
    assert_eq!(refused(&mut static_join(&groups, 13, "nobody", "three", "t", false)), ResponseError::UnknownMemberId);
}

#[test]
fn a_leader_that_comes_back_is_kept_from_assigning_again() {
    for can_skip in [false, true] {
        let groups = Groups::new(0);
        let (first, second) = two_static(&groups);
        let again = joined(&mut static_join(&groups, 10, "", "one", "t", can_skip));
        assert_eq!((again.skip_assignment, again.members.len()), (can_skip, if can_skip { 2 } else { 0 }));
        assert_eq!(again.leader == again.member_id, can_skip);
        assert_eq!(assigned(&mut sync(&groups, 11, &again, &[])).unwrap(), "half");
        assert_eq!(again.generation, first.generation);
        // It leads the next generation.
        let mut third = static_join(&groups, 20, "", "three", "t", can_skip);
        let mut waiting = static_join(&groups, 21, &second.member_id, "two", "t", can_skip);
        let leader = joined(&mut static_join(&groups, 22, &again.member_id, "one", "t", can_skip));
        assert_eq!((leader.leader, leader.members.len()), (again.member_id, 3));
        joined(&mut third);
        joined(&mut waiting);
    }
}

#[test]
fn a_static_member_that_comes_back_for_another_topic_causes_a_rebalance() {
    let groups = Groups::new(0);
    let (first, _) = two_static(&groups);
    let mut again = static_join(&groups, 10, "", "two", "u", false);
    assert!(again.try_recv().is_err());
    let beat = groups.heartbeat(11, "g", (&first.member_id, Some("one")), first.generation);
    assert_eq!(beat, Err(ResponseError::RebalanceInProgress));
}

#[test]
fn a_static_member_that_is_away_keeps_its_place_through_a_rebalance_until_its_session_ends() {
    let groups = Groups::new(0);
    let (first, _) = two_static(&groups);
    let mut third = static_join(&groups, SESSION - 10, "", "three", "t", false);
    // The leader is back, the second is silent; the rebalance goes on without it when time is up.
    let mut leader = static_join(&groups, SESSION - 9, &first.member_id, "one", "t", false);
    assert!(leader.try_recv().is_err());
    groups.tick(SESSION - 8);
    assert_eq!(groups.describe("g").unwrap().members.len(), 3);
    groups.tick(SESSION + 10);
    assert_eq!(joined(&mut leader).members.len(), 2, "its session has ended");
    joined(&mut third);
}

#[test]
fn a_static_member_leaves_by_its_name() {
    let groups = Groups::new(0);
    two_static(&groups);
    groups.leave(10, "g", "", Some("two")).unwrap();
    let described = groups.describe("g").unwrap();
    assert_eq!((described.members.len(), described.state), (1, "PreparingRebalance"));
    assert_eq!(groups.leave(10, "g", "", Some("two")), Err(ResponseError::UnknownMemberId));
}
