//! Event data sets: exposures and conversions of a project, as the account that loaded them sees them.

use crate::{
    graphql::{
        access::{Authorised, actor_name, authorise, change, creation, gateway, loaders},
        conversion_event::{ConversionEvent, ConversionEventInput},
        cost::{list_size, sized, slicing_by},
        data_source::{DataSourceInput, SourceType},
        event_columns::{ConversionColumns, ExposureColumns},
        fault::{allow, fault, payload, refused},
        id::{global, local},
        job::Job,
        loaders::load,
        page::{self, page},
        project::Project,
        scalar::SafeInt,
        sourcing::{
            Consent, FieldMapping, FieldMappingInput, RowFault, RowFaultCount, RowFaultPage, delimiter, fault_counts,
            field_mappings,
        },
    },
    http::row_faults,
    work::load_events,
};
use async_graphql::{Context, Enum, ID, InputObject, Object, Result};
use chrono::{DateTime, Utc};
use entente_domain::{
    AccountId, Code, EventDataSetId, MatchKey, ProjectId, Refusal, UploadId,
    access::Act,
    activation::require_use_case,
    admap,
    connection::State,
    event::Subject,
    event_data::{
        self, EventColumns, EventDataKind as DomainKind, EventDataSet as Row, EventDataStatus as DomainStatus,
        NewEventDataSet,
    },
    settings::UseCase,
};
use entente_source::types::SourceType as TypeOfSource;
use entente_store::{LoadedProject, Outcome, SourceId};

/// What an event data set holds.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "DomainKind")]
pub enum EventDataKind {
    /// What was shown to whom.
    Exposures,
    /// What people did.
    Conversions,
}

/// Where an event data set is.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "DomainStatus")]
pub enum EventDataStatus {
    /// Not loaded yet.
    Pending,
    /// Can be measured.
    Active,
    /// Could not be loaded.
    Failed,
}

/// Exposures or conversions of a project, loaded from a file or a source. Only the account that loaded them sees them.
#[derive(Clone)]
pub struct EventDataSet(pub Row);

page!(EventDataSetPage, EventDataSetEdge, EventDataSet, "event data sets");

/// Exposures or conversions of a project, loaded from a file or a source. Only the account that loaded them sees them.
#[Object]
impl EventDataSet {
    /// Opaque.
    pub async fn id(&self) -> ID {
        global(self.0.id)
    }

    /// The project that it belongs to.
    async fn project(&self, ctx: &Context<'_>) -> Result<Project> {
        let project = load(&loaders(ctx).projects, self.0.project).await?;
        project.map(Project::from).ok_or_else(|| fault("an event data set without its project"))
    }

    /// Its name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// What it holds.
    async fn kind(&self) -> EventDataKind {
        self.0.kind().into()
    }

    /// The kind of place that it was read from; null for an upload, and when this gateway no longer has the type.
    async fn source_type(&self) -> Option<SourceType> {
        self.0.source_type.as_deref().and_then(TypeOfSource::find).map(SourceType)
    }

    /// Columns that hold identities.
    async fn fields(&self) -> Vec<FieldMapping> {
        self.0.fields.iter().cloned().map(Into::into).collect()
    }

    /// The other columns of exposures; null for conversions.
    async fn exposure_columns(&self) -> Option<ExposureColumns> {
        match &self.0.columns {
            EventColumns::Exposures(columns) => Some(columns.clone().into()),
            EventColumns::Conversions(_) => None,
        }
    }

    /// The other columns of conversions; null for exposures.
    async fn conversion_columns(&self) -> Option<ConversionColumns> {
        match &self.0.columns {
            EventColumns::Exposures(_) => None,
            EventColumns::Conversions(columns) => Some(columns.clone().into()),
        }
    }

    /// What separates the columns.
    async fn delimiter(&self) -> String {
        self.0.delimiter.to_string()
    }

    /// Which conversions count; empty for exposures.
    async fn events(&self) -> Vec<ConversionEvent> {
        self.0.events.iter().cloned().map(Into::into).collect()
    }

    /// Who acknowledged that the people in the data have consented to its use, and when.
    async fn consent(&self) -> Consent {
        self.0.consent.clone().into()
    }

