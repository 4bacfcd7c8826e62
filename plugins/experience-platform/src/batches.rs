//! Adobe's batches that a delivery has made, which are kept in its state.

use entente_destination::DestinationError;
use serde::{Deserialize, Serialize};

/// The most files in a batch of Adobe's.
/// <https://experienceleague.adobe.com/en/docs/experience-platform/ingestion/batch/overview#batch-ingestion-constraints>
const MOST_FILES: u64 = 1500;

/// Adobe's batches of a delivery, in the order in which they were made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Batches(pub Vec<Batch>);

/// A batch of Adobe's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// Its id.
    pub id: String,
    /// The last sequence whose file it can have.
    pub until: u64,
    /// How far it is.
    pub stage: Stage,
}

/// How far a batch of Adobe's is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Files may be put into it.
    Open,
    /// No more files come, and Adobe works on it.
    Complete,
    /// What is in it was ingested.
    Ingested,
}

impl Batches {
    /// What was kept as state; empty at the start.
    ///
    /// # Errors
    /// `Permanent` for what was not.
    pub fn read(state: &[u8]) -> Result<Self, DestinationError> {
        if state.is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_slice(state)
            .map_err(|_| DestinationError::Permanent("the delivery's state cannot be read".to_owned()))
    }

    /// What is kept as state.
    ///
    /// # Errors
    /// `Permanent` if it cannot be written as JSON.
    pub fn write(&self) -> Result<Vec<u8>, DestinationError> {
        serde_json::to_vec(self)
            .map_err(|_| DestinationError::Permanent("the delivery's state cannot be written".to_owned()))
    }

    /// The batch that the file of this sequence goes into, unless it has to be made.
    pub fn for_file(&self, sequence: u64) -> Option<&Batch> {
        let batch = self.0.last()?;
        (sequence <= batch.until).then_some(batch)
    }

    /// Keeps a batch that was made for the file of this sequence and those after it.
    pub fn keep(&mut self, id: String, sequence: u64) {
        self.0.push(Batch { id, until: sequence.saturating_add(MOST_FILES - 1), stage: Stage::Open });
    }

    /// How many of them are not ingested.
    pub fn pending(&self) -> u64 {
        self.0.iter().filter(|batch| batch.stage != Stage::Ingested).count() as u64
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn no_batch_has_too_many_files() {
        let mut batches = Batches::default();
        for sequence in 1..=4000 {
            if batches.for_file(sequence).is_none() {
                batches.keep(sequence.to_string(), sequence);
            }
            let batch = batches.for_file(sequence).unwrap();
            assert!((1..=MOST_FILES).contains(&(sequence + 1 - batch.id.parse::<u64>().unwrap())), "{sequence}");
        }
        assert_eq!((batches.0.len(), batches.pending()), (3, 3));
        assert_eq!(Batches::read(&batches.write().unwrap()).unwrap(), batches);
    }

    #[test]
    fn what_is_not_a_state_is_refused() {
        assert_eq!(Batches::read(b"").unwrap(), Batches::default());
        assert!(matches!(Batches::read(b"{}"), Err(DestinationError::Permanent(_))));
    }
}
