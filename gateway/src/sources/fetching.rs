//! The parts of a source on their way to whoever reads them: a few are fetched ahead, compression taken off. Small ones
//! wait in memory; others are kept encrypted on disk, by a key that is nowhere else, until they are read.

use entente_identity::{
    encrypted::{EncryptedFile, EncryptedWriter, new_key},
    random_access::RandomAccess,
    source::SourceFault,
};
use entente_source::{Part, Source, SourceError, plain::plain};
use futures::{StreamExt, TryStreamExt};
use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::{
    io::AsyncReadExt,
    sync::mpsc::{Receiver, channel},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use zeroize::Zeroizing;

/// Parts that are fetched at once.
const AT_ONCE: usize = 4;
/// What is longer goes to disk, in pieces of this many bytes.
const PIECE: usize = 1 << 20;

type Fetched = Result<Arc<dyn RandomAccess>, SourceFault>;

/// Is told of stored bytes as they come.
pub type OnBytes = Arc<dyn Fn(u64) + Send + Sync>;

/// The parts of a source, one after the other, for a thread that may block.
pub struct Fetching {
    fetched: Receiver<Fetched>,
    left: usize,
}

impl Fetching {
    /// Begins to fetch, until it is stopped. All parts together have at most `most` bytes; `scratch` is a folder that there
    /// is.
    pub fn begin(
        source: Arc<dyn Source>,
        parts: Vec<Part>,
        most: u64,
        scratch: &Path,
        (stop, came): (CancellationToken, OnBytes),
    ) -> Self {
        let (sender, fetched) = channel(1);
        let left = parts.len();
        let limit = Arc::new(Limit { most, left: AtomicU64::new(most) });
        let scratch = scratch.to_owned();
        let fetch = move |(number, part): (usize, Part)| {
            let (source, limit, scratch, came) = (source.clone(), limit.clone(), scratch.clone(), came.clone());
            let fetching = async move {
                let fetched = fetch(&*source, &part, (&*limit, &came), &scratch).await;
                fetched.map_err(|error| if left > 1 { in_part(error, number + 1) } else { error })
            };
            // A task of its own goes on while the part before it is read, which may take longer than a service waits.
            let fetching = AbortOnDropHandle::new(tokio::spawn(fetching));
            async move { fetching.await.map_err(io::Error::other)? }
        };
        tokio::spawn(async move {
            let mut fetching = futures::stream::iter(parts).enumerate().map(fetch).buffered(AT_ONCE);
            loop {
                let next = tokio::select! {
                    () = stop.cancelled() => return,
                    () = sender.closed() => return,
                    next = fetching.next() => next,
                };
                let Some(next) = next else { return };
                let is_last = next.is_err();
                if sender.send(next.map_err(SourceFault::Io)).await.is_err() || is_last {
                    return;
                }
            }
        });
        Self { fetched, left }
    }
}

impl Iterator for Fetching {
    type Item = Fetched;

    /// Waits for the next part. Fetching that was stopped is no end.
    fn next(&mut self) -> Option<Fetched> {
        self.left = self.left.checked_sub(1)?;
        let next = self.fetched.blocking_recv().unwrap_or(Err(SourceFault::Cancelled));
        if next.is_err() {
            self.left = 0;
        }
        Some(next)
    }
}

/// Bytes that all parts together may have, compression taken off.
struct Limit {
    most: u64,
    left: AtomicU64,
}

impl Limit {
    fn take(&self, bytes: u64) -> io::Result<()> {
        let taken = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes));
        taken.map(|_| ()).map_err(|_| SourceError::TooLarge(self.most).into())
    }
}

/// What a source said of one of several parts, with its number.
fn in_part(error: io::Error, number: usize) -> io::Error {
    match error.get_ref().is_some_and(|inner| inner.is::<SourceError>()) {
        true => SourceError::from(error).in_part(number).into(),
        false => error,
    }
}

