//! Sign-ins that come back once, people who are one user, and sessions that end.

use crate::{
    database::{Database, done, on_both},
    world::{account, at, change, hash, user},
};
use entente_domain::{
    AccountId, Code, UserId,
    access::{Actor, MemberRole},
    account::Role,
    sign_in::{self, Identifying},
};
use entente_store::{Change, Identity, Member, NewSession, Outcome, User};
use std::collections::HashMap;

fn outside() -> Change {
    Change { account: None, ..change(AccountId::new(), "signIn") }
}

fn at_provider(subject: &str) -> Identity {
    Identity { issuer: "https://id.example".to_owned(), subject: subject.to_owned() }
}

async fn identify(db: &Database, subject: &str, email: &str) -> Result<UserId, Code> {
    let new = User { id: UserId::new(), email: email.to_owned(), name: "Ada".to_owned(), created_at: at(0) };
    let rule = |known: &Identifying| sign_in::identify(*known, true).map(Outcome::of);
    let identified = db.store.identify(outside(), at_provider(subject), new, hash(), Box::new(rule)).await.unwrap();
    identified.map_err(|refusal| refusal.code)
}

async fn a_person_is_one_user(db: Database) {
    let firsts = ["ada", "ada", "ada", "namesake"].map(|subject| {
        let db = db.clone();
        tokio::spawn(async move { identify(&db, subject, "ada@luma.example").await })
    });
    let found: Vec<_> = futures::future::join_all(firsts).await.into_iter().map(Result::unwrap).collect();
    let mut users: Vec<_> = found.iter().filter_map(|found| found.ok()).collect();
    users.dedup();
    assert_eq!(users.len(), 1, "{found:?}");
    let refused = |code: &Code| [Code::Conflict, Code::AlreadyExists, Code::Forbidden].contains(code);
    assert!(found.iter().filter_map(|found| found.as_ref().err()).all(refused), "{found:?}");
    let mut known = vec![];
    for subject in ["ada", "namesake"] {
        known.extend(db.store.user_of_identity(at_provider(subject)).await.unwrap());
    }
    assert_eq!(known, users);

    let ben = user(&db, "ben").await;
    let email = db.store.users_by_ids(&[ben]).await.unwrap()[&ben].email.clone();
    assert_eq!(identify(&db, "ben", &email).await, Ok(ben), "the user with the address");
    assert_eq!(identify(&db, "another ben", &email).await, Err(Code::Forbidden));
}

async fn a_browser_comes_back_once(db: Database) {
    let state = hash();
    let comes = (0..6).map(|_| {
        let db = db.clone();
        tokio::spawn(async move { db.store.sign_in_comes_back(state, at(600)).await.unwrap() })
    });
    let came = futures::future::join_all(comes.collect::<Vec<_>>()).await;
    assert_eq!(came.into_iter().filter(|first| *first.as_ref().unwrap()).count(), 1);
    assert!(db.store.sign_in_comes_back(hash(), at(600)).await.unwrap());
    db.store.delete_expired_sessions(at(0), at(599)).await.unwrap();
    assert!(!db.store.sign_in_comes_back(state, at(600)).await.unwrap());
}

async fn a_session_acts_for_its_user_until_it_ends(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let ada = user(&db, "ada").await;
    let joins = move |m: &[Member]| {
        let member = Member { account: luma, user: ada, role: MemberRole::Analyst, created_at: at(0) };
        Ok(Outcome::of(m.iter().cloned().chain([member]).collect()))
    };
    done(db.store.change_members(change(luma, "setMember"), luma, Box::new(joins)).await);
    let (token, idle, over) = (hash(), hash(), hash());
    for token_hash in [token, idle] {
        let new = NewSession { token_hash, user: ada, created_at: at(0), expires_at: at(1_000) };
        done(db.store.begin_session(outside(), new).await);
    }
    let before = db.store.statements();
    let session = db.store.session(token, at(5)).await.unwrap().unwrap();
    assert_eq!(db.store.statements() - before, 1);
    assert_eq!((session.viewer.actor, session.viewer.role_in(luma)), (Actor::User(ada), Some(MemberRole::Analyst)));
    assert!(db.store.viewer_by_token_hash(token, at(5)).await.unwrap().is_none(), "it is no key");
    done(
        db.store
            .begin_session(outside(), NewSession { token_hash: over, user: ada, created_at: at(0), expires_at: at(5) })
            .await,
    );
    let before = db.store.statements();
    let several = db.store.sessions(vec![token, idle, over, hash()], at(5)).await.unwrap();
    assert_eq!(db.store.statements() - before, 1);
    assert_eq!(several, HashMap::from([(token, session.clone()), (idle, session)]));
    db.store.touch_session(token, at(500)).await.unwrap();
    let session = db.store.session(token, at(999)).await.unwrap().unwrap();
    assert_eq!((session.created_at, session.last_seen_at), (at(0), at(500)));
    assert!(db.store.session(token, at(1_000)).await.unwrap().is_none());
    db.store.delete_expired_sessions(at(400), at(600)).await.unwrap();
    assert!(db.store.session(idle, at(5)).await.unwrap().is_none(), "it was swept");
    assert!(db.store.session(token, at(5)).await.unwrap().is_some());
    done(db.store.end_session(outside(), token).await);
    assert!(db.store.session(token, at(5)).await.unwrap().is_none());
}

on_both!(a_person_is_one_user, a_browser_comes_back_once, a_session_acts_for_its_user_until_it_ends);
