//! Agencies and their clients.

use super::{Answer, Store, change, read};
use crate::{
    AccountSecrets, Change, Created, LoadedAgency, Member, NewConnectCode, Page, PageRequest, Rule, StoreError,
};
use async_recursion::async_recursion as boxed;
use entente_domain::{
    AccountId, InvitationId, UserId,
    account::Account,
    agency::{HandedOver, Offering, TakingOver},
    invitation::Invitation,
};

impl Store {
    /// Makes an account for a client of an agency.
    #[boxed]
    pub async fn create_client(
        &self,
        change: Change,
        agency: AccountId,
        id: AccountId,
        secrets: AccountSecrets,
        rule: Rule<LoadedAgency, Account>,
    ) -> Answer<Created<AccountId>> {
        change!(self, change, |conn, by| queries::agencies::create_client(conn, by, (agency, id), secrets, rule))
    }

    /// Makes an invitation of which a client is taken over, in the place of one that the same address has from it. `by`
    /// is the agency of which an ADMIN does so.
    #[boxed]
    pub async fn offer_client(
        &self,
        change: Change,
        new: Invitation,
        token_hash: [u8; 32],
        by: Option<AccountId>,
        rule: Rule<Offering, ()>,
    ) -> Answer<()> {
        change!(self, change, |conn, _by| queries::agencies::offer(conn, new, token_hash, by, rule))
    }

    /// Makes a client an account of its own, whose ADMIN is the user who accepts an invitation. What its agency could
    /// still act or read by is gone: users, invitations, API keys, event webhooks and the connect code. Refused with
    /// `InvitationInvalid` when somebody used or withdrew the invitation meanwhile.
    #[boxed]
    pub async fn take_client_over(
        &self,
        change: Change,
        invitation: InvitationId,
        user: UserId,
        code: NewConnectCode,
        rule: Rule<TakingOver, HandedOver>,
    ) -> Answer<Member> {
        change!(self, change, |conn, by| queries::agencies::take_over(conn, by, (invitation, user), code, rule))
    }

    /// How many clients an agency has.
    #[boxed]
    pub async fn count_clients(&self, agency: AccountId) -> Result<u64, StoreError> {
        read!(self, |conn| queries::agencies::count_clients(conn, agency))
    }

    /// Clients of an agency, newest first.
    #[boxed]
    pub async fn clients_of_agency(&self, agency: AccountId, page: PageRequest) -> Result<Page<Account>, StoreError> {
        read!(self, |conn| queries::accounts::clients_of(conn, agency, page))
    }
}
