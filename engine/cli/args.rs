//! Arguments as they are typed.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Args, FromArgMatches, Parser, Subcommand, ValueEnum};

/// Streaming SQL for sensor data, with anomaly detection built in.
#[derive(Debug, Parser)]
#[command(
    name = "alcedo",
    version,
    disable_help_subcommand = true,
    arg_required_else_help = false,
    args_conflicts_with_subcommands = true
)]
pub struct Arguments {
    /// What to do; the shell when nothing is said.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Flags of the shell.
    #[command(flatten)]
    pub repl: ReplArgs,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run SQL files: persistent queries first, then their push queries side by side
    Run(RunArgs),
    /// Start the shell
    Repl(ReplArgs),
    /// Run the connected-car demo: MQTT in, anomaly scores out, everything in this process
    Demo(DemoArgs),
    /// Run the embedded broker alone, for local development
    Broker(BrokerArgs),
    /// Run test cases: statements, records in, records that must come out; no broker
    Test(TestArgs),
    /// Check SQL files without running anything: what is wrong, what differs from ksqlDB, what is not supported yet
    Check(CheckArgs),
    /// Lay out SQL files: one clause a line where they are long, keywords in upper case, comments kept
    Fmt(FmtArgs),
    /// Write a script that completes this program's arguments in a shell
    Completions(CompletionsArgs),
}

/// Where topics live, and the settings in force.
#[derive(Debug, Clone, Default, Args)]
pub struct SessionArgs {
    /// Addresses of a Kafka cluster; without it the embedded broker is used
    #[arg(short = 'b', long = "bootstrap", value_name = "HOST:PORT", conflicts_with_all = ["data", "listen", "memory_topics"])]
    pub bootstrap: Option<String>,
    /// Keep the embedded broker's topics in this folder; in memory otherwise
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Address of the embedded broker, so that other programs can join in; a free loopback port otherwise
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// Let the embedded broker listen beyond this machine (it has no authentication)
    #[arg(long)]
    pub allow_remote: bool,
    /// Bound of all topics kept in memory together (512MB when not said); the oldest records go first, after a warning
    #[arg(long, value_name = "SIZE", value_parser = size, conflicts_with = "data")]
    pub memory_topics: Option<u64>,
    /// Processes with one service id share the work of each query
    #[arg(long, value_name = "NAME")]
    pub service_id: Option<String>,
    /// Where queries without committed offsets start: earliest, latest or a time such as 2026-01-31T12:00:00
    #[arg(long, value_name = "WHERE")]
    pub from: Option<String>,
    /// A variable for ${NAME} in statements; may be given several times
    #[arg(short = 'd', long = "define", value_name = "NAME=VALUE", value_parser = definition)]
    pub define: Vec<(String, String)>,
    /// Settings and librdkafka properties, one `name=value` a line
    #[arg(long, visible_alias = "config-file", value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// `alcedo run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// SQL files; several are run as one
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Where topics live, and settings.
    #[command(flatten)]
    pub session: SessionArgs,
    /// Process what the topics hold, commit and exit
    #[arg(long)]
    pub until_end: bool,
    /// How rows are written.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Write counts of every query at the end, to standard error
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub stats: Option<StatsFormat>,
}

/// `alcedo repl`.
#[derive(Debug, Clone, Default, Args)]
pub struct ReplArgs {
    /// Statements to run instead of a shell.
    #[command(flatten)]
    pub given: GivenArgs,
    /// Where topics live, and settings.
    #[command(flatten)]
    pub session: SessionArgs,
    /// How rows are written.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// How rows are written.
#[derive(Debug, Clone, Default, Args)]
pub struct OutputArgs {
    /// How rows are written
    #[arg(long = "output", value_enum, ignore_case = true, default_value_t = OutputFormat::Table, value_name = "FORMAT")]
    pub format: OutputFormat,
    /// What a chart shows, where `--output chart` does not choose well: value=COLUMN,key=COLUMN,threshold=NUMBER,window=COUNT
    #[arg(long, value_name = "OPTIONS", conflicts_with = "format", value_parser = chart)]
    pub chart: Option<ChartOptions>,
}

impl OutputArgs {
    /// The mode with its options.
    pub fn display(&self) -> Display {
        match &self.chart {
            Some(chart) => Display { mode: OutputFormat::Chart, chart: chart.clone() },
            None => self.format.into(),
        }
    }
}

/// `alcedo demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// End in the shell over the same live data
    #[arg(long)]
    pub shell: bool,
    /// Car messages to publish, besides the demo's own line
    #[arg(long, default_value_t = 3000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub messages: u32,
}

