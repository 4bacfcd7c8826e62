use crate::{
    database::{Database, done, on_both},
    world::{account, campaign, command, connected, exact, invite, invite_as, project, propose_draft, save_draft},
};
use entente_domain::{
    Code, ConnectionId,
    account::Role,
    connection::{Command, State},
    settings::{Counts, Side},
};
use entente_store::{ConnectionFilter, PageRequest};

async fn of_crossing_invites_one_lives(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    for n in 0..10 {
        let tv = account(&db, &format!("TV Tube {n}"), Role::Publisher).await;
        let (one, other) =
            tokio::join!(invite_as(&db, ConnectionId::new(), luma, tv), invite_as(&db, ConnectionId::new(), tv, luma));
        let (won, lost) = match (one.unwrap(), other.unwrap()) {
            (Ok(won), Err(lost)) | (Err(lost), Ok(won)) => (won, lost),
            both => panic!("{both:?}"),
        };
        assert_eq!(lost.code, Code::ConnectionExists);
        assert_eq!(db.store.live_connection(tv, luma).await.unwrap().unwrap().id, won.id);
    }
}

async fn after_one_has_ended_another_may_start(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let tv = account(&db, "TV Tube", Role::Publisher).await;
    let first = invite(&db, luma, tv).await;
    done(command(&db, first, Side::Recipient, Command::Decline).await);
    let second = invite(&db, tv, luma).await;
    let mine = |filter| db.store.connections_of_account(luma, filter, PageRequest::first(10));
    let all = mine(ConnectionFilter::default()).await.unwrap().into_values();
    assert_eq!(all.iter().map(|c| c.id).collect::<Vec<_>>(), [second, first]);
    let waiting = ConnectionFilter { action_required: true, ..ConnectionFilter::default() };
    let waiting = mine(waiting).await.unwrap().into_values();
    assert!(waiting.iter().map(|c| c.id).eq([second]), "Luma is to answer the invite");
    let declined = ConnectionFilter { states: vec![State::Declined], ..ConnectionFilter::default() };
    assert_eq!(mine(declined).await.unwrap().total, 1);
}

async fn what_waits_agrees_with_the_rules(db: Database) {
    let owner = account(&db, "Luma", Role::Advertiser).await;
    for state in State::ALL {
        let recipient = account(&db, "TV Tube", Role::Publisher).await;
        let id = invite(&db, owner, recipient).await;
        let name = serde_json::to_value(state).unwrap().as_str().unwrap().to_owned();
        db.execute(&format!("UPDATE connections SET state = '{name}' WHERE id = '{id}'")).await.unwrap();
        let connection = db.store.connections_by_ids(&[id]).await.unwrap()[&id].clone();
        for (side, viewer) in [(Side::Owner, owner), (Side::Recipient, recipient)] {
            let filter = ConnectionFilter { states: vec![state], action_required: true };
            let found = db.store.connections_of_account(viewer, filter, PageRequest::first(10)).await.unwrap();
            assert_eq!(found.total == 1, connection.standing(side).action_required(), "{state:?} {side:?}");
        }
    }
}

async fn a_change_waits_for_the_recipient(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let tv = account(&db, "TV Tube", Role::Publisher).await;
    let id = connected(&db, luma, tv).await;
    let waiting = async |viewer| {
        let filter = ConnectionFilter { action_required: true, ..ConnectionFilter::default() };
        db.store.connections_of_account(viewer, filter, PageRequest::first(10)).await.unwrap().total
    };
    let draft = done(save_draft(&db, id, exact()).await);
    assert_eq!(db.store.settings_drafts(&[id]).await.unwrap()[&id], draft);
    assert_eq!((waiting(luma).await, waiting(tv).await), (0, 0), "a draft is the owner's alone");
    let proposed = done(propose_draft(&db, id, draft.version).await);
    assert_eq!(db.store.connections_by_ids(&[id]).await.unwrap()[&id], proposed);
    assert_eq!(db.store.settings_drafts(&[id]).await.unwrap()[&id].settings, None);
    assert_eq!((waiting(luma).await, waiting(tv).await), (0, 1));
    let reject = Command::RejectChange { version: 2, reason: "Protected, please.".into() };
    let rejected = done(command(&db, id, Side::Recipient, reject).await);
    assert_eq!(rejected.proposed_change().unwrap().rejection.as_deref(), Some("Protected, please."));
    assert_eq!((waiting(luma).await, waiting(tv).await), (0, 0));
    let again = done(save_draft(&db, id, exact()).await);
    assert_eq!(again.version, 2, "no version comes twice");
    done(propose_draft(&db, id, 2).await);
    let accept = || Command::AcceptChange { version: 3, advertiser_names: vec![] };
    let (one, other) =
        tokio::join!(command(&db, id, Side::Recipient, accept()), command(&db, id, Side::Recipient, accept()));
    let (won, lost) = match (one.unwrap(), other.unwrap()) {
        (Ok(won), Err(lost)) | (Err(lost), Ok(won)) => (won, lost),
        both => panic!("{both:?}"),
    };
    assert_eq!((won.settings.unwrap().counts, won.agreed_version), (Counts::Exact, 3));
    assert!(matches!(lost.code, Code::WrongState | Code::Conflict), "{lost:?}");
    done(save_draft(&db, id, exact()).await);
    done(command(&db, id, Side::Recipient, Command::Delete).await);
    assert!(db.store.settings_drafts(&[id]).await.unwrap().is_empty(), "it goes with its connection");
}

async fn drafts_saved_at_once_have_versions_of_their_own(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let tv = account(&db, "TV Tube", Role::Publisher).await;
    let id = connected(&db, luma, tv).await;
    let (one, other) = tokio::join!(save_draft(&db, id, exact()), save_draft(&db, id, exact()));
    let mut versions: Vec<_> = [one.unwrap(), other.unwrap()].into_iter().flatten().map(|d| d.version).collect();
    versions.sort_unstable();
    assert!(versions == [1, 2] || versions == [1], "{versions:?}");
    assert_eq!(db.store.settings_drafts(&[id]).await.unwrap()[&id].version, *versions.last().unwrap());
}

async fn a_deleted_connection_takes_its_projects(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let tv = account(&db, "TV Tube", Role::Publisher).await;
    let connection = connected(&db, luma, tv).await;
    let spring = project(&db, connection, luma).await;
    let ad = campaign(&db, spring, tv).await;
    assert_eq!(db.store.projects_of_account(tv, PageRequest::first(5)).await.unwrap().total, 1);
    let deleted = done(command(&db, connection, Side::Recipient, Command::Delete).await);
    assert_eq!(deleted.state, State::Deleted);
    assert!(db.store.projects_by_ids(&[spring]).await.unwrap().is_empty());
    assert!(db.store.campaigns_by_ids(&[ad]).await.unwrap().is_empty());
    assert!(db.store.loaded_connection(connection).await.unwrap().is_some(), "the record stays");
}

on_both!(
    of_crossing_invites_one_lives,
    after_one_has_ended_another_may_start,
    what_waits_agrees_with_the_rules,
    a_change_waits_for_the_recipient,
    drafts_saved_at_once_have_versions_of_their_own,
    a_deleted_connection_takes_its_projects,
);
