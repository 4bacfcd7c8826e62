use crate::{
    database::{Database, done, on_both},
    world::{account, at, change, data_connection, data_connection_of_a_source, publication, sourced, upload},
};
use entente_domain::{
    Code, JobId, Refusal, UploadId,
    account::Role,
    audience::{Audience, AudienceChange, ConnectionAccess, NewNames, update_many},
    data_connection::{DataConnectionStatus, changed},
    slot::Slot,
};
use entente_store::{
    AudienceFilter, Change, LoadedDataConnection, NewRowFault, NewSourceSettings, Outcome, PageRequest,
    RebuiltGeneration, RefreshEnd, RefreshStatus, RowsRead, SourceId, SourceSettings,
};
use serde_json::json;

/// Audiences after a change.
fn edited(audiences: &[Audience], wanted: AudienceChange) -> Result<Outcome<Vec<Audience>>, Refusal> {
    let order: Vec<_> = audiences.iter().map(|a| a.id).collect();
    update_many(audiences, &order, wanted, 0, "gateway", at(9)).map(Outcome::of)
}

async fn a_refresh_replaces_audiences_at_once(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let refresh = data_connection(&db, luma).await;
    let first = publication(&db, luma, refresh, &["Runners", "Hikers"]).await;
    let source = done(db.store.publish_generation(change(luma, "refresh"), first.clone(), Vec::new()).await);
    assert_eq!(source.status, DataConnectionStatus::Active);
    let before = db.store.active_audiences(luma, at(1)).await.unwrap();
    assert_eq!(before.iter().map(|a| a.name.as_str()).collect::<Vec<_>>(), ["Runners", "Hikers"]);
    assert_eq!(before[0].categories, ["Sports"]);
    assert_eq!(db.store.runs(luma).await.unwrap()[0].slots, [Slot(1), Slot(2)]);

    let stale = db.store.publish_generation(change(luma, "refresh"), first, Vec::new()).await.unwrap();
    assert_eq!(stale.unwrap_err().code, Code::Conflict, "it was built from what is no longer current");

    let second = publication(&db, luma, refresh, &["Swimmers", "Runners"]).await;
    let by = Change { now: at(60), ..change(luma, "refresh") };
    done(db.store.publish_generation(by, second.clone(), Vec::new()).await);
    let after = db.store.active_audiences(luma, at(61)).await.unwrap();
    assert_eq!(
        after.iter().map(|a| (a.name.as_str(), a.slot.0)).collect::<Vec<_>>(),
        [("Runners", 1), ("Swimmers", 3)]
    );
    assert_eq!((after[0].id, after[0].refreshed_at), (before[0].id, Some(at(60))));
    assert_eq!(db.store.runs(luma).await.unwrap()[0].slots, [Slot(3), Slot(1)]);
    assert_eq!(db.store.current_generations(&[luma]).await.unwrap()[&luma].id, second.generation);
    assert_eq!(db.store.generations_of_account(luma).await.unwrap().len(), 2);
    assert!(!db.store.forget_generation(second.generation).await.unwrap(), "it is current");
    assert_eq!(db.store.active_audience_counts(&[luma], at(61)).await.unwrap()[&luma], 2);
    assert_eq!(db.store.active_audience_counts(&[luma], at(60 + 7 * 86_400)).await.unwrap()[&luma], 0, "expired");

    let returned = publication(&db, luma, refresh, &["Hikers"]).await;
    assert_eq!(returned.audiences[0].slot, Slot(2), "a name keeps its slot for ever");
}

