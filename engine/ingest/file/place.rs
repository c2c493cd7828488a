//! How far a file was read, and whether it is still the file it was.
//!
//! A position alone is worth nothing when the file was cut off or written anew. So it carries the checksums of what is known of
//! the bytes before it: of the first ones, and of the last ones. A file that was only moved or copied passes; one with
//! the same header line and other data does not.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};

use serde::{Deserialize, Serialize};

/// Bytes checked at the beginning of the file.
const HEAD: u64 = 1024;

/// Bytes checked before the position.
const TAIL: u64 = 256;

/// A position in a file, as it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Place {
    /// Bytes before it.
    pub(super) offset: u64,
    /// Lines before it.
    pub(super) lines: u64,
    /// Bad ones of those.
    pub(super) bad: u64,
    /// Checksum of the first bytes of the file.
    head: u32,
    /// Checksum of the last bytes before the position.
    tail: u32,
}

/// Device and inode: the same for a path as long as nobody puts another file there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity(u64, u64);

/// What became of a file since a place in it was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Since {
    /// The bytes before the place are the same.
    Same,
    /// It is shorter now.
    Truncated,
    /// It is another one.
    Replaced,
}

impl Identity {
    /// The identity of what a path or a handle names.
    pub(super) fn of(metadata: &std::fs::Metadata) -> Identity {
        Identity(metadata.dev(), metadata.ino())
    }
}

impl Place {
    /// A place with the checksums of the file as it is.
    pub(super) fn new(file: &File, offset: u64, lines: u64, bad: u64) -> io::Result<Place> {
        let (head, tail) = checksums(file, offset)?;
        Ok(Place { offset, lines, bad, head, tail })
    }

    /// Whether the file is still the one the place was kept for.
    pub(super) fn since(&self, file: &File) -> io::Result<Since> {
        if file.metadata()?.len() < self.offset {
            return Ok(Since::Truncated);
        }
        let same = checksums(file, self.offset)? == (self.head, self.tail);
        Ok(if same { Since::Same } else { Since::Replaced })
    }
}

fn checksums(file: &File, offset: u64) -> io::Result<(u32, u32)> {
    let of = |from: u64, length: u64| {
        let mut bytes = [0; HEAD as usize];
        let bytes = &mut bytes[..length as usize];
        file.read_exact_at(bytes, from)?;
        io::Result::Ok(crc32c::crc32c(bytes))
    };
    let (head, tail) = (offset.min(HEAD), offset.min(TAIL));
    Ok((of(0, head)?, of(offset - tail, tail)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &[u8]) -> File {
        let file = tempfile::tempfile().expect("a file");
        file.write_all_at(text, 0).expect("it can be written");
        file
    }

    #[test]
    fn a_file_that_grew_is_the_same_and_one_that_was_cut_or_changed_is_not() {
        let mut text = b"a,b\n".to_vec();
        text.extend((0..2000u32).flat_map(|number| format!("{number},x\n").into_bytes()));
        let whole = file(&text);
        let place = Place::new(&whole, 8000, 1000, 0).expect("it can be read");
        assert_eq!(place.since(&whole).expect("it can be read"), Since::Same);
        assert_eq!(place.since(&file(&text[..8000])).expect("it can be read"), Since::Same);
        assert_eq!(place.since(&file(&text[..7999])).expect("it can be read"), Since::Truncated);
        for at in [2, 7999] {
            let mut other = text.clone();
            other[at] = b'!';
            assert_eq!(place.since(&file(&other)).expect("it can be read"), Since::Replaced, "byte {at}");
        }
    }

    #[test]
    fn a_place_comes_back_from_its_text() {
        let place = Place::new(&file(b"a\nb\n"), 2, 1, 0).expect("it can be read");
        let text = serde_json::to_string(&place).expect("it is JSON");
        assert_eq!(serde_json::from_str::<Place>(&text).expect("it is JSON"), place);
    }
}
