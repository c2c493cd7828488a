//! Records at a rate, and where the generator is.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::config::{DatagenConfig, Kind};
use super::sensor::Sensors;
use crate::error::Result;
use crate::ingest::cars::Cars;
use crate::ingest::positions::Positions;
use crate::ingest::worker::{Fill, Progress, Source};
use crate::notice::Notices;
use crate::record::OutBatch;

/// Most records in a batch.
const BATCH: u64 = 5_000;

/// A generator.
pub(super) struct DatagenSource {
    config: DatagenConfig,
    name: String,
    notices: Notices,
    sensors: Sensors,
    cars: Cars,
    /// Number of the next record, counted from 0.
    next: u64,
    kept: u64,
    /// The moment and the record that the rate is counted from.
    since: (Instant, u64),
    progress: Arc<DatagenProgress>,
}

/// What others may know.
#[derive(Debug)]
pub(super) struct DatagenProgress {
    next: AtomicU64,
    count: u64,
}

impl Progress for DatagenProgress {
    fn facts(&self) -> Vec<(&'static str, String)> {
        let next = self.next.load(Ordering::Relaxed);
        vec![(
            "position",
            match self.count {
                0 => format!("{next} records made"),
                count => {
                    format!("{next} of {count} records made ({} %)", next.min(count) as u128 * 100 / count as u128)
                }
            },
        )]
    }
}

impl DatagenSource {
    pub(super) fn new(config: DatagenConfig, name: String, notices: Notices) -> DatagenSource {
        let progress = Arc::new(DatagenProgress { next: AtomicU64::new(0), count: config.count });
        DatagenSource {
            sensors: Sensors::new(config.seed, config.season, config.anomalies),
            cars: Cars::new(config.seed),
            next: 0,
            kept: 0,
            since: (Instant::now(), 0),
            progress,
            config,
            name,
            notices,
        }
    }

    pub(super) fn progress(&self) -> Arc<DatagenProgress> {
        Arc::clone(&self.progress)
    }

    /// The part of the position: another seed begins anew.
    fn part(&self) -> String {
        let DatagenConfig { kind, seed, keys, .. } = &self.config;
        match kind {
            Kind::Sensor => format!("sensor-{seed}-{keys}"),
            Kind::Cars => format!("cars-{seed}"),
        }
    }

    /// Records that should have been made by now, or how long to wait for the next.
    fn due(&self) -> Result<u64, Duration> {
        let left = match self.config.count {
            0 => u64::MAX,
            count => count.saturating_sub(self.next),
        };
        let (since, first) = self.since;
        let rate = u128::from(self.config.rate_milli);
        if rate == 0 {
            return Ok(BATCH.min(left));
        }
        // The first record is due at once.
        let due = u128::from(first) + 1 + since.elapsed().as_micros() * rate / 1_000_000_000;
        let behind = due.saturating_sub(u128::from(self.next)) as u64;
        if behind > 0 {
            return Ok(behind.min(BATCH).min(left));
        }
        let at = u128::from(self.next - first) * 1_000_000_000 / rate;
        let wait = Duration::from_micros(at as u64).saturating_sub(since.elapsed());
        Err(wait.max(Duration::from_micros(200)))
    }

    fn make(&mut self, batch: &mut OutBatch) {
        let timestamp = match self.config.times {
            None => -1,
            Some((start, step)) => {
                let after = u128::from(self.next) * u128::from(step) / 1000;
                start.saturating_add(i64::try_from(after).unwrap_or(i64::MAX))
            }
        };
        let mut digits = itoa::Buffer::new();
        let json = self.config.json;
        let value = batch.values.buffer();
        match self.config.kind {
            Kind::Cars => {
                // The walk has no end.
                let Some(reading) = self.cars.next() else { return };
                let id = digits.format(reading.event_id).as_bytes();
                let texts: [&[u8]; 5] = match json {
                    true => [b"{\"eventid\":", id, b",\"sensorinput\":\"", reading.text.as_bytes(), b"\"}"],
                    false => [id, b",", reading.text.as_bytes(), b"", b""],
                };
                texts.iter().for_each(|text| value.extend_from_slice(text));
                batch.values.end_row();
                batch.keys.push(None);
            }
            Kind::Sensor => {
                let (sensor, number) = (self.next % self.config.keys, self.next / self.config.keys);
                let reading = self.sensors.reading(sensor, number);
                value.extend_from_slice(if json { b"{\"reading\":" } else { b"" });
                value.extend_from_slice(digits.format(number).as_bytes());
                value.extend_from_slice(if json { b",\"value\":" } else { b"," });
                if reading.hundredths < 0 {
                    value.push(b'-');
                }
                let hundredths = reading.hundredths.unsigned_abs();
                value.extend_from_slice(digits.format(hundredths / 100).as_bytes());
                value.extend_from_slice(&[b'.', b'0' + (hundredths / 10 % 10) as u8, b'0' + (hundredths % 10) as u8]);
                value.extend_from_slice(if json { b",\"label\":\"" } else { b"," });
                value.extend_from_slice(reading.label.as_bytes());
                value.extend_from_slice(if json { b"\"}" } else { b"" });
                batch.values.end_row();
                let key = batch.keys.buffer();
                key.extend_from_slice(b"sensor-");
                key.extend_from_slice(digits.format(sensor).as_bytes());
                batch.keys.end_row();
            }
        }
        batch.timestamps.push(timestamp);
        batch.headers.end_row();
        self.next += 1;
    }
}

