//! What a terminal shows: a program on a pseudo-terminal, and the screen that its output makes.
//!
//! The screen knows what the engine's front end sends: text, carriage return and line feed, colours, cursor moves, erasing,
//! saved cursors and scroll regions. Anything else fails the test that meets it. It answers the line editor's question
//! where the cursor is.

use std::process::Command;
use std::time::{Duration, Instant};

use expectrl::process::Healthcheck;
use expectrl::session::OsSession;
use expectrl::{Expect, Session};

use super::{Case, DEADLINE};

/// A program on a terminal of 80 columns and 24 rows.
pub struct Terminal {
    session: OsSession,
    /// Bytes of the last incomplete sequence.
    pending: Vec<u8>,
    /// What it shows.
    pub screen: Screen,
}

impl Terminal {
    /// Starts the binary in the folder of a case, with colours only when `colours` says so.
    pub fn start(case: &Case, arguments: &[&str], colours: bool) -> Terminal {
        Terminal::start_program(env!("CARGO_BIN_EXE_alcedo"), case, arguments, colours)
    }

    /// Starts another program in the place of the binary, such as a shell that starts it.
    pub fn start_program(program: &str, case: &Case, arguments: &[&str], colours: bool) -> Terminal {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(case.path(".")).env("XDG_DATA_HOME", case.path("home"));
        command.env("TERM", "xterm-256color").env("LC_ALL", "C.UTF-8").env_remove("NO_COLOR");
        command.envs(case.environment.iter().map(|(name, value)| (name, value)));
        if !colours {
            command.env("NO_COLOR", "1");
        }
        let session = Session::spawn(command).expect("the program starts on a terminal");
        Terminal { session, pending: Vec::new(), screen: Screen::new(80, 24) }
    }

    /// Types.
    pub fn send(&mut self, text: &str) {
        self.session.send(text).expect("the terminal takes text");
    }

    /// Makes the terminal another size.
    pub fn resize(&mut self, columns: usize, rows: usize) {
        self.read();
        self.session.get_process_mut().set_window_size(columns as u16, rows as u16).expect("it can be resized");
        self.screen.resize(columns, rows);
    }

    /// Reads until the screen is as wanted; shows it when that does not happen in time.
    #[track_caller]
    pub fn wait(&mut self, what: &str, wanted: impl Fn(&Screen) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            self.read();
            if wanted(&self.screen) {
                return;
            }
            assert!(Instant::now() < deadline, "never showed {what}:\n{}", self.screen.text());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Reads until the program has ended.
    #[track_caller]
    pub fn wait_end(&mut self) {
        let deadline = Instant::now() + DEADLINE;
        while self.session.get_process().is_alive().unwrap_or(false) {
            self.read();
            assert!(Instant::now() < deadline, "never ended:\n{}", self.screen.text());
            std::thread::sleep(Duration::from_millis(5));
        }
        self.read();
    }

    /// Takes what is there.
    fn read(&mut self) {
        let mut buffer = [0; 4096];
        while let Ok(count) = self.session.try_read(&mut buffer)
            && count > 0
        {
            self.pending.extend_from_slice(&buffer[..count]);
        }
        let taken = self.screen.write(&self.pending);
        self.pending.drain(..taken);
        for _ in 0..std::mem::take(&mut self.screen.asked) {
            let answer = format!("\x1b[{};{}R", self.screen.row + 1, self.screen.column + 1);
            self.session.send(&answer).expect("the terminal takes an answer");
        }
    }
}

/// Rows of characters, a cursor and a scroll region.
pub struct Screen {
    columns: usize,
    rows: Vec<Vec<char>>,
    /// Rows that have scrolled off the top.
    pub history: Vec<String>,
    row: usize,
    column: usize,
    saved: (usize, usize),
    /// First and last row that scroll.
    region: (usize, usize),
    /// How often the program asked where the cursor is.
    asked: usize,
    /// Whether a colour was ever set.
    pub coloured: bool,
}

impl Screen {
    fn new(columns: usize, rows: usize) -> Screen {
        Screen {
            columns,
            rows: vec![vec![' '; columns]; rows],
            history: Vec::new(),
            row: 0,
            column: 0,
            saved: (0, 0),
            region: (0, rows - 1),
            asked: 0,
            coloured: false,
        }
    }

    /// Rows from the top are lost when there are fewer; lines are cut when they are shorter, as in a terminal without reflow.
    fn resize(&mut self, columns: usize, rows: usize) {
        let lost = (self.row + 1).saturating_sub(rows);
        self.rows.drain(..lost);
        self.row -= lost;
        self.rows.resize(rows, Vec::new());
        self.rows.iter_mut().for_each(|row| row.resize(columns, ' '));
        (self.columns, self.region) = (columns, (0, rows - 1));
        self.column = self.column.min(columns - 1);
    }

