//! Who may connect: users, certificates, and how fast.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::fake::*;
use crate::error::Error;
use crate::ingest::mqtt::MqttListener;
use crate::ingest::mqtt::tls::{ClientAuth, ClientTls, Identity, NamedFile, ServerTls};
use crate::ingest::mqtt::users::UserSource;

/// A file of the tests' certificates, made by `tests/scripts/certificates.sh`.
fn certificate(name: &str) -> NamedFile {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("engine/ingest/mqtt/tests/certificates");
    NamedFile::new("ssl.test.location", folder.join(name))
}

fn identity(name: &str) -> Identity {
    Identity { certificate: certificate(&format!("{name}.pem")), key: certificate(&format!("{name}.key")) }
}

fn server(auth: ClientAuth) -> ServerTls {
    ServerTls { identity: identity("server"), clients: Some((certificate("ca.pem"), auth)) }
}

fn client(authorities: &str, identity: Option<Identity>) -> ClientTls {
    ClientTls { authorities: Some(certificate(authorities)), identity, server_name: None }
}

/// A handshake under the name `name`, and a byte in both directions; the error of the client's side, which in TLS 1.3 may
/// come only with the first byte.
fn handshake(server: &ServerTls, client: &ClientTls, name: &str) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    runtime.block_on(async {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let acceptor = TlsAcceptor::from(server.load().expect("the files are right"));
        let serving = tokio::spawn(async move {
            let mut stream = acceptor.accept(theirs).await?;
            let byte = stream.read_u8().await?;
            stream.write_u8(byte).await?;
            stream.flush().await
        });
        let connector = TlsConnector::from(client.load().expect("the files are right"));
        let name = name.to_string().try_into().expect("a name of a host");
        let talk = async {
            let mut stream = connector.connect(name, ours).await?;
            stream.write_u8(7).await?;
            stream.flush().await?;
            stream.read_u8().await
        };
        let talked = talk.await;
        let _ = serving.await.expect("the server does not panic");
        talked.map(|byte| assert_eq!(byte, 7)).map_err(|error| error.to_string())
    })
}

#[test]
fn a_certificate_is_trusted_by_its_authority_and_for_its_name_only() {
    let tls = server(ClientAuth::None);
    assert_eq!(handshake(&tls, &client("ca.pem", None), "localhost"), Ok(()));
    assert_eq!(handshake(&tls, &client("ca.pem", None), "127.0.0.1"), Ok(()));
    let error = handshake(&tls, &client("ca.pem", None), "broker.example").expect_err("another name");
    assert!(error.contains("not valid for name"), "{error}");
    let error = handshake(&tls, &client("other-ca.pem", None), "localhost").expect_err("another authority");
    assert!(error.contains("UnknownIssuer"), "{error}");
}

#[test]
fn a_device_shows_its_certificate_where_it_has_to() {
    let mine = || Some(identity("client"));
    assert_eq!(handshake(&server(ClientAuth::Required), &client("ca.pem", mine()), "localhost"), Ok(()));
    assert!(handshake(&server(ClientAuth::Required), &client("ca.pem", None), "localhost").is_err());
    assert_eq!(handshake(&server(ClientAuth::Requested), &client("ca.pem", None), "localhost"), Ok(()));
    let strange =
        ServerTls { clients: Some((certificate("other-ca.pem"), ClientAuth::Requested)), ..server(ClientAuth::None) };
    assert!(handshake(&strange, &client("ca.pem", mine()), "localhost").is_err(), "what is shown must be right");
}

#[test]
fn a_file_that_cannot_be_used_is_named_with_its_property() {
    let told = |error: Error| (error.to_string(), error.hint_text().unwrap_or_default().to_string());
    let missing = Identity { certificate: certificate("none.pem"), key: certificate("server.key") };
    let (text, _) = told(ServerTls { identity: missing, clients: None }.load().expect_err("it is not there"));
    assert!(text.contains("none.pem, the file of `ssl.test.location`"), "{text}");
    let swapped = Identity { certificate: certificate("server.key"), key: certificate("server.pem") };
    let (text, hint) = told(ServerTls { identity: swapped, clients: None }.load().expect_err("it holds a key"));
    assert!(text.contains("holds no certificate in PEM") && hint.contains("keytool"), "{text} {hint}");
    let keyless = Identity { certificate: certificate("server.pem"), key: certificate("server.pem") };
    let (text, hint) = told(ServerTls { identity: keyless, clients: None }.load().expect_err("it holds no key"));
    assert!(text.contains("holds no private key in PEM") && hint.contains("openssl pkcs8"), "{text} {hint}");
    let mixed = Identity { certificate: certificate("server.pem"), key: certificate("client.key") };
    assert!(ServerTls { identity: mixed, clients: None }.load().is_err(), "a key of another certificate");
}