async fn fetch(
    source: &dyn Source,
    part: &Part,
    (limit, came): (&Limit, &OnBytes),
    scratch: &Path,
) -> io::Result<Arc<dyn RandomAccess>> {
    let came = came.clone();
    let content = source.open(part, 0..part.size).await?.inspect_ok(move |bytes| came(bytes.len() as u64)).boxed();
    let mut plain = plain(content, &part.name, limit.most).await?;
    let mut spilled: Option<Spilled> = None;
    loop {
        let mut piece = Zeroizing::new(Vec::with_capacity(PIECE));
        (&mut plain).take(PIECE as u64).read_to_end(&mut piece).await?;
        limit.take(piece.len() as u64)?;
        let is_last = piece.len() < PIECE;
        if is_last && spilled.is_none() {
            return Ok(Arc::new(std::mem::take(&mut *piece)));
        }
        let scratch = scratch.to_owned();
        let written = tokio::task::spawn_blocking(move || {
            let mut file = match spilled {
                Some(file) => file,
                None => Spilled::create(&scratch)?,
            };
            file.writer.write(&piece)?;
            if is_last { file.read_back().map(Written::Whole) } else { Ok(Written::Partly(file)) }
        });
        match written.await.map_err(io::Error::other)?? {
            Written::Whole(file) => return Ok(Arc::new(file)),
            Written::Partly(file) => spilled = Some(file),
        }
    }
}

enum Written {
    Partly(Spilled),
    Whole(EncryptedFile),
}

/// A part that is written to disk.
struct Spilled {
    writer: EncryptedWriter,
    path: PathBuf,
    key: entente_identity::encrypted::FileKey,
}

impl Spilled {
    fn create(scratch: &Path) -> io::Result<Self> {
        let path = scratch.join(format!("part-{:032x}", rand::random::<u128>()));
        let key = new_key();
        Ok(Self { writer: EncryptedWriter::passing(&path, &key)?, path, key })
    }

