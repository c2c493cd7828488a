//! Where queries start and end: what a statement says, else the settings, else where topics live.

use super::statement::Planner;
use crate::error::Result;
use crate::runtime::start::StartPolicy;
use crate::sql::ast::{Position, Query, TopicBound};

impl Planner<'_> {
    /// Where a query whose rows go to whoever asked starts, and where it ends if it ends by itself.
    ///
    /// Without `EMIT CHANGES` it is a scan of what the topic holds. With `--until-end` all queries end together, when those
    /// that write what they read have ended.
    pub(super) fn bounds(&self, query: &Query) -> Result<(StartPolicy, Option<StartPolicy>)> {
        let scan = query.emit.is_none();
        let start = match &query.start {
            Some(start) => self.place(start)?,
            None if scan => StartPolicy::Earliest,
            None => self.start_policy()?,
        };
        let until = match &query.until {
            Some(until) => Some(self.place(until)?),
            None if scan && !self.shared().until_end => Some(StartPolicy::Latest),
            None => None,
        };
        Ok((start, until))
    }

    /// What a place in the text means.
    pub(super) fn place(&self, bound: &TopicBound) -> Result<StartPolicy> {
        match &bound.at {
            Position::Earliest => Ok(StartPolicy::Earliest),
            Position::Latest => Ok(StartPolicy::Latest),
            Position::Time(time) => StartPolicy::parse(time).map_err(|error| error.or_at(bound.span)),
            Position::Offsets(offsets) => Ok(StartPolicy::Offsets(offsets.clone())),
            Position::Group(name) => {
                // What the group processed it has committed. So of a partition without an offset it has processed nothing,
                // and to begin there at its end would leave out what came since.
                let otherwise = match self.settings.get("auto.offset.reset") {
                    "" => StartPolicy::Earliest,
                    given => StartPolicy::parse(given)?,
                };
                Ok(StartPolicy::Group { name: name.clone(), otherwise: Box::new(otherwise) })
            }
        }
    }

    /// Where a query without committed offsets starts, by the settings in force.
    pub(super) fn start_policy(&self) -> Result<StartPolicy> {
        match self.settings.get("auto.offset.reset") {
            "" => StartPolicy::parse(self.shared().default_start()),
            given => StartPolicy::parse(given),
        }
    }

    /// `PRINT` without `FROM BEGINNING` shows what comes, unless the settings or `--until-end` say otherwise.
    pub(super) fn print_policy(&self) -> Result<StartPolicy> {
        match self.settings.get("auto.offset.reset") {
            "" if self.shared().until_end => Ok(StartPolicy::Earliest),
            "" => Ok(StartPolicy::Latest),
            given => StartPolicy::parse(given),
        }
    }
}
