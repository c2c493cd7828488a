//! `RUN SCRIPT`: the file in a file. A name is relative to the file that holds the statement, and a file that would run
//! itself, through others or not, is refused.

use std::path::{Path, PathBuf};

use super::script::SourceText;
use super::{Session, environment};
use crate::error::{Code, Error, Result};
use crate::sql::ast::{StatementKind, StringLit};
use crate::sql::lexemes::{LexemeKind, lexemes};
use crate::sql::prepare::prepare;
use crate::sql::split::Piece;

/// The files that are being read, each run by the one before it.
#[derive(Debug, Clone, Default)]
pub struct Including {
    /// Their real paths, for telling whether one comes again.
    stack: Vec<PathBuf>,
    /// The folder of the innermost; empty is the working directory.
    folder: PathBuf,
}

impl Including {
    /// In no file: names are relative to the working directory.
    pub fn nothing() -> Including {
        Including::default()
    }

    /// In the file of this name. A text that is no file of that name counts as one in the working directory.
    pub fn of(name: &str) -> Including {
        let path = Path::new(name);
        let stack = path.canonicalize().into_iter().collect();
        Including { stack, folder: path.parent().map(Path::to_path_buf).unwrap_or_default() }
    }

    /// The folder that relative names start from; empty is the working directory.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Reads the file that a `RUN SCRIPT` names.
    ///
    /// # Errors
    /// A file that cannot be read, and one that is being run already; without a place.
    pub fn open(&self, file: &str) -> Result<(SourceText, Including)> {
        let path = self.folder.join(file);
        let name = path.display().to_string();
        let unreadable = |error: std::io::Error| {
            Error::refused(Code::InvalidFile, format!("file {name} cannot be read")).detail(error.to_string())
        };
        let real = path.canonicalize().map_err(unreadable)?;
        if self.stack.contains(&real) {
            let chain: Vec<String> = self.stack.iter().chain([&real]).map(|file| file.display().to_string()).collect();
            return Err(Error::refused(Code::InvalidFile, format!("file {name} would run itself without end"))
                .detail(format!("it is being run already: {}", chain.join(" runs "))));
        }
        let text = std::fs::read_to_string(&path).map_err(unreadable)?;
        let mut stack = self.stack.clone();
        stack.push(real);
        let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
        Ok((SourceText { name, text }, Including { stack, folder }))
    }
}

impl Session {
    /// The file that a statement runs, its variables filled in, and its place in the text that `piece` is of; `None`
    /// when it is no `RUN SCRIPT`.
    ///
    /// # Errors
    /// A `RUN SCRIPT` that is not well formed, with its place in the text that `piece` is of.
    pub fn script_of(&self, piece: &Piece<'_>) -> Result<Option<StringLit>> {
        let begins_with_run = piece.text.get(..3).is_some_and(|word| word.eq_ignore_ascii_case("RUN"));
        if !begins_with_run || !second_word_is(piece.text, "SCRIPT") {
            return Ok(None);
        }
        let prepared = prepare(piece, &self.variables, environment)?;
        let StatementKind::RunScript(file) = &prepared.statement.kind else { return Ok(None) };
        // An error is what knows the way back to what was typed.
        let place = prepared.locate(Error::sql("").at(file.span)).span().unwrap_or(piece.span);
        Ok(Some(StringLit { value: file.value.clone(), span: place }))
    }
}

fn second_word_is(text: &str, word: &str) -> bool {
    let mut tokens = lexemes(text).into_iter().filter(|lexeme| lexeme.kind != LexemeKind::Comment);
    tokens.nth(1).is_some_and(|second| text[second.span.start..second.span.end].eq_ignore_ascii_case(word))
}
