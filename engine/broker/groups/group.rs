//! The classic group protocol as a state machine: no clock, no socket; time comes in as milliseconds.
//!
//! ```text
//!   Empty -- join --> Preparing -- everyone joined, or time is up --> Completing -- leader syncs --> Stable
//!                        ^                                               |                             |
//!                        +--------- join, leave, silence ----------------+-----------------------------+
//! ```
//! Eager and cooperative rebalancing differ only in what clients send; a group sees generations either way.
//!
//! A member with an instance id is static (KIP-345): when it comes back within its session it takes its own place, with a
//! new member id and without a rebalance if it wants the same as before, and whoever still uses the old id is fenced.

use bytes::Bytes;
use kafka_protocol::ResponseError;

use super::member::{Join, JoinReply, Joined, Member, NotJoined, SyncReply, Synced};

/// Where a group stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// No members.
    Empty,
    /// Waits for its members to join again.
    Preparing,
    /// Waits for the leader's assignment.
    Completing,
    /// Everyone has an assignment.
    Stable,
}

impl Phase {
    /// Its name in Kafka's tools.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Empty => "Empty",
            Phase::Preparing => "PreparingRebalance",
            Phase::Completing => "CompletingRebalance",
            Phase::Stable => "Stable",
        }
    }
}

/// A group with members.
#[derive(Debug)]
pub struct Group {
    pub(super) phase: Phase,
    pub(super) generation: i32,
    pub(super) protocol_type: Option<String>,
    pub(super) protocol: Option<String>,
    leader: Option<String>,
    pub(super) members: Vec<Member>,
    /// Newcomers that were told their id, and until when they may use it.
    invited: Vec<(String, i64)>,
    /// While preparing: not before the first, and not later than the second.
    window: (i64, i64),
    /// While completing: until when everyone must have asked for the assignment.
    sync_until: i64,
    initial_delay: i64,
}

impl Group {
    /// A group without members, whose first rebalance waits `initial_delay` milliseconds for more of them.
    pub fn new(initial_delay: i64) -> Self {
        Group {
            phase: Phase::Empty,
            generation: 0,
            protocol_type: None,
            protocol: None,
            leader: None,
            members: Vec::new(),
            invited: Vec::new(),
            window: (0, 0),
            sync_until: 0,
            initial_delay,
        }
    }

    /// Nobody is here and nobody is expected.
    pub fn is_vacant(&self) -> bool {
        self.members.is_empty() && self.invited.is_empty()
    }

