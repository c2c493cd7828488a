//! Rows of several running queries, side by side, as they come.

use std::io::{self, Write};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use super::args::OutputFormat;
use super::print::RowPrinter;
use super::signals::Interrupts;
use super::style::Paint;
use crate::error::{Error, Result};
use crate::session::{EndReason, RowEvent, RowStream};

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
    format: OutputFormat,
    paint: Paint,
    interrupts: &Interrupts,
    check: &dyn Fn() -> Result<()>,
) -> Result<End> {
    let labels: Vec<_> = streams.iter().map(|stream| (stream.label.clone(), stream.columns.clone())).collect();
    let cancels: Vec<_> = streams.iter().map(RowStream::cancel_handle).collect();
    let mut printer = RowPrinter::new(out, format, paint, &labels);
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
            Ok((number, RowEvent::Batch(batch))) => printer.batch(number, &batch),
            Ok((number, RowEvent::Lines(lines))) => printer.lines(number, &lines),
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
        match written {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                end = Ok(End::OutputClosed);
                break;
            }
            Err(error) => {
                end = Err(Error::external("rows cannot be written").detail(error.to_string()));
                break;
            }
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
    for forwarder in forwarders {
        let _ = forwarder.join();
    }
    end
}
