//! The commands of the shell that are no SQL: ksqlDB's words and psql's short forms, in one table. Dispatch, `help` and
//! completion all read it.

use crate::catalog::nearest;
use crate::error::{Error, Result};

/// A command.
#[derive(Debug)]
pub struct Command {
    /// What it is called: words in lower case, short forms behind a backslash. The first one is the one to show.
    pub names: &'static [&'static str],
    /// Its argument, as `help` shows it; empty when it takes none.
    pub argument: &'static str,
    /// What the argument is, for completion.
    pub takes: Takes,
    /// What it does, in one line.
    pub about: &'static str,
    /// What carries it out.
    pub act: Act,
}

/// What a command's argument is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// There is none.
    Nothing,
    /// One of these words.
    Words(&'static [&'static str]),
    /// The path of a file.
    File,
    /// A stream or table.
    Relation,
    /// A function.
    Function,
    /// A topic of `help`.
    HelpTopic,
    /// A number.
    Number,
}

/// What carries a command out; see `act.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Leave.
    Exit,
    /// Say what can be typed.
    Help,
    /// Empty the screen.
    Clear,
    /// Say which version this is.
    Version,
    /// Say where topics live.
    Server,
    /// List what was typed.
    History,
    /// How rows are written.
    Output,
    /// Switch between vertical and tabular.
    Expanded,
    /// Draw rows.
    Chart,
    /// Switch the time per statement.
    Timing,
    /// Copy everything into a file.
    Spool,
    /// Run a file.
    Script,
    /// Describe a stream or table, or list all.
    Describe,
    /// List streams.
    Streams,
    /// List tables.
    Tables,
    /// List functions, or describe one.
    Functions,
    /// Edit a statement.
    Edit,
    /// Repeat a statement.
    Watch,
}

const ON_OFF: Takes = Takes::Words(&["on", "off"]);

/// All commands, in the order of `help commands`.
pub const COMMANDS: &[Command] = &[
    Command {
        names: &["help", "\\?", "\\h"],
        argument: "[TOPIC]",
        takes: Takes::HelpTopic,
        about: "what can be typed; TOPIC is statements, functions, commands, settings, keys, a statement or a function",
        act: Act::Help,
    },
    Command {
        names: &["\\d"],
        argument: "[NAME]",
        takes: Takes::Relation,
        about: "columns of a stream or table; without a name all of them",
        act: Act::Describe,
    },
    Command {
        names: &["\\ds"],
        argument: "",
        takes: Takes::Nothing,
        about: "streams (SHOW STREAMS)",
        act: Act::Streams,
    },
    Command { names: &["\\dt"], argument: "", takes: Takes::Nothing, about: "tables (SHOW TABLES)", act: Act::Tables },
    Command {
        names: &["\\df"],
        argument: "[NAME]",
        takes: Takes::Function,
        about: "functions, or what one takes and gives",
        act: Act::Functions,
    },
    Command {
        names: &["output"],
        argument: "[tabular|vertical|json|csv|chart]",
        takes: Takes::Words(&["tabular", "vertical", "json", "csv", "chart"]),
        about: "how rows are written",
        act: Act::Output,
    },
    Command {
        names: &["\\x"],
        argument: "[on|off]",
        takes: ON_OFF,
        about: "vertical rows, and back",
        act: Act::Expanded,
    },
    Command {
        names: &["\\chart"],
        argument: "[NAME=VALUE ...|off]",
        takes: Takes::Words(&["value=", "key=", "threshold=", "window=", "off"]),
        about: "rows as a line a key, redrawn in place: last value, its course, a bar; what it does not choose well is said as value=COLUMN key=COLUMN threshold=NUMBER window=COUNT",
        act: Act::Chart,
    },
    Command {
        names: &["\\timing"],
        argument: "[on|off]",
        takes: ON_OFF,
        about: "the time of each statement",
        act: Act::Timing,
    },
    Command {
        names: &["run script", "\\i"],
        argument: "FILE",
        takes: Takes::File,
        about: "run the statements of a file; the first error ends it",
        act: Act::Script,
    },
    Command {
        names: &["\\e"],
        argument: "",
        takes: Takes::Nothing,
        about: "edit the current or last statement in $VISUAL or $EDITOR, then run it",
        act: Act::Edit,
    },
    Command {
        names: &["\\watch"],
        argument: "[SECONDS]",
        takes: Takes::Number,
        about: "repeat the current or last statement, every 2 seconds when not said; Ctrl-C ends it",
        act: Act::Watch,
    },
    Command {
        names: &["spool"],
        argument: "[FILE|off]",
        takes: Takes::File,
        about: "copy statements and their results into a file as well",
        act: Act::Spool,
    },
    Command {
        names: &["history", "\\s"],
        argument: "[N]",
        takes: Takes::Number,
        about: "what was typed, the last N of it; Ctrl-R searches it",
        act: Act::History,
    },
    Command { names: &["clear"], argument: "", takes: Takes::Nothing, about: "empty the screen", act: Act::Clear },
    Command { names: &["server"], argument: "", takes: Takes::Nothing, about: "where topics live", act: Act::Server },
    Command {
        names: &["version"],
        argument: "",
        takes: Takes::Nothing,
        about: "the version of alcedo",
        act: Act::Version,
    },
    Command {
        names: &["exit", "quit", "\\q"],
        argument: "",
        takes: Takes::Nothing,
        about: "leave, as Ctrl-D does; persistent queries stop with a commit",
        act: Act::Exit,
    },
];

