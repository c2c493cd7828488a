//! An answer on its way out: a few pieces of bytes, written with one system call where possible.

use std::collections::VecDeque;
use std::error::Error;
use std::io::IoSlice;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::ResponseHeader;
use kafka_protocol::protocol::{Encodable, HeaderVersion};

/// The pieces of an answer, length prefix included.
#[derive(Debug, Default)]
pub struct Answer {
    parts: VecDeque<Bytes>,
}

impl Answer {
    /// Encodes a response with its header.
    pub fn encode<R: Encodable + HeaderVersion>(
        correlation: i32,
        version: i16,
        response: &R,
    ) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let mut out = BytesMut::with_capacity(256);
        out.put_i32(0);
        ResponseHeader::default().with_correlation_id(correlation).encode(&mut out, R::header_version(version))?;
        response.encode(&mut out, version)?;
        Ok(Answer::from_parts(out, []))
    }

    /// Puts pieces together; the first begins with four bytes for the length, which are filled in here.
    pub fn from_parts(mut first: BytesMut, rest: impl IntoIterator<Item = Bytes>) -> Self {
        let rest = rest.into_iter().filter(|part| !part.is_empty()).collect::<Vec<Bytes>>();
        let len = first.len() - 4 + rest.iter().map(Bytes::len).sum::<usize>();
        first[0..4].copy_from_slice(&(len as u32).to_be_bytes());
        Answer { parts: std::iter::once(first.freeze()).chain(rest).collect() }
    }
}

impl Buf for Answer {
    fn remaining(&self) -> usize {
        self.parts.iter().map(Bytes::len).sum()
    }

    fn chunk(&self) -> &[u8] {
        self.parts.front().map_or(&[], |part| part)
    }

    fn advance(&mut self, mut count: usize) {
        while count > 0 {
            let Some(first) = self.parts.front_mut() else { return };
            if count < first.len() {
                first.advance(count);
                return;
            }
            count -= first.len();
            self.parts.pop_front();
        }
    }

    fn chunks_vectored<'a>(&'a self, into: &mut [IoSlice<'a>]) -> usize {
        let mut filled = 0;
        for (slot, part) in into.iter_mut().zip(&self.parts) {
            *slot = IoSlice::new(part);
            filled += 1;
        }
        filled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_out_in_order_behind_their_length() {
        let rest = [&b""[..], b"cde", b"f"].map(Bytes::from_static);
        let mut answer = Answer::from_parts(BytesMut::from(&b"\0\0\0\0ab"[..]), rest);
        let mut out = Vec::new();
        while answer.has_remaining() {
            let mut slots = [IoSlice::new(&[]); 2];
            let filled = answer.chunks_vectored(&mut slots);
            assert!(filled > 0);
            out.push(answer.chunk()[0]);
            answer.advance(1);
        }
        assert_eq!(out, b"\0\0\0\x06abcdef");
    }
}
