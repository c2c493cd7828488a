//! Opening libraries, and what they export.
//!
//! A library is never closed: its code and its memory stay referenced by columns and by plans for as long as they like.
//! So a process keeps a list of what it has opened. The same content is opened once, whatever its path; another content
//! under a path that was opened before is opened through a copy of its own, because the dynamic loader goes by names.

use std::fmt;
use std::path::{Path, PathBuf};

use libloading::os::unix::{RTLD_LOCAL, RTLD_NOW};
use parking_lot::Mutex;

use super::abi::{self, Describe, Drain, Function, Listen, Run, Said, SendRow, Start, Stop, Text, VECTORIZED};
use super::sidecar::{Argument, Signature, Value, sha256};
use crate::error::{Code, Error, Result};

/// An open library.
#[derive(Clone, Copy)]
pub struct Library {
    inner: &'static libloading::os::unix::Library,
}

/// What was opened, by this whole process: that is how far the dynamic loader's memory reaches.
static OPENED: Mutex<Vec<Opened>> = Mutex::new(Vec::new());

struct Opened {
    path: PathBuf,
    sha256: String,
    library: Library,
}

/// What a library of Arroyo's format exports.
#[derive(Debug, Clone, Copy)]
pub enum Arroyo {
    /// A scalar or aggregate function, and what gives the texts of its panics, where the library was built with it.
    Run(Run, Option<(Listen, Said)>),
    /// An asynchronous function.
    Asynchronous(Asynchronous),
}

/// The calls of an asynchronous function.
#[derive(Debug, Clone, Copy)]
pub struct Asynchronous {
    pub start: Start,
    pub send: SendRow,
    pub drain: Drain,
    pub stop: Stop,
}

/// A vectorized function, as its library describes it.
#[derive(Debug, Clone)]
pub struct Described {
    pub signature: Signature,
    pub description: String,
    pub version: String,
    pub volatile: bool,
    pub function: &'static Function,
}

impl Library {
    /// Opens a library, whose `content` has been checked, for the rest of the process.
    ///
    /// # Errors
    /// When the dynamic loader refuses the file.
    pub fn open(path: &Path, content: &[u8]) -> Result<Library> {
        let hash = sha256(content);
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
        let mut opened = OPENED.lock();
        if let Some(same) = opened.iter().find(|library| library.sha256 == hash) {
            return Ok(same.library);
        }
        let library = if opened.iter().any(|library| library.path == path) {
            let name = format!("alcedo-{}-{hash}.so", std::process::id());
            let copy = std::env::temp_dir().join(name);
            let written = std::fs::write(&copy, content).map_err(|error| {
                Error::external(format!("cannot copy library {} to {}", path.display(), copy.display()))
                    .detail(error.to_string())
            });
            let library = written.and_then(|()| load(&copy));
            // It stays mapped without its name.
            let _ = std::fs::remove_file(&copy);
            library
        } else {
            load(&path)
        }?;
        opened.push(Opened { path, sha256: hash, library });
        Ok(library)
    }

    /// The symbols of Arroyo's format.
    ///
    /// # Errors
    /// When they are not there.
    pub fn arroyo(self, path: &Path, is_async: bool) -> Result<Arroyo> {
        // SAFETY: symbols of these names have these types in Arroyo's format, which the sidecar said the library has.
        let found = unsafe {
            if is_async {
                self.asynchronous().map(Arroyo::Asynchronous)
            } else {
                let panics = self.symbol::<Listen>("__alcedo_listen").zip(self.symbol::<Said>("__alcedo_said"));
                self.symbol::<Run>("__run").map(|run| Arroyo::Run(run, panics))
            }
        };
        found.ok_or_else(|| {
            let symbols = if is_async { "__start, __send, __drain_results and __stop_runtime" } else { "__run" };
            Error::refused(
                Code::InvalidLibrary,
                format!("library {} is not a function in Arroyo's format", path.display()),
            )
            .detail(format!("it does not export {symbols}"))
            .hint("The source needs one function with #[udf] of arroyo_udf_plugin, built as a cdylib.")
        })
    }

    /// # Safety
    /// The library is one of Arroyo's format.
    unsafe fn asynchronous(self) -> Option<Asynchronous> {
        // SAFETY: that of this function.
        unsafe {
            Some(Asynchronous {
                start: self.symbol("__start")?,
                send: self.symbol("__send")?,
                drain: self.symbol("__drain_results")?,
                stop: self.symbol("__stop_runtime")?,
            })
        }
    }

