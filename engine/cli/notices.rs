//! What the engine says, on standard error.

use std::io::Write;

use super::style::Paint;
use crate::notice::{Level, Notice, Notices};

/// Notices as lines on standard error.
pub fn to_stderr() -> Notices {
    let paint = Paint::stderr();
    Notices::new(move |notice| write(&notice, paint))
}

fn write(notice: &Notice, paint: Paint) {
    let word = match notice.level {
        Level::Info => String::new(),
        Level::Warning => paint.warning("warning: "),
        Level::Error => paint.error("error: "),
    };
    let subject = if notice.subject.is_empty() { String::new() } else { format!("{}: ", notice.subject) };
    // Nobody reading standard error is no reason to stop.
    let _ = writeln!(std::io::stderr(), "{word}{}{}", paint.faint(&subject), super::print::visible(&notice.text));
}
