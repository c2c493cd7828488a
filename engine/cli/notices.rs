//! What the engine says, on standard error; while somebody types, above the line.

use std::io::Write;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use parking_lot::Mutex;

use super::bottom::stderr_columns;
use super::print::{folded, visible};
use super::style::Paint;
use crate::notice::{Level, Notice, Notices};

/// Notices as lines on standard error.
pub fn to_stderr() -> Notices {
    Desk::default().notices()
}

/// A line on standard error about what goes on, folded on a terminal, all but its `head` faint.
pub fn whisper(head: &str, rest: &str) {
    let text = folded(&format!("{head}{rest}"), stderr_columns());
    let text = match text.strip_prefix(head) {
        Some(rest) => format!("{head}{}", Paint::stderr().faint(rest)),
        None => text,
    };
    // Nobody reading standard error is no reason to stop.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Where notices are shown. Clones are the same place.
#[derive(Clone, Default)]
pub struct Desk(Arc<Mutex<Option<SyncSender<String>>>>);

impl Desk {
    /// Notices that are shown here.
    pub fn notices(&self) -> Notices {
        let (desk, paint) = (self.clone(), Paint::stderr());
        Notices::new(move |notice| desk.show(&shown(&notice, paint, stderr_columns())))
    }

    /// A line is being typed, and the editor puts what is sent to it above that line; `None` when it no longer is.
    pub fn typing(&self, editor: Option<SyncSender<String>>) {
        *self.0.lock() = editor;
    }

    fn show(&self, text: &str) {
        let editor = self.0.lock();
        // The editor takes a few lines at a time; a flood goes past it, and must not wait for a key to be pressed.
        let taken = editor.as_ref().is_some_and(|editor| editor.try_send(text.to_string()).is_ok());
        if !taken {
            // While a line is typed the terminal does not return to the first column by itself.
            let end = if editor.is_some() { "\r\n" } else { "\n" };
            let lines: String = text.lines().flat_map(|line| [line, end]).collect();
            // Nobody reading standard error is no reason to stop.
            let _ = write!(std::io::stderr(), "{lines}");
        }
    }
}

/// A notice as lines of at most so many columns, where there is a limit.
fn shown(notice: &Notice, paint: Paint, columns: Option<usize>) -> String {
    let word = match notice.level {
        Level::Info => "",
        Level::Warning => "warning: ",
        Level::Error => "error: ",
    };
    let subject = if notice.subject.is_empty() { String::new() } else { format!("{}: ", visible(&notice.subject)) };
    let text = folded(&format!("{word}{subject}{}", visible(&notice.text)), columns);
    // Colours take no room, so they come last.
    let Some(rest) = text.strip_prefix(word).and_then(|rest| rest.strip_prefix(&subject)) else { return text };
    let word = match notice.level {
        Level::Info => String::new(),
        Level::Warning => paint.warning(word),
        Level::Error => paint.error(word),
    };
    format!("{word}{}{rest}", paint.faint(&subject))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_notice_is_folded_between_words_and_painted_after() {
        let text = "a row that passes goes round without end".to_string();
        let notice = Notice { level: Level::Warning, subject: "CSAS_T".to_string(), text };
        let lines = shown(&notice, Paint::plain(), Some(40));
        assert_eq!(lines, "warning: CSAS_T: a row that passes goes\n  round without end");
        let whole = "warning: CSAS_T: a row that passes goes round without end";
        assert_eq!(shown(&notice, Paint::plain(), None), whole);
        let painted = shown(&notice, Paint::coloured(), Some(40));
        assert_eq!(painted.lines().last(), Some("  round without end"));
        assert!(painted.starts_with(&Paint::coloured().warning("warning: ")), "{painted:?}");
    }

    #[test]
    fn notices_go_to_the_editor_while_it_takes_them() {
        let desk = Desk::default();
        let (editor, above) = std::sync::mpsc::sync_channel(1);
        desk.typing(Some(editor));
        let notices = desk.notices();
        notices.warning("Q", "one");
        // The editor is full; this one must not wait for it.
        notices.warning("Q", "two");
        assert!(above.try_recv().is_ok_and(|line| line.ends_with("one")));
        desk.typing(None);
        notices.warning("Q", "three");
        assert!(above.try_recv().is_err());
    }
}
