//! Audiences of others, as far as they are shown.

use crate::graphql::{
    access::{gateway, loaders, now},
    audience::AudienceStatus,
    collaborator::Collaborator,
    fault::fault,
    id::global_as,
    loaders::load,
    page::page,
    scalar::SafeInt,
};
use async_graphql::{Context, ID, Object, Result};
use entente_domain::{
    audience::{AudienceStatus as Status, PartnerAudience as Row},
    release,
};

/// An audience of another account, which made it public or named a connection for it.
#[derive(Clone)]
pub struct PartnerAudience(pub Row);

page!(PartnerAudiencePage, PartnerAudienceEdge, PartnerAudience, "audiences of others");

/// An audience of another account, which made it public or named a connection for it.
#[Object]
impl PartnerAudience {
    /// Opaque; not the id of an `Audience`, which only its own account sees.
    pub async fn id(&self) -> ID {
        global_as("PartnerAudience", self.0.id.0)
    }

    /// Its name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// What its owner says of it.
    async fn description(&self) -> &str {
        &self.0.description
    }

    /// What it is about.
    async fn categories(&self) -> &[String] {
        &self.0.categories
    }

    /// Whose it is.
    async fn owner(&self, ctx: &Context<'_>) -> Result<Collaborator> {
        let row = load(&loaders(ctx).accounts, self.0.account).await?;
        row.map(Collaborator).ok_or_else(|| fault("an audience without its account"))
    }

    /// Where it is.
    async fn status(&self) -> AudienceStatus {
        self.0.status(now()).into()
    }

    /// Its identities, to three significant digits; null when its owner does not show it, or below the threshold.
    async fn identity_count(&self, ctx: &Context<'_>) -> Option<SafeInt> {
        if !self.0.shows_identity_count || self.0.status(now()) != Status::Active {
            return None;
        }
        release::shown_size(self.0.identity_count, gateway(ctx).settings.threshold).map(SafeInt)
    }
}
