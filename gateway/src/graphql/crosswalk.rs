//! Crosswalks: which identities of one match key of an account belong with which of another.

use crate::{
    graphql::{
        access::{actor_name, authorise, change, creation, gateway, loaders},
        cost::{list_size, sized, slicing_by},
        fault::{allow, fault, payload, refused},
        id::{global, local},
        job::Job,
        loaders::load,
        match_key::{MatchKey, MatchKeyInput},
        page::{self, page},
        refresh::{Refresh, RefreshPage},
        scalar::SafeInt,
        sourcing::{Consent, Transformation, delimiter},
    },
    work::{load_crosswalk, rebuild},
};
use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use entente_domain::{
    AccountId, CrosswalkId, Refusal, UploadId,
    access::Act,
    account::Account,
    crosswalk::{
        self, Crosswalk as Row, CrosswalkSide as DomainSide, CrosswalkStatus as DomainStatus,
        KeyColumn as DomainColumn, LinkCounts as DomainCounts, NewCrosswalk,
    },
    event::{AccountEventKind, NewEvent, Subject},
};
use entente_store::{Outcome, SourceId};

/// Where a crosswalk is.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "DomainStatus")]
pub enum CrosswalkStatus {
    /// It was not loaded yet.
    Pending,
    /// Its last load succeeded.
    Active,
    /// Its last load failed; what was there before stays.
    Failed,
}

/// A column that holds identities of one side of a crosswalk.
#[derive(Clone, Debug, SimpleObject, InputObject)]
#[graphql(input_name = "KeyColumnInput")]
pub struct KeyColumn {
    /// Its name in the header.
    column: String,
    /// How its values are read.
    transformation: Transformation,
}

impl From<DomainColumn> for KeyColumn {
    fn from(column: DomainColumn) -> Self {
        Self { column: column.column, transformation: column.transformation.into() }
    }
}

impl From<KeyColumn> for DomainColumn {
    fn from(column: KeyColumn) -> Self {
        Self { column: column.column, transformation: column.transformation.into() }
    }
}

/// One side of a crosswalk.
#[derive(Clone, SimpleObject)]
pub struct CrosswalkSide {
    /// The match key.
    match_key: MatchKey,
    /// The columns that hold its identities.
    columns: Vec<KeyColumn>,
}

impl From<DomainSide> for CrosswalkSide {
    fn from(side: DomainSide) -> Self {
        Self { match_key: side.match_key.into(), columns: side.columns.into_iter().map(Into::into).collect() }
    }
}

/// How much is linked. Identities are distinct.
#[derive(Clone, SimpleObject)]
pub struct LinkCounts {
    /// Pairs of an identity of the join key and one of the linked key, each once.
    links: SafeInt,
    /// Identities of the join key.
    join_identities: SafeInt,
    /// Identities of the linked key.
    linked_identities: SafeInt,
    /// Identities of the join key that are linked with several of the linked key: each of these is in its audiences.
    one_to_many: SafeInt,
    /// Identities of the linked key that are linked with several of the join key: they are in the audiences of all.
    many_to_one: SafeInt,
}

impl From<DomainCounts> for LinkCounts {
    fn from(counts: DomainCounts) -> Self {
        Self {
            links: SafeInt(counts.links),
            join_identities: SafeInt(counts.join_identities),
            linked_identities: SafeInt(counts.linked_identities),
            one_to_many: SafeInt(counts.one_to_many),
            many_to_one: SafeInt(counts.many_to_one),
        }
    }
}

/// A table that links one match key of an account with another: audiences known by the join key are compared by the
/// linked key as well, and matched identities can be delivered as those that they are linked with.
#[derive(Clone)]
pub struct Crosswalk(pub Row);

page!(CrosswalkPage, CrosswalkEdge, Crosswalk, "crosswalks");

/// A table that links one match key of an account with another: audiences known by the join key are compared by the
/// linked key as well, and matched identities can be delivered as those that they are linked with.
#[Object]
impl Crosswalk {
    /// Opaque.
    pub async fn id(&self) -> ID {
        global(self.0.id)
    }

    /// Its name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The match key by which audiences are known.
    async fn join(&self) -> CrosswalkSide {
        self.0.join.clone().into()
    }

    /// The match key by which they are compared as well.
    async fn linked(&self) -> CrosswalkSide {
        self.0.linked.clone().into()
    }

    /// What separates the columns.
    async fn delimiter(&self) -> String {
        self.0.delimiter.to_string()
    }

    /// Who acknowledged that the people in the data have consented to its use, and when.
    async fn consent(&self) -> Consent {
        self.0.consent.clone().into()
    }

    /// Where it is.
    async fn status(&self) -> CrosswalkStatus {
        self.0.status.into()
    }

    /// Why the last load failed: a sentence without values; null when it did not.
    async fn failure(&self) -> Option<&str> {
        self.0.failure.as_deref()
    }

