//! Whether what goes through a topic of the query's own has caught up with the source it comes from.
//!
//! A join takes the records of its two sides by their times. A side that goes through a topic of the query's own is at the end
//! of that topic before the first of its records have come through, and the other side would run ahead: over a long history it
//! would let go of rows whose partners are still on their way. So for a start, such a side counts as read to its end only when
//! all that its source held when the partitions came is forwarded, by whichever process, and read.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::start::{ends, ends_of_all};
use crate::error::Result;
use crate::kafka::{Admin, TopicPartition};

/// How often the cluster is asked how far other processes are.
const ASK_EVERY: Duration = Duration::from_millis(200);

/// Says what a group has committed for partitions, in their order.
pub type ByGroup<'a> = dyn Fn(&[TopicPartition]) -> Result<Vec<Option<i64>>> + 'a;

/// The topics of one query through which records go.
#[derive(Default)]
pub struct CatchUp {
    gates: Vec<Gate>,
    asked: Option<Instant>,
}

struct Gate {
    own: Arc<str>,
    state: State,
}

enum State {
    /// Waits until the query has processed its source up to here.
    Source(BTreeMap<TopicPartition, i64>),
    /// Waits until what was forwarded is read up to here.
    Own(BTreeMap<TopicPartition, i64>),
    Open,
}

impl CatchUp {
    /// For sources and the topics that what they hold goes through. Asks where the sources end now.
    pub fn new(admin: &Admin, through: &[(Arc<str>, Arc<str>)]) -> Result<CatchUp> {
        let mut gates = Vec::with_capacity(through.len());
        for (source, own) in through {
            let state = State::Source(partitions_of(ends(admin, std::slice::from_ref(source))?));
            gates.push(Gate { own: Arc::clone(own), state });
        }
        Ok(CatchUp { gates, asked: None })
    }

    /// Whether the end of a topic is the end of what there is for it.
    pub fn is_open(&self, topic: &str) -> bool {
        self.gates.iter().all(|gate| *gate.own != *topic || matches!(gate.state, State::Open))
    }

    /// Looks again; `committed` and `read` say where the partitions of this process stand, `by_group` asks for those of
    /// others. Gives the topics that have caught up now.
    pub fn look(
        &mut self,
        admin: &Admin,
        committed: &BTreeMap<TopicPartition, i64>,
        read: &BTreeMap<TopicPartition, i64>,
        by_group: &ByGroup<'_>,
    ) -> Result<Vec<Arc<str>>> {
        let mut opened = Vec::new();
        for gate in &mut self.gates {
            if let State::Source(targets) = &mut gate.state {
                targets.retain(|at, end| committed.get(at).is_none_or(|next| next < end));
                let others: Vec<_> = targets.keys().filter(|at| !committed.contains_key(at)).cloned().collect();
                let due = self.asked.is_none_or(|asked| asked.elapsed() >= ASK_EVERY);
                if others.len() == targets.len() && !others.is_empty() && due {
                    self.asked = Some(Instant::now());
                    for (at, next) in others.iter().zip(by_group(&others)?) {
                        if targets.get(at).is_some_and(|end| next.unwrap_or(0) >= *end) {
                            targets.remove(at);
                        }
                    }
                }
                if targets.is_empty() {
                    gate.state = State::Own(partitions_of(ends_of_all(admin, std::slice::from_ref(&gate.own))?));
                }
            }
            if let State::Own(targets) = &mut gate.state {
                // What other processes read is theirs to wait for.
                targets.retain(|at, end| read.get(at).is_some_and(|next| next < end));
                if targets.is_empty() {
                    gate.state = State::Open;
                    opened.push(Arc::clone(&gate.own));
                }
            }
        }
        Ok(opened)
    }

    /// Whether there is nothing to look for.
    pub fn is_done(&self) -> bool {
        self.gates.iter().all(|gate| matches!(gate.state, State::Open))
    }
}

/// The partitions of topics that hold anything, with their ends.
fn partitions_of(ends: super::status::Ends) -> BTreeMap<TopicPartition, i64> {
    let of = |(topic, ends): (Arc<str>, Vec<i64>)| {
        let ends = ends.into_iter().enumerate().filter(|(_, end)| *end > 0);
        ends.map(move |(partition, end)| (TopicPartition::new(Arc::clone(&topic), partition as i32), end))
    };
    ends.into_iter().flat_map(of).collect()
}