    /// The functions of a library of the vectorized kind, by name.
    ///
    /// # Errors
    /// When it does not describe itself, or in another version of the interface.
    pub fn vectorized(self, path: &Path) -> Result<Vec<Described>> {
        let refused = |what: String| {
            Error::refused(Code::InvalidLibrary, format!("library {} has no vectorized functions", path.display()))
                .detail(what)
                .hint("The source needs functions with #[alcedo_udf::udf], built as a cdylib.")
        };
        // SAFETY: the symbol has this type in all versions of the interface.
        let describe = unsafe { self.symbol::<Describe>("__alcedo_udf") };
        let describe = describe.ok_or_else(|| refused("it does not export __alcedo_udf".into()))?;
        // SAFETY: as above; it only reads a static.
        let library = unsafe { describe() };
        if library.abi != VECTORIZED {
            let found = library.abi;
            return Err(refused(format!("it has version {found} of the interface, this engine has {VECTORIZED}")));
        }
        let mut functions = Vec::new();
        let mut next = library.first;
        // SAFETY: the list leads through statics of a library that is never closed.
        while let Some(function) = unsafe { next.as_ref() } {
            // SAFETY: as above.
            functions.push(unsafe { described(function) }.map_err(&refused)?);
            next = function.next.load(std::sync::atomic::Ordering::Acquire);
        }
        if functions.is_empty() {
            return Err(refused("it describes none".into()));
        }
        functions.sort_by(|a: &Described, b| a.signature.name.cmp(&b.signature.name));
        Ok(functions)
    }

    /// A symbol's value.
    ///
    /// # Safety
    /// The symbol has this type.
    unsafe fn symbol<T: Copy>(self, name: &str) -> Option<T> {
        // SAFETY: that of this function.
        unsafe { self.inner.get::<T>(name).ok().map(|symbol| *symbol) }
    }
}

/// Opens a file with the dynamic loader.
fn load(path: &Path) -> Result<Library> {
    // SAFETY: opening a library runs its constructors. Whoever creates a function trusts its code, as the
    // documentation of CREATE FUNCTION says.
    let opened = unsafe { libloading::os::unix::Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) };
    let library = opened.map_err(|error| {
        use std::error::Error as _;
        let cause = error.source().map_or_else(|| error.to_string(), |cause| cause.to_string());
        Error::refused(Code::InvalidLibrary, format!("library {} cannot be loaded", path.display())).detail(cause)
    })?;
    Ok(Library { inner: Box::leak(Box::new(library)) })
}

/// # Safety
/// The description's pointers lead to what they say.
unsafe fn described(function: &'static Function) -> std::result::Result<Described, String> {
    // SAFETY: that of this function.
    let text = |text: Text| unsafe { text_of(text) };
    let name = text(function.name)?;
    if name.is_empty() {
        return Err("it describes a function without a name".into());
    }
    let parameters = if function.parameter_count == 0 {
        &[]
    } else {
        // SAFETY: that of this function.
        unsafe { std::slice::from_raw_parts(function.parameters, function.parameter_count) }
    };
    let value = |parameter: &abi::Parameter, nullable: bool| {
        let format = text(parameter.format)?;
        Value::of_format(&format, nullable).ok_or_else(|| format!("{name} has the unknown type `{format}`"))
    };
    let propagates = function.nulls == 1;
    let arguments = parameters
        .iter()
        .map(|parameter| {
            let value = value(parameter, !propagates)?;
            Ok(Argument { name: text(parameter.name)?, value, is_vec: false })
        })
        .collect::<std::result::Result<Vec<_>, String>>()?;
    let result = value(&function.result, true)?;
    Ok(Described {
        signature: Signature { name: name.clone(), arguments, result, is_async: false, async_options: None },
        description: text(function.description)?,
        version: text(function.version)?,
        volatile: function.volatile == 1,
        function,
    })
}

/// # Safety
/// The text leads to as many bytes as it says.
unsafe fn text_of(text: Text) -> std::result::Result<String, String> {
    if text.len == 0 {
        return Ok(String::new());
    }
    // SAFETY: that of this function.
    let bytes = unsafe { std::slice::from_raw_parts(text.start, text.len) };
    std::str::from_utf8(bytes).map(str::to_string).map_err(|_| "its description is not UTF-8".into())
}

impl fmt::Debug for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Library")
    }
}