    /// How much is linked, as of the last load that succeeded; null before it.
    async fn counts(&self) -> Option<LinkCounts> {
        self.0.links.as_ref().map(|_| self.0.counts.into())
    }

    /// The last load that has begun; null before the first one. Its accepted rows are those that link anything.
    async fn last_load(&self, ctx: &Context<'_>) -> Result<Option<Refresh>> {
        Ok(load(&loaders(ctx).latest_refreshes, SourceId::Crosswalk(self.0.id)).await?.map(Refresh))
    }

    /// All loads, newest first.
    #[graphql(
        complexity = "page::cost(first, last, child_complexity)",
        directive = list_size::apply(page::USUAL, slicing_by(&["first", "last"]), sized(), false)
    )]
    async fn loads(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Items from the start of the list; at most 100.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Items from the end of the list; at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
    ) -> Result<RefreshPage> {
        let request = page::arguments(first, after, last, before).map_err(refused)?.into();
        let source = SourceId::Crosswalk(self.0.id);
        let page = gateway(ctx).store().refreshes_of_source(source, request).await.map_err(fault)?;
        Ok(RefreshPage::of(page, Refresh))
    }

    /// When it was created.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// When it last changed.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.0.updated_at
    }

    /// Grows by one with each change.
    async fn version(&self) -> SafeInt {
        SafeInt(self.0.version.unsigned_abs())
    }
}

/// Says where one side of a crosswalk is in its files.
#[derive(Clone, Debug, InputObject)]
struct CrosswalkSideInput {
    /// One of the account's match keys.
    match_key: MatchKeyInput,
    /// The columns that hold its identities: between 1 and 40. A row may name several.
    columns: Vec<KeyColumn>,
}

impl CrosswalkSideInput {
    fn side(self, field: &str) -> Result<DomainSide, Refusal> {
        Ok(DomainSide {
            match_key: self.match_key.key().map_err(|r| r.at(&format!("{field}.matchKey")))?,
            columns: self.columns.into_iter().map(Into::into).collect(),
        })
    }
}

/// Creates a crosswalk from an upload.
#[derive(InputObject)]
struct CreateCrosswalkInput {
    /// The account that acts.
    account_id: ID,
    /// 1 to 100 characters.
    name: String,
    /// A complete upload that was not used yet.
    upload_id: ID,
    /// The match key by which the account's audiences are known, such as its CRM id.
    join: CrosswalkSideInput,
    /// Another match key, by which they shall be compared, such as hashed e-mail.
    linked: CrosswalkSideInput,
    /// What separates the columns: one punctuation character or a tab.
    #[graphql(default_with = "String::from(\",\")")]
    delimiter: String,
    /// That the people in the data have consented to its use; must be true. Who says so, and when, is kept.
    consent_acknowledged: bool,
    /// The same key within 24 hours returns the first result.
    idempotency_key: Option<String>,
}

/// Loads a crosswalk again: its links are replaced at once when the whole file was read.
#[derive(InputObject)]
struct LoadCrosswalkInput {
    /// The account that acts.
    account_id: ID,
    /// The crosswalk.
    crosswalk_id: ID,
    /// A complete upload that was not used yet.
    upload_id: ID,
}

/// Renames a crosswalk.
#[derive(InputObject)]
struct RenameCrosswalkInput {
    /// The account that acts.
    account_id: ID,
    /// The crosswalk.
    crosswalk_id: ID,
    /// 1 to 100 characters.
    name: String,
}

/// Deletes a crosswalk with its links.
#[derive(InputObject)]
struct DeleteCrosswalkInput {
    /// The account that acts.
    account_id: ID,
    /// The crosswalk.
    crosswalk_id: ID,
}

payload! {
    /// The crosswalk and the job that loads it, or why there is none.
    CreateCrosswalkPayload {
        /// What was created.
        crosswalk: Crosswalk,
        /// Loads it; `jobProgress` says how far it is.
        job: Job,
    }
}

payload! {
    /// The crosswalk and the job that loads it, or why it is not loaded.
    LoadCrosswalkPayload {
        /// The crosswalk.
        crosswalk: Crosswalk,
        /// Loads it; `jobProgress` says how far it is.
        job: Job,
    }
}

payload! {
    /// The crosswalk with its new name, or why it keeps the old one.
    RenameCrosswalkPayload {
        /// What was renamed.
        crosswalk: Crosswalk,
    }
}

payload! {
    /// What was deleted, or why nothing was.
    DeleteCrosswalkPayload {
        /// The id of the crosswalk that is gone.
        deleted_crosswalk_id: ID,
    }
}

/// Mutations of crosswalks.
#[derive(Default)]
pub struct CrosswalkMutation;

