//! Data connections: where an account's audiences come from.

use crate::{
    graphql::{
        access::{actor_name, authorise, authorise_id, change, creation, gateway, load_own, loaders},
        audience::{Audience, AudiencePage},
        audience_access::{AudienceVisibility, AudienceVisibilityInput, ConnectionAccess, ConnectionAccessInput},
        cost::{cost, list_size, sized, slicing_by},
        data_source::{self, DataSource, DataSourceInput},
        deletion::{self, DeletionPreview, PREVIEW},
        fault::{allow, fault, payload, refused},
        id::{global, local},
        job::Job,
        loaders::load,
        page::{self, page},
        refresh::{Refresh, RefreshPage},
        refresh_schedule::{RefreshSchedule, RefreshScheduleInput},
        scalar::SafeInt,
        sourcing::{Consent, FieldMapping, FieldMappingInput, delimiter, field_mappings},
    },
    work::{rebuild, refresh},
};
use async_graphql::{Context, Enum, ID, InputObject, Object, OneofObject, Result, SimpleObject};
use chrono::{DateTime, Utc};
use entente_domain::{
    AccountId, DataConnectionId, JobId, Refusal, UploadId,
    access::Act,
    account::Account,
    audience::{ConnectionAccess as Access, MetadataVisibility, VisibilityChange},
    credit,
    data_connection::{
        self, AudienceSource as DomainAudienceSource, DataConnection as Row, DataConnectionStatus as DomainStatus,
        Mapping as DomainMapping, NewDataConnection,
    },
    deletion::Target,
    event::{AccountEventKind, NewEvent, Subject},
    schedule::Schedule,
};
use entente_store::{LoadedDataConnection, Outcome, SourceId};

/// Where a data connection is.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "DomainStatus")]
pub enum DataConnectionStatus {
    /// Its first refresh has not ended.
    Pending,
    /// Its last refresh succeeded.
    Active,
    /// Its last refresh failed; what was there before stays.
    Failed,
    /// Its last refresh found other columns than before, or far fewer rows; what was there before stays until that is
    /// accepted.
    Drifted,
}

/// How a file is read.
#[derive(Clone, SimpleObject)]
pub struct Mapping {
    /// The columns that hold identities.
    fields: Vec<FieldMapping>,
    /// The column that names a row's audience; null when all rows belong to one.
    audience_column: Option<String>,
    /// The audience that all rows belong to; null when a column names it.
    audience_name: Option<String>,
    /// What separates the columns of CSV. Parquet has no delimiter.
    delimiter: String,
}

impl From<DomainMapping> for Mapping {
    fn from(mapping: DomainMapping) -> Self {
        let (audience_column, audience_name) = match mapping.audience {
            DomainAudienceSource::Column(column) => (Some(column), None),
            DomainAudienceSource::Named(name) => (None, Some(name)),
        };
        let fields = mapping.fields.into_iter().map(Into::into).collect();
        Self { fields, audience_column, audience_name, delimiter: mapping.delimiter.to_string() }
    }
}

/// A configured source of audiences.
#[derive(Clone)]
pub struct DataConnection(pub Row);

page!(DataConnectionPage, DataConnectionEdge, DataConnection, "data connections");

/// A configured source of audiences.
#[Object]
impl DataConnection {
    /// Opaque.
    pub async fn id(&self) -> ID {
        global(self.0.id)
    }

    /// Its name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Where it is.
    async fn status(&self) -> DataConnectionStatus {
        self.0.status.into()
    }

    /// Where it reads by itself; null when files are uploaded.
    async fn source(&self) -> Option<DataSource> {
        let source_type = self.0.source_type.clone()?;
        Some(DataSource { source_type, source: SourceId::DataConnection(self.0.id) })
    }

    /// When it reads by itself; null when it does so once, or files are uploaded.
    async fn schedule(&self) -> Option<RefreshSchedule> {
        RefreshSchedule::of(SourceId::DataConnection(self.0.id), self.0.schedule)
    }

    /// How its files are read.
    async fn mapping(&self) -> Mapping {
        self.0.mapping.clone().into()
    }

    /// What its new audiences are about.
    async fn categories(&self) -> &[String] {
        &self.0.categories
    }

