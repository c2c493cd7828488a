//! A full disk: what cannot be written is not acknowledged, queries pause, and with space again everything goes on.
//!
//! Needs a small file system of its own: `ALCEDO_TEST_SMALL_DISK` names a folder on one of about 16 MB, else a skip is
//! printed.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::conformance::client::{Isolation, Producer, out, read};
use crate::harness::Case;

const EVENTS: usize = 4_000;

#[test]
fn a_full_disk_stops_writes_and_loses_nothing_acknowledged() {
    let Some(disk) = std::env::var_os("ALCEDO_TEST_SMALL_DISK").filter(|disk| !disk.is_empty()) else {
        eprintln!("skipped 1: full disk (ALCEDO_TEST_SMALL_DISK is not set)");
        return;
    };
    let (data, filler) = (Path::new(&disk).join("data"), Path::new(&disk).join("filler"));
    let text = "CREATE STREAM s (id INTEGER, pad VARCHAR) WITH (kafka_topic='s', value_format='JSON', partitions=1);
CREATE STREAM t AS SELECT id, pad FROM s;\n";
    let case = Case::new().file("a.sql", text);
    let live = case.spawn(&["run", "a.sql", "--data", data.to_str().expect("a readable path")]);
    let address = live.address("broker on ");
    live.wait_err("running: CSAS_T");
    fill(&filler);
    let producer = Producer::new(&address, &[("message.timeout.ms", "120000")]).expect("a producer");
    let pad = "x".repeat(1_000);
    for id in 0..EVENTS {
        let value = format!("{{\"id\":{id},\"pad\":\"{pad}\"}}");
        producer.send(out("s", 0, id).payload(value.as_bytes())).expect("the record is queued");
    }
    live.wait_err("could not be written");
    std::fs::remove_file(&filler).expect("the filler goes");
    // With space again everything is written, and the query has gone on by itself.
    let reports = producer.flush().expect("every record is reported");
    assert!(reports.iter().all(|report| report.error.is_none()), "an acknowledgement failed");
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let rows = read(&address, "T", 1, Isolation::Committed).expect("the output can be read");
        let mut ids: Vec<String> =
            rows.iter().map(|row| row.text().split(',').next().unwrap_or_default().to_string()).collect();
        if ids.len() >= EVENTS {
            ids.sort_unstable();
            ids.dedup();
            assert_eq!((rows.len(), ids.len()), (EVENTS, EVENTS), "exactly once");
            break;
        }
        assert!(Instant::now() < deadline, "{} of {EVENTS} rows came out", rows.len());
    }
    live.signal("INT");
    live.finish().expect(0);
}

/// Fills the file system but for about a megabyte.
fn fill(filler: &Path) {
    let mut file = std::fs::File::create(filler).expect("a filler");
    let block = vec![0u8; 64 << 10];
    while file.write_all(&block).is_ok() {}
    let size = file.metadata().expect("its size").len();
    file.set_len(size.saturating_sub(1 << 20)).expect("some space is left");
}
