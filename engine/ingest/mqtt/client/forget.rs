//! The end of a session at its broker, so that it does not go on collecting messages that nobody will take.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::BytesMut;
use tokio::time::timeout;

use super::config::{ClientConfig, Server, Version};
use super::dial::{brief, dial};
use super::packets;
use super::protocol::End;
use crate::error::{Error, Result};
use crate::ingest::mqtt::pipe::Pipe;
use crate::ingest::mqtt::wire::{self, Split};

/// Ends the session under our client id at every server that answers within `patience`: a clean connection takes its
/// place and ends at once. The client is stopped. Waits in a thread of its own, so that it may be called from anywhere.
///
/// # Errors
/// Of kind external, when no server could be told.
pub(super) fn forget(config: &ClientConfig, patience: Duration) -> Result<()> {
    let told = std::thread::scope(|scope| {
        let work = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(|error| Error::external("a thread cannot be started").with_source(error))?;
            runtime.block_on(forget_everywhere(config, patience))
        };
        scope.spawn(work).join().unwrap_or_else(|_| Err(Error::internal("the MQTT client panicked")))
    });
    told.map_err(|error: Error| {
        Error::external(format!("the session of client id {} stays at the MQTT broker", config.client_id))
            .detail(format!("{error}; it goes on collecting until the broker ends it"))
    })
}

async fn forget_everywhere(config: &ClientConfig, patience: Duration) -> Result<()> {
    let tls = config.servers.iter().any(|server| server.tls).then(|| config.tls.load()).transpose()?;
    let mut failure = None;
    for server in &config.servers {
        let text = match timeout(patience, forget_at(config, server, tls.as_ref())).await {
            Ok(Ok(())) => continue,
            Ok(Err(end)) => end.text,
            Err(_) => format!("it did not answer within {} s", patience.as_secs_f64()),
        };
        failure = Some(Error::external(format!("MQTT broker {server}: {text}")));
    }
    failure.map_or(Ok(()), Err)
}

async fn forget_at(config: &ClientConfig, server: &Server, tls: Option<&Arc<rustls::ClientConfig>>) -> Result<(), End> {
    if config.version == Version::Either {
        match replace(config, server, tls, true).await {
            Err(end) if end.other_version => {}
            done => return done,
        }
    }
    replace(config, server, tls, config.version == Version::V5).await
}

/// Connects clean and leaves.
async fn replace(
    config: &ClientConfig,
    server: &Server,
    tls: Option<&Arc<rustls::ClientConfig>>,
    v5: bool,
) -> Result<(), End> {
    let mut pipe = Pipe::new(dial(config, server, tls).await?);
    let connect = packets::connect(config, v5, true).map_err(|error| End::new(error.to_string()))?;
    let mut out = BytesMut::from(&connect[..]);
    loop {
        pipe.make_room(1);
        let read = poll_fn(|cx| match pipe.poll_send(&mut out, cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => pipe.poll_read(cx),
        });
        match read.await {
            // A broker that does not know MQTT 5 may just close.
            Ok(0) => return Err(End { other_version: v5, ..End::new("it closed the connection") }),
            Ok(_) => {}
            Err(error) => return Err(End::new(format!("the connection is lost: {}", brief(&error)))),
        }
        if let Split::Packet(packet) = wire::split(&mut pipe.input, config.max_packet_size)? {
            let connack = packets::connack(&packet, v5)?;
            if let Some(refusal) = connack.refusal {
                let text = format!("it refused the connection: {refusal}");
                return Err(End { other_version: connack.other_version, ..End::new(text) });
            }
            out.extend_from_slice(&[0xE0, 0]);
            pipe.goodbye(&mut out).await;
            return Ok(());
        }
    }
}
