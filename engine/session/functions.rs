//! Functions from outside: made by `CREATE FUNCTION`, dropped, brought back after a restart.
//!
//! A library is built and opened while its statement is planned: later statements of a file are planned with its types,
//! and a source that does not compile starts nothing. What that leaves is a file in the user's cache. The function
//! itself exists from when the statement is carried out; a query that runs holds the one it was planned with.
//!
//! `DROP FUNCTION` is refused while persistent queries call it, as `DROP STREAM` is while they read it: they would go on
//! now and not come back after a restart. Push queries hold what they have and end with their session.

use std::path::{Path, PathBuf};

use super::Session;
use super::engine::{Shared, Storage};
use super::statement::{Action, Planner};
use crate::catalog::log::{KeptFunction, StatementLog, function_key};
use crate::config::Settings;
use crate::error::{Code, Error, Result, Span};
use crate::functions::build::{Artefact, Builder, Source, default_folder};
use crate::functions::plugin::PluginFunction;
use crate::functions::{Declaration, Door};
use crate::sql::ast::{CreateFunction, Ident};
use crate::types::quote_identifier;

/// A function that is ready to be registered.
pub(super) struct NewFunction {
    function: PluginFunction,
    artefact: Artefact,
    /// Other functions of its library.
    others: Vec<String>,
    /// The statement to keep: it names an absolute path.
    statement: String,
    kept: KeptFunction,
    replace: bool,
}

/// Plans `CREATE FUNCTION`: finds the source, builds it when it has changed, and opens the library.
pub(super) fn plan_create(planner: &mut Planner, create: &CreateFunction, shown: &str) -> Result<Action> {
    let (name, span) = (create.name.name.to_uppercase(), create.name.span);
    let exists = match planner.functions.door(&name) {
        None => false,
        Some(Door::Plugin) if create.if_not_exists => {
            return Ok(Action::Nothing(format!("There is a function {name} already; nothing was created.")));
        }
        Some(Door::Plugin) if create.or_replace => true,
        // A file that is run again in the same engine says what is to be, which is compared below; what the file itself
        // has made is no such thing.
        Some(Door::Plugin) if planner.compare && planner.shared().functions.snapshot().door(&name).is_some() => true,
        Some(Door::Plugin) => {
            return Err(Error::refused(Code::AlreadyExists, format!("function {name} exists already"))
                .hint("Write CREATE OR REPLACE to change it, or IF NOT EXISTS to keep it.")
                .at(span));
        }
        Some(door) => return Err(not_yours(&name, door, "replaced").at(span)),
    };
    let path = planner.folder.join(&create.path.value);
    let at_path = |error: Error| error.or_at(create.path.span);
    let source = Source::find(&path, &create.path.value).map_err(at_path)?;
    let builder = builder(planner.shared(), &planner.settings)?;
    let before = planner.shared().log.lock().get(&function_key(&name)).and_then(|entry| entry.function.clone());
    let before = before.filter(|_| !planner.dropped.contains(&name));
    let mut unchanged = false;
    if let Some(before) = &before {
        let source_sha256 = builder.source_sha256(&source).map_err(at_path)?;
        unchanged = before.source_sha256 == source_sha256;
        if planner.compare && !create.or_replace && !unchanged {
            return Err(changed(&name, before, &create.path.value, &source_sha256).at(span));
        }
        if unchanged && exists {
            return Ok(Action::Nothing(format!("Function {name} is unchanged.")));
        }
    }
    let artefact = match builder.library(&source) {
        Ok(artefact) => artefact,
        // Without a compiler, what was built from the same text is as good.
        Err(error) => match before.filter(|_| unchanged).and_then(|before| find(planner.shared(), &builder, &before)) {
            Some(artefact) => artefact,
            None => return Err(at_path(error)),
        },
    };
    let (function, others) = choose(&artefact, &name, &create.path.value).map_err(at_path)?;
    if let Some(former) = planner.functions.get(&name) {
        keeps_its_types(former, &function.declaration, &planner.catalog.callers_of(&name)).map_err(|e| e.at(span))?;
    }
    let mut function = function;
    function.declaration.facts.push(("Source".into(), absolute(&path).display().to_string().into()));
    std::sync::Arc::make_mut(&mut planner.functions)
        .register_plugin(function.clone(), exists)
        .map_err(|error| error.or_at(span))?;
    let absolute = absolute(&path).display().to_string();
    let from_environment = shown.contains("${env:");
    let statement = match from_environment {
        true => shown.to_string(),
        false => {
            format!("CREATE FUNCTION {} FROM '{}'", quote_identifier(&name), absolute.replace('\'', "''"))
        }
    };
    let kept = KeptFunction {
        path: if from_environment { String::new() } else { absolute },
        source_sha256: artefact.notes.sidecar.source_sha256.clone(),
        library: artefact.file_name(),
    };
    let new = NewFunction { function, artefact, others, statement, kept, replace: create.or_replace };
    Ok(Action::CreateFunction(Box::new(new)))
}