#[Object]
impl CrosswalkMutation {
    /// Creates a crosswalk between two of the account's match keys, and loads its links from an upload by a job. Each row
    /// links all that it names of one key with all that it names of the other. For ADMIN and MANAGER.
    async fn create_crosswalk(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: CreateCrosswalkInput,
    ) -> Result<CreateCrosswalkPayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::ManageData)?);
        let upload = allow!(local::<UploadId>(&input.upload_id, "uploadId"));
        let change = allow!(creation(ctx, authorised, "createCrosswalk", input.idempotency_key)?);
        let account = authorised.account;
        let new = NewCrosswalk {
            name: input.name,
            join: allow!(input.join.side("join")),
            linked: allow!(input.linked.side("linked")),
            delimiter: allow!(delimiter(&input.delimiter, "delimiter")),
            consent_acknowledged: input.consent_acknowledged,
        };
        let (id, at, by) = (CrosswalkId::new(), change.now, actor_name(&change));
        let rule = move |owner: &Account, present: &Vec<Row>| {
            let created = crosswalk::create(id, (account, &owner.keys()), present, new, &by, at)?;
            let event = event(account, AccountEventKind::CrosswalkCreated, id);
            Ok(Outcome::of(created).events([event]).job(load_crosswalk::job(account, id, upload, at)))
        };
        let store = gateway(ctx).store();
        let created = store.create_crosswalk(change, id, account, upload, Box::new(rule)).await.map_err(fault)?;
        let id = allow!(created).id;
        let crosswalk = load(&loaders(ctx).crosswalks, id).await?.map(Crosswalk);
        let job = store.jobs_about(Subject::Crosswalk(id)).await.map_err(fault)?.into_iter().next().map(Job);
        Ok(CreateCrosswalkPayload { crosswalk, job, user_errors: vec![] })
    }

    /// Loads a crosswalk again from another upload, by a job; until it has ended the links stay as they were. For ADMIN
    /// and MANAGER.
    async fn load_crosswalk(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: LoadCrosswalkInput,
    ) -> Result<LoadCrosswalkPayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::ManageData)?);
        let id = allow!(local::<CrosswalkId>(&input.crosswalk_id, "crosswalkId"));
        let upload = allow!(local::<UploadId>(&input.upload_id, "uploadId"));
        let change = change(ctx, authorised, "loadCrosswalk", Some(Subject::Crosswalk(id)))?;
        let (at, account) = (change.now, authorised.account);
        let job = load_crosswalk::job(account, id, upload, at);
        let job_id = job.id;
        let rule = move |present: &Row| Ok(Outcome::of(crosswalk::loaded_again(present, at)).job(job));
        let store = gateway(ctx).store();
        let changed = store.change_crosswalk(change, id, Some(upload), Box::new(rule)).await.map_err(fault)?;
        let crosswalk = Some(Crosswalk(allow!(changed)));
        let job = store.job(job_id).await.map_err(fault)?.map(Job);
        Ok(LoadCrosswalkPayload { crosswalk, job, user_errors: vec![] })
    }

    /// Gives a crosswalk another name. For ADMIN and MANAGER.
    async fn rename_crosswalk(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: RenameCrosswalkInput,
    ) -> Result<RenameCrosswalkPayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::ManageData)?);
        let id = allow!(local::<CrosswalkId>(&input.crosswalk_id, "crosswalkId"));
        let change = change(ctx, authorised, "renameCrosswalk", Some(Subject::Crosswalk(id)))?;
        let at = change.now;
        let rule = move |present: &Row| Ok(Outcome::of(crosswalk::renamed(present, &input.name, at)?));
        let changed = gateway(ctx).store().change_crosswalk(change, id, None, Box::new(rule)).await.map_err(fault)?;
        Ok(RenameCrosswalkPayload { crosswalk: Some(Crosswalk(allow!(changed))), user_errors: vec![] })
    }

    /// Deletes a crosswalk. Its links no longer count from the rebuild on that follows, and activations that deliver
    /// through it fail. What was delivered stays. For ADMIN and MANAGER.
    async fn delete_crosswalk(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: DeleteCrosswalkInput,
    ) -> Result<DeleteCrosswalkPayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::ManageData)?);
        let id = allow!(local::<CrosswalkId>(&input.crosswalk_id, "crosswalkId"));
        let change = change(ctx, authorised, "deleteCrosswalk", Some(Subject::Crosswalk(id)))?;
        let (at, account) = (change.now, authorised.account);
        let rule = move |_: &Row| {
            let event = event(account, AccountEventKind::CrosswalkDeleted, id);
            Ok(Outcome::of(()).events([event]).job(rebuild::job(account, Subject::Crosswalk(id), at)))
        };
        allow!(gateway(ctx).store().delete_crosswalk(change, id, Box::new(rule)).await.map_err(fault)?);
        Ok(DeleteCrosswalkPayload { deleted_crosswalk_id: Some(global(id)), user_errors: vec![] })
    }
}

fn event(account: AccountId, kind: AccountEventKind, id: CrosswalkId) -> NewEvent {
    NewEvent::of_account(account, kind, Subject::Crosswalk(id))
}