    /// Where it is.
    async fn status(&self) -> EventDataStatus {
        self.0.status.into()
    }

    /// Why it could not be loaded: a sentence without values; null when it could, or is not yet.
    async fn failure(&self) -> Option<&str> {
        self.0.failure.as_deref()
    }

    /// Rows that were taken; 0 before it is loaded.
    async fn rows(&self) -> SafeInt {
        SafeInt(self.0.rows)
    }

    /// What was wrong with rows and values, the most frequent first; empty before it is loaded.
    async fn faults_by_reason(&self, ctx: &Context<'_>) -> Result<Vec<RowFaultCount>> {
        let read = load(&loaders(ctx).latest_refreshes, SourceId::EventDataSet(self.0.id)).await?;
        Ok(read.map_or_else(Vec::new, |r| fault_counts(&r.faults)))
    }

    /// The first 1,000 of these faults, in the order of the file.
    #[graphql(
        complexity = "page::cost(first, last, child_complexity)",
        directive = list_size::apply(page::USUAL, slicing_by(&["first", "last"]), sized(), false)
    )]
    async fn row_faults(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Items from the start of the list; at most 100.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Items from the end of the list; at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
    ) -> Result<RowFaultPage> {
        let request = page::arguments(first, after, last, before).map_err(refused)?.into();
        let job = load_events::job_of(self.0.id);
        let page = gateway(ctx).store().row_faults(job, request).await.map_err(fault)?;
        Ok(RowFaultPage::of(page, RowFault::from))
    }

    /// Where these faults are downloaded as a CSV file with the columns `row`, `column` and `reason`: by GET, with the same
    /// `Authorization` as here. Values are not in it, since none are kept.
    async fn row_faults_url(&self, ctx: &Context<'_>) -> String {
        row_faults::url(gateway(ctx), load_events::job_of(self.0.id))
    }

    /// The work that loads it; `jobProgress` says how far it is.
    async fn job(&self, ctx: &Context<'_>) -> Result<Job> {
        let job = load(&loaders(ctx).jobs, load_events::job_of(self.0.id)).await?;
        job.map(Job).ok_or_else(|| fault("an event data set without its job"))
    }

    /// Grows by one with each change.
    async fn version(&self) -> SafeInt {
        SafeInt(self.0.version.unsigned_abs())
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// When it last changed.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.0.updated_at
    }
}

/// Loads the exposures of campaigns that the account ran.
#[derive(InputObject)]
struct LoadExposuresInput {
    /// The account that acts and ran the campaigns.
    account_id: ID,
    /// The project.
    project_id: ID,
    /// 1 to 100 characters.
    name: String,
    /// A complete upload that was not used yet: CSV, or Parquet. Either this or a source is given.
    upload_id: Option<ID>,
    /// Where it is read from, once: files with the same columns, each CSV or Parquet. It is tried first, and its settings are
    /// forgotten when it was read.
    source: Option<DataSourceInput>,
    /// The columns that hold identities: between 1 and 40. Several may feed one match key. None where `columns` are left out: the
    /// digests in `ADMAP ID` are of the account's match keys that have a key type.
    #[graphql(default)]
    fields: Vec<FieldMappingInput>,
    /// The other columns; those of a file made for ADMaP unless they are said: `Key Type`, `ADMAP ID`, `Timestamp`, `Type` and
    /// `Campaign Name`, spelled with blanks or underscores, in any case.
    columns: Option<ExposureColumns>,
    /// What separates the columns of CSV: one punctuation character or a tab. Parquet has no delimiter.
    #[graphql(default_with = "String::from(\",\")")]
    delimiter: String,
    /// That the people in the data have consented to its use; must be true. Who says so, and when, is kept.
    consent_acknowledged: bool,
    /// The same key within 24 hours returns the first result.
    idempotency_key: Option<String>,
}

