//! Sources: places that are read by themselves, for data connections and for lists of opt-outs.

use crate::{
    gateway::Gateway,
    graphql::{
        access::{authorise, gateway, load_own, loaders, viewer},
        cost::list_size,
        fault::{allow, fault, payload},
        id::local,
        loaders::load,
        scalar::SafeInt,
        upload::{UploadPreview, previewed_delimiter},
    },
    sources::{
        connected, csv,
        looking::{self, Unseen},
    },
};
use async_graphql::{Context, ID, InputObject, Json, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use entente_domain::{AccountId, DataConnectionId, Refusal, access::Act, destination_settings, opt_out};
use entente_source::{
    Part, Source,
    types::{SourceType as Type, TYPES},
};
use entente_store::{NewSourceSettings, SourceId, SourceSettings};
use serde_json::Value;
use std::sync::Arc;

/// Files that are shown of a source.
const SHOWN: usize = 10;

/// A kind of place that can be read: by data connections, and for opt-outs, exposures and conversions.
#[derive(Clone)]
pub struct SourceType(pub &'static Type);

/// A kind of place that can be read: by data connections, and for opt-outs, exposures and conversions.
#[Object]
impl SourceType {
    /// Stable; name it when a source is set up.
    async fn id(&self) -> ID {
        ID(self.0.id.to_owned())
    }

    /// As people read it.
    async fn name(&self) -> &str {
        self.0.name
    }

    /// What is read, in a sentence.
    async fn summary(&self) -> &str {
        self.0.summary
    }

    /// The JSON Schema of a source's settings. What it marks `writeOnly` is a secret and never shown again.
    async fn settings_schema(&self) -> Json<Value> {
        Json(self.0.settings_schema())
    }
}

/// Where something is read from by itself.
#[derive(Clone)]
pub struct DataSource {
    /// The name of its type.
    pub source_type: String,
    /// What is read from it.
    pub source: SourceId,
}

/// Where something is read from by itself.
#[Object]
impl DataSource {
    /// What kind of place it is; null when this gateway no longer has the type.
    async fn source_type(&self) -> Option<SourceType> {
        Type::find(&self.source_type).map(SourceType)
    }

    /// Its settings without secrets.
    async fn settings(&self, ctx: &Context<'_>) -> Result<Json<Value>> {
        Ok(Json(stored(ctx, self.source).await?.shown))
    }
}

/// Names a place to read.
#[derive(InputObject)]
pub struct DataSourceInput {
    /// The id of a source type.
    #[graphql(name = "type")]
    pub source_type: ID,
    /// As the type's `settingsSchema` says.
    settings: Json<Value>,
}

impl DataSourceInput {
    /// A place that answers well.
    pub async fn checked(&self, gateway: &Gateway, account: AccountId) -> Result<&'static Type, Refusal> {
        let source_type = connected::found(&self.source_type)?;
        connected::checked(gateway, account, source_type, &self.settings.0).await?;
        Ok(source_type)
    }

    /// The settings as they are stored.
    pub fn sealed(&self, gateway: &Gateway, id: SourceId, of_type: &Type) -> Result<SourceSettings> {
        connected::sealed(gateway, id, of_type, &self.settings.0).map_err(fault)
    }
}

/// Settings of a source that is set up.
pub async fn stored(ctx: &Context<'_>, id: SourceId) -> Result<SourceSettings> {
    load(&loaders(ctx).source_settings, id).await?.ok_or_else(|| fault("a source without settings"))
}

/// A file of a source.
#[derive(SimpleObject)]
pub struct SourceFile {
    /// Its name, with the folders that it is in.
    name: String,
    /// Its bytes, as they are stored.
    size: SafeInt,
    /// When it last changed.
    modified_at: DateTime<Utc>,
}

impl From<&Part> for SourceFile {
    fn from(part: &Part) -> Self {
        Self { name: part.name.clone(), size: SafeInt(part.size), modified_at: part.modified }
    }
}

/// Tries a source: one that is to be set up, that of a data connection, or that of the
/// opt-outs.
#[derive(InputObject)]
struct CheckSourceInput {
    /// The account that acts.
    account_id: ID,
    /// A source that is to be set up.
    source: Option<DataSourceInput>,
    /// The data connection whose source is tried, where none is named.
    data_connection_id: Option<ID>,
    /// `true`: the source of the account's opt-outs is tried.
    #[graphql(default)]
    of_opt_outs: bool,
}

/// Looks at the first file of a source: one that is to be set up, that of a data connection, or that of the
/// opt-outs.
#[derive(InputObject)]
struct PreviewSourceInput {
    /// The account that acts.
    account_id: ID,
    /// A source that is to be set up.
    source: Option<DataSourceInput>,
    /// The data connection whose source is looked at, where none is named.
    data_connection_id: Option<ID>,
    /// `true`: the source of the account's opt-outs is looked at.
    #[graphql(default)]
    of_opt_outs: bool,
    /// For CSV. One punctuation character or a tab; found by itself when it is left out.
    delimiter: Option<String>,
}

payload! {
    /// What can be read, or what the source answered.
    CheckSourcePayload {
        /// How many files are read.
        file_count: SafeInt,
        /// The first 10 of them, by name.
        files: Vec<SourceFile>,
    }
}

payload! {
    /// A look at a file, or why there is none.
    PreviewSourcePayload {
        /// The file that was looked at: the first by name.
        file: SourceFile,
        /// Its beginning.
        preview: UploadPreview,
    }
}

/// Mutations of sources.
#[derive(Default)]
pub struct DataSourceMutation;

#[Object]
impl DataSourceMutation {
    /// Tries a source and changes nothing: its first file is found and read from, and all are listed. For ADMIN and
    /// MANAGER.
    async fn check_source(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: CheckSourceInput,
    ) -> Result<CheckSourcePayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::ManageData)?);
        let asked = (input.source.as_ref(), input.data_connection_id.as_ref(), input.of_opt_outs);
        let source = allow!(asked_for(ctx, authorised.account, asked).await?);
        let parts = allow!(listed(&*source).await);
        let files = parts.iter().take(SHOWN).map(SourceFile::from).collect();
        let file_count = Some(SafeInt(parts.len() as u64));
        Ok(CheckSourcePayload { file_count, files: Some(files), user_errors: vec![] })
    }

    /// Looks at the beginning of the first file of a source, CSV or Parquet; nothing of it is stored, and what looks
    /// like an identifier is hidden. For ADMIN and MANAGER.
    async fn preview_source(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: PreviewSourceInput,
    ) -> Result<PreviewSourcePayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::ManageData)?);
        let delimiter = allow!(input.delimiter.as_deref().map(previewed_delimiter).transpose());
        let asked = (input.source.as_ref(), input.data_connection_id.as_ref(), input.of_opt_outs);
        let source = allow!(asked_for(ctx, authorised.account, asked).await?);
        let part = allow!(listed(&*source).await).swap_remove(0);
        let file = SourceFile::from(&part);
        match looking::look(source, part, delimiter).await {
            Ok(preview) => {
                Ok(PreviewSourcePayload { file: Some(file), preview: Some(preview.into()), user_errors: vec![] })
            }
            Err(Unseen::Source(error)) => Ok(connected::refusal(&error).into()),
            Err(Unseen::File(unread)) => match csv::refusal(&unread) {
                Some(refusal) => Ok(refusal.into()),
                None => Err(fault(unread)),
            },
        }
    }
}

