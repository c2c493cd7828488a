//! `alcedo fmt FILE…`: SQL files laid out, to standard output, in place, or only compared.
//!
//! A file is replaced as a whole or not at all: its new text is written beside it under another name, which then takes
//! its place, with its permissions. One with a mistake is left alone.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::args::FmtArgs;
use super::print::OutputMode;
use super::{complain, run};
use crate::error::{Error, Result};
use crate::session::SourceText;
use crate::sql::format::format;

/// What standard input is called.
const STDIN: &str = "<stdin>";

/// Lays out the files, or standard input; 1 when one of them holds a mistake, or with `--check` differs.
pub fn command(args: &FmtArgs) -> Result<u8> {
    let mut code = 0;
    for (path, source) in read(&args.files)? {
        if args.write && path.is_none() {
            return Err(
                Error::usage("standard input cannot be written back").hint("Name the files, or leave out --write.")
            );
        }
        let laid_out = match format(&source.text) {
            Ok(laid_out) => laid_out,
            Err(error) => {
                complain(OutputMode::Table, &error, &source.text, &source.name);
                code = code.max(error.exit_code());
                continue;
            }
        };
        let differs = laid_out != source.text;
        match &path {
            _ if args.check => {
                if differs {
                    code = code.max(1);
                    print(&format!("{}\n", source.name))?;
                }
            }
            Some(path) if args.write => {
                if differs {
                    replace(path, &laid_out).map_err(|error| {
                        Error::external(format!("file {} cannot be written", source.name)).detail(error.to_string())
                    })?;
                }
            }
            _ => print(&laid_out)?,
        }
    }
    Ok(code)
}

/// The texts, each with its path unless it is standard input; all are read before anything is written.
fn read(files: &[PathBuf]) -> Result<Vec<(Option<PathBuf>, SourceText)>> {
    let stdin = [PathBuf::from("-")];
    let files: &[PathBuf] = if files.is_empty() { &stdin } else { files };
    let mut texts = Vec::with_capacity(files.len());
    for file in files {
        if file.as_os_str() != "-" {
            let source = run::read(std::slice::from_ref(file))?;
            texts.extend(source.into_iter().map(|source| (Some(file.clone()), source)));
            continue;
        }
        let mut text = String::new();
        io::stdin()
            .read_to_string(&mut text)
            .map_err(|error| Error::usage("standard input cannot be read").detail(error.to_string()))?;
        texts.push((None, SourceText { name: STDIN.to_string(), text }));
    }
    Ok(texts)
}

/// Puts a text in the place of a file.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    // A link stays one; what it names is replaced.
    let path = fs::canonicalize(path)?;
    let permissions = fs::metadata(&path)?.permissions();
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}", std::process::id()));
    let beside = path.with_file_name(name);
    let written = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        file.write_all(text.as_bytes())?;
        file.set_permissions(permissions)?;
        file.sync_all()?;
        fs::rename(&beside, &path)
    };
    written().inspect_err(|error| {
        if error.kind() != io::ErrorKind::AlreadyExists {
            let _ = fs::remove_file(&beside);
        }
    })
}

/// Writes to standard output; a reader that has seen enough is no failure.
fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::external("standard output cannot be written").detail(error.to_string()))
        }
        _ => Ok(()),
    }
}
