//! What a project has, as far as its use cases ask.

use entente_domain::{
    AccountId, ProjectId, Timestamp,
    event_data::{EventDataKind, EventDataStatus},
    project::Present,
};
use entente_store::{Store, StoreError};

/// What a project has, seen from one side of its connection.
pub async fn present(
    store: &Store,
    project: ProjectId,
    own: AccountId,
    other: AccountId,
    now: Timestamp,
) -> Result<Present, StoreError> {
    let both = [own, other];
    let audiences = store.active_audience_counts(&both, now).await?;
    let destinations = store.accounts_with_destination(&both).await?;
    let campaigns = store.campaigns_of_projects(&[project]).await?;
    let data_sets = store.event_data_sets_of_projects(&[project]).await?;
    let has_audience = |account| audiences.get(&account).is_some_and(|n| *n > 0);
    Ok(Present {
        own_audience: has_audience(own),
        their_audience: has_audience(other),
        own_destination: destinations.contains(&own),
        their_destination: destinations.contains(&other),
        campaign: campaigns.values().any(|list| !list.is_empty()),
        exposures: data_sets
            .values()
            .flatten()
            .any(|d| d.kind() == EventDataKind::Exposures && d.status == EventDataStatus::Active),
    })
}
