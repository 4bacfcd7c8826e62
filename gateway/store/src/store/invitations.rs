//! Invitations to accounts.

use super::{Answer, Store, change, read, write};
use crate::{Change, Member, Page, PageRequest, Rule, StoreError};
use async_recursion::async_recursion as boxed;
use entente_domain::{
    AccountId, InvitationId, Timestamp, UserId,
    access::MemberRole,
    invitation::{Accepting, Invitation, Inviting},
};

impl Store {
    /// Makes an invitation, in the place of one that the same address has from the same account.
    #[boxed]
    pub async fn invite_member(
        &self,
        change: Change,
        new: Invitation,
        token_hash: [u8; 32],
        rule: Rule<Inviting, ()>,
    ) -> Answer<()> {
        change!(self, change, |conn, _by| queries::invitations::create(conn, new, token_hash, rule))
    }

    /// Takes an invitation of an account back. Refused with `NotFound` when there is none.
    #[boxed]
    pub async fn withdraw_invitation(&self, change: Change, account: AccountId, id: InvitationId) -> Answer<()> {
        change!(self, change, |conn, _by| queries::invitations::withdraw(conn, account, id))
    }

    /// The invitation that a token names; it may have run out.
    #[boxed]
    pub async fn invitation_by_token(&self, token_hash: [u8; 32]) -> Result<Option<Invitation>, StoreError> {
        read!(self, |conn| queries::invitations::by_token(conn, token_hash))
    }

    /// Makes a user a member by an invitation, which nobody can use again. Refused with `InvitationInvalid` when somebody
    /// used or withdrew it meanwhile.
    #[boxed]
    pub async fn accept_invitation(
        &self,
        change: Change,
        id: InvitationId,
        user: UserId,
        rule: Rule<Accepting, MemberRole>,
    ) -> Answer<Member> {
        change!(self, change, |conn, by| queries::invitations::accept(conn, by, (id, user), rule))
    }

    /// Invitations of an account that can be accepted, newest first.
    #[boxed]
    pub async fn invitations_of_account(
        &self,
        account: AccountId,
        now: Timestamp,
        page: PageRequest,
    ) -> Result<Page<Invitation>, StoreError> {
        read!(self, |conn| queries::invitations::of_account(conn, account, now, page))
    }

    /// Deletes invitations that were not accepted in time.
    #[boxed]
    pub async fn delete_expired_invitations(&self, now: Timestamp) -> Result<(), StoreError> {
        write!(self, |conn| queries::invitations::delete_expired(conn, now))
    }
}
