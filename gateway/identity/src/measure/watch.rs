//! Telling how far a report is, and asking whether it is to go on.

use super::MeasureFault;
use super::stored::KeyRange;
use crate::source::Control;
use std::sync::{Mutex, PoisonError};

/// Told now and then, on several threads, what share of the work is done, from 0 to 1; says whether to go on. The share is even
/// in time, so that it tells no more of the other side's data than when the work ends; and it is never told of how much.
pub type Watch<'a> = &'a (dyn Fn(f64) -> Control + Sync);

/// How far the parts of some work are.
pub(super) struct Parts<'a> {
    watch: Watch<'a>,
    shares: Mutex<Vec<f64>>,
}

impl<'a> Parts<'a> {
    pub(super) fn new(count: usize, watch: Watch<'a>) -> Self {
        Self { watch, shares: Mutex::new(vec![0.0; count]) }
    }

    /// A part has come so far; whether it is to go on.
    pub(super) fn go_on(&self, part: usize, share: f64) -> bool {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        shares[part] = share;
        let all = shares.iter().sum::<f64>() / shares.len() as f64;
        (self.watch)(all) == Control::Continue
    }

    /// All parts are done.
    pub(super) fn end(&self) -> Result<(), MeasureFault> {
        if (self.watch)(1.0) == Control::Continue { Ok(()) } else { Err(MeasureFault::Stopped) }
    }
}

/// What share of a range lies before an identity of it.
pub(super) fn share_before(range: &KeyRange, key: u64) -> f64 {
    key.saturating_sub(*range.start()) as f64 / (range.end() - range.start()).max(1) as f64
}
