//! The settings a topic can have: names, defaults, what values are allowed, and the few this broker acts on.
//!
//! All of Kafka's names are known, so that scripts and clients written for it work; a setting that asks for something
//! this broker does not do is kept and shown, as `replicas` above 1 is.

use std::collections::BTreeMap;

use super::partition::{Compaction, Rules};

/// How a value is checked, and its type in DescribeConfigs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Bool,
    /// A 32-bit number, at least the bound.
    Int(i64),
    /// A 64-bit number, at least the bound.
    Long(i64),
    /// A number from 0 to 1.
    Fraction,
    /// One of the words.
    Word(&'static [&'static str]),
    /// Any of the words, separated by commas.
    Words(&'static [&'static str]),
    /// Anything.
    Text,
}

impl Kind {
    /// The type's number in DescribeConfigs.
    pub fn code(self) -> i8 {
        match self {
            Kind::Bool => 1,
            Kind::Word(_) | Kind::Text => 2,
            Kind::Int(_) => 3,
            Kind::Long(_) => 5,
            Kind::Fraction => 6,
            Kind::Words(_) => 7,
        }
    }

    fn accepts(self, value: &str) -> bool {
        match self {
            Kind::Bool => value == "true" || value == "false",
            Kind::Int(least) => value.parse::<i32>().is_ok_and(|value| i64::from(value) >= least),
            Kind::Long(least) => value.parse::<i64>().is_ok_and(|value| value >= least),
            Kind::Fraction => value.parse::<f64>().is_ok_and(|value| (0.0..=1.0).contains(&value)),
            Kind::Word(words) => words.contains(&value),
            Kind::Words(words) => value.split(',').all(|word| words.contains(&word.trim())),
            Kind::Text => true,
        }
    }
}

/// One setting.
#[derive(Debug)]
pub struct Setting {
    /// Its name.
    pub name: &'static str,
    /// Its value when nobody said.
    pub default: &'static str,
    /// What it accepts.
    pub kind: Kind,
}

const fn setting(name: &'static str, default: &'static str, kind: Kind) -> Setting {
    Setting { name, default, kind }
}

const NEVER: &str = "9223372036854775807";

/// All settings of a topic, by name.
pub const SETTINGS: &[Setting] = &[
    setting("cleanup.policy", "delete", Kind::Words(&["delete", "compact"])),
    setting("compression.type", "producer", Kind::Word(&["producer", "uncompressed", "gzip", "snappy", "lz4", "zstd"])),
    setting("delete.retention.ms", "86400000", Kind::Long(0)),
    setting("file.delete.delay.ms", "60000", Kind::Long(0)),
    setting("flush.messages", NEVER, Kind::Long(1)),
    setting("flush.ms", NEVER, Kind::Long(0)),
    setting("follower.replication.throttled.replicas", "", Kind::Text),
    setting("index.interval.bytes", "4096", Kind::Int(0)),
    setting("leader.replication.throttled.replicas", "", Kind::Text),
    setting("local.retention.bytes", "-2", Kind::Long(-2)),
    setting("local.retention.ms", "-2", Kind::Long(-2)),
    setting("max.compaction.lag.ms", NEVER, Kind::Long(1)),
    setting("max.message.bytes", "1048588", Kind::Int(0)),
    setting("message.timestamp.after.max.ms", NEVER, Kind::Long(0)),
    setting("message.timestamp.before.max.ms", NEVER, Kind::Long(0)),
    setting("message.timestamp.type", "CreateTime", Kind::Word(&["CreateTime", "LogAppendTime"])),
    setting("min.cleanable.dirty.ratio", "0.5", Kind::Fraction),
    setting("min.compaction.lag.ms", "0", Kind::Long(0)),
    setting("min.insync.replicas", "1", Kind::Int(1)),
    setting("preallocate", "false", Kind::Bool),
    setting("remote.storage.enable", "false", Kind::Bool),
    setting("retention.bytes", "-1", Kind::Long(-1)),
    setting("retention.ms", "-1", Kind::Long(-1)),
    setting("segment.bytes", "67108864", Kind::Int(1024)),
    setting("segment.index.bytes", "10485760", Kind::Int(4)),
    setting("segment.jitter.ms", "0", Kind::Long(0)),
    setting("segment.ms", "604800000", Kind::Long(1)),
    setting("unclean.leader.election.enable", "false", Kind::Bool),
];

