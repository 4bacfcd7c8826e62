//! The audit log.

use super::{Store, read, write};
use crate::{AuditEntry, AuditFilter, Change, Page, PageRequest, StoreError};
use async_recursion::async_recursion as boxed;
use entente_domain::{AccountId, Code};

impl Store {
    /// Notes a refusal that was decided before anything was loaded, such as of an actor without the right.
    #[boxed]
    pub async fn record_refusal(&self, change: Change, code: Code) -> Result<(), StoreError> {
        write!(self, |conn| async move { queries::audit::denied(conn, &change, code).await })
    }

    /// Lines about an account, newest first.
    #[boxed]
    pub async fn audit_of_account(
        &self,
        account: AccountId,
        filter: AuditFilter,
        page: PageRequest,
    ) -> Result<Page<AuditEntry>, StoreError> {
        read!(self, |conn| queries::audit::of_account(conn, account, filter, page))
    }
}
