//! Invites by e-mail: each for its address and once, also for many at once; and what becomes of their mails.

use crate::{
    database::{Database, on_both},
    world::{account, at, change, hash, new_account, secrets, user},
};
use chrono::TimeDelta;
use entente_domain::{
    AccountId, Code, ConnectionId, EmailInviteId, UserId,
    account::Role,
    connection::State,
    email_invite::{
        self, Acceptance, Accepted, Accepting, EmailInvite, Inviting, KEPT, LIFETIME, ReportReason, Status,
    },
    settings::Side,
};
use entente_store::{Change, MailOfInvite, Outcome, PageRequest};

async fn invite(db: &Database, account: AccountId, email: &str) -> Result<EmailInviteId, Code> {
    let (id, address) = (EmailInviteId::new(), email.to_owned());
    let rule = move |known: &Inviting| {
        email_invite::invite(id, account, (&address, "Shall we?"), *known, at(0)).map(Outcome::of)
    };
    let by = change(account, "inviteByEmail");
    let made = db.store.invite_by_email(by, id, account, email.to_owned(), Box::new(rule)).await.unwrap();
    made.map(|created| created.id).map_err(|refusal| refusal.code)
}

/// Gives the mail a token, and has the mail server take it.
async fn mailed(db: &Database, id: EmailInviteId) -> [u8; 32] {
    let token = hash();
    let begun = db.store.begin_mail_of_invite(id, token, at(1)).await.unwrap();
    assert!(matches!(begun, MailOfInvite::Send { .. }), "{begun:?}");
    db.store.mail_of_invite_sent(id, at(1)).await.unwrap();
    token
}

async fn accept(db: &Database, invite: &EmailInvite, user: UserId, role: Role) -> Result<Accepted, Code> {
    let acceptance = Acceptance {
        user,
        account: AccountId::new(),
        new: new_account("TV Tube", role),
        connection: ConnectionId::new(),
        terms_read: "1".to_owned(),
    };
    let rule = move |known: &Accepting| {
        email_invite::accept(known, acceptance, "1", at(2)).map(|(accepted, _)| Outcome::of(accepted))
    };
    let by = change(invite.account, "acceptEmailInvite");
    let accepted = db.store.accept_email_invite(by, invite.id, user, secrets(), Box::new(rule)).await.unwrap();
    accepted.map_err(|refusal| refusal.code)
}

async fn end(db: &Database, id: EmailInviteId, how: fn(&EmailInvite) -> Result<EmailInvite, Code>) -> Result<(), Code> {
    let rule = move |invite: &EmailInvite| {
        how(invite).map(Outcome::of).map_err(|code| entente_domain::Refusal::new(code, "no"))
    };
    let by = Change { account: None, ..change(AccountId::new(), "endEmailInvite") };
    db.store.end_email_invite(by, id, Box::new(rule)).await.unwrap().map(|_| ()).map_err(|refusal| refusal.code)
}

fn reported(invite: &EmailInvite) -> Result<EmailInvite, Code> {
    email_invite::report(invite, ReportReason::Spam, at(3)).map_err(|refusal| refusal.code)
}

fn declined(invite: &EmailInvite) -> Result<EmailInvite, Code> {
    email_invite::decline(invite, at(3)).map_err(|refusal| refusal.code)
}

async fn one(db: &Database, id: EmailInviteId) -> EmailInvite {
    db.store.email_invites_by_ids(&[id]).await.unwrap().remove(&id).unwrap()
}

