//! Takes down what is wrong with records of a batch.

use std::fmt::Display;
use std::sync::Arc;

use super::dead_letter::DeadLetters;
use super::report::{Report, Stage};
use crate::error::Result;
use crate::operators::RowReport;
use crate::record::{Batch, RawBatch};

/// How many reports of one batch are kept; more are only counted, and their texts never made.
const REPORTS_KEPT: usize = 64;

/// What is said of the records of one batch.
pub(super) struct Notes<'a> {
    /// The batch.
    pub raw: &'a RawBatch,
    /// Whether reports hold the bytes of their records.
    pub keeps_bytes: bool,
    pub reports: &'a mut Vec<Report>,
    /// The report of the first record, by offset.
    pub first: &'a mut Option<Report>,
    /// How many there were, also those that are not kept.
    pub bad: &'a mut u64,
    pub dead_letters: Option<&'a mut DeadLetters>,
}

impl Notes<'_> {
    /// Most of a flood is only counted: a text is made for whoever reads it.
    pub(super) fn add(&mut self, stage: Stage, record: usize, message: &dyn Display) {
        *self.bad += 1;
        if let Some(dead_letters) = &mut self.dead_letters {
            dead_letters.note(record, stage, message);
        }
        let offset = self.raw.offsets[record];
        let is_first = self.first.as_ref().is_none_or(|first| offset < first.offset);
        if !is_first && self.reports.len() >= REPORTS_KEPT {
            return;
        }
        let bytes = if stage == Stage::ReadKey { &self.raw.keys } else { &self.raw.values };
        let bytes = if self.keeps_bytes { bytes.get(record).map(<[u8]>::to_vec) } else { None };
        let (topic, partition) = (Arc::clone(&self.raw.topic), self.raw.partition_of(record));
        let report = Report { topic, partition, offset, stage, message: message.to_string(), bytes };
        if is_first {
            *self.first = Some(report.clone());
        }
        if self.reports.len() < REPORTS_KEPT {
            self.reports.push(report);
        }
    }

    /// Takes down what the operators reported.
    pub(super) fn computed(&mut self, row_reports: &mut Vec<RowReport>) {
        for RowReport { record, message } in row_reports.drain(..) {
            self.add(Stage::Compute, record, &message);
        }
    }

    /// The rows of a batch that do not come from a dead letter.
    pub(super) fn without_dead(&self, batch: Batch) -> Result<Batch> {
        match &self.dead_letters {
            Some(dead_letters) => dead_letters.without_dead(batch),
            None => Ok(batch),
        }
    }
}
