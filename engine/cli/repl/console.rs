//! Where the shell writes: rows to standard output, everything else to standard error, and a copy of both into the
//! spool file when there is one, without colours.

use std::fs::File;
use std::io::{self, Write};

use crate::cli::args::OutputFormat;
use crate::cli::bottom::{stderr_columns, stdout_columns};
use crate::cli::notices::whisper;
use crate::cli::{complaint, print};
use crate::error::{Error, Result};

/// The two outputs and the spool.
#[derive(Default)]
pub struct Console {
    spool: Option<Spool>,
}

impl Console {
    /// Standard output, copied into the spool.
    pub fn out(&mut self) -> Out<'_> {
        Out { spool: self.spool.as_mut() }
    }

    /// Lines on standard output; on a terminal folded to its width, and nothing in them speaks to it. A reader that went away
    /// is no error.
    pub fn print(&mut self, text: &str) -> Result<()> {
        match stdout_columns() {
            None => self.write(text.trim_end()),
            columns => self.write(&print::folded(text.trim_end(), columns)),
        }
    }

    /// Lines on standard output as they are, such as statements, which may be taken up again.
    pub fn print_unfolded(&mut self, text: &str) -> Result<()> {
        match stdout_columns() {
            Some(_) => self.write(&print::visible_lines(text.trim_end())),
            None => self.write(text.trim_end()),
        }
    }

    fn write(&mut self, text: &str) -> Result<()> {
        match writeln!(self.out(), "{text}") {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Error::external("the output cannot be written").detail(error.to_string()))
            }
            _ => Ok(()),
        }
    }

    /// A line on standard error about what was done.
    pub fn say(&mut self, text: &str) {
        self.tell(&print::folded(text, stderr_columns()));
    }

    fn tell(&mut self, text: &str) {
        // Nobody reading standard error is no reason to stop.
        let _ = writeln!(io::stderr(), "{text}");
        self.copy(text);
    }

    /// A line on standard error that is not part of the results.
    pub fn whisper(&mut self, text: &str) {
        whisper("", text);
    }

    /// An error over its text, or as a line of JSON.
    pub fn complain(&mut self, output: OutputFormat, error: &Error, text: &str, name: &str) {
        let shown = complaint(output, error, text, name);
        // Its colours are ours.
        self.tell(&shown);
    }

    /// A statement as it was typed, for the spool alone.
    pub fn note_statement(&mut self, text: &str) {
        self.copy(&format!("alcedo> {text}"));
    }

    fn copy(&mut self, text: &str) {
        if let Some(spool) = &mut self.spool {
            spool.write(format!("{text}\n").as_bytes());
        }
    }

    /// Begins to spool into a file, at its end.
    pub fn spool_to(&mut self, path: &str) -> Result<()> {
        let file = File::options().create(true).append(true).open(path);
        let file =
            file.map_err(|error| Error::external(format!("file {path} cannot be written")).detail(error.to_string()))?;
        self.spool = Some(Spool { file, path: path.to_string(), in_escape: false, failed: false });
        Ok(())
    }

    /// Ends spooling; gives the file's path if there was one.
    pub fn spool_off(&mut self) -> Option<String> {
        self.spool.take().map(|spool| spool.path)
    }

    /// The file that is spooled into.
    pub fn spool(&self) -> Option<&str> {
        self.spool.as_ref().map(|spool| spool.path.as_str())
    }
}

/// A file that gets a copy.
struct Spool {
    file: File,
    path: String,
    /// Whether the last byte was inside of an escape sequence of the terminal.
    in_escape: bool,
    failed: bool,
}

impl Spool {
    /// Writes what is no escape sequence. A failure is told once and ends the copy.
    fn write(&mut self, bytes: &[u8]) {
        if self.failed {
            return;
        }
        let mut plain = Vec::with_capacity(bytes.len());
        for &byte in bytes {
            match (self.in_escape, byte) {
                (false, 0x1b) => self.in_escape = true,
                (false, byte) => plain.push(byte),
                (true, byte) => self.in_escape = !byte.is_ascii_alphabetic(),
            }
        }
        if let Err(error) = self.file.write_all(&plain) {
            self.failed = true;
            let _ = writeln!(io::stderr(), "warning: spool file {} cannot be written: {error}", self.path);
        }
    }
}

/// Standard output with its copy.
pub struct Out<'a> {
    spool: Option<&'a mut Spool>,
}

impl Write for Out<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = io::stdout().write(bytes)?;
        if let Some(spool) = &mut self.spool {
            spool.write(&bytes[..written]);
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spool_file_has_no_escape_sequences_and_grows() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("out.txt").display().to_string();
        for text in ["\x1b[1mbold", "\x1b[0m plain\n"] {
            let mut console = Console::default();
            console.spool_to(&path).expect("it can be written");
            console.copy(text.trim_end());
            assert_eq!(console.spool_off().as_ref(), Some(&path));
        }
        assert_eq!(std::fs::read_to_string(&path).expect("it is there"), "bold\n plain\n");
    }
}
