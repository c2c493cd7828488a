//! Transactions, fencing, and what readers see of them.

use super::*;

#[test]
fn committed_transactions_are_seen_and_aborted_ones_are_not() -> Result<()> {
    let config = broker();
    let topic = topic(&config, "txn", 1);
    let mut writer = Writer::transactional(&config, &unique("id"), WAIT)?;
    writer.write(&numbers(&topic, 0..10))?;
    writer.commit(&[], None)?;
    writer.write(&numbers(&topic, 10..20))?;
    writer.abort()?;
    writer.write(&numbers(&topic, 20..30))?;
    writer.commit(&[], None)?;
    let options = ReaderOptions { ends: true, ..ReaderOptions::default() };
    let mut reader = Reader::assigned(&config, options, &all_of(&topic, 1))?;
    let mut next = 0;
    let (seen, _) = read_until(&mut reader, &mut (), |_, events| {
        next =
            events.iter().map(|event| if let Event::End { next, .. } = event { *next } else { 0 }).max().unwrap_or(0);
        next > 0
    });
    let wanted: Vec<_> = (0..10).chain(20..30).map(|number| number.to_string()).collect();
    assert_eq!(seen, wanted);
    assert!(next > 20, "the end is behind the markers: {next}");
    assert_eq!(reader.position(&TopicPartition::new(topic, 0)), Some(next));
    Ok(())
}

#[test]
fn an_abort_with_records_in_flight_does_not_wait_for_its_timeout() -> Result<()> {
    let config = broker();
    let topic = topic(&config, "abort", 4);
    let mut writer = Writer::transactional(&config, &unique("id"), WAIT)?;
    for round in 0..3 {
        writer.write(&numbers(&topic, 0..50_000))?;
        let started = Instant::now();
        writer.abort()?;
        assert!(started.elapsed() < WAIT / 2, "round {round}: {:?}", started.elapsed());
        assert_eq!(writer.in_flight(), 0);
    }
    assert_eq!(writer.failures(), 0, "records an abort threw away are no failures");
    writer.write(&numbers(&topic, 0..1))?;
    writer.commit(&[], None)?;
    Ok(())
}

#[test]
fn a_second_writer_of_one_id_fences_the_first() -> Result<()> {
    let config = broker();
    let (topic, id) = (topic(&config, "fence", 1), unique("id"));
    let mut first = Writer::transactional(&config, &id, WAIT)?;
    first.write(&numbers(&topic, 0..5))?;
    first.flush(WAIT)?;
    fence(&config, &id, WAIT)?;
    let failed = first.commit(&[], None).expect_err("fenced");
    assert!(matches!(failed, Failure::Fenced(_)), "{failed:?}");
    let admin = Admin::connect(&config, WAIT)?;
    let ends = admin.topic_watermarks(&topic, WAIT)?;
    assert_eq!(ends[0].1.stable, ends[0].1.latest, "the fence ended the open transaction");
    Ok(())
}

#[test]
fn the_stable_end_stands_before_an_open_transaction() -> Result<()> {
    let config = broker();
    let topic = topic(&config, "ends", 2);
    let admin = Admin::connect(&config, WAIT)?;
    let mut plain = Writer::plain(&config)?;
    let mut batch = numbers(&topic, 0..10);
    batch.partition = Some(1);
    plain.write(&batch)?;
    plain.flush(WAIT)?;
    let mut writer = Writer::transactional(&config, &unique("id"), WAIT)?;
    writer.write(&batch)?;
    writer.flush(WAIT)?;
    let ends = admin.topic_watermarks(&topic, WAIT)?;
    assert_eq!(ends[0].1, Watermarks { earliest: 0, stable: 0, latest: 0 });
    assert_eq!(ends[1].1, Watermarks { earliest: 0, stable: 10, latest: 20 });
    let partitions: Vec<_> = ends.into_iter().map(|(at, _)| at).collect();
    assert_eq!(admin.offsets_at(&partitions, 1004, WAIT)?, [0, 4]);
    assert_eq!(admin.offsets_at(&partitions, 5000, WAIT)?, [0, 10]);
    writer.abort()?;
    Ok(())
}

#[test]
fn a_writer_that_waits_for_a_broker_can_be_interrupted() -> Result<()> {
    // Nobody listens there, so the flush would wait its full time.
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port").port();
    let mut writer = Writer::plain(&ClientConfig::new(format!("127.0.0.1:{port}")))?;
    writer.write(&numbers(&"t".into(), 0..10))?;
    let interrupter = writer.interrupter();
    let started = Instant::now();
    let other = std::thread::spawn(move || interrupter.interrupt());
    let failed = writer.flush(WAIT).expect_err("nobody answers");
    assert!(matches!(failed, Failure::Fatal(_)), "{failed:?}");
    drop(writer);
    assert!(started.elapsed() < WAIT / 2);
    other.join().expect("interrupts");
    Ok(())
}
