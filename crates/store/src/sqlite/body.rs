//! The frame of a stored body: one format byte, then the bytes as they are or as a zlib stream (RFC 1950), so that any
//! language's standard library reads it back.

use std::io::{Read, Write, copy, sink};

use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};

use crate::{Error, Result};

/// Bodies longer than this are compressed. Of a shorter one a stream saves a few hundred bytes, and its trees cost as much to
/// make, at each write and at each read, as those of a long one.
const COMPRESSED_FROM: usize = 1_024;
/// What is longer than this is a document, whose buffers are made of its size instead of doubled and copied: its stream is
/// read twice, once to count.
const LARGE_FROM: usize = 64 << 10;
/// Largest body that is unpacked; a longer one was not written by this store.
pub(super) const BODY_BYTES_MAX: u64 = 256 << 20;
const RAW: u8 = 0;
const ZLIB: u8 = 1;

/// The stored form.
pub(super) fn pack(body: &[u8]) -> Result<Vec<u8>> {
    // A document hardly gets smaller; what of the buffer is not written costs nothing, and to grow it costs a copy.
    let share = if body.len() > LARGE_FROM { 1 } else { 3 };
    let mut packed = Vec::with_capacity(body.len() / share + 64);
    if body.len() <= COMPRESSED_FROM {
        packed.push(RAW);
        packed.extend_from_slice(body);
        return Ok(packed);
    }
    packed.push(ZLIB);
    let mut encoder = ZlibEncoder::new(packed, Compression::fast());
    encoder.write_all(body).map_err(super::fault::of_io)?;
    encoder.finish().map_err(super::fault::of_io)
}

/// The body of a stored form.
pub(super) fn unpack(packed: &[u8]) -> Result<Vec<u8>> {
    match packed.split_first() {
        Some((&RAW, body)) => Ok(body.to_vec()),
        Some((&ZLIB, stream)) => {
            let corrupt = |_| Error::Corrupt("a compressed body");
            let inflated = || ZlibDecoder::new(stream).take(BODY_BYTES_MAX);
            let length = if stream.len() > LARGE_FROM {
                usize::try_from(copy(&mut inflated(), &mut sink()).map_err(corrupt)?).unwrap_or_default()
            } else {
                stream.len() * 4
            };
            let mut body = Vec::with_capacity(length);
            inflated().read_to_end(&mut body).map(|_| body).map_err(corrupt)
        }
        _ => Err(Error::Corrupt("the format of a body")),
    }
}

#[cfg(test)]
mod tests {
    use super::{COMPRESSED_FROM, LARGE_FROM, pack, unpack};

    #[test]
    fn bodies_come_back_and_long_ones_are_smaller() {
        for size in [0, 1, COMPRESSED_FROM, COMPRESSED_FROM + 1, 40_000] {
            let body = vec![b'x'; size];
            let packed = pack(&body).unwrap();
            assert_eq!(unpack(&packed).unwrap(), body);
            assert_eq!(packed.first(), Some(&u8::from(size > COMPRESSED_FROM)));
        }
        assert!(pack(&[b'x'; 40_000]).unwrap().len() < 4_000);
    }

    #[test]
    fn a_large_body_is_unpacked_into_a_buffer_of_its_size() {
        // Numbers of a congruence, so that what is packed stays large.
        let mut last = 1_u32;
        let mut next = || {
            last = last.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            last.to_be_bytes()
        };
        let body: Vec<u8> = (0..LARGE_FROM).flat_map(|_| next()).collect();
        let packed = pack(&body).unwrap();
        assert!(packed.len() > LARGE_FROM);
        let unpacked = unpack(&packed).unwrap();
        assert_eq!((unpacked.capacity(), &unpacked), (body.len(), &body));
    }

    #[test]
    fn a_damaged_body_is_reported() {
        let mut packed = pack(&[b'x'; 4_000]).unwrap();
        let last = packed.len() - 1;
        packed[last] ^= 1;
        assert!(unpack(&packed).is_err());
        assert!(unpack(&[7, 1, 2]).is_err());
        assert!(unpack(&[]).is_err());
    }
}
