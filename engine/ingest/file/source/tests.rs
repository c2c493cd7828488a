//! A file source without a broker: what it fills, and where it says it is.

use std::fs;
use std::io::Write;

use super::*;
use crate::ingest::properties::Properties;

struct Desk {
    folder: tempfile::TempDir,
    source: FileSource,
    said: Arc<Mutex<Vec<String>>>,
    positions: Positions,
}

impl Desk {
    fn new(files: &[(&str, &str)], pairs: &[(&str, &str)]) -> Desk {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            fs::write(folder.path().join(name), text).expect("it can be written");
        }
        let said: Arc<Mutex<Vec<String>>> = Arc::default();
        let mut desk = Desk { source: source(&folder, pairs, &said), folder, said, positions: Positions::new() };
        desk.source.open(&desk.positions).expect("the files are there");
        desk
    }

    /// The same source in another process, from the positions that were kept.
    fn again(&mut self, pairs: &[(&str, &str)]) {
        self.source = source(&self.folder, pairs, &self.said);
        self.source.open(&self.positions).expect("the files are there");
    }

    /// What comes until there is nothing for now, and how it ended; positions are kept.
    fn read(&mut self) -> (Vec<String>, Fill) {
        let mut found = Vec::new();
        loop {
            let mut batch = OutBatch::default();
            let fill = self.source.fill(&mut batch).expect("the file can be read");
            for row in 0..batch.len() {
                let text = |bytes: Option<&[u8]>| bytes.map(|b| String::from_utf8_lossy(b).into_owned());
                let value = text(batch.values.get(row)).expect("a value");
                found.push(text(batch.keys.get(row)).map_or(value.clone(), |key| format!("{key}={value}")));
            }
            if fill != Fill::More {
                self.positions.extend(self.source.positions().expect("the file can be read"));
                self.source.committed();
                return (found, fill);
            }
        }
    }

    fn append(&self, name: &str, text: &str) {
        let mut file = fs::OpenOptions::new().append(true).open(self.path(name)).expect("it is there");
        file.write_all(text.as_bytes()).expect("it can be written");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn said(&self, part: &str) -> bool {
        self.said.lock().iter().any(|text| text.contains(part))
    }
}

fn source(folder: &tempfile::TempDir, pairs: &[(&str, &str)], said: &Arc<Mutex<Vec<String>>>) -> FileSource {
    let mut all: Vec<(&str, String)> = vec![("connector.class", "file".into()), ("topic", "t".into())];
    for (name, value) in pairs {
        let value = if *name == "file" { folder.path().join(value).display().to_string() } else { value.to_string() };
        all.push((name, value));
    }
    let all: Vec<(&str, &str)> = all.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let config = FileConfig::read(&Properties::of(&all)).expect("it is right");
    let sink = Arc::clone(said);
    FileSource::new(config, "C".into(), Notices::new(move |notice| sink.lock().push(notice.text)))
}

const CSV: &[(&str, &str)] = &[("file", "a.csv"), ("key", "id")];

#[test]
fn a_csv_file_is_read_to_its_end_and_nothing_of_it_comes_again() {
    let mut desk = Desk::new(&[("a.csv", "\u{feff}id,temp\na,1\n\nb,\"x\ny\"\nbad\nc,3")], CSV);
    let (found, fill) = desk.read();
    assert_eq!(found, [r#"a={"temp":1}"#, r#"b={"temp":"x\ny"}"#, r#"c={"temp":3}"#]);
    assert_eq!(fill, Fill::End);
    assert!(desk.said("a.csv, line 6: it has 1 field, the file has 2 columns"), "{:?}", desk.said);
    let position = |desk: &Desk| desk.source.progress.facts()[1].1.clone();
    assert_eq!(position(&desk), "31 of 31 bytes (100 %)");
    desk.append("a.csv", "\nd,4\n");
    desk.again(CSV);
    assert!(desk.said("goes on in"));
    assert_eq!(position(&desk), "31 of 36 bytes (86 %)");
    assert_eq!(desk.read().0, [r#"d={"temp":4}"#]);
    assert_eq!(desk.source.progress.counts(), [("lines", 8), ("bad_lines", 1)]);
}

#[test]
fn a_file_that_was_cut_off_or_replaced_is_noticed_and_read_anew() {
    let mut desk = Desk::new(&[("a.csv", "id,temp\na,1\nb,2\n")], CSV);
    desk.read();
    fs::write(desk.path("a.csv"), "id,temp\nz,9\n").expect("it can be written");
    desk.again(CSV);
    assert!(desk.said("had been read: it was cut off; it is read from its beginning"), "{:?}", desk.said);
    assert_eq!(desk.read().0, [r#"z={"temp":9}"#]);
    fs::write(desk.path("a.csv"), "id,temp\nx,9\ny,10\n").expect("it can be written");
    desk.again(CSV);
    assert!(desk.said("is not the file it was"), "{:?}", desk.said);
    assert_eq!(desk.read().0.len(), 2);
}

#[test]
fn a_followed_file_gives_whole_lines_only_and_survives_its_rotation() {
    let lines = &[("file", "a.log"), ("follow", "true")];
    let mut desk = Desk::new(&[("a.log", "one\ntw")], lines);
    let (found, fill) = desk.read();
    assert_eq!((found, fill), (vec!["one".to_string()], Fill::Wait(FOLLOW)));
    desk.append("a.log", "o\nthree\n");
    assert_eq!(desk.read().0, ["two", "three"]);
    desk.append("a.log", "last words");
    assert!(desk.read().0.is_empty());
    fs::rename(desk.path("a.log"), desk.path("a.log.1")).expect("it can be moved");
    assert!(desk.read().0.is_empty(), "gone for the moment");
    fs::write(desk.path("a.log"), "new\n").expect("it can be written");
    assert_eq!(desk.read().0, ["last words", "new"]);
    assert!(desk.said("was replaced by another file"), "{:?}", desk.said);
    fs::write(desk.path("a.log"), "x\n").expect("it can be written");
    assert_eq!(desk.read().0, ["x"]);
    assert!(desk.said("was cut off"), "{:?}", desk.said);
}

#[test]
fn a_pattern_reads_its_files_in_order_and_finds_new_ones() {
    let pattern = &[("file", "*.ndjson"), ("follow", "true"), ("key", "id")];
    let mut desk = Desk::new(&[("b.ndjson", "{\"id\":2}\n"), ("a.ndjson", "{\"id\":1}\n"), ("c.txt", "no\n")], pattern);
    assert_eq!(desk.read().0, [r#"1={"id":1}"#, r#"2={"id":2}"#]);
    fs::write(desk.path("c.ndjson"), "{\"id\":3}\n").expect("it can be written");
    assert_eq!(desk.read().0, [r#"3={"id":3}"#]);
    desk.again(pattern);
    assert!(desk.read().0.is_empty(), "each file's position is kept");
}

#[test]
fn a_header_without_the_key_ends_the_source_for_good() {
    let mut desk = Desk::new(&[("a.csv", "id,temp\na,1\n")], &[("file", "a.csv"), ("key", "sensor")]);
    let error = desk.source.fill(&mut OutBatch::default()).expect_err("there is no such column");
    assert!(error.is_hopeless());
    assert!(error.to_string().contains("there is no column sensor for 'key'; there are id, temp"), "{error}");
}