/// `alcedo broker`.
#[derive(Debug, Args)]
pub struct BrokerArgs {
    /// Keep topics in this folder; in memory otherwise
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Address to listen on
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9092")]
    pub listen: SocketAddr,
    /// Listen beyond this machine (there is no authentication)
    #[arg(long)]
    pub allow_remote: bool,
    /// Bound of all topics kept in memory together (512MB when not said); the oldest records go first, after a warning
    #[arg(long, value_name = "SIZE", value_parser = size, conflicts_with = "data")]
    pub memory_topics: Option<u64>,
}

/// `alcedo test`.
#[derive(Debug, Args)]
pub struct TestArgs {
    /// Files of cases, or folders of them
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Run only the cases whose file and name contain this text
    #[arg(long, value_name = "TEXT")]
    pub filter: Option<String>,
    /// How records are cut into batches and what happens between them, which must not matter
    #[arg(long, value_enum, default_value_t = TestMode::Whole)]
    pub mode: TestMode,
    /// Write a line of JSON for each case to standard output
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub report: Option<StatsFormat>,
    /// End with the first case that fails
    #[arg(long)]
    pub fail_fast: bool,
}

/// How records are cut into batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum TestMode {
    /// Each record alone
    Single,
    /// All records of a topic together
    #[default]
    Whole,
    /// Each record alone, and everything made anew from its statements before each
    Restart,
}

/// `alcedo check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// SQL files, each checked on its own
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// A variable for ${NAME} in statements; may be given several times
    #[arg(short = 'd', long = "define", value_name = "NAME=VALUE", value_parser = definition)]
    pub define: Vec<(String, String)>,
    /// Settings and client properties, checked too: one `name=value` a line, ksqlDB's and Java's names among them
    #[arg(long, visible_alias = "config-file", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How the findings are written
    #[arg(long, value_enum, ignore_case = true, default_value_t = CheckFormat::Text, value_name = "FORMAT")]
    pub output: CheckFormat,
}

/// `alcedo fmt`.
#[derive(Debug, Args)]
pub struct FmtArgs {
    /// SQL files; standard input when there is none, or for `-`
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Rewrite the files in place instead of printing them
    #[arg(short = 'w', long)]
    pub write: bool,
    /// Write nothing but the names of the files that would change, and exit with 1 if there is one
    #[arg(long, conflicts_with = "write")]
    pub check: bool,
}

/// How the findings of a check are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    /// For people: errors with their carets
    Text,
    /// One JSON object a statement
    Json,
}

/// `alcedo completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: CompletedShell,
}

/// A shell whose completions can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CompletedShell {
    /// For `~/.local/share/bash-completion/completions/alcedo`
    Bash,
    /// For a file `_alcedo` in a folder of `fpath`
    Zsh,
    /// For `~/.config/fish/completions/alcedo.fish`
    Fish,
}

/// Bound of topics in memory when nothing is said.
pub const MEMORY_TOPICS_BYTES: u64 = 512 << 20;

pub use super::print::OutputMode as OutputFormat;
use super::print::{ChartOptions, Display};

/// Statements on the command line, in the order in which they were given.
#[derive(Debug, Clone, Default)]
pub struct GivenArgs(pub Vec<Given>);

/// One `-e` or `-f`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given {
    /// Statements.
    Statements(String),
    /// A file of statements.
    File(PathBuf),
}

