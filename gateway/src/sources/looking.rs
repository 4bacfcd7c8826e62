//! A look at the first part of a source, of which nothing is stored.

use bytes::Bytes;
use entente_identity::{
    random_access::RandomAccess,
    source::{PREVIEW_BYTES, Preview, SourceFault, preview, preview_csv},
};
use entente_source::{Part, Source, SourceError, plain::plain};
use futures::{StreamExt, TryStreamExt, stream};
use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{io::AsyncReadExt, runtime::Handle};

/// What is fetched of a Parquet file at a time, and how often at most.
const BLOCK: u64 = 256 << 10;
const MOST_BLOCKS: usize = 128;
/// A compressed Parquet file is looked at whole, since it says at its end what it holds: at most so many plain bytes.
const MOST_PLAIN: u64 = 16 << 20;

/// Why there is nothing to be seen.
pub enum Unseen {
    /// The source says so.
    Source(SourceError),
    /// The file cannot be read.
    File(SourceFault),
}

impl From<SourceError> for Unseen {
    fn from(error: SourceError) -> Self {
        Self::Source(error)
    }
}

impl From<SourceFault> for Unseen {
    /// What the source said while a file was read is not the file's fault.
    fn from(fault: SourceFault) -> Self {
        match fault {
            SourceFault::Io(error) if error.get_ref().is_some_and(|inner| inner.is::<SourceError>()) => {
                Self::Source(error.into())
            }
            fault => Self::File(fault),
        }
    }
}

/// Looks at a part. The delimiter is for CSV.
pub async fn look(source: Arc<dyn Source>, part: Part, delimiter: Option<u8>) -> Result<Preview, Unseen> {
    let stored = part.size.min(PREVIEW_BYTES);
    let Beginning { plain: first, is_compressed } = beginning(&*source, &part, stored).await?;
    let total = if stored == part.size { first.len() as u64 } else { scaled(first.len() as u64, part.size, stored) };
    let is_parquet = first.starts_with(b"PAR1") || first.starts_with(b"PARE");
    let file: Arc<dyn RandomAccess> = match is_parquet && is_compressed {
        true => Arc::new(whole(&*source, &part).await?),
        false => Arc::new(PartFile { source, part, runtime: Handle::current(), blocks: Mutex::default() }),
    };
    let read = tokio::task::spawn_blocking(move || {
        if is_parquet { preview(file, None) } else { preview_csv(&mut first.as_slice(), delimiter, total) }
    });
    let read = read.await.map_err(|_| SourceError::Unexpected("reading broke off".to_owned()))?;
    Ok(read?)
}

/// The first plain bytes of a part.
struct Beginning {
    plain: Vec<u8>,
    /// Whether they are stored as others.
    is_compressed: bool,
}

/// At most a megabyte, out of so many bytes that are stored.
async fn beginning(source: &dyn Source, part: &Part, stored: u64) -> Result<Beginning, SourceError> {
    let pieces: Vec<Bytes> = source.open(part, 0..stored).await?.try_collect().await?;
    let as_stored = Bytes::from(pieces.concat());
    let content = stream::iter([Ok(as_stored.clone())]).boxed();
    let mut plain = plain(content, &part.name, u64::MAX).await?;
    let mut first = Vec::new();
    match (&mut plain).take(PREVIEW_BYTES).read_to_end(&mut first).await.map_err(SourceError::from) {
        // Of a compressed part the rest was left away.
        Err(SourceError::Format(_)) if stored < part.size && !first.is_empty() => {}
        read => drop(read?),
    }
    Ok(Beginning { is_compressed: !as_stored.starts_with(&first[..first.len().min(4)]), plain: first })
}

/// All plain bytes of a part that is compressed.
async fn whole(source: &dyn Source, part: &Part) -> Result<Vec<u8>, SourceError> {
    let content = source.open(part, 0..part.size).await?;
    let mut bytes = Vec::new();
    let read = plain(content, &part.name, MOST_PLAIN).await?.read_to_end(&mut bytes).await;
    match read.map_err(SourceError::from) {
        Ok(_) => Ok(bytes),
        Err(SourceError::TooLarge(_)) => Err(SourceError::Format(
            "a Parquet file that is compressed as a whole is looked at up to 16 MiB; a refresh reads larger ones",
        )),
        Err(error) => Err(error),
    }
}

/// Bytes of a whole of which `plain` came out of `stored`.
fn scaled(plain: u64, size: u64, stored: u64) -> u64 {
    let scaled = u128::from(plain) * u128::from(size) / u128::from(stored.max(1));
    u64::try_from(scaled).unwrap_or(u64::MAX).max(plain + 1)
}

/// A part of which any range can be read, by a thread that may block.
struct PartFile {
    source: Arc<dyn Source>,
    part: Part,
    runtime: Handle,
    blocks: Mutex<HashMap<u64, Arc<Vec<u8>>>>,
}

impl PartFile {
    fn block(&self, number: u64) -> io::Result<Arc<Vec<u8>>> {
        let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(block) = blocks.get(&number) {
            return Ok(block.clone());
        }
        if blocks.len() == MOST_BLOCKS {
            return Err(SourceError::Unexpected("the file is too large to be looked at".to_owned()).into());
        }
        let (start, end) = (number * BLOCK, ((number + 1) * BLOCK).min(self.part.size));
        let pieces: Vec<_> =
            self.runtime.block_on(async { self.source.open(&self.part, start..end).await?.try_collect().await })?;
        let block = Arc::new(pieces.concat());
        blocks.insert(number, block.clone());
        Ok(block)
    }
}

impl RandomAccess for PartFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.part.size)
    }

    fn read_part(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        if offset.checked_add(out.len() as u64).is_none_or(|end| end > self.part.size) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let (mut at, mut out) = (offset, out);
        while !out.is_empty() {
            let block = self.block(at / BLOCK)?;
            let rest = block.get((at % BLOCK) as usize..).unwrap_or_default();
            let take = rest.len().min(out.len());
            if take == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            out[..take].copy_from_slice(&rest[..take]);
            at += take as u64;
            out = &mut out[take..];
        }
        Ok(())
    }
}