impl Source for DatagenSource {
    fn open(&mut self, positions: &Positions) -> Result<()> {
        let kept = positions.get(&self.part()).and_then(|text| text.parse().ok()).unwrap_or(0);
        (self.next, self.kept, self.since) = (kept, kept, (Instant::now(), kept));
        self.progress.next.store(kept, Ordering::Relaxed);
        self.cars = Cars::new(self.config.seed);
        if self.config.kind == Kind::Cars {
            // The walk is a chain: the one before the next is made again, and dropped.
            (0..kept).for_each(|_| drop(self.cars.next()));
        }
        if kept > 0 {
            self.notices.info(&self.name, format!("goes on at record {}", kept + 1));
        }
        Ok(())
    }

    fn fill(&mut self, batch: &mut OutBatch) -> Result<Fill> {
        if self.config.count > 0 && self.next >= self.config.count {
            return Ok(Fill::End);
        }
        match self.due() {
            Err(wait) => Ok(Fill::Wait(wait)),
            Ok(due) => {
                (0..due).for_each(|_| self.make(batch));
                Ok(Fill::More)
            }
        }
    }

    fn positions(&mut self) -> Result<Positions> {
        if self.kept == self.next {
            return Ok(Positions::new());
        }
        self.kept = self.next;
        Ok(Positions::from([(self.part(), self.next.to_string())]))
    }

    fn committed(&mut self) {
        self.progress.next.store(self.next, Ordering::Relaxed);
    }

    fn finished(&mut self) {
        let text = format!("made all of its {} records", self.config.count);
        self.notices.info(&self.name, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::properties::Properties;

    fn source(pairs: &[(&str, &str)]) -> DatagenSource {
        let mut all = vec![("connector.class", "datagen"), ("topic", "t"), ("rate", "0")];
        all.retain(|(name, _)| !pairs.iter().any(|(other, _)| other == name));
        all.extend(pairs);
        let config = DatagenConfig::read(&Properties::of(&all)).expect("it is right");
        DatagenSource::new(config, "C".into(), Notices::silent())
    }

    /// Key, time and value of every record up to the end.
    fn all(source: &mut DatagenSource, positions: &Positions) -> Vec<String> {
        source.open(positions).expect("it opens");
        let mut found = Vec::new();
        loop {
            let mut batch = OutBatch::default();
            let fill = source.fill(&mut batch).expect("it fills");
            let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
            for row in 0..batch.len() {
                let (key, value) = (text(batch.keys.get(row)), text(batch.values.get(row)));
                found.push(format!("{key} {} {value}", batch.timestamps[row]));
            }
            if fill == Fill::End {
                return found;
            }
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_records_whole_or_from_a_position() {
        for kind in ["sensor", "cars"] {
            let pairs =
                [("kind", kind), ("count", "50"), ("seed", "3"), ("timestamp.start", "0"), ("timestamp.step.ms", "10")];
            let whole = all(&mut source(&pairs), &Positions::new());
            assert_eq!(whole.len(), 50);
            assert_eq!(all(&mut source(&pairs), &Positions::new()), whole);
            let part = source(&pairs).part();
            let rest = all(&mut source(&pairs), &Positions::from([(part, "20".to_string())]));
            assert_eq!(rest, whole[20..], "{kind}");
            let other = [("kind", kind), ("count", "50"), ("seed", "4")];
            assert_ne!(all(&mut source(&other), &Positions::new())[0], whole[0]);
        }
    }

    #[test]
    fn records_have_their_keys_and_formats() {
        let json = all(&mut source(&[("count", "4"), ("keys", "2"), ("timestamp.start", "5")]), &Positions::new());
        assert!(json[0].starts_with(r#"sensor-0 5 {"reading":0,"value":"#), "{}", json[0]);
        assert!(json[3].starts_with(r#"sensor-1 8 {"reading":1,"value":"#), "{}", json[3]);
        assert!(json.iter().all(|record| record.ends_with(r#","label":"normal"}"#)), "{json:?}");
        let lines = all(&mut source(&[("count", "1"), ("value.format", "delimited")]), &Positions::new());
        assert!(lines[0].starts_with("sensor-0 -1 0,") && lines[0].ends_with(",normal"), "{}", lines[0]);
        let cars = all(&mut source(&[("count", "1"), ("kind", "cars"), ("seed", "42")]), &Positions::new());
        assert!(cars[0].starts_with(r#" -1 {"eventid":1,"sensorinput":"4.86# 4.77# "#), "{}", cars[0]);
    }

    #[test]
    fn a_rate_is_kept_from_the_first_record_on() {
        let mut source = source(&[("rate", "1000")]);
        source.open(&Positions::new()).expect("it opens");
        let early = source.since.0;
        assert_eq!(source.due(), Ok(1), "the first is due at once");
        source.since = (early - Duration::from_millis(100), 0);
        let due = source.due().expect("some are due");
        assert!((101..1000).contains(&due), "{due} after 100 ms at 1000 a second");
        source.next = 1_000_000;
        assert!(source.due().is_err_and(|wait| wait > Duration::from_secs(900)));
    }
}