/// Plans `DROP FUNCTION`.
pub(super) fn plan_drop(planner: &mut Planner, name: &Ident, if_exists: bool) -> Result<Action> {
    let (name, span) = (name.name.to_uppercase(), name.span);
    match planner.functions.door(&name) {
        Some(Door::Plugin) => {}
        Some(door) => return Err(not_yours(&name, door, "dropped").at(span)),
        None if planner.functions.is_missing(&name) => {}
        None if if_exists => return Ok(Action::Nothing(format!("There is no function {name}."))),
        None => planner.functions.describe(&name, span).map(std::mem::drop)?,
    }
    let callers = planner.catalog.callers_of(&name);
    if let Some(first) = callers.first() {
        return Err(Error::refused(Code::InUse, format!("cannot drop function {name}, it is in use"))
            .detail(format!("called by {}", callers.join(", ")))
            .hint(format!("TERMINATE {first}; first."))
            .at(span));
    }
    std::sync::Arc::make_mut(&mut planner.functions).remove(&name);
    planner.dropped.insert(name.clone());
    Ok(Action::DropFunction(name))
}

/// Registers a function and keeps its statement; gives what to tell the user.
pub(super) fn create(shared: &Shared, new: NewFunction, span: Span) -> Result<String> {
    let NewFunction { function, artefact, others, statement, kept, replace } = new;
    let name = function.declaration.name.to_string();
    let key = function_key(&name);
    let shape = shape(&function);
    if let Some(folder) = kept_folder(shared) {
        artefact.copy_to(&folder)?;
    }
    let mut log = shared.log.lock();
    let (former, before) = (shared.functions.snapshot(), log.get(&key).cloned());
    shared
        .functions
        .change(|functions| functions.register_plugin(function, replace))
        .map_err(|error| error.at(span))?;
    log.put_function(&key, &statement, kept.clone());
    if let Err(error) = log.flush(&shared.admin, &shared.producer) {
        shared.functions.change(|functions| {
            functions.copy_from(&former, &name);
            Ok(())
        })?;
        log.put_back(&key, before);
        return Err(error);
    }
    if let Some(before) = before.and_then(|entry| entry.function) {
        clean(shared, &log, &before.library);
    }
    let mut text = match former.door(&name) {
        Some(_) => format!("Replaced function {shape}."),
        None => format!("Created function {shape}."),
    };
    let catalog = shared.catalog.snapshot();
    let callers = catalog.callers_of(&name);
    if former.door(&name).is_some() && !callers.is_empty() {
        let verb = if callers.len() == 1 { "goes" } else { "go" };
        text += &format!(" {} {verb} on with the former one until started again.", callers.join(", "));
    }
    if !others.is_empty() {
        text += &format!(" Its library has {} too.", others.join(", "));
    }
    Ok(text)
}

/// Takes a function away, and its statement.
pub(super) fn drop(shared: &Shared, name: &str) -> Result<String> {
    let mut log = shared.log.lock();
    let key = function_key(name);
    let before = log.get(&key).cloned();
    log.remove(&key);
    if let Err(error) = log.flush(&shared.admin, &shared.producer) {
        log.put_back(&key, before);
        return Err(error);
    }
    shared.functions.change(|functions| {
        functions.remove(name);
        Ok(())
    })?;
    if let Some(before) = before.and_then(|entry| entry.function) {
        clean(shared, &log, &before.library);
    }
    Ok(format!("Dropped function {name}."))
}

/// Brings a function back: from its library, or from its source when that has not changed. When neither is there, the
/// name is remembered as missing, with why.
pub(super) fn restore(session: &Session, key: &str, kept: &KeptFunction) -> Result<()> {
    let shared = &session.engine.0;
    let name = key.trim_start_matches("function/");
    match bring_back(shared, &session.settings, name, kept) {
        Ok(function) => shared.functions.change(|functions| functions.register_plugin(function, true)),
        Err(error) => {
            let why = error.to_string();
            shared.functions.change(|functions| {
                functions.set_missing(name, why);
                Ok(())
            })?;
            Err(error)
        }
    }
}

fn bring_back(shared: &Shared, settings: &Settings, name: &str, kept: &KeptFunction) -> Result<PluginFunction> {
    let builder = builder(shared, settings)?;
    let loaded = match find(shared, &builder, kept).map(|artefact| choose(&artefact, name, &kept.library)) {
        Some(Ok((function, _))) => function,
        // Gone, damaged, or of another version of the engine.
        unusable => {
            let why = match unusable {
                Some(Err(error)) => error.to_string(),
                _ => format!("its library {} is gone", kept.library),
            };
            let gone = |and: String| Error::external(format!("{why}, and {and}"));
            if kept.path.is_empty() {
                return Err(gone("the path of its source came from the environment".to_string()));
            }
            let source = Source::find(Path::new(&kept.path), &kept.path).map_err(|error| gone(error.to_string()))?;
            if builder.source_sha256(&source).map_err(|error| gone(error.to_string()))? != kept.source_sha256 {
                return Err(gone(format!("{} has changed since", kept.path)));
            }
            let artefact = builder.library(&source)?;
            let (function, _) = choose(&artefact, name, &kept.path)?;
            if let Some(folder) = kept_folder(shared) {
                artefact.copy_to(&folder)?;
            }
            let kept = KeptFunction { library: artefact.file_name(), ..kept.clone() };
            let statement = shared.log.lock().get(&function_key(name)).map(|entry| entry.statement.clone());
            shared.log.lock().put_function(&function_key(name), &statement.unwrap_or_default(), kept);
            function
        }
    };
    let mut function = loaded;
    if !kept.path.is_empty() {
        function.declaration.facts.push(("Source".into(), kept.path.clone().into()));
    }
    Ok(function)
}

