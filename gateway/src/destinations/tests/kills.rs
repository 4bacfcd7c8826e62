//! Workers killed at random moments: nothing is lost and nothing is there twice.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use rustix::process::{Pid, Signal, kill_process};

use super::fixture::{Place, launcher, policy};
use super::ledger::Ledger;
use crate::destinations::backoff::RetryPolicy;
use crate::destinations::confinement::Reach;
use crate::destinations::contract::{Launcher, Worker, WorkerFault};
use crate::destinations::delivery::{Stop, deliver};
use crate::destinations::process::ProcessLauncher;

/// Remembers which process it started last.
struct Watched {
    launcher: ProcessLauncher,
    process: Arc<Mutex<Option<u32>>>,
}

#[async_trait]
impl Launcher for Watched {
    async fn launch(&self, reach: &Reach) -> Result<Box<dyn Worker>, WorkerFault> {
        let worker = self.launcher.workers.start(&self.launcher.plugin, reach).await?;
        *self.process.lock().unwrap() = worker.id();
        Ok(Box::new(worker))
    }
}

#[tokio::test]
async fn a_delivery_survives_kills_at_any_moment() {
    let (place, mut ledger) = (Place::new(400, 20), Ledger::default());
    let process = Arc::new(Mutex::new(None));
    let watched = Watched { launcher: launcher(), process: process.clone() };
    let killer = tokio::spawn(async move {
        let mut kills = 0;
        while kills < 15 {
            tokio::time::sleep(Duration::from_millis(rand::random_range(5..40))).await;
            let running: Option<u32> = process.lock().unwrap().take();
            if let Some(pid) = running.and_then(|id| Pid::from_raw(id.cast_signed())) {
                kill_process(pid, Signal::KILL).unwrap();
                kills += 1;
            }
        }
        kills
    });
    let policy = RetryPolicy { faults: 100, ..policy() };
    let order = place.order("slow");
    let delivered = deliver(&watched, &order, &mut ledger, policy, &Stop::default()).await.unwrap();
    let finished_first = !killer.is_finished();
    killer.abort();
    assert!(!finished_first, "the delivery ended before the last kill");
    assert_eq!((delivered.batches, delivered.accepted), (400, place.rows()));
    ledger.assert_complete(400);
    place.assert_all_taken();
}
