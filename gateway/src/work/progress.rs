//! How far blocking work is, told while it runs.

use super::Task;
use entente_domain::progress::{FilesRead, time_left};
use entente_identity::source::{Control, Progress};
use serde_json::{Value, json};
use std::{
    future::Future,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Progress is told at most this often.
const EVERY: Duration = Duration::from_millis(200);

/// Says how far reading so many stored bytes is.
struct Telling {
    said: watch::Sender<Value>,
    stop: CancellationToken,
    total_bytes: u64,
    began: Instant,
}

impl Telling {
    fn new(said: watch::Sender<Value>, stop: CancellationToken, total_bytes: u64) -> Self {
        Self { said, stop, total_bytes, began: Instant::now() }
    }

    /// Says it, and answers whether to go on.
    fn tell(&self, rows: u64, bytes: u64) -> Control {
        let all = self.total_bytes;
        let left = time_left(self.began.elapsed(), bytes, all).map(|left| left.as_secs());
        self.said.send_replace(json!({ "rows": rows, "bytes": bytes, "total_bytes": all, "seconds_left": left }));
        if self.stop.is_cancelled() { Control::Cancel } else { Control::Continue }
    }
}

/// What work calls after every part that it has read of a file of so many bytes: says how far it is, and answers whether
/// to go on.
pub fn of_file(
    said: watch::Sender<Value>,
    stop: CancellationToken,
    total_bytes: u64,
) -> impl FnMut(Progress) -> Control {
    let telling = Telling::new(said, stop, total_bytes);
    move |Progress { rows, bytes }| telling.tell(rows, bytes)
}

/// The same of files that are fetched, which has its share of the time, and that may be compressed.
pub struct OfFiles {
    telling: Telling,
    so_far: Mutex<(u64, FilesRead)>,
}

impl OfFiles {
    /// Nothing has come of files of so many stored bytes.
    pub fn new(said: watch::Sender<Value>, stop: CancellationToken, total_bytes: u64) -> Self {
        Self { telling: Telling::new(said, stop, total_bytes), so_far: Mutex::default() }
    }

    /// So many more stored bytes came.
    pub fn fetched(&self, bytes: u64) {
        let mut so_far = self.so_far();
        so_far.1.fetched(bytes);
        self.tell(&so_far);
    }

    /// The next file is read: so many stored bytes, which are so many without compression.
    pub fn next(&self, stored: u64, plain: u64) {
        self.so_far().1.next(stored, plain);
    }

    /// So much was read of all files, compression taken off; whether to go on.
    pub fn read(&self, Progress { rows, bytes }: Progress) -> Control {
        let mut so_far = self.so_far();
        so_far.0 = rows;
        so_far.1.read(bytes);
        self.tell(&so_far)
    }

    fn so_far(&self) -> MutexGuard<'_, (u64, FilesRead)> {
        self.so_far.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, (rows, files): &(u64, FilesRead)) -> Control {
        self.telling.tell(*rows, files.bytes(self.telling.total_bytes))
    }
}

/// What counting calls with the share of it that is done: says how far it is, and answers whether to go on. It is told in tens
/// of percent: finer steps might tell where the other side has much about few.
pub fn of_share(said: watch::Sender<Value>, stop: CancellationToken) -> impl Fn(f64) -> Control + Sync {
    move |share| {
        let percent = ((share * 10.0) as u64).min(10) * 10;
        said.send_if_modified(|told| {
            let news = json!({ "percent": percent });
            let is_new = *told != news;
            *told = news;
            is_new
        });
        if stop.is_cancelled() { Control::Cancel } else { Control::Continue }
    }
}

/// Awaits work that says how far it is, and tells those who follow the job.
///
/// The sender of `said` is with the work, which replaces its value as often as it likes.
pub async fn follow<T>(task: &Task, mut said: watch::Receiver<Value>, work: impl Future<Output = T>) -> T {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    tokio::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => {
                tell(task, &mut said).await;
                return done;
            }
            _ = ticks.tick() => tell(task, &mut said).await,
        }
    }
}

async fn tell(task: &Task, said: &mut watch::Receiver<Value>) {
    // Asked of what was said, which is there even when the work is over and says nothing more.
    let news = {
        let last = said.borrow_and_update();
        last.has_changed().then(|| last.clone())
    };
    if let Some(progress) = news
        && let Err(error) = task.progress(progress).await
    {
        // The work itself goes on; whether the job is still held is found out when its lease is renewed.
        tracing::warn!(message = "the progress of a job could not be told", job = %task.job.id, %error);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_told_in_tens_of_percent() {
        let (said, mut heard) = watch::channel(Value::Null);
        let stop = CancellationToken::new();
        let tell = of_share(said, stop.clone());
        for (share, percent, is_news) in [
            (0.0, 0, true),
            (0.099, 0, false),
            (0.19, 10, true),
            (0.999, 90, true),
            (1.0, 100, true),
            (1.0, 100, false),
        ] {
            assert_eq!(tell(share), Control::Continue);
            assert_eq!(heard.has_changed().ok(), Some(is_news), "{share}");
            assert_eq!(*heard.borrow_and_update(), json!({ "percent": percent }), "{share}");
        }
        stop.cancel();
        assert_eq!(tell(1.0), Control::Cancel);
    }
}