/// Loads conversions that the account saw.
#[derive(InputObject)]
struct LoadConversionsInput {
    /// The account that acts.
    account_id: ID,
    /// The project.
    project_id: ID,
    /// 1 to 100 characters.
    name: String,
    /// A complete upload that was not used yet: CSV, or Parquet. Either this or a source is given.
    upload_id: Option<ID>,
    /// Where it is read from, once: files with the same columns, each CSV or Parquet. It is tried first, and its settings are
    /// forgotten when it was read.
    source: Option<DataSourceInput>,
    /// The columns that hold identities: between 1 and 40. Several may feed one match key. None where `columns` are left out: the
    /// digests in `ADMAP ID` are of the account's match keys that have a key type.
    #[graphql(default)]
    fields: Vec<FieldMappingInput>,
    /// The other columns; those of a file made for ADMaP unless they are said: `Key Type`, `ADMAP ID`, `Timestamp`, `Event Name`,
    /// `Event Revenue` and `Event Currency`, spelled with blanks or underscores, in any case.
    columns: Option<ConversionColumns>,
    /// What separates the columns of CSV: one punctuation character or a tab. Parquet has no delimiter.
    #[graphql(default_with = "String::from(\",\")")]
    delimiter: String,
    /// Which conversions count: between one and three.
    events: Vec<ConversionEventInput>,
    /// That the people in the data have consented to its use; must be true. Who says so, and when, is kept.
    consent_acknowledged: bool,
    /// The same key within 24 hours returns the first result.
    idempotency_key: Option<String>,
}

/// Deletes exposures or conversions.
#[derive(InputObject)]
struct DeleteEventDataSetInput {
    /// The account that acts.
    account_id: ID,
    /// The event data set.
    event_data_set_id: ID,
}

macro_rules! load_payloads {
    ($($name:ident),*) => {$(
        payload! {
            /// The event data set, whose `job` loads it, or why there is none.
            $name {
                /// What was created.
                event_data_set: EventDataSet,
            }
        }
    )*};
}

load_payloads!(LoadExposuresPayload, LoadConversionsPayload);

payload! {
    /// What was deleted, or why nothing was.
    DeleteEventDataSetPayload {
        /// The id of the event data set that is gone.
        deleted_event_data_set_id: ID,
    }
}

/// Mutations of event data sets.
#[derive(Default)]
pub struct EventDataSetMutation;

#[Object]
impl EventDataSetMutation {
    /// Loads exposures by a job. For ADMIN and MANAGER of the side that ran the campaigns.
    async fn load_exposures(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: LoadExposuresInput,
    ) -> Result<LoadExposuresPayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::ManageData)?);
        let new = NewEventDataSet {
            name: input.name,
            source_type: None,
            fields: allow!(field_mappings(input.fields, "fields")),
            columns: EventColumns::Exposures(input.columns.map_or_else(admap::exposure_columns, Into::into)),
            delimiter: allow!(delimiter(&input.delimiter, "delimiter")),
            events: vec![],
            consent_acknowledged: input.consent_acknowledged,
        };
        let from = allow!(Origin::of(&input.project_id, input.upload_id.as_ref(), input.source));
        let id = allow!(create(ctx, authorised, "loadExposures", input.idempotency_key, from, new).await?);
        let event_data_set = load(&loaders(ctx).event_data_sets, id).await?.map(EventDataSet);
        Ok(LoadExposuresPayload { event_data_set, user_errors: vec![] })
    }

    /// Loads conversions by a job. For ADMIN and MANAGER of the other side than the one that ran the campaigns; in brand
    /// to brand of both.
    async fn load_conversions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: LoadConversionsInput,
    ) -> Result<LoadConversionsPayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::ManageData)?);
        let new = NewEventDataSet {
            name: input.name,
            source_type: None,
            fields: allow!(field_mappings(input.fields, "fields")),
            columns: EventColumns::Conversions(input.columns.map_or_else(admap::conversion_columns, Into::into)),
            delimiter: allow!(delimiter(&input.delimiter, "delimiter")),
            events: input.events.into_iter().map(Into::into).collect(),
            consent_acknowledged: input.consent_acknowledged,
        };
        let from = allow!(Origin::of(&input.project_id, input.upload_id.as_ref(), input.source));
        let id = allow!(create(ctx, authorised, "loadConversions", input.idempotency_key, from, new).await?);
        let event_data_set = load(&loaders(ctx).event_data_sets, id).await?.map(EventDataSet);
        Ok(LoadConversionsPayload { event_data_set, user_errors: vec![] })
    }

    /// Takes exposures or conversions back, also while they are loaded: nothing of their file is kept. Finished reports stay as they
    /// are; those that have not run do without them, or fail with `EXPOSURES_MISSING` or `CONVERSIONS_MISSING`. For ADMIN and
    /// MANAGER of the account that loaded them.
    async fn delete_event_data_set(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: DeleteEventDataSetInput,
    ) -> Result<DeleteEventDataSetPayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::ManageData)?);
        let id = allow!(local::<EventDataSetId>(&input.event_data_set_id, "eventDataSetId"));
        let change = change(ctx, authorised, "deleteEventDataSet", Some(Subject::EventDataSet(id)))?;
        let by = authorised.account;
        let rule = |_: &Row| Ok(Outcome::of(()));
        let gateway = gateway(ctx);
        let deleted = gateway.store().delete_event_data_set(change, id, Box::new(rule)).await.map_err(fault)?;
        load_events::take_back(gateway, by, id, &allow!(deleted)).await.map_err(fault)?;
        Ok(DeleteEventDataSetPayload { deleted_event_data_set_id: Some(global(id)), user_errors: vec![] })
    }
}