/// The source that is asked for: one that is sent, that of a data connection of the account, or that of its opt-outs.
async fn asked_for(
    ctx: &Context<'_>,
    account: AccountId,
    asked: (Option<&DataSourceInput>, Option<&ID>, bool),
) -> Result<Result<Arc<dyn Source>, Refusal>> {
    let gateway = gateway(ctx);
    let (id, source_type, field) = match asked {
        (Some(sent), None, false) => {
            return Ok(connected::checked_of(gateway, account, &sent.source_type, &sent.settings.0).await);
        }
        (None, Some(id), false) => {
            let field = "dataConnectionId";
            let id = match local::<DataConnectionId>(id, field) {
                Ok(id) => id,
                Err(refusal) => return Ok(Err(refusal)),
            };
            let found = load_own(ctx, account, &loaders(ctx).data_connections, id).await?;
            let Some(found) = found else {
                return Ok(Err(Refusal::not_found("data connection").at(field)));
            };
            let Some(source_type) = found.source_type else {
                return Ok(Err(Refusal::invalid(field, "This data connection is read from uploads.")));
            };
            (SourceId::DataConnection(id), source_type, field)
        }
        (None, None, true) => {
            let field = "ofOptOuts";
            let found = load(&loaders(ctx).opt_out_sources, account).await?;
            match opt_out::present(found.as_ref()) {
                Ok(found) => (SourceId::OptOuts(account), found.source_type.clone(), field),
                Err(refusal) => return Ok(Err(refusal.at(field))),
            }
        }
        _ => {
            let message = "Send one of a source, the id of a data connection, or `ofOptOuts: true`.";
            return Ok(Err(Refusal::invalid("source", message)));
        }
    };
    let settings = connected::unsealed(gateway, id, &stored(ctx, id).await?.sealed).map_err(fault)?;
    Ok(connected::checked_of(gateway, account, &source_type, &settings).await.map_err(|refusal| refusal.at(field)))
}

/// All files of a source, at least one.
async fn listed(source: &dyn Source) -> Result<Vec<Part>, Refusal> {
    connected::listed(source, connected::PATIENCE).await.map_err(|error| connected::refusal(&error))
}

/// Settings that are sent for those that there are, when the source answers well to them.
pub async fn replaced(
    ctx: &Context<'_>,
    account: AccountId,
    (id, of_type): (SourceId, &str),
    sent: &DataSourceInput,
) -> Result<Result<NewSourceSettings, Refusal>> {
    let gateway = gateway(ctx);
    if *sent.source_type != *of_type {
        let message = "A data connection stays with its type of source: make another one.";
        return Ok(Err(Refusal::invalid("source.type", message)));
    }
    let source_type = match connected::found(of_type) {
        Ok(source_type) => source_type,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let read = stored(ctx, id).await?;
    let present = connected::unsealed(gateway, id, &read.sealed).map_err(fault)?;
    let settings = destination_settings::replaced(&source_type.settings_schema(), &present, &sent.settings.0);
    if let Err(refusal) = connected::checked(gateway, account, source_type, &settings).await {
        return Ok(Err(refusal));
    }
    let settings = connected::sealed(gateway, id, source_type, &settings).map_err(fault)?;
    Ok(Ok(NewSourceSettings { read_sealed: read.sealed, settings }))
}

/// Queries of sources.
#[derive(Default)]
pub struct DataSourceQuery;

#[Object]
impl DataSourceQuery {
    /// The source types of this gateway, by id.
    #[graphql(complexity = "10 * child_complexity", directive = list_size::apply(10, None, None, false))]
    async fn source_types(&self, ctx: &Context<'_>) -> Result<Vec<SourceType>> {
        viewer(ctx)?;
        Ok(TYPES.iter().map(SourceType).collect())
    }
}
