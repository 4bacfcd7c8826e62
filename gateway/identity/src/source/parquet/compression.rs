//! How pages are compressed. What comes out is never longer than the page says, whatever goes in.

use std::io::{Cursor, Read};

use flate2::read::MultiGzDecoder;

use super::fault::ParquetFault;

const UNSOUND: ParquetFault = ParquetFault::Damaged("a page cannot be decompressed");

/// A compression that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codec {
    Uncompressed,
    Snappy,
    Gzip,
    Zstd,
}

impl Codec {
    /// By its number in a footer; the name of one that is not read.
    pub(super) fn of(number: u64) -> Result<Self, &'static str> {
        Ok(match number {
            0 => Self::Uncompressed,
            1 => Self::Snappy,
            2 => Self::Gzip,
            3 => return Err("LZO"),
            4 => return Err("Brotli"),
            5 | 7 => return Err("LZ4"),
            6 => Self::Zstd,
            _ => return Err("an unknown codec"),
        })
    }
}

/// Decompresses pages of one column.
pub(super) struct Decompressor {
    codec: Codec,
    zstd: Option<zstd::bulk::Decompressor<'static>>,
}

impl Decompressor {
    pub(super) fn new(codec: Codec) -> Self {
        Self { codec, zstd: None }
    }

    /// Gives `before` as it is, and then `compressed` decompressed to exactly `size` bytes.
    pub(super) fn decompress(
        &mut self,
        before: &[u8],
        compressed: &[u8],
        size: usize,
    ) -> Result<Vec<u8>, ParquetFault> {
        let whole = before.len() + size;
        let mut out = Vec::with_capacity(whole);
        out.extend_from_slice(before);
        match self.codec {
            // A page of which all values are missing may have no bytes to decompress.
            _ if size == 0 => {}
            Codec::Uncompressed => out.extend_from_slice(compressed),
            Codec::Snappy => {
                out.resize(whole, 0);
                let wrote = snap::raw::Decoder::new().decompress(compressed, &mut out[before.len()..]);
                out.truncate(before.len() + wrote.map_err(|_| UNSOUND)?);
            }
            Codec::Gzip => {
                let mut decoder = MultiGzDecoder::new(compressed).take(size as u64 + 1);
                decoder.read_to_end(&mut out).map_err(|_| UNSOUND)?;
            }
            Codec::Zstd => {
                if self.zstd.is_none() {
                    self.zstd = Some(zstd::bulk::Decompressor::new().map_err(|_| UNSOUND)?);
                }
                let mut cursor = Cursor::new(&mut out);
                cursor.set_position(before.len() as u64);
                let decompressor = self.zstd.as_mut().ok_or(UNSOUND)?;
                decompressor.decompress_to_buffer(compressed, &mut cursor).map_err(|_| UNSOUND)?;
            }
        }
        if out.len() != whole { Err(UNSOUND) } else { Ok(out) }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use std::io::Write;

    fn compressed(codec: Codec, plain: &[u8]) -> Vec<u8> {
        match codec {
            Codec::Uncompressed => plain.to_vec(),
            Codec::Snappy => snap::raw::Encoder::new().compress_vec(plain).unwrap(),
            Codec::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
                encoder.write_all(plain).unwrap();
                encoder.finish().unwrap()
            }
            Codec::Zstd => zstd::bulk::compress(plain, 3).unwrap(),
        }
    }

    #[test]
    fn exactly_as_much_comes_out_as_was_said() {
        let plain = b"ada@example.com,".repeat(10_000);
        for codec in [Codec::Uncompressed, Codec::Snappy, Codec::Gzip, Codec::Zstd] {
            let packed = compressed(codec, &plain);
            let mut decompressor = Decompressor::new(codec);
            let out = decompressor.decompress(b"levels", &packed, plain.len()).unwrap();
            assert_eq!((&out[..6], &out[6..]), (&b"levels"[..], &plain[..]), "{codec:?}");
            for wrong in [1, plain.len() - 1, plain.len() + 1] {
                assert_eq!(decompressor.decompress(b"", &packed, wrong), Err(UNSOUND), "{codec:?} {wrong}");
            }
            assert_eq!(decompressor.decompress(b"", &packed[..packed.len() / 2], plain.len()), Err(UNSOUND));
        }
    }
}
