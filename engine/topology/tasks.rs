//! All tasks of a query that one process runs, and which records are for which of them.
//!
//! A query reads its source's topic, and each partition is one task. A join reads two, and topics of its own where a side has
//! to get other keys first: then records go from the source through `forward` into that topic, and from there into the join.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::changelog::Changelog;
use super::forward::Forward;
use super::join::JoinTask;
use super::task::{Task, TaskOutput};
use crate::error::{Error, Result};
use crate::plan::QueryPlan;
use crate::record::{OutBatch, RawBatch};

/// Takes away records for the sink of a batch that is not done yet.
pub type TakeRecords<'a> = dyn FnMut(&mut OutBatch) -> Result<()> + 'a;

/// The topics of a query's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnTopics {
    /// Where each side of a join gets the key it is joined by, if it has to.
    pub repartition: [Option<Arc<str>>; 2],
    /// Where what a join keeps is kept.
    pub changelog: Option<Arc<str>>,
}

impl OwnTopics {
    /// The topics that a plan needs; their names begin with `prefix`.
    pub fn of(plan: &QueryPlan, prefix: &str) -> OwnTopics {
        let Some(join) = &plan.join else { return OwnTopics::default() };
        let OwnTopics { repartition: [left, right], changelog } = OwnTopics::any(prefix);
        let [of_left, of_right] = &join.sides;
        let repartition =
            [left.filter(|_| of_left.repartition.is_some()), right.filter(|_| of_right.repartition.is_some())];
        OwnTopics { repartition, changelog }
    }

    /// All that a query may have.
    pub fn any(prefix: &str) -> OwnTopics {
        let topic = |what: &str| Some(Arc::from(format!("{prefix}{what}")));
        let repartition = [topic("-left-repartition"), topic("-right-repartition")];
        OwnTopics { repartition, changelog: topic("-join-changelog") }
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Arc<str>> {
        self.repartition.iter().chain([&self.changelog]).flatten()
    }
}

/// What the records of a topic are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// For the only stage.
    Only,
    /// They get other keys, for a side of the join.
    Forward(usize),
    /// For a side of the join.
    Side(usize),
}

/// The tasks of a query.
pub struct Tasks {
    plan: Arc<QueryPlan>,
    own: OwnTopics,
    keeps_bytes: bool,
    /// The topics that are read, and what for.
    inputs: Vec<(Arc<str>, Use)>,
    only: BTreeMap<i32, Task>,
    forwards: [Option<Forward>; 2],
    joins: BTreeMap<i32, JoinTask>,
}

impl Tasks {
    /// The tasks of a plan, of no partition yet.
    pub fn new(plan: Arc<QueryPlan>, own: OwnTopics, keeps_bytes: bool) -> Tasks {
        let source = |topic: &str| Arc::from(topic);
        let mut inputs = Vec::new();
        match &plan.join {
            None => inputs.push((source(&plan.source.topic), Use::Only)),
            Some(_) => {
                for (side, scan) in plan.scans().enumerate() {
                    match &own.repartition[side] {
                        Some(topic) => {
                            inputs.push((source(&scan.topic), Use::Forward(side)));
                            inputs.push((Arc::clone(topic), Use::Side(side)));
                        }
                        None => inputs.push((source(&scan.topic), Use::Side(side))),
                    }
                }
            }
        }
        Tasks { plan, own, keeps_bytes, inputs, only: BTreeMap::new(), forwards: [None, None], joins: BTreeMap::new() }
    }

    /// The topics to read, each once.
    pub fn topics(&self) -> Vec<Arc<str>> {
        let mut topics: Vec<Arc<str>> = Vec::new();
        for (topic, _) in &self.inputs {
            if !topics.contains(topic) {
                topics.push(Arc::clone(topic));
            }
        }
        topics
    }

    /// Whether the records of a topic come to tasks that keep state, which is to be restored before they do.
    pub fn has_state(&self, topic: &str) -> bool {
        self.inputs.iter().any(|(input, what)| **input == *topic && matches!(what, Use::Side(_)))
    }

    /// Where state is kept, if there is any.
    pub fn changelog(&self) -> Option<&Arc<str>> {
        self.own.changelog.as_ref()
    }

