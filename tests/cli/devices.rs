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

#[test]
fn a_bare_number_is_the_one_column_of_a_stream_and_a_level_of_its_topic_the_key() {
    let text = "CREATE STREAM temperatures (device VARCHAR KEY, celsius DOUBLE) WITH (kafka_topic='temperatures', value_format='JSON');
CREATE STREAM warm AS SELECT device, celsius FROM temperatures WHERE celsius > 20;
CREATE SOURCE CONNECTOR plant WITH ('connector.class'='mqtt-listener', 'listeners'='127.0.0.1:0', \
  'topic.filter.list'='temperatures:plant/+/temp', 'key'='level:2');
SELECT device, celsius FROM warm EMIT CHANGES LIMIT 2;
PRINT temperatures FROM BEGINNING LIMIT 3;
";
    let case = Case::new().file("a.sql", text);
    let live = case.spawn(&["run", "a.sql", "--output", "json"]);
    let address: std::net::SocketAddr = live.address("listens for MQTT devices on ").parse().unwrap();
    let mut options = MqttOptions::new("press", address.ip().to_string(), address.port());
    options.set_keep_alive(Duration::from_secs(30));
    let (client, mut connection) = Client::new(options, 10);
    for (device, payload) in [("press-1", "23.5"), ("press-2", "7"), ("press-3", " 21 ")] {
        client.publish(format!("plant/{device}/temp"), QoS::AtLeastOnce, false, payload).unwrap();
    }
    let acknowledged = connection.iter().filter(|event| match event {
        Ok(Event::Incoming(Packet::PubAck(_))) => true,
        Ok(_) => false,
        Err(error) => panic!("the connection failed: {error}"),
    });
    assert_eq!(acknowledged.take(3).count(), 3);
    let row = |device: &str, celsius: &str| format!("{{\"DEVICE\":\"{device}\",\"CELSIUS\":{celsius}}}");
    live.wait_out(&row("press-1", "23.5")).wait_out(&row("press-3", "21.0"));
    live.wait_out("Key format: KAFKA_STRING").wait_out("Value format: JSON or KAFKA_STRING");
    live.wait_out("key: press-1, value: 23.5, partition: 0").wait_out("key: press-3");
    live.signal("INT");
    let ran = live.finish().expect(0);
    assert!(!ran.out.contains(&row("press-2", "7.0")), "{}", ran.out);
}

/// Publishes with somebody else's client; `more` says how it connects.
fn publish(port: u16, more: &[&str], topic: &str, message: &str) -> std::process::Output {
    let port = port.to_string();
    let given = ["-h", "localhost", "-p", &port, "-q", "1", "-i", "car-7", "-t", topic, "-m", message];
    let published = std::process::Command::new("mosquitto_pub").args([&given, more].concat()).output();
    published.expect("mosquitto_pub can be run")
}

fn has_mosquitto_pub() -> bool {
    let has = std::process::Command::new("mosquitto_pub").arg("--help").output().is_ok();
    if !has {
        eprintln!("skipped 1: mosquitto_pub is not installed");
    }
    has
}

#[test]
fn a_level_of_the_topic_becomes_the_key_and_the_first_rule_that_matches_decides() {
    if !has_mosquitto_pub() {
        return;
    }
    let text = "CREATE SOURCE CONNECTOR plant WITH ('connector.class'='mqtt-listener', 'listeners'='127.0.0.1:0', \
                'topic.filter.list'='temp:plant/+/temp, rest:plant/#', 'key'='{level:2}@{client}');
CREATE STREAM temp (device VARCHAR KEY, celsius DOUBLE) WITH (kafka_topic='temp', value_format='DELIMITED');
CREATE STREAM rest (device VARCHAR KEY, noise INTEGER) WITH (kafka_topic='rest', value_format='DELIMITED');
SELECT device, celsius FROM temp EMIT CHANGES LIMIT 2;
SELECT device, noise FROM rest EMIT CHANGES LIMIT 1;
";
    let case = Case::new().file("a.sql", text);
    let live = case.spawn(&["run", "a.sql", "--output", "json"]);
    let address: std::net::SocketAddr = live.address("listens for MQTT devices on ").parse().unwrap();
    for (topic, message) in [("plant/a/temp", "1.5"), ("plant/a/noise", "7"), ("plant//temp", "2.5")] {
        assert!(publish(address.port(), &["-V", "mqttv5"], topic, message).status.success());
    }
    live.wait_out("\"CELSIUS\":1.5").wait_out("\"CELSIUS\":2.5").wait_out("\"NOISE\":7");
    live.signal("INT");
    let ran = live.finish().expect(0);
    for (value, device) in [("\"CELSIUS\":1.5", "a@car-7"), ("\"CELSIUS\":2.5", "@car-7"), ("\"NOISE\":7", "a@car-7")] {
        let row = ran.out.lines().find(|line| line.contains(value)).expect("a row with this value");
        assert!(row.contains(&format!("\"DEVICE\":\"{device}\"")), "{row}");
    }
}

