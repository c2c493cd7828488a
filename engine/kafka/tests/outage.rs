//! A broker that goes away and comes back.

use std::net::SocketAddr;

use super::*;
use crate::broker::Storage;

fn start(folder: &std::path::Path, listen: SocketAddr) -> Broker {
    let config = Config { listen, storage: Storage::Dir(folder.into()), ..Config::default() };
    let deadline = Instant::now() + WAIT;
    loop {
        // The old connections may hold the port for a moment.
        match Broker::start_blocking(config.clone()) {
            Ok(broker) => return broker,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        std::thread::yield_now();
    }
}

#[test]
fn clients_show_an_outage_and_go_on_after_it_without_loss_or_repetition() -> Result<()> {
    let folder = tempfile::tempdir().expect("a folder");
    let broker = start(folder.path(), SocketAddr::from(([127, 0, 0, 1], 0)));
    let addr = broker.addr();
    let config = ClientConfig::new(addr.to_string());
    let (topic, group) = (topic(&config, "outage", 1), unique("group"));
    let mut writer = Writer::transactional(&config, &unique("id"), WAIT)?;
    let mut reader = Reader::group(&config, ReaderOptions::default(), &group, &[&topic])?;
    writer.write(&numbers(&topic, 0..10))?;
    writer.commit(&[], None)?;
    read_until(&mut reader, &mut FromCommitted, |seen, _| seen.len() == 10);
    assert_eq!(config.health.connection_state(), Connection::Up);
    let offset = PartitionOffset { at: TopicPartition::new(topic.clone(), 0), next: 10, metadata: String::new() };
    reader.commit(&[offset])?;
    drop(broker);
    let deadline = Instant::now() + WAIT;
    while config.health.is_up() || config.health.last_error().is_none() {
        assert!(Instant::now() < deadline, "the outage shows");
        reader.poll(10, Duration::from_millis(20), &mut FromCommitted)?;
    }
    assert!(matches!(config.health.connection_state(), Connection::Down { since_ms } if since_ms > 0));
    // Written while nobody is there, committed when the broker is back.
    writer.write(&numbers(&topic, 10..20))?;
    let _broker = start(folder.path(), addr);
    writer.commit(&[], None)?;
    let (seen, _) = read_until(&mut reader, &mut FromCommitted, |seen, _| seen.len() >= 10);
    assert_eq!(seen, (10..20).map(|number| number.to_string()).collect::<Vec<_>>());
    assert!(config.health.is_up());
    assert!(config.health.losses() > 0);
    Ok(())
}
