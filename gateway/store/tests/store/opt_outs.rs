use crate::{
    database::{Database, done, on_both},
    deliveries::{activate, begin, destination, end, send},
    world::{account, at, change, connected, project, sourced, upload},
};
use entente_domain::{
    AccountId, Code, JobId,
    account::{Account, Role},
    event::Subject,
    opt_out::{DeliveredOptOuts, LoadedOptOuts, OptOutList, OptOutProof, OptOutVersions},
};
use entente_store::{
    AuditFilter, OptOutsPublication, Outcome, PageRequest, RefreshEnd, RefreshStatus, RowsRead, SourceId,
};

/// What makes the next list of an account from one with this number.
async fn publication(db: &Database, account: AccountId, made_from: i64) -> OptOutsPublication {
    let job = JobId::new();
    db.store.begin_refresh(account, SourceId::OptOuts(account), job, at(1)).await.unwrap();
    let identities = [("hashed_email".to_owned(), 7)].into();
    let loaded = LoadedOptOuts { files: job.to_string(), identities, added: 5, removed: 1, sha256: "ab".repeat(32) };
    let read = RowsRead { rows: 6, accepted: 5, ..RowsRead::default() };
    OptOutsPublication { account, job, made_from, loaded, by: "user".to_owned(), read, from: None }
}

/// Gives an account its first list.
pub async fn load(db: &Database, account: AccountId) -> OptOutList {
    let first = publication(db, account, 0).await;
    done(db.store.publish_opt_outs(change(account, "load_opt_outs"), first, Vec::new()).await)
}

/// The proofs in the log of an account, newest first, with what they are about.
async fn proofs(db: &Database, account: AccountId) -> Vec<(Option<Subject>, OptOutProof)> {
    let page = db.store.audit_of_account(account, AuditFilter::default(), PageRequest::first(50)).await.unwrap();
    page.items.into_iter().filter_map(|(_, entry)| Some((entry.subject, entry.opt_outs?))).collect()
}

async fn a_list_is_replaced_whole(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let first = load(&db, luma).await;
    assert_eq!((first.number, first.identities["hashed_email"], first.loaded_by.as_str()), (1, 7, "user"));
    assert_eq!(db.store.opt_outs_of_accounts(&[luma]).await.unwrap()[&luma], first);

    let stale = publication(&db, luma, 0).await;
    let by = || change(luma, "load_opt_outs");
    let refused = db.store.publish_opt_outs(by(), stale, Vec::new()).await.unwrap();
    assert_eq!(refused.unwrap_err().code, Code::Conflict, "it was made from what is no longer the list");
    let next = publication(&db, luma, 1).await;
    let second = done(db.store.publish_opt_outs(by(), next.clone(), Vec::new()).await);
    assert_eq!((second.number, &second.files), (2, &next.loaded.files));

    let failure = Some("The file is empty.".to_owned());
    let job = publication(&db, luma, 2).await.job;
    let failed = RefreshEnd { job, read: RowsRead::default(), run: None, keys: Vec::new(), failure };
    done(db.store.fail_opt_outs(by(), luma, failed).await);
    assert_eq!(db.store.opt_outs_of_accounts(&[luma]).await.unwrap()[&luma], second);
    let latest = db.store.latest_refreshes(&[SourceId::OptOuts(luma)]).await.unwrap();
    assert_eq!(latest[&SourceId::OptOuts(luma)].status, RefreshStatus::Failed);
    let lists: Vec<_> = proofs(&db, luma).await.into_iter().map(|(_, p)| (p.list, p.added, p.removed)).collect();
    assert_eq!(lists, [(2, Some(5), Some(1)), (1, Some(5), Some(1))]);
}

async fn an_upload_of_others_is_not_taken(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let tv = account(&db, "TV Tube", Role::Publisher).await;
    let theirs = upload(&db, tv).await;
    let rule = |_: &Account| Ok(Outcome::of(()));
    let refused = db.store.load_opt_outs(change(luma, "loadOptOuts"), luma, theirs, Box::new(rule)).await.unwrap();
    assert_eq!(refused.unwrap_err().code, Code::UploadUnavailable);
    done(db.store.load_opt_outs(change(tv, "loadOptOuts"), tv, theirs, Box::new(rule)).await);
}

/// Both sides get a proof of a delivery, each of its own list; and the sender's says nothing of what was matched.
async fn deliveries_are_proven_to_both_sides(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let tv = account(&db, "TV Tube", Role::Publisher).await;
    let audience = sourced(&db, luma, &["Runners"]).await[0];
    let connection = connected(&db, luma, tv).await;
    let project = project(&db, connection, luma).await;
    let sent = send(&db, luma, project, audience, Vec::new()).await;
    let destination = destination(&db, tv).await;
    let (activation, _) = activate(&db, tv, sent, destination).await;
    let unproven = begin(&db, tv, activation).await;
    end(&db, tv, unproven).await;
    assert_eq!((proofs(&db, luma).await, proofs(&db, tv).await), (vec![], vec![]));

    let (lumas, theirs) = (load(&db, luma).await, load(&db, tv).await);
    let delivery = begin(&db, tv, activation).await;
    let versions = OptOutVersions { sender: lumas.number, receiver: theirs.number };
    let opt_outs = DeliveredOptOuts { versions, sha256: theirs.sha256.clone(), left_out: 3, removed: 2 };
    db.store.note_opt_outs(delivery, opt_outs.clone()).await.unwrap();
    end(&db, tv, delivery).await;
    assert_eq!(db.store.deliveries_by_ids(&[delivery]).await.unwrap()[&delivery].opt_outs, Some(opt_outs));
    assert_eq!(proofs(&db, luma).await[0], (Some(Subject::SentAudience(sent)), OptOutProof::of_list(&lumas)));
    let (subject, proof) = &proofs(&db, tv).await[0];
    assert_eq!(subject.is_none(), change(tv, "deliver").subject.is_none());
    assert_eq!((proof.list, proof.left_out, proof.removed), (1, Some(3), Some(2)));
    assert_eq!(proof.destination, Some(destination));
}

on_both!(a_list_is_replaced_whole, an_upload_of_others_is_not_taken, deliveries_are_proven_to_both_sides,);