/// Where a data set belongs, and the file or the source that it comes from.
struct Origin {
    project: ProjectId,
    upload: Option<UploadId>,
    source: Option<DataSourceInput>,
}

impl Origin {
    fn of(project: &ID, upload: Option<&ID>, source: Option<DataSourceInput>) -> Result<Self, Refusal> {
        let project = local(project, "projectId")?;
        let upload = upload.map(|id| local::<UploadId>(id, "uploadId")).transpose()?;
        if upload.is_some() == source.is_some() {
            return Err(Refusal::invalid("uploadId", "Send either an upload or a source."));
        }
        Ok(Self { project, upload, source })
    }
}

async fn create(
    ctx: &Context<'_>,
    authorised: Authorised,
    action: &'static str,
    idempotency_key: Option<String>,
    Origin { project, upload, source }: Origin,
    new: NewEventDataSet,
) -> Result<Result<EventDataSetId, Refusal>> {
    let change = match creation(ctx, authorised, action, idempotency_key)? {
        Ok(change) => change,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let (id, at, account, by) = (EventDataSetId::new(), change.now, authorised.account, actor_name(&change));
    let (source_type, settings) = match source {
        Some(source) => match source.checked(gateway(ctx), account).await {
            Ok(of_type) => {
                let settings = source.sealed(gateway(ctx), SourceId::EventDataSet(id), of_type)?;
                (Some(of_type.id.to_owned()), Some(settings))
            }
            Err(refusal) => return Ok(Err(refusal)),
        },
        None => (None, None),
    };
    let new = NewEventDataSet { source_type, ..new };
    let campaigns = load(&loaders(ctx).campaigns_of_projects, project).await?.unwrap_or_default();
    let rule = move |loaded: &LoadedProject| {
        measurable(loaded)?;
        let keys = own_keys(loaded, account);
        let data_set = event_data::create(id, (account, &keys), project, new, &by, at)?;
        let agreed = loaded.connection.settings.as_ref().map(|s| s.match_keys.as_slice()).unwrap_or_default();
        event_data::comparable(&data_set.fields, agreed)?;
        event_data::may_load(data_set.kind(), account, loaded.connection.pattern, &campaigns)?;
        let job = load_events::job(&data_set, upload, at);
        Ok(Outcome::of(data_set).job(job))
    };
    let store = gateway(ctx).store();
    let created = store.create_event_data_set(change, id, project, (upload, settings), Box::new(rule)).await;
    Ok(created.map_err(fault)?.map(|created| created.id))
}

/// A project can be measured while its connection is active and MEASURE is one of its use cases.
pub fn measurable(loaded: &LoadedProject) -> Result<(), Refusal> {
    if loaded.connection.state != State::Active {
        return Err(Refusal::new(Code::WrongState, "The connection is not active.").at("projectId"));
    }
    require_use_case(&loaded.project, UseCase::Measure)
}

fn own_keys(loaded: &LoadedProject, account: AccountId) -> Vec<MatchKey> {
    let own = if loaded.owner.id == account { &loaded.owner } else { &loaded.recipient };
    own.keys()
}