/// The setting of that name.
pub fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

/// Says what is wrong with a setting, if something is.
pub fn check(name: &str, value: &str) -> Result<(), String> {
    match find(name) {
        None => Err(format!("unknown topic config name: {name}")),
        Some(setting) if setting.kind.accepts(value) => Ok(()),
        Some(_) => Err(format!("invalid value for configuration {name}")),
    }
}

/// What the settings mean for a partition; `segment_bytes` is the broker's own default, and the most there can be in memory,
/// where a segment is what is given back at a time.
pub fn rules(configs: &BTreeMap<String, String>, segment_bytes: u64, in_memory: bool) -> Rules {
    let value = |name: &str| configs.get(name).map_or_else(|| find(name).map_or("", |one| one.default), String::as_str);
    let number = |name: &str| value(name).parse::<i64>().unwrap_or(i64::MAX);
    let bound = |name: &str| Some(number(name)).filter(|bound| *bound >= 0);
    let most = if in_memory { segment_bytes } else { u64::MAX };
    let own_segment_bytes = configs.get("segment.bytes").and_then(|value| value.parse().ok());
    let policies: Vec<&str> = value("cleanup.policy").split(',').map(str::trim).collect();
    let deletes = policies.contains(&"delete");
    Rules {
        segment_bytes: own_segment_bytes.unwrap_or(segment_bytes).min(most),
        segment_ms: number("segment.ms"),
        retention_ms: bound("retention.ms").filter(|_| deletes),
        retention_bytes: bound("retention.bytes").filter(|_| deletes).map(|bytes| bytes as u64),
        deletes,
        compaction: policies.contains(&"compact").then(|| Compaction {
            dirty_ratio: value("min.cleanable.dirty.ratio").parse().unwrap_or(0.5),
            delete_retention_ms: number("delete.retention.ms"),
            min_lag_ms: number("min.compaction.lag.ms"),
            max_lag_ms: number("max.compaction.lag.ms"),
        }),
        max_message_bytes: number("max.message.bytes") as usize,
        append_time: value("message.timestamp.type") == "LogAppendTime",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_allowed() {
        for setting in SETTINGS {
            assert!(check(setting.name, setting.default).is_ok(), "{}", setting.name);
        }
    }

    #[test]
    fn unknown_names_and_bad_values_are_told_apart() {
        assert!(check("cleanup.policy", "compact,delete").is_ok());
        assert!(check("cleanup.policy", "tidy").unwrap_err().contains("invalid value"));
        assert!(check("cleanup.polish", "compact").unwrap_err().contains("unknown"));
        assert!(check("segment.bytes", "12").is_err());
    }

    #[test]
    fn retention_and_compaction_follow_the_policy() {
        let of = |pairs: &[(&str, &str)]| {
            let configs = pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
            rules(&configs, 1 << 20, false)
        };
        let plain = of(&[]);
        assert_eq!((plain.retention_ms, plain.retention_bytes, plain.compaction), (None, None, None));
        assert_eq!((plain.segment_bytes, plain.segment_ms), (1 << 20, 604_800_000));
        let limits = [("retention.ms", "5"), ("retention.bytes", "6")];
        assert_eq!((of(&limits).retention_ms, of(&limits).retention_bytes), (Some(5), Some(6)));
        let compact = of(&[limits.as_slice(), &[("cleanup.policy", "compact")]].concat());
        assert_eq!((compact.retention_ms, compact.retention_bytes), (None, None));
        assert!(!compact.deletes && plain.deletes);
        assert_eq!(compact.compaction.map(|one| one.delete_retention_ms), Some(86_400_000));
        let both = of(&[limits.as_slice(), &[("cleanup.policy", "compact, delete")]].concat());
        assert!(both.compaction.is_some() && both.retention_ms == Some(5) && both.deletes);
    }
}
