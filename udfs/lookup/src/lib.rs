//! An asynchronous function in Arroyo's plugin format: rows wait side by side instead of one after the other.

use std::time::Duration;

use arroyo_udf_plugin::udf;

/// `LOOKUP(key, delay_ms)`: stands for a call of a service that answers after a while: twice the key, plus one.
/// A negative key makes it panic, as a bug in a function would.
#[udf(ordered, timeout = "2s", allowed_in_flight = 256)]
async fn lookup(key: i64, delay_ms: Option<i64>) -> Option<i64> {
    assert!(key >= 0, "LOOKUP takes a key that is not negative");
    tokio::time::sleep(Duration::from_millis(u64::try_from(delay_ms?).ok()?)).await;
    key.checked_mul(2)?.checked_add(1)
}
