//! The audiences of accounts, kept as long as they are what they were when they were read.

use entente_domain::{AccountId, audience::Audience};
use entente_store::{AudienceEdition, Store, StoreError};
use quick_cache::{Weighter, sync::Cache};
use std::sync::Arc;

/// Audiences that are kept, of all accounts together: about 100 MB.
const KEPT: u64 = 100_000;

type Read = (AudienceEdition, Arc<[Audience]>);

/// The audiences of the accounts that were compared last.
pub struct KnownAudiences(Cache<AccountId, Read, Count>);

/// Weighs lists by their length.
#[derive(Clone)]
struct Count;

impl Weighter<AccountId, Read> for Count {
    fn weight(&self, _: &AccountId, (_, audiences): &Read) -> u64 {
        audiences.len() as u64 + 1
    }
}

impl Default for KnownAudiences {
    fn default() -> Self {
        Self(Cache::with_weighter(1_000, KEPT, Count))
    }
}

impl KnownAudiences {
    /// All audiences of an account, oldest first, where it has this edition of them or a later one.
    pub async fn of(
        &self,
        store: &Store,
        account: AccountId,
        edition: AudienceEdition,
    ) -> Result<Arc<[Audience]>, StoreError> {
        if let Some((_, audiences)) = self.0.get(&account).filter(|(read, _)| *read == edition) {
            return Ok(audiences);
        }
        // What changes from now on has another edition, and is read again the next time.
        let audiences: Arc<[Audience]> = store.all_audiences(account).await?.into();
        self.0.insert(account, (edition, audiences.clone()));
        Ok(audiences)
    }
}
