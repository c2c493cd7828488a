//! Windows of aggregations and joins, and durations.

use super::super::ast::{Duration, TimeUnit, Window, WindowKind, Within};
use super::Parser;
use super::primary::time_unit;
use crate::error::{Code, Error, Result};

/// Words a duration may end in, for the nearest-word search.
const UNITS: &[&str] =
    &["DAY", "DAYS", "HOUR", "HOURS", "MINUTE", "MINUTES", "SECOND", "SECONDS", "MILLISECOND", "MILLISECONDS"];

impl Parser<'_> {
    /// What follows `WINDOW`.
    pub(super) fn window(&mut self) -> Result<Window> {
        let start = self.span();
        // ksqlDB lets a window have a name, which nothing can refer to.
        if self.is_name(0) && ["TUMBLING", "HOPPING", "SESSION"].iter().any(|kind| self.is_word(1, kind)) {
            self.advance();
        }
        let kind = if self.eat("TUMBLING") {
            self.expect_symbol("(")?;
            self.expect("SIZE")?;
            WindowKind::Tumbling(self.duration("the size")?)
        } else if self.eat("HOPPING") {
            self.expect_symbol("(")?;
            self.expect("SIZE")?;
            let size = self.duration("the size")?;
            self.expect_symbol(",")?;
            self.expect("ADVANCE")?;
            self.expect("BY")?;
            WindowKind::Hopping(size, self.duration("the advance")?)
        } else if self.eat("SESSION") {
            self.expect_symbol("(")?;
            WindowKind::Session(self.duration("the gap")?)
        } else {
            return Err(self.unexpected());
        };
        let (mut retention, mut grace) = (None, None);
        while self.eat_symbol(",") {
            if retention.is_none() && grace.is_none() && self.eat("RETENTION") {
                retention = Some(self.duration("the retention")?);
            } else if grace.is_none() && self.eat("GRACE") {
                self.expect("PERIOD")?;
                grace = Some(self.duration("the grace period")?);
            } else {
                return Err(self.unexpected());
            }
        }
        self.expect_symbol(")")?;
        Ok(Window { kind, retention, grace, span: self.since(start) })
    }

    /// What follows `WITHIN`.
    pub(super) fn within(&mut self) -> Result<Within> {
        let start = self.span();
        let (before, after) = if self.eat_symbol("(") {
            let before = self.duration("the time before")?;
            self.expect_symbol(",")?;
            let after = self.duration("the time after")?;
            self.expect_symbol(")")?;
            (before, after)
        } else {
            let both = self.duration("the time within")?;
            (both, both)
        };
        let grace = if self.eat("GRACE") {
            self.expect("PERIOD")?;
            Some(self.duration("the grace period")?)
        } else {
            None
        };
        Ok(Within { before, after, grace, span: self.since(start) })
    }

    /// `n unit`; `what` it is.
    pub(super) fn duration(&mut self, what: &'static str) -> Result<Duration> {
        let start = self.span();
        let n = self.count(what)?;
        let Some(word) = self.word(0) else {
            self.note("a time unit");
            return Err(self.unexpected());
        };
        let any = self.is_reference(0).then_some(TimeUnit::Day);
        let Some(unit) = time_unit(word).or(any) else {
            self.note_possible(UNITS);
            self.note("a time unit");
            let error = self.unexpected();
            return Err(match word.to_ascii_uppercase().as_str() {
                "WEEK" | "WEEKS" => error.hint("The largest unit is DAYS."),
                "MONTH" | "MONTHS" | "YEAR" | "YEARS" => {
                    error.hint("The largest unit is DAYS; longer ones vary in length.")
                }
                "MS" => error.hint("Did you mean MILLISECONDS?"),
                _ => error,
            });
        };
        self.advance();
        let span = self.since(start);
        if n.checked_mul(unit.millis()).is_none() {
            return Err(Error::refused(Code::InvalidLiteral, format!("{what} is too long")).at(span));
        }
        Ok(Duration { n, unit, span })
    }
}
