//! Topic filters with wildcards: MQTT 5, section 4.7, and the same of MQTT 3.1.1.
//!
//! A topic is levels between slashes, and an empty level is one too. `+` stands for one level, `#` at the end for any
//! number of them, none included, so that `plant/#` takes `plant`. A filter that begins with a wildcard takes no topic
//! that begins with `$`: those are the broker's own.

use std::fmt;

/// A filter that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    text: Box<str>,
}

impl Filter {
    /// Checks a filter.
    ///
    /// # Errors
    /// With what is wrong about it, as the end of a sentence.
    pub fn parse(text: &str) -> Result<Filter, &'static str> {
        if text.is_empty() {
            return Err("it is empty");
        }
        if text.len() > usize::from(u16::MAX) {
            return Err("it is longer than 65,535 bytes");
        }
        if text.contains('\0') {
            return Err("it holds a NUL");
        }
        let mut levels = text.split('/').peekable();
        while let Some(level) = levels.next() {
            match level {
                "#" if levels.peek().is_some() => return Err("'#' stands only at the end"),
                "#" | "+" => {}
                _ if level.contains(['#', '+']) => return Err("a wildcard stands alone in its level"),
                _ => {}
            }
        }
        Ok(Filter { text: text.into() })
    }

    /// The filter as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it takes `topic`, the name a message was published to.
    pub fn matches(&self, topic: &str) -> bool {
        if topic.starts_with('$') && self.text.starts_with(['#', '+']) {
            return false;
        }
        let (mut filter, mut topic) = (self.text.split('/'), topic.split('/'));
        loop {
            match (filter.next(), topic.next()) {
                (Some("#"), _) | (None, None) => return true,
                (Some("+"), Some(_)) => {}
                (Some(wanted), Some(level)) if wanted == level => {}
                _ => return false,
            }
        }
    }
}

/// Whether every topic that `other` takes is one that `filter` takes. Both are right filters.
pub(super) fn covers(filter: &str, other: &str) -> bool {
    if other.starts_with('$') && filter.starts_with(['#', '+']) {
        return false;
    }
    let (mut filter, mut other) = (filter.split('/'), other.split('/'));
    loop {
        match (filter.next(), other.next()) {
            (Some("#"), _) | (None, None) => return true,
            (_, Some("#")) => return false,
            (Some("+"), Some(_)) => {}
            (Some(wanted), Some(level)) if wanted == level => {}
            _ => return false,
        }
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn takes(filter: &str, topic: &str) -> bool {
        Filter::parse(filter).expect("a right filter").matches(topic)
    }

    /// The examples of the standard, sections 4.7.1 and 4.7.2.
    #[test]
    fn the_examples_of_the_standard_hold() {
        for (filter, topic, taken) in [
            ("sport/tennis/player1/#", "sport/tennis/player1", true),
            ("sport/tennis/player1/#", "sport/tennis/player1/ranking", true),
            ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true),
            ("sport/#", "sport", true),
            ("#", "anything/at/all", true),
            ("sport/tennis/+", "sport/tennis/player1", true),
            ("sport/tennis/+", "sport/tennis/player1/ranking", false),
            ("sport/+", "sport", false),
            ("sport/+", "sport/", true),
            ("+/+", "/finance", true),
            ("/+", "/finance", true),
            ("+", "/finance", false),
            ("#", "$SYS/broker", false),
            ("+/monitor/Clients", "$SYS/monitor/Clients", false),
            ("$SYS/#", "$SYS/broker/load", true),
            ("$SYS/monitor/+", "$SYS/monitor/Clients", true),
            ("plant/+/temp", "plant//temp", true),
            ("ACCOUNTS", "Accounts", false),
        ] {
            assert_eq!(takes(filter, topic), taken, "{filter} and {topic}");
        }
    }

    #[test]
    fn a_filter_covers_narrower_ones_only() {
        for (filter, other, covered) in [
            ("plant/#", "plant/+/temp", true),
            ("plant/#", "plant", true),
            ("#", "+/x", true),
            ("+/+", "a/+", true),
            ("a/b", "a/b", true),
            ("a/+", "a/#", false),
            ("plant/+/temp", "plant/#", false),
            ("a/+/c", "a/b/+", false),
            ("#", "$SYS/x", false),
        ] {
            assert_eq!(covers(filter, other), covered, "{filter} and {other}");
        }
    }

    #[test]
    fn a_wrong_filter_says_what_is_wrong() {
        for (filter, reason) in [
            ("", "it is empty"),
            ("a\0b", "it holds a NUL"),
            ("a/#/b", "'#' stands only at the end"),
            ("#/", "'#' stands only at the end"),
            ("a/b#", "a wildcard stands alone in its level"),
            ("sport+", "a wildcard stands alone in its level"),
            ("a/++/b", "a wildcard stands alone in its level"),
        ] {
            assert_eq!(Filter::parse(filter).expect_err("a wrong filter"), reason, "{filter:?}");
        }
    }

    /// The rules said once more, as one recursion over lists of levels.
    fn oracle(filter: &[&str], topic: &[&str]) -> bool {
        match (filter, topic) {
            ([], []) | (["#"], _) => true,
            (["+", filter @ ..], [_, topic @ ..]) => oracle(filter, topic),
            ([wanted, filter @ ..], [level, topic @ ..]) => wanted == level && oracle(filter, topic),
            _ => false,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn matching_agrees_with_the_oracle(
            filter in proptest::collection::vec(prop_oneof!["[ab]?", Just("$s".into()), Just("+".into())], 1..5),
            end in any::<bool>(),
            topic in proptest::collection::vec(prop_oneof!["[ab]?", Just("$s".to_string())], 1..5),
        ) {
            let mut filter: Vec<String> = filter;
            if end {
                filter.push("#".to_string());
            }
            let (filter_text, topic_text) = (filter.join("/"), topic.join("/"));
            prop_assume!(!filter_text.is_empty() && !topic_text.is_empty());
            fn levels(levels: &[String]) -> Vec<&str> {
                levels.iter().map(String::as_str).collect()
            }
            let hidden = topic_text.starts_with('$') && filter_text.starts_with(['+', '#']);
            let expected = !hidden && oracle(&levels(&filter), &levels(&topic));
            prop_assert_eq!(takes(&filter_text, &topic_text), expected, "{} and {}", filter_text, topic_text);
        }

        #[test]
        fn a_filter_that_covers_another_takes_all_that_it_takes(
            one in "([ab+]/){0,3}[ab+#]",
            other in "([ab+]/){0,3}[ab+#]",
            topics in proptest::collection::vec("([ab]/){0,4}[ab]", 1..20),
        ) {
            if covers(&one, &other) {
                for topic in topics {
                    prop_assert!(!takes(&other, &topic) || takes(&one, &topic), "{} {} {}", one, other, topic);
                }
            }
        }

        #[test]
        fn a_topic_is_taken_by_itself_as_a_filter(topic in "[a-c/$]{1,12}") {
            prop_assert!(takes(&topic, &topic));
        }

        #[test]
        fn parsing_never_panics_and_a_right_filter_keeps_its_text(text in "[ab/+#$\\x00]{0,8}") {
            if let Ok(filter) = Filter::parse(&text) {
                prop_assert_eq!(filter.as_str(), text);
            }
        }
    }
}
