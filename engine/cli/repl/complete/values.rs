//! Properties of `WITH`, settings of `SET`, and what they may be set to.

use super::offers::Offers;
use super::place::Place;
use crate::config::{self, FIXED_AT_START, SETTINGS, SettingKind};
use crate::session::CONNECTOR_CLASSES;
use crate::sql::bind::properties::KNOWN;
use crate::sql::lexemes::LexemeKind;
use crate::sql::tokens::TokenKind;
use crate::types::FormatName;

/// Whether the statement is about a connector.
fn is_connector(place: &Place<'_>) -> bool {
    (1..=4).any(|n| place.lexemes.len() >= n && place.follows(place.lexemes.len() - n + 1, "CONNECTOR"))
}

/// Names of properties for the `WITH` clause at the cursor; those that are given already are left out.
pub fn properties(place: &Place<'_>, offers: &mut Offers) {
    let given = |name: &str| {
        place.lexemes.iter().any(|lexeme| match &lexeme.kind {
            LexemeKind::Token(TokenKind::String(text)) => text.eq_ignore_ascii_case(name),
            LexemeKind::Token(TokenKind::Word) => {
                place.before[lexeme.span.start..lexeme.span.end].eq_ignore_ascii_case(name)
            }
            _ => false,
        })
    };
    if is_connector(place) {
        let class = CONNECTOR_CLASSES.iter().find(|class| given(class.name()));
        if !given("connector.class") {
            offers.property("connector.class", true, "what kind of connector it is");
        }
        for class in CONNECTOR_CLASSES.iter().filter(|one| class.is_none_or(|class| class.name() == one.name())) {
            let about = format!("of '{}'", class.name());
            class.properties().iter().filter(|name| !given(name)).for_each(|name| offers.property(name, true, &about));
        }
    } else {
        KNOWN.iter().filter(|name| !given(name)).for_each(|name| offers.property(name, false, ""));
    }
}

/// Values for the property before the equals sign.
pub fn property(place: &Place<'_>, offers: &mut Offers, topics: impl FnOnce() -> Vec<String>) {
    let name = place.token(2).trim_matches('\'').to_ascii_uppercase();
    match name.as_str() {
        "KAFKA_TOPIC" | "KAFKA.TOPIC" => topics().iter().for_each(|topic| offers.literal(topic, "topic")),
        "FORMAT" | "KEY_FORMAT" | "VALUE_FORMAT" => {
            for format in
                FormatName::ALL.into_iter().filter(|format| name == "KEY_FORMAT" || *format != FormatName::None)
            {
                offers.literal(format.as_str(), "format");
            }
        }
        "KEY_DELIMITER" | "VALUE_DELIMITER" => {
            ["TAB", "SPACE", "|", ";"].iter().for_each(|delimiter| offers.literal(delimiter, "delimiter"));
        }
        "WRAP_SINGLE_VALUE" => offers.words(&["FALSE", "TRUE"]),
        "CONNECTOR.CLASS" => {
            CONNECTOR_CLASSES.iter().for_each(|class| offers.literal(class.name(), class.about()));
        }
        _ => {}
    }
}

/// Names of settings, with what they are for.
pub fn settings(place: &Place<'_>, offers: &mut Offers) {
    let assigned = place.begins(&["SET"]);
    for setting in SETTINGS.iter().filter(|setting| !FIXED_AT_START.contains(&setting.name)) {
        if assigned {
            offers.property(setting.name, true, setting.doc);
        } else {
            offers.literal(setting.name, setting.doc);
        }
    }
}

/// Values for the setting before the equals sign.
pub fn setting(place: &Place<'_>, offers: &mut Offers) {
    let Some(setting) = config::find(place.token(2).trim_matches('\'')) else { return };
    match setting.kind {
        SettingKind::Choice(words) => {
            words.iter().filter(|word| !word.is_empty()).for_each(|word| offers.literal(word, ""));
        }
        _ if setting.name == "auto.offset.reset" => {
            offers.literal("earliest", "all that the topic holds");
            offers.literal("latest", "what comes from now on");
        }
        _ if !setting.default.is_empty() => offers.literal(setting.default, "default"),
        _ => {}
    }
}