    /// Makes the join of a partition, with what its changelog holds.
    ///
    /// # Errors
    /// The changelog cannot be read; or a broken invariant of ours.
    pub fn restore(&mut self, partition: i32, changelog: &Changelog) -> Result<()> {
        let Some(topic) = &self.own.changelog else { return Err(Error::internal("a query without state")) };
        let mut task = JoinTask::new(&self.plan, partition, topic, self.keeps_bytes)?;
        task.restore(changelog)?;
        self.joins.insert(partition, task);
        Ok(())
    }

    /// Processes records of one partition of a topic; adds what comes of them to `result`. `take` is given the records for the
    /// sink after each piece of them, where one record may become more than fit in memory.
    ///
    /// # Errors
    /// Those of `take`; of its own only for a broken invariant.
    pub fn process(&mut self, raw: &RawBatch, result: &mut TaskOutput, take: &mut TakeRecords<'_>) -> Result<()> {
        for at in 0..self.inputs.len() {
            let (topic, what) = &self.inputs[at];
            if **topic != *raw.topic {
                continue;
            }
            match *what {
                Use::Only => {
                    let task = match self.only.entry(raw.partition) {
                        std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
                        std::collections::btree_map::Entry::Vacant(entry) => {
                            let task = entry.insert(Task::new(&self.plan)?);
                            task.keep_bytes(self.keeps_bytes);
                            task
                        }
                    };
                    task.process_in_pieces(raw, result, &mut |records, _| take(records).map(|()| true))?;
                }
                Use::Forward(side) => {
                    let forward = match (&mut self.forwards[side], &self.plan.join, &self.own.repartition[side]) {
                        (Some(forward), ..) => forward,
                        (none, Some(join), Some(topic)) => {
                            none.insert(Forward::new(join, side, topic, self.keeps_bytes)?)
                        }
                        _ => return Err(Error::internal("records get no other keys in this query")),
                    };
                    forward.process(raw, result)?;
                }
                Use::Side(side) => self.join(raw.partition)?.push(side, raw, result)?,
            }
        }
        self.run(&raw.topic, raw.partition, result, take)
    }

    /// Says that a partition of a topic was read to its end; what waited for that is processed.
    ///
    /// # Errors
    /// As for [`process`](Self::process).
    pub fn at_end(
        &mut self,
        topic: &str,
        partition: i32,
        result: &mut TaskOutput,
        take: &mut TakeRecords<'_>,
    ) -> Result<()> {
        for at in 0..self.inputs.len() {
            if let (input, Use::Side(side)) = &self.inputs[at]
                && **input == *topic
            {
                let side = *side;
                self.join(partition)?.complete(side, partition);
            }
        }
        self.run(topic, partition, result, take)
    }

    fn run(&mut self, topic: &str, partition: i32, result: &mut TaskOutput, take: &mut TakeRecords<'_>) -> Result<()> {
        if !self.has_state(topic) {
            return Ok(());
        }
        self.join(partition)?.run(result, &mut |records, _| take(records).map(|()| true))
    }

    /// The next offset of a partition to read after a restart, when not all that was read is processed. `next` is what was
    /// read.
    pub fn processed(&self, topic: &str, partition: i32, next: i64) -> i64 {
        let Some(join) = self.joins.get(&partition) else { return next };
        let sides = self.inputs.iter().filter_map(|(input, what)| match what {
            Use::Side(side) if **input == *topic && join.waiting(*side, partition) > 0 => join.next(*side, partition),
            _ => None,
        });
        sides.min().map_or(next, |first| first.min(next))
    }

    /// How much of a partition of a topic waits to be processed: rows, or KiB where those are more.
    pub fn waiting(&self, topic: &str, partition: i32) -> usize {
        let Some(join) = self.joins.get(&partition) else { return 0 };
        let of = |(input, what): &(Arc<str>, Use)| match what {
            Use::Side(side) if **input == *topic => {
                join.waiting(*side, partition).max(join.waiting_bytes(*side, partition) / 1024)
            }
            _ => 0,
        };
        self.inputs.iter().map(of).max().unwrap_or(0)
    }

    /// Forgets all partitions.
    pub fn clear(&mut self) {
        self.only.clear();
        self.joins.clear();
    }

    fn join(&mut self, partition: i32) -> Result<&mut JoinTask> {
        self.joins.get_mut(&partition).ok_or_else(|| Error::internal("a join of a partition that was not restored"))
    }
}
