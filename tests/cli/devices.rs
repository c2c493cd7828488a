//! MQTT devices through `CREATE SOURCE CONNECTOR` in a file, with a client of its own.

use std::time::Duration;

use rumqttc::{Client, Event, MqttOptions, Packet, QoS};

use crate::harness::Case;

/// Somebody else's client, in both versions and all qualities of service.
#[test]
fn mosquitto_pub_publishes_in_both_versions_at_every_quality_of_service() {
    if std::process::Command::new("mosquitto_pub").arg("--help").output().is_err() {
        eprintln!("skipped 1: mosquitto_pub is not installed");
        return;
    }
    let text = "CREATE SOURCE CONNECTOR cars WITH ('connector.class'='mqtt-listener', 'listeners'='127.0.0.1:0', \
                'topic.regex.list'='temperature:.*temperature');
CREATE STREAM carsensor (eventid INTEGER, reading DOUBLE) WITH (kafka_topic='temperature', value_format='DELIMITED');
SELECT eventid, reading FROM carsensor EMIT CHANGES LIMIT 6;
";
    let case = Case::new().file("a.sql", text);
    let live = case.spawn(&["run", "a.sql", "--output", "json"]);
    let address: std::net::SocketAddr = live.address("listens for MQTT devices on ").parse().unwrap();
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    let mut event = 0;
    for version in ["mqttv311", "mqttv5"] {
        for quality in ["0", "1", "2"] {
            event += 1;
            let message = format!("{event},{event}.5");
            let topic = "car/engine/temperature";
            let arguments =
                ["-h", &host, "-p", &port, "-V", version, "-q", quality, "-t", topic, "-i", "car-7", "-m", &message];
            let published = std::process::Command::new("mosquitto_pub").args(arguments).output().unwrap();
            assert!(published.status.success(), "{version} at {quality}: {published:?}");
            live.wait_out(&format!("{{\"EVENTID\":{event},\"READING\":{event}.5}}"));
        }
    }
    live.signal("INT");
    live.finish().expect(0);
}

#[test]
fn a_device_publishes_and_its_reading_comes_out() {
    let text = "CREATE SOURCE CONNECTOR cars WITH ('connector.class'='mqtt-listener', 'listeners'='127.0.0.1:0', \
                'topic.regex.list'='temperature:.*temperature');
CREATE STREAM carsensor (eventid INTEGER, reading DOUBLE) WITH (kafka_topic='temperature', value_format='DELIMITED');
CREATE STREAM doubled AS SELECT eventid, reading * 2 AS reading FROM carsensor;
SELECT eventid, reading FROM doubled EMIT CHANGES LIMIT 1;
";
    let case = Case::new().file("a.sql", text);
    let live = case.spawn(&["run", "a.sql", "--output", "json"]);
    let address: std::net::SocketAddr = live.address("listens for MQTT devices on ").parse().unwrap();
    let mut options = MqttOptions::new("car-1", address.ip().to_string(), address.port());
    options.set_keep_alive(Duration::from_secs(30));
    let (client, mut connection) = Client::new(options, 10);
    client.publish("car/engine/temperature", QoS::AtLeastOnce, false, "7,1.5").unwrap();
    let acknowledged = connection.iter().any(|event| match event {
        Ok(Event::Incoming(Packet::PubAck(_))) => true,
        Ok(_) => false,
        Err(error) => panic!("the connection failed: {error}"),
    });
    assert!(acknowledged);
    live.wait_out("{\"EVENTID\":7,\"READING\":3.0}").wait_err("an acknowledgement means memory");
    live.signal("INT");
    live.finish().expect(0);
}
