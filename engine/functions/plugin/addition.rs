//! Source that the builder adds to a function in Arroyo's format, compiled into its library and not into the engine.
//!
//! The format gives a panic no text. The library's own standard library prints it, once for each call, so many times
//! for a bad row that is being looked for. With these two symbols the host gets the text instead.

use std::cell::RefCell;
use std::sync::Once;

thread_local! {
    /// `Some` on threads that call the function: what its last panic said.
    static SAID: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Keeps the texts of this thread's panics from now on.
#[unsafe(no_mangle)]
extern "C" fn __alcedo_listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let others = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let kept = SAID.with_borrow_mut(|said| {
                if let Some(said) = said {
                    let text = match (info.payload().downcast_ref::<&str>(), info.payload().downcast_ref::<String>()) {
                        (Some(text), _) => text,
                        (None, Some(text)) => text.as_str(),
                        (None, None) => "no text",
                    };
                    let line = info.location().map_or(0, |place| place.line());
                    *said = format!("{text} (line {line})");
                }
                said.is_some()
            });
            if !kept {
                others(info);
            }
        }));
    });
    SAID.set(Some(String::new()));
}

/// Writes the text of this thread's last panic, cut at `capacity` bytes; how many bytes were written.
///
/// # Safety
/// `buffer` has room for `capacity` bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn __alcedo_said(buffer: *mut u8, capacity: usize) -> usize {
    let text = SAID.take().unwrap_or_default();
    let mut len = text.len().min(capacity);
    while !text.is_char_boundary(len) {
        len -= 1;
    }
    // SAFETY: that of this function.
    unsafe { std::ptr::copy_nonoverlapping(text.as_ptr(), buffer, len) };
    len
}
