//! The thread's side of a file source: files opened where they were left, read, followed.
//!
//! Files are read one after the other, in the order of their names. A followed source keeps its files open, so that lines
//! written before a file was renamed are read although its name stands for another one now.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::config::{CsvConfig, FileConfig, Format};
use super::csv::{self, CsvRecords};
use super::cut::{Cut, Cutter};
use super::list;
use super::ndjson::NdjsonRecords;
use super::place::{Identity, Place, Since};
use super::report::BadLines;
use crate::error::{Code, Error, Result};
use crate::ingest::positions::Positions;
use crate::ingest::properties::Properties;
use crate::ingest::worker::{Fill, Progress, Source};
use crate::notice::Notices;
use crate::record::OutBatch;

/// How often a followed file is looked at.
const FOLLOW: Duration = Duration::from_millis(100);

/// Bytes of values in a batch, about.
const BATCH_BYTES: usize = 1 << 20;

/// How often progress through a backlog is told.
const TELL: Duration = Duration::from_secs(5);

/// A file source.
pub(super) struct FileSource {
    config: FileConfig,
    name: String,
    notices: Notices,
    bad: BadLines,
    parts: Vec<Part>,
    /// The part at work.
    at: usize,
    progress: Arc<FileProgress>,
}

/// One file of a source.
struct Part {
    path: PathBuf,
    file: File,
    identity: Identity,
    cutter: Cutter,
    records: Records,
    offset: u64,
    lines: u64,
    bad: u64,
    /// The offset of the place that was kept last.
    kept: Option<u64>,
    /// Whether the last line was given out before its line end was there: what comes first is the rest of that line.
    is_open: bool,
}

/// What makes records of lines.
enum Records {
    Csv(CsvRecords),
    /// CSV whose first line, still to come, names the columns.
    Header,
    Ndjson(NdjsonRecords),
    Lines,
}

/// What others may know while the thread reads.
#[derive(Debug, Default)]
pub(super) struct FileProgress(Mutex<Seen>);

#[derive(Debug, Clone, Default)]
struct Seen {
    file: String,
    offset: u64,
    size: u64,
    lines: u64,
    bad: u64,
    /// When this run began, and how many lines there were then.
    since: Option<(Instant, u64)>,
    told: Option<Instant>,
}

impl Progress for FileProgress {
    fn counts(&self) -> Vec<(&'static str, u64)> {
        let seen = self.0.lock();
        vec![("lines", seen.lines), ("bad_lines", seen.bad)]
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let seen = self.0.lock();
        if seen.file.is_empty() {
            return Vec::new();
        }
        let Seen { offset, size, .. } = *seen;
        vec![("file", seen.file.clone()), ("position", format!("{offset} of {size} bytes ({} %)", seen.percent()))]
    }
}

impl Seen {
    fn percent(&self) -> u64 {
        if self.size == 0 { 100 } else { (self.offset.min(self.size) as u128 * 100 / self.size as u128) as u64 }
    }

    fn lines_a_second(&self) -> f64 {
        let Some((since, before)) = self.since else { return 0.0 };
        (self.lines - before.min(self.lines)) as f64 / since.elapsed().as_secs_f64().max(0.001)
    }
}

impl FileSource {
    pub(super) fn new(config: FileConfig, name: String, notices: Notices) -> FileSource {
        let bad = BadLines::new(&name, notices.clone());
        FileSource { config, name, notices, bad, parts: Vec::new(), at: 0, progress: Arc::default() }
    }

    pub(super) fn progress(&self) -> Arc<FileProgress> {
        Arc::clone(&self.progress)
    }

    /// Opens a file where it was left.
    fn open_part(&self, path: &Path, positions: &Positions) -> Result<Part> {
        let read = |error: io::Error| cannot_read(path, &error);
        let file = File::open(path).map_err(read)?;
        let metadata = file.metadata().map_err(read)?;
        let shown = path.display();
        let kept = positions.get(&*path.to_string_lossy()).and_then(|text| serde_json::from_str::<Place>(text).ok());
        let place = match kept {
            None => Place::default(),
            Some(place) => {
                let others = match place.since(&file).map_err(read)? {
                    Since::Same => None,
                    Since::Truncated => Some(format!(
                        "has {} bytes, and {} had been read: it was cut off",
                        metadata.len(),
                        place.offset
                    )),
                    Since::Replaced => Some("is not the file it was: its earlier bytes are others".to_string()),
                };
                match others {
                    None => place,
                    Some(how) => {
                        self.notices.warning(&self.name, format!("{shown} {how}; it is read from its beginning"));
                        Place::default()
                    }
                }
            }
        };
        let mut part = self.part_at(path, file, place).map_err(read)?;
        if place.offset > 0 {
            let text = format!("goes on in {shown} at line {}, byte {}", place.lines + 1, place.offset);
            self.notices.info(&self.name, text);
            part.kept = Some(place.offset);
        } else {
            self.notices.info(&self.name, format!("reads {shown} from its beginning"));
        }
        Ok(part)
    }

