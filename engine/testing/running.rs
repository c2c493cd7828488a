//! A query of a test: its tasks, and what is on the topics of its own.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::driver::Record;
use crate::error::Result;
use crate::plan::QueryPlan;
use crate::record::{OutBatch, RawBatch};
use crate::topology::{Changelog, OwnTopics, TaskOutput, Tasks};

/// A query that runs on partition 0 of its topics.
pub struct Running {
    tasks: Tasks,
    changelog: Changelog,
    /// The next offset of each topic.
    offsets: BTreeMap<Arc<str>, i64>,
}

/// What came of some records.
#[derive(Debug, Default)]
pub struct Results {
    /// Records for the sink.
    pub records: Vec<Record>,
    /// How many records could not be read or computed.
    pub bad: u64,
    /// What was wrong with the first of each batch.
    pub messages: Vec<String>,
}

impl Running {
    /// A query that has seen nothing.
    pub fn new(plan: &QueryPlan) -> Result<Running> {
        let mut running = Running { tasks: tasks_of(plan), changelog: Changelog::default(), offsets: BTreeMap::new() };
        running.restore()?;
        Ok(running)
    }

    /// Begins anew with nothing but what is on its topics, as another plan of the same.
    pub fn restart(&mut self, plan: &QueryPlan) -> Result<()> {
        self.tasks = tasks_of(plan);
        self.restore()
    }

    fn restore(&mut self) -> Result<()> {
        if self.tasks.changelog().is_some() { self.tasks.restore(0, &self.changelog) } else { Ok(()) }
    }

    /// How many records of a topic it has read.
    pub fn position(&self, topic: &str) -> usize {
        self.offsets.get(topic).map_or(0, |next| *next as usize)
    }

    /// Leaves out what a topic holds before an offset.
    pub fn start_at(&mut self, topic: &str, offset: usize) {
        self.offsets.insert(topic.into(), offset as i64);
    }

    /// Processes records of a topic, through its own topics too, until nothing is left.
    pub fn feed(&mut self, topic: &str, records: &[Record], results: &mut Results) -> Result<()> {
        let mut raw = RawBatch::new(topic.into(), 0);
        for record in records {
            record.headers.iter().for_each(|(name, value)| raw.headers.push(name, value.as_deref()));
            raw.push(0, record.timestamp, record.key.as_deref(), record.value.as_deref());
        }
        let mut left = VecDeque::from([raw]);
        while let Some(mut raw) = left.pop_front() {
            let first = self.offsets.entry(Arc::clone(&raw.topic)).or_insert(0);
            for offset in &mut raw.offsets {
                *offset = *first;
                *first += 1;
            }
            let mut output = TaskOutput::default();
            self.tasks.process(&raw, &mut output, &mut |_| Ok(()))?;
            for topic in self.tasks.topics() {
                // Nothing else is to come before it.
                self.tasks.at_end(&topic, 0, &mut output, &mut |_| Ok(()))?;
            }
            results.records.extend(records_of(&output.records));
            results.bad += output.bad;
            results.messages.extend(output.reports.first().map(|report| report.message.clone()));
            for change in &output.changes {
                (0..change.len()).for_each(|row| self.changelog.read(change.keys.get(row), change.values.get(row)));
            }
            left.extend(output.forwarded.iter().filter_map(forwarded));
        }
        Ok(())
    }
}

fn tasks_of(plan: &QueryPlan) -> Tasks {
    Tasks::new(Arc::new(plan.clone()), OwnTopics::of(plan, &plan.query_id), false)
}

/// Records as they are read from the topic they were written to.
fn forwarded(out: &OutBatch) -> Option<RawBatch> {
    if out.is_empty() {
        return None;
    }
    let mut raw = RawBatch::new(Arc::clone(&out.topic), 0);
    (0..out.len()).for_each(|row| raw.push(0, out.timestamps[row], out.keys.get(row), out.values.get(row)));
    Some(raw)
}

fn records_of(out: &OutBatch) -> impl Iterator<Item = Record> {
    (0..out.len()).map(|row| Record {
        key: out.keys.get(row).map(<[u8]>::to_vec),
        value: out.values.get(row).map(<[u8]>::to_vec),
        timestamp: out.timestamps[row],
        headers: out.headers.get(row).map(|(name, value)| (name.to_string(), value.map(<[u8]>::to_vec))).collect(),
    })
}