    /// The file, which nobody finds by a name any longer.
    fn read_back(mut self) -> io::Result<EncryptedFile> {
        self.writer.finish()?;
        let file = EncryptedFile::open(&self.path, &self.key);
        std::fs::remove_file(&self.path)?;
        file
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use entente_source::{Operator, types::SourceType};
    use serde_json::json;
    use std::time::Duration;
    use tempfile::TempDir;

    struct Place {
        folder: TempDir,
        scratch: TempDir,
        source: Arc<dyn Source>,
    }

    /// A folder with files of these lengths, named by their numbers.
    fn place(lengths: &[usize]) -> Place {
        let (folder, scratch) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for (number, length) in lengths.iter().enumerate() {
            std::fs::write(folder.path().join(format!("{number}.csv")), content(number, *length)).unwrap();
        }
        let operator = Operator { roots: vec![folder.path().to_owned()], ..Operator::default() };
        let settings = json!({ "folder": folder.path() });
        let source = SourceType::find("local_folder").unwrap().open(&settings, &operator).unwrap().into();
        Place { folder, scratch, source }
    }

    fn content(number: usize, length: usize) -> Vec<u8> {
        (0..length).map(|at| (at / 7 + number) as u8).collect()
    }

    /// What comes, until the first fault.
    async fn fetched(place: &Place, most: u64, stop: CancellationToken) -> Result<Vec<Vec<u8>>, SourceFault> {
        let parts = place.source.list(100).await.unwrap();
        let came = Arc::new(AtomicU64::new(0));
        let (counted, stored) = (came.clone(), parts.iter().map(|part| part.size).sum::<u64>());
        let count: OnBytes = Arc::new(move |bytes| {
            counted.fetch_add(bytes, Ordering::Relaxed);
        });
        let fetching = Fetching::begin(place.source.clone(), parts, most, place.scratch.path(), (stop, count));
        let all = move || {
            let whole = |part: Fetched| {
                let part = part?;
                let mut bytes = vec![0; part.size()? as usize];
                part.read_part(0, &mut bytes)?;
                Ok(bytes)
            };
            fetching.map(whole).collect()
        };
        let fetched: Result<Vec<_>, _> = tokio::task::spawn_blocking(all).await.unwrap();
        assert!(fetched.is_err() || came.load(Ordering::Relaxed) == stored, "bytes are told of as they are stored");
        fetched
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn parts_come_in_order_and_leave_nothing_on_disk() {
        let lengths = [10, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 5, 1];
        let place = place(&lengths);
        let expected: Vec<_> = lengths.iter().enumerate().map(|(number, length)| content(number, *length)).collect();
        let most = lengths.iter().sum::<usize>() as u64;
        assert!(fetched(&place, most, CancellationToken::new()).await.unwrap() == expected);
        assert_eq!(std::fs::read_dir(place.scratch.path()).unwrap().count(), 0);
        let too_large = fetched(&place, most - 1, CancellationToken::new()).await.unwrap_err();
        assert!(too_large.to_string().contains("more than"), "{too_large}");
    }

    /// A source whose parts take their time, the first ones less.
    #[derive(Default)]
    struct Slow {
        given: AtomicU64,
    }

    #[async_trait::async_trait]
    impl Source for Slow {
        async fn check(&self) -> Result<(), SourceError> {
            Ok(())
        }

        async fn list(&self, most: usize) -> Result<Vec<Part>, SourceError> {
            let part = |number| Part { name: format!("{number}"), size: 1, modified: Default::default(), etag: None };
            Ok((0..most).map(part).collect())
        }

        async fn open(&self, part: &Part, _: std::ops::Range<u64>) -> Result<entente_source::Content, SourceError> {
            tokio::time::sleep(Duration::from_millis(20 * part.name.parse::<u64>().unwrap())).await;
            self.given.fetch_add(1, Ordering::Relaxed);
            Ok(futures::stream::iter([Ok(bytes::Bytes::from_static(b"7"))]).boxed())
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn parts_are_fetched_while_another_is_read() {
        let (source, scratch) = (Arc::new(Slow::default()), tempfile::tempdir().unwrap());
        let parts = source.list(10).await.unwrap();
        let until: (_, OnBytes) = (CancellationToken::new(), Arc::new(|_| ()));
        let mut fetching = Fetching::begin(source.clone(), parts, 10, scratch.path(), until);
        let begun = tokio::task::spawn_blocking(move || fetching.next().map(|_| fetching));
        let fetching = begun.await.unwrap().unwrap();
        // One waits to be taken, one to be handed on, and as many as are fetched at once are there.
        let ahead = 3 + AT_ONCE as u64 - 1;
        let there = async {
            while source.given.load(Ordering::Relaxed) < ahead {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), there).await.unwrap();
        let rest = tokio::task::spawn_blocking(move || fetching.filter(Result::is_ok).count()).await.unwrap();
        assert_eq!(rest, 9);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_was_stopped_has_not_ended() {
        let place = place(&[10, 20]);
        let stop = CancellationToken::new();
        stop.cancel();
        assert!(matches!(fetched(&place, 100, stop).await, Err(SourceFault::Cancelled)));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_a_source_says_is_handed_on() {
        for (lengths, number) in [(&[10][..], None), (&[10, 10][..], Some("file 1: "))] {
            let place = place(lengths);
            std::fs::rename(place.folder.path().join("0.csv"), place.folder.path().join("0.csv.gz")).unwrap();
            let fault = fetched(&place, 100, CancellationToken::new()).await.unwrap_err();
            let SourceFault::Io(error) = fault else { unreachable!("{fault}") };
            let told = SourceError::from(error);
            assert_eq!(told.kind(), "FORMAT");
            assert_eq!(told.to_string().starts_with("file "), number.is_some(), "{told}");
            assert!(number.is_none_or(|number| told.to_string().starts_with(number)), "{told}");
        }
    }
}