    /// One row, without blanks at its end; the first is 0, and -1 is the last.
    pub fn line(&self, row: isize) -> String {
        let at = if row < 0 { self.rows.len() as isize + row } else { row };
        self.rows[at as usize].iter().collect::<String>().trim_end().to_string()
    }

    /// What has scrolled off and what is there, without empty lines at the end.
    pub fn text(&self) -> String {
        let rows = self.history.iter().cloned().chain((0..self.rows.len()).map(|row| self.line(row as isize)));
        rows.collect::<Vec<_>>().join("\n").trim_end().to_string()
    }

    /// Whether a scroll region is in force.
    pub fn has_region(&self) -> bool {
        self.region != (0, self.rows.len() - 1)
    }

    /// Takes output; gives how many bytes were taken, the rest is an incomplete sequence.
    fn write(&mut self, bytes: &[u8]) -> usize {
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).expect("it is valid so far"),
        };
        let mut at = 0;
        while let Some(c) = text[at..].chars().next() {
            let length = if c == '\x1b' {
                match self.sequence(&text[at..]) {
                    Some(length) => length,
                    None => return at,
                }
            } else {
                self.character(c);
                c.len_utf8()
            };
            at += length;
        }
        at
    }

    fn character(&mut self, c: char) {
        match c {
            '\r' => self.column = 0,
            '\n' => self.line_feed(),
            '\x08' => self.column = self.column.saturating_sub(1),
            '\x07' => {}
            c => {
                assert!(!c.is_control(), "the terminal got {c:?}");
                if self.column == self.columns {
                    self.column = 0;
                    self.line_feed();
                }
                let width = unicode_width::UnicodeWidthChar::width(c).unwrap_or(0);
                for i in 0..width {
                    if let Some(cell) = self.rows[self.row].get_mut(self.column) {
                        *cell = if i == 0 { c } else { '\u{200b}' };
                        self.column += 1;
                    }
                }
            }
        }
    }

    fn line_feed(&mut self) {
        let (top, bottom) = self.region;
        if self.row == bottom {
            let row = self.rows.remove(top);
            if top == 0 {
                self.history.push(row.iter().collect::<String>().trim_end().to_string());
            }
            self.rows.insert(bottom, vec![' '; self.columns]);
        } else if self.row + 1 < self.rows.len() {
            self.row += 1;
        }
    }

    /// Carries out the sequence that the text begins with; gives its length, `None` when it is not whole.
    fn sequence(&mut self, text: &str) -> Option<usize> {
        match text.as_bytes().get(1)? {
            b'7' => self.saved = (self.row, self.column),
            b'8' => (self.row, self.column) = self.saved,
            b'[' => {
                let end = 2 + text[2..].find(|c: char| ('@'..='~').contains(&c))?;
                let (parameters, last) = (&text[2..end], text.as_bytes()[end]);
                let number = |i: usize, default: usize| {
                    parameters.split(';').nth(i).and_then(|n| n.parse().ok()).unwrap_or(default)
                };
                let last_row = self.rows.len() - 1;
                match last {
                    b'm' => self.coloured |= !matches!(parameters, "" | "0"),
                    b'A' => self.row = self.row.saturating_sub(number(0, 1)),
                    b'B' => self.row = (self.row + number(0, 1)).min(last_row),
                    b'C' => self.column = (self.column + number(0, 1)).min(self.columns - 1),
                    b'D' => self.column = self.column.saturating_sub(number(0, 1)),
                    b'G' => self.column = number(0, 1) - 1,
                    b'H' => {
                        self.row = (number(0, 1).max(1) - 1).min(last_row);
                        self.column = (number(1, 1).max(1) - 1).min(self.columns - 1);
                    }
                    b'K' => {
                        let from = if number(0, 0) == 2 { 0 } else { self.column.min(self.columns) };
                        self.rows[self.row][from..].fill(' ');
                    }
                    b'J' => {
                        let (row, column) = if number(0, 0) == 2 { (0, 0) } else { (self.row, self.column) };
                        self.rows[row][column.min(self.columns)..].fill(' ');
                        self.rows[row + 1..].iter_mut().for_each(|row| row.fill(' '));
                    }
                    b'r' => {
                        self.region = (number(0, 1).max(1) - 1, number(1, self.rows.len()) - 1);
                        (self.row, self.column) = (0, 0);
                    }
                    b'S' => (0..number(0, 1)).for_each(|_| {
                        let row = std::mem::replace(&mut self.row, self.region.1);
                        self.line_feed();
                        self.row = row;
                    }),
                    b'n' if parameters == "6" => self.asked += 1,
                    // Modes of the line editor (bracketed paste, cursor shape, keyboard), which show nothing.
                    b'h' | b'l' | b'q' | b'u' => {}
                    other => panic!("the terminal got the sequence ESC [ {parameters} {}", char::from(other)),
                }
                return Some(end + 1);
            }
            b'=' | b'>' => {}
            other => panic!("the terminal got the sequence ESC {}", char::from(*other)),
        }
        Some(2)
    }
}
