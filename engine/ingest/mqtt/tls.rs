//! TLS settings from PEM files, for the listener and for the client. The cryptography is ring's, and nothing is global.
//!
//! Files are read when a connector starts, not when its statement is checked, which may happen on another machine.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use crate::error::{Error, Result};

/// A file, and the property that names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedFile {
    /// The property, for errors.
    pub property: &'static str,
    /// Where it is.
    pub path: PathBuf,
}

impl NamedFile {
    /// A file that a property names.
    pub fn new(property: &'static str, path: impl Into<PathBuf>) -> NamedFile {
        NamedFile { property, path: path.into() }
    }

    pub(super) fn cannot_read(&self, error: &dyn std::fmt::Display) -> Error {
        Error::external(format!("cannot read {}, the file of `{}`", self.path.display(), self.property))
            .detail(error.to_string())
    }
}

/// Who we are: a certificate with its chain, and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Certificates in PEM, the own one first.
    pub certificate: NamedFile,
    /// The private key in PEM, not encrypted. May be the same file.
    pub key: NamedFile,
}

/// Whether devices have to show a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientAuth {
    /// They are not asked.
    #[default]
    None,
    /// They are asked, and what they show must be right.
    Requested,
    /// Without one there is no connection.
    Required,
}

/// TLS of a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerTls {
    /// Its certificate and key.
    pub identity: Identity,
    /// The authorities that sign devices' certificates, and whether devices need one.
    pub clients: Option<(NamedFile, ClientAuth)>,
}

/// TLS of a client. The broker's name is always checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientTls {
    /// The authorities that sign the broker's certificate; the system's when not given.
    pub authorities: Option<NamedFile>,
    /// The certificate to show, if the broker asks for one.
    pub identity: Option<Identity>,
    /// The name that the broker's certificate must carry; the host of its address when not given.
    pub server_name: Option<String>,
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

impl ServerTls {
    /// Reads the files.
    ///
    /// # Errors
    /// Of kind external, for a file that cannot be read or does not hold what it should.
    pub(super) fn load(&self) -> Result<Arc<ServerConfig>> {
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(&self.identity.certificate, error))?;
        let builder = match &self.clients {
            None | Some((_, ClientAuth::None)) => builder.with_no_client_auth(),
            Some((file, auth)) => {
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(file)?), provider());
                let verifier = if *auth == ClientAuth::Requested { verifier.allow_unauthenticated() } else { verifier };
                builder.with_client_cert_verifier(verifier.build().map_err(|error| unusable(file, error))?)
            }
        };
        let (chain, key) = self.identity.load()?;
        let config = builder.with_single_cert(chain, key).map_err(|error| unusable(&self.identity.key, error))?;
        Ok(Arc::new(config))
    }
}

impl ClientTls {
    /// Reads the files.
    ///
    /// # Errors
    /// As for a listener; and when no authorities are given and the system has none.
    pub(super) fn load(&self) -> Result<Arc<ClientConfig>> {
        let roots = match &self.authorities {
            Some(file) => roots(file)?,
            None => system_roots()?,
        };
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::internal("TLS has no protocol versions").with_source(error))?
            .with_root_certificates(roots);
        let config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let (chain, key) = identity.load()?;
                builder.with_client_auth_cert(chain, key).map_err(|error| unusable(&identity.key, error))?
            }
        };
        Ok(Arc::new(config))
    }
}

impl Identity {
    fn load(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
        let chain = certificates(&self.certificate)?;
        let key = PrivateKeyDer::from_pem_file(&self.key.path).map_err(|error| match error {
            pem::Error::NoItemsFound => {
                let path = self.key.path.display();
                Error::external(format!("{path}, the file of `{}`, holds no private key in PEM", self.key.property))
                    .hint(format!("An encrypted one is opened with: openssl pkcs8 -in {path} -out plain.key"))
            }
            error => self.key.cannot_read(&error),
        })?;
        Ok((chain, key))
    }
}

fn certificates(file: &NamedFile) -> Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(&file.path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| file.cannot_read(&error))?;
    if read.is_empty() {
        return Err(Error::external(format!(
            "{}, the file of `{}`, holds no certificate in PEM",
            file.path.display(),
            file.property
        ))
        .hint(convert(&file.path)));
    }
    Ok(read)
}

/// How to get PEM out of the stores that Java programs use.
fn convert(path: &Path) -> String {
    let path = path.display();
    format!("A Java key store is converted with: keytool -list -rfc -keystore {path} > ca.pem")
}

fn roots(file: &NamedFile) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        roots.add(certificate).map_err(|error| unusable(file, error))?;
    }
    Ok(roots)
}

fn system_roots() -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let (found, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if found == 0 {
        return Err(Error::external("this system has no certificate authorities to check an MQTT broker with")
            .hint("Name a PEM file with those to trust in 'mqtt.ssl.ca.location'."));
    }
    Ok(roots)
}

fn unusable(file: &NamedFile, error: impl std::fmt::Display) -> Error {
    Error::external(format!("{}, the file of `{}`, cannot be used", file.path.display(), file.property))
        .detail(error.to_string())
}
