//! Anything may come over a socket; nothing of it may panic, loop or grow without bound.

use std::sync::Arc;

use bytes::BytesMut;
use proptest::collection::vec;
use proptest::prelude::*;
use tokio::time::Instant;

use super::fake::*;
use crate::ingest::mqtt::inbox::Now;
use crate::ingest::mqtt::protocol::{Progress, Protocol, Shared};

fn shared() -> Arc<Shared> {
    let mut config = config();
    config.max_packet_size = 4096;
    Arc::new(Shared::new(config, Arc::new(Fake::default())))
}

/// Feeds `bytes` in pieces to a new connection until they are used up or it ends.
fn feed(bytes: &[u8], piece: usize) {
    let now = Instant::now();
    let mut protocol = Protocol::new(shared(), now);
    let mut input = BytesMut::new();
    for piece in bytes.chunks(piece.max(1)) {
        input.extend_from_slice(piece);
        loop {
            match protocol.feed(&mut input, Now { instant: now, wall_ms: 0 }) {
                Ok(Progress::NeedMore(more)) => {
                    assert!(more > 0 && more <= 4096, "{more} bytes more of a packet of at most 4096");
                    break;
                }
                Ok(Progress::Connect(connect)) => protocol.admit(*connect, Arc::from("c"), None, now),
                Ok(Progress::Blocked) => {
                    protocol.out.clear();
                    protocol.settle().expect("the fake delivers everything");
                }
                Err(close) => {
                    protocol.close(close);
                    return;
                }
            }
            protocol.settle().expect("the fake delivers everything");
        }
    }
}

fn packet() -> impl Strategy<Value = Vec<u8>> {
    let body = prop_oneof![
        vec(any::<u8>(), 0..64),
        (0u8..3, any::<u16>(), vec(any::<u8>(), 0..32))
            .prop_map(|(_, id, rest)| [&id.to_be_bytes()[..], &rest].concat()),
        ("[a-z/+#]{0,8}", vec(any::<u8>(), 0..32)).prop_map(|(topic, rest)| [&string(&topic)[..], &rest].concat()),
    ];
    let right = (any::<bool>(), 0u8..3, 1u16..5).prop_map(|(v5, qos, id)| publish(v5, qos, id, "car/1", "x"));
    prop_oneof![(any::<u8>(), body).prop_map(|(first, body)| frame(first, &body)), right]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn any_bytes_at_all_are_survived(bytes in vec(any::<u8>(), 0..512), piece in 1usize..64) {
        feed(&bytes, piece);
    }

    #[test]
    fn any_packets_after_a_connect_are_survived(
        v5 in any::<bool>(),
        packets in vec(packet(), 0..12),
        piece in 1usize..64,
    ) {
        feed(&[connect(v5, "c", false, 0), packets.concat()].concat(), piece);
    }

    #[test]
    fn a_connect_with_any_byte_changed_is_survived(
        v5 in any::<bool>(),
        at in any::<prop::sample::Index>(),
        to in any::<u8>(),
    ) {
        let will = [&string("car/will")[..], &string("gone")[..]].concat();
        let will = if v5 { [&[0][..], &will].concat() } else { will };
        let mut bytes = connect_with(v5, "c", 0x2E, 60, &will);
        let at = at.index(bytes.len());
        bytes[at] = to;
        feed(&bytes, 1024);
    }
}
