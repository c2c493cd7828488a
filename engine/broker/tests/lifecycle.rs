//! Starting, refusing to start, stopping.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use super::*;
use crate::error::{Error, Kind};

fn refused(config: Config) -> Error {
    Broker::start_blocking(config).map(|_| ()).expect_err("it must not start")
}

#[test]
fn two_brokers_run_side_by_side_on_free_ports() {
    let (one, other) = (in_memory(), in_memory());
    assert!(one.addr().ip().is_loopback());
    assert_ne!(one.addr().port(), other.addr().port());
}

#[test]
fn a_taken_port_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let holder = TcpListener::bind(taken).unwrap();
    let error = refused(Config { listen: taken, ..Config::default() });
    assert_eq!(error.kind(), Kind::External);
    assert!(error.to_string().contains(&taken.to_string()) && error.to_string().contains("taken"), "{error}");
    drop(holder);
}

#[test]
fn an_address_others_can_reach_needs_permission() {
    let listen: SocketAddr = "0.0.0.0:0".parse().unwrap();
    let error = refused(Config { listen, ..Config::default() });
    assert_eq!(error.kind(), Kind::Usage);
    assert!(error.message().contains("0.0.0.0:0") && error.hint_text().is_some(), "{error}");
    Broker::start_blocking(Config { listen, allow_non_loopback: true, ..Config::default() }).unwrap();
}

#[test]
fn a_folder_is_held_while_the_broker_runs_and_let_go_when_it_stops() {
    let dir = tempfile::tempdir().unwrap();
    let broker = in_dir(dir.path());
    let error = refused(Config { storage: Storage::Dir(dir.path().into()), ..Config::default() });
    assert!(error.message().contains(&std::process::id().to_string()), "{error}");
    broker.shutdown_blocking();
    drop(in_dir(dir.path()));
    in_dir(dir.path());
}

#[test]
fn a_journal_of_an_unknown_version_is_refused_untouched() {
    let dir = tempfile::tempdir().unwrap();
    drop(in_dir(dir.path()));
    let journal = dir.path().join("journal");
    let mut bytes = std::fs::read(&journal).unwrap();
    bytes[4] = 9;
    std::fs::write(&journal, &bytes).unwrap();
    let error = refused(Config { storage: Storage::Dir(dir.path().into()), ..Config::default() });
    assert!(error.message().contains("unknown format"), "{error}");
    assert_eq!(std::fs::read(&journal).unwrap(), bytes);
}

#[test]
fn a_stopped_broker_closes_its_connections_and_its_port() {
    let broker = in_memory();
    let addr = broker.addr();
    let mut stream = TcpStream::connect(addr).unwrap();
    broker.shutdown_blocking();
    let mut byte = [0];
    assert!(matches!(stream.read(&mut byte), Ok(0) | Err(_)));
    assert!(TcpStream::connect(addr).is_err());
}

#[test]
fn it_can_be_started_and_stopped_from_a_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let broker = Broker::start(Config::default()).await.unwrap();
        tokio::net::TcpStream::connect(broker.addr()).await.unwrap();
        broker.shutdown().await;
        drop(Broker::start(Config::default()).await.unwrap());
    });
}

#[test]
fn bytes_that_are_no_request_end_only_their_own_connection() {
    let broker = in_memory();
    let frames: [&[u8]; 5] = [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\0\0\0\x03abc",
        // Metadata for two thousand million topics.
        b"\0\0\0\x0e\0\x03\0\x01\0\0\0\x07\xff\xff\x7f\xff\xff\xff",
        // A request type that does not exist.
        b"\0\0\0\x0a\x7f\x7f\0\0\0\0\0\x07\xff\xff",
        // Fetch in a version that is not spoken.
        b"\0\0\0\x0a\0\x01\0\x63\0\0\0\x07\xff\xff",
    ];
    for frame in frames {
        let mut stream = TcpStream::connect(broker.addr()).unwrap();
        stream.write_all(frame).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(answer.is_empty(), "{frame:?}");
    }
    // Still there, and a version of ApiVersions from the future gets the oldest answer (KIP-511).
    let mut stream = TcpStream::connect(broker.addr()).unwrap();
    stream.write_all(b"\0\0\0\x0a\0\x12\0\x63\0\0\0\x2a\xff\xff").unwrap();
    let mut answer = [0; 10];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer[4..], [0, 0, 0, 42, 0, 35]);
}
