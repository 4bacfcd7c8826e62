//! Accounts, as their own members see them.

use crate::graphql::{
    access::{Authorised, authorise, authorise_id, gateway, loaders, now},
    activation::{Activation, ActivationPage},
    api_key::{ApiKey, ApiKeyPage},
    audience::{Audience, AudiencePage, AudienceStatus},
    audit::{AuditEntry, AuditEntryPage, AuditFilterInput},
    collaborator::{Collaborator, agency},
    connection::{Connection, ConnectionPage, ConnectionState},
    cost::{cost, list_size, sized, slicing_by},
    credit::{self, CreditActivity, CreditActivityPage, Wallet},
    crosswalk::{Crosswalk, CrosswalkPage},
    data_connection::{DataConnection, DataConnectionPage},
    deletion::{self, DeletionPreview, PREVIEW},
    destination::{Destination, DestinationPage},
    email_invite::{AcceptedTerms, EmailInvite, EmailInvitePage},
    event_data_set::{EventDataSet, EventDataSetPage},
    event_webhook::{EventWebhook, EventWebhookPage},
    fault::{fault, refused},
    id::{global, local},
    invitation::{Invitation, InvitationPage},
    job::{Job, JobPage},
    loaders::load,
    match_key::MatchKey,
    member::{Member, MemberPage},
    opt_out::OptOuts,
    page::{self, page},
    report::{Report, ReportPage},
    scalar::{Date, SafeInt},
    sent_audience::{SentAudience, SentAudiencePage},
};
use crate::secrets::purpose;
use async_graphql::{Context, Enum, ID, Object, Result};
use chrono::{DateTime, Utc};
use entente_domain::{
    DataConnectionId,
    access::{Act, MemberRole as DomainMemberRole},
    account::{Account as Row, Role as DomainRole},
    agency::may_go,
    deletion::{Target, account_may_go},
    privacy::PrivacyLevel as DomainPrivacyLevel,
};
use entente_store::{AudienceFilter, ConnectionFilter, CreditActivityFilter, PageRequest, SentAudienceFilter};

/// What a collaborator is. Fixed once the account exists.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "DomainRole")]
pub enum Role {
    /// Has customers and wants to reach people.
    Advertiser,
    /// Has an audience and runs campaigns.
    Publisher,
    /// Acts for advertisers.
    Agency,
    /// Has data about people.
    DataPartner,
}

/// What a user or an API key may do in an account.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "DomainMemberRole")]
pub enum MemberRole {
    /// Reads, runs reports.
    Analyst,
    /// Everything but users, API keys and deleting the account.
    Manager,
    /// Everything.
    Admin,
}

/// How strongly the view that others have of an account's people is randomised.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "DomainPrivacyLevel")]
pub enum PrivacyLevel {
    /// A member shows up with probability 7/8, anyone else with 1/32 (1/8 in "all audiences").
    Standard,
    /// A member shows up with probability 3/4, anyone else with 1/8 (1/4 in "all audiences").
    Strong,
}

/// An account: one collaborator, a brand in one role. Only its own members see it.
#[derive(Clone)]
pub struct Account(pub Row);

page!(AccountPage, AccountEdge, Account, "accounts");

impl Account {
    fn authorised(&self, ctx: &Context<'_>, act: Act) -> Result<Authorised> {
        authorise_id(ctx, self.0.id, act)?.map_err(refused)
    }
}

/// An account: one collaborator, a brand in one role. Only its own members see it.
#[Object]
impl Account {
    /// Opaque.
    pub async fn id(&self) -> ID {
        global(self.0.id)
    }

