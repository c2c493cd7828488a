//! Java's key stores and login texts as librdkafka wants them: certificates and keys in PEM or PKCS#12, user and password
//! as properties of their own. Values are never part of a message.

use std::collections::BTreeMap;

use crate::error::{Error, Result};

/// Takes what is about key stores and logins out of `given` and gives what stands for it, as properties of librdkafka.
///
/// # Errors
/// A store in a format librdkafka does not read, with the command that converts it; a login module that is not built in.
pub(super) fn translate(given: &mut BTreeMap<String, String>) -> Result<BTreeMap<String, String>> {
    let mut translated = BTreeMap::new();
    trust_store(given, &mut translated)?;
    key_store(given, &mut translated)?;
    if let Some(text) = given.remove("sasl.jaas.config") {
        jaas(&text, &mut translated)?;
    }
    Ok(translated)
}

/// The format of a store: what is said, else what its name says; Java takes JKS for granted.
fn format_of(kind: Option<String>, location: &str) -> String {
    let ending = location.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    let by_name = match ending.as_str() {
        "pem" | "crt" | "cer" => "PEM",
        "p12" | "pfx" | "pkcs12" => "PKCS12",
        _ => "JKS",
    };
    kind.map_or_else(|| by_name.to_string(), |kind| kind.to_ascii_uppercase())
}

fn trust_store(given: &mut BTreeMap<String, String>, translated: &mut BTreeMap<String, String>) -> Result<()> {
    let kind = given.remove("ssl.truststore.type");
    given.remove("ssl.truststore.password");
    let Some(location) = given.remove("ssl.truststore.location") else { return Ok(()) };
    match format_of(kind, &location).as_str() {
        "PEM" => {
            translated.insert("ssl.ca.location".to_string(), location);
            Ok(())
        }
        "PKCS12" => Err(refused("ssl.truststore.location", "a trust store in PKCS#12")
            .hint(format!("{} and set ssl.ca.location=ca.pem.", from_pkcs12(&location)))),
        _ => Err(refused("ssl.truststore.location", "a trust store of Java (JKS)").hint(format!(
            "Convert it: keytool -importkeystore -srckeystore {location} -destkeystore trust.p12 -deststoretype PKCS12 && \
             openssl pkcs12 -in trust.p12 -nokeys -out ca.pem, and set ssl.ca.location=ca.pem."
        ))),
    }
}

fn key_store(given: &mut BTreeMap<String, String>, translated: &mut BTreeMap<String, String>) -> Result<()> {
    let kind = given.remove("ssl.keystore.type");
    let password = given.remove("ssl.keystore.password");
    let Some(location) = given.remove("ssl.keystore.location") else { return Ok(()) };
    match format_of(kind, &location).as_str() {
        // One file with the key and its certificates.
        "PEM" => {
            translated.insert("ssl.certificate.location".to_string(), location.clone());
            translated.insert("ssl.key.location".to_string(), location);
        }
        "PKCS12" => {
            translated.insert("ssl.keystore.location".to_string(), location);
            if let Some(password) = password {
                translated.insert("ssl.keystore.password".to_string(), password);
            }
        }
        _ => {
            return Err(refused("ssl.keystore.location", "a key store of Java (JKS)").hint(format!(
                "Convert it: keytool -importkeystore -srckeystore {location} -destkeystore client.p12 -deststoretype PKCS12, \
                 and set ssl.keystore.location=client.p12."
            )));
        }
    }
    Ok(())
}

fn from_pkcs12(location: &str) -> String {
    format!("Convert it: openssl pkcs12 -in {location} -nokeys -out ca.pem,")
}

fn refused(name: &str, what: &str) -> Error {
    Error::usage(format!("property `{name}` names {what}, which librdkafka does not read"))
}

