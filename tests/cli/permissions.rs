//! A cluster that refuses what exactly once needs. Only Apache Kafka has permissions.

use std::path::Path;

use crate::conformance::apache::ApacheKafka;
use crate::conformance::handle::BrokerHandle;
use crate::harness::Case;

#[test]
fn a_cluster_that_refuses_transactions_is_told_by_permission_and_setting() {
    let Some(jars) = std::env::var_os("ALCEDO_TEST_KAFKA").filter(|jars| !jars.is_empty()) else {
        eprintln!("skipped 1: permissions on Apache Kafka (ALCEDO_TEST_KAFKA is not set)");
        return;
    };
    let properties = "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=true";
    let mut kafka = ApacheKafka::new(Path::new(&jars)).expect("a node").with_properties(properties);
    kafka.start().expect("the node starts");
    let address = kafka.bootstrap();
    let acl = [
        "--bootstrap-server",
        &address,
        "--add",
        "--allow-principal",
        "User:nobody",
        "--operation",
        "All",
        "--transactional-id",
        "*",
    ];
    kafka.tool("acls", &acl).expect("transactions are for nobody");
    let text = "CREATE STREAM s (id INTEGER) WITH (kafka_topic='s', value_format='JSON', partitions=1);
INSERT INTO s (id) VALUES (1);
CREATE STREAM t AS SELECT id FROM s;\n";
    let case = Case::new().file("a.sql", text);
    let refused = case.run(&["run", "a.sql", "-b", &address, "--from", "earliest"]).expect(3);
    refused.says("query CSAS_T gave up").says("Write and Describe on the transactional id").says("'at_least_once'");
    let case = case.variable("ALCEDO_PROCESSING_GUARANTEE", "at_least_once");
    let without =
        case.run(&["run", "a.sql", "-b", &address, "--from", "earliest", "--until-end", "--stats", "json"]).expect(0);
    without.says("\"records_out\":2");
    kafka.stop().expect("the node stops");
}
