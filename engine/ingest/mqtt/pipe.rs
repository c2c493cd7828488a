//! Bytes in and out of a stream, plain or inside TLS, as one `poll` needs it.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// The read buffer of a quiet connection, which grows to the second figure when reads fill it.
const READ: std::ops::Range<usize> = 2 * 1024..64 * 1024;
/// How long the other side may take to read our last bytes and close.
const GOODBYE: Duration = Duration::from_secs(1);

/// A stream and what was read from it.
pub(super) struct Pipe<S> {
    stream: S,
    pub(super) input: BytesMut,
    /// How much room the next read gets.
    chunk: usize,
    /// Whether the stream may hold bytes that it took and has not sent: TLS does.
    unsent: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Pipe<S> {
    pub(super) fn new(stream: S) -> Pipe<S> {
        Pipe { stream, input: BytesMut::new(), chunk: READ.start, unsent: false }
    }

    /// Makes room for the next read, for at least this many bytes.
    pub(super) fn make_room(&mut self, bytes: usize) {
        self.input.reserve(self.chunk.max(bytes));
    }

    /// Reads what is there; zero bytes at the end.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let read = pin!(self.stream.read_buf(&mut self.input)).poll(cx);
        if matches!(read, Poll::Ready(Ok(_))) && self.input.len() == self.input.capacity() {
            self.chunk = (self.chunk * 2).min(READ.end);
        }
        read
    }

    /// Sends what can be sent without waiting; ready with the number of bytes when nothing is left.
    pub(super) fn poll_send(&mut self, out: &mut BytesMut, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut sent = 0;
        while !out.is_empty() {
            match Pin::new(&mut self.stream).poll_write(cx, out) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(bytes)) => {
                    out.advance(bytes);
                    self.unsent = true;
                    sent += bytes;
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                // With bytes left, room to read again is announced by those that did go out.
                Poll::Pending if sent > 0 => return Poll::Ready(Ok(sent)),
                Poll::Pending => return Poll::Pending,
            }
        }
        if self.unsent {
            match Pin::new(&mut self.stream).poll_flush(cx) {
                Poll::Ready(Ok(())) => self.unsent = false,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending if sent == 0 => return Poll::Pending,
                Poll::Pending => {}
            }
        }
        Poll::Ready(Ok(sent))
    }

    /// Sends the last bytes and closes.
    pub(super) async fn goodbye(&mut self, out: &mut BytesMut) {
        let goodbye = async {
            while !out.is_empty() {
                if self.stream.write_buf(out).await? == 0 {
                    break;
                }
            }
            self.stream.shutdown().await?;
            // Closing with bytes unread would reset the connection and could take our last packet with it.
            let mut rest = [0u8; 4096];
            while self.stream.read(&mut rest).await? > 0 {}
            io::Result::Ok(())
        };
        let _ = timeout(GOODBYE, goodbye).await;
    }
}
