//! Nanoseconds a record to read and write each format, beside `serde_json`, `arrow-json` and a copy of the same bytes.
//!
//! `cargo bench --bench formats`. Each case runs many times for a millisecond or two, in turn with all others, and its
//! fastest run counts: that is the cost without whatever else the machine was doing, and keeps the ratios comparable.
//! Records are sensor events of about 110 bytes with six fields, 1,024 to a batch; then records of all types, of decimals, and
//! nested ones.

use std::fmt::Write;
use std::hint::black_box;
use std::time::Instant;

use alcedo::formats::{Decoder, Encoder, Format, FormatOptions};
use alcedo::record::BytesColumn;
use alcedo::types::{Column, Schema, SqlType};
use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::json::ReaderBuilder;
use serde::Deserialize;

const ROWS: usize = 1024;

const CSV: Format = Format::Delimited { delimiter: ',' };

/// What a program without columns would read a record into.
#[derive(Deserialize)]
struct Event {
    id: i64,
    temp: f64,
    pressure: f64,
    status: String,
    site: String,
    ts: i64,
}

struct Case<'a> {
    name: String,
    run: Box<dyn FnMut() + 'a>,
    best: f64,
}

/// The cases, in the order in which they are printed; each but the references is compared with the one before them.
#[derive(Default)]
struct Cases<'a>(Vec<Case<'a>>);

impl<'a> Cases<'a> {
    fn add(&mut self, name: impl Into<String>, run: impl FnMut() + 'a) {
        self.0.push(Case { name: name.into(), run: Box::new(run), best: f64::MAX });
    }

    /// Reading and writing records of a format, and a copy of their bytes.
    fn both(&mut self, name: &str, format: Format, columns: &[Column], json: &BytesColumn) {
        let arrays = arrays(columns, json);
        let written = written(format, columns, &arrays);
        self.add(format!("{format} decode, {name}"), decoder(format, columns, &vec![true; columns.len()], &written));
        self.add("  copy of the bytes", copy(&written));
        self.add(format!("{format} encode, {name}"), encoder(format, columns, arrays));
        self.add("  copy of the bytes", copy(&written));
    }
}

fn columns(columns: &[(&str, SqlType)]) -> Vec<Column> {
    columns.iter().map(|(name, ty)| Column::value(*name, ty.clone())).collect()
}

/// Knuth's MMIX generator; the high bits are good enough for test data.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }
}

/// JSON records, by number.
fn records(mut record: impl FnMut(u64, &mut Random, &mut String)) -> BytesColumn {
    let (mut json, mut random, mut text) = (BytesColumn::new(), Random(42), String::new());
    for row in 0..ROWS as u64 {
        text.clear();
        record(row, &mut random, &mut text);
        json.push(Some(text.as_bytes()));
    }
    json
}

fn events() -> BytesColumn {
    records(|row, random, text| {
        let (id, temp, pressure) =
            (1_000_000 + row, random.below(10_000) as f64 / 100.0, 900.0 + random.below(20_000) as f64 / 100.0);
        let (status, site, ts) =
            (random.pick(&["ok", "warn", "fault"]), random.below(20), 1_700_000_000_000 + row * 37);
        let _ = write!(
            text,
            r#"{{"id":{id},"temp":{temp},"pressure":{pressure},"status":"{status}","site":"plant-{site:02}/line-7","ts":{ts}}}"#
        );
    })
}

/// A column of each type, those without parts first.
fn all_types() -> Vec<Column> {
    let double_map = SqlType::Map(Box::new(SqlType::String), Box::new(SqlType::Double));
    let point = SqlType::Struct(vec![("X".into(), SqlType::Integer), ("Y".into(), SqlType::Double)]);
    columns(&[
        ("B", SqlType::Boolean),
        ("I", SqlType::Integer),
        ("L", SqlType::Bigint),
        ("D", SqlType::Double),
        ("E", SqlType::Decimal(10, 2)),
        ("S", SqlType::String),
        ("Y", SqlType::Bytes),
        ("T", SqlType::Time),
        ("DT", SqlType::Date),
        ("TS", SqlType::Timestamp),
        ("A", SqlType::Array(Box::new(SqlType::Integer))),
        ("M", double_map),
        ("R", point),
    ])
}