    /// Who may see its new audiences by name.
    async fn access(&self) -> ConnectionAccess {
        ConnectionAccess::of(self.0.account, &self.0.access)
    }

    /// Which figures about its new audiences others may see.
    async fn visibility(&self) -> AudienceVisibility {
        self.0.visibility.into()
    }

    /// Who acknowledged that the people in the data have consented to its use, and when.
    async fn consent(&self) -> Consent {
        self.0.consent.clone().into()
    }

    /// Its 20 newest audiences; `audiences` of the account gives all of them.
    #[graphql(complexity = "20 * child_complexity", directive = list_size::apply(20, None, None, false))]
    async fn audiences(&self, ctx: &Context<'_>) -> Result<AudiencePage> {
        let page = load(&loaders(ctx).audiences_of_data_connections, self.0.id).await?.unwrap_or_default();
        Ok(AudiencePage::of(page, Audience))
    }

    /// Why the last refresh failed or drifted: sentences without values; null when it did neither.
    async fn failure(&self) -> Option<&str> {
        self.0.failure.as_deref()
    }

    /// The last refresh that has begun; null before the first one.
    async fn last_refresh(&self, ctx: &Context<'_>) -> Result<Option<Refresh>> {
        Ok(load(&loaders(ctx).latest_refreshes, SourceId::DataConnection(self.0.id)).await?.map(Refresh))
    }

