//! Rows of several running queries, side by side, as they come. On a terminal its last row says how many there are, how
//! fast they come and how far behind they are.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use super::bottom::Bottom;
use super::print::{Display, OutputMode, RowPrinter};
use super::signals::Interrupts;
use super::style::Paint;
use crate::error::{Error, Result};
use crate::session::{EndReason, Progress, RowEvent, RowStream};

/// The shortest time between two drawings of what is drawn in place.
const REDRAW: Duration = Duration::from_millis(100);

/// The time over which rows a second are counted.
const RATE_OVER: Duration = Duration::from_secs(2);

/// How the rows came to an end.
#[derive(Debug)]
pub enum End {
    /// Every query reached its `LIMIT` or the end of its topic.
    Done,
    /// The user asked to stop.
    Interrupted,
    /// The reader of our output went away.
    OutputClosed,
}

/// Writes the rows of `streams` until all have ended, the user interrupts or the output is closed.
///
/// The first query that fails ends the others; its error is returned, as is one of `check`, which is asked all the time.
pub fn drive(
    streams: Vec<RowStream>,
    out: impl Write,
    display: impl Into<Display>,
    paint: Paint,
    interrupts: &Interrupts,
    check: &dyn Fn() -> Result<()>,
) -> Result<End> {
    let display = display.into();
    let cancels: Vec<_> = streams.iter().map(RowStream::cancel_handle).collect();
    let mut printer = RowPrinter::new(out, &display, paint, &streams)?;
    let mut footer = Footer::new(&streams, paint);
    let (sender, receiver) = sync_channel::<(usize, RowEvent)>(16);
    let mut running = streams.len();
    let mut forwarders = Vec::new();
    for (number, stream) in streams.into_iter().enumerate() {
        let sender = sender.clone();
        // A stream is a blocking queue; a thread each lets us wait for all at once.
        let forward = move || {
            loop {
                let Some(event) = stream.next(Duration::from_secs(3600)) else { continue };
                let ended = matches!(event, RowEvent::End(_));
                if sender.send((number, event)).is_err() || ended {
                    return;
                }
            }
        };
        let spawned = std::thread::Builder::new().name(format!("rows-{number}")).spawn(forward);
        forwarders.push(spawned.map_err(|error| Error::external("a thread cannot be started").with_source(error))?);
    }
    drop(sender);
    let stop_all = || cancels.iter().for_each(|cancel| cancel.cancel());

    let mut end = Ok(End::Done);
    while running > 0 {
        let written = match receiver.recv_timeout(Duration::from_millis(50)) {
            Ok((number, RowEvent::Batch(batch))) => {
                footer.count(batch.num_rows());
                printer.batch(number, &batch)
            }
            Ok((number, RowEvent::Lines(lines))) => {
                footer.count(lines.len());
                printer.lines(number, &lines)
            }
            Ok((_, RowEvent::End(reason))) => {
                running -= 1;
                if let EndReason::Failed(error) = reason {
                    end = Err(error);
                    break;
                }
                Ok(())
            }
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Err(RecvTimeoutError::Disconnected) => break,
        };
        if let Err(error) = written.and_then(|()| footer.draw(&printer)) {
            end = closed(error);
            break;
        }
        if interrupts.requested() {
            end = Ok(End::Interrupted);
            break;
        }
        if let Err(error) = check() {
            end = Err(error);
            break;
        }
    }
    stop_all();
    // Closing the channel first lets a forwarder that waits for room end.
    drop(receiver);
    let finished = footer.clear().and_then(|()| match (&end, display.mode) {
        (Ok(End::Done | End::Interrupted), OutputMode::Chart) => printer.finish(),
        _ => Ok(()),
    });
    if let (Ok(_), Err(error)) = (&end, finished) {
        end = closed(error);
    }
    for forwarder in forwarders {
        let _ = forwarder.join();
    }
    end
}

/// What a failed write means: a reader that went away is no error.
fn closed(error: io::Error) -> Result<End> {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Ok(End::OutputClosed),
        _ => Err(Error::external("rows cannot be written").detail(error.to_string())),
    }
}

