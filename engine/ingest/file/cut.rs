//! Bytes of a file to lines: a buffer that gives one record after the other, and never a part of one.
//!
//! A CSV record may hold line breaks inside quotes, so only its whole says where it ends. A quote that never closes would
//! swallow the rest of the file: when a record grows beyond the longest allowed, or the file ends in it, its first line alone
//! is bad, and reading goes on with the second.

use std::io::{self, Read};
use std::ops::Range;

use memchr::{memchr, memchr_iter, memchr2};

/// Bytes asked for in one read.
const CHUNK: usize = 256 << 10;

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cut {
    /// A record, where it is in [`Cutter::bytes`]; the line end is left out.
    Record {
        /// Its bytes.
        range: Range<usize>,
        /// Bytes it takes in the file, line end included.
        size: u64,
        /// Lines it takes in the file.
        lines: u64,
    },
    /// A line that cannot be a record.
    Bad {
        /// Bytes it takes in the file.
        size: u64,
        /// Why.
        why: &'static str,
    },
    /// The next record is not whole yet.
    More,
}

/// The buffer.
#[derive(Debug)]
pub(super) struct Cutter {
    buffer: Vec<u8>,
    start: usize,
    /// The byte between fields, when records may have quotes.
    delimiter: Option<u8>,
    longest: usize,
    /// Bytes of a line that is too long and whose end has not come yet.
    skipped: u64,
    /// Whether nothing will follow what was read.
    is_last: bool,
}

enum End {
    /// Behind the record: the position of its line end, and the lines it takes.
    At(usize, u64),
    /// Not there yet.
    Open,
    /// Not there yet, and a quote is open.
    Quoted,
}

impl Cutter {
    /// A buffer for lines, or for CSV records with this delimiter.
    pub(super) fn new(delimiter: Option<u8>, longest: usize) -> Cutter {
        Cutter { buffer: Vec::new(), start: 0, delimiter, longest, skipped: 0, is_last: false }
    }