async fn a_name_belongs_to_one_audience(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let ids = sourced(&db, luma, &["Runners", "Hikers"]).await;
    let rename = |id, name: &str| {
        let wanted = AudienceChange { names: NewNames::One(name.into()), ..AudienceChange::default() };
        db.store.change_audiences(
            change(luma, "updateAudiences"),
            luma,
            vec![id],
            Box::new(move |audiences: &[Audience]| edited(audiences, wanted)),
        )
    };
    assert_eq!(rename(ids[0], "Hikers").await.unwrap().unwrap_err().code, Code::AlreadyExists);
    assert_eq!(done(rename(ids[0], "Fast runners").await)[0].name, "Fast runners");
    assert_eq!(rename(ids[1], "Runners").await.unwrap().unwrap_err().code, Code::AlreadyExists, "it is a first name");

    let other = data_connection(&db, luma).await;
    for taken in ["Fast runners", "Runners"] {
        let refresh = publication(&db, luma, other, &["Swimmers", taken]).await;
        let refused = db.store.publish_generation(change(luma, "refresh"), refresh, Vec::new()).await.unwrap();
        assert_eq!(refused.unwrap_err().code, Code::AlreadyExists);
    }
    assert_eq!(db.store.active_audiences(luma, at(1)).await.unwrap().len(), 2, "nothing of it was kept");
    let tv = account(&db, "TV Tube", Role::Publisher).await;
    let foreign = db.store.change_audiences(
        change(tv, "updateAudiences"),
        tv,
        ids,
        Box::new(|a: &[Audience]| Ok(Outcome::of(a.to_vec()))),
    );
    assert_eq!(foreign.await.unwrap().unwrap_err().code, Code::NotFound);
}

async fn audiences_are_filtered(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let ids = sourced(&db, luma, &["Runners", "Hikers", "Swimmers"]).await;
    let (connection, other) = (entente_domain::ConnectionId::new(), entente_domain::ConnectionId::new());
    let rule = move |audiences: &[Audience]| {
        let access = [ConnectionAccess::Private, ConnectionAccess::Custom(vec![connection]), ConnectionAccess::Public];
        let changed = audiences.iter().zip(access).map(|(a, access)| {
            let wanted = AudienceChange {
                access: Some(access),
                categories: Some(vec!["50% \"off\"".into()]),
                ..AudienceChange::default()
            };
            edited(std::slice::from_ref(a), wanted).map(|outcome| outcome.value)
        });
        Ok(Outcome::of(changed.collect::<Result<Vec<_>, _>>()?.concat()))
    };
    done(db.store.change_audiences(change(luma, "updateAudiences"), luma, ids, Box::new(rule)).await);
    let public = db.store.newest_public_audiences_of_accounts(&[luma], at(1), 5, true).await.unwrap();
    assert_eq!((public[&luma].total, public[&luma].items[0].1.name.as_str()), (1, "Swimmers"));
    let none = AudienceFilter::default;
    for (filter, names) in [
        (AudienceFilter { visible_to: Some(connection), ..none() }, vec!["Swimmers", "Hikers"]),
        (AudienceFilter { visible_to: Some(other), ..none() }, vec!["Swimmers"]),
        (AudienceFilter { category: Some("50% \"off\"".into()), ..none() }, vec!["Swimmers", "Hikers", "Runners"]),
        (AudienceFilter { category: Some("50".into()), ..none() }, vec![]),
        (AudienceFilter { search: Some("IKE".into()), active: true, ..none() }, vec!["Hikers"]),
    ] {
        let page = db.store.audiences_of_account(luma, filter, at(1), PageRequest::first(9)).await.unwrap();
        assert_eq!(page.into_values().iter().map(|a| a.name.as_str()).collect::<Vec<_>>(), names);
    }
}

async fn a_failed_refresh_leaves_what_was_there(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let (id, job) = data_connection(&db, luma).await;
    let source = SourceId::DataConnection(id);
    let listed =
        (1..=1_200).map(|row| NewRowFault { row, column: Some("email".into()), reason: "NOT_AN_EMAIL".into() });
    let read = RowsRead {
        rows: 1_200,
        bytes: Some(9_600),
        identities: Some(0),
        accepted: 0,
        faults: [("NOT_AN_EMAIL".to_owned(), 1_200)].into(),
        listed: listed.collect(),
    };
    let end = RefreshEnd { job, read, run: None, keys: Vec::new(), failure: Some("No row could be read.".into()) };
    let failed = done(db.store.fail_refresh(change(luma, "refresh"), id, end, Vec::new()).await);
    assert_eq!(failed.status, DataConnectionStatus::Failed);
    let latest = &db.store.latest_refreshes(&[source]).await.unwrap()[&source];
    assert_eq!((latest.status, latest.faults["NOT_AN_EMAIL"]), (RefreshStatus::Failed, 1_200));
    let last = db.store.row_faults(job, PageRequest::last(2)).await.unwrap();
    assert_eq!(last.total, 1_000);
    assert_eq!(last.items.iter().map(|(_, f)| f.row).collect::<Vec<_>>(), [999, 1_000]);
    let next = db.store.row_faults(job, PageRequest::first(2).after(last.items[0].0.clone())).await.unwrap();
    assert_eq!((next.items[0].1.row, next.has_next), (1_000, false));

    let again = JobId::new();
    db.store.begin_refresh(luma, source, again, at(2)).await.unwrap();
    let good = publication(&db, luma, (id, again), &["Runners"]).await;
    done(db.store.publish_generation(change(luma, "refresh"), good, Vec::new()).await);
    let history = db.store.refreshes_of_source(source, PageRequest::first(9)).await.unwrap().into_values();
    assert_eq!(history.iter().map(|r| r.status).collect::<Vec<_>>(), [RefreshStatus::Succeeded, RefreshStatus::Failed]);
}

