//! Telling accounts of audiences that expire within a day: once for each refresh, by whichever gateway looks first.

use crate::{clock, gateway::Gateway};
use chrono::TimeDelta;
use entente_domain::audience::WARNS_AFTER_DAYS;
use entente_store::StoreError;
use std::{sync::Arc, time::Duration};

/// How often it is looked whether there is something to tell.
const EACH: Duration = Duration::from_secs(10);

/// Tells until the gateway stops. What nobody told because no gateway was there is told first.
pub async fn keep_telling(gateway: Arc<Gateway>) {
    loop {
        if let Err(error) = tell(&gateway).await {
            tracing::error!(message = "accounts could not be told of what expires", %error);
        }
        tokio::select! {
            () = gateway.stopping().cancelled() => return,
            () = tokio::time::sleep(EACH) => {}
        }
    }
}

async fn tell(gateway: &Gateway) -> Result<(), StoreError> {
    let (store, now) = (gateway.store(), clock::now());
    let refreshed_by = now - TimeDelta::days(WARNS_AFTER_DAYS);
    loop {
        let expiring = store.expiring(refreshed_by).await?;
        if expiring.is_empty() || gateway.stopping().is_cancelled() {
            return Ok(());
        }
        for id in expiring {
            store.tell_of_expiry(id, refreshed_by, now).await?;
        }
    }
}
