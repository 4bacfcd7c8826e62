//! Loading exposures and conversions: an upload or a source is read into stored events, which count from the transaction on that
//! says so. Safe to run again after a crash at any point.

use super::{
    Ended, Fault, Task,
    attempt::{Attempt, Unpublished, over, upload_of},
    progress, reading, reading_source,
};
use crate::{
    background,
    gateway::Gateway,
    sources::{
        csv,
        event_plan::{EventPlan, event_plan},
        opening,
    },
};
use entente_domain::{
    AccountId, Code, EventDataSetId, JobId, Refusal, Timestamp, UploadId,
    account::Account,
    event::{AccountEventKind, NewEvent, Subject},
    event_data::{self, EventDataSet, EventDataStatus},
};
use entente_identity::{
    IndexSecret,
    measure::{Load, LoadFault, load_conversions, load_exposures},
    source::{Control, Input, Progress},
};
use entente_source::SourceError;
use entente_store::{NewJob, Outcome, RefreshEnd, RowsRead, SourceId};
use serde_json::{Value, json};
use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::sync::watch;

/// The kind of this job.
pub const KIND: &str = "load_events";

/// The job of a data set has its id, for a data set is loaded once.
pub fn job_of(data_set: EventDataSetId) -> JobId {
    JobId(data_set.0)
}

/// A job that loads a data set from an upload, or from its source where there is none.
pub fn job(data_set: &EventDataSet, upload: Option<UploadId>, now: Timestamp) -> NewJob {
    NewJob {
        id: job_of(data_set.id),
        kind: KIND.to_owned(),
        lane: format!("events:{}", data_set.id),
        share: None,
        account: data_set.account,
        subject: Some(Subject::EventDataSet(data_set.id)),
        payload: upload.map_or_else(|| json!({}), |upload| json!({ "upload": upload })),
        run_at: now,
    }
}

/// Loads a data set.
pub async fn run(task: Task) -> Result<Ended, Fault> {
    let Some(Subject::EventDataSet(id)) = task.job.subject else {
        return Err(Fault::new("a load without a data set"));
    };
    let (store, upload) = (task.gateway.store(), upload_of(&task.job));
    let Some(data_set) = store.event_data_sets_by_ids(&[id]).await?.remove(&id) else {
        return gone(&task, id, upload).await;
    };
    match data_set.status {
        EventDataStatus::Active => return over(&task, upload, Ended::Done).await,
        EventDataStatus::Failed => {
            return over(&task, upload, Ended::Failed(data_set.failure.unwrap_or_default())).await;
        }
        EventDataStatus::Pending => {}
    }
    let now = task.change(KIND, Subject::EventDataSet(id)).now;
    store.begin_refresh(data_set.account, SourceId::EventDataSet(id), task.job.id, now).await?;
    match Attempt::of(&task, load(&task, &data_set, upload).await)? {
        Attempt::Came(read) => loaded(&task, &data_set, upload, read).await,
        Attempt::Failed(reason, read) => failed(&task, &data_set, upload, reason, read).await,
        Attempt::Gone => gone(&task, id, upload).await,
        Attempt::Stopped => Ok(Ended::HandedBack),
    }
}

/// Where events come to lie, how they are read, and what they are read with.
struct Loading {
    plan: EventPlan,
    folder: PathBuf,
    out: PathBuf,
    secret: Arc<IndexSecret>,
}

impl Loading {
    /// Reads one file or several into the data set's folder.
    fn read(
        &self,
        input: Input<'_>,
        scratch: &Path,
        tell: &mut dyn FnMut(Progress) -> Control,
    ) -> Result<Load, LoadFault> {
        std::fs::create_dir_all(&self.folder)?;
        // What an attempt left that was cut off before it could say so.
        remove_folder(&self.out)?;
        Ok(match &self.plan {
            EventPlan::Exposures(plan) => load_exposures(input, plan, &self.secret, scratch, &self.out, tell)?.load,
            EventPlan::Conversions(plan) => load_conversions(input, plan, &self.secret, scratch, &self.out, tell)?.load,
        })
    }
}

