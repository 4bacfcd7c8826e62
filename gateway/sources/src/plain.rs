//! Taking compression off: gzip and Zstandard, by the name of a part and its first bytes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_compression::tokio::bufread::{GzipDecoder, ZstdDecoder};
use async_compression::zstd::DParameter;
use futures::TryStreamExt;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader, ReadBuf};
use tokio_util::io::StreamReader;

use crate::error::SourceError;
use crate::source::Content;

const GZIP: &[u8] = b"\x1f\x8b";
const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd";
/// Zstandard may ask for a window of this many bytes, as a power of 2: 8 MiB, which every decoder is to grant.
const WINDOW_LOG: u32 = 23;
/// What is handed on at a time.
const BUFFER: usize = 64 * 1024;

/// The plain bytes of a part. Reading faults are [`SourceError`]s, which `SourceError::from` gets back.
pub type Plain = Pin<Box<dyn AsyncRead + Send>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    /// By the end of a name.
    fn of_name(name: &str) -> Self {
        match name.rsplit('.').next().map(str::to_ascii_lowercase).as_deref() {
            Some("gz" | "gzip") => Self::Gzip,
            Some("zst" | "zstd") => Self::Zstd,
            _ => Self::None,
        }
    }

    /// By the first bytes.
    fn of_content(first: &[u8]) -> Self {
        match first {
            _ if first.starts_with(GZIP) => Self::Gzip,
            _ if first.starts_with(ZSTD) => Self::Zstd,
            _ => Self::None,
        }
    }
}

/// The content of a part of this name as it was before it was compressed. Reading more than `most` bytes is an error.
///
/// # Errors
/// Those of the content, and `Format` where the name says that it is compressed and the first bytes do not.
pub async fn plain(content: Content, name: &str, most: u64) -> Result<Plain, SourceError> {
    let mut stored = BufReader::with_capacity(BUFFER, StreamReader::new(content.map_err(io::Error::from)));
    let first = first_bytes(&mut stored).await?;
    let compression = Compression::of_content(&first);
    if compression == Compression::None && Compression::of_name(name) != Compression::None {
        return Err(SourceError::Format("a file has a name that says it is compressed, and is not"));
    }
    let stored = io::Cursor::new(first).chain(stored);
    let stored = BufReader::with_capacity(BUFFER, stored);
    let plain: Plain = match compression {
        Compression::None => Box::pin(stored),
        Compression::Gzip => {
            let mut decoder = GzipDecoder::new(stored);
            decoder.multiple_members(true);
            Box::pin(Decoded(decoder))
        }
        Compression::Zstd => {
            let mut decoder = ZstdDecoder::with_params(stored, &[DParameter::window_log_max(WINDOW_LOG)]);
            decoder.multiple_members(true);
            Box::pin(Decoded(decoder))
        }
    };
    Ok(Box::pin(Bounded { plain, most, left: most }))
}

async fn first_bytes(stored: &mut (impl AsyncBufReadExt + Unpin)) -> Result<Vec<u8>, SourceError> {
    let mut first = Vec::with_capacity(ZSTD.len());
    stored.take(ZSTD.len() as u64).read_to_end(&mut first).await?;
    Ok(first)
}

/// Tells what a decoder says of broken bytes, which is not a fault of this machine.
struct Decoded<R>(R);

impl<R: AsyncRead + Unpin> AsyncRead for Decoded<R> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, into).map_err(|error| match error.get_ref() {
            Some(inner) if inner.is::<SourceError>() => error,
            _ => SourceError::Format("a compressed file is damaged or cut short").into(),
        })
    }
}

/// What cannot be read beyond a number of bytes, which a small file can become many of.
struct Bounded {
    plain: Plain,
    most: u64,
    left: u64,
}

