//! What every destination keeps, proven in fresh worlds.

use std::time::{Duration, Instant};

use super::delivery::{Trial, Trouble, batches, deliver, deliver_all_but, record_batch};
use super::failure::Failure;
use super::plugin;
use super::sample::{sample_rows_of, sample_splits};
use super::world::{AsksForPause, RefusesRows, TakenRow, World};
use crate::caller::CallError;
use crate::destination::Destination;
use crate::error::DestinationError;

/// How many rows a trial delivers.
const ROWS: usize = 97;
/// How many splits that look random are tried, beside the plain ones.
const SPLITS: usize = 12;
/// A pause that a trial waits.
const SHORT: Duration = Duration::from_secs(1);
/// A pause that no call may wait, since the gateway would end the worker.
const LONG: Duration = Duration::from_secs(3600);
/// How long a call may take that is asked for the long pause.
const PROMPTLY: Duration = Duration::from_secs(60);

/// [`prove_splits`] and [`prove_repeats`].
///
/// # Errors
/// [`Failure`], for the first trial that fails.
pub fn prove<D: Destination, W: World>(mut new_world: impl FnMut() -> W) -> Result<(), Failure> {
    prove_splits::<D, W>(&mut new_world)?;
    prove_repeats::<D, W>(&mut new_world)
}

/// However rows are cut into batches, the same rows arrive.
///
/// # Errors
/// [`Failure`], for the first trial that fails.
pub fn prove_splits<D: Destination, W: World>(mut new_world: impl FnMut() -> W) -> Result<(), Failure> {
    plugin::<D>()?.describe()?;
    let rows = sample_rows_of(ROWS, &new_world().match_keys());
    deliver::<D, W>(&new_world(), &[], &[], Trouble::None)?;
    sample_splits(ROWS, SPLITS).iter().try_for_each(|split| deliver::<D, W>(&new_world(), &rows, split, Trouble::None))
}

/// A batch that is sent again, by the same process or after a crash, is taken once; or at most as often as it was sent
/// where [`Destination::REPEATS`] admits that.
///
/// # Errors
/// [`Failure`], for the first trial that fails.
pub fn prove_repeats<D: Destination, W: World>(mut new_world: impl FnMut() -> W) -> Result<(), Failure> {
    let rows = sample_rows_of(ROWS, &new_world().match_keys());
    for split in sample_splits(ROWS, SPLITS) {
        for trouble in [Trouble::EveryBatchAgain, Trouble::CrashAfterEveryBatch] {
            deliver::<D, W>(&new_world(), &rows, &split, trouble)?;
        }
    }
    Ok(())
}

/// Rows that the endpoint refuses come back by their number, all others as accepted, also when the batch is sent again.
///
/// # Errors
/// [`Failure`], for the first trial that fails.
pub fn prove_rejections<D: Destination, W: RefusesRows>(mut new_world: impl FnMut() -> W) -> Result<(), Failure> {
    let rows = sample_rows_of(ROWS, &new_world().match_keys());
    let mut refused: Vec<TakenRow> = rows.iter().skip(2).step_by(7).cloned().collect();
    refused.sort_unstable();
    for split in sample_splits(ROWS, SPLITS) {
        for trouble in Trouble::ALL {
            let world = new_world();
            world.refuse(&refused);
            let outcomes = deliver_all_but::<D, W>(&world, &rows, &refused, &split, trouble)?;
            for (batch, (sequence, outcome)) in batches(&rows, &split).into_iter().zip(outcomes) {
                let numbers = |(row, number)| refused.binary_search(row).is_ok().then_some(number);
                let expected: Vec<u32> = batch.iter().zip(0_u32..).filter_map(numbers).collect();
                let mut rejected = outcome.rejected;
                rejected.sort_unstable();
                if rejected != expected || outcome.accepted != (batch.len() - expected.len()) as u64 {
                    let reason = format!(
                        "rows {expected:?} of {} were refused, but {} were accepted and {rejected:?} rejected",
                        batch.len(),
                        outcome.accepted
                    );
                    return Err(Failure::Answer { split, trouble, sequence, reason });
                }
            }
        }
    }
    Ok(())
}

/// A short pause that the endpoint asks for is waited, by the destination or, told by it, by the gateway; a long one is
/// told to the gateway at once, and nothing is sent before it is over.
///
/// # Errors
/// [`Failure::Pause`] where it was not so.
pub fn prove_pauses<D: Destination, W: AsksForPause>(mut new_world: impl FnMut() -> W) -> Result<(), Failure> {
    let rows = sample_rows_of(ROWS, &new_world().match_keys());
    short_pause::<D, W>(&new_world(), &rows)?;
    long_pause::<D, W>(&new_world(), &rows)
}

fn short_pause<D: Destination, W: AsksForPause>(world: &W, rows: &[TakenRow]) -> Result<(), Failure> {
    let plugin = plugin::<D>()?;
    let failed = |reason: String| Failure::Pause { asked: SHORT, reason };
    let (mut trial, batch) = (Trial::new(&plugin, world)?, record_batch(rows)?);
    world.ask_for_pause(SHORT);
    let began = Instant::now();
    while let Err(error) = trial.attempt(1, &batch) {
        match error {
            CallError::Destination(error) if began.elapsed() < PROMPTLY && error.is_retried() => {
                // What the destination does not tell, the gateway does not wait.
                std::thread::sleep(error.retry_after().unwrap_or_default());
            }
            other => return Err(other.into()),
        }
    }
    if began.elapsed() < SHORT {
        return Err(failed(format!("the batch was sent again after {:?}", began.elapsed())));
    }
    // Some endpoints take rows only when a delivery ends.
    trial.end()?;
    let (mut sent, mut taken) = (rows.to_vec(), world.taken().map_err(Failure::World)?);
    sent.sort_unstable();
    taken.sort_unstable();
    if sent == taken { Ok(()) } else { Err(failed("other rows arrived afterwards than were sent".to_owned())) }
}

fn long_pause<D: Destination, W: AsksForPause>(world: &W, rows: &[TakenRow]) -> Result<(), Failure> {
    let plugin = plugin::<D>()?;
    let failed = |reason: String| Failure::Pause { asked: LONG, reason };
    let (mut trial, batch) = (Trial::new(&plugin, world)?, record_batch(rows)?);
    world.ask_for_pause(LONG);
    let began = Instant::now();
    let after = match trial.attempt(1, &batch) {
        Err(CallError::Destination(DestinationError::RateLimited { after, .. })) => after.unwrap_or_default(),
        Err(error) => return Err(failed(format!("the answer was: {error}"))),
        Ok(_) => return Err(failed("the batch was accepted".to_owned())),
    };
    if began.elapsed() > PROMPTLY {
        return Err(failed(format!("the call took {:?}", began.elapsed())));
    }
    // A pause until a date has whole seconds only.
    if after + began.elapsed() + Duration::from_secs(1) < LONG {
        return Err(failed(format!("only {after:?} were told to the gateway")));
    }
    let taken = world.taken().map_err(Failure::World)?.len();
    if taken == 0 { Ok(()) } else { Err(failed(format!("{taken} rows arrived all the same"))) }
}