/// Reads `class required name="value" ...;`.
fn jaas(text: &str, translated: &mut BTreeMap<String, String>) -> Result<()> {
    let wrong = || {
        Error::usage("property `sasl.jaas.config` cannot be read").hint(
            "Write it as CLASS required username=\"...\" password=\"...\"; or set sasl.username and sasl.password.",
        )
    };
    let text = text.trim().trim_end_matches(';').trim_end();
    let (class, rest) = text.split_once(char::is_whitespace).ok_or_else(wrong)?;
    let (flag, rest) = rest.trim_start().split_once(char::is_whitespace).ok_or_else(wrong)?;
    if !["required", "requisite", "sufficient", "optional"].contains(&flag.to_ascii_lowercase().as_str()) {
        return Err(wrong());
    }
    let module = class.rsplit('.').next().unwrap_or_default();
    match module {
        "PlainLoginModule" | "ScramLoginModule" => {}
        "Krb5LoginModule" | "OAuthBearerLoginModule" => {
            return Err(Error::usage(format!("{module} of `sasl.jaas.config` is not supported yet"))
                .hint("The SASL mechanisms are PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512."));
        }
        _ => {
            return Err(Error::usage("`sasl.jaas.config` names an unknown login module")
                .hint("PlainLoginModule and ScramLoginModule are known."));
        }
    }
    let options = options(rest).ok_or_else(wrong)?;
    for (option, property) in [("username", "sasl.username"), ("password", "sasl.password")] {
        let value = options.get(option).ok_or_else(|| {
            Error::usage(format!("`sasl.jaas.config` has no {option}")).hint(format!("Add {option}=\"...\" to it."))
        })?;
        translated.insert(property.to_string(), value.clone());
    }
    if module == "PlainLoginModule" {
        translated.insert("sasl.mechanisms".to_string(), "PLAIN".to_string());
    }
    Ok(())
}

/// Options `name=value`, the value bare or in double quotes with backslashes before quotes and backslashes.
fn options(text: &str) -> Option<BTreeMap<String, String>> {
    let mut options = BTreeMap::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (name, value) = rest.split_once('=')?;
        let value = value.trim_start();
        let mut read = String::new();
        rest = match value.strip_prefix('"') {
            Some(quoted) => {
                let mut chars = quoted.char_indices();
                loop {
                    match chars.next()? {
                        (at, '"') => break &quoted[at + 1..],
                        (_, '\\') => read.push(chars.next()?.1),
                        (_, c) => read.push(c),
                    }
                }
            }
            None => {
                let end = value.find(char::is_whitespace).unwrap_or(value.len());
                read.push_str(&value[..end]);
                &value[end..]
            }
        }
        .trim_start();
        options.insert(name.trim().to_string(), read);
    }
    Some(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
    }

    #[test]
    fn a_login_text_becomes_user_and_password() {
        let text =
            r#"org.apache.kafka.common.security.plain.PlainLoginModule required username="u" password="a\"b;c d";"#;
        let translated = translate(&mut given(&[("sasl.jaas.config", text)])).unwrap();
        let expected = [("sasl.mechanisms", "PLAIN"), ("sasl.password", "a\"b;c d"), ("sasl.username", "u")];
        assert_eq!(translated, given(&expected));
        let scram = "org.apache.kafka.common.security.scram.ScramLoginModule required password=p username=u ;";
        assert_eq!(
            translate(&mut given(&[("sasl.jaas.config", scram)])).unwrap(),
            given(&[("sasl.password", "p"), ("sasl.username", "u")])
        );
    }

    #[test]
    fn no_error_about_a_login_shows_a_value() {
        for text in [
            "hunter2",
            "x.PlainLoginModule required username=\"hunter2",
            "x.PlainLoginModule required password=\"hunter2\";",
            "hunter2.Hunter required username=\"u\" password=\"hunter2\";",
            "com.sun.security.auth.module.Krb5LoginModule required keyTab=\"hunter2\";",
        ] {
            let error = translate(&mut given(&[("sasl.jaas.config", text)])).unwrap_err();
            let said = format!("{error} {:?}", error.hint_text());
            assert!(!said.contains("hunter2"), "{said}");
            assert_eq!(error.exit_code(), 2);
        }
    }

    #[test]
    fn stores_are_translated_or_refused_with_the_command_that_converts_them() {
        let pem = translate(&mut given(&[("ssl.truststore.location", "/a/ca.pem")])).unwrap();
        assert_eq!(pem, given(&[("ssl.ca.location", "/a/ca.pem")]));
        let mut store = given(&[
            ("ssl.keystore.location", "/a/client"),
            ("ssl.keystore.type", "PKCS12"),
            ("ssl.keystore.password", "secret"),
        ]);
        let expected = given(&[("ssl.keystore.location", "/a/client"), ("ssl.keystore.password", "secret")]);
        assert_eq!(translate(&mut store).unwrap(), expected);
        assert!(store.is_empty());
        for (name, location, command) in [
            ("ssl.truststore.location", "/a/trust.jks", "keytool -importkeystore -srckeystore /a/trust.jks"),
            ("ssl.truststore.location", "/a/trust.p12", "openssl pkcs12 -in /a/trust.p12 -nokeys -out ca.pem"),
            ("ssl.keystore.location", "/a/key.jks", "keytool -importkeystore -srckeystore /a/key.jks"),
        ] {
            let error = translate(&mut given(&[(name, location)])).unwrap_err();
            assert!(error.message().contains(name) && error.hint_text().is_some_and(|hint| hint.contains(command)));
        }
    }
}