impl AsyncRead for Bounded {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        ready!(self.plain.as_mut().poll_read(context, into))?;
        let read = (into.filled().len() - before) as u64;
        match self.left.checked_sub(read) {
            Some(left) => self.left = left,
            None => return Poll::Ready(Err(SourceError::TooLarge(self.most).into())),
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use bytes::Bytes;
    use flate2::{Compression as Level, write::GzEncoder};
    use futures::StreamExt;
    use proptest::prelude::*;
    use std::io::Write;

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Level::fast());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(plain: &[u8]) -> Vec<u8> {
        zstd::bulk::compress(plain, 1).unwrap()
    }

    /// Reads what comes in pieces of so many bytes.
    fn read(stored: &[u8], name: &str, piece: usize, most: u64) -> Result<Vec<u8>, SourceError> {
        let pieces: Vec<_> = stored.chunks(piece).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        futures::executor::block_on(async {
            let mut out = Vec::new();
            let content = futures::stream::iter(pieces).boxed();
            plain(content, name, most).await?.read_to_end(&mut out).await?;
            Ok(out)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn what_was_compressed_comes_back(text in "[a-z,\n]{0,3000}", piece in 1..500usize, members in 1..3usize) {
            let text = text.as_bytes();
            for (stored, name) in [(gzip(text), "a.csv.gz"), (zstd(text), "A.CSV.ZST"), (zstd(text), "a"), (gzip(text), "a")] {
                prop_assert_eq!(read(&stored.repeat(members), name, piece, 10_000).unwrap(), text.repeat(members));
            }
            prop_assert_eq!(read(text, "a.csv", piece, 10_000).unwrap(), text);
        }

        #[test]
        fn hostile_bytes_are_read_or_refused(bytes: Vec<u8>, magic in 0..3usize) {
            let stored = [[b"", GZIP, ZSTD][magic], &bytes].concat();
            if let Err(error) = read(&stored, "a.csv", 7, 10_000) {
                prop_assert!(["FORMAT", "TOO_LARGE"].contains(&error.kind()), "{error}");
            }
        }
    }

    #[test]
    fn what_is_broken_is_told() {
        let text = b"email\nada@example.com\n".repeat(1_000);
        for whole in [gzip(&text), zstd(&text)] {
            let cut = read(&whole[..whole.len() - 3], "a", 100, 1 << 20).unwrap_err();
            assert_eq!(cut, SourceError::Format("a compressed file is damaged or cut short"));
        }
        for name in ["a.csv.gz", "a.csv.zst"] {
            assert_eq!(read(&text, name, 100, 1 << 20).unwrap_err().kind(), "FORMAT", "{name}");
        }
    }

    #[test]
    fn little_does_not_become_much() {
        let bomb = vec![0; 64 << 20];
        for stored in [gzip(&bomb), zstd(&bomb)] {
            assert!(stored.len() < 1 << 20);
            assert_eq!(read(&stored, "a", 4096, 1 << 20).unwrap_err(), SourceError::TooLarge(1 << 20));
        }
        assert_eq!(read(&[7; 100], "a", 10, 100).unwrap().len(), 100);
        assert_eq!(read(&[7; 101], "a", 10, 100).unwrap_err(), SourceError::TooLarge(100));
    }

    #[test]
    fn a_window_is_of_a_bounded_size() {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(27).unwrap();
        encoder.write_all(&vec![0; 1 << 20]).unwrap();
        let stored = encoder.finish().unwrap();
        assert_eq!(read(&stored, "a", 4096, 1 << 30).unwrap_err().kind(), "FORMAT");
    }

    #[test]
    fn faults_of_the_source_are_handed_on() {
        for first in [&b"email"[..], &gzip(&[7; 50])[..12]] {
            let items = [Ok(Bytes::copy_from_slice(first)), Err(SourceError::ChangedWhileRead)];
            let content = futures::stream::iter(items).boxed();
            let read = futures::executor::block_on(async {
                let mut out = Vec::new();
                plain(content, "a", 1 << 20).await?.read_to_end(&mut out).await?;
                Ok::<_, SourceError>(out)
            });
            assert_eq!(read, Err(SourceError::ChangedWhileRead));
        }
    }
}