    /// A file at a place in it; a CSV file's columns come from its first line all the same.
    fn part_at(&self, path: &Path, mut file: File, place: Place) -> io::Result<Part> {
        let mut cutter = self.cutter();
        let mut records = self.records(None);
        if let (Records::Header, Format::Csv(config), true) = (&records, &self.config.format, place.offset > 0) {
            let first = loop {
                match cutter.next() {
                    Cut::Record { range, .. } => break Some(range),
                    Cut::Bad { .. } => break None,
                    Cut::More if cutter.read(&mut file)? == 0 => break None,
                    Cut::More => {}
                }
            };
            // The bytes were there when the place was kept, so the line reads as it did then.
            if let Some(Ok(names)) = first.map(|range| header(&cutter.bytes()[range], config)) {
                records = self.records(Some(&names));
            }
            cutter = self.cutter();
        }
        file.seek(SeekFrom::Start(place.offset))?;
        let identity = Identity::of(&file.metadata()?);
        let Place { offset, mut lines, bad, .. } = place;
        let mut last = [b'\n'];
        if offset > 0 {
            file.read_exact_at(&mut last, offset - 1)?;
        }
        let is_open = last != [b'\n'];
        lines -= u64::from(is_open).min(lines);
        let path = path.to_path_buf();
        Ok(Part { path, file, identity, cutter, records, offset, lines, bad, kept: None, is_open })
    }

    fn cutter(&self) -> Cutter {
        let delimiter = match &self.config.format {
            Format::Csv(csv) => Some(csv.delimiter),
            _ => None,
        };
        Cutter::new(delimiter, self.config.max_line)
    }

    /// What makes records of lines, as far as it is known without a header.
    fn records(&self, header: Option<&[String]>) -> Records {
        let (key, timestamp) = (self.config.key.as_deref(), self.config.timestamp.as_deref());
        match &self.config.format {
            Format::Lines => Records::Lines,
            Format::Ndjson => Records::Ndjson(NdjsonRecords::new(key, timestamp)),
            Format::Csv(csv) => {
                let names = csv.columns.as_deref().filter(|_| !csv.has_header || header.is_some()).or(header);
                match names.map(|names| CsvRecords::new(csv, names, key, timestamp)) {
                    Some(Ok(records)) => Records::Csv(records),
                    _ => Records::Header,
                }
            }
        }
    }

    /// Fills a batch from the part at work; gives whether there may be more in it now.
    fn read_part(&mut self, batch: &mut OutBatch) -> Result<bool> {
        let FileSource { config, parts, bad, at, .. } = self;
        let part = &mut parts[*at];
        loop {
            if batch.len() >= config.batch || batch.values.byte_size() >= BATCH_BYTES {
                return Ok(true);
            }
            match part.cutter.next() {
                Cut::More => {
                    let read = part.cutter.read(&mut part.file).map_err(|error| cannot_read(&part.path, &error))?;
                    if read > 0 {
                        continue;
                    }
                    if config.follow {
                        return Ok(false);
                    }
                    match part.cutter.last() {
                        Cut::More => return Ok(false),
                        cut => part.take(cut, config, batch, bad)?,
                    }
                }
                cut => part.take(cut, config, batch, bad)?,
            }
        }
    }

    /// Looks for files that came, were replaced or cut off, when all that are known are read; gives whether there is something.
    fn look(&mut self) -> Result<bool> {
        let mut found = false;
        for at in 0..self.parts.len() {
            found |= self.look_at(at)?;
        }
        for path in list::files(&self.config.file).map_err(|error| cannot_read(Path::new(&self.config.file), &error))? {
            if !self.parts.iter().any(|part| part.path == path) && path.exists() {
                self.parts.push(self.open_part(&path, &Positions::new())?);
                found = true;
            }
        }
        Ok(found)
    }

