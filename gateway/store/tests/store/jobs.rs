use crate::{
    database::{Database, on_both},
    world::{account, at, job},
};
use chrono::TimeDelta;
use entente_domain::{JobId, account::Role};
use entente_store::{JobState, PageRequest};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

const MINUTE: TimeDelta = TimeDelta::seconds(60);

async fn a_job_is_done_once_and_a_lane_is_never_shared(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let jobs = (0..40).map(|n| job(JobId::new(), "tidy", &format!("lane-{}", n % 5), luma)).collect();
    db.store.enqueue(jobs, at(0)).await.unwrap();
    let busy = Arc::new(Mutex::new(HashMap::<String, JobId>::new()));
    let mut workers = Vec::new();
    for n in 0..4 {
        let (store, busy) = (db.store.clone(), busy.clone());
        workers.push(tokio::spawn(async move {
            let me = format!("worker-{n}");
            let mut mine = 0;
            loop {
                let Some(job) = store.lease_next(&me, at(1), MINUTE, &["other", "tidy"]).await.unwrap() else {
                    let waiting = store.job_counts().await.unwrap();
                    if waiting.iter().all(|(state, _)| *state == JobState::Done) {
                        return mine;
                    }
                    tokio::task::yield_now().await;
                    continue;
                };
                assert_eq!(busy.lock().unwrap().insert(job.lane.clone(), job.id), None, "the lane is taken");
                assert_eq!((job.attempts, job.lease_owner.as_deref()), (1, Some(me.as_str())));
                tokio::task::yield_now().await;
                busy.lock().unwrap().remove(&job.lane);
                assert!(store.finish_job(job.id, &me, at(2)).await.unwrap());
                mine += 1;
            }
        }));
    }
    let mut all = 0;
    for worker in workers {
        all += worker.await.unwrap();
    }
    assert_eq!(all, 40);
}

async fn a_lease_ends(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let id = JobId::new();
    db.store.enqueue(vec![job(id, "tidy", "luma", luma)], at(0)).await.unwrap();
    let lease = |owner: &'static str, seconds| db.store.lease_next(owner, at(seconds), MINUTE, &["tidy"]);
    assert!(db.store.lease_next("a", at(0), MINUTE, &["other"]).await.unwrap().is_none());
    assert!(lease("a", -1).await.unwrap().is_none(), "it is not due");
    assert_eq!(lease("a", 0).await.unwrap().unwrap().id, id);
    assert!(lease("b", 59).await.unwrap().is_none());
    assert!(db.store.renew_job(id, "a", at(59), MINUTE).await.unwrap());
    assert!(lease("b", 100).await.unwrap().is_none(), "the lease was renewed");
    let taken = lease("b", 120).await.unwrap().unwrap();
    assert_eq!((taken.id, taken.attempts), (id, 2));
    assert!(!db.store.renew_job(id, "a", at(120), MINUTE).await.unwrap(), "a has lost it");
    assert!(!db.store.finish_job(id, "a", at(120)).await.unwrap());
    let progress = serde_json::json!({ "rows": 7 });
    assert!(db.store.set_job_progress(id, "b", progress.clone()).await.unwrap());
    assert!(db.store.hand_back_job(id, "b").await.unwrap());
    let handed = db.store.job(id).await.unwrap().unwrap();
    assert_eq!((handed.state, handed.attempts, handed.progress), (JobState::Queued, 1, Some(progress)));
    assert_eq!(lease("c", 121).await.unwrap().unwrap().attempts, 2);
    assert!(db.store.retry_job_at(id, "c", at(300), Some("The endpoint is down.")).await.unwrap());
    assert!(lease("c", 299).await.unwrap().is_none());
    assert!(lease("c", 300).await.unwrap().is_some());
    assert!(db.store.fail_job(id, "c", "It is gone.", at(301)).await.unwrap());
    let page = db.store.jobs_of_account(luma, &[JobState::Failed], PageRequest::first(5)).await.unwrap();
    assert_eq!(page.into_values()[0].error.as_deref(), Some("It is gone."));
}

on_both!(a_job_is_done_once_and_a_lane_is_never_shared, a_lease_ends);
