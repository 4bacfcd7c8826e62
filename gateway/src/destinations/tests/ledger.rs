//! A sink that remembers, and can fail.

use async_trait::async_trait;

use crate::destinations::delivery::{AckSink, Acknowledgement, Order, Renewal, Settlement, SinkError};

/// What was acknowledged, in order.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub acknowledged: Vec<Acknowledgement>,
    pub settled: Vec<Settlement>,
    pub renewed: Vec<Renewal>,
    /// Fails at this sequence, once.
    pub fail_at: Option<u64>,
}

#[async_trait]
impl AckSink for Ledger {
    async fn acknowledged(&mut self, acknowledgement: Acknowledgement) -> Result<(), SinkError> {
        if self.fail_at == Some(acknowledgement.sequence) {
            self.fail_at = None;
            return Err(SinkError("the database is away".into()));
        }
        self.acknowledged.push(acknowledgement);
        Ok(())
    }

    async fn settled(&mut self, settlement: Settlement) -> Result<(), SinkError> {
        self.settled.push(settlement);
        Ok(())
    }

    async fn renewed(&mut self, renewal: Renewal) -> Result<(), SinkError> {
        self.renewed.push(renewal);
        Ok(())
    }
}

impl Ledger {
    /// The order to go on with.
    pub fn resume(&self, order: &Order) -> Order {
        match self.acknowledged.last() {
            Some(last) => Order { acknowledged: last.sequence, state: last.state.clone(), ..order.clone() },
            None => order.clone(),
        }
    }

    /// Makes sure that each of `batches` was acknowledged once, in order.
    pub fn assert_complete(&self, batches: u64) {
        let sequences: Vec<u64> = self.acknowledged.iter().map(|acknowledged| acknowledged.sequence).collect();
        assert_eq!(sequences, (1..=batches).collect::<Vec<_>>());
    }

    pub fn accepted(&self) -> u64 {
        self.acknowledged.iter().map(|acknowledged| acknowledged.accepted).sum()
    }
}
