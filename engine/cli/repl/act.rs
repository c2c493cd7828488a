//! What the commands do, one arm each.

use std::io::Write;
use std::time::{Duration, Instant};

use clap::ValueEnum;

use super::commands::{Act, Call};
use super::shell::{Flow, Shell};
use super::{edit, help};
use crate::cli::args::OutputFormat;
use crate::cli::print::Display;
use crate::cli::setup;
use crate::error::{Error, Result};
use crate::session::Including;

/// The interval of `\watch` when none is said.
const WATCH_EVERY: Duration = Duration::from_secs(2);
/// The shortest one.
const WATCH_AT_LEAST: Duration = Duration::from_millis(10);

impl Shell<'_> {
    /// Carries out a command. `pending` is the statement before it that no semicolon ends.
    pub(super) fn act(&mut self, call: &Call, pending: Option<String>, including: &Including) -> Result<Flow> {
        let argument = call.argument.as_str();
        match call.command.act {
            Act::Exit => return Ok(Flow::Leave),
            Act::Help => {
                let text = help::on(argument, &self.session.engine().functions())?;
                self.console.print(&text)?;
            }
            Act::Clear => {
                if self.interactive {
                    print!("\x1b[2J\x1b[3J\x1b[H");
                    // A terminal that is gone will be noticed by the next line.
                    let _ = std::io::stdout().flush();
                }
            }
            Act::Version => self.console.print(&format!("alcedo {}", env!("CARGO_PKG_VERSION")))?,
            Act::Server => {
                let text = setup::where_topics_live(self.session.engine());
                self.console.print(&text)?;
            }
            Act::History => self.show_history(argument)?,
            Act::Output => self.output(argument)?,
            Act::Expanded => {
                let vertical = self.format == OutputFormat::Vertical;
                let vertical = switched(argument, vertical)?;
                self.format = if vertical { OutputFormat::Vertical } else { OutputFormat::Table };
                self.say_output();
            }
            Act::Chart if argument.eq_ignore_ascii_case("off") => {
                self.format = OutputFormat::Table;
                self.say_output();
            }
            Act::Chart => {
                let Display { mode, chart } = Display::chart(argument)?;
                (self.format, self.chart) = (mode, chart);
                self.say_output();
            }
            Act::Timing => {
                self.timing = switched(argument, self.timing)?;
                self.console.say(if self.timing { "Timing is on." } else { "Timing is off." });
            }
            Act::Spool => self.spool(argument)?,
            Act::Script => return self.script(argument, including),
            Act::Describe if argument.is_empty() => {
                self.execute("SHOW STREAMS")?;
                return self.execute("SHOW TABLES");
            }
            Act::Describe => return self.execute(&format!("DESCRIBE {argument}")),
            Act::Streams => return self.execute("SHOW STREAMS"),
            Act::Tables => return self.execute("SHOW TABLES"),
            Act::Functions if argument.is_empty() => return self.execute("SHOW FUNCTIONS"),
            Act::Functions => return self.execute(&format!("DESCRIBE FUNCTION {argument}")),
            Act::Edit => return self.edit(pending),
            Act::Watch => return self.watch(argument, pending),
        }
        Ok(Flow::Next)
    }

    fn show_history(&mut self, argument: &str) -> Result<()> {
        let Some(history) = &self.history else {
            return Err(Error::sql("there is no history where nobody types"));
        };
        let entries = history.entries();
        let last = match argument {
            "" => entries.len(),
            number => number.parse().map_err(|_| Error::sql("history takes a number, how many entries to show"))?,
        };
        let width = entries.len().to_string().len();
        let mut text = String::new();
        for (n, entry) in entries.iter().enumerate().skip(entries.len().saturating_sub(last)) {
            let lines = entry.replace('\n', &format!("\n{:width$}  ", ""));
            text += &format!("{:>width$}  {lines}\n", n + 1);
        }
        self.console.print_unfolded(&text)
    }

    fn output(&mut self, argument: &str) -> Result<()> {
        if !argument.is_empty() {
            self.format = OutputFormat::from_str(argument, true).map_err(|_| {
                Error::sql(format!("there is no output {argument}"))
                    .hint("It is tabular, vertical, json, csv or chart.")
            })?;
        }
        self.say_output();
        Ok(())
    }

    fn say_output(&mut self) {
        let name = self.format.to_possible_value().map_or(String::new(), |value| value.get_name().to_string());
        self.console.say(&format!("Output is {name}."));
    }

    fn spool(&mut self, argument: &str) -> Result<()> {
        match argument {
            "" => {
                let text = match self.console.spool() {
                    Some(path) => format!("Spooling into {path}."),
                    None => "Nothing is spooled.".to_string(),
                };
                self.console.say(&text);
            }
            off if off.eq_ignore_ascii_case("off") => {
                let text = match self.console.spool_off() {
                    Some(path) => format!("Spooled into {path}."),
                    None => "Nothing was spooled.".to_string(),
                };
                self.console.say(&text);
            }
            path => {
                self.console.spool_to(path)?;
                self.console.say(&format!("Spooling into {path}; `spool off` ends it."));
            }
        }
        Ok(())
    }

    /// Opens the current or last statement in the editor and carries out what was saved.
    fn edit(&mut self, pending: Option<String>) -> Result<Flow> {
        if !self.interactive {
            return Err(Error::sql("an editor needs a terminal"));
        }
        let text = pending.or_else(|| self.last.clone().map(|statement| statement + ";")).unwrap_or_default();
        let Some(edited) = edit::edit(&text, self.interrupts)? else {
            self.console.whisper("nothing was saved, nothing is run");
            return Ok(Flow::Next);
        };
        let edited = edited.trim_end();
        self.console.whisper(edited);
        if let Some(history) = &mut self.history {
            history.add(edited);
        }
        Ok(self.text("", edited, &Including::nothing()))
    }

    /// Repeats a statement until the user interrupts or it fails.
    fn watch(&mut self, argument: &str, pending: Option<String>) -> Result<Flow> {
        let seconds = match argument {
            "" => WATCH_EVERY.as_secs_f64(),
            given => given
                .parse::<f64>()
                .ok()
                .filter(|seconds| (0.0..=86_400.0).contains(seconds))
                .ok_or_else(|| Error::sql("\\watch takes seconds, for example \\watch 0.5"))?,
        };
        let every = Duration::from_secs_f64(seconds).max(WATCH_AT_LEAST);
        let Some(statement) = pending.or_else(|| self.last.clone()) else {
            return Err(Error::sql("there is no statement to repeat").hint("SHOW QUERIES \\watch 2"));
        };
        self.last = Some(statement.clone());
        let first_line = statement.lines().next().unwrap_or_default();
        let mut run = 1;
        loop {
            let begun = Instant::now();
            self.console.whisper(&format!("{first_line}  (every {seconds} s, run {run}; Ctrl-C ends it)"));
            match self.execute(&statement) {
                Ok(Flow::Next) => {}
                Ok(flow) => return Ok(flow),
                Err(error) => return Ok(self.failed(error, &statement, "")),
            }
            run += 1;
            if self.interrupts.wait(every.saturating_sub(begun.elapsed())) {
                if self.interactive {
                    self.interrupts.take();
                    self.console.whisper("watching ended");
                }
                return Ok(Flow::Stopped);
            }
        }
    }
}

/// What a switch is after `on`, `off`, or nothing, which turns it over.
fn switched(argument: &str, now: bool) -> Result<bool> {
    match argument.to_ascii_lowercase().as_str() {
        "" => Ok(!now),
        "on" | "true" | "1" => Ok(true),
        "off" | "false" | "0" => Ok(false),
        _ => Err(Error::sql("it is on or off")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_turns_over_when_nothing_is_said() {
        assert!(switched("", false).is_ok_and(|on| on));
        assert!(switched("OFF", true).is_ok_and(|on| !on));
        assert!(switched("maybe", true).is_err());
    }
}