/// The library of an earlier session, from the data folder or the cache.
fn find(shared: &Shared, builder: &Builder, kept: &KeptFunction) -> Option<Artefact> {
    let in_data = kept_folder(shared).and_then(|folder| Artefact::find(&folder, &kept.library));
    in_data.or_else(|| builder.kept(&kept.library))
}

/// The function of a library that a statement names, and the names of the others.
fn choose(artefact: &Artefact, name: &str, shown: &str) -> Result<(PluginFunction, Vec<String>)> {
    let (mut named, others): (Vec<_>, Vec<_>) =
        artefact.load()?.into_iter().partition(|function| function.declaration.name.eq_ignore_ascii_case(name));
    let others: Vec<String> = others.into_iter().map(|function| function.declaration.name.to_string()).collect();
    match named.pop() {
        Some(function) => Ok((function, others)),
        None => {
            let error = Error::refused(Code::UnknownFunction, format!("{shown} has no function {name}"));
            Err(match others.first() {
                Some(first) => error
                    .detail(format!("it has {}", others.join(", ")))
                    .hint(format!("CREATE FUNCTION {first} FROM '{shown}';")),
                None => error.detail("it has none"),
            })
        }
    }
}

fn builder(shared: &Shared, settings: &Settings) -> Result<Builder> {
    let folder = match settings.get("extension.dir") {
        "" => default_folder()?,
        folder => absolute(Path::new(folder)),
    };
    Ok(Builder::new(folder, shared.notices.clone()))
}

/// Where libraries of a kept session stand: with its topics, so that the folder is whole.
fn kept_folder(shared: &Shared) -> Option<PathBuf> {
    match &shared.storage {
        Storage::Folder(folder) => Some(absolute(folder).join("functions")),
        _ => None,
    }
}

/// Takes a library out of the data folder when no kept function is in it any more.
fn clean(shared: &Shared, log: &StatementLog, library: &str) {
    let mut kept = log.entries().into_iter().filter_map(|(_, entry)| entry.function.as_ref());
    if let Some(folder) = kept_folder(shared).filter(|_| kept.all(|function| function.library != library)) {
        Artefact::remove(&folder, library);
    }
}

/// Whether a function may take the place of another that persistent queries call: after a restart they are planned with
/// it, and their columns must stay what they are.
fn keeps_its_types(former: &Declaration, new: &Declaration, callers: &[&str]) -> Result<()> {
    let types = |declaration: &Declaration| {
        let forms = declaration.variations.iter().map(|form| {
            let params: Vec<String> = form.params.iter().map(|param| param.ty.to_string()).collect();
            format!("{}({}) -> {}", declaration.name, params.join(", "), form.returns)
        });
        (declaration.kind, forms.collect::<Vec<_>>().join(" or "))
    };
    let (before, after) = (types(former), types(new));
    match callers.first() {
        Some(first) if before != after => {
            Err(Error::refused(Code::InUse, format!("cannot change the types of function {}, it is in use", new.name))
                .detail(format!("it was {}, it is now {}; called by {}", before.1, after.1, callers.join(", ")))
                .hint(format!("TERMINATE {first}; first, or give the new function another name.")))
        }
        _ => Ok(()),
    }
}

fn absolute(path: &Path) -> PathBuf {
    path.canonicalize().or_else(|_| std::path::absolute(path)).unwrap_or_else(|_| path.to_path_buf())
}

fn not_yours(name: &str, door: Door, done: &str) -> Error {
    let is = match door {
        Door::BuiltIn => "is a function of the engine",
        Door::Program => "was registered by the program that embeds the engine",
        Door::Plugin => "is a function of a library",
    };
    let error = Error::refused(Code::NotReplaceable, format!("{name} {is} and cannot be {done}"));
    if done == "replaced" { error.hint("Give yours another name in its source.") } else { error }
}

fn changed(name: &str, before: &KeptFunction, path: &str, now: &str) -> Error {
    let short = |hash: &str| hash.chars().take(8).collect::<String>();
    let was = if before.path.is_empty() { "another path" } else { &before.path };
    Error::refused(Code::NotReplaceable, format!("function {name} was created from another source"))
        .detail(format!(
            "it was {was} with hash {}, it is now {path} with {}",
            short(&before.source_sha256),
            short(now)
        ))
        .hint("Write CREATE OR REPLACE to change it.")
}

/// A function as it is called, with the type of its result.
fn shape(function: &PluginFunction) -> String {
    let declaration = &function.declaration;
    match declaration.variations.first() {
        Some(form) => format!("{} -> {}", declaration.call_text(form), form.returns),
        None => declaration.name.to_string(),
    }
}
