//! Statements without their secrets, for the history: the value of `'sasl.password'='...'` becomes a variable, so that
//! the statement can be called back and says what is missing when it is run again.

use crate::config::is_secret;
use crate::sql::lexemes::{Lexeme, LexemeKind, lexemes};
use crate::sql::tokens::TokenKind;

/// The text with the values of secret properties, settings and variables replaced by references to variables.
pub fn hidden(text: &str) -> String {
    let lexemes: Vec<Lexeme> = lexemes(text).into_iter().filter(|l| l.kind != LexemeKind::Comment).collect();
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    for window in lexemes.windows(3) {
        let [name, equals, value] = window else { continue };
        let name = match &name.kind {
            LexemeKind::Token(TokenKind::String(name) | TokenKind::QuotedName(name)) => name.clone(),
            LexemeKind::Token(TokenKind::Word) => text[name.span.start..name.span.end].to_string(),
            _ => continue,
        };
        if equals.kind != LexemeKind::Token(TokenKind::Symbol("=")) || !is_secret(&name) {
            continue;
        }
        let typed = match &value.kind {
            LexemeKind::Token(TokenKind::String(value)) => value.as_str(),
            LexemeKind::Open => "",
            _ => continue,
        };
        if is_reference(typed) {
            continue;
        }
        let variable: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        out.push_str(&text[copied..value.span.start]);
        out.push_str(&format!("'${{{variable}}}'"));
        copied = value.span.end;
    }
    out.push_str(&text[copied..]);
    out
}

/// Whether a value is one reference to a variable and nothing else.
fn is_reference(value: &str) -> bool {
    let inner = value.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    inner.is_some_and(|inner| !inner.contains(['$', '{', '}']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_secret_properties_are_not_kept() {
        assert_eq!(
            hidden("CREATE SOURCE CONNECTOR c WITH ('mqtt.topics'='a', 'mqtt.password' = 'hunt''er2', x=1);"),
            "CREATE SOURCE CONNECTOR c WITH ('mqtt.topics'='a', 'mqtt.password' = '${mqtt_password}', x=1);"
        );
        assert_eq!(hidden("SET 'sasl.jaas.config'='a=b';"), "SET 'sasl.jaas.config'='${sasl_jaas_config}';");
        assert_eq!(hidden("DEFINE api_token = 'x'; SHOW TOPICS;"), "DEFINE api_token = '${api_token}'; SHOW TOPICS;");
        assert_eq!(hidden("SET 'ssl.key.password' = 'never closed"), "SET 'ssl.key.password' = '${ssl_key_password}'");
    }

    #[test]
    fn references_and_everything_else_stay() {
        for text in ["SET 'mqtt.password'='${env:SECRET}';", "SELECT 'password' FROM s WHERE a = 'b';", "exit", "a 'b"]
        {
            assert_eq!(hidden(text), text);
        }
    }
}
