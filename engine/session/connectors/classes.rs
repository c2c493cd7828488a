//! The registry of connector classes: one line each.

use crate::error::{Code, Error, Result};
use crate::ingest::connector::ConnectorClass;
use crate::ingest::datagen::DatagenClass;
use crate::ingest::file::FileClass;
use crate::ingest::mqtt::class::ListenerClass;
use crate::ingest::mqtt::client::class::ClientClass;
use crate::ingest::properties::Properties;

/// All classes, as `SHOW CONNECTOR PLUGINS` lists them.
pub static CLASSES: &[&dyn ConnectorClass] = &[&ListenerClass, &ClientClass, &FileClass, &DatagenClass];

/// The class that the properties ask for.
pub(super) fn class_of(connector: &str, properties: &Properties) -> Result<&'static dyn ConnectorClass> {
    let Some(asked) = properties.get("connector.class") else {
        return Err(properties
            .at_name(
                "connector.class",
                Error::refused(Code::MissingProperty, format!("connector {connector} has no 'connector.class'")),
            )
            .hint(format!("For example 'connector.class' = '{}'.", CLASSES[0].name())));
    };
    if let Some(class) = find(asked) {
        return Ok(class);
    }
    let error =
        Error::refused(Code::UnknownConnector, format!("connector class '{asked}' of {connector} is not known"));
    let names: Vec<&str> = CLASSES.iter().map(|class| class.name()).collect();
    let error = match crate::catalog::nearest(asked, names.iter().copied()) {
        Some(near) => error.hint(format!("Did you mean '{near}'?")),
        None => error.hint(format!("There are {}; SHOW CONNECTOR PLUGINS; says what they do.", names.join(", "))),
    };
    Err(properties.at_value("connector.class", error))
}

/// The class of this name: ours in any case of letters, or Kafka Connect's, with or without its package and `Connector`.
pub(super) fn find(asked: &str) -> Option<&'static dyn ConnectorClass> {
    let names = |class: &&dyn ConnectorClass| {
        let short = |alias: &str| {
            let last = alias.rsplit('.').next().unwrap_or(alias);
            asked == last || Some(asked) == last.strip_suffix("Connector")
        };
        class.name().eq_ignore_ascii_case(asked) || class.aliases().iter().any(|alias| asked == *alias || short(alias))
    };
    CLASSES.iter().copied().find(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_is_found_under_all_its_names_and_no_name_twice() {
        for class in CLASSES {
            let mut names = vec![class.name().to_string(), class.name().to_uppercase()];
            for alias in class.aliases() {
                let last = alias.rsplit('.').next().expect("a last part");
                names.extend([alias.to_string(), last.to_string(), last.trim_end_matches("Connector").to_string()]);
            }
            for name in names {
                assert_eq!(find(&name).map(|found| found.name()), Some(class.name()), "{name}");
            }
        }
        assert!(find("no-such-class").is_none());
    }

    #[test]
    fn an_unknown_class_is_refused_with_the_nearest() {
        let error =
            class_of("C", &Properties::of(&[("connector.class", "mqtt-listner")])).err().expect("it is unknown");
        assert_eq!(error.hint_text(), Some("Did you mean 'mqtt-listener'?"));
        assert!(class_of("C", &Properties::default()).err().is_some_and(|error| error.hint_text().is_some()));
    }
}
