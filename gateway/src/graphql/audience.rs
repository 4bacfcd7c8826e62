//! Audiences, as their own account sees them.

use crate::graphql::{
    access::{actor_name, authorise, change, gateway, loaders, now},
    audience_access::{AudienceVisibility, AudienceVisibilityInput, ConnectionAccess, ConnectionAccessInput},
    data_connection::DataConnection,
    fault::{allow, fault, payload},
    id::{global, local},
    loaders::load,
    match_key::MatchKey,
    page::page,
    scalar::SafeInt,
};
use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use entente_domain::{
    AudienceId, MatchKey as DomainMatchKey, Refusal,
    access::Act,
    audience::{self, Audience as Row, AudienceChange, AudienceStatus as DomainStatus, NewNames, of_one},
    event::{AccountEventKind, NewEvent, Subject},
};
use entente_store::Outcome;
use std::collections::BTreeMap;

/// The most audiences that are edited at once.
const MOST: usize = 100;

/// Where an audience is.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "DomainStatus")]
pub enum AudienceStatus {
    /// Not sourced yet.
    Pending,
    /// Can be used.
    Active,
    /// Not refreshed for 7 days.
    Expired,
    /// Its only refresh failed.
    Failed,
}

/// Identities of an audience, or of a list, by one match key.
#[derive(Clone, SimpleObject)]
pub struct MatchKeyCount {
    /// The match key.
    match_key: MatchKey,
    /// Distinct identities.
    identities: SafeInt,
}

impl MatchKeyCount {
    /// Counts by the names of match keys.
    pub fn all(identities: &BTreeMap<String, u64>) -> Vec<Self> {
        let count = |(name, identities): (&String, &u64)| {
            let match_key = DomainMatchKey::from_name(name)?.into();
            Some(Self { match_key, identities: SafeInt(*identities) })
        };
        identities.iter().filter_map(count).collect()
    }
}

/// A named set of identities of an account, as the account itself sees it.
#[derive(Clone)]
pub struct Audience(pub Row);

page!(AudiencePage, AudienceEdge, Audience, "audiences");

/// A named set of identities of an account, as the account itself sees it.
#[Object]
impl Audience {
    /// Opaque.
    pub async fn id(&self) -> ID {
        global(self.0.id)
    }

    /// Unique in its account; at first as its file names it.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// What its account says of it.
    async fn description(&self) -> &str {
        &self.0.description
    }

    /// What it is about.
    async fn categories(&self) -> &[String] {
        &self.0.categories
    }

    /// Where it is.
    async fn status(&self) -> AudienceStatus {
        self.0.status(now()).into()
    }

    /// Identities over all match keys, as of its last refresh. A person with two keys counts as two identities.
    async fn identity_count(&self) -> SafeInt {
        SafeInt(self.0.identity_count())
    }

    /// The same by match key.
    async fn identity_count_by_match_key(&self) -> Vec<MatchKeyCount> {
        MatchKeyCount::all(&self.0.identities)
    }

    /// Who may see it by name.
    async fn access(&self) -> ConnectionAccess {
        ConnectionAccess::of(self.0.account, &self.0.access)
    }

    /// Which figures about it others may see.
    async fn visibility(&self) -> AudienceVisibility {
        self.0.visibility.into()
    }

    /// Where its identities come from.
    async fn data_connection(&self, ctx: &Context<'_>) -> Result<DataConnection> {
        let row = load(&loaders(ctx).data_connections, self.0.data_connection).await?;
        row.map(DataConnection).ok_or_else(|| fault("an audience without its data connection"))
    }

    /// When it was created.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// When its identities were last replaced; null before they were there.
    async fn refreshed_at(&self) -> Option<DateTime<Utc>> {
        self.0.refreshed_at
    }

    /// From then on it cannot be used unless it is refreshed; null before its identities were there.
    async fn expires_at(&self) -> Option<DateTime<Utc>> {
        self.0.expires_at()
    }

    /// When it was last edited.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.0.updated_at
    }

    /// Who edited it last.
    async fn updated_by(&self) -> &str {
        &self.0.updated_by
    }

    /// Grows by one with each change.
    async fn version(&self) -> SafeInt {
        SafeInt(self.0.version.unsigned_abs())
    }
}

