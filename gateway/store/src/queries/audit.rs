//! The audit log: written in the transaction of what it tells of, and never changed.

use super::{
    super::Conn,
    Read, audit_chain,
    change::AlsoLogged,
    paging::page,
    schema::{audit, audit_chain as links},
};
use crate::{AuditEntry, AuditFilter, AuditOutcome, Change, Page, PageRequest, StoreError, columns};
use chrono::SubsecRound;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use entente_domain::{
    AccountId, AuditEntryId, Code, Timestamp,
    audit_chain::{Entry, chain_of},
    deletion::Deletion,
    opt_out::OptOutProof,
};
use serde::Deserialize;
use std::collections::BTreeMap;

/// A line as it is stored.
#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = audit)]
pub struct AuditRow {
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
    details: Option<String>,
    agency_id: Option<String>,
}

/// The same fields, as the database and as the rules of the chain know them.
macro_rules! same_fields {
    ($from:ident, $to:ident) => {
        impl From<$from> for $to {
            fn from(line: $from) -> Self {
                let $from { id, account_id, at, actor_kind, actor_id, action, .. } = line;
                let $from { subject_kind, subject_id, request_id, outcome, code, details, agency_id, .. } = line;
                Self {
                    id,
                    account_id,
                    at,
                    actor_kind,
                    actor_id,
                    action,
                    subject_kind,
                    subject_id,
                    request_id,
                    outcome,
                    code,
                    details,
                    agency_id,
                }
            }
        }
    };
}

same_fields!(AuditRow, Entry);
same_fields!(Entry, AuditRow);

/// A line with its place in its chain.
#[derive(Queryable, Selectable)]
#[diesel(table_name = audit)]
struct PlacedRow {
    id: String,
    #[diesel(embed)]
    entry: AuditRow,
    #[diesel(select_expression = links::sequence.nullable())]
    sequence: Option<i64>,
    #[diesel(select_expression = links::hash.nullable())]
    hash: Option<String>,
}

/// What else is kept of an entry.
#[derive(Deserialize)]
#[serde(untagged)]
enum Details {
    OptOuts { opt_outs: OptOutProof },
    Deletion(Deletion),
}

impl TryFrom<PlacedRow> for AuditEntry {
    type Error = StoreError;

    fn try_from(PlacedRow { entry: row, sequence, hash, .. }: PlacedRow) -> Read<Self> {
        let (deletion, opt_outs) = match row.details.as_deref().map(|d| columns::from_json(d, "details")).transpose()? {
            Some(Details::Deletion(deletion)) => (Some(deletion), None),
            Some(Details::OptOuts { opt_outs }) => (None, Some(opt_outs)),
            None => (None, None),
        };
        Ok(Self {
            id: columns::id(&row.id)?,
            sequence: sequence.map(columns::count).transpose()?,
            hash,
            account: columns::optional_id(row.account_id.as_deref())?,
            at: row.at,
            actor: columns::actor(&row.actor_kind, row.actor_id.as_deref())?,
            agency: columns::optional_id(row.agency_id.as_deref())?,
            action: row.action,
            subject: columns::optional_subject(row.subject_kind.as_deref(), row.subject_id.as_deref())?,
            request_id: row.request_id,
            outcome: columns::from_name(&row.outcome, "outcome")?,
            code: row.code.as_deref().map(|c| columns::from_name(c, "code")).transpose()?,
            deletion,
            opt_outs,
        })
    }
}

/// Notes that something was done, in the logs of the account and of others, and what else is kept of it.
pub async fn allowed(conn: &mut Conn, change: &Change, also: &[AlsoLogged], details: Option<String>) -> Read<()> {
    // In one order, so that two who write in the same logs never wait for each other.
    let mut logs: BTreeMap<_, _> = also.iter().map(|log| (Some(log.account), log.instead.clone())).collect();
    logs.insert(change.account, None);
    for (log, instead) in logs {
        let (change, details) = match instead {
            Some((subject, details)) => (&Change { subject: Some(subject), ..change.clone() }, Some(details)),
            None => (change, details.clone()),
        };
        write(conn, change, log, (AuditOutcome::Allowed, None), details).await?;
    }
    Ok(())
}

/// Notes that something was refused.
pub async fn denied(conn: &mut Conn, change: &Change, code: Code) -> Read<()> {
    write(conn, change, change.account, (AuditOutcome::Denied, Some(code)), None).await
}

async fn write(
    conn: &mut Conn,
    change: &Change,
    account: Option<AccountId>,
    (outcome, code): (AuditOutcome, Option<Code>),
    details: Option<String>,
) -> Read<()> {
    let (actor_kind, actor_id) = columns::actor_columns(&change.actor)?;
    let (subject_kind, subject_id) = match &change.subject {
        Some(subject) => columns::subject_columns(subject).map(|(kind, id)| (Some(kind), Some(id)))?,
        None => (None, None),
    };
    let head = audit_chain::hold(conn, chain_of(account)).await?;
    // Made while the chain waits for it, so that ids of a gateway are in the order of their chain.
    let id = AuditEntryId::new().to_string();
    let entry = Entry {
        id,
        account_id: account.map(|a| a.to_string()),
        // What is hashed is what PostgreSQL keeps.
        at: change.now.trunc_subsecs(6),
        actor_kind,
        actor_id,
        action: change.action.to_owned(),
        subject_kind,
        subject_id,
        request_id: columns::plain(&change.request_id),
        outcome: columns::name(&outcome)?,
        code: code.as_ref().map(columns::name).transpose()?,
        details,
        agency_id: change.agency.map(|a| a.to_string()),
    };
    audit_chain::append(conn, head, &entry).await?;
    diesel::insert_into(audit::table).values(AuditRow::from(entry)).execute(conn).await?;
    Ok(())
}

/// Lines about an account, newest first.
pub async fn of_account(
    conn: &mut Conn,
    account: AccountId,
    filter: AuditFilter,
    request: PageRequest,
) -> Read<Page<AuditEntry>> {
    let actor_kind = filter.actor_kind.as_ref().map(columns::name).transpose()?;
    let actor = filter.actor.as_ref().map(columns::actor_columns).transpose()?;
    let subject = filter.subject.as_ref().map(columns::subject_columns).transpose()?;
    let outcome = filter.outcome.as_ref().map(columns::name).transpose()?;
    let rows = || {
        let mut rows = audit::table
            .left_join(links::table.on(links::entry_id.eq(audit::id)))
            .filter(audit::account_id.eq(account.to_string()))
            .into_boxed::<super::super::Db>();
        if let Some(kind) = actor_kind.clone() {
            rows = rows.filter(audit::actor_kind.eq(kind));
        }
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
    page!(conn, &request, rows(), audit::id, PlacedRow)
}
