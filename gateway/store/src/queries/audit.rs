//! The audit log: written in the transaction of what it tells of, and never changed.

use super::{super::Conn, Read, paging::page, schema::audit};
use crate::{AuditEntry, AuditFilter, AuditOutcome, Change, Page, PageRequest, StoreError, columns};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use entente_domain::{AccountId, AuditEntryId, Code, Timestamp};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = audit)]
struct AuditRow {
    id: String,
    account_id: Option<String>,
    at: Timestamp,
    actor_kind: String,
    actor_id: Option<String>,
    action: String,
    subject_kind: Option<String>,
    subject_id: Option<String>,
    request_id: String,
    outcome: String,
    code: Option<String>,
}

impl TryFrom<AuditRow> for AuditEntry {
    type Error = StoreError;

    fn try_from(row: AuditRow) -> Read<Self> {
        Ok(Self {
            id: columns::id(&row.id)?,
            account: columns::optional_id(row.account_id.as_deref())?,
            at: row.at,
            actor: columns::actor(&row.actor_kind, row.actor_id.as_deref())?,
            action: row.action,
            subject: columns::optional_subject(row.subject_kind.as_deref(), row.subject_id.as_deref())?,
            request_id: row.request_id,
            outcome: columns::from_name(&row.outcome, "outcome")?,
            code: row.code.as_deref().map(|c| columns::from_name(c, "code")).transpose()?,
        })
    }
}

/// Notes that something was done.
pub async fn allowed(conn: &mut Conn, change: &Change) -> Read<()> {
    write(conn, change, AuditOutcome::Allowed, None).await
}

/// Notes that something was refused.
pub async fn denied(conn: &mut Conn, change: &Change, code: Code) -> Read<()> {
    write(conn, change, AuditOutcome::Denied, Some(code)).await
}

async fn write(conn: &mut Conn, change: &Change, outcome: AuditOutcome, code: Option<Code>) -> Read<()> {
    let (actor_kind, actor_id) = columns::actor_columns(&change.actor)?;
    let (subject_kind, subject_id) = match &change.subject {
        Some(subject) => columns::subject_columns(subject).map(|(kind, id)| (Some(kind), Some(id)))?,
        None => (None, None),
    };
    let row = AuditRow {
        id: AuditEntryId::new().to_string(),
        account_id: change.account.map(|a| a.to_string()),
        at: change.now,
        actor_kind,
        actor_id,
        action: change.action.to_owned(),
        subject_kind,
        subject_id,
        request_id: columns::plain(&change.request_id),
        outcome: columns::name(&outcome)?,
        code: code.as_ref().map(columns::name).transpose()?,
    };
    diesel::insert_into(audit::table).values(row).execute(conn).await?;
    Ok(())
}

/// Lines about an account, newest first.
pub async fn of_account(
    conn: &mut Conn,
    account: AccountId,
    filter: AuditFilter,
    request: PageRequest,
) -> Read<Page<AuditEntry>> {
    let actor = filter.actor.as_ref().map(columns::actor_columns).transpose()?;
    let subject = filter.subject.as_ref().map(columns::subject_columns).transpose()?;
    let outcome = filter.outcome.as_ref().map(columns::name).transpose()?;
    let rows = || {
        let mut rows = audit::table.filter(audit::account_id.eq(account.to_string())).into_boxed::<super::super::Db>();
        if let Some((kind, id)) = actor.clone() {
            rows = rows.filter(audit::actor_kind.eq(kind));
            if let Some(id) = id {
                rows = rows.filter(audit::actor_id.eq(id));
            }
        }
        if let Some((kind, id)) = subject.clone() {
            rows = rows.filter(audit::subject_kind.eq(kind).and(audit::subject_id.eq(id)));
        }
        if let Some(action) = filter.action.clone() {
            rows = rows.filter(audit::action.eq(columns::plain(&action)));
        }
        if let Some(request_id) = filter.request_id.clone() {
            rows = rows.filter(audit::request_id.eq(columns::plain(&request_id)));
        }
        if let Some(outcome) = outcome.clone() {
            rows = rows.filter(audit::outcome.eq(outcome));
        }
        if let Some(from) = filter.from {
            rows = rows.filter(audit::at.ge(from));
        }
        if let Some(until) = filter.until {
            rows = rows.filter(audit::at.lt(until));
        }
        rows
    };
    page!(conn, &request, rows(), audit::id, AuditRow)
}