/// A command as it was typed.
#[derive(Debug, Clone)]
pub struct Call {
    /// The command.
    pub command: &'static Command,
    /// Its argument, quotes around it taken away; empty when there is none.
    pub argument: String,
}

/// Reads a line as a command, with or without a semicolon; `None` when it is none, and so the beginning of a statement.
///
/// # Errors
/// A short form that does not exist, with the nearest as a hint; an argument where none is taken, or none where one is.
pub fn parse(line: &str) -> Option<Result<Call>> {
    let line = line.trim().trim_end_matches(';').trim_end();
    let backslash = line.starts_with('\\') && line.len() > 1;
    let found = COMMANDS.iter().find_map(|command| {
        let rest = command.names.iter().find_map(|name| behind(line, name))?;
        Some((command, rest))
    });
    match found {
        // With its file in quotes it is a statement, in which variables are filled in.
        Some((command, rest)) if command.act == Act::Script && !backslash && rest.starts_with('\'') => None,
        Some((command, rest)) => Some(call(command, unquoted(rest))),
        None if backslash => Some(Err(unknown(line.split_whitespace().next().unwrap_or(line)))),
        None => None,
    }
}

/// What follows the name in a line that begins with it, whatever its case.
fn behind<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = line;
    for (n, word) in name.split(' ').enumerate() {
        if n > 0 {
            rest = rest.trim_start();
        }
        let head = rest.get(..word.len()).filter(|head| head.eq_ignore_ascii_case(word))?;
        rest = &rest[head.len()..];
        if rest.starts_with(|c: char| !c.is_whitespace() && c != '\'' && c != ';') {
            return None;
        }
    }
    Some(rest.trim())
}

fn call(command: &'static Command, argument: String) -> Result<Call> {
    let name = command.names[0];
    match command.argument {
        "" if !argument.is_empty() => Err(Error::sql(format!("{name} takes no argument"))),
        _ if matches!(command.takes, Takes::Relation | Takes::Function) && argument.contains(';') => {
            Err(Error::sql(format!("{name} takes one name")))
        }
        needed if !needed.is_empty() && !needed.starts_with('[') && argument.is_empty() => {
            Err(Error::sql(format!("{name} needs an argument")).hint(format!("{name} {needed}")))
        }
        _ => Ok(Call { command, argument }),
    }
}

/// An argument without its single quotes.
fn unquoted(argument: &str) -> String {
    match argument.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        Some(inner) => inner.replace("''", "'"),
        None => argument.to_string(),
    }
}

fn unknown(name: &str) -> Error {
    let error = Error::sql(format!("unknown command {name}"));
    let short = COMMANDS.iter().flat_map(|command| command.names).copied().filter(|name| name.starts_with('\\'));
    match nearest(name, short).filter(|near| near.len() > 2 || name.len() <= 3) {
        Some(near) => error.hint(format!("Did you mean {near}?")),
        None => error.hint("\\? lists the commands."),
    }
}

/// The command nearest to a word that begins no statement, if one is near.
pub fn nearest_word(word: &str) -> Option<&'static str> {
    let words = COMMANDS.iter().flat_map(|command| command.names).copied().filter(|name| !name.starts_with('\\'));
    nearest(word, words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn act(line: &str) -> Option<(Act, String)> {
        parse(line).map(|call| call.map(|call| (call.command.act, call.argument)).expect("a good command"))
    }

    #[test]
    fn words_are_known_in_any_case_with_or_without_a_semicolon_and_statements_are_none() {
        assert_eq!(act(" EXIT; "), Some((Act::Exit, String::new())));
        assert_eq!(act("\\?"), Some((Act::Help, String::new())));
        assert_eq!(act("help select;"), Some((Act::Help, "select".into())));
        assert_eq!(act("\\i 'it''s here.sql';"), Some((Act::Script, "it's here.sql".into())));
        assert_eq!(act("Run  Script a.sql"), Some((Act::Script, "a.sql".into())));
        for statement in ["SHOW TOPICS;", "output_rate;", "helper", "\\", "", "runscript x", "RUN", "RUN SCRIPT 'a'"] {
            assert!(parse(statement).is_none(), "{statement}");
        }
    }

    #[test]
    fn short_forms_are_not_mistaken_for_one_another() {
        assert_eq!(act("\\d s"), Some((Act::Describe, "s".into())));
        assert_eq!(act("\\ds"), Some((Act::Streams, String::new())));
        assert_eq!(act("\\df abs"), Some((Act::Functions, "abs".into())));
    }

    #[test]
    fn an_unknown_command_names_the_nearest() {
        let error = |line: &str| parse(line).expect("a command").expect_err("a wrong one");
        assert_eq!(error("\\timng").hint_text(), Some("Did you mean \\timing?"));
        assert_eq!(error("\\wach 3").message(), "unknown command \\wach");
        assert_eq!(error("\\frobnicate").hint_text(), Some("\\? lists the commands."));
        assert_eq!(error("\\q now").message(), "exit takes no argument");
        assert_eq!(error("\\d s; DROP STREAM s;").message(), "\\d takes one name");
        assert_eq!(error("\\i").hint_text(), Some("run script FILE"));
        assert_eq!(nearest_word("exti"), Some("exit"));
        assert_eq!(nearest_word("select"), None);
    }

    #[test]
    fn no_name_is_given_twice() {
        let mut names: Vec<&str> = COMMANDS.iter().flat_map(|command| command.names).copied().collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