/// What came of a load, and how many stored bytes were read.
type Read = (Load, u64);

/// Reads the upload or the source into the data set's folder.
async fn load(task: &Task, data_set: &EventDataSet, upload: Option<UploadId>) -> Result<Read, Unpublished> {
    let account = task.gateway.store().account(data_set.account).await?.ok_or(Unpublished::Gone)?;
    let campaigns = task.gateway.store().campaigns_of_projects(&[data_set.project]).await?;
    let campaigns = campaigns.into_values().next().unwrap_or_default();
    let identities = task.gateway.identities();
    let folder = identities.events(account.id);
    let loading = Loading {
        plan: event_plan(data_set, &account.region, &campaigns),
        out: folder.join(data_set.id.to_string()),
        folder,
        secret: identities.index_secret(),
    };
    let (load, bytes) = match upload {
        Some(upload) => load_upload(task, loading, upload).await?,
        None => load_source(task, loading, (data_set, &account)).await?,
    };
    if load.accepted_rows == 0 {
        return Err(Unpublished::refused(reading::nothing_accepted(&load.faults, "columns"), rows_read(&load, bytes)));
    }
    Ok((load, bytes))
}

async fn load_upload(task: &Task, loading: Loading, upload: UploadId) -> Result<Read, Unpublished> {
    let gateway = task.gateway.clone();
    let gone = || Unpublished::refused(csv::gone(), RowsRead::default());
    let opened = opening::open(&gateway, upload).await?.ok_or_else(gone)?;
    let (said, heard) = watch::channel(Value::Null);
    let (stop, bytes) = (task.stop.clone(), opened.bytes);
    let reading = background::run(move || {
        let scratch = gateway.identities().scratch()?;
        loading.read(Input::File(opened.reader.file()), &scratch, &mut progress::of_file(said, stop, bytes))
    });
    match progress::follow(task, heard, reading).await.map_err(Fault::new)? {
        Ok(load) => Ok((load, bytes)),
        Err(_) if task.stop.is_cancelled() => Err(Unpublished::Stopped),
        Err(fault) => Err(faulty(task, fault, bytes)),
    }
}

async fn load_source(
    task: &Task,
    loading: Loading,
    (data_set, account): (&EventDataSet, &Account),
) -> Result<Read, Unpublished> {
    let id = SourceId::EventDataSet(data_set.id);
    let listed = reading_source::list(task, (id, account), data_set.source_type.as_deref(), "events").await?;
    let listed = listed.ok_or_else(|| reading_source::unread(task, &SourceError::NoParts))?;
    let bytes = listed.bytes();
    let read = reading_source::read_all(task, listed, move |parts, scratch, tell| {
        loading.read(Input::Parts(parts), scratch, tell)
    });
    match read.await? {
        Ok(load) => Ok((load, bytes)),
        Err(fault) => Err(faulty(task, fault, bytes)),
    }
}

/// What comes of a fault while so many bytes were read.
fn faulty(task: &Task, fault: LoadFault, bytes: u64) -> Unpublished {
    match fault {
        LoadFault::Source(fault) => reading_source::faulty(task, fault, bytes),
        LoadFault::Plan { reason } => {
            let refusal = Refusal::new(Code::FileRefused, format!("The columns cannot be read so: {reason}."));
            Unpublished::refused(refusal, RowsRead::default())
        }
        fault @ LoadFault::Parquet(_) => Fault::new(fault).into(),
    }
}

/// What became of the rows, as it is kept: counts, and the first faults by row, column and reason.
fn rows_read(load: &Load, bytes: u64) -> RowsRead {
    let kept = reading::kept(load.rows, load.accepted_rows, &load.faults, &load.columns);
    RowsRead { bytes: Some(bytes), ..kept }
}

