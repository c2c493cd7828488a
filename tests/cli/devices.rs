//! MQTT devices through `CREATE SOURCE CONNECTOR` in a file, with a client of its own.

use std::time::Duration;

use rumqttc::{Client, Event, MqttOptions, Packet, QoS};

use crate::harness::Case;

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