    /// All refreshes, newest first.
    #[graphql(
        complexity = "page::cost(first, last, child_complexity)",
        directive = list_size::apply(page::USUAL, slicing_by(&["first", "last"]), sized(), false)
    )]
    async fn refreshes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Items from the start of the list; at most 100.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Items from the end of the list; at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
    ) -> Result<RefreshPage> {
        let request = page::arguments(first, after, last, before).map_err(refused)?.into();
        let source = SourceId::DataConnection(self.0.id);
        let page = gateway(ctx).store().refreshes_of_source(source, request).await.map_err(fault)?;
        Ok(RefreshPage::of(page, Refresh))
    }

    /// What deleting it would do now.
    #[graphql(complexity = "PREVIEW + child_complexity", directive = cost::apply(PREVIEW.to_string()))]
    async fn deletion_preview(&self, ctx: &Context<'_>) -> Result<DeletionPreview> {
        authorise_id(ctx, self.0.account, Act::Read)?.map_err(refused)?;
        let refusal = authorise_id(ctx, self.0.account, Act::ManageData)?.err();
        deletion::preview(ctx, Target::DataConnection(self.0.id), self.0.account, refusal).await
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

/// Says which audience a row belongs to.
#[derive(Clone, Debug, OneofObject)]
enum AudienceSourceInput {
    /// The column that names it; a row may stand in the file once for each of its audiences.
    Column(String),
    /// All rows belong to the audience of this name.
    Name(String),
}

/// Says how a file is read.
#[derive(Clone, Debug, InputObject)]
struct MappingInput {
    /// The columns that hold identities: between 1 and 40. Several may feed one match key.
    fields: Vec<FieldMappingInput>,
    /// Which audience a row belongs to.
    audience: AudienceSourceInput,
    /// What separates the columns of CSV: one punctuation character or a tab. Parquet has no delimiter.
    #[graphql(default_with = "String::from(\",\")")]
    delimiter: String,
}

impl MappingInput {
    fn mapping(self) -> Result<DomainMapping, Refusal> {
        Ok(DomainMapping {
            fields: field_mappings(self.fields, "mapping.fields")?,
            audience: match self.audience {
                AudienceSourceInput::Column(column) => DomainAudienceSource::Column(column),
                AudienceSourceInput::Name(name) => DomainAudienceSource::Named(name),
            },
            delimiter: delimiter(&self.delimiter, "mapping.delimiter")?,
        })
    }
}

/// Creates a data connection from an upload, or from a source that it reads by itself.
#[derive(InputObject)]
struct CreateDataConnectionInput {
    /// The account that acts.
    account_id: ID,
    /// 1 to 100 characters.
    name: String,
    /// A complete upload that was not used yet; either this or a source is given.
    upload_id: Option<ID>,
    /// Where it reads by itself. It is tried first.
    source: Option<DataSourceInput>,
    /// When it reads its source by itself; once, and at once, unless it is said.
    schedule: Option<RefreshScheduleInput>,
    /// How its files are read.
    mapping: MappingInput,
    /// What its audiences are about: at most 20, each of 1 to 60 characters.
    #[graphql(default)]
    categories: Vec<String>,
    /// Who may see its audiences by name; nobody unless it is said.
    access: Option<ConnectionAccessInput>,
    /// Which figures about its audiences others may see; all unless it is said.
    visibility: Option<AudienceVisibilityInput>,
    /// That the people in the data have consented to its use; must be true. Who says so, and when, is kept.
    consent_acknowledged: bool,
    /// The same key within 24 hours returns the first result.
    idempotency_key: Option<String>,
}

/// Sources a data connection again: its audiences are replaced at once when the whole file was read.
#[derive(InputObject)]
struct RefreshDataConnectionInput {
    /// The account that acts.
    account_id: ID,
    /// The data connection.
    data_connection_id: ID,
    /// A complete upload that was not used yet; none where the data connection reads from a source.
    upload_id: Option<ID>,
}

/// Changes a data connection. What is left out stays.
#[derive(InputObject)]
struct UpdateDataConnectionInput {
    /// The account that acts.
    account_id: ID,
    /// The data connection.
    data_connection_id: ID,
    /// 1 to 100 characters.
    name: Option<String>,
    /// Where it reads, of the same type as before, with all settings as they should be. Sent as they are shown, they
    /// stay as they are, secrets included; where anything else is sent, all secrets have to be sent with it. It is
    /// tried first, and read when the data connection is next refreshed.
    source: Option<DataSourceInput>,
    /// When it reads its source by itself, from now on.
    schedule: Option<RefreshScheduleInput>,
    /// How its files are read, from its next refresh on. It feeds at least the match keys that it fed.
    mapping: Option<MappingInput>,
}

/// Deletes a data connection with its audiences.
#[derive(InputObject)]
struct DeleteDataConnectionInput {
    /// The account that acts.
    account_id: ID,
    /// The data connection.
    data_connection_id: ID,
}

payload! {
    /// The data connection and the job that sources it, or why there is none.
    CreateDataConnectionPayload {
        /// What was created.
        data_connection: DataConnection,
        /// Sources it; `jobProgress` says how far it is. Null where its schedule begins on a later day.
        job: Job,
    }
}

payload! {
    /// The data connection, or why it was not changed.
    UpdateDataConnectionPayload {
        /// As it is now.
        data_connection: DataConnection,
    }
}

payload! {
    /// The data connection and the job that sources it, or why it is not sourced.
    RefreshDataConnectionPayload {
        /// As it is now.
        data_connection: DataConnection,
        /// Sources it; `jobProgress` says how far it is.
        job: Job,
    }
}

payload! {
    /// What was deleted, or why nothing was.
    DeleteDataConnectionPayload {
        /// The id of the data connection that is gone.
        deleted_data_connection_id: ID,
    }
}

/// Mutations of data connections.
#[derive(Default)]
pub struct DataConnectionMutation;

#[Object]
impl DataConnectionMutation {
    /// Creates a data connection, from a source when that answers well, and sources it by a job. For ADMIN and MANAGER.
    async fn create_data_connection(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: CreateDataConnectionInput,
    ) -> Result<CreateDataConnectionPayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::ManageData)?);
        let upload = allow!(input.upload_id.as_ref().map(|id| local::<UploadId>(id, "uploadId")).transpose());
        let change = allow!(creation(ctx, authorised, "createDataConnection", input.idempotency_key)?);
        let (account, id) = (authorised.account, DataConnectionId::new());
        if upload.is_some() == input.source.is_some() {
            return Ok(Refusal::invalid("uploadId", "Send either an upload or a source.").into());
        }
        let source = match &input.source {
            Some(source) => {
                let of_type = allow!(source.checked(gateway(ctx), account).await);
                Some((of_type, source.sealed(gateway(ctx), SourceId::DataConnection(id), of_type)?))
            }
            None => None,
        };
        let (of_type, source) = source.unzip();
        let access = match input.access {
            Some(access) => allow!(access.checked(ctx, account).await?),
            None => Access::Private,
        };
        let new = NewDataConnection {
            name: input.name,
            source_type: of_type.map(|of_type| of_type.id.to_owned()),
            schedule: allow!(input.schedule.map_or(Ok(Schedule::Once), RefreshScheduleInput::schedule)),
            mapping: allow!(input.mapping.mapping()),
            categories: input.categories,
            access,
            visibility: VisibilityChange::from(input.visibility.unwrap_or_default()).of(MetadataVisibility::default()),
            consent_acknowledged: input.consent_acknowledged,
        };
        let (at, by) = (change.now, actor_name(&change));
        let job = refresh::job(account, id, upload, at);
        let reserved = reserved(ctx, account, upload, job.id).await?;
        let rule = move |owner: &Account| {
            let created = data_connection::create(id, account, &owner.keys(), new, &by, at)?;
            let event = event(account, AccountEventKind::DataConnectionCreated, id);
            let first = created.schedule.begins(at.date_naive()).then_some(job);
            let next = refresh::scheduled(&created, first.as_ref().map(|job| job.run_at), at);
            let jobs = first.into_iter().chain(next);
            let outcome = jobs.fold(Outcome::of(created).events([event]), Outcome::job);
            Ok(reserved.into_iter().fold(outcome, Outcome::credits))
        };
        let store = gateway(ctx).store();
        let created =
            store.create_data_connection(change, id, account, (upload, source), Box::new(rule)).await.map_err(fault)?;
        let created = allow!(created);
        let data_connection = load(&loaders(ctx).data_connections, created.id).await?.map(DataConnection);
        Ok(CreateDataConnectionPayload { data_connection, job: last_job(ctx, created.id).await?, user_errors: vec![] })
    }

    /// Sources a data connection again, by a job: from another upload, or from its source, of which nothing is read
    /// when its files are those that were read last. Until it has ended everything stays as it was. For ADMIN and
    /// MANAGER.
    async fn refresh_data_connection(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: RefreshDataConnectionInput,
    ) -> Result<RefreshDataConnectionPayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::ManageData)?);
        let id = allow!(local::<DataConnectionId>(&input.data_connection_id, "dataConnectionId"));
        let upload = allow!(input.upload_id.as_ref().map(|id| local::<UploadId>(id, "uploadId")).transpose());
        let change = change(ctx, authorised, "refreshDataConnection", Some(Subject::DataConnection(id)))?;
        let (at, account) = (change.now, authorised.account);
        let job = refresh::job(account, id, upload, at);
        let job_id = job.id;
        let reserved = reserved(ctx, account, upload, job_id).await?;
        let rule = move |loaded: &LoadedDataConnection| {
            data_connection::checked_refresh(&loaded.data_connection, upload.is_some())?;
            let next = data_connection::sourced_again(&loaded.data_connection, at);
            Ok(reserved.into_iter().fold(Outcome::of(next).job(job), Outcome::credits))
        };
        let store = gateway(ctx).store();
        let changed = store.change_data_connection(change, id, upload, Box::new(rule)).await.map_err(fault)?;
        let data_connection = Some(DataConnection(allow!(changed.map_err(about_data_connection))));
        let job = store.job(job_id).await.map_err(fault)?.map(Job);
        Ok(RefreshDataConnectionPayload { data_connection, job, user_errors: vec![] })
    }

    /// Changes a data connection; its source when that answers well. What its schedule had planned is planned anew
    /// where that changes. For ADMIN and MANAGER.
    async fn update_data_connection(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: UpdateDataConnectionInput,
    ) -> Result<UpdateDataConnectionPayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::ManageData)?);
        let id = allow!(local::<DataConnectionId>(&input.data_connection_id, "dataConnectionId"));
        let change = change(ctx, authorised, "updateDataConnection", Some(Subject::DataConnection(id)))?;
        let (at, account) = (change.now, authorised.account);
        let present = load_own(ctx, account, &loaders(ctx).data_connections, id).await?;
        let of_type = present.and_then(|present| present.source_type);
        let replaced = match (&input.source, of_type) {
            (None, _) => None,
            (Some(sent), Some(of_type)) => {
                Some(data_source::replaced(ctx, account, (SourceId::DataConnection(id), &of_type), sent).await?)
            }
            (Some(_), None) => Some(Err(Refusal::invalid("source", "This data connection is read from uploads."))),
        };
        let (settings, refused) = match replaced {
            Some(Ok(settings)) => (Some(settings), None),
            Some(Err(refusal)) => (None, Some(refusal)),
            None => (None, None),
        };
        let schedule = allow!(input.schedule.map(RefreshScheduleInput::schedule).transpose());
        let mapping = allow!(input.mapping.map(MappingInput::mapping).transpose());
        let rule = move |loaded: &LoadedDataConnection| {
            refused.map_or(Ok(()), Err)?;
            let present = &loaded.data_connection;
            let next = data_connection::changed(present, input.name.as_deref(), schedule, at)?;
            let next = match mapping {
                Some(mapping) => data_connection::mapped(next, mapping, &loaded.account.keys())?,
                None => next,
            };
            // One that was never read may be read today.
            let last = (present.status != DomainStatus::Pending).then_some(at);
            let planned = if next.schedule == present.schedule { None } else { refresh::scheduled(&next, last, at) };
            let event = event(account, AccountEventKind::DataConnectionUpdated, id);
            Ok(planned.into_iter().fold(Outcome::of(next).events([event]), Outcome::job))
        };
        let changed =
            gateway(ctx).store().change_data_source(change, id, settings, Box::new(rule)).await.map_err(fault)?;
        let data_connection = Some(DataConnection(allow!(changed.map_err(about_data_connection))));
        Ok(UpdateDataConnectionPayload { data_connection, user_errors: vec![] })
    }

    /// Deletes a data connection with its audiences, and cancels what would still have used them: sends, activations and
    /// reports that have not run. What was delivered and finished reports stay. For ADMIN and MANAGER.
    async fn delete_data_connection(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: DeleteDataConnectionInput,
    ) -> Result<DeleteDataConnectionPayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::ManageData)?);
        let id = allow!(local::<DataConnectionId>(&input.data_connection_id, "dataConnectionId"));
        let change = change(ctx, authorised, "deleteDataConnection", Some(Subject::DataConnection(id)))?;
        let (at, account) = (change.now, authorised.account);
        let rule = move |_: &LoadedDataConnection| {
            let event = event(account, AccountEventKind::DataConnectionDeleted, id);
            Ok(Outcome::of(()).events([event]).job(rebuild::job(account, Subject::DataConnection(id), at)))
        };
        let deleted = gateway(ctx).store().delete_data_connection(change, id, Box::new(rule)).await.map_err(fault)?;
        allow!(deleted.map_err(about_data_connection));
        Ok(DeleteDataConnectionPayload { deleted_data_connection_id: Some(global(id)), user_errors: vec![] })
    }
}