async fn an_upload_is_used_once_and_by_its_account(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let (id, _) = data_connection(&db, luma).await;
    let tv = account(&db, "TV Tube", Role::Publisher).await;
    let (mine, foreign) = (upload(&db, luma).await, upload(&db, tv).await);
    let source = |upload: UploadId, seconds| {
        let by = Change { now: at(seconds), ..change(luma, "refreshDataConnection") };
        db.store.change_data_connection(
            by,
            id,
            Some(upload),
            Box::new(|loaded: &LoadedDataConnection| {
                let mut next = loaded.data_connection.clone();
                next.version += 1;
                Ok(Outcome::of(next))
            }),
        )
    };
    for (upload, seconds) in [(foreign, 0), (UploadId::new(), 0), (mine, 7 * 86_400)] {
        let refused = source(upload, seconds).await.unwrap().unwrap_err();
        assert_eq!(refused.code, Code::UploadUnavailable);
    }
    done(source(mine, 1).await);
    assert_eq!(source(mine, 1).await.unwrap().unwrap_err().code, Code::UploadUnavailable);
    assert!(!db.store.upload_received(mine, 99, true).await.unwrap(), "it is complete");
    assert!(!db.store.delete_unused_upload(mine).await.unwrap(), "it is used");
    let expired = db.store.expired_uploads(at(7 * 86_400)).await.unwrap();
    assert_eq!(expired.len(), 3);
    db.store.delete_upload(mine).await.unwrap();
    assert!(db.store.uploads_by_ids(&[mine]).await.unwrap().is_empty());
    assert!(db.store.delete_unused_upload(foreign).await.unwrap());
    assert!(!db.store.delete_unused_upload(foreign).await.unwrap(), "it is gone");
}

async fn settings_of_a_source_are_replaced_by_who_has_read_them(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let id = data_connection_of_a_source(&db, luma).await;
    let uploaded = data_connection(&db, luma).await.0;
    let source = SourceId::DataConnection(id);
    let found = db.store.source_settings(&[source, SourceId::DataConnection(uploaded)]).await.unwrap();
    assert_eq!((found.len(), &found[&source].sealed), (1, &vec![1]));
    assert_eq!(found[&source].shown, json!({ "folder": "luma" }));
    let replace = |read: u8, sealed: u8| {
        let settings = SourceSettings { sealed: vec![sealed], shown: json!({ "folder": sealed }) };
        let new = NewSourceSettings { read_sealed: vec![read], settings };
        db.store.change_data_source(
            change(luma, "updateDataConnection"),
            id,
            Some(new),
            Box::new(|loaded: &LoadedDataConnection| {
                Ok(Outcome::of(changed(&loaded.data_connection, None, None, at(5))?))
            }),
        )
    };
    done(replace(1, 2).await);
    assert_eq!(replace(1, 3).await.unwrap().unwrap_err().code, Code::Conflict);
    assert_eq!(db.store.source_settings(&[source]).await.unwrap()[&source].shown, json!({ "folder": 2 }));
}