/// The terminal's last row, and above it a chart. Nothing in a pipe. It goes to standard output itself, whatever copies
/// there may be of the rows.
struct Footer {
    bottom: Option<Bottom>,
    progress: Vec<Progress>,
    paint: Paint,
    rows: u64,
    rate: Rate,
    drawn: Option<Instant>,
}

impl Footer {
    fn new(streams: &[RowStream], paint: Paint) -> Footer {
        Footer {
            bottom: Bottom::of_stdout(),
            progress: streams.iter().map(RowStream::progress).collect(),
            paint,
            rows: 0,
            rate: Rate::default(),
            drawn: None,
        }
    }

    fn count(&mut self, rows: usize) {
        self.rows += rows as u64;
    }

    /// Draws what changed, unless it was drawn a moment ago.
    fn draw<W: Write>(&mut self, printer: &RowPrinter<W>) -> io::Result<()> {
        let Some(bottom) = &mut self.bottom else { return Ok(()) };
        let now = Instant::now();
        if self.drawn.is_some_and(|drawn| now - drawn < REDRAW) {
            return Ok(());
        }
        self.drawn = Some(now);
        let mut lines = printer.chart(Some(bottom.columns()), Some(bottom.room().saturating_sub(1)));
        let lag = self.progress.iter().map(Progress::behind).sum::<Option<u64>>();
        let line = status(self.rows, self.rate.at(now, self.rows), lag, self.paint);
        lines.push(self.paint.faint(&line));
        bottom.show(&mut io::stdout(), &lines)
    }

    fn clear(&mut self) -> io::Result<()> {
        match &mut self.bottom {
            Some(bottom) => bottom.clear(&mut io::stdout()),
            None => Ok(()),
        }
    }
}

/// The text of the last row.
fn status(rows: u64, rate: u64, behind: Option<u64>, paint: Paint) -> String {
    let plural = if rows == 1 { "row" } else { "rows" };
    let behind = behind.map_or(String::new(), |behind| format!(" {} {} behind", paint.signs().dot, grouped(behind)));
    let dot = paint.signs().dot;
    format!("{} {plural} {dot} {} rows/s{behind} {dot} Ctrl-C stops", grouped(rows), grouped(rate))
}

/// A number with commas between groups of three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Rows a second over the last moments.
#[derive(Default)]
struct Rate {
    samples: VecDeque<(Instant, u64)>,
}

impl Rate {
    /// The rate at this time, when there are this many rows.
    fn at(&mut self, now: Instant, rows: u64) -> u64 {
        self.samples.push_back((now, rows));
        while self.samples.len() > 2 && now - self.samples[1].0 >= RATE_OVER {
            self.samples.pop_front();
        }
        let (since, before) = self.samples[0];
        let seconds = (now - since).as_secs_f64();
        if seconds <= 0.0 { 0 } else { ((rows - before) as f64 / seconds).round() as u64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_says_rows_rate_and_lag() {
        assert_eq!(status(1, 0, None, Paint::plain()), "1 row · 0 rows/s · Ctrl-C stops");
        let text = status(1_234_567, 12_000, Some(999), Paint::ascii());
        assert_eq!(text, "1,234,567 rows | 12,000 rows/s | 999 behind | Ctrl-C stops");
    }

    #[test]
    fn the_rate_forgets_what_is_long_ago() {
        let (mut rate, start) = (Rate::default(), Instant::now());
        let at = |rate: &mut Rate, millis: u64, rows| rate.at(start + Duration::from_millis(millis), rows);
        assert_eq!(at(&mut rate, 0, 0), 0);
        assert_eq!(at(&mut rate, 1_000, 100), 100);
        assert_eq!(at(&mut rate, 2_000, 100), 50);
        assert_eq!(at(&mut rate, 3_000, 100), 0);
        assert_eq!(at(&mut rate, 4_000, 160), 30);
    }
}
