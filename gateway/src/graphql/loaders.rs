//! Loaders: what nested fields ask for one by one is read from the database in one statement. They live as long as one
//! operation, which each event of a subscription is, and cache nothing.

use crate::graphql::{
    access::now,
    fault::fault,
    page::{NESTED, Nested},
};
use async_graphql::Result;
use dataloader::{BatchFn, non_cached::Loader};
use entente_domain::{
    AccountId, ActivationId, AudienceId, CampaignId, ConnectionId, CrosswalkId, DataConnectionId, DestinationId,
    EventDataSetId, JobId, ProjectId, ReportId, SentAudienceId, Timestamp, UploadId, UserId,
    account::Account,
    activation::{Activation, Destination, SentAudience},
    audience::{Audience, PartnerAudience},
    connection::Connection,
    crosswalk::Crosswalk,
    data_connection::DataConnection,
    event_data::EventDataSet,
    opt_out::{OptOutList, OptOutSource},
    project::{Campaign, Project},
    report::Report,
    settings_draft::SettingsDraft,
};
use entente_store::{
    DestinationSettings, Job, Page, Refresh, SourceId, SourceSettings, Store, StoreError, Upload, User,
};
use futures::future::BoxFuture;
use std::{
    collections::{BTreeSet, HashMap},
    fmt::Debug,
    hash::Hash,
    sync::Arc,
};

/// How often a loader lets others ask before it reads. All fields that can ask now do so in the first of these turns; the
/// second is for those that another loader has just answered.
const TURNS: usize = 2;

type Answers<K, V> = BoxFuture<'static, Result<HashMap<K, V>, StoreError>>;

/// One statement that answers many keys.
pub struct Statement<K, V> {
    store: Store,
    read: fn(Store, Vec<K>) -> Answers<K, V>,
}

/// What a loader answers for a key: a value, that there is none, or that the database failed. The crate clones it for who
/// asks, which is to cost nothing.
type Answer<V> = Result<Option<Arc<V>>, Arc<StoreError>>;

impl<K, V> BatchFn<K, Answer<V>> for Statement<K, V>
where
    K: Eq + Hash + Copy + Send + Sync,
    V: Clone + Send + Sync,
{
    async fn load(&mut self, keys: &[K]) -> HashMap<K, Answer<V>> {
        match (self.read)(self.store.clone(), keys.to_vec()).await {
            Ok(mut found) => keys.iter().map(|k| (*k, Ok(found.remove(k).map(Arc::new)))).collect(),
            Err(error) => {
                let error = Arc::new(error);
                keys.iter().map(|k| (*k, Err(error.clone()))).collect()
            }
        }
    }
}

/// A loader of values by key.
pub type By<K, V> = Loader<K, Answer<V>, Statement<K, V>>;

fn by<K, V>(store: &Store, read: fn(Store, Vec<K>) -> Answers<K, V>) -> By<K, V>
where
    K: Eq + Hash + Copy + Send + Sync + Debug,
    V: Clone + Send + Sync,
{
    Loader::new(Statement { store: store.clone(), read }).with_yield_count(TURNS)
}

/// Loads one value.
pub async fn load<K, V>(loader: &By<K, V>, key: K) -> Result<Option<V>>
where
    K: Eq + Hash + Copy + Send + Sync + Debug,
    V: Clone + Send + Sync,
{
    Ok(loader.try_load(key).await.map_err(fault)?.map_err(fault)?.map(Arc::unwrap_or_clone))
}

/// Whose lists are asked for, each once, and the most that is asked for of one.
fn parents<P: Copy + Ord>(keys: &[(P, Nested)]) -> (Vec<P>, Nested) {
    let parents: BTreeSet<P> = keys.iter().map(|(parent, _)| *parent).collect();
    let count = keys.iter().map(|(_, part)| part.count).max().unwrap_or(0);
    (parents.into_iter().collect(), Nested { count, counted: keys.iter().any(|(_, part)| part.counted) })
}

/// The first items of each list, as many as are asked for.
fn first_of_each<P, T>(keys: Vec<(P, Nested)>, mut lists: HashMap<P, Page<T>>) -> HashMap<(P, Nested), Page<T>>
where
    P: Copy + Eq + Hash,
    T: Clone,
{
    let each_once = keys.len() == lists.len();
    let mut page = |parent: &P| if each_once { lists.remove(parent) } else { lists.get(parent).cloned() };
    keys.into_iter().filter_map(|key| Some((key, page(&key.0)?.cut(key.1.count)))).collect()
}

