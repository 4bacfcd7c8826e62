//! Credits: wallets, what is reserved of them, and the daily table.

use super::{Answer, Store, change, read, write};
use crate::{Change, Created, CreditActivity, CreditActivityFilter, Page, PageRequest, StoreError, error::Stop};
use async_recursion::async_recursion as boxed;
use entente_domain::{
    AccountId, Refusal, Timestamp, WorkId,
    credit::{Command, NewProvision, Reservation, Wallet},
};
use std::collections::HashMap;

impl Store {
    /// Gives credits to an account, or takes some back.
    #[boxed]
    pub async fn provision_credits(
        &self,
        change: Change,
        account: AccountId,
        new: NewProvision,
    ) -> Answer<Created<AccountId>> {
        change!(self, change, |conn, by| queries::credits::provision(conn, by, account, new))
    }

    /// Reserves credits for work that has begun already, unless it has done so; the ledger is all that says so. Credits
    /// that work reserves when it is made go with its [`Outcome`](crate::Outcome).
    #[boxed]
    pub async fn reserve_credits(
        &self,
        reservation: Reservation,
        now: Timestamp,
    ) -> Result<Result<(), Refusal>, StoreError> {
        write!(self, |conn| async move {
            match queries::credits::obey(conn, vec![Command::Reserve(reservation)], now).await {
                Ok(()) => Ok(Ok(())),
                Err(Stop::Refused(refusal)) => Ok(Err(refusal)),
                Err(Stop::Failed(fault)) => Err(fault),
            }
        })
    }

    /// Releases what is reserved for work that nobody goes on with.
    #[boxed]
    pub async fn release_abandoned_credits(&self, now: Timestamp) -> Result<(), StoreError> {
        loop {
            let works: Vec<WorkId> = read!(self, |conn| queries::credits::abandoned(conn))?;
            if works.is_empty() {
                return Ok(());
            }
            let releases = works.into_iter().map(|work| Command::Release { work }).collect();
            write!(self, |conn| async move {
                match queries::credits::obey(conn, releases, now).await {
                    Ok(()) => Ok(()),
                    Err(Stop::Refused(_)) => Err(StoreError::Unreadable("reservation")),
                    Err(Stop::Failed(fault)) => Err(fault),
                }
            })?;
        }
    }

    /// The same after a change that was made. What is not released now is in the hourly clean-up: the change stays
    /// made.
    pub(super) async fn and_release<T>(&self, answer: Answer<T>, now: Timestamp) -> Answer<T> {
        if let Ok(Ok(_)) = &answer {
            self.try_to_release(now).await;
        }
        answer
    }

    /// The same where nobody waits for it.
    pub(super) async fn try_to_release(&self, now: Timestamp) {
        if let Err(error) = self.release_abandoned_credits(now).await {
            tracing::warn!(message = "credits could not be released", %error);
        }
    }

    /// Wallets of accounts; those that have nothing yet are missing.
    #[boxed]
    pub async fn wallets(&self, accounts: &[AccountId]) -> Result<HashMap<AccountId, Wallet>, StoreError> {
        let accounts = accounts.to_vec();
        read!(self, |conn| queries::credits::of_accounts(conn, accounts))
    }

    /// What is reserved, or was, by work.
    #[boxed]
    pub async fn credit_reservations(&self, works: &[WorkId]) -> Result<HashMap<WorkId, Reservation>, StoreError> {
        let works = works.to_vec();
        read!(self, |conn| async move { queries::credits::by_works(conn, &works).await })
    }

    /// An account's daily table, newest first.
    #[boxed]
    pub async fn credit_activity(
        &self,
        account: AccountId,
        filter: CreditActivityFilter,
        page: PageRequest,
    ) -> Result<Page<CreditActivity>, StoreError> {
        read!(self, |conn| queries::credit_activity::of_account(conn, account, filter, page))
    }
}
