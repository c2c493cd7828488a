//! Consumer groups: who is in them, and which offsets they committed.
//!
//! [`group`] is the state machine of one group, [`member`] its vocabulary, [`offsets`] what is committed, kept in the
//! journal. Members live in memory only: after a restart they are unknown and join again, as clients expect.

pub mod group;
pub mod member;
pub mod offsets;

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use self::group::Group;
use self::member::{Join, Joined, NotJoined, Synced};
use super::random;

/// Longest session timeout a member may ask for, in milliseconds.
const MAX_SESSION_MS: i64 = 30 * 60 * 1000;

/// All groups that have members.
#[derive(Debug)]
pub struct Groups {
    map: Mutex<HashMap<String, Group>>,
    /// When groups that had members lost the last one, in milliseconds.
    left: Mutex<HashMap<String, i64>>,
    initial_delay: i64,
}

/// A group as DescribeGroups shows it.
#[derive(Debug, Clone, Default)]
pub struct Description {
    /// Its state's name in Kafka's tools.
    pub state: &'static str,
    /// Its protocol type, empty when it never had members.
    pub protocol_type: String,
    /// The assignor in use.
    pub protocol: String,
    /// Its members.
    pub members: Vec<MemberDescription>,
}

/// A member as DescribeGroups shows it.
#[derive(Debug, Clone)]
pub struct MemberDescription {
    /// Its id.
    pub id: String,
    /// Its instance id.
    pub instance_id: Option<String>,
    /// The client's own name.
    pub client_id: String,
    /// Where it connects from.
    pub client_host: String,
    /// Its subscription under the assignor in use.
    pub subscription: Bytes,
    /// What it was assigned.
    pub assignment: Bytes,
}

impl Groups {
    /// No groups; the first rebalance of each waits `initial_delay` milliseconds for more members.
    pub fn new(initial_delay: i64) -> Self {
        Groups { map: Mutex::default(), left: Mutex::default(), initial_delay }
    }

    /// JoinGroup; the answer comes when the generation begins.
    pub fn join(&self, now: i64, group: &str, join: Join) -> oneshot::Receiver<Result<Joined, NotJoined>> {
        let (reply, answer) = oneshot::channel();
        let refusal = if group.is_empty() {
            Some(ResponseError::InvalidGroupId)
        } else if !(1..=MAX_SESSION_MS).contains(&join.session_timeout) {
            Some(ResponseError::InvalidSessionTimeout)
        } else {
            None
        };
        if let Some(error) = refusal {
            let _ = reply.send(Err(NotJoined { error, member_id: join.member_id }));
            return answer;
        }
        let new_id =
            format!("{}-{}", if join.client_id.is_empty() { "member" } else { &join.client_id }, random::uuid());
        let mut map = self.map.lock();
        let group = map.entry(group.to_string()).or_insert_with(|| Group::new(self.initial_delay));
        group.join(now, join, new_id, reply);
        answer
    }

    /// SyncGroup; the answer comes with the leader's assignment.
    pub fn sync(
        &self,
        now: i64,
        group: &str,
        (member_id, instance_id): (&str, Option<&str>),
        generation: i32,
        protocol: (Option<&str>, Option<&str>),
        assignments: Vec<(String, Bytes)>,
    ) -> oneshot::Receiver<Result<Synced, ResponseError>> {
        let (reply, answer) = oneshot::channel();
        match self.map.lock().get_mut(group) {
            Some(group) => match group.check_instance(member_id, instance_id) {
                Ok(()) => group.sync(now, member_id, generation, protocol, assignments, reply),
                Err(error) => drop(reply.send(Err(error))),
            },
            None => {
                let _ = reply.send(Err(ResponseError::UnknownMemberId));
            }
        }
        answer
    }

    /// Heartbeat.
    pub fn heartbeat(
        &self,
        now: i64,
        group: &str,
        (member_id, instance_id): (&str, Option<&str>),
        generation: i32,
    ) -> Result<(), ResponseError> {
        let mut map = self.map.lock();
        let group = map.get_mut(group).ok_or(ResponseError::UnknownMemberId)?;
        group.check_instance(member_id, instance_id)?;
        group.heartbeat(now, member_id, generation)
    }

