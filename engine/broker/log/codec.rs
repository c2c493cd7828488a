//! Compression of records, for the two that have to look inside: compaction, and the check that a record of a compacted
//! topic has a key. Everywhere else batches pass through as they came.
//!
//! Kafka's codecs: gzip, snappy in xerial's framing (or bare, as some clients write it), the LZ4 frame format, zstd.

use std::io::{self, Read, Write};

/// A batch is not opened beyond this many bytes: what is larger stays as it is.
const MOST: u64 = 256 << 20;
/// What xerial's snappy streams begin with: a magic, and twice version 1.
const XERIAL: &[u8; 16] = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01";
/// Bytes per block of a snappy stream.
const XERIAL_BLOCK: usize = 32 << 10;

/// A batch whose records cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable;

impl From<io::Error> for Unreadable {
    fn from(_: io::Error) -> Self {
        Unreadable
    }
}

/// How the records of a batch are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// Not at all.
    None,
    /// gzip.
    Gzip,
    /// snappy.
    Snappy,
    /// LZ4.
    Lz4,
    /// zstd.
    Zstd,
}

impl Codec {
    /// By the attributes of a batch.
    pub fn of(attributes: i16) -> Result<Codec, Unreadable> {
        Ok(match attributes & 0x07 {
            0 => Codec::None,
            1 => Codec::Gzip,
            2 => Codec::Snappy,
            3 => Codec::Lz4,
            4 => Codec::Zstd,
            _ => return Err(Unreadable),
        })
    }

    /// The bytes as they were.
    pub fn decompress(self, bytes: &[u8]) -> Result<Vec<u8>, Unreadable> {
        match self {
            Codec::None => Ok(bytes.to_vec()),
            Codec::Gzip => all(flate2::read::MultiGzDecoder::new(bytes)),
            Codec::Snappy => unsnap(bytes),
            Codec::Lz4 => all(lz4_flex::frame::FrameDecoder::new(bytes)),
            Codec::Zstd => all(zstd::stream::read::Decoder::with_buffer(bytes)?),
        }
    }

    /// The bytes compressed.
    pub fn compress(self, bytes: Vec<u8>) -> Result<Vec<u8>, Unreadable> {
        Ok(match self {
            Codec::None => bytes,
            Codec::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
                encoder.write_all(&bytes)?;
                encoder.finish()?
            }
            Codec::Snappy => snap(&bytes)?,
            Codec::Lz4 => {
                let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
                encoder.write_all(&bytes)?;
                encoder.finish().map_err(|_| Unreadable)?
            }
            Codec::Zstd => zstd::stream::encode_all(&bytes[..], 0)?,
        })
    }
}

fn all(reader: impl Read) -> Result<Vec<u8>, Unreadable> {
    let mut out = Vec::new();
    reader.take(MOST + 1).read_to_end(&mut out)?;
    if out.len() as u64 > MOST { Err(Unreadable) } else { Ok(out) }
}

fn unsnap(bytes: &[u8]) -> Result<Vec<u8>, Unreadable> {
    // The versions may be others than ours; the magic decides.
    if !bytes.starts_with(&XERIAL[..8]) {
        return unsnap_block(bytes, 0);
    }
    let mut rest = bytes.get(XERIAL.len()..).ok_or(Unreadable)?;
    let mut out = Vec::new();
    while let Some((len, after)) = rest.split_first_chunk::<4>() {
        let len = u32::from_be_bytes(*len) as usize;
        out.extend(unsnap_block(after.get(..len).ok_or(Unreadable)?, out.len())?);
        rest = &after[len..];
    }
    if rest.is_empty() { Ok(out) } else { Err(Unreadable) }
}

fn unsnap_block(block: &[u8], so_far: usize) -> Result<Vec<u8>, Unreadable> {
    let len = snap::raw::decompress_len(block).map_err(|_| Unreadable)?;
    if (so_far + len) as u64 > MOST {
        return Err(Unreadable);
    }
    snap::raw::Decoder::new().decompress_vec(block).map_err(|_| Unreadable)
}

fn snap(bytes: &[u8]) -> Result<Vec<u8>, Unreadable> {
    let mut out = XERIAL.to_vec();
    let mut encoder = snap::raw::Encoder::new();
    for block in bytes.chunks(XERIAL_BLOCK) {
        let block = encoder.compress_vec(block).map_err(|_| Unreadable)?;
        out.extend_from_slice(&(block.len() as u32).to_be_bytes());
        out.extend_from_slice(&block);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

    #[test]
    fn what_was_compressed_comes_back() {
        for codec in ALL {
            for len in [0, 1, 1000, 200_000] {
                let bytes: Vec<u8> = (0..len).map(|n: usize| (n * n / 7) as u8).collect();
                let packed = codec.compress(bytes.clone()).unwrap();
                assert_eq!(codec.decompress(&packed).unwrap(), bytes, "{codec:?}, {len} bytes");
            }
        }
    }

    #[test]
    fn a_bare_snappy_block_is_read_too() {
        let packed = snap::raw::Encoder::new().compress_vec(b"abcabcabc").unwrap();
        assert_eq!(Codec::Snappy.decompress(&packed).unwrap(), b"abcabcabc");
    }

    #[test]
    fn damaged_bytes_are_an_error_and_never_a_panic() {
        for codec in &ALL[1..] {
            let packed = codec.compress((0..500u16).flat_map(u16::to_be_bytes).collect()).unwrap();
            for at in 0..packed.len() {
                let mut bad = packed.clone();
                bad[at] ^= 0xff;
                let _ = codec.decompress(&bad);
                let _ = codec.decompress(&packed[..at]);
            }
        }
    }
}
