//! `alcedo demo`: connected cars, from MQTT to scored rows, in one process.
//!
//! The file `queries/car_anomaly.sql` runs as it is; the messages come through a real MQTT client over TCP. The demo
//! checks itself: every message must be in every output of the file, or it says what is missing and fails.
//!
//! - [`live`]: what the outputs have brought so far, and when
//! - [`table`]: a row as a line
//! - [`screen`]: lines, and on a terminal a last row that shows how far it is
//! - [`summary`]: what was checked, what it took, what to try next

mod live;
mod screen;
mod summary;
mod table;

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::args::DemoArgs;
use super::notices::Desk;
use super::print::{Display, OutputMode};
use super::signals::Interrupts;
use super::style::Paint;
use super::{SHUTDOWN_PATIENCE, complain, repl};
use crate::error::{Error, Result};
use crate::ingest::cars::Cars;
use crate::ingest::mqtt::publisher::{Publisher, PublisherConfig};
use crate::notice::{Level, Notices};
use crate::session::{Engine, Outcome, RowStream, Session, SourceText};
use live::Live;
use screen::Screen;
use summary::Facts;

/// The statements of the demo.
const QUERIES: &str = include_str!("../../../queries/car_anomaly.sql");
/// The message the original demo shows, and its event id.
const DEMO_LINE: &str = include_str!("../../../models/demo_line.txt");
const DEMO_ID: i32 = 99_999;
/// Where devices come in. The rule is `kafka topic:expression over MQTT topics`.
const CONNECTOR: &str = "CREATE SOURCE CONNECTOR cars WITH ('connector.class'='mqtt-listener', \
     'listeners'='127.0.0.1:0', 'topic.regex.list'='temperature:.*temperature');";
const MQTT_TOPIC: &str = "car/engine/temperature";
/// The sinks of the file, each read back in full.
const SINKS: [&str; 3] = ["ANOMALYDETECTION", "ANOMALYSCORE", "ANOMALYDETECTIONWITHFILTER"];
/// How long the messages are spread over, so that what is measured is a steady flow and not a backlog.
const SPREAD: Duration = Duration::from_secs(3);
/// How long nothing may come before the demo gives up.
const PATIENCE: Duration = Duration::from_secs(4);
/// How long to look for rows that should not be there, when all that should be are.
const SETTLE: Duration = Duration::from_millis(200);

/// Runs the demo.
pub fn command(args: &DemoArgs) -> Result<u8> {
    let begun = Instant::now();
    let interrupts = Interrupts::listen(|| std::process::exit(130))?;
    let said = Said::default();
    let engine = Engine::builder().notices(said.notices()).start()?;
    let code = play(args, &engine, &interrupts, &said, begun);
    let stopped = engine.shutdown(SHUTDOWN_PATIENCE);
    let code = code?;
    stopped.map(|()| code)
}

fn play(args: &DemoArgs, engine: &Engine, interrupts: &Interrupts, said: &Said, begun: Instant) -> Result<u8> {
    let mut screen = Screen::new();
    let mut session = engine.session();
    session.execute(CONNECTOR)?;
    let (_, device) =
        engine.listening().into_iter().next().ok_or_else(|| Error::internal("no listener has started"))?;
    screen.strong("Alcedo demo: connected cars, from MQTT to anomaly scores, in one process");
    screen.faint(&format!("broker on {}, MQTT listener on {device}, topics in memory", engine.address()));
    screen.line("");
    screen.strong("queries/car_anomaly.sql");
    let Some(streams) = statements(&mut session, &mut screen)? else { return Ok(1) };
    let live = Live::start(streams)?;

    let total = args.messages as usize + 1;
    let rate = total as f64 / SPREAD.as_secs_f64();
    let demo = std::iter::once((DEMO_ID, DEMO_LINE.trim_end().to_string()));
    let cars = Cars::new(42).take(args.messages as usize).map(|reading| (reading.event_id, reading.text));
    let messages = demo.chain(cars).map(|(id, text)| (MQTT_TOPIC.to_string(), format!("{id},{text}").into_bytes()));
    let publisher = Publisher::start(PublisherConfig::new(device, "demo-car").rate(rate), messages)?;

    let ended = follow(live, &publisher, total, &mut screen, interrupts);
    screen.progress_done();
    publisher.stop();
    let (live, gave_up) = ended?;
    if interrupts.requested() || screen.is_closed() {
        screen.line("stopped");
        return Ok(0);
    }
    let mut failures = said.errors();
    failures.extend(gave_up);
    let published = match publisher.join() {
        Ok(report) => report,
        Err(error) => {
            failures.push(error.to_string());
            Default::default()
        }
    };
    let facts = Facts { live: &live, published: &published, total, took: begun.elapsed() };
    failures.extend(facts.failures());
    facts.show(&mut screen);
    for warning in said.warnings() {
        screen.faint(&format!("warning: {warning}"));
    }
    if !failures.is_empty() {
        for failure in &failures {
            eprintln!("{} {failure}", Paint::stderr().error("failed:"));
        }
        return Ok(3);
    }
    if !args.shell {
        summary::try_next(&mut screen);
        return Ok(0);
    }
    drop(live);
    shell(session, device, said, &mut screen, interrupts)
}

