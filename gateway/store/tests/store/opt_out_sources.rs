use crate::{
    database::{Database, done, on_both},
    world::{account, at, change, email, shape},
};
use entente_domain::{
    AccountId, Code, JobId, Refusal,
    account::Role,
    data_connection::{FieldMapping, Transformation},
    event::Subject,
    opt_out::{self, LoadedOptOuts, OptOutList, OptOutLoad, OptOutMode, OptOutSource},
    schedule::Schedule,
};
use entente_store::{
    LoadedOptOutSource, NewJob, OptOutsPublication, OptOutsRead, Outcome, RefreshStatus, RowsRead, SCHEDULED_OPT_OUTS,
    SourceId, SourceSettings,
};
use serde_json::json;

/// Sets a source with settings that take the place of others.
async fn set(
    db: &Database,
    account: AccountId,
    (read, sealed): (Option<u8>, u8),
    mode: OptOutMode,
) -> Result<OptOutSource, Refusal> {
    let field =
        FieldMapping { column: "email".into(), match_key: email(), transformation: Transformation::NormaliseAndHash };
    let load = OptOutLoad { mode, fields: vec![field], delimiter: ',', by: "user".into() };
    let rule = |loaded: &LoadedOptOutSource| {
        opt_out::source(&loaded.account, "s3", load, Schedule::Once, at(0)).map(Outcome::of)
    };
    let settings =
        (read.map(|read| vec![read]), SourceSettings { sealed: vec![sealed], shown: json!({ "n": sealed }) });
    db.store.set_opt_out_source(change(account, "setOptOutSource"), account, settings, Box::new(rule)).await.unwrap()
}

/// Publishes what a source holds.
async fn load(db: &Database, account: AccountId, made_from: i64, seen: &str) -> Result<OptOutList, Refusal> {
    let job = JobId::new();
    db.store.begin_refresh(account, SourceId::OptOuts(account), job, at(1)).await.unwrap();
    let identities = [("hashed_email".to_owned(), 7)].into();
    let loaded = LoadedOptOuts { files: job.to_string(), identities, added: 7, removed: 0, sha256: "ab".repeat(32) };
    let (read, by) = (RowsRead { rows: 9, accepted: 7, ..RowsRead::default() }, "user".to_owned());
    let from = Some((shape(&["email"], 9), seen.to_owned()));
    let publication = OptOutsPublication { account, job, made_from, loaded, by, read, from };
    db.store.publish_opt_outs(change(account, "load_opt_outs"), publication, Vec::new()).await.unwrap()
}

async fn a_source_is_replaced_by_who_has_read_it(db: Database) {
    let (luma, id) = (account(&db, "Luma", Role::Advertiser).await, SourceId::OptOuts);
    assert!(db.store.opt_out_sources(&[luma]).await.unwrap().is_empty());
    let first = set(&db, luma, (None, 1), OptOutMode::Replace).await.unwrap();
    assert_eq!(db.store.opt_out_sources(&[luma]).await.unwrap()[&luma], first);
    for read in [None, Some(2)] {
        assert_eq!(set(&db, luma, (read, 3), OptOutMode::Add).await.unwrap_err().code, Code::Conflict, "{read:?}");
    }
    assert_eq!(db.store.source_settings(&[id(luma)]).await.unwrap()[&id(luma)].sealed, [1]);

    // What a load read is noted with the version that it made, and is nothing to another mode.
    assert_eq!(db.store.opt_outs_read(luma).await.unwrap(), None);
    assert_eq!(load(&db, luma, 0, "these files").await.unwrap().number, 1);
    let read = OptOutsRead { shape: shape(&["email"], 9), made: 1, seen: Some("these files".to_owned()) };
    assert_eq!(db.store.opt_outs_read(luma).await.unwrap(), Some(read.clone()));
    set(&db, luma, (Some(1), 2), OptOutMode::Replace).await.unwrap();
    assert_eq!(db.store.opt_outs_read(luma).await.unwrap(), Some(read));
    set(&db, luma, (Some(2), 3), OptOutMode::Add).await.unwrap();
    assert_eq!(db.store.opt_outs_read(luma).await.unwrap(), None);

    // The same again is as good as another load.
    let again = JobId::new();
    db.store.begin_refresh(luma, id(luma), again, at(9)).await.unwrap();
    done(db.store.confirm_opt_outs(change(luma, "load_opt_outs"), luma, again).await);
    let refresh = db.store.refresh(again).await.unwrap().unwrap();
    assert_eq!((refresh.status, refresh.rows, refresh.accepted), (RefreshStatus::Succeeded, 9, 7));

    // It goes with its settings, and what is read of it then is not published.
    let rule = |loaded: &LoadedOptOutSource| opt_out::present(loaded.source.as_ref()).map(|_| Outcome::of(()));
    let remove = || db.store.remove_opt_out_source(change(luma, "removeOptOutSource"), luma, Box::new(rule));
    done(remove().await);
    assert_eq!(remove().await.unwrap().unwrap_err().code, Code::WrongState);
    assert!(db.store.source_settings(&[id(luma)]).await.unwrap().is_empty());
    assert_eq!(load(&db, luma, 1, "these files").await.unwrap_err().code, Code::WrongState);
    assert_eq!(db.store.opt_outs_of_accounts(&[luma]).await.unwrap()[&luma].number, 1);
}

async fn one_run_waits_for_each_source(db: Database) {
    let (luma, tv) = (account(&db, "Luma", Role::Advertiser).await, account(&db, "TV", Role::Publisher).await);
    set(&db, luma, (None, 1), OptOutMode::Replace).await.unwrap();
    let plan = |account: AccountId| {
        let job = NewJob {
            kind: SCHEDULED_OPT_OUTS.to_owned(),
            subject: Some(Subject::Account(account)),
            run_at: at(900),
            ..crate::world::job(JobId::new(), "", &format!("account-{account}"), account)
        };
        db.store.plan_opt_outs(account, at(10), Box::new(move |_| Some(job)))
    };
    for account in [luma, luma, tv] {
        plan(account).await.unwrap();
    }
    let planned = db.store.planned_refreshes(&[SourceId::OptOuts(luma), SourceId::OptOuts(tv)]).await.unwrap();
    assert_eq!(planned, [(SourceId::OptOuts(luma), at(900))].into(), "the other has no source");
    let about = Subject::Account(luma);
    assert_eq!(db.store.jobs_about(about).await.unwrap().len(), 1);
    set(&db, luma, (Some(1), 2), OptOutMode::Replace).await.unwrap();
    assert!(db.store.planned_refreshes(&[SourceId::OptOuts(luma)]).await.unwrap().is_empty(), "it is planned anew");
}

on_both!(a_source_is_replaced_by_who_has_read_it, one_run_waits_for_each_source);
