//! Texts made from a message's topic: its record's key, and headers.
//!
//! A template is `topic`, `client`, `level:N`, or a text with these in braces, such as `{level:2}-{client}`. Levels are
//! counted from 1. A topic that lacks a level the template names gives nothing: a record without that key or header.

use bytes::{Bytes, BytesMut};

/// A text with places for parts of a message's topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    parts: Box<[Part]>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(Box<str>),
    /// The whole MQTT topic.
    Topic,
    /// The client id of the device.
    Client,
    /// One level of the MQTT topic, counted from 1.
    Level(u16),
}

impl Default for Template {
    /// The MQTT topic.
    fn default() -> Self {
        Template { parts: Box::new([Part::Topic]) }
    }
}

impl Template {
    /// Reads a template, as it stands in a property.
    ///
    /// # Errors
    /// With what is wrong about it, as the end of a sentence.
    pub fn parse(text: &str) -> Result<Template, &'static str> {
        if !text.contains(['{', '}']) {
            return Ok(Template { parts: Box::new([place(text)?]) });
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (before, opened) = match rest.split_once('{') {
                Some((before, opened)) => (before, Some(opened)),
                None => (rest, None),
            };
            if before.contains('}') {
                return Err("a } has no { before it");
            }
            if !before.is_empty() {
                parts.push(Part::Text(before.into()));
            }
            let Some(opened) = opened else { break };
            let (inside, after) = opened.split_once('}').ok_or("a { has no } behind it")?;
            parts.push(place(inside)?);
            rest = after;
        }
        Ok(Template { parts: parts.into() })
    }

    /// Whether it needs the client id of a device.
    pub fn names_client(&self) -> bool {
        self.parts.contains(&Part::Client)
    }

    /// The text for a message, or nothing when the topic has too few levels. A template of one place copies nothing.
    pub(super) fn render(&self, topic: &Bytes, client: &Bytes) -> Option<Bytes> {
        if let [part] = &*self.parts {
            return part.render(topic, client);
        }
        let mut text = BytesMut::new();
        for part in &*self.parts {
            text.extend_from_slice(&part.render(topic, client)?);
        }
        Some(text.freeze())
    }
}

impl Part {
    fn render(&self, topic: &Bytes, client: &Bytes) -> Option<Bytes> {
        match self {
            Part::Text(text) => Some(Bytes::copy_from_slice(text.as_bytes())),
            Part::Topic => Some(topic.clone()),
            Part::Client => Some(client.clone()),
            Part::Level(level) => {
                let part = topic.split(|byte| *byte == b'/').nth(usize::from(*level) - 1)?;
                Some(topic.slice_ref(part))
            }
        }
    }
}

fn place(name: &str) -> Result<Part, &'static str> {
    match name.trim() {
        "topic" => Ok(Part::Topic),
        "client" => Ok(Part::Client),
        name => match name.strip_prefix("level:").map(|level| level.trim().parse::<u16>()) {
            Some(Ok(level)) if level >= 1 => Ok(Part::Level(level)),
            Some(_) => Err("a level is a number counted from 1"),
            None => Err("a place is topic, client or level:N"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(template: &str, topic: &str) -> Option<String> {
        let text = Template::parse(template)
            .expect("a right template")
            .render(&Bytes::copy_from_slice(topic.as_bytes()), &Bytes::from_static(b"car-7"))?;
        Some(String::from_utf8(text.to_vec()).expect("the parts are UTF-8"))
    }

    #[test]
    fn a_place_alone_needs_no_braces_and_a_text_with_places_does() {
        for (template, text) in [
            ("topic", "plant/7/temp"),
            ("client", "car-7"),
            ("level:2", "7"),
            ("{level:3}", "temp"),
            ("{level:1}-{level:2}", "plant-7"),
            ("site {client}: {topic}!", "site car-7: plant/7/temp!"),
        ] {
            assert_eq!(render(template, "plant/7/temp").as_deref(), Some(text), "{template}");
        }
    }

    #[test]
    fn a_level_that_is_missing_gives_nothing_and_an_empty_one_is_empty() {
        assert_eq!(render("level:4", "plant/7/temp"), None);
        assert_eq!(render("{level:1}{level:4}", "plant/7/temp"), None);
        assert_eq!(render("level:2", "plant//temp").as_deref(), Some(""));
    }

    #[test]
    fn a_wrong_template_says_what_is_wrong() {
        for (template, reason) in [
            ("level:0", "a level is a number counted from 1"),
            ("{level:x}", "a level is a number counted from 1"),
            ("device", "a place is topic, client or level:N"),
            ("", "a place is topic, client or level:N"),
            ("a{level:1", "a { has no } behind it"),
            ("a}b", "a } has no { before it"),
        ] {
            assert_eq!(Template::parse(template).expect_err("a wrong template"), reason, "{template:?}");
        }
    }
}
