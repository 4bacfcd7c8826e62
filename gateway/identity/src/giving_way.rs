//! Work over many rows lets those have the core who wait for an answer. Threads in the background have the lowest
//! priority, but a busy kernel may leave a core to them up to its next tick: some milliseconds.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Rows between two looks: some 50 microseconds.
const ROWS: u32 = 256;

/// How many are waiting for an answer of this program.
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// Somebody waits for an answer of this program for as long as this is kept.
#[derive(Debug)]
#[must_use]
pub struct Waits(());

impl Waits {
    /// From now on.
    #[expect(clippy::new_without_default, reason = "it counts; nobody should make one by the way")]
    pub fn new() -> Self {
        WAITING.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        WAITING.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Counts rows up to the next look.
#[derive(Default)]
pub(crate) struct GivingWay(u32);

impl GivingWay {
    /// One more row is done.
    #[inline(always)]
    pub(crate) fn row(&mut self) {
        self.0 += 1;
        if self.0 == ROWS {
            self.0 = 0;
            // To yield for nothing costs: those would take turns that share the work.
            if WAITING.load(Ordering::Relaxed) > 0 {
                thread::yield_now();
            }
        }
    }
}
