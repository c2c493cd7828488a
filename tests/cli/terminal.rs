//! The shell on a pseudo-terminal: several lines, history, an interrupt.

use std::process::Command;
use std::time::Duration;

use expectrl::process::Healthcheck;
use expectrl::session::OsSession;
use expectrl::{Eof, Expect, Regex, Session};

use crate::harness::Case;

/// The shell on a terminal of its own. The line editor asks where the cursor is; a real terminal answers, and so do we.
struct Terminal {
    session: OsSession,
}

impl Terminal {
    fn start(case: &Case) -> Terminal {
        let mut command = Command::new(env!("CARGO_BIN_EXE_alcedo"));
        command.arg("repl").current_dir(case.path(".")).env("XDG_DATA_HOME", case.path("home")).env("TERM", "xterm");
        let mut session = Session::spawn(command).expect("the shell starts on a terminal");
        session.set_expect_timeout(Some(Duration::from_secs(60)));
        Terminal { session }
    }

    /// Waits for the text; see [`wait_pattern`](Self::wait_pattern).
    #[track_caller]
    fn wait(&mut self, text: &str) {
        self.wait_pattern(&text.replace('(', "\\(").replace(')', "\\)").replace('.', "\\."));
    }

    /// Waits for the prompt, whose parts have colours of their own.
    #[track_caller]
    fn wait_prompt(&mut self) {
        self.wait_pattern("alcedo\x1b[^\\n]{0,40}> ");
    }

    /// Reads until the pattern comes, answering the editor's questions on the way.
    #[track_caller]
    fn wait_pattern(&mut self, text: &str) {
        let pattern = format!("\x1b\\[6n|{text}");
        loop {
            let found =
                self.session.expect(Regex(&pattern)).unwrap_or_else(|error| panic!("never said {text:?}: {error}"));
            if found.get(0) != Some(b"\x1b[6n") {
                return;
            }
            self.session.send("\x1b[1;1R").expect("the terminal takes an answer");
        }
    }

    fn send(&mut self, text: &str) {
        self.session.send(text).expect("the terminal takes text");
    }
}

#[test]
fn statements_go_over_lines_and_an_interrupt_stops_the_query_and_not_the_shell() {
    let case = Case::new();
    let mut terminal = Terminal::start(&case);
    terminal.wait_prompt();
    terminal.send("CREATE STREAM s (id INTEGER)\r");
    terminal.wait("...> ");
    terminal.send("WITH (kafka_topic='s', value_format='JSON');\r");
    terminal.wait("Created stream S.");
    terminal.wait_prompt();
    terminal.send("CREATE STREAM t AS SELECT id FROM s;\r");
    terminal.wait("Created query CSAS_T.");
    terminal.wait_prompt();
    terminal.send("SELECT id FROM s EMIT CHANGES;\r");
    terminal.wait("Ctrl-C stops the query");
    terminal.send("\x03");
    terminal.wait("query stopped");
    terminal.wait_prompt();
    // The last statement comes back with the arrow key.
    terminal.send("\x1b[A");
    terminal.wait("SELECT id FROM s");
    terminal.send("\r");
    terminal.wait("Ctrl-C stops the query");
    terminal.send("\x03");
    terminal.wait("query stopped");
    terminal.wait_prompt();
    terminal.send("exit\r");
    terminal.wait("stopping CSAS_T");
    terminal.session.expect(Eof).expect("the shell ends");
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while terminal.session.get_process().is_alive().unwrap_or(false) {
        assert!(std::time::Instant::now() < deadline, "the shell did not end");
        std::thread::yield_now();
    }
}
