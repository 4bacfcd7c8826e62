use crate::{
    database::{Database, done, on_both},
    world::{account, at, change, connected, email, job, project, sourced, upload},
};
use entente_domain::{
    AccountId, ActivationId, Code, CrosswalkId, DestinationId, GenerationId, JobId, MatchKey, MatchKeyKind, Refusal,
    SentAudienceId,
    account::{self, AccountChange, Role},
    activation::{self, Activation, ActivationStatus, NewSend, Recurrence},
    crosswalk::{self, Crosswalk, CrosswalkSide, CrosswalkStatus, KeyColumn, LinkCounts, NewCrosswalk},
    data_connection::Transformation,
    event::Subject,
    match_key::AccountMatchKey,
    slot::Slot,
};
use entente_store::{
    Created, DestinationSettings, JobState, LinksPublication, LoadedAccount, LoadedActivation, LoadedSend, NewJob,
    Outcome, PageRequest, RefreshEnd, RefreshStatus, RowsRead, SourceId, StoreError,
};

fn crm() -> MatchKey {
    MatchKey::of(MatchKeyKind::CrmId)
}

/// Gives an account the keys that its crosswalks link.
async fn with_keys(db: &Database, account: AccountId) {
    assert!(keys(db, account, &[email(), crm()]).await.is_ok());
}

async fn keys(db: &Database, account: AccountId, wanted: &[MatchKey]) -> Result<account::Account, Refusal> {
    let wanted = wanted.iter().map(|key| AccountMatchKey { key: key.clone(), provider_account_id: None }).collect();
    let rule = move |loaded: &LoadedAccount| {
        let wanted = AccountChange { match_keys: Some(wanted), ..AccountChange::default() };
        account::update(&loaded.account, wanted, &loaded.keys_in_use, at(1)).map(Outcome::of)
    };
    db.store.change_account(change(account, "updateAccount"), account, Box::new(rule)).await.unwrap()
}

fn side(match_key: MatchKey) -> CrosswalkSide {
    let columns = vec![KeyColumn { column: "id".into(), transformation: Transformation::AlreadyHashed }];
    CrosswalkSide { match_key, columns }
}

async fn create(
    db: &Database,
    account: AccountId,
    (join, linked): (MatchKey, MatchKey),
) -> Result<Result<Created<CrosswalkId>, Refusal>, StoreError> {
    let (id, upload) = (CrosswalkId::new(), upload(db, account).await);
    let (join, linked) = (side(join), side(linked));
    let rule = move |owner: &account::Account, present: &Vec<Crosswalk>| {
        let new = NewCrosswalk { name: "Members".into(), join, linked, delimiter: ',', consent_acknowledged: true };
        crosswalk::create(id, (account, &owner.keys()), present, new, "gateway", at(0)).map(Outcome::of)
    };
    db.store.create_crosswalk(change(account, "createCrosswalk"), id, account, upload, Box::new(rule)).await
}

/// Publishes links that let an audience have 30 more identities by e-mail; the generation.
async fn publish(db: &Database, account: AccountId, crosswalk: CrosswalkId) -> LinksPublication {
    let job = JobId::new();
    db.store.begin_refresh(account, SourceId::Crosswalk(crosswalk), job, at(1)).await.unwrap();
    LinksPublication {
        crosswalk,
        job,
        built_from: db.store.current_generations(&[account]).await.unwrap().get(&account).map(|g| g.id),
        generation: GenerationId::new(),
        account_identities: [("hashed_email".to_owned(), 130)].into(),
        audience_sizes: [(Slot(1), [("hashed_email".to_owned(), 130)].into())].into(),
        links: job.to_string(),
        counts: LinkCounts { links: 40, join_identities: 30, linked_identities: 35, one_to_many: 4, many_to_one: 5 },
        read: RowsRead { rows: 41, accepted: 40, ..RowsRead::default() },
    }
}

async fn links_are_published_at_once(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    with_keys(&db, luma).await;
    sourced(&db, luma, &["Runners", "Hikers"]).await;
    let id = done(create(&db, luma, (crm(), email())).await).id;
    assert_eq!(create(&db, luma, (email(), crm())).await.unwrap().unwrap_err().code, Code::AlreadyExists);

    let first = publish(&db, luma, id).await;
    let loaded = done(db.store.publish_links(change(luma, "load"), first.clone(), Vec::new()).await);
    assert_eq!((loaded.status, loaded.counts), (CrosswalkStatus::Active, first.counts));
    assert_eq!(db.store.crosswalks_by_ids(&[id]).await.unwrap()[&id], loaded);
    assert_eq!(db.store.all_crosswalks(luma).await.unwrap(), std::slice::from_ref(&loaded));
    assert_eq!(db.store.current_generations(&[luma]).await.unwrap()[&luma].id, first.generation);
    let audiences = db.store.active_audiences(luma, at(1)).await.unwrap();
    let sizes: Vec<_> = audiences.iter().map(|a| (a.name.as_str(), a.identity_count())).collect();
    assert_eq!(sizes, [("Runners", 130), ("Hikers", 0)], "as the generation has them");

    let stale = db.store.publish_links(change(luma, "load"), first, Vec::new()).await.unwrap();
    assert_eq!(stale.unwrap_err().code, Code::Conflict, "it was built from what is no longer current");

    let job = JobId::new();
    let source = SourceId::Crosswalk(id);
    db.store.begin_refresh(luma, source, job, at(2)).await.unwrap();
    let failure = Some("The file is empty.".to_owned());
    let end = RefreshEnd { job, read: RowsRead::default(), run: None, keys: Vec::new(), failure };
    let failed = done(db.store.fail_links(change(luma, "load"), id, end).await);
    assert_eq!((failed.status, failed.links.as_ref()), (CrosswalkStatus::Failed, loaded.links.as_ref()));
    let loads = db.store.refreshes_of_source(source, PageRequest::first(5)).await.unwrap().into_values();
    let statuses: Vec<_> = loads.iter().map(|l| l.status).collect();
    assert_eq!(statuses, [RefreshStatus::Failed, RefreshStatus::Succeeded]);
}

