use crate::{
    database::{Database, on_both},
    world::{account, at, job},
};
use chrono::TimeDelta;
use entente_domain::{JobId, account::Role};
use entente_store::{JobPool, JobState, NewJob, PageRequest};
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
                let Some(job) = store.lease_next(&me, at(1), MINUTE, JobPool::of(&["other", "tidy"])).await.unwrap()
                else {
                    if store.waiting_jobs().await.unwrap().is_empty() {
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
    let lease = |owner: &'static str, seconds| db.store.lease_next(owner, at(seconds), MINUTE, JobPool::of(&["tidy"]));
    assert!(db.store.lease_next("a", at(0), MINUTE, JobPool::of(&["other"])).await.unwrap().is_none());
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

async fn a_wait_is_no_failed_attempt(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let id = JobId::new();
    db.store.enqueue(vec![job(id, "tidy", "luma", luma)], at(0)).await.unwrap();
    let lease = |seconds| db.store.lease_next("a", at(seconds), MINUTE, JobPool::of(&["tidy"]));
    for hour in 0..30 {
        assert_eq!(lease(hour * 3_600).await.unwrap().unwrap().attempts, 1);
        assert!(db.store.postpone_job(id, "a", at((hour + 1) * 3_600)).await.unwrap());
        assert!(lease((hour + 1) * 3_600 - 1).await.unwrap().is_none(), "it waits");
        assert!(!db.store.postpone_job(id, "b", at(0)).await.unwrap(), "b does not hold it");
    }
    for attempt in 1..=3 {
        assert_eq!(lease(200_000).await.unwrap().unwrap().attempts, attempt);
        assert!(db.store.retry_job_at(id, "a", at(0), None).await.unwrap());
    }
    assert_eq!(lease(200_000).await.unwrap().unwrap().attempts, 4);
    assert!(!db.store.job_got_on(id, "b").await.unwrap(), "b does not hold it");
    assert!(db.store.job_got_on(id, "a").await.unwrap());
    assert!(db.store.retry_job_at(id, "a", at(0), None).await.unwrap());
    assert_eq!(lease(200_000).await.unwrap().unwrap().attempts, 2, "the one that got on is the first");
}

async fn accounts_take_turns(db: Database) {
    let mut accounts = Vec::new();
    for (name, jobs) in [("Luma", 6), ("TV Tube", 3), ("Radio", 1)] {
        let id = account(&db, name, Role::Advertiser).await;
        let new = (0..jobs).map(|n| job(JobId::new(), "tidy", &format!("{name} {n}"), id)).collect();
        db.store.enqueue(new, at(0)).await.unwrap();
        accounts.push(id);
    }
    let pool = JobPool { name: "tidying", ..JobPool::of(&["tidy"]) };
    let mut order = Vec::new();
    for second in 1.. {
        let Some(job) = db.store.lease_next("a", at(second), MINUTE, pool).await.unwrap() else { break };
        order.push(accounts.iter().position(|a| *a == job.account).unwrap());
        assert!(db.store.finish_job(job.id, "a", at(second)).await.unwrap());
    }
    assert_eq!(order, [0, 1, 2, 0, 1, 0, 1, 0, 0, 0], "one that ends at a time");

    let busy = JobPool { per_account: 2, ..pool };
    let new = accounts.iter().flat_map(|id| (0..4).map(move |n| job(JobId::new(), "tidy", &format!("{id} {n}"), *id)));
    db.store.enqueue(new.collect(), at(0)).await.unwrap();
    let mut held = [0; 3];
    while let Some(job) = db.store.lease_next("a", at(100), MINUTE, busy).await.unwrap() {
        held[accounts.iter().position(|a| *a == job.account).unwrap()] += 1;
        assert!(held.iter().max().unwrap() - held.iter().min().unwrap() <= 1, "{held:?}");
    }
    assert_eq!(held, [2, 2, 2], "no account has more than its places");
    assert!(db.store.lease_next("b", at(100), MINUTE, busy).await.unwrap().is_some(), "another worker has its own");
}

async fn what_is_shared_is_never_crowded(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let sharing = |n: usize| {
        let share = Some(if n < 8 { "slow" } else { "quick" }.to_owned());
        NewJob { share, ..job(JobId::new(), "tidy", &format!("lane {n}"), luma) }
    };
    db.store.enqueue((0..10).map(sharing).collect(), at(0)).await.unwrap();
    let pool = JobPool { per_share: 3, ..JobPool::of(&["tidy"]) };
    let mut leased = Vec::new();
    for worker in ["a", "b"] {
        while let Some(job) = db.store.lease_next(worker, at(1), MINUTE, pool).await.unwrap() {
            leased.push((worker, job));
        }
    }
    let slow =
        |leased: &[(&str, entente_store::Job)]| leased.iter().filter(|(_, j)| j.lane.as_str() < "lane 8").count();
    assert_eq!((leased.len(), slow(&leased)), (5, 3), "on all workers together, and the quick ones are not in its way");
    let (worker, done) = leased.iter().find(|(_, job)| job.lane.as_str() < "lane 8").unwrap();
    assert!(db.store.postpone_job(done.id, worker, at(900)).await.unwrap());
    assert!(
        db.store.lease_next("a", at(2), MINUTE, pool).await.unwrap().is_some(),
        "one that waits gives its place back"
    );
    assert!(db.store.lease_next("a", at(2), MINUTE, pool).await.unwrap().is_none());
}

on_both!(
    a_job_is_done_once_and_a_lane_is_never_shared,
    a_lease_ends,
    a_wait_is_no_failed_attempt,
    accounts_take_turns,
    what_is_shared_is_never_crowded,
);
