//! The properties under libFuzzer, which looks for inputs that reach new code.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    alcedo_fuzz::sql::properties::check(&String::from_utf8_lossy(bytes));
});
