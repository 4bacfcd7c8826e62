//! Agencies: who may act for their clients, and that a client is handed over once and whole or not at all.

use crate::{
    database::{Database, done, on_both},
    world::{account, api_key, at, change, hash, new_account, secrets, user},
};
use entente_domain::{
    AccountId, Code, InvitationId, UserId,
    access::{Actor, MemberRole},
    account::Role,
    agency::{self, HandedOver, Offering, TakingOver},
    event::{AccountEventKind, NewEvent, Subject},
    invitation::{Invitation, LIFETIME},
};
use entente_store::{
    AuditFilter, Change, LoadedAgency, Member, NewConnectCode, Outcome, PageRequest, StoreError, User,
};

async fn client(db: &Database, agency: AccountId) -> AccountId {
    let id = AccountId::new();
    let new = new_account("Luma", Role::Advertiser);
    let rule = move |known: &LoadedAgency| {
        agency::create_client(&known.agency, known.clients, id, new, at(0)).map(Outcome::of)
    };
    let by = Change { agency: Some(agency), ..change(agency, "createClient") };
    done(db.store.create_client(by, agency, id, secrets(), Box::new(rule)).await).id
}

/// Offers a client to a user.
async fn offer(db: &Database, client: AccountId, agency: AccountId, to: UserId) -> InvitationId {
    let new = Invitation {
        id: InvitationId::new(),
        account: client,
        email: db.store.users_by_ids(&[to]).await.unwrap()[&to].email.clone(),
        role: MemberRole::Admin,
        hands_over: true,
        created_at: at(0),
        expires_at: at(0) + LIFETIME,
    };
    let id = new.id;
    let rule = |known: &Offering| agency::offer(known).map(Outcome::of);
    let by = Change { agency: Some(agency), ..change(client, "handOverClient") };
    done(db.store.offer_client(by, new, hash(), Some(agency), Box::new(rule)).await);
    id
}

async fn take_over(
    db: &Database,
    client: AccountId,
    id: InvitationId,
    user: UserId,
    code: [u8; 32],
) -> Result<Result<Member, Code>, StoreError> {
    let rule = |known: &TakingOver| {
        let own: HandedOver = agency::take_over(known, at(1))?;
        let event =
            NewEvent::of_account(own.account.id, AccountEventKind::AccountUpdated, Subject::Account(own.account.id));
        Ok(Outcome::of(own).events([event]))
    };
    let code = NewConnectCode { hash: code, sealed: vec![3] };
    let taken = db.store.take_client_over(change(client, "acceptHandOver"), id, user, code, Box::new(rule)).await?;
    Ok(taken.map_err(|refusal| refusal.code))
}

/// A user with a token.
async fn holder(db: &Database, name: &str) -> (UserId, [u8; 32]) {
    let (id, token) = (UserId::new(), hash());
    let user = User { id, email: format!("{name}-{id}@example.com"), name: name.into(), created_at: at(0) };
    let by = Change { account: None, ..change(AccountId::new(), "createUser") };
    (done(db.store.create_user(by, user, token).await).id, token)
}

async fn join(db: &Database, account: AccountId, user: UserId, role: MemberRole) {
    let rule = move |m: &[Member]| {
        let others = m.iter().filter(|m| m.user != user).cloned();
        Ok(Outcome::of(others.chain([Member { account, user, role, created_at: at(0) }]).collect()))
    };
    done(db.store.change_members(change(account, "setMember"), account, Box::new(rule)).await);
}

/// What the holder of a token may do in an account, and as one of which agency.
async fn acts(db: &Database, token: [u8; 32], account: AccountId) -> (Option<MemberRole>, Option<AccountId>) {
    let viewer = db.store.viewer_by_token_hash(token, at(1)).await.unwrap();
    viewer.map_or((None, None), |viewer| (viewer.role_in(account), viewer.agency_for(account)))
}

/// The actions in the log of an account, newest first, with whether an agency acted.
async fn log(db: &Database, account: AccountId) -> Vec<(String, bool)> {
    let page = db.store.audit_of_account(account, AuditFilter::default(), PageRequest::first(10)).await.unwrap();
    page.items.into_iter().map(|(_, entry)| (entry.action, entry.agency.is_some())).collect()
}

async fn users_of_an_agency_act_for_its_clients(db: Database) {
    let agency = account(&db, "Agency99", Role::Agency).await;
    let other = account(&db, "Other agency", Role::Agency).await;
    let luma = client(&db, agency).await;
    let (ann, token) = holder(&db, "ann").await;
    assert_eq!(acts(&db, token, luma).await, (None, None));
    join(&db, other, ann, MemberRole::Admin).await;
    assert_eq!(acts(&db, token, luma).await, (None, None));
    // The role in the agency, the one in the client, and what both have: the one that may more.
    for (in_agency, in_client, expected) in [
        (Some(MemberRole::Analyst), None, MemberRole::Analyst),
        (Some(MemberRole::Manager), None, MemberRole::Manager),
        (Some(MemberRole::Manager), Some(MemberRole::Analyst), MemberRole::Manager),
        (Some(MemberRole::Manager), Some(MemberRole::Admin), MemberRole::Admin),
    ] {
        for (account, role) in [(agency, in_agency), (luma, in_client)] {
            if let Some(role) = role {
                join(&db, account, ann, role).await;
            }
        }
        assert_eq!(acts(&db, token, luma).await, (Some(expected), Some(agency)), "{in_agency:?} {in_client:?}");
    }
    let leaves = move |m: &[Member]| Ok(Outcome::of(m.iter().filter(|m| m.user != ann).cloned().collect()));
    done(db.store.change_members(change(agency, "removeMember"), agency, Box::new(leaves)).await);
    assert_eq!(acts(&db, token, luma).await, (Some(MemberRole::Admin), None), "a user of the client");
    // The agency has an ADMIN, so that the client needs none.
    done(db.store.change_members(change(luma, "removeMember"), luma, Box::new(leaves)).await);
    assert_eq!(acts(&db, token, luma).await, (None, None));
}