async fn an_invite_by_email_is_accepted_once(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let (ben, cem) = (user(&db, "ben").await, user(&db, "cem").await);
    let email = db.store.users_by_ids(&[ben]).await.unwrap()[&ben].email.clone();
    let former = invite(&db, luma, &email).await.unwrap();
    let former_token = mailed(&db, former).await;
    let id = invite(&db, luma, &email).await.unwrap();
    let token = mailed(&db, id).await;
    assert_eq!(one(&db, former).await.status, Status::Replaced);
    assert_eq!(db.store.email_invite_by_token(former_token).await.unwrap().unwrap().id, former);
    let waiting = db.store.email_invite_by_token(token).await.unwrap().unwrap();
    assert_eq!((waiting.id, waiting.status), (id, Status::Waiting));

    assert_eq!(accept(&db, &waiting, cem, Role::Publisher).await.unwrap_err(), Code::EmailInviteInvalid);
    let replaced = one(&db, former).await;
    assert_eq!(accept(&db, &replaced, ben, Role::Publisher).await.unwrap_err(), Code::EmailInviteInvalid);
    let before = db.count("accounts").await;
    let accepts = (0..6).map(|_| {
        let (db, waiting) = (db.clone(), waiting.clone());
        tokio::spawn(async move { accept(&db, &waiting, ben, Role::Publisher).await })
    });
    let accepts = futures::future::join_all(accepts.collect::<Vec<_>>()).await;
    let (yes, no): (Vec<_>, Vec<_>) = accepts.into_iter().map(Result::unwrap).partition(Result::is_ok);
    assert_eq!((yes.len(), no.len(), db.count("accounts").await), (1, 5, before + 1));
    assert!(no.into_iter().all(|no| no == Err(Code::EmailInviteInvalid)));

    let Accepted { account, connection, .. } = yes.into_iter().next().unwrap().unwrap();
    let stored = db.store.live_connection(luma, account.id).await.unwrap().unwrap();
    assert_eq!(stored, connection);
    assert_eq!((stored.state, stored.owner, stored.payer), (State::Configuring, luma, Some(Side::Owner)));
    assert_eq!(db.store.members_of_accounts(&[account.id]).await.unwrap()[&account.id][0].user, ben);
    let terms = db.store.accepted_terms(account.id).await.unwrap();
    assert_eq!(terms.iter().map(|t| (&*t.version, t.user, t.accepted_at)).collect::<Vec<_>>(), [("1", ben, at(2))]);
    let kept = one(&db, id).await;
    assert_eq!((kept.status, kept.connection), (Status::Accepted, Some(connection.id)));
    assert_eq!((kept.sent_at, kept.ended_at), (Some(at(1)), Some(at(2))));
}

async fn a_report_ends_all_mails_of_the_account(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let other = account(&db, "Fit Apparel", Role::Advertiser).await;
    let (email, stranger) = ("ada@tvtube.example", "ben@tvtube.example");
    let declines = invite(&db, luma, stranger).await.unwrap();
    end(&db, declines, declined).await.unwrap();
    assert_eq!(end(&db, declines, declined).await, Err(Code::EmailInviteInvalid));
    let former = invite(&db, luma, email).await.unwrap();
    let id = invite(&db, luma, email).await.unwrap();
    end(&db, former, reported).await.unwrap();
    assert_eq!(one(&db, id).await.status, Status::Reported);
    let mail = db.store.begin_mail_of_invite(id, hash(), at(4)).await.unwrap();
    assert_eq!(mail, MailOfInvite::NotWanted);
    assert_eq!(invite(&db, luma, email).await, Err(Code::RecipientRefuses));
    assert!(invite(&db, luma, stranger).await.is_ok());
    assert!(invite(&db, other, email).await.is_ok());

    db.store.delete_old_email_invites(at(0) + LIFETIME + KEPT).await.unwrap();
    let left = |account| {
        let store = db.store.clone();
        async move { store.email_invites_of_account(account, PageRequest::first(10)).await.unwrap().total }
    };
    assert_eq!((left(luma).await, left(other).await), (2, 0), "what was reported stays");
    assert_eq!(invite(&db, luma, email).await, Err(Code::RecipientRefuses));
}

async fn mails_go_out_once_and_not_too_many_to_one_address(db: Database) {
    let email = "ada@tvtube.example";
    for n in 0..email_invite::MOST_MAILS {
        let inviter = account(&db, &format!("Brand {n}"), Role::Advertiser).await;
        let id = invite(&db, inviter, email).await.unwrap();
        mailed(&db, id).await;
        assert_eq!(db.store.begin_mail_of_invite(id, hash(), at(2)).await.unwrap(), MailOfInvite::NotWanted);
    }
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let id = invite(&db, luma, email).await.unwrap();
    let later = at(1) + TimeDelta::days(7);
    assert_eq!(db.store.begin_mail_of_invite(id, hash(), at(2)).await.unwrap(), MailOfInvite::Later(later));
    let tokens = [hash(), hash()];
    for token in tokens {
        let begun = db.store.begin_mail_of_invite(id, token, later).await.unwrap();
        let MailOfInvite::Send { invite, inviter } = begun else { panic!("{begun:?}") };
        assert_eq!((invite.id, inviter.id), (id, luma));
    }
    assert!(db.store.email_invite_by_token(tokens[0]).await.unwrap().is_none(), "the second mail has another token");
    assert!(db.store.email_invite_by_token(tokens[1]).await.unwrap().is_some());
    db.store.mail_of_invite_undeliverable(id, later).await.unwrap();
    assert_eq!(one(&db, id).await.status, Status::Undeliverable);
}

on_both!(
    an_invite_by_email_is_accepted_once,
    a_report_ends_all_mails_of_the_account,
    mails_go_out_once_and_not_too_many_to_one_address
);
