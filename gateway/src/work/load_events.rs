//! Loading exposures and conversions: an upload is read into stored events, which count from the transaction on that
//! says so. Safe to run again after a crash at any point.

use super::{Ended, Fault, Task, attempt::upload_of, progress};
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
    event::{AccountEventKind, NewEvent, Subject},
    event_data::{self, EventDataSet, EventDataStatus},
};
use entente_identity::{
    measure::{Load, LoadFault, load_conversions, load_exposures},
    source::Csv,
};
use entente_store::{NewJob, NewRowFault, Outcome, RefreshEnd, RowsRead, SourceId};
use serde_json::{Value, json};
use std::{io, path::Path, sync::Arc};
use tokio::sync::watch;

/// The kind of this job.
pub const KIND: &str = "load_events";

/// The job of a data set has its id, for a data set is loaded once.
pub fn job_of(data_set: EventDataSetId) -> JobId {
    JobId(data_set.0)
}

/// A job that loads a data set from an upload.
pub fn job(data_set: &EventDataSet, upload: UploadId, now: Timestamp) -> NewJob {
    NewJob {
        id: job_of(data_set.id),
        kind: KIND.to_owned(),
        lane: format!("events:{}", data_set.id),
        share: None,
        account: data_set.account,
        subject: Some(Subject::EventDataSet(data_set.id)),
        payload: json!({ "upload": upload }),
        run_at: now,
    }
}

/// Why nothing was loaded.
enum NotLoaded {
    /// The sentence says what is wrong with the file.
    Refused(Refusal, RowsRead),
    /// The gateway stops, or the job is no longer held.
    Stopped,
    /// To be tried again.
    Fault(Fault),
}

impl<F: Into<Fault>> From<F> for NotLoaded {
    fn from(fault: F) -> Self {
        Self::Fault(fault.into())
    }
}

