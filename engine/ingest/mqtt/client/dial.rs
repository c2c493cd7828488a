//! A connection to one of a broker's addresses, inside TLS where the address says so.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::config::{ClientConfig, Server};
use super::protocol::End;

/// What carries the bytes of a connection.
pub(super) trait Carrier: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Carrier for T {}

/// Connects to `server` within the time that a connection may take. `tls` is there when a server needs it.
///
/// # Errors
/// With what happened.
pub(super) async fn dial(
    config: &ClientConfig,
    server: &Server,
    tls: Option<&Arc<rustls::ClientConfig>>,
) -> Result<Box<dyn Carrier>, End> {
    let connected = within(config.connect_timeout, TcpStream::connect((server.host.as_str(), server.port))).await;
    let stream = connected.map_err(|error| End::new(format!("cannot be reached: {}", brief(&error))))?;
    // Acknowledgements are small and awaited; a failure to say so costs time, not truth.
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls.filter(|_| server.tls) else { return Ok(Box::new(stream)) };
    let name = config.tls.server_name.clone().unwrap_or_else(|| server.host.clone());
    let name = ServerName::try_from(name).map_err(|_| End {
        hint: Some("Name the one in its certificate with 'mqtt.ssl.server.name'."),
        ..End::new("its host is no name that a certificate can carry")
    })?;
    let connector = TlsConnector::from(tls.clone());
    match within(config.connect_timeout, connector.connect(name, stream)).await {
        Ok(stream) => Ok(Box::new(stream)),
        Err(error) => {
            let text = error.to_string();
            let hint = if text.contains("UnknownIssuer") {
                Some("Name the PEM file of the authority that signed its certificate in 'mqtt.ssl.ca.location'.")
            } else if text.contains("not valid for name") {
                Some("Use the host name of its certificate, or give that name in 'mqtt.ssl.server.name'.")
            } else if text.contains("CertificateRequired") || text.contains("HandshakeFailure") {
                Some("It may want a certificate: 'mqtt.ssl.certificate.location' and 'mqtt.ssl.key.location'.")
            } else {
                None
            };
            Err(End { hint, ..End::new(format!("no TLS connection: {}", brief(&error))) })
        }
    }
}

async fn within<T>(patience: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    match timeout(patience, work).await {
        Ok(done) => done,
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {patience:?}"))),
    }
}

/// An error of the system without its number.
pub(super) fn brief(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_lowercase(),
        None => text,
    }
}
