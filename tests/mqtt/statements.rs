//! What a user does with the client connector, on mosquitto.

use alcedo::{Engine, Outcome, Session};
use datafusion::arrow::array::AsArray;

use super::{Mosquitto, mosquitto, wait_until};

/// The certificates of the listener's tests.
fn certificate(name: &str) -> String {
    format!("{}/engine/ingest/mqtt/tests/certificates/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn run(session: &mut Session, sql: &str) {
    session.execute(sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
}

/// What `DESCRIBE CONNECTOR` says of a row of this name; empty when there is none.
fn described(session: &mut Session, name: &str, what: &str) -> String {
    let outcomes = session.execute(&format!("DESCRIBE CONNECTOR {name};")).expect("it can be described");
    let listing = outcomes.into_iter().find_map(|outcome| match outcome {
        Outcome::Listing(listing) => Some(listing),
        _ => None,
    });
    let rows = listing.expect("a listing").rows;
    rows.into_iter().find(|row| row[0] == what).map(|row| row[1].clone()).unwrap_or_default()
}

/// Publishes with somebody else's client.
fn publish(port: u16, more: &[&str], topic: &str, message: &str) {
    let port = port.to_string();
    let given = ["-h", "localhost", "-p", &port, "-q", "1", "-t", topic, "-m", message];
    let published = std::process::Command::new("mosquitto_pub").args([&given, more].concat()).output();
    let published = published.expect("mosquitto_pub comes with mosquitto");
    assert!(published.status.success(), "{published:?}");
}

#[test]
fn a_pause_leaves_messages_with_the_broker_and_a_drop_ends_the_session_there() {
    let Some(program) = mosquitto() else { return };
    let broker = Mosquitto::start(&program, "");
    let engine = Engine::builder().start().expect("the engine starts");
    let mut session = engine.session();
    let create = format!(
        "CREATE SOURCE CONNECTOR plant WITH ('connector.class'='io.confluent.connect.mqtt.MqttSourceConnector', \
         'mqtt.server.uri'='tcp://localhost:{}', 'topic.filter.list'='temp:plant/+/temp, rest:plant/#', \
         'key'='level:2', 'mqtt.client.id'='me');",
        broker.port
    );
    run(&mut session, &create);
    wait_until("it is connected", || described(&mut session, "plant", "state") == "RUNNING");
    assert_eq!(described(&mut session, "plant", "class"), "mqtt");
    assert_eq!(described(&mut session, "plant", "client id"), "me");
    publish(broker.port, &[], "plant/7/temp", "1");
    publish(broker.port, &[], "plant/7/noise", "2");
    wait_until("both are there", || described(&mut session, "plant", "delivered") == "2");
    run(&mut session, "PAUSE CONNECTOR plant;");
    assert_eq!(described(&mut session, "plant", "state"), "PAUSED");
    publish(broker.port, &[], "plant/7/temp", "3");
    run(&mut session, "RESUME CONNECTOR plant;");
    wait_until("what came meanwhile is there", || described(&mut session, "plant", "delivered") == "3");
    assert_eq!(described(&mut session, "plant", "sessions resumed"), "1");
    run(&mut session, "DROP CONNECTOR plant;");
    publish(broker.port, &[], "plant/7/temp", "4");
    run(&mut session, &create);
    wait_until("it is connected", || described(&mut session, "plant", "state") == "RUNNING");
    publish(broker.port, &[], "plant/7/temp", "5");
    wait_until("the next one is there", || described(&mut session, "plant", "delivered") == "1");
    assert_eq!(described(&mut session, "plant", "sessions resumed"), "0", "nobody kept what came in between");
    engine.shutdown(std::time::Duration::from_secs(5)).expect("it ends");
}

#[test]
fn what_a_message_says_about_itself_comes_through_a_broker_as_columns() {
    let Some(program) = mosquitto() else { return };
    let broker = Mosquitto::start(&program, "");
    let engine = Engine::builder().start().expect("the engine starts");
    let mut session = engine.session();
    let create = format!(
        "CREATE SOURCE CONNECTOR plant WITH ('connector.class'='mqtt', 'mqtt.server.uri'='tcp://localhost:{}', \
         'mqtt.topics'='plant/+/+', 'kafka.topic'='readings', 'key'='level:2', 'headers'='kind=level:3');
         CREATE STREAM readings (device VARCHAR KEY, value DOUBLE, kind BYTES HEADER('kind'), unit BYTES HEADER('unit')) \
         WITH (kafka_topic='readings', value_format='DELIMITED');",
        broker.port
    );
    run(&mut session, &create);
    wait_until("it is connected", || described(&mut session, "plant", "state") == "RUNNING");
    let told = ["-V", "mqttv5", "-D", "publish", "user-property", "unit", "C"];
    publish(broker.port, &told, "plant/a/temp", "1.5");
    let sql = "SELECT device || '/' || FROM_BYTES(kind, 'utf8') || '/' || FROM_BYTES(unit, 'utf8') AS said FROM readings \
               EMIT CHANGES LIMIT 1;";
    let mut found = String::new();
    for outcome in session.execute(sql).expect("it is right") {
        let Outcome::Rows(rows) = outcome else { continue };
        for batch in rows.batches() {
            found += batch.expect("no failure").column(0).as_string::<i32>().value(0);
        }
    }
    assert_eq!(found, "a/temp/C");
    engine.shutdown(std::time::Duration::from_secs(5)).expect("it ends");
}

#[test]
fn a_broker_with_tls_and_passwords_is_subscribed_to_and_a_wrong_password_is_told() {
    let Some(program) = mosquitto() else { return };
    let users = tempfile::NamedTempFile::new().expect("a temporary file can be made");
    let made =
        std::process::Command::new("mosquitto_passwd").arg("-b").arg(users.path()).args(["car", "secret"]).output();
    assert!(made.expect("mosquitto_passwd comes with mosquitto").status.success());
    let more = format!(
        "allow_anonymous false\npassword_file {}\ncafile {}\ncertfile {}\nkeyfile {}\nrequire_certificate true\n",
        users.path().display(),
        certificate("ca.pem"),
        certificate("server.pem"),
        certificate("server.key"),
    );
    let broker = Mosquitto::start(&program, &more);
    let engine = Engine::builder().start().expect("the engine starts");
    let mut session = engine.session();
    let create = |name: &str, more: &str| {
        format!(
            "CREATE SOURCE CONNECTOR {name} WITH ('connector.class'='mqtt', 'mqtt.server.uri'='ssl://localhost:{}', \
             'mqtt.topics'='plant/#', 'kafka.topic'='readings', 'mqtt.username'='car', \
             'mqtt.ssl.ca.location'='{}', 'mqtt.reconnect.backoff.max.ms'='100', {more});",
            broker.port,
            certificate("ca.pem"),
        )
    };
    let (pem, key) = (certificate("client.pem"), certificate("client.key"));
    let identity = format!("'mqtt.ssl.certificate.location'='{pem}', 'mqtt.ssl.key.location'='{key}'");
    run(&mut session, &create("good", &format!("'mqtt.password'='secret', {identity}")));
    wait_until("it is connected", || described(&mut session, "good", "state") == "RUNNING");
    assert_eq!(described(&mut session, "good", "'mqtt.password'"), "********");
    let (ca, login) = (certificate("ca.pem"), ["-u", "car", "-P", "secret"]);
    publish(broker.port, &[&login[..], &["--cafile", &ca, "--cert", &pem, "--key", &key]].concat(), "plant/7", "1");
    wait_until("it is there", || described(&mut session, "good", "delivered") == "1");

    run(&mut session, &create("guess", &format!("'mqtt.password'='hunter2', {identity}")));
    wait_until("the refusal is told", || {
        let told = described(&mut session, "guess", "last error");
        told.contains("it refused the connection: ") && told.contains("'mqtt.password'")
    });
    assert_eq!(described(&mut session, "guess", "state"), "RETRYING");
    run(&mut session, &create("nobody", "'mqtt.password'='secret'"));
    wait_until("the missing certificate is told", || {
        described(&mut session, "nobody", "last error").contains("MQTT broker localhost:")
    });
    engine.shutdown(std::time::Duration::from_secs(5)).expect("it ends");
}
