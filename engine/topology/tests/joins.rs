//! Joins of two topics: in which order records are taken, what is committed of them, what is kept, what is said of bad ones.

use std::sync::Arc;

use super::*;
use crate::record::{OutBatch, pack};

const SIDES: &str = "
    CREATE STREAM l (id INT KEY, a STRING) WITH (kafka_topic='l', key_format='JSON', value_format='JSON');
    CREATE STREAM r (k STRING KEY, id INT, b INT) WITH (kafka_topic='r', key_format='JSON', value_format='JSON');";
const INNER: &str = "CREATE STREAM o AS SELECT l.id, a, b, 12 / b AS q, r.rowpartition AS p, r.rowoffset AS f
     FROM l JOIN r WITHIN 10 MILLISECONDS GRACE PERIOD 5 MILLISECONDS ON l.id = r.id;";

/// A query on partition 0, and what it has written to topics of its own.
struct Query {
    sql: String,
    plan: Arc<QueryPlan>,
    tasks: Tasks,
    /// Keys and values of the changelog.
    changes: Vec<[Option<Vec<u8>>; 2]>,
    forwarded: Vec<OutBatch>,
    reports: Vec<Report>,
}

impl Query {
    fn new(sql: &str) -> Query {
        let plan = Arc::new(plan(&format!("{SIDES}{sql}")));
        let tasks = Query::tasks(&plan);
        let (changes, forwarded, reports) = (Vec::new(), Vec::new(), Vec::new());
        let mut query = Query { sql: sql.to_string(), plan, tasks, changes, forwarded, reports };
        query.tasks.restore(0, &Changelog::default()).expect("nothing to restore");
        query
    }

    fn tasks(plan: &Arc<QueryPlan>) -> Tasks {
        Tasks::new(Arc::clone(plan), OwnTopics::of(plan, "own"), false)
    }

    /// Gives records `(offset, time, key, value)` to the tasks; the results as texts.
    fn feed(&mut self, topic: &str, rows: &[(i64, i64, &str, &str)]) -> Vec<String> {
        let mut raw = RawBatch::new(topic.into(), 0);
        for (offset, time, key, value) in rows {
            let value = Some(value.as_bytes()).filter(|value| !value.is_empty());
            raw.push(*offset, *time, Some(key.as_bytes()), value);
        }
        self.give(&raw)
    }

    fn give(&mut self, raw: &RawBatch) -> Vec<String> {
        let mut output = TaskOutput::default();
        self.tasks.process(raw, &mut output, &mut |_| Ok(())).expect("it processes");
        self.take(output)
    }

    fn end(&mut self, topic: &str) -> Vec<String> {
        let mut output = TaskOutput::default();
        self.tasks.at_end(topic, 0, &mut output, &mut |_| Ok(())).expect("it processes");
        self.take(output)
    }

    fn take(&mut self, output: TaskOutput) -> Vec<String> {
        let bytes = |column: &BytesColumn, row| column.get(row).map(<[u8]>::to_vec);
        for change in &output.changes {
            assert_eq!((&*change.topic, change.partition), ("own-join-changelog", Some(0)));
            self.changes.extend((0..change.len()).map(|row| [bytes(&change.keys, row), bytes(&change.values, row)]));
        }
        self.forwarded.extend(output.forwarded.into_iter().filter(|out| !out.is_empty()));
        self.reports.extend(output.reports);
        let text = |row| {
            let record = &output.records;
            let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or(b"null")).into_owned();
            format!("{} {} @{}", text(record.keys.get(row)), text(record.values.get(row)), record.timestamps[row])
        };
        (0..output.records.len()).map(text).collect()
    }

    /// What was forwarded, as it is read from its topic from an offset on.
    fn come_through(&mut self, first: i64) -> RawBatch {
        let out = self.forwarded.remove(0);
        let mut raw = RawBatch::new(Arc::clone(&out.topic), 0);
        (0..out.len()).for_each(|row| {
            raw.push(first + row as i64, out.timestamps[row], out.keys.get(row), out.values.get(row));
        });
        raw
    }

    /// Forgets all but what was written down.
    fn restart(&mut self) {
        let mut changelog = Changelog::default();
        self.changes.iter().for_each(|[key, value]| changelog.read(key.as_deref(), value.as_deref()));
        self.tasks = Query::tasks(&self.plan);
        self.tasks.restore(0, &changelog).expect("it is restored");
    }

    /// How many records the changelog holds when it is compacted.
    fn held(&self) -> usize {
        let mut latest = std::collections::BTreeMap::new();
        self.changes.iter().for_each(|[key, value]| {
            latest.insert(key.clone(), value.is_some());
        });
        latest.values().filter(|held| **held).count()
    }
}