/// All loaders of an operation.
pub struct Loaders {
    /// Accounts by id.
    pub accounts: By<AccountId, Account>,
    /// Users by id.
    pub users: By<UserId, User>,
    /// Connections by id.
    pub connections: By<ConnectionId, Connection>,
    /// What the owners of connections work on. For them alone.
    pub settings_drafts: By<ConnectionId, SettingsDraft>,
    /// Projects by id.
    pub projects: By<ProjectId, Project>,
    /// Projects with their connections, by the project's id.
    pub projects_with_connections: By<ProjectId, (Project, Connection)>,
    /// The first projects of connections, so many of each.
    pub projects_of_connections: By<(ConnectionId, Nested), Page<Project>>,
    /// Campaigns by id.
    pub campaigns: By<CampaignId, Campaign>,
    /// Campaigns of projects.
    pub campaigns_of_projects: By<ProjectId, Vec<Campaign>>,
    /// Audiences by id.
    pub audiences: By<AudienceId, Audience>,
    /// The first audiences that accounts made public, so many of each.
    pub public_audiences: By<(AccountId, Nested), Page<PartnerAudience>>,
    /// The first audiences of data connections.
    pub audiences_of_data_connections: By<DataConnectionId, Page<Audience>>,
    /// Uploads by id.
    pub uploads: By<UploadId, Upload>,
    /// The latest refreshes of data connections, crosswalks, event data sets and opt-outs.
    pub latest_refreshes: By<SourceId, Refresh>,
    /// Data connections by id.
    pub data_connections: By<DataConnectionId, DataConnection>,
    /// Settings of sources; those that there are none of are missing.
    pub source_settings: By<SourceId, SourceSettings>,
    /// When sources are read next by their schedules; those that are not are missing.
    pub planned_refreshes: By<SourceId, Timestamp>,
    /// Crosswalks by id.
    pub crosswalks: By<CrosswalkId, Crosswalk>,
    /// Lists of opt-outs by account; accounts without one are missing.
    pub opt_outs: By<AccountId, OptOutList>,
    /// Where lists of opt-outs come from by themselves, by account; those that are loaded from uploads alone are missing.
    pub opt_out_sources: By<AccountId, OptOutSource>,
    /// Destinations by id.
    pub destinations: By<DestinationId, Destination>,
    /// Settings of destinations.
    pub destination_settings: By<DestinationId, DestinationSettings>,
    /// Sent audiences by id.
    pub sent_audiences: By<SentAudienceId, SentAudience>,
    /// Activations by id.
    pub activations: By<ActivationId, Activation>,
    /// Event data sets by id.
    pub event_data_sets: By<EventDataSetId, EventDataSet>,
    /// Reports by id.
    pub reports: By<ReportId, Report>,
    /// What finished reports found.
    pub report_results: By<ReportId, serde_json::Value>,
    /// The newest jobs of reports.
    pub jobs_of_reports: By<ReportId, Job>,
    /// Jobs by id.
    pub jobs: By<JobId, Job>,
}

impl Loaders {
    /// Loaders for one operation.
    pub fn new(store: &Store) -> Self {
        Self {
            accounts: by(store, |s, k| Box::pin(async move { s.accounts_by_ids(&k).await })),
            users: by(store, |s, k| Box::pin(async move { s.users_by_ids(&k).await })),
            connections: by(store, |s, k| Box::pin(async move { s.connections_by_ids(&k).await })),
            settings_drafts: by(store, |s, k| Box::pin(async move { s.settings_drafts(&k).await })),
            projects: by(store, |s, k| Box::pin(async move { s.projects_by_ids(&k).await })),
            projects_with_connections: by(store, |s, k| Box::pin(async move { s.projects_with_connections(&k).await })),
            projects_of_connections: by(store, |s, k| {
                Box::pin(async move {
                    let (connections, most) = parents(&k);
                    Ok(first_of_each(
                        k,
                        s.newest_projects_of_connections(&connections, most.count, most.counted).await?,
                    ))
                })
            }),
            campaigns: by(store, |s, k| Box::pin(async move { s.campaigns_by_ids(&k).await })),
            campaigns_of_projects: by(store, |s, k| Box::pin(async move { s.campaigns_of_projects(&k).await })),
            audiences: by(store, |s, k| Box::pin(async move { s.audiences_by_ids(&k).await })),
            public_audiences: by(store, |s, k| {
                Box::pin(async move {
                    let (accounts, most) = parents(&k);
                    Ok(first_of_each(
                        k,
                        s.newest_public_audiences_of_accounts(&accounts, now(), most.count, most.counted).await?,
                    ))
                })
            }),
            audiences_of_data_connections: by(store, |s, k| {
                Box::pin(async move { s.newest_audiences_of_data_connections(&k, NESTED).await })
            }),
            uploads: by(store, |s, k| Box::pin(async move { s.uploads_by_ids(&k).await })),
            latest_refreshes: by(store, |s, k| Box::pin(async move { s.latest_refreshes(&k).await })),
            data_connections: by(store, |s, k| Box::pin(async move { s.data_connections_by_ids(&k).await })),
            source_settings: by(store, |s, k| Box::pin(async move { s.source_settings(&k).await })),
            planned_refreshes: by(store, |s, k| Box::pin(async move { s.planned_refreshes(&k).await })),
            crosswalks: by(store, |s, k| Box::pin(async move { s.crosswalks_by_ids(&k).await })),
            opt_outs: by(store, |s, k| Box::pin(async move { s.opt_outs_of_accounts(&k).await })),
            opt_out_sources: by(store, |s, k| Box::pin(async move { s.opt_out_sources(&k).await })),
            destinations: by(store, |s, k| Box::pin(async move { s.destinations_by_ids(&k).await })),
            destination_settings: by(store, |s, k| Box::pin(async move { s.destination_settings(&k).await })),
            sent_audiences: by(store, |s, k| Box::pin(async move { s.sent_audiences_by_ids(&k).await })),
            activations: by(store, |s, k| Box::pin(async move { s.activations_by_ids(&k).await })),
            event_data_sets: by(store, |s, k| Box::pin(async move { s.event_data_sets_by_ids(&k).await })),
            reports: by(store, |s, k| Box::pin(async move { s.reports_by_ids(&k).await })),
            report_results: by(store, |s, k| Box::pin(async move { s.report_results(&k).await })),
            jobs_of_reports: by(store, |s, k| Box::pin(async move { s.jobs_of_reports(&k).await })),
            jobs: by(store, |s, k| Box::pin(async move { s.jobs_by_ids(&k).await })),
        }
    }
}
