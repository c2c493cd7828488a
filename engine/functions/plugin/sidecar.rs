//! What is known about a library before it is opened: a small JSON file beside it.
//!
//! A compiled function of Arroyo's format says nothing about itself, neither types nor version, and opening a library
//! runs code of it. So the builder writes down what it built and with what, and a library is opened only when that
//! still holds ([`Sidecar::check`]).

use std::fmt::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Code, Error, Result};

/// The version of this file's shape and of the interface to libraries, raised when either changes.
pub const FORMAT: u32 = 1;

/// What stands beside a library.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sidecar {
    /// [`FORMAT`] of the engine that built the library.
    pub format: u32,
    /// How its functions are called.
    pub abi: Abi,
    /// SHA-256 of the source text, 64 hexadecimal digits.
    pub source_sha256: String,
    /// SHA-256 of the library's file, 64 hexadecimal digits.
    pub library_sha256: String,
    /// The compiler, as `rustc --version` names it.
    pub rustc: String,
    /// The crate that made the interface, `name version`.
    pub crate_version: String,
    /// The target triple.
    pub target: String,
    /// The panic strategy; only `unwind` can be loaded, as anything else ends the process with the first panic.
    pub panic: String,
    /// Its functions. Arroyo's format has exactly one.
    pub functions: Vec<Signature>,
}

/// How the functions of a library are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Abi {
    /// As Arroyo calls them, one function for a library, `arroyo-udf-plugin` 0.2.
    Arroyo,
    /// As `alcedo-udf` exports them: arrays in and out, any number of functions.
    Vectorized,
}

/// A function's name and types.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// Its name, as the source spells it.
    pub name: String,
    /// Its arguments in order.
    pub arguments: Vec<Argument>,
    /// Its result.
    pub result: Value,
    /// Whether it answers later (Arroyo's format only).
    pub is_async: bool,
    /// How a function that answers later is run; what the source does not say is [`AsyncOptions::default`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub async_options: Option<AsyncOptions>,
}

/// The options of `#[udf(ordered, timeout = "5s", allowed_in_flight = 1000)]` in Arroyo's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AsyncOptions {
    /// Whether answers are to come in the order of the rows. Results here always have that order.
    pub ordered: bool,
    /// How long a row may take, in milliseconds.
    pub timeout_ms: u64,
    /// How many rows may wait for an answer at a time.
    pub allowed_in_flight: u32,
}

impl Default for AsyncOptions {
    fn default() -> Self {
        AsyncOptions { ordered: true, timeout_ms: 5_000, allowed_in_flight: 1_000 }
    }
}

/// An argument of a function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Argument {
    /// Its name, as the source spells it.
    pub name: String,
    /// What it takes. Of a vector: what its elements are.
    pub value: Value,
    /// Whether it takes the values of a whole group (`Vec<T>`), which makes the function an aggregate.
    pub is_vec: bool,
}

/// The type of an argument or a result.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Value {
    /// Arrow's name of it: `Float64`, `Utf8`, `Int32`, `Binary`, ...
    pub data_type: String,
    /// Whether it takes or gives nulls. Of an argument that does not: a null makes the result null, the function is not
    /// called.
    pub nullable: bool,
}

impl Sidecar {
    /// Whether the library may be opened: everything this says fits this process and the file.
    ///
    /// # Errors
    /// Names what is outdated or differs.
    pub fn check(&self, library: &Path) -> Result<()> {
        self.check_content(library, &read(library)?)
    }

    /// [`check`](Self::check) for the bytes of a file that was read already.
    pub(super) fn check_content(&self, library: &Path, content: &[u8]) -> Result<()> {
        let refused = |what: String| {
            Error::refused(Code::InvalidLibrary, format!("library {} cannot be loaded", library.display()))
                .detail(what)
                .hint("Build it again: CREATE OR REPLACE FUNCTION ... FROM its source file.")
        };
        if self.format != FORMAT {
            return Err(refused(format!("its sidecar has format {}, this engine has format {FORMAT}", self.format)));
        }
        let host = host_target();
        if self.target != host {
            return Err(refused(format!("it was built for {}, this is {host}", self.target)));
        }
        if self.panic != "unwind" {
            return Err(refused(format!("it was built with panic = \"{}\", which must be \"unwind\"", self.panic)));
        }
        if self.abi == Abi::Arroyo && self.functions.len() != 1 {
            let count = self.functions.len();
            return Err(refused(format!("Arroyo's format has one function a library, the sidecar names {count}")));
        }
        let found = sha256(content);
        if self.library_sha256 != found {
            return Err(refused(format!(
                "its SHA-256 is {found}, the sidecar was written for {}",
                self.library_sha256
            )));
        }
        Ok(())
    }
}

/// The bytes of a library's file.
pub(super) fn read(library: &Path) -> Result<Vec<u8>> {
    std::fs::read(library).map_err(|error| {
        Error::external(format!("cannot read library {}", library.display())).detail(error.to_string())
    })
}

/// SHA-256 as 64 hexadecimal digits.
pub fn sha256(content: &[u8]) -> String {
    Sha256::digest(content).iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The target triple of this process, as far as it decides whether a library fits.
pub fn host_target() -> String {
    let (arch, env) = (std::env::consts::ARCH, if cfg!(target_env = "musl") { "musl" } else { "gnu" });
    match std::env::consts::OS {
        "linux" => format!("{arch}-unknown-linux-{env}"),
        "macos" => format!("{arch}-apple-darwin"),
        other => format!("{arch}-unknown-{other}"),
    }
}
