//! Bits for ids that must not collide: topics, members, clusters. Not for secrets.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

/// 128 bits, different on every call. The standard hasher's keys come from the operating system.
fn bits() -> u128 {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let call = (CALLS.fetch_add(1, Ordering::Relaxed), std::process::id(), super::clock::Clock::system().now_ms());
    let half = || u128::from(RandomState::new().hash_one(call));
    half() << 64 | half()
}

/// Bits that make a UUID of version 4.
pub fn uuid_bits() -> u128 {
    let bits = bits() & !(0xf << 76) | 4 << 76;
    bits & !(0x3 << 62) | 2 << 62
}

/// Bits written as a UUID is.
pub fn as_uuid(bits: u128) -> String {
    let hex = format!("{bits:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// A new UUID, as text.
pub fn uuid() -> String {
    as_uuid(uuid_bits())
}