    /// The id by which others know this account, as a `Collaborator`.
    async fn collaborator_id(&self) -> ID {
        super::id::global_as("Collaborator", self.0.id.0)
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

    /// ISO 3166-1 alpha-2. Phone numbers without a country code are read as of this region.
    async fn region(&self) -> &str {
        &self.0.region
    }

    /// A team address, shown to others.
    async fn contact_email(&self) -> &str {
        &self.0.profile.contact_email
    }

    /// The agency that acts for it; null where it is an account of its own.
    async fn agency(&self, ctx: &Context<'_>) -> Result<Option<Collaborator>> {
        agency(ctx, self.0.agency).await
    }

    /// The accounts of its clients, newest first; only agencies have some.
    #[graphql(
        complexity = "page::cost(first, last, child_complexity)",
        directive = list_size::apply(page::USUAL, slicing_by(&["first", "last"]), sized(), false)
    )]
    async fn clients(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Items from the start of the list; at most 100.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Items from the end of the list; at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
    ) -> Result<AccountPage> {
        self.authorised(ctx, Act::Read)?;
        let request = page::arguments(first, after, last, before).map_err(refused)?.into();
        let page = gateway(ctx).store().clients_of_agency(self.0.id, request).await.map_err(fault)?;
        Ok(AccountPage::of(page, Account))
    }

    /// What it can match on.
    async fn match_keys(&self) -> Vec<MatchKey> {
        self.0.match_keys.iter().cloned().map(Into::into).collect()
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

    /// Whoever holds it can invite this account. For ADMIN and MANAGER.
    async fn connect_code(&self, ctx: &Context<'_>) -> Result<String> {
        self.authorised(ctx, Act::ManageConnections)?;
        let gateway = gateway(ctx);
        let mut sealed = gateway.store().connect_codes_sealed(&[self.0.id]).await.map_err(fault)?;
        let sealed = sealed.remove(&self.0.id).ok_or_else(|| fault("an account without a connect code"))?;
        let code = gateway.secrets().open_sealed(&purpose::of_connect_code(self.0.id), &sealed).map_err(fault)?;
        String::from_utf8(code.to_vec()).map_err(fault)
    }

    /// Grows by one with each change.
    async fn version(&self) -> SafeInt {
        SafeInt(self.0.version.unsigned_abs())
    }

    /// When it was created.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// When it last changed.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.0.updated_at
    }

    /// Its connections, newest first.
    #[graphql(
        complexity = "page::cost(first, last, child_complexity)",
        directive = list_size::apply(page::USUAL, slicing_by(&["first", "last"]), sized(), false)
    )]
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments")]
    async fn connections(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only those in one of these states.")] states: Option<Vec<ConnectionState>>,
        #[graphql(desc = "Only those that wait for this account.", default = false)] action_required: bool,
        #[graphql(desc = "Items from the start of the list; at most 100.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Items from the end of the list; at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
    ) -> Result<ConnectionPage> {
        self.authorised(ctx, Act::Read)?;
        let request = page::arguments(first, after, last, before).map_err(refused)?.into();
        let request = PageRequest { uncounted: !page::counted(ctx), ..request };
        let states = states.unwrap_or_default().into_iter().map(Into::into).collect();
        let filter = ConnectionFilter { states, action_required };
        let page = gateway(ctx).store().connections_of_account(self.0.id, filter, request).await.map_err(fault)?;
        Ok(ConnectionPage::of(page, Connection))
    }

    /// Its audiences, newest first.
    #[graphql(
        complexity = "page::cost(first, last, child_complexity)",
        directive = list_size::apply(page::USUAL, slicing_by(&["first", "last"]), sized(), false)
    )]
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments")]
    async fn audiences(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only those in this status.")] status: Option<AudienceStatus>,
        #[graphql(desc = "Only those in this category.")] category: Option<String>,
        #[graphql(desc = "Only those of this data connection.")] data_connection_id: Option<ID>,
        #[graphql(desc = "Items from the start of the list; at most 100.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Items from the end of the list; at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
    ) -> Result<AudiencePage> {
        self.authorised(ctx, Act::Read)?;
        let request = page::arguments(first, after, last, before).map_err(refused)?.into();
        let from = data_connection_id.map(|id| local::<DataConnectionId>(&id, "dataConnectionId")).transpose();
        let filter = AudienceFilter {
            data_connection: from.map_err(refused)?,
            status: status.map(Into::into),
            category,
            ..AudienceFilter::default()
        };
        let page = gateway(ctx).store().audiences_of_account(self.0.id, filter, now(), request).await.map_err(fault)?;
        Ok(AudiencePage::of(page, Audience))
    }

    /// Its data connections, newest first.
    #[graphql(
        complexity = "page::cost(first, last, child_complexity)",
        directive = list_size::apply(page::USUAL, slicing_by(&["first", "last"]), sized(), false)
    )]
    async fn data_connections(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Items from the start of the list; at most 100.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Items from the end of the list; at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
    ) -> Result<DataConnectionPage> {
        self.authorised(ctx, Act::Read)?;
        let request = page::arguments(first, after, last, before).map_err(refused)?.into();
        let page = gateway(ctx).store().data_connections_of_account(self.0.id, request).await.map_err(fault)?;
        Ok(DataConnectionPage::of(page, DataConnection))
    }

    /// Its crosswalks, newest first.
    #[graphql(
        complexity = "page::cost(first, last, child_complexity)",
        directive = list_size::apply(page::USUAL, slicing_by(&["first", "last"]), sized(), false)
    )]
    async fn crosswalks(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Items from the start of the list; at most 100.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Items from the end of the list; at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
    ) -> Result<CrosswalkPage> {
        self.authorised(ctx, Act::Read)?;
        let request = page::arguments(first, after, last, before).map_err(refused)?.into();
        let page = gateway(ctx).store().crosswalks_of_account(self.0.id, request).await.map_err(fault)?;
        Ok(CrosswalkPage::of(page, Crosswalk))
    }

    /// Whom it no longer uses.
    async fn opt_outs(&self, ctx: &Context<'_>) -> Result<OptOuts> {
        self.authorised(ctx, Act::Read)?;
        OptOuts::of(ctx, self.0.id).await
    }

    /// Exposures and conversions that it loaded, newest first.
    #[graphql(
        complexity = "page::cost(first, last, child_complexity)",
        directive = list_size::apply(page::USUAL, slicing_by(&["first", "last"]), sized(), false)
    )]
    async fn event_data_sets(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Items from the start of the list; at most 100.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Items from the end of the list; at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
    ) -> Result<EventDataSetPage> {
        self.authorised(ctx, Act::Read)?;
        let request = page::arguments(first, after, last, before).map_err(refused)?.into();
        let page = gateway(ctx).store().event_data_sets_of_account(self.0.id, None, request).await.map_err(fault)?;
        Ok(EventDataSetPage::of(page, EventDataSet))
    }

    /// Its reports, newest first.
    #[graphql(
        complexity = "page::cost(first, last, child_complexity)",
        directive = list_size::apply(page::USUAL, slicing_by(&["first", "last"]), sized(), false)
    )]
    async fn reports(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Items from the start of the list; at most 100.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Items from the end of the list; at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
    ) -> Result<ReportPage> {
        self.authorised(ctx, Act::Read)?;
        let request = page::arguments(first, after, last, before).map_err(refused)?.into();
        let page = gateway(ctx).store().reports_of_account(self.0.id, None, request).await.map_err(fault)?;
        Ok(ReportPage::of(page, Report))
    }

    /// Its destinations, newest first.
    #[graphql(
        complexity = "page::cost(first, last, child_complexity)",
        directive = list_size::apply(page::USUAL, slicing_by(&["first", "last"]), sized(), false)
    )]
    async fn destinations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Items from the start of the list; at most 100.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Items from the end of the list; at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
    ) -> Result<DestinationPage> {
        self.authorised(ctx, Act::Read)?;
        let request = page::arguments(first, after, last, before).map_err(refused)?.into();
        let page = gateway(ctx).store().destinations_of_account(self.0.id, request).await.map_err(fault)?;
        Ok(DestinationPage::of(page, Destination))
    }

    /// Audiences that it sent to others, newest first.
    #[graphql(
        complexity = "page::cost(first, last, child_complexity)",
        directive = list_size::apply(page::USUAL, slicing_by(&["first", "last"]), sized(), false)
    )]
    async fn sent_audiences(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Items from the start of the list; at most 100.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Items from the end of the list; at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
    ) -> Result<SentAudiencePage> {
        self.authorised(ctx, Act::Read)?;
        let request = page::arguments(first, after, last, before).map_err(refused)?.into();
        let filter = SentAudienceFilter { sender: Some(self.0.id), ..SentAudienceFilter::default() };
        let page = gateway(ctx).store().sent_audiences(filter, request).await.map_err(fault)?;
        Ok(SentAudiencePage::of(page, SentAudience))
    }

    /// Audiences that others sent to it, newest first.
    #[graphql(
        complexity = "page::cost(first, last, child_complexity)",
        directive = list_size::apply(page::USUAL, slicing_by(&["first", "last"]), sized(), false)
    )]
    async fn received_audiences(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Items from the start of the list; at most 100.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Items from the end of the list; at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
    ) -> Result<SentAudiencePage> {
        self.authorised(ctx, Act::Read)?;
        let request = page::arguments(first, after, last, before).map_err(refused)?.into();
        let filter = SentAudienceFilter { receiver: Some(self.0.id), ..SentAudienceFilter::default() };
        let page = gateway(ctx).store().sent_audiences(filter, request).await.map_err(fault)?;
        Ok(SentAudiencePage::of(page, SentAudience))
    }

    /// Received audiences that it delivers or delivered, newest first.
    #[graphql(
        complexity = "page::cost(first, last, child_complexity)",
        directive = list_size::apply(page::USUAL, slicing_by(&["first", "last"]), sized(), false)
    )]
    async fn activations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Items from the start of the list; at most 100.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Items from the end of the list; at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
    ) -> Result<ActivationPage> {
        self.authorised(ctx, Act::Read)?;
        let request = page::arguments(first, after, last, before).map_err(refused)?.into();
        let page = gateway(ctx).store().activations_of_account(self.0.id, request).await.map_err(fault)?;
        Ok(ActivationPage::of(page, Activation))
    }

    /// Users of the account; those of its agency, who act for a client as well, are in the agency's list. For ADMIN.
    #[graphql(
        complexity = "page::cost(first, last, child_complexity)",
        directive = list_size::apply(page::USUAL, slicing_by(&["first", "last"]), sized(), false)
    )]
    async fn members(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Items from the start of the list; at most 100.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Items from the end of the list; at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
    ) -> Result<MemberPage> {
        self.authorised(ctx, Act::Administer)?;
        let request = page::arguments(first, after, last, before).map_err(refused)?;
        let mut members = gateway(ctx).store().members_of_accounts(&[self.0.id]).await.map_err(fault)?;
        let members = members.remove(&self.0.id).unwrap_or_default();
        Ok(MemberPage::of(page::part_of(members, |m| m.user.to_string(), &request), Member))
    }

    /// Invitations that wait to be accepted, newest first. For ADMIN.
    #[graphql(
        complexity = "page::cost(first, last, child_complexity)",
        directive = list_size::apply(page::USUAL, slicing_by(&["first", "last"]), sized(), false)
    )]
    async fn invitations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Items from the start of the list; at most 100.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Items from the end of the list; at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
    ) -> Result<InvitationPage> {
        self.authorised(ctx, Act::Administer)?;
        let request = page::arguments(first, after, last, before).map_err(refused)?.into();
        let page = gateway(ctx).store().invitations_of_account(self.0.id, now(), request).await.map_err(fault)?;
        Ok(InvitationPage::of(page, Invitation))
    }

    /// Its invites to connect that went to e-mail addresses, newest first; they are kept for 30 days after their end. For ADMIN
    /// and MANAGER.
    #[graphql(
        complexity = "page::cost(first, last, child_complexity)",
        directive = list_size::apply(page::USUAL, slicing_by(&["first", "last"]), sized(), false)
    )]
    async fn email_invites(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Items from the start of the list; at most 100.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Items from the end of the list; at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
    ) -> Result<EmailInvitePage> {
        self.authorised(ctx, Act::ManageConnections)?;
        let request = page::arguments(first, after, last, before).map_err(refused)?.into();
        let page = gateway(ctx).store().email_invites_of_account(self.0.id, request).await.map_err(fault)?;
        Ok(EmailInvitePage::of(page, EmailInvite))
    }

    /// The terms that were accepted for it, the latest first; empty where it did not come by an invite by e-mail.
    async fn accepted_terms(&self, ctx: &Context<'_>) -> Result<Vec<AcceptedTerms>> {
        self.authorised(ctx, Act::Read)?;
        let terms = gateway(ctx).store().accepted_terms(self.0.id).await.map_err(fault)?;
        Ok(terms.into_iter().map(AcceptedTerms).collect())
    }

    /// Keys that act for it, newest first. For ADMIN.
    #[graphql(
        complexity = "page::cost(first, last, child_complexity)",
        directive = list_size::apply(page::USUAL, slicing_by(&["first", "last"]), sized(), false)
    )]
    async fn api_keys(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Items from the start of the list; at most 100.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Items from the end of the list; at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
    ) -> Result<ApiKeyPage> {
        self.authorised(ctx, Act::Administer)?;
        let request = page::arguments(first, after, last, before).map_err(refused)?.into();
        let page = gateway(ctx).store().api_keys_of_account(self.0.id, request).await.map_err(fault)?;
        Ok(ApiKeyPage::of(page, ApiKey))
    }

    /// Addresses that are told of its events, newest first. For ADMIN and MANAGER.
    #[graphql(
        complexity = "page::cost(first, last, child_complexity)",
        directive = list_size::apply(page::USUAL, slicing_by(&["first", "last"]), sized(), false)
    )]
    async fn event_webhooks(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Items from the start of the list; at most 100.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Items from the end of the list; at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
    ) -> Result<EventWebhookPage> {
        self.authorised(ctx, Act::ManageAccount)?;
        let request = page::arguments(first, after, last, before).map_err(refused)?.into();
        let page = gateway(ctx).store().event_webhooks_of_account(self.0.id, request).await.map_err(fault)?;
        Ok(EventWebhookPage::of(page, EventWebhook))
    }

    /// The credits that it has.
    async fn wallet(&self, ctx: &Context<'_>) -> Result<Wallet> {
        self.authorised(ctx, Act::Read)?;
        credit::wallet(ctx, self.0.id).await
    }

    /// What its work came to on each UTC day, and what it paid, newest first.
    #[graphql(
        complexity = "page::cost(first, last, child_complexity)",
        directive = list_size::apply(page::USUAL, slicing_by(&["first", "last"]), sized(), false)
    )]
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments")]
    async fn credit_activity(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only from this UTC day on.")] from: Option<Date>,
        #[graphql(desc = "Only until this UTC day, which is included.")] until: Option<Date>,
        #[graphql(desc = "Only what was done in this connection.")] connection_id: Option<ID>,
        #[graphql(desc = "Items from the start of the list; at most 100.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Items from the end of the list; at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
    ) -> Result<CreditActivityPage> {
        self.authorised(ctx, Act::Read)?;
        let request = page::arguments(first, after, last, before).map_err(refused)?.into();
        let account = self.0.id;
        let connection = match connection_id {
            Some(id) => Some(credit::connection(ctx, account, &id).await?),
            None => None,
        };
        let filter = CreditActivityFilter { from: from.map(|day| day.0), until: until.map(|day| day.0), connection };
        let page = gateway(ctx).store().credit_activity(account, filter, request).await.map_err(fault)?;
        Ok(CreditActivityPage::of(page, |row| CreditActivity { account, row }))
    }

    /// Work that runs or ran for it, newest first.
    #[graphql(
        complexity = "page::cost(first, last, child_complexity)",
        directive = list_size::apply(page::USUAL, slicing_by(&["first", "last"]), sized(), false)
    )]
    async fn jobs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Items from the start of the list; at most 100.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Items from the end of the list; at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
    ) -> Result<JobPage> {
        self.authorised(ctx, Act::Read)?;
        let request = page::arguments(first, after, last, before).map_err(refused)?.into();
        let page = gateway(ctx).store().jobs_of_account(self.0.id, &[], request).await.map_err(fault)?;
        Ok(JobPage::of(page, Job))
    }

    /// What deleting it would do now. For ADMIN.
    #[graphql(complexity = "PREVIEW + child_complexity", directive = cost::apply(PREVIEW.to_string()))]
    async fn deletion_preview(&self, ctx: &Context<'_>) -> Result<DeletionPreview> {
        self.authorised(ctx, Act::Administer)?;
        let store = gateway(ctx).store();
        let running = store.running_deliveries(self.0.id).await.map_err(fault)?;
        let clients = store.count_clients(self.0.id).await.map_err(fault)?;
        let refusals = [account_may_go(running).err(), may_go(clients).err()].into_iter().flatten();
        deletion::preview(ctx, Target::Account(self.0.id), self.0.id, refusals).await
    }

    /// Who did what to what and when, newest first. For ADMIN and MANAGER.
    #[graphql(
        complexity = "page::cost(first, last, child_complexity)",
        directive = list_size::apply(page::USUAL, slicing_by(&["first", "last"]), sized(), false)
    )]
    async fn audit_log(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only these entries.")] filter: Option<AuditFilterInput>,
        #[graphql(desc = "Items from the start of the list; at most 100.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Items from the end of the list; at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
    ) -> Result<AuditEntryPage> {
        self.authorised(ctx, Act::ManageAccount)?;
        let request = page::arguments(first, after, last, before).map_err(refused)?.into();
        let filter = filter.unwrap_or_default().filter().map_err(refused)?;
        let page = gateway(ctx).store().audit_of_account(self.0.id, filter, request).await.map_err(fault)?;
        Ok(AuditEntryPage::of(page, AuditEntry))
    }
}

/// Queries of accounts.
#[derive(Default)]
pub struct AccountQuery;

#[Object]
impl AccountQuery {
    /// An account that the viewer belongs to.
    async fn account(&self, ctx: &Context<'_>, #[graphql(desc = "Its id.")] id: ID) -> Result<Option<Account>> {
        match authorise(ctx, &id, Act::Read)? {
            Ok(authorised) => Ok(load(&loaders(ctx).accounts, authorised.account).await?.map(Account)),
            Err(_) => Ok(None),
        }
    }
}