    /// LeaveGroup for one member.
    pub fn leave(
        &self,
        now: i64,
        group: &str,
        member_id: &str,
        instance_id: Option<&str>,
    ) -> Result<(), ResponseError> {
        let mut map = self.map.lock();
        map.get_mut(group).ok_or(ResponseError::UnknownMemberId)?.leave(now, member_id, instance_id)
    }

    /// Runs `commit` if this member (or this outsider) may commit offsets, with the group held still meanwhile.
    pub fn commit<T>(
        &self,
        now: i64,
        group: &str,
        (member_id, instance_id): (&str, Option<&str>),
        generation: i32,
        commit: impl FnOnce() -> Result<T, ResponseError>,
    ) -> Result<T, ResponseError> {
        let mut map = self.map.lock();
        match map.get_mut(group) {
            Some(group) => {
                group.check_instance(member_id, instance_id)?;
                group.may_commit(now, member_id, generation)?;
            }
            None if generation >= 0 => return Err(ResponseError::IllegalGeneration),
            None => {}
        }
        commit()
    }

    /// Runs `commit` if a transaction's offsets may be added: members are checked when named (KIP-447), and a producer
    /// that names none is trusted.
    pub fn commit_in_transaction<T>(
        &self,
        now: i64,
        group: &str,
        (member_id, instance_id): (&str, Option<&str>),
        generation: i32,
        commit: impl FnOnce() -> Result<T, ResponseError>,
    ) -> Result<T, ResponseError> {
        let mut map = self.map.lock();
        if generation >= 0 || !member_id.is_empty() {
            let group = map.get_mut(group).ok_or(match member_id {
                "" => ResponseError::IllegalGeneration,
                _ => ResponseError::UnknownMemberId,
            })?;
            group.check_instance(member_id, instance_id)?;
            group.check(member_id, generation)?;
            // Sending offsets shows that the member lives.
            let _ = group.heartbeat(now, member_id, generation);
        }
        commit()
    }

    /// Runs `change` if the group has no members, with the group held still meanwhile.
    pub fn while_empty<T>(
        &self,
        group: &str,
        change: impl FnOnce() -> Result<T, ResponseError>,
    ) -> Result<T, ResponseError> {
        let map = self.map.lock();
        if map.get(group).is_some_and(|group| !group.members.is_empty()) {
            return Err(ResponseError::NonEmptyGroup);
        }
        change()
    }

    /// Since when the group has had no members, in milliseconds; none when it had none since the start.
    ///
    /// A group with members is empty since the end of time.
    pub fn empty_since(&self, group: &str) -> Option<i64> {
        if self.map.lock().contains_key(group) {
            return Some(i64::MAX);
        }
        self.left.lock().get(group).copied()
    }

    /// The group as tools see it; none if it has no members.
    pub fn describe(&self, group: &str) -> Option<Description> {
        let map = self.map.lock();
        let group = map.get(group)?;
        let protocol = group.protocol.clone().unwrap_or_default();
        let view = |member: &member::Member| MemberDescription {
            id: member.id.clone(),
            instance_id: member.instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            subscription: member.subscription(&protocol),
            assignment: member.assignment.clone(),
        };
        Some(Description {
            state: group.phase.name(),
            protocol_type: group.protocol_type.clone().unwrap_or_default(),
            members: group.members.iter().map(view).collect(),
            protocol,
        })
    }

    /// Every group that has members, with its protocol type and state.
    pub fn list(&self) -> Vec<(String, String, &'static str)> {
        let map = self.map.lock();
        let view = |(id, group): (&String, &Group)| {
            (id.clone(), group.protocol_type.clone().unwrap_or_default(), group.phase.name())
        };
        map.iter().map(view).collect()
    }

    /// When something has to happen without a request.
    pub fn next_deadline(&self) -> Option<i64> {
        self.map.lock().values().filter_map(Group::next_deadline).min()
    }

    /// Time has passed.
    pub fn tick(&self, now: i64) {
        self.map.lock().retain(|id, group| {
            group.tick(now);
            if group.is_vacant() {
                self.left.lock().insert(id.clone(), now);
            }
            !group.is_vacant()
        });
    }

    /// Forgets when groups lost their last member, where that is long enough ago to mean nothing any more.
    pub fn forget_before(&self, before: i64) {
        self.left.lock().retain(|_, since| *since >= before);
    }
}
