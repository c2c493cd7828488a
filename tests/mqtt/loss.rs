//! Nothing that an MQTT broker has accepted is lost: while a device publishes, this program is killed with `kill -9` once
//! and the broker is stopped with SIGTERM and started again once.
//!
//! The topics are in the broker inside the program that is killed (`--data`). Few messages by default;
//! `ALCEDO_TEST_MQTT_MESSAGES=100000` gives the full size.

use std::io::Write;
use std::time::Instant;

use super::{Device, Mosquitto, mosquitto, wait_within};
use crate::harness::{Case, DEADLINE, Live};

#[test]
fn mqtt_5_loses_nothing() {
    torture("5");
}

#[test]
fn mqtt_3_1_1_loses_nothing() {
    torture("3.1.1");
}

fn torture(version: &str) {
    let Some(program) = mosquitto() else { return };
    let count = std::env::var("ALCEDO_TEST_MQTT_MESSAGES").map_or(Ok(4_000), |text| text.parse());
    let count: usize = count.expect("ALCEDO_TEST_MQTT_MESSAGES is a number");
    let began = Instant::now();
    let mut broker = Mosquitto::start(&program, "");
    let stream = "CREATE STREAM numbers (n BIGINT) WITH (kafka_topic='numbers', value_format='DELIMITED');\n";
    let text = format!(
        "CREATE SOURCE CONNECTOR plant WITH ('connector.class'='mqtt', 'mqtt.server.uri'='tcp://127.0.0.1:{}', \
         'mqtt.topics'='plant/+/count', 'kafka.topic'='numbers', 'mqtt.qos'='1', 'mqtt.version'='{version}', \
         'mqtt.reconnect.backoff.max.ms'='500');\n{stream}SELECT n FROM numbers WHERE n = {count} EMIT CHANGES LIMIT 1;\n",
        broker.port
    );
    let case =
        Case::new().file("in.sql", &text).file("all.sql", &format!("{stream}SELECT n FROM numbers EMIT CHANGES;\n"));
    let start = || {
        let live = case.spawn(&["run", "in.sql", "--data", "data", "--output", "json"]);
        live.wait_err("connected to MQTT broker");
        live
    };
    let live = start();
    let device = Device::start(broker.port, "plant/7/count", count);
    let wait_acknowledged = |live: &Live, number: usize| {
        let what = || format!("{number} acknowledged, standard error:\n{}", live.err_so_far());
        wait_within(DEADLINE * 5, what, || device.acknowledged() >= number);
    };
    device.allow(count / 2);
    wait_acknowledged(&live, count / 4);
    live.signal("KILL");
    drop(live);
    let live = start();
    device.allow(count);
    wait_acknowledged(&live, count / 4 * 3);
    broker.down();
    broker.up();
    wait_acknowledged(&live, count);
    live.wait_out(&format!("{{\"N\":{count}}}"));
    device.finish();
    live.signal("INT");
    live.finish().expect(0);

    let ran = case.run(&["run", "all.sql", "--data", "data", "--until-end", "--output", "json"]).expect(0);
    let mut times = vec![0u32; count + 1];
    for line in ran.out.lines() {
        let number = line.strip_prefix("{\"N\":").and_then(|rest| rest.strip_suffix('}'));
        let number: usize = number.and_then(|number| number.parse().ok()).expect("a row with a number");
        times[number] += 1;
    }
    let lost: Vec<usize> = (1..=count).filter(|number| times[*number] == 0).collect();
    assert!(lost.is_empty(), "{} of {count} are lost, the first is {}", lost.len(), lost[0]);
    let repeated = times.iter().map(|times| times.saturating_sub(1)).sum::<u32>();
    // What was under way comes again when a connection is taken up: up to a thousand for the client, a hundred for the
    // device, and mosquitto is generous with what it repeats. A loop of reconnects would repeat without end.
    assert!(repeated < 10_000, "{repeated} of {count} came more than once");
    let line = format!(
        "MQTT {version}: {count} messages, one kill, one restart of mosquitto: 0 lost, {repeated} repeated, {:.1} s",
        began.elapsed().as_secs_f64()
    );
    let _ = writeln!(std::io::stderr(), "{line}");
}
