//! Nanoseconds a record to read and write each format, beside `serde_json`, `arrow-json` and a copy of the same bytes.
//!
//! `cargo bench --bench formats`. Each case runs many times for a millisecond or two, in turn with all others, and its
//! fastest run counts: that is the cost without whatever else the machine was doing, and keeps the ratios comparable.
//! Records are sensor events of about 110 bytes with six fields, 1,024 to a batch.

use std::fmt::Write;
use std::hint::black_box;
use std::time::Instant;

use alcedo::formats::{Decoder, Encoder, Format, FormatOptions};
use alcedo::record::BytesColumn;
use alcedo::types::{Column, Schema, SqlType};
use datafusion::arrow::json::ReaderBuilder;
use serde::Deserialize;

const ROWS: usize = 1024;

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
    name: &'static str,
    run: Box<dyn FnMut() + 'a>,
    best: f64,
}

fn columns() -> Vec<Column> {
    let column = |name: &str, ty| Column::value(name, ty);
    vec![
        column("ID", SqlType::Bigint),
        column("TEMP", SqlType::Double),
        column("PRESSURE", SqlType::Double),
        column("STATUS", SqlType::String),
        column("SITE", SqlType::String),
        column("TS", SqlType::Bigint),
    ]
}

/// The same events as JSON, as one line of values each, and their times as big-endian numbers.
fn events() -> (BytesColumn, BytesColumn, BytesColumn) {
    let (mut json, mut csv, mut kafka) = (BytesColumn::new(), BytesColumn::new(), BytesColumn::new());
    let mut state = 42u64;
    let mut random = |bound: u64| {
        // Knuth's MMIX generator; the high bits are good enough for test data.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    let mut text = String::new();
    for row in 0..ROWS as u64 {
        let (id, temp, pressure) =
            (1_000_000 + row, random(10_000) as f64 / 100.0, 900.0 + random(20_000) as f64 / 100.0);
        let (status, site, ts) =
            (["ok", "warn", "fault"][random(3) as usize], random(20), 1_700_000_000_000 + row * 37);
        text.clear();
        let _ = write!(
            text,
            r#"{{"id":{id},"temp":{temp},"pressure":{pressure},"status":"{status}","site":"plant-{site:02}/line-7","ts":{ts}}}"#
        );
        json.push(Some(text.as_bytes()));
        text.clear();
        let _ = write!(text, "{id},{temp},{pressure},{status},plant-{site:02}/line-7,{ts}");
        csv.push(Some(text.as_bytes()));
        kafka.push(Some(&(ts as i64).to_be_bytes()));
    }
    (json, csv, kafka)
}

fn decoder<'a>(
    format: Format,
    columns: &[Column],
    projection: &[bool],
    rows: &'a BytesColumn,
) -> Box<dyn FnMut() + 'a> {
    let mut decoder =
        Decoder::new(format, columns, projection, FormatOptions::default()).expect("the format holds them");
    let mut failures = Vec::new();
    Box::new(move || {
        black_box(decoder.decode(rows, &mut failures).expect("a small batch"));
        assert!(failures.is_empty());
    })
}

fn encoder<'a>(format: Format, columns: &[Column], json: &BytesColumn) -> Box<dyn FnMut() + 'a> {
    let mut decoder =
        Decoder::new(Format::Json, columns, &[true; 6], FormatOptions::default()).expect("JSON holds them");
    let arrays = decoder.decode(json, &mut Vec::new()).expect("a small batch");
    let mut encoder = Encoder::new(format, columns, FormatOptions::default()).expect("the format holds them");
    let (mut out, mut failures) = (BytesColumn::new(), Vec::new());
    Box::new(move || {
        out.clear();
        encoder.encode(&arrays, ROWS, &mut out, &mut failures).expect("arrays of the schema");
        black_box(out.byte_size());
    })
}

fn copy<'a>(rows: &BytesColumn) -> Box<dyn FnMut() + 'a> {
    let bytes: Vec<u8> = rows.iter().flatten().flatten().copied().collect();
    let mut out = Vec::with_capacity(bytes.len());
    Box::new(move || {
        out.clear();
        out.extend_from_slice(black_box(&bytes));
        black_box(&out);
    })
}

fn main() {
    let (json, csv, kafka) = events();
    let columns = columns();
    let all = [true; 6];
    let three = [true, true, false, false, true, false];
    let time = [Column::value("TS", SqlType::Bigint)];
    let lower: Vec<_> =
        columns.iter().map(|column| Column::value(column.name.to_lowercase(), column.ty.clone())).collect();
    let mut arrow = ReaderBuilder::new(Schema::new(lower).to_arrow())
        .with_batch_size(ROWS)
        .build_decoder()
        .expect("arrow-json reads these types");

    let mut cases: Vec<Case<'_>> = Vec::new();
    let mut case = |name, run| cases.push(Case { name, run, best: f64::MAX });
    case("JSON decode, 6 of 6 columns", decoder(Format::Json, &columns, &all, &json));
    case("  serde_json into structs", {
        let json = &json;
        Box::new(move || {
            let events: Vec<Event> =
                json.iter().flatten().map(|bytes| serde_json::from_slice(bytes).expect("an event")).collect();
            black_box(events.iter().map(|e| e.id + e.ts + e.site.len() as i64 + e.status.len() as i64).sum::<i64>());
            black_box(events.iter().map(|e| e.temp + e.pressure).sum::<f64>());
        })
    });
    case("  arrow-json into a batch", {
        let json = &json;
        Box::new(move || {
            for bytes in json.iter().flatten() {
                arrow.decode(bytes).expect("an event");
            }
            black_box(arrow.flush().expect("a batch"));
        })
    });
    case("  copy of the JSON", copy(&json));
    case("JSON decode, 3 of 6 columns", decoder(Format::Json, &columns, &three, &json));
    case("JSON decode, no column", decoder(Format::Json, &columns, &[false; 6], &json));
    case("JSON encode, 6 columns", encoder(Format::Json, &columns, &json));
    case("DELIMITED decode, 6 columns", decoder(Format::Delimited { delimiter: b',' }, &columns, &all, &csv));
    case("DELIMITED encode, 6 columns", encoder(Format::Delimited { delimiter: b',' }, &columns, &json));
    case("  copy of the lines", copy(&csv));
    case("KAFKA decode, BIGINT", decoder(Format::Kafka, &time, &[true], &kafka));
    case("  copy of the numbers", copy(&kafka));

    // Under `cargo test` and for a quick look one round is enough.
    let rounds = if std::env::args().any(|argument| argument == "--bench") { 400 } else { 1 };
    for _ in 0..rounds {
        for case in &mut cases {
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
    for case in &cases {
        println!("{:<32} {:>8.1}", case.name, case.best);
    }
    let ratio = |other: usize| cases[0].best / cases[other].best;
    println!("JSON decode against serde_json {:.2}, against arrow-json {:.2}", ratio(1), ratio(2));
}
