//! From arguments to an engine: settings in their order, storage, notices.

use crate::cli::args::{MEMORY_TOPICS_BYTES, SessionArgs};
use crate::cli::notices;
use crate::cli::print::visible;
use crate::cli::style::Paint;
use crate::config::{Origin, Settings};
use crate::error::{Error, Result};
use crate::runtime::start::StartPolicy;
use crate::session::{Engine, EngineBuilder, Session, Storage};

/// The settings of flags, environment and configuration file.
pub fn settings(args: &SessionArgs) -> Result<Settings> {
    let mut settings = Settings::new();
    if let Some(path) = &args.config {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Error::usage(format!("configuration file {} cannot be read", path.display())).detail(error.to_string())
        })?;
        for note in settings.read_properties(&path.display().to_string(), &text)? {
            eprintln!("{}{}", Paint::stderr().warning("warning: "), visible(&note));
        }
    }
    settings.read_environment(std::env::vars())?;
    let flag = |error: Error, flag: &str| Error::usage(format!("{flag}: {}", error.message()));
    if let Some(service) = &args.service_id {
        settings.set(Origin::Flag, "service.id", service)?;
    }
    if let Some(from) = &args.from {
        StartPolicy::parse(from).map_err(|error| {
            let hint = error.hint_text().unwrap_or_default().to_string();
            flag(error, "--from").hint(hint)
        })?;
        settings.set(Origin::Flag, "auto.offset.reset", from)?;
    }
    if let Some(bootstrap) = &args.bootstrap {
        settings.set(Origin::Flag, "bootstrap.servers", bootstrap)?;
    }
    check_service(settings.get("service.id"))?;
    Ok(settings)
}

/// A service id is part of the names of topics and groups.
fn check_service(service: &str) -> Result<()> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == '.';
    if service.is_empty() || service.len() > 100 || !service.chars().all(allowed) {
        return Err(Error::usage("a service id is 1 to 100 letters, digits, `-`, `_` or `.`")
            .detail("it becomes part of the names of topics, groups and transactions"));
    }
    Ok(())
}

/// An engine builder for these arguments.
pub fn builder(args: &SessionArgs) -> Result<EngineBuilder> {
    let settings = settings(args)?;
    let storage = match (settings.get("bootstrap.servers"), &args.data) {
        ("", Some(folder)) => Storage::Folder(folder.clone()),
        ("", None) => Storage::Memory(Some(args.memory_topics.unwrap_or(MEMORY_TOPICS_BYTES))),
        (_, Some(_)) => {
            return Err(Error::usage(
                "--data keeps the embedded broker's topics, and bootstrap.servers names a cluster",
            )
            .hint("Give one of the two."));
        }
        (address, None) => Storage::Cluster(address.to_string()),
    };
    let mut builder = Engine::builder()
        .storage(storage)
        .settings(settings)
        .allow_remote(args.allow_remote)
        .notices(notices::to_stderr());
    if let Some(listen) = args.listen {
        builder = builder.listen(listen);
    }
    Ok(builder)
}

/// Gives a session the variables of `--define`.
pub fn define(session: &mut Session, args: &SessionArgs) -> Result<()> {
    for (name, value) in &args.define {
        session.define(name, value).map_err(|error| Error::usage(format!("--define {name}: {}", error.message())))?;
    }
    Ok(())
}

/// One line about where topics live.
pub fn where_topics_live(engine: &Engine) -> String {
    let address = engine.address();
    match engine.storage() {
        Storage::Cluster(_) => format!("Kafka cluster {address}"),
        Storage::Memory(_) => format!("topics in memory, gone at the end (--data DIR keeps them); broker on {address}"),
        Storage::Folder(folder) => format!("topics in {}; broker on {address}", folder.display()),
    }
}

/// The persistent queries and connectors that run, by name, as they are told in one line; `None` when there is none.
pub fn what_runs(engine: &Engine) -> Option<String> {
    let connectors = engine.running_connectors();
    let mut parts = engine.running_queries();
    if !connectors.is_empty() {
        let plural = if connectors.len() == 1 { "" } else { "s" };
        parts.push(format!("connector{plural} {}", connectors.join(", ")));
    }
    (!parts.is_empty()).then(|| visible(&parts.join(", ")).into_owned())
}