    fn look_at(&mut self, at: usize) -> Result<bool> {
        let part = &self.parts[at];
        let read = |error: io::Error| cannot_read(&part.path, &error);
        // A file that is gone for the moment may be on its way to be replaced.
        let Ok(named) = std::fs::metadata(&part.path) else { return Ok(false) };
        let open = part.file.metadata().map_err(read)?;
        let how = if Identity::of(&named) != part.identity {
            if open.len() > part.offset + part.cutter.waiting() {
                // The rest of the one that is open comes first.
                return Ok(true);
            }
            if !part.cutter.is_empty() {
                // Nobody will write the rest of its last line.
                self.parts[at].cutter.end();
                return Ok(true);
            }
            "was replaced by another file"
        } else if open.len() < part.offset {
            "was cut off"
        } else {
            return Ok(open.len() > part.offset + part.cutter.waiting());
        };
        let path = part.path.clone();
        let file = File::open(&path).map_err(|error| cannot_read(&path, &error))?;
        self.notices.warning(&self.name, format!("{} {how}; it is read from its beginning", path.display()));
        self.parts[at] = self.part_at(&path, file, Place::default()).map_err(|error| cannot_read(&path, &error))?;
        Ok(true)
    }

    fn update(&mut self) {
        let mut seen = self.progress.0.lock();
        let size = |part: &Part| part.file.metadata().map_or(part.offset, |metadata| metadata.len());
        let current = self.parts.get(self.at).or(self.parts.last());
        seen.file = current.map_or(String::new(), |part| part.path.display().to_string());
        seen.offset = self.parts.iter().map(|part| part.offset).sum();
        seen.size = self.parts.iter().map(size).sum();
        seen.lines = self.parts.iter().map(|part| part.lines).sum();
        seen.bad = self.parts.iter().map(|part| part.bad).sum();
        if seen.since.is_none() {
            seen.since = Some((Instant::now(), seen.lines));
        }
    }
}

impl Part {
    fn take(&mut self, cut: Cut, config: &FileConfig, batch: &mut OutBatch, bad: &mut BadLines) -> Result<()> {
        let (range, size, lines) = match cut {
            Cut::More => return Ok(()),
            Cut::Bad { size, why } => {
                bad.tell(&self.path, self.lines + 1, why);
                self.bad += 1;
                self.lines += 1;
                self.offset += size;
                return Ok(());
            }
            Cut::Record { range, size, lines } => (range, size, lines),
        };
        let mut line = &self.cutter.bytes()[range];
        if self.offset == 0 {
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        let is_rest = std::mem::take(&mut self.is_open);
        let added = match &mut self.records {
            // The line end of a line that was given out.
            _ if is_rest && line.is_empty() => Ok(()),
            Records::Lines => {
                batch.push(-1, None, Some(line));
                Ok(())
            }
            _ if line.iter().all(u8::is_ascii_whitespace) => Ok(()),
            Records::Csv(records) => records.add(line, batch),
            Records::Ndjson(records) => records.add(line, batch),
            Records::Header => {
                let Format::Csv(csv) = &config.format else {
                    return Err(Error::internal("a header is read of a file that is not CSV"));
                };
                let (key, timestamp) = (config.key.as_deref(), config.timestamp.as_deref());
                let records = header(line, csv).and_then(|names| CsvRecords::new(csv, &names, key, timestamp));
                // Without its columns nothing of the file can be read: a person has to change the file or the statement.
                let wrong = |why: String| {
                    Error::external(format!("{}, line {}: {why}", self.path.display(), self.lines + 1)).hopeless()
                };
                self.records = Records::Csv(records.map_err(wrong)?);
                Ok(())
            }
        };
        if let Err(why) = added {
            bad.tell(&self.path, self.lines + 1, &why);
            self.bad += 1;
        }
        self.lines += lines;
        self.offset += size;
        Ok(())
    }
}

/// Refuses a key or a time that the first file has no column for.
pub(super) fn probe_columns(config: &FileConfig, properties: &Properties) -> Result<()> {
    let Format::Csv(csv) = &config.format else { return Ok(()) };
    let files = list::files(&config.file).unwrap_or_default();
    let Some(path) = files.first().filter(|_| csv.has_header && csv.columns.is_none()) else { return Ok(()) };
    let read = |error: io::Error| cannot_read(path, &error);
    let mut file = File::open(path).map_err(read)?;
    let mut cutter = Cutter::new(Some(csv.delimiter), config.max_line);
    let range = loop {
        match cutter.next() {
            Cut::Record { range, .. } => break range,
            // The thread reports it, and takes the next line for the header.
            Cut::Bad { .. } => return Ok(()),
            Cut::More if cutter.read(&mut file).map_err(read)? > 0 => {}
            Cut::More => match cutter.last() {
                Cut::Record { range, .. } => break range,
                // A file that is still empty.
                _ => return Ok(()),
            },
        }
    };
    let shown = path.display();
    let names = header(&cutter.bytes()[range], csv).map_err(|why| {
        properties.at_value("file", Error::refused(Code::InvalidFile, format!("{shown}, line 1: {why}")))
    })?;
    for (name, column) in [("key", &config.key), ("timestamp", &config.timestamp)] {
        if let Some(column) = column
            && !names.contains(column)
        {
            let error = Error::refused(Code::UnknownColumn, format!("file {shown} has no column {column}"));
            let error = error.hint(format!("Its first line names {}.", names.join(", ")));
            return Err(properties.at_value(name, error));
        }
    }
    Ok(())
}

/// The columns that a header line and the configuration give.
fn header(line: &[u8], config: &CsvConfig) -> Result<Vec<String>, String> {
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    match &config.columns {
        // Names of the statement win over those of the file.
        Some(columns) => Ok(columns.clone()),
        None => csv::header(line, config.delimiter),
    }
}

fn cannot_read(path: &Path, error: &io::Error) -> Error {
    Error::external(format!("file {} cannot be read", path.display())).detail(list::reason(error)).retryable()
}

impl Source for FileSource {
    fn open(&mut self, positions: &Positions) -> Result<()> {
        let given = Path::new(&self.config.file);
        let files = list::files(&self.config.file).map_err(|error| cannot_read(given, &error))?;
        if files.is_empty() && !self.config.follow {
            return Err(Error::external(format!("no file matches {}", self.config.file)).retryable());
        }
        self.at = 0;
        self.parts = files.iter().map(|path| self.open_part(path, positions)).collect::<Result<_>>()?;
        self.update();
        Ok(())
    }