async fn a_refresh_that_found_the_same_is_as_good_as_one_that_read(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let id = data_connection_of_a_source(&db, luma).await;
    let (source, job) = (SourceId::DataConnection(id), JobId::new());
    db.store.begin_refresh(luma, source, job, at(1)).await.unwrap();
    assert_eq!(db.store.source_seen(source).await.unwrap(), None);
    let mut good = publication(&db, luma, (id, job), &["Runners"]).await;
    good.seen = Some("these files".to_owned());
    done(db.store.publish_generation(change(luma, "refresh"), good, Vec::new()).await);
    assert_eq!(db.store.source_seen(source).await.unwrap().as_deref(), Some("these files"));

    let again = JobId::new();
    db.store.begin_refresh(luma, SourceId::DataConnection(id), again, at(90)).await.unwrap();
    let by = Change { now: at(100), ..change(luma, "refresh") };
    done(db.store.confirm_refresh(by, id, again).await);
    let refresh = db.store.refresh(again).await.unwrap().unwrap();
    assert_eq!((refresh.status, refresh.rows, refresh.run), (RefreshStatus::Succeeded, 100, Some(job.to_string())));
    assert_eq!(db.store.active_audiences(luma, at(101)).await.unwrap()[0].refreshed_at, Some(at(100)));
    assert_eq!(db.store.runs(luma).await.unwrap()[0].refreshed_at, at(100));
}

async fn a_deleted_data_connection_takes_its_audiences(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let (id, job) = data_connection(&db, luma).await;
    let refresh = publication(&db, luma, (id, job), &["Runners"]).await;
    let current = refresh.generation;
    done(db.store.publish_generation(change(luma, "refresh"), refresh, Vec::new()).await);
    done(
        db.store
            .delete_data_connection(
                change(luma, "deleteDataConnection"),
                id,
                Box::new(|_: &LoadedDataConnection| Ok(Outcome::of(()))),
            )
            .await,
    );
    assert!(db.store.active_audiences(luma, at(1)).await.unwrap().is_empty());
    assert!(db.store.runs(luma).await.unwrap().is_empty());
    let rebuilt = RebuiltGeneration {
        account: luma,
        built_from: Some(current),
        generation: entente_domain::GenerationId::new(),
        account_identities: Default::default(),
        audience_sizes: Default::default(),
    };
    done(db.store.publish_rebuilt_generation(change(luma, "rebuild"), rebuilt, Vec::new()).await);
    assert!(db.store.forget_generation(current).await.unwrap());
    let gone = db.store.delete_data_connection(
        change(luma, "deleteDataConnection"),
        id,
        Box::new(|_: &LoadedDataConnection| Ok(Outcome::of(()))),
    );
    assert_eq!(gone.await.unwrap().unwrap_err().code, Code::NotFound);
}

async fn every_change_makes_another_edition(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let edition = async || db.store.standings(&[luma]).await.unwrap().remove(&luma).unwrap().audiences;
    let none = edition().await;
    let mut seen = Vec::new();
    for name in ["Fast runners", "Slow runners"] {
        let source = data_connection(&db, luma).await;
        let refresh = publication(&db, luma, source, &["Runners"]).await;
        done(db.store.publish_generation(change(luma, "refresh"), refresh, Vec::new()).await);
        seen.push(edition().await);
        assert_eq!(*seen.last().unwrap(), edition().await, "nothing changed");
        let audience = db.store.all_audiences(luma).await.unwrap().remove(0);
        let wanted = AudienceChange { names: NewNames::One(name.into()), ..AudienceChange::default() };
        let rule = move |a: &[Audience]| edited(a, wanted);
        let by = change(luma, "updateAudiences");
        done(db.store.change_audiences(by, luma, vec![audience.id], Box::new(rule)).await);
        seen.push(edition().await);
        let rule = |_: &LoadedDataConnection| Ok(Outcome::of(()));
        let by = change(luma, "deleteDataConnection");
        done(db.store.delete_data_connection(by, audience.data_connection, Box::new(rule)).await);
        assert_eq!(edition().await, none);
    }
    // The second time the audience has the slot and the version that it had the first time.
    seen.push(none);
    assert!((0..seen.len()).all(|i| !seen[..i].contains(&seen[i])), "{seen:?}");
}

on_both!(
    every_change_makes_another_edition,
    a_refresh_replaces_audiences_at_once,
    a_name_belongs_to_one_audience,
    audiences_are_filtered,
    a_failed_refresh_leaves_what_was_there,
    an_upload_is_used_once_and_by_its_account,
    settings_of_a_source_are_replaced_by_who_has_read_them,
    a_refresh_that_found_the_same_is_as_good_as_one_that_read,
    a_deleted_data_connection_takes_its_audiences,
);
