//! What was checked, what it took, what to try next.

use std::collections::BTreeSet;
use std::time::Duration;

use hashbrown::HashMap;

use super::live::{Live, THRESHOLD};
use super::screen::Screen;
use super::{DEMO_ID, SINKS};
use crate::ingest::mqtt::publisher::PublishReport;

/// The demo line's score in the original, in 64-bit arithmetic.
const DEMO_SCORE: f64 = 1.2104138026620321;
const TOLERANCE: f64 = 1e-14;

/// What the demo found.
pub struct Facts<'a> {
    pub live: &'a Live,
    pub published: &'a PublishReport,
    /// Messages that were to be published.
    pub total: usize,
    pub took: Duration,
}

impl Facts<'_> {
    /// Everything that is not as it must be, a line each.
    pub fn failures(&self) -> Vec<String> {
        let mut failures = Vec::new();
        let mut equal = |what: &str, found: usize, wanted: usize| {
            if found != wanted {
                failures.push(format!("{what}: {found}, expected {wanted}"));
            }
        };
        let scored: BTreeSet<i32> = self.live.arrived.iter().map(|row| row.id).collect();
        let above: BTreeSet<i32> =
            self.live.arrived.iter().filter(|row| row.score > THRESHOLD).map(|row| row.id).collect();
        equal("messages acknowledged", self.published.acknowledged as usize, self.total);
        equal("rows of the push query", self.live.arrived.len(), self.total);
        equal("events in the rows of the push query", scored.len(), self.total);
        equal(
            "rows that have a score",
            self.live.arrived.iter().filter(|row| row.score.is_finite()).count(),
            self.total,
        );
        for ((name, (ids, rows)), wanted) in SINKS.iter().zip(&self.live.sinks).zip([&scored, &scored, &above]) {
            equal(&format!("rows of {name}"), *rows, wanted.len());
            equal(
                &format!("events of {name} that the push query has too"),
                ids.intersection(wanted).count(),
                wanted.len(),
            );
        }
        equal("records of the PRINT", self.live.printed, above.len());
        match self.demo_error() {
            Some(error) if error <= TOLERANCE => {}
            Some(error) => failures.push(format!("the demo line's score is off by {error:.1e}, relative")),
            None => failures.push("the demo line has no score".to_string()),
        }
        failures
    }

    /// Relative error of the demo line's score.
    fn demo_error(&self) -> Option<f64> {
        let row = self.live.arrived.iter().find(|row| row.id == DEMO_ID)?;
        row.score.is_finite().then(|| ((row.score - DEMO_SCORE) / DEMO_SCORE).abs())
    }

    /// Publish to row of every event, in ascending order. Message 0 is the demo line, message n the car reading n.
    fn latencies(&self) -> Vec<Duration> {
        let mut first = HashMap::new();
        for row in &self.live.arrived {
            first.entry(row.id).or_insert(row.at);
        }
        let index = |id: i32| if id == DEMO_ID { Some(0) } else { usize::try_from(id).ok() };
        let latency = |(id, at): (i32, std::time::Instant)| {
            Some(at.saturating_duration_since(*self.published.published.get(index(id)?)?))
        };
        let mut latencies: Vec<Duration> = first.into_iter().filter_map(latency).collect();
        latencies.sort_unstable();
        latencies
    }

    /// Writes it all.
    pub fn show(&self, screen: &mut Screen) {
        let latencies = self.latencies();
        let quantile = |share: f64| {
            let rank = (share * latencies.len() as f64).ceil() as usize;
            latencies
                .get(rank.saturating_sub(1))
                .map_or("unknown".to_string(), |latency| format!("{:.1} ms", latency.as_secs_f64() * 1e3))
        };
        let [all, again, above] = &self.live.sinks;
        let arrived = self.live.arrived.len();
        let mut fact = |name: &str, value: String, note: String| {
            let line = format!("  {name:<12} {value:>18}  {}", screen.paint().faint(&note));
            screen.line(line.trim_end());
        };
        fact("", String::new(), String::new());
        fact("messages in", self.published.acknowledged.to_string(), "over MQTT, acknowledged".to_string());
        fact("rows out", arrived.to_string(), format!("and {} {}, {} {}", SINKS[0], all.1, SINKS[1], again.1));
        fact("anomalies", self.live.anomalies().to_string(), format!("{} {}", SINKS[2], above.1));
        fact("printed", self.live.printed.to_string(), "records by PRINT".to_string());
        let demo = self.live.arrived.iter().find(|row| row.id == DEMO_ID);
        let within = match self.demo_error() {
            Some(error) if error <= TOLERANCE => "as in the original, to 1e-14",
            _ => "not as in the original",
        };
        fact("demo line", demo.map_or("missing".to_string(), |row| row.text.clone()), within.to_string());
        fact("latency p50", quantile(0.5), "from publish to the row here".to_string());
        fact("latency p99", quantile(0.99), String::new());
        fact("peak memory", peak_memory().unwrap_or("unknown".to_string()), "broker included".to_string());
        fact("time", format!("{:.1} s", self.took.as_secs_f64()), String::new());
    }
}

/// The most resident memory of this process so far, as Linux counts it.
fn peak_memory() -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(format!("{} MB", kilobytes / 1024))
}

/// Three commands, as they can be pasted here.
pub fn try_next(screen: &mut Screen) {
    let program = if std::env::var_os("CARGO_MANIFEST_DIR").is_some() {
        "cargo run --release --".to_string()
    } else {
        std::env::args().next().unwrap_or_else(|| "alcedo".to_string())
    };
    screen.line("");
    screen.strong("Try next");
    screen.line(&format!("  {program} demo --shell"));
    screen.line(&format!("  {program} demo --messages 10000"));
    screen.line(&format!("  echo 'DESCRIBE FUNCTION ANOMALY;' | {program} repl"));
}
