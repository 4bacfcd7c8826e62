//! Adobe's batches that a delivery has made, which are kept in its state.

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
    use entente_destination::state;

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
        let kept = state::write(&batches).unwrap();
        assert_eq!(state::read::<Batches>(&kept).unwrap(), batches);
    }
}