/// A join of records that are where their partners are.
const BY_KEY: &str =
    "CREATE STREAM two (id INT KEY, b INT) WITH (kafka_topic='r', key_format='JSON', value_format='JSON');
    CREATE STREAM o AS SELECT l.id, a, b FROM l JOIN two r
    WITHIN 10 MILLISECONDS GRACE PERIOD 5 MILLISECONDS ON l.id = r.id;";

#[test]
fn records_are_taken_by_their_times_whichever_topic_is_read_first() {
    let mut query = Query::new(BY_KEY);
    // Of the right side nothing is known yet.
    let left = [(5, 100, "1", r#"{"a":"x"}"#), (6, 1000, "1", r#"{"a":"y"}"#), (7, 2000, "1", r#"{"a":"z"}"#)];
    assert_eq!(query.feed("l", &left), [""; 0]);
    assert_eq!((query.tasks.waiting("l", 0), query.tasks.processed("l", 0, 8)), (3, 5));
    // Rows of long ago meet, though the left side has gone on since: what is read later is not later.
    assert_eq!(query.feed("r", &[(0, 105, "1", r#"{"b":1}"#)]), [r#"1 {"A":"x","B":1} @105"#]);
    // The left row at 1000 waits for a right one that may come before.
    assert_eq!(query.tasks.processed("l", 0, 8), 6);
    assert_eq!(query.feed("r", &[(1, 995, "1", r#"{"b":2}"#)]), [""; 0]);
    assert_eq!((query.tasks.waiting("l", 0), query.tasks.processed("r", 0, 2)), (2, 2));
    assert_eq!(query.end("r"), [r#"1 {"A":"y","B":2} @1000"#]);
    assert_eq!((query.tasks.waiting("l", 0), query.tasks.processed("l", 0, 8)), (0, 8));
}

#[test]
fn what_is_kept_is_written_down_and_taken_back() {
    let mut query = Query::new(BY_KEY);
    query.feed("l", &[(0, 100, "1", r#"{"a":"x"}"#), (1, 101, "2", r#"{"a":"y"}"#)]);
    query.end("r");
    query.restart();
    query.end("l");
    assert_eq!(query.feed("r", &[(0, 105, "2", r#"{"b":7}"#)]), [r#"2 {"A":"y","B":7} @105"#]);
    query.restart();
    query.end("l");
    assert_eq!(query.feed("r", &[(1, 106, "1", r#"{"b":8}"#)]), [r#"1 {"A":"x","B":8} @106"#]);
    assert_eq!(query.held(), 3);
    // What nobody can meet any more is taken off: 25 milliseconds behind the latest of its side.
    query.feed("l", &[(2, 200, "1", r#"{"a":"z"}"#)]);
    query.end("r");
    assert_eq!(query.held(), 3);
    query.end("l");
    query.feed("r", &[(2, 205, "3", r#"{"b":9}"#)]);
    assert_eq!(query.held(), 2);
    // Also what was written before a restart.
    query.restart();
    query.end("r");
    query.feed("l", &[(3, 1000, "1", r#"{"a":"z"}"#)]);
    assert_eq!(query.held(), 2);
    assert_eq!(query.reports, []);
}

#[test]
fn a_large_batch_is_written_down_in_records_that_a_broker_takes() {
    let mut query = Query::new(BY_KEY);
    let value = format!(r#"{{"a":"{}"}}"#, "x".repeat(1000));
    let rows: Vec<_> = (0..1000).map(|at| (at, 100, "1", value.as_str())).collect();
    query.feed("l", &rows);
    query.end("r");
    let sizes: Vec<usize> = query.changes.iter().map(|[_, value]| value.as_ref().map_or(0, Vec::len)).collect();
    assert_eq!(sizes.len(), 4, "{sizes:?}");
    assert!(sizes.iter().all(|size| *size <= 256 * 1024), "{sizes:?}");
    query.restart();
    query.end("l");
    assert_eq!(query.feed("r", &[(0, 101, "1", r#"{"b":1}"#)]).len(), 1000);
    // One that is longer than that stands alone.
    let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(300_000));
    let before = query.changes.len();
    query.feed("l", &[(2000, 100, "1", value.as_str()), (2001, 100, "1", long.as_str())]);
    query.end("r");
    assert_eq!(query.changes.len() - before, 2);
}

#[test]
fn a_side_that_is_by_another_key_is_forwarded_as_it_came() {
    let mut query = Query::new(INNER);
    assert_eq!(
        query.tasks.topics().iter().map(|topic| &**topic).collect::<Vec<_>>(),
        ["l", "r", "own-right-repartition"]
    );
    assert!(query.tasks.has_state("l") && !query.tasks.has_state("r"));
    query.feed("l", &[(0, 100, "1", r#"{"a":"x"}"#)]);
    let rows = [
        (40, 101, "\"k\"", r#"{"id":1,"b":3}"#),
        (41, 102, "\"k\"", r#"{"id":null,"b":3}"#),
        (42, 103, "\"k\"", ""),
        (43, 104, "\"k\"", r#"{"id":"no number"}"#),
        (44, 105, "\"k\"", r#"{"id":1,"b":"no number"}"#),
        (45, 106, "\"k\"", r#"{"id":1,"b":0}"#),
    ];
    assert_eq!(query.feed("r", &rows), [""; 0]);
    // Without a value or a key there is nobody to meet; what cannot be read is said once, where it stands.
    let forwarded = &query.forwarded[0];
    assert_eq!((&*forwarded.topic, forwarded.partition), ("own-right-repartition", None));
    assert_eq!(texts(&forwarded.keys), vec![Some("1".to_string()); 3]);
    // Their own times are in what is packed.
    assert_eq!(forwarded.timestamps, [-1; 3]);
    let at = |report: &Report| (report.topic.to_string(), report.offset, report.stage);
    assert_eq!(query.reports.iter().map(at).collect::<Vec<_>>(), [("r".to_string(), 43, Stage::ReadValue)]);
    let through = query.come_through(900);
    let mut results = query.give(&through);
    results.extend(query.end("own-right-repartition"));
    results.extend(query.end("l"));
    assert_eq!(
        results,
        [
            r#"1 {"A":"x","B":3,"Q":4,"P":0,"F":40} @101"#,
            // A column that cannot be computed is null; said of the record that made the row.
            r#"1 {"A":"x","B":0,"Q":null,"P":0,"F":45} @106"#,
        ]
    );
    let at: Vec<_> = query.reports.iter().map(at).skip(1).collect();
    assert_eq!(at, [("r".to_string(), 44, Stage::ReadValue), ("r".to_string(), 45, Stage::Compute)]);
    // Positions are those of the topic that is read.
    assert_eq!(query.tasks.processed("own-right-repartition", 0, 903), 903);
}

#[test]
fn a_forwarded_record_keeps_its_partition_and_headers() {
    let mut query = Query::new(
        "CREATE STREAM h (k STRING KEY, id INT, c BYTES HEADER('c')) WITH (kafka_topic='r', key_format='JSON', value_format='JSON');
         CREATE STREAM o AS SELECT l.id, h.k AS k, h.c AS c, h.rowpartition AS p FROM l JOIN h WITHIN 10 MILLISECONDS ON l.id = h.id;",
    );
    query.feed("l", &[(0, 100, "1", r#"{"a":"x"}"#)]);
    let mut raw = RawBatch::new("r".into(), 7);
    raw.headers.push("c", Some(b"!"));
    raw.push(3, 100, Some(b"\"key\""), Some(br#"{"id":1}"#));
    query.give(&raw);
    let through = query.come_through(0);
    query.give(&through);
    query.end("own-right-repartition");
    assert_eq!(query.end("l"), [r#"1 {"K":"key","C":"IQ==","P":7} @100"#]);
}

#[test]
fn two_streams_of_one_topic_do_not_wait_for_each_other() {
    let mut query = Query::new(
        "CREATE STREAM again (id INT KEY, a STRING) WITH (kafka_topic='l', key_format='JSON', value_format='JSON');
         CREATE STREAM o AS SELECT l.id, l.a AS a, r.a AS b FROM l JOIN again r WITHIN 10 MILLISECONDS ON l.id = r.id;",
    );
    assert_eq!(query.tasks.topics().len(), 1);
    // Each record comes to the left side and then to the right one, whatever the times, and however they are cut.
    let rows = [(0, 100, "1", r#"{"a":"x"}"#), (1, 100, "1", r#"{"a":"y"}"#), (2, 95, "1", r#"{"a":"z"}"#)];
    let together = query.feed("l", &rows);
    assert_eq!(
        together[..4],
        [
            r#"1 {"A":"x","B":"x"} @100"#,
            r#"1 {"A":"y","B":"x"} @100"#,
            r#"1 {"A":"x","B":"y"} @100"#,
            r#"1 {"A":"y","B":"y"} @100"#,
        ]
    );
    assert_eq!(together.len(), 9);
    assert_eq!((query.tasks.waiting("l", 0), query.tasks.processed("l", 0, 3)), (0, 3));
    let mut query = Query::new(&query.sql);
    let single: Vec<String> = rows.iter().flat_map(|row| query.feed("l", &[*row])).collect();
    assert_eq!(single, together);
}

#[test]
fn two_streams_of_one_topic_go_through_a_topic_each() {
    let mut query = Query::new(
        "CREATE STREAM again (id INT KEY, a STRING) WITH (kafka_topic='l', key_format='JSON', value_format='JSON');
         CREATE STREAM o AS SELECT l.a AS k, l.id AS b, r.id AS c FROM l JOIN again r WITHIN 1 HOUR ON l.a = r.a;",
    );
    query.feed("l", &[(0, 100, "1", r#"{"a":"x"}"#), (1, 105, "2", r#"{"a":"x"}"#)]);
    let topics: Vec<_> = query.forwarded.iter().map(|out| (out.topic.to_string(), out.len())).collect();
    assert_eq!(topics, [("own-left-repartition".to_string(), 2), ("own-right-repartition".to_string(), 2)]);
    let (left, right) = (query.come_through(0), query.come_through(0));
    let mut results = query.give(&left);
    results.extend(query.give(&right));
    results.extend(query.end("own-left-repartition"));
    results.extend(query.end("own-right-repartition"));
    assert_eq!(results.len(), 4, "{results:?}");
}

#[test]
fn a_changelog_of_somebody_else_is_an_error_and_not_a_guess() {
    let mut query = Query::new(BY_KEY);
    let mut changelog = Changelog::default();
    changelog.read(Some(&[0; 9]), Some(b"\x01nonsense"));
    let error = query.tasks.restore(0, &changelog).expect_err("no records");
    assert!(error.to_string().contains("own-join-changelog, partition 0"), "{error}");
    // A key that is none of ours is passed over, and so is a record in a topic of ours that is none.
    let mut changelog = Changelog::default();
    changelog.read(Some(b"key"), Some(b"value"));
    changelog.read(None, None);
    query.tasks.restore(0, &changelog).expect("nothing of ours");
    let mut query = Query::new(INNER);
    let mut raw = RawBatch::new("own-right-repartition".into(), 0);
    raw.push(0, 100, Some(b"1"), Some(b"nonsense"));
    let mut good = RawBatch::new("r".into(), 0);
    good.push(9, 100, None, Some(br#"{"id":1,"b":1}"#));
    let mut packed = Vec::new();
    pack::pack(&good, 0, &mut packed);
    raw.push(1, 100, Some(b"1"), Some(&packed));
    query.feed("l", &[(0, 100, "1", r#"{"a":"x"}"#)]);
    query.give(&raw);
    query.end("own-right-repartition");
    assert_eq!(query.end("l").len(), 1);
}
