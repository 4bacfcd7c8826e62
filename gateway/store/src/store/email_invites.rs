//! Invites by e-mail, and terms that were accepted with them.

use super::{Answer, Store, change, read, write};
use crate::{AccountSecrets, Change, Created, MailOfInvite, Page, PageRequest, Rule, StoreError};
use async_recursion::async_recursion as boxed;
use entente_domain::{
    AccountId, EmailInviteId, Timestamp, UserId,
    email_invite::{Accepted, Accepting, EmailInvite, Inviting},
    terms::AcceptedTerms,
};
use std::collections::HashMap;

impl Store {
    /// Makes an invite of an account for an address in lower case, in the place of one that waits. Its mail is a job's.
    #[boxed]
    pub async fn invite_by_email(
        &self,
        change: Change,
        id: EmailInviteId,
        account: AccountId,
        email: String,
        rule: Rule<Inviting, EmailInvite>,
    ) -> Answer<Created<EmailInviteId>> {
        change!(self, change, |conn, by| queries::email_invites::create(conn, by, (id, account, email), rule))
    }

    /// Ends an invite that is not accepted, as the rule says. With one that is reported, what else its address has waiting of
    /// the account ends.
    #[boxed]
    pub async fn end_email_invite(
        &self,
        change: Change,
        id: EmailInviteId,
        rule: Rule<EmailInvite, EmailInvite>,
    ) -> Answer<EmailInvite> {
        change!(self, change, |conn, by| queries::email_invites::end(conn, by, id, rule))
    }

    /// Makes a user the ADMIN of a new account, which is connected with the account that invited it. Refused with
    /// `EmailInviteInvalid` when somebody answered or withdrew the invite meanwhile.
    #[boxed]
    pub async fn accept_email_invite(
        &self,
        change: Change,
        id: EmailInviteId,
        user: UserId,
        secrets: AccountSecrets,
        rule: Rule<Accepting, Accepted>,
    ) -> Answer<Accepted> {
        change!(self, change, |conn, by| queries::email_invites::accept(conn, by, (id, user), secrets, rule))
    }

    /// Invites by id.
    #[boxed]
    pub async fn email_invites_by_ids(
        &self,
        ids: &[EmailInviteId],
    ) -> Result<HashMap<EmailInviteId, EmailInvite>, StoreError> {
        let ids = ids.to_vec();
        read!(self, |conn| queries::email_invites::by_ids(conn, ids))
    }

    /// The invite that a token names, whatever became of it.
    #[boxed]
    pub async fn email_invite_by_token(&self, token_hash: [u8; 32]) -> Result<Option<EmailInvite>, StoreError> {
        read!(self, |conn| queries::email_invites::by_token(conn, token_hash))
    }

    /// Invites of an account, newest first.
    #[boxed]
    pub async fn email_invites_of_account(
        &self,
        account: AccountId,
        page: PageRequest,
    ) -> Result<Page<EmailInvite>, StoreError> {
        read!(self, |conn| queries::email_invites::of_account(conn, account, page))
    }

    /// Gives the mail of an invite this token, where it is to be sent; a token of before names nothing any more.
    #[boxed]
    pub async fn begin_mail_of_invite(
        &self,
        id: EmailInviteId,
        token_hash: [u8; 32],
        now: Timestamp,
    ) -> Result<MailOfInvite, StoreError> {
        write!(self, |conn| queries::email_invites::begin_mail(conn, id, token_hash, now))
    }

    /// Notes that the mail server took the mail of an invite.
    #[boxed]
    pub async fn mail_of_invite_sent(&self, id: EmailInviteId, now: Timestamp) -> Result<(), StoreError> {
        write!(self, |conn| queries::email_invites::mail_sent(conn, id, now))
    }

    /// Ends an invite of which the mail server says that there is no such address.
    #[boxed]
    pub async fn mail_of_invite_undeliverable(&self, id: EmailInviteId, now: Timestamp) -> Result<(), StoreError> {
        write!(self, |conn| queries::email_invites::mail_undeliverable(conn, id, now))
    }

    /// Deletes invites that ended, or were not accepted in time, more than 30 days ago; those that were reported stay.
    #[boxed]
    pub async fn delete_old_email_invites(&self, now: Timestamp) -> Result<(), StoreError> {
        write!(self, |conn| queries::email_invites::delete_old(conn, now))
    }

    /// Terms that were accepted for an account, the latest first.
    #[boxed]
    pub async fn accepted_terms(&self, account: AccountId) -> Result<Vec<AcceptedTerms>, StoreError> {
        read!(self, |conn| queries::accepted_terms::of_account(conn, account))
    }
}