/// Says that the events can be measured.
async fn loaded(
    task: &Task,
    data_set: &EventDataSet,
    upload: Option<UploadId>,
    (load, bytes): Read,
) -> Result<Ended, Fault> {
    let (id, account) = (data_set.id, data_set.account);
    let end = RefreshEnd {
        job: task.job.id,
        read: rows_read(&load, bytes),
        run: Some(id.to_string()),
        keys: load.keys.iter().map(|k| k.key.to_string()).collect(),
        failure: None,
    };
    let change = task.change(KIND, Subject::EventDataSet(id));
    let (rows, now) = (load.accepted_rows, change.now);
    let rule = move |present: &EventDataSet| {
        Ok(Outcome::of(event_data::loaded(present, rows, now)?)
            .events([event(present, AccountEventKind::EventDataLoaded)]))
    };
    if let Err(refusal) = task.gateway.store().end_event_data_load(change, id, end, Box::new(rule)).await? {
        tracing::info!(message = "loaded events have no data set any longer", %refusal);
        remove(&task.gateway, account, id).await?;
    }
    over(task, upload, Ended::Done).await
}

/// Says why there is nothing to measure.
async fn failed(
    task: &Task,
    data_set: &EventDataSet,
    upload: Option<UploadId>,
    reason: String,
    read: RowsRead,
) -> Result<Ended, Fault> {
    let id = data_set.id;
    let end = RefreshEnd { job: task.job.id, read, run: None, keys: vec![], failure: Some(reason.clone()) };
    let change = task.change(KIND, Subject::EventDataSet(id));
    let (now, failure) = (change.now, reason.clone());
    let rule = move |present: &EventDataSet| {
        let next = event_data::failed(present, &failure, now)?;
        Ok(Outcome::of(next).events([event(present, AccountEventKind::EventDataFailed)]))
    };
    if let Err(refusal) = task.gateway.store().end_event_data_load(change, id, end, Box::new(rule)).await? {
        tracing::info!(message = "events that could not be loaded have no data set any longer", %refusal);
    }
    remove(&task.gateway, data_set.account, id).await?;
    over(task, upload, Ended::Failed(reason)).await
}

fn event(data_set: &EventDataSet, kind: AccountEventKind) -> NewEvent {
    NewEvent::of_account(data_set.account, kind, Subject::EventDataSet(data_set.id))
}

/// The data set was deleted: what was read of it goes as well.
async fn gone(task: &Task, id: EventDataSetId, upload: Option<UploadId>) -> Result<Ended, Fault> {
    remove(&task.gateway, task.job.account, id).await?;
    over(task, upload, Ended::Done).await
}

/// Removes what there is of a data set that was deleted: its events, and the uploads that it was to be loaded from. A load that
/// is under way removes what it still writes.
pub async fn take_back(
    gateway: &Gateway,
    account: AccountId,
    data_set: EventDataSetId,
    uploads: &[UploadId],
) -> Result<(), Fault> {
    for upload in uploads {
        opening::remove(gateway, *upload).await?;
    }
    remove(gateway, account, data_set).await
}

/// Removes the events of a data set that is gone.
async fn remove(gateway: &Gateway, account: AccountId, data_set: EventDataSetId) -> Result<(), Fault> {
    let folder = gateway.identities().events(account).join(data_set.to_string());
    Ok(tokio::task::spawn_blocking(move || remove_folder(&folder)).await.map_err(Fault::new)??)
}

