//! The shell on a pseudo-terminal: several lines, completion, hints, history, the editor, interrupts.

use std::process::Command;
use std::time::{Duration, Instant};

use expectrl::process::Healthcheck;
use expectrl::session::OsSession;
use expectrl::{Eof, Expect, Regex, Session};

use crate::harness::Case;

const CREATE: &str =
    "CREATE STREAM readings (sensor VARCHAR, celsius DOUBLE) WITH (kafka_topic='r', value_format='JSON');\r";

/// The shell on a terminal of its own. The line editor asks where the cursor is; a real terminal answers, and so do we.
struct Terminal {
    session: OsSession,
}

impl Terminal {
    fn start(case: &Case) -> Terminal {
        Terminal::start_with(case, &[])
    }

    fn start_with(case: &Case, variables: &[(&str, &str)]) -> Terminal {
        let mut command = Command::new(env!("CARGO_BIN_EXE_alcedo"));
        command.arg("repl").current_dir(case.path(".")).env("XDG_DATA_HOME", case.path("home")).env("TERM", "xterm");
        command.env_remove("NO_COLOR").env_remove("VISUAL").envs(variables.iter().copied());
        let mut session = Session::spawn(command).expect("the shell starts on a terminal");
        session.set_expect_timeout(Some(Duration::from_secs(60)));
        let mut terminal = Terminal { session };
        terminal.session.get_process_mut().set_window_size(120, 40).expect("a terminal has a size");
        terminal.wait_prompt();
        terminal
    }

    /// Waits for the text; see [`wait_pattern`](Self::wait_pattern).
    #[track_caller]
    fn wait(&mut self, text: &str) {
        self.wait_pattern(&regex::escape(text));
    }