    /// The bytes that ranges are about; valid until the next [`read`](Self::read).
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer
    }

    /// Whether everything read was given out.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting() == 0
    }

    /// Bytes read and not given out.
    pub(super) fn waiting(&self) -> u64 {
        (self.buffer.len() - self.start) as u64 + self.skipped
    }

    /// Says that nothing will follow what was read: [`next`](Self::next) gives the rest as a line.
    pub(super) fn end(&mut self) {
        self.is_last = true;
    }

    /// Reads more; gives how much, 0 at the end of the file.
    pub(super) fn read(&mut self, file: &mut impl Read) -> io::Result<usize> {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        let before = self.buffer.len();
        self.buffer.resize(before + CHUNK, 0);
        let read = loop {
            match file.read(&mut self.buffer[before..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        let length = *read.as_ref().unwrap_or(&0);
        self.buffer.truncate(before + length);
        self.is_last &= length == 0;
        read
    }

    /// The next record of what was read.
    pub(super) fn next(&mut self) -> Cut {
        let rest = &self.buffer[self.start..];
        if self.skipped > 0 {
            let end = memchr(b'\n', rest);
            let taken = end.map_or(rest.len(), |end| end + 1);
            self.start += taken;
            self.skipped += taken as u64;
            return match end.is_some() || self.is_last {
                true => Cut::Bad { size: std::mem::take(&mut self.skipped), why: TOO_LONG },
                false => Cut::More,
            };
        }
        if rest.is_empty() {
            return Cut::More;
        }
        let fits = rest.len() <= self.longest;
        match self.end_of(rest) {
            End::At(end, _) if end > self.longest => self.first_line_is_bad(TOO_LONG),
            End::At(end, lines) => {
                let range = self.start..self.start + trimmed(&rest[..end]);
                self.start += end + 1;
                Cut::Record { range, size: end as u64 + 1, lines }
            }
            End::Open | End::Quoted if fits && !self.is_last => Cut::More,
            End::Open if fits => self.rest(1),
            // A quoted field that the file's last byte closes.
            End::Quoted if fits && closes_at_end(rest) => self.rest(1 + memchr_iter(b'\n', rest).count() as u64),
            End::Quoted if self.is_last || memchr(b'\n', rest).is_some() => self.first_line_is_bad(UNCLOSED),
            End::Open | End::Quoted => self.first_line_is_bad(TOO_LONG),
        }
    }

    /// The next record when nothing will follow what was read: the last line needs no line end.
    pub(super) fn last(&mut self) -> Cut {
        self.is_last = true;
        self.next()
    }

    /// Everything that is left, as one record.
    fn rest(&mut self, lines: u64) -> Cut {
        let rest = &self.buffer[self.start..];
        let (size, range) = (rest.len() as u64, self.start..self.start + trimmed(rest));
        self.start = self.buffer.len();
        Cut::Record { range, size, lines }
    }

    fn first_line_is_bad(&mut self, why: &'static str) -> Cut {
        let rest = &self.buffer[self.start..];
        match memchr(b'\n', rest) {
            Some(end) => {
                self.start += end + 1;
                Cut::Bad { size: end as u64 + 1, why }
            }
            None => {
                let size = rest.len() as u64;
                self.start = self.buffer.len();
                if self.is_last {
                    return Cut::Bad { size, why };
                }
                self.skipped = size;
                Cut::More
            }
        }
    }

    fn end_of(&self, bytes: &[u8]) -> End {
        let line = memchr(b'\n', bytes);
        let Some(delimiter) = self.delimiter else { return line.map_or(End::Open, |end| End::At(end, 1)) };
        // Most lines have no quote at all.
        let until = line.unwrap_or(bytes.len());
        if memchr(b'"', &bytes[..until]).is_none() {
            return line.map_or(End::Open, |end| End::At(end, 1));
        }
        quoted_end(bytes, delimiter)
    }
}

const TOO_LONG: &str = "the line is longer than 'max.line.bytes'";
const UNCLOSED: &str = "a quoted field is not closed";

/// The length without a carriage return at the end.
fn trimmed(line: &[u8]) -> usize {
    line.len() - usize::from(line.last() == Some(&b'\r'))
}

/// The end of a record field by field: a quote opens at the beginning of a field only.
fn quoted_end(bytes: &[u8], delimiter: u8) -> End {
    let (mut at, mut lines) = (0, 1);
    loop {
        if bytes.get(at) == Some(&b'"') {
            at += 1;
            loop {
                let Some(length) = memchr(b'"', &bytes[at..]) else { return End::Quoted };
                lines += memchr_iter(b'\n', &bytes[at..at + length]).count() as u64;
                at += length + 1;
                match bytes.get(at) {
                    Some(b'"') => at += 1,
                    // The next byte decides whether this quote closes the field.
                    None => return End::Quoted,
                    Some(_) => break,
                }
            }
        }
        match memchr2(delimiter, b'\n', &bytes[at..]) {
            None => return End::Open,
            Some(length) if bytes[at + length] == b'\n' => return End::At(at + length, lines),
            Some(length) => at += length + 1,
        }
    }
}

/// Whether an even number of quotes makes the last byte, a quote, close what is open.
fn closes_at_end(bytes: &[u8]) -> bool {
    bytes.ends_with(b"\"") && memchr_iter(b'"', bytes).count().is_multiple_of(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All records and bad lines of a text that comes in pieces of `step` bytes; `\` for a bad line.
    fn cut(text: &str, csv: bool, longest: usize, step: usize) -> Vec<String> {
        let mut cutter = Cutter::new(csv.then_some(b','), longest);
        let mut found = Vec::new();
        let mut size = 0;
        let mut pieces = text.as_bytes().chunks(step);
        let mut over = false;
        loop {
            let cut = if over { cutter.last() } else { cutter.next() };
            match cut {
                Cut::Record { range, size: taken, .. } => {
                    size += taken;
                    found.push(String::from_utf8_lossy(&cutter.bytes()[range]).into_owned());
                }
                Cut::Bad { size: taken, .. } => {
                    size += taken;
                    found.push("\\".to_string());
                }
                Cut::More if over && cutter.is_empty() => break,
                Cut::More => match pieces.next() {
                    Some(mut piece) => drop(cutter.read(&mut piece).expect("memory can be read")),
                    None => over = true,
                },
            }
        }
        assert_eq!(size, text.len() as u64, "every byte is accounted for");
        found
    }

    fn each_step(text: &str, csv: bool, longest: usize, expected: &[&str]) {
        for step in [1, 2, 3, 7, 1000] {
            assert_eq!(cut(text, csv, longest, step), expected, "in steps of {step}");
        }
    }

    #[test]
    fn lines_end_with_either_line_end_and_the_last_needs_none() {
        each_step("a\r\nbc\n\nd", false, 100, &["a", "bc", "", "d"]);
        each_step("a\n", false, 100, &["a"]);
        each_step("", false, 100, &[]);
    }

    #[test]
    fn quotes_hold_line_breaks_and_delimiters_only_from_the_beginning_of_a_field() {
        each_step("a,\"x\ny\",b\nc\n", true, 100, &["a,\"x\ny\",b", "c"]);
        each_step("\"he said \"\"no\"\"\n\"\nb\"c,d\ne", true, 100, &["\"he said \"\"no\"\"\n\"", "b\"c,d", "e"]);
        each_step("a,\"x\ny\"", true, 100, &["a,\"x\ny\""]);
    }

    #[test]
    fn an_open_quote_costs_its_line_and_not_the_file() {
        each_step("a,\"x\nb,1\nc,2\n", true, 100, &["\\", "b,1", "c,2"]);
        each_step("\"x\nb\nc\nd\n", true, 5, &["\\", "b", "c", "d"]);
    }

    #[test]
    fn a_line_that_is_too_long_is_one_bad_line() {
        each_step("12345\n123456\n1\n", false, 5, &["12345", "\\", "1"]);
        each_step("1234567890", false, 5, &["\\"]);
        let long = format!("{}\nx\n", "y".repeat(CHUNK * 2));
        assert_eq!(cut(&long, false, CHUNK, 10_000), ["\\", "x"]);
    }
}
