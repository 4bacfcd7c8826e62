//! Collaborators: other accounts, as far as they show themselves.

use crate::graphql::{
    access::{authorise, gateway, loaders},
    account::{PrivacyLevel, Role},
    cost::{list_size, sized, slicing_by},
    fault::{fault, refused},
    id::global_as,
    loaders::load,
    page::{self, page},
    partner_audience::{PartnerAudience, PartnerAudiencePage},
};
use async_graphql::{Context, ID, Object, Result};
use entente_domain::{
    Refusal, access::Act, account::Account as Row, account::Role as DomainRole, connect_code::ConnectCode,
};
use entente_store::DirectoryFilter;

/// Another account, as far as it shows itself: to those who find it in the directory, hold its connect code or are
/// connected with it.
#[derive(Clone)]
pub struct Collaborator(pub Row);

/// Another account, as far as it shows itself: to those who find it in the directory, hold its connect code or are
/// connected with it.
#[Object]
impl Collaborator {
    /// Opaque; not the id of an `Account`, which only its own members see.
    async fn id(&self) -> ID {
        global_as("Collaborator", self.0.id.0)
    }

    /// Its name.
    async fn name(&self) -> &str {
        &self.0.profile.name
    }

    /// What it says of itself.
    async fn description(&self) -> &str {
        &self.0.profile.description
    }

    /// What it is.
    async fn role(&self) -> Role {
        self.0.role.into()
    }

    /// Its industry.
    async fn industry(&self) -> &str {
        &self.0.profile.industry
    }

    /// ISO 3166-1 alpha-2.
    async fn region(&self) -> &str {
        &self.0.region
    }

    /// A team address.
    async fn contact_email(&self) -> &str {
        &self.0.profile.contact_email
    }

    /// How its people are protected.
    async fn privacy_level(&self) -> PrivacyLevel {
        self.0.privacy_level.into()
    }

    /// Address of its logo, an SVG; answers 404 when it has none.
    async fn logo_url(&self, ctx: &Context<'_>) -> String {
        format!("{}/accounts/{}/logo.svg", gateway(ctx).base_url, self.0.id)
    }

    /// Address of its header picture; answers 404 when it has none.
    async fn header_picture_url(&self, ctx: &Context<'_>) -> String {
        format!("{}/accounts/{}/header", gateway(ctx).base_url, self.0.id)
    }

    /// Its first public audiences, newest first.
    #[graphql(
        complexity = "page::cost(Some(first), None, child_complexity)",
        directive = list_size::apply(page::USUAL, slicing_by(&["first"]), sized(), false)
    )]
    async fn public_audiences(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Items from the start of the list; at most 20.", default = 20)] first: i32,
    ) -> Result<PartnerAudiencePage> {
        let part = page::Nested::of(ctx, first).map_err(refused)?;
        let page = load(&loaders(ctx).public_audiences, (self.0.id, part)).await?.unwrap_or_default();
        Ok(PartnerAudiencePage::of(page, PartnerAudience))
    }
}

page!(CollaboratorPage, CollaboratorEdge, Collaborator, "collaborators");

/// Queries about other accounts.
#[derive(Default)]
pub struct CollaboratorQuery;

#[Object]
impl CollaboratorQuery {
    /// Publishers and data partners with public audiences. Only advertisers browse it, and agencies for their clients:
    /// the account that browses is the client's then.
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments")]
    #[graphql(
        complexity = "page::cost(first, last, child_complexity)",
        directive = list_size::apply(page::USUAL, slicing_by(&["first", "last"]), sized(), false)
    )]
    async fn directory(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The account that browses.")] account_id: ID,
        #[graphql(desc = "Part of the name, in any case.")] search: Option<String>,
        #[graphql(desc = "Only this role.")] role: Option<Role>,
        #[graphql(desc = "Only this industry.")] industry: Option<String>,
        #[graphql(desc = "Items from the start of the list; at most 100.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Items from the end of the list; at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
    ) -> Result<CollaboratorPage> {
        let authorised = authorise(ctx, &account_id, Act::Read)?.map_err(refused)?;
        let request = page::arguments(first, after, last, before).map_err(refused)?.into();
        let own = load(&loaders(ctx).accounts, authorised.account).await?;
        if own.is_none_or(|a| a.role != DomainRole::Advertiser) {
            let message = "Only advertisers, and agencies for their clients, browse the directory.";
            return Err(refused(Refusal::new(entente_domain::Code::Forbidden, message)));
        }
        let filter = DirectoryFilter { search, role: role.map(Into::into), industry };
        let page = gateway(ctx).store().directory(filter, request).await.map_err(fault)?;
        Ok(CollaboratorPage::of(page, Collaborator))
    }

    /// Whose connect code this is. A wrong code answers like one that was refreshed.
    async fn connect_code_holder(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The account that asks.")] account_id: ID,
        #[graphql(desc = "The code, as it was given outside the product.")] connect_code: String,
    ) -> Result<Collaborator> {
        let authorised = authorise(ctx, &account_id, Act::Read)?.map_err(refused)?;
        let holder = by_connect_code(ctx, authorised.account, &connect_code).await?.map_err(refused)?;
        Ok(Collaborator(holder))
    }
}

/// An account as others see it.
pub async fn collaborator(ctx: &Context<'_>, account: entente_domain::AccountId) -> Result<Collaborator> {
    let row = load(&loaders(ctx).accounts, account).await?;
    row.map(Collaborator).ok_or_else(|| fault("an account is gone"))
}

/// The agency that acts, as others see it; none where none does.
pub async fn agency(ctx: &Context<'_>, acts: Option<entente_domain::AccountId>) -> Result<Option<Collaborator>> {
    match acts {
        Some(agency) => Ok(Some(collaborator(ctx, agency).await?)),
        None => Ok(None),
    }
}

/// The account that a connect code belongs to. Guesses are limited.
pub async fn by_connect_code(
    ctx: &Context<'_>,
    asking: entente_domain::AccountId,
    text: &str,
) -> Result<Result<Row, Refusal>> {
    use entente_domain::Code;
    let gateway = gateway(ctx);
    let wrong =
        || Refusal::new(Code::ConnectCodeInvalid, "This connect code is wrong or was refreshed.").at("connectCode");
    if !gateway.rates().guess(asking) {
        let message = "Too many connect codes were tried; wait a minute.";
        return Ok(Err(Refusal::new(Code::RateLimited, message).at("connectCode")));
    }
    let Some(code) = ConnectCode::parse(text) else { return Ok(Err(wrong())) };
    let hash = crate::secrets::token_hash(code.reveal());
    let found = gateway.store().account_by_connect_code_hash(hash).await.map_err(fault)?;
    Ok(found.ok_or_else(wrong))
}