    fn fill(&mut self, batch: &mut OutBatch) -> Result<Fill> {
        while self.at < self.parts.len() {
            if self.read_part(batch)? {
                return Ok(Fill::More);
            }
            self.at += 1;
        }
        if !self.config.follow {
            return Ok(Fill::End);
        }
        let is_more = self.look()?;
        self.at = 0;
        Ok(if is_more { Fill::More } else { Fill::Wait(FOLLOW) })
    }

    fn positions(&mut self) -> Result<Positions> {
        let mut positions = Positions::new();
        for part in &mut self.parts {
            if part.kept == Some(part.offset) || part.offset == 0 && part.kept.is_none() {
                continue;
            }
            let place = Place::new(&part.file, part.offset, part.lines, part.bad)
                .map_err(|error| cannot_read(&part.path, &error))?;
            let text = serde_json::to_string(&place).map_err(|error| Error::internal(error.to_string()))?;
            positions.insert(part.path.to_string_lossy().into_owned(), text);
            part.kept = Some(part.offset);
        }
        Ok(positions)
    }

    fn committed(&mut self) {
        self.update();
        let mut seen = self.progress.0.lock();
        let told = *seen.told.get_or_insert_with(Instant::now);
        if told.elapsed() >= TELL && seen.offset < seen.size {
            seen.told = Some(Instant::now());
            let text =
                format!("{} % of {}, {:.0} lines a second", seen.percent(), self.config.file, seen.lines_a_second());
            self.notices.info(&self.name, text);
        }
    }

    fn finished(&mut self) {
        self.update();
        self.bad.finish();
        let seen = self.progress.0.lock();
        let (since, before) = seen.since.unwrap_or((Instant::now(), seen.lines));
        let bad = if seen.bad > 0 { format!(", {} bad", seen.bad) } else { String::new() };
        let text = match seen.lines - before.min(seen.lines) {
            0 => format!("{} holds nothing new ({} lines{bad})", self.config.file, seen.lines),
            lines => format!(
                "read {} to its end: {lines} lines in {:.1} s{bad}",
                self.config.file,
                since.elapsed().as_secs_f64()
            ),
        };
        self.notices.info(&self.name, text);
    }
}

#[cfg(test)]
mod tests;