#[test]
fn a_device_publishes_over_tls_and_one_without_it_does_not_get_in() {
    let mut config = config();
    config.tls = Some(server(ClientAuth::None));
    config.connect_timeout = Duration::from_millis(500);
    let stand = Stand::new(config, Arc::default());
    let mut plain = stand.socket();
    plain.send(&connect(true, "plain", true, 0));
    assert!(plain.whole_packet().is_none_or(|answer| answer[0] != 0x20), "no CONNACK");
    let mut silent = stand.socket();
    assert!(silent.is_closed(), "a handshake has the time of a CONNECT");
    wait_until("both are counted", || stand.counters.tls_failures.get() == 2);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    let address = stand.addr();
    runtime.block_on(async move {
        let tcp = tokio::net::TcpStream::connect(address).await.expect("the listener accepts");
        let connector = TlsConnector::from(client("ca.pem", None).load().expect("the files are right"));
        let name = "localhost".to_string().try_into().expect("a name of a host");
        let mut stream = connector.connect(name, tcp).await.expect("the handshake is right");
        let bytes = [connect(false, "c", true, 0), publish(false, 1, 1, "car/1", "x")].concat();
        stream.write_all(&bytes).await.expect("the listener reads");
        stream.flush().await.expect("the listener reads");
        let mut answers = [0; 8];
        stream.read_exact(&mut answers).await.expect("the listener answers");
        assert_eq!(answers, [0x20, 2, 0, 0, 0x40, 2, 0, 1]);
    });
    assert_eq!(stand.fake.payloads(), ["x"]);
}

/// A CONNECT with user name and password.
fn connect_as(v5: bool, user: &str, password: &str) -> Vec<u8> {
    connect_with(v5, "c", 0xC2, 0, &[string(user), string(password)].concat())
}

#[test]
fn only_a_user_with_the_right_password_gets_in() {
    for anonymous in [false, true] {
        let mut config = config();
        config.users = Some(UserSource::Pair { user: "car".into(), password: "secret".into() });
        config.allow_anonymous = anonymous;
        let stand = Stand::new(config, Arc::default());
        for v5 in [false, true] {
            let refused = if v5 { &[0x20, 3, 0, 0x86, 0][..] } else { &[0x20, 2, 0, 4] };
            for (user, password) in [("car", "Secret"), ("car", ""), ("bus", "secret")] {
                let mut device = stand.socket();
                device.send(&connect_as(v5, user, password));
                assert_eq!(device.whole_packet().expect("an answer"), refused, "{user}");
                assert!(device.is_closed());
            }
            let mut device = stand.socket();
            device.send(&[connect_as(v5, "car", "secret"), publish(v5, 1, 1, "car/1", "x")].concat());
            assert_eq!(device.packet().expect("a CONNACK"), accepted(v5, false));
            assert_eq!(device.packet().expect("an answer"), [0x40, 2, 0, 1]);
            let mut nobody = stand.socket();
            nobody.send(&connect(v5, "n", true, 0));
            match anonymous {
                true => assert_eq!(nobody.packet().expect("a CONNACK"), accepted(v5, false)),
                false => assert_eq!(nobody.whole_packet().expect("an answer"), refused),
            }
        }
        let refused = if anonymous { 6 } else { 8 };
        wait_until("each is counted", || stand.counters.logins_refused.get() == refused);
    }
}

#[test]
fn a_refused_login_takes_over_no_client_id() {
    let mut config = config();
    config.users = Some(UserSource::Pair { user: "car".into(), password: "secret".into() });
    let stand = Stand::new(config, Arc::default());
    let mut device = stand.socket();
    device.send(&connect_as(true, "car", "secret"));
    assert_eq!(device.packet().expect("a CONNACK"), accepted(true, false));
    let mut intruder = stand.socket();
    intruder.send(&connect_as(true, "car", "guess"));
    assert!(intruder.whole_packet().is_some());
    device.send(&PINGREQ);
    assert_eq!(device.packet().expect("an answer"), PINGRESP);
    assert_eq!(stand.counters.takeovers.get(), 0);
}

#[test]
fn a_missing_file_of_users_is_told_at_the_start() {
    let mut config = config();
    config.users = Some(UserSource::File(NamedFile::new("authentication.file", "/no/such/file")));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    let error = MqttListener::start(config, Arc::new(Fake::default()), runtime.handle()).expect_err("it is not there");
    assert!(error.to_string().starts_with("cannot read /no/such/file, the file of `authentication.file`"), "{error}");
}

#[test]
fn sockets_that_come_faster_than_allowed_wait_and_all_are_served() {
    let mut config = config();
    config.max_connection_rate = 20;
    let stand = Stand::new(config, Arc::default());
    let begin = std::time::Instant::now();
    let mut devices: Vec<Device> = (0..30).map(|_| stand.socket()).collect();
    for (index, device) in devices.iter_mut().enumerate() {
        device.send(&connect(false, &format!("c{index}"), true, 0));
        // What was accepted so far never exceeds the first burst and what time has added.
        let allowed = 20.0 + begin.elapsed().as_secs_f64() * 20.0 + 1.0;
        assert!(stand.counters.sockets.get() as f64 <= allowed);
    }
    for device in &mut devices {
        assert_eq!(device.packet().expect("a CONNACK"), accepted(false, false));
    }
    assert!(begin.elapsed() >= Duration::from_millis(450), "ten of them waited for half a second in all");
    assert!(stand.counters.accepts_delayed.get() > 0);
}
