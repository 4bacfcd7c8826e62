use crate::{
    database::{Database, done, on_both},
    world::{account, at, change, data_connection, publication, shape},
};
use entente_domain::{
    AccountId, Code, DataConnectionId, JobId, Refusal, UploadId,
    account::Role,
    data_connection::{DataConnection, DataConnectionStatus, sourced_again},
    drift::{Drift, accept},
    event::{AccountEventKind, Happening},
};
use entente_store::{Change, DriftFound, LoadedDrift, Outcome, RefreshEnd, RefreshStatus, RowsRead, SourceId, Stream};

/// A refresh that drifted; its job.
async fn drifted(db: &Database, (account, id): (AccountId, DataConnectionId), seconds: i64) -> JobId {
    let job = JobId::new();
    db.store.begin_refresh(account, SourceId::DataConnection(id), job, at(seconds)).await.unwrap();
    let read = RowsRead { bytes: Some(70), rows: 10, ..RowsRead::default() };
    let failure = Some("Of 100 rows 10 are left.".to_owned());
    let end = RefreshEnd { job, read, run: None, keys: vec![], failure };
    let drifts = vec![Drift::RowsDropped { before: 100, now: 10 }];
    let found = DriftFound { drifts, shape: shape(&["email", "audience"], 10), upload: Some(UploadId::new()) };
    let by = Change { now: at(seconds + 1), ..change(account, "refresh") };
    let found = done(db.store.drift_refresh(by, id, end, found).await);
    assert_eq!(found.status, DataConnectionStatus::Drifted);
    job
}

/// Accepts it, whether or not its upload is there.
async fn accepted(
    db: &Database,
    (account, id): (AccountId, DataConnectionId),
    job: JobId,
) -> Result<DataConnection, Refusal> {
    let rule = |loaded: &LoadedDrift| {
        let drifted = entente_domain::drift::Drifted { can_be_read: true, ..loaded.drifted.clone() };
        accept(&drifted, &loaded.data_connection.mapping)?;
        Ok(Outcome::of(sourced_again(&loaded.data_connection, at(9))))
    };
    db.store.accept_drift(change(account, "acceptDrift"), id, (job, JobId::new()), Box::new(rule)).await.unwrap()
}

async fn what_drifted_is_accepted_until_something_is_published(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let (id, first) = data_connection(&db, luma).await;
    assert_eq!(db.store.published_shape(id).await.unwrap(), None);
    let good = publication(&db, luma, (id, first), &["Runners"]).await;
    done(db.store.publish_generation(change(luma, "refresh"), good, Vec::new()).await);
    assert_eq!(db.store.published_shape(id).await.unwrap(), Some(shape(&["email", "audience"], 100)));

    let job = drifted(&db, (luma, id), 10).await;
    let seen = db.store.refresh(job).await.unwrap().unwrap();
    assert_eq!((seen.status, seen.bytes, seen.drifts.len()), (RefreshStatus::Drifted, Some(70), 1));
    assert_eq!(db.store.drifted_shape(job).await.unwrap(), Some(shape(&["email", "audience"], 10)));
    assert_eq!(db.store.kept_uploads(id).await.unwrap(), [seen.upload.unwrap()]);

    let tv = account(&db, "TV Tube", Role::Publisher).await;
    let (theirs, _) = data_connection(&db, tv).await;
    for (of, job) in [((tv, id), job), ((tv, theirs), job), ((luma, id), first), ((luma, id), JobId::new())] {
        assert_eq!(accepted(&db, of, job).await.unwrap_err().code, Code::NotFound);
    }
    accepted(&db, (luma, id), job).await.unwrap();
    assert!(db.store.refresh(job).await.unwrap().unwrap().accepted_by.is_some());
    let later = drifted(&db, (luma, id), 20).await;
    assert_eq!(accepted(&db, (luma, id), job).await.unwrap_err().code, Code::WrongState);
    assert_eq!(db.store.kept_uploads(id).await.unwrap().len(), 2);
    db.store.forget_kept_uploads(id).await.unwrap();
    assert_eq!(db.store.kept_uploads(id).await.unwrap(), []);

    let again = JobId::new();
    db.store.begin_refresh(luma, SourceId::DataConnection(id), again, at(30)).await.unwrap();
    let good = publication(&db, luma, (id, again), &["Runners"]).await;
    let by = Change { now: at(31), ..change(luma, "refresh") };
    done(db.store.publish_generation(by, good, Vec::new()).await);
    assert_eq!(accepted(&db, (luma, id), later).await.unwrap_err().code, Code::WrongState);
}

/// How often the account was told.
async fn told(db: &Database, account: AccountId) -> usize {
    let events = db.store.events_after(account, 0, 1_000, Some(Stream::Account)).await.unwrap();
    let expiring = Happening::Account(AccountEventKind::DataConnectionExpiring);
    events.iter().filter(|event| event.happening == expiring).count()
}

async fn of_what_expires_is_told_once_for_each_refresh(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let (id, job) = data_connection(&db, luma).await;
    let good = publication(&db, luma, (id, job), &["Runners"]).await;
    done(db.store.publish_generation(change(luma, "refresh"), good, Vec::new()).await);
    assert_eq!(db.store.expiring(at(-1)).await.unwrap(), []);
    assert_eq!(db.store.expiring(at(0)).await.unwrap(), [id]);
    let tell = async |refreshed_by: i64| {
        let telling = (0..8).map(|_| {
            let store = db.store.clone();
            tokio::spawn(async move { store.tell_of_expiry(id, at(refreshed_by), at(refreshed_by + 9)).await.unwrap() })
        });
        for telling in telling.collect::<Vec<_>>() {
            telling.await.unwrap();
        }
        told(&db, luma).await
    };
    assert_eq!(tell(-1).await, 0, "it was refreshed since");
    assert_eq!(tell(0).await, 1);
    assert_eq!(db.store.expiring(at(0)).await.unwrap(), []);

    let again = JobId::new();
    db.store.begin_refresh(luma, SourceId::DataConnection(id), again, at(90)).await.unwrap();
    done(db.store.confirm_refresh(Change { now: at(100), ..change(luma, "refresh") }, id, again).await);
    assert_eq!(tell(99).await, 1);
    assert_eq!(tell(100).await, 2);
}

on_both!(what_drifted_is_accepted_until_something_is_published, of_what_expires_is_told_once_for_each_refresh);
