//! The cases of a file: what they say, expanded by their formats and configurations.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::types::text::json::Json;

/// One case, ready to run.
#[derive(Debug, Clone)]
pub struct Case {
    /// The file's name, without its folder.
    pub file: String,
    /// The folder of the file, from which the paths in its statements start.
    pub folder: PathBuf,
    /// Its name; unique in its file together with format and configuration.
    pub name: String,
    /// The entry of its list of formats it stands for; empty when it has no list.
    pub format: String,
    /// The entry of its list of configurations it stands for; empty when it has no list.
    pub config: String,
    /// Whether the file wants it run.
    pub enabled: bool,
    /// Its statements.
    pub statements: Vec<String>,
    /// Properties in force.
    pub properties: Vec<(String, String)>,
    /// Formats of topics that no statement declares: name, key format, value format.
    pub topics: Vec<(String, Option<String>, Option<String>)>,
    /// Records that go in, in order.
    pub inputs: Vec<CaseRecord>,
    /// Records that must come out, in order for each topic.
    pub outputs: Vec<CaseRecord>,
    /// What must be refused.
    pub exception: Option<Exception>,
    /// Streams and tables that must exist at the end.
    pub sources: Vec<ExpectedSource>,
    /// Whether it is of a kind this runner has no way to run: requests to a server.
    pub is_rest: bool,
    /// Whether its statements hold its records and what is expected, one text.
    pub is_script: bool,
}

/// What the last statement, or the input, must be refused with.
#[derive(Debug, Clone, Default)]
pub struct Exception {
    /// The class of the error, a Java name.
    pub class: String,
    /// A part of its text.
    pub message: String,
}

/// A record as a case writes it.
#[derive(Debug, Clone)]
pub struct CaseRecord {
    /// Its topic.
    pub topic: String,
    /// Its key; null when there is none.
    pub key: Json,
    /// Its value.
    pub value: Json,
    /// Its time, milliseconds since the epoch; not compared when it is not said.
    pub timestamp: Option<i64>,
    /// The window of its key.
    pub window: Option<Window>,
    /// Its headers: names, and values in Base64.
    pub headers: Vec<(String, Option<String>)>,
}

/// The window in a record's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// First millisecond.
    pub start: i64,
    /// One past the last millisecond; the last one of a session.
    pub end: i64,
    /// Whether it is a session.
    pub session: bool,
}

/// A stream or table that must exist.
#[derive(Debug, Clone)]
pub struct ExpectedSource {
    /// Its name.
    pub name: String,
    /// `stream` or `table`.
    pub kind: String,
    /// Its columns, as SQL, when they are said.
    pub schema: Option<String>,
    /// The format of its keys, when it is said.
    pub key_format: Option<String>,
    /// The format of its values, when it is said.
    pub value_format: Option<String>,
    /// What is said of its values: `WRAP_SINGLES`, `UNWRAP_SINGLES`, or neither.
    pub value_features: Option<Vec<String>>,
    /// The kind of windows in its keys and their size in milliseconds, when they are said.
    pub window: Option<(String, Option<i64>)>,
    /// Whether it must be read-only, when it is said.
    pub read_only: Option<bool>,
}

impl Case {
    /// A case that says nothing yet.
    pub fn empty(file: &str, name: &str) -> Case {
        Case {
            file: file.to_string(),
            folder: PathBuf::new(),
            name: name.to_string(),
            format: String::new(),
            config: String::new(),
            enabled: true,
            statements: Vec::new(),
            properties: Vec::new(),
            topics: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            exception: None,
            sources: Vec::new(),
            is_rest: false,
            is_script: false,
        }
    }

    /// File, name, format and configuration in one line.
    pub fn title(&self) -> String {
        let mut title = format!("{} - {}", self.file, self.name);
        for part in [&self.format, &self.config] {
            if !part.is_empty() {
                title += &format!(" - {part}");
            }
        }
        title
    }
}

/// The files named: a folder stands for the `.json` and `.sql` files in it and in its folders, by name.
///
/// # Errors
/// A path that is not there.
pub fn find_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        walk(path, true, &mut files)
            .map_err(|error| Error::usage(format!("{} cannot be read", path.display())).detail(error.to_string()))?;
    }
    Ok(files)
}

fn walk(path: &Path, named: bool, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if !std::fs::metadata(path)?.is_dir() {
        if named || path.extension().is_some_and(|extension| extension == "json" || extension == "sql") {
            files.push(path.to_path_buf());
        }
        return Ok(());
    }
    let mut entries = std::fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    entries.sort();
    entries.iter().try_for_each(|entry| walk(entry, false, files))
}

