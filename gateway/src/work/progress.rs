//! How far blocking work is, told while it runs.

use super::Task;
use entente_domain::progress::time_left;
use entente_identity::source::{Control, Progress};
use serde_json::{Value, json};
use std::{
    future::Future,
    time::{Duration, Instant},
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Progress is told at most this often.
const EVERY: Duration = Duration::from_millis(200);

/// What work calls after every part that it has read of a file of so many bytes: says how far it is, and answers whether
/// to go on.
pub fn of_file(
    said: watch::Sender<Value>,
    stop: CancellationToken,
    total_bytes: u64,
) -> impl FnMut(Progress) -> Control {
    let began = Instant::now();
    move |Progress { rows, bytes }| {
        let left = time_left(began.elapsed(), bytes, total_bytes).map(|left| left.as_secs());
        said.send_replace(json!({ "rows": rows, "bytes": bytes, "total_bytes": total_bytes, "seconds_left": left }));
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
    let news = said.has_changed().unwrap_or(false).then(|| said.borrow_and_update().clone());
    if let Some(progress) = news
        && let Err(error) = task.progress(progress).await
    {
        // The work itself goes on; whether the job is still held is found out when its lease is renewed.
        tracing::warn!(message = "the progress of a job could not be told", job = %task.job.id, %error);
    }
}