fn of_all_types() -> BytesColumn {
    records(|row, random, text| {
        let (b, i, d) = (random.pick(&[true, false]), random.below(1 << 31), random.below(100_000) as f64 / 16.0);
        let (e, s, y) = (random.below(1_000_000), random.below(1000), random.pick(&["c2Vuc29yLTE=", "AAECAwQFBgc="]));
        let _ = write!(
            text,
            r#"{{"b":{b},"i":{i},"l":{l},"d":{d},"e":{}.{:02},"s":"sensor {s}","y":"{y}","t":{},"dt":{},"ts":{},"#,
            e / 100,
            e % 100,
            random.below(86_400_000),
            19_000 + row % 400,
            1_700_000_000_000 + row * 37,
            l = random.below(1 << 40),
        );
        let _ = write!(text, r#""a":[{s},{s},7],"m":{{"min":{d},"max":{d}}},"r":{{"x":{s},"y":{d}}}}}"#);
    })
}

/// Six decimals.
fn of_decimals() -> (Vec<Column>, BytesColumn) {
    let names = ["A", "B", "C", "D", "E", "F"];
    let json = records(|_, random, text| {
        for (i, name) in names.iter().enumerate() {
            let (whole, part) = (random.below(1_000_000), random.below(10_000));
            let _ = write!(text, "{}\"{name}\":{whole}.{part:04}", if i == 0 { '{' } else { ',' });
        }
        text.push('}');
    });
    (columns(&names.map(|name| (name, SqlType::Decimal(12, 4)))), json)
}

/// A batch of readings in one record, as gateways send them.
fn of_readings() -> (Vec<Column>, BytesColumn) {
    let reading = SqlType::Struct(vec![
        ("AT".into(), SqlType::Bigint),
        ("VALUE".into(), SqlType::Double),
        ("UNIT".into(), SqlType::String),
    ]);
    let json = records(|row, random, text| {
        let _ = write!(text, r#"{{"device":"gw-{}","readings":["#, random.below(500));
        for i in 0..5 {
            let comma = if i == 0 { "" } else { "," };
            let (at, value) = (1_700_000_000_000 + row * 5 + i, random.below(10_000) as f64 / 100.0);
            let _ = write!(text, r#"{comma}{{"at":{at},"value":{value},"unit":"C"}}"#);
        }
        text.push_str(r#"],"tags":{"site":"plant-1","line":"7"}}"#);
    });
    let tags = SqlType::Map(Box::new(SqlType::String), Box::new(SqlType::String));
    let schema = [("DEVICE", SqlType::String), ("READINGS", SqlType::Array(Box::new(reading))), ("TAGS", tags)];
    (columns(&schema), json)
}

fn decoder(format: Format, columns: &[Column], projection: &[bool], rows: &BytesColumn) -> impl FnMut() + use<> {
    let mut decoder =
        Decoder::new(format, columns, projection, FormatOptions::default()).expect("the format holds them");
    let (mut failures, rows) = (Vec::new(), rows.clone());
    move || {
        black_box(decoder.decode(&rows, &mut failures).expect("a small batch"));
        assert!(failures.is_empty());
    }
}

fn arrays(columns: &[Column], json: &BytesColumn) -> Vec<ArrayRef> {
    let all = vec![true; columns.len()];
    let mut decoder = Decoder::new(Format::Json, columns, &all, FormatOptions::default()).expect("JSON holds them");
    decoder.decode(json, &mut Vec::new()).expect("a small batch")
}

fn written(format: Format, columns: &[Column], arrays: &[ArrayRef]) -> BytesColumn {
    let mut encoder = Encoder::new(format, columns, FormatOptions::default()).expect("the format holds them");
    let mut out = BytesColumn::new();
    encoder.encode(arrays, ROWS, &mut out, &mut Vec::new()).expect("arrays of the schema");
    out
}

fn encoder(format: Format, columns: &[Column], arrays: Vec<ArrayRef>) -> impl FnMut() + use<> {
    let mut encoder = Encoder::new(format, columns, FormatOptions::default()).expect("the format holds them");
    let (mut out, mut failures) = (BytesColumn::new(), Vec::new());
    move || {
        out.clear();
        encoder.encode(&arrays, ROWS, &mut out, &mut failures).expect("arrays of the schema");
        black_box(out.byte_size());
    }
}

fn copy(rows: &BytesColumn) -> impl FnMut() + use<> {
    let bytes = rows.bytes().to_vec();
    let mut out = Vec::with_capacity(bytes.len());
    move || {
        out.clear();
        out.extend_from_slice(black_box(&bytes));
        black_box(&out);
    }
}

/// Events whose third field is cut short: all of them fail.
fn bad_events(json: &BytesColumn) -> BytesColumn {
    let mut bad = BytesColumn::new();
    for bytes in json.iter().flatten() {
        let end = bytes.windows(10).position(|part| part == b"\"pressure\"").unwrap_or(bytes.len());
        bad.push(Some(&bytes[..end + 10]));
    }
    bad
}

fn main() {
    let json = events();
    let event = columns(&[
        ("ID", SqlType::Bigint),
        ("TEMP", SqlType::Double),
        ("PRESSURE", SqlType::Double),
        ("STATUS", SqlType::String),
        ("SITE", SqlType::String),
        ("TS", SqlType::Bigint),
    ]);
    let lower: Vec<_> =
        event.iter().map(|column| Column::value(column.name.to_lowercase(), column.ty.clone())).collect();
    let mut arrow = ReaderBuilder::new(Schema::new(lower).to_arrow())
        .with_batch_size(ROWS)
        .build_decoder()
        .expect("arrow-json reads these types");

    let bad = bad_events(&json);
    let mut of_bad = Decoder::new(Format::Json, &event, &[true; 6], FormatOptions::default()).expect("JSON holds them");
    let mut failures = Vec::new();

    let mut cases = Cases::default();
    cases.add("JSON decode, 6 of 6 columns", decoder(Format::Json, &event, &[true; 6], &json));
    cases.add("  serde_json into structs", || {
        let events: Vec<Event> =
            json.iter().flatten().map(|bytes| serde_json::from_slice(bytes).expect("an event")).collect();
        black_box(events.iter().map(|e| e.id + e.ts + e.site.len() as i64 + e.status.len() as i64).sum::<i64>());
        black_box(events.iter().map(|e| e.temp + e.pressure).sum::<f64>());
    });
    cases.add("  arrow-json into a batch", || {
        for bytes in json.iter().flatten() {
            arrow.decode(bytes).expect("an event");
        }
        black_box(arrow.flush().expect("a batch"));
    });
    cases.add("  copy of the bytes", copy(&json));
    let three = [true, true, false, false, true, false];
    cases.add("JSON decode, 3 of 6 columns", decoder(Format::Json, &event, &three, &json));
    cases.add("JSON decode, no column", decoder(Format::Json, &event, &[false; 6], &json));
    cases.add("JSON decode, all records bad", || {
        failures.clear();
        black_box(of_bad.decode(&bad, &mut failures).expect("a small batch"));
        assert_eq!(failures.len(), ROWS);
    });
    let of_event = arrays(&event, &json);
    cases.add("JSON encode, 6 columns", encoder(Format::Json, &event, of_event.clone()));
    cases.add("  copy of the bytes", copy(&json));
    cases.both("6 columns", CSV, &event, &json);
    for (name, position) in [("BIGINT", 0), ("DOUBLE", 1), ("STRING", 4)] {
        cases.both(name, Format::Kafka, &event[position..=position], &json);
    }

    let (all, of_all) = (all_types(), of_all_types());
    cases.both("13 columns, a type each", Format::Json, &all, &of_all);
    cases.both("10 columns, a type each", CSV, &all[..10], &of_all);
    for (name, position) in [("INT", 1), ("BYTES", 6)] {
        cases.both(name, Format::Kafka, &all[position..=position], &of_all);
    }
    let (decimals, of_decimals) = of_decimals();
    cases.both("6 decimals", Format::Json, &decimals, &of_decimals);
    cases.both("6 decimals", CSV, &decimals, &of_decimals);
    let (readings, of_readings) = of_readings();
    cases.both("5 readings in an array", Format::Json, &readings, &of_readings);

    // Under `cargo test` and for a quick look one round is enough.
    let rounds = if std::env::args().any(|argument| argument == "--bench") { 400 } else { 1 };
    for _ in 0..rounds {
        for case in &mut cases.0 {
            let start = Instant::now();
            let mut batches = 0;
            while start.elapsed().as_micros() < 1_000 {
                (case.run)();
                batches += 1;
            }
            let nanoseconds = start.elapsed().as_nanos() as f64 / (batches * ROWS) as f64;
            case.best = case.best.min(nanoseconds);
        }
    }

    let size = json.byte_size() as f64 / ROWS as f64;
    println!("{ROWS} records a batch, JSON of {size:.0} bytes; nanoseconds a record, the fastest of {rounds} runs");
    println!("Behind a reference: how many times as long the case above it takes");
    let mut above = f64::NAN;
    for case in &cases.0 {
        match case.name.starts_with(' ') {
            true => println!("{:<40} {:>8.1}   {:>6.2}", case.name, case.best, above / case.best),
            false => {
                above = case.best;
                println!("{:<40} {:>8.1}", case.name, case.best);
            }
        }
    }
    let ratio = |other: usize| cases.0[0].best / cases.0[other].best;
    println!("JSON decode against serde_json {:.2}, against arrow-json {:.2}", ratio(1), ratio(2));
}
