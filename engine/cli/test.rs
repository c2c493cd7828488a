//! `alcedo test`: cases from files, verdicts to standard output, their number in the last line.

use std::io::Write;

use super::args::{TestArgs, TestMode};
use super::print::visible_lines;
use crate::error::{Error, Result};
use crate::testing::case::find_files;
use crate::testing::{Mode, Outcome, read_file, report, run};

/// Runs the cases; 1 when one fails.
pub fn command(args: &TestArgs) -> Result<u8> {
    let mode = match args.mode {
        TestMode::Single => Mode::Single,
        TestMode::Whole => Mode::Whole,
    };
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
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
    written(writeln!(out, "{passed} passed, {failed} failed, {skipped} skipped"))?;
    written(out.flush())?;
    Ok(u8::from(failed > 0))
}