impl Args for GivenArgs {
    fn augment_args(command: clap::Command) -> clap::Command {
        let execute = Arg::new("execute")
            .short('e')
            .long("execute")
            .value_name("SQL")
            .action(ArgAction::Append)
            .help("Run statements and exit; may be given several times");
        let file = Arg::new("file")
            .short('f')
            .long("file")
            .value_name("FILE")
            .value_parser(clap::value_parser!(PathBuf))
            .action(ArgAction::Append)
            .help("Run the statements of a file one after another and exit; may be given several times");
        command.arg(execute).arg(file)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for GivenArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut given: Vec<(usize, Given)> = Vec::new();
        if let (Some(values), Some(places)) = (matches.get_many::<String>("execute"), matches.indices_of("execute")) {
            given.extend(places.zip(values.cloned().map(Given::Statements)));
        }
        if let (Some(values), Some(places)) = (matches.get_many::<PathBuf>("file"), matches.indices_of("file")) {
            given.extend(places.zip(values.cloned().map(Given::File)));
        }
        given.sort_by_key(|(place, _)| *place);
        Ok(GivenArgs(given.into_iter().map(|(_, given)| given).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// How counts are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StatsFormat {
    /// One JSON object a query
    Json,
}

fn chart(text: &str) -> Result<ChartOptions, String> {
    ChartOptions::parse(text).map_err(|error| match error.hint_text() {
        Some(hint) => format!("{}. {hint}", error.message()),
        None => error.message().to_string(),
    })
}

fn size(text: &str) -> Result<u64, String> {
    crate::config::parse_bytes(text).ok_or_else(|| "expected a size such as 512MB".to_string())
}

fn definition(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_string(), value.to_string())),
        _ => Err("expected NAME=VALUE".to_string()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn statements_keep_their_order_and_names_of_outputs_their_users() {
        let parsed =
            Arguments::try_parse_from(["alcedo", "-e", "a;", "--file", "b.sql", "--execute=c;", "--output", "TABULAR"]);
        let arguments = parsed.expect("all of them are flags");
        let expected = [Given::Statements("a;".into()), Given::File("b.sql".into()), Given::Statements("c;".into())];
        assert_eq!(arguments.repl.given.0, expected);
        assert_eq!(arguments.repl.output.format, OutputFormat::Table);
        let parsed = Arguments::try_parse_from(["alcedo", "repl", "--config-file", "c", "--output", "Vertical"]);
        let Some(Command::Repl(repl)) = parsed.expect("ksqlDB's spelling").command else { panic!("repl was typed") };
        assert_eq!((repl.session.config, repl.output.format), (Some("c".into()), OutputFormat::Vertical));
        // Flags before a command would be lost.
        assert!(Arguments::try_parse_from(["alcedo", "--data", "d", "repl"]).is_err());
    }

    #[test]
    fn a_chart_is_said_with_what_it_shows_and_not_beside_another_mode() {
        let parsed = Arguments::try_parse_from(["alcedo", "run", "a.sql", "--chart", "value=temp,threshold=3"]);
        let Some(Command::Run(run)) = parsed.expect("it is a flag").command else { panic!("run was typed") };
        let chart = ChartOptions { value: Some("temp".into()), threshold: Some(3.0), ..ChartOptions::default() };
        assert_eq!(run.output.display(), Display { mode: OutputFormat::Chart, chart });
        let error = |arguments: &[&str]| Arguments::try_parse_from(arguments).expect_err("it is wrong").to_string();
        assert!(error(&["alcedo", "--chart", "colour=red"]).contains("`colour=red` is no option of a chart"));
        assert!(error(&["alcedo", "--chart", "key=a", "--output", "json"]).contains("cannot be used with"));
    }

    #[test]
    fn a_cluster_and_a_folder_exclude_each_other() {
        assert!(Arguments::try_parse_from(["alcedo", "run", "a.sql", "-b", "h:9092", "--data", "d"]).is_err());
        assert!(Arguments::try_parse_from(["alcedo", "run"]).is_err());
        let parsed =
            Arguments::try_parse_from(["alcedo", "run", "a.sql", "--define", "a=b=c", "--memory-topics", "1MB"]);
        let Some(Command::Run(run)) = parsed.unwrap().command else { panic!("run was typed") };
        assert_eq!(run.session.define, [("a".to_string(), "b=c".to_string())]);
        assert_eq!(run.session.memory_topics, Some(1 << 20));
    }
}