#[test]
fn what_a_message_says_about_itself_and_the_levels_of_its_topic_are_columns() {
    if !has_mosquitto_pub() {
        return;
    }
    let text = "CREATE SOURCE CONNECTOR plant WITH ('connector.class'='mqtt-listener', 'listeners'='127.0.0.1:0', \
                'topic.filter.list'='readings:plant/+/+', 'key'='level:2', 'headers'='kind=level:3, place=at {level:2}');
CREATE STREAM readings (device VARCHAR KEY, value DOUBLE, kind BYTES HEADER('kind'), place BYTES HEADER('place'),
    unit BYTES HEADER('unit'), said BYTES HEADER('mqtt.content.type'))
  WITH (kafka_topic='readings', value_format='DELIMITED');
CREATE STREAM again (device VARCHAR KEY, value DOUBLE, headers ARRAY<STRUCT<key VARCHAR, value BYTES>> HEADERS)
  WITH (kafka_topic='readings', value_format='DELIMITED');
SELECT device, FROM_BYTES(kind, 'utf8') AS kind, FROM_BYTES(place, 'utf8') AS place, FROM_BYTES(unit, 'utf8') AS unit,
  FROM_BYTES(said, 'utf8') AS said, value FROM readings EMIT CHANGES LIMIT 2;
SELECT value, TRANSFORM(headers, h => h->key) AS names FROM again EMIT CHANGES LIMIT 2;
";
    let case = Case::new().file("a.sql", text);
    let live = case.spawn(&["run", "a.sql", "--output", "json"]);
    let address: std::net::SocketAddr = live.address("listens for MQTT devices on ").parse().unwrap();
    let property = |more: &[&'static str]| [&["-V", "mqttv5", "-D", "publish"][..], more].concat();
    let told = [property(&["user-property", "unit", "C"]), property(&["content-type", "text/plain"])].concat();
    assert!(publish(address.port(), &told, "plant/a/temp", "1.5").status.success());
    // An older version cannot say anything.
    assert!(publish(address.port(), &["-V", "mqttv311"], "plant/b/noise", "2.5").status.success());
    live.wait_out("\"SAID\":\"text/plain\"").wait_out("\"SAID\":null");
    live.wait_out("{\"VALUE\":1.5,\"NAMES\":").wait_out("{\"VALUE\":2.5,\"NAMES\":");
    live.signal("INT");
    let ran = live.finish().expect(0);
    let mut rows: Vec<&str> = ran.out.lines().map(|line| line.split_once("\"row\":").expect("a row").1).collect();
    rows.sort_unstable();
    let expected = [
        r#"{"DEVICE":"a","KIND":"temp","PLACE":"at a","UNIT":"C","SAID":"text/plain","VALUE":1.5}}"#,
        r#"{"DEVICE":"b","KIND":"noise","PLACE":"at b","UNIT":null,"SAID":null,"VALUE":2.5}}"#,
    ];
    assert_eq!(rows[..2], expected);
    let named = |row: &str| -> Vec<String> {
        let row: serde_json::Value = serde_json::from_str(&row[..row.len() - 1]).expect("it is JSON");
        row["NAMES"].as_array().expect("an array").iter().map(|name| name.as_str().expect("a text").into()).collect()
    };
    let own = ["mqtt.topic", "mqtt.qos", "mqtt.retained", "mqtt.client", "kind", "place"];
    for (row, more) in rows[2..].iter().zip([&["unit", "mqtt.content.type"][..], &[]]) {
        let (mut names, mut all) = (named(row), [&own[..], more].concat());
        names.sort_unstable();
        all.sort_unstable();
        assert_eq!(names, all, "{row}");
    }
}

/// A device of MQTT 3.1.1 whose will is `gone` on `plant/9/status`, until its connection is dropped.
fn device_with_will(address: std::net::SocketAddr) -> std::net::TcpStream {
    use std::io::{Read, Write};
    let string = |text: &str| [&(text.len() as u16).to_be_bytes()[..], text.as_bytes()].concat();
    // A clean session, and the will at QoS 1.
    let body = [&string("MQTT")[..], &[4, 0x0E, 0, 0], &string("car-9"), &string("plant/9/status"), &string("gone")];
    let body = body.concat();
    let mut device = std::net::TcpStream::connect(address).expect("the listener accepts");
    device.write_all(&[&[0x10, body.len() as u8][..], &body].concat()).expect("it reads");
    let mut answer = [0; 4];
    device.read_exact(&mut answer).expect("it answers");
    assert_eq!(answer, [0x20, 2, 0, 0]);
    device
}

#[test]
fn the_will_of_a_device_that_is_cut_or_replaced_reaches_its_topic() {
    let text = "CREATE SOURCE CONNECTOR plant WITH ('connector.class'='mqtt-listener', 'listeners'='127.0.0.1:0', \
                'topic.filter.list'='status:plant/+/status', 'key'='level:2');
CREATE STREAM status (device VARCHAR KEY, text VARCHAR) WITH (kafka_topic='status', value_format='DELIMITED');
SELECT device, text, ROWOFFSET AS n FROM status EMIT CHANGES LIMIT 2;
";
    let case = Case::new().file("a.sql", text);
    let live = case.spawn(&["run", "a.sql", "--output", "json"]);
    let address: std::net::SocketAddr = live.address("listens for MQTT devices on ").parse().unwrap();
    drop(device_with_will(address));
    live.wait_out("{\"DEVICE\":\"9\",\"TEXT\":\"gone\",\"N\":0}");
    let replaced = device_with_will(address);
    let successor = device_with_will(address);
    live.wait_out("{\"DEVICE\":\"9\",\"TEXT\":\"gone\",\"N\":1}");
    drop((replaced, successor));
    live.signal("INT");
    live.finish().expect(0);
}

#[test]
fn devices_come_over_tls_with_a_password_and_no_others() {
    if !has_mosquitto_pub() {
        return;
    }
    let certificate =
        |name: &str| format!("{}/engine/ingest/mqtt/tests/certificates/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = format!(
        "CREATE SOURCE CONNECTOR plant WITH ('connector.class'='mqtt-listener', 'listeners'='127.0.0.1:0', \
         'topic.filter.list'='temp:#', 'username'='car', 'password'='hunter2', 'ssl.certificate.location'='{}', \
         'ssl.key.location'='{}', 'ssl.ca.location'='{}');
CREATE STREAM temp (celsius DOUBLE) WITH (kafka_topic='temp', value_format='DELIMITED');
SELECT celsius FROM temp EMIT CHANGES LIMIT 1;
",
        certificate("server.pem"),
        certificate("server.key"),
        certificate("ca.pem"),
    );
    let case = Case::new().file("a.sql", &text);
    let live = case.spawn(&["run", "a.sql", "--output", "json"]);
    let address: std::net::SocketAddr = live.address("listens for MQTT devices on ").parse().unwrap();
    let (ca, pem, key) = (certificate("ca.pem"), certificate("client.pem"), certificate("client.key"));
    let (tls, mine) = (["--cafile", &ca], ["--cert", &pem, "--key", &key]);
    let (right, wrong) = (["-u", "car", "-P", "hunter2"], ["-u", "car", "-P", "guess"]);
    let refused: [&[&[&str]]; 4] = [&[&right], &[&tls, &right], &[&tls, &mine], &[&tls, &mine, &wrong]];
    for arguments in refused {
        let arguments = arguments.concat();
        assert!(!publish(address.port(), &arguments, "t", "0.5").status.success(), "{arguments:?}");
    }
    let published = publish(address.port(), &[&tls[..], &mine, &right].concat(), "t", "1.5");
    assert!(published.status.success(), "{published:?}");
    live.wait_out("{\"CELSIUS\":1.5}");
    live.signal("INT");
    let ran = live.finish().expect(0);
    assert!(!ran.err.contains("hunter2") && !ran.out.contains("0.5"), "{}", ran.err);
}

#[test]
fn a_listener_for_other_machines_without_authentication_is_refused_at_its_place() {
    let text = "CREATE SOURCE CONNECTOR plant WITH ('connector.class'='mqtt-listener', 'listeners'='0.0.0.0:0', \
                'topic.filter.list'='temp:#');\n";
    let case = Case::new().file("a.sql", text);
    let ran = case.run(&["run", "a.sql"]).expect(1).says("MQTT listener 0.0.0.0:0 is open to other machines");
    ran.says("'authentication.file'").says("'allow.anonymous'='true'").says("'0.0.0.0:0'");
}