/// Runs the file, a short line a statement, and reads back its sinks. `None` when the file failed, which is shown.
fn statements(session: &mut Session, screen: &mut Screen) -> Result<Option<Vec<RowStream>>> {
    let source = SourceText { name: "queries/car_anomaly.sql".to_string(), text: QUERIES.to_string() };
    let mut streams = Vec::new();
    let ran = session.run(std::slice::from_ref(&source), &mut |statement, outcome| {
        let first = statement.lines().next().unwrap_or_default().trim_end_matches(['\\', ' ', ';']);
        let done = match outcome {
            Outcome::Done(text) => text,
            Outcome::Listing(listing) => format!("{} functions", listing.rows.len()),
            Outcome::Text(text) => format!("{} lines", text.lines().count()),
            Outcome::Rows(stream) => {
                streams.push(stream);
                "running".to_string()
            }
        };
        screen.statement(first, &done);
        Ok(())
    });
    if let Err(failure) = ran {
        complain(OutputMode::Table, &failure.error, &source.text, &source.name);
        return Ok(None);
    }
    for sink in SINKS {
        for outcome in session.execute(&format!("SELECT eventid, anomaly FROM {sink} EMIT CHANGES;"))? {
            if let Outcome::Rows(stream) = outcome {
                streams.push(stream);
            }
        }
    }
    Ok(Some(streams))
}

/// Shows rows until all outputs are complete, nothing comes any more, or the user interrupts.
fn follow(
    mut live: Live,
    publisher: &Publisher,
    total: usize,
    screen: &mut Screen,
    interrupts: &Interrupts,
) -> Result<(Live, Option<String>)> {
    let first = 10;
    let every = (total / 8).max(1);
    screen.line("");
    screen.line(&table::header(screen.paint()));
    let (mut shown, mut last, mut complete) = (0, Instant::now(), None);
    loop {
        let came = live.wait(Duration::from_millis(50))?;
        let now = Instant::now();
        if came {
            last = now;
        }
        while shown < live.arrived.len() {
            let row = &live.arrived[shown];
            shown += 1;
            if shown <= first || shown % every == 0 {
                screen.line(&table::row(row, screen.paint()));
            }
            if shown == first {
                screen.faint(&format!("  from here on one row in {every} is shown"));
            }
        }
        if complete.is_none() && live.is_complete(total) {
            complete = Some(now);
        }
        screen.progress(publisher.acknowledged() as usize, live.arrived.len(), live.anomalies(), total);
        if interrupts.requested() || screen.is_closed() || complete.is_some_and(|at| at.elapsed() >= SETTLE) {
            return Ok((live, None));
        }
        if last.elapsed() >= PATIENCE && complete.is_none() {
            return Ok((live, Some(format!("nothing came for {} s", PATIENCE.as_secs()))));
        }
    }
}

/// The shell, with cars going on to send.
fn shell(
    mut session: Session,
    device: std::net::SocketAddr,
    said: &Said,
    screen: &mut Screen,
    interrupts: &Interrupts,
) -> Result<u8> {
    said.to_stderr.store(true, Ordering::Relaxed);
    screen.line("");
    screen.line("The queries go on, and two messages a second come in. For example:");
    screen.line("  SELECT eventid, anomaly FROM anomalydetection EMIT CHANGES LIMIT 5;");
    screen.line("  SHOW QUERIES;      `exit` leaves");
    // Another seed: other readings than before, under ids that were not used.
    let cars = Cars::new(7).map(|reading| {
        let id = reading.event_id.saturating_add(DEMO_ID);
        (MQTT_TOPIC.to_string(), format!("{id},{}", reading.text).into_bytes())
    });
    let publisher = Publisher::start(PublisherConfig::new(device, "demo-car-live").rate(2.0), cars)?;
    let code = if std::io::stdin().is_terminal() {
        repl::run(&mut session, Display::default(), interrupts, &said.desk).map(|()| 0)
    } else {
        repl::from_pipe(&mut session, Display::default(), interrupts)
    };
    publisher.stop();
    let published = publisher.join();
    let code = code?;
    published.map(|_| code)
}

/// What the engine said. It is shown at the end, and from the shell on as it comes.
#[derive(Clone, Default)]
struct Said {
    lines: Arc<Mutex<Vec<(Level, String)>>>,
    to_stderr: Arc<AtomicBool>,
    desk: Desk,
}

impl Said {
    fn notices(&self) -> Notices {
        let (said, stderr) = (self.clone(), self.desk.notices());
        Notices::new(move |notice| {
            if said.to_stderr.load(Ordering::Relaxed) {
                stderr.say(notice.level, &notice.subject, notice.text);
            } else if notice.level > Level::Info {
                said.lines.lock().push((notice.level, format!("{}: {}", notice.subject, notice.text)));
            }
        })
    }

    fn of(&self, level: Level) -> Vec<String> {
        self.lines.lock().iter().filter(|(at, _)| *at == level).map(|(_, text)| text.clone()).collect()
    }

    fn errors(&self) -> Vec<String> {
        self.of(Level::Error)
    }

    fn warnings(&self) -> Vec<String> {
        self.of(Level::Warning)
    }
}