/// Loads a data set.
pub async fn run(task: Task) -> Result<Ended, Fault> {
    let (Some(Subject::EventDataSet(id)), Some(upload)) = (task.job.subject, upload_of(&task.job)) else {
        return Err(Fault::new("a load without a data set or an upload"));
    };
    let store = task.gateway.store();
    let Some(data_set) = store.event_data_sets_by_ids(&[id]).await?.remove(&id) else {
        remove(&task.gateway, task.job.account, id).await?;
        return over(&task, upload, Ended::Done).await;
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
    match load(&task, &data_set, upload).await {
        Ok(load) => loaded(&task, &data_set, upload, load).await,
        Err(NotLoaded::Stopped) => Ok(Ended::HandedBack),
        Err(NotLoaded::Refused(refusal, read)) => failed(&task, &data_set, upload, refusal.message, read).await,
        Err(NotLoaded::Fault(fault)) if task.is_last_attempt() => {
            tracing::error!(message = "loading events is given up", job = %task.job.id, %fault);
            let reason = "It failed in the gateway; its operator can find it by the job's id.".to_owned();
            failed(&task, &data_set, upload, reason, RowsRead::default()).await
        }
        Err(NotLoaded::Fault(fault)) => Err(fault),
    }
}

/// Reads the upload into the data set's folder.
async fn load(task: &Task, data_set: &EventDataSet, upload: UploadId) -> Result<Load, NotLoaded> {
    let gateway = task.gateway.clone();
    let gone = || NotLoaded::Refused(csv::gone(), RowsRead::default());
    let mut opened = opening::open(&gateway, upload).await?.ok_or_else(gone)?;
    let account = gateway.store().account(data_set.account).await?;
    let account = account.ok_or_else(|| Fault::new("a data set without its account"))?;
    let plan = event_plan(data_set, &account.region);
    let folder = gateway.identities().events(account.id);
    let out = folder.join(data_set.id.to_string());
    let (said, heard) = watch::channel(Value::Null);
    let (stop, total_bytes) = (task.stop.clone(), opened.bytes);
    let reading = background::run(move || {
        std::fs::create_dir_all(&folder)?;
        // What an attempt left that was cut off before it could say so.
        remove_folder(&out)?;
        let scratch = gateway.identities().scratch()?;
        let secret = gateway.identities().index_secret();
        let mut tell = progress::of_file(said, stop, total_bytes);
        let loaded = match plan {
            EventPlan::Exposures(plan) => {
                load_exposures(Csv::One(&mut opened.reader), &plan, &secret, &scratch, &out, &mut tell)?.load
            }
            EventPlan::Conversions(plan) => {
                load_conversions(Csv::One(&mut opened.reader), &plan, &secret, &scratch, &out, &mut tell)?.load
            }
        };
        Ok::<_, LoadFault>(loaded)
    });
    let read = progress::follow(task, heard, reading).await.map_err(Fault::new)?;
    match read {
        Ok(load) if load.accepted_rows == 0 => Err(NotLoaded::Refused(nothing_accepted(&load), rows_read(&load))),
        Ok(load) => Ok(load),
        Err(_) if task.stop.is_cancelled() => Err(NotLoaded::Stopped),
        Err(LoadFault::Source(fault)) => Err(match csv::refusal(&fault) {
            Some(refusal) => NotLoaded::Refused(refusal, RowsRead::default()),
            None => Fault::new(fault).into(),
        }),
        Err(LoadFault::Plan { reason }) => {
            let refusal = Refusal::new(Code::FileRefused, format!("The columns cannot be read so: {reason}."));
            Err(NotLoaded::Refused(refusal, RowsRead::default()))
        }
        Err(fault @ LoadFault::Parquet(_)) => Err(Fault::new(fault).into()),
    }
}

/// What became of the rows, as it is kept: counts, and the first faults by row, column and reason.
fn rows_read(load: &Load) -> RowsRead {
    let listed = load.faults.listed.iter().map(|fault| NewRowFault {
        row: fault.row,
        column: fault.column.and_then(|position| load.columns.get(position).cloned()),
        reason: fault.fault.name().to_owned(),
    });
    RowsRead {
        rows: load.rows,
        accepted: load.accepted_rows,
        faults: load.faults.counts.iter().map(|(fault, n)| (fault.name().to_owned(), *n)).collect(),
        listed: listed.collect(),
        ..RowsRead::default()
    }
}

fn nothing_accepted(load: &Load) -> Refusal {
    // Of equal counts the last one wins: those of values stand first and say most.
    let most = load.faults.counts.iter().rev().max_by_key(|(_, n)| **n);
    let most = most.map_or_else(String::new, |(fault, _)| format!(", most often because of {}", fault.name()));
    Refusal::new(Code::FileRefused, format!("No row was accepted{most}; check the columns."))
}

/// Says that the events can be measured.
async fn loaded(task: &Task, data_set: &EventDataSet, upload: UploadId, load: Load) -> Result<Ended, Fault> {
    let (id, account) = (data_set.id, data_set.account);
    let end = RefreshEnd {
        job: task.job.id,
        read: rows_read(&load),
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
    upload: UploadId,
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

/// An upload is used once.
async fn over(task: &Task, upload: UploadId, ended: Ended) -> Result<Ended, Fault> {
    opening::remove(&task.gateway, upload).await?;
    Ok(ended)
}

/// Removes the events of a data set that is gone.
pub async fn remove(gateway: &Gateway, account: AccountId, data_set: EventDataSetId) -> Result<(), Fault> {
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
        MatchKey, MatchKeyKind, ProjectId,
        data_connection::{Consent, FieldMapping, Transformation},
        event_data::{EventColumns, ExposureColumns},
    };
    use entente_identity::{IndexSecret, source::Control};

    fn loaded(file: &str) -> Load {
        let data_set = EventDataSet {
            id: EventDataSetId::new(),
            account: AccountId::new(),
            project: ProjectId::new(),
            name: "Run further".into(),
            fields: vec![FieldMapping {
                column: "email".into(),
                match_key: MatchKey::of(MatchKeyKind::HashedEmail),
                transformation: Transformation::NormaliseAndHash,
            }],
            columns: EventColumns::Exposures(ExposureColumns {
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
        let EventPlan::Exposures(plan) = event_plan(&data_set, "DE") else {
            unreachable!("it has columns of exposures")
        };
        let folder = tempfile::tempdir().unwrap();
        let (secret, out) = (IndexSecret::new([7; 16]), folder.path().join("events"));
        let mut go_on = |_| Control::Continue;
        load_exposures(Csv::One(&mut file.as_bytes()), &plan, &secret, folder.path(), &out, &mut go_on).unwrap().load
    }

    #[test]
    fn faults_are_kept_by_row_column_and_reason_never_by_value() {
        let file = "email;time;campaign;cost\n\
            ada@example.com;2026-11-01T10:00:00Z;spring;0.02\n\
            nobody;2026-11-01T10:00:00Z;spring;0.02\n\
            bob@example.com;yesterday;spring;0.02\n";
        let read = rows_read(&loaded(file));
        assert_eq!((read.rows, read.accepted), (3, 1));
        let listed: Vec<_> = read.listed.iter().map(|f| (f.row, f.column.as_deref(), f.reason.as_str())).collect();
        assert_eq!(
            listed,
            [(2, Some("email"), "EMAIL_INVALID"), (2, None, "NO_IDENTITY"), (3, Some("time"), "TIME_UNREADABLE")]
        );
        assert!(!format!("{read:?}").contains("nobody"));
    }

    #[test]
    fn a_file_of_which_nothing_was_taken_says_why() {
        let load = loaded("email;time;campaign;cost\nada@example.com;noon;spring;1\nbob@example.com;noon;spring;1\n");
        let message = "No row was accepted, most often because of TIME_UNREADABLE; check the columns.";
        assert_eq!(nothing_accepted(&load).message, message);
    }
}
