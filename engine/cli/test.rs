//! `alcedo test`: cases from files, verdicts to standard output, their number in the last line.

use std::fmt;
use std::io::Write;

use super::args::{TestArgs, TestMode};
use super::print::visible_lines;
use crate::error::{Error, Result};
use crate::testing::case::find_files;
use crate::testing::{Mode, Outcome, Verdict, read_file, report, run};

/// Runs the cases; 1 when one fails.
pub fn command(args: &TestArgs) -> Result<u8> {
    let mode = match args.mode {
        TestMode::Single => Mode::Single,
        TestMode::Whole => Mode::Whole,
        TestMode::Restart => Mode::Restart,
    };
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    let mut refusals = Refusals::default();
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let written = |result: std::io::Result<()>| {
        result.map_err(|error| Error::external("standard output cannot be written").detail(error.to_string()))
    };
    'files: for file in find_files(&args.paths)? {
        for case in read_file(&file)? {
            if args.filter.as_ref().is_some_and(|filter| !case.title().contains(filter.as_str())) {
                continue;
            }
            let verdict = run(&case, mode);
            refusals.count(&verdict);
            match &verdict.outcome {
                Outcome::Pass => passed += 1,
                Outcome::Skip(_) => skipped += 1,
                Outcome::Fail(_) => failed += 1,
            }
            let fails = matches!(verdict.outcome, Outcome::Fail(_));
            if args.report.is_some() {
                written(writeln!(out, "{}", report::json_line(&case, &verdict)))?;
            } else if fails {
                written(writeln!(out, "{}", visible_lines(&report::failure(&case, &verdict))))?;
            }
            if fails && args.fail_fast {
                break 'files;
            }
        }
    }
    if args.report.is_none() && refusals.all > 0 {
        written(writeln!(out, "{refusals}"))?;
    }
    written(writeln!(out, "{passed} passed, {failed} failed, {skipped} skipped"))?;
    written(out.flush())?;
    Ok(u8::from(failed > 0))
}

/// What is known of the cases that passed because their last statement was refused.
#[derive(Default)]
struct Refusals {
    all: usize,
    /// Those whose expected message says why, which was checked.
    checked: usize,
    /// Those whose texts share words with the message expected.
    alike: usize,
}

impl Refusals {
    fn count(&mut self, verdict: &Verdict) {
        if let (Outcome::Pass, Some(matches)) = (&verdict.outcome, verdict.message_matches) {
            self.all += 1;
            self.checked += usize::from(verdict.reason_checked == Some(true));
            self.alike += usize::from(matches);
        }
    }
}

impl fmt::Display for Refusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Refusals { all, checked, alike } = self;
        write!(f, "refused as expected: {all}, for the reason expected: {checked}, in words of the message: {alike}")
    }
}