async fn a_client_is_handed_over_once(db: Database) {
    let agency = account(&db, "Agency99", Role::Agency).await;
    let luma = client(&db, agency).await;
    let (lea, token) = holder(&db, "lea").await;
    let (ann, hers) = holder(&db, "ann").await;
    // One of the agency who is a user of its client as well.
    join(&db, agency, ann, MemberRole::Analyst).await;
    join(&db, luma, ann, MemberRole::Admin).await;
    let key = hash();
    done(db.store.create_api_key(change(luma, "createApiKey"), api_key(luma), key).await);
    assert_eq!(acts(&db, key, luma).await, (Some(MemberRole::Analyst), Some(agency)));
    let (id, another) = (offer(&db, luma, agency, lea).await, offer(&db, luma, agency, user(&db, "ben").await).await);
    let takes = (0..6).map(|_| {
        let db = db.clone();
        tokio::spawn(async move { take_over(&db, luma, id, lea, hash()).await.unwrap() })
    });
    let taken = futures::future::join_all(takes.collect::<Vec<_>>()).await;
    let (yes, no): (Vec<_>, Vec<_>) = taken.into_iter().map(Result::unwrap).partition(Result::is_ok);
    assert_eq!((yes.len(), no.len()), (1, 5));
    assert!(no.iter().all(|no| *no == Err(Code::InvitationInvalid)), "{no:?}");
    assert_eq!(acts(&db, token, luma).await, (Some(MemberRole::Admin), None));
    for token in [hers, key] {
        assert_eq!(acts(&db, token, luma).await, (None, None), "nothing is left of what the agency could act by");
    }
    assert_eq!(take_over(&db, luma, another, lea, hash()).await.unwrap().unwrap_err(), Code::InvitationInvalid);
    let of = |db: &Database, account| {
        let db = db.clone();
        async move {
            let entries = log(&db, account).await.into_iter();
            entries.filter(|(action, _)| action.ends_with("HandOver")).collect::<Vec<_>>()
        }
    };
    let expected: Vec<_> = [("acceptHandOver".to_owned(), false)].into();
    // Those refused are in the log of the account that they were about alone.
    assert_eq!(of(&db, agency).await, expected);
    assert!(log(&db, agency).await.contains(&("handOverClient".to_owned(), true)));
    assert!(log(&db, luma).await.contains(&("acceptHandOver".to_owned(), false)));

    // Whoever was authorised before acts for it no more.
    let by = Change { agency: Some(agency), actor: Actor::User(ann), ..change(luma, "setMember") };
    let nothing = |m: &[Member]| Ok(Outcome::of(m.to_vec()));
    let refused = db.store.change_members(by, luma, Box::new(nothing)).await.unwrap();
    assert_eq!(refused.unwrap_err().code, Code::NotFound);
}

/// What fails on its way leaves all as it was: here the connect code is one that another account has.
async fn a_hand_over_that_breaks_off_changes_nothing(db: Database) {
    let agency = account(&db, "Agency99", Role::Agency).await;
    let luma = client(&db, agency).await;
    let taken = secrets();
    let (other, code) = (AccountId::new(), taken.connect_code_hash);
    let new = new_account("Fit Apparel", Role::Advertiser);
    let rule = move || entente_domain::account::create(other, new, at(0)).map(Outcome::of);
    let admin = user(&db, "Fay").await;
    done(db.store.create_account(change(other, "createAccount"), other, admin, taken, Box::new(rule)).await);
    let (lea, token) = holder(&db, "lea").await;
    let (ann, hers) = holder(&db, "ann").await;
    join(&db, agency, ann, MemberRole::Manager).await;
    let key = hash();
    done(db.store.create_api_key(change(luma, "createApiKey"), api_key(luma), key).await);
    let id = offer(&db, luma, agency, lea).await;
    let (before, logs) = (db.store.account(luma).await.unwrap(), (log(&db, luma).await, log(&db, agency).await));
    assert!(take_over(&db, luma, id, lea, code).await.is_err());
    assert_eq!(db.store.account(luma).await.unwrap(), before);
    assert_eq!((log(&db, luma).await, log(&db, agency).await), logs);
    assert_eq!(acts(&db, token, luma).await, (None, None));
    assert_eq!(acts(&db, hers, luma).await, (Some(MemberRole::Manager), Some(agency)));
    assert_eq!(acts(&db, key, luma).await, (Some(MemberRole::Analyst), Some(agency)));
    assert!(take_over(&db, luma, id, lea, hash()).await.unwrap().is_ok());
}

on_both!(
    users_of_an_agency_act_for_its_clients,
    a_client_is_handed_over_once,
    a_hand_over_that_breaks_off_changes_nothing
);