    fn find(&mut self, id: &str) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.id == id)
    }

    /// JoinGroup. `new_id` is the id a newcomer gets.
    pub fn join(&mut self, now: i64, join: Join, new_id: String, reply: JoinReply) {
        let refuse = |reply: JoinReply, error, member_id: &str| {
            let _ = reply.send(Err(NotJoined { error, member_id: member_id.to_string() }));
        };
        if !self.fits(&join) {
            return refuse(reply, ResponseError::InconsistentGroupProtocol, &join.member_id);
        }
        if let Some(instance) = &join.instance_id {
            let holder = self.holder_of(instance).map(|member| member.id.clone());
            match holder {
                Some(holder) if join.member_id.is_empty() => return self.take_place(now, &holder, join, new_id, reply),
                Some(holder) if holder != join.member_id => {
                    return refuse(reply, ResponseError::FencedInstanceId, &join.member_id);
                }
                None if !join.member_id.is_empty() => {
                    return refuse(reply, ResponseError::UnknownMemberId, &join.member_id);
                }
                _ => {}
            }
        }
        if join.member_id.is_empty() {
            if join.id_required && join.instance_id.is_none() {
                self.invited.push((new_id.clone(), now + join.session_timeout));
                return refuse(reply, ResponseError::MemberIdRequired, &new_id);
            }
            return self.add(now, new_id, join, reply);
        }
        if let Some(at) = self.invited.iter().position(|(id, _)| *id == join.member_id) {
            let (id, _) = self.invited.swap_remove(at);
            return self.add(now, id, join, reply);
        }
        let (phase, is_leader) = (self.phase, self.leader.as_ref() == Some(&join.member_id));
        let Some(member) = self.find(&join.member_id) else {
            return refuse(reply, ResponseError::UnknownMemberId, &join.member_id);
        };
        member.alive(now);
        let same = member.protocols == join.protocols;
        let in_generation = same && (phase == Phase::Completing || (phase == Phase::Stable && !is_leader));
        member.session_timeout = join.session_timeout;
        member.rebalance_timeout = join.rebalance_timeout;
        member.protocols = join.protocols;
        member.answer_join(Err(NotJoined { error: ResponseError::RebalanceInProgress, member_id: member.id.clone() }));
        member.joining = Some(reply);
        if in_generation {
            // It missed the answer to its last join: the generation it asks for is the present one.
            let joined = self.joined(&join.member_id);
            if let Some(member) = self.find(&join.member_id) {
                member.answer_join(Ok(joined));
            }
            return;
        }
        if phase != Phase::Preparing {
            self.prepare(now);
        }
        self.try_complete(now);
    }

    /// Whether a newcomer can agree with the members there are.
    fn fits(&self, join: &Join) -> bool {
        if join.protocol_type.is_empty() || join.protocols.is_empty() {
            return false;
        }
        let others: Vec<&Member> = self.members.iter().filter(|member| member.id != join.member_id).collect();
        if others.is_empty() {
            return true;
        }
        let shared =
            |name: &String| others.iter().all(|member| member.protocols.iter().any(|(other, _)| other == name));
        self.protocol_type.as_ref().is_none_or(|own| *own == join.protocol_type)
            && join.protocols.iter().any(|(name, _)| shared(name))
    }

    /// The member that holds an instance id.
    fn holder_of(&self, instance_id: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.instance_id.as_deref() == Some(instance_id))
    }

    /// A static member comes back as a new process: it gets the place of its predecessor, who is fenced.
    fn take_place(&mut self, now: i64, old_id: &str, join: Join, new_id: String, reply: JoinReply) {
        let Some(at) = self.members.iter().position(|member| member.id == old_id) else { return };
        let same = join.wants_the_same(&self.members[at]);
        let skips = join.can_skip_assignment;
        let mut member = Member::new(new_id.clone(), join, reply, now);
        let old = &mut self.members[at];
        (member.assignment, member.synced) = (std::mem::take(&mut old.assignment), old.synced);
        old.answer_join(Err(NotJoined { error: ResponseError::FencedInstanceId, member_id: old_id.to_string() }));
        old.answer_sync(Err(ResponseError::FencedInstanceId));
        *old = member;
        let led = self.leader.as_deref() == Some(old_id);
        if led {
            self.leader = Some(new_id.clone());
        }
        if self.phase == Phase::Stable && same {
            let mut joined = self.joined(&new_id);
            if led && skips {
                joined.skip_assignment = true;
            } else if led {
                // An older client would assign again, and nobody would be told: it is not told that it leads.
                joined.leader = old_id.to_string();
                joined.members.clear();
            }
            self.members[at].answer_join(Ok(joined));
            return;
        }
        if self.phase != Phase::Preparing {
            self.prepare(now);
        }
        self.try_complete(now);
    }

    fn add(&mut self, now: i64, id: String, join: Join, reply: JoinReply) {
        self.protocol_type = Some(join.protocol_type.clone());
        self.members.push(Member::new(id, join, reply, now));
        if self.phase != Phase::Preparing {
            self.prepare(now);
        }
        self.try_complete(now);
    }

    /// A new generation is needed: everyone has to join again.
    fn prepare(&mut self, now: i64) {
        for member in &mut self.members {
            member.answer_sync(Err(ResponseError::RebalanceInProgress));
            member.assignment = Bytes::new();
        }
        let earliest = if self.phase == Phase::Empty { now + self.initial_delay } else { now };
        let patience = self.members.iter().map(|member| member.rebalance_timeout).max().unwrap_or(0);
        self.window = (earliest, (now + patience).max(earliest));
        self.phase = Phase::Preparing;
    }

    fn try_complete(&mut self, now: i64) {
        let everyone = self.invited.is_empty() && self.members.iter().all(|member| member.joining.is_some());
        if self.phase == Phase::Preparing && everyone && now >= self.window.0 {
            self.complete(now);
        }
    }

    /// Begins the next generation with the members that have joined.
    fn complete(&mut self, now: i64) {
        // A static member that is away keeps its place until its session ends.
        self.members.retain(|member| member.joining.is_some() || member.instance_id.is_some());
        if self.members.is_empty() {
            self.next_generation();
            self.phase = Phase::Empty;
            self.protocol = None;
            self.leader = None;
            return;
        }
        // Whoever leads has to be here, to make the assignment.
        let here = |member: &&Member| member.joining.is_some();
        let Some(first) = self.members.iter().find(here).map(|member| member.id.clone()) else {
            // Only static members that are away: their sessions end, or one of them comes.
            let patience = self.members.iter().map(|member| member.rebalance_timeout).max().unwrap_or(0);
            self.window.1 = now + patience.max(1);
            return;
        };
        if !self.members.iter().filter(here).any(|member| self.leader.as_ref() == Some(&member.id)) {
            self.leader = Some(first);
        }
        self.next_generation();
        self.protocol = self.choose_protocol();
        self.phase = Phase::Completing;
        self.sync_until = now + self.members.iter().map(|member| member.rebalance_timeout).max().unwrap_or(0);
        let answers: Vec<Joined> = self.members.iter().map(|member| self.joined(&member.id)).collect();
        for (member, answer) in self.members.iter_mut().zip(answers) {
            if member.joining.is_some() {
                member.alive(now);
            }
            member.synced = false;
            member.answer_join(Ok(answer));
        }
    }

    fn next_generation(&mut self) {
        self.generation = self.generation.checked_add(1).unwrap_or(1);
    }

    /// The assignor every member knows that most of them like best.
    fn choose_protocol(&self) -> Option<String> {
        let first = self.members.first()?;
        let known_to_all =
            |name: &str| self.members.iter().all(|member| member.protocols.iter().any(|(other, _)| other == name));
        let candidates: Vec<&str> =
            first.protocols.iter().map(|(name, _)| name.as_str()).filter(|name| known_to_all(name)).collect();
        let vote = |member: &Member| {
            member
                .protocols
                .iter()
                .map(|(name, _)| name.as_str())
                .find(|name| candidates.contains(name))
                .map(String::from)
        };
        let votes: Vec<String> = self.members.iter().filter_map(vote).collect();
        let count = |name: &str| votes.iter().filter(|vote| *vote == name).count();
        // Of equals the one the first member prefers: `max_by_key` takes the last, so the order is reversed.
        candidates.into_iter().rev().max_by_key(|name| count(name)).map(String::from)
    }

    /// The present generation as this member's join is answered.
    fn joined(&self, member_id: &str) -> Joined {
        let leader = self.leader.clone().unwrap_or_default();
        let protocol = self.protocol.clone().unwrap_or_default();
        let members = if leader == member_id {
            let view =
                |member: &Member| (member.id.clone(), member.instance_id.clone(), member.subscription(&protocol));
            self.members.iter().map(view).collect()
        } else {
            Vec::new()
        };
        Joined {
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader,
            member_id: member_id.to_string(),
            members,
            skip_assignment: false,
        }
    }

    /// SyncGroup: the leader brings the assignments, everyone gets theirs.
    pub fn sync(
        &mut self,
        now: i64,
        member_id: &str,
        generation: i32,
        protocol: (Option<&str>, Option<&str>),
        assignments: Vec<(String, Bytes)>,
        reply: SyncReply,
    ) {
        let refuse = |reply: SyncReply, error| {
            let _ = reply.send(Err(error));
        };
        if let Err(error) = self.check(member_id, generation) {
            return refuse(reply, error);
        }
        let differs =
            |given: Option<&str>, own: &Option<String>| given.is_some_and(|given| Some(given) != own.as_deref());
        if differs(protocol.0, &self.protocol_type) || differs(protocol.1, &self.protocol) {
            return refuse(reply, ResponseError::InconsistentGroupProtocol);
        }
        let is_leader = self.leader.as_deref() == Some(member_id);
        let phase = self.phase;
        let Some(member) = self.find(member_id) else { return refuse(reply, ResponseError::UnknownMemberId) };
        member.alive(now);
        match phase {
            Phase::Empty => return refuse(reply, ResponseError::UnknownMemberId),
            Phase::Preparing => return refuse(reply, ResponseError::RebalanceInProgress),
            Phase::Completing | Phase::Stable => {
                member.synced = true;
                member.answer_sync(Err(ResponseError::RebalanceInProgress));
                member.syncing = Some(reply);
            }
        }
        if phase == Phase::Completing {
            if !is_leader {
                return;
            }
            for (id, assignment) in assignments {
                if let Some(member) = self.find(&id) {
                    member.assignment = assignment;
                }
            }
            self.phase = Phase::Stable;
        }
        let (protocol_type, protocol) = (self.protocol_type.clone(), self.protocol.clone());
        for member in &mut self.members {
            let assignment = member.assignment.clone();
            let (protocol_type, protocol) = (protocol_type.clone(), protocol.clone());
            if member.syncing.is_some() {
                member.alive(now);
            }
            member.answer_sync(Ok(Synced { protocol_type, protocol, assignment }));
        }
    }

    /// Whether whoever names this instance id is the member that holds it; a name that no one holds is an unknown member.
    pub fn check_instance(&self, member_id: &str, instance_id: Option<&str>) -> Result<(), ResponseError> {
        match instance_id.map(|instance| self.holder_of(instance)) {
            None => Ok(()),
            Some(None) => Err(ResponseError::UnknownMemberId),
            Some(Some(holder)) if holder.id == member_id => Ok(()),
            Some(Some(_)) => Err(ResponseError::FencedInstanceId),
        }
    }

    /// Whether this is a member of the present generation.
    pub fn check(&self, member_id: &str, generation: i32) -> Result<(), ResponseError> {
        if !self.members.iter().any(|member| member.id == member_id) {
            return Err(ResponseError::UnknownMemberId);
        }
        if generation != self.generation {
            return Err(ResponseError::IllegalGeneration);
        }
        Ok(())
    }

    /// Heartbeat.
    pub fn heartbeat(&mut self, now: i64, member_id: &str, generation: i32) -> Result<(), ResponseError> {
        self.check(member_id, generation)?;
        if let Some(member) = self.find(member_id) {
            member.alive(now);
        }
        match self.phase {
            Phase::Empty => Err(ResponseError::UnknownMemberId),
            Phase::Preparing => Err(ResponseError::RebalanceInProgress),
            Phase::Completing | Phase::Stable => Ok(()),
        }
    }

    /// Whether offsets may be committed by this member; an empty member id with no generation is an outsider, who may
    /// commit only for a group without members.
    pub fn may_commit(&mut self, now: i64, member_id: &str, generation: i32) -> Result<(), ResponseError> {
        if generation < 0 && self.members.is_empty() {
            return Ok(());
        }
        self.check(member_id, generation)?;
        if let Some(member) = self.find(member_id) {
            member.alive(now);
        }
        // It has joined but not seen its assignment: it must not commit for what it may have lost.
        if self.phase == Phase::Completing { Err(ResponseError::RebalanceInProgress) } else { Ok(()) }
    }

    /// LeaveGroup, by member id or, when that is empty, by instance id.
    pub fn leave(&mut self, now: i64, member_id: &str, instance_id: Option<&str>) -> Result<(), ResponseError> {
        if let Some(at) = self.invited.iter().position(|(id, _)| id == member_id) {
            self.invited.swap_remove(at);
            self.try_complete(now);
            return Ok(());
        }
        if !member_id.is_empty() {
            self.check_instance(member_id, instance_id)?;
        }
        let named = |member: &Member| match instance_id {
            Some(instance) => member.instance_id.as_deref() == Some(instance),
            None => member.id == member_id,
        };
        let at = self.members.iter().position(named).ok_or(ResponseError::UnknownMemberId)?;
        let id = self.members[at].id.clone();
        self.remove(now, &id);
        Ok(())
    }

    fn remove(&mut self, now: i64, id: &str) {
        let Some(at) = self.members.iter().position(|member| member.id == id) else { return };
        let mut member = self.members.remove(at);
        member.answer_join(Err(NotJoined { error: ResponseError::UnknownMemberId, member_id: member.id.clone() }));
        member.answer_sync(Err(ResponseError::UnknownMemberId));
        if matches!(self.phase, Phase::Stable | Phase::Completing) {
            self.prepare(now);
        }
        self.try_complete(now);
    }

    /// When something has to happen without a request.
    pub fn next_deadline(&self) -> Option<i64> {
        let silent = self.members.iter().filter(|member| !member.is_waiting()).map(|member| member.deadline);
        let invited = self.invited.iter().map(|(_, until)| *until);
        let phase = match self.phase {
            Phase::Preparing => {
                let everyone = self.invited.is_empty() && self.members.iter().all(|member| member.joining.is_some());
                Some(if everyone { self.window.0 } else { self.window.1 })
            }
            Phase::Completing => Some(self.sync_until),
            Phase::Empty | Phase::Stable => None,
        };
        silent.chain(invited).chain(phase).min()
    }

    /// Time has passed.
    pub fn tick(&mut self, now: i64) {
        self.invited.retain(|(_, until)| *until > now);
        let silent = |member: &&Member| !member.is_waiting() && member.deadline <= now;
        let gone: Vec<String> = self.members.iter().filter(silent).map(|member| member.id.clone()).collect();
        for id in gone {
            self.remove(now, &id);
        }
        if self.phase == Phase::Completing && self.sync_until <= now {
            let late = self.members.iter().filter(|member| !member.synced && member.instance_id.is_none());
            let late = late.map(|member| member.id.clone());
            for id in late.collect::<Vec<_>>() {
                self.remove(now, &id);
            }
        }
        if self.phase == Phase::Preparing && self.window.1 <= now {
            self.complete(now);
        }
        self.try_complete(now);
    }
}
