//! Consents: each state and each code once, within its time, for its own account and type.

use crate::{
    database::{Database, on_both},
    world::{account, at, change, email, hash},
};
use entente_domain::{AccountId, Code, ConsentId, DestinationId, Refusal, account::Role, activation, oauth_consent};
use entente_store::{Change, Consent, DestinationSettings, NewConsent, NewSettings, Outcome, Sealed, Unopened};

async fn begin(db: &Database, account: AccountId, state: [u8; 32]) -> Result<ConsentId, Code> {
    let id = ConsentId::new();
    let new = NewConsent {
        id,
        account,
        begun_by: "user".to_owned(),
        destination_type: "shop".to_owned(),
        state_hash: state,
        secrets_sealed: vec![1],
        created_at: at(0),
        expires_at: at(600),
    };
    let rule = |under_way: &u64| oauth_consent::begin(*under_way).map(|()| Outcome::of(()));
    let begun = db.store.begin_consent(change(account, "begin"), new, Box::new(rule)).await.unwrap();
    begun.map(|()| id).map_err(|refusal| refusal.code)
}

/// A consent that was given, and the hash of its code.
async fn given(db: &Database, account: AccountId) -> (ConsentId, [u8; 32]) {
    let (state, code) = (hash(), hash());
    let id = begin(db, account, state).await.unwrap();
    assert!(db.store.returned_consent(state, at(1)).await.unwrap().is_some());
    db.store.consent_given(id, code, vec![2], at(700)).await.unwrap();
    (id, code)
}

async fn a_browser_comes_back_once_and_in_time(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let state = hash();
    let id = begin(&db, luma, state).await.unwrap();
    assert!(db.store.returned_consent(hash(), at(1)).await.unwrap().is_none());
    assert!(db.store.returned_consent(state, at(600)).await.unwrap().is_none(), "too late");
    let consent = db.store.returned_consent(state, at(599)).await.unwrap();
    let expected = Consent { id, account: luma, destination_type: "shop".to_owned(), secrets_sealed: vec![1] };
    assert!(consent == Some(expected));
    assert!(db.store.returned_consent(state, at(1)).await.unwrap().is_none(), "once");
}

async fn a_code_counts_for_its_own_account_and_type(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let other = account(&db, "Fit Apparel", Role::Advertiser).await;
    let (id, code) = given(&db, luma).await;
    for (code, account, of_type, seconds, found) in [
        (code, luma, "shop", 699, true),
        (code, luma, "shop", 700, false),
        (code, luma, "store", 1, false),
        (code, other, "shop", 1, false),
        (hash(), luma, "shop", 1, false),
    ] {
        let consent = db.store.consent_by_code(code, account, of_type, at(seconds)).await.unwrap();
        assert_eq!(consent.map(|c| (c.id, c.secrets_sealed)), found.then_some((id, vec![2])), "{of_type} {seconds}");
    }
    db.store.delete_expired_consents(at(700)).await.unwrap();
    assert!(db.store.consent_by_code(code, luma, "shop", at(1)).await.unwrap().is_none(), "it was swept");
}

async fn an_account_has_so_many_under_way(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let other = account(&db, "Fit Apparel", Role::Advertiser).await;
    for _ in 0..oauth_consent::MOST {
        begin(&db, luma, hash()).await.unwrap();
    }
    assert_eq!(begin(&db, luma, hash()).await, Err(Code::LimitReached));
    assert!(begin(&db, other, hash()).await.is_ok());
    db.store.delete_expired_consents(at(600)).await.unwrap();
    assert!(begin(&db, luma, hash()).await.is_ok());
}

/// Sets a destination up with what came of a consent.
async fn create(
    db: &Database,
    account: AccountId,
    consent: ConsentId,
    name: &'static str,
) -> Result<DestinationId, Code> {
    let id = DestinationId::new();
    let settings = DestinationSettings { sealed: vec![1], shown: serde_json::json!({}) };
    let rule = move |owner: &entente_domain::account::Account| {
        let keys = [email()];
        activation::destination(id, owner.id, name, "shop", keys.to_vec(), &keys, at(4)).map(Outcome::of)
    };
    let by = change(account, "createDestination");
    let made = db.store.create_destination(by, id, account, settings, Some(consent), Box::new(rule)).await.unwrap();
    made.map(|made| made.id).map_err(|refusal: Refusal| refusal.code)
}

async fn what_came_of_a_consent_is_used_once(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let (consent, _) = given(&db, luma).await;
    let destination = create(&db, luma, consent, "One").await.unwrap();
    assert_eq!(create(&db, luma, consent, "Two").await, Err(Code::ConsentCodeInvalid));
    let (consent, code) = given(&db, luma).await;
    let sealed = |byte: u8| DestinationSettings { sealed: vec![byte], shown: serde_json::json!({}) };
    let update = async |read: u8, by: Change| {
        let new = NewSettings { read_sealed: vec![read], settings: sealed(9), consent: Some(consent) };
        let rule = |loaded: &entente_store::LoadedDestination| {
            activation::change_destination(&loaded.destination, Default::default(), &[], at(5)).map(Outcome::of)
        };
        let changed = db.store.change_destination(by, destination, Some(new), Box::new(rule)).await.unwrap();
        changed.map(|changed| changed.version).map_err(|refusal| refusal.code)
    };
    assert_eq!(update(7, change(luma, "updateDestination")).await, Err(Code::Conflict));
    assert!(db.store.consent_by_code(code, luma, "shop", at(1)).await.unwrap().is_some(), "it is there still");
    assert_eq!(update(1, change(luma, "updateDestination")).await, Ok(2));
    assert_eq!(update(9, change(luma, "updateDestination")).await, Err(Code::ConsentCodeInvalid));

    let renewed = db.store.renew_settings(destination, Box::new(|read| Ok(Some([read, &[1]].concat())))).await;
    assert_eq!(renewed.unwrap(), Some(vec![9, 1]));
    let left = db.store.renew_settings(destination, Box::new(|_| Ok(None))).await.unwrap();
    assert_eq!(left, Some(vec![9, 1]));
    match db.store.renew_settings(destination, Box::new(|_| Err(Unopened))).await {
        Err(entente_store::StoreError::Unopened(sealed)) => {
            assert_eq!(sealed, Sealed::DestinationSettings(destination))
        }
        unexpected => panic!("{unexpected:?}"),
    }
    assert_eq!(sealed_settings(&db, destination).await, [9, 1]);
    let gone = db.store.renew_settings(DestinationId::new(), Box::new(|_| Ok(None))).await.unwrap();
    assert_eq!(gone, None);
}

async fn sealed_settings(db: &Database, id: DestinationId) -> Vec<u8> {
    db.store.destination_settings(&[id]).await.unwrap().remove(&id).unwrap().sealed
}

on_both!(
    a_browser_comes_back_once_and_in_time,
    a_code_counts_for_its_own_account_and_type,
    an_account_has_so_many_under_way,
    what_came_of_a_consent_is_used_once,
);