fn remove_folder(folder: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Removes events of an account whose data sets went, with their project or by themselves. To be called where nothing is
/// loaded for the account: at the start.
pub async fn remove_left_behind(gateway: &Arc<Gateway>, account: AccountId) -> Result<(), Fault> {
    let folder = gateway.identities().events(account);
    let found = match std::fs::read_dir(&folder) {
        Ok(entries) => entries.collect::<Result<Vec<_>, _>>()?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let ids: Vec<EventDataSetId> = found.iter().filter_map(|e| e.file_name().to_str()?.parse().ok()).collect();
    let known = gateway.store().event_data_sets_by_ids(&ids).await?;
    let kept: Vec<String> = known.keys().map(EventDataSetId::to_string).collect();
    let gateway = gateway.clone();
    let removed = tokio::task::spawn_blocking(move || gateway.identities().keep_only(&folder, &kept));
    Ok(removed.await.map_err(Fault::new)??)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use entente_domain::{
        CampaignId, MatchKey, MatchKeyKind, ProjectId,
        data_connection::{Consent, FieldMapping, Transformation},
        event_data::{EventColumns, ExposureColumns, TimeForm},
        project::Campaign,
    };

    fn loaded(file: &str) -> Load {
        let data_set = EventDataSet {
            id: EventDataSetId::new(),
            account: AccountId::new(),
            project: ProjectId::new(),
            name: "Run further".into(),
            source_type: None,
            fields: vec![FieldMapping {
                column: "email".into(),
                match_key: MatchKey::of(MatchKeyKind::HashedEmail),
                transformation: Transformation::NormaliseAndHash,
            }],
            columns: EventColumns::Exposures(ExposureColumns {
                key_type: None,
                time_form: TimeForm::Rfc3339,
                time: "time".into(),
                campaign: "campaign".into(),
                placement: None,
                creative: None,
                cost: Some("cost".into()),
                viewable: None,
                kind: None,
            }),
            delimiter: ';',
            events: vec![],
            consent: Consent { by: "user".into(), at: Timestamp::UNIX_EPOCH },
            status: EventDataStatus::Pending,
            failure: None,
            rows: 0,
            version: 1,
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
        };
        let campaign = |runner, external_id: &str| Campaign {
            id: CampaignId::new(),
            project: data_set.project,
            runner,
            external_id: external_id.into(),
            name: external_id.into(),
            placements: vec![],
            creatives: vec![],
            created_at: Timestamp::UNIX_EPOCH,
        };
        let campaigns = [campaign(data_set.account, "spring"), campaign(AccountId::new(), "theirs")];
        let EventPlan::Exposures(plan) = event_plan(&data_set, "DE", &campaigns) else {
            unreachable!("it has columns of exposures")
        };
        let folder = tempfile::tempdir().unwrap();
        let (secret, out) = (IndexSecret::new([7; 16]), folder.path().join("events"));
        let mut go_on = |_| Control::Continue;
        let csv = &mut file.as_bytes();
        load_exposures(Input::Csv(csv), &plan, &secret, folder.path(), &out, &mut go_on).unwrap().load
    }

    #[test]
    fn faults_are_kept_by_row_column_and_reason_never_by_value() {
        let file = "email;time;campaign;cost\n\
            ada@example.com;2026-11-01T10:00:00Z;spring;0.02\n\
            nobody;2026-11-01T10:00:00Z;spring;0.02\n\
            bob@example.com;yesterday;spring;0.02\n\
            bob@example.com;2026-11-01T10:00:00Z;theirs;0.02\n";
        let read = rows_read(&loaded(file), 9);
        assert_eq!((read.rows, read.accepted), (4, 1));
        let listed: Vec<_> = read.listed.iter().map(|f| (f.row, f.column.as_deref(), f.reason.as_str())).collect();
        assert_eq!(
            listed,
            [
                (2, Some("email"), "EMAIL_INVALID"),
                (2, None, "NO_IDENTITY"),
                (3, Some("time"), "TIME_UNREADABLE"),
                (4, Some("campaign"), "CAMPAIGN_UNKNOWN"),
            ]
        );
        assert!(!format!("{read:?}").contains("nobody"));
    }

    #[test]
    fn a_file_of_which_nothing_was_taken_says_why() {
        let load = loaded("email;time;campaign;cost\nada@example.com;noon;spring;1\nbob@example.com;noon;spring;1\n");
        let message = "No row was accepted, most often because of TIME_UNREADABLE; check the columns.";
        assert_eq!(reading::nothing_accepted(&load.faults, "columns").message, message);
    }
}