    /// Waits for words that may each have colours of their own.
    #[track_caller]
    fn wait_words(&mut self, text: &str) {
        let words: Vec<String> = text.split(' ').map(regex::escape).collect();
        self.wait_pattern(&words.join("(\x1b\\[[0-9;]*m| )*"));
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

    /// Types a line that is complete, and waits for what it says and the next prompt.
    #[track_caller]
    fn line(&mut self, text: &str, says: &str) {
        self.send(text);
        self.send("\r");
        self.wait(says);
        self.wait_prompt();
    }

    /// Waits until the shell has ended.
    #[track_caller]
    fn wait_end(&mut self) {
        self.session.expect(Eof).expect("the shell ends");
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.session.get_process().is_alive().unwrap_or(false) {
            assert!(Instant::now() < deadline, "the shell did not end");
            std::thread::yield_now();
        }
    }
}

#[test]
fn statements_go_over_lines_and_an_interrupt_stops_the_query_and_not_the_shell() {
    let case = Case::new();
    let mut terminal = Terminal::start(&case);
    terminal.send("CREATE STREAM s (id INTEGER)\r");
    terminal.wait("...> ");
    terminal.send("WITH (kafka_topic='s', value_format='JSON');\r");
    terminal.wait("Created stream S.");
    terminal.wait_prompt();
    terminal.line("CREATE STREAM t AS SELECT id FROM s;", "Created query CSAS_T.");
    terminal.send("SELECT id FROM s EMIT CHANGES;\r");
    terminal.wait("Ctrl-C stops the query");
    terminal.send("\x03");
    terminal.wait("query stopped");
    terminal.wait_prompt();
    // The last statement comes back with the arrow key.
    terminal.send("\x1b[A");
    terminal.wait_words("SELECT id FROM s");
    terminal.send("\r");
    terminal.wait("Ctrl-C stops the query");
    terminal.send("\x03");
    terminal.wait("query stopped");
    terminal.wait_prompt();
    terminal.send("exit\r");
    terminal.wait("stopping CSAS_T");
    terminal.wait_end();
}

#[test]
fn an_interrupt_ends_a_statement_that_waits() {
    let case = Case::new();
    let mut terminal = Terminal::start(&case);
    // The first answer shows that the line was taken, and that the terminal makes a signal of Ctrl-C.
    terminal.send("DEFINE a = 'b'; ASSERT TOPIC nowhere TIMEOUT 1 HOUR;\r");
    terminal.wait("Defined ${A}.");
    terminal.send("\x03");
    terminal.wait_prompt();
    terminal.line("version", "alcedo 0");
    terminal.send("\x04");
    terminal.wait_end();
}

#[test]
fn the_continuation_prompt_shows_what_is_open() {
    let case = Case::new();
    let mut terminal = Terminal::start(&case);
    for (typed, prompt) in [("SELECT ABS(\r", "(...> "), ("'\r", "'...> "), ("' /*\r", "/*...> "), ("*/ )\r", " ...> ")]
    {
        terminal.send(typed);
        terminal.wait(prompt);
    }
    terminal.send(";\r");
    terminal.wait("expected ");
    terminal.wait_prompt();
    terminal.send("\x04");
    terminal.wait_end();
}

#[test]
fn a_second_interrupt_leaves_and_one_on_a_line_only_clears_it() {
    let case = Case::new();
    let mut terminal = Terminal::start(&case);
    terminal.send("SHOW TOPIX");
    terminal.wait("TOPIX");
    terminal.send("\x03");
    terminal.wait_prompt();
    terminal.send("\x03");
    terminal.wait("Ctrl-C again, or Ctrl-D, leaves");
    terminal.wait_prompt();
    // What is typed in between takes it back.
    terminal.line("version", "alcedo 0");
    terminal.line(CREATE.trim_end(), "Created stream READINGS.");
    terminal.send("SELECT * FROM readings EMIT CHANGES;\r");
    terminal.wait("Ctrl-C stops the query");
    terminal.send("\x03");
    terminal.wait("Ctrl-C again leaves");
    terminal.wait_prompt();
    terminal.send("\x03");
    terminal.wait_end();
}

#[test]
fn tab_completes_what_there_is_and_lists_what_fits() {
    let case = Case::new();
    let mut terminal = Terminal::start(&case);
    terminal.line(CREATE.trim_end(), "Created stream READINGS.");
    // A single fit is taken at once; keywords come in the case of what was typed.
    terminal.send("sel\t");
    terminal.wait("select");
    terminal.send(" cels\t");
    terminal.wait("celsius");
    terminal.send(", subs\t");
    terminal.wait("substring");
    // Several are listed, with their types beside the selected one.
    terminal.send("sensor, 1) from rea\t emit ch\t limit 1;");
    terminal.wait("limit");
    terminal.send("\x1b[H");
    terminal.send("\x1b[F\x15describe function sub\t;\r");
    terminal.wait("Variation   : SUBSTRING(");
    terminal.wait_prompt();
    terminal.send("\\d\t");
    // The first of several, with what it does beside it.
    terminal.wait_words("columns of a stream");
    terminal.send("\x03");
    terminal.wait_prompt();
    terminal.send("exit\r");
    terminal.wait_end();
}

#[test]
fn the_history_hints_is_searched_and_keeps_no_secret() {
    let case = Case::new();
    let mut terminal = Terminal::start(&case);
    terminal.line("SHOW STREAMS;", "Stream");
    terminal.line("DEFINE my_password = 'hunter2';", "Defined");
    terminal.send("exit\r");
    terminal.wait_end();
    let kept = std::fs::read_to_string(case.path("home/alcedo/history")).expect("the history is kept");
    assert_eq!(kept, "SHOW STREAMS;\nDEFINE my_password = '${my_password}';\nexit\n");

    let mut terminal = Terminal::start(&case);
    // The right arrow takes the hint.
    terminal.send("SHOW ");
    terminal.wait("STREAMS;");
    terminal.send("\x1b[C\r");
    terminal.wait("Value format");
    terminal.wait_prompt();
    terminal.send("\x12pass");
    terminal.wait("DEFINE my_");
    terminal.send("\x03");
    terminal.wait_prompt();
    terminal.line("history 2", "SHOW STREAMS;");
    terminal.send("\x04");
    terminal.wait_end();
}

#[test]
fn the_editor_gets_the_last_statement_and_what_is_saved_is_run() {
    use std::os::unix::fs::PermissionsExt;
    let case = Case::new().file("editor", "#!/bin/sh\nsed -i 's/STREAMS/TOPICS/' \"$1\"\n");
    let editor = case.path("editor");
    std::fs::set_permissions(&editor, std::fs::Permissions::from_mode(0o755)).expect("it is ours");
    let mut terminal = Terminal::start_with(&case, &[("EDITOR", &editor.display().to_string())]);
    terminal.line("SHOW STREAMS;", "Value format");
    terminal.line("\\e", "Partitions");
    // A statement that no semicolon ends is the current one.
    terminal.send("SHOW\r");
    terminal.wait("...> ");
    terminal.send("STREAMS\r");
    terminal.wait("...> ");
    terminal.send("\\e\r");
    terminal.wait("Partitions");
    terminal.wait_prompt();
    // Nothing saved, nothing run.
    terminal.send("exit\r");
    terminal.wait_end();
    let mut terminal = Terminal::start_with(&case, &[("VISUAL", "true"), ("EDITOR", "false")]);
    terminal.line("\\e", "nothing was saved, nothing is run");
    terminal.send("exit\r");
    terminal.wait_end();
}

#[test]
fn watch_repeats_until_interrupted() {
    let case = Case::new();
    let mut terminal = Terminal::start(&case);
    terminal.line(CREATE.trim_end(), "Created stream READINGS.");
    terminal.send("SHOW STREAMS \\watch 0.05\r");
    terminal.wait("run 1");
    terminal.wait("READINGS");
    terminal.wait("run 3");
    terminal.send("\x03");
    terminal.wait("watching ended");
    terminal.wait_prompt();
    terminal.line("\\watch soon", "\\watch takes seconds");
    terminal.line("\\timing", "Timing is on.");
    terminal.line("SHOW STREAMS;", "Time: ");
    terminal.send("exit\r");
    terminal.wait_end();
}

#[test]
fn a_misspelt_command_is_told_at_once_with_the_nearest() {
    let case = Case::new();
    let mut terminal = Terminal::start(&case);
    terminal.line("exti", "Did you mean exit?");
    terminal.line("\\timng", "Did you mean \\timing?");
    terminal.line("help me", "there is no help on me");
    terminal.send("quit\r");
    terminal.wait_end();
}