/// The credits that are reserved for sourcing an upload; for a source they are when its job knows how much there is.
pub async fn reserved(
    ctx: &Context<'_>,
    account: AccountId,
    upload: Option<UploadId>,
    job: JobId,
) -> Result<Option<credit::Command>> {
    let Some(upload) = upload else { return Ok(None) };
    let found = gateway(ctx).store().uploads_by_ids(&[upload]).await.map_err(fault)?;
    // One that is not there, or not the account's, is refused.
    let bytes = found.get(&upload).map_or(0, |upload| upload.bytes_received);
    Ok(Some(credit::Command::Reserve(credit::of_refresh(&gateway(ctx).settings.prices, account, job, bytes))))
}

/// Says of which input a refusal is.
pub fn about_data_connection(refusal: Refusal) -> Refusal {
    if refusal.field.is_empty() { refusal.at("dataConnectionId") } else { refusal }
}

fn event(account: AccountId, kind: AccountEventKind, id: DataConnectionId) -> NewEvent {
    NewEvent::of_account(account, kind, Subject::DataConnection(id))
}

/// The last job that sourced a data connection when somebody asked for it.
async fn last_job(ctx: &Context<'_>, id: DataConnectionId) -> Result<Option<Job>> {
    let jobs = gateway(ctx).store().jobs_about(Subject::DataConnection(id)).await.map_err(fault)?;
    Ok(jobs.into_iter().find(|job| job.kind == refresh::KIND).map(Job))
}
