//! `alcedo run FILE…`: SQL files as one deployment.

use std::time::Duration;

use super::args::{RunArgs, StatsFormat};
use super::notices::whisper;
use super::repl::write_outcome;
use super::rows::{self, End};
use super::signals::Interrupts;
use super::style::Paint;
use super::{SHUTDOWN_PATIENCE, complain, print, setup};
use crate::error::{Error, Result};
use crate::session::{Engine, Outcome, RowStream, SourceText};
use crate::types::text::json::Json;

/// Runs the files until their rows end, what the topics hold is processed, or the user interrupts.
pub fn command(args: &RunArgs) -> Result<u8> {
    let interrupts = Interrupts::listen(|| std::process::exit(130))?;
    let sources = read(&args.files)?;
    let engine = setup::builder(&args.session)?.until_end(args.until_end).start()?;
    whisper("", &setup::where_topics_live(&engine));
    let mut session = engine.session();
    setup::define(&mut session, &args.session)?;
    let asked = interrupts.clone();
    session.hurry_when(move || asked.requested());
    let mut streams = Vec::new();
    let ran = session.run(&sources, &mut |_, outcome| match outcome {
        Outcome::Rows(stream) => {
            streams.push(stream);
            Ok(())
        }
        other => write_outcome(other, args.output.format),
    });
    if let Err(failure) = ran {
        complain(args.output.format, &failure.error, &failure.source.text, &failure.source.name);
        drop(streams);
        if failure.started {
            for statement in &failure.not_reached {
                eprintln!("not reached: {}", print::visible(statement));
            }
            engine.shutdown(SHUTDOWN_PATIENCE)?;
            eprintln!("stopped what was started before, with a commit");
        }
        return Ok(failure.error.exit_code());
    }
    let code = live(&engine, streams, args, &interrupts);
    if args.stats == Some(StatsFormat::Json) {
        // The last commit counts too.
        engine.stop_queries(SHUTDOWN_PATIENCE / 2);
        stats(&engine);
    }
    let stopped = engine.shutdown(SHUTDOWN_PATIENCE);
    let code = code?;
    stopped.map(|()| code)
}

/// Reads files of statements.
pub(super) fn read(files: &[std::path::PathBuf]) -> Result<Vec<SourceText>> {
    let read = |path: &std::path::PathBuf| {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|error| Error::usage(format!("file {name} cannot be read")).detail(error.to_string()))?;
        Ok(SourceText { name, text })
    };
    files.iter().map(read).collect()
}

/// Shows rows while they come, and stays as long as something runs that the user asked for.
fn live(engine: &Engine, streams: Vec<RowStream>, args: &RunArgs, interrupts: &Interrupts) -> Result<u8> {
    let finisher = args.until_end.then(|| {
        let (engine, interrupts) = (engine.clone(), interrupts.clone());
        std::thread::spawn(move || engine.finish(&|| !interrupts.requested()))
    });
    let healthy = || engine.failure().map_or(Ok(()), Err);
    if !streams.is_empty() {
        match rows::drive(streams, std::io::stdout(), args.output.display(), Paint::stdout(), interrupts, &healthy)? {
            End::Done => {}
            End::Interrupted | End::OutputClosed => return Ok(0),
        }
    }
    if let Some(finisher) = finisher {
        finisher.join().unwrap_or_else(|_| Err(Error::internal("waiting for the queries failed")))?;
        return Ok(0);
    }
    let queries = engine.running_queries();
    // Connectors alone are worth staying for while they may bring records; queries are in any case.
    let alive = || !queries.is_empty() || !engine.running_connectors().is_empty();
    if let Some(running) = setup::what_runs(engine) {
        whisper("", &format!("running: {running}; Ctrl-C stops with a commit"));
    }
    while alive() {
        if interrupts.wait(Duration::from_millis(200)) {
            return Ok(0);
        }
        healthy()?;
    }
    engine.connector_failure().map_or(Ok(0), Err)
}

/// One JSON object a query, on standard error.
fn stats(engine: &Engine) {
    for query in engine.stats() {
        let counts = [
            ("query", query.id.as_str().into()),
            ("state", query.state.as_str().into()),
            ("records_in", query.records_in.into()),
            ("records_out", query.records_out.into()),
            ("bad", query.bad.into()),
            ("commits", query.commits.into()),
        ];
        // Nobody reading standard error is no reason to fail.
        let _ = print::write_json(&mut std::io::stderr(), &Json::object(counts));
    }
}