/// Edits audiences alike, all or none. What is left out stays.
#[derive(InputObject)]
struct UpdateAudiencesInput {
    /// The account that acts.
    account_id: ID,
    /// Between 1 and 100 of its audiences.
    audience_ids: Vec<ID>,
    /// A new name, of 1 to 200 characters; only for one audience.
    name: Option<String>,
    /// New names, each of 1 to 200 characters: one for each audience, in their order.
    names: Option<Vec<String>>,
    /// A new description, of up to 2,000 characters.
    description: Option<String>,
    /// Categories, as they should be: at most 20, each of 1 to 60 characters.
    categories: Option<Vec<String>>,
    /// Categories to add to those that each has.
    #[graphql(default)]
    add_categories: Vec<String>,
    /// Categories to take from those that each has.
    #[graphql(default)]
    remove_categories: Vec<String>,
    /// Who may see them by name.
    access: Option<ConnectionAccessInput>,
    /// Which figures about them others may see.
    visibility: Option<AudienceVisibilityInput>,
}

payload! {
    /// The audiences, or why none was edited.
    UpdateAudiencesPayload {
        /// As they are now, in the order in which they were named.
        audiences: Vec<Audience>,
    }
}

/// Mutations of audiences.
#[derive(Default)]
pub struct AudienceMutation;

#[Object]
impl AudienceMutation {
    /// Edits many audiences at once, all or none. A refusal of one of them names it in `field` by its place: `audienceIds`, `3`.
    /// For ADMIN and MANAGER.
    async fn update_audiences(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: UpdateAudiencesInput,
    ) -> Result<UpdateAudiencesPayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::ManageData)?);
        if input.audience_ids.is_empty() || input.audience_ids.len() > MOST {
            return Ok(Refusal::invalid("audienceIds", format!("Between 1 and {MOST} audiences.")).into());
        }
        let ids = input.audience_ids.iter().enumerate();
        let ids = ids.map(|(place, id)| local(id, "audienceIds").map_err(|refusal| of_one(refusal, place)));
        let ids = allow!(ids.collect::<Result<Vec<AudienceId>, Refusal>>());
        let account = authorised.account;
        let access = match input.access {
            Some(access) => Some(allow!(access.checked(ctx, account).await?)),
            None => None,
        };
        let changes = AudienceChange {
            names: allow!(new_names(input.name, input.names)),
            description: input.description,
            categories: input.categories,
            add_categories: input.add_categories,
            remove_categories: input.remove_categories,
            access,
            visibility: input.visibility.unwrap_or_default().into(),
        };
        let subject = match ids.as_slice() {
            [id] => Subject::Audience(*id),
            _ => Subject::Account(account),
        };
        let change = change(ctx, authorised, "updateAudiences", Some(subject))?;
        let store = gateway(ctx).store();
        let counts = store.active_audience_counts(&[account], change.now).await.map_err(fault)?;
        let active = counts.get(&account).copied().unwrap_or(0);
        let (at, by, order) = (change.now, actor_name(&change), ids.clone());
        let rule = move |audiences: &[Row]| {
            let next = audience::update_many(audiences, &order, changes, active, &by, at)?;
            let events: Vec<_> = next.iter().map(updated).collect();
            Ok(Outcome::of(next).events(events))
        };
        let places = ids.clone();
        let mut updated = allow!(store.change_audiences(change, account, ids, Box::new(rule)).await.map_err(fault)?);
        updated.sort_by_key(|audience| places.iter().position(|id| *id == audience.id));
        Ok(UpdateAudiencesPayload { audiences: Some(updated.into_iter().map(Audience).collect()), user_errors: vec![] })
    }
}

fn new_names(one: Option<String>, each: Option<Vec<String>>) -> Result<NewNames, Refusal> {
    match (one, each) {
        (Some(_), Some(_)) => Err(Refusal::invalid("names", "Either `name` or `names`, not both.")),
        (Some(name), None) => Ok(NewNames::One(name)),
        (None, Some(names)) => Ok(NewNames::Each(names)),
        (None, None) => Ok(NewNames::None),
    }
}

fn updated(audience: &Row) -> NewEvent {
    NewEvent::of_account(audience.account, AccountEventKind::AudienceUpdated, Subject::Audience(audience.id))
}
