//! Which files a source reads: one, those of a folder, or those whose names match a pattern.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Code, Error, Result};

/// The files there are, by name. A single file that is missing is listed all the same.
pub(super) fn files(given: &str) -> io::Result<Vec<PathBuf>> {
    let path = Path::new(given);
    if path.is_dir() {
        // As shells do: a name that begins with a point is hidden.
        return matching(path, "*");
    }
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if !name.contains(['*', '?']) || path.exists() {
        return Ok(vec![path.to_path_buf()]);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut files = matching(folder, name)?;
    if path.parent().is_none_or(|parent| parent.as_os_str().is_empty()) {
        files.iter_mut().for_each(|file| *file = file.strip_prefix(".").unwrap_or(file).to_path_buf());
    }
    Ok(files)
}

/// Refuses what cannot be read now.
pub(super) fn probe(given: &str) -> Result<()> {
    let cannot = |path: &Path, error: io::Error| {
        let refused =
            Error::refused(Code::InvalidFile, format!("file {} cannot be read", path.display())).detail(reason(&error));
        match std::env::current_dir() {
            Ok(folder) if path.is_relative() && error.kind() == io::ErrorKind::NotFound => {
                refused.hint(format!("Relative paths start at {}.", folder.display()))
            }
            _ => refused,
        }
    };
    let files = files(given).map_err(|error| cannot(Path::new(given), error))?;
    if files.is_empty() {
        return Err(Error::refused(Code::InvalidFile, format!("no file matches {given}"))
            .hint("'*' stands for any characters and '?' for one, in the last part of the path."));
    }
    files.iter().try_for_each(|file| fs::File::open(file).map(drop).map_err(|error| cannot(file, error)))
}

/// Why a file cannot be read, without the number of the system's error.
pub(super) fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_string(),
        io::ErrorKind::PermissionDenied => "no permission".to_string(),
        _ => error.to_string(),
    }
}

fn matching(folder: &Path, pattern: &str) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let hidden = name.starts_with('.') && !pattern.starts_with('.');
        if !hidden && matches(pattern.as_bytes(), name.as_bytes()) && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Whether a name matches a pattern; a star that matched too little is tried again one longer.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(byte) if *byte == b'?' || *byte == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match &mut star {
                Some((at, from)) => {
                    *from += 1;
                    (p, n) = (*at + 1, *from);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_match() {
        for (pattern, name, expected) in [
            ("*.csv", "a.csv", true),
            ("*.csv", "a.csv.gz", false),
            ("a?c*", "abcd", true),
            ("a?c", "ac", false),
            ("*a*b", "xaxab", true),
            ("*", "", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn a_folder_and_a_pattern_give_their_files_in_order() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["b.csv", "a.csv", "c.txt", ".hidden.csv"] {
            fs::write(folder.path().join(name), "").expect("it can be written");
        }
        let names = |given: &str| -> Vec<String> {
            let files = files(folder.path().join(given).to_str().expect("text")).expect("it can be listed");
            files.iter().map(|file| file.file_name().expect("a name").to_string_lossy().into_owned()).collect()
        };
        assert_eq!(names("*.csv"), ["a.csv", "b.csv"]);
        assert_eq!(names(""), ["a.csv", "b.csv", "c.txt"]);
        assert_eq!(names("missing.csv"), ["missing.csv"]);
        let given = folder.path().join("missing.csv");
        assert!(probe(given.to_str().expect("text")).is_err_and(|error| error.to_string().contains("no such file")));
        let none = folder.path().join("*.json");
        assert!(probe(none.to_str().expect("text")).is_err_and(|error| error.to_string().contains("no file matches")));
    }
}
