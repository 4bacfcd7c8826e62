//! Campaigns of projects.

use crate::graphql::{
    collaborator::{Collaborator, collaborator},
    id::global,
};
use async_graphql::{Context, ID, Object, Result};
use chrono::{DateTime, Utc};
use entente_domain::project::Campaign as Row;

/// A campaign, entered by the side that runs it.
#[derive(Clone)]
pub struct Campaign(pub Row);

/// A campaign, entered by the side that runs it.
#[Object]
impl Campaign {
    /// Opaque.
    pub async fn id(&self) -> ID {
        global(self.0.id)
    }

    /// Its id where it runs: the value in the exposures' campaign column.
    async fn external_id(&self) -> &str {
        &self.0.external_id
    }

    /// Its name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The account that runs it.
    async fn runner(&self, ctx: &Context<'_>) -> Result<Collaborator> {
        collaborator(ctx, self.0.runner).await
    }

    /// Placements that its exposures may name.
    async fn placements(&self) -> &[String] {
        &self.0.placements
    }

    /// Creatives that its exposures may name.
    async fn creatives(&self) -> &[String] {
        &self.0.creatives
    }

    /// When it was entered.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }
}
