//! Single calls of a destination, for tests of how they end.

use super::delivery::Trial;
use super::plugin;
use super::sample::sample_rows_of;
use super::world::World;
use crate::caller::CallError;
use crate::destination::{Destination, Written};
use crate::error::DestinationError;
use crate::testkit::delivery::record_batch;
use crate::testkit::failure::Failure;

/// Checks the settings of a world.
///
/// # Errors
/// Those of the destination; `Permanent` for a plugin that broke.
pub fn check<D: Destination, W: World>(world: &W) -> Result<(), DestinationError> {
    let broken = |error: String| DestinationError::Permanent(error);
    let plugin = plugin::<D>().map_err(|error| broken(error.to_string()))?;
    plugin.check(&world.settings(), &world.operator()).map_err(destination_error)
}

/// Opens a delivery to a world and writes one batch of so many rows.
///
/// # Errors
/// As [`check`].
pub fn write<D: Destination, W: World>(world: &W, rows: usize) -> Result<Written, DestinationError> {
    let broken = |error: String| DestinationError::Permanent(error);
    let plugin = plugin::<D>().map_err(|error| broken(error.to_string()))?;
    let batch = record_batch(&sample_rows_of(rows, &world.match_keys())).map_err(|error| broken(error.to_string()))?;
    let mut trial = Trial::new(&plugin, world).map_err(|failure| match failure {
        Failure::Call(error) => destination_error(error),
        other => broken(other.to_string()),
    })?;
    trial.attempt(1, &batch).map_err(destination_error)
}

/// The kind of an outcome's error, `-` where there is none.
pub fn kind<T>(outcome: &Result<T, DestinationError>) -> &'static str {
    outcome.as_ref().map_or_else(DestinationError::kind, |_| "-")
}

fn destination_error(error: CallError) -> DestinationError {
    match error {
        CallError::Destination(error) => error,
        other => DestinationError::Permanent(format!("the plugin broke: {other}")),
    }
}
