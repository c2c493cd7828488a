//! One client's connection.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::broker::api;
use crate::broker::node::Node;

/// A longer request than this is not Kafka's protocol, or not meant for us.
const MAX_FRAME: usize = 100 << 20;
/// Room for reading when no request is under way.
const READ_ROOM: usize = 16 << 10;

/// What is known about the client behind a request.
#[derive(Debug, Clone)]
pub struct Call {
    /// The address the client reached us at: it can reach us there again.
    pub local: SocketAddr,
    /// Where it connects from.
    pub client_host: String,
    /// What it calls itself.
    pub client_id: String,
}

/// Serves a connection until the client hangs up or stops making sense.
pub async fn serve(node: Arc<Node>, mut stream: TcpStream, peer: SocketAddr) {
    let local = stream.local_addr().unwrap_or(node.addr);
    // Answers are written whole, so waiting to fill a packet only adds latency.
    let _ = stream.set_nodelay(true);
    let mut call = Call { local, client_host: format!("/{}", peer.ip()), client_id: String::new() };
    let mut input = BytesMut::with_capacity(READ_ROOM);
    loop {
        let frame = match next_frame(&mut stream, &mut input).await {
            Ok(Some(frame)) => frame,
            Ok(None) => return,
            Err(reason) => {
                tracing::debug!(target: "alcedo::broker", "closing the connection from {peer}: {reason}");
                return;
            }
        };
        match api::handle(&node, &mut call, frame).await {
            Ok(Some(mut answer)) => {
                if stream.write_all_buf(&mut answer).await.is_err() {
                    return;
                }
            }
            Ok(None) => {}
            Err(reason) => {
                tracing::debug!(target: "alcedo::broker", "closing the connection from {peer}: {reason}");
                return;
            }
        }
    }
}

/// The next request, without its length; none when the client hung up between two.
async fn next_frame(stream: &mut TcpStream, input: &mut BytesMut) -> Result<Option<Bytes>, String> {
    loop {
        if let Some(len) = input.first_chunk::<4>() {
            let len = u32::from_be_bytes(*len) as usize;
            if len > MAX_FRAME {
                return Err(format!("a request of {len} bytes"));
            }
            if input.len() >= 4 + len {
                input.advance(4);
                return Ok(Some(input.split_to(len).freeze()));
            }
            // Grown as bytes arrive: the length alone commits no memory.
            input.reserve((4 + len - input.len()).min(1 << 20));
        } else {
            input.reserve(READ_ROOM);
        }
        match stream.read_buf(input).await {
            Ok(0) if input.is_empty() => return Ok(None),
            Ok(0) => return Err("it ended within a request".into()),
            Ok(_) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
}