async fn a_linked_key_is_in_use(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    with_keys(&db, luma).await;
    let id = done(create(&db, luma, (crm(), email())).await).id;
    assert_eq!(keys(&db, luma, &[email()]).await.unwrap_err().code, Code::MatchKeyInUse);
    let tv = account(&db, "TV Tube", Role::Publisher).await;
    assert!(db.store.all_crosswalks(tv).await.unwrap().is_empty());
    let delete = || {
        let rule = |_: &Crosswalk| Ok(Outcome::of(()));
        db.store.delete_crosswalk(change(luma, "deleteCrosswalk"), id, Box::new(rule))
    };
    done(delete().await);
    assert_eq!(delete().await.unwrap().unwrap_err().code, Code::NotFound);
    assert!(keys(&db, luma, &[email()]).await.is_ok());
    assert_eq!(create(&db, luma, (crm(), email())).await.unwrap().unwrap_err().code, Code::MatchKeyUnavailable);
}

/// What Luma sends TV Tube is activated as its CRM id; the activation and its job.
async fn activated(db: &Database, luma: AccountId, tv: AccountId) -> (ActivationId, JobId) {
    let audience = sourced(db, luma, &["Runners"]).await[0];
    let connection = connected(db, luma, tv).await;
    let project = project(db, connection, luma).await;
    let (sent, destination, id, job_id) =
        (SentAudienceId::new(), DestinationId::new(), ActivationId::new(), JobId::new());
    let new = NewSend {
        audience,
        within: vec![],
        match_keys: vec![email()],
        recurrence: Recurrence::Once,
        holdout_percent: None,
    };
    let rule = move |loaded: &LoadedSend| {
        activation::send(sent, &loaded.connection, &loaded.project, luma, new, at(4)).map(Outcome::of)
    };
    let by = change(luma, "sendAudience");
    done(db.store.create_sent_audience(by, sent, project, audience, Vec::new(), Box::new(rule)).await);
    let settings = DestinationSettings { sealed: vec![1], shown: serde_json::json!({}) };
    let rule = move |owner: &account::Account| {
        let keys = [crm()];
        activation::destination(destination, owner.id, "Zone", "landing-zone", keys.to_vec(), &keys, at(4))
            .map(Outcome::of)
    };
    done(db.store.create_destination(change(tv, "zone"), destination, tv, settings, None, Box::new(rule)).await);
    let rule = move |loaded: &LoadedActivation| {
        let (so_far, zone) = ((&loaded.sent, loaded.activations.as_slice()), loaded.destination.as_ref().unwrap());
        let as_they_are = activation::activate(id, so_far, tv, zone, (None, &[]), at(5).date_naive(), at(5));
        assert_eq!(as_they_are.unwrap_err().code, Code::MatchKeyUnavailable, "the destination takes CRM ids only");
        let through = (Some(crm()), loaded.crosswalks.as_slice());
        let made = activation::activate(id, so_far, tv, zone, through, at(5).date_naive(), at(5))?;
        let about = Some(Subject::Activation(id));
        Ok(Outcome::of(made).job(NewJob { subject: about, ..job(job_id, "deliver", "lane", tv) }))
    };
    done(db.store.create_activation(change(tv, "activate"), id, sent, destination, Box::new(rule)).await);
    (id, job_id)
}

async fn what_is_delivered_through_a_deleted_crosswalk_fails(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let tv = account(&db, "TV Tube", Role::Publisher).await;
    with_keys(&db, tv).await;
    let crosswalk = done(create(&db, tv, (crm(), email())).await).id;
    let links = publish(&db, tv, crosswalk).await;
    done(db.store.publish_links(change(tv, "load"), links, Vec::new()).await);
    let (waiting, its_job) = activated(&db, luma, tv).await;
    let read = async |id| -> Activation { db.store.activations_by_ids(&[id]).await.unwrap()[&id].clone() };
    let made = read(waiting).await;
    assert_eq!((made.match_keys, made.deliver_as), (vec![email()], Some(crm())));

    let rule = |_: &Crosswalk| Ok(Outcome::of(()));
    done(db.store.delete_crosswalk(change(tv, "deleteCrosswalk"), crosswalk, Box::new(rule)).await);
    let ended = read(waiting).await;
    assert_eq!(ended.status, ActivationStatus::Failed);
    assert_eq!(ended.failure.as_deref(), Some("The crosswalk that it is delivered through was deleted."));
    assert_eq!(db.store.job(its_job).await.unwrap().unwrap().state, JobState::Cancelled);
}

on_both!(links_are_published_at_once, a_linked_key_is_in_use, what_is_delivered_through_a_deleted_crosswalk_fails,);
