//! What a delivery keeps, as JSON: [`Written::state`](crate::Written::state).

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::DestinationError;

/// What was kept; at the start, when nothing was, the default.
///
/// # Errors
/// `Permanent` for what this destination did not keep.
pub fn read<T: DeserializeOwned + Default>(state: &[u8]) -> Result<T, DestinationError> {
    if state.is_empty() {
        return Ok(T::default());
    }
    // The reader's own message may quote what it read.
    serde_json::from_slice(state)
        .map_err(|_| DestinationError::Permanent("the delivery's state cannot be read".to_owned()))
}

/// What is to be kept.
///
/// # Errors
/// `Permanent` for what cannot be written as JSON.
pub fn write(state: &impl Serialize) -> Result<Vec<u8>, DestinationError> {
    serde_json::to_vec(state)
        .map_err(|_| DestinationError::Permanent("the delivery's state cannot be written".to_owned()))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn what_is_kept_is_read_again() {
        let state = write(&vec![1, 2]).unwrap();
        assert_eq!(read::<Vec<u8>>(&state), Ok(vec![1, 2]));
        assert_eq!(read::<Vec<u8>>(b""), Ok(Vec::new()));
        assert!(
            matches!(read::<Vec<u8>>(b"s3cret"), Err(DestinationError::Permanent(told)) if !told.contains("s3cret"))
        );
    }
}