/// The cases of a file, expanded.
///
/// # Errors
/// A file that cannot be read or is no list of cases.
pub fn read_file(path: &Path) -> Result<Vec<Case>> {
    if path.extension().is_some_and(|extension| extension == "sql") {
        return super::script::read(path);
    }
    let unreadable = |what: String| Error::usage(format!("{} cannot be read", path.display())).detail(what);
    let bytes = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
    let root = Json::parse(&bytes).map_err(unreadable)?;
    let Some(Json::Array(tests)) = root.get("tests") else {
        return Err(unreadable("it has no list `tests`".to_string()));
    };
    let file = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let mut cases = Vec::new();
    for test in tests {
        let formats = choices(test, "format");
        let configs = choices(test, "config");
        for format in &formats {
            for config in &configs {
                let mut test = test.clone();
                test.replace("{FORMAT}", format);
                test.replace("{CONFIG}", config);
                cases.push(one(&file, &test, format, config).map_err(unreadable)?);
            }
        }
    }
    Ok(cases)
}

/// The entries of a list a case is repeated for; one empty entry without a list.
fn choices(test: &Json, key: &str) -> Vec<String> {
    let text = |item: &Json| item.as_str().map_or_else(|| item.to_string(), str::to_string);
    match test.get(key) {
        Some(Json::Array(items)) if !items.is_empty() => items.iter().map(text).collect(),
        _ => vec![String::new()],
    }
}

fn one(file: &str, test: &Json, format: &str, config: &str) -> Result<Case, String> {
    let name = test.get("name").and_then(Json::as_str).ok_or("a test has no `name`")?.to_string();
    let text_of = |value: &Json, key: &str| value.get(key).and_then(Json::as_str).map(str::to_string);
    let list = |key: &str| test.get(key).map_or(&[][..], Json::items);
    let properties = match test.get("properties") {
        Some(Json::Object(fields)) => fields.as_slice(),
        _ => &[],
    };
    let plain = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_string);
    let records = |key: &str| list(key).iter().map(|item| record(item, &name)).collect::<Result<Vec<_>, _>>();
    let sources = test.get("post").and_then(|post| post.get("sources")).map_or(&[][..], Json::items);
    Ok(Case {
        file: file.to_string(),
        folder: PathBuf::new(),
        format: format.to_string(),
        config: config.to_string(),
        enabled: test.get("enabled") != Some(&Json::Bool(false)),
        statements: list("statements").iter().filter_map(Json::as_str).map(str::to_string).collect(),
        properties: properties.iter().map(|(key, value)| (key.clone(), plain(value))).collect(),
        topics: list("topics")
            .iter()
            .filter_map(|topic| {
                let name = text_of(topic, "name").or_else(|| topic.as_str().map(str::to_string))?;
                Some((name, text_of(topic, "keyFormat"), text_of(topic, "valueFormat")))
            })
            .collect(),
        inputs: records("inputs")?,
        outputs: records("outputs")?,
        exception: test.get("expectedException").map(|exception| Exception {
            class: text_of(exception, "type").unwrap_or_default(),
            message: text_of(exception, "message").unwrap_or_default(),
        }),
        sources: sources
            .iter()
            .filter_map(|source| {
                let (name, kind) = (text_of(source, "name")?, text_of(source, "type")?);
                let format = |key: &str| {
                    let format = source.get(key)?;
                    format.as_str().map(str::to_string).or_else(|| text_of(format, "format"))
                };
                let features = |list: &Json| list.items().iter().filter_map(Json::as_str).map(str::to_string).collect();
                let window = source.get("keyFormat").and_then(|keys| {
                    let size = keys.get("windowSize").and_then(Json::as_i64);
                    text_of(keys, "windowType").map(|kind| (kind, size))
                });
                Some(ExpectedSource {
                    name,
                    kind,
                    schema: text_of(source, "schema"),
                    key_format: format("keyFormat"),
                    value_format: format("valueFormat"),
                    value_features: source.get("valueFeatures").map(features),
                    window,
                    read_only: match source.get("isSource") {
                        Some(Json::Bool(flag)) => Some(*flag),
                        _ => None,
                    },
                })
            })
            .collect(),
        is_rest: test.get("responses").is_some(),
        is_script: false,
        name,
    })
}

fn record(item: &Json, case: &str) -> Result<CaseRecord, String> {
    let topic = item.get("topic").and_then(Json::as_str).ok_or(format!("a record of `{case}` has no topic"))?;
    let number = |value: &Json, key: &str| value.get(key).and_then(Json::as_i64);
    let window = item.get("window").filter(|window| **window != Json::Null).map(|window| Window {
        start: number(window, "start").unwrap_or(0),
        end: number(window, "end").unwrap_or(0),
        session: window.get("type").and_then(Json::as_str).is_some_and(|kind| kind.eq_ignore_ascii_case("session")),
    });
    let headers = item.get("headers").map_or(&[][..], Json::items).iter().map(|header| {
        let text = |key: &str| header.get(key).and_then(Json::as_str).map(str::to_string);
        (text("KEY").unwrap_or_default(), text("VALUE"))
    });
    Ok(CaseRecord {
        topic: topic.to_string(),
        key: item.get("key").cloned().unwrap_or(Json::Null),
        value: item.get("value").cloned().unwrap_or(Json::Null),
        timestamp: number(item, "timestamp"),
        window,
        headers: headers.collect(),
    })
}
