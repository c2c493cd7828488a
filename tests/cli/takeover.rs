//! A query of ksqlDB is taken over: its group is left, its place is read, and no output is written twice.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};

use crate::conformance::apache::ApacheKafka;
use crate::conformance::client::*;
use crate::conformance::embedded::EmbeddedBroker;
use crate::conformance::handle::BrokerHandle;
use crate::harness::Case;

/// As ksqlDB names it: its service id, then the id of the query.
const GROUP: &str = "_confluent-ksql-default_query_CSAS_HOT_0";

const FILE: &str = "CREATE STREAM s (id INTEGER) WITH (kafka_topic='s', value_format='JSON');
CREATE STREAM hot WITH (kafka_topic='HOT') AS SELECT id FROM s
  START AT GROUP '_confluent-ksql-default_query_CSAS_HOT_0';
";

#[test]
fn a_query_goes_on_where_the_group_of_its_forerunner_stood() {
    let mut clusters: Vec<Box<dyn BrokerHandle>> = vec![Box::new(EmbeddedBroker::new().expect("a broker"))];
    match std::env::var_os("ALCEDO_TEST_KAFKA").filter(|jars| !jars.is_empty()) {
        Some(jars) => clusters.push(Box::new(ApacheKafka::new(Path::new(&jars)).expect("a node"))),
        None => eprintln!("skipped 1: taking a query over on Apache Kafka (ALCEDO_TEST_KAFKA is not set)"),
    }
    for cluster in &mut clusters {
        cluster.start().expect("the cluster starts");
        take_over(&cluster.bootstrap()).unwrap_or_else(|error| panic!("{}: {error}", cluster.name()));
        cluster.stop().expect("the cluster stops");
    }
}

/// Records with the ids of a range, into a partition.
fn put(producer: &Producer, partition: i32, ids: std::ops::Range<usize>) -> Outcome {
    let values: Vec<String> = ids.map(|id| format!("{{\"ID\":{id}}}")).collect();
    producer.put_all("s", partition, &values).map(drop)
}

fn take_over(boot: &str) -> Outcome {
    create_with(boot, "s", 3, &[])?;
    create_with(boot, "HOT", 3, &[])?;
    let producer = Producer::new(boot, &[])?;
    put(&producer, 0, 0..10)?;
    put(&producer, 1, 10..14)?;
    // The forerunner copies what it reads and commits; to partition 2 nothing came so far.
    let forerunner = member(boot, GROUP, "s", &[])?;
    let positions = RefCell::new(BTreeMap::new());
    let copied = RefCell::new(Vec::new());
    let copy = |_, message: &rdkafka::message::BorrowedMessage<'_>| {
        positions.borrow_mut().insert(message.partition(), message.offset() + 1);
        copied.borrow_mut().push(message.payload().map(<[u8]>::to_vec).unwrap_or_default());
    };
    poll_until("what the forerunner reads", &[&forerunner], copy, || Ok(copied.borrow().len() == 14))?;
    for value in copied.borrow().iter() {
        producer.put("HOT", 0, &String::from_utf8_lossy(value))?;
    }
    producer.flush()?;
    let mut committed = TopicPartitionList::new();
    for (partition, next) in positions.borrow().iter() {
        committed.add_partition_offset("s", *partition, Offset::Offset(*next)).step("position")?;
    }
    forerunner.commit(&committed, CommitMode::Sync).step("commit")?;
    put(&producer, 0, 14..17)?;
    put(&producer, 2, 17..20)?;

    let case = Case::new().file("a.sql", FILE).file("b.sql", &FILE.replace("HOT_0", "HOT_1"));
    let run = |file: &str| case.run(&["run", file, "-b", boot, "--until-end"]);
    let refused = run("a.sql").expect(1).says(&format!("group {GROUP} has 1 member")).says("a.sql:3:3");
    refused.says("session.timeout.ms");
    // Where it stands can be looked at in the meantime.
    let stream = FILE.lines().next().unwrap_or_default();
    let look = format!("{stream}\nSELECT id FROM s START AT GROUP '{GROUP}' UNTIL LATEST EMIT CHANGES;");
    let looked = Case::new().file("look.sql", &look).run(&["run", "look.sql", "-b", boot, "--output", "json"]);
    assert_eq!(looked.expect(0).sorted().len(), 6);
    drop(forerunner);
    run("b.sql").expect(1).says("_HOT_1 whose members can be told").says("_confluent-ksql-<ksql.service.id>query_");
    run("a.sql").expect(0).says(
        "OFFSETS (10, 4, 0), 6 offsets ahead; it has committed nothing for partition 2, which starts at the earliest record",
    );
    // From now on its own place counts, also when the group is gone.
    let deleted = wait(admin(boot)?.delete_groups(&[GROUP], &options())).step("delete the group")?;
    if let Some(Err((group, code))) = deleted.into_iter().next() {
        return Err(format!("delete {group}: {code}"));
    }
    put(&producer, 1, 20..22)?;
    run("a.sql").expect(0).says("CSAS_HOT: goes on in topic s where it was committed (3 partitions, 2 offsets ahead)");

    let mut written = texts(&read(boot, "HOT", 3, Isolation::Committed)?);
    written.sort();
    let mut wanted: Vec<String> = (0..22).map(|id| format!("{{\"ID\":{id}}}")).collect();
    wanted.sort();
    ensure!(written == wanted, "every record once: {written:?}");
    Ok(())
}
