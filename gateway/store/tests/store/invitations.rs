//! Invitations: each for its address and once, also for many at once.

use crate::{
    database::{Database, done, on_both},
    world::{account, at, change, hash, user},
};
use entente_domain::{
    AccountId, Code, InvitationId, UserId,
    access::MemberRole,
    account::Role,
    invitation::{self, Accepting, Invitation, Inviting, LIFETIME},
};
use entente_store::{Outcome, PageRequest};

async fn invite(db: &Database, account: AccountId, email: &str, token: [u8; 32]) -> Result<InvitationId, Code> {
    let new = Invitation {
        id: InvitationId::new(),
        account,
        email: email.to_owned(),
        role: MemberRole::Manager,
        hands_over: false,
        created_at: at(0),
        expires_at: at(0) + LIFETIME,
    };
    let id = new.id;
    let rule = |known: &Inviting| invitation::invite(*known).map(Outcome::of);
    let invited = db.store.invite_member(change(account, "inviteMember"), new, token, Box::new(rule)).await.unwrap();
    invited.map(|()| id).map_err(|refusal| refusal.code)
}

async fn accept(db: &Database, account: AccountId, id: InvitationId, user: UserId) -> Result<MemberRole, Code> {
    let rule = |known: &Accepting| invitation::accept(known, at(1)).map(Outcome::of);
    let by = change(account, "acceptInvitation");
    let accepted = db.store.accept_invitation(by, id, user, Box::new(rule)).await.unwrap();
    accepted.map(|member| member.role).map_err(|refusal| refusal.code)
}

async fn an_invitation_is_accepted_once(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let (ben, cem) = (user(&db, "ben").await, user(&db, "cem").await);
    let email = db.store.users_by_ids(&[ben]).await.unwrap()[&ben].email.clone();
    let (former, token) = (hash(), hash());
    invite(&db, luma, &email, former).await.unwrap();
    let id = invite(&db, luma, &email, token).await.unwrap();
    assert!(db.store.invitation_by_token(former).await.unwrap().is_none(), "it was replaced");
    assert_eq!(db.store.invitation_by_token(token).await.unwrap().unwrap().id, id);
    assert_eq!(accept(&db, luma, id, cem).await, Err(Code::InvitationInvalid));
    let accepts = (0..6).map(|_| {
        let db = db.clone();
        tokio::spawn(async move { accept(&db, luma, id, ben).await })
    });
    let accepted = futures::future::join_all(accepts.collect::<Vec<_>>()).await;
    let (yes, no): (Vec<_>, Vec<_>) = accepted.into_iter().map(Result::unwrap).partition(Result::is_ok);
    assert_eq!((yes.len(), no.len()), (1, 5));
    assert!(no.iter().all(|no| matches!(no, Err(Code::InvitationInvalid | Code::AlreadyExists))), "{no:?}");
    assert_eq!(db.store.members_of_accounts(&[luma]).await.unwrap()[&luma].len(), 2);
    assert_eq!(invite(&db, luma, &email, hash()).await, Err(Code::AlreadyExists));
}

async fn invitations_wait_until_they_run_out(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let other = account(&db, "Fit Apparel", Role::Advertiser).await;
    let mut last = InvitationId::new();
    for n in 0..invitation::MOST {
        last = invite(&db, luma, &format!("person{n}@luma.example"), hash()).await.unwrap();
    }
    assert_eq!(invite(&db, luma, "one-more@luma.example", hash()).await, Err(Code::LimitReached));
    assert!(invite(&db, luma, "person0@luma.example", hash()).await.is_ok(), "in the place of one that waits");
    assert!(invite(&db, other, "person0@luma.example", hash()).await.is_ok());
    let foreign = db.store.withdraw_invitation(change(other, "withdrawInvitation"), other, last).await.unwrap();
    assert_eq!(foreign.unwrap_err().code, Code::NotFound);
    done(db.store.withdraw_invitation(change(luma, "withdrawInvitation"), luma, last).await);
    let waiting = async |at| db.store.invitations_of_account(luma, at, PageRequest::first(1)).await.unwrap().total;
    let end = at(0) + LIFETIME;
    assert_eq!((waiting(at(1)).await, waiting(end).await), (invitation::MOST - 1, 0));
    db.store.delete_expired_invitations(end).await.unwrap();
    assert_eq!(waiting(at(1)).await, 0);
}

on_both!(an_invitation_is_accepted_once, invitations_wait_until_they_run_out);
